//! Errors of the first connection.

use std::{error::Error, io, path::PathBuf, time::Duration};

use async_nats::ConnectErrorKind;

use super::{
    options::{self, ConnectOptions},
    version::Version,
};

/// The first connection failed. Its server URLs carry no secrets.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// A server URL is malformed.
    #[error("read the server addresses {servers:?}")]
    Address {
        /// As given.
        servers: String,
        /// The parser's error.
        source: io::Error,
    },
    /// A file with credentials or certificates cannot be used.
    #[error("read the credentials in {}", path.display())]
    Credentials {
        /// The file.
        path: PathBuf,
        /// The I/O error.
        source: io::Error,
    },
    /// The seed beside a JWT is malformed.
    #[error("read the seed of the user's JWT: not the seed of an nkey (SU...)")]
    Seed,
    /// No server answered in time.
    #[error(
        "no NATS server at {servers} answered within {waited:?}: is it running, and is the address right?"
    )]
    Unreachable {
        /// The servers tried.
        servers: String,
        /// The time waited.
        waited: Duration,
        /// The last attempt's error.
        #[source]
        source: Option<async_nats::ConnectError>,
    },
    /// A server refused us.
    #[error("the NATS server at {servers} refused the connection: check the credentials")]
    Refused {
        /// The servers tried.
        servers: String,
        /// The server's answer.
        source: async_nats::ConnectError,
    },
    /// The TLS handshake failed.
    #[error("agree on TLS with the NATS server at {servers}")]
    Tls {
        /// The servers tried.
        servers: String,
        /// The handshake's error.
        source: async_nats::ConnectError,
    },
    /// The server is too old.
    #[error(
        "nats-server {version} at {servers} is too old: {least} or newer is needed (`make setup` brings one)"
    )]
    TooOld {
        /// The servers tried.
        servers: String,
        /// The server's version.
        version: Version,
        /// The oldest accepted version.
        least: Version,
    },
}

/// The cause of a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// No server, or one that is starting: worth another attempt.
    Unreachable,
    /// The server refused us.
    Refused,
    /// A certificate is wrong or missing, or only one side starts with TLS.
    Tls,
}

impl Cause {
    pub(super) fn new(error: &async_nats::ConnectError) -> Self {
        match error.kind() {
            ConnectErrorKind::Authentication
            | ConnectErrorKind::AuthorizationViolation
            | ConnectErrorKind::ServerParse => Self::Refused,
            ConnectErrorKind::Tls => Self::Tls,
            // async-nats reports a failed handshake as an I/O error.
            _ if causes(error).any(is_tls) => Self::Tls,
            _ => Self::Unreachable,
        }
    }
}

type Source<'a> = &'a (dyn Error + 'static);

fn causes<'a>(error: Source<'a>) -> impl Iterator<Item = Source<'a>> {
    std::iter::successors(Some(error), |&error: &Source<'a>| {
        // An io::Error around another skips that one in its chain of sources.
        let wrapped = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        match wrapped {
            Some(wrapped) => Some(wrapped as Source<'a>),
            None => error.source(),
        }
    })
}

fn is_tls(error: Source<'_>) -> bool {
    error.is::<async_nats::rustls::Error>()
}

impl ConnectError {
    pub(super) fn tls(options: &ConnectOptions, source: async_nats::ConnectError) -> Self {
        let servers = options::redacted(&options.servers);
        Self::Tls { servers, source }
    }

    pub(super) fn refused(options: &ConnectOptions, source: async_nats::ConnectError) -> Self {
        let servers = options::redacted(&options.servers);
        Self::Refused { servers, source }
    }

    pub(super) fn unreachable(
        options: &ConnectOptions,
        source: Option<async_nats::ConnectError>,
    ) -> Self {
        Self::Unreachable {
            servers: options::redacted(&options.servers),
            waited: options.wait,
            source,
        }
    }
}
