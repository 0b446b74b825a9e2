//! Counters, gauges and histograms: rows of the catalogue, made into instruments at their first
//! use.

use std::sync::{
    OnceLock,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use opentelemetry::{KeyValue, global, metrics};

/// The instrumentation scope of our metrics.
const SCOPE: &str = "crispy";

/// Whether a meter provider is set.
static ENABLED: AtomicBool = AtomicBool::new(false);

/// Enables all instruments. Called after a meter provider was set; earlier measurements are lost.
pub fn enable() {
    ENABLED.store(true, Relaxed);
}

/// A disabled instrument costs one load of this flag.
fn is_enabled() -> bool {
    ENABLED.load(Relaxed)
}

/// The kind of an instrument.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// A whole number that only rises.
    Counter,
    /// The last value set, or the value at the time of collection.
    Gauge,
    /// A distribution of values over these histogram bounds.
    Histogram(&'static [f64]),
}

/// A row of the catalogue: the description of a metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// Its name as OpenTelemetry writes it: `crispy.ingestor.chunks`.
    pub name: &'static str,
    /// The kind of instrument.
    pub kind: Kind,
    /// The unit in UCUM: `s`, `By`, or the counted thing in braces, `{chunk}`.
    pub unit: &'static str,
    /// Its meaning, as a phrase.
    pub about: &'static str,
    /// Its possible attributes. Cameras are few and may be one; chunks are not.
    pub attributes: &'static [&'static str],
}

impl Row {
    /// Its name in Prometheus, by the rules of opentelemetry-prometheus: with unit and `total` at
    /// the end.
    pub fn prometheus_name(&self) -> String {
        let unit = match self.unit {
            "s" => "_seconds",
            "By" => "_bytes",
            _ => "",
        };
        let total = match self.kind {
            Kind::Counter => "_total",
            _ => "",
        };
        format!("{}{unit}{total}", self.name.replace('.', "_"))
    }

    fn key_values(&self, attributes: &[(&'static str, &str)]) -> Vec<KeyValue> {
        attributes
            .iter()
            .map(|(key, value)| {
                debug_assert!(
                    self.attributes.contains(key),
                    "{} has no attribute {key}: add it to the catalogue",
                    self.name
                );
                KeyValue::new(*key, (*value).to_owned())
            })
            .collect()
    }
}

/// Counts events or bytes.
#[derive(Debug)]
pub struct Counter {
    pub(crate) row: Row,
    instrument: OnceLock<metrics::Counter<u64>>,
}

impl Counter {
    pub(crate) const fn new(row: Row) -> Self {
        let instrument = OnceLock::new();
        Self { row, instrument }
    }

    /// Its row of the catalogue.
    pub fn row(&self) -> &Row {
        &self.row
    }

    /// Adds `more`.
    pub fn add(&self, more: u64, attributes: &[(&'static str, &str)]) {
        if !is_enabled() {
            return;
        }
        let row = &self.row;
        let instrument = self.instrument.get_or_init(|| {
            let meter = global::meter(SCOPE);
            let builder = meter.u64_counter(row.name);
            builder
                .with_unit(row.unit)
                .with_description(row.about)
                .build()
        });
        instrument.add(more, &row.key_values(attributes));
    }

    /// Registers `look`, which reads a rising number kept elsewhere at each collection. Call it
    /// once.
    pub fn observe(&self, look: impl Fn() -> Vec<Reading> + Send + Sync + 'static) {
        let row = self.row;
        let meter = global::meter(SCOPE);
        let builder = meter.f64_observable_counter(row.name);
        // The meter keeps it for as long as the process lives.
        let _ = builder
            .with_unit(row.unit)
            .with_description(row.about)
            .with_callback(move |seen| report(row, look(), seen))
            .build();
    }
}

/// A value and its attributes.
pub type Reading = (f64, Vec<(&'static str, String)>);

/// Reports readings to a collection.
fn report(row: Row, readings: Vec<Reading>, seen: &dyn metrics::AsyncInstrument<f64>) {
    for (value, attributes) in &readings {
        let borrowed = attributes.iter().map(|(key, value)| (*key, value.as_str()));
        seen.observe(*value, &row.key_values(&borrowed.collect::<Vec<_>>()));
    }
}

/// Shows a present value.
#[derive(Debug)]
pub struct Gauge {
    pub(crate) row: Row,
    instrument: OnceLock<metrics::Gauge<f64>>,
}

impl Gauge {
    pub(crate) const fn new(row: Row) -> Self {
        let instrument = OnceLock::new();
        Self { row, instrument }
    }

    /// Sets the value until the next call.
    pub fn set(&self, value: f64, attributes: &[(&'static str, &str)]) {
        if !is_enabled() {
            return;
        }
        let row = &self.row;
        let instrument = self.instrument.get_or_init(|| {
            let meter = global::meter(SCOPE);
            let builder = meter.f64_gauge(row.name);
            builder
                .with_unit(row.unit)
                .with_description(row.about)
                .build()
        });
        instrument.record(value, &row.key_values(attributes));
    }

    /// Registers `look`, which reads the value at each collection: for ages, and for values kept
    /// elsewhere. `look` must not block. Call it once.
    pub fn observe(&self, look: impl Fn() -> Vec<Reading> + Send + Sync + 'static) {
        let row = self.row;
        let meter = global::meter(SCOPE);
        let builder = meter.f64_observable_gauge(row.name);
        // The meter keeps it for as long as the process lives.
        let _ = builder
            .with_unit(row.unit)
            .with_description(row.about)
            .with_callback(move |seen| report(row, look(), seen))
            .build();
    }
}

/// Measures the distribution of values.
#[derive(Debug)]
pub struct Histogram {
    pub(crate) row: Row,
    bounds: &'static [f64],
    instrument: OnceLock<metrics::Histogram<f64>>,
}

impl Histogram {
    pub(crate) const fn new(row: Row, bounds: &'static [f64]) -> Self {
        Self {
            row,
            bounds,
            instrument: OnceLock::new(),
        }
    }

    /// Its row of the catalogue.
    pub fn row(&self) -> &Row {
        &self.row
    }

    /// Records one value, in the row's unit.
    pub fn record(&self, value: f64, attributes: &[(&'static str, &str)]) {
        if !is_enabled() {
            return;
        }
        let row = &self.row;
        let instrument = self.instrument.get_or_init(|| {
            let meter = global::meter(SCOPE);
            let builder = meter.f64_histogram(row.name);
            builder
                .with_unit(row.unit)
                .with_description(row.about)
                .with_boundaries(self.bounds.to_vec())
                .build()
        });
        instrument.record(value, &row.key_values(attributes));
    }
}
