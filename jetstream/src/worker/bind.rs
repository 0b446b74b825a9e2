//! Finds the consumer of a worker.

use std::time::Duration;

use crispy_fault::{Fault, chain};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::WorkerConfig;
use crate::{
    Connection,
    api::{self, ApiError},
    backoff::Backoff,
    connection::failover_timer::FailoverTimer,
};

/// Delays while a stream or consumer that was there is missing.
const SEARCH_BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(50),
    longest: Duration::from_millis(500),
};

/// The time limit of one search. A healthy server answers within milliseconds. Requests during an
/// election are never answered, and a worker that waits for one idles while the new leader has
/// work.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(1);

/// The lease of consumers without one: the server's default.
const DEFAULT_LEASE: Duration = Duration::from_secs(30);

/// The facts about a consumer and its stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Binding {
    /// Creation of the stream, Unix microseconds.
    pub(super) created_us: i64,
    pub(super) lease: Duration,
    /// The number of connects of the link before the search.
    pub(super) connects: u64,
}

/// A consumer that cannot be bound to.
#[derive(Debug)]
pub(super) struct BindFailure {
    target: String,
    error: ApiError,
}

impl BindFailure {
    fn is_missing(&self) -> bool {
        matches!(self.error, ApiError::NoStream | ApiError::NoConsumer)
    }

    pub(super) fn into_fault(self) -> Fault {
        let doing = match self.is_missing() {
            true => format!("{} is missing", self.target),
            false => format!("look at {}", self.target),
        };
        match self.error {
            ApiError::NoStream | ApiError::NoConsumer => {
                Fault::not_found(doing).with_hint(api::SET_UP_HINT)
            }
            error => error.into_fault(doing),
        }
    }
}

/// Looks once.
pub(super) async fn find(
    connection: &Connection,
    config: &WorkerConfig,
) -> Result<Binding, BindFailure> {
    let (stream, consumer) = (&config.stream, &config.consumer);
    let connects = connection.consuming().connects();
    let both = tokio::try_join!(
        api::stream_info(connection, stream),
        api::consumer_info(connection, stream, consumer),
    );
    let (stream, consumer) = both.map_err(|error| BindFailure {
        target: match error {
            ApiError::NoStream => format!("stream {stream}"),
            _ => format!("consumer {consumer} of stream {stream}"),
        },
        error,
    })?;
    find_crash_marks(connection, &config.crash_marks.stream).await?;
    Ok(Binding {
        created_us: api::created_us(&stream),
        lease: match consumer.config.ack_wait {
            Duration::ZERO => DEFAULT_LEASE,
            lease => lease,
        },
        connects,
    })
}

/// Servers that an older version set up lack the stream of the crash guard's marks.
async fn find_crash_marks(connection: &Connection, stream: &str) -> Result<(), BindFailure> {
    match api::stream_info(connection, stream).await {
        Err(error @ ApiError::NoStream) => Err(BindFailure {
            target: format!("stream {stream}"),
            error,
        }),
        // Any other failure shows again at the first pull.
        _ => Ok(()),
    }
}

/// Searches until it succeeds, and logs once where something is missing.
pub(super) async fn search_and_log(connection: Connection, config: WorkerConfig) -> Binding {
    let mut logged = false;
    let log = |failure: BindFailure| {
        if !std::mem::replace(&mut logged, true) {
            let fault = failure.into_fault();
            warn!(
                error = chain(&fault),
                hint = fault.hint(),
                "queue missing, pausing consumption"
            );
        }
    };
    let binding = search(&connection, &config, log).await;
    if logged {
        info!(stream = config.stream, "stream and consumer found again");
    }
    binding
}

/// Searches until it succeeds. Calls `on_missing` each time that something is missing.
pub(super) async fn search(
    connection: &Connection,
    config: &WorkerConfig,
    mut on_missing: impl FnMut(BindFailure),
) -> Binding {
    let link = connection.consuming();
    let mut timer = FailoverTimer::new(link.connects());
    let (mut failures, mut was_leaderless) = (0_u32, false);
    loop {
        let connects = link.connects();
        let (leaderless, missing) = match timeout(SEARCH_TIMEOUT, find(connection, config)).await {
            Ok(Ok(binding)) => return binding,
            Ok(Err(failure)) if failure.is_missing() => {
                on_missing(failure);
                (false, true)
            }
            Ok(Err(failure)) => (failure.error.is_leaderless(), false),
            Err(_) => (false, false),
        };
        // A server without a leader cannot help. If the others have none either, the next one gets
        // the usual time.
        let at_once = leaderless && !was_leaderless;
        was_leaderless |= leaderless;
        // Every other server would report the same thing missing.
        if !missing && (at_once || timer.is_expired(connects)) {
            link.switch_server(connects).await;
        } else {
            failures = failures.saturating_add(1);
            sleep(SEARCH_BACKOFF.delay(failures, rand::random())).await;
        }
    }
}
