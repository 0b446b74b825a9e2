//! Jaeger's query API: the present one (`/api/v3`), or the older (`/api`) where a server does not have that.
//!
//! A server that does not know a path answers 404, or 200 with its page: what it said decides, and not the number alone.

use std::time::Duration;

use anyhow::anyhow;
use daemon::{Exit, Failed, Redacted};
use jiff::Timestamp;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use url::Url;

use super::{
    older, otlp,
    span::{Span, TraceId},
};

/// Where Jaeger answers unless somebody says otherwise: the port of its pages and of this API.
pub(crate) const DEFAULT_URL: &str = "http://127.0.0.1:16686";

/// How long one answer may take. Storage that is searched by attributes is slow.
const PATIENCE: Duration = Duration::from_secs(20);

/// Traces that one search may find: of a chunk there is one, and a second where it was cut again.
const MOST_FOUND: usize = 20;

/// A Jaeger that can be asked.
#[derive(Clone, Debug)]
pub(crate) struct Jaeger {
    client: Client,
    base: Url,
}

/// Which spans a search is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Search<'a> {
    /// The program that made them.
    pub service: &'a str,
    /// What they say of themselves.
    pub attributes: &'a [(&'a str, String)],
    /// When they began.
    pub from: Timestamp,
    /// Likewise.
    pub to: Timestamp,
}

/// An answer, sorted by what it means.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Spans(Vec<Span>),
    Nothing,
    /// This server does not have this API.
    Unknown,
    /// It has, and will not say: why.
    Refused(String),
}

impl Jaeger {
    /// The Jaeger at `url`; nobody is asked yet.
    ///
    /// # Errors
    /// [`Exit::Configuration`] for an address that is none over HTTP.
    pub(crate) fn at(url: &str) -> Result<Self, Failed> {
        let base = Url::parse(url.trim_end_matches('/')).ok();
        let base = base.filter(|base| matches!(base.scheme(), "http" | "https") && base.has_host());
        let base = base.ok_or_else(|| {
            let message = anyhow!(
                "--jaeger-url {:?} is not an address as {DEFAULT_URL}",
                Redacted(url)
            );
            Failed::new(Exit::Configuration, message)
        })?;
        // There may be one already: the exporter's.
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut builder = Client::builder().timeout(PATIENCE);
        if is_here(&base) {
            // A proxy would look for it on its own machine.
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(anyhow::Error::new)?;
        Ok(Self { client, base })
    }

    /// Its address, as it may be shown.
    pub(crate) fn shown(&self) -> String {
        let shown = Redacted(self.base.as_str()).to_string();
        shown.trim_end_matches('/').to_owned()
    }

    /// The page of a trace, for a browser.
    pub(crate) fn page(&self, trace: &TraceId) -> String {
        format!("{}/trace/{trace}", self.shown())
    }

    /// Whether it is on this machine.
    pub(crate) fn is_here(&self) -> bool {
        is_here(&self.base)
    }

    /// Whether a Jaeger answers within `patience`.
    pub(crate) async fn answers(&self, patience: Duration) -> bool {
        for path in ["api/v3/services", "api/services"] {
            let asking = self.client.get(self.at_path(path)).timeout(patience).send();
            let Ok(answer) = asking.await else {
                return false;
            };
            let found = answer.status().is_success();
            let body = answer.bytes().await.unwrap_or_default();
            if found && serde_json::from_slice::<Value>(&body).is_ok() {
                return true;
            }
        }
        false
    }

    /// The spans of a trace; none where there is no such trace.
    ///
    /// # Errors
    /// [`Exit::JaegerUnreachable`] if nobody answers, or nobody who understands.
    pub(crate) async fn trace(&self, id: &TraceId) -> Result<Vec<Span>, Failed> {
        let path = |api: &str| self.at_path(&format!("{api}/traces/{id}"));
        self.ask(path("api/v3"), path("api")).await
    }

    /// The spans of all traces that a search finds.
    ///
    /// # Errors
    /// As [`Jaeger::trace`].
    pub(crate) async fn search(&self, search: &Search<'_>) -> Result<Vec<Span>, Failed> {
        let attributes = search.attributes.iter();
        let attributes: serde_json::Map<_, _> = attributes
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect();
        let attributes = Value::from(attributes).to_string();
        let most = MOST_FOUND.to_string();
        let mut present = self.at_path("api/v3/traces");
        present.query_pairs_mut().extend_pairs([
            ("query.serviceName", search.service),
            ("query.attributes", &attributes),
            ("query.startTimeMin", &search.from.to_string()),
            ("query.startTimeMax", &search.to.to_string()),
            ("query.searchDepth", &most),
        ]);
        let mut older = self.at_path("api/traces");
        older.query_pairs_mut().extend_pairs([
            ("service", search.service),
            ("tags", &attributes),
            ("start", &search.from.as_microsecond().to_string()),
            ("end", &search.to.as_microsecond().to_string()),
            ("limit", &most),
        ]);
        self.ask(present, older).await
    }

    async fn ask(&self, present: Url, older: Url) -> Result<Vec<Span>, Failed> {
        let (status, body) = self.get(present).await?;
        let answer = match sort(status, &body, otlp::spans) {
            Answer::Unknown => {
                let (status, body) = self.get(older).await?;
                sort(status, &body, older::spans)
            }
            answer => answer,
        };
        let why = match answer {
            Answer::Spans(spans) => return Ok(spans),
            Answer::Nothing => return Ok(Vec::new()),
            Answer::Unknown => "it has neither of Jaeger's query APIs: is this the address of Jaeger's pages, port 16686 by custom?".to_owned(),
            Answer::Refused(why) => why,
        };
        Err(Failed::new(
            Exit::JaegerUnreachable,
            anyhow!("ask Jaeger at {}: {why}", self.shown()),
        ))
    }

    async fn get(&self, url: Url) -> Result<(StatusCode, Vec<u8>), Failed> {
        let asked = async {
            let answer = self.client.get(url).send().await?;
            let status = answer.status();
            Ok::<_, reqwest::Error>((status, answer.bytes().await?.into()))
        };
        asked.await.map_err(|error| {
            // Its own words would repeat the address, password and all.
            let error = anyhow::Error::new(error.without_url());
            let doing = format!("ask Jaeger at {}, which --jaeger-url changes", self.shown());
            Failed::new(Exit::JaegerUnreachable, error.context(doing))
        })
    }

    fn at_path(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!(
            "{}/{path}",
            self.base.path().trim_end_matches('/')
        ));
        url
    }
}

/// Whether an address is one of this machine's own.
fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn sort(
    status: StatusCode,
    body: &[u8],
    spans: impl Fn(&[u8]) -> Result<Vec<Span>, String>,
) -> Answer {
    let Ok(said) = serde_json::from_slice::<Value>(body) else {
        return match status.is_client_error() && status != StatusCode::NOT_FOUND
            || status.is_server_error()
        {
            true => Answer::Refused(format!("it answers {status}")),
            false => Answer::Unknown,
        };
    };
    if status.is_success() {
        return spans(body).map_or(Answer::Unknown, Answer::Spans);
    }
    if status == StatusCode::NOT_FOUND {
        return Answer::Nothing;
    }
    let why = said["error"]["message"].as_str();
    let why = why.or_else(|| said["errors"][0]["msg"].as_str());
    Answer::Refused(format!(
        "it answers {status}: {}",
        why.unwrap_or("and does not say why")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a real Jaeger said, and older ones say.
    #[test]
    fn answers_are_sorted_by_what_they_say_and_not_by_their_number_alone() {
        let page = "<!doctype html>";
        let nothing = r#"{"error":{"httpCode":404,"message":"No traces found"}}"#;
        let wrong = r#"{"error":{"httpCode":400,"message":"malformed parameter"}}"#;
        for (status, body, expected) in [
            (404, "404 page not found\n", Answer::Unknown),
            (200, page, Answer::Unknown),
            (404, nothing, Answer::Nothing),
            (200, r#"{"result":{}}"#, Answer::Spans(Vec::new())),
            (
                400,
                wrong,
                Answer::Refused("it answers 400 Bad Request: malformed parameter".into()),
            ),
            (
                502,
                page,
                Answer::Refused("it answers 502 Bad Gateway".into()),
            ),
            (
                401,
                "",
                Answer::Refused("it answers 401 Unauthorized".into()),
            ),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(
                sort(status, body.as_bytes(), otlp::spans),
                expected,
                "{status} {body}"
            );
        }
    }

    #[test]
    fn an_address_is_checked_and_its_password_is_not_shown() {
        for wrong in ["", "127.0.0.1:16686", "ftp://h", "http://"] {
            assert_eq!(
                Jaeger::at(wrong).unwrap_err().exit,
                Exit::Configuration,
                "{wrong}"
            );
        }
        let jaeger = Jaeger::at("https://me:secret@h/jaeger/").unwrap();
        assert_eq!(
            jaeger.at_path("api/services").path(),
            "/jaeger/api/services"
        );
        let page = jaeger.page(&"4bf92f3577b34da6a3ce929d0e0e4736".parse().unwrap());
        assert_eq!(
            page,
            "https://h/jaeger/trace/4bf92f3577b34da6a3ce929d0e0e4736"
        );
    }
}
