//! What can be counted, shown and measured. Each is a row of the catalogue that becomes an instrument at its first use.

use std::sync::{
    OnceLock,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use opentelemetry::{KeyValue, global, metrics};

/// How OpenTelemetry calls the origin of our metrics.
const SCOPE: &str = "crispy";

/// Somebody reads what is measured.
static READ: AtomicBool = AtomicBool::new(false);

/// From now on what is counted, set and recorded is measured; what was before is not. For whoever has set the meter provider.
pub fn measure() {
    READ.store(true, Relaxed);
}

/// Whether it is worth while: where nobody reads, an instrument costs one look at a flag.
fn is_measured() -> bool {
    READ.load(Relaxed)
}

/// What kind of instrument a metric is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Only rises, in whole numbers.
    Counter,
    /// Is what it was last set to, or what is read when somebody asks.
    Gauge,
    /// Many values, counted between these bounds.
    Histogram(&'static [f64]),
}

/// A row of the catalogue: what is known of a metric without measuring it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// Its name as OpenTelemetry writes it: `crispy.ingestor.chunks`.
    pub name: &'static str,
    /// What kind of instrument.
    pub kind: Kind,
    /// The unit in UCUM: `s`, `By`, or what is counted in braces, `{chunk}`.
    pub unit: &'static str,
    /// What it says, as a phrase.
    pub about: &'static str,
    /// The attributes that it may have. Cameras are few and may be one; chunks are not and must not.
    pub attributes: &'static [&'static str],
}

impl Row {
    /// Its name as Prometheus writes it, by the rules of opentelemetry-prometheus: unit and `total` at the end.
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
                    "{} has no attribute {key}: put it into the catalogue",
                    self.name
                );
                KeyValue::new(*key, (*value).to_owned())
            })
            .collect()
    }
}

/// Counts what happened.
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

    /// What is known of it without measuring.
    pub fn row(&self) -> &Row {
        &self.row
    }

    /// So many more of it.
    pub fn add(&self, more: u64, attributes: &[(&'static str, &str)]) {
        if !is_measured() {
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

    /// What it counts is kept elsewhere, as a number that only rises: `look` reads it whenever somebody asks. Call it once.
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

/// A value that was read, and the attributes that it goes with.
pub type Reading = (f64, Vec<(&'static str, String)>);

/// Hands readings to whoever asked for them.
fn report(row: Row, readings: Vec<Reading>, seen: &dyn metrics::AsyncInstrument<f64>) {
    for (value, attributes) in &readings {
        let borrowed = attributes.iter().map(|(key, value)| (*key, value.as_str()));
        seen.observe(*value, &row.key_values(&borrowed.collect::<Vec<_>>()));
    }
}

/// Shows how something stands.
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

    /// So it stands now, until it is set again.
    pub fn set(&self, value: f64, attributes: &[(&'static str, &str)]) {
        if !is_measured() {
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

    /// How it stands is looked at whenever somebody asks: for ages, and for what others hold. `look` must not block. Call it once.
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

/// Measures values whose spread matters.
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

    /// What is known of it without measuring.
    pub fn row(&self) -> &Row {
        &self.row
    }

    /// One value, in the row's unit.
    pub fn record(&self, value: f64, attributes: &[(&'static str, &str)]) {
        if !is_measured() {
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
