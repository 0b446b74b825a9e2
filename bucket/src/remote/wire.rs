//! The wire: every request to a store goes through here, and what its answer says beyond object_store's errors is kept.
//!
//! ```text
//!   object_store ── request ──► Line ── x-goog-hash, patience ──► reqwest ──► store
//!                ◄─ answer ────      ◄─ status, code, Retry-After: noted for the one who asked
//! ```
//!
//! object_store's errors keep a status and a text, and lose headers; so each operation runs in a task-local [`observed`], where the last
//! answer of its requests is noted. That no retries hide in between is object_store's setting (`retries_off`).

use std::{
    cell::RefCell,
    sync::Once,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD};
use futures_util::TryStreamExt;
use object_store::{
    BackoffConfig, ClientConfigKey, ClientOptions, HeaderValue, RetryConfig,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
        HttpResponseBody, HttpService,
    },
};
use reqwest::redirect;

use super::{
    super::{Asked, BucketOptions, OptionError},
    answer::Refusal,
};

/// Until a connection is there, TLS included. Beyond it nobody is at home, or the way there is closed: a healthy store takes some 0.1 s.
const CONNECT: Duration = Duration::from_secs(5);
/// From the last byte of a request to the first of its answer. Google's own clients give up on a stalled upload after 10 s.
const ANSWER: Duration = Duration::from_secs(10);
/// A whole operation, tokens and reading back included, beside the time that its bytes are allowed.
const WHOLE: Duration = Duration::from_secs(60);
/// The slowest line that is worth it, in bytes/s: 2 Mbit/s. A chunk of 1.5 MB takes 6 s over it.
const SLOWEST: u64 = 256 << 10;
/// The most that is read of a refusal: the largest of them, Azure's of a bad signature, has some 2 KB.
const MOST_OF_A_REFUSAL: usize = 64 << 10;

/// How long is waited for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Patience {
    pub(super) connect: Duration,
    answer: Duration,
    whole: Duration,
}

impl Patience {
    pub(super) fn of(options: &BucketOptions) -> Result<Self, OptionError> {
        Ok(Self {
            connect: options.duration("connect_timeout", CONNECT)?,
            answer: options.duration("answer_timeout", ANSWER)?,
            whole: options.duration("timeout", WHOLE)?,
        })
    }

    /// For an operation that moves so many bytes.
    pub(super) fn whole(self, bytes: u64) -> Duration {
        self.whole + time_for(bytes)
    }
}

fn time_for(bytes: u64) -> Duration {
    Duration::from_secs(bytes / SLOWEST)
}

/// One policy, the worker's: ten tries in 180 s here would hide an outage.
pub(super) fn retries_off() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: 0,
        retry_timeout: Duration::ZERO,
    }
}

/// Bytes sent with this in their request's extensions are refused by Google's servers unless they have this CRC32C; in an answer it is
/// what the server computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GoogleCrc32c(pub(crate) u32);

/// What came of the latest request of an operation.
#[derive(Clone, Debug, Default)]
pub(super) struct Latest {
    pub(super) host: String,
    pub(super) refusal: Option<Refusal>,
}

tokio::task_local! {
    static LATEST: RefCell<Latest>;
}

/// Runs an operation, and tells what came of its latest request.
pub(super) async fn observed<T>(operation: impl Future<Output = T>) -> (T, Latest) {
    let operation = async {
        let result = operation.await;
        (result, LATEST.with(|latest| latest.borrow().clone()))
    };
    LATEST.scope(RefCell::default(), operation).await
}

fn note(change: impl FnOnce(&mut Latest)) {
    // Outside of an operation nobody wants to know.
    let _ = LATEST.try_with(|latest| change(&mut latest.borrow_mut()));
}

/// Makes the clients that object_store asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wire(pub(super) Patience);

impl HttpConnector for Wire {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        with_cryptography();
        let patience = self.0;
        let client = HttpClient::new(straight(options, patience)?);
        Ok(HttpClient::new(Line { client, patience }))
    }
}

/// A client that goes nowhere else. object_store's own follows redirects: a put that is sent on with 303 becomes a question, and whatever page
/// answers it, with an ETag, looks like an object that was stored; other redirects take chunks, and parts of credentials, to whatever host they name.
fn straight(options: &ClientOptions, patience: Patience) -> object_store::Result<reqwest::Client> {
    let set = |key| options.get_config_value(&key);
    let plain = set(ClientConfigKey::AllowHttp).as_deref() == Some("true");
    // object_store asks a machine's own server for credentials with less patience.
    let connect = set(ClientConfigKey::ConnectTimeout);
    let connect = connect.and_then(|text| humantime::parse_duration(&text).ok());
    let client = reqwest::Client::builder()
        .redirect(redirect::Policy::none())
        .user_agent(set(ClientConfigKey::UserAgent).unwrap_or_default())
        .connect_timeout(connect.unwrap_or(patience.connect))
        .https_only(!plain)
        .http1_only()
        // They would change the length, which is compared.
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

/// reqwest and google-cloud-auth take the process's cryptography. If some other was installed already, it is the one.
pub(super) fn with_cryptography() {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
}

#[derive(Debug)]
struct Line {
    client: HttpClient,
    patience: Patience,
}

#[derive(Debug, thiserror::Error)]
#[error("no answer within {0:?}")]
struct NoAnswer(Duration);

#[async_trait]
impl HttpService for Line {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        note(|latest| {
            *latest = Latest {
                host: host.clone(),
                refusal: None,
            };
        });
        if let Some(GoogleCrc32c(sum)) = request.extensions().get().copied()
            && let Ok(value) = HeaderValue::try_from(in_google_s_form(sum))
        {
            request.headers_mut().insert("x-goog-hash", value);
        }
        let allowed = self.patience.answer + time_for(request.body().content_length() as u64);
        let allowed = allowed + self.patience.connect;
        let asked = Asked::current().sends(&request);
        let response = within(allowed, self.client.execute(request)).await;
        if let Some(asked) = asked {
            match &response {
                Ok(response) => asked.answered(response.status().as_u16()),
                Err(error) => asked.broke(error.kind()),
            }
        }
        let response = response?;
        if response.status().is_success() {
            return Ok(with_its_sum(response));
        }
        let (parts, body) = response.into_parts();
        // The status is the answer, whatever becomes of the words.
        let body = within(self.patience.answer, start_of(body))
            .await
            .unwrap_or_default();
        let now = SystemTime::now();
        let refusal = Refusal::read(parts.status.as_u16(), &host, &parts.headers, &body, now);
        note(|latest| latest.refusal = Some(refusal));
        Ok(HttpResponse::from_parts(parts, body.into()))
    }
}

async fn start_of(body: HttpResponseBody) -> Result<Vec<u8>, HttpError> {
    let (mut pieces, mut start) = (body.bytes_stream(), Vec::new());
    while start.len() < MOST_OF_A_REFUSAL
        && let Some(piece) = pieces.try_next().await?
    {
        start.extend_from_slice(&piece);
    }
    Ok(start)
}

async fn within<T>(
    allowed: Duration,
    answer: impl Future<Output = Result<T, HttpError>>,
) -> Result<T, HttpError> {
    let answer = tokio::time::timeout(allowed, answer).await;
    answer.unwrap_or_else(|_| Err(HttpError::new(HttpErrorKind::Timeout, NoAnswer(allowed))))
}

/// As `x-goog-hash` has it: base64 of the sum, the most significant byte first.
fn in_google_s_form(crc32c: u32) -> String {
    format!("crc32c={}", BASE64_STANDARD.encode(crc32c.to_be_bytes()))
}

fn with_its_sum(mut response: HttpResponse) -> HttpResponse {
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
