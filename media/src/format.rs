//! Builds a [`VideoFormat`] from a stream's headers, without decoding a picture.

use crate::bitstream::Sequence;
use crate::ffi::{Parameters, Stream};
use crate::time::Timebase;
use crate::video::{Codec, ColorDescription, VideoFormat};

/// The format of a stream's pictures.
///
/// Parameter sets take precedence: a decoder follows them, and they are there even without libav's
/// analysis. Only for the shape of a pixel does the container win, as in players.
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
        rfc6381: codec.rfc6381(parameters, bit_depth),
        profile: parameters
            .profile_name(profile)
            .unwrap_or("unknown")
            .to_owned(),
        width,
        height,
        sample_aspect: aspect.unwrap_or((1, 1)),
        rotation_degrees: parameters.rotation(),
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

impl VideoFormat {
    /// The format after a change of the parameter sets.
    pub(crate) fn with_sequence(&self, set: &Sequence, parameters: &Parameters) -> VideoFormat {
        let (pixel_format, channels, bit_depth) = pixels(Some(set), parameters);
        VideoFormat {
            rfc6381: set.rfc6381.clone(),
            profile: parameters
                .profile_name(set.profile)
                .unwrap_or("unknown")
                .to_owned(),
            width: set.width,
            height: set.height,
            sample_aspect: set.sample_aspect.unwrap_or(self.sample_aspect),
            pixel_format,
            channels,
            bit_depth,
            color: color(Some(set), parameters),
            has_b_frames: set.reorder.map_or(self.has_b_frames, |reorder| reorder > 0),
            ..self.clone()
        }
    }
}

/// Pixel format, number of components and bits per component.
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
