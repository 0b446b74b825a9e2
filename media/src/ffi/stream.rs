//! One stream of a source, as its container describes it.

use std::ffi::CStr;

use ffmpeg_next::ffi as av;

use super::dictionary::text;
use super::{LibavError, Parameters};
use crate::time::Timebase;

/// A view of a stream; lives no longer than its demuxer.
pub(crate) struct Stream<'a>(pub(super) &'a av::AVStream);

impl Stream<'_> {
    /// The unit of its ticks; `None` for a container that gives none.
    pub(crate) fn timebase(&self) -> Option<Timebase> {
        let base = self.0.time_base;
        Timebase::new(base.num.try_into().ok()?, base.den.try_into().ok()?)
    }

    /// Whether it is video that moves: cover pictures of music are not.
    pub(crate) fn is_moving_video(&self) -> bool {
        // SAFETY: libav gives every stream parameters, for as long as the stream lives.
        let kind = unsafe { (*self.0.codecpar).codec_type };
        kind == av::AVMediaType::AVMEDIA_TYPE_VIDEO
            && self.0.disposition & av::AV_DISPOSITION_ATTACHED_PIC == 0
    }

    /// Whether it is audio.
    pub(crate) fn is_audio(&self) -> bool {
        // SAFETY: libav gives every stream parameters, for as long as the stream lives.
        let kind = unsafe { (*self.0.codecpar).codec_type };
        kind == av::AVMediaType::AVMEDIA_TYPE_AUDIO
    }

    /// A copy of its parameters.
    pub(crate) fn parameters(&self) -> Result<Parameters, LibavError> {
        Parameters::of(self.0)
    }

    /// Its length in ticks, as its header claims.
    pub(crate) fn duration(&self) -> Option<i64> {
        Some(self.0.duration).filter(|&ticks| ticks > 0)
    }

    /// The number of packets that its index lists.
    pub(crate) fn packets(&self) -> Option<u64> {
        u64::try_from(self.0.nb_frames)
            .ok()
            .filter(|&packets| packets > 0)
    }

    /// Frames in seconds, as measured or as the header claims.
    pub(crate) fn frame_rate(&self) -> Option<(u32, u32)> {
        [self.0.avg_frame_rate, self.0.r_frame_rate]
            .iter()
            .find_map(|rate| {
                let (num, den) = (u32::try_from(rate.num).ok()?, u32::try_from(rate.den).ok()?);
                (num > 0 && den > 0).then_some((num, den))
            })
    }

    /// A text that the container gives with the stream, such as Matroska's `DURATION`.
    pub(crate) fn metadata(&self, key: &CStr) -> Option<String> {
        // SAFETY: the dictionary belongs to the stream, whose demuxer is borrowed and changes nothing meanwhile.
        unsafe { text(self.0.metadata, key) }
    }

    /// Shape of a pixel, width to height, as the container says.
    pub(crate) fn sample_aspect(&self) -> Option<(u32, u32)> {
        let ratio = self.0.sample_aspect_ratio;
        let (num, den) = (
            u32::try_from(ratio.num).ok()?,
            u32::try_from(ratio.den).ok()?,
        );
        (num > 0 && den > 0).then_some((num, den))
    }

    /// After how many bits its timestamps start again from zero; 64 for never.
    pub(crate) fn timestamp_bits(&self) -> u32 {
        self.0.pts_wrap_bits.try_into().unwrap_or(64)
    }
}
