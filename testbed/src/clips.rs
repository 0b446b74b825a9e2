//! Video for tests, made by FFmpeg's command, which shares no code with ours, and kept for the next
//! run.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use sha2::{Digest, Sha256};

/// The settings of a clip. The defaults are small and quick to make.
#[derive(Clone, Debug)]
pub struct Clip {
    seconds: f64,
    size: (u32, u32),
    frame_rate: String,
    encoder: Vec<String>,
    extension: String,
    audio: bool,
    output: Vec<String>,
}

/// A small H.264 clip: 320x180, 25 frames/s, closed groups of one second, with B-frames, in mp4.
pub fn h264(seconds: f64) -> Clip {
    Clip {
        seconds,
        size: (320, 180),
        frame_rate: "25".to_owned(),
        encoder: words(
            "-c:v libx264 -preset veryfast -g 25 -bf 2 -x264-params scenecut=0:open-gop=0",
        ),
        extension: "mp4".to_owned(),
        audio: false,
        output: Vec::new(),
    }
}

/// As [`h264`], in H.265.
pub fn h265(seconds: f64) -> Clip {
    Clip {
        encoder: words(
            "-c:v libx265 -preset ultrafast -tag:v hvc1 -x265-params keyint=25:min-keyint=25:scenecut=0:open-gop=0:bframes=2:log-level=error",
        ),
        ..h264(seconds)
    }
}

/// The video of a typical camera: 1080p, 30 frames/s, 4 Mbit/s H.264, a key frame every second.
pub fn camera(seconds: f64) -> Clip {
    Clip {
        size: (1920, 1080),
        frame_rate: "30".to_owned(),
        encoder: words(
            "-c:v libx264 -preset ultrafast -b:v 4M -maxrate 4M -bufsize 4M -g 30 -bf 0 -x264-params scenecut=0:open-gop=0:nal-hrd=cbr",
        ),
        ..h264(seconds)
    }
}

impl Clip {
    /// Width and height, in pixels.
    #[must_use]
    pub fn size(mut self, width: u32, height: u32) -> Self {
        self.size = (width, height);
        self
    }

    /// Frames a second, in FFmpeg's notation: `25`, `30000/1001`.
    #[must_use]
    pub fn frame_rate(mut self, rate: &str) -> Self {
        rate.clone_into(&mut self.frame_rate);
        self
    }

    /// Replaces FFmpeg's options for the encoder, separated by spaces.
    #[must_use]
    pub fn encoder(mut self, options: &str) -> Self {
        self.encoder = words(options);
        self
    }

    /// The file's extension, which selects the container: `mp4`, `mkv`, `ts`.
    #[must_use]
    pub fn container(mut self, extension: &str) -> Self {
        extension.clone_into(&mut self.extension);
        self
    }

    /// Adds a tone in AAC.
    #[must_use]
    pub fn with_audio(mut self) -> Self {
        self.audio = true;
        self
    }

    /// Adds FFmpeg options for the output, separated by spaces.
    #[must_use]
    pub fn output(mut self, options: &str) -> Self {
        self.output.extend(words(options));
        self
    }

    /// Makes the clip's file unless it exists. Tests share it: none may write to it.
    ///
    /// # Panics
    ///
    /// When FFmpeg is not installed, or fails.
    pub fn make(&self) -> PathBuf {
        let folder = folder();
        let path = folder.join(format!("{}.{}", self.name(), self.extension));
        if path.exists() {
            return path;
        }
        fs::create_dir_all(&folder).expect("make the clips' folder");
        // The file gets its name when it is complete, and by the first of several tests that make
        // it at once: an encoder with a constant bit rate writes other bytes each time, and a clip
        // must not change under a test.
        let temporary = tempfile::Builder::new()
            .suffix(&format!(".{}", self.extension))
            .tempfile_in(&folder)
            .expect("make a file for the clip");
        ffmpeg(&self.arguments(temporary.path()));
        if let Err(late) = temporary.persist_noclobber(&path) {
            assert!(path.exists(), "name the clip: {}", late.error);
        }
        path
    }

    fn arguments(&self, path: &Path) -> Vec<String> {
        let (width, height) = self.size;
        let (rate, seconds) = (&self.frame_rate, self.seconds);
        let mut arguments = words(&format!(
            "-y -f lavfi -i testsrc2=size={width}x{height}:rate={rate}:duration={seconds}"
        ));
        if self.audio {
            arguments.extend(words(&format!(
                "-f lavfi -i sine=frequency=440:sample_rate=48000:duration={seconds} -c:a aac"
            )));
        }
        arguments.extend(words("-pix_fmt yuv420p"));
        arguments.extend(self.encoder.clone());
        arguments.extend(self.output.clone());
        arguments.push(path.display().to_string());
        arguments
    }

    /// A name that depends on the settings only, so that a clip is made once.
    fn name(&self) -> String {
        let digest = Sha256::digest(self.arguments(Path::new("")).join("\0"));
        let hex: String = digest[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("clip-{hex}")
    }
}

/// The MD5 of each decoded frame of the video in `path`, in order of presentation, without
/// rotation, scaling, dropped or repeated frames.
///
/// # Panics
///
/// When FFmpeg is not installed, or cannot decode it.
pub fn frames_md5(path: &Path) -> Vec<String> {
    let mut arguments = words("-noautorotate -i");
    arguments.push(path.display().to_string());
    arguments.extend(words(
        "-map 0:v:0 -noautoscale -fps_mode passthrough -f framemd5 -",
    ));
    let listing = ffmpeg(&arguments);
    listing
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.rsplit(',').next())
        .map(|md5| md5.trim().to_owned())
        .collect()
}

/// Runs FFmpeg's command and returns its standard output.
///
/// # Panics
///
/// When it is not installed, or fails.
pub fn ffmpeg(arguments: &[String]) -> String {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-hide_banner", "-loglevel", "error"])
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("no ffmpeg: run `make setup` ({error})"));
    assert!(
        output.status.success(),
        "ffmpeg {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// `target/clips`, which `cargo clean` removes.
fn folder() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
        PathBuf::from,
    );
    target.join("clips")
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clip_has_every_frame() {
        let clip = h264(2.0).make();
        assert_eq!(frames_md5(&clip).len(), 50);
    }

    #[test]
    fn equal_settings_share_a_clip_and_others_do_not() {
        let clip = h264(1.0);
        let made = fs::metadata(clip.make()).unwrap().modified().unwrap();
        assert_eq!(made, fs::metadata(clip.make()).unwrap().modified().unwrap());
        assert_ne!(clip.make(), h264(1.0).container("mkv").make());
    }
}
