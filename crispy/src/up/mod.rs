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
mod pages;
mod preflight;
mod recipes;
mod replay;
mod running;
mod session;
mod show;
mod silence;
mod variables;
mod watch;

use std::{
    io::{self, Write},
    time::Instant,
};

use anyhow::anyhow;
use crispy_runtime::{Exit, Failed, Stop};

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
    let mut viewer = plan.carry_out(flight.data_dir.path(), &stop).await?;
    let collector = viewer.as_ref().and_then(jaeger::Viewer::collector);
    let mut running = Running::new(&flight, &show, collector);
    let outcome = tokio::select! {
        outcome = running.run(&up, &stop) => outcome,
        never = jaeger::watch(viewer.as_mut()) => match never {},
    };
    running.stop().await;
    let outcome = outcome.and_then(|()| verdict(running.session()));
    // Neither is part of it: what children have left to send, and what is looked at afterwards.
    let ended = running.inspected_last().unwrap_or_else(Instant::now);
    let page = match &viewer {
        Some(viewer) => viewer.page(&flight.site, running.session(), &stop).await,
        None => None,
    };
    let page = page.as_deref();
    if let (Some(viewer), Err(failed)) = (&viewer, &outcome)
        && viewer.stays(page, &stop)
    {
        // It is the last word too, but that may be hours away.
        drop(writeln!(io::stderr(), "error: {failed}"));
    }
    show.close(&Closing {
        session: running.session(),
        elapsed: ended - began,
        cpu: running.cpu(),
        bucket: &flight.bucket,
        sample: running.sample(),
        trace: page,
        problem: outcome.as_ref().err().map(ToString::to_string),
    })?;
    if let Some(viewer) = viewer {
        viewer.close(page, &stop).await;
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
