//! What libav knows of a stream of audio.

use std::ptr;

use ffmpeg_next::ffi as av;

use super::{CodecId, Demuxer, LibavError, Parameters};

impl Parameters {
    /// Samples in a second; zero where unknown.
    pub(crate) fn sample_rate(&self) -> u32 {
        self.get().sample_rate.try_into().unwrap_or(0)
    }

    /// Number of channels; zero where unknown.
    pub(crate) fn audio_channels(&self) -> u32 {
        self.get().ch_layout.nb_channels.try_into().unwrap_or(0)
    }

    /// Samples of each channel in a packet, where all packets have as many and the header says so.
    pub(crate) fn frame_samples(&self) -> Option<i64> {
        Some(i64::from(self.get().frame_size)).filter(|&samples| samples > 0)
    }

    /// The same for a file that begins later in the stream: what encoders put in front of the first packet is skipped only
    /// once.
    pub(crate) fn without_priming(&self) -> Result<Parameters, LibavError> {
        let mut configuration = self.extradata().to_vec();
        if self.codec() == CodecId::AV_CODEC_ID_OPUS
            && let Some(pre_skip) = configuration.get_mut(10..12)
        {
            pre_skip.fill(0); // RFC 7845, 5.1
        }
        let mut later = self.with_configuration(&configuration, self.size())?;
        later.get_mut().initial_padding = 0;
        Ok(later)
    }
}

impl Demuxer {
    /// The stream of audio that a player would play with this video, if there is any.
    pub(crate) fn best_audio(&self, video: usize) -> Option<usize> {
        let video = i32::try_from(video).ok()?;
        let audio = av::AVMediaType::AVMEDIA_TYPE_AUDIO;
        // SAFETY: the context is open; a null decoder pointer means that none is wanted. Older versions take a mutable
        // pointer but only read through it.
        let best =
            unsafe { av::av_find_best_stream(self.as_ptr(), audio, -1, video, ptr::null_mut(), 0) };
        usize::try_from(best).ok()
    }
}
