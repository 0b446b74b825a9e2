//! Where a collector is, and how it is spoken to. Pure.

use std::{path::PathBuf, time::Duration};

use super::environment::{Environment, WrongVariable, secret, wrong};

/// How long a collector may take for one export: the specification's default.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What goes to a collector, and how its variables and paths are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Signal {
    /// As in `OTEL_EXPORTER_OTLP_{}_ENDPOINT`.
    pub(super) variable: &'static str,
    /// As in `/v1/{}`, and in log lines.
    pub(super) word: &'static str,
}

/// Spans.
pub(super) const TRACES: Signal = Signal {
    variable: "TRACES",
    word: "traces",
};
/// Measurements.
pub(super) const METRICS: Signal = Signal {
    variable: "METRICS",
    word: "metrics",
};

/// A collector.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Otlp {
    /// The whole address of the signal. It may hold a password: shown only through [`Redacted`](crate::Redacted).
    pub(super) address: String,
    /// How it is spoken to.
    pub(super) protocol: Protocol,
    /// Certificates to trust, instead of the system's.
    pub(super) certificate: Option<PathBuf>,
    /// How long one export may take.
    pub(super) timeout: Duration,
}

/// How a collector is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Protobuf over gRPC: port 4317 by custom.
    Grpc,
    /// Protobuf over HTTP: port 4318 by custom.
    Http,
}

/// The port that means gRPC where nothing else says so. The specification's default is HTTP, which a collector refuses on it.
const GRPC_PORT: u16 = 4317;

fn named(signal: Signal, of_it: &str) -> (String, String) {
    let signal = format!("OTEL_EXPORTER_OTLP_{}_{of_it}", signal.variable);
    (signal, format!("OTEL_EXPORTER_OTLP_{of_it}"))
}

/// Whether anybody has said where a collector is.
pub(super) fn is_known(
    environment: &Environment<'_>,
    signal: Signal,
    flag: Option<&str>,
) -> Result<bool, WrongVariable> {
    let (own, _) = named(signal, "ENDPOINT");
    Ok(environment.get(&own)?.is_some() || flag.is_some())
}

impl Otlp {
    /// What is said about the collector of a signal.
    pub(super) fn read(
        environment: &Environment<'_>,
        signal: Signal,
        flag: Option<&str>,
    ) -> Result<Self, WrongVariable> {
        let (own, general) = named(signal, "ENDPOINT");
        let own_address = environment.get(&own)?;
        let protocol = protocol(environment, signal, own_address.as_deref().or(flag))?;
        let address = match (own_address, flag) {
            // What is said of one signal is its whole address.
            (Some(address), _) => check(&own, address, protocol)?,
            (None, Some(base)) => {
                let base = check(&general, base.to_owned(), protocol)?;
                with_path(&base, protocol, signal)
            }
            (None, None) => with_path(protocol.default_address(), protocol, signal),
        };
        refuse_client_certificates(environment, signal)?;
        check_the_rest(environment, signal)?;
        let (own, general) = named(signal, "CERTIFICATE");
        let certificate = file(environment, &own, &general)?;
        Ok(Self {
            address,
            protocol,
            certificate,
            timeout: timeout(environment, signal)?,
        })
    }
}

impl Protocol {
    fn default_address(self) -> &'static str {
        match self {
            Self::Grpc => "http://localhost:4317",
            Self::Http => "http://localhost:4318",
        }
    }
}

fn protocol(
    environment: &Environment<'_>,
    signal: Signal,
    address: Option<&str>,
) -> Result<Protocol, WrongVariable> {
    let (own, general) = named(signal, "PROTOCOL");
    let Some((variable, word)) = environment.either(&own, &general)? else {
        let port = address.and_then(port);
        return Ok(match port {
            Some(GRPC_PORT) => Protocol::Grpc,
            _ => Protocol::Http,
        });
    };
    match word.to_ascii_lowercase().as_str() {
        "grpc" => Ok(Protocol::Grpc),
        "http/protobuf" => Ok(Protocol::Http),
        _ => Err(wrong(variable, &word, "use grpc or http/protobuf")),
    }
}

fn port(address: &str) -> Option<u16> {
    let with_scheme = match address.contains("://") {
        true => address.to_owned(),
        false => format!("http://{address}"),
    };
    url::Url::parse(&with_scheme).ok()?.port()
}

/// gRPC takes `host:port` too, which is TLS unless `OTEL_EXPORTER_OTLP_INSECURE` says otherwise.
fn check(variable: &str, address: String, protocol: Protocol) -> Result<String, WrongVariable> {
    let bare = protocol == Protocol::Grpc && !address.contains("://");
    let url = match bare {
        true => format!("https://{address}"),
        false => address.clone(),
    };
    let url = url::Url::parse(&url).ok();
    if url.is_some_and(|url| ["http", "https"].contains(&url.scheme()) && url.has_host()) {
        return Ok(address);
    }
    let reason = "write it as http://host:port or https://host:port";
    Err(wrong(variable, &address, reason))
}

/// Over HTTP each signal has a path of its own, before what is asked of it; over gRPC the service's name says it.
fn with_path(base: &str, protocol: Protocol, signal: Signal) -> String {
    let (path, question) = match base.split_once('?') {
        Some((path, question)) => (path, format!("?{question}")),
        None => (base, String::new()),
    };
    match protocol {
        Protocol::Grpc => base.to_owned(),
        Protocol::Http => format!(
            "{}/v1/{}{question}",
            path.trim_end_matches('/'),
            signal.word
        ),
    }
}

fn timeout(environment: &Environment<'_>, signal: Signal) -> Result<Duration, WrongVariable> {
    let (own, general) = named(signal, "TIMEOUT");
    let (own, general) = (
        environment.milliseconds(&own)?,
        environment.milliseconds(&general)?,
    );
    let timeout = own.or(general).unwrap_or(TIMEOUT);
    // The SDK's processor has no limit of its own: this is it.
    let export = environment.milliseconds("OTEL_BSP_EXPORT_TIMEOUT")?;
    Ok(timeout.min(export.unwrap_or(timeout)))
}

fn refuse_client_certificates(
    environment: &Environment<'_>,
    signal: Signal,
) -> Result<(), WrongVariable> {
    for of_it in ["CLIENT_KEY", "CLIENT_CERTIFICATE"] {
        let (own, general) = named(signal, of_it);
        if let Some((variable, path)) = environment.either(&own, &general)? {
            let reason = "certificates of clients are not supported: unset it, and send to a collector beside the program";
            return Err(wrong(variable, &path, reason));
        }
    }
    Ok(())
}

/// What the SDK reads by itself, and would pass over if it were wrong.
fn check_the_rest(environment: &Environment<'_>, signal: Signal) -> Result<(), WrongVariable> {
    let (own, general) = named(signal, "HEADERS");
    if let Some((variable, list)) = environment.either(&own, &general)? {
        check_headers(variable, &list)?;
    }
    let (own, general) = named(signal, "COMPRESSION");
    if let Some((variable, word)) = environment.either(&own, &general)?
        && !["gzip", "none"].contains(&word.as_str())
    {
        return Err(wrong(variable, &word, "use gzip or none"));
    }
    let (own, general) = named(signal, "INSECURE");
    environment.flag(&own)?;
    environment.flag(&general)?;
    Ok(())
}

/// `key=value` pairs for a collector. They may be tokens: none is shown.
fn check_headers(variable: &str, list: &str) -> Result<(), WrongVariable> {
    let names = list
        .split(',')
        .filter(|pair| !pair.trim().is_empty())
        .map(|pair| pair.split_once('=').map(|(name, _)| name.trim()));
    for name in names {
        if name.is_none_or(|name| reqwest::header::HeaderName::from_bytes(name.as_bytes()).is_err())
        {
            return Err(secret(
                variable,
                "write name=value, with commas between, as in x-api-key=abc (it is not repeated here, for it may be a secret)",
            ));
        }
    }
    Ok(())
}

/// A file that has to be there.
fn file(
    environment: &Environment<'_>,
    signal: &str,
    general: &str,
) -> Result<Option<PathBuf>, WrongVariable> {
    let Some((variable, path)) = environment.either(signal, general)? else {
        return Ok(None);
    };
    match std::fs::metadata(&path) {
        Ok(_) => Ok(Some(path.into())),
        Err(error) => Err(wrong(variable, &path, error.to_string())),
    }
}
