//! The one table of exit codes. `docs/exit-codes.md` shows it to users; a test holds the page against it.

use std::process::ExitCode;

/// Makes the enum, its list and its lookups from one table, so that a row cannot be half there.
macro_rules! exits {
    ($($name:ident = $code:literal, $meaning:literal, $advice:literal;)+) => {
        /// How a program of the house ends.
        ///
        /// Each row has its own code and no code has two meanings, in any program: what starts a process can tell
        /// from the number alone what went wrong. Codes are only ever added.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Exit {
            $(#[doc = concat!($meaning, ".")] $name = $code,)+
        }

        impl Exit {
            /// Every row, in the order of the codes.
            pub const ALL: &[Exit] = &[$(Exit::$name,)+];

            /// What it means, as a phrase: `two cameras of one name`.
            pub fn meaning(self) -> &'static str {
                match self { $(Exit::$name => $meaning,)+ }
            }

            /// What to do next, as a phrase.
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
    SourceCutShort = 23, "the source is a file that was cut short", "copy or record it again; it is refused before its first chunk, so none of it was kept";
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
    NatsRefused = 45, "the NATS server refused the credentials", "check credentials and permissions";
    JaegerMissing = 46, "no Jaeger runs on this machine", "start one, or use `--jaeger=running` or `--otlp-endpoint`";
    JaegerUnreachable = 47, "Jaeger does not answer", "check its address (`--jaeger-url`), and that it runs";
    ChildDies = 50, "a child process keeps dying", "read its last log lines";
    Disagreement = 51, "a chunk disagrees with its descriptor", "read the inspector's warning: it names chunk and field";
    DeadLetters = 52, "work ended in dead letters", "look at them, and replay them once the reason is mended";
    RunIncomplete = 53, "a run did not complete", "start the same command again: it goes on where this one ended";
    NeedsAttention = 54, "the system needs somebody's attention", "read what `crispy status` lists below its tables";
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

    /// The row of a code, as for a child process that has ended. `None` for a code that no program of ours uses.
    pub fn from_code(code: u8) -> Option<Exit> {
        Exit::ALL.iter().copied().find(|exit| exit.code() == code)
    }

    /// The table as Markdown, as `docs/exit-codes.md` shows it.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_the_table() {
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
    fn codes_rise_and_so_none_is_there_twice() {
        assert!(Exit::ALL.is_sorted_by(|a, b| a.code() < b.code()));
    }

    #[test]
    fn each_code_leads_back_to_its_row_and_no_other_code_to_any() {
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
}
