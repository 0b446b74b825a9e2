//! Video: the clips of these tests, and what FFmpeg's own commands say about a file.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crispy_testbed::clips;
use serde_json::Value;

/// 12 s of H.264 with B-frames, key frames where they fall: groups from 0.2 s to 3.4 s, closed.
pub(crate) fn irregular() -> PathBuf {
    clips::h264(12.0)
        .encoder("-c:v libx264 -preset veryfast -g 250 -bf 2 -forced-idr 1 -force_key_frames 0.4,0.6,1.48,2.92,3.4,5.2,6.04,9.44,9.96,11.2 -x264-params scenecut=0:open-gop=0")
        .make()
}

/// Many small chunks: `seconds` of tiny pictures, a key frame each second.
pub(crate) fn many(seconds: u32) -> PathBuf {
    clips::h264(seconds.into())
        .size(160, 90)
        .frame_rate("5")
        .encoder("-c:v libx264 -preset ultrafast -g 5 -bf 0 -x264-params scenecut=0:open-gop=0")
        .make()
}

/// As [`many`], of as many bytes as matter.
pub(crate) fn many_larger(seconds: u32) -> PathBuf {
    clips::h264(seconds.into())
        .size(320, 180)
        .frame_rate("5")
        .encoder(
            "-c:v libx264 -preset ultrafast -qp 18 -g 5 -bf 0 -x264-params scenecut=0:open-gop=0",
        )
        .make()
}

/// The ticks that the video in `path` covers, first shown to last ended, and how many of them make a second's fraction: `1/12800`.
pub(crate) fn ticks(path: &Path) -> (i64, String) {
    let said = ffprobe(
        path,
        &["-show_entries", "stream=time_base:packet=pts,duration"],
    );
    let number = |packet: &Value, field: &str| packet[field].as_i64().expect("packets have times");
    let packets = said["packets"].as_array().expect("it has packets");
    let start = packets.iter().map(|packet| number(packet, "pts")).min();
    let ends = packets
        .iter()
        .map(|packet| number(packet, "pts") + number(packet, "duration"));
    let timebase = said["streams"][0]["time_base"].as_str().unwrap_or_default();
    let covered = ends.max().zip(start).map(|(end, start)| end - start);
    (covered.expect("it has packets"), timebase.to_owned())
}

/// Where in a file each packet of its video begins, in the order of decoding.
pub(crate) fn packet_positions(path: &Path) -> Vec<usize> {
    let said = ffprobe(path, &["-show_entries", "packet=pos"]);
    let packets = said["packets"].as_array().expect("it has packets");
    let position = |packet: &Value| packet["pos"].as_str()?.parse().ok();
    let positions = packets.iter().map(position);
    positions
        .collect::<Option<_>>()
        .expect("every packet has a place")
}

/// Decodes a file by itself; fails at the first thing that FFmpeg has to say about it.
#[track_caller]
pub(crate) fn plays_alone(path: &Path) {
    let decode = Command::new("ffmpeg")
        .args([
            "-nostdin",
            "-v",
            "error",
            "-xerror",
            "-err_detect",
            "explode",
            "-i",
        ])
        .arg(path)
        .args(["-map", "0:v:0", "-f", "null", "-"])
        .output()
        .expect("there is ffmpeg: make setup");
    let said = String::from_utf8_lossy(&decode.stderr);
    assert!(
        decode.status.success() && said.is_empty(),
        "{}: {said}",
        path.display()
    );
}

/// The samples of a file's sound as it is decoded, 16 bits each.
pub(crate) fn samples(path: &Path) -> Vec<u8> {
    let decode = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(path)
        .args(["-map", "0:a:0", "-f", "s16le", "-"])
        .output()
        .expect("there is ffmpeg: make setup");
    let said = String::from_utf8_lossy(&decode.stderr);
    assert!(decode.status.success(), "{}: {said}", path.display());
    decode.stdout
}

fn ffprobe(path: &Path, arguments: &[&str]) -> Value {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-of", "json", "-select_streams", "v:0"])
        .args(arguments)
        .arg(path)
        .output()
        .expect("there is ffprobe: make setup");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", path.display());
    serde_json::from_slice(&output.stdout).expect("ffprobe writes JSON")
}
