//! A connection to NATS that lasts.
//!
//! ```text
//!   Connection ─┬─ consuming link    pulls, deliveries, acks, API requests; made at once
//!               └─ publishing link   made when the first publisher is requested
//! ```
//!
//! Two links, because a burst of publishing delays everything on its socket: a publish that waits
//! behind deliveries times out, is sent again, and prolongs the burst.

mod connection_log;
mod error;
pub(crate) mod failover_timer;
mod identity;
mod lame_duck;
pub(crate) mod link;
mod link_state;
mod options;
mod settings;
mod version;

use std::{sync::Arc, time::Duration};

use async_nats::{ServerAddr, Subject, jetstream};
use bytes::Bytes;
use futures_util::future::join_all;
use tokio::{
    sync::{OnceCell, watch},
    time::{Instant, sleep, timeout},
};

pub use {
    error::ConnectError,
    link_state::{LinkRole, LinkState},
    options::ConnectOptions,
    version::Version,
};

use crate::Publisher;
use error::Cause;
use link::Link;
use settings::{API_TIMEOUT, settings};

/// The time limit of closing, over both links together.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// A connection to NATS. It reconnects within half a second of the server's return.
///
/// Clones share it. It closes when the last one is dropped; [`Connection::close`] sends first what
/// is unsent.
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

/// Connects. Fails at once where waiting cannot help: refused, bad credentials, too old.
///
/// # Errors
/// See [`ConnectError`].
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

/// Tries until a server accepts or refuses us, or the time is over: a server may be starting.
async fn first_link(
    options: &ConnectOptions,
    addresses: &[ServerAddr],
) -> Result<Link, ConnectError> {
    let deadline = Instant::now() + options.wait;
    let mut delay = Duration::from_millis(5);
    let bare = options::bare(addresses);
    loop {
        let (settings, link) =
            Link::prepare(settings(options, addresses).await?, LinkRole::Consuming);
        let left = deadline.saturating_duration_since(Instant::now());
        let error = match timeout(left, settings.connect(&bare[..])).await {
            Ok(Ok(client)) => return Ok(link(client)),
            Ok(Err(error)) => error,
            Err(_) => return Err(ConnectError::unreachable(options, None)),
        };
        match Cause::new(&error) {
            Cause::Refused => return Err(ConnectError::refused(options, error)),
            Cause::Tls => return Err(ConnectError::tls(options, error)),
            Cause::Unreachable => {}
        }
        if Instant::now() + delay >= deadline {
            return Err(ConnectError::unreachable(options, Some(error)));
        }
        sleep(delay).await;
        delay = (delay * 2).min(Duration::from_millis(100));
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
            "nats-server {text} is older than {}, the tested version",
            version::TESTED
        ))),
    }
}

impl Connection {
    /// A warning about the server's version, for the log; None where all is well.
    pub fn warning(&self) -> Option<&str> {
        self.inner.warning.as_deref()
    }

    /// The servers' URLs, without secrets.
    pub fn servers(&self) -> String {
        options::redacted(&self.inner.options.servers)
    }

    /// JetStream's API over the consuming link. A request takes at most 5 s.
    pub fn jetstream(&self) -> &jetstream::Context {
        &self.inner.jetstream
    }

    /// The state of the consuming link, to be watched.
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

    /// The publisher, if one was requested.
    pub(crate) fn publishing(&self) -> Option<&Publisher> {
        self.inner.publishing.get()
    }

    /// The publisher, over a link of its own. All clones share its window.
    pub async fn publisher(&self) -> Publisher {
        self.inner
            .publishing
            .get_or_init(|| async { Publisher::new(self.publishing_link().await) })
            .await
            .clone()
    }

    /// Never fails: the same options have connected before. From now on a missing server is an
    /// outage that passes.
    async fn publishing_link(&self) -> Link {
        let options = &self.inner.options;
        let link = async {
            let addresses = options::addresses(&options.servers).ok()?;
            let settings = settings(options, &addresses).await.ok()?;
            let (settings, link) =
                Link::prepare(settings.retry_on_initial_connect(), LinkRole::Publishing);
            Some(link(
                settings.connect(options::bare(&addresses)).await.ok()?,
            ))
        };
        // Where a credentials file has vanished, the consuming link serves too, only slower.
        link.await.unwrap_or_else(|| self.consuming().clone())
    }

    /// Publishes `body` on the reply subject of a delivery, over the consuming link, unconfirmed.
    pub async fn respond(&self, reply: Subject, body: Bytes) {
        // Fails only on a closed client. The message is then delivered again.
        let _ = self.consuming().client.publish(reply, body).await;
    }

    /// Waits until everything is written to its socket. The server does not confirm it.
    ///
    /// # Errors
    /// See [`FlushError`].
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

    /// Sends what is unsent and closes both links, also for other clones. Takes at most 2 s, and no
    /// time without a server.
    pub async fn close(self) {
        let publishing = self.publishing().map(Publisher::link);
        let links = [Some(self.consuming()), publishing];
        let closing = links.into_iter().flatten().map(|link| async move {
            if link.is_connected() {
                let _ = link.client.flush().await;
            }
            let _ = link.client.drain().await;
        });
        // Links that are not closed by then close with their last clone.
        let _ = timeout(CLOSE_TIMEOUT, join_all(closing)).await;
    }
}

/// A flush that failed: data may not have reached the server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FlushError {
    /// The data could not be written within 2 s.
    #[error("flush connection: timed out")]
    TimedOut,
    /// The connection is closed.
    #[error("flush a closed connection")]
    Closed(#[source] crispy_fault::BoxError),
}
