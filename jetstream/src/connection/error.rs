//! Why there is no connection.

use std::{error::Error, io, path::PathBuf, time::Duration};

use async_nats::ConnectErrorKind;

use super::{ConnectOptions, Version, options};

/// The first connection failed. Server URLs in it carry no secrets.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// A server URL is not one.
    #[error("read the server addresses {servers:?}")]
    Address {
        /// As given.
        servers: String,
        /// What is wrong with it.
        source: io::Error,
    },
    /// A file with credentials or certificates cannot be used.
    #[error("read the credentials in {}", path.display())]
    Credentials {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The seed that was given together with a JWT is none.
    #[error("read the seed given with the user's JWT: it is not the seed of an nkey (SU...)")]
    Seed,
    /// Nothing answered in time.
    #[error(
        "no NATS server at {servers} answered within {waited:?}: is it running, and is the address right?"
    )]
    Unreachable {
        /// The servers tried.
        servers: String,
        /// For how long.
        waited: Duration,
        /// The last attempt's error, where one ended.
        #[source]
        source: Option<async_nats::ConnectError>,
    },
    /// A server answered and did not let us in.
    #[error("the NATS server at {servers} refused the connection: check the credentials")]
    Refused {
        /// The servers tried.
        servers: String,
        /// What the server said.
        source: async_nats::ConnectError,
    },
    /// The encryption could not be agreed on.
    #[error("agree on TLS with the NATS server at {servers}")]
    Tls {
        /// The servers tried.
        servers: String,
        /// Why not.
        source: async_nats::ConnectError,
    },
    /// A server answered that cannot do what is needed.
    #[error(
        "nats-server {version} at {servers} is too old: {least} or newer is needed (`make setup` brings one)"
    )]
    TooOld {
        /// The servers tried.
        servers: String,
        /// The version that answered.
        version: Version,
        /// The least that is accepted.
        least: Version,
    },
}

/// What an attempt that failed tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A server that is just starting does this too.
    TryAgain,
    /// We are not let in.
    Refused,
    /// Encryption cannot be agreed on: a certificate is wrong or missing, or only one side wants it first.
    Tls,
}

impl Verdict {
    pub(super) fn of(error: &async_nats::ConnectError) -> Self {
        match error.kind() {
            ConnectErrorKind::Authentication
            | ConnectErrorKind::AuthorizationViolation
            | ConnectErrorKind::ServerParse => Self::Refused,
            ConnectErrorKind::Tls => Self::Tls,
            // async-nats calls a handshake that fails an I/O error like any other.
            _ if causes(error).any(is_tls) => Self::Tls,
            _ => Self::TryAgain,
        }
    }
}

type Cause<'a> = &'a (dyn Error + 'static);

fn causes<'a>(error: Cause<'a>) -> impl Iterator<Item = Cause<'a>> {
    std::iter::successors(Some(error), |&error: &Cause<'a>| {
        // An io::Error that wraps another names that one's source as its own, and so passes over it.
        let wrapped = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        match wrapped {
            Some(wrapped) => Some(wrapped as Cause<'a>),
            None => error.source(),
        }
    })
}

fn is_tls(error: Cause<'_>) -> bool {
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
