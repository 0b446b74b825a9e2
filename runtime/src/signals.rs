//! SIGTERM and SIGINT: the first requests a stop, the second ends the process.

use std::{
    io,
    sync::{Arc, atomic::AtomicBool},
};

use signal_hook::consts::{SIGINT, SIGTERM};
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

use crate::{Exit, Stop};

/// Arms the second signal. From here on the process ends at once, with 130 or 143, on the second of
/// either.
///
/// This works in the signal handler itself and not in a task: it has to end a program whose runtime
/// is stuck.
pub(crate) fn arm_second() -> io::Result<()> {
    let requested = Arc::new(AtomicBool::new(false));
    for (number, exit) in [(SIGTERM, Exit::Terminated), (SIGINT, Exit::Interrupted)] {
        // Handlers run in the order of registration: the first signal finds the flag unset, and
        // sets it.
        signal_hook::flag::register_conditional_shutdown(
            number,
            exit.code().into(),
            Arc::clone(&requested),
        )?;
        signal_hook::flag::register(number, Arc::clone(&requested))?;
    }
    Ok(())
}

/// Requests `stop` at the first SIGTERM or SIGINT. Runs until then; call it inside the runtime.
pub(crate) fn first(stop: Stop) -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        let signal = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        info!(signal, grace = ?stop.grace(), "stop requested; a second signal ends at once");
        stop.request();
    })
}
