//! From a cut to the bytes of a file of its own: mp4 where it can be, Matroska for what mp4 does not hold, MPEG-TS on
//! request. In mp4:
//!
//! ```text
//!   ftyp | moov, with room for every packet | free: the room not used | mdat: pictures in the order of decoding
//! ```
//!
//! The index comes first and in one pass: the packets are in memory, so a bound of its size is known (`moov_size`).

mod index;
mod stamps;

use std::ops::Range;
use std::sync::Arc;

use self::stamps::stamps;
use crate::boxes::Boxes;
use crate::chunk::{ByteLayout, Chunk};
use crate::cutter::Cut;
use crate::ffi::{LibavError, Muxer, Packet, Stamp, libavformat_version};
use crate::source::Entry;
use crate::time::Timebase;
use crate::video::{Codec, Container};

/// Grows with every change here that changes the bytes written for the same packets.
const REVISION: u32 = 3;

/// What the index needs at most for each packet (times, offset, size, key flag), in bytes: 24 are usual, and too little
/// is found out only when everything is written.
const INDEX_PER_PACKET: usize = 48;

/// What the index needs besides packets and codec configuration, in bytes: 640 for the track, the rest for the file.
const INDEX_FIXED: usize = 1664;

/// What stands around index and payload, in bytes: `ftyp`, the rest of the room as `free`, the head of `mdat`. Were it not
/// counted, the last packet of every chunk would make the file grow, and all of it be copied once more.
const AROUND: usize = 64;

/// The longest step of time in an mp4 index, in ticks of the file. Where a step does not fit, libav does not answer with
/// an error but ends the process.
const LONGEST_STEP: i64 = i32::MAX as i64;

/// Which muxer writes, and in which version: changes whenever the bytes written for the same packets could change.
///
/// Part of a run's identity: the same file, cut again by the same version, gives the same bytes.
pub fn muxer_version() -> String {
    format!(
        "crispy-mux {REVISION}, libavformat {}",
        libavformat_version()
    )
}

/// Whether a container takes a stream, found out by writing a header.
pub(crate) fn check(entry: &Entry, container: Container) -> Result<(), LibavError> {
    begin(entry, container, 0, 0).map(drop)
}

/// Writes a cut as a file. The packets' payloads are copied once.
pub(crate) fn write(
    mut cut: Cut<Packet>,
    entry: &Entry,
    container: Container,
) -> Result<Chunk, LibavError> {
    let (start, end, timebase) = (
        cut.facts.start_ticks,
        cut.facts.end_ticks,
        cut.facts.timebase,
    );
    let payload: usize = cut.samples.iter().map(|sample| sample.size).sum();
    let mut muxer = begin(entry, container, payload, cut.samples.len())?;
    let mut first_key_frame = 0..0;
    let stamps = stamps(cut.samples.iter().map(|sample| sample.pts), start, end);
    if container == Container::Mp4 && !fits(&stamps, timebase) {
        return Err(LibavError::INVALID_DATA);
    }
    for (sample, stamp) in cut.samples.iter_mut().zip(stamps) {
        let written = muxer.write(&mut sample.payload, stamp, timebase)?;
        if first_key_frame.is_empty() && sample.picture.is_key() {
            first_key_frame = written;
        }
    }
    let mut bytes = muxer.finish()?;
    let mut layout = ByteLayout {
        index: 0..0,
        first_key_frame,
    };
    if container == Container::Mp4 {
        let lead =
            cut.samples.first().map_or(0, |sample| sample.pts - start) * i64::from(timebase.num());
        if lead > 0 {
            index::begin_with_leading_pictures(&mut bytes, lead).ok_or(LibavError::INVALID_DATA)?;
        }
        layout.index = index_range(&bytes);
    } else {
        layout.first_key_frame = 0..0; // wrapped in the container's own framing
    }
    Ok(Chunk {
        bytes,
        format: Arc::clone(&entry.format),
        container,
        cut: cut.facts,
        layout,
    })
}

/// Whether an mp4 index, whose ticks are seconds by the timebase's denominator, can hold these times.
fn fits(stamps: &[Stamp], timebase: Timebase) -> bool {
    let first = stamps.first().map_or(0, |stamp| stamp.dts);
    stamps.iter().all(|stamp| {
        let steps = [first, stamp.duration, stamp.pts.saturating_sub(stamp.dts)];
        let longest = steps
            .map(i64::saturating_abs)
            .into_iter()
            .max()
            .unwrap_or(0);
        longest.saturating_mul(timebase.num().into()) <= LONGEST_STEP
    })
}

/// A file of the right format with its header written, with room for so much payload in so many packets.
fn begin(
    entry: &Entry,
    container: Container,
    payload: usize,
    packets: usize,
) -> Result<Muxer, LibavError> {
    let index = INDEX_FIXED + entry.parameters.extradata().len() + INDEX_PER_PACKET * packets;
    let timebase = entry.format.timebase;
    let (format, options) = match container {
        Container::Mp4 => {
            let timescale = timebase.den().to_string();
            // the range that only a container tells has its place in `colr`, which libav leaves out for the range alone
            let full =
                entry.format.color.range == "pc" && entry.parameters.color()[3] == Some("pc");
            let flags = if full {
                "negative_cts_offsets+write_colr"
            } else {
                "negative_cts_offsets"
            };
            let options = vec![
                ("moov_size", index.to_string()),
                ("movie_timescale", timescale.clone()),
                ("video_track_timescale", timescale),
                ("movflags", flags.to_owned()),
            ];
            (c"mp4", options)
        }
        Container::Mkv => (c"matroska", Vec::new()),
        Container::MpegTs => (c"mpegts", Vec::new()),
    };
    let mut muxer = Muxer::create(format, payload + index + AROUND)?;
    muxer.add_stream(
        &entry.parameters,
        timebase,
        tag(entry.format.codec, container),
    )?;
    muxer.write_header(&options)?;
    Ok(muxer)
}

/// The four letters in the sample description. `hvc1` says that parameter sets are only there, which Apple's players
/// insist on; 0 leaves it to libav.
fn tag(codec: Codec, container: Container) -> u32 {
    match (codec, container) {
        (Codec::H265, Container::Mp4) => u32::from_le_bytes(*b"hvc1"),
        _ => 0,
    }
}

fn index_range(bytes: &[u8]) -> Range<u64> {
    let boxes = Boxes::read(&mut std::io::Cursor::new(bytes), bytes.len() as u64);
    boxes.ok().flatten().map_or(0..0, |boxes| boxes.index())
}
