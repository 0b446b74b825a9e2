//! Sources and names that cannot be used: each has its own exit code, a message that says what, where and what next, and leaves nothing.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crispy_testbed::clips;

use crate::house::{House, video};

#[test]
fn a_missing_file() {
    let house = House::new();
    refused(&house, &house.path("nothing.mp4"), 20, "check the path");
}

#[test]
fn an_empty_file() {
    let house = House::new();
    let file = written(&house, "empty.mp4", b"");
    refused(&house, &file, 21, "is empty");
}

#[test]
fn a_folder_in_place_of_a_file() {
    let house = House::new();
    refused(&house, &house.path("."), 26, "name a video file");
}

#[test]
fn garbage() {
    let house = House::new();
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
    let file = written(&house, "garbage.mp4", &bytes);
    refused(&house, &file, 22, "ffprobe");
}

#[test]
fn text() {
    let house = House::new();
    let file = written(&house, "letter.mp4", b"Dear camera,\nhow are you?\n");
    refused(&house, &file, 22, "ffprobe");
}

#[test]
fn an_mp4_cut_in_half_with_its_index_at_the_end() {
    let house = House::new();
    let file = half_of(&house, &clips::h264(10.0).make());
    refused(&house, &file, 23, "copy it again");
}

#[test]
fn an_mp4_cut_in_half_with_its_index_first() {
    let house = House::new();
    let whole = clips::h264(10.0).output("-movflags +faststart").make();
    refused(&house, &half_of(&house, &whole), 23, "copy it again");
}

#[test]
fn sound_alone() {
    let house = House::new();
    let file = house.path("sound.m4a");
    let mut arguments: Vec<String> = "-f lavfi -i sine=duration=2 -c:a aac"
        .split(' ')
        .map(Into::into)
        .collect();
    arguments.push(file.display().to_string());
    clips::ffmpeg(&arguments);
    refused(&house, &file, 24, "only sound");
}

#[test]
fn one_bad_source_among_good_ones_records_none() {
    let house = House::new();
    let garbage = written(&house, "garbage.mp4", &[7; 5000]);
    let ended = house
        .up(&[("front", &video::irregular()), ("yard", &garbage)])
        .run()
        .with_code(22);
    let named = ended.stderr_with("garbage.mp4");
    assert!(!named.is_empty(), "{ended}");
    house.nothing_is_half_done();
}

/// MPEG-TS takes H.264 whose units have their right lengths in front; that one has not shows when its chunk is written.
#[test]
fn of_a_chunk_that_the_container_refuses_nothing_is_left_and_what_came_before_is_safe() {
    let house = House::new();
    let whole = video::many(20);
    let mut bytes = fs::read(&whole).unwrap();
    let packet = video::packet_positions(&whole)[7 * 5 + 2]; // in the eighth second
    bytes[packet..][..4].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff]);
    let file = written(&house, "damaged.mp4", &bytes);
    let ended = house
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
    assert_eq!(ended.answers().chunks.len(), 7);
    let objects = house.bucket().files().into_iter();
    let chunks = objects.filter(|path| path.extension().is_some_and(|kind| kind == "ts"));
    assert_eq!(chunks.count(), 7);
    house.no_chunk_is_in_the_spool();
    house.nobody_is_left();
    let [run] = &house.bucket().run_states()[..] else {
        panic!("one run");
    };
    assert_eq!(run["next_sequence"], 7, "{run}");
}

#[test]
fn a_wrong_camera_name() {
    let house = House::new();
    house
        .up(&[("Front Door", &video::irregular())])
        .run()
        .with_code(10)
        .saying(&["Front Door", "lower-case"]);
    house.nothing_is_half_done();
}

#[test]
fn a_wrong_site() {
    let house = House::new();
    house
        .up(&[("front", &video::irregular())])
        .instead("--site", "a.b")
        .run()
        .with_code(10)
        .saying(&["--site", "a.b", "lower-case"]);
    house.nothing_is_half_done();
}

#[test]
fn two_cameras_of_one_name() {
    let house = House::new();
    let clip = video::irregular();
    house
        .up(&[("front", &clip), ("front", &clip)])
        .run()
        .with_code(11)
        .saying(&["front", "a name of its own"]);
    house.nothing_is_half_done();
}

#[test]
fn no_camera_at_all() {
    let house = House::new();
    let ended = house.up(&[]).run().with_code(2);
    assert!(!ended.stderr_with("--camera").is_empty(), "{ended}");
    house.nothing_is_half_done();
}

#[track_caller]
fn refused(house: &House, source: &Path, code: u8, advice: &str) {
    let ended = house.up(&[("front", source)]).run().with_code(code);
    let place = source.display().to_string();
    let told = ended
        .stderr
        .iter()
        .any(|line| line.contains("front") && line.contains(&place) && line.contains(advice));
    assert!(told, "no line with front, {place} and {advice:?}: {ended}");
    house.nothing_is_half_done();
}

fn written(house: &House, name: &str, bytes: &[u8]) -> PathBuf {
    let path = house.path(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn half_of(house: &House, file: &Path) -> PathBuf {
    let bytes = fs::read(file).unwrap();
    written(house, "half.mp4", &bytes[..bytes.len() / 2])
}
