//! Stores that are reached over HTTP: Google Cloud Storage, S3 and its like, Azure Blob Storage.
//!
//! ```text
//!   Objects ── ask ──► Connection ──► object_store ──► Line ──► reqwest ──► store
//!                          │                             └─ what the answer said: wire, answer
//!                          └─ judge: what it means ── advice: what to do about it
//! ```
//!
//! What differs between the three is in [`google`], [`amazon`] and [`azure`]: who we are, where the endpoint is, what a link looks like.

mod advice;
mod amazon;
mod answer;
mod azure;
mod connection;
mod google;
mod judge;
mod wire;

use std::{net::IpAddr, str::FromStr, sync::Arc};

use object_store::{ClientOptions, ObjectStore};
use url::Url;

use super::{
    BucketOptions,
    location::{Kind, Place},
};
use wire::Patience;

pub(super) use advice::Deed;
pub(super) use connection::Connection;
pub(super) use judge::Verdict;
pub(super) use wire::GoogleCrc32c;

type Make = Box<dyn Fn() -> object_store::Result<Arc<dyn ObjectStore>> + Send + Sync>;
type Link = Box<dyn Fn(&str, &str) -> String + Send + Sync>;

/// A store that was set up, and what is known of it.
struct Provider {
    /// Makes it again, with credentials that are read anew.
    make: Make,
    /// Where requests about objects go; the bucket may stand before the host.
    endpoint: Url,
    /// From a key, prefix included, and a generation to a URL of the bytes.
    link: Link,
}

/// Why a store could not be set up, and what would be right.
pub(super) type Why = String;

fn provider(place: &Place, options: &BucketOptions, patience: Patience) -> Result<Provider, Why> {
    match place.kind {
        Kind::Google => google::provider(place, options, patience),
        Kind::Amazon => amazon::provider(place, options, patience),
        Kind::Azure => azure::provider(place, options, patience),
    }
}

/// What object_store is told by the environment, as far as it knows it, and then by options, which have the last word.
fn settings<'a, K: FromStr>(
    options: &'a BucketOptions,
    of: &'a str,
) -> impl Iterator<Item = (K, &'a str)> {
    let variables = options
        .variables()
        .filter(move |(name, _)| name.starts_with(of));
    // Some of the environment is for other programs. Options were checked.
    variables
        .chain(options.options())
        .filter_map(|(name, value)| Some((name.to_ascii_lowercase().parse().ok()?, value)))
}

/// The address of a store as a person gives it: a URL, or host and port of a server without TLS.
fn endpoint(text: &str) -> Result<Url, Why> {
    let with_scheme = if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    };
    let url =
        Url::parse(&with_scheme).map_err(|error| format!("its endpoint is no URL: {error}"))?;
    if !["http", "https"].contains(&url.scheme()) || !url.has_host() {
        return Err("its endpoint is http://host:port or https://host".into());
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return Err("its endpoint must not have credentials or a query in it".into());
    }
    Ok(url)
}

/// Without a slash at its end.
fn text_of(endpoint: &Url) -> &str {
    endpoint.as_str().trim_end_matches('/')
}

/// Refuses to send what proves who we are over a line that others can read.
fn check_line(endpoint: &Url, options: &BucketOptions) -> Result<(), Why> {
    let here = match endpoint.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(url::Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    };
    if endpoint.scheme() == "https" || here || options.option("allow_http") == Some("true") {
        return Ok(());
    }
    Err("its endpoint has no TLS, and credentials would be read on the way; where that is wanted, give --bucket-option allow_http=true".into())
}

/// What all three take. Patience beyond connecting is the wire's; proxies are reqwest's, by `HTTPS_PROXY` and `NO_PROXY`.
fn client_options(endpoint: &Url, patience: Patience) -> ClientOptions {
    let mut client = ClientOptions::new()
        .with_allow_http(endpoint.scheme() == "http")
        .with_connect_timeout(patience.connect)
        .with_timeout_disabled()
        .with_user_agent(object_store::HeaderValue::from_static(concat!(
            "crispy-streamer/",
            env!("CARGO_PKG_VERSION")
        )))
        .with_default_content_type("application/octet-stream");
    for (ending, content_type) in [
        ("mp4", "video/mp4"),
        ("mkv", "video/x-matroska"),
        ("ts", "video/mp2t"),
        ("json", "application/json"),
    ] {
        client = client.with_content_type_for_suffix(ending, content_type);
    }
    client
}
