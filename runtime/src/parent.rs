//! Ends a process when its parent is killed.
//!
//! A supervisor that is killed with SIGKILL cannot stop its children; the kernel can (prctl(2),
//! PR_SET_PDEATHSIG), if the child requests it. The request survives exec.

use std::{env, io};

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

/// The variable in which a supervisor gives its process id to a program that calls [`main`]:
/// the program then dies with it. Set by `crispy up`, not by operators.
///
/// [`main`]: crate::main
pub const PARENT_VARIABLE: &str = "CRISPY_PARENT_PID";

/// Has the kernel kill this process when `parent` ends. The kernel ties it to the thread of the
/// parent that started it: if that thread ends, so does this process.
///
/// # Errors
/// If the kernel refuses, or `parent`, which has to be a process id, is not our parent (any more).
pub fn die_with(parent: &str) -> io::Result<()> {
    let parent = parent.parse().ok().and_then(Pid::from_raw);
    let parent = parent.ok_or_else(|| io::Error::other("expected a process id"))?;
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // A parent that died before the request causes no signal.
    if getppid() != Some(parent) {
        return Err(io::Error::other("the parent has ended"));
    }
    Ok(())
}

/// [`die_with`] the process that [`PARENT_VARIABLE`] names, if it is set.
pub(crate) fn die_with_supervisor() -> io::Result<()> {
    match env::var(PARENT_VARIABLE) {
        Ok(parent) => die_with(&parent),
        Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_parent_can_be_followed() {
        for other in ["", "none", "0", &std::process::id().to_string()] {
            assert!(die_with(other).is_err(), "{other:?}");
        }
    }
}
