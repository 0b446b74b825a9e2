//! Sets a `cfg` for the FFmpeg version of the build: fields move between structures across
//! versions.
#![allow(clippy::print_stdout)] // A build script talks to cargo on stdout.

/// The versions that the code tests for, by the names that the bindings announce.
const VERSIONS: [&str; 1] = ["ffmpeg_6_1"];

fn main() {
    for version in VERSIONS {
        println!("cargo:rustc-check-cfg=cfg({version})");
        let announced = format!("DEP_FFMPEG_{}", version.to_uppercase());
        if std::env::var(announced).is_ok_and(|value| value == "true") {
            println!("cargo:rustc-cfg={version}");
        }
    }
}
