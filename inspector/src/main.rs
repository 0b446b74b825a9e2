//! The inspector's doorbell: everything is in the library.

use std::process::ExitCode;

use daemon::{About, Role, Threads};

fn main() -> ExitCode {
    let about = About {
        name: "crispy-inspector",
        version: env!("CARGO_PKG_VERSION"),
        role: Role::Daemon,
        threads: Threads::Few,
    };
    daemon::main::<inspector::Config, _, _>(&about, inspector::run)
}
