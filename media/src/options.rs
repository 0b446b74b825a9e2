//! Options for opening and cutting a source.

use std::time::Duration;

use crate::audio::AudioStream;
use crate::stop::StopFlag;
use crate::video::{Codec, Container};

/// How to treat a source's audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Audio {
    /// Chunks are silent.
    #[default]
    Drop,
    /// The audio that belongs to the video is copied into its chunks.
    Keep,
}

/// The source to open, and how to cut it.
#[derive(Clone)]
pub struct OpenOptions {
    /// A path, or a URL that FFmpeg can read.
    pub location: String,
    /// Nominal length of a chunk: cuts are made at the first key frame at or after each multiple.
    pub window: Duration,
    /// File format of the chunks; `None` for the codec's own
    /// ([`Codec::container`](crate::Codec::container)).
    pub container: Option<Container>,
    /// How to treat the audio.
    pub audio: Audio,
    /// Longest silence of a network source before reading fails.
    pub timeout: Duration,
    /// Ends every blocked call.
    pub stop: StopFlag,
}

impl OpenOptions {
    /// Silent chunks of `window` from a path or URL, in the codec's own container.
    ///
    /// The timeout is 10 s: cameras that restart their encoder are silent for some seconds.
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

    /// The container for chunks of this codec and audio: if none was requested, one that holds
    /// both.
    pub(crate) fn container_for(&self, codec: Codec, audio: Option<&AudioStream>) -> Container {
        let preferred = codec.container();
        let holds = audio.is_none_or(|audio| preferred.holds_audio(audio.format.codec));
        self.container
            .unwrap_or(if holds { preferred } else { Container::Mkv })
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
