//! Tells the code which FFmpeg it is built against: fields move between structures from one version to the next.
#![allow(clippy::print_stdout)] // that is how a build script speaks

/// The versions that the code asks about, by the names under which the bindings announce them.
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
