//! What to open, and how to cut it.

use std::time::Duration;

use crate::sound::SoundStream;
use crate::stop::StopFlag;
use crate::video::{Codec, Container};

/// What becomes of the sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Audio {
    /// Chunks are silent.
    #[default]
    Drop,
    /// The sound that belongs to the video is copied into its chunks.
    Keep,
}

/// What to open, and how to cut it.
#[derive(Clone)]
pub struct Spec {
    /// A path, or a URL that FFmpeg can read.
    pub location: String,
    /// How long a chunk should be. Cuts are made at the first key frame at or after each multiple of it.
    pub window: Duration,
    /// What kind of file a chunk should be; by default what suits the codec ([`Codec::container`](crate::Codec::container)).
    pub container: Option<Container>,
    /// What becomes of the sound.
    pub audio: Audio,
    /// How long a network source may be silent before it is given up.
    pub patience: Duration,
    /// Ends whatever blocks.
    pub stop: StopFlag,
}

impl Spec {
    /// Chunks of `window` from a path or URL, with a patience of 10 s: cameras that restart their encoder are silent for
    /// some seconds.
    pub fn new(location: impl Into<String>, window: Duration) -> Spec {
        Spec {
            location: location.into(),
            window,
            container: None,
            audio: Audio::Drop,
            patience: Duration::from_secs(10),
            stop: StopFlag::new(),
        }
    }
}

impl Spec {
    /// The container for chunks of a codec with this sound: where none was asked for, one that holds both.
    pub(crate) fn container_for(&self, codec: Codec, sound: Option<&SoundStream>) -> Container {
        let suits = codec.container();
        let holds = sound.is_none_or(|sound| suits.holds_sound(sound.format.codec));
        let fits = if holds { suits } else { Container::Mkv };
        self.container.unwrap_or(fits)
    }
}

impl std::fmt::Debug for Spec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let location = crate::location::redact(&self.location);
        f.debug_struct("Spec")
            .field("location", &location)
            .field("window", &self.window)
            .finish_non_exhaustive()
    }
}
