//! The uploader's doorbell: everything is in the library.

use std::process::ExitCode;

use daemon::{About, Role, Threads};

fn main() -> ExitCode {
    let about = About {
        name: "crispy-uploader",
        version: env!("CARGO_PKG_VERSION"),
        role: Role::Daemon,
        threads: Threads::Few,
    };
    daemon::main::<uploader::Config, _, _>(&about, uploader::run)
}
