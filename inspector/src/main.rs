//! The inspector program: the library holds everything.

use std::process::ExitCode;

use crispy_runtime::{About, Role, Threads};

fn main() -> ExitCode {
    let about = About {
        name: "crispy-inspector",
        version: env!("CARGO_PKG_VERSION"),
        role: Role::Daemon,
        threads: Threads::Few,
    };
    crispy_runtime::main::<crispy_inspector::Config, _, _>(&about, crispy_inspector::run)
}
