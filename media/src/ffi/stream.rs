//! A stream of a source, as its container describes it.

use std::ffi::CStr;

use ffmpeg_sys_next as av;

use super::dictionary::text;
use super::parameters::positive;
use super::{LibavError, Parameters};
use crate::time::Timebase;

/// A view of a stream of a demuxer.
pub(crate) struct Stream<'a>(pub(super) &'a av::AVStream);

impl Stream<'_> {
    /// The unit of its ticks; `None` if the container has none.
    pub(crate) fn timebase(&self) -> Option<Timebase> {
        let base = self.0.time_base;
        Timebase::new(base.num.try_into().ok()?, base.den.try_into().ok()?)
    }

    /// Returns true for moving video, and false for cover pictures of music.
    pub(crate) fn is_moving_video(&self) -> bool {
        self.kind() == av::AVMediaType::AVMEDIA_TYPE_VIDEO
            && self.0.disposition & av::AV_DISPOSITION_ATTACHED_PIC == 0
    }

    /// Returns true for audio.
    pub(crate) fn is_audio(&self) -> bool {
        self.kind() == av::AVMediaType::AVMEDIA_TYPE_AUDIO
    }

    fn kind(&self) -> av::AVMediaType {
        // SAFETY: libav gives every stream parameters, for as long as the stream lives.
        unsafe { (*self.0.codecpar).codec_type }
    }

    /// A copy of its parameters.
    pub(crate) fn parameters(&self) -> Result<Parameters, LibavError> {
        Parameters::from_stream(self.0)
    }

    /// The duration in ticks that its header claims.
    pub(crate) fn duration(&self) -> Option<i64> {
        Some(self.0.duration).filter(|&ticks| ticks > 0)
    }

    /// The number of packets in its index.
    pub(crate) fn packets(&self) -> Option<u64> {
        u64::try_from(self.0.nb_frames)
            .ok()
            .filter(|&packets| packets > 0)
    }

    /// Frame rate, measured or claimed by the header.
    pub(crate) fn frame_rate(&self) -> Option<(u32, u32)> {
        [self.0.avg_frame_rate, self.0.r_frame_rate]
            .into_iter()
            .find_map(positive)
    }

    /// A text in the stream's metadata, such as Matroska's `DURATION`.
    pub(crate) fn metadata(&self, key: &CStr) -> Option<String> {
        // SAFETY: the dictionary belongs to the stream, whose demuxer is borrowed and changes
        // nothing meanwhile.
        unsafe { text(self.0.metadata, key) }
    }

    /// The container's sample aspect ratio, width to height.
    pub(crate) fn sample_aspect(&self) -> Option<(u32, u32)> {
        positive(self.0.sample_aspect_ratio)
    }

    /// Bits after which its timestamps wrap; 64 for never.
    pub(crate) fn timestamp_bits(&self) -> u32 {
        self.0.pts_wrap_bits.try_into().unwrap_or(64)
    }
}
