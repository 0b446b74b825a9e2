//! Finding the durable of a stage.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{
    Connection, Stage, Stream,
    api::{self, ApiError},
    backoff::Backoff,
};

/// Pauses while a stream or consumer that was there is missing: somebody is making it again, or never will.
const LOOKING_AGAIN: Backoff = Backoff {
    first: Duration::from_millis(50),
    longest: Duration::from_secs(1),
};

/// How long it looks in vain before another server of the cluster is asked: about as long as an election takes.
const LEAVING: Duration = Duration::from_secs(5);

/// The lease where a consumer says nothing of it: the server's own default.
const DEFAULT_LEASE: Duration = Duration::from_secs(30);

/// What there is to know of a durable and its stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Binding {
    pub(super) stream: String,
    /// Unix microseconds.
    pub(super) created_us: i64,
    pub(super) lease: Duration,
}

/// A worker cannot begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The stream is missing.
    #[error("stream {stream} is missing: run `crispy setup`")]
    MissingStream {
        /// Its name on the server.
        stream: String,
    },
    /// The durable is missing.
    #[error("consumer {consumer} of stream {stream} is missing: run `crispy setup`")]
    MissingConsumer {
        /// The stream's name on the server.
        stream: String,
        /// The durable's name.
        consumer: String,
    },
    /// The server could not say.
    #[error("look at consumer {consumer} of stream {stream}")]
    Look {
        /// The stream's name on the server.
        stream: String,
        /// The durable's name.
        consumer: String,
        /// Why not.
        source: ApiError,
    },
    /// The connection is closed.
    #[error("bind on a closed connection")]
    Closed(#[source] async_nats::SubscribeError),
}

/// Looks once.
pub(super) async fn look(connection: &Connection, stage: Stage) -> Result<Binding, BindError> {
    let stream = stage.source().name(connection.prefix());
    let both = tokio::try_join!(
        api::stream_info(connection, &stream),
        api::consumer_info(connection, &stream, stage.as_str()),
    );
    match both {
        Ok((info, consumer)) => {
            look_for_suspects(connection).await?;
            Ok(Binding {
                created_us: api::created_us(&info),
                lease: match consumer.config.ack_wait {
                    Duration::ZERO => DEFAULT_LEASE,
                    lease => lease,
                },
                stream,
            })
        }
        Err(ApiError::NoStream) => Err(BindError::MissingStream { stream }),
        Err(ApiError::NoConsumer) => Err(BindError::MissingConsumer {
            stream,
            consumer: stage.to_string(),
        }),
        Err(source) => Err(BindError::Look {
            stream,
            consumer: stage.to_string(),
            source,
        }),
    }
}

/// The marks have a stream of their own, which servers that were set up by an older version lack.
async fn look_for_suspects(connection: &Connection) -> Result<(), BindError> {
    let stream = Stream::Suspects.name(connection.prefix());
    match api::stream_info(connection, &stream).await {
        Err(ApiError::NoStream) => Err(BindError::MissingStream { stream }),
        // Any other failure will show again at the first pull.
        _ => Ok(()),
    }
}

/// Looks until it is there.
pub(super) async fn seek(connection: Connection, stage: Stage) -> Binding {
    let mut failure = 0_u32;
    let mut leaving = Instant::now() + LEAVING;
    loop {
        let connects = connection.consuming().connects();
        match look(&connection, stage).await {
            Ok(binding) => return binding,
            Err(_) => failure = failure.saturating_add(1),
        }
        if Instant::now() > leaving {
            connection.consuming().leave(connects).await;
            leaving = Instant::now() + LEAVING;
        }
        sleep(LOOKING_AGAIN.pause(failure, rand::random())).await;
    }
}
