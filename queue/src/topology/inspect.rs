//! What a server has now.

use async_nats::jetstream::{account::Account, consumer, stream};
use futures_util::future::try_join_all;

use crate::{
    Connection, Stage, Stream,
    api::{self, ApiError, Nothing},
};

/// Planning or setting up failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TopologyError {
    /// Looking at a stream, a consumer or the account failed.
    #[error("look at {what}")]
    Look {
        /// What was looked at.
        what: String,
        /// Why it failed.
        source: ApiError,
    },
    /// Making or changing a stream or consumer failed.
    #[error("set up {what}")]
    SetUp {
        /// What was to be set up.
        what: String,
        /// Why it failed.
        source: ApiError,
    },
    /// Not even the smallest sizes fit.
    #[error(
        "fit the streams into the server's store: it has too little left (raise max_file_store, or the account's limit)"
    )]
    NoRoom(#[source] ApiError),
    /// More than one replica on a server that is not part of a cluster, or a number that is not 1, 3 or 5.
    #[error(
        "{0} replicas are not possible: use 1, 3 or 5, and no more than the cluster has servers"
    )]
    Replicas(u8),
}

/// Everything that a plan needs to know, asked for at once.
pub(super) struct Found {
    pub(super) streams: Vec<(Stream, Option<stream::Info>)>,
    pub(super) consumers: Vec<(Stage, Option<consumer::Info>)>,
    pub(super) account: Account,
}

pub(super) async fn look(connection: &Connection) -> Result<Found, TopologyError> {
    let streams = Stream::ALL.map(|stream| async move {
        let name = stream.name(connection.prefix());
        let info = api::stream_info(connection, &name).await;
        Ok((stream, found(format!("stream {name}"), info)?))
    });
    let consumers = Stage::ALL.map(|stage| async move {
        let name = stage.source().name(connection.prefix());
        let info = api::consumer_info(connection, &name, stage.as_str()).await;
        Ok((
            stage,
            found(format!("consumer {stage} of stream {name}"), info)?,
        ))
    });
    let (streams, consumers, account) = tokio::try_join!(
        try_join_all(streams),
        try_join_all(consumers),
        account(connection),
    )?;
    Ok(Found {
        streams,
        consumers,
        account,
    })
}

async fn account(connection: &Connection) -> Result<Account, TopologyError> {
    let account = api::request(connection, "INFO", &Nothing {}).await;
    account.map_err(|source| TopologyError::Look {
        what: "the account".to_owned(),
        source,
    })
}

fn found<T>(what: String, looked: Result<T, ApiError>) -> Result<Option<T>, TopologyError> {
    match looked {
        Ok(info) => Ok(Some(info)),
        Err(ApiError::NoStream | ApiError::NoConsumer) => Ok(None),
        Err(source) => Err(TopologyError::Look { what, source }),
    }
}
