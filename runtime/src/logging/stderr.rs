//! stderr, one write a line, and what has to step aside for one.

use std::io::{self, Write};
use std::sync::OnceLock;

use tracing_subscriber::fmt::MakeWriter;

/// Shows something on the terminal that has to step aside for a log line: runs the closure while it does.
type StepAside = dyn Fn(&mut dyn FnMut()) + Send + Sync;

static STEP_ASIDE: OnceLock<Box<StepAside>> = OnceLock::new();

/// Has each log line written inside `around`: a progress bar takes itself off the terminal, calls its argument, and
/// draws itself again (`indicatif::MultiProgress::suspend`). The first call in a process counts.
pub fn step_aside(around: impl Fn(&mut dyn FnMut()) + Send + Sync + 'static) {
    // A second one would mean two painters on one terminal: the first keeps it.
    drop(STEP_ASIDE.set(Box::new(around)));
}

/// stderr, one write a line.
pub(crate) struct Lines;

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Lines;

    fn make_writer(&'a self) -> Lines {
        Lines
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut written = Ok(0);
        let mut write = || written = io::stderr().write(line);
        match STEP_ASIDE.get() {
            Some(around) => around(&mut write),
            None => write(),
        }
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
