//! The exporters that speak OTLP. Headers and compression are read by the SDK; they have been checked before.

use std::{fs, sync::Arc};

use anyhow::{Context, anyhow};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{
    MetricExporter, SpanExporter, WithExportConfig, WithHttpConfig, WithTonicConfig,
    tonic_types::transport::{Certificate, ClientTlsConfig},
};
use reqwest::redirect;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use tokio::runtime::Handle;

use super::{
    endpoint::{Otlp, Protocol},
    road::Road,
};

/// What an exporter is built of. A macro, for the SDK's builders are of many types and one form.
macro_rules! build {
    ($builder:expr, $otlp:ident, $road:ident) => {
        match $otlp.protocol {
            Protocol::Grpc => $builder
                .with_tonic()
                .with_endpoint(&$otlp.address)
                .with_timeout($otlp.timeout)
                .with_tls_config(tls($otlp)?)
                .build()?,
            Protocol::Http => $builder
                .with_http()
                .with_endpoint(&$otlp.address)
                .with_timeout($otlp.timeout)
                .with_http_client(Client::new($otlp, $road)?)
                .build()?,
        }
    };
}

/// The exporter of spans. Call it inside the runtime that shall carry its connections.
pub(super) fn spans(otlp: &Otlp, road: &Arc<Road>) -> anyhow::Result<SpanExporter> {
    Ok(build!(SpanExporter::builder(), otlp, road))
}

/// The exporter of metrics, likewise.
pub(super) fn metrics(otlp: &Otlp, road: &Arc<Road>) -> anyhow::Result<MetricExporter> {
    Ok(build!(MetricExporter::builder(), otlp, road))
}

fn certificate(otlp: &Otlp) -> anyhow::Result<Option<Vec<u8>>> {
    let Some(path) = &otlp.certificate else {
        return Ok(None);
    };
    let doing = || format!("read certificates {}", path.display());
    let pem = fs::read(path).with_context(doing)?;
    // A file without any would be found out at the first export, and then only by name of the protocol's error.
    let found = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    if found.with_context(doing)?.is_empty() {
        return Err(anyhow!("there is none in PEM").context(doing()));
    }
    Ok(Some(pem))
}

fn tls(otlp: &Otlp) -> anyhow::Result<ClientTlsConfig> {
    Ok(match certificate(otlp)? {
        Some(pem) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)),
        None => ClientTlsConfig::new().with_enabled_roots(),
    })
}

/// The SDK's processor runs on a thread without a runtime, and reqwest needs one: requests are made in ours. What kept one from being answered
/// the SDK calls a network error, all of it.
#[derive(Debug)]
struct Client {
    client: reqwest::Client,
    runtime: Handle,
    road: Arc<Road>,
}

impl Client {
    fn new(otlp: &Otlp, road: &Arc<Road>) -> anyhow::Result<Self> {
        // There may be one already: the ingestor's.
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut builder = reqwest::Client::builder()
            .timeout(otlp.timeout)
            // Headers with tokens go to the collector that was named, and to no other.
            .redirect(redirect::Policy::none());
        if let Some(pem) = certificate(otlp)? {
            let trusted = reqwest::Certificate::from_pem_bundle(&pem)?;
            builder = builder.tls_certs_only(trusted);
        }
        Ok(Self {
            client: builder.build()?,
            runtime: Handle::current(),
            road: Arc::clone(road),
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
                self.road.hears_why(format!("{error:#}"));
                Err(error.into())
            }
        }
    }
}
