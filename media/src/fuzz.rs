//! Fuzzes this crate's own parsers. The mutations are those of tests/fuzz, which sends the same
//! bytes through libav.

use std::io::Cursor;
use std::path::Path;
use std::process::Command;

#[path = "../tests/fuzz/mutation.rs"]
mod mutation;

use mutation::{Dice, mutate};

use crate::bitstream::{FieldReader, Framing, ParameterSets, PictureOrder, h264, h265};
use crate::boxes::{Boxes, coded_size};
use crate::truncation;
use crate::video::Codec;

/// Cases for each test, of some microseconds each; `make fuzz` sets more.
fn cases() -> u64 {
    std::env::var("CRISPY_FUZZ_CASES").map_or(20_000, |count| count.parse().unwrap())
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
fn mutated_boxes_are_survived_and_never_claim_less() {
    let seeds = [
        made("a.mp4", H264),
        made("b.mp4", "-c:v mpeg4"),
        made("c.mkv", H264),
    ];
    for case in 0..cases() {
        let mut dice = Dice::new(case);
        let bytes = mutate(&seeds[dice.roll(seeds.len())], &mut dice);
        let size = bytes.len() as u64;
        let missing = truncation::missing(&mut Cursor::new(&bytes), size).unwrap();
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
fn mutated_parameter_sets_and_pictures_are_survived() {
    let seeds = [
        (Codec::H264, made("a.h264", H264)),
        (Codec::H265, made("a.hevc", H265)),
    ];
    for case in 0..cases() {
        let mut dice = Dice::new(case);
        let (codec, seed) = &seeds[dice.roll(seeds.len())];
        let bytes = mutate(&seed[..seed.len().min(1500)], &mut dice);
        read_everything(*codec, &bytes, Framing::StartCodes);
        read_everything(*codec, &bytes, Framing::Lengths(1 + dice.roll(4)));
        // As a record: made of the remaining sets, then mutated once more.
        let sets = ParameterSets::new(*codec, &bytes);
        let record = sets.and_then(|sets| sets.configuration(Framing::Lengths(4)));
        let record = mutate(&record.unwrap_or_default(), &mut dice);
        read_everything(*codec, &record, Framing::StartCodes);
        follow(*codec, &record, &bytes);
    }
}

fn read_everything(codec: Codec, bytes: &[u8], framing: Framing) {
    codec.sequence(bytes);
    codec.channels(bytes);
    h264::classify_key(bytes, framing);
    h265::classify(bytes, framing, true);
    if let Some(mut sets) = ParameterSets::new(codec, bytes) {
        sets.update(bytes, framing);
        sets.configuration(framing);
    }
    follow(codec, bytes, bytes);
}

fn follow(codec: Codec, configuration: &[u8], packet: &[u8]) {
    if let Some(mut order) = PictureOrder::new(codec, configuration) {
        order.count(packet);
        order.count(packet);
    }
    if let Some(fields) = FieldReader::new(configuration) {
        fields.read(packet);
    }
}
