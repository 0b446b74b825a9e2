//! `crispy up`: runs everything on one machine.
//!
//! ```text
//!   preflight ─► nats-server ─► streams ─► ingestor, uploader, inspector   (supervised children)
//!                                  │
//!                                  └─ watch: events, inspections, dead letters ─► session
//!                                                     bars, table, JSON lines, exit code ◄─┘
//! ```
//!
//! The children are the same programs that run on many hosts, and the session reads the streams
//! like any other reader.

mod admin_pages;
mod child;
mod child_log;
mod completion;
mod config;
mod data_dir;
mod display;
mod jaeger;
mod nats_server;
mod otel_env;
mod preflight;
mod running;
mod session;
mod stage_commands;
mod streams;
mod supervisor;
mod watch;

use std::time::Instant;

use anyhow::anyhow;
use crispy_runtime::{Exit, Failed, Stop};

pub(crate) use config::Up;
use display::{SessionDisplay, SessionReport};
use jaeger::SessionJaeger;
use preflight::Preflight;
use running::Running;
use session::{Session, Shortfall};

/// Runs until every source has ended and every chunk is inspected, or until a stop is requested.
pub(crate) async fn run(up: Up, stop: Stop) -> Result<(), Failed> {
    let started = Instant::now();
    let jaeger = SessionJaeger::find(&up).await?;
    let preflight = Preflight::check(&up)?;
    let display = SessionDisplay::new(up.output);
    let collector = jaeger.as_ref().and_then(|jaeger| jaeger.collector.clone());
    let mut running = Running::new(&preflight, &display, collector);
    let outcome = running.run(&up, &stop).await;
    running.stop().await;
    let outcome = outcome.and_then(|()| verdict(running.session()));
    // The session ends with its last inspection, before the last exports and the search below.
    let ended = running.last_inspection().unwrap_or_else(Instant::now);
    let page = match &jaeger {
        Some(jaeger) => {
            let page = jaeger.page(&preflight.site, running.session(), &stop);
            page.await
        }
        None => None,
    };
    display.close(&SessionReport {
        session: running.session(),
        elapsed: ended - started,
        cpu: running.cpu(),
        bucket: &preflight.bucket,
        sample: running.playable_object(),
        trace: page.as_deref(),
        problem: outcome.as_ref().err().map(ToString::to_string),
    })?;
    outcome
}

/// The exit code: success only if every run has ended and every chunk is inspected and agrees.
fn verdict(session: &Session) -> Result<(), Failed> {
    let (exit, message) = match session.shortfall() {
        None => return Ok(()),
        Some(Shortfall::Disagreeing(chunks)) => (
            Exit::Disagreement,
            format!(
                "{chunks} chunks differ from their descriptors; the inspector's warnings name them"
            ),
        ),
        Some(Shortfall::DeadLetters(reasons)) => (
            Exit::DeadLetters,
            format!(
                "{} chunks were dead-lettered: {}",
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
                "{}; run the same command again to resume",
                cameras.join("; ")
            ),
        ),
    };
    Err(Failed::new(exit, anyhow!(message)))
}
