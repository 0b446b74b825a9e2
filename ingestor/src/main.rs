//! The ingestor's doorbell: everything is in the library.

use std::process::ExitCode;

use daemon::{About, Role, Threads};

fn main() -> ExitCode {
    let about = About {
        name: "crispy-ingestor",
        version: env!("CARGO_PKG_VERSION"),
        role: Role::Daemon,
        threads: Threads::Few,
    };
    daemon::main::<ingestor::Config, _, _>(&about, ingestor::run)
}
