//! Finding the durable of a stage.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crispy_fault::{DependencyId, Fault};

use crate::{
    Connection,
    api::{self, ApiError},
    backoff::Backoff,
    connection::Patience,
};

use super::WorkerConfig;

/// Pauses while a stream or consumer that was there is missing: somebody is making it again, or never will.
const LOOKING_AGAIN: Backoff = Backoff {
    first: Duration::from_millis(50),
    longest: Duration::from_millis(500),
};

/// How long one look may take. A server that is there answers within milliseconds; what is asked in the middle of an election is never answered,
/// and a worker that still waits for that is idle while the new leader has work for it.
const LOOK: Duration = Duration::from_secs(1);

/// The lease where a consumer says nothing of it: the server's own default.
const DEFAULT_LEASE: Duration = Duration::from_secs(30);

/// What there is to know of a durable and its stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Binding {
    /// Unix microseconds.
    pub(super) created_us: i64,
    pub(super) lease: Duration,
    /// How often the link had been made before it was looked at.
    pub(super) connects: u64,
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

impl From<BindError> for Fault {
    fn from(error: BindError) -> Self {
        let missing = |what: String| Fault::not_found(what).with_hint("run `crispy setup`");
        match error {
            BindError::MissingStream { stream } => missing(format!("stream {stream} is missing")),
            BindError::MissingConsumer { stream, consumer } => {
                missing(format!("consumer {consumer} of stream {stream} is missing"))
            }
            BindError::Look {
                stream,
                consumer,
                source,
            } => source.into_fault(format!("look at consumer {consumer} of stream {stream}")),
            BindError::Closed(source) => {
                Fault::unavailable(DependencyId::Queue, "bind on a closed connection")
                    .with_source(source)
            }
        }
    }
}

impl BindError {
    fn is_missing(&self) -> bool {
        matches!(
            self,
            Self::MissingStream { .. } | Self::MissingConsumer { .. }
        )
    }

    fn is_leaderless(&self) -> bool {
        matches!(self, Self::Look { source, .. } if source.is_leaderless())
    }
}

/// Looks once.
pub(super) async fn look(
    connection: &Connection,
    config: &WorkerConfig,
) -> Result<Binding, BindError> {
    let (stream, consumer) = (&config.stream, &config.consumer);
    let connects = connection.consuming().connects();
    let both = tokio::try_join!(
        api::stream_info(connection, stream),
        api::consumer_info(connection, stream, consumer),
    );
    match both {
        Ok((info, bound)) => {
            look_for_marks(connection, &config.crash_marks.stream).await?;
            Ok(Binding {
                created_us: api::created_us(&info),
                lease: match bound.config.ack_wait {
                    Duration::ZERO => DEFAULT_LEASE,
                    lease => lease,
                },
                connects,
            })
        }
        Err(ApiError::NoStream) => Err(BindError::MissingStream {
            stream: stream.clone(),
        }),
        Err(ApiError::NoConsumer) => Err(BindError::MissingConsumer {
            stream: stream.clone(),
            consumer: consumer.clone(),
        }),
        Err(source) => Err(BindError::Look {
            stream: stream.clone(),
            consumer: consumer.clone(),
            source,
        }),
    }
}

/// The marks have a stream of their own, which servers that were set up by an older version lack.
async fn look_for_marks(connection: &Connection, stream: &str) -> Result<(), BindError> {
    match api::stream_info(connection, stream).await {
        Err(ApiError::NoStream) => Err(BindError::MissingStream {
            stream: stream.to_owned(),
        }),
        // Any other failure will show again at the first pull.
        _ => Ok(()),
    }
}

/// Looks until it is there, and tells whoever looks after the worker where it is missing.
pub(super) async fn seek_aloud(connection: Connection, config: WorkerConfig) -> Binding {
    let mut is_told = false;
    let tell = |error: &BindError| {
        if !std::mem::replace(&mut is_told, true) {
            warn!(%error, "no work can be taken, and nothing is lost meanwhile: do what the error says; looking until it is there");
        }
    };
    let binding = seek(&connection, &config, tell).await;
    if is_told {
        info!(
            stream = config.stream,
            "the stream and its consumer are back"
        );
    }
    binding
}

/// Looks until it is there; `missing` hears each time that it is not.
pub(super) async fn seek(
    connection: &Connection,
    config: &WorkerConfig,
    mut missing: impl FnMut(&BindError),
) -> Binding {
    let link = connection.consuming();
    let mut patience = Patience::begins(link.connects());
    let (mut failure, mut told) = (0_u32, false);
    loop {
        let connects = link.connects();
        let (leaderless, is_missing) = match timeout(LOOK, look(connection, config)).await {
            Ok(Ok(binding)) => return binding,
            Ok(Err(error)) if error.is_missing() => {
                missing(&error);
                (false, true)
            }
            Ok(Err(error)) => (error.is_leaderless(), false),
            Err(_) => (false, false),
        };
        // A server without a leader knows nothing that could help; should the others have none either, there is no hurry to leave the next.
        let at_once = leaderless && !told;
        told |= leaderless;
        // Any other server would say of what is missing that it is.
        if !is_missing && (at_once || patience.is_over(connects)) {
            link.leave(connects).await;
        } else {
            failure = failure.saturating_add(1);
            sleep(LOOKING_AGAIN.pause(failure, rand::random())).await;
        }
    }
}
