//! A thread with a runtime of its own, beside the program's.
//!
//! What tells about a program must not depend on it: where the program's runtime is stuck, its health page still answers, and says so. And
//! what sends telemetry goes on until the last span is sent, when the program's runtime is gone already.

use std::{io, thread};

use tokio::runtime::{self, Handle};
use tokio_util::sync::CancellationToken;

/// The runtime, as long as the value lives.
#[derive(Debug)]
pub(crate) struct TelemetryThread {
    handle: Handle,
    end: CancellationToken,
}

impl TelemetryThread {
    /// Starts it.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (handle, end) = (runtime.handle().clone(), CancellationToken::new());
        let ending = end.clone();
        thread::Builder::new()
            .name("side".into())
            .spawn(move || runtime.block_on(ending.cancelled()))?;
        Ok(Self { handle, end })
    }

    /// To start tasks on it.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for TelemetryThread {
    fn drop(&mut self) {
        self.end.cancel();
    }
}
