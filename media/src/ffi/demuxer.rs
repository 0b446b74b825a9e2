//! A source that packets are read from.

use std::ffi::CStr;
use std::ptr::{self, NonNull};

use ffmpeg_sys_next as av;

use super::dictionary::{Dictionary, text};
use super::{LibavError, Packet, Reader, Stream, Watch, quiet, static_text};

/// An open source.
///
/// Owns the context, the watch that its callback points to, and the reader that it pulls from, if
/// there is one; closes the context before either goes.
pub(crate) struct Demuxer {
    context: NonNull<av::AVFormatContext>,
    watch: Box<Watch>,
    /// The context reads through it.
    _reader: Option<Reader>,
}

// SAFETY: everything a context points to is owned by it or by this struct; libav binds nothing to
// the opening thread.
unsafe impl Send for Demuxer {}

impl Demuxer {
    /// Opens a path or URL and reads its header.
    pub(crate) fn open(
        url: &CStr,
        options: &[(&str, String)],
        watch: Box<Watch>,
    ) -> Result<Demuxer, LibavError> {
        Demuxer::open_with(url, options, watch, None)
    }

    /// Opens a reader's bytes and reads their header. Nothing else is opened, even if the bytes
    /// name it.
    pub(crate) fn open_reader(reader: Reader, watch: Box<Watch>) -> Result<Demuxer, LibavError> {
        // No protocol has this name. Otherwise libav follows references to any file or address.
        let nothing_else = [("protocol_whitelist", "none".to_owned())];
        Demuxer::open_with(c"", &nothing_else, watch, Some(reader))
    }

    fn open_with(
        url: &CStr,
        options: &[(&str, String)],
        watch: Box<Watch>,
        reader: Option<Reader>,
    ) -> Result<Demuxer, LibavError> {
        quiet();
        let mut options = Dictionary::new(options);
        // SAFETY: takes nothing; null is checked.
        let mut context = unsafe { av::avformat_alloc_context() };
        if context.is_null() {
            return Err(LibavError::NO_MEMORY);
        }
        // SAFETY: the context is fresh and ours. The callback stays valid because this struct keeps
        // the box, and the reader because this struct keeps it. `avformat_open_input` frees the
        // context itself when it fails.
        unsafe {
            (*context).interrupt_callback = watch.callback();
            if let Some(reader) = &reader {
                (*context).pb = reader.as_ptr();
                (*context).flags |= av::AVFMT_FLAG_CUSTOM_IO;
            }
            let format = ptr::null_mut();
            let opened =
                av::avformat_open_input(&raw mut context, url.as_ptr(), format, &raw mut options.0);
            LibavError::check(opened)?;
        }
        let context = NonNull::new(context).ok_or(LibavError::NO_MEMORY)?;
        Ok(Demuxer {
            context,
            watch,
            _reader: reader,
        })
    }

    fn get(&self) -> &av::AVFormatContext {
        // SAFETY: never null, owned, and only changed through `&mut self`.
        unsafe { self.context.as_ref() }
    }

    /// The watch that libav polls while it waits.
    pub(crate) fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Reads and decodes packets until the streams' properties are known.
    pub(crate) fn analyse(&mut self) -> Result<(), LibavError> {
        // SAFETY: the context is open and unshared; no options.
        LibavError::check(unsafe {
            av::avformat_find_stream_info(self.context.as_ptr(), ptr::null_mut())
        })
        .map(drop)
    }

    /// All streams, in the container's order.
    pub(crate) fn streams(&self) -> impl Iterator<Item = Stream<'_>> {
        (0..self.get().nb_streams as usize).map(|index| {
            // SAFETY: libav keeps `nb_streams` valid pointers for as long as the context lives.
            Stream(unsafe { &**self.get().streams.add(index) })
        })
    }

    /// The stream that a player would show, if there is moving video.
    pub(crate) fn best_video(&self) -> Option<usize> {
        let best = self.best_stream(av::AVMediaType::AVMEDIA_TYPE_VIDEO, -1)?;
        self.streams().nth(best)?.is_moving_video().then_some(best)
    }

    /// The audio stream that a player would play with this video, if there is any.
    pub(crate) fn best_audio(&self, video: usize) -> Option<usize> {
        self.best_stream(
            av::AVMediaType::AVMEDIA_TYPE_AUDIO,
            i32::try_from(video).ok()?,
        )
    }

    fn best_stream(&self, kind: av::AVMediaType, related: i32) -> Option<usize> {
        // SAFETY: the context is open; a null decoder pointer requests no decoder. Older versions
        // take a mutable pointer but only read through it.
        let best = unsafe {
            av::av_find_best_stream(self.context.as_ptr(), kind, -1, related, ptr::null_mut(), 0)
        };
        usize::try_from(best).ok()
    }

    /// Skips all other streams.
    pub(crate) fn keep_only(&mut self, wanted: &[usize]) {
        for index in 0..self.get().nb_streams as usize {
            let discard = if wanted.contains(&index) {
                av::AVDiscard::AVDISCARD_DEFAULT
            } else {
                av::AVDiscard::AVDISCARD_ALL
            };
            // SAFETY: valid stream pointers as in `streams`, and `&mut self` makes the access
            // unshared.
            unsafe { (**self.context.as_ref().streams.add(index)).discard = discard };
        }
    }

    /// Makes libav infer missing presentation times. Before the first read.
    pub(crate) fn infer_times(&mut self) {
        // SAFETY: owned, and `&mut self` makes it unshared.
        unsafe { self.context.as_mut().flags |= av::AVFMT_FLAG_GENPTS };
    }

    /// Makes libav stamp packets with their arrival time. Before the first read.
    pub(crate) fn stamp_by_arrival(&mut self) {
        // SAFETY: owned, and `&mut self` makes it unshared.
        unsafe { self.context.as_mut().use_wallclock_as_timestamps = 1 };
    }

    /// The next packet of any stream that is kept; `None` when the source is over.
    ///
    /// An end that the transport caused (a server that hung up) is an error and not an end.
    pub(crate) fn read(&mut self) -> Result<Option<Packet>, LibavError> {
        let mut packet = Packet::empty()?;
        // SAFETY: the context is open and unshared, the packet is blank and ours.
        let read = unsafe { av::av_read_frame(self.context.as_ptr(), packet.as_mut_ptr()) };
        match LibavError::check(read) {
            Ok(_) => Ok(Some(packet)),
            Err(end) if end.is_end() => self.transport().map(|()| None),
            Err(failure) => Err(failure),
        }
    }

    /// The transport's error at an end, if any.
    fn transport(&self) -> Result<(), LibavError> {
        // SAFETY: null (formats that do their own reading) or owned by the context or by our
        // reader.
        let error = unsafe { self.get().pb.as_ref() }.map_or(0, |io| io.error);
        match LibavError::check(error) {
            Err(failure) if !failure.is_end() => Err(failure),
            _ => Ok(()),
        }
    }

    /// A text that the container carries, such as `creation_time`.
    pub(crate) fn metadata(&self, key: &CStr) -> Option<String> {
        // SAFETY: the dictionary belongs to the open context; the entry is read before anything can
        // change it.
        unsafe { text(self.get().metadata, key) }
    }

    /// The duration in microseconds that the container claims.
    pub(crate) fn duration_us(&self) -> Option<u64> {
        u64::try_from(self.get().duration).ok().filter(|&us| us > 0)
    }

    /// libav's names of the format, with commas: `mov,mp4,m4a,3gp,3g2,mj2`.
    pub(crate) fn format_name(&self) -> &'static str {
        // SAFETY: an open context has a format, which is static data.
        unsafe {
            self.get()
                .iformat
                .as_ref()
                .and_then(|format| static_text(format.name))
        }
        .unwrap_or("")
    }
}

impl Drop for Demuxer {
    fn drop(&mut self) {
        let mut context = self.context.as_ptr();
        // SAFETY: owned and closed once, while the watch and the reader that it uses are still
        // there.
        unsafe { av::avformat_close_input(&raw mut context) };
    }
}
