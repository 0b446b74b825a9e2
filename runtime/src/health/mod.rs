//! Liveness and readiness of the program, for Kubernetes, systemd and operators.
//!
//! ```text
//!   daemon ── started(), conditions ───► Readiness ─┬─► /readyz, with reasons
//!   its tasks ── a beat a second ──────► Heartbeat ─┼─► /livez
//!                                                   └─► systemd: READY, STATUS, WATCHDOG, STOPPING
//! ```
//!
//! Pages and notifications come from a thread of its own, which answers where the program's is
//! stuck.
//!
//! An *alive* program's tasks run: restarting it for any other reason makes an outage worse. A
//! *ready* program can do its work now: it has started, every condition is met, and no stop was
//! requested. An unavailable bucket is a reason not to be ready, and none to be restarted.

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

/// The flags about health, which every daemon has.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Health")]
pub struct HealthArgs {
    /// Address of the pages /metrics, /livez, /readyz and /version, as 127.0.0.1:9464 [default:
    /// none]
    #[arg(
        long,
        global = true,
        env = "CRISPY_ADMIN_LISTEN",
        value_name = "HOST:PORT"
    )]
    pub admin_listen: Option<String>,
}

/// The address of the pages of this process, for a parent that starts children.
static CHOSEN: OnceLock<String> = OnceLock::new();

/// The requested address of the pages of this process; `None` without one.
pub fn chosen_listen() -> Option<&'static str> {
    CHOSEN.get().map(String::as_str)
}

impl HealthArgs {
    /// The named address; an empty word names none. Remembered for [`chosen_listen`].
    pub(crate) fn listen(&self) -> Option<&str> {
        let named = self.admin_listen.as_deref();
        let named = named.filter(|address| !address.is_empty())?;
        // A process reads its flags once.
        drop(CHOSEN.set(named.to_owned()));
        Some(named)
    }
}

/// The conditions for the program to do its work.
///
/// * It is not ready before [`started`](Self::started), nor after a request to stop.
/// * A condition is unmet from its registration until its owner reports it as met.
/// * Reasons are for people: they name the problem, and what to do. The page is open to anyone who
///   can reach it: no secrets.
#[derive(Debug, Default)]
pub struct Readiness {
    conditions: Mutex<Vec<(String, Check)>>,
    stage: Mutex<Stage>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Starting,
    Started,
    Stopping,
}

/// Returns the reasons why a condition is unmet; none if it is met.
struct Check(Box<dyn Fn() -> Vec<String> + Send + Sync>);

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0())
    }
}

/// The readiness of this process. A process has one, as it has one log.
pub fn readiness() -> &'static Readiness {
    static PROCESS: OnceLock<Readiness> = OnceLock::new();
    PROCESS.get_or_init(Readiness::default)
}

/// A condition that its holder reports.
#[derive(Clone, Debug)]
pub struct Condition(watch::Sender<Option<String>>);

impl Condition {
    /// Reports it as met.
    pub fn met(&self) {
        self.0.send_replace(None);
    }

    /// Reports it as unmet, with the reason, and what to do.
    pub fn unmet(&self, reason: impl Into<String>) {
        self.0.send_replace(Some(reason.into()));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Readiness {
    /// Reports that the program begins its work.
    pub fn started(&self) {
        let mut stage = lock(&self.stage);
        if *stage == Stage::Starting {
            *stage = Stage::Started;
        }
    }

    /// Reports that a stop was requested.
    pub(crate) fn stopping(&self) {
        *lock(&self.stage) = Stage::Stopping;
    }

    /// Registers a condition that the caller reports.
    pub fn condition(&self, name: &str) -> Condition {
        let (sender, receiver) = watch::channel(Some("not known yet".to_owned()));
        self.watch(name, receiver, Option::clone);
        Condition(sender)
    }

    /// Registers a condition that is published already: `unmet` returns the reason why a value does
    /// not allow work.
    ///
    /// The last value counts, even after its publisher is gone.
    pub fn watch<T: Send + Sync + 'static>(
        &self,
        name: &str,
        values: watch::Receiver<T>,
        unmet: impl Fn(&T) -> Option<String> + Send + Sync + 'static,
    ) {
        self.check(name, move || unmet(&values.borrow()).into_iter().collect());
    }

    /// Registers a condition that is checked on demand: `reasons` returns why it is unmet, and
    /// nothing if it is met. It must not block.
    pub fn check(&self, name: &str, reasons: impl Fn() -> Vec<String> + Send + Sync + 'static) {
        lock(&self.conditions).push((name.to_owned(), Check(Box::new(reasons))));
    }

    /// The reasons why the program is not ready, a line each; none if it is.
    pub fn reasons(&self) -> Vec<String> {
        let stage = match *lock(&self.stage) {
            Stage::Starting => Some("program: it is starting".to_owned()),
            Stage::Started => None,
            Stage::Stopping => Some("program: it is stopping".to_owned()),
        };
        let conditions = lock(&self.conditions);
        let unmet = conditions.iter().flat_map(|(name, check)| {
            let reasons = check.0().into_iter();
            reasons.map(move |reason| format!("{name}: {reason}"))
        });
        stage.into_iter().chain(unmet).collect()
    }

    /// Whether it has begun its work, whether or not it is ready now.
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
    fn a_check_has_a_line_for_each_reason() {
        let ready = Readiness::default();
        ready.started();
        ready.check("queue", || vec!["one".into(), "two".into()]);
        assert_eq!(ready.reasons(), ["queue: one", "queue: two"]);
    }

    #[test]
    fn each_unmet_condition_is_named_with_its_reason() {
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
