//! `crispy leash`: becomes another program that dies with its parent.
//!
//! A supervisor that is killed with SIGKILL cannot stop its children; the kernel can (prctl(2), PR_SET_PDEATHSIG). The wish must be made by
//! the child itself, between fork and exec, where Rust allows only unsafe code. This detour makes it in a process of its own instead: it
//! wishes to die with its parent, looks whether the parent is still there, and becomes the program. The wish survives exec.

use std::{
    ffi::OsString,
    os::unix::process::CommandExt,
    process::Command,
};

use anyhow::{Context, anyhow, bail};
use daemon::{Exit, Failed};
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

/// What to become, and whose child to be.
#[derive(Debug, clap::Args)]
pub(crate) struct Leash {
    /// Process id that the parent must have
    #[arg(long)]
    parent: i32,

    /// The program and its arguments
    #[arg(required = true, last = true)]
    program: Vec<OsString>,
}

impl Leash {
    /// Becomes the program; returns only if that fails.
    pub(crate) fn run(&self) -> Result<(), Failed> {
        self.hold().map_err(|error| Failed::new(Exit::Failure, error))?;
        let [program, arguments @ ..] = &self.program[..] else {
            return Err(Failed::new(Exit::Usage, anyhow!("no program was given")));
        };
        let error = Command::new(program).args(arguments).exec();
        Err(Failed::new(Exit::Failure, anyhow!(error).context(format!("start {}", program.display()))))
    }

    fn hold(&self) -> anyhow::Result<()> {
        set_parent_process_death_signal(Some(Signal::KILL)).context("ask to die with the parent")?;
        // The parent may have died before the wish was made: then nobody would send the signal.
        if getppid() != Pid::from_raw(self.parent) {
            bail!("process {} is not the parent any more", self.parent);
        }
        Ok(())
    }
}
