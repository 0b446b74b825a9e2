//! A file in memory that libav writes to.

use std::ffi::{c_int, c_void};
use std::ptr::NonNull;

use ffmpeg_sys_next as av;

use super::LibavError;

/// libav's own buffer in front of ours, in bytes. Small: only box headers go through it, pictures
/// are written past it.
const BUFFER: usize = 4096;

/// The written bytes, and the position of the next ones.
struct File {
    bytes: Vec<u8>,
    position: usize,
}

/// An I/O context of libav over a growing vector; payloads are copied into it once.
pub(super) struct MemoryFile {
    io: NonNull<av::AVIOContext>,
    file: NonNull<File>,
}

impl MemoryFile {
    /// An empty file with room for `capacity` bytes.
    pub(super) fn new(capacity: usize) -> Result<MemoryFile, LibavError> {
        let file = NonNull::from(Box::leak(Box::new(File {
            bytes: Vec::with_capacity(capacity),
            position: 0,
        })));
        // SAFETY: the buffer is libav's own, as it demands; null is checked. The file lives until
        // `MemoryFile` is dropped. The transmute only changes whether the bytes are written as
        // `*mut` (before FFmpeg 7) or `*const`: both are the same to the calling convention, and
        // `write` only reads through it. The target type differs between versions of FFmpeg.
        #[allow(clippy::missing_transmute_annotations)]
        let io = unsafe {
            let buffer = av::av_malloc(BUFFER).cast::<u8>();
            let write = write as unsafe extern "C" fn(*mut c_void, *const u8, c_int) -> c_int;
            let write = Some(std::mem::transmute(write));
            let length = BUFFER as c_int; // 4 KiB
            av::avio_alloc_context(
                buffer,
                length,
                1,
                file.as_ptr().cast(),
                None,
                write,
                Some(seek),
            )
        };
        let Some(mut io) = NonNull::new(io) else {
            // SAFETY: leaked above, and nothing else has it.
            drop(unsafe { Box::from_raw(file.as_ptr()) });
            return Err(LibavError::NO_MEMORY);
        };
        // SAFETY: just made and unshared. `direct` sends whole payloads to `write` instead of
        // through the buffer.
        unsafe { io.as_mut().direct = 1 };
        Ok(MemoryFile { io, file })
    }

    pub(super) fn as_ptr(&self) -> *mut av::AVIOContext {
        self.io.as_ptr()
    }

    /// Position of the next byte.
    pub(super) fn position(&mut self) -> u64 {
        // SAFETY: open and unshared; seeking by nothing only asks.
        let position = unsafe { av::avio_seek(self.io.as_ptr(), 0, av::SEEK_CUR) };
        u64::try_from(position).unwrap_or(0)
    }

    /// The bytes, including those that libav still buffers.
    pub(super) fn take(&mut self) -> Vec<u8> {
        // SAFETY: open and unshared; afterwards libav holds nothing back, and the file is only
        // ours.
        unsafe {
            av::avio_flush(self.io.as_ptr());
            std::mem::take(&mut self.file.as_mut().bytes)
        }
    }
}

impl Drop for MemoryFile {
    fn drop(&mut self) {
        let mut io = self.io.as_ptr();
        // SAFETY: the muxer that used it is freed before; buffer, context and file are owned and
        // freed once.
        unsafe {
            av::av_freep((&raw mut (*io).buffer).cast());
            av::avio_context_free(&raw mut io);
            drop(Box::from_raw(self.file.as_ptr()));
        }
    }
}

impl File {
    fn write(&mut self, bytes: &[u8]) {
        // Skipped room, for the index to come.
        if self.position > self.bytes.len() {
            self.bytes.resize(self.position, 0);
        }
        let (over, beyond) = bytes.split_at(bytes.len().min(self.bytes.len() - self.position));
        self.bytes[self.position..][..over.len()].copy_from_slice(over);
        self.bytes.extend_from_slice(beyond);
        self.position += bytes.len();
    }
}

unsafe extern "C" fn write(opaque: *mut c_void, bytes: *const u8, length: c_int) -> c_int {
    let Ok(size) = usize::try_from(length) else {
        return -av::EINVAL;
    };
    // SAFETY: `opaque` is the file of `MemoryFile::new`, used by one thread at a time; libav gives
    // `length` bytes.
    let (file, bytes) = unsafe {
        (
            &mut *opaque.cast::<File>(),
            std::slice::from_raw_parts(bytes, size),
        )
    };
    file.write(bytes);
    length
}

unsafe extern "C" fn seek(opaque: *mut c_void, offset: i64, whence: c_int) -> i64 {
    // SAFETY: `opaque` is the file of `MemoryFile::new`, used by one thread at a time.
    let file = unsafe { &mut *opaque.cast::<File>() };
    let base = match whence & !av::AVSEEK_FORCE {
        av::SEEK_SET => 0,
        av::SEEK_CUR => file.position,
        av::AVSEEK_SIZE | av::SEEK_END => file.bytes.len(),
        _ => return -i64::from(av::EINVAL),
    };
    let Ok(base) = i64::try_from(base) else {
        return -i64::from(av::EINVAL);
    };
    if whence & av::AVSEEK_SIZE != 0 {
        return base;
    }
    let to = base.checked_add(offset);
    match to.and_then(|to| Some((to, usize::try_from(to).ok()?))) {
        Some((to, position)) => {
            file.position = position;
            to
        }
        None => -i64::from(av::EINVAL),
    }
}
