//! Promises of folder buckets only: readable files, and tolerance of failing disks.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use crispy_bucket::{Bucket, Lookup, Metadata, OpenError, Put};
use crispy_checksum::Checksums;
use crispy_fault::Fault;
use tempfile::TempDir;

/// The kind of a failure; `ok` without one.
fn kind<T>(result: &Result<T, Fault>) -> &'static str {
    let fault = result.as_ref().err();
    fault.map_or("ok", |fault| fault.kind().as_str())
}

fn bucket() -> (TempDir, Bucket, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("bucket");
    let bucket = Bucket::open(&format!("file://{}", root.display())).unwrap();
    (dir, bucket, root)
}

async fn put(bucket: &Bucket, key: &str, bytes: &'static [u8]) -> Result<Put, Fault> {
    let sums = Checksums::new(bytes);
    bucket
        .put_once(key, bytes.into(), &sums, &Metadata::new())
        .await
}

fn sidecar(object: &Path, bytes: &[u8]) -> PathBuf {
    let name = object.file_name().unwrap().to_str().unwrap();
    object.with_file_name(format!(
        ".{name}.{}.json",
        Checksums::new(bytes).sha256_hex()
    ))
}

#[tokio::test]
async fn an_object_is_a_file_and_its_metadata_a_hidden_one() {
    let (_dir, bucket, root) = bucket();
    let mut metadata = Metadata::new();
    metadata.insert("camera", "front door, 🎥").unwrap();
    let (bytes, sums) = (Bytes::from("bytes"), Checksums::new(b"bytes"));
    let _ = bucket
        .put_once("a/b.mp4", bytes, &sums, &metadata)
        .await
        .unwrap();
    assert_eq!(fs::read(root.join("a/b.mp4")).unwrap(), b"bytes");
    let json = fs::read_to_string(sidecar(&root.join("a/b.mp4"), b"bytes")).unwrap();
    let expected = format!(
        "{{\n  \"camera\": \"front door, 🎥\",\n  \"crc32c\": \"{}\",\n  \"sha256\": \"{}\"\n}}\n",
        sums.crc32c_hex(),
        sums.sha256_hex()
    );
    assert_eq!(json, expected);
    assert_eq!(
        fs::read_dir(root.join("a")).unwrap().count(),
        2,
        "there are other files"
    );
}

#[tokio::test]
async fn the_media_link_leads_to_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("a #1 (100%) ü");
    let url = url::Url::from_file_path(&root).unwrap();
    let bucket = Bucket::open(url.as_str()).unwrap();
    let _ = put(&bucket, "v1/x.mp4", b"bytes").await.unwrap();
    let link: url::Url = bucket.media_link("v1/x.mp4", "").parse().unwrap();
    assert_eq!(fs::read(link.to_file_path().unwrap()).unwrap(), b"bytes");
    assert_eq!(bucket.folder(), Some(root.as_path()));
}

#[tokio::test]
async fn leftovers_of_a_killed_writer_change_nothing() {
    let (_dir, bucket, root) = bucket();
    let object = root.join("a/b");
    fs::create_dir_all(root.join("a")).unwrap();
    // A draft of a file system without nameless files, the metadata of a writer that never came to
    // its bytes, and of one that lost.
    fs::write(root.join("a/.draft-0123456789abcdef"), "half").unwrap();
    fs::write(
        sidecar(&object, b"mine"),
        "{\"from\": \"the first attempt\"}",
    )
    .unwrap();
    fs::write(sidecar(&object, b"lost"), "{\"from\": \"another\"}").unwrap();

    assert!(matches!(
        put(&bucket, "a/b", b"mine").await,
        Ok(Put::Stored { .. })
    ));
    let head = bucket.head("a/b").await.unwrap();
    assert_eq!(head.metadata.get("from"), Some("the first attempt"));
    let listed = bucket.list("").await.unwrap();
    assert_eq!(listed.len(), 1);
    // Metadata of the same size of bytes is no proof of them.
    let lost = bucket
        .lookup("a/b", 4, &Checksums::new(b"lost").sha256)
        .await
        .unwrap();
    assert!(matches!(lost, Lookup::Foreign(_)), "{lost:?}");
}

#[tokio::test]
async fn a_copied_object_is_known_by_its_bytes() {
    let (_dir, bucket, root) = bucket();
    fs::write(root.join("copied"), "bytes").unwrap();
    assert!(matches!(
        put(&bucket, "copied", b"bytes").await,
        Ok(Put::AlreadyMine { .. })
    ));
    assert!(matches!(
        put(&bucket, "copied", b"other").await,
        Ok(Put::Foreign(_))
    ));
    let sums = Checksums::new(b"bytes");
    let metadata = bucket.head("copied").await.unwrap().metadata;
    assert_eq!(metadata.get("sha256"), Some(sums.sha256_hex().as_str()));
}

#[tokio::test]
async fn a_damaged_object_is_foreign_despite_its_metadata() {
    let (_dir, bucket, root) = bucket();
    let _ = put(&bucket, "a/b", b"bytes").await.unwrap();
    fs::write(root.join("a/b"), "bytez").unwrap();
    let found = bucket
        .lookup("a/b", 5, &Checksums::new(b"bytes").sha256)
        .await
        .unwrap();
    assert!(matches!(found, Lookup::Foreign(_)), "{found:?}");
}

#[tokio::test]
async fn removed_folders_are_created_again() {
    let (_dir, bucket, root) = bucket();
    let _ = put(&bucket, "a/b/c", b"first").await.unwrap();
    fs::remove_dir_all(root.join("a")).unwrap();
    assert!(matches!(
        put(&bucket, "a/b/d", b"second").await,
        Ok(Put::Stored { .. })
    ));
}

/// An unmounted disk must be an outage, never a bucket without objects.
#[tokio::test]
async fn a_bucket_without_its_folder_is_unavailable() {
    let (_dir, bucket, root) = bucket();
    let _ = put(&bucket, "a/b", b"bytes").await.unwrap();
    fs::rename(&root, root.with_extension("unmounted")).unwrap();
    for _ in 0..2 {
        let stored = put(&bucket, "a/b", b"bytes").await;
        assert!(kind(&stored) == "unavailable", "{stored:?}");
        let found = bucket.lookup("a/b", 5, &[0; 32]).await;
        assert!(kind(&found) == "unavailable", "{found:?}");
        let head = bucket.head("a/b").await;
        assert!(kind(&head) == "unavailable", "{head:?}");
        let range = bucket.get_range("a/b", 0..1).await;
        assert!(kind(&range) == "unavailable", "{range:?}");
        assert!(kind(&bucket.list("").await) == "unavailable");
        assert!(kind(&bucket.check_writable(5).await) == "unavailable");
    }
    assert!(
        !root.exists(),
        "the folder was made again, on the wrong disk"
    );
    fs::rename(root.with_extension("unmounted"), &root).unwrap();
    assert!(matches!(
        put(&bucket, "a/b", b"bytes").await,
        Ok(Put::AlreadyMine { .. })
    ));
}

#[tokio::test]
async fn a_file_in_place_of_a_folder_concerns_only_its_keys() {
    let (_dir, bucket, root) = bucket();
    fs::write(root.join("front"), "a file").unwrap();
    let stored = put(&bucket, "front/x", b"bytes").await;
    assert!(kind(&stored) == "rejected", "{stored:?}");
    fs::create_dir(root.join("taken")).unwrap();
    let stored = put(&bucket, "taken", b"bytes").await;
    assert!(kind(&stored) == "rejected", "{stored:?}");
    assert!(matches!(
        put(&bucket, "yard/x", b"bytes").await,
        Ok(Put::Stored { .. })
    ));
}

/// A file in the folder's place stops every user; permission bits do not stop root, which may run
/// the tests.
#[test]
fn an_unwritable_folder_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    let url = format!("file://{}/file/bucket", dir.path().display());
    let refused = Bucket::open(&url).unwrap_err();
    assert!(
        matches!(refused, OpenError::NotWritable { .. }),
        "{refused:?}"
    );
    assert_eq!(
        refused.to_string(),
        format!("bucket {url} cannot be written")
    );
}

/// On a file system that does not keep the order of names a power cut can take one and leave the
/// other.
#[tokio::test]
async fn the_next_put_restores_names_lost_in_a_power_cut() {
    let (_dir, bucket, root) = bucket();
    let object = root.join("a/b");
    let _ = put(&bucket, "a/b", b"bytes").await.unwrap();
    let whole = bucket.head("a/b").await.unwrap();
    fs::remove_file(sidecar(&object, b"bytes")).unwrap();
    assert!(matches!(
        put(&bucket, "a/b", b"bytes").await,
        Ok(Put::AlreadyMine { .. })
    ));
    assert_eq!(bucket.head("a/b").await.unwrap(), whole);
    fs::remove_file(&object).unwrap();
    assert!(matches!(
        put(&bucket, "a/b", b"bytes").await,
        Ok(Put::Stored { .. })
    ));
    assert_eq!(bucket.head("a/b").await.unwrap(), whole);
}

/// Traces the system calls of a put, by this test in another process: unnamed files are synced,
/// then named; folders are synced last.
#[test]
fn bytes_metadata_and_their_names_are_synced_before_a_put_answers() {
    if let Ok(root) = std::env::var("CRISPY_PUT_INTO") {
        return put_between_marks(Path::new(&root));
    }
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("calls");
    let claim = "bytes_metadata_and_their_names_are_synced_before_a_put_answers";
    let watched = std::process::Command::new("strace")
        .args([
            "-f",
            "-y",
            "-qq",
            "-e",
            "trace=fsync,fdatasync,linkat,link,mkdir",
            "-o",
        ])
        .arg(&log)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", claim])
        .env("CRISPY_PUT_INTO", dir.path())
        .output()
        .expect("run strace: make setup installs it");
    assert!(watched.status.success(), "{watched:?}");
    let calls = fs::read_to_string(&log).unwrap();
    let calls: Vec<&str> = calls
        .lines()
        .filter_map(|line| name_of(line, dir.path()))
        .collect();
    let put = calls.split(|call| *call == "mark").nth(1).unwrap();
    let expected = [
        "make folder",
        "sync root",
        "sync bytes",
        "name metadata",
        "sync bytes",
        "name object",
        "sync folder",
    ];
    assert_eq!(put, expected, "{calls:?}");
}

fn put_between_marks(dir: &Path) {
    let bucket = Bucket::open(&format!("file://{}/root", dir.display())).unwrap();
    fs::create_dir(dir.join("mark-1")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let stored = runtime.block_on(put(&bucket, "folder/object", b"bytes"));
    fs::create_dir(dir.join("mark-2")).unwrap();
    assert!(matches!(stored, Ok(Put::Stored { .. })));
}

/// The meaning of a system call.
fn name_of(line: &str, dir: &Path) -> Option<&'static str> {
    let root = dir.join("root").display().to_string();
    let is = |call: &str| line.contains(&format!(" {call}("));
    let named = |name: String| line.contains(&name);
    Some(match () {
        () if is("mkdir") && named("/mark-".into()) => "mark",
        () if is("mkdir") => "make folder",
        () if is("fsync") && named(format!("<{root}>")) => "sync root",
        () if is("fsync") && named(format!("<{root}/folder>")) => "sync folder",
        () if is("fdatasync") => "sync bytes",
        () if (is("link") || is("linkat")) && named("/.object.".into()) => "name metadata",
        () if is("link") || is("linkat") => "name object",
        () => return None,
    })
}
