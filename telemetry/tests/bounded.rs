//! However many words an attribute turns out to have, what is kept of a metric is bounded, and nothing is counted away.

use crispy_telemetry::catalogue::{CAMERA, INGESTOR_CHUNKS};
use opentelemetry::{KeyValue, global};
use opentelemetry_sdk::metrics::{
    InMemoryMetricExporter, PeriodicReader, SdkMeterProvider,
    data::{AggregatedMetrics, MetricData},
};

/// What the page of metrics says of it, and one for the rest.
const MOST: usize = 2000 + 1;

#[test]
fn a_metric_has_two_thousand_series_at_most_and_counts_the_rest_together() {
    let kept = InMemoryMetricExporter::default();
    let reader = PeriodicReader::builder(kept.clone()).build();
    let provider = SdkMeterProvider::builder().with_reader(reader).build();
    global::set_meter_provider(provider.clone());
    crispy_telemetry::measure();
    for n in 0..5000 {
        INGESTOR_CHUNKS.add(1, &[(CAMERA, &format!("camera-{n}"))]);
    }
    provider.force_flush().expect("an exporter in memory");
    let batches = kept.get_finished_metrics().expect("an exporter in memory");
    let mut metrics = batches.iter().flat_map(|batch| batch.scope_metrics());
    let mut metrics = metrics.by_ref().flat_map(|scope| scope.metrics());
    let chunks = metrics.next().expect("the one that was counted").data();
    let AggregatedMetrics::U64(MetricData::Sum(sum)) = chunks else {
        panic!("a counter is a sum: {chunks:?}")
    };
    let points: Vec<_> = sum.data_points().collect();
    assert!(points.len() <= MOST, "{}", points.len());
    let counted: u64 = points.iter().map(|point| point.value()).sum();
    assert_eq!(counted, 5000);
    let rest = KeyValue::new("otel.metric.overflow", true);
    let mut rest = points
        .iter()
        .filter(|point| point.attributes().any(|kv| *kv == rest));
    assert!(rest.next().is_some_and(|point| point.value() > 1));
}
