//! Requests to JetStream's API, and their errors.

use std::borrow::Cow;

use async_nats::jetstream::{
    self, ErrorCode, consumer,
    context::{RequestError, RequestErrorKind},
    message::StreamMessage,
    response::Response,
    stream,
};
use crispy_fault::{DependencyId, Fault};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::Connection;

/// A failed request to JetStream's API.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// The stream does not exist.
    #[error("the stream does not exist")]
    NoStream,
    /// The consumer does not exist.
    #[error("the consumer does not exist")]
    NoConsumer,
    /// The message does not exist.
    #[error("the message does not exist")]
    NoMessage,
    /// JetStream is off on this server or for this account.
    #[error("JetStream is not enabled: start nats-server with -js, or enable it for the account")]
    NoJetStream,
    /// The server, or the account, has not enough storage left.
    #[error("the server has not enough storage left")]
    NoStorage(#[source] jetstream::Error),
    /// The server refused the request.
    #[error("the server refused")]
    Refused(#[source] jetstream::Error),
    /// No answer, or an unreadable one.
    #[error("the server did not answer")]
    NoAnswer(#[source] RequestError),
    /// The stored message is malformed.
    #[error("the stored message cannot be read")]
    Unreadable(#[source] async_nats::Error),
}

impl ApiError {
    fn refused(error: jetstream::Error) -> Self {
        match error.error_code() {
            ErrorCode::STREAM_NOT_FOUND => Self::NoStream,
            ErrorCode::CONSUMER_NOT_FOUND => Self::NoConsumer,
            ErrorCode::NO_MESSAGE_FOUND => Self::NoMessage,
            ErrorCode::JETSTREAM_NOT_ENABLED | ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT => {
                Self::NoJetStream
            }
            ErrorCode::STORAGE_RESOURCES_EXCEEDED
            | ErrorCode::ACCOUNT_RESOURCES_EXCEEDED
            | ErrorCode::INSUFFICIENT_RESOURCES => Self::NoStorage(error),
            _ => Self::Refused(error),
        }
    }

    /// Another process created the stream meanwhile, with other settings.
    pub fn is_name_taken(&self) -> bool {
        matches!(self, Self::Refused(error) if error.error_code() == ErrorCode::STREAM_NAME_EXIST)
    }

    /// The server sees no leader of its cluster: during an election, or where the node is cut off
    /// from the others.
    pub fn is_leaderless(&self) -> bool {
        matches!(self, Self::Refused(error) if error.error_code() == ErrorCode::CLUSTER_NOT_AVAILABLE)
    }

    /// The failure of a request that was made while `doing` something.
    pub fn into_fault(self, doing: impl Into<Cow<'static, str>>) -> Fault {
        let fault = match &self {
            Self::NoStream | Self::NoConsumer => Fault::not_found(doing).with_hint(SET_UP_HINT),
            // A server without JetStream has no streams either.
            Self::NoJetStream => Fault::not_found(doing)
                .with_hint("start nats-server with -js, or enable JetStream for the account"),
            Self::NoMessage => Fault::not_found(doing),
            Self::NoAnswer(_) => Fault::unavailable(DependencyId::Queue, doing),
            Self::Unreadable(_) => Fault::corrupt(doing),
            error if error.is_leaderless() => Fault::transient(doing),
            Self::NoStorage(_) | Self::Refused(_) => Fault::rejected(doing),
        };
        fault.with_source(self)
    }

    fn unanswered(error: RequestError) -> Self {
        match error.kind() {
            RequestErrorKind::NoResponders => Self::NoJetStream,
            _ => Self::NoAnswer(error),
        }
    }
}

/// The hint for missing streams and consumers.
pub const SET_UP_HINT: &str = "run `crispy setup`";

/// An empty request: `{}`. CONSUMER.INFO refuses JSON's null, which `()` would be.
#[derive(Serialize)]
pub struct Empty {}

/// Attempts at a request: the answer never comes where the link reconnects meanwhile.
const ATTEMPTS: usize = 3;

/// Sends a request, again after a reconnect. All requests of this module may be sent twice.
///
/// # Errors
/// See [`ApiError`].
pub async fn request<Q, A>(
    connection: &Connection,
    subject: &str,
    question: &Q,
) -> Result<A, ApiError>
where
    Q: Serialize + ?Sized,
    A: DeserializeOwned,
{
    let link = connection.consuming();
    let ask = || connection.jetstream().request(subject.to_owned(), question);
    let mut answer = None;
    for _ in 0..ATTEMPTS {
        let connects = link.connects();
        tokio::select! {
            answered = ask() => {
                answer = Some(answered);
                break;
            }
            () = link.reconnected(connects) => {}
        }
    }
    let answer = match answer {
        Some(answer) => answer,
        None => ask().await,
    };
    match answer.map_err(ApiError::unanswered)? {
        Response::Ok(answer) => Ok(answer),
        Response::Err { error } => Err(ApiError::refused(error)),
    }
}

/// The server's information about a stream.
pub async fn stream_info(connection: &Connection, stream: &str) -> Result<stream::Info, ApiError> {
    request(connection, &format!("STREAM.INFO.{stream}"), &Empty {}).await
}

/// The server's information about a consumer.
pub async fn consumer_info(
    connection: &Connection,
    stream: &str,
    consumer: &str,
) -> Result<consumer::Info, ApiError> {
    let subject = format!("CONSUMER.INFO.{stream}.{consumer}");
    request(connection, &subject, &Empty {}).await
}

/// Creates the consumer of `config`, or changes it to that. Idempotent.
pub async fn put_consumer(
    connection: &Connection,
    stream: &str,
    config: consumer::Config,
) -> Result<consumer::Info, ApiError> {
    #[derive(Serialize)]
    struct Request<'a> {
        stream_name: &'a str,
        config: consumer::Config,
    }
    let mut subject = format!("CONSUMER.CREATE.{stream}");
    if let Some(name) = &config.name {
        subject = format!("{subject}.{name}");
        // Servers require the filter in the subject, so that accounts can restrict it.
        if !config.filter_subject.is_empty() {
            subject = format!("{subject}.{}", config.filter_subject);
        }
    }
    let request_body = Request {
        stream_name: stream,
        config,
    };
    request(connection, &subject, &request_body).await
}

/// Removes one message. False where it does not exist.
pub async fn delete_message(
    connection: &Connection,
    stream: &str,
    sequence: u64,
) -> Result<bool, ApiError> {
    #[derive(Serialize)]
    struct Request {
        seq: u64,
        // Measured: erasing the bytes takes 35 ms a message.
        no_erase: bool,
    }
    #[derive(Deserialize)]
    struct Deleted {}
    let subject = format!("STREAM.MSG.DELETE.{stream}");
    let question = Request {
        seq: sequence,
        no_erase: true,
    };
    match request(connection, &subject, &question).await {
        Ok(Deleted {}) => Ok(true),
        // Servers have several errors for a missing message; getting it has one.
        Err(refusal @ ApiError::Refused(_)) => {
            match message(connection, stream, &MessageSelector::Sequence(sequence)).await {
                Err(ApiError::NoMessage) => Ok(false),
                _ => Err(refusal),
            }
        }
        Err(error) => Err(error),
    }
}

/// Removes all messages on `subject`.
pub async fn purge(connection: &Connection, stream: &str, subject: &str) -> Result<(), ApiError> {
    #[derive(Serialize)]
    struct Request<'a> {
        filter: &'a str,
    }
    #[derive(Deserialize)]
    struct Purged {}
    let request_subject = format!("STREAM.PURGE.{stream}");
    let purged = request(connection, &request_subject, &Request { filter: subject }).await;
    purged.map(|Purged {}| ())
}

/// Creation of the stream, Unix microseconds. With it a sequence identifies one message.
pub fn created_us(info: &stream::Info) -> i64 {
    let nanos = info.created.unix_timestamp_nanos();
    i64::try_from(nanos / 1000).unwrap_or(i64::MAX)
}

/// Selects a message of a stream.
#[derive(Serialize)]
pub enum MessageSelector<'a> {
    #[serde(rename = "seq")]
    /// The one with this sequence.
    Sequence(u64),
    #[serde(rename = "last_by_subj")]
    /// The last one on this subject.
    LastOfSubject(&'a str),
}

/// Gets a message from the stream's leader: a direct get may be answered by a replica that lags.
pub async fn message(
    connection: &Connection,
    stream: &str,
    selector: &MessageSelector<'_>,
) -> Result<StreamMessage, ApiError> {
    #[derive(Deserialize)]
    struct Found {
        message: stream::RawMessage,
    }
    let found: Found = request(connection, &format!("STREAM.MSG.GET.{stream}"), selector).await?;
    StreamMessage::try_from(found.message).map_err(ApiError::Unreadable)
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_stream_is_not_a_missing_server() {
        let timeout = ApiError::NoAnswer(RequestErrorKind::TimedOut.into());
        for (error, expected) in [
            (ApiError::NoStream, Fault::not_found("")),
            (ApiError::NoConsumer, Fault::not_found("")),
            (ApiError::NoJetStream, Fault::not_found("")),
            (timeout, Fault::unavailable(DependencyId::Queue, "")),
        ] {
            let fault = error.into_fault("look at stream CRISPY_CHUNKS");
            assert_eq!(fault.kind(), expected.kind(), "{fault:?}");
        }
    }
}
