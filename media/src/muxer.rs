//! From a cut to the bytes of a file of its own.
//!
//! ```text
//!   ftyp | moov, with room for every packet | free: the room not used | mdat: pictures in the order of decoding
//! ```
//!
//! The index comes first and in one pass: the packets are in memory, so a bound of its size is known (`moov_size`).

mod stamps;

use std::ops::Range;
use std::sync::Arc;

use self::stamps::Stamps;
use crate::boxes::Boxes;
use crate::chunk::{ByteLayout, Chunk};
use crate::cutter::Cut;
use crate::ffi::{LibavError, Muxer, Packet, Parameters, libavformat_version};
use crate::video::{Codec, Container, VideoFormat};

/// Grows with every change here that changes the bytes written for the same packets.
const REVISION: u32 = 1;

/// What the index needs at most for each packet (times, offset, size, key flag), in bytes: 24 are usual, and too little
/// is found out only when everything is written.
const INDEX_PER_PACKET: usize = 48;

/// What the index needs besides packets and codec configuration, in bytes: 640 for the track, the rest for the file.
const INDEX_FIXED: usize = 1664;

/// Which muxer writes, and in which version: changes whenever the bytes written for the same packets could change.
///
/// Part of a run's identity: the same file, cut again by the same version, gives the same bytes.
pub fn muxer_version() -> String {
    format!(
        "crispy-mux {REVISION}, libavformat {}",
        libavformat_version()
    )
}

/// Writes a cut as an mp4 file. The packets' payloads are copied once.
pub(crate) fn write(
    mut cut: Cut<Packet>,
    format: &Arc<VideoFormat>,
    parameters: &Parameters,
) -> Result<Chunk, LibavError> {
    let payload: usize = cut.samples.iter().map(|sample| sample.size).sum();
    let index = INDEX_FIXED + parameters.extradata().len() + INDEX_PER_PACKET * cut.samples.len();
    let timebase = cut.facts.timebase;
    let mut muxer = Muxer::create(c"mp4", payload + index)?;
    muxer.add_stream(parameters, timebase, tag(format.codec))?;
    muxer.write_header(&[
        ("moov_size", index.to_string()),
        ("movie_timescale", timebase.den().to_string()),
        ("video_track_timescale", timebase.den().to_string()),
        ("movflags", "negative_cts_offsets".to_owned()),
    ])?;
    let mut first_key_frame = 0..0;
    let stamps = Stamps::new(
        cut.samples.iter().map(|sample| sample.pts),
        cut.facts.start_ticks,
        cut.facts.end_ticks,
    );
    for (sample, stamp) in cut.samples.iter_mut().zip(stamps) {
        let written = muxer.write(&mut sample.payload, stamp, timebase)?;
        if first_key_frame.is_empty() && sample.picture.is_key() {
            first_key_frame = written;
        }
    }
    let bytes = muxer.finish()?;
    let layout = ByteLayout {
        index: index_range(&bytes),
        first_key_frame,
    };
    Ok(Chunk {
        bytes,
        format: Arc::clone(format),
        container: Container::Mp4,
        cut: cut.facts,
        layout,
    })
}

/// The four letters in the sample description. `hvc1` says that parameter sets are only there, which Apple's players
/// insist on; 0 leaves it to libav.
fn tag(codec: Codec) -> u32 {
    match codec {
        Codec::H265 => u32::from_le_bytes(*b"hvc1"),
        Codec::H264 => 0,
    }
}

fn index_range(bytes: &[u8]) -> Range<u64> {
    let boxes = Boxes::read(&mut std::io::Cursor::new(bytes), bytes.len() as u64);
    boxes.ok().flatten().map_or(0..0, |boxes| boxes.index())
}
