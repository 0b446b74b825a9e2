//! Side data of a stream: rotation, mastering brightness.
//!
//! Up to FFmpeg 6.0 it belongs to the stream, and a copy of the parameters lacks it; from 6.1 on it
//! is part of them.

use std::ffi::c_int;

use ffmpeg_sys_next as av;

use super::LibavError;

type Kind = av::AVPacketSideDataType;

/// Copies of a stream's side data.
#[derive(Clone)]
pub(super) struct SideData(Vec<(Kind, Vec<u8>)>);

impl SideData {
    /// Copies a stream's side data.
    pub(super) fn from_stream(stream: &av::AVStream) -> SideData {
        #[cfg(not(ffmpeg_6_1))]
        let (first, count) = (stream.side_data.cast_const(), stream.nb_side_data);
        // SAFETY: libav gives every stream parameters, for as long as the stream lives.
        #[cfg(ffmpeg_6_1)]
        let (first, count) = unsafe {
            (
                (*stream.codecpar).coded_side_data.cast_const(),
                (*stream.codecpar).nb_coded_side_data,
            )
        };
        let count = usize::try_from(count).unwrap_or(0);
        let copy = |index| {
            // SAFETY: libav keeps `count` entries at `first`, each with `size` bytes at `data`.
            let entry = unsafe { &*first.add(index) };
            let data = if entry.size == 0 {
                &[]
            } else {
                // SAFETY: as above; where there are bytes, the address is not null.
                unsafe { std::slice::from_raw_parts(entry.data, entry.size) }
            };
            (entry.type_, data.to_vec())
        };
        SideData((0..count).map(copy).collect())
    }

    /// Attaches it to a stream of a muxer.
    ///
    /// # Safety
    /// `stream` must point to a valid stream that nothing else reads at the moment.
    #[cfg(not(ffmpeg_6_1))]
    pub(super) unsafe fn attach(&self, stream: *mut av::AVStream) -> Result<(), LibavError> {
        for (kind, data) in &self.0 {
            // SAFETY: the stream is valid by the caller's contract; null is checked, and the new
            // entry has room for `data`.
            unsafe {
                let room = av::av_stream_new_side_data(stream, *kind, data.len());
                if room.is_null() {
                    return Err(LibavError::NO_MEMORY);
                }
                std::ptr::copy_nonoverlapping(data.as_ptr(), room, data.len());
            }
        }
        Ok(())
    }

    /// Does nothing: the parameters contain it.
    ///
    /// # Safety
    /// No requirement; the signature is that of the other version.
    #[cfg(ffmpeg_6_1)]
    #[allow(clippy::unnecessary_wraps, clippy::unused_self)] // As above.
    pub(super) unsafe fn attach(&self, _stream: *mut av::AVStream) -> Result<(), LibavError> {
        Ok(())
    }

    /// Clockwise rotation by the player in degrees, 0 to 359.
    pub(super) fn rotation(&self) -> i32 {
        let matrix = self
            .0
            .iter()
            .find(|(kind, _)| *kind == Kind::AV_PKT_DATA_DISPLAYMATRIX);
        let Some(matrix) =
            matrix.and_then(|(_, data)| data.first_chunk::<{ 9 * size_of::<c_int>() }>())
        else {
            return 0;
        };
        let mut numbers = [0i32; 9];
        for (number, bytes) in numbers.iter_mut().zip(matrix.chunks_exact(4)) {
            *number = i32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        }
        // SAFETY: reads nine numbers, which is what is given.
        let counterclockwise = unsafe { av::av_display_rotation_get(numbers.as_ptr()) };
        if counterclockwise.is_nan() {
            return 0; // A matrix that squeezes the picture to a line.
        }
        (-counterclockwise.round() as i32).rem_euclid(360) // Between -180 and 180.
    }
}
