//! `crispy-ingestor probe`: what it says of a source is what recording it would do.
#![allow(clippy::unwrap_used)] // what only tests call is test code too

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
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn of(path: &Path, arguments: &[&str]) -> Value {
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
fn an_ordinary_file_is_described_and_nothing_is_to_look_out_for() {
    let clip = clips::h264(8.0)
        .output("-metadata creation_time=2026-03-01T12:00:00Z")
        .make();
    let report = of(&clip, &["--window", "2s"]);
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
fn open_groups_and_long_ones_are_told_with_what_to_do() {
    let encoder = "-c:v libx264 -preset veryfast -bf 3 -x264-params open-gop=1:keyint=50:min-keyint=50:scenecut=0";
    let open = of(&clips::h264(12.0).encoder(encoder).make(), &[]);
    assert_eq!(open["groups"]["kind"], "open");
    assert!(warnings(&open).contains(&"open_groups"), "{open}");
    let encoder = "-c:v libx264 -preset ultrafast -g 1000 -x264-params scenecut=0";
    let long = of(&clips::h264(12.0).encoder(encoder).make(), &[]);
    assert!(warnings(&long).contains(&"long_groups"), "{long}");
    assert_eq!(long["cut"]["chunks"], 1);
}

#[test]
fn frames_at_varying_times_and_dropped_sound_are_told() {
    let clip = clips::h264(8.0).container("mkv").with_audio();
    let varying = clip
        .output("-vf select='not(mod(n,3))+not(mod(n,7))' -fps_mode passthrough")
        .make();
    let report = of(&varying, &[]);
    assert_eq!(report["frames"]["variable"], true);
    assert_eq!(report["audio"][0], "aac");
    let told = warnings(&report);
    assert!(
        told.contains(&"variable_frame_rate") && told.contains(&"audio_dropped"),
        "{told:?}"
    );
    assert!(!warnings(&of(&varying, &["--audio", "keep"])).contains(&"audio_dropped"));
}

#[test]
fn a_start_in_the_middle_of_a_group_and_a_step_in_time_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let stream = fs::read(clips::h264(8.0).container("ts").make()).unwrap();
    let middle = (stream.len() / 3).next_multiple_of(188);
    let joined = folder.path().join("joined.ts");
    // from the middle to the end, and from the beginning again
    fs::write(&joined, [&stream[middle..], &stream[..]].concat()).unwrap();
    let report = of(&joined, &["--window", "1s"]);
    let told = warnings(&report);
    assert!(
        told.contains(&"starts_without_key") && told.contains(&"time_steps"),
        "{told:?}"
    );
}

#[test]
fn video_that_browsers_do_not_play_is_told() {
    let clip = clips::h264(2.0)
        .encoder("-c:v mjpeg")
        .container("avi")
        .make();
    let report = of(&clip, &[]);
    assert!(warnings(&report).contains(&"not_for_browsers"), "{report}");
}

#[test]
fn what_cannot_be_recorded_fails_with_the_code_of_recording_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let whole = fs::read(clips::h264(8.0).make()).unwrap();
    for (source, code, said) in [
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
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{told}");
        assert!(told.starts_with("error: ") && told.contains(said), "{told}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn of_a_url_a_minute_is_read_unless_somebody_says_otherwise_and_no_password_is_shown() {
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
fn what_was_read_before_a_server_died_is_told_with_the_failure() {
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
    let said = report["read"]["failure"].as_str().unwrap();
    assert!(
        said.contains("broke off after 2000000 bytes"),
        "the cause is told: {said}"
    );
    assert!(report["frames"]["count"].as_u64().unwrap() > 0);
}
