//! Lets libav read from anything that Rust can read and seek.

use std::ffi::{c_int, c_void};
use std::io::{self, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

use ffmpeg_next::ffi as av;

use super::LibavError;

/// How much is asked of the reader at a time, in bytes: the whole index of a chunk of 2 MB fits, so one request is
/// enough to know what it is.
const BUFFER: usize = 32 * 1024;

/// What a reader must be.
trait ReadSeek: Read + Seek + Send {}
impl<T: Read + Seek + Send> ReadSeek for T {}

/// The other side of the callbacks.
struct Source {
    inner: Box<dyn ReadSeek>,
    size: u64,
    position: u64,
}

/// An I/O context of libav over a Rust reader.
///
/// Seeks are kept here and only reach the reader with the next read, so that asking for the size or skipping back costs
/// no request. A panic in the reader becomes an I/O error instead of unwinding into C.
pub(crate) struct Reader {
    io: NonNull<av::AVIOContext>,
    source: NonNull<Source>,
}

// SAFETY: owns both; the reader inside is `Send`, and callbacks run only on the thread that uses the demuxer.
unsafe impl Send for Reader {}

impl Reader {
    /// Reads `size` bytes from `inner`, which must stand at its start.
    pub(crate) fn new<R: Read + Seek + Send + 'static>(
        inner: R,
        size: u64,
    ) -> Result<Reader, LibavError> {
        let source = Box::new(Source {
            inner: Box::new(inner),
            size,
            position: 0,
        });
        let source = NonNull::from(Box::leak(source));
        // SAFETY: the buffer is libav's own, as it demands; null is checked. The source lives until `Reader` is dropped.
        let io = unsafe {
            let buffer = av::av_malloc(BUFFER).cast::<u8>();
            let length = BUFFER as c_int; // 32 KiB
            av::avio_alloc_context(
                buffer,
                length,
                0,
                source.as_ptr().cast(),
                Some(read),
                None,
                Some(seek),
            )
        };
        match NonNull::new(io) {
            Some(io) => Ok(Reader { io, source }),
            None => {
                // SAFETY: leaked above, and nothing else has it.
                drop(unsafe { Box::from_raw(source.as_ptr()) });
                Err(LibavError::NO_MEMORY)
            }
        }
    }

    pub(super) fn as_ptr(&self) -> *mut av::AVIOContext {
        self.io.as_ptr()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut io = self.io.as_ptr();
        // SAFETY: the context that used it is closed (the demuxer drops its reader after that); the buffer may have been
        // replaced by libav and is freed by its current address; the source was leaked in `new` and is taken back once.
        unsafe {
            av::av_freep((&raw mut (*io).buffer).cast());
            av::avio_context_free(&raw mut io);
            drop(Box::from_raw(self.source.as_ptr()));
        }
    }
}

impl Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.position >= self.size {
            return Ok(0);
        }
        self.inner.seek(SeekFrom::Start(self.position))?;
        loop {
            match self.inner.read(buffer) {
                Err(again) if again.kind() == io::ErrorKind::Interrupted => {}
                Ok(length) if length <= buffer.len() => {
                    self.position += length as u64;
                    return Ok(length);
                }
                Ok(_) => return Err(io::ErrorKind::InvalidData.into()),
                Err(failure) => return Err(failure),
            }
        }
    }
}

unsafe extern "C" fn read(opaque: *mut c_void, buffer: *mut u8, length: c_int) -> c_int {
    let Ok(wanted) = usize::try_from(length) else {
        return -libc_eio();
    };
    // SAFETY: `opaque` is the source of `Reader::new`, used by one thread at a time.
    let source = unsafe { &mut *opaque.cast::<Source>() };
    // A reader may look at what it is given, and libav's memory is not initialised.
    // SAFETY: libav gives `length` writable bytes at `buffer`.
    let buffer = unsafe {
        std::ptr::write_bytes(buffer, 0, wanted);
        std::slice::from_raw_parts_mut(buffer, wanted)
    };
    match catch_unwind(AssertUnwindSafe(|| source.read(buffer))) {
        Ok(Ok(0)) => av::AVERROR_EOF,
        Ok(Ok(length)) => c_int::try_from(length).unwrap_or(-libc_eio()),
        Ok(Err(failure)) => -failure.raw_os_error().unwrap_or(libc_eio()),
        Err(_) => -libc_eio(),
    }
}

unsafe extern "C" fn seek(opaque: *mut c_void, offset: i64, whence: c_int) -> i64 {
    // SAFETY: `opaque` is the source of `Reader::new`, used by one thread at a time.
    let source = unsafe { &mut *opaque.cast::<Source>() };
    let base = match whence & !av::AVSEEK_FORCE {
        av::AVSEEK_SIZE => return i64::try_from(source.size).unwrap_or(i64::MAX),
        av::SEEK_SET => Some(0),
        av::SEEK_CUR => i64::try_from(source.position).ok(),
        av::SEEK_END => i64::try_from(source.size).ok(),
        _ => None,
    };
    match base
        .and_then(|base| base.checked_add(offset))
        .and_then(|to| u64::try_from(to).ok())
    {
        Some(to) => {
            source.position = to;
            to.cast_signed()
        }
        None => -i64::from(av::EINVAL),
    }
}

/// The number for "input/output error", the same on every system that is supported.
const fn libc_eio() -> c_int {
    5
}
