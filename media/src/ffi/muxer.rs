//! Writes packets to a file in memory.

use std::ffi::CStr;
use std::ops::Range;
use std::ptr::{self, NonNull};

use ffmpeg_sys_next as av;

use super::dictionary::Dictionary;
use super::memory_file::MemoryFile;
use super::{LibavError, Packet, Parameters, quiet};
use crate::time::Timebase;

/// Decode and presentation time of a packet within the file, in ticks of its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) dts: i64,
    pub(crate) pts: i64,
    pub(crate) duration: i64,
}

/// A file being written.
pub(crate) struct Muxer {
    context: NonNull<av::AVFormatContext>,
    /// Declared after the context, which is freed first.
    file: MemoryFile,
}

impl Muxer {
    /// An empty file of libav's format `format`, with room for `capacity` bytes.
    pub(crate) fn create(format: &CStr, capacity: usize) -> Result<Muxer, LibavError> {
        quiet();
        let file = MemoryFile::new(capacity)?;
        let mut context = ptr::null_mut();
        // SAFETY: libav makes the context or leaves null; the format's name is a C string.
        let made = unsafe {
            av::avformat_alloc_output_context2(
                &raw mut context,
                ptr::null_mut(),
                format.as_ptr(),
                ptr::null(),
            )
        };
        LibavError::check(made)?;
        let mut context = NonNull::new(context).ok_or(LibavError::NO_MEMORY)?;
        // SAFETY: fresh and unshared; the file outlives it.
        unsafe {
            context.as_mut().pb = file.as_ptr();
            context.as_mut().flags |= av::AVFMT_FLAG_CUSTOM_IO | av::AVFMT_FLAG_BITEXACT;
        }
        Ok(Muxer { context, file })
    }

    /// Adds a stream with the unit of its ticks, and its four letters in the container (0 for the
    /// default).
    pub(crate) fn add_stream(
        &mut self,
        parameters: &Parameters,
        base: Timebase,
        tag: u32,
    ) -> Result<(), LibavError> {
        // SAFETY: the context is ours and its header is not yet written; a new stream has valid
        // parameters of its own.
        unsafe {
            let stream = av::avformat_new_stream(self.context.as_ptr(), ptr::null());
            let stream = stream.as_mut().ok_or(LibavError::NO_MEMORY)?;
            parameters.copy_into(stream)?;
            (*stream.codecpar).codec_tag = tag;
            stream.time_base = rational(base);
        }
        Ok(())
    }

    /// Writes the header; the muxer must know every option.
    pub(crate) fn write_header(&mut self, options: &[(&str, String)]) -> Result<(), LibavError> {
        let mut options = Dictionary::new(options);
        // SAFETY: the context is complete: it has a file and its streams.
        LibavError::check(unsafe {
            av::avformat_write_header(self.context.as_ptr(), &raw mut options.0)
        })?;
        debug_assert!(
            options.is_empty(),
            "an option that this muxer does not know"
        );
        Ok(())
    }

    /// Writes a packet to the stream with this index; returns its range in the file. Packets come
    /// in decode order.
    pub(crate) fn write(
        &mut self,
        stream: u16,
        packet: &mut Packet,
        stamp: Stamp,
        base: Timebase,
    ) -> Result<Range<u64>, LibavError> {
        let start = self.file.position();
        // SAFETY: after the header, libav keeps as many valid pointers as streams were added.
        let target = unsafe {
            let context = self.context.as_ref();
            assert!(
                u32::from(stream) < context.nb_streams,
                "a stream that was added"
            );
            (**context.streams.add(stream.into())).time_base
        };
        let raw = packet.get_mut();
        raw.stream_index = stream.into();
        raw.dts = stamp.dts;
        raw.pts = stamp.pts;
        raw.duration = stamp.duration;
        // SAFETY: both are ours and unshared; `av_write_frame` does not take the packet.
        unsafe {
            av::av_packet_rescale_ts(packet.as_mut_ptr(), rational(base), target);
            LibavError::check(av::av_write_frame(
                self.context.as_ptr(),
                packet.as_mut_ptr(),
            ))?;
        }
        Ok(start..self.file.position())
    }

    /// Writes the trailer and returns the whole file.
    pub(crate) fn finish(mut self) -> Result<Vec<u8>, LibavError> {
        // SAFETY: the header was written; called once, as it takes `self`.
        LibavError::check(unsafe { av::av_write_trailer(self.context.as_ptr()) })?;
        Ok(self.file.take())
    }
}

fn rational(base: Timebase) -> av::AVRational {
    av::AVRational {
        num: base.num().cast_signed(),
        den: base.den().cast_signed(),
    }
}

impl Drop for Muxer {
    fn drop(&mut self) {
        // SAFETY: owned and freed once; the file it points to goes after it.
        unsafe { av::avformat_free_context(self.context.as_ptr()) };
    }
}
