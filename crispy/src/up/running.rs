//! The main loop of `crispy up`: children, streams and session.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use anyhow::anyhow;
use crispy_jetstream::ConnectOptions;
use crispy_queue::{Connection, Prefix, Stage};
use crispy_runtime::{Exit, Failed, NatsFlags, Stop};
use tokio::{task::JoinSet, time::interval};

use super::{
    child,
    completion::{self, Step},
    config::Up,
    display::SessionDisplay,
    nats_server,
    preflight::Preflight,
    session::Session,
    stage_commands::StageCommands,
    streams,
    supervisor::{ChildExit, Supervisor},
    watch::{Update, Watch},
};

/// Interval of redrawing the bars.
const DRAW_INTERVAL: Duration = Duration::from_millis(200);

/// Interval of checking that the streams exist. Each check is half a dozen requests.
const STREAMS_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// Time to wait for inspections of recorded chunks after a child has failed for good.
const FAILURE_GRACE: Duration = Duration::from_secs(5);

/// A running session.
pub(super) struct Running<'a> {
    preflight: &'a Preflight,
    display: &'a SessionDisplay,
    /// The address to which the stages export traces, unless the environment configures it.
    collector: Option<String>,
    session: Session,
    supervisor: Supervisor,
    /// Exit of the ingestor without an error: every source has ended and every chunk is confirmed,
    /// or something else stopped it.
    ingestor_exit: Option<ChildExit>,
    /// The error of a child that failed for good, and the time until which inspections of
    /// recorded chunks are waited for.
    pending_failure: Option<(Instant, Failed)>,
    sample: Option<String>,
    last_inspection: Option<Instant>,
}

impl<'a> Running<'a> {
    /// A session that has not started anything yet.
    pub(super) fn new(
        preflight: &'a Preflight,
        display: &'a SessionDisplay,
        collector: Option<String>,
    ) -> Self {
        let cameras = preflight.cameras.iter().map(|camera| camera.name.clone());
        Self {
            preflight,
            display,
            collector,
            session: Session::new(cameras, preflight.bucket.clone()),
            supervisor: Supervisor::default(),
            ingestor_exit: None,
            pending_failure: None,
            sample: None,
            last_inspection: None,
        }
    }

    /// Starts everything and follows it to its end. The children still have to be stopped.
    pub(super) async fn run(&mut self, up: &Up, stop: &Stop) -> Result<(), Failed> {
        let (options, prefix) = self.start_server(up)?;
        let connection = self
            .unless_server_exits(crispy_runtime::connect(&options, &prefix))
            .await?;
        streams::set_up(&connection).await?;
        if up.replay {
            streams::replay(&connection, &self.preflight.site).await?;
        }
        let mut watch = Watch::open(&connection, &self.preflight.site).await?;
        let commands = StageCommands {
            up,
            preflight: self.preflight,
            nats: &options,
            prefix: &prefix,
            collector: self.collector.as_deref(),
            owns_terminal: self.display.owns_terminal(),
        };
        for command in commands.all() {
            self.supervisor.start(command, self.display)?;
        }
        let outcome = self.follow(&connection, &mut watch, stop).await;
        if outcome.is_ok() && self.preflight.nats.is_some() && !stop.is_requested() {
            streams::wait_until_empty(&connection).await;
        }
        connection.close().await;
        outcome
    }

    /// Stops the children.
    pub(super) async fn stop(&mut self) {
        self.supervisor.stop().await;
    }

    /// The state of the session.
    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    /// Time of the last inspection, which ends the work. `None` if nothing was inspected.
    pub(super) fn last_inspection(&self) -> Option<Instant> {
        self.last_inspection
    }

    /// An object that can be played.
    pub(super) fn playable_object(&self) -> Option<&str> {
        self.sample.as_deref()
    }

    /// CPU time of each process that has ended, and of this one so far.
    pub(super) fn cpu(&self) -> Vec<(String, Duration)> {
        let mut cpu = self.supervisor.cpu();
        cpu.push(("crispy".into(), child::own_cpu()));
        cpu
    }

    /// Starts our own server, unless the operator named another. Returns how to connect to either.
    fn start_server(&mut self, up: &Up) -> Result<(ConnectOptions, Prefix), Failed> {
        let Some(server) = &self.preflight.nats else {
            let url = up.nats_server.as_ref();
            let url = url.map(crispy_runtime::Secret::reveal).unwrap_or_default();
            let flags = NatsFlags::of_environment(url)?;
            return Ok((flags.options("crispy up")?, flags.prefix));
        };
        let command = server.command(self.preflight.data_dir.path())?;
        self.supervisor.start_server(command)?;
        let options = ConnectOptions {
            servers: server.url(),
            name: "crispy up".into(),
            ..ConnectOptions::default()
        };
        Ok((options, Prefix::default()))
    }

    /// Awaits `work`, which needs the server; fails if the server ends at its start.
    async fn unless_server_exits<T>(
        &mut self,
        work: impl Future<Output = Result<T, Failed>>,
    ) -> Result<T, Failed> {
        let log = self.preflight.data_dir.path();
        let log = log.join("nats/nats-server.log");
        tokio::select! {
            done = work => done,
            exit = self.supervisor.child_exit() => {
                let (status, log) = (exit?.status, log.display());
                let message = anyhow!("start nats-server: it ended with {status}; read {log}");
                Err(Failed::new(Exit::ChildDies, message))
            }
        }
    }

    /// Handles updates, exits and redraws until the session is complete or cannot become so.
    async fn follow(
        &mut self,
        connection: &Connection,
        watch: &mut Watch,
        stop: &Stop,
    ) -> Result<(), Failed> {
        let mut draw = interval(DRAW_INTERVAL);
        let mut check_streams = interval(STREAMS_CHECK_INTERVAL);
        let (mut last_update, mut read_earlier) = (Instant::now(), false);
        let mut repairs = JoinSet::new();
        while !(self.ingestor_exit.is_some() && self.session.is_complete()) {
            if let Some(failed) = self.take_failure() {
                return Err(failed);
            }
            tokio::select! {
                () = stop.requested() => break,
                update = watch.next() => {
                    last_update = Instant::now();
                    self.handle_update(update)?;
                }
                exit = self.supervisor.child_exit() => {
                    let exit = exit?;
                    last_update = Instant::now();
                    if self.supervisor.name(&exit) == nats_server::NAME {
                        repairs.spawn(streams::repair(connection.clone()));
                    }
                    self.handle_exit(exit).await?;
                }
                _ = check_streams.tick() => {
                    while repairs.try_join_next().is_some() {}
                    if repairs.is_empty() {
                        repairs.spawn(streams::repair_deleted(connection.clone()));
                    }
                }
                _ = draw.tick() => self.display.update(&self.session),
            }
            if self.ingestor_exit.is_none() {
                continue;
            }
            let idle = last_update.elapsed();
            match completion::next_step(idle, self.session.has_ended(), read_earlier) {
                Step::Wait => {}
                Step::RestartIngestor => self.restart_ingestor()?,
                // An unreachable server is asked again.
                Step::ReadEarlier => {
                    let reading = watch.read_earlier(connection, &self.preflight.site).await;
                    read_earlier = reading.is_ok();
                }
                Step::CheckQueue if !is_finished(connection).await => {}
                Step::CheckQueue | Step::GiveUp => break,
            }
        }
        Ok(())
    }

    fn handle_update(&mut self, update: Update) -> Result<(), Failed> {
        let counted = match update {
            Update::Event(event) => self.session.event(&event),
            Update::Inspected(inspected) => match self.session.inspected(&inspected) {
                true => vec![*inspected],
                false => Vec::new(),
            },
            Update::DeadLetter(letter) => {
                self.session.dead_letter(&letter);
                Vec::new()
            }
        };
        for inspected in &counted {
            self.last_inspection = Some(Instant::now());
            self.display.inspected(inspected)?;
            if self.sample.is_none() {
                let upload = inspected.upload.as_ref();
                self.sample = upload.map(|upload| playable(&upload.media_link));
            }
        }
        Ok(())
    }

    async fn handle_exit(&mut self, exit: ChildExit) -> Result<(), Failed> {
        let name = self.supervisor.name(&exit);
        if name == "crispy-ingestor" && exit.status.is_success() {
            self.ingestor_exit = Some(exit);
            return Ok(());
        }
        let Some(code) = exit.status.permanent_failure() else {
            return self.supervisor.restart(&exit, self.display);
        };
        let reason = self.supervisor.last_error(&exit).await;
        let mut reason = reason.unwrap_or_else(|| code.meaning().to_owned());
        if code == Exit::DeadLetters {
            reason += "; or run the same command with --replay";
        }
        let failed = Failed::new(code, anyhow!("{name}: {reason}"));
        self.pending_failure
            .get_or_insert((Instant::now() + FAILURE_GRACE, failed));
        Ok(())
    }

    /// The pending failure, once nothing more is to be waited for.
    fn take_failure(&mut self) -> Option<Failed> {
        let is_due = |(until, _): &mut (Instant, Failed)| {
            self.session.is_settled() || Instant::now() >= *until
        };
        self.pending_failure
            .take_if(is_due)
            .map(|(_, failed)| failed)
    }

    fn restart_ingestor(&mut self) -> Result<(), Failed> {
        match self.ingestor_exit.take() {
            Some(exit) => self.supervisor.restart(&exit, self.display),
            None => Ok(()),
        }
    }
}

/// Whether the inspectors have no work left.
async fn is_finished(connection: &Connection) -> bool {
    matches!(connection.unfinished(Stage::Inspector).await, Ok(0))
}

/// A link as one types it: the path, if it is a plain one on this machine.
fn playable(link: &str) -> String {
    let path = link
        .strip_prefix("file://")
        .filter(|path| !path.contains('%'));
    path.unwrap_or(link).to_owned()
}
