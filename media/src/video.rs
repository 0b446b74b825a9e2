//! Codecs, containers and the format of a stream's pictures.

use std::fmt;

use crate::time::Timebase;

/// A video codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Codec {
    /// H.264, also called AVC.
    H264,
    /// H.265, also called HEVC.
    H265,
    /// AV1.
    Av1,
    /// VP9.
    Vp9,
    /// VP8.
    Vp8,
    /// MPEG-4 part 2, also called DivX and Xvid.
    Mpeg4,
    /// MPEG-2.
    Mpeg2,
    /// Motion JPEG: every picture stands alone.
    Mjpeg,
    /// Any other, by FFmpeg's name.
    Other(&'static str),
}

impl Codec {
    /// The usual name in lower case: `h264`.
    pub fn name(self) -> &'static str {
        match self {
            Codec::H264 => "h264",
            Codec::H265 => "h265",
            Codec::Av1 => "av1",
            Codec::Vp9 => "vp9",
            Codec::Vp8 => "vp8",
            Codec::Mpeg4 => "mpeg4",
            Codec::Mpeg2 => "mpeg2",
            Codec::Mjpeg => "mjpeg",
            Codec::Other(name) => name,
        }
    }

    /// The container for its chunks: mp4 for the codecs that players expect in it, else Matroska.
    pub fn container(self) -> Container {
        match self {
            Codec::H264 | Codec::H265 | Codec::Av1 | Codec::Vp9 | Codec::Mpeg4 | Codec::Mjpeg => {
                Container::Mp4
            }
            Codec::Vp8 | Codec::Mpeg2 | Codec::Other(_) => Container::Mkv,
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The file format of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Container {
    /// ISO base media, with the index in front of the pictures.
    Mp4,
    /// Matroska, for codecs that mp4 cannot hold.
    Mkv,
    /// MPEG transport stream, on request.
    MpegTs,
}

impl Container {
    /// The extension of its file names, without a dot.
    pub fn extension(self) -> &'static str {
        match self {
            Container::Mp4 => "mp4",
            Container::Mkv => "mkv",
            Container::MpegTs => "ts",
        }
    }

    /// The media type for object stores.
    pub fn content_type(self) -> &'static str {
        match self {
            Container::Mp4 => "video/mp4",
            Container::Mkv => "video/x-matroska",
            Container::MpegTs => "video/mp2t",
        }
    }

    /// Returns true if players can play video of this codec in this container.
    ///
    /// MPEG-TS does not repeat configuration that is only in a header, so MPEG-4 part 2 would not
    /// decode, and it has no mapping for the codecs of the web.
    pub(crate) fn holds(self, codec: Codec) -> bool {
        match self {
            Container::Mp4 => codec.container() == Container::Mp4,
            Container::Mkv => true,
            Container::MpegTs => matches!(codec, Codec::H264 | Codec::H265 | Codec::Mpeg2),
        }
    }
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.extension())
    }
}

/// Colour properties by FFmpeg's names (`bt709`, `smpte2084`); `unknown` where the stream has none.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ColorDescription {
    /// Chromaticities of the primaries.
    pub primaries: String,
    /// Transfer characteristics.
    pub transfer: String,
    /// Matrix coefficients.
    pub space: String,
    /// `tv` (limited), `pc` (full) or `unknown`.
    pub range: String,
}

/// The properties that consecutive pictures of a stream share.
///
/// The chunks of a run share one format; a change of parameters within a stream begins a new chunk
/// with a new format.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VideoFormat {
    /// The codec.
    pub codec: Codec,
    /// Codec string (RFC 6381): `avc1.64001f`, `hvc1.1.6.L93.B0`. Empty where the headers lack it.
    pub rfc6381: String,
    /// The codec's profile by FFmpeg's name (`High`, `Main 10`), or `unknown`.
    pub profile: String,
    /// Width in pixels, after cropping and before rotation.
    pub width: u32,
    /// Height in pixels, after cropping and before rotation.
    pub height: u32,
    /// Sample aspect ratio, width to height; `(1, 1)` where the stream has none.
    pub sample_aspect: (u32, u32),
    /// Clockwise rotation by the player, in degrees: 0, 90, 180 or 270 in practice.
    pub rotation_degrees: i32,
    /// FFmpeg's name of the pixel format, such as `yuv420p`; `unknown` where the headers lack it.
    pub pixel_format: String,
    /// Number of colour components: 1 for grey, 3 for colour, 4 with alpha; 0 where unknown.
    pub channels: u32,
    /// Bits per component, mostly 8; 0 where unknown.
    pub bit_depth: u32,
    /// Frame rate that the source's header claims, `(30000, 1001)`; `(0, 0)` where it has none.
    pub frame_rate: (u32, u32),
    /// The unit of all ticks of this stream.
    pub timebase: Timebase,
    /// Colour properties.
    pub color: ColorDescription,
    /// True if decode order differs from presentation order.
    pub has_b_frames: bool,
}
