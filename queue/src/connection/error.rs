//! Why there is no connection.

use std::{io, path::PathBuf, time::Duration};

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
    /// A file with credentials cannot be used.
    #[error("read the credentials in {}", path.display())]
    Credentials {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
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

impl ConnectError {
    /// Waiting would not help.
    pub(super) fn is_final(error: &async_nats::ConnectError) -> bool {
        matches!(
            error.kind(),
            ConnectErrorKind::Authentication
                | ConnectErrorKind::AuthorizationViolation
                | ConnectErrorKind::Tls
                | ConnectErrorKind::ServerParse
        )
    }

    pub(super) fn refused(options: &ConnectOptions, source: async_nats::ConnectError) -> Self {
        let servers = options::redacted(&options.servers);
        match source.kind() {
            ConnectErrorKind::Tls => Self::Tls { servers, source },
            _ => Self::Refused { servers, source },
        }
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
