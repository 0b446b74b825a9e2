//! The uploader program: the library holds everything.

use std::process::ExitCode;

use crispy_runtime::{About, Role, Threads};

fn main() -> ExitCode {
    let about = About {
        name: "crispy-uploader",
        version: env!("CARGO_PKG_VERSION"),
        role: Role::Daemon,
        threads: Threads::Few,
    };
    crispy_runtime::main::<crispy_uploader::Config, _, _>(&about, crispy_uploader::run)
}
