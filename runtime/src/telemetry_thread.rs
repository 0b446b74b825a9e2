//! A thread with a runtime of its own, beside the program's.
//!
//! Telemetry and health pages must not depend on the program: where the program's runtime is stuck,
//! the health page still answers, and reports it. And the last spans are sent when the program's
//! runtime is gone already.

use std::{io, thread};

use tokio::runtime::{self, Handle};
use tokio_util::sync::CancellationToken;

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct TelemetryThread {
    handle: Handle,
    end: CancellationToken,
}

impl TelemetryThread {
    /// Starts it.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (handle, end) = (runtime.handle().clone(), CancellationToken::new());
        let ending = end.clone();
        thread::Builder::new()
            .name("telemetry".into())
            .spawn(move || runtime.block_on(ending.cancelled()))?;
        Ok(Self { handle, end })
    }

    /// The runtime, to start tasks on it.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for TelemetryThread {
    fn drop(&mut self) {
        self.end.cancel();
    }
}
