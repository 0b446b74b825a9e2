//! The ingestor: camera to spool to queue.
//!
//! ```text
//!   crispy-source ─► Camera (a thread each) ─► Handoff ────────────────► Outbox
//!   open, read       cut into runs and         hash, describe, commit    publish, watch,
//!                    chunks                    to the spool              free
//!                                              └ from here on nothing loses the chunk
//! ```
//!
//! A chunk is on disk before it is published, and stays there until the bucket has confirmed it.
//! Everything after the commit may be killed, cut off or wiped at any moment, this process
//! included: the next start finds the spool and goes on.
//!
//! * `config`, `open`: settings, and the opening of sources by them
//! * `camera`: one camera, its runs, its status
//! * `describe`: a chunk's descriptor, pure
//! * `handoff`: spool first, then publish
//! * `outbox`: publishes chunks until they are answered, and frees them
//! * `metrics`: counters and gauges
//! * `probe`: a report on a source, without recording it
#![warn(missing_docs)]

mod camera;
mod config;
mod describe;
mod handoff;
mod metrics;
mod open;
mod outbox;
mod probe;

use std::{sync::Arc, thread};

use anyhow::anyhow;
use crispy_fault::Kind;
use crispy_media::{ReadError, StopFlag};
use crispy_proto::id::{CameraId, Name};
use crispy_queue::{Connection, SpoolEvents, Stream};
use crispy_runtime::{Exit, Failed, Stop};
use crispy_spool::Spool;
use tokio::sync::{mpsc, oneshot};
use tracing::{error, info, warn};

pub use config::Config;

use camera::{Camera, Ended, RecordError, status::CameraStatus};
use config::{Command, RecordFlags};
use handoff::Handoff;
use outbox::{Outbox, Summary};

/// Messages between the cameras and the outbox. The outbox takes each at once, whatever the state
/// of the queue, except during a wait of its own for the disk (the sync of a marker). 256 hold the
/// chunks of a thousand cameras for 0.7 s, at 2 KB each; beyond them the cameras wait, with their
/// chunks on disk already.
const CHANNEL: usize = 256;

/// Records, or reports on a source, as the command line says.
///
/// # Errors
/// With the exit code of the first thing that went wrong.
pub async fn run(config: Config, stop: Stop) -> Result<(), Failed> {
    match config.command {
        Some(Command::Probe(probe)) => probe::run(*probe, stop).await,
        None => record_all(config.record, stop).await,
    }
}

/// Records every camera to its end, or until the stop.
///
/// Everything that can be wrong is checked in the order of its cost: names, sources, spool, queue.
/// Nothing is committed before all of it is right.
async fn record_all(flags: RecordFlags, stop: Stop) -> Result<(), Failed> {
    let site = crispy_runtime::cameras::site(&flags.cameras.site)?;
    let flag = stop_flag(&stop);
    let cameras = open_cameras(&flags, &site, &flag).await?;
    let spool = Arc::new(open_spool(&flags)?);
    report_scan(&spool);
    let connection =
        crispy_runtime::connect(&flags.nats.options("crispy-ingestor")?, &flags.nats.prefix)
            .await?;
    let (outbox, answers) = open_outbox(&connection, &spool, &site).await?;
    let status = CameraStatus::default();
    metrics::observe(&site, &spool, flags.spool_limit, &status, outbox.pending());
    report_health(&connection, &status);

    let (sender, receiver) = mpsc::channel(CHANNEL);
    let handoff = Handoff {
        spool: Arc::clone(&spool),
        limit: flags.spool_limit,
        outbox: sender,
        producer: crispy_runtime::producer(env!("CARGO_PKG_VERSION")),
        status,
        stop: stop.token(),
    };
    let recordings: Vec<_> = cameras
        .into_iter()
        .map(|camera| (camera.id.clone(), record(camera, handoff.clone())))
        .collect();
    drop(handoff);
    let summary = outbox.run(receiver, answers, stop.token()).await;
    let mut outcomes = Vec::with_capacity(recordings.len());
    for (id, recording) in recordings {
        outcomes.push((id, recording.await));
    }
    connection.close().await;
    result(outcomes, summary)
}

/// Starts answering `/readyz`.
fn report_health(connection: &Connection, status: &CameraStatus) {
    let status = status.clone();
    crispy_runtime::report_queue(connection.readiness());
    let readiness = crispy_runtime::health::readiness();
    readiness.check("recording", move || status.problems());
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

/// Opens all sources at once. One bad source fails all, with the exit code of the first; the log
/// names the others.
async fn open_cameras(
    flags: &RecordFlags,
    site: &Name,
    flag: &StopFlag,
) -> Result<Vec<Camera>, Failed> {
    let sources = crispy_runtime::cameras::parse(&flags.cameras.camera)?;
    let opening = sources.into_iter().map(|source| {
        let (name, site) = (source.name.clone(), site.clone());
        let (flag, cut) = (flag.clone(), flags.cut.clone());
        let camera = tokio::task::spawn_blocking(move || Camera::open(&source, &site, &cut, &flag));
        (name, camera)
    });
    let (mut cameras, mut failures) = (Vec::new(), Vec::new());
    for (name, opened) in opening.collect::<Vec<_>>() {
        match opened.await {
            Ok(Ok(camera)) => cameras.push(camera),
            Ok(Err(failed)) => failures.push((name, failed)),
            Err(panic) => return Err(Failed::new(Exit::Failure, panic)),
        }
    }
    let mut failures = failures.into_iter();
    let Some((_, first)) = failures.next() else {
        return Ok(cameras);
    };
    for (camera, other) in failures {
        error!(%site, %camera, exit = other.exit.code(), error = %other, "failed to open camera");
    }
    Err(first)
}

fn open_spool(flags: &RecordFlags) -> Result<Spool, Failed> {
    Spool::open(&flags.spool).map_err(|fault| {
        let exit = match fault.kind() {
            Kind::Conflict => Exit::SpoolInUse,
            _ => Exit::SpoolNotWritable,
        };
        Failed::new(exit, fault)
    })
}

fn report_scan(spool: &Spool) {
    let damaged = spool.scan().damaged.len();
    if damaged > 0 {
        warn!(
            chunks = damaged,
            folder = %spool.root().join("damaged").display(),
            hint = "check the disk, and copy the files before removing them: they are not uploaded",
            "damaged chunks set aside"
        );
    }
}

async fn open_outbox(
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

/// The end of one recording; an error if its thread panicked or never started.
type Outcome = Result<Result<Ended, RecordError>, oneshot::error::RecvError>;

/// Records one camera on a thread of its own, because FFmpeg blocks.
fn record(camera: Camera, handoff: Handoff) -> oneshot::Receiver<Result<Ended, RecordError>> {
    let (sender, receiver) = oneshot::channel();
    let id = camera.id.clone();
    let name = id.camera.to_string();
    handoff.status.opened(&name);
    let thread = thread::Builder::new().name(format!("cam-{name}"));
    let recording = thread.spawn(move || {
        let recorded = camera.record(&handoff);
        handoff.status.ended(&name, recorded.is_err());
        // The receiver is gone only when the process is ending.
        let _ = sender.send(recorded);
    });
    if let Err(error) = recording {
        error!(
            site = %id.site,
            camera = %id.camera,
            %error,
            hint = "raise the system's limits of threads and memory, and start again",
            "failed to start camera thread"
        );
    }
    receiver
}

/// The process's result: the worst first.
fn result(outcomes: Vec<(CameraId, Outcome)>, summary: Summary) -> Result<(), Failed> {
    let mut first = None;
    let mut stopped = false;
    for (id, outcome) in outcomes {
        match outcome {
            Ok(Ok(Ended::AtItsEnd)) => {}
            Ok(Ok(Ended::Stopped)) => stopped = true,
            Ok(Err(failed)) => {
                let failed = Failed::new(exit_of(&failed), failed);
                error!(
                    site = %id.site,
                    camera = %id.camera,
                    exit = failed.exit.code(),
                    error = %failed,
                    "recording failed"
                );
                first = first.or(Some(failed));
            }
            Err(_) => {
                let failed = Failed::new(Exit::Failure, anyhow!("a camera's thread panicked"));
                first = first.or(Some(failed));
            }
        }
    }
    if let Some(failed) = first {
        return Err(failed);
    }
    // Unfinished work means that it was stopped: that is no failure, whatever else the spool holds.
    let stopped = stopped || summary.waiting > 0;
    if summary.parked > 0 && !stopped {
        let message = anyhow!(
            "{} chunks were given up and stay in the spool: see `crispy dead list`, fix the \
             reason, then `crispy dead replay` or `drop`",
            summary.parked
        );
        return Err(Failed::new(Exit::DeadLetters, message));
    }
    if stopped {
        info!(
            chunks = summary.waiting,
            parked = summary.parked,
            "stopped, unconfirmed chunks stay in the spool"
        );
    }
    Ok(())
}

fn exit_of(error: &RecordError) -> Exit {
    match error {
        // The container is checked when the source is opened; it can still refuse single packets.
        RecordError::Read {
            source: ReadError::Mux { .. },
            ..
        } => Exit::ContainerUnfit,
        RecordError::Read { .. } => Exit::SourceUnreadable,
        RecordError::Nothing { .. } => Exit::SourceNotVideo,
        RecordError::Keep { .. } => Exit::SpoolNotWritable,
    }
}
