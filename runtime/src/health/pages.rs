//! The admin pages: `/metrics`, `/livez`, `/readyz`, `/version`.
//!
//! Idle connections would take file descriptors that the work needs. So their number is limited,
//! each is for one request, and each has a time limit.

use std::{
    io,
    net::{SocketAddr, TcpListener, ToSocketAddrs},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, anyhow};
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use serde_json::json;
use tokio::{net::TcpStream, sync::Semaphore, time};

use super::{Heartbeat, Readiness};
use crate::{
    Exit, Failed, WithExit, about::About, export::Scrape, telemetry_thread::TelemetryThread,
};

/// Connections at a time. Prometheus uses one, a load balancer a few.
const CONNECTIONS: usize = 64;

/// The longest time from the start of a connection to its end.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The pause after a failed accept. It fails without a free file descriptor; other work may free
/// one.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(200);

/// The socket of the pages, bound before the program begins.
#[derive(Debug)]
pub(crate) struct Admin(TcpListener);

/// The sources of the pages.
#[derive(Clone)]
pub(crate) struct Pages {
    pub(crate) about: About,
    pub(crate) readiness: &'static Readiness,
    pub(crate) heartbeat: Heartbeat,
    pub(crate) scrape: Option<Scrape>,
}

impl Admin {
    /// Takes the port that `source`, a flag or a variable, names.
    ///
    /// # Errors
    /// [`Exit::PortTaken`] if another process has it, [`Exit::Configuration`] for an address that
    /// is not one of this host.
    pub(crate) fn bind(address: &str, source: &str) -> Result<Self, Failed> {
        let addresses: Vec<SocketAddr> = address
            .to_socket_addrs()
            .with_context(|| format!("{source} {address}: write it as 127.0.0.1:9464"))
            .exit(Exit::Configuration)?
            .collect();
        TcpListener::bind(&addresses[..])
            .map(Self)
            .map_err(|error| {
                let (exit, advice) = match error.kind() {
                    io::ErrorKind::AddrInUse => (
                        Exit::PortTaken,
                        "another process has that port: stop it, or choose another port",
                    ),
                    _ => (Exit::Configuration, "choose an address of this host"),
                };
                Failed::new(exit, anyhow!("{source} {address}: {error}; {advice}"))
            })
    }

    /// The address at which it listens.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Serves the pages until the thread ends.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn serve(self, pages: Pages, thread: &TelemetryThread) -> io::Result<()> {
        let _inside = thread.handle().enter();
        self.0.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(self.0)?;
        thread.handle().spawn(accept(listener, router(pages)));
        Ok(())
    }
}

/// Answers requests until the process ends. Connections beyond the limit wait in the socket.
async fn accept(listener: tokio::net::TcpListener, router: Router) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let answered = time::timeout(TIMEOUT, answer(stream, router.clone()));
                tokio::spawn(async move {
                    // A malformed request or a lost connection harms only its client.
                    drop(answered.await);
                    drop(permit);
                });
            }
            Err(_) => time::sleep(ACCEPT_BACKOFF).await,
        }
    }
}

async fn answer(stream: TcpStream, router: Router) -> hyper::Result<()> {
    let service = TowerToHyperService::new(router);
    let mut server = http1::Builder::new();
    server.keep_alive(false);
    server.serve_connection(TokioIo::new(stream), service).await
}

fn router(pages: Pages) -> Router {
    Router::new()
        .route(
            "/",
            get(|| async { "/metrics\n/livez\n/readyz\n/version\n" }),
        )
        .route("/metrics", get(metrics))
        .route("/livez", get(alive))
        .route("/readyz", get(ready))
        .route("/version", get(version))
        .with_state(pages)
}

async fn metrics(State(pages): State<Pages>) -> Response {
    match pages.scrape {
        Some(scrape) => {
            let kind = [(CONTENT_TYPE, prometheus::TEXT_FORMAT)];
            (kind, scrape.text()).into_response()
        }
        None => {
            let off = "metrics are off, by OTEL_SDK_DISABLED or OTEL_METRICS_EXPORTER=none\n";
            (StatusCode::NOT_FOUND, off).into_response()
        }
    }
}

async fn alive(State(pages): State<Pages>) -> (StatusCode, String) {
    match pages.heartbeat.stuck_for() {
        None => (StatusCode::OK, "alive\n".into()),
        Some(stuck_for) => {
            let seconds = stuck_for.as_secs();
            let stuck = format!("the program's tasks have not run for {seconds} s: restart it\n");
            (StatusCode::SERVICE_UNAVAILABLE, stuck)
        }
    }
}

async fn ready(State(pages): State<Pages>) -> (StatusCode, String) {
    let reasons = pages.readiness.reasons();
    if reasons.is_empty() {
        return (StatusCode::OK, "ready\n".into());
    }
    let lines = reasons.iter().map(|reason| format!("{reason}\n"));
    (StatusCode::SERVICE_UNAVAILABLE, lines.collect())
}

async fn version(State(pages): State<Pages>) -> impl IntoResponse {
    let About { name, version, .. } = pages.about;
    let version = json!({ "program": name, "version": version });
    ([(CONTENT_TYPE, "application/json")], format!("{version}\n"))
}
