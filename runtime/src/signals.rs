//! SIGTERM and SIGINT: the first asks, the second ends.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

use crate::{Exit, Stop};

/// Arms the second signal. From here on the process ends at once, with 130 or 143, on the second of either.
///
/// This lives in the signal handler itself and not in a task: it has to end a program whose runtime is stuck.
pub(crate) fn arm_second() -> io::Result<()> {
    let asked = Arc::new(AtomicBool::new(false));
    for (number, exit) in [(SIGTERM, Exit::Terminated), (SIGINT, Exit::Interrupted)] {
        // Handlers run in the order of registration: the first signal finds the flag down, and raises it.
        signal_hook::flag::register_conditional_shutdown(
            number,
            exit.code().into(),
            Arc::clone(&asked),
        )?;
        signal_hook::flag::register(number, Arc::clone(&asked))?;
    }
    Ok(())
}

/// Requests `stop` at the first SIGTERM or SIGINT. Runs until then; call it inside the runtime.
pub(crate) fn first(stop: Stop) -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        info!(signal = name, grace = ?stop.grace(), "stop requested; a second signal ends at once");
        stop.request();
    })
}
