//! What to open, and how to cut it.

use std::time::Duration;

use crate::audio::AudioStream;
use crate::stop::StopFlag;
use crate::video::{Codec, Container};

/// What becomes of the audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Audio {
    /// Chunks are silent.
    #[default]
    Drop,
    /// The audio that belongs to the video is copied into its chunks.
    Keep,
}

/// What to open, and how to cut it.
#[derive(Clone)]
pub struct OpenOptions {
    /// A path, or a URL that FFmpeg can read.
    pub location: String,
    /// How long a chunk should be. Cuts are made at the first key frame at or after each multiple of it.
    pub window: Duration,
    /// What kind of file a chunk should be; by default what suits the codec ([`Codec::container`](crate::Codec::container)).
    pub container: Option<Container>,
    /// What becomes of the audio.
    pub audio: Audio,
    /// How long a network source may be silent before it is given up.
    pub timeout: Duration,
    /// Ends whatever blocks.
    pub stop: StopFlag,
}

impl OpenOptions {
    /// Chunks of `window` from a path or URL, with a timeout of 10 s: cameras that restart their encoder are silent for
    /// some seconds.
    pub fn new(location: impl Into<String>, window: Duration) -> OpenOptions {
        OpenOptions {
            location: location.into(),
            window,
            container: None,
            audio: Audio::Drop,
            timeout: Duration::from_secs(10),
            stop: StopFlag::new(),
        }
    }
}

impl OpenOptions {
    /// The container for chunks of a codec with this audio: where none was asked for, one that holds both.
    pub(crate) fn container_for(&self, codec: Codec, audio: Option<&AudioStream>) -> Container {
        let suits = codec.container();
        let holds = audio.is_none_or(|audio| suits.holds_audio(audio.format.codec));
        let fits = if holds { suits } else { Container::Mkv };
        self.container.unwrap_or(fits)
    }
}

impl std::fmt::Debug for OpenOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let location = crate::location::redact(&self.location);
        f.debug_struct("OpenOptions")
            .field("location", &location)
            .field("window", &self.window)
            .finish_non_exhaustive()
    }
}
