//! What is different from codec to codec.

use crate::bitstream::{Framing, Sequence, h264, h265};
use crate::cutter::Picture;
use crate::ffi::{CodecId, Packet, Parameters};
use crate::video::Codec;

impl Codec {
    /// The codec of a stream.
    pub(crate) fn of(parameters: &Parameters) -> Codec {
        match parameters.codec() {
            CodecId::AV_CODEC_ID_H264 => Codec::H264,
            CodecId::AV_CODEC_ID_HEVC => Codec::H265,
            CodecId::AV_CODEC_ID_AV1 => Codec::Av1,
            CodecId::AV_CODEC_ID_VP9 => Codec::Vp9,
            CodecId::AV_CODEC_ID_VP8 => Codec::Vp8,
            CodecId::AV_CODEC_ID_MPEG4 => Codec::Mpeg4,
            CodecId::AV_CODEC_ID_MPEG2VIDEO => Codec::Mpeg2,
            CodecId::AV_CODEC_ID_MJPEG => Codec::Mjpeg,
            _ => Codec::Other(parameters.codec_name()),
        }
    }

    /// What the parameter sets in a configuration say, for codecs that have them.
    pub(crate) fn sequence(self, extradata: &[u8]) -> Option<Sequence> {
        match self {
            Codec::H264 => h264::sequence(extradata),
            Codec::H265 => h265::sequence(extradata),
            _ => None,
        }
    }

    /// Number of colour components as far as the codec's configuration tells; 0 where it does not.
    pub(crate) fn channels(self, extradata: &[u8]) -> u32 {
        match self {
            Codec::H264 | Codec::H265 => self.sequence(extradata).map_or(0, |set| set.channels()),
            // the configuration record (av1C) has a bit for grey
            Codec::Av1 => extradata
                .get(2)
                .map_or(0, |flags| if flags & 0x10 != 0 { 1 } else { 3 }),
            Codec::Vp8 | Codec::Vp9 | Codec::Mpeg4 | Codec::Mpeg2 => 3,
            Codec::Mjpeg | Codec::Other(_) => 0,
        }
    }

    /// What a browser is asked about (RFC 6381); empty where the configuration does not say enough.
    pub(crate) fn rfc6381(self, parameters: &Parameters, bit_depth: u32) -> String {
        let extradata = parameters.extradata();
        match self {
            Codec::H264 | Codec::H265 => self.sequence(extradata).map(|set| set.rfc6381),
            Codec::Av1 => av1_string(extradata, bit_depth),
            Codec::Vp9 if parameters.profile() >= 0 && bit_depth > 0 => {
                // where no level is told, 1.0 is what browsers are asked with
                let level = if parameters.level() > 0 {
                    parameters.level()
                } else {
                    10
                };
                Some(format!(
                    "vp09.{:02}.{level:02}.{bit_depth:02}",
                    parameters.profile()
                ))
            }
            Codec::Vp8 => Some("vp8".to_owned()),
            Codec::Mpeg4 => mpeg4_string(extradata),
            Codec::Mjpeg => Some("mp4v.6c".to_owned()),
            Codec::Vp9 | Codec::Mpeg2 | Codec::Other(_) => None,
        }
        .unwrap_or_default()
    }
}

/// `av01.0.04M.08`: profile, level and tier, depth (AV1 in ISO base media, 5).
fn av1_string(record: &[u8], bit_depth: u32) -> Option<String> {
    let (&profile_level, &flags) = (record.get(1)?, record.get(2)?);
    let tier = if flags & 0x80 != 0 { 'H' } else { 'M' };
    let depth = match (flags & 0x40 != 0, flags & 0x20 != 0) {
        (true, true) => 12,
        (true, false) => 10,
        _ => bit_depth.max(8),
    };
    Some(format!(
        "av01.{}.{:02}{tier}.{depth:02}",
        profile_level >> 5,
        profile_level & 0x1f
    ))
}

/// `mp4v.20.9`: the profile and level that follow the visual object sequence's start code (ISO/IEC 14496-2, table G.1).
fn mpeg4_string(configuration: &[u8]) -> Option<String> {
    let start = configuration
        .windows(4)
        .position(|four| four == [0, 0, 1, 0xb0])?;
    Some(format!("mp4v.20.{}", configuration.get(start + 4)?))
}

/// Tells what kind of picture a packet is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Classifier {
    codec: Codec,
    framing: Framing,
    /// Whether pictures may be stored in another order than they are shown.
    reorders: bool,
}

impl Classifier {
    /// For packets of a codec with this configuration.
    pub(crate) fn new(codec: Codec, extradata: &[u8], reorders: bool) -> Classifier {
        let framing = match codec {
            Codec::H265 => Framing::of_h265(extradata),
            _ => Framing::of_h264(extradata),
        };
        Classifier {
            codec,
            framing,
            reorders,
        }
    }

    /// How the units of a packet are told apart.
    pub(crate) fn framing(&self) -> Framing {
        self.framing
    }

    /// What can be decoded from a packet on.
    pub(crate) fn classify(&self, packet: &Packet) -> Picture {
        match (self.codec, packet.is_key()) {
            (Codec::H265, key) => h265::classify(packet.data(), self.framing, key),
            (_, false) => Picture::Dependent,
            (Codec::H264, true) => h264::classify_key(packet.data(), self.framing),
            // a key frame here ends all references
            (Codec::Av1 | Codec::Vp9 | Codec::Vp8 | Codec::Mjpeg, true) => Picture::Idr,
            // B-frames stored after a key frame and shown before it refer to the frame before both
            (Codec::Mpeg4 | Codec::Mpeg2 | Codec::Other(_), true) if self.reorders => {
                Picture::OpenKey
            }
            (Codec::Mpeg4 | Codec::Mpeg2 | Codec::Other(_), true) => Picture::Idr,
        }
    }
}
