//! The exporters of OTLP. The SDK reads headers, compression and `OTEL_EXPORTER_OTLP_INSECURE`.

use std::sync::Arc;

use anyhow::anyhow;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{
    MetricExporter, SpanExporter, WithExportConfig, WithHttpConfig, WithTonicConfig,
    tonic_types::transport::{Certificate, ClientTlsConfig},
};
use reqwest::redirect;
use tokio::runtime::Handle;

use super::{
    collector::{Collector, Protocol},
    queue::ExportQueue,
};

/// Builds an exporter. A macro, for the SDK's builders are of many types and one form. The SDK's
/// error repeats the address, which may hold a password, so it is left out.
macro_rules! build {
    ($builder:expr, $collector:ident, $queue:ident) => {
        match $collector.protocol {
            Protocol::Grpc => $builder
                .with_tonic()
                .with_endpoint(&$collector.address)
                .with_timeout($collector.timeout)
                .with_tls_config(tls($collector))
                .build(),
            Protocol::Http => $builder
                .with_http()
                .with_endpoint(&$collector.address)
                .with_timeout($collector.timeout)
                .with_http_client(Client::new($collector, $queue)?)
                .build(),
        }
        .map_err(|_| anyhow!("the endpoint is no address"))
    };
}

/// The exporter of spans. Call it inside the runtime that shall carry its connections.
pub(super) fn spans(
    collector: &Collector,
    queue: &Arc<ExportQueue>,
) -> anyhow::Result<SpanExporter> {
    build!(SpanExporter::builder(), collector, queue)
}

/// The exporter of metrics, likewise.
pub(super) fn metrics(
    collector: &Collector,
    queue: &Arc<ExportQueue>,
) -> anyhow::Result<MetricExporter> {
    build!(MetricExporter::builder(), collector, queue)
}

fn tls(collector: &Collector) -> ClientTlsConfig {
    match &collector.certificates {
        Some(pem) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)),
        None => ClientTlsConfig::new().with_enabled_roots(),
    }
}

/// Sends requests from our runtime: the SDK's processor runs on a thread without one, and reqwest
/// needs one. It also keeps the cause of a failure, which the SDK calls a network error.
#[derive(Debug)]
struct Client {
    client: reqwest::Client,
    runtime: Handle,
    queue: Arc<ExportQueue>,
}

impl Client {
    fn new(collector: &Collector, queue: &Arc<ExportQueue>) -> anyhow::Result<Self> {
        let mut builder = reqwest::Client::builder()
            .timeout(collector.timeout)
            // Headers with tokens go to the collector that was named, and to no other.
            .redirect(redirect::Policy::none());
        if let Some(pem) = &collector.certificates {
            let trusted = reqwest::Certificate::from_pem_bundle(pem)?;
            builder = builder.tls_certs_only(trusted);
        }
        Ok(Self {
            client: builder.build()?,
            runtime: Handle::current(),
            queue: Arc::clone(queue),
        })
    }
}

#[async_trait::async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = reqwest::Request::try_from(request)?;
        let client = self.client.clone();
        let sending = self.runtime.spawn(async move {
            let mut answer = client.execute(request).await?;
            let mut response = Response::builder().status(answer.status());
            if let Some(headers) = response.headers_mut() {
                headers.extend(std::mem::take(answer.headers_mut()));
            }
            Ok::<_, reqwest::Error>((response, answer.bytes().await?))
        });
        match sending.await? {
            Ok((response, body)) => Ok(response.body(body)?),
            // Its address may hold a password, and is known.
            Err(error) => {
                let error = anyhow::Error::new(error.without_url());
                self.queue.set_cause(format!("{error:#}"));
                Err(error.into())
            }
        }
    }
}
