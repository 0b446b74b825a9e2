//! Mutated files: an answer or an error, never a crash, a hang, or unbounded memory.
//!
//! libav parses them in the calling process, and could end it. So the cases run in child processes,
//! each of which keeps its current case in a file: when one dies or hangs, the test prints that
//! file. `make fuzz` runs many more.
#![allow(clippy::unwrap_used)] // Helpers of tests are test code too.

#[path = "../clip/mod.rs"]
mod clip;
mod mutation;

use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clip::Clips;
use crispy_media::{Chunks, OpenOptions, ReadError, probe};
use mutation::{Dice, mutate};

/// The cases of a child process: `BEGIN END`.
const CASES: &str = "CRISPY_FUZZ_CHILD_CASES";
/// The number of cases in all; `make fuzz` sets more.
const COUNT: &str = "CRISPY_FUZZ_CASES";
/// Most memory of a child in KiB: valid files take at most a tenth.
const MOST_MEMORY: u64 = 512 << 10;

#[test]
fn fuzzed_files_never_crash_or_hang() {
    let count: u64 = std::env::var(COUNT).map_or(1200, |count| count.parse().unwrap());
    let timeout =
        Duration::from_secs(60) + Duration::from_millis(100) * u32::try_from(count).unwrap();
    let half = count / 2;
    let children = [(0, half), (half, count)].map(|(begin, end)| {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child
            .args(["--exact", "a_range_of_fuzzed_files_is_survived"])
            .env(CASES, format!("{begin} {end}"))
            .stdout(Stdio::null());
        (begin, child.spawn().unwrap())
    });
    let begun = Instant::now();
    for (begin, mut child) in children {
        let outcome = wait(&mut child, timeout.saturating_sub(begun.elapsed()));
        assert!(
            outcome == "survived",
            "{outcome}: {} is kept",
            kept(begin).display()
        );
    }
}

fn wait(child: &mut Child, timeout: Duration) -> String {
    let begun = Instant::now();
    while begun.elapsed() < timeout {
        match child.try_wait().unwrap() {
            Some(status) if status.success() => return "survived".to_owned(),
            Some(status) => return status.to_string(),
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    "a hang".to_owned()
}

/// Found by fuzzing: libav ends the process if a step of time does not fit into mp4's 32 bits.
#[test]
fn frames_too_far_apart_for_an_index_are_an_error() {
    let clips = Clips::new();
    // A frame in 14 minutes, which raw streams count in 1/1200000 s.
    let rate = "testsrc2=size=64x48:rate=10/8193:duration=12000";
    let options = "-pix_fmt yuv420p -c:v libx265 -preset ultrafast \
                   -x265-params keyint=15:bframes=3:b-adapt=0:log-level=none";
    let source = clips.make("a.hevc", rate, options);
    let options = OpenOptions::new(source.to_str().unwrap(), Duration::from_secs(3));
    let mut chunks = Chunks::open(&options).unwrap();
    let end = loop {
        match chunks.next_chunk() {
            Ok(Some(_)) => {}
            end => break end.map(drop),
        }
    };
    assert!(matches!(end, Err(ReadError::Mux { .. })), "{end:?}");
}

/// The cases of a child process; without a parent, a few cases.
#[test]
fn a_range_of_fuzzed_files_is_survived() {
    let cases = std::env::var(CASES).unwrap_or_else(|_| "1000000 1000020".to_owned());
    let (begin, end) = cases.split_once(' ').unwrap();
    let (begin, end): (u64, u64) = (begin.parse().unwrap(), end.parse().unwrap());
    let seeds = seeds();
    let keep = kept(begin);
    for case in begin..end {
        let mut dice = Dice::new(case);
        let bytes = mutate(&seeds[dice.roll(seeds.len())], &mut dice);
        std::fs::write(&keep, &bytes).unwrap();
        probe_within(bytes);
        cut(&keep);
    }
    assert!(peak_memory() < MOST_MEMORY, "{} KiB", peak_memory());
    std::fs::remove_file(keep).unwrap();
}

fn kept(begin: u64) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-from-{begin}.bin"))
}

/// The peak memory of this process in KiB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.unwrap().trim_end_matches("kB").trim().parse().unwrap()
}

/// Valid files of each kind.
fn seeds() -> Vec<Vec<u8>> {
    let clips = Clips::new();
    let h264 = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -g 5 -bf 2";
    let h265 =
        "-pix_fmt yuv420p -c:v libx265 -preset ultrafast -x265-params keyint=5:log-level=none";
    let made = [
        ("a.mp4", h264),
        ("b.mp4", h265),
        ("c.mp4", "-c:v mpeg4 -g 5 -bf 2"),
        ("d.mkv", h264),
        (
            "e.webm",
            "-pix_fmt yuv420p -c:v libvpx -deadline realtime -g 5",
        ),
        ("f.ts", h264),
        ("g.h264", h264),
        ("h.hevc", h265),
        ("i.avi", "-c:v mpeg4 -g 5 -bf 2"),
    ];
    let source = |(name, options)| {
        let path = clips.make(name, "testsrc2=size=64x48:rate=10:duration=1.5", options);
        std::fs::read(path).unwrap()
    };
    let mut seeds: Vec<_> = made.into_iter().map(source).collect();
    // And chunks, which the inspector reads.
    let own = clip::chunks(&clips.path("a.mp4"), Duration::from_secs(1));
    seeds.extend(own.into_iter().map(|chunk| chunk.bytes));
    seeds
}

/// Counts the bytes that are read.
struct Counted(Cursor<Vec<u8>>, Arc<AtomicU64>);

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (size, at) = (self.0.get_ref().len() as u64, self.0.position());
        assert!(at <= size, "a read at {at} of {size} bytes");
        let read = self.0.read(buffer)?;
        self.1.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl Seek for Counted {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

/// Probes like the inspector: within the object, without reading it repeatedly.
fn probe_within(bytes: Vec<u8>) {
    let size = bytes.len() as u64;
    let read = Arc::new(AtomicU64::new(0));
    let _ = probe(Counted(Cursor::new(bytes), Arc::clone(&read)), size);
    let read = read.load(Ordering::Relaxed);
    assert!(read <= 16 * size + (1 << 20), "{read} bytes read of {size}");
}

/// Cuts like the ingestor: the result is chunks or an error.
fn cut(path: &Path) {
    let options = OpenOptions::new(path.to_str().unwrap(), Duration::from_secs(1));
    let Ok(mut chunks) = Chunks::open(&options) else {
        return;
    };
    while let Ok(Some(chunk)) = chunks.next_chunk() {
        assert!(chunk.cut.start_ticks < chunk.cut.end_ticks);
    }
}
