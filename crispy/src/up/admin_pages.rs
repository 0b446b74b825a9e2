//! Addresses of the children's admin pages: consecutive ports from the requested one.

use std::{
    io,
    net::{TcpListener, ToSocketAddrs},
};

use anyhow::{Context, anyhow};
use crispy_runtime::{Exit, Failed, WithExit};

/// Children with admin pages: ingestor, uploader, inspector.
const CHILDREN: u16 = 3;

/// One address for each child, in the order of their starts; empty if none was requested.
pub(super) type AdminPages = Vec<String>;

/// The addresses, by flag or variable. Checks that they are free.
///
/// # Errors
/// [`Exit::Configuration`] if it is not an address or has no port for each child,
/// [`Exit::PortTaken`] if one of them is in use.
pub(super) fn check() -> Result<AdminPages, Failed> {
    let flag = crispy_runtime::health::chosen_listen();
    let flag = flag.map(|first| ("--admin-listen", first.to_owned()));
    // The children would all listen on the same address.
    let variables = || {
        let first = crispy_runtime::export::prometheus_address()?;
        Some(("OTEL_METRICS_EXPORTER=prometheus at", first))
    };
    let Some((by, first)) = flag.or_else(variables) else {
        return Ok(Vec::new());
    };
    let pages = consecutive(by, &first)?;
    // With port 0 the system chooses free ones.
    for page in pages.iter().filter(|page| !page.ends_with(":0")) {
        if let Err(error) = TcpListener::bind(page) {
            let (exit, hint) = match error.kind() {
                io::ErrorKind::AddrInUse => (Exit::PortTaken, "other ports"),
                _ => (Exit::Configuration, "an address of this host"),
            };
            let message = anyhow!(
                "{by} {first} needs {CHILDREN} consecutive ports, one for each program: {page}: {error}; choose {hint} with --admin-listen"
            );
            return Err(Failed::new(exit, message));
        }
    }
    Ok(pages)
}

fn consecutive(by: &str, first: &str) -> Result<AdminPages, Failed> {
    first
        .to_socket_addrs()
        .with_context(|| format!("{by} {first}: expected an address like 127.0.0.1:9464"))
        .exit(Exit::Configuration)?;
    let ports = first.rsplit_once(':').and_then(|(host, port)| {
        let port: u16 = port.parse().ok()?;
        let at = |place| match port {
            // The system chooses each.
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
        let message = anyhow!("{by} {first}: {CHILDREN} programs need {CHILDREN} consecutive ports; choose one up to {most}");
        Failed::new(Exit::Configuration, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_get_consecutive_ports() {
        let pages = |first| consecutive("--admin-listen", first).unwrap();
        assert_eq!(
            pages("127.0.0.1:9464"),
            ["127.0.0.1:9464", "127.0.0.1:9465", "127.0.0.1:9466"]
        );
        assert_eq!(pages("[::1]:0"), ["[::1]:0"; 3]);
        assert_eq!(pages("127.0.0.1:65533")[2], "127.0.0.1:65535");
    }

    #[test]
    fn addresses_that_do_not_suffice_are_refused() {
        for (first, words) in [
            ("bogus", "127.0.0.1:9464"),
            ("127.0.0.1", "127.0.0.1:9464"),
            ("127.0.0.1:65534", "up to 65533"),
        ] {
            let refused = consecutive("--admin-listen", first).unwrap_err();
            assert_eq!(refused.exit, Exit::Configuration, "{first}");
            let message = refused.to_string();
            assert!(
                message.contains(first) && message.contains(words),
                "{message}"
            );
        }
    }
}
