//! The ingestor's binary. Everything else is in the library.

use std::process::ExitCode;

use crispy_runtime::{About, Role, Threads};

fn main() -> ExitCode {
    // An answer on a terminal is not a service's log.
    let role = match std::env::args().nth(1).as_deref() {
        Some("probe") => Role::Command,
        _ => Role::Daemon,
    };
    let about = About {
        name: "crispy-ingestor",
        version: env!("CARGO_PKG_VERSION"),
        role,
        threads: Threads::Few,
    };
    crispy_runtime::main::<crispy_ingestor::Config, _, _>(&about, crispy_ingestor::run)
}
