//! The children of one `crispy up`, in the order in which they are started; they are stopped in the opposite one.

use std::time::Duration;

use crispy_runtime::Failed;
use futures_util::future::{join_all, select_all};
use tokio::time::timeout;
use tracing::warn;

use super::{
    child::{Child, Ended, Recipe},
    show::Show,
};

/// How long the stages may take to finish what is in flight. With the server's own stop it stays below 25 s.
const STAGES_STOP: Duration = Duration::from_secs(20);
const SERVER_STOP: Duration = Duration::from_secs(3);

/// All children that were started.
#[derive(Debug, Default)]
pub(super) struct Household {
    server: Option<Child>,
    stages: Vec<Child>,
}

/// A child ended that nobody had asked to.
#[derive(Debug)]
pub(super) struct Death {
    /// Which: an index into the household.
    place: usize,
    /// How.
    pub ended: Ended,
}

impl Household {
    /// Starts the server.
    pub(super) fn start_server(&mut self, recipe: Recipe) -> Result<(), Failed> {
        self.server = Some(Child::start(recipe)?);
        Ok(())
    }

    /// Starts a stage.
    pub(super) fn start(&mut self, recipe: Recipe, show: &Show) -> Result<(), Failed> {
        let mut child = Child::start(recipe)?;
        child.pass_on_logs(show);
        self.stages.push(child);
        Ok(())
    }

    /// Waits for a child that ends. Cancel safe.
    pub(super) async fn death(&mut self) -> std::io::Result<Death> {
        let ends: Vec<_> = self
            .children_mut()
            .map(|child| Box::pin(child.end()))
            .collect();
        if ends.is_empty() {
            return std::future::pending().await;
        }
        let (ended, place, _) = select_all(ends).await;
        Ok(Death {
            place,
            ended: ended?,
        })
    }

    /// Whose death it is.
    pub(super) fn name(&self, death: &Death) -> &'static str {
        self.children()
            .nth(death.place)
            .map_or("a child", Child::name)
    }

    /// The last error that it logged.
    pub(super) async fn last_error(&mut self, death: &Death) -> Option<String> {
        self.children_mut().nth(death.place)?.last_error().await
    }

    /// Starts a child that died again.
    pub(super) fn restart(&mut self, death: &Death, show: &Show) -> Result<(), Failed> {
        let Some(child) = self.children_mut().nth(death.place) else {
            return Ok(());
        };
        warn!(
            child = child.name(),
            "{}: started again, nothing to do unless it comes to that often; its last lines say why",
            death.ended
        );
        child.restart(death.ended)?;
        child.pass_on_logs(show);
        Ok(())
    }

    /// Stops all: the stages first, so that they can still tell the server what they have done.
    pub(super) async fn stop(&mut self) {
        stop(self.stages.iter_mut(), STAGES_STOP).await;
        stop(self.server.iter_mut(), SERVER_STOP).await;
    }

    /// CPU time of each child.
    pub(super) fn cpu(&self) -> Vec<(String, Duration)> {
        self.children()
            .map(|child| (child.name().to_owned(), child.cpu()))
            .collect()
    }

    fn children(&self) -> impl Iterator<Item = &Child> {
        self.server.iter().chain(&self.stages)
    }

    fn children_mut(&mut self) -> impl Iterator<Item = &mut Child> {
        self.server.iter_mut().chain(&mut self.stages)
    }
}

async fn stop(children: impl Iterator<Item = &mut Child>, patience: Duration) {
    let stopping = children
        .filter(|child| !child.has_ended())
        .map(|child| async move {
            child.ask_to_stop();
            if timeout(patience, child.end()).await.is_err() {
                warn!(
                    child = child.name(),
                    "did not stop within {patience:?}: killed; nothing is lost, what it was at is done again at the next start"
                );
                child.kill();
                // A killed process ends; if it cannot be waited for, nothing is left to do about it.
                let _ = child.end().await;
            }
        });
    join_all(stopping).await;
}
