//! `crispy up`: everything on one machine.
//!
//! ```text
//!   preflight ─► nats-server ─► streams ─► ingestor, uploader, inspector      each a child on a leash, restarted when it dies
//!                                   │
//!                                   └─ watch: events, inspections, dead letters ─► session ─► bars, table, JSON lines, exit code
//! ```
//!
//! They are the same programs that run on many hosts, and this one learns what it shows from the streams, like any other reader: what works
//! here works there.

mod child;
mod config;
mod data_dir;
mod household;
mod jaeger;
mod logs;
mod nats_server;
mod preflight;
mod recipes;
mod replay;
mod running;
mod session;
mod show;
mod silence;
mod watch;

use std::time::Instant;

use anyhow::anyhow;
use daemon::{Exit, Failed, Stop};

pub(crate) use config::Up;
use preflight::Preflight;
use running::Running;
use session::{Session, Shortfall};
use show::{Closing, Show};

/// Runs until every source has ended and every chunk of it is inspected, or until it is told to stop.
pub(crate) async fn run(up: Up, stop: Stop) -> Result<(), Failed> {
    let began = Instant::now();
    let plan = jaeger::Plan::make(&up).await?;
    let flight = Preflight::check(&up)?;
    let show = Show::new(up.output);
    let viewer = plan.carry_out(flight.data_dir.path(), &stop).await?;
    let collector = viewer.as_ref().and_then(jaeger::Viewer::collector);
    let mut running = Running::new(&flight, &show, collector);
    let outcome = running.run(&up, &stop).await;
    running.stop().await;
    let outcome = outcome.and_then(|()| verdict(running.session()));
    // What is looked at afterwards is not part of the session.
    let elapsed = began.elapsed();
    let page = match &viewer {
        Some(viewer) => viewer.page(&flight.site, running.session()).await,
        None => None,
    };
    show.close(&Closing {
        session: running.session(),
        elapsed,
        cpu: running.cpu(),
        bucket: &flight.bucket,
        sample: running.sample(),
        trace: page.as_deref(),
        problem: outcome.as_ref().err().map(ToString::to_string),
    })?;
    if let Some(viewer) = viewer {
        viewer.close(page.is_some(), &stop).await;
    }
    outcome
}

/// The exit code: success only if every run has ended and every chunk of it is inspected and agrees.
fn verdict(session: &Session) -> Result<(), Failed> {
    let (exit, message) = match session.shortfall() {
        None => return Ok(()),
        Some(Shortfall::Disagreeing(chunks)) => (
            Exit::Disagreement,
            format!(
                "{chunks} chunks are not what their descriptors say: the inspector's warnings name them"
            ),
        ),
        Some(Shortfall::Dead(reasons)) => (
            Exit::DeadLetters,
            format!(
                "{} chunks were given up: {}",
                reasons.len(),
                reasons.join("; ")
            ),
        ),
        Some(Shortfall::Lost(cameras)) => (
            Exit::SourceUnreadable,
            format!("not read to the end: {}", cameras.join("; ")),
        ),
        Some(Shortfall::Incomplete(cameras)) => (
            Exit::RunIncomplete,
            format!(
                "{}; the same command again goes on from here",
                cameras.join("; ")
            ),
        ),
    };
    Err(Failed::new(exit, anyhow!(message)))
}
