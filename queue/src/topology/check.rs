//! Whether the streams that a daemon needs are there.

use futures_util::future::join_all;

use crate::{
    Connection, Stream,
    api::{self, ApiError},
};

/// Streams that a daemon needs are missing, or cannot be looked at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MissingStreams {
    /// They do not exist.
    #[error("stream {} missing at {servers}: run `crispy setup`", .streams.join(" and stream "))]
    Missing {
        /// Their names on the server.
        streams: Vec<String>,
        /// The servers asked, without secrets.
        servers: String,
    },
    /// The server could not say.
    #[error("look at stream {stream}")]
    Look {
        /// Its name on the server.
        stream: String,
        /// Why not.
        source: ApiError,
    },
}

/// Whether every stream of `needs` is there. One question per stream, all at once.
pub async fn check(connection: &Connection, needs: &[Stream]) -> Result<(), MissingStreams> {
    let looks = needs.iter().map(|stream| async move {
        let name = stream.name(connection.prefix());
        let info = api::stream_info(connection, &name).await;
        (name, info)
    });
    let mut missing = Vec::new();
    for (stream, info) in join_all(looks).await {
        match info {
            Ok(_) => {}
            Err(ApiError::NoStream) => missing.push(stream),
            Err(source) => return Err(MissingStreams::Look { stream, source }),
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(MissingStreams::Missing {
        streams: missing,
        servers: connection.servers(),
    })
}
