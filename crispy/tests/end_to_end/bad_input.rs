//! Sources and names that cannot be used: each has its own exit code, a message that says what, where and what next, and leaves nothing.

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
fn an_empty_file() {
    let fixture = Fixture::new();
    let file = written(&fixture, "empty.mp4", b"");
    refused(&fixture, &file, 21, "is empty");
}

#[test]
fn a_folder_in_place_of_a_file() {
    let fixture = Fixture::new();
    refused(&fixture, &fixture.path("."), 26, "name a video file");
}

#[test]
fn garbage() {
    let fixture = Fixture::new();
    // As random as it gets, and the same each time.
    let mut state = 1_u64;
    let bytes: Vec<u8> = (0..200_000)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 56) as u8
        })
        .collect();
    let file = written(&fixture, "garbage.mp4", &bytes);
    refused(&fixture, &file, 22, "ffprobe");
}

#[test]
fn text() {
    let fixture = Fixture::new();
    let file = written(&fixture, "letter.mp4", b"Dear camera,\nhow are you?\n");
    refused(&fixture, &file, 22, "ffprobe");
}

#[test]
fn an_mp4_cut_in_half_with_its_index_at_the_end() {
    let fixture = Fixture::new();
    let file = half_of(&fixture, &clips::h264(10.0).make());
    refused(&fixture, &file, 23, "copy it again");
}

#[test]
fn an_mp4_cut_in_half_with_its_index_first() {
    let fixture = Fixture::new();
    let whole = clips::h264(10.0).output("-movflags +faststart").make();
    refused(&fixture, &half_of(&fixture, &whole), 23, "copy it again");
}

#[test]
fn sound_alone() {
    let fixture = Fixture::new();
    let file = fixture.path("sound.m4a");
    let mut arguments: Vec<String> = "-f lavfi -i sine=duration=2 -c:a aac"
        .split(' ')
        .map(Into::into)
        .collect();
    arguments.push(file.display().to_string());
    clips::ffmpeg(&arguments);
    refused(&fixture, &file, 24, "only audio");
}

#[test]
fn one_bad_source_stops_all_recordings() {
    let fixture = Fixture::new();
    let garbage = written(&fixture, "garbage.mp4", &[7; 5000]);
    let ended = fixture
        .up(&[("front", &video::irregular()), ("yard", &garbage)])
        .run()
        .with_code(22);
    let named = ended.stderr_with("garbage.mp4");
    assert!(!named.is_empty(), "{ended}");
    fixture.nothing_is_left_behind();
}

/// MPEG-TS takes H.264 whose units have their right lengths in front; that one has not shows when its chunk is written.
#[test]
fn a_chunk_refused_by_its_container_leaves_the_others_safe() {
    let fixture = Fixture::new();
    let whole = video::many(20);
    let mut bytes = fs::read(&whole).unwrap();
    let packet = video::packet_positions(&whole)[7 * 5 + 2]; // in the eighth second
    bytes[packet..][..4].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff]);
    let file = written(&fixture, "damaged.mp4", &bytes);
    let ended = fixture
        .up(&[("front", &file)])
        .arguments(["--window", "1s", "--container", "ts"])
        .run()
        .with_code(27);
    let place = file.display().to_string();
    let told = ended
        .stderr
        .iter()
        .any(|line| line.contains("write a chunk of") && line.contains(&place));
    assert!(told, "{ended}");
    assert_eq!(ended.output().chunks.len(), 7);
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
    let ended = fixture.up(&[]).run().with_code(2);
    assert!(!ended.stderr_with("--camera").is_empty(), "{ended}");
    fixture.nothing_is_left_behind();
}

#[track_caller]
fn refused(fixture: &Fixture, source: &Path, code: u8, advice: &str) {
    let ended = fixture.up(&[("front", source)]).run().with_code(code);
    let place = source.display().to_string();
    let told = ended
        .stderr
        .iter()
        .any(|line| line.contains("front") && line.contains(&place) && line.contains(advice));
    assert!(told, "no line with front, {place} and {advice:?}: {ended}");
    fixture.nothing_is_left_behind();
}

fn written(fixture: &Fixture, name: &str, bytes: &[u8]) -> PathBuf {
    let path = fixture.path(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn half_of(fixture: &Fixture, file: &Path) -> PathBuf {
    let bytes = fs::read(file).unwrap();
    written(fixture, "half.mp4", &bytes[..bytes.len() / 2])
}
