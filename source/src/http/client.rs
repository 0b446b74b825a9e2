//! HTTP requests from a thread that may block.

use std::{
    io,
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use crispy_media::StopFlag;
use reqwest::{
    Client, ClientBuilder,
    header::{ACCEPT_ENCODING, RANGE},
    redirect::Policy,
};
use tokio::runtime::{Builder, Runtime};
use url::Url;

use super::{body::Body, url::redacted};
use crate::FetchError;

/// Interval at which the stop flag is checked while a server is silent.
const STOP_CHECK: Duration = Duration::from_millis(100);

/// Pauses before each further attempt.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];

/// Sends requests and waits for their answers.
///
/// FFmpeg reads from a thread of its own, so each source has a runtime of its own, which runs only
/// while something is read: a source that waits for space in the spool pulls nothing over the
/// network.
#[derive(Clone, Debug)]
pub(crate) struct HttpClient(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// There until it is dropped.
    runtime: Option<Runtime>,
    client: Client,
    timeout: Duration,
    stop: StopFlag,
}

impl Inner {
    fn runtime(&self) -> &Runtime {
        self.runtime
            .as_ref()
            .expect("only drop takes it, and no call follows that")
    }
}

impl Drop for Inner {
    /// A source may be dropped among the ingestor's own tasks, where a runtime must not wait for
    /// its end.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl HttpClient {
    /// A client. The process has to have installed a provider of cryptography for rustls.
    pub(crate) fn new(timeout: Duration, stop: StopFlag) -> Result<Self, FetchError> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let client = builder(timeout).build();
        // A machine without certificates (a bare container) can still speak http; it then trusts
        // no https server.
        let client = client.or_else(|_| builder(timeout).tls_certs_only([]).build());
        let client = client.map_err(|error| FetchError::Client {
            source: io::Error::other(error.without_url()),
        })?;
        Ok(Self(Arc::new(Inner {
            runtime: Some(runtime.map_err(|source| FetchError::Client { source })?),
            client,
            timeout,
            stop,
        })))
    }

    /// Requests the bytes from `from` to before `to`, or to the end.
    pub(super) fn get(&self, url: &Url, from: u64, to: Option<u64>) -> Result<Body, FetchError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(FetchError::Scheme {
                scheme: url.scheme().to_owned(),
            });
        }
        let place = redacted(url);
        let last = to.map_or(String::new(), |to| (to.saturating_sub(1)).to_string());
        let request = self.0.client.get(url.clone());
        let request = request
            .header(RANGE, format!("bytes={from}-{last}"))
            .header(ACCEPT_ENCODING, "identity");
        let answer = self.wait(&place, request.send())?;
        let response = answer.map_err(|error| connect_error(error, place.clone()))?;
        Body::new(response, place, url, from)
    }

    /// The next bytes of a body; `None` at its end.
    pub(super) fn next_bytes(&self, body: &mut Body) -> Result<Option<Bytes>, FetchError> {
        let place = body.place.clone();
        let begun = Instant::now();
        let read = self.wait(&place, body.response.chunk())?;
        let read = read.map_err(|error| FetchError::Broken {
            place: place.clone(),
            at: 0,
            source: Some(io::Error::other(error.without_url())),
        })?;
        let received = read.as_ref().map_or(0, Bytes::len);
        if !body.stall.record(begun.elapsed(), received) {
            return Err(FetchError::Slow { place });
        }
        Ok(read)
    }

    /// A whole answer in memory, so that it is complete or can be requested again.
    pub(crate) fn fetch_whole(
        &self,
        url: &Url,
        range: Option<Range<u64>>,
        limit: u64,
    ) -> Result<Vec<u8>, FetchError> {
        self.retry(|| self.fetch_whole_once(url, range.clone(), limit))
    }

    fn fetch_whole_once(
        &self,
        url: &Url,
        range: Option<Range<u64>>,
        limit: u64,
    ) -> Result<Vec<u8>, FetchError> {
        let (from, to) = range
            .clone()
            .map_or((0, None), |range| (range.start, Some(range.end)));
        let mut body = self.get(url, from, to)?;
        let place = body.place.clone();
        if range.is_some() && !body.partial {
            return Err(FetchError::NoRange { place, at: from });
        }
        if !body.end_is_certain {
            return Err(FetchError::UnknownEnd { place });
        }
        let mut bytes = Vec::new();
        while let Some(more) = self.next_bytes(&mut body)? {
            bytes.extend_from_slice(&more);
            if bytes.len() as u64 > limit {
                return Err(FetchError::TooLong { place, limit });
            }
        }
        let expected = range.map(|range| range.end - range.start).or(body.length);
        let at = bytes.len() as u64;
        if expected.is_some_and(|expected| at != expected) {
            let source = None;
            return Err(FetchError::Broken { place, at, source });
        }
        Ok(bytes)
    }

    /// Repeats a request while its failure is transient, five times at most.
    pub(super) fn retry<T>(
        &self,
        mut request: impl FnMut() -> Result<T, FetchError>,
    ) -> Result<T, FetchError> {
        for pause in PAUSES {
            match request() {
                Err(error) if error.is_transient() => self.pause(pause)?,
                result => return result,
            }
        }
        request()
    }

    /// Waits, unless the stop flag is set.
    pub(super) fn pause(&self, pause: Duration) -> Result<(), FetchError> {
        let inner = &self.0;
        inner.runtime().block_on(async {
            tokio::select! {
                () = stopped(&inner.stop) => Err(FetchError::Stopped),
                () = tokio::time::sleep(pause) => Ok(()),
            }
        })
    }

    fn wait<T>(&self, place: &str, answer: impl Future<Output = T>) -> Result<T, FetchError> {
        let inner = &self.0;
        inner.runtime().block_on(async {
            tokio::select! {
                biased;
                () = stopped(&inner.stop) => Err(FetchError::Stopped),
                answer = answer => Ok(answer),
                () = tokio::time::sleep(inner.timeout) => Err(FetchError::Silent {
                    place: place.to_owned(),
                    seconds: inner.timeout.as_secs(),
                }),
            }
        })
    }
}

fn builder(timeout: Duration) -> ClientBuilder {
    Client::builder()
        .connect_timeout(timeout)
        .redirect(Policy::limited(10))
        .referer(false) // It would show one server the signature for another.
        .user_agent(concat!("crispy-streamer/", env!("CARGO_PKG_VERSION")))
}

/// The error of a request without any answer.
fn connect_error(error: reqwest::Error, place: String) -> FetchError {
    // A bad redirect stays bad, however often it is requested.
    let is_permanent = error.is_redirect() || error.is_builder();
    let source = io::Error::other(error.without_url());
    if is_permanent {
        return FetchError::Redirects { place, source };
    }
    FetchError::Connect { place, source }
}

async fn stopped(stop: &StopFlag) {
    while !stop.is_stopped() {
        tokio::time::sleep(STOP_CHECK).await;
    }
}
