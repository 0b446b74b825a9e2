//! Signals that a process makes, and their destinations: OpenTelemetry's variables and one flag.
//!
//! ```text
//!   OTEL_SDK_DISABLED ─► OTEL_{TRACES,METRICS}_EXPORTER ─► an endpoint is known? ─► off
//!        true: off          otlp, none                        otlp
//! ```

use std::{env, ffi::OsString, time::Duration};

use percent_encoding::percent_decode_str;

use super::{
    collector::Collector,
    environment::{DAY, Ignored, Signal, Variables},
    sampling::Sampling,
};
use crate::Failed;

/// All decisions that precede the first span.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Settings {
    /// The collector of traces.
    pub(super) traces: Option<Collector>,
    /// The collector of metrics.
    pub(super) metrics: Option<Collector>,
    /// Whether Prometheus may read metrics from the admin pages. Not for `none`.
    pub(super) scrape: bool,
    /// The address for `OTEL_METRICS_EXPORTER=prometheus`, unless `--admin-listen` names one.
    pub(crate) scrape_at: Option<String>,
    /// The choice of traces to keep.
    pub(super) sampling: Sampling,
    /// Headers that carry the context: `tracecontext`, `baggage`.
    pub(super) propagators: Vec<&'static str>,
    /// Batches of spans.
    pub(super) batches: Batches,
    /// Between two exports of metrics.
    pub(super) metric_interval: Duration,
    /// `OTEL_RESOURCE_ATTRIBUTES`, and `OTEL_SERVICE_NAME` as the last.
    pub(super) attributes: Vec<(String, String)>,
    /// Variables with wrong values.
    pub(crate) ignored: Vec<Ignored>,
}

/// Limits for spans that wait to be exported.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Batches {
    /// Spans that may wait.
    pub(super) queue: usize,
    /// Spans in one export, no more than may wait.
    pub(super) size: usize,
    /// Between two exports.
    pub(super) delay: Duration,
}

const MOST_SPANS: usize = 1_000_000;

/// Numbers that only the SDK reads. It ignores wrong values without a word.
const SDK_COUNTS: [&str; 3] = [
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_SPAN_EVENT_COUNT_LIMIT",
    "OTEL_SPAN_LINK_COUNT_LIMIT",
];

impl Settings {
    /// Reads them. `endpoint` is the value of `--otlp-endpoint`, which clap takes from
    /// `OTEL_EXPORTER_OTLP_ENDPOINT` too.
    ///
    /// # Errors
    /// [`Exit::Configuration`](crate::Exit::Configuration) if the flag or the configuration file
    /// names no address.
    pub(crate) fn read(
        endpoint: Option<&str>,
        look_up: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self, Failed> {
        let variables = Variables::new(look_up);
        if variables.flag("OTEL_SDK_DISABLED") {
            return Ok(Self::default());
        }
        for variable in SDK_COUNTS {
            variables.number(variable, 0..=u32::MAX);
        }
        let exporters = variables.words("OTEL_METRICS_EXPORTER", ["otlp", "prometheus"]);
        let settings = Self {
            traces: {
                let named = variables.words("OTEL_TRACES_EXPORTER", ["otlp"]);
                Collector::read(&variables, Signal::Traces, named, endpoint)?
            },
            scrape: exporters.as_ref().is_none_or(|names| !names.is_empty()),
            scrape_at: scrape_address(&variables, exporters.as_deref()),
            metrics: Collector::read(&variables, Signal::Metrics, exporters, endpoint)?,
            sampling: Sampling::read(&variables),
            propagators: variables
                .words("OTEL_PROPAGATORS", ["tracecontext", "baggage"])
                .unwrap_or_else(|| vec!["tracecontext", "baggage"]),
            batches: Batches::read(&variables),
            metric_interval: milliseconds(&variables, "OTEL_METRIC_EXPORT_INTERVAL", 60_000),
            attributes: attributes(&variables),
            ignored: Vec::new(),
        };
        Ok(Self {
            ignored: variables.into_ignored(),
            ..settings
        })
    }

    /// Those of a command: it ends before anyone could ask for its metrics.
    pub(crate) fn without_metrics(self) -> Self {
        Self {
            metrics: None,
            scrape: false,
            scrape_at: None,
            ..self
        }
    }

    /// Whether anything is exported.
    pub(crate) fn any(&self) -> bool {
        self.traces.is_some() || self.metrics.is_some()
    }
}

/// The address at which `OTEL_METRICS_EXPORTER=prometheus` wants this process' metrics, if it is
/// set.
pub fn prometheus_address() -> Option<String> {
    let look_up = |name: &str| env::var_os(name);
    Settings::read(None, &look_up).ok()?.scrape_at
}

/// With the defaults of the specification's own Prometheus exporter.
fn scrape_address(variables: &Variables<'_>, exporters: Option<&[&str]>) -> Option<String> {
    exporters.filter(|names| names.contains(&"prometheus"))?;
    let host = variables.get("OTEL_EXPORTER_PROMETHEUS_HOST");
    let host = host.unwrap_or_else(|| "localhost".to_owned());
    let port = variables.number("OTEL_EXPORTER_PROMETHEUS_PORT", 0..=u16::MAX);
    Some(format!("{host}:{}", port.unwrap_or(9464)))
}

fn milliseconds(variables: &Variables<'_>, variable: &str, default: u64) -> Duration {
    Duration::from_millis(variables.number(variable, 1..=DAY).unwrap_or(default))
}

/// `key=value,key=value`, values percent-encoded. The SDK's own reader does not decode them.
fn attributes(variables: &Variables<'_>) -> Vec<(String, String)> {
    let variable = "OTEL_RESOURCE_ATTRIBUTES";
    let list = variables.get(variable).unwrap_or_default();
    let read = |pair: &str| {
        let (key, value) = pair.split_once('=')?;
        // Another key would be no label of Prometheus, and make its whole page unreadable.
        let is_label = key
            .trim()
            .starts_with(|c: char| c.is_alphabetic() || c == '_');
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
        is_label.then(|| (key.trim().to_owned(), value.into_owned()))
    };
    let mut attributes = Vec::new();
    for pair in list.split(',').filter(|pair| !pair.trim().is_empty()) {
        match read(pair) {
            Some(attribute) => attributes.push(attribute),
            None => variables.ignore(
                variable,
                pair,
                "write key=value with commas between, keys beginning with a letter, values percent-encoded",
            ),
        }
    }
    let name = variables.get("OTEL_SERVICE_NAME");
    attributes.extend(name.map(|name| ("service.name".to_owned(), name)));
    attributes
}

impl Batches {
    /// With the specification's defaults.
    fn read(variables: &Variables<'_>) -> Self {
        let number = |variable, default| {
            let number = variables.number(variable, 1..=MOST_SPANS);
            number.unwrap_or(default)
        };
        let queue = number("OTEL_BSP_MAX_QUEUE_SIZE", 2048);
        Self {
            queue,
            size: number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512).min(queue),
            delay: milliseconds(variables, "OTEL_BSP_SCHEDULE_DELAY", 5000),
        }
    }
}
