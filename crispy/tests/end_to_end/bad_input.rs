//! Mistakes with sources and names: each has an exit code and a message with a hint, and leaves
//! nothing behind.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crispy_testbed::clips;

use crate::fixture::{Fixture, video};

#[test]
fn a_missing_file() {
    let fixture = Fixture::new();
    refused(&fixture, &fixture.path("nothing.mp4"), 20, "check the path");
}

#[test]
fn a_folder_in_place_of_a_file() {
    let fixture = Fixture::new();
    refused(&fixture, &fixture.path("."), 26, "name a video file");
}

#[test]
fn files_that_are_no_video() {
    // Pseudo-random bytes, the same each time.
    let mut state = 1_u64;
    let next = |_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    };
    let random: Vec<u8> = (0..200_000).map(next).collect();
    for (bytes, code, hint) in [
        (b"".as_slice(), 21, "is empty"),
        (&random, 22, "ffprobe"),
        (b"Dear camera,\nhow are you?\n", 22, "ffprobe"),
    ] {
        let fixture = Fixture::new();
        let file = written(&fixture, "file.mp4", bytes);
        refused(&fixture, &file, code, hint);
    }
}

#[test]
fn an_mp4_cut_in_half_with_its_index_first_or_last() {
    let index_first = clips::h264(10.0).output("-movflags +faststart");
    for clip in [clips::h264(10.0), index_first] {
        let fixture = Fixture::new();
        let bytes = fs::read(clip.make()).unwrap();
        let half = written(&fixture, "half.mp4", &bytes[..bytes.len() / 2]);
        refused(&fixture, &half, 23, "copy it again");
    }
}

#[test]
fn audio_only() {
    let fixture = Fixture::new();
    let file = fixture.path("sound.m4a");
    let arguments = "-f lavfi -i sine=duration=2 -c:a aac".split(' ');
    let mut arguments: Vec<String> = arguments.map(Into::into).collect();
    arguments.push(file.display().to_string());
    clips::ffmpeg(&arguments);
    refused(&fixture, &file, 24, "only audio");
}

#[test]
fn one_bad_source_stops_all_recordings() {
    let fixture = Fixture::new();
    let garbage = written(&fixture, "garbage.mp4", &[7; 5000]);
    let exited = fixture
        .up(&[("front", &video::irregular()), ("yard", &garbage)])
        .run()
        .with_code(22);
    let named = exited.stderr_with("garbage.mp4");
    assert!(!named.is_empty(), "{exited}");
    fixture.nothing_is_left_behind();
}

/// MPEG-TS needs H.264 units with correct lengths; a wrong length shows when the chunk is written.
#[test]
fn a_chunk_refused_by_its_container_leaves_the_others_safe() {
    let fixture = Fixture::new();
    let whole = video::many(20);
    let mut bytes = fs::read(&whole).unwrap();
    let packet = video::packet_positions(&whole)[7 * 5 + 2]; // In the eighth second.
    bytes[packet..][..4].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff]);
    let file = written(&fixture, "damaged.mp4", &bytes);
    let exited = fixture
        .up(&[("front", &file)])
        .arguments(["--window", "1s", "--container", "ts"])
        .run()
        .with_code(27);
    let place = file.display().to_string();
    let is_reported = exited
        .stderr
        .iter()
        .any(|line| line.contains("write chunk of") && line.contains(&place));
    assert!(is_reported, "{exited}");
    assert_eq!(exited.output().chunks.len(), 7);
    let objects = fixture.bucket().files().into_iter();
    let chunks = objects.filter(|path| path.extension().is_some_and(|kind| kind == "ts"));
    assert_eq!(chunks.count(), 7);
    fixture.spool_is_empty();
    fixture.no_process_is_left();
    let [run] = &fixture.bucket().run_states()[..] else {
        panic!("one run");
    };
    assert_eq!(run["next_sequence"], 7, "{run}");
}

#[test]
fn a_wrong_camera_name() {
    let fixture = Fixture::new();
    fixture
        .up(&[("Front Door", &video::irregular())])
        .run()
        .with_code(10)
        .with_message(&["Front Door", "lower-case"]);
    fixture.nothing_is_left_behind();
}

#[test]
fn a_wrong_site() {
    let fixture = Fixture::new();
    fixture
        .up(&[("front", &video::irregular())])
        .replace_flag("--site", "a.b")
        .run()
        .with_code(10)
        .with_message(&["--site", "a.b", "lower-case"]);
    fixture.nothing_is_left_behind();
}

#[test]
fn two_cameras_of_one_name() {
    let fixture = Fixture::new();
    let clip = video::irregular();
    fixture
        .up(&[("front", &clip), ("front", &clip)])
        .run()
        .with_code(11)
        .with_message(&["front", "a name of its own"]);
    fixture.nothing_is_left_behind();
}

#[test]
fn no_camera_at_all() {
    let fixture = Fixture::new();
    let exited = fixture.up(&[]).run().with_code(2);
    assert!(!exited.stderr_with("--camera").is_empty(), "{exited}");
    fixture.nothing_is_left_behind();
}

#[track_caller]
fn refused(fixture: &Fixture, source: &Path, code: u8, advice: &str) {
    let exited = fixture.up(&[("front", source)]).run().with_code(code);
    let place = source.display().to_string();
    let is_reported = exited
        .stderr
        .iter()
        .any(|line| line.contains("front") && line.contains(&place) && line.contains(advice));
    assert!(
        is_reported,
        "no line with front, {place} and {advice:?}: {exited}"
    );
    fixture.nothing_is_left_behind();
}

fn written(fixture: &Fixture, name: &str, bytes: &[u8]) -> PathBuf {
    let path = fixture.path(name);
    fs::write(&path, bytes).unwrap();
    path
}
