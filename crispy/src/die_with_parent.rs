//! `crispy die-with-parent PARENT PROGRAM [ARGUMENT ...]`: becomes another program that dies with
//! its parent. For internal use.
//!
//! A supervisor that is killed with SIGKILL cannot stop its children; the kernel can (prctl(2),
//! PR_SET_PDEATHSIG). The child itself must request it between fork and exec, where Rust allows only
//! unsafe code. This detour does it in a process of its own instead: it requests the signal, checks
//! that the parent still runs, and becomes the program. The request survives exec.

use std::{
    env,
    ffi::{OsStr, OsString},
    io::{self, Write},
    os::unix::process::CommandExt,
    process::{self, Command, ExitCode},
};

use crispy_runtime::Exit;
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

/// The internal subcommand.
const SUBCOMMAND: &str = "die-with-parent";

/// A command that becomes `program`, and dies with this process.
///
/// The kernel ties it to the thread that starts it: if that thread ends, so does the program.
pub(crate) fn command(program: &OsStr) -> io::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.args([
        OsStr::new(SUBCOMMAND),
        OsStr::new(&process::id().to_string()),
        program,
    ]);
    Ok(command)
}

/// Becomes the program, if this process was started for that. Call it first: it has to be quick.
pub(crate) fn run() -> Option<ExitCode> {
    let mut arguments = env::args_os().skip(1);
    if arguments.next()? != SUBCOMMAND {
        return None;
    }
    let error = become_program(arguments);
    // Logging is not set up yet.
    let _ = writeln!(io::stderr(), "error: {SUBCOMMAND}: {error}");
    Some(Exit::Failure.into())
}

/// Returns only if it fails.
fn become_program(mut arguments: impl Iterator<Item = OsString>) -> io::Error {
    let parent = arguments
        .next()
        .and_then(|pid| Pid::from_raw(pid.to_str()?.parse().ok()?));
    let (Some(parent), Some(program)) = (parent, arguments.next()) else {
        return io::Error::other("expected a process id and a program");
    };
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return error.into();
    }
    // A parent that died before the request causes no signal.
    if getppid() != Some(parent) {
        return io::Error::other("the parent has ended");
    }
    Command::new(program).args(arguments).exec()
}
