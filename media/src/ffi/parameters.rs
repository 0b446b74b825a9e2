//! Codec parameters: a decoder's input before the first packet.

use std::ffi::c_int;
use std::ptr::NonNull;

use ffmpeg_sys_next as av;

use super::side_data::SideData;
use super::{LibavError, static_text};

pub(crate) use av::AVCodecID as CodecId;

/// The parameters of a stream, owned: they outlive its source.
pub(crate) struct Parameters {
    codec: NonNull<av::AVCodecParameters>,
    side_data: SideData,
}

// SAFETY: owned plain data with owned buffers; nothing in it is bound to a thread, and shared
// access only reads.
unsafe impl Send for Parameters {}
// SAFETY: as above: no method changes anything through a shared reference.
unsafe impl Sync for Parameters {}

impl Parameters {
    /// A copy of a stream's parameters.
    pub(super) fn from_stream(stream: &av::AVStream) -> Result<Parameters, LibavError> {
        let parameters = Parameters {
            codec: allocate()?,
            side_data: SideData::from_stream(stream),
        };
        // SAFETY: the destination was just made; libav gives every stream valid parameters.
        LibavError::check(unsafe {
            av::avcodec_parameters_copy(parameters.codec.as_ptr(), stream.codecpar)
        })?;
        Ok(parameters)
    }

    pub(super) fn get(&self) -> &av::AVCodecParameters {
        // SAFETY: never null, owned, and only changed through `&mut self`.
        unsafe { self.codec.as_ref() }
    }

    pub(super) fn get_mut(&mut self) -> &mut av::AVCodecParameters {
        // SAFETY: never null, owned, and `&mut self` makes it unshared.
        unsafe { self.codec.as_mut() }
    }

    /// Writes them into a stream of a muxer.
    ///
    /// # Safety
    /// `stream` must point to a valid stream that nothing else reads at the moment.
    pub(super) unsafe fn copy_into(&self, stream: *mut av::AVStream) -> Result<(), LibavError> {
        // SAFETY: the target is valid by the caller's contract and has parameters; the source is
        // ours.
        unsafe {
            LibavError::check(av::avcodec_parameters_copy(
                (*stream).codecpar,
                self.codec.as_ptr(),
            ))?;
            self.side_data.attach(stream)
        }
    }

    /// Clockwise rotation by the player in degrees, 0 to 359.
    pub(crate) fn rotation(&self) -> i32 {
        self.side_data.rotation()
    }

    /// The same with another configuration of the codec and another size of the picture.
    pub(crate) fn with_configuration(
        &self,
        bytes: &[u8],
        (width, height): (u32, u32),
    ) -> Result<Parameters, LibavError> {
        let mut copy = Parameters {
            codec: allocate()?,
            side_data: self.side_data.clone(),
        };
        let target = copy.get_mut();
        // SAFETY: the destination was just made, the source is ours.
        LibavError::check(unsafe { av::avcodec_parameters_copy(target, self.codec.as_ptr()) })?;
        let padded = bytes.len() + av::AV_INPUT_BUFFER_PADDING_SIZE as usize; // 64
        // SAFETY: the old configuration is freed as it was allocated and its pointer set to null;
        // the new one has room for the bytes and the zeroed padding that libav demands, and is
        // owned by the parameters from here on.
        unsafe {
            av::av_freep((&raw mut target.extradata).cast());
            target.extradata_size = 0;
            let room = av::av_mallocz(padded).cast::<u8>();
            if room.is_null() {
                return Err(LibavError::NO_MEMORY);
            }
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), room, bytes.len());
            target.extradata = room;
        }
        let number = |number: u32| c_int::try_from(number).map_err(|_| LibavError::INVALID_DATA);
        target.extradata_size =
            c_int::try_from(bytes.len()).map_err(|_| LibavError::INVALID_DATA)?;
        (target.width, target.height) = (number(width)?, number(height)?);
        Ok(copy)
    }

    /// libav's number of the codec.
    pub(crate) fn codec(&self) -> CodecId {
        self.get().codec_id
    }

    /// libav's name of the codec.
    pub(crate) fn codec_name(&self) -> &'static str {
        // SAFETY: returns a static string for every number.
        unsafe { static_text(av::avcodec_get_name(self.get().codec_id)) }.unwrap_or("unknown")
    }

    /// libav's number of the profile; negative if unknown.
    pub(crate) fn profile(&self) -> i32 {
        self.get().profile
    }

    /// libav's number of the level; negative if unknown.
    pub(crate) fn level(&self) -> i32 {
        self.get().level
    }

    /// libav's name of a profile of this codec.
    pub(crate) fn profile_name(&self, profile: i32) -> Option<&'static str> {
        // SAFETY: returns a static string or null for every pair of numbers.
        unsafe { static_text(av::avcodec_profile_name(self.get().codec_id, profile)) }
    }

    /// Width and height in pixels; zero if unknown.
    pub(crate) fn size(&self) -> (u32, u32) {
        (
            self.get().width.try_into().unwrap_or(0),
            self.get().height.try_into().unwrap_or(0),
        )
    }

    /// Sample aspect ratio, width to height, if the stream has one.
    pub(crate) fn sample_aspect(&self) -> Option<(u32, u32)> {
        positive(self.get().sample_aspect_ratio)
    }

    /// Sets the sample aspect ratio, which may be in the container only.
    pub(crate) fn set_sample_aspect(&mut self, (width, height): (u32, u32)) {
        self.get_mut().sample_aspect_ratio = av::AVRational {
            num: width.cast_signed(),
            den: height.cast_signed(),
        };
    }

    /// Frames that the decoder may hold back to reorder them.
    pub(crate) fn reorder_depth(&self) -> u32 {
        self.get().video_delay.try_into().unwrap_or(0)
    }

    /// The codec's configuration record or parameter sets.
    pub(crate) fn extradata(&self) -> &[u8] {
        let size = usize::try_from(self.get().extradata_size).unwrap_or(0);
        if self.get().extradata.is_null() || size == 0 {
            return &[];
        }
        // SAFETY: libav guarantees `extradata_size` bytes at `extradata`, owned by these
        // parameters.
        unsafe { std::slice::from_raw_parts(self.get().extradata, size) }
    }

    /// Name, number of components and bits of the pixel format, if known.
    pub(crate) fn pixel_format(&self) -> Option<(&'static str, u32, u32)> {
        let number = self.get().format;
        if number < 0 {
            return None;
        }
        // SAFETY: for video, libav stores one of its own `AVPixelFormat` values in `format`, and
        // the bindings were made from the headers of the very library that is linked.
        let format = unsafe { std::mem::transmute::<c_int, av::AVPixelFormat>(number) };
        // SAFETY: both return static data or null for every pixel format.
        let (name, description) = unsafe {
            (
                static_text(av::av_get_pix_fmt_name(format))?,
                av::av_pix_fmt_desc_get(format).as_ref()?,
            )
        };
        let depth = u32::try_from(description.comp[0].depth).unwrap_or(0);
        Some((name, u32::from(description.nb_components), depth))
    }

    /// Primaries, transfer, matrix and range by libav's names.
    pub(crate) fn color(&self) -> [Option<&'static str>; 4] {
        let parameters = self.get();
        // SAFETY: all four return static strings or null for every value of their type.
        unsafe {
            [
                static_text(av::av_color_primaries_name(parameters.color_primaries)),
                static_text(av::av_color_transfer_name(parameters.color_trc)),
                static_text(av::av_color_space_name(parameters.color_space)),
                static_text(av::av_color_range_name(parameters.color_range)),
            ]
        }
    }

    /// Samples in a second; zero if unknown.
    pub(crate) fn sample_rate(&self) -> u32 {
        self.get().sample_rate.try_into().unwrap_or(0)
    }

    /// Number of audio channels; zero if unknown.
    pub(crate) fn audio_channels(&self) -> u32 {
        self.get().ch_layout.nb_channels.try_into().unwrap_or(0)
    }

    /// Samples of each channel in a packet, if the header declares a constant number.
    pub(crate) fn frame_samples(&self) -> Option<i64> {
        Some(i64::from(self.get().frame_size)).filter(|&samples| samples > 0)
    }

    /// The same for a file that begins later in the stream: the encoder's priming is skipped only
    /// once.
    pub(crate) fn without_priming(&self) -> Result<Parameters, LibavError> {
        let mut configuration = self.extradata().to_vec();
        if self.codec() == CodecId::AV_CODEC_ID_OPUS
            && let Some(pre_skip) = configuration.get_mut(10..12)
        {
            pre_skip.fill(0); // RFC 7845, 5.1.
        }
        let mut later = self.with_configuration(&configuration, self.size())?;
        later.get_mut().initial_padding = 0;
        Ok(later)
    }
}

/// Both parts of a ratio, if both are positive.
pub(super) fn positive(ratio: av::AVRational) -> Option<(u32, u32)> {
    let positive = |part: c_int| u32::try_from(part).ok().filter(|&part| part > 0);
    Some((positive(ratio.num)?, positive(ratio.den)?))
}

fn allocate() -> Result<NonNull<av::AVCodecParameters>, LibavError> {
    // SAFETY: takes nothing; null is checked.
    NonNull::new(unsafe { av::avcodec_parameters_alloc() }).ok_or(LibavError::NO_MEMORY)
}

impl Drop for Parameters {
    fn drop(&mut self) {
        let mut parameters = self.codec.as_ptr();
        // SAFETY: owned and freed once.
        unsafe { av::avcodec_parameters_free(&raw mut parameters) };
    }
}

impl std::fmt::Debug for Parameters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Parameters({} {:?})", self.codec_name(), self.size())
    }
}
