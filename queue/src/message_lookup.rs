//! Looks up messages, and counts them.

use async_nats::jetstream::stream;
use crispy_fault::Fault;
use crispy_jetstream::{
    ApiError,
    api::{self, MessageSelector},
    header::MESSAGE_ID,
};

use crate::{Connection, Stage, Stream};

impl Connection {
    /// Whether `stream` still has, at `sequence`, exactly the message that was published as
    /// `message_id`.
    ///
    /// The stream's leader answers, never a replica that may lag behind. A sequence alone proves
    /// nothing: measured, after a wiped stream was made again, the old sequence belonged to another
    /// camera's message.
    pub async fn is_queued(
        &self,
        stream: Stream,
        sequence: u64,
        message_id: &str,
    ) -> Result<bool, Fault> {
        let name = stream.name(self.prefix());
        match api::message(self, &name, &MessageSelector::Sequence(sequence)).await {
            Ok(message) => {
                let id = message.headers.get(MESSAGE_ID);
                Ok(id.is_some_and(|id| id.as_str() == message_id))
            }
            Err(ApiError::NoMessage | ApiError::NoStream) => Ok(false),
            Err(error) => {
                let doing = format!("look up message {sequence} of stream {name}");
                Err(error.into_fault(doing))
            }
        }
    }

    /// The creation time of `stream`, in Unix microseconds. With another one, each sequence means
    /// another message.
    pub async fn stream_created(&self, stream: Stream) -> Result<i64, Fault> {
        Ok(api::created_us(&self.stream_info(stream).await?))
    }

    /// The number of messages in `stream`.
    pub async fn messages(&self, stream: Stream) -> Result<u64, Fault> {
        Ok(self.stream_info(stream).await?.state.messages)
    }

    /// The number of messages that `stage` has not finished, delivered or not.
    pub async fn unfinished(&self, stage: Stage) -> Result<u64, Fault> {
        let stream = stage.input().name(self.prefix());
        match api::consumer_info(self, &stream, stage.as_str()).await {
            Ok(info) => Ok(info.num_pending + info.num_ack_pending as u64),
            Err(error) => {
                let doing = format!("look at consumer {stage} of stream {stream}");
                Err(error.into_fault(doing))
            }
        }
    }

    async fn stream_info(&self, stream: Stream) -> Result<stream::Info, Fault> {
        let name = stream.name(self.prefix());
        let info = api::stream_info(self, &name).await;
        info.map_err(|error| error.into_fault(format!("look at stream {name}")))
    }
}
