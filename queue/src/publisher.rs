//! Publishes our messages.

use async_nats::HeaderMap;
use bytes::Bytes;
use crispy_jetstream::{
    Outgoing, PublishError, Published, Stalls,
    header::{MESSAGE_ID, TRACEPARENT},
    insert_header,
};
use tokio::sync::watch;

use crate::{Message, Prefix, Stream, Subject, header, span};

/// Publishes messages and waits until their streams have stored them, as
/// [`crispy_jetstream::Publisher`] does. Clones share its window.
#[derive(Clone, Debug)]
pub struct Publisher {
    publisher: crispy_jetstream::Publisher,
    prefix: Prefix,
}

impl Publisher {
    pub(crate) fn new(publisher: crispy_jetstream::Publisher, prefix: &Prefix) -> Self {
        Self {
            publisher,
            prefix: prefix.clone(),
        }
    }

    /// Publishes `message` on `subject` with message id `id`.
    pub async fn publish<M: Message>(
        &self,
        subject: Subject,
        id: &str,
        message: &M,
    ) -> Result<Published, PublishError> {
        self.publish_from(subject, id, message, None).await
    }

    /// As [`Self::publish`], in the trace of `traceparent` (W3C Trace Context) instead of the
    /// current one.
    pub async fn publish_from<M: Message>(
        &self,
        subject: Subject,
        id: &str,
        message: &M,
        traceparent: Option<&str>,
    ) -> Result<Published, PublishError> {
        let encoded = message.encode_to_vec().into();
        self.publish_encoded(subject, id, message, encoded, traceparent)
            .await
    }

    /// As [`Self::publish_from`], with the bytes that `message` was encoded to before.
    pub async fn publish_encoded<M: Message>(
        &self,
        subject: Subject,
        id: &str,
        message: &M,
        encoded: Bytes,
        traceparent: Option<&str>,
    ) -> Result<Published, PublishError> {
        let mut map = HeaderMap::new();
        if let Some(traceparent) = traceparent {
            insert_header(&mut map, TRACEPARENT, traceparent)?;
        }
        insert_header(&mut map, header::TYPE, M::TYPE)?;
        insert_header(&mut map, MESSAGE_ID, id)?;
        if let Some(chunk) = message.chunk() {
            insert_header(&mut map, header::CHUNK, &chunk.to_string())?;
        }
        self.send(subject.as_str(), subject.stream(), map, encoded)
            .await
    }

    /// The reasons for stalled publishing, by stream: from the first failing attempt to the next
    /// success.
    pub fn stalls(&self) -> watch::Receiver<Stalls> {
        self.publisher.stalls()
    }

    pub(crate) async fn send(
        &self,
        subject: &str,
        stream: Stream,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<Published, PublishError> {
        let span = span::publish(subject, &headers, payload.len());
        let message = Outgoing {
            subject,
            stream: &stream.name(&self.prefix),
            headers,
            payload,
            span: Some(span),
        };
        self.publisher.publish(message).await
    }
}
