//! Our own reading of bytes from outside, held against what a fuzzer would send. The mutations are those of
//! tests/hostile, which sends the same through libav.

use std::io::Cursor;
use std::path::Path;
use std::process::Command;

#[path = "../tests/hostile/mutation.rs"]
mod mutation;

use mutation::{Dice, harmed};

use crate::bitstream::{FieldReader, Framing, ParameterSets, PictureOrder, h264, h265};
use crate::boxes::{Boxes, coded_size};
use crate::video::Codec;
use crate::wholeness;

/// So many cases for each claim, of some microseconds each; `make fuzz` asks for more.
fn cases() -> u64 {
    std::env::var("CRISPY_HOSTILE_CASES").map_or(20_000, |count| count.parse().unwrap())
}

/// A small file made by the ffmpeg command line.
fn made(name: &str, options: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    let mut command = Command::new("ffmpeg");
    command
        .args(["-v", "error", "-nostdin", "-f", "lavfi", "-i"])
        .arg("testsrc2=size=64x48:rate=10:duration=0.5")
        .args(options.split_whitespace())
        .arg(&path);
    assert!(command.status().unwrap().success(), "{command:?}");
    std::fs::read(Path::new(&path)).unwrap()
}

const H264: &str = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -bf 2";
const H265: &str = "-pix_fmt yuv420p -c:v libx265 -preset ultrafast -x265-params log-level=none";

#[test]
fn hostile_boxes_are_survived_and_never_say_less_than_there_is() {
    let seeds = [
        made("a.mp4", H264),
        made("b.mp4", "-c:v mpeg4"),
        made("c.mkv", H264),
    ];
    for case in 0..cases() {
        let mut dice = Dice::new(case);
        let bytes = harmed(&seeds[dice.roll(seeds.len())], &mut dice);
        let size = bytes.len() as u64;
        let missing = wholeness::missing(&mut Cursor::new(&bytes), size).unwrap();
        assert!(
            missing.is_none_or(|expected| expected > size),
            "case {case}"
        );
        if let Some(boxes) = Boxes::read(&mut Cursor::new(&bytes), size).unwrap() {
            assert!(boxes.index().start <= boxes.index().end, "case {case}");
        }
        coded_size(&bytes, b"mp4v");
    }
}

#[test]
fn hostile_parameter_sets_and_pictures_are_survived() {
    let seeds = [
        (Codec::H264, made("a.h264", H264)),
        (Codec::H265, made("a.hevc", H265)),
    ];
    for case in 0..cases() {
        let mut dice = Dice::new(case);
        let (codec, seed) = &seeds[dice.roll(seeds.len())];
        let bytes = harmed(&seed[..seed.len().min(1500)], &mut dice);
        read_everything(*codec, &bytes, Framing::StartCodes);
        read_everything(*codec, &bytes, Framing::Lengths(1 + dice.roll(4)));
        // as a record: made of the sets that are left, then harmed once more
        let sets = ParameterSets::of(*codec, &bytes);
        let record = sets.and_then(|sets| sets.configuration(Framing::Lengths(4)));
        let record = harmed(&record.unwrap_or_default(), &mut dice);
        read_everything(*codec, &record, Framing::StartCodes);
        follow(*codec, &record, &bytes);
    }
}

fn read_everything(codec: Codec, bytes: &[u8], framing: Framing) {
    codec.sequence(bytes);
    codec.channels(bytes);
    h264::classify_key(bytes, framing);
    h265::classify(bytes, framing, true);
    if let Some(mut sets) = ParameterSets::of(codec, bytes) {
        sets.update(bytes, framing);
        sets.configuration(framing);
    }
    follow(codec, bytes, bytes);
}

fn follow(codec: Codec, configuration: &[u8], packet: &[u8]) {
    if let Some(mut order) = PictureOrder::new(codec, configuration) {
        order.place(packet);
        order.place(packet);
    }
    if let Some(fields) = FieldReader::new(configuration) {
        fields.read(packet);
    }
}
