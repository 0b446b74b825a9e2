//! Identity of frames and ticks: the chunks hold every frame and tick of the source, in order, and
//! each plays alone.

use std::{env, path::Path};

use crispy_testbed::clips;

use crate::fixture::{
    Fixture,
    bucket::Object,
    session_output::SessionOutput,
    video::{self, plays_alone},
};

#[test]
fn every_frame_and_tick_of_irregular_groups_is_kept() {
    round_trip(&video::irregular(), "1s");
}

#[test]
fn h265_in_matroska_is_kept() {
    // The demuxer rounds to milliseconds there: ticks are Matroska's own.
    round_trip(&clips::h265(6.0).container("mkv").make(), "2s");
}

#[test]
fn a_transport_stream_is_kept() {
    round_trip(&clips::h264(6.0).container("ts").make(), "2s");
}

#[test]
fn kept_audio_is_identical_to_the_sample() {
    let fixture = Fixture::new();
    let source = clips::h264(6.0).with_audio().output("-aac_pns 0").make();
    let up = fixture
        .up(&[("front", &source)])
        .flag("--window", "2s")
        .flag("--audio", "keep")
        .run()
        .with_code(0);
    let objects = fixture.bucket().one_run();
    assert_eq!(frames_of(&objects), clips::frames_md5(&source));
    every_tick_is_covered(&source, &objects);
    output_matches_objects(&up.output(), &objects);
    let sounds = objects.iter();
    let sounds: Vec<u8> = sounds
        .flat_map(|object| video::samples(&object.path))
        .collect();
    let whole = video::samples(&source);
    assert!(!whole.is_empty() && sounds == whole, "the sound differs");
}

/// Takes the file of `CRISPY_TEST_VIDEO`, else a typical clip.
#[test]
fn a_recording_is_kept() {
    let file = env::var_os("CRISPY_TEST_VIDEO");
    let file = file.map_or_else(|| clips::camera(5.0).make(), Into::into);
    round_trip(&file, "3s");
}

#[test]
fn two_cameras_are_kept_apart() {
    let fixture = Fixture::new();
    let (front, yard) = (video::irregular(), clips::h264(6.0).container("mkv").make());
    let up = fixture.up(&[("front", &front), ("yard", &yard)]).run();
    let output = up.with_code(0).output();
    let objects = fixture.bucket().chunks();
    for (camera, source) in [("front", &front), ("yard", &yard)] {
        let of_camera = |object: &&Object| object.camera == camera;
        let objects: Vec<_> = objects.iter().filter(of_camera).cloned().collect();
        assert_eq!(frames_of(&objects), clips::frames_md5(source), "{camera}");
        assert_eq!(output.of_camera(camera).len(), objects.len(), "{camera}");
    }
    assert_eq!(fixture.bucket().run_states().len(), 2);
}

fn round_trip(source: &Path, window: &str) {
    let fixture = Fixture::new();
    let up = fixture
        .up(&[("front", source)])
        .flag("--window", window)
        .run()
        .with_code(0);
    let output = up.output();
    let objects = fixture.bucket().one_run();
    assert!(objects.len() > 1, "more than one chunk is needed: {up}");
    assert_eq!(frames_of(&objects), clips::frames_md5(source));
    for object in &objects {
        plays_alone(&object.path);
    }
    every_tick_is_covered(source, &objects);
    output_matches_objects(&output, &objects);
    run_state_is_stored(&fixture, &objects);
}

fn frames_of(objects: &[Object]) -> Vec<String> {
    let frames = objects.iter();
    frames
        .flat_map(|object| clips::frames_md5(&object.path))
        .collect()
}

/// Checks the ticks in the metadata, which must suffice without our programs, and in FFmpeg's view
/// of each object.
fn every_tick_is_covered(source: &Path, objects: &[Object]) {
    let (whole, timebase) = video::ticks(source);
    let mut reached = None;
    let mut sum = 0;
    for object in objects {
        let ticks = object.metadata["ticks"]
            .as_str()
            .expect("metadata has ticks");
        let parts: Vec<&str> = ticks.split(',').collect();
        let [start, end, base] = parts[..] else {
            panic!("{}: ticks {ticks:?}", object.key)
        };
        let (start, end): (i64, i64) = (start.parse().unwrap(), end.parse().unwrap());
        assert_eq!(base, timebase, "{}", object.key);
        assert_eq!(
            start,
            reached.unwrap_or(start),
            "a gap before {}",
            object.key
        );
        assert_eq!(
            video::ticks(&object.path),
            (end - start, timebase.clone()),
            "{}",
            object.key
        );
        reached = Some(end);
        sum += end - start;
    }
    assert_eq!(sum, whole);
}

fn output_matches_objects(output: &SessionOutput, objects: &[Object]) {
    let chunks = output.of_camera("front");
    assert_eq!(chunks.len(), objects.len());
    for (chunk, object) in chunks.iter().zip(objects) {
        let metadata = &object.metadata;
        assert_eq!(chunk["object"].as_str(), Some(object.key.as_str()));
        assert_eq!(chunk["agrees"], true, "{chunk}");
        assert_eq!(chunk["sequence"], object.sequence, "{chunk}");
        for field in ["site", "camera", "run", "from", "to", "crc32c", "sha256"] {
            assert_eq!(chunk[field], metadata[field], "{field} of {}", object.key);
        }
        let link = format!("file://{}", object.path.display());
        assert_eq!(chunk["media_link"], link);
        let size = object.path.metadata().unwrap().len();
        assert_eq!(chunk["size"], size, "{chunk}");
    }
    for pair in chunks.windows(2) {
        assert_eq!(pair[0]["to"], pair[1]["from"], "a gap in wall-clock time");
    }
    assert_eq!(output.summary["ok"], true);
    assert_eq!(output.count("chunks"), objects.len() as u64);
    assert_eq!(output.count("uploaded"), objects.len() as u64);
}

fn run_state_is_stored(fixture: &Fixture, objects: &[Object]) {
    let states = fixture.bucket().run_states();
    assert_eq!(states.len(), 1, "{states:?}");
    let state = &states[0];
    let last = objects.last().expect("there are chunks");
    assert_eq!(state["run"], last.run);
    assert_eq!(state["next_sequence"], objects.len() as u64);
    assert_eq!(state["last_sha256"], last.metadata["sha256"]);
    assert_eq!(state["ended"], true);
}
