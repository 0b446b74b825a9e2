//! Signals that a process makes, and their destinations: OpenTelemetry's variables and one flag.
//!
//! ```text
//!   OTEL_SDK_DISABLED ─► OTEL_{TRACES,METRICS}_EXPORTER ─► an endpoint is known? ─► off
//!        true: off          otlp, none                        otlp
//! ```

use std::{env, ffi::OsString, fs, time::Duration};

use anyhow::{Context, anyhow, ensure};
use hyper::Uri;
use percent_encoding::percent_decode_str;
use rustls::pki_types::{CertificateDer, pem::PemObject};

use super::{
    Signal,
    environment::{Ignored, Variables, flag},
    sampling::Sampling,
};
use crate::{Exit, Failed, Redacted};

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

/// An endpoint that receives one signal by OTLP.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Collector {
    /// The whole address of the signal. It may hold a password: shown only through [`Redacted`].
    pub(super) address: String,
    pub(super) protocol: Protocol,
    /// Certificates to trust, instead of the system's, in PEM.
    pub(super) certificates: Option<Vec<u8>>,
    /// The longest time for one export.
    pub(super) timeout: Duration,
}

/// A transport of OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Protobuf over gRPC: port 4317 by custom.
    Grpc,
    /// Protobuf over HTTP: port 4318 by custom.
    Http,
}

/// A day in milliseconds; more is a slip of the unit.
const DAY: u64 = 86_400_000;
const MOST_SPANS: usize = 1_000_000;
/// The port that means gRPC where no variable names a protocol. The specification's default is
/// HTTP, which a collector refuses on this port.
const GRPC_PORT: u16 = 4317;
const ADDRESS_HINT: &str = "write it as http://host:port or https://host:port";

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
    /// [`Exit::Configuration`] if the flag or the configuration file names no address.
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

impl Collector {
    /// The collector of a signal, if `exporters` names one or its address is known.
    fn read(
        variables: &Variables<'_>,
        signal: Signal,
        exporters: Option<Vec<&str>>,
        endpoint: Option<&str>,
    ) -> Result<Option<Self>, Failed> {
        let wanted = exporters.as_ref().map(|names| names.contains(&"otlp"));
        let own = signal.variable("ENDPOINT");
        let raw = variables.get(&own);
        if wanted == Some(false) || (wanted.is_none() && raw.is_none() && endpoint.is_none()) {
            return Ok(None);
        }
        let protocol = variables
            .otlp(signal, "PROTOCOL", "use grpc or http/protobuf", protocol)
            .unwrap_or_else(|| Protocol::of_port(raw.as_deref().or(endpoint)));
        // An address of one signal is taken as it is.
        let whole = variables.parse(&own, ADDRESS_HINT, |text| protocol.address(text));
        let base = match endpoint {
            Some(text) if whole.is_none() => base(variables, protocol, text)?,
            _ => None,
        };
        let default = || wanted.map(|_| protocol.default_address().to_owned());
        let with_path = |base: String| protocol.with_path(&base, signal);
        let Some(address) = whole.or_else(|| base.or_else(default).map(with_path)) else {
            return Ok(None);
        };
        check_sdk_variables(variables, signal);
        let Some(certificates) = certificates(variables, signal) else {
            return Ok(None);
        };
        Ok(Some(Self {
            address,
            protocol,
            certificates,
            timeout: timeout(variables, signal),
        }))
    }
}

/// The address of all signals. A wrong variable is ignored; a wrong flag or line in the
/// configuration file is an error.
fn base(
    variables: &Variables<'_>,
    protocol: Protocol,
    text: &str,
) -> Result<Option<String>, Failed> {
    let address = protocol.address(text);
    if address.is_some() {
        return Ok(address);
    }
    let variable = "OTEL_EXPORTER_OTLP_ENDPOINT";
    if variables.get(variable).as_deref() == Some(text) {
        variables.ignore(variable, text, ADDRESS_HINT);
        return Ok(None);
    }
    let message = anyhow!("--otlp-endpoint {}: {ADDRESS_HINT}", Redacted(text));
    Err(Failed::new(Exit::Configuration, message))
}

/// Warns about wrong values of variables that only the SDK reads.
fn check_sdk_variables(variables: &Variables<'_>, signal: Signal) {
    let compression = |text: &str| {
        let mut known = ["gzip", "none"].into_iter();
        known.find(|word| word.eq_ignore_ascii_case(text))
    };
    variables.otlp(signal, "COMPRESSION", "use gzip or none", compression);
    variables.otlp(signal, "INSECURE", "set it to true or false", flag);
    let header = |pair: &str| {
        let name = pair.split_once('=').map(|(name, _)| name.trim());
        name.is_some_and(|name| reqwest::header::HeaderName::from_bytes(name.as_bytes()).is_ok())
    };
    let headers = |list: &str| {
        let mut pairs = list.split(',').filter(|pair| !pair.trim().is_empty());
        pairs.all(header).then_some(())
    };
    let hint = "write name=value with commas between; entries of another form are ignored";
    variables.otlp(signal, "HEADERS", hint, headers);
    for name in ["CLIENT_KEY", "CLIENT_CERTIFICATE"] {
        let hint = "unset it: client certificates are not supported";
        variables.otlp(signal, name, hint, |_| None::<()>);
    }
}

/// The certificates to trust. `None` if they cannot be read: then nothing may be sent, for the
/// system's certificates would let in a server that the operator does not trust.
fn certificates(variables: &Variables<'_>, signal: Signal) -> Option<Option<Vec<u8>>> {
    let path = |path: &str| Some(path.to_owned());
    let Some(path) = variables.otlp(signal, "CERTIFICATE", "", path) else {
        return Some(None);
    };
    let read = || {
        let pem = fs::read(&path)?;
        let found = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
        ensure!(
            !found.context("not PEM")?.is_empty(),
            "no certificate in PEM"
        );
        Ok(pem)
    };
    match read() {
        Ok(pem) => Some(Some(pem)),
        Err(error) => {
            let hint = format!(
                "name a file of certificates ({error:#}); {} are off",
                signal.name()
            );
            variables.ignore("OTEL_EXPORTER_OTLP_CERTIFICATE", &path, hint);
            None
        }
    }
}

fn timeout(variables: &Variables<'_>, signal: Signal) -> Duration {
    let hint = "use milliseconds, from 1 to 86400000";
    let read = |text: &str| text.parse().ok().filter(|ms| (1..=DAY).contains(ms));
    let timeout = variables.otlp(signal, "TIMEOUT", hint, read);
    let timeout = timeout.unwrap_or(10_000);
    // The SDK's processor ignores this limit, so it limits the exporter.
    let export = variables.number("OTEL_BSP_EXPORT_TIMEOUT", 1..=DAY);
    Duration::from_millis(timeout.min(export.unwrap_or(timeout)))
}

fn protocol(text: &str) -> Option<Protocol> {
    match text.to_ascii_lowercase().as_str() {
        "grpc" => Some(Protocol::Grpc),
        "http/protobuf" => Some(Protocol::Http),
        _ => None,
    }
}

impl Protocol {
    fn of_port(address: Option<&str>) -> Self {
        let uri = address.and_then(|address| address.parse::<Uri>().ok());
        match uri.and_then(|uri| uri.port_u16()) {
            Some(GRPC_PORT) => Self::Grpc,
            _ => Self::Http,
        }
    }

    fn default_address(self) -> &'static str {
        match self {
            Self::Grpc => "http://localhost:4317",
            Self::Http => "http://localhost:4318",
        }
    }

    /// The text, if it is an address. gRPC takes `host:port` too, which is TLS unless
    /// `OTEL_EXPORTER_OTLP_INSECURE` is true.
    fn address(self, text: &str) -> Option<String> {
        let uri: Uri = text.parse().ok()?;
        let known = match uri.scheme_str() {
            Some(scheme) => ["http", "https"].contains(&scheme),
            None => self == Self::Grpc,
        };
        (known && uri.host().is_some()).then(|| text.to_owned())
    }

    /// Over HTTP each signal has a path of its own, before the query; over gRPC the service's name
    /// tells signals apart.
    fn with_path(self, base: &str, signal: Signal) -> String {
        let (path, query) = match base.split_once('?') {
            Some((path, query)) => (path, format!("?{query}")),
            None => (base, String::new()),
        };
        match self {
            Self::Grpc => base.to_owned(),
            Self::Http => format!("{}/v1/{}{query}", path.trim_end_matches('/'), signal.name()),
        }
    }
}
