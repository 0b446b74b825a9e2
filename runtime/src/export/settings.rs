//! What telemetry a program makes, and where it goes: OpenTelemetry's own variables, and one flag of ours. Pure.
//!
//! ```text
//!   OTEL_SDK_DISABLED ─► OTEL_{TRACES,METRICS}_EXPORTER ─► an endpoint is known? ─► off
//!        true: off          otlp, console, none               otlp
//! ```

use std::ffi::OsString;

use super::environment::{Environment, WrongVariable, wrong};
use super::{
    endpoint::{self, Otlp},
    sampling::Sampling,
};

/// Everything that is decided before the first span.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Settings {
    /// Where traces go; nowhere if it is empty.
    pub(super) traces: Vec<Target>,
    /// Where metrics are pushed to; nowhere if it is empty.
    pub(super) metrics: Vec<Target>,
    /// Whether Prometheus may read metrics from the admin pages. Not for `none`.
    pub(crate) scrape: bool,
    /// Where `OTEL_METRICS_EXPORTER=prometheus` wants them to be read, if no `--admin-listen` says so.
    pub(crate) scrape_at: Option<String>,
    /// Which traces are kept.
    pub(super) sampling: Sampling,
    /// Which headers carry the context: `tracecontext`, `baggage`.
    pub(super) propagators: Vec<&'static str>,
    /// Spans that may wait to be sent.
    pub(super) queue: usize,
    /// `OTEL_SERVICE_NAME`.
    pub(super) service_name: Option<String>,
    /// `OTEL_RESOURCE_ATTRIBUTES`.
    pub(super) attributes: Vec<(String, String)>,
}

/// A place that a signal goes to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Target {
    /// A collector.
    Otlp(Otlp),
    /// stderr.
    Console,
}

/// Spans that wait to be sent, unless told otherwise: the specification's default.
const QUEUE: usize = 2048;
/// Spans in one export, unless told otherwise: the specification's default.
const BATCH: usize = 512;

/// Numbers that the SDK reads by itself, and would pass over if they were none.
const COUNTS: [&str; 3] = [
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_SPAN_EVENT_COUNT_LIMIT",
    "OTEL_SPAN_LINK_COUNT_LIMIT",
];
/// Times of the same kind, in milliseconds.
const TIMES: [&str; 2] = ["OTEL_BSP_SCHEDULE_DELAY", "OTEL_METRIC_EXPORT_INTERVAL"];

impl Settings {
    /// Reads them. `endpoint` is the flag's word, which has heard of `OTEL_EXPORTER_OTLP_ENDPOINT` already.
    ///
    /// # Errors
    /// The first variable that is wrong.
    pub(crate) fn read(
        endpoint: Option<&str>,
        look: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self, WrongVariable> {
        let environment = Environment(look);
        if environment.flag("OTEL_SDK_DISABLED")? {
            return Ok(Self::default());
        }
        for variable in COUNTS {
            environment.number(variable, 0..=u32::MAX)?;
        }
        for variable in TIMES {
            environment.milliseconds(variable)?;
        }
        let propagators = environment.words("OTEL_PROPAGATORS", ["tracecontext", "baggage"])?;
        let exporters =
            environment.words("OTEL_METRICS_EXPORTER", ["otlp", "prometheus", "console"])?;
        let scrape_named = exporters
            .as_ref()
            .is_some_and(|e| e.contains(&"prometheus"));
        let scrape_at = scrape_named
            .then(|| scrape_address(&environment))
            .transpose()?;
        Ok(Self {
            traces: targets(&environment, endpoint::TRACES, endpoint)?,
            metrics: targets(&environment, endpoint::METRICS, endpoint)?,
            scrape: exporters.is_none_or(|exporters| !exporters.is_empty()),
            scrape_at,
            sampling: Sampling::read(&environment)?,
            propagators: propagators.unwrap_or_else(|| vec!["tracecontext", "baggage"]),
            queue: queue(&environment)?,
            service_name: environment.get("OTEL_SERVICE_NAME")?,
            attributes: attributes(&environment)?,
        })
    }

    /// Those of a command: it is over before anybody could ask for its metrics.
    pub(crate) fn of_a_command(self) -> Self {
        Self {
            metrics: Vec::new(),
            scrape: false,
            scrape_at: None,
            ..self
        }
    }
}

fn targets(
    environment: &Environment<'_>,
    signal: endpoint::Signal,
    flag: Option<&str>,
) -> Result<Vec<Target>, WrongVariable> {
    let otlp = || Otlp::read(environment, signal, flag).map(Target::Otlp);
    let variable = format!("OTEL_{}_EXPORTER", signal.variable);
    let named = match signal.variable {
        "METRICS" => environment.words(&variable, ["otlp", "prometheus", "console"])?,
        _ => environment.words(&variable, ["otlp", "console"])?,
    };
    match named {
        None if endpoint::is_known(environment, signal, flag)? => Ok(vec![otlp()?]),
        None => Ok(Vec::new()),
        Some(names) => names
            .into_iter()
            .filter(|name| *name != "prometheus")
            .map(|name| match name {
                "otlp" => otlp(),
                _ => Ok(Target::Console),
            })
            .collect(),
    }
}

/// The defaults of the specification's own Prometheus exporter.
fn scrape_address(environment: &Environment<'_>) -> Result<String, WrongVariable> {
    let host = environment.get("OTEL_EXPORTER_PROMETHEUS_HOST")?;
    let port = environment.number("OTEL_EXPORTER_PROMETHEUS_PORT", 0..=u16::MAX)?;
    let host = host.unwrap_or_else(|| "localhost".to_owned());
    Ok(format!("{host}:{}", port.unwrap_or(9464)))
}

fn queue(environment: &Environment<'_>) -> Result<usize, WrongVariable> {
    let most = 1_000_000;
    let room = environment.number("OTEL_BSP_MAX_QUEUE_SIZE", 1..=most)?;
    let room = room.unwrap_or(QUEUE);
    let variable = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE";
    let batch = environment
        .number(variable, 1..=most)?
        .unwrap_or(BATCH.min(room));
    if batch > room {
        let reason = format!("a batch cannot be larger than the queue, which holds {room}");
        return Err(wrong(variable, &batch.to_string(), reason));
    }
    Ok(room)
}

/// `key=value,key=value`, values percent-encoded.
fn attributes(environment: &Environment<'_>) -> Result<Vec<(String, String)>, WrongVariable> {
    let variable = "OTEL_RESOURCE_ATTRIBUTES";
    let Some(list) = environment.get(variable)? else {
        return Ok(Vec::new());
    };
    let read = |pair: &str| {
        let (key, value) = pair.split_once('=')?;
        let value = percent_encoding::percent_decode_str(value.trim()).decode_utf8();
        // A label of Prometheus' would not be one otherwise, and its whole page unreadable.
        let is_name =
            |key: &str| key.starts_with(|first: char| first.is_alphabetic() || first == '_');
        Some((key.trim().to_owned(), value.ok()?.into_owned())).filter(|(key, _)| is_name(key))
    };
    let pairs = list.split(',').filter(|pair| !pair.trim().is_empty());
    pairs
        .map(|pair| {
            let reason = "write key=value, with commas between, keys that begin with a letter, and values percent-encoded";
            read(pair).ok_or_else(|| wrong(variable, pair, reason))
        })
        .collect()
}
