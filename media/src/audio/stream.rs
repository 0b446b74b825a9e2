//! What the audio of a source is, and of a chunk.

use std::sync::Arc;

use crate::ffi::{CodecId, Parameters};
use crate::time::Timebase;
use crate::video::Container;

/// Samples in a packet of AAC where the header does not say.
const AAC_FRAME: i64 = 1024;

/// Everything about a source's audio that stays the same from one packet to the next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AudioFormat {
    /// FFmpeg's name of the codec: `aac`.
    pub codec: &'static str,
    /// What a browser is asked about (RFC 6381): `mp4a.40.2`. Empty where the headers do not say enough.
    pub rfc6381: String,
    /// Samples in a second.
    pub sample_rate: u32,
    /// Number of channels.
    pub channels: u32,
}

/// The audio of a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioTrack {
    /// What it is.
    pub format: Arc<AudioFormat>,
    /// Packets in the file, those that are not heard included.
    pub packets: u32,
    /// Samples of each channel that are heard.
    pub samples: u64,
    /// Samples of each channel in front that are decoded and not heard.
    pub preroll_samples: u64,
}

/// The stream of audio that goes with a source's pictures.
pub(crate) struct AudioStream {
    /// Its place among the source's streams.
    pub(crate) index: usize,
    pub(crate) format: Arc<AudioFormat>,
    pub(crate) parameters: Parameters,
    /// The parameters in a file that begins later in the stream.
    pub(crate) later: Parameters,
    /// The unit of its ticks.
    pub(crate) timebase: Timebase,
    /// After how many bits its timestamps start again.
    pub(crate) timestamp_bits: u32,
    /// Samples in a packet, where all have as many.
    pub(crate) frame: Option<i64>,
}

impl AudioStream {
    /// The stream with these parameters; `None` if they say too little to carry it.
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

    /// How long a packet is heard, in ticks rounded down, where all packets have as many samples.
    pub(crate) fn usual_duration(&self) -> Option<i64> {
        let ticks = -self.rate().convert_up(-self.frame?, self.timebase);
        Some(ticks).filter(|&ticks| ticks > 0)
    }

    /// The unit of a sample.
    pub(crate) fn rate(&self) -> Timebase {
        Timebase::new(1, self.format.sample_rate).unwrap_or(self.timebase)
    }
}

impl Container {
    /// Whether a player finds its way in a file of this kind with audio of this codec, by FFmpeg's name.
    pub(crate) fn holds_audio(self, codec: &str) -> bool {
        match self {
            Container::Mp4 => codec == "aac",
            Container::Mkv => true,
            Container::MpegTs => matches!(codec, "aac" | "mp3" | "ac3"),
        }
    }
}

/// `mp4a.40.2`: the object type of MPEG-4 audio (ISO/IEC 14496-3, table 1.17), which libav's profiles are one less than.
fn aac_string(parameters: &Parameters) -> String {
    let told = parameters
        .extradata()
        .first()
        .map(|first| i32::from(first >> 3));
    let object = told.unwrap_or(parameters.profile() + 1);
    if object > 0 {
        format!("mp4a.40.{object}")
    } else {
        String::new()
    }
}
