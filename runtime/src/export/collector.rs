//! The collector of a signal: address, transport, certificates and time limit.

use std::{fs, time::Duration};

use anyhow::{Context, anyhow, ensure};
use hyper::Uri;
use rustls::pki_types::{CertificateDer, pem::PemObject};

use super::environment::{DAY, Signal, Variables, flag};
use crate::{Exit, Failed, Redacted};

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

/// The port that means gRPC where no variable names a protocol. The specification's default is
/// HTTP, which a collector refuses on this port.
const GRPC_PORT: u16 = 4317;
const ADDRESS_HINT: &str = "write it as http://host:port or https://host:port";

impl Collector {
    /// The collector of a signal, if `exporters` names one or its address is known.
    pub(super) fn read(
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
