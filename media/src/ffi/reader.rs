//! An I/O context of libav over a Rust reader.

use std::ffi::{c_int, c_void};
use std::io::{self, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ffmpeg_sys_next as av;

use super::LibavError;

/// Bytes of one read: the whole index of a chunk of 2 MB fits, so one request is enough to probe
/// it.
const BUFFER: usize = 32 * 1024;

/// Bytes that can be read in any order.
pub(crate) trait ReadSeek: Read + Seek + Send {}
impl<T: Read + Seek + Send> ReadSeek for T {}

/// The source of the bytes.
enum Bytes {
    /// A known number of bytes, in any order.
    Seekable(Box<dyn ReadSeek>, u64),
    /// Once, from first to last.
    Sequential(Box<dyn Read + Send>),
}

/// The other side of the callbacks.
struct Source {
    bytes: Bytes,
    position: u64,
    /// A failure is permanent: bytes after a hole would pass for the bytes in it.
    failed: bool,
    failure: Failure,
}

/// The error of a reader, for later: libav gets a mere number, may continue after it, and owns the
/// reader by then.
#[derive(Clone, Debug, Default)]
pub(crate) struct Failure(Arc<Mutex<Option<io::Error>>>);

impl Failure {
    /// The failure, if there is one that has not been taken.
    pub(crate) fn take(&self) -> Option<io::Error> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<io::Error>> {
        // A panic under the lock leaves a whole value: it is only ever replaced.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An I/O context of libav over a Rust reader.
///
/// Seeks are kept here and only reach the reader with the next read, so a query for the size or a
/// skip back costs no request. A panic in the reader becomes an I/O error instead of unwinding into
/// C.
pub(crate) struct Reader {
    io: NonNull<av::AVIOContext>,
    source: NonNull<Source>,
}

// SAFETY: owns both; the reader inside is `Send`, and callbacks run only on the thread that uses
// the demuxer.
unsafe impl Send for Reader {}

impl Reader {
    /// Reads `size` bytes from `inner`, which must stand at its start.
    pub(crate) fn new<R: Read + Seek + Send + 'static>(
        inner: R,
        size: u64,
    ) -> Result<Reader, LibavError> {
        Reader::over(Bytes::Seekable(Box::new(inner), size))
    }

    /// Reads from `inner` to its end, and never goes back.
    pub(crate) fn sequential<R: Read + Send + 'static>(inner: R) -> Result<Reader, LibavError> {
        Reader::over(Bytes::Sequential(Box::new(inner)))
    }

    fn over(bytes: Bytes) -> Result<Reader, LibavError> {
        // Without a seek callback, libav treats the source as sequential.
        let seekable = matches!(bytes, Bytes::Seekable(..));
        let source = Box::new(Source {
            bytes,
            position: 0,
            failed: false,
            failure: Failure::default(),
        });
        let source = NonNull::from(Box::leak(source));
        // SAFETY: the buffer is libav's own, as it demands; null is checked. The source lives until
        // `Reader` is dropped.
        let io = unsafe {
            let buffer = av::av_malloc(BUFFER).cast::<u8>();
            let length = BUFFER as c_int; // 32 KiB
            let opaque = source.as_ptr().cast();
            if seekable {
                av::avio_alloc_context(buffer, length, 0, opaque, Some(read), None, Some(seek))
            } else {
                av::avio_alloc_context(buffer, length, 0, opaque, Some(read), None, None)
            }
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

    /// The handle to its failure.
    pub(crate) fn failure(&mut self) -> Failure {
        self.source().failure.clone()
    }

    /// The reader itself, before libav has it. `None` for a sequential one.
    pub(crate) fn peek(&mut self) -> Option<&mut dyn ReadSeek> {
        match &mut self.source().bytes {
            Bytes::Seekable(inner, _) => Some(inner.as_mut()),
            Bytes::Sequential(_) => None,
        }
    }

    fn source(&mut self) -> &mut Source {
        // SAFETY: leaked in `over` and taken back only when this is dropped; callbacks run only
        // inside calls on the demuxer, and none is running while its reader is borrowed.
        unsafe { self.source.as_mut() }
    }

    pub(super) fn as_ptr(&self) -> *mut av::AVIOContext {
        self.io.as_ptr()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut io = self.io.as_ptr();
        // SAFETY: the context that used it is closed (the demuxer drops its reader after that); the
        // buffer may have been replaced by libav and is freed by its current address; the source
        // was leaked in `over` and is taken back once.
        unsafe {
            av::av_freep((&raw mut (*io).buffer).cast());
            av::avio_context_free(&raw mut io);
            drop(Box::from_raw(self.source.as_ptr()));
        }
    }
}

impl Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.failed {
            return Err(io::ErrorKind::Other.into());
        }
        self.read_on(buffer).map_err(|failure| {
            let number = failure.raw_os_error();
            self.failed = true;
            *self.failure.lock() = Some(failure);
            number.map_or_else(|| io::ErrorKind::Other.into(), io::Error::from_raw_os_error)
        })
    }

    fn read_on(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let inner: &mut dyn Read = match &mut self.bytes {
            Bytes::Seekable(_, size) if self.position >= *size => return Ok(0),
            Bytes::Seekable(inner, _) => {
                inner.seek(SeekFrom::Start(self.position))?;
                inner
            }
            Bytes::Sequential(inner) => inner,
        };
        loop {
            match inner.read(buffer) {
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
    // SAFETY: `opaque` is the source of `Reader::over`, used by one thread at a time.
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
    // SAFETY: `opaque` is the source of `Reader::over`, used by one thread at a time.
    let source = unsafe { &mut *opaque.cast::<Source>() };
    let Bytes::Seekable(_, size) = source.bytes else {
        return -i64::from(av::EINVAL);
    };
    let base = match whence & !av::AVSEEK_FORCE {
        av::AVSEEK_SIZE => return i64::try_from(size).unwrap_or(i64::MAX),
        av::SEEK_SET => Some(0),
        av::SEEK_CUR => i64::try_from(source.position).ok(),
        av::SEEK_END => i64::try_from(size).ok(),
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
