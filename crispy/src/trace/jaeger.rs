//! Client of Jaeger's query API (`/api/v3`).

use std::time::Duration;

use anyhow::anyhow;
use crispy_runtime::{Exit, Failed, Redacted};
use jiff::Timestamp;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::{sync::OnceCell, time::timeout};
use url::Url;

use super::{
    otlp,
    span::{Span, TraceId},
};

/// Default address: Jaeger's port for its pages and for this API.
pub(crate) const DEFAULT_URL: &str = "http://127.0.0.1:16686";

/// Timeout of one request. Storages are slow to search by attributes.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// Limit of the traces of one search: a chunk has one, and a second if it was cut again.
const SEARCH_DEPTH: usize = 20;

/// Size limit of a response. A trace of ours has about ten kilobytes.
const MAX_RESPONSE_BYTES: usize = 64 << 20;

/// Client of one Jaeger.
#[derive(Clone, Debug)]
pub(crate) struct Jaeger {
    /// Made at the first request: it reads the CA certificates of the machine, which costs 5 ms of
    /// CPU, and most sessions need none.
    client: OnceCell<Client>,
    base: Url,
}

/// Conditions of a search for spans.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Search<'a> {
    /// The service that made them; `None`: any.
    pub service: Option<&'a str>,
    /// Their attributes.
    pub attributes: &'a [(&'a str, String)],
    /// Earliest start.
    pub from: Timestamp,
    /// Latest start.
    pub to: Timestamp,
}

/// The reason why a response is not a result.
#[derive(Debug, PartialEq, Eq)]
enum ResponseError {
    /// The server does not have this API.
    NotJaeger,
    /// The server has the API and reports this error, or its result cannot be parsed.
    Refused(String),
}

impl Jaeger {
    /// A client for the Jaeger at `url`; sends nothing yet.
    ///
    /// # Errors
    /// [`Exit::Configuration`] if `url` is not an HTTP address.
    pub(crate) fn new(url: &str) -> Result<Self, Failed> {
        let base = Url::parse(url.trim_end_matches('/')).ok();
        let base = base.filter(|base| matches!(base.scheme(), "http" | "https") && base.has_host());
        let base = base.ok_or_else(|| {
            let url = Redacted(url);
            let message = anyhow!("--jaeger-url {url:?} is not an address like {DEFAULT_URL}");
            Failed::new(Exit::Configuration, message)
        })?;
        Ok(Self {
            client: OnceCell::new(),
            base,
        })
    }

    async fn client(&self) -> reqwest::Result<&Client> {
        let client = async {
            // The exporter may have installed one already.
            drop(rustls::crypto::ring::default_provider().install_default());
            let mut builder = Client::builder().timeout(REQUEST_TIMEOUT);
            if self.is_local() {
                // A proxy would look for it on the proxy's own machine.
                builder = builder.no_proxy();
            }
            builder.build()
        };
        self.client.get_or_try_init(|| client).await
    }

    /// Its address without a password.
    pub(crate) fn redacted_url(&self) -> String {
        let shown = Redacted(self.base.as_str()).to_string();
        shown.trim_end_matches('/').to_owned()
    }

    /// The page of a trace, for a browser.
    pub(crate) fn page(&self, trace: &TraceId) -> String {
        format!("{}/trace/{trace}", self.redacted_url())
    }

    /// Whether it is on this machine.
    pub(crate) fn is_local(&self) -> bool {
        is_local(&self.base)
    }

    /// Whether a Jaeger answers within `limit`.
    pub(crate) async fn is_reachable(&self, limit: Duration) -> bool {
        let response = timeout(limit, self.get(self.endpoint("services"))).await;
        let Ok(Ok((status, body))) = response else {
            return false;
        };
        status.is_success() && serde_json::from_slice::<Value>(&body).is_ok()
    }

    /// The spans of a trace; empty if there is no such trace.
    ///
    /// # Errors
    /// [`Exit::JaegerUnreachable`] if no Jaeger answers there.
    pub(crate) async fn trace(&self, id: &TraceId) -> Result<Vec<Span>, Failed> {
        let (status, body) = self.get(self.endpoint(&format!("traces/{id}"))).await?;
        parse_spans(status, &body).map_err(|error| self.failed(error))
    }

    /// The names of all services that have made spans.
    ///
    /// # Errors
    /// As [`Jaeger::trace`].
    pub(crate) async fn services(&self) -> Result<Vec<String>, Failed> {
        let (status, body) = self.get(self.endpoint("services")).await?;
        parse_services(status, &body).map_err(|error| self.failed(error))
    }

    /// The spans of all traces that match. Empty if the storage cannot search across services and
    /// `search` names none.
    ///
    /// # Errors
    /// As [`Jaeger::trace`].
    pub(crate) async fn search(&self, search: &Search<'_>) -> Result<Vec<Span>, Failed> {
        let attributes = search.attributes.iter();
        let attributes: serde_json::Map<_, _> = attributes
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect();
        let mut url = self.endpoint("traces");
        url.query_pairs_mut().extend_pairs([
            ("query.attributes", &Value::from(attributes).to_string()),
            ("query.startTimeMin", &search.from.to_string()),
            ("query.startTimeMax", &search.to.to_string()),
            ("query.searchDepth", &SEARCH_DEPTH.to_string()),
        ]);
        if let Some(service) = search.service {
            url.query_pairs_mut()
                .append_pair("query.serviceName", service);
        }
        let (status, body) = self.get(url).await?;
        match parse_spans(status, &body) {
            Err(ResponseError::Refused(_)) if search.service.is_none() => Ok(Vec::new()),
            parsed => parsed.map_err(|error| self.failed(error)),
        }
    }

    fn failed(&self, error: ResponseError) -> Failed {
        let reason = match error {
            ResponseError::NotJaeger => "it does not have Jaeger's query API /api/v3: is this the address of Jaeger's pages, usually port 16686?".to_owned(),
            ResponseError::Refused(reason) => reason,
        };
        let message = anyhow!("query Jaeger at {}: {reason}", self.redacted_url());
        Failed::new(Exit::JaegerUnreachable, message)
    }

    async fn get(&self, url: Url) -> Result<(StatusCode, Vec<u8>), Failed> {
        let request = async {
            // reqwest's errors repeat the URL with its password.
            let redact = |error: reqwest::Error| anyhow::Error::new(error.without_url());
            let client = self.client().await.map_err(redact)?;
            let mut response = client.get(url).send().await.map_err(redact)?;
            let mut body = Vec::new();
            while let Some(part) = response.chunk().await.map_err(redact)? {
                if body.len() + part.len() > MAX_RESPONSE_BYTES {
                    let most = MAX_RESPONSE_BYTES >> 20;
                    return Err(anyhow!(
                        "its response has more than {most} MiB, which no trace has: is this Jaeger's address?"
                    ));
                }
                body.extend_from_slice(&part);
            }
            Ok((response.status(), body))
        };
        request.await.map_err(|error| {
            let url = self.redacted_url();
            let doing = format!("query Jaeger at {url} (--jaeger-url)");
            Failed::new(Exit::JaegerUnreachable, error.context(doing))
        })
    }

    fn endpoint(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        let base = self.base.path().trim_end_matches('/');
        url.set_path(&format!("{base}/api/v3/{path}"));
        url
    }
}

/// Whether an address is one of this machine's own.
fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn parse_spans(status: StatusCode, body: &[u8]) -> Result<Vec<Span>, ResponseError> {
    parse(status, body, "result", otlp::spans)
}

fn parse_services(status: StatusCode, body: &[u8]) -> Result<Vec<String>, ResponseError> {
    #[derive(serde::Deserialize)]
    struct Services {
        services: Option<Vec<String>>,
    }
    parse(status, body, "services", |body| {
        let list: Services = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        Ok(list.services.unwrap_or_default())
    })
}

/// Reads a response whose result has this `field`; a trace that does not exist is an empty result.
///
/// A server without this API answers 404, or 200 with a page: the body decides, not the status
/// alone.
fn parse<T: Default>(
    status: StatusCode,
    body: &[u8],
    field: &str,
    parse_result: impl Fn(&[u8]) -> Result<T, String>,
) -> Result<T, ResponseError> {
    let Ok(json) = serde_json::from_slice::<Value>(body) else {
        let is_error = status.is_client_error() || status.is_server_error();
        return Err(match is_error && status != StatusCode::NOT_FOUND {
            true => ResponseError::Refused(format!("it answers {status}")),
            false => ResponseError::NotJaeger,
        });
    };
    if status.is_success() {
        if json.get(field).is_none() {
            return Err(ResponseError::NotJaeger);
        }
        return parse_result(body).map_err(|error| {
            ResponseError::Refused(format!("its response cannot be parsed: {error}"))
        });
    }
    if status == StatusCode::NOT_FOUND {
        return Ok(T::default());
    }
    let reason = json["error"]["message"].as_str();
    let reason = reason.unwrap_or("no reason given");
    Err(ResponseError::Refused(format!(
        "it answers {status}: {reason}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_checked_and_shown_without_its_password() {
        for wrong in ["", "127.0.0.1:16686", "ftp://h", "http://"] {
            let exit = Jaeger::new(wrong).unwrap_err().exit;
            assert_eq!(exit, Exit::Configuration, "{wrong}");
        }
        let jaeger = Jaeger::new("https://me:secret@h/jaeger/").unwrap();
        let services = jaeger.endpoint("services");
        assert_eq!(services.path(), "/jaeger/api/v3/services");
        let page = jaeger.page(&"4bf92f3577b34da6a3ce929d0e0e4736".parse().unwrap());
        assert_eq!(
            page,
            "https://h/jaeger/trace/4bf92f3577b34da6a3ce929d0e0e4736"
        );
    }

    fn parsed(status: u16, body: &str) -> Result<Vec<Span>, ResponseError> {
        parse_spans(StatusCode::from_u16(status).unwrap(), body.as_bytes())
    }

    /// Responses of a real Jaeger, and of other servers.
    #[test]
    fn responses_are_classified_by_body_and_status() {
        let page = "<!doctype html>";
        let not_found = r#"{"error":{"httpCode":404,"message":"No traces found"}}"#;
        let malformed = r#"{"error":{"httpCode":400,"message":"malformed parameter"}}"#;
        let refused = |reason: &str| Err(ResponseError::Refused(reason.into()));
        for (status, body, expected) in [
            (404, "404 page not found\n", Err(ResponseError::NotJaeger)),
            (200, page, Err(ResponseError::NotJaeger)),
            (200, r#"{"data":[]}"#, Err(ResponseError::NotJaeger)),
            (404, not_found, Ok(Vec::new())),
            (200, r#"{"result":{}}"#, Ok(Vec::new())),
            (
                400,
                malformed,
                refused("it answers 400 Bad Request: malformed parameter"),
            ),
            (502, page, refused("it answers 502 Bad Gateway")),
            (401, "", refused("it answers 401 Unauthorized")),
        ] {
            assert_eq!(parsed(status, body), expected, "{status} {body}");
        }
    }

    #[test]
    fn a_malformed_span_is_reported_with_its_place() {
        let recorded = include_str!("fixtures/v3.json");
        for (right, wrong, place) in [
            ("\"startTimeUnixNano\"", "\"started\"", "line "),
            ("\"17956", "\"x17956", "startTimeUnixNano of span "),
            ("4bf92f3577b3", "xbf92f3577b3", "traceId of span "),
        ] {
            let result = parsed(200, &recorded.replacen(right, wrong, 1));
            let Err(ResponseError::Refused(reason)) = result else {
                panic!("{wrong} is parsed")
            };
            assert!(
                reason.starts_with("its response cannot be parsed: "),
                "{reason}"
            );
            assert!(reason.contains(place), "{reason}");
        }
    }

    #[test]
    fn a_list_of_services_is_parsed() {
        let services = |json: &str| parse_services(StatusCode::OK, json.as_bytes());
        assert_eq!(services(r#"{"services":["a","b"]}"#).unwrap(), ["a", "b"]);
        assert_eq!(services(r#"{"services":[]}"#).unwrap(), [""; 0]);
        assert_eq!(services(r#"{"services":null}"#).unwrap(), [""; 0]);
        assert!(services(r#"{"services":[1]}"#).is_err());
    }
}
