//! A request as far as both languages see it alike.

use std::collections::BTreeMap;

use hyper::{HeaderMap, Method, Uri, http::request::Parts};

use super::{
    objects::{About, Condition, Content},
    refusal::Refusal,
    token::Permissions,
};

/// Headers that are kept with an object, beside its metadata.
const KEPT: [&str; 5] = [
    "content-type",
    "content-encoding",
    "content-language",
    "content-disposition",
    "cache-control",
];

const METADATA: &str = "x-goog-meta-";

/// A request that has arrived whole.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: HeaderMap,
    pub(crate) content: Content,
    /// What its sender may do.
    pub(crate) permissions: Permissions,
    /// [`super::Options::conditions_before_permissions`].
    pub(crate) conditions_before_permissions: bool,
}

impl Request {
    pub(crate) fn new(parts: Parts, content: Content, permissions: Permissions) -> Self {
        Self {
            query: query(&parts.uri),
            method: parts.method,
            headers: parts.headers,
            content,
            permissions,
            conditions_before_permissions: true,
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// What must hold, as the XML API's headers or the JSON API's parameters say it.
    pub(crate) fn condition(&self) -> Result<Condition, Refusal> {
        let one = |header, param| {
            let text = self.header(header).or_else(|| self.param(param));
            let wrong = || Refusal::invalid_argument("a generation is a number");
            text.map(|text| text.parse().map_err(|_| wrong()))
                .transpose()
        };
        Ok(Condition {
            generation: one("x-goog-if-generation-match", "ifGenerationMatch")?,
            not_generation: one("x-goog-if-generation-not-match", "ifGenerationNotMatch")?,
        })
    }

    /// The generation that is wanted, where one is named.
    pub(crate) fn generation(&self) -> Result<Option<u64>, Refusal> {
        let wrong = |_| Refusal::invalid_argument("a generation is a number");
        let text = self.param("generation");
        text.map(|text| text.parse().map_err(wrong)).transpose()
    }

    /// What the headers of an upload say of the object.
    pub(crate) fn about(&self) -> About {
        let mut about = About::default();
        for name in KEPT {
            if let Some(value) = self.header(name) {
                about.headers.insert(name, value.to_owned());
            }
        }
        for (name, value) in &self.headers {
            if let Some(name) = name.as_str().strip_prefix(METADATA) {
                // Google keeps UTF-8 as it comes.
                let value = String::from_utf8_lossy(value.as_bytes());
                about.metadata.insert(name.to_owned(), value.into_owned());
            }
        }
        about
    }
}

fn query(uri: &Uri) -> BTreeMap<String, String> {
    let text = uri.query().unwrap_or_default();
    url::form_urlencoded::parse(text.as_bytes())
        .into_owned()
        .collect()
}
