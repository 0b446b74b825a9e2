//! The HTTP client under object_store: timeouts, checksum headers, and a log of each answer.
//!
//! ```text
//!   object_store ── request ──► Service ── x-goog-hash, timeouts ──► reqwest ──► store
//!                ◄─ answer ────         ◄─ status, code, Retry-After: recorded in `request_log`
//! ```

use std::{
    sync::Once,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD};
use crispy_fault::Fault;
use futures_util::TryStreamExt;
use object_store::{
    BackoffConfig, ClientConfigKey, ClientOptions, HeaderValue, RetryConfig,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
        HttpResponseBody, HttpService,
    },
};
use reqwest::redirect;

use super::error_response::ErrorResponse;
use crate::{BucketOptions, request_log};

/// For a connection, TLS included. A healthy store takes some 0.1 s; longer means that the host or
/// the network is down.
const CONNECT: Duration = Duration::from_secs(5);
/// From the last byte of a request to the first of its answer. Google's own clients give up on a
/// stalled upload after 10 s.
const ANSWER: Duration = Duration::from_secs(10);
/// For an operation, tokens and look-ups included, beside the time for its bytes.
const OPERATION: Duration = Duration::from_secs(60);
/// The slowest supported line, in bytes/s: 2 Mbit/s. A chunk of 1.5 MB takes 6 s over it.
const SLOWEST: u64 = 256 << 10;
/// The most that is read of an error response: the largest of them, Azure's of a bad signature, has
/// some 2 KB.
const MAX_ERROR_BODY: usize = 64 << 10;

/// The timeouts of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Timeouts {
    pub(super) connect: Duration,
    answer: Duration,
    operation: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: CONNECT,
            answer: ANSWER,
            operation: OPERATION,
        }
    }
}

impl Timeouts {
    pub(super) fn from_options(options: &BucketOptions) -> Result<Self, Fault> {
        Ok(Self {
            connect: options.duration("connect_timeout", CONNECT)?,
            answer: options.duration("answer_timeout", ANSWER)?,
            operation: options.duration("timeout", OPERATION)?,
        })
    }

    /// For an operation that moves `bytes` bytes.
    pub(super) fn operation(self, bytes: u64) -> Duration {
        self.operation + transfer_time(bytes)
    }
}

fn transfer_time(bytes: u64) -> Duration {
    Duration::from_secs(bytes / SLOWEST)
}

/// Turns object_store's own retries off: its ten tries over 180 s would hide an outage. The worker
/// has the one retry policy.
pub(super) fn no_retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: 0,
        retry_timeout: Duration::ZERO,
    }
}

/// A CRC32C in a request's or an answer's extensions. Google's servers refuse a request's bytes
/// unless they have this sum; in an answer it is the server's own sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GoogleCrc32c(pub(crate) u32);

/// Creates the HTTP clients of object_store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connector(pub(super) Timeouts);

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        install_crypto();
        let timeouts = self.0;
        let client = HttpClient::new(client_without_redirects(options, timeouts)?);
        Ok(HttpClient::new(Service { client, timeouts }))
    }
}

/// A client that follows no redirects. object_store's own does: a put that is redirected by 303
/// becomes a GET, and any page with an ETag that answers it looks like a stored object; other
/// redirects send chunks, and parts of credentials, to any host that they name.
fn client_without_redirects(
    options: &ClientOptions,
    timeouts: Timeouts,
) -> object_store::Result<reqwest::Client> {
    let set = |key| options.get_config_value(&key);
    let plain = set(ClientConfigKey::AllowHttp).as_deref() == Some("true");
    // object_store asks a machine's own server for credentials with a shorter timeout.
    let connect = set(ClientConfigKey::ConnectTimeout);
    let connect = connect.and_then(|text| humantime::parse_duration(&text).ok());
    let client = reqwest::Client::builder()
        .redirect(redirect::Policy::none())
        .user_agent(set(ClientConfigKey::UserAgent).unwrap_or_default())
        .connect_timeout(connect.unwrap_or(timeouts.connect))
        .https_only(!plain)
        .http1_only()
        // Compression would change the length, which is compared.
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate();
    client
        .build()
        .map_err(|error| object_store::Error::Generic {
            store: "HTTP",
            source: error.into(),
        })
}

/// Installs the process's cryptography, which reqwest and google-cloud-auth use. An earlier
/// installation is kept.
pub(super) fn install_crypto() {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
}

/// The HTTP service of object_store, over another client.
#[derive(Debug)]
struct Service {
    client: HttpClient,
    timeouts: Timeouts,
}

#[derive(Debug, thiserror::Error)]
#[error("no answer within {0:?}")]
struct NoAnswer(Duration);

#[async_trait]
impl HttpService for Service {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if let Some(GoogleCrc32c(sum)) = request.extensions().get().copied()
            && let Ok(value) = HeaderValue::try_from(goog_hash(sum))
        {
            request.headers_mut().insert("x-goog-hash", value);
        }
        let transfer = transfer_time(request.body().content_length() as u64);
        let timeout = self.timeouts.connect + self.timeouts.answer + transfer;
        let host = request.uri().host().unwrap_or_default().to_owned();
        let span = request_log::record_request(&request);
        let response = within(timeout, self.client.execute(request)).await;
        if let Some(span) = span {
            span.record_answer(&response);
        }
        let response = response?;
        if response.status().is_success() {
            return Ok(with_crc32c(response));
        }
        let (parts, body) = response.into_parts();
        // The status decides, even if the body cannot be read.
        let body = within(self.timeouts.answer, start_of(body))
            .await
            .unwrap_or_default();
        let (status, now) = (parts.status.as_u16(), SystemTime::now());
        let error = ErrorResponse::parse(status, &host, &parts.headers, &body, now);
        request_log::record_error(error);
        Ok(HttpResponse::from_parts(parts, body.into()))
    }
}

async fn start_of(body: HttpResponseBody) -> Result<Vec<u8>, HttpError> {
    let (mut pieces, mut start) = (body.bytes_stream(), Vec::new());
    while start.len() < MAX_ERROR_BODY
        && let Some(piece) = pieces.try_next().await?
    {
        start.extend_from_slice(&piece);
    }
    Ok(start)
}

async fn within<T>(
    timeout: Duration,
    answer: impl Future<Output = Result<T, HttpError>>,
) -> Result<T, HttpError> {
    let answer = tokio::time::timeout(timeout, answer).await;
    answer.unwrap_or_else(|_| Err(HttpError::new(HttpErrorKind::Timeout, NoAnswer(timeout))))
}

/// The value of `x-goog-hash`: base64 of the sum, the most significant byte first.
fn goog_hash(crc32c: u32) -> String {
    format!("crc32c={}", BASE64_STANDARD.encode(crc32c.to_be_bytes()))
}

/// Adds the CRC32C of the answer's `x-goog-hash` to its extensions.
fn with_crc32c(mut response: HttpResponse) -> HttpResponse {
    let hashes = response.headers().get_all("x-goog-hash").iter();
    let sum = hashes
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .find_map(|hash| hash.trim().strip_prefix("crc32c="))
        .and_then(|sum| BASE64_STANDARD.decode(sum).ok()?.try_into().ok())
        .map(u32::from_be_bytes);
    if let Some(sum) = sum {
        response.extensions_mut().insert(GoogleCrc32c(sum));
    }
    response
}
