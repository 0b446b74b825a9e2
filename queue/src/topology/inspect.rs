//! The present streams and consumers of a server.

use async_nats::jetstream::{account::Account, consumer, stream};
use crispy_fault::Fault;
use crispy_jetstream::{
    ApiError,
    api::{self, Empty},
};
use futures_util::future::{join_all, try_join_all};

use crate::{Connection, Stage, Stream};

/// The advice about missing streams and consumers.
const SET_UP: &str = "run `crispy setup`";

/// The input of a plan. Missing streams and consumers are None.
pub(super) struct Present {
    pub(super) streams: Vec<(Stream, Option<stream::Info>)>,
    pub(super) consumers: Vec<(Stage, Option<consumer::Info>)>,
    pub(super) account: Account,
}

pub(super) async fn inspect(connection: &Connection) -> Result<Present, Fault> {
    let streams = Stream::ALL.map(|stream| async move {
        let name = stream.name(connection.prefix());
        let info = api::stream_info(connection, &name).await;
        Ok((stream, present(&format!("stream {name}"), info)?))
    });
    let consumers = Stage::ALL.map(|stage| async move {
        let name = stage.input().name(connection.prefix());
        let info = api::consumer_info(connection, &name, stage.as_str()).await;
        let target = format!("consumer {stage} of stream {name}");
        Ok((stage, present(&target, info)?))
    });
    let account = async {
        let account = api::request(connection, "INFO", &Empty {}).await;
        account.map_err(|error| error.into_fault("look at the account"))
    };
    let (streams, consumers, account) =
        tokio::try_join!(try_join_all(streams), try_join_all(consumers), account)?;
    Ok(Present {
        streams,
        consumers,
        account,
    })
}

/// The information about `target`; None where it does not exist.
pub(crate) fn present<T>(target: &str, info: Result<T, ApiError>) -> Result<Option<T>, Fault> {
    match info {
        Ok(info) => Ok(Some(info)),
        Err(ApiError::NoStream | ApiError::NoConsumer) => Ok(None),
        Err(error) => Err(error.into_fault(format!("look at {target}"))),
    }
}

/// Checks that every stream of `needs` exists. One request per stream, all at once.
///
/// # Errors
/// `NotFound` names the missing streams; else the failure of a request.
pub async fn check(connection: &Connection, needs: &[Stream]) -> Result<(), Fault> {
    let infos = needs.iter().map(|stream| async move {
        let target = format!("stream {}", stream.name(connection.prefix()));
        let info = api::stream_info(connection, &stream.name(connection.prefix())).await;
        (present(&target, info), target)
    });
    let mut missing = Vec::new();
    for (info, target) in join_all(infos).await {
        if info?.is_none() {
            missing.push(target);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let (missing, servers) = (missing.join(" and "), connection.servers());
    Err(Fault::not_found(format!("{missing} missing at {servers}")).with_hint(SET_UP))
}
