//! Where the pages of the children are: on ports in a row, from the first that was asked for.

use std::{
    io,
    net::{TcpListener, ToSocketAddrs},
};

use anyhow::{Context, anyhow};
use crispy_runtime::{Exit, Failed, WithExit};

use super::variables::{Variables, names};

/// How many children have pages: ingestor, uploader, inspector.
const CHILDREN: u16 = 3;

/// The addresses, one for each child in the order in which they start.
pub(super) type Pages = Vec<String>;

/// Where they will be; none where nobody asked for them. Looks whether they can be had, and lets them go again.
///
/// # Errors
/// [`Exit::Configuration`] for what is no address, or the last of its host; [`Exit::PortTaken`] if somebody has one of them.
pub(super) fn check() -> Result<Pages, Failed> {
    let asked =
        crispy_runtime::health::chosen_listen().map(|first| ("--admin-listen", first.to_owned()));
    let by_variable = || of_variables(&Variables::OURS);
    let Some((by, first)) = asked.or_else(by_variable) else {
        return Ok(Vec::new());
    };
    let pages = in_a_row(by, &first)?;
    // Where the system chooses there is nothing to look for.
    for page in pages.iter().filter(|page| !page.ends_with(":0")) {
        if let Err(error) = TcpListener::bind(page) {
            let (exit, advice) = match error.kind() {
                io::ErrorKind::AddrInUse => (Exit::PortTaken, "others"),
                _ => (Exit::Configuration, "an address of this host"),
            };
            let message = anyhow!(
                "{by} {first} gives {CHILDREN} programs their pages, on ports in a row: {page}: {error}; choose {advice} with --admin-listen"
            );
            return Err(Failed::new(exit, message));
        }
    }
    Ok(pages)
}

/// The first, as each of the children would understand OpenTelemetry's variables: all of them want the same.
fn of_variables(variables: &Variables<'_>) -> Option<(&'static str, String)> {
    if variables.disabled().is_some() {
        return None;
    }
    let exporters = variables.get("OTEL_METRICS_EXPORTER");
    exporters.filter(|exporters| names(exporters, "prometheus"))?;
    let host = variables.get("OTEL_EXPORTER_PROMETHEUS_HOST");
    let host = host.unwrap_or_else(|| "localhost".to_owned());
    let port = variables.get("OTEL_EXPORTER_PROMETHEUS_PORT");
    let port = port.unwrap_or_else(|| "9464".to_owned());
    let by = "OTEL_METRICS_EXPORTER=prometheus at";
    Some((by, format!("{host}:{port}")))
}

fn in_a_row(by: &str, first: &str) -> Result<Pages, Failed> {
    first
        .to_socket_addrs()
        .with_context(|| format!("{by} {first}: write it as 127.0.0.1:9464"))
        .exit(Exit::Configuration)?;
    let ports = first.rsplit_once(':').and_then(|(host, port)| {
        let port: u16 = port.parse().ok()?;
        let at = |place| match port {
            // The system chooses for each.
            0 => Some(0),
            port => port.checked_add(place),
        };
        let ports = (0..CHILDREN).map(at).collect::<Option<Vec<_>>>()?;
        Some(
            ports
                .into_iter()
                .map(|port| format!("{host}:{port}"))
                .collect(),
        )
    });
    ports.ok_or_else(|| {
        let most = u16::MAX - CHILDREN + 1;
        let message = anyhow!("{by} {first}: {CHILDREN} programs need {CHILDREN} ports in a row: choose one up to {most}");
        Failed::new(Exit::Configuration, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::up::variables::with;

    #[test]
    fn children_have_their_pages_on_ports_in_a_row() {
        let of = |first| in_a_row("--admin-listen", first).unwrap();
        assert_eq!(
            of("127.0.0.1:9464"),
            ["127.0.0.1:9464", "127.0.0.1:9465", "127.0.0.1:9466"]
        );
        assert_eq!(of("[::1]:0"), ["[::1]:0"; 3]);
        assert_eq!(of("127.0.0.1:65533")[2], "127.0.0.1:65535");
    }

    #[test]
    fn an_address_without_room_for_all_and_one_that_is_none_are_refused() {
        for (first, words) in [
            ("bogus", "127.0.0.1:9464"),
            ("127.0.0.1", "127.0.0.1:9464"),
            ("127.0.0.1:65534", "up to 65533"),
        ] {
            let refused = in_a_row("--admin-listen", first).unwrap_err();
            assert_eq!(refused.exit, Exit::Configuration, "{first}");
            let said = refused.to_string();
            assert!(said.contains(first) && said.contains(words), "{said}");
        }
    }

    #[test]
    fn prometheus_finds_each_child_on_a_port_of_its_own() {
        let of = |set: &str| with(set, |variables| Some(of_variables(variables)?.1));
        let scraped = "OTEL_METRICS_EXPORTER=otlp,Prometheus";
        assert_eq!(of(scraped).as_deref(), Some("localhost:9464"));
        let elsewhere = "OTEL_EXPORTER_PROMETHEUS_HOST=127.0.0.2 OTEL_EXPORTER_PROMETHEUS_PORT=1";
        let elsewhere = of(&format!("{scraped} {elsewhere}"));
        assert_eq!(elsewhere.as_deref(), Some("127.0.0.2:1"));
        assert_eq!(of(&format!("{scraped} OTEL_SDK_DISABLED=true")), None);
        assert_eq!(of("OTEL_METRICS_EXPORTER=otlp"), None);
    }
}
