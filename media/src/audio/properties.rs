//! Properties of audio segments, for any audio beside any cuts.

use proptest::prelude::*;

use super::*;
use crate::cutter::{Limits, Pace, Picture, Sample};

const VIDEO: u32 = 90_000;
const AUDIO: u32 = 48_000;

type Segments = Vec<(Cut<u32>, AudioSegment<u32>)>;

fn base(den: u32) -> Timebase {
    Timebase::new(1, den).unwrap()
}

/// One of 25 pictures a second with a key frame each second, at a time in seconds.
fn picture(number: u32, seconds: f64) -> Sample<u32> {
    Sample {
        pts: (seconds * f64::from(VIDEO)) as i64,
        duration: Some(3600),
        picture: if number.is_multiple_of(25) {
            Picture::Idr
        } else {
            Picture::Dependent
        },
        completes_frame: false,
        hidden: false,
        corrupt: false,
        inferred: false,
        entry: 0,
        size: 100,
        payload: number,
    }
}

fn packet(number: u32, pts: i64) -> AudioPacket<u32, Option<i64>> {
    AudioPacket {
        pts: Some(pts),
        duration: 1024,
        hidden: false,
        size: 10,
        payload: number,
    }
}

/// A packet of the source, with its time in seconds.
enum Packet {
    Picture(f64),
    Audio(f64),
}

/// Segments pictures and audio in stored order.
fn segment(stored: impl IntoIterator<Item = Packet>) -> (Segments, u32) {
    let pace = Pace {
        timebase: base(VIDEO),
        timestamp_bits: 64,
        frame_interval: Some(Duration::from_millis(40)),
    };
    let mut cutter = crate::cutter::Cutter::new(pace, Duration::from_secs(2), Limits::default());
    let mut audio = AudioSegmenter::new(base(VIDEO), base(AUDIO), 64, OVERHANG);
    let (mut pictures, mut packets) = (0, 0);
    let mut segments = Vec::new();
    for stored in stored {
        match stored {
            Packet::Picture(at) => {
                cutter.push(picture(pictures, at));
                audio.advance(cutter.latest().unwrap());
                pictures += 1;
            }
            Packet::Audio(at) => {
                audio.push(packet(packets, (at * f64::from(AUDIO)) as i64));
                packets += 1;
            }
        }
        while let Some(cut) = cutter.pop() {
            audio.push_cut(cut);
        }
        segments.extend(std::iter::from_fn(|| audio.pop()));
    }
    cutter.finish();
    while let Some(cut) = cutter.pop() {
        audio.push_cut(cut);
    }
    audio.finish();
    segments.extend(std::iter::from_fn(|| audio.pop()));
    (segments, audio.dropped())
}

/// A stretch of both, with audio in `from..to`, stored `late` seconds after the pictures.
fn stretch(clock: f64, seconds: u32, (from, to): (f64, f64), late: f64) -> Vec<Packet> {
    let pictures = (0..seconds * 25).map(|n| f64::from(n) / 25.0);
    let mut all: Vec<(f64, Packet)> = pictures
        .map(|at| (at, Packet::Picture(clock + at)))
        .collect();
    let mut at = from;
    while at < to {
        all.push((at + late, Packet::Audio(clock + at)));
        at += 1024.0 / f64::from(AUDIO);
    }
    all.sort_by(|one, other| one.0.total_cmp(&other.0));
    all.into_iter().map(|(_, stored)| stored).collect()
}

fn count_audio(stored: &[Packet]) -> usize {
    let audio = |stored: &&Packet| matches!(stored, Packet::Audio(_));
    stored.iter().filter(audio).count()
}

proptest! {
    #[test]
    fn each_packet_is_in_one_portion_or_counted(
        steps in prop::collection::vec((-30.0..30.0f64, 1..12u32, -0.5..2.0f64, 0.5..14.0f64, -1.5..1.5f64), 1..4),
    ) {
        let mut clock = 100.0;
        let mut stored = Vec::new();
        for (step, seconds, from, to, late) in steps {
            stored.extend(stretch(clock, seconds, (from, to), late));
            clock += f64::from(seconds) + step;
        }
        let pushed = count_audio(&stored);
        let (segments, left) = segment(stored);
        let mut numbers: Vec<u32> = segments.iter().flat_map(|(_, segment)| &segment.packets).map(|packet| packet.payload).collect();
        let played = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        prop_assert_eq!(numbers.len(), played, "a packet is in two segments");
        let counted: usize = segments.iter().map(|(_, segment)| segment.dropped as usize).sum();
        prop_assert_eq!(played + counted + left as usize, pushed);
    }

    #[test]
    fn each_packet_is_in_the_cut_where_it_begins(late in -2.0..2.0f64, seconds in 5..20u32) {
        let stored = stretch(0.0, seconds, (0.0, f64::from(seconds)), late);
        let pushed = count_audio(&stored);
        let (segments, left) = segment(stored);
        prop_assert_eq!(left, 0);
        let mut played = 0;
        let mut previous: Option<AudioPacket<u32>> = None;
        for (cut, segment) in &segments {
            let ticks = |ticks: i64| base(VIDEO).convert_up(ticks, base(AUDIO));
            let interval = ticks(cut.facts.start_ticks)..ticks(cut.facts.end_ticks);
            prop_assert!(segment.packets.iter().all(|packet| interval.contains(&packet.pts)));
            prop_assert_eq!(segment.before.first(), previous.as_ref());
            prop_assert_eq!(segment.dropped, 0);
            played += segment.packets.len();
            previous = segment.packets.last().cloned();
        }
        prop_assert_eq!(played, pushed);
    }

    #[test]
    fn audio_of_one_run_is_never_in_another(step in prop_oneof![12.0..40.0f64, -9.0..-3.0f64], late in -0.9..0.9f64) {
        let mut stored = stretch(50.0, 10, (0.0, 10.0), late);
        let first = count_audio(&stored) as u32;
        stored.extend(stretch(60.0 + step, 10, (0.0, 10.0), late));
        let pushed = count_audio(&stored);
        let (segments, _) = segment(stored);
        let played: usize = segments.iter().map(|(_, segment)| segment.packets.len()).sum();
        prop_assert_eq!(played, pushed, "no packet is lost");
        for (cut, segment) in &segments {
            for packet in segment.packets.iter().chain(&segment.before) {
                prop_assert_eq!(u32::from(packet.payload >= first), cut.facts.run, "{:?}", packet);
            }
        }
    }
}

#[test]
fn a_cut_waits_ten_seconds_for_missing_audio() {
    let pace = Pace {
        timebase: base(VIDEO),
        timestamp_bits: 64,
        frame_interval: Some(Duration::from_millis(40)),
    };
    let mut cutter = crate::cutter::Cutter::new(pace, Duration::from_secs(2), Limits::default());
    let mut audio: AudioSegmenter<u32, u32> =
        AudioSegmenter::new(base(VIDEO), base(AUDIO), 64, OVERHANG);
    let mut waited = None;
    for number in 0..25 * 30 {
        cutter.push(picture(number, f64::from(number) / 25.0));
        audio.advance(cutter.latest().unwrap());
        while let Some(cut) = cutter.pop() {
            audio.push_cut(cut);
        }
        if audio.pop().is_some() {
            waited.get_or_insert(number / 25);
        }
    }
    assert_eq!(waited, Some(12), "2 s of the chunk and 10 s");
}

#[test]
fn audio_without_pictures_is_bounded_and_counted() {
    let mut audio: AudioSegmenter<u32, u32> =
        AudioSegmenter::new(base(VIDEO), base(AUDIO), 64, OVERHANG);
    for number in 0..100 {
        audio.push(AudioPacket {
            size: 1 << 20,
            ..packet(number, i64::from(number) * 1024)
        });
    }
    assert!(audio.bytes <= MAX_BYTES && audio.dropped == 36);
    assert_eq!(audio.dropped(), 100);
}

#[test]
fn audio_continues_after_a_pause() {
    let mut stored = stretch(0.0, 40, (0.0, 5.0), 0.0);
    stored.retain(|stored| matches!(stored, Packet::Audio(_)));
    let late = stretch(0.0, 40, (25.0, 40.0), 0.0);
    let pushed = count_audio(&stored) + count_audio(&late);
    stored.extend(late);
    let (segments, left) = segment(stored);
    let played: usize = segments
        .iter()
        .map(|(_, segment)| segment.packets.len())
        .sum();
    assert_eq!((played, left), (pushed, 0));
}
