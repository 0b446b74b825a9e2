//! Stores that are reached over HTTP: Google Cloud Storage, S3 and its like, Azure Blob Storage.
//!
//! ```text
//!   Objects ── run ──► Connection ──► object_store ──► Service ──► reqwest ──► store
//!                          │                              └─ error_response: the answer, read
//!                          └─ classify: its Fault ── hints: the remedy
//! ```
//!
//! [`google`], [`amazon`] and [`azure`] have the differences: credentials, endpoints, links.

mod amazon;
mod azure;
mod classify;
mod connection;
pub(crate) mod error_response;
mod google;
mod hints;
mod http;

use std::{net::IpAddr, str::FromStr, sync::Arc};

use object_store::{ClientOptions, ObjectStore};
use url::Url;

use crate::{
    BucketOptions,
    location::{Provider, RemoteLocation},
};
use http::Timeouts;

pub(super) use classify::Classification;
pub(super) use connection::Connection;

pub(super) use hints::Operation;
pub(super) use http::GoogleCrc32c;

type Make = Box<dyn Fn() -> object_store::Result<Arc<dyn ObjectStore>> + Send + Sync>;
type Link = Box<dyn Fn(&str, &str) -> String + Send + Sync>;

/// The configuration of a store.
struct StoreSetup {
    /// Builds the store, with credentials read again.
    make: Make,
    /// The address of requests about objects. A bucket may precede its host.
    endpoint: Url,
    /// From a key, prefix included, and a generation to a URL of the bytes.
    link: Link,
}

/// The setup of a store; the error is the mistake in its options, and the correction.
fn setup(
    location: &RemoteLocation,
    options: &BucketOptions,
    timeouts: Timeouts,
) -> Result<StoreSetup, String> {
    match location.provider {
        Provider::Google => google::setup(location, options, timeouts),
        Provider::Amazon => amazon::setup(location, options, timeouts),
        Provider::Azure => azure::setup(location, options, timeouts),
    }
}

/// Settings of object_store: from the environment, as far as object_store knows a variable, then
/// from options, which override it.
fn settings<'a, K: FromStr>(
    options: &'a BucketOptions,
    variables: &'a str,
) -> impl Iterator<Item = (K, &'a str)> {
    let environment = options
        .variables()
        .filter(move |(name, _)| name.starts_with(variables));
    // Some variables are for other programs. Options were checked.
    environment
        .chain(options.options())
        .filter_map(|(name, value)| Some((name.to_ascii_lowercase().parse().ok()?, value)))
}

/// The address of a store from an option: a URL, or host and port of a server without TLS.
fn endpoint(text: &str) -> Result<Url, String> {
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

/// An address without a slash at its end.
fn without_slash(endpoint: &Url) -> &str {
    endpoint.as_str().trim_end_matches('/')
}

/// Refuses to send credentials over a connection without TLS to another host.
fn check_tls(endpoint: &Url, options: &BucketOptions) -> Result<(), String> {
    let is_local = match endpoint.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(url::Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    };
    if endpoint.scheme() == "https" || is_local || options.option("allow_http") == Some("true") {
        return Ok(());
    }
    Err("its endpoint has no TLS, so others on the network could read the credentials; to allow that, give --bucket-option allow_http=true".into())
}

/// Client options of all providers. [`http`] has the other timeouts; proxies are reqwest's, by
/// `HTTPS_PROXY` and `NO_PROXY`.
fn client_options(endpoint: &Url, timeouts: Timeouts) -> ClientOptions {
    let mut client = ClientOptions::new()
        .with_allow_http(endpoint.scheme() == "http")
        .with_connect_timeout(timeouts.connect)
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
