//! The one table of exit codes, and the error that carries one.
//!
//! `docs/exit-codes.md` shows the table to users; a test compares the page with it.

use std::{fmt, process::ExitCode};

use crispy_fault::{DependencyId, Fault, Kind};

/// Makes the enum, its list and its lookups from one table, so that no row is incomplete.
macro_rules! exits {
    ($($name:ident = $code:literal, $meaning:literal, $advice:literal;)+) => {
        /// The end of a program.
        ///
        /// Each row has its own code and no code has two meanings, in any program: a supervisor
        /// learns from the number alone what went wrong. Codes are only ever added.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Exit {
            $(#[doc = concat!($meaning, ".")] $name = $code,)+
        }

        impl Exit {
            /// Every row, in the order of the codes.
            pub const ALL: &[Exit] = &[$(Exit::$name,)+];

            /// Its meaning, as a phrase: `two cameras of one name`.
            pub fn meaning(self) -> &'static str {
                match self { $(Exit::$name => $meaning,)+ }
            }

            /// Advice, as a phrase.
            pub fn advice(self) -> &'static str {
                match self { $(Exit::$name => $advice,)+ }
            }
        }
    };
}

exits! {
    Ok = 0, "all is done", "nothing";
    Failure = 1, "a failure that has no code of its own", "read the message";
    Usage = 2, "the command line cannot be understood", "see `--help`";
    WrongName = 10, "a site or camera has a name that is not allowed", "use a-z, 0-9, `_` and `-`, beginning with a letter or digit, 63 at most";
    NameTwice = 11, "two cameras have one name", "give each camera a name of its own";
    UnknownScheme = 12, "the bucket's URL has a scheme that is not known", "use one of the schemes that the message lists";
    Configuration = 13, "the configuration is wrong in another way", "correct the file and key that the message names";
    SourceNotFound = 20, "the source is not there", "check path or address";
    SourceEmpty = 21, "the source is empty", "check what writes it";
    SourceNotVideo = 22, "the source is not video that can be read", "check that it is a video file or stream";
    SourceCutShort = 23, "the source is a truncated file", "copy or record it again; it is refused before its first chunk, so none of it was kept";
    SourceWithoutVideo = 24, "the source has no video track", "give one that has; sound alone is not cut";
    CodecUnsupported = 25, "the source's codec is not supported", "re-encode it, or use a codec that the message lists";
    SourceUnreadable = 26, "the source cannot be read: permission, I/O or time-out", "check rights, disk and network";
    ContainerUnfit = 27, "the container does not hold the source's video or sound", "leave `--container` at `auto`, or choose `mkv`";
    SpoolNotWritable = 30, "the spool cannot be written", "check folder, rights and free space";
    SpoolInUse = 31, "another process uses the spool", "stop that process, or give this one a spool of its own";
    BucketUnavailable = 32, "the bucket cannot be reached or written", "check URL, credentials and rights";
    NatsServerMissing = 40, "nats-server is not installed", "run `make setup`, or put nats-server on PATH";
    NatsServerTooOld = 41, "nats-server is too old", "install the version that the message asks for";
    PortTaken = 42, "a port is taken by another process", "stop that process, or choose another port";
    NatsUnreachable = 43, "the NATS server cannot be reached", "check address and network";
    StreamsMissing = 44, "the streams are not there", "run `crispy setup`";
    NatsRefused = 45, "the NATS server refused the credentials", "check credentials and permissions (docs/permissions.md)";
    JaegerMissing = 46, "no Jaeger runs on this machine", "start one, or use `--jaeger=running` or `--otlp-endpoint`";
    JaegerUnreachable = 47, "Jaeger does not answer", "check its address (`--jaeger-url`), and that it runs";
    ChildDies = 50, "a child process keeps dying", "read its last log lines";
    Disagreement = 51, "a chunk disagrees with its descriptor", "read the inspector's warning: it names chunk and field";
    DeadLetters = 52, "work ended in dead letters", "`crispy dead list`, fix the reason, `crispy dead replay`";
    RunIncomplete = 53, "a run did not complete", "start the same command again: it goes on where this one ended";
    NeedsAttention = 54, "the system needs attention", "read what `crispy status` lists below its tables";
    NoTrace = 55, "there is no such trace", "check that traces were on, and kept";
    Panicked = 101, "a bug: the program panicked", "report the log line with its place in the code";
    Interrupted = 130, "a second SIGINT ended it at once", "start it again: nothing that was committed is lost";
    Terminated = 143, "a second SIGTERM ended it at once", "start it again: nothing that was committed is lost";
}

impl Exit {
    /// The number that the operating system sees.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The code for the kind of a fault that ends a program.
    pub fn from_kind(kind: &Kind) -> Exit {
        match kind {
            // Programs look for nothing else by name: a missing bucket is unavailable.
            Kind::NotFound => Exit::StreamsMissing,
            Kind::Unavailable(dependency) => match dependency.id {
                DependencyId::Queue => Exit::NatsUnreachable,
                DependencyId::Bucket(_) => Exit::BucketUnavailable,
                DependencyId::Spool(_) => Exit::Failure,
            },
            Kind::Conflict | Kind::Corrupt | Kind::Rejected | Kind::Transient { .. } => {
                Exit::Failure
            }
        }
    }

    /// The row of a code, such as a child's. `None` for a code that no program of ours uses.
    pub fn from_code(code: u8) -> Option<Exit> {
        Exit::ALL.iter().copied().find(|exit| exit.code() == code)
    }

    /// The table in Markdown, for `docs/exit-codes.md`.
    pub fn table() -> String {
        let mut table = String::from("| code | means | what to do |\n|---:|---|---|\n");
        for exit in Exit::ALL {
            table += &format!(
                "| {} | {} | {} |\n",
                exit.code(),
                exit.meaning(),
                exit.advice()
            );
        }
        table
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// The failure that ends a program: its chain, and its exit code.
///
/// Any error turns into one by `?`, with [`Exit::Failure`]; [`WithExit::exit`] gives it a better
/// code. [`main`](crate::main) shows it once; layers below return it and do not log it.
#[derive(Debug)]
pub struct Failed {
    /// Its exit code.
    pub exit: Exit,
    /// Its chain, the outermost context first.
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
        Failed::new(Exit::from_kind(fault.kind()), fault)
    }
}

/// The whole chain on one line, and the hint of its first `Fault`:
/// `open stream CRISPY_CHUNKS: the stream does not exist: run `crispy setup``.
impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.error)?;
        let mut faults = self
            .error
            .chain()
            .filter_map(|error| error.downcast_ref::<Fault>());
        match faults.find_map(Fault::hint) {
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
    /// The same error, with its exit code.
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

    #[test]
    fn docs_show_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/exit-codes.md");
        let page =
            std::fs::read_to_string(path).expect("docs/exit-codes.md is part of the repository");
        assert!(
            page.contains(&Exit::table()),
            "docs/exit-codes.md has to hold this table:\n{}",
            Exit::table()
        );
    }

    #[test]
    fn codes_rise_so_none_is_used_twice() {
        assert!(Exit::ALL.is_sorted_by(|a, b| a.code() < b.code()));
    }

    #[test]
    fn each_code_leads_back_to_its_row() {
        let known = (0..=u8::MAX).filter_map(|code| Exit::from_code(code).map(|exit| (code, exit)));
        assert!(
            known
                .map(|(code, exit)| (exit.code(), exit, code))
                .all(|(a, _, b)| a == b)
        );
        assert_eq!(
            (0..=u8::MAX).filter_map(Exit::from_code).count(),
            Exit::ALL.len()
        );
    }

    fn lock() -> std::io::Result<()> {
        Err(std::io::Error::other("lock is held"))
    }

    fn plain() -> Result<(), Failed> {
        Ok(lock()?)
    }

    #[test]
    fn an_error_without_a_code_is_a_failure() {
        assert_eq!(plain().unwrap_err().exit, Exit::Failure);
    }

    #[test]
    fn the_chain_is_one_line_from_the_outside_in() {
        let failed = lock()
            .context("open spool /s")
            .exit(Exit::SpoolInUse)
            .unwrap_err();
        assert_eq!(failed.to_string(), "open spool /s: lock is held");
        assert_eq!(failed.exit, Exit::SpoolInUse);
    }

    #[test]
    fn a_fault_has_the_exit_code_of_its_kind() {
        for (fault, exit) in [
            (Fault::not_found(""), Exit::StreamsMissing),
            (
                Fault::unavailable(DependencyId::Queue, ""),
                Exit::NatsUnreachable,
            ),
            (
                Fault::unavailable(DependencyId::Bucket("gs://b".into()), ""),
                Exit::BucketUnavailable,
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
    fn a_question_mark_keeps_the_code() {
        fn outer() -> Result<(), Failed> {
            lock().exit(Exit::SpoolInUse)?;
            Ok(())
        }
        assert_eq!(outer().unwrap_err().exit, Exit::SpoolInUse);
    }
}
