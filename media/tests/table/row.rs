//! One source, cut and compared.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use crispy_media::{Audio, Chunk, Chunks, Container, OpenOptions, StartKind, Timebase};

use super::Source;
use super::clip::audio::{assert_same_samples, each, samples};
use super::clip::{
    Clips, assert_gapless, assert_probe_agrees, assert_same_frames, hashes_of_each,
    hashes_of_joined,
};

pub(crate) const HEAD: &str = "\
| source | chunks | packets | frames of the source | identical | missing by rule | sum of durations - source, ticks | gaps | of note |
|---|--:|--:|--:|--:|--:|--:|---|---|
";

/// The result of a source.
pub(crate) struct Row {
    name: &'static str,
    chunks: usize,
    codec: &'static str,
    container: Container,
    packets: u32,
    frames: usize,
    identical: usize,
    missing: usize,
    off_ticks: i64,
    timebase: Timebase,
    gaps: Vec<String>,
    notes: Vec<String>,
}

impl Row {
    /// Makes the source, cuts it, and compares each frame of each chunk with it.
    pub(crate) fn new(source: &Source) -> Row {
        let clips = Clips::new();
        let made = (source.make)(&clips);
        let options = OpenOptions {
            container: source.container,
            audio: Audio::Keep, // No effect on sources without any.
            ..OpenOptions::new(made.path.to_str().unwrap(), source.window)
        };
        let mut opened = Chunks::open(&options).unwrap();
        let chunks: Vec<Chunk> = std::iter::from_fn(|| opened.next_chunk().unwrap()).collect();
        assert_gapless(&chunks);
        chunks.iter().for_each(assert_probe_agrees);
        let (identical, missing) = compare(&clips, &chunks, &made.shown);
        assert_eq!(identical + missing, made.shown.len(), "{}", source.name);
        let timebase = chunks[0].cut.timebase;
        let ticks: i64 = chunks.iter().map(|chunk| chunk.cut.duration_ticks()).sum();
        let expected = exact_ticks(made.seconds, timebase);
        let off_ticks = ticks - expected;
        // Matroska counts milliseconds, so one tick is its precision.
        assert!(off_ticks.abs() <= 1, "{}: {off_ticks} ticks", source.name);
        Row {
            name: source.name,
            chunks: chunks.len(),
            codec: chunks[0].format.codec.name(),
            container: chunks[0].container,
            packets: chunks.iter().map(|chunk| chunk.cut.packets).sum(),
            frames: made.shown.len(),
            identical,
            missing,
            off_ticks,
            timebase,
            gaps: gaps(&chunks),
            notes: notes(&chunks)
                .into_iter()
                .chain(audio(&clips, &chunks, &made.path))
                .collect(),
        }
    }
}

/// The number of source frames that the chunks show when decoded alone, and the number that they
/// declare missing.
///
/// A chunk that depends on the previous one is counted as joined to it. If frames are missing
/// alone, none may be missing when all chunks are joined, except those before the first key frame.
fn compare(clips: &Clips, chunks: &[Chunk], shown: &[String]) -> (usize, usize) {
    let alone = hashes_of_each(clips, chunks);
    let (mut at, mut identical, mut missing) = (0, 0, 0);
    let mut expected_joined = Vec::new();
    for (chunk, alone) in chunks.iter().zip(&alone) {
        let cut = &chunk.cut;
        at += cut.lost as usize;
        missing += cut.lost as usize;
        let expected = &shown[at..at + cut.frames as usize];
        at += expected.len();
        expected_joined.extend_from_slice(expected);
        let leading = leading(chunk) as usize;
        if !cut.depends_on_previous {
            // Decoders may show a substitute for a leading picture; the frames after it must be
            // right.
            let whole = expected.len() - leading;
            let extra = alone.len().saturating_sub(whole);
            assert!(
                extra <= leading,
                "{} frames for {whole} and {leading} leading",
                alone.len()
            );
            assert_same_frames(&alone[extra..], &expected[leading..]);
            missing += leading;
            identical += whole;
        } else {
            identical += expected.len();
        }
    }
    let incomplete = |chunk: &Chunk| {
        chunk.cut.depends_on_previous || matches!(chunk.cut.start, StartKind::Open { .. })
    };
    if chunks.iter().any(incomplete) {
        assert_same_frames(&hashes_of_joined(clips, chunks), &expected_joined);
    }
    (identical, missing)
}

/// Ticks of a length in seconds, rounded to the nearest.
fn exact_ticks((num, den): (i64, i64), timebase: Timebase) -> i64 {
    let (unit, per) = (i64::from(timebase.num()), i64::from(timebase.den()));
    (2 * num * per + den * unit) / (2 * den * unit)
}

fn gaps(chunks: &[Chunk]) -> Vec<String> {
    let seconds =
        |ticks: i64, base: Timebase| ticks as f64 * f64::from(base.num()) / f64::from(base.den());
    let gap = |chunk: &Chunk| {
        let ticks = chunk.cut.gap_before?;
        Some(format!("{:+.3} s", seconds(ticks, chunk.cut.timebase)))
    };
    chunks.iter().filter_map(gap).collect()
}

/// The number of pictures that a chunk declares missing when decoded alone.
fn leading(chunk: &Chunk) -> u32 {
    match chunk.cut.start {
        StartKind::Open { leading } => leading,
        _ => 0,
    }
}

/// The chunks' facts besides counts and times.
fn notes(chunks: &[Chunk]) -> Vec<String> {
    let sum = |what: &dyn Fn(&Chunk) -> u32| chunks.iter().map(what).sum::<u32>();
    let counted = [
        (sum(&leading), "leading pictures"),
        (
            sum(&|chunk| chunk.cut.lost),
            "packets before the first key frame",
        ),
        (
            sum(&|chunk| chunk.cut.hidden_preroll),
            "hidden packets in front",
        ),
        (
            sum(&|chunk| chunk.cut.depends_on_previous.into()),
            "depends on the previous chunk",
        ),
        (
            sum(&|chunk| chunk.cut.pts_inferred.into()),
            "with times inferred",
        ),
        (
            sum(&|chunk| chunk.cut.end_inferred.into()),
            "with an end inferred",
        ),
    ];
    let counted = counted.iter().filter(|(many, _)| *many > 0);
    counted
        .map(|(many, what)| format!("{many} {what}"))
        .chain(pictures(chunks))
        .collect()
}

/// Compares the audio with the source's, to the sample.
fn audio(clips: &Clips, chunks: &[Chunk], source: &Path) -> Option<String> {
    let codec = &chunks[0].audio.as_ref()?.format.codec;
    let found = each(clips, chunks, samples);
    assert_same_samples(&found, &samples(source));
    let many = found.len() / 2;
    Some(format!("{many} of {many} samples of {codec} identical"))
}

/// Unusual properties of the pictures.
fn pictures(chunks: &[Chunk]) -> impl Iterator<Item = String> {
    let size = |chunk: &Chunk| format!("{}x{}", chunk.format.width, chunk.format.height);
    let mut sizes: Vec<_> = chunks.iter().map(size).collect();
    sizes.dedup();
    let (width, height) = chunks[0].format.sample_aspect;
    let degrees = chunks[0].format.rotation_degrees;
    let resized = (sizes.len() > 1).then(|| sizes.join(" then "));
    let squeezed = (width != height).then(|| format!("pixels {width}:{height}"));
    let rotated = (degrees != 0).then(|| format!("rotated by {degrees} degrees"));
    [resized, squeezed, rotated].into_iter().flatten()
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base = format!("{}/{}", self.timebase.num(), self.timebase.den());
        writeln!(
            f,
            "| {} | {} {} in {} | {} | {} | {} | {} | {} of {base} s | {} | {} |",
            self.name,
            self.chunks,
            self.codec,
            self.container.extension(),
            self.packets,
            self.frames,
            self.identical,
            self.missing,
            self.off_ticks,
            self.gaps.join(", "),
            self.notes.join(", "),
        )
    }
}

/// The window of most sources.
pub(crate) const WINDOW: Duration = Duration::from_secs(2);
