//! Sources over HTTP, from end to end.

use std::{fs, path::Path};

use crispy_testbed::{HttpFault, HttpServer, clips};

use crate::fixture::{Fixture, video};

/// `cam:S3CRET` as `Authorization` has it.
const CAM: HttpFault = HttpFault::RequireAuthorization("Basic Y2FtOlMzQ1JFVA==");

#[test]
fn an_http_file_is_uploaded_once_without_its_password() {
    let fixture = Fixture::new();
    fs::create_dir(fixture.path("shop")).unwrap();
    fs::copy(video::irregular(), fixture.path("shop/a.mp4")).unwrap();
    let server = HttpServer::serve(&fixture.path("shop"), &[("/a.mp4", CAM)]);
    let url = server.url_with("cam:S3CRET", "/a.mp4?token=T0KEN");
    let send = || fixture.up(&[("front", Path::new(&url))]).run().with_code(0);
    let (first, again) = (send(), send());
    let uploaded = first.output().count("uploaded");
    assert!(uploaded > 0, "{first}");
    assert_eq!(again.output().count("already_there"), uploaded, "{again}");
    let frames: Vec<String> = fixture
        .bucket()
        .one_run()
        .iter()
        .flat_map(|chunk| clips::frames_md5(&chunk.path))
        .collect();
    assert_eq!(frames, clips::frames_md5(&video::irregular()));
    let runs = [first, again];
    let lines = runs
        .iter()
        .flat_map(|exited| exited.stdout.iter().chain(&exited.stderr));
    for line in lines {
        assert!(
            !line.contains("S3CRET") && !line.contains("T0KEN"),
            "{line}"
        );
    }
    for path in crate::fixture::bucket::files_below(&fixture.path(".")) {
        let bytes = fs::read(&path).unwrap();
        let found = |secret: &[u8]| bytes.windows(secret.len()).any(|window| window == secret);
        assert!(!found(b"S3CRET") && !found(b"T0KEN"), "{}", path.display());
    }
}

#[test]
fn a_refusing_http_server_is_named_without_its_password() {
    let fixture = Fixture::new();
    fs::create_dir(fixture.path("shop")).unwrap();
    let server = HttpServer::serve(&fixture.path("shop"), &[]);
    let url = server.url_with("cam:S3CRET", "/a.mp4");
    let exited = fixture
        .up(&[("front", Path::new(&url))])
        .run()
        .with_code(20);
    assert!(!exited.stderr_with("answers 404").is_empty(), "{exited}");
    assert!(exited.stderr_with("S3CRET").is_empty(), "{exited}");
    fixture.nothing_is_left_behind();
}
