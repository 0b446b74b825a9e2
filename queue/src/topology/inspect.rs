//! The present streams and consumers of a server.

use std::borrow::Cow;

use async_nats::jetstream::{account::Account, consumer, stream};
use crispy_fault::{DependencyId, Fault};
use futures_util::future::{join_all, try_join_all};

use crate::{
    Connection, Stage, Stream,
    api::{self, ApiError, Nothing},
};

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
        let name = stage.source().name(connection.prefix());
        let info = api::consumer_info(connection, &name, stage.as_str()).await;
        let target = format!("consumer {stage} of stream {name}");
        Ok((stage, present(&target, info)?))
    });
    let account = async {
        let account = api::request(connection, "INFO", &Nothing {}).await;
        account.map_err(|error| request_failed("look at the account", error))
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
        Err(error) => Err(request_failed(format!("look at {target}"), error)),
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

/// The failure of a request that was made while `doing` something.
pub(crate) fn request_failed(doing: impl Into<Cow<'static, str>>, error: ApiError) -> Fault {
    let fault = match &error {
        ApiError::NoStream | ApiError::NoConsumer => Fault::not_found(doing).with_hint(SET_UP),
        // A server without JetStream has no streams either.
        ApiError::NoJetStream => Fault::not_found(doing)
            .with_hint("start nats-server with -js, or enable JetStream for the account"),
        ApiError::NoMessage => Fault::not_found(doing),
        ApiError::NoAnswer(_) => Fault::unavailable(DependencyId::Queue, doing),
        ApiError::Unreadable(_) => Fault::corrupt(doing),
        error if error.is_leaderless() => Fault::transient(doing),
        ApiError::NoStorage(_) | ApiError::Refused(_) => Fault::rejected(doing),
    };
    fault.with_source(error)
}
