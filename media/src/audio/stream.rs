//! The audio of a source, and of a chunk.

use std::sync::Arc;

use crate::ffi::{CodecId, Parameters};
use crate::time::Timebase;
use crate::video::Container;

/// Samples in a packet of AAC, if the header has no number.
const AAC_FRAME: i64 = 1024;

/// The properties that all packets of a source's audio share.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AudioFormat {
    /// FFmpeg's name of the codec: `aac`.
    pub codec: &'static str,
    /// Codec string (RFC 6381): `mp4a.40.2`. Empty where the headers lack it.
    pub rfc6381: String,
    /// Samples in a second.
    pub sample_rate: u32,
    /// Number of channels.
    pub channels: u32,
}

/// The audio of a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioTrack {
    /// Its format.
    pub format: Arc<AudioFormat>,
    /// Packets in the file, including those that are not played.
    pub packets: u32,
    /// Samples of each channel that are played.
    pub samples: u64,
    /// Samples of each channel in front that are decoded and not played.
    pub preroll_samples: u64,
}

/// The audio stream that belongs to a source's pictures.
pub(crate) struct AudioStream {
    /// Its index among the source's streams.
    pub(crate) index: usize,
    pub(crate) format: Arc<AudioFormat>,
    pub(crate) parameters: Parameters,
    /// The parameters for a file that begins later in the stream.
    pub(crate) later: Parameters,
    /// The unit of its ticks.
    pub(crate) timebase: Timebase,
    /// Bits after which its timestamps wrap.
    pub(crate) timestamp_bits: u32,
    /// Samples in a packet, if the number is constant.
    pub(crate) frame: Option<i64>,
}

impl AudioStream {
    /// The stream with these parameters; `None` if they lack sample rate or channels.
    pub(crate) fn new(
        index: usize,
        parameters: Parameters,
        timebase: Timebase,
        timestamp_bits: u32,
    ) -> Option<AudioStream> {
        let (sample_rate, channels) = (parameters.sample_rate(), parameters.audio_channels());
        if sample_rate == 0 || channels == 0 {
            return None;
        }
        let aac = parameters.codec() == CodecId::AV_CODEC_ID_AAC;
        let frame = parameters.frame_samples().or(aac.then_some(AAC_FRAME));
        let format = AudioFormat {
            codec: parameters.codec_name(),
            rfc6381: if aac {
                aac_string(&parameters)
            } else {
                String::new()
            },
            sample_rate,
            channels,
        };
        Some(AudioStream {
            index,
            format: Arc::new(format),
            later: parameters.without_priming().ok()?,
            parameters,
            timebase,
            timestamp_bits,
            frame,
        })
    }

    /// Duration of a packet in ticks, rounded down, if the number of samples is constant.
    pub(crate) fn usual_duration(&self) -> Option<i64> {
        let ticks = -self.rate().convert_up(-self.frame?, self.timebase);
        Some(ticks).filter(|&ticks| ticks > 0)
    }

    /// The duration of a sample.
    pub(crate) fn rate(&self) -> Timebase {
        Timebase::new(1, self.format.sample_rate).unwrap_or(self.timebase)
    }
}

impl Container {
    /// Returns true if players can play audio of this codec (FFmpeg's name) in this container.
    pub(crate) fn holds_audio(self, codec: &str) -> bool {
        match self {
            Container::Mp4 => codec == "aac",
            Container::Mkv => true,
            Container::MpegTs => matches!(codec, "aac" | "mp3" | "ac3"),
        }
    }
}

/// `mp4a.40.2`: the object type of MPEG-4 audio (ISO/IEC 14496-3, table 1.17), one more than
/// libav's profile.
fn aac_string(parameters: &Parameters) -> String {
    let configured = parameters
        .extradata()
        .first()
        .map(|first| i32::from(first >> 3));
    let object = configured.unwrap_or(parameters.profile() + 1);
    if object > 0 {
        format!("mp4a.40.{object}")
    } else {
        String::new()
    }
}
