//! The differences between codecs.

use crate::bitstream::{Framing, Sequence, h264, h265};
use crate::cutter::Picture;
use crate::ffi::{CodecId, Packet, Parameters};
use crate::video::Codec;

impl Codec {
    /// The codec of a stream.
    pub(crate) fn from_parameters(parameters: &Parameters) -> Codec {
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

    /// The sequence parameters in a configuration, for codecs that have them.
    pub(crate) fn sequence(self, extradata: &[u8]) -> Option<Sequence> {
        match self {
            Codec::H264 => h264::sequence(extradata),
            Codec::H265 => h265::sequence(extradata),
            _ => None,
        }
    }

    /// Number of colour components by the codec's configuration; 0 where it has none.
    pub(crate) fn channels(self, extradata: &[u8]) -> u32 {
        match self {
            Codec::H264 | Codec::H265 => self.sequence(extradata).map_or(0, |set| set.channels()),
            // The configuration record (av1C) has a bit for grey.
            Codec::Av1 => extradata
                .get(2)
                .map_or(0, |flags| if flags & 0x10 != 0 { 1 } else { 3 }),
            Codec::Vp8 | Codec::Vp9 | Codec::Mpeg4 | Codec::Mpeg2 => 3,
            Codec::Mjpeg | Codec::Other(_) => 0,
        }
    }

    /// The codec string (RFC 6381); empty where the configuration lacks the fields for it.
    pub(crate) fn rfc6381(self, parameters: &Parameters, bit_depth: u32) -> String {
        let extradata = parameters.extradata();
        match self {
            Codec::H264 | Codec::H265 => self.sequence(extradata).map(|set| set.rfc6381),
            Codec::Av1 => av1_string(extradata, bit_depth),
            Codec::Vp9 if parameters.profile() >= 0 && bit_depth > 0 => {
                // Without a level, 1.0 is the customary value for browsers.
                let (profile, level) = (parameters.profile(), parameters.level());
                let level = if level > 0 { level } else { 10 };
                Some(format!("vp09.{profile:02}.{level:02}.{bit_depth:02}"))
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

/// `mp4v.20.9`: the profile and level after the visual object sequence's start code
/// (ISO/IEC 14496-2, table G.1).
fn mpeg4_string(configuration: &[u8]) -> Option<String> {
    let start = configuration
        .windows(4)
        .position(|four| four == [0, 0, 1, 0xb0])?;
    Some(format!("mp4v.20.{}", configuration.get(start + 4)?))
}

/// Classifies packets by the kind of their picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Classifier {
    codec: Codec,
    framing: Framing,
    /// True if decode order may differ from presentation order.
    reorders: bool,
}

impl Classifier {
    /// A classifier for packets of a codec with this configuration.
    pub(crate) fn new(codec: Codec, extradata: &[u8], reorders: bool) -> Classifier {
        let framing = match codec {
            Codec::H265 => Framing::from_hvcc(extradata),
            _ => Framing::from_avcc(extradata),
        };
        Classifier {
            codec,
            framing,
            reorders,
        }
    }

    /// The framing of NAL units in a packet.
    pub(crate) fn framing(&self) -> Framing {
        self.framing
    }

    /// The kind of picture in a packet.
    pub(crate) fn classify(&self, packet: &Packet) -> Picture {
        match (self.codec, packet.is_key()) {
            (Codec::H265, key) => h265::classify(packet.data(), self.framing, key),
            (_, false) => Picture::Dependent,
            (Codec::H264, true) => h264::classify_key(packet.data(), self.framing),
            // In these codecs a key frame ends all references.
            (Codec::Av1 | Codec::Vp9 | Codec::Vp8 | Codec::Mjpeg, true) => Picture::Idr,
            // B-frames stored after a key frame and shown before it refer to the frame before both.
            (Codec::Mpeg4 | Codec::Mpeg2 | Codec::Other(_), true) if self.reorders => {
                Picture::OpenKey
            }
            (Codec::Mpeg4 | Codec::Mpeg2 | Codec::Other(_), true) => Picture::Idr,
        }
    }
}
