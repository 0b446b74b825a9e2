//! Whether a message is still in its stream.

use async_nats::jetstream::stream;

use crispy_jetstream::{
    ApiError,
    api::{self, Which},
    header::MESSAGE_ID,
};

use crate::{Connection, Stage, Stream};

/// Asking a stream about a message failed.
#[derive(Debug, thiserror::Error)]
#[error("ask stream {stream} about its message {sequence}")]
pub struct QueuedError {
    /// The stream's name on the server.
    pub stream: String,
    /// The place that was asked about; 0 where it was about the stream itself.
    pub sequence: u64,
    /// Why it failed.
    pub source: ApiError,
}

impl Connection {
    /// Whether `stream` still holds, at `sequence`, the very message that was published there as `message_id`.
    ///
    /// The stream's leader is asked, never a replica that may lag behind. A sequence alone proves nothing: measured, after a wiped stream was
    /// made again, the old sequence held another camera's message.
    pub async fn is_queued(
        &self,
        stream: Stream,
        sequence: u64,
        message_id: &str,
    ) -> Result<bool, QueuedError> {
        let name = stream.name(self.prefix());
        match api::message(self, &name, &Which::At(sequence)).await {
            Ok(message) => {
                let id = message.headers.get(MESSAGE_ID);
                Ok(id.is_some_and(|id| id.as_str() == message_id))
            }
            Err(ApiError::NoMessage | ApiError::NoStream) => Ok(false),
            Err(source) => Err(QueuedError {
                stream: name,
                sequence,
                source,
            }),
        }
    }

    /// When `stream` was created, in Unix microseconds: another time, and every sequence of it means another message.
    pub async fn stream_created(&self, stream: Stream) -> Result<i64, QueuedError> {
        Ok(api::created_us(&self.look_at(stream).await?))
    }

    /// How many messages `stream` holds.
    pub async fn messages(&self, stream: Stream) -> Result<u64, QueuedError> {
        Ok(self.look_at(stream).await?.state.messages)
    }

    /// How many messages `stage` has not finished: waiting, on their way, or being worked on by somebody.
    pub async fn unfinished(&self, stage: Stage) -> Result<u64, QueuedError> {
        let stream = stage.source().name(self.prefix());
        match api::consumer_info(self, &stream, stage.as_str()).await {
            Ok(info) => Ok(info.num_pending + info.num_ack_pending as u64),
            Err(source) => Err(QueuedError {
                stream,
                sequence: 0,
                source,
            }),
        }
    }

    async fn look_at(&self, stream: Stream) -> Result<stream::Info, QueuedError> {
        let name = stream.name(self.prefix());
        let info = api::stream_info(self, &name).await;
        info.map_err(|source| QueuedError {
            stream: name,
            sequence: 0,
            source,
        })
    }
}
