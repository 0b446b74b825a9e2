//! Kept audio is in the chunks once, to the sample, and does not affect the pictures.
#![allow(clippy::unwrap_used)] // Helpers of tests are test code too.

mod clip;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clip::audio::{assert_same_samples, each, samples};
use clip::{
    Clips, assert_gapless, assert_probe_agrees, assert_same_frames, frame_hashes, hashes_of_chunks,
};
use crispy_media::{Audio, Chunk, Chunks, Container, OpenError, OpenOptions};

const WINDOW: Duration = Duration::from_secs(3);
const PICTURES: &str = "testsrc2=size=160x92:rate=25:duration=8";
/// Noise, so that all stretches differ; AAC without its own random noise, which differs by decoder.
const NOISE: &str =
    "-f lavfi -i anoisesrc=sample_rate=48000:seed=7:amplitude=0.3:duration=8 -shortest";
const H264_B: &str = "-pix_fmt yuv420p -c:v libx264 -preset veryfast -g 25 -bf 2 -flags +cgop";
const AAC: &str = "-c:a aac -aac_pns 0 -b:a 96k";

fn clip(clips: &Clips, name: &str, codecs: &str) -> PathBuf {
    clips.make(name, PICTURES, &format!("{NOISE} {codecs}"))
}

fn keeping(source: &Path, container: Option<Container>) -> OpenOptions {
    OpenOptions {
        audio: Audio::Keep,
        container,
        ..OpenOptions::new(source.to_str().unwrap(), WINDOW)
    }
}

/// All chunks of a source, and the number of audio packets in none.
fn cut(options: &OpenOptions) -> (Vec<Chunk>, u32) {
    let mut opened = Chunks::open(options).unwrap();
    let chunks: Vec<_> = std::iter::from_fn(|| opened.next_chunk().unwrap()).collect();
    let counted: u32 = chunks.iter().map(|chunk| chunk.audio_dropped).sum();
    (chunks, counted + opened.audio_dropped())
}

/// The packets of a file's audio, each by the hash of its bytes.
fn packets(path: &Path) -> Vec<String> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin", "-i"]).arg(path);
    command.args(["-map", "0:a:0", "-c", "copy", "-f", "framemd5", "-"]);
    let output = command.output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let packets = lines.lines().filter(|line| !line.starts_with('#'));
    let hash = |line: &str| line.split(',').nth(5).unwrap().trim().to_owned();
    packets.map(hash).collect()
}

/// Fails unless all samples are present, except those before the first picture. Only mp4 marks its
/// priming; elsewhere it comes before the first picture, and is counted as dropped.
#[track_caller]
fn assert_tail(found: &[u8], whole: &[u8], dropped: u32) {
    let hidden = whole.len() - found.len();
    // A part of the last of these packets may be played.
    let most = 2 * 1024 * (dropped as usize + 1);
    assert!(
        dropped <= 4 && hidden < most,
        "{hidden} bytes, {dropped} packets"
    );
    assert_same_samples(found, &whole[hidden..]);
}

#[track_caller]
fn assert_pictures(clips: &Clips, chunks: &[Chunk], source: &Path) {
    assert!(chunks.len() >= 3, "{} chunks", chunks.len());
    assert_gapless(chunks);
    chunks.iter().for_each(assert_probe_agrees);
    assert_same_frames(&hashes_of_chunks(clips, chunks), &frame_hashes(source));
}

/// Compares the chunks' sample counts with a decoder's, two bytes a sample.
#[track_caller]
fn assert_counted(clips: &Clips, chunks: &[Chunk]) {
    for chunk in chunks {
        let audio = chunk.audio.as_ref().unwrap();
        let decoded = samples(&clips.write("counted.mp4", &chunk.bytes)).len() / 2;
        assert_eq!(audio.samples, decoded as u64, "{audio:?}");
    }
}

#[test]
fn aac_of_mp4_is_identical_to_the_sample() {
    let clips = Clips::new();
    let source = clip(&clips, "a.mp4", &format!("{H264_B} {AAC}"));
    let (chunks, dropped) = cut(&keeping(&source, None));
    assert_eq!(dropped, 0);
    assert_pictures(&clips, &chunks, &source);
    assert!(chunks.iter().all(|chunk| chunk.container == Container::Mp4));
    assert_same_samples(&each(&clips, &chunks, samples), &samples(&source));
    assert_counted(&clips, &chunks);
    let first = chunks[0].audio.as_ref().unwrap();
    assert_eq!(
        (first.format.codec, first.format.rfc6381.as_str()),
        ("aac", "mp4a.40.2")
    );
    assert_eq!(
        (first.format.sample_rate, first.format.channels),
        (48_000, 1)
    );
    assert!(
        chunks
            .iter()
            .all(|chunk| chunk.audio.as_ref().unwrap().preroll_samples == 1024)
    );
}

#[test]
fn aac_of_matroska_and_mpeg_ts_is_identical_to_the_sample() {
    for name in ["a.mkv", "a.ts"] {
        let clips = Clips::new();
        let source = clip(&clips, name, &format!("{H264_B} {AAC}"));
        let (chunks, dropped) = cut(&keeping(&source, None));
        assert!(chunks.iter().all(|chunk| chunk.container == Container::Mp4));
        assert_pictures(&clips, &chunks, &source);
        assert_counted(&clips, &chunks);
        assert_tail(&each(&clips, &chunks, samples), &samples(&source), dropped);
    }
}

#[test]
fn pcm_in_matroska_is_identical_to_the_sample() {
    let clips = Clips::new();
    for codec in ["pcm_alaw", "pcm_s16le"] {
        let source = clip(&clips, "a.mkv", &format!("{H264_B} -c:a {codec} -ar 8000"));
        let (chunks, dropped) = cut(&keeping(&source, None));
        assert_eq!(dropped, 0);
        assert_pictures(&clips, &chunks, &source);
        assert!(chunks.iter().all(|chunk| chunk.container == Container::Mkv));
        assert_same_samples(&each(&clips, &chunks, samples), &samples(&source));
    }
}

#[test]
fn every_packet_of_other_codecs_is_in_one_chunk() {
    let clips = Clips::new();
    for codec in ["libopus", "libmp3lame", "ac3"] {
        let source = clip(&clips, "a.mkv", &format!("{H264_B} -c:a {codec}"));
        let (chunks, dropped) = cut(&keeping(&source, None));
        assert_eq!(dropped, 0);
        assert_pictures(&clips, &chunks, &source);
        let found = each(&clips, &chunks, packets);
        assert_eq!(found, packets(&source), "{codec}");
    }
}

#[test]
fn opus_priming_is_skipped_only_once() {
    let clips = Clips::new();
    let source = clip(&clips, "a.mkv", &format!("{H264_B} -c:a libopus"));
    let (chunks, _) = cut(&keeping(&source, None));
    assert!(chunks.len() >= 3);
    let found = each(&clips, &chunks, samples).len();
    assert_eq!(found, samples(&source).len());
}

#[test]
fn a_transport_stream_holds_aac_and_refuses_opus() {
    let clips = Clips::new();
    let aac = clip(&clips, "a.mp4", &format!("{H264_B} {AAC}"));
    let (chunks, _) = cut(&keeping(&aac, Some(Container::MpegTs)));
    assert_same_frames(&hashes_of_chunks(&clips, &chunks), &frame_hashes(&aac));
    assert!(chunks.iter().all(|chunk| chunk.audio.is_some()));
    let opus = clip(&clips, "a.mkv", &format!("{H264_B} -c:a libopus"));
    for container in [Container::MpegTs, Container::Mp4] {
        let refused = Chunks::open(&keeping(&opus, Some(container))).expect_err("refused");
        assert!(
            matches!(&refused, OpenError::WrongContainer { codec, .. } if codec == "opus audio"),
            "{refused}"
        );
    }
}

#[test]
fn audio_beyond_the_pictures_is_kept_for_a_second() {
    let clips = Clips::new();
    let longer = "-f lavfi -i anoisesrc=sample_rate=48000:seed=7:duration=12";
    let source = clips.make("a.mp4", PICTURES, &format!("{longer} {H264_B} {AAC}"));
    let (chunks, dropped) = cut(&keeping(&source, None));
    assert_pictures(&clips, &chunks, &source);
    let found = each(&clips, &chunks, samples);
    assert_same_samples(&found, &samples(&source)[..found.len()]);
    let played = found.len() / 2;
    assert!(
        (9 * 48_000..9 * 48_000 + 1024).contains(&played),
        "{played}"
    );
    assert_eq!(
        played + 1024 * dropped as usize,
        12 * 48_000 + 512,
        "each packet is played or counted"
    );
}

#[test]
fn audio_shorter_than_the_pictures_is_kept_whole() {
    let clips = Clips::new();
    let shorter = "-f lavfi -i anoisesrc=sample_rate=48000:seed=7:duration=2";
    let source = clips.make("a.mp4", PICTURES, &format!("{shorter} {H264_B} {AAC}"));
    let (chunks, dropped) = cut(&keeping(&source, None));
    assert_eq!(dropped, 0);
    assert_pictures(&clips, &chunks, &source);
    assert_same_samples(&each(&clips, &chunks, samples), &samples(&source));
    assert!(chunks.last().unwrap().audio.is_none());
}

#[test]
fn a_source_without_audio_gives_silent_chunks() {
    let clips = Clips::new();
    let source = clips.make("a.mp4", PICTURES, H264_B);
    let (chunks, dropped) = cut(&keeping(&source, None));
    let silent = clip::chunks(&source, WINDOW);
    assert_eq!(dropped, 0);
    assert!(
        chunks
            .iter()
            .zip(&silent)
            .all(|(one, other)| one.bytes == other.bytes)
    );
}

#[test]
fn audio_never_affects_the_pictures() {
    let clips = Clips::new();
    let source = clip(&clips, "a.mp4", &format!("{H264_B} {AAC}"));
    let silent = clips.convert("silent.mp4", &source, "-c copy -an");
    let (with, _) = cut(&keeping(&source, None));
    let without = clip::chunks(&source, WINDOW);
    let never = clip::chunks(&silent, WINDOW);
    assert!(
        without
            .iter()
            .zip(&never)
            .all(|(one, other)| one.bytes == other.bytes)
    );
    assert_eq!(with.len(), without.len());
    for (with, without) in with.iter().zip(&without) {
        assert_eq!((&with.cut, &with.format), (&without.cut, &without.format));
        assert!(without.audio.is_none() && with.bytes.len() > without.bytes.len());
    }
}

/// Two recordings in one transport stream, with the clock of the second off by some seconds.
fn stepped(clips: &Clips, seconds: i32) -> PathBuf {
    let first = clip(clips, "first.ts", &format!("{H264_B} {AAC}"));
    let second = clips.convert(
        "second.ts",
        &first,
        &format!("-c copy -copyts -output_ts_offset {}", 8 + seconds),
    );
    let bytes = [
        std::fs::read(first).unwrap(),
        std::fs::read(second).unwrap(),
    ]
    .concat();
    clips.write("stepped.ts", &bytes)
}

#[test]
fn audio_of_one_run_is_never_in_another() {
    for seconds in [20, -3] {
        let clips = Clips::new();
        let source = stepped(&clips, seconds);
        let (chunks, dropped) = cut(&keeping(&source, None));
        assert_gapless(&chunks);
        let whole = samples(&clips.path("first.ts"));
        for run in [0, 1] {
            let of_run = chunks.iter().filter(|chunk| chunk.cut.run == run);
            let of_run: Vec<_> = of_run.cloned().collect();
            assert_tail(&each(&clips, &of_run, samples), &whole, dropped);
        }
    }
}
