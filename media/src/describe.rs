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

/// What a stream's pictures are.
///
/// Parameter sets speak first where there are any: they are what a decoder will believe, and are there even where nothing
/// was analysed. Only the shape of a pixel is the container's to say, as players hold it.
pub(crate) fn video_format(
    codec: Codec,
    stream: &Stream<'_>,
    parameters: &Parameters,
    timebase: Timebase,
) -> VideoFormat {
    let set = codec.sequence(parameters.extradata());
    let set = set.as_ref();
    let (width, height) = set.map_or(parameters.size(), |set| (set.width, set.height));
    let (pixel_format, channels, bit_depth) = pixels(set, parameters);
    let profile = set.map_or(parameters.profile(), |set| set.profile);
    let aspect = stream
        .sample_aspect()
        .or(parameters.sample_aspect())
        .or(set.and_then(|set| set.sample_aspect));
    VideoFormat {
        codec,
        rfc6381: set.map_or(String::new(), |set| set.rfc6381.clone()),
        profile: parameters
            .profile_name(profile)
            .unwrap_or("unknown")
            .to_owned(),
        width,
        height,
        sample_aspect: aspect.unwrap_or((1, 1)),
        rotation_degrees: 0,
        pixel_format,
        channels,
        bit_depth,
        frame_rate: stream.frame_rate().unwrap_or((0, 0)),
        timebase,
        color: color(set, parameters),
        has_b_frames: set
            .and_then(|set| set.reorder)
            .unwrap_or_else(|| parameters.reorder_depth())
            > 0,
    }
}

/// Pixel format, number of components and bits of one.
fn pixels(set: Option<&Sequence>, parameters: &Parameters) -> (String, u32, u32) {
    if let Some((set, format)) = set.and_then(|set| Some((set, set.pixel_format()?))) {
        return (format, set.channels(), set.bit_depth);
    }
    let (format, channels, bit_depth) = parameters.pixel_format().unwrap_or(("unknown", 0, 0));
    (format.to_owned(), channels, bit_depth)
}

fn color(set: Option<&Sequence>, parameters: &Parameters) -> ColorDescription {
    if let Some(color) = set.and_then(|set| set.color) {
        return color.describe();
    }
    let [primaries, transfer, space, range] = parameters
        .color()
        .map(|name| name.unwrap_or("unknown").to_owned());
    ColorDescription {
        primaries,
        transfer,
        space,
        range,
    }
}
