//! What the pictures of a stream are.

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
    /// The name that operators know, lower case: `h264`.
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

    /// The container for its chunks: mp4 for what players expect in it, Matroska for the rest.
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
    /// Matroska, for what mp4 cannot hold.
    Mkv,
    /// MPEG transport stream, on request.
    MpegTs,
}

impl Container {
    /// The ending of its file names, without a dot.
    pub fn extension(self) -> &'static str {
        match self {
            Container::Mp4 => "mp4",
            Container::Mkv => "mkv",
            Container::MpegTs => "ts",
        }
    }

    /// The media type that an object store should serve it as.
    pub fn content_type(self) -> &'static str {
        match self {
            Container::Mp4 => "video/mp4",
            Container::Mkv => "video/x-matroska",
            Container::MpegTs => "video/mp2t",
        }
    }
}

impl Container {
    /// Whether a player finds its way in a file of this kind with video of this codec.
    ///
    /// MPEG-TS repeats no configuration that is only in a header, so that MPEG-4 part 2 would be lost in it, and it has no
    /// place at all for the codecs of the web.
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

/// How the numbers in a picture stand for colours, in FFmpeg's words (`bt709`, `smpte2084`); `unknown` where the
/// stream does not say.
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

/// Everything about a stream's pictures that stays the same from one to the next.
///
/// Chunks of a run share one; when the parameters change within a stream, a new chunk with a new format begins.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VideoFormat {
    /// The codec.
    pub codec: Codec,
    /// What a browser is asked about: `avc1.64001f`, `hvc1.1.6.L93.B0`. Empty where the headers do not say enough.
    pub rfc6381: String,
    /// The codec's profile in FFmpeg's words (`High`, `Main 10`), or `unknown`.
    pub profile: String,
    /// Width in pixels as shown, after cropping and before rotation.
    pub width: u32,
    /// Height in pixels as shown, after cropping and before rotation.
    pub height: u32,
    /// Shape of a pixel, width to height; `(1, 1)` where the stream does not say.
    pub sample_aspect: (u32, u32),
    /// By how many degrees a player turns the picture clockwise: 0, 90, 180 or 270 in practice.
    pub rotation_degrees: i32,
    /// FFmpeg's name of the pixel format, such as `yuv420p`; `unknown` where the headers do not say.
    pub pixel_format: String,
    /// Number of colour components: 1 for grey, 3 for colour, 4 with alpha; 0 where the headers do not say.
    pub channels: u32,
    /// Bits of one component, 8 mostly; 0 where the headers do not say.
    pub bit_depth: u32,
    /// Frames in seconds as the source's header claims, `(30000, 1001)`; `(0, 0)` where it does not say.
    pub frame_rate: (u32, u32),
    /// The unit of all ticks of this stream.
    pub timebase: Timebase,
    /// What the numbers in a picture mean.
    pub color: ColorDescription,
    /// Whether pictures are stored in another order than they are shown.
    pub has_b_frames: bool,
}
