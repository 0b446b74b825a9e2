//! A coded picture or audio frame.

use std::ptr::NonNull;

use ffmpeg_sys_next as av;

use super::LibavError;

/// A packet that owns its payload. Moving it moves a pointer; the payload is never copied.
pub(crate) struct Packet(NonNull<av::AVPacket>);

// SAFETY: the packet owns its `AVPacket`, whose buffers are counted atomically; nothing in it is
// bound to a thread.
unsafe impl Send for Packet {}
// SAFETY: as above; through a shared reference it is only read, and its buffers' counts are raised
// atomically.
unsafe impl Sync for Packet {}

impl Packet {
    /// An empty packet for the demuxer to fill.
    pub(super) fn empty() -> Result<Packet, LibavError> {
        // SAFETY: takes nothing; null is checked.
        let packet = unsafe { av::av_packet_alloc() };
        NonNull::new(packet)
            .map(Packet)
            .ok_or(LibavError::NO_MEMORY)
    }

    /// Another packet that shares the payload.
    pub(crate) fn share(&self) -> Result<Packet, LibavError> {
        let mut packet = Packet::empty()?;
        // SAFETY: the target is blank and ours, the source valid and only read.
        LibavError::check(unsafe { av::av_packet_ref(packet.as_mut_ptr(), self.0.as_ptr()) })?;
        Ok(packet)
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut av::AVPacket {
        self.0.as_ptr()
    }

    fn get(&self) -> &av::AVPacket {
        // SAFETY: never null, owned, and only changed through `&mut self`.
        unsafe { self.0.as_ref() }
    }

    pub(super) fn get_mut(&mut self) -> &mut av::AVPacket {
        // SAFETY: never null, owned, and `&mut self` makes it unshared.
        unsafe { self.0.as_mut() }
    }

    /// Index of its stream in the source.
    pub(crate) fn stream(&self) -> usize {
        usize::try_from(self.get().stream_index).unwrap_or(usize::MAX)
    }

    /// Presentation time in ticks of its stream.
    pub(crate) fn pts(&self) -> Option<i64> {
        Some(self.get().pts).filter(|&pts| pts != av::AV_NOPTS_VALUE)
    }

    /// Decode time in ticks of its stream.
    pub(crate) fn dts(&self) -> Option<i64> {
        Some(self.get().dts).filter(|&dts| dts != av::AV_NOPTS_VALUE)
    }

    /// Duration in ticks, if the demuxer knows it.
    pub(crate) fn duration(&self) -> Option<i64> {
        Some(self.get().duration).filter(|&ticks| ticks > 0)
    }

    /// Returns true if the demuxer marks it as a key frame.
    pub(crate) fn is_key(&self) -> bool {
        self.get().flags & av::AV_PKT_FLAG_KEY != 0
    }

    /// Returns true if the demuxer marks it as damaged.
    pub(crate) fn is_corrupt(&self) -> bool {
        self.get().flags & av::AV_PKT_FLAG_CORRUPT != 0
    }

    /// Returns true if it is decoded but not shown.
    pub(crate) fn is_hidden(&self) -> bool {
        self.get().flags & av::AV_PKT_FLAG_DISCARD != 0
    }

    /// The codec's configuration from here on, if the container changes it.
    pub(crate) fn new_configuration(&self) -> Option<&[u8]> {
        let mut size = 0;
        let kind = av::AVPacketSideDataType::AV_PKT_DATA_NEW_EXTRADATA;
        // SAFETY: the packet is ours and unchanged while the result is borrowed; null is checked,
        // and libav guarantees `size` bytes at the address.
        unsafe {
            let data = av::av_packet_get_side_data(self.0.as_ptr(), kind, &raw mut size);
            (!data.is_null() && size > 0).then(|| std::slice::from_raw_parts(data, size))
        }
    }

    /// The coded bytes.
    pub(crate) fn data(&self) -> &[u8] {
        let packet = self.get();
        let size = usize::try_from(packet.size).unwrap_or(0);
        if packet.data.is_null() || size == 0 {
            return &[];
        }
        // SAFETY: libav guarantees `size` bytes at `data`, kept alive by the packet's own
        // reference.
        unsafe { std::slice::from_raw_parts(packet.data, size) }
    }
}

impl Drop for Packet {
    fn drop(&mut self) {
        let mut packet = self.0.as_ptr();
        // SAFETY: owned and freed once.
        unsafe { av::av_packet_free(&raw mut packet) };
    }
}

impl std::fmt::Debug for Packet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Packet({} bytes at {:?})", self.data().len(), self.pts())
    }
}
