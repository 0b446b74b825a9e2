//! `crispy-ingestor probe`: its report is what recording would do.
#![allow(clippy::unwrap_used)] // A test fails by panicking, its helpers too.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use crispy_testbed::{HttpFault, HttpServer, clips};
use serde_json::Value;

fn probe(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crispy-ingestor"));
    command.arg("probe").args(arguments).output().unwrap()
}

#[track_caller]
fn json(source: &str, arguments: &[&str]) -> Value {
    let output = probe(&[&[source, "-o", "json"], arguments].concat());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn probe_file(path: &Path, arguments: &[&str]) -> Value {
    json(path.to_str().unwrap(), arguments)
}

fn warnings(report: &Value) -> Vec<&str> {
    let all = report["warnings"].as_array().unwrap();
    assert!(
        all.iter()
            .all(|one| !one["advice"].as_str().unwrap().is_empty())
    );
    all.iter()
        .map(|one| one["code"].as_str().unwrap())
        .collect()
}

#[test]
fn an_ordinary_file_has_no_warnings() {
    let clip = clips::h264(8.0)
        .output("-metadata creation_time=2026-03-01T12:00:00Z")
        .make();
    let report = probe_file(&clip, &["--window", "2s"]);
    let video = &report["video"];
    assert_eq!(
        (video["codec"].as_str(), video["width"].as_u64()),
        (Some("h264"), Some(320))
    );
    assert!(video["codec_string"].as_str().unwrap().starts_with("avc1."));
    assert_eq!(report["frames"]["count"], 200);
    assert_eq!(report["frames"]["measured_rate"], 25.0);
    assert_eq!(report["frames"]["variable"], false);
    assert_eq!(report["groups"]["kind"], "closed");
    assert_eq!(report["groups"]["frames"]["median"], 25);
    assert_eq!(report["clock"]["start"], "2026-03-01T12:00:00Z");
    assert_eq!(report["clock"]["origin"], "file_creation");
    assert_eq!(
        (&report["cut"]["chunks"], &report["cut"]["container"]),
        (&4.into(), &"mp4".into())
    );
    assert_eq!(report["cut"]["seconds"]["max"], 2.0);
    assert_eq!(report["read"]["whole"], true);
    assert_eq!(warnings(&report), [""; 0]);
}

#[test]
fn open_and_long_groups_are_warnings() {
    let encoder = "-c:v libx264 -preset veryfast -bf 3 -x264-params open-gop=1:keyint=50:min-keyint=50:scenecut=0";
    let open = probe_file(&clips::h264(12.0).encoder(encoder).make(), &[]);
    assert_eq!(open["groups"]["kind"], "open");
    assert!(warnings(&open).contains(&"open_groups"), "{open}");
    let encoder = "-c:v libx264 -preset ultrafast -g 1000 -x264-params scenecut=0";
    let long = probe_file(&clips::h264(12.0).encoder(encoder).make(), &[]);
    assert!(warnings(&long).contains(&"long_groups"), "{long}");
    assert_eq!(long["cut"]["chunks"], 1);
}

#[test]
fn variable_frame_rates_and_dropped_audio_are_warnings() {
    let clip = clips::h264(8.0).container("mkv").with_audio();
    let varying = clip
        .output("-vf select='not(mod(n,3))+not(mod(n,7))' -fps_mode passthrough")
        .make();
    let report = probe_file(&varying, &[]);
    assert_eq!(report["frames"]["variable"], true);
    assert_eq!(report["audio"][0], "aac");
    let codes = warnings(&report);
    assert!(
        codes.contains(&"variable_frame_rate") && codes.contains(&"audio_dropped"),
        "{codes:?}"
    );
    assert!(!warnings(&probe_file(&varying, &["--audio", "keep"])).contains(&"audio_dropped"));
}

#[test]
fn a_start_inside_a_group_and_a_step_are_warnings() {
    let folder = tempfile::tempdir().unwrap();
    let stream = fs::read(clips::h264(8.0).container("ts").make()).unwrap();
    let middle = (stream.len() / 3).next_multiple_of(188);
    let joined = folder.path().join("joined.ts");
    // From the middle to the end, and from the beginning again.
    fs::write(&joined, [&stream[middle..], &stream[..]].concat()).unwrap();
    let report = probe_file(&joined, &["--window", "1s"]);
    let codes = warnings(&report);
    assert!(
        codes.contains(&"starts_without_key") && codes.contains(&"time_steps"),
        "{codes:?}"
    );
}

#[test]
fn video_that_browsers_do_not_play_is_a_warning() {
    let clip = clips::h264(2.0)
        .encoder("-c:v mjpeg")
        .container("avi")
        .make();
    let report = probe_file(&clip, &[]);
    assert!(warnings(&report).contains(&"not_for_browsers"), "{report}");
}

#[test]
fn bad_sources_have_the_exit_code_of_recording() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let whole = fs::read(clips::h264(8.0).make()).unwrap();
    for (source, code, expected) in [
        (file("none.mp4", &[]), 21, "is empty"),
        (file("garbage.mp4", &[7; 5000]), 22, "not a video"),
        (file("half.mp4", &whole[..whole.len() / 2]), 23, "cut short"),
        (
            folder.path().join("missing.mp4").display().to_string(),
            20,
            "check the path",
        ),
        ("rtsp://cam/main".to_owned(), 13, "later one"),
    ] {
        let output = probe(&[&source]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        let as_expected = stderr.starts_with("error: ") && stderr.contains(expected);
        assert!(as_expected, "{stderr}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_minute_of_a_url_is_read_and_no_password_shown() {
    let folder = tempfile::tempdir().unwrap();
    let clip = clips::h264(70.0).size(160, 90).frame_rate("5").make();
    fs::copy(&clip, folder.path().join("a.mp4")).unwrap();
    let server = HttpServer::serve(folder.path(), &[]);
    let url = server.url_with("cam:S3CRET", "/a.mp4?token=T0KEN");
    let report = json(&url, &[]);
    assert_eq!(report["read"]["whole"], false);
    assert_eq!(report["read"]["limit_seconds"], 60.0);
    assert!(!report.to_string().contains("S3CRET") && !report.to_string().contains("T0KEN"));
    assert_eq!(json(&url, &["--limit", "none"])["read"]["whole"], true);
    let table = probe(&[&url]);
    let table = String::from_utf8_lossy(&table.stdout);
    assert!(
        table.contains("--limit 60s") && !table.contains("S3CRET"),
        "{table}"
    );
}

#[test]
fn a_report_before_a_broken_server_has_its_failure() {
    let folder = tempfile::tempdir().unwrap();
    let clip = clips::camera(8.0).container("ts").make();
    fs::copy(&clip, folder.path().join("a.ts")).unwrap();
    let faults = [
        ("/a.ts", HttpFault::NoRange),
        ("/a.ts", HttpFault::BreakAfter(2_000_000)),
    ];
    let server = HttpServer::serve(folder.path(), &faults);
    let output = probe(&[&server.url("/a.ts"), "-o", "json"]);
    assert_eq!(output.status.code(), Some(26));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(warnings(&report).contains(&"unreadable"), "{report}");
    let failure = report["read"]["failure"].as_str().unwrap();
    assert!(
        failure.contains("the connection ended after 2000000 bytes"),
        "{failure}"
    );
    assert!(report["frames"]["count"].as_u64().unwrap() > 0);
}
