//! `crispy leash PARENT PROGRAM [ARGUMENT ...]`: becomes another program, one that dies with its parent. For our own use.
//!
//! A supervisor that is killed with SIGKILL cannot stop its children; the kernel can (prctl(2), PR_SET_PDEATHSIG). The wish must be made by
//! the child itself, between fork and exec, where Rust allows only unsafe code. This detour makes it in a process of its own instead: it
//! wishes to die with its parent, looks whether the parent is still there, and becomes the program. The wish survives exec.

use std::{
    env,
    ffi::{OsStr, OsString},
    io::{self, Write},
    os::unix::process::CommandExt,
    process::{self, Command, ExitCode},
};

use crispy_runtime::Exit;
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

/// The word that asks for it, first on the command line.
const WORD: &str = "leash";

/// A command that will become `program` on a leash that this process holds.
///
/// The leash is the thread that starts it: started from a thread that ends, the program ends with that thread.
pub(crate) fn command(program: &OsStr) -> io::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.args([
        OsStr::new(WORD),
        OsStr::new(&process::id().to_string()),
        program,
    ]);
    Ok(command)
}

/// Becomes the program, if that is what this process was started for. Looked at before anything else: it has to be quick.
pub(crate) fn asked_for() -> Option<ExitCode> {
    let mut arguments = env::args_os().skip(1);
    if arguments.next()? != WORD {
        return None;
    }
    let error = become_program(arguments);
    // There is nobody else to tell: this is neither a daemon nor a command yet.
    let _ = writeln!(io::stderr(), "error: leash: {error}");
    Some(Exit::Failure.into())
}

/// Returns only if it fails.
fn become_program(mut arguments: impl Iterator<Item = OsString>) -> io::Error {
    let parent = arguments
        .next()
        .and_then(|pid| Pid::from_raw(pid.to_str()?.parse().ok()?));
    let (Some(parent), Some(program)) = (parent, arguments.next()) else {
        return io::Error::other("a process id and a program are needed");
    };
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return error.into();
    }
    // The parent may have died before the wish was made: then nobody would send the signal.
    if getppid() != Some(parent) {
        return io::Error::other("the parent is gone");
    }
    Command::new(program).args(arguments).exec()
}
