//! One question to a server, and the bytes of its answer.

use std::{
    io,
    ops::Range,
    sync::{Arc, Once},
    time::{Duration, Instant},
};

use crispy_media::StopFlag;
use reqwest::{
    Client, ClientBuilder,
    header::{ACCEPT_ENCODING, RANGE},
    redirect::Policy,
};
use tokio::runtime::{Builder, Runtime};
use url::Url;

use super::{body::Body, failure::FetchError};

/// How often the stop flag is looked at while a server is silent.
const LOOK: Duration = Duration::from_millis(100);

/// How long is waited before each further try.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];

/// Asks servers, from a thread that may block.
///
/// FFmpeg reads from a thread of its own, so each source has a runtime of its own, which runs only while something is read: a
/// source that waits for room in the spool pulls nothing over the network.
#[derive(Clone, Debug)]
pub(super) struct Fetcher(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// There until it is dropped.
    runtime: Option<Runtime>,
    client: Client,
    patience: Duration,
    stop: StopFlag,
}

impl Inner {
    fn runtime(&self) -> &Runtime {
        self.runtime
            .as_ref()
            .expect("taken by drop alone, which nothing follows")
    }
}

impl Drop for Inner {
    /// A source may be left from among the ingestor's own tasks, where a runtime must not wait for its end.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Fetcher {
    pub(super) fn new(patience: Duration, stop: StopFlag) -> Result<Self, FetchError> {
        static PROVIDER: Once = Once::new();
        // Fails where another has been installed, which will do as well.
        PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
        let runtime = Builder::new_current_thread().enable_all().build();
        let client = builder(patience).build();
        // A machine without certificates (a bare container) speaks http all the same; to https it then trusts nobody.
        let client = client.or_else(|_| builder(patience).tls_certs_only([]).build());
        let client = client.map_err(|error| FetchError::Client {
            source: io::Error::other(error.without_url()),
        })?;
        Ok(Self(Arc::new(Inner {
            runtime: Some(runtime.map_err(|source| FetchError::Client { source })?),
            client,
            patience,
            stop,
        })))
    }

    /// Asks for the bytes from `from` to before `to`, or to the end.
    pub(super) fn get(&self, url: &Url, from: u64, to: Option<u64>) -> Result<Body, FetchError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(FetchError::Scheme {
                scheme: url.scheme().to_owned(),
            });
        }
        let place = shown(url);
        let last = to.map_or(String::new(), |to| (to.saturating_sub(1)).to_string());
        let request = self.0.client.get(url.clone());
        let request = request
            .header(RANGE, format!("bytes={from}-{last}"))
            .header(ACCEPT_ENCODING, "identity");
        let answer = self.wait(&place, request.send())?;
        let response = answer.map_err(|error| unanswered(error, place.clone()))?;
        Body::new(response, place, url, from)
    }

    /// The next bytes of a body; `None` at its end.
    pub(super) fn next(&self, body: &mut Body) -> Result<Option<bytes::Bytes>, FetchError> {
        let place = body.place.clone();
        let asked = Instant::now();
        let read = self.wait(&place, body.response.chunk())?;
        let read = read.map_err(|error| FetchError::Broken {
            place: place.clone(),
            at: 0,
            source: Some(io::Error::other(error.without_url())),
        })?;
        let came = read.as_ref().map_or(0, bytes::Bytes::len);
        if !body.pace.keeps(asked.elapsed(), came) {
            return Err(FetchError::Slow { place });
        }
        Ok(read)
    }

    /// A whole answer in memory, so that it is all there or can be asked for again.
    pub(super) fn whole(
        &self,
        url: &Url,
        range: Option<Range<u64>>,
        most: u64,
    ) -> Result<Vec<u8>, FetchError> {
        self.insist(|| self.whole_once(url, range.clone(), most))
    }

    fn whole_once(
        &self,
        url: &Url,
        range: Option<Range<u64>>,
        most: u64,
    ) -> Result<Vec<u8>, FetchError> {
        let (from, to) = range
            .clone()
            .map_or((0, None), |range| (range.start, Some(range.end)));
        let mut body = self.get(url, from, to)?;
        let place = body.place.clone();
        if range.is_some() && !body.partial {
            return Err(FetchError::NoRange { place, at: from });
        }
        if !body.ends_for_certain {
            return Err(FetchError::Uncertain { place });
        }
        let mut bytes = Vec::new();
        while let Some(more) = self.next(&mut body)? {
            bytes.extend_from_slice(&more);
            if bytes.len() as u64 > most {
                return Err(FetchError::TooLong { place, most });
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

    /// Asks until it is answered, or there is no sense in asking.
    pub(super) fn insist<T>(
        &self,
        mut ask: impl FnMut() -> Result<T, FetchError>,
    ) -> Result<T, FetchError> {
        for pause in PAUSES {
            match ask() {
                Err(failure) if failure.may_pass() => self.pause(pause)?,
                answered => return answered,
            }
        }
        ask()
    }

    /// Waits, unless it is told to stop.
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
                () = tokio::time::sleep(inner.patience) => Err(FetchError::Silent {
                    place: place.to_owned(),
                    seconds: inner.patience.as_secs(),
                }),
            }
        })
    }
}

fn builder(patience: Duration) -> ClientBuilder {
    Client::builder()
        .connect_timeout(patience)
        .redirect(Policy::limited(10))
        .referer(false) // it would show one server the signature that another wants
        .user_agent(concat!("crispy-streamer/", env!("CARGO_PKG_VERSION")))
}

/// Why there is no answer at all.
fn unanswered(error: reqwest::Error, place: String) -> FetchError {
    // what it leads to cannot be asked, however often
    let leads_astray = error.is_redirect() || error.is_builder();
    let source = io::Error::other(error.without_url());
    if leads_astray {
        return FetchError::Redirects { place, source };
    }
    FetchError::Connect { place, source }
}

async fn stopped(stop: &StopFlag) {
    while !stop.is_stopped() {
        tokio::time::sleep(LOOK).await;
    }
}

/// A URL as it may be shown: without user and password, which are nobody's business, and the query, which may be a signature.
pub(super) fn shown(url: &Url) -> String {
    let mut bare = url.clone();
    bare.set_query(None);
    bare.set_fragment(None);
    // Refused for URLs that cannot have any.
    let _ = (bare.set_username(""), bare.set_password(None));
    bare.into()
}

/// A URL with the user and password of another, if both are of one server.
pub(super) fn with_user(url: &Url, from: &Url) -> Url {
    let mut with = url.clone();
    if url.origin() == from.origin() && url.username().is_empty() {
        // Refused for URLs that cannot have any.
        let _ = (
            with.set_username(from.username()),
            with.set_password(from.password()),
        );
    }
    with
}
