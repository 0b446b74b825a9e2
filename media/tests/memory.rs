//! Memory of a long file. A test binary of its own, since the peak is that of the process.
#![allow(clippy::unwrap_used)] // Helpers of tests are test code too.

mod clip;

use std::time::Duration;

use clip::Clips;
use crispy_media::{Chunks, OpenOptions};

const TWO_HOURS: Duration = Duration::from_secs(2 * 3600);
const TEN_MINUTES: Duration = Duration::from_secs(600);

/// Tolerance of the peak in KiB, for the allocator. All chunks together are 25 times as much, and
/// libav's own data for each packet (some 400 bytes) would be 6 times as much.
const SLACK: u64 = 4 * 1024;

#[test]
fn two_hours_take_the_memory_of_ten_minutes() {
    let clips = Clips::new();
    let minute = clips.make(
        "minute.mp4",
        "testsrc2=size=320x180:rate=10:duration=60",
        "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -b:v 120k -minrate 120k -maxrate 120k -bufsize 240k -bf 2 -b_strategy 0 -g 20",
    );
    let long = clips.repeat("long.mp4", &minute, 120);
    let size = std::fs::metadata(&long).unwrap().len();
    assert!(size / 1024 > 20 * SLACK, "{size} bytes would prove nothing");

    let mut chunks = Chunks::open(&OpenOptions::new(
        long.to_str().unwrap(),
        Duration::from_secs(3),
    ))
    .unwrap();
    let (mut cut, mut after_ten_minutes) = (Duration::ZERO, None);
    while let Some(chunk) = chunks.next_chunk().unwrap() {
        cut += chunk.cut.duration();
        if cut >= TEN_MINUTES {
            after_ten_minutes.get_or_insert_with(peak_kib);
        }
    }
    assert_eq!(cut, TWO_HOURS);
    let (before, after) = (after_ten_minutes.unwrap(), peak_kib());
    assert!(
        after <= before + SLACK,
        "{before} KiB after ten minutes, {after} KiB in the end"
    );
}

/// The peak memory of this process so far, in KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.unwrap().trim().strip_suffix(" kB").unwrap();
    kib.trim().parse().unwrap()
}
