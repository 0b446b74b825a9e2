//! The way to a server, kept open.
//!
//! ```text
//!   Connection ─┬─ link for consuming    pulls, deliveries, acks, API requests; made at once, so that errors show here
//!               └─ link for publishing   made when the first publisher asks for it
//! ```
//!
//! Two links, because a burst of publishing holds up what shares its socket: a publish that waits behind deliveries times out, is sent
//! again, and makes the burst longer.

mod error;
mod identity;
mod lame_duck;
mod link;
mod news;
mod options;
mod patience;
mod purpose;
mod settings;
mod version;

use std::{sync::Arc, time::Duration};

use async_nats::{ServerAddr, jetstream};
use futures_util::future::join_all;
use tokio::{
    sync::{OnceCell, watch},
    time::{Instant, sleep, timeout},
};

pub use {
    error::ConnectError, link::LinkState, options::ConnectOptions, purpose::Purpose,
    version::Version,
};
pub(crate) use {link::Link, patience::Patience};

use crate::Publisher;
use error::Verdict;
use settings::{API_TIMEOUT, settings};

/// How long closing waits until everything is on its way, over both links together.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// A connection to NATS that lasts: once made, it is made again whenever it is lost, within half a second of the server being back.
///
/// Clones share it. It closes when the last one is dropped; [`Connection::close`] makes sure first that nothing is left unsent.
#[derive(Clone, Debug)]
pub struct Connection {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    consuming: Link,
    publishing: OnceCell<Publisher>,
    options: ConnectOptions,
    jetstream: jetstream::Context,
    warning: Option<String>,
}

/// Connects, and says at once what is wrong when that cannot work: nothing there, not let in, too old.
pub async fn connect(options: &ConnectOptions) -> Result<Connection, ConnectError> {
    let addresses =
        options::addresses(&options.servers).map_err(|source| ConnectError::Address {
            servers: options::redacted(&options.servers),
            source,
        })?;
    let consuming = first_link(options, &addresses).await?;
    let info = consuming.client.server_info();
    let warning = check_version(options, &info.version)?;
    let context = jetstream::ContextBuilder::new().timeout(API_TIMEOUT);
    let jetstream = context
        .api_prefix(options.api_prefix())
        .build(consuming.client.clone());
    Ok(Connection {
        inner: Arc::new(Inner {
            consuming,
            publishing: OnceCell::new(),
            options: options.clone(),
            jetstream,
            warning,
        }),
    })
}

/// Tries until a server lets us in, refuses us, or the wait is over: a server that is just starting is worth waiting for.
async fn first_link(
    options: &ConnectOptions,
    addresses: &[ServerAddr],
) -> Result<Link, ConnectError> {
    let deadline = Instant::now() + options.wait;
    let mut pause = Duration::from_millis(5);
    let bare = options::bare(addresses);
    loop {
        let (settings, link) =
            Link::prepare(settings(options, addresses).await?, Purpose::Consuming);
        let left = deadline.saturating_duration_since(Instant::now());
        let error = match timeout(left, settings.connect(&bare[..])).await {
            Ok(Ok(client)) => return Ok(link(client)),
            Ok(Err(error)) => error,
            Err(_) => return Err(ConnectError::unreachable(options, None)),
        };
        match Verdict::of(&error) {
            Verdict::Refused => return Err(ConnectError::refused(options, error)),
            Verdict::Tls => return Err(ConnectError::tls(options, error)),
            Verdict::TryAgain => {}
        }
        if Instant::now() + pause >= deadline {
            return Err(ConnectError::unreachable(options, Some(error)));
        }
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

fn check_version(options: &ConnectOptions, text: &str) -> Result<Option<String>, ConnectError> {
    match Version::parse(text) {
        Some(version) if version < version::LEAST => Err(ConnectError::TooOld {
            servers: options::redacted(&options.servers),
            version,
            least: version::LEAST,
        }),
        Some(version) if version >= version::TESTED => Ok(None),
        _ => Ok(Some(format!(
            "nats-server {text} is older than {}, the version that is tested: it works as far as is known; upgrade it when it suits you",
            version::TESTED
        ))),
    }
}

impl Connection {
    /// What the owner of the program should log about the server that answered; `None` when all is well.
    pub fn warning(&self) -> Option<&str> {
        self.inner.warning.as_deref()
    }

    /// The servers, without secrets.
    pub fn servers(&self) -> String {
        options::redacted(&self.inner.options.servers)
    }

    /// JetStream's API, over the consuming link; a request takes at most 5 s.
    pub fn jetstream(&self) -> &jetstream::Context {
        &self.inner.jetstream
    }

    /// Whether the consuming link stands, to be watched.
    pub fn state(&self) -> watch::Receiver<LinkState> {
        self.inner.consuming.state.clone()
    }

    pub(crate) fn consuming(&self) -> &Link {
        &self.inner.consuming
    }

    /// The first tokens of the subjects of JetStream's API.
    pub(crate) fn api_prefix(&self) -> String {
        self.inner.options.api_prefix()
    }

    /// The publisher, if one has been asked for.
    pub(crate) fn publishing(&self) -> Option<&Publisher> {
        self.inner.publishing.get()
    }

    /// The publisher, over a link of its own. All that are asked for are one: they share its window.
    pub async fn publisher(&self) -> Publisher {
        self.inner
            .publishing
            .get_or_init(|| async { Publisher::new(self.publishing_link().await) })
            .await
            .clone()
    }

    /// Never fails: the same options have connected before, and from here on a missing server is an outage that passes.
    async fn publishing_link(&self) -> Link {
        let options = &self.inner.options;
        let link = async {
            let addresses = options::addresses(&options.servers).ok()?;
            let settings = settings(options, &addresses).await.ok()?;
            let (settings, link) =
                Link::prepare(settings.retry_on_initial_connect(), Purpose::Publishing);
            Some(link(
                settings.connect(options::bare(&addresses)).await.ok()?,
            ))
        };
        // A credentials file that has vanished since: sharing the consuming link is slower and right.
        link.await.unwrap_or_else(|| self.consuming().clone())
    }

    /// Publishes `body` on the reply subject of a delivery, over the consuming link, unconfirmed.
    pub async fn respond(&self, reply: async_nats::Subject, body: bytes::Bytes) {
        // Fails only when the client is closed: then the message comes again.
        let _ = self.consuming().client.publish(reply, body).await;
    }

    /// Waits until everything that was sent is on its way: written to its socket, not confirmed by the server.
    pub async fn flush(&self) -> Result<(), FlushError> {
        let publishing = self.publishing().map(Publisher::link);
        for link in [Some(self.consuming()), publishing].into_iter().flatten() {
            let flushed = timeout(CLOSE_TIMEOUT, link.client.flush()).await;
            flushed
                .map_err(|_| FlushError::TimedOut)?
                .map_err(|error| FlushError::Closed(Box::new(error)))?;
        }
        Ok(())
    }

    /// Sends what is unsent and closes both links, whoever still holds a clone; at most 2 s in all, and at once where there is no server.
    pub async fn close(self) {
        let publishing = self.publishing().map(Publisher::link);
        let links = [Some(self.consuming()), publishing];
        let closing = links.into_iter().flatten().map(|link| async move {
            // A server that is away cannot be told: what it has not heard, it will ask for again.
            if link.is_connected() {
                let _ = link.client.flush().await;
            }
            let _ = link.client.drain().await;
        });
        // What is not closed by then closes with its last clone.
        let _ = timeout(CLOSE_TIMEOUT, join_all(closing)).await;
    }
}

/// What was sent may not have reached the server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FlushError {
    /// It could not be written within 2 s.
    #[error("what was sent could not be written in time")]
    TimedOut,
    /// The connection is closed.
    #[error("flush a closed connection")]
    Closed(#[source] Box<dyn std::error::Error + Send + Sync>),
}
