//! Properties of cuts for every stream, with any timestamps.

use std::time::Duration;

use proptest::prelude::*;

use super::{Cut, Cutter, Limits, Pace, Picture, Sample, StartKind};
use crate::time::Timebase;

const SECOND: i64 = 90_000;

fn cutter(window: Duration) -> Cutter<usize> {
    let timebase = Timebase::new(1, 90_000).unwrap();
    let pace = Pace {
        timebase,
        timestamp_bits: 33,
        frame_interval: Some(Duration::from_millis(40)),
    };
    Cutter::new(pace, window, Limits::default())
}

fn sample(pts: i64, picture: Picture) -> Sample<usize> {
    let (hidden, corrupt, inferred) = (false, false, false);
    Sample {
        pts,
        duration: Some(3600),
        picture,
        completes_frame: false,
        hidden,
        corrupt,
        inferred,
        entry: 0,
        size: 1000,
        payload: 0,
    }
}

/// Runs samples through a cutter; each payload is the sample's index in decode order.
fn cut(
    window: Duration,
    samples: impl IntoIterator<Item = Sample<usize>>,
) -> (Vec<Cut<usize>>, u32) {
    let mut cutter = cutter(window);
    let mut cuts = Vec::new();
    for (index, sample) in samples.into_iter().enumerate() {
        cutter.push(Sample {
            payload: index,
            ..sample
        });
        cuts.extend(std::iter::from_fn(|| cutter.pop()));
    }
    cutter.finish();
    cuts.extend(std::iter::from_fn(|| cutter.pop()));
    (cuts, cutter.lost())
}

/// A closed or open group of pictures in decode order, as positions in presentation order.
fn decode_order(frames: usize, b_frames: usize, open: bool) -> Vec<usize> {
    let step = b_frames + 1;
    let lead = if open { b_frames } else { 0 };
    let mut anchors: Vec<usize> = (lead..frames).step_by(step).collect();
    if anchors.last().is_some_and(|&last| last != frames - 1) {
        anchors.push(frames - 1);
    }
    let mut order = Vec::with_capacity(frames);
    let mut shown = 0;
    for anchor in anchors {
        order.push(anchor);
        order.extend(shown..anchor);
        shown = anchor + 1;
    }
    order
}

/// Groups of pictures with jittered times, as cameras send them.
#[derive(Clone, Debug)]
struct Stream {
    samples: Vec<Sample<usize>>,
}

prop_compose! {
    fn streams()(
        groups in prop::collection::vec((3..60usize, 0..4usize, any::<bool>()), 1..25),
        jitter in prop::collection::vec(0..1500i64, 64),
        origin in -SECOND..SECOND * 1000,
    ) -> Stream {
        let mut samples = Vec::new();
        let mut shown = 0;
        for (frames, b_frames, open) in groups {
            let open = open && !samples.is_empty() && b_frames < frames;
            for (place, frame) in decode_order(frames, b_frames, open).into_iter().enumerate() {
                let picture = match place {
                    0 if open => Picture::OpenKey,
                    0 => Picture::Idr,
                    _ => Picture::Dependent,
                };
                let at = shown + frame;
                samples.push(sample(origin + at as i64 * 3600 + jitter[at % jitter.len()], picture));
            }
            shown += frames;
        }
        Stream { samples }
    }
}

fn assert_nothing_lost_or_doubled(
    cuts: &[Cut<usize>],
    lost: u32,
    pushed: usize,
) -> Result<(), TestCaseError> {
    let out: Vec<usize> = cuts
        .iter()
        .flat_map(|cut| cut.samples.iter().map(|sample| sample.payload))
        .collect();
    let counted = lost + cuts.iter().map(|cut| cut.facts.lost).sum::<u32>();
    prop_assert_eq!(out.len() + counted as usize, pushed);
    prop_assert!(
        out.windows(2).all(|pair| pair[0] < pair[1]),
        "in decode order, each once"
    );
    Ok(())
}

fn assert_gapless(cuts: &[Cut<usize>]) -> Result<(), TestCaseError> {
    prop_assert!(
        cuts.iter()
            .all(|cut| cut.facts.start_ticks < cut.facts.end_ticks)
    );
    for pair in cuts.windows(2) {
        let (one, next) = (&pair[0].facts, &pair[1].facts);
        if one.run == next.run {
            prop_assert_eq!(one.end_ticks, next.start_ticks);
            prop_assert_eq!(one.origin_ticks, next.origin_ticks);
            prop_assert_eq!(next.gap_before, None);
        } else {
            prop_assert_eq!(next.run, one.run + 1);
            prop_assert_eq!(next.gap_before, Some(next.start_ticks - one.end_ticks));
            prop_assert_eq!(next.origin_ticks, next.start_ticks);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_stream_is_cut_without_gaps_losses_or_doubles(stream in streams(), millis in 200..6000u64) {
        let pushed = stream.samples.len();
        let (cuts, lost) = cut(Duration::from_millis(millis), stream.samples);
        assert_nothing_lost_or_doubled(&cuts, lost, pushed)?;
        assert_gapless(&cuts)?;
        prop_assert!(cuts.iter().all(|cut| cut.facts.run == 0 && cut.facts.lost == 0));
        for cut in &cuts {
            let inside = cut.facts.start_ticks..cut.facts.end_ticks;
            prop_assert!(cut.samples.iter().all(|sample| inside.contains(&sample.pts)));
        }
    }

    #[test]
    fn cuts_are_at_the_first_good_key_after_their_line(stream in streams(), millis in 200..6000u64) {
        let window = Duration::from_millis(millis);
        let (cuts, _) = cut(window, stream.samples);
        let base = Timebase::new(1, 90_000).unwrap();
        for cut in &cuts {
            let line = |pts: i64| base.interval(pts - cut.facts.origin_ticks, window, super::SLACK);
            let began = line(cut.facts.start_ticks);
            let missed = cut.samples.iter().skip(1).any(|sample| sample.picture == Picture::Idr && line(sample.pts) > began);
            prop_assert!(!missed, "an IDR after the next line is in the middle of a chunk");
            let passed = cut.samples.iter().skip(1).any(|s| s.picture == Picture::OpenKey && line(s.pts) > began + 1);
            prop_assert!(!passed, "an open key frame two lines later is in the middle of a chunk");
            prop_assert!(cut.samples[0].picture.is_key());
        }
    }

    #[test]
    fn steps_in_time_and_missing_packets_lose_nothing(
        stream in streams(),
        steps in prop::collection::vec((any::<prop::sample::Index>(), -100 * SECOND..100 * SECOND), 0..4),
        holes in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let mut samples = stream.samples;
        for hole in holes {
            if samples.len() > 1 {
                samples.remove(hole.index(samples.len()));
            }
        }
        for (from, by) in steps {
            let from = from.index(samples.len());
            samples[from..].iter_mut().for_each(|sample| sample.pts += by);
        }
        let pushed = samples.len();
        let (cuts, lost) = cut(Duration::from_secs(3), samples);
        assert_nothing_lost_or_doubled(&cuts, lost, pushed)?;
        assert_gapless(&cuts)?;
    }

    #[test]
    fn chaos_is_survived(
        chaos in prop::collection::vec((-(1i64 << 34)..1i64 << 34, 0..4u8, any::<bool>(), 0..3u32), 1..200),
    ) {
        let pushed = chaos.len();
        let samples = chaos.into_iter().map(|(pts, picture, hidden, entry)| {
            let picture = [Picture::Idr, Picture::OpenKey, Picture::RecoveryPoint, Picture::Dependent][picture as usize];
            Sample { hidden, entry, ..sample(pts, picture) }
        });
        let (cuts, lost) = cut(Duration::from_millis(100), samples);
        assert_nothing_lost_or_doubled(&cuts, lost, pushed)?;
        assert_gapless(&cuts)?;
        let one_entry = |cut: &Cut<usize>| cut.samples.iter().all(|sample| sample.entry == cut.samples[0].entry);
        prop_assert!(cuts.iter().all(one_entry), "a chunk has one sample description");
    }
}

/// `seconds` of 25 frames a second with an IDR every `gop` frames, from tick 0.
fn steady(seconds: i64, gop: i64) -> Vec<Sample<usize>> {
    let picture = |n| {
        if n % gop == 0 {
            Picture::Idr
        } else {
            Picture::Dependent
        }
    };
    (0..seconds * 25)
        .map(|n| sample(n * 3600, picture(n)))
        .collect()
}

fn seconds(cuts: &[Cut<usize>]) -> Vec<f64> {
    cuts.iter()
        .map(|cut| cut.facts.duration_ticks() as f64 / SECOND as f64)
        .collect()
}

#[test]
fn two_second_groups_in_three_second_windows_never_drift() {
    let (cuts, _) = cut(Duration::from_secs(3), steady(60, 50));
    assert_eq!(seconds(&cuts), [[4.0, 2.0]; 10].concat());
}

/// Matroska rounds to milliseconds: 1/3 s becomes 333 ms, which is not yet on the line.
#[test]
fn a_key_frame_early_by_a_rounding_is_on_its_line() {
    let early = |sample: Sample<usize>| Sample {
        pts: sample.pts - 30 * i64::from(sample.pts > 0),
        ..sample
    };
    let (cuts, _) = cut(Duration::from_secs(2), steady(8, 50).into_iter().map(early));
    assert_eq!(cuts.len(), 4);
    let late = |sample: Sample<usize>| Sample {
        pts: sample.pts - 90 * i64::from(sample.pts > 0),
        ..sample
    };
    let (cuts, _) = cut(Duration::from_secs(2), steady(8, 50).into_iter().map(late));
    assert!(cuts.len() < 4, "a millisecond is no rounding");
}

#[test]
fn packets_before_the_first_key_frame_are_counted() {
    let samples = steady(6, 50).split_off(20);
    let (cuts, lost) = cut(Duration::from_secs(2), samples);
    assert_eq!((cuts[0].facts.lost, cuts[1].facts.lost, lost), (30, 0, 0));
    assert_eq!(cuts[0].facts.start_ticks, 2 * SECOND);
}

#[test]
fn a_stream_without_a_key_frame_is_counted_as_lost() {
    let samples = (0..50).map(|n| sample(n * 3600, Picture::Dependent));
    let (cuts, lost) = cut(Duration::from_secs(2), samples);
    assert_eq!((cuts.len(), lost), (0, 50));
}

#[test]
fn a_clock_set_back_inside_a_group_ends_the_run() {
    let mut samples = steady(12, 50);
    samples[160..]
        .iter_mut()
        .for_each(|sample| sample.pts -= 3 * SECOND);
    let (cuts, _) = cut(Duration::from_secs(2), samples);
    let after = cuts.iter().position(|cut| cut.facts.run == 1).unwrap();
    let facts = &cuts[after].facts;
    assert_eq!(
        (facts.packets, facts.start, facts.depends_on_previous),
        (40, StartKind::None, true)
    );
    assert_eq!(facts.gap_before, Some(-3 * SECOND));
    assert_eq!(cuts[after - 1].facts.end_ticks, 160 * 3600);
    assert_eq!(cuts[after + 1].facts.start, StartKind::Idr);
}

#[test]
fn a_group_is_split_only_beyond_the_limit() {
    let (cuts, _) = cut(Duration::from_secs(3), steady(300, 25 * 200));
    assert_eq!(seconds(&cuts), [120.0, 80.0, 100.0]);
    let depends: Vec<_> = cuts
        .iter()
        .map(|cut| cut.facts.depends_on_previous)
        .collect();
    assert_eq!(depends, [false, true, false]);
}

#[test]
fn a_group_is_split_at_64_mib_too() {
    let large = |sample| Sample {
        size: 1 << 20,
        ..sample
    };
    let (cuts, _) = cut(
        Duration::from_secs(3),
        steady(4, 100).into_iter().map(large),
    );
    let found: Vec<_> = cuts
        .iter()
        .map(|cut| (cut.facts.packets, cut.facts.depends_on_previous))
        .collect();
    assert_eq!(found, [(64, false), (36, true)]);
}

#[test]
fn an_idr_is_preferred_to_an_open_key_frame() {
    let picture = |n| match n {
        _ if n % 100 == 0 => Picture::Idr,
        _ if n % 25 == 0 => Picture::OpenKey,
        _ => Picture::Dependent,
    };
    let samples = (0..25 * 24).map(|n| sample(n * 3600, picture(n)));
    let (cuts, _) = cut(Duration::from_secs(3), samples);
    assert!(cuts.iter().all(|cut| cut.facts.start == StartKind::Idr));
    assert_eq!(seconds(&cuts), [4.0, 4.0, 4.0, 4.0, 4.0, 4.0]);
}

#[test]
fn waiting_in_vain_for_an_idr_happens_once() {
    let picture = |n| match n {
        0 => Picture::Idr,
        _ if n % 25 == 0 => Picture::OpenKey,
        _ => Picture::Dependent,
    };
    let (cuts, _) = cut(
        Duration::from_secs(3),
        (0..25 * 15).map(|n| sample(n * 3600, picture(n))),
    );
    assert_eq!(seconds(&cuts), [6.0, 3.0, 3.0, 3.0]);
}

#[test]
fn leading_pictures_are_counted_with_their_key_frame() {
    let group = |start: i64, picture| {
        let at = move |n: i64, picture| sample((start + n) * 3600, picture);
        let rest = (3..25).map(move |n| at(n, Picture::Dependent));
        [
            at(2, picture),
            at(0, Picture::Dependent),
            at(1, Picture::Dependent),
        ]
        .into_iter()
        .chain(rest)
    };
    let first = (0..25).map(|n| {
        sample(
            n * 3600,
            if n == 0 {
                Picture::Idr
            } else {
                Picture::Dependent
            },
        )
    });
    let rest = (1..8).flat_map(|n| group(n * 25, Picture::OpenKey));
    let (cuts, _) = cut(Duration::from_secs(1), first.chain(rest));
    assert_eq!(cuts[1].facts.start, StartKind::Open { leading: 2 });
    assert_eq!(cuts[1].facts.start_ticks % (25 * 3600), 0);
    assert_eq!(cuts[1].samples[0].pts - cuts[1].facts.start_ticks, 2 * 3600);
}

#[test]
fn changed_parameters_cut_at_once() {
    let samples = steady(6, 25).into_iter().enumerate();
    let samples = samples.map(|(n, sample)| Sample {
        entry: u32::from(n >= 50),
        ..sample
    });
    let (cuts, _) = cut(Duration::from_secs(10), samples);
    assert_eq!(seconds(&cuts), [2.0, 4.0]);
}

#[test]
fn hidden_packets_are_carried_but_not_counted() {
    let mut samples = steady(2, 50);
    samples[..10]
        .iter_mut()
        .for_each(|sample| sample.hidden = true);
    let (cuts, _) = cut(Duration::from_secs(3), samples);
    let facts = &cuts[0].facts;
    assert_eq!(
        (facts.hidden_preroll, facts.packets, facts.start_ticks),
        (10, 40, 10 * 3600)
    );
    assert_eq!(cuts[0].samples.len(), 50);
}

#[test]
fn the_last_frame_has_its_own_or_an_inferred_duration() {
    let mut samples = steady(1, 25);
    samples[24].duration = Some(9000);
    let (cuts, _) = cut(Duration::from_secs(3), samples.clone());
    assert_eq!(
        (cuts[0].facts.end_ticks, cuts[0].facts.end_inferred),
        (24 * 3600 + 9000, false)
    );
    samples[24].duration = None;
    let (cuts, _) = cut(Duration::from_secs(3), samples);
    assert_eq!(
        (cuts[0].facts.end_ticks, cuts[0].facts.end_inferred),
        (25 * 3600, true)
    );
}

#[test]
fn the_last_shown_frame_ends_the_run() {
    let group = [(0, 3600), (3, 9000), (1, 3600), (2, 3600)];
    let samples = group.map(|(shown, duration)| Sample {
        duration: Some(duration),
        ..sample(
            shown * 3600,
            if shown == 0 {
                Picture::Idr
            } else {
                Picture::Dependent
            },
        )
    });
    let (cuts, _) = cut(Duration::from_secs(3), samples);
    assert_eq!(cuts[0].facts.end_ticks, 3 * 3600 + 9000);
}

#[test]
fn two_fields_are_two_packets_and_one_frame() {
    let samples = steady(2, 50).into_iter().enumerate();
    let samples = samples.map(|(n, sample)| Sample {
        completes_frame: n % 2 == 1,
        ..sample
    });
    let (cuts, _) = cut(Duration::from_secs(3), samples);
    assert_eq!((cuts[0].facts.packets, cuts[0].facts.frames), (50, 25));
}
