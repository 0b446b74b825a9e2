//! Starts, restarts and stops the children of one `crispy up`.

use std::time::Duration;

use crispy_runtime::Failed;
use futures_util::future::{join_all, select_all};
use tokio::time::timeout;
use tracing::warn;

use super::{
    child::{Child, ChildCommand, ChildStatus},
    display::SessionDisplay,
};

/// Time that the stages may take to finish what is in flight. With the server's own time it stays
/// below 25 s.
const STAGES_STOP_TIMEOUT: Duration = Duration::from_secs(20);
const SERVER_STOP_TIMEOUT: Duration = Duration::from_secs(3);

/// All children, in the order of their starts: the nats-server, then the stages.
#[derive(Debug, Default)]
pub(super) struct Supervisor {
    server: Option<Child>,
    stages: Vec<Child>,
}

/// The unrequested end of a child.
#[derive(Debug)]
pub(super) struct ChildExit {
    /// Index of the child.
    index: usize,
    /// Its exit status.
    pub status: ChildStatus,
}

impl Supervisor {
    /// Starts the server.
    pub(super) fn start_server(&mut self, command: ChildCommand) -> Result<(), Failed> {
        self.server = Some(Child::start(command)?);
        Ok(())
    }

    /// Starts a stage.
    pub(super) fn start(
        &mut self,
        command: ChildCommand,
        display: &SessionDisplay,
    ) -> Result<(), Failed> {
        let mut child = Child::start(command)?;
        child.forward_log(display);
        self.stages.push(child);
        Ok(())
    }

    /// Waits for the end of a child. Cancel safe.
    pub(super) async fn child_exit(&mut self) -> std::io::Result<ChildExit> {
        let exits: Vec<_> = self
            .children_mut()
            .map(|child| Box::pin(child.wait()))
            .collect();
        if exits.is_empty() {
            return std::future::pending().await;
        }
        let (status, index, _) = select_all(exits).await;
        Ok(ChildExit {
            index,
            status: status?,
        })
    }

    /// The name of the child.
    pub(super) fn name(&self, exit: &ChildExit) -> &'static str {
        self.children()
            .nth(exit.index)
            .map_or("a child", Child::name)
    }

    /// The last error in the child's log.
    pub(super) async fn last_error(&mut self, exit: &ChildExit) -> Option<String> {
        self.children_mut().nth(exit.index)?.last_error().await
    }

    /// Restarts the child.
    pub(super) fn restart(
        &mut self,
        exit: &ChildExit,
        display: &SessionDisplay,
    ) -> Result<(), Failed> {
        let Some(child) = self.children_mut().nth(exit.index) else {
            return Ok(());
        };
        warn!(
            child = child.name(),
            status = %exit.status,
            hint = "if this happens often, read the child's last log lines",
            "restarting child"
        );
        child.restart(exit.status)?;
        child.forward_log(display);
        Ok(())
    }

    /// Stops all children: the stages first, which still need the server.
    pub(super) async fn stop(&mut self) {
        stop(self.stages.iter_mut(), STAGES_STOP_TIMEOUT).await;
        stop(self.server.iter_mut(), SERVER_STOP_TIMEOUT).await;
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

async fn stop(children: impl Iterator<Item = &mut Child>, limit: Duration) {
    let stopping = children
        .filter(|child| !child.has_ended())
        .map(|child| async move {
            child.request_stop();
            if timeout(limit, child.wait()).await.is_err() {
                warn!(
                    child = child.name(),
                    ?limit,
                    hint = "nothing is lost; the next start repeats its unfinished work",
                    "child did not stop in time, killing it"
                );
                child.kill();
                // A killed process ends; if it cannot be waited for, nothing else can be done.
                let _ = child.wait().await;
            }
        });
    join_all(stopping).await;
}
