//! Jaeger's query API: the present one (`/api/v3`), or the older (`/api`) where a server does not have that.

use std::time::Duration;

use anyhow::anyhow;
use crispy_runtime::{Exit, Failed, Redacted};
use jiff::Timestamp;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;
use url::Url;

use super::{
    answer::{self, Answer, Form},
    older, otlp,
    span::{Span, TraceId},
};

/// Where Jaeger answers unless somebody says otherwise: the port of its pages and of this API.
pub(crate) const DEFAULT_URL: &str = "http://127.0.0.1:16686";

/// How long one answer may take. Storage that is searched by attributes is slow.
const PATIENCE: Duration = Duration::from_secs(20);

/// Traces that one search may find: of a chunk there is one, and a second where it was cut again.
const MOST_FOUND: usize = 20;

/// Bytes that one answer may have. A trace of ours has some ten kilobytes; who talks without end is no Jaeger.
const MOST_BYTES: usize = 64 << 20;

/// A Jaeger that can be asked.
#[derive(Clone, Debug)]
pub(crate) struct Jaeger {
    client: Client,
    base: Url,
}

/// Which spans a search is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Search<'a> {
    /// The service that made them; `None`: any.
    pub service: Option<&'a str>,
    /// What they say of themselves.
    pub attributes: &'a [(&'a str, String)],
    /// When they began.
    pub from: Timestamp,
    /// Likewise.
    pub to: Timestamp,
}

/// The present API's answers, and the older one's.
static SPANS: [Form<Vec<Span>>; 2] = [
    Form {
        field: "result",
        read: otlp::spans,
    },
    Form {
        field: "data",
        read: older::spans,
    },
];
static SERVICES: [Form<Vec<String>>; 2] = [
    Form {
        field: "services",
        read: answer::services,
    },
    Form {
        field: "data",
        read: answer::services,
    },
];

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
            let asking = timeout(patience, self.get(self.at_path(path)));
            let Ok(Ok((status, body))) = asking.await else {
                return false;
            };
            if status.is_success() && serde_json::from_slice::<Value>(&body).is_ok() {
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
        let answer = self.ask([path("api/v3"), path("api")], &SPANS).await?;
        self.settle(answer)
    }

    /// The names of all services that have made spans.
    ///
    /// # Errors
    /// As [`Jaeger::trace`].
    pub(crate) async fn services(&self) -> Result<Vec<String>, Failed> {
        let paths = ["api/v3/services", "api/services"].map(|path| self.at_path(path));
        let answer = self.ask(paths, &SERVICES).await?;
        self.settle(answer)
    }

    /// The spans of all traces that a search finds. A storage that cannot be searched for spans of any service has none of them.
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
            ("query.attributes", &attributes),
            ("query.startTimeMin", &search.from.to_string()),
            ("query.startTimeMax", &search.to.to_string()),
            ("query.searchDepth", &most),
        ]);
        let mut older = self.at_path("api/traces");
        older.query_pairs_mut().extend_pairs([
            ("tags", &attributes),
            ("start", &search.from.as_microsecond().to_string()),
            ("end", &search.to.as_microsecond().to_string()),
            ("limit", &most),
        ]);
        if let Some(service) = search.service {
            let mut pairs = present.query_pairs_mut();
            pairs.append_pair("query.serviceName", service);
            older.query_pairs_mut().append_pair("service", service);
        }
        match self.ask([present, older], &SPANS).await? {
            Answer::Refused(_) if search.service.is_none() => Ok(Vec::new()),
            answer => self.settle(answer),
        }
    }

    async fn ask<T>(
        &self,
        [present, older]: [Url; 2],
        [new, old]: &[Form<T>; 2],
    ) -> Result<Answer<T>, Failed> {
        let (status, body) = self.get(present).await?;
        match new.sort(status, &body) {
            Answer::Unknown => {
                let (status, body) = self.get(older).await?;
                Ok(old.sort(status, &body))
            }
            answer => Ok(answer),
        }
    }

    /// What an answer is worth: nothing found is no error.
    fn settle<T: Default>(&self, answer: Answer<T>) -> Result<T, Failed> {
        let why = match answer {
            Answer::Found(found) => return Ok(found),
            Answer::Nothing => return Ok(T::default()),
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
            // Its own words would repeat the address, password and all.
            let own = |error: reqwest::Error| anyhow::Error::new(error.without_url());
            let mut answer = self.client.get(url).send().await.map_err(own)?;
            let mut body = Vec::new();
            while let Some(more) = answer.chunk().await.map_err(own)? {
                if body.len() + more.len() > MOST_BYTES {
                    let most = MOST_BYTES >> 20;
                    return Err(anyhow!(
                        "its answer has more than {most} MiB, and nothing of Jaeger's has: is this its address?"
                    ));
                }
                body.extend_from_slice(&more);
            }
            Ok((answer.status(), body))
        };
        asked.await.map_err(|error| {
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

#[cfg(test)]
mod tests {
    use super::*;

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
