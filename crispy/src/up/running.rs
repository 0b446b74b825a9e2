//! One `crispy up` while it runs: children, streams and session in one loop.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};
use crispy_jetstream::ConnectOptions;
use crispy_queue::{Connection, Prefix, Stage, Stream, topology};
use crispy_runtime::NatsFlags;
use crispy_runtime::{Exit, Failed, Stop};
use tokio::{
    task::JoinSet,
    time::{interval, sleep},
};

use super::{
    child,
    config::Up,
    household::{Death, Household},
    nats_server,
    preflight::Preflight,
    recipes::Recipes,
    replay::replay,
    session::Session,
    show::Show,
    silence::{self, Step},
    watch::{Heard, Watch},
};

/// How often bars are drawn.
const DRAW: Duration = Duration::from_millis(200);

/// How often a server that was started again is asked whether its streams are still there: for half a minute.
const MENDING: u32 = 120;

/// How often it is looked whether the streams are still there. Each look is half a dozen requests.
const STREAMS: Duration = Duration::from_secs(5);

/// How long the last run states may take to reach the bucket.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How long the inspections of what was recorded may take to be heard, after a child has ended for good.
const LAST_NEWS: Duration = Duration::from_secs(5);

/// What runs, and what is known of it.
pub(super) struct Running<'a> {
    flight: &'a Preflight,
    show: &'a Show,
    /// Where the stages shall send their traces, unless they know already.
    collector: Option<String>,
    session: Session,
    household: Household,
    /// The ingestor has ended without an error: every source has, and every chunk is answered. Or somebody stopped it.
    ingested: Option<Death>,
    /// A child has ended for good, with an error: that is how this will end, when what was recorded has been heard of, or at this moment.
    doomed: Option<(Instant, Failed)>,
    sample: Option<String>,
    /// When the last inspection was heard of.
    inspected_last: Option<Instant>,
}

impl<'a> Running<'a> {
    /// Nothing is started yet.
    pub(super) fn new(flight: &'a Preflight, show: &'a Show, collector: Option<String>) -> Self {
        Self {
            flight,
            show,
            collector,
            session: Session::new(
                flight.cameras.iter().map(|camera| camera.name.clone()),
                flight.bucket.clone(),
            ),
            household: Household::default(),
            ingested: None,
            doomed: None,
            sample: None,
            inspected_last: None,
        }
    }

    /// Starts everything and follows it to its end. What was started is still to be stopped.
    pub(super) async fn run(&mut self, up: &Up, stop: &Stop) -> Result<(), Failed> {
        let (options, prefix) = self.start_server(up)?;
        let connection = self
            .unless_a_child_dies(crispy_runtime::connect(&options, &prefix))
            .await?;
        let plan = topology::plan(&connection, None, false)
            .await
            .context("look at the streams")?;
        plan.apply().await.context("set up the streams")?;
        if up.replay {
            replay(&connection, &self.flight.site).await?;
        }
        let mut watch = Watch::open(&connection, &self.flight.site).await?;
        let recipes = Recipes {
            up,
            flight: self.flight,
            nats: &options,
            prefix: &prefix,
            collector: self.collector.as_deref(),
            owns_the_terminal: self.show.owns_the_terminal(),
        };
        for recipe in recipes.all() {
            self.household.start(recipe, self.show)?;
        }
        let outcome = self.follow(&connection, &mut watch, stop).await;
        if outcome.is_ok() && self.flight.nats.is_some() && !stop.is_requested() {
            wait_for_empty_queue(&connection).await;
        }
        connection.close().await;
        outcome
    }

    /// Stops what was started.
    pub(super) async fn stop(&mut self) {
        self.household.stop().await;
    }

    /// What was seen.
    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    /// When the work was done: with the last inspection, however long children then take to end. `None` where nothing was inspected.
    pub(super) fn inspected_last(&self) -> Option<Instant> {
        self.inspected_last
    }

    /// An object that can be played.
    pub(super) fn sample(&self) -> Option<&str> {
        self.sample.as_deref()
    }

    /// CPU time of each process that has ended, and of this one so far.
    pub(super) fn cpu(&self) -> Vec<(String, Duration)> {
        let mut cpu = self.household.cpu();
        cpu.push(("crispy".into(), child::own_cpu()));
        cpu
    }

    /// Starts our own server, unless the operator named another. How to connect to either.
    fn start_server(&mut self, up: &Up) -> Result<(ConnectOptions, Prefix), Failed> {
        match (&self.flight.nats, &up.nats_server) {
            (Some(server), _) => {
                self.household
                    .start_server(server.recipe(self.flight.data_dir.path())?)?;
                let options = ConnectOptions {
                    servers: server.url(),
                    name: "crispy up".into(),
                    ..ConnectOptions::default()
                };
                Ok((options, Prefix::default()))
            }
            (None, url) => {
                let url = url
                    .as_ref()
                    .map(crispy_runtime::Secret::reveal)
                    .unwrap_or_default();
                let flags = NatsFlags::of_environment(url)?;
                Ok((flags.options("crispy up")?, flags.prefix))
            }
        }
    }

    /// A server that dies while it starts will not answer, however long one waits.
    async fn unless_a_child_dies<T>(
        &mut self,
        work: impl Future<Output = Result<T, Failed>>,
    ) -> Result<T, Failed> {
        let log = self.flight.data_dir.path().join("nats/nats-server.log");
        tokio::select! {
            done = work => done,
            death = self.household.death() => {
                let message = anyhow!("nats-server ended at its start by {}: read {}", death?.ended, log.display());
                Err(Failed::new(Exit::ChildDies, message))
            }
        }
    }

    /// Hears, restarts and draws until the session is over, or nothing more will come.
    async fn follow(
        &mut self,
        connection: &Connection,
        watch: &mut Watch,
        stop: &Stop,
    ) -> Result<(), Failed> {
        let (mut draw, mut streams) = (interval(DRAW), interval(STREAMS));
        let (mut heard_last, mut looked_back) = (Instant::now(), false);
        let mut mending = JoinSet::new();
        while !(self.ingested.is_some() && self.session.is_over()) {
            if let Some(failed) = self.doom() {
                return Err(failed);
            }
            tokio::select! {
                () = stop.requested() => break,
                heard = watch.next() => {
                    heard_last = Instant::now();
                    self.hear(heard)?;
                }
                death = self.household.death() => {
                    let death = death?;
                    heard_last = Instant::now();
                    if self.household.name(&death) == nats_server::NAME {
                        mending.spawn(mend(connection.clone()));
                    }
                    self.bury(death).await?;
                }
                _ = streams.tick() => {
                    while mending.try_join_next().is_some() {}
                    if mending.is_empty() {
                        mending.spawn(mend_what_vanished(connection.clone()));
                    }
                }
                _ = draw.tick() => self.show.progress(&self.session),
            }
            if self.ingested.is_none() {
                continue;
            }
            match silence::step(heard_last.elapsed(), self.session.has_ended(), looked_back) {
                Step::Wait => {}
                Step::RestartIngestor => self.restart_ingestor()?,
                // A server that is away is asked again.
                Step::LookBack => {
                    let looked = watch.look_back(connection, &self.flight.site).await;
                    looked_back = looked.is_ok();
                }
                Step::AskTheQueue => {
                    if matches!(connection.unfinished(Stage::Inspector).await, Ok(0)) {
                        break;
                    }
                }
                Step::GiveUp => break,
            }
        }
        Ok(())
    }

    fn hear(&mut self, heard: Heard) -> Result<(), Failed> {
        let ours = match heard {
            Heard::Event(event) => self.session.event(&event),
            Heard::Inspected(inspected) => {
                if self.session.inspected(&inspected) {
                    vec![*inspected]
                } else {
                    Vec::new()
                }
            }
            Heard::Dead(letter) => {
                self.session.dead_letter(&letter);
                Vec::new()
            }
        };
        for inspected in &ours {
            self.inspected_last = Some(Instant::now());
            self.show.inspected(inspected)?;
            let link = inspected.upload.as_ref().map(|upload| &upload.media_link);
            self.sample = self
                .sample
                .take()
                .or_else(|| link.map(|link| playable(link)));
        }
        Ok(())
    }

    async fn bury(&mut self, death: Death) -> Result<(), Failed> {
        let name = self.household.name(&death);
        if name == "crispy-ingestor" && death.ended.is_success() {
            self.ingested = Some(death);
            return Ok(());
        }
        match death.ended.is_final() {
            Some(exit) => {
                let why = self.household.last_error(&death).await;
                let mut why = why.unwrap_or_else(|| exit.meaning().to_owned());
                if exit == Exit::DeadLetters {
                    why += "; or give the same command with --replay";
                }
                let failed = Failed::new(exit, anyhow!("{name}: {why}"));
                self.doomed
                    .get_or_insert((Instant::now() + LAST_NEWS, failed));
                Ok(())
            }
            None => self.household.restart(&death, self.show),
        }
    }

    /// The error to end with, once nothing more is to be waited for.
    fn doom(&mut self) -> Option<Failed> {
        let is_over = |(until, _): &mut (Instant, Failed)| {
            self.session.is_settled() || Instant::now() >= *until
        };
        self.doomed.take_if(is_over).map(|(_, failed)| failed)
    }

    fn restart_ingestor(&mut self) -> Result<(), Failed> {
        match self.ingested.take() {
            Some(death) => self.household.restart(&death, self.show),
            None => Ok(()),
        }
    }
}

/// A server that died may have lost its streams, or its whole store: what is missing is made again, as soon as it answers. What was in them
/// is still in the spool.
async fn mend(connection: Connection) {
    for _ in 0..MENDING {
        sleep(Duration::from_millis(250)).await;
        if let Ok(plan) = topology::plan(&connection, None, false).await
            && plan.apply().await.is_ok()
        {
            return;
        }
    }
}

/// Streams vanish also by somebody's hand, while their server runs.
async fn mend_what_vanished(connection: Connection) {
    let missing = topology::check(&connection, &Stream::ALL).await;
    if let Err(missing) = missing
        && missing.is_not_found()
    {
        tracing::warn!(
            error = %missing,
            hint = "find out who removed them",
            "streams vanished, making and filling them again"
        );
        mend(connection).await;
    }
}

/// Run states follow the chunks they speak of: wait until the uploader has taken the last of them to the bucket.
async fn wait_for_empty_queue(connection: &Connection) {
    let deadline = Instant::now() + LAST_WORDS;
    while Instant::now() < deadline {
        match connection.messages(Stream::Chunks).await {
            Ok(0) | Err(_) => return,
            Ok(_) => sleep(Duration::from_millis(10)).await,
        }
    }
    tracing::warn!(
        "the queue is not empty yet: what is left is done at the next start of the same command"
    );
}

/// A link as one types it: the path, where it is a plain one on this machine.
fn playable(link: &str) -> String {
    let path = link
        .strip_prefix("file://")
        .filter(|path| !path.contains('%'));
    path.unwrap_or(link).to_owned()
}
