//! Clips made by the ffmpeg command line, and its view of a file's frames.
#![allow(dead_code)] // Every test binary uses its own part of this.
#![allow(clippy::unwrap_used)] // Helpers of tests are test code too.

pub(crate) mod audio;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crispy_media::{Chunk, Chunks, Container, OpenOptions};
use tempfile::TempDir;

/// A folder of clips, removed on drop.
pub(crate) struct Clips(TempDir);

impl Clips {
    pub(crate) fn new() -> Clips {
        Clips(tempfile::tempdir().expect("a temporary folder"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Makes a clip of moving test pictures: `ffmpeg -f lavfi -i SOURCE OPTIONS NAME`.
    pub(crate) fn make(&self, name: &str, source: &str, options: &str) -> PathBuf {
        let path = self.path(name);
        let mut arguments = vec!["-f", "lavfi", "-i", source];
        arguments.extend(options.split_whitespace());
        ffmpeg(&arguments, &path);
        path
    }

    /// Converts a file: `ffmpeg -i FROM OPTIONS NAME`.
    pub(crate) fn convert(&self, name: &str, from: &Path, options: &str) -> PathBuf {
        let path = self.path(name);
        let mut arguments = vec!["-i", from.to_str().unwrap()];
        arguments.extend(options.split_whitespace());
        ffmpeg(&arguments, &path);
        path
    }

    /// Like [`convert`](Clips::convert), from the key frame before a time, shown from that time on.
    pub(crate) fn convert_from(
        &self,
        time: &str,
        name: &str,
        from: &Path,
        options: &str,
    ) -> PathBuf {
        let path = self.path(name);
        let mut arguments = vec!["-ss", time, "-i", from.to_str().unwrap()];
        arguments.extend(options.split_whitespace());
        ffmpeg(&arguments, &path);
        path
    }

    /// Repeats a file by copying.
    pub(crate) fn repeat(&self, name: &str, from: &Path, times: u32) -> PathBuf {
        let path = self.path(name);
        let more = (times - 1).to_string();
        let source = from.to_str().unwrap();
        ffmpeg(&["-stream_loop", &more, "-i", source, "-c", "copy"], &path);
        path
    }

    /// Writes bytes to a file.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

fn ffmpeg(arguments: &[&str], out: &Path) {
    let mut command = Command::new("ffmpeg");
    command
        .args(["-v", "error", "-nostdin", "-y"])
        .args(arguments)
        .arg(out);
    let output = command
        .output()
        .expect("the ffmpeg command line is installed (make setup)");
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// One hash for each decoded frame of a file, in presentation order.
pub(crate) fn frame_hashes(path: &Path) -> Vec<String> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "quiet", "-nostdin", "-noautorotate"]);
    if path
        .extension()
        .is_some_and(|extension| extension == "ffconcat")
    {
        command.args(["-safe", "0"]); // The list has absolute paths.
    }
    command.arg("-i").arg(path);
    command.args(["-map", "0:v:0"]).args(HASH_OPTIONS).arg("-");
    let output = command
        .output()
        .expect("the ffmpeg command line is installed (make setup)");
    hashes_in(&String::from_utf8(output.stdout).unwrap())
}

/// Frames as decoded: not scaled, repeated or dropped.
const HASH_OPTIONS: [&str; 5] = ["-noautoscale", "-fps_mode", "passthrough", "-f", "framemd5"];

fn hashes_in(framemd5: &str) -> Vec<String> {
    let frames = framemd5.lines().filter(|line| !line.starts_with('#'));
    frames
        .map(|line| line.rsplit(',').next().unwrap().trim().to_owned())
        .collect()
}

/// All chunks of a source.
pub(crate) fn chunks(source: &Path, window: Duration) -> Vec<Chunk> {
    let mut chunks = Chunks::open(&OpenOptions::new(source.to_str().unwrap(), window)).unwrap();
    std::iter::from_fn(|| chunks.next_chunk().unwrap()).collect()
}

/// The frames of chunks, each decoded alone, in order. One process for all: ffmpeg's start takes
/// longer than decoding.
pub(crate) fn hashes_of_chunks(clips: &Clips, chunks: &[Chunk]) -> Vec<String> {
    hashes_of_each(clips, chunks).concat()
}

/// The same, chunk by chunk.
pub(crate) fn hashes_of_each(clips: &Clips, chunks: &[Chunk]) -> Vec<Vec<String>> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "quiet", "-nostdin", "-y"]);
    for (n, chunk) in chunks.iter().enumerate() {
        let path = clips.write(
            &format!("chunk-{n}.{}", chunk.container.extension()),
            &chunk.bytes,
        );
        command.arg("-noautorotate").arg("-i").arg(path);
    }
    for n in 0..chunks.len() {
        command
            .args(["-map", &format!("{n}:v:0")])
            .args(HASH_OPTIONS)
            .arg(clips.path(&format!("{n}.md5")));
    }
    let status = command
        .status()
        .expect("the ffmpeg command line is installed (make setup)");
    assert!(status.success(), "{command:?}");
    let read = |n| hashes_in(&std::fs::read_to_string(clips.path(&format!("{n}.md5"))).unwrap());
    (0..chunks.len()).map(read).collect()
}

/// ffprobe's entries of the first video stream.
pub(crate) fn ffprobe(path: &Path, entries: &str) -> Vec<String> {
    let mut command = Command::new("ffprobe");
    command
        .args([
            "-v",
            "error",
            "-select_streams",
            "v:0",
            "-show_entries",
            entries,
            "-of",
            "csv=p=0",
        ])
        .arg(path);
    let output = command.output().expect("ffprobe is installed with ffmpeg");
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| line.trim_end_matches(',').to_owned())
        .collect()
}

/// Fails with the positions of different hashes, not with the hashes.
pub(crate) fn assert_same_frames(found: &[String], expected: &[String]) {
    let differing: Vec<usize> = (0..found.len().max(expected.len()))
        .filter(|&n| found.get(n) != expected.get(n))
        .collect();
    let some = &differing[..differing.len().min(20)];
    assert!(
        some.is_empty(),
        "{} frames for {}, {} differ: {some:?} ...",
        found.len(),
        expected.len(),
        differing.len()
    );
}

/// The frames of consecutive chunks in one decoder, as in a player of the whole recording.
pub(crate) fn hashes_of_joined(clips: &Clips, chunks: &[Chunk]) -> Vec<String> {
    let mut list = String::from("ffconcat version 1.0\n");
    for (n, chunk) in chunks.iter().enumerate() {
        let path = clips.write(
            &format!("joined-{n}.{}", chunk.container.extension()),
            &chunk.bytes,
        );
        list.push_str(&format!("file '{}'\n", path.display()));
    }
    frame_hashes(&clips.write("joined.ffconcat", list.as_bytes()))
}

/// Fails unless the intervals of each run are gapless and the numbers of runs consecutive.
pub(crate) fn assert_gapless(chunks: &[Chunk]) {
    for pair in chunks.windows(2) {
        let (one, next) = (&pair[0].cut, &pair[1].cut);
        if one.run == next.run {
            assert_eq!((one.end_ticks, next.gap_before), (next.start_ticks, None));
        } else {
            assert_eq!(
                (one.run + 1, next.gap_before),
                (next.run, Some(next.start_ticks - one.end_ticks))
            );
        }
    }
}

/// Fails unless the probe of a chunk's bytes agrees with its facts.
pub(crate) fn assert_probe_agrees(chunk: &Chunk) {
    let size = chunk.bytes.len() as u64;
    let probe = crispy_media::probe(std::io::Cursor::new(chunk.bytes.clone()), size).unwrap();
    let (cut, format) = (&chunk.cut, &chunk.format);
    assert_eq!(
        (probe.codec, probe.container),
        (format.codec, chunk.container)
    );
    if chunk.container == Container::MpegTs {
        return; // It has no index.
    }
    assert_eq!((probe.width, probe.height), (format.width, format.height));
    assert!(
        [0, format.channels].contains(&probe.channels), // 0: not in the index.
        "{} channels for {}",
        probe.channels,
        format.channels
    );
    if let Some(packets) = probe.packets {
        assert_eq!(packets, u64::from(cut.packets + cut.hidden_preroll));
    }
    let Some(found) = probe.duration_ticks else {
        return;
    };
    let found = probe.timebase.duration(found);
    let tolerance = match chunk.container {
        Container::Mp4 => Duration::from_nanos(1), // Rounding to nanoseconds.
        Container::Mkv | Container::MpegTs => Duration::from_millis(1),
    };
    assert!(
        found.abs_diff(cut.duration()) <= tolerance,
        "the index has {found:?} for {cut:?}"
    );
}

/// The same mp4 file with another matrix in its track header, as from a rotated camera.
pub(crate) fn turned(clips: &Clips, plain: &Path, matrix: [i32; 4]) -> PathBuf {
    let mut bytes = std::fs::read(plain).unwrap();
    let header = bytes.windows(4).position(|four| four == b"tkhd").unwrap();
    // After the letters come 40 bytes of other fields. Numbers are 16.16 fixed point, the last
    // column
    // 2.30.
    let [a, b, c, d] = matrix.map(|number| number << 16);
    for (n, number) in [a, b, 0, c, d, 0, 0, 0, 1 << 30].into_iter().enumerate() {
        let at = header + 4 + 40 + 4 * n;
        bytes[at..at + 4].copy_from_slice(&number.to_be_bytes());
    }
    clips.write("turned.mp4", &bytes)
}
