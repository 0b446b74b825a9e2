//! Probes agree with the cutter's facts, with few bytes read.
#![allow(clippy::unwrap_used)] // Helpers of tests are test code too.

mod clip;

use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clip::{Clips, chunks};
use crispy_media::{Chunk, Chunks, Container, OpenOptions, ProbeError, probe};

/// Counts reads and bytes.
struct Counted {
    inner: Cursor<Vec<u8>>,
    reads: Arc<AtomicU64>,
    bytes: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl Seek for Counted {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

fn probe_bytes(bytes: &[u8]) -> Result<crispy_media::Probe, ProbeError> {
    probe(Cursor::new(bytes.to_vec()), bytes.len() as u64)
}

/// The probe of a chunk, in two reads and 64 KiB for a chunk of any size.
fn probe_cheaply(chunk: &Chunk) -> crispy_media::Probe {
    let (reads, bytes) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let counted = Counted {
        inner: Cursor::new(chunk.bytes.clone()),
        reads: Arc::clone(&reads),
        bytes: Arc::clone(&bytes),
    };
    let probe = probe(counted, chunk.bytes.len() as u64).unwrap();
    let (reads, bytes) = (reads.load(Ordering::Relaxed), bytes.load(Ordering::Relaxed));
    assert!(
        reads <= 2 && bytes <= 64 * 1024,
        "{bytes} of {} bytes in {reads} reads",
        chunk.bytes.len()
    );
    probe
}

fn assert_agrees(chunk: &Chunk) {
    let probe = probe_cheaply(chunk);
    assert_eq!(
        (probe.width, probe.height, probe.channels),
        (
            chunk.format.width,
            chunk.format.height,
            chunk.format.channels
        )
    );
    assert_eq!(
        (probe.codec, probe.container),
        (chunk.format.codec, chunk.container)
    );
    assert_eq!(probe.rfc6381.as_ref(), Some(&chunk.format.rfc6381));
    assert_eq!(probe.packets, Some(u64::from(chunk.cut.packets)));
    // Ticks of different units are compared as fractions.
    let ticks = |ticks: i64, base: crispy_media::Timebase, other: crispy_media::Timebase| {
        i128::from(ticks) * i128::from(base.num()) * i128::from(other.den())
    };
    let (found, expected) = (probe.timebase, chunk.cut.timebase);
    assert_eq!(
        ticks(probe.duration_ticks.unwrap(), found, expected),
        ticks(chunk.cut.duration_ticks(), expected, found),
        "{:?} in {found:?} for {} in {expected:?}",
        probe.duration_ticks,
        chunk.cut.duration_ticks()
    );
}

fn assert_all_agree(name: &str, source: &str, options: &str) {
    let clips = Clips::new();
    let source = clips.make(name, source, options);
    let chunks = chunks(&source, Duration::from_secs(1));
    assert!(chunks.len() > 1);
    chunks.iter().for_each(assert_agrees);
}

const PICTURES: &str = "testsrc2=size=320x180:rate=30000/1001:duration=4";

#[test]
fn h264_chunks_agree_with_their_facts() {
    for name in ["a.mp4", "a.mkv", "a.ts"] {
        assert_all_agree(
            name,
            PICTURES,
            "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -bf 2 -g 15 -flags +cgop",
        );
    }
}

#[test]
fn h265_chunks_agree_with_their_facts() {
    for name in ["a.mp4", "a.mkv", "a.ts"] {
        let options = "-c:v libx265 -preset ultrafast -x265-params keyint=15:open-gop=0:bframes=2:log-level=none";
        assert_all_agree(name, PICTURES, &format!("-pix_fmt yuv420p10le {options}"));
    }
}

#[test]
fn grey_pictures_have_one_channel() {
    let clips = Clips::new();
    let source = clips.make(
        "a.mp4",
        PICTURES,
        "-pix_fmt gray -c:v libx264 -preset ultrafast -g 15",
    );
    let chunks = chunks(&source, Duration::from_secs(1));
    assert_eq!(
        (
            chunks[0].format.channels,
            chunks[0].format.pixel_format.as_str()
        ),
        (1, "gray")
    );
    chunks.iter().for_each(assert_agrees);
}

/// 2 MB of noise in 4 s, as a chunk in each container.
fn two_megabytes(container: Container) -> Chunk {
    let clips = Clips::new();
    let noise = "nullsrc=size=640x360:rate=30:duration=4,geq=random(1)*255:128:128";
    let options = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -g 30 -b:v 5M";
    let source = clips.make("a.mp4", noise, options);
    let chunk = in_container(&source, Duration::from_secs(4), container);
    assert!(chunk.bytes.len() > 2_000_000, "{} bytes", chunk.bytes.len());
    chunk
}

/// The first chunk of a source.
fn in_container(source: &std::path::Path, window: Duration, container: Container) -> Chunk {
    let options = OpenOptions {
        container: Some(container),
        ..OpenOptions::new(source.to_str().unwrap(), window)
    };
    Chunks::open(&options)
        .unwrap()
        .next_chunk()
        .unwrap()
        .unwrap()
}

#[test]
fn two_megabytes_of_mp4_take_two_reads() {
    assert_agrees(&two_megabytes(Container::Mp4));
}

#[test]
fn two_megabytes_of_matroska_take_two_reads() {
    let chunk = two_megabytes(Container::Mkv);
    let probe = probe_cheaply(&chunk);
    let length = probe.timebase.duration(probe.duration_ticks.unwrap());
    assert!(
        length.abs_diff(chunk.cut.duration()) <= Duration::from_millis(1),
        "{length:?}"
    );
    let found = (
        probe.width,
        probe.height,
        probe.channels,
        probe.codec,
        probe.container,
    );
    assert_eq!(found, (640, 360, 3, chunk.format.codec, Container::Mkv));
    assert_eq!(probe.packets, None, "it has no index that counts them");
}

#[test]
fn two_megabytes_of_mpeg_ts_take_two_reads() {
    let probe = probe_cheaply(&two_megabytes(Container::MpegTs));
    assert_eq!(probe.container, Container::MpegTs);
    assert_eq!(
        (probe.packets, probe.duration_ticks),
        (None, None),
        "it has no index"
    );
}

#[test]
fn an_index_of_forty_seconds_takes_two_reads() {
    let clips = Clips::new();
    let options = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -bf 2 -g 3000 -sc_threshold 0";
    let source = clips.make("a.mp4", "testsrc2=size=160x92:rate=30:duration=40", options);
    let chunk = in_container(&source, Duration::from_secs(40), Container::Mp4);
    assert_eq!(chunk.cut.packets, 1200);
    assert_agrees(&chunk);
}

#[test]
fn the_layout_points_at_the_index_and_the_first_key_frame() {
    let clips = Clips::new();
    let source = clips.make(
        "a.mp4",
        PICTURES,
        "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -g 15",
    );
    for chunk in chunks(&source, Duration::from_secs(1)) {
        let part =
            |range: &std::ops::Range<u64>| &chunk.bytes[range.start as usize..range.end as usize];
        assert_eq!(chunk.layout.index.start, 0);
        let index = part(&chunk.layout.index);
        assert!(index.windows(4).any(|four| four == b"stbl"));
        assert!(!index.windows(4).any(|four| four == b"mdat"));
        // Every unit has its length in front, and the lengths fill the picture.
        let mut key_frame = part(&chunk.layout.first_key_frame);
        let mut kinds = Vec::new();
        while let Some((length, rest)) = key_frame.split_first_chunk::<4>() {
            let (unit, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
            kinds.push(unit[0] & 0x1f);
            key_frame = rest;
        }
        assert!(kinds.contains(&5), "an IDR slice among {kinds:?}");
    }
}

#[test]
fn a_chunk_without_its_end_is_truncated() {
    let clips = Clips::new();
    let options = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -g 15";
    let source = clips.make("a.mp4", PICTURES, options);
    for container in [Container::Mp4, Container::Mkv] {
        let chunk = in_container(&source, Duration::from_secs(4), container);
        let whole = chunk.bytes.len();
        for kept in [100, whole / 2, whole - 1] {
            match probe_bytes(&chunk.bytes[..kept]) {
                Err(ProbeError::Truncated { expected, actual }) => {
                    assert!(actual == kept as u64 && expected > actual)
                }
                other => panic!("{kept} of {whole} bytes: {other:?}"),
            }
        }
    }
}

#[test]
fn other_bytes_are_no_video() {
    let noise: Vec<u8> = (0..100_000u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    assert!(matches!(
        probe_bytes(&noise),
        Err(ProbeError::NotVideo { .. } | ProbeError::NoVideo)
    ));
    assert!(matches!(
        probe_bytes(b"hello"),
        Err(ProbeError::NotVideo { .. })
    ));
    assert!(probe_bytes(b"").is_err());
}

#[test]
fn damaged_indexes_are_survived() {
    let clips = Clips::new();
    let source = clips.make(
        "a.mp4",
        PICTURES,
        "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -g 15",
    );
    let chunk = &chunks(&source, Duration::from_secs(4))[0];
    let index = chunk.layout.index.end as usize;
    // Every seventh byte of the index: an answer or an error, never a crash or a hang.
    for at in (0..index).step_by(7) {
        let mut bytes = chunk.bytes.clone();
        bytes[at] ^= 0xff;
        let _ = probe_bytes(&bytes);
    }
}
