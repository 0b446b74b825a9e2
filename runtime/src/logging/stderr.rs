//! stderr, one write for each line, coordinated with progress bars.

use std::{
    io::{self, Write},
    sync::OnceLock,
};

use tracing_subscriber::fmt::MakeWriter;

/// Clears the terminal of progress bars, calls its argument, and draws them again.
type Suspend = dyn Fn(&mut dyn FnMut()) + Send + Sync;

static SUSPEND: OnceLock<Box<Suspend>> = OnceLock::new();

/// Writes each log line inside `suspend`, which clears the terminal of progress bars, calls its
/// argument, and draws them again (`indicatif::MultiProgress::suspend`). The first call in a
/// process counts.
pub fn set_suspend(suspend: impl Fn(&mut dyn FnMut()) + Send + Sync + 'static) {
    // A second call would mean two painters on one terminal: the first keeps it.
    drop(SUSPEND.set(Box::new(suspend)));
}

/// stderr, one write for each line.
pub(super) struct Stderr;

impl<'a> MakeWriter<'a> for Stderr {
    type Writer = Stderr;

    fn make_writer(&'a self) -> Stderr {
        Stderr
    }
}

impl Write for Stderr {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut written = Ok(0);
        let mut write = || written = io::stderr().write(line);
        match SUSPEND.get() {
            Some(suspend) => suspend(&mut write),
            None => write(),
        }
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
