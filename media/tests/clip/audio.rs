//! Decoded audio.

use std::path::Path;
use std::process::Command;

use crispy_media::Chunk;

use super::Clips;

/// The samples of a file's audio as it is decoded, 16 bits each.
pub(crate) fn samples(path: &Path) -> Vec<u8> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin", "-i"]).arg(path);
    command.args(["-map", "0:a:0?", "-c:a", "pcm_s16le", "-f", "s16le", "-"]);
    command
        .output()
        .expect("the ffmpeg command line is installed (make setup)")
        .stdout
}

/// Applies `of` to each chunk with audio, in order.
pub(crate) fn each<T>(clips: &Clips, chunks: &[Chunk], of: fn(&Path) -> Vec<T>) -> Vec<T> {
    let name = |chunk: &Chunk| format!("audible.{}", chunk.container.extension());
    chunks
        .iter()
        .filter(|chunk| chunk.audio.is_some())
        .flat_map(|chunk| of(&clips.write(&name(chunk), &chunk.bytes)))
        .collect()
}

/// Fails with the positions of different samples, not with the samples.
#[track_caller]
pub(crate) fn assert_same_samples(found: &[u8], expected: &[u8]) {
    let differing = found.iter().zip(expected).filter(|(a, b)| a != b).count();
    let first = found.iter().zip(expected).position(|(a, b)| a != b);
    assert!(
        differing == 0 && found.len() == expected.len() && !found.is_empty(),
        "{} bytes for {}; {differing} differ, from {first:?} on",
        found.len(),
        expected.len()
    );
}
