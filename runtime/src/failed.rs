//! An error that knows its exit code.

use std::fmt;

use crispy_fault::{DependencyId, Fault, Kind};

use crate::Exit;

/// Why a program cannot go on: the chain of what was being done, and the row of [`Exit`] that it ends with.
///
/// Any error turns into one by `?`, with [`Exit::Failure`]; [`WithExit::exit`] gives it a better row.
/// It is shown once, at the top, by [`main`](crate::main): layers below hand it up and do not log it.
#[derive(Debug)]
pub struct Failed {
    /// The row of the table of exit codes.
    pub exit: Exit,
    /// What was being done, outermost first.
    pub error: anyhow::Error,
}

impl Failed {
    /// An error and its exit code.
    pub fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Failed {
        Failed {
            exit,
            error: error.into(),
        }
    }

    /// A failure of the queue; its kind alone decides on the exit code.
    pub fn from_queue(fault: Fault) -> Failed {
        let exit = match fault.kind() {
            Kind::NotFound => Exit::StreamsMissing,
            Kind::Unavailable(on) if on.id == DependencyId::Queue => Exit::NatsUnreachable,
            _ => Exit::Failure,
        };
        Failed::new(exit, fault)
    }
}

/// The whole chain on one line, and the hint of its first `Fault`:
/// `open stream CRISPY_CHUNKS: the stream does not exist: run `crispy setup``.
impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.error)?;
        let faults = |error: &(dyn std::error::Error + 'static)| {
            let fault = error.downcast_ref::<Fault>()?;
            fault.hint().map(str::to_owned)
        };
        match self.error.chain().find_map(faults) {
            Some(hint) => write!(f, ": {hint}"),
            None => Ok(()),
        }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failed {
    fn from(error: E) -> Failed {
        Failed::new(Exit::Failure, error)
    }
}

/// Gives the error of a result its exit code.
///
/// ```
/// use crispy_runtime::{Exit, Failed, WithExit};
///
/// fn open() -> Result<std::fs::File, Failed> {
///     std::fs::File::open("/no/such/spool").exit(Exit::SpoolNotWritable)
/// }
/// assert_eq!(open().unwrap_err().exit, Exit::SpoolNotWritable);
/// ```
pub trait WithExit<T> {
    /// The same result, its error with this exit code.
    ///
    /// # Errors
    /// The error that was there, now with its exit code.
    fn exit(self, exit: Exit) -> Result<T, Failed>;
}

impl<T, E: Into<anyhow::Error>> WithExit<T> for Result<T, E> {
    fn exit(self, exit: Exit) -> Result<T, Failed> {
        self.map_err(|error| Failed::new(exit, error))
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    fn lock() -> std::io::Result<()> {
        Err(std::io::Error::other("lock is held"))
    }

    fn plain() -> Result<(), Failed> {
        Ok(lock()?)
    }

    #[test]
    fn an_error_without_a_code_ends_as_failure() {
        assert_eq!(plain().unwrap_err().exit, Exit::Failure);
    }

    #[test]
    fn the_chain_reads_from_the_outside_in_on_one_line() {
        let failed = lock()
            .context("open spool /s")
            .exit(Exit::SpoolInUse)
            .unwrap_err();
        assert_eq!(failed.to_string(), "open spool /s: lock is held");
        assert_eq!(failed.exit, Exit::SpoolInUse);
    }

    #[test]
    fn a_failure_of_the_queue_has_the_exit_code_of_its_kind() {
        for (fault, exit) in [
            (Fault::not_found(""), Exit::StreamsMissing),
            (
                Fault::unavailable(DependencyId::Queue, ""),
                Exit::NatsUnreachable,
            ),
            (Fault::corrupt(""), Exit::Failure),
            (Fault::rejected(""), Exit::Failure),
            (Fault::transient(""), Exit::Failure),
        ] {
            assert_eq!(Failed::from_queue(fault).exit, exit);
        }
    }

    #[test]
    fn the_hint_of_a_fault_ends_the_line() {
        let fault = Fault::not_found("look at stream X").with_hint("run `crispy setup`");
        let failed = Failed::new(Exit::StreamsMissing, fault.context("bind uploader"));
        assert_eq!(
            failed.to_string(),
            "bind uploader: look at stream X: run `crispy setup`"
        );
    }

    #[test]
    fn a_question_mark_hands_up_a_failure_unchanged() {
        fn outer() -> Result<(), Failed> {
            lock().exit(Exit::SpoolInUse)?;
            Ok(())
        }
        assert_eq!(outer().unwrap_err().exit, Exit::SpoolInUse);
    }
}
