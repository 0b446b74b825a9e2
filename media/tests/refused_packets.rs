//! Packets that the muxer rejects: their chunk is not written at all.
#![allow(clippy::unwrap_used)] // Helpers of tests are test code too.

mod clip;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clip::{Clips, ffprobe};
use crispy_media::{Chunks, Container, OpenOptions, ReadError};

/// H.264 in mp4 has each unit's length in front. MPEG-TS needs start codes instead, and so correct
/// lengths.
#[test]
fn a_chunk_that_the_muxer_refuses_is_an_error() {
    let clips = Clips::new();
    let source = clips.make(
        "a.mp4",
        "testsrc2=size=160x92:rate=25:duration=6",
        "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -bf 0 -g 25",
    );
    let options = |path: &Path| OpenOptions {
        container: Some(Container::MpegTs),
        ..OpenOptions::new(path.to_str().unwrap(), Duration::from_secs(2))
    };
    let damaged = with_a_wrong_length(&clips, &source, 110);
    let whole: Vec<_> = {
        let mut chunks = Chunks::open(&options(&source)).unwrap();
        std::iter::from_fn(|| chunks.next_chunk().unwrap()).collect()
    };
    let mut chunks = Chunks::open(&options(&damaged)).unwrap();
    for expected in &whole[..2] {
        let chunk = chunks.next_chunk().unwrap().unwrap();
        assert!(chunk.bytes == expected.bytes);
    }
    match chunks.next_chunk() {
        Err(ReadError::Mux {
            location,
            start_ticks,
            ..
        }) => {
            assert_eq!(location, damaged.display().to_string());
            assert_eq!(start_ticks, whole[2].cut.start_ticks);
        }
        other => panic!("{:?}", other.map(|chunk| chunk.map(|chunk| chunk.cut))),
    }
}

/// The same file, with a length beyond any file in the first unit of one packet.
fn with_a_wrong_length(clips: &Clips, file: &Path, packet: usize) -> PathBuf {
    let position = ffprobe(file, "packet=pos")[packet].clone();
    let position: usize = position.trim_end_matches(',').parse().unwrap();
    let mut bytes = std::fs::read(file).unwrap();
    bytes[position..][..4].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff]);
    clips.write("damaged.mp4", &bytes)
}

/// libav's mp4 muxer accepts such a packet without an error, and writes a file that no player
/// opens.
#[test]
fn an_unreadable_av1_packet_is_an_error() {
    let clips = Clips::new();
    let options = "-c:v libaom-av1 -usage realtime -cpu-used 8 -g 25";
    let source = clips.make("a.mp4", "testsrc2=size=160x92:rate=25:duration=1", options);
    let places = ffprobe(&source, "packet=pos,size");
    let place = places[12].trim_end_matches(',');
    let mut numbers = place
        .split(',')
        .map(|field| field.parse::<usize>().unwrap());
    let (size, position) = (numbers.next().unwrap(), numbers.next().unwrap());
    let mut bytes = std::fs::read(&source).unwrap();
    bytes[position..][..size].fill(0xff);
    let damaged = clips.write("damaged.mp4", &bytes);
    let options = OpenOptions::new(damaged.to_str().unwrap(), Duration::from_secs(2));
    let refused = Chunks::open(&options).unwrap().next_chunk();
    assert!(
        matches!(refused, Err(ReadError::Mux { .. })),
        "{:?}",
        refused.map(|_| "a chunk")
    );
}
