//! The bound on the series of a metric.

use crispy_telemetry::catalogue::{CAMERA, INGESTOR_CHUNKS};
use opentelemetry::{KeyValue, global};
use opentelemetry_sdk::metrics::{
    InMemoryMetricExporter, PeriodicReader, SdkMeterProvider,
    data::{AggregatedMetrics, MetricData},
};

/// The documented limit, and one series for the rest.
const MOST: usize = 2000 + 1;

#[test]
fn a_metric_has_at_most_two_thousand_series() {
    let kept = InMemoryMetricExporter::default();
    let reader = PeriodicReader::builder(kept.clone()).build();
    let provider = SdkMeterProvider::builder().with_reader(reader).build();
    global::set_meter_provider(provider.clone());
    crispy_telemetry::enable();
    for n in 0..5000 {
        INGESTOR_CHUNKS.add(1, &[(CAMERA, &format!("camera-{n}"))]);
    }
    provider.force_flush().expect("an exporter in memory");
    let batches = kept.get_finished_metrics().expect("an exporter in memory");
    let mut metrics = batches.iter().flat_map(|batch| batch.scope_metrics());
    let mut metrics = metrics.by_ref().flat_map(|scope| scope.metrics());
    let chunks = metrics.next().expect("the counted metric").data();
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
