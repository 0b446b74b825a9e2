//! The ingestor: camera to spool to queue.
//!
//! ```text
//!   source ─► Camera (a thread each) ─► Handoff: hash, describe, commit to the spool ─► Outbox: publish, watch, free
//!             open, read, cut, mux             from here on nothing loses the chunk
//! ```
//!
//! Video that is cut is on disk before anybody hears of it, and stays there until the bucket has confirmed it. Everything after the commit
//! may be killed, cut off or wiped at any moment, this process included: the next start finds the spool and goes on.
//!
//! * [`config`]: what it is told
//! * [`source`], [`remote`], [`opened`]: what can be recorded, fetching it, opening it
//! * [`camera`]: one camera, from opening its source to the end of its last run
//! * [`run_identity`], [`open_run`]: which run it is, and how far it has come
//! * [`describe`]: the descriptor, pure
//! * [`handoff`]: spool first, then publish
//! * [`full_disk`]: what happens where the disk has less room than the spool's limit
//! * [`outbox`]: what is owed an answer
//! * [`signs`]: how each camera stands; `measured`: what is counted
//! * [`probe`]: what a source is and how it would be cut, without recording it
#![warn(missing_docs)]

pub mod camera;
pub mod config;
pub mod describe;
pub mod full_disk;
pub mod handoff;
mod measured;
pub mod open_run;
pub mod opened;
pub mod outbox;
pub mod owed;
pub mod probe;
pub mod remote;
pub mod run_identity;
pub mod signs;
pub mod source;

use std::{sync::Arc, thread};

use anyhow::anyhow;
use camera::{Camera, Ended, RecordError};
pub use config::Config;
use config::{Command, Program};
use crispy_media::{ReadError, StopFlag};
use crispy_proto::id::Name;
use crispy_queue::{Connection, SpoolEvents, Stream};
use crispy_runtime::{Exit, Failed, Stop};
use crispy_spool::{OpenError, Spool};
use handoff::Handoff;
use outbox::{Outbox, Remains};
use signs::Signs;
use tokio::sync::{mpsc, oneshot};
use tracing::{error, info, warn};

/// Does what it is told: records, or tells about a source.
pub async fn run(program: Program, stop: Stop) -> Result<(), Failed> {
    match program.command {
        Some(Command::Probe(probe)) => probe::run(*probe, stop).await,
        None => record_all(program.config, stop).await,
    }
}

/// Records every camera to its end, or until it is told to stop.
///
/// What can be wrong is found in the order in which it costs least: names, sources, spool, queue. Until all of that is right nothing is
/// committed.
pub async fn record_all(config: Config, stop: Stop) -> Result<(), Failed> {
    let site = crispy_runtime::cameras::site(&config.cameras.site)?;
    let flag = stop_flag(&stop);
    let cameras = open_cameras(&config, &site, &flag).await?;
    let spool = Arc::new(open_spool(&config)?);
    report_scan(&spool);
    let connection = crispy_runtime::connect(
        &config.nats.options("crispy-ingestor")?,
        &config.nats.prefix,
    )
    .await?;
    let (outbox, answers) = publish(&connection, &spool, &site).await?;
    let signs = Signs::default();
    measured::observe(&site, &spool, config.spool_limit, &signs, outbox.owed());
    report_health(&connection, &signs);

    let (handoff, queue) = mpsc::unbounded_channel();
    let handoff = Handoff {
        spool: Arc::clone(&spool),
        limit: config.spool_limit,
        outbox: handoff,
        producer: crispy_runtime::producer(env!("CARGO_PKG_VERSION")),
        signs,
        stop: stop.token(),
    };
    let recordings: Vec<_> = cameras
        .into_iter()
        .map(|camera| record(camera, handoff.clone()))
        .collect();
    drop(handoff);
    let remains = outbox.run(queue, answers, stop.token()).await;
    let mut outcomes = Vec::with_capacity(recordings.len());
    for recording in recordings {
        outcomes.push(recording.await);
    }
    connection.close().await;
    verdict(outcomes, remains)
}

/// From here on the process can be asked how it stands.
fn report_health(connection: &Connection, signs: &Signs) {
    let signs = signs.clone();
    crispy_runtime::report_queue(connection.readiness());
    let readiness = crispy_runtime::health::readiness();
    readiness.look("recording", move || signs.reasons());
    readiness.started();
}

/// A flag for FFmpeg's threads that is set when the stop is requested.
fn stop_flag(stop: &Stop) -> StopFlag {
    let (flag, stop) = (StopFlag::new(), stop.clone());
    let setting = flag.clone();
    tokio::spawn(async move {
        stop.requested().await;
        setting.stop();
    });
    flag
}

/// Opens all sources side by side. One that is wrong fails all, with the first one's exit code; every one that is wrong is named.
async fn open_cameras(
    config: &Config,
    site: &Name,
    flag: &StopFlag,
) -> Result<Vec<Camera>, Failed> {
    let sources = crispy_runtime::cameras::parse(&config.cameras.camera)?;
    let opening = sources.into_iter().map(|source| {
        let (site, flag, cut) = (site.clone(), flag.clone(), config.cut.clone());
        tokio::task::spawn_blocking(move || Camera::open(&source, &site, &cut, &flag))
    });
    let (mut cameras, mut failures) = (Vec::new(), Vec::new());
    for opened in opening.collect::<Vec<_>>() {
        match opened.await {
            Ok(Ok(camera)) => cameras.push(camera),
            Ok(Err(failed)) => failures.push(failed),
            Err(panic) => return Err(Failed::new(Exit::Failure, panic)),
        }
    }
    let mut failures = failures.into_iter();
    let Some(first) = failures.next() else {
        return Ok(cameras);
    };
    for other in failures {
        error!(exit = other.exit.code(), "{other}");
    }
    Err(first)
}

fn open_spool(config: &Config) -> Result<Spool, Failed> {
    Spool::open(&config.spool).map_err(|error| {
        let exit = match error {
            OpenError::InUse { .. } => Exit::SpoolInUse,
            _ => Exit::SpoolNotWritable,
        };
        Failed::new(exit, error)
    })
}

fn report_scan(spool: &Spool) {
    let scan = spool.scan();
    if !scan.damaged.is_empty() {
        let folder = spool.root().join("damaged");
        warn!(files = scan.damaged.len(), folder = %folder.display(), "the spool held files that are not whole chunks: set aside, look at them");
    }
}

async fn publish(
    connection: &Connection,
    spool: &Arc<Spool>,
    site: &Name,
) -> Result<(Outbox, SpoolEvents), Failed> {
    let needs = [
        Stream::Chunks,
        Stream::Uploaded,
        Stream::Events,
        Stream::Dead,
    ];
    crispy_runtime::check_streams(connection, &needs).await?;
    let answers = SpoolEvents::open(connection, spool.id().as_str(), site)
        .await
        .map_err(Failed::from_queue)?;
    let outbox = Outbox::open(Arc::clone(spool), connection.clone()).await?;
    Ok((outbox, answers))
}

/// Records one camera on a thread of its own, for FFmpeg blocks.
fn record(camera: Camera, handoff: Handoff) -> oneshot::Receiver<Result<Ended, RecordError>> {
    let (tell, told) = oneshot::channel();
    let name = camera.id.camera.to_string();
    handoff.signs.opened(&name);
    let thread = thread::Builder::new().name(format!("cam-{name}"));
    let recording = thread.spawn(move || {
        let recorded = camera.record(&handoff);
        handoff.signs.ended(&name, recorded.is_err());
        // Nobody listens any more only when the process is ending.
        let _ = tell.send(recorded);
    });
    if let Err(error) = recording {
        error!(%error, "a camera's thread could not be started: raise the system's limits of threads and memory, and start again");
    }
    told
}

/// What the operator is told at the end: the worst first.
fn verdict(
    outcomes: Vec<Result<Result<Ended, RecordError>, oneshot::error::RecvError>>,
    remains: Remains,
) -> Result<(), Failed> {
    let mut first = None;
    let mut stopped = false;
    for outcome in outcomes {
        match outcome {
            Ok(Ok(Ended::AtItsEnd)) => {}
            Ok(Ok(Ended::Stopped)) => stopped = true,
            Ok(Err(failed)) => {
                let failed = Failed::new(exit_of(&failed), failed);
                error!(exit = failed.exit.code(), "{failed}");
                first = first.or(Some(failed));
            }
            Err(_) => {
                first = first.or_else(|| {
                    Some(Failed::new(
                        Exit::Failure,
                        anyhow!("a camera's thread ended without a word"),
                    ))
                })
            }
        }
    }
    if let Some(failed) = first {
        return Err(failed);
    }
    // Something is left to be done, so it was told to stop: that is no failure, whatever else is in the spool.
    let stopped = stopped || remains.waiting > 0;
    if remains.parked > 0 && !stopped {
        let message = anyhow!(
            "{} chunks were given up and stay in the spool: see `crispy dead list`, mend the reason, then `crispy dead replay`, or `drop`",
            remains.parked
        );
        return Err(Failed::new(Exit::DeadLetters, message));
    }
    if stopped {
        info!(
            chunks = remains.waiting,
            parked = remains.parked,
            "stopped; what the bucket has not confirmed stays in the spool for the next start"
        );
    }
    Ok(())
}

fn exit_of(error: &RecordError) -> Exit {
    match error {
        // What the container takes is asked when the source is opened; single packets can still be such that it does not.
        RecordError::Read {
            source: ReadError::Mux { .. },
            ..
        } => Exit::ContainerUnfit,
        RecordError::Read { .. } => Exit::SourceUnreadable,
        RecordError::Nothing { .. } => Exit::SourceNotVideo,
        RecordError::Keep { .. } => Exit::SpoolNotWritable,
    }
}
