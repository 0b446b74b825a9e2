//! Whether the program is alive, and whether it can do its work: for Kubernetes, systemd and whoever is awake.
//!
//! ```text
//!   stage ── started(), condition, watch ──► Readiness ─┬─► /readyz, with reasons        on a thread of its own: it answers
//!   program's tasks ── a beat a second ────► Heartbeat ─────┼─► /livez                       where the program's is stuck
//!                                                       └─► systemd: READY, STATUS, WATCHDOG, STOPPING
//! ```
//!
//! *Alive* is a program whose tasks run: whoever restarts it for less makes an outage worse. *Ready* is one that can do its work now: it has
//! started, every condition is met, and nobody has asked it to stop. That the bucket is away is a reason not to be ready, and none to die.

mod heartbeat;
mod pages;
mod systemd;

use std::{
    fmt,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use clap::Args;
use tokio::sync::watch;

pub(crate) use heartbeat::Heartbeat;
pub(crate) use pages::{Admin, Pages};
pub(crate) use systemd::ServiceManager;

/// The flags about health, which every program that keeps running has.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Health")]
pub struct HealthArgs {
    /// Address of the pages /metrics, /livez, /readyz and /version, as 127.0.0.1:9464 [default: none]
    #[arg(
        long,
        global = true,
        env = "CRISPY_ADMIN_LISTEN",
        value_name = "HOST:PORT"
    )]
    pub admin_listen: Option<String>,
}

/// The address that this process was told of, for a parent that starts children.
static CHOSEN: OnceLock<String> = OnceLock::new();

/// Where somebody wants the pages of this process; `None`: nobody does.
pub fn chosen_listen() -> Option<&'static str> {
    CHOSEN.get().map(String::as_str)
}

impl HealthArgs {
    /// The address that is named; an empty word names none. Remembered for [`chosen_listen`].
    pub(crate) fn listen(&self) -> Option<&str> {
        let named = self.admin_listen.as_deref();
        let named = named.filter(|address| !address.is_empty())?;
        // A process is told once.
        drop(CHOSEN.set(named.to_owned()));
        Some(named)
    }
}

/// What has to be so for the program to do its work.
///
/// * It is not ready before [`started`](Self::started), nor once it has been asked to stop.
/// * A condition is unmet from the moment it is named until somebody says otherwise.
/// * Reasons are for people: what is wrong, and what to do. They are shown to whoever can reach the page: no secrets.
#[derive(Debug, Default)]
pub struct Readiness {
    conditions: Mutex<Vec<(String, Look)>>,
    stage: Mutex<Stage>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Starting,
    Started,
    Stopping,
}

/// How a condition is looked at: why it is unmet, if it is.
struct Look(Box<dyn Fn() -> Vec<String> + Send + Sync>);

impl fmt::Debug for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0())
    }
}

/// The readiness of this process. One process has one, as it has one log.
pub fn readiness() -> &'static Readiness {
    static PROCESS: OnceLock<Readiness> = OnceLock::new();
    PROCESS.get_or_init(Readiness::default)
}

/// A condition that its holder speaks for.
#[derive(Clone, Debug)]
pub struct Condition(watch::Sender<Option<String>>);

impl Condition {
    /// It is met.
    pub fn met(&self) {
        self.0.send_replace(None);
    }

    /// It is not, and why, and what to do.
    pub fn unmet(&self, reason: impl Into<String>) {
        self.0.send_replace(Some(reason.into()));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Readiness {
    /// The program has what it needs to begin, and begins.
    pub fn started(&self) {
        let mut stage = lock(&self.stage);
        if *stage == Stage::Starting {
            *stage = Stage::Started;
        }
    }

    /// The program has been asked to stop.
    pub(crate) fn stopping(&self) {
        *lock(&self.stage) = Stage::Stopping;
    }

    /// Names a condition that the caller speaks for.
    pub fn condition(&self, name: &str) -> Condition {
        let (sender, receiver) = watch::channel(Some("not known yet".to_owned()));
        self.watch(name, receiver, Option::clone);
        Condition(sender)
    }

    /// Names a condition that somebody publishes already: `unmet` says why a value of it is none to work with.
    ///
    /// The last value counts, that of a publisher who has gone too.
    pub fn watch<T: Send + Sync + 'static>(
        &self,
        name: &str,
        values: watch::Receiver<T>,
        unmet: impl Fn(&T) -> Option<String> + Send + Sync + 'static,
    ) {
        self.look(name, move || unmet(&values.borrow()).into_iter().collect());
    }

    /// Names a condition that can be looked at: `reasons` says why it is unmet, if it is. It must not block.
    pub fn look(&self, name: &str, reasons: impl Fn() -> Vec<String> + Send + Sync + 'static) {
        lock(&self.conditions).push((name.to_owned(), Look(Box::new(reasons))));
    }

    /// Why the program is not ready, a line each; nothing if it is.
    pub fn reasons(&self) -> Vec<String> {
        let stage = match *lock(&self.stage) {
            Stage::Starting => Some("program: it is starting".to_owned()),
            Stage::Started => None,
            Stage::Stopping => Some("program: it is stopping".to_owned()),
        };
        let conditions = lock(&self.conditions);
        let unmet = conditions.iter().flat_map(|(name, look)| {
            let reasons = look.0().into_iter();
            reasons.map(move |reason| format!("{name}: {reason}"))
        });
        stage.into_iter().chain(unmet).collect()
    }

    /// Whether it has begun its work, ready for it at this moment or not.
    fn has_started(&self) -> bool {
        *lock(&self.stage) != Stage::Starting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ready_between_start_and_stop() {
        let ready = Readiness::default();
        assert_eq!(ready.reasons(), ["program: it is starting"]);
        ready.started();
        assert!(ready.reasons().is_empty());
        ready.stopping();
        ready.started();
        assert_eq!(ready.reasons(), ["program: it is stopping"]);
    }

    #[test]
    fn what_is_looked_at_has_a_line_for_each_of_its_reasons() {
        let ready = Readiness::default();
        ready.started();
        ready.look("queue", || vec!["one".into(), "two".into()]);
        assert_eq!(ready.reasons(), ["queue: one", "queue: two"]);
    }

    #[test]
    fn each_condition_that_is_unmet_is_named_with_its_reason() {
        let ready = Readiness::default();
        ready.started();
        let bucket = ready.condition("bucket");
        let (link, state) = watch::channel(false);
        ready.watch("queue", state, |up| {
            (!up).then(|| "no connection to nats://hub; check the server".to_owned())
        });
        assert_eq!(
            ready.reasons(),
            [
                "bucket: not known yet",
                "queue: no connection to nats://hub; check the server"
            ]
        );
        bucket.met();
        link.send_replace(true);
        assert!(ready.reasons().is_empty());
        bucket.unmet("it answers 403; check the credentials");
        drop(link);
        assert_eq!(
            ready.reasons(),
            ["bucket: it answers 403; check the credentials"]
        );
    }
}
