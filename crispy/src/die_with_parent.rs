//! `crispy die-with-parent PARENT PROGRAM [ARGUMENT ...]`: becomes another program that dies with
//! its parent. For internal use.
//!
//! A child has to request this itself, between fork and exec, where Rust allows only unsafe code.
//! This detour requests it in a process of its own instead, and becomes the program. It costs 4 ms
//! of CPU, so our own programs, which call `crispy_runtime::main`, get a variable instead.

use std::{
    env,
    ffi::{OsStr, OsString},
    io::{self, Write},
    os::unix::process::CommandExt,
    process::{self, Command, ExitCode},
};

use crispy_runtime::{Exit, die_with};

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
    let (Some(parent), Some(program)) = (arguments.next(), arguments.next()) else {
        return io::Error::other("expected a process id and a program");
    };
    if let Err(error) = die_with(&parent.to_string_lossy()) {
        return error;
    }
    Command::new(program).args(arguments).exec()
}
