//! From a stream's headers to a [`VideoFormat`], without decoding a picture.

use crate::bitstream::{Framing, Sequence, h264, h265};
use crate::cutter::Picture;
use crate::ffi::{CodecId, Parameters, Stream};
use crate::time::Timebase;
use crate::video::{Codec, ColorDescription, VideoFormat};

impl Codec {
    /// The codec that libav knows under a number, if it can be carried.
    pub(crate) fn of(parameters: &Parameters) -> Option<Codec> {
        match parameters.codec() {
            CodecId::AV_CODEC_ID_H264 => Some(Codec::H264),
            CodecId::AV_CODEC_ID_HEVC => Some(Codec::H265),
            _ => None,
        }
    }

    /// What the parameter sets in a configuration say.
    pub(crate) fn sequence(self, extradata: &[u8]) -> Option<Sequence> {
        match self {
            Codec::H264 => h264::sequence(extradata),
            Codec::H265 => h265::sequence(extradata),
        }
    }

    /// How the units of a packet are told apart.
    pub(crate) fn framing(self, extradata: &[u8]) -> Framing {
        match self {
            Codec::H264 => Framing::of_h264(extradata),
            Codec::H265 => Framing::of_h265(extradata),
        }
    }

    /// What kind of picture a packet is that the demuxer calls a key frame.
    pub(crate) fn classify_key(self, packet: &[u8], framing: Framing) -> Picture {
        match self {
            Codec::H264 => h264::classify_key(packet, framing),
            Codec::H265 => h265::classify_key(packet, framing),
        }
    }
}

/// What a stream's pictures are, as far as its headers and the analysis of its first packets tell.
///
/// Pixel format, depth and codec string come from the parameter sets where there are any: they are what a decoder will
/// believe, and are there even where nothing was analysed.
pub(crate) fn video_format(
    codec: Codec,
    stream: &Stream<'_>,
    parameters: &Parameters,
    timebase: Timebase,
) -> VideoFormat {
    let (width, height) = parameters.size();
    let sequence = codec.sequence(parameters.extradata());
    let pixels = Pixels::new(sequence.as_ref(), parameters);
    let [primaries, transfer, space, range] = parameters
        .color()
        .map(|name| name.unwrap_or("unknown").to_owned());
    VideoFormat {
        codec,
        rfc6381: sequence.map_or(String::new(), |sequence| sequence.rfc6381),
        profile: parameters.profile_name().unwrap_or("unknown").to_owned(),
        width,
        height,
        sample_aspect: parameters.sample_aspect().unwrap_or((1, 1)),
        rotation_degrees: 0,
        pixel_format: pixels.format,
        channels: pixels.channels,
        bit_depth: pixels.bit_depth,
        frame_rate: stream.frame_rate().unwrap_or((0, 0)),
        timebase,
        color: ColorDescription {
            primaries,
            transfer,
            space,
            range,
        },
        has_b_frames: parameters.reorder_depth() > 0,
    }
}

struct Pixels {
    format: String,
    channels: u32,
    bit_depth: u32,
}

impl Pixels {
    fn new(sequence: Option<&Sequence>, parameters: &Parameters) -> Pixels {
        if let Some((sequence, format)) =
            sequence.and_then(|sequence| Some((sequence, sequence.pixel_format()?)))
        {
            return Pixels {
                format,
                channels: sequence.channels(),
                bit_depth: sequence.bit_depth,
            };
        }
        let (format, channels, bit_depth) = parameters.pixel_format().unwrap_or(("unknown", 0, 0));
        Pixels {
            format: format.to_owned(),
            channels,
            bit_depth,
        }
    }
}
