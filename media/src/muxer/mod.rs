//! Writes a cut as a file of its own: mp4 where possible, else Matroska; MPEG-TS on request. In
//! mp4:
//!
//! ```text
//!   ftyp | moov, room for every packet | free: unused room | mdat: pictures in decode order
//! ```
//!
//! The index comes first, in one pass: the packets are in memory, so a bound of its size is known
//! (`moov_size`).

mod audio;
mod index;
mod stamps;

use std::ops::Range;
use std::sync::Arc;

use self::audio::{Interleaver, Track};
use self::stamps::stamps;
use crate::audio::{AudioSegment, AudioStream};
use crate::boxes::Boxes;
use crate::chunk::{ByteLayout, Chunk};
use crate::cutter::Cut;
use crate::ffi::{LibavError, Muxer, Packet, Parameters, Stamp, libavformat_version};
use crate::source::Entry;
use crate::time::Timebase;
use crate::video::{Codec, Container};

/// Incremented with every change that changes the bytes written for the same packets.
const REVISION: u32 = 5;

/// Most bytes of the index for each packet (times, offset, size, key flag): 24 are usual, and libav
/// reports a lack of room only when the whole file is written.
const INDEX_PER_PACKET: usize = 48;

/// Bytes of the index for each track besides packets and codec configuration.
const INDEX_PER_TRACK: usize = 640;

/// Bytes of the index for the file as a whole.
const INDEX_FIXED: usize = 1024;

/// The indexes of the two streams in a file.
const PICTURES: u16 = 0;
const AUDIO: u16 = 1;

/// Bytes around index and payload: `ftyp`, the unused room as `free`, the head of `mdat`. Without
/// it, the last packet of every chunk would reallocate the file, which copies all of it once more.
const OVERHEAD: usize = 64;

/// The longest step of time in an mp4 index, in ticks of the file. libav ends the process, instead
/// of returning an error, if a step does not fit.
const LONGEST_STEP: i64 = i32::MAX as i64;

/// Name and version of the muxer: changes whenever the bytes written for the same packets may
/// change.
///
/// Part of a run's identity: the same file, cut again by the same version, gives the same bytes.
pub fn muxer_version() -> String {
    format!(
        "crispy-mux {REVISION}, libavformat {}",
        libavformat_version()
    )
}

/// Checks that a container accepts the streams, by writing a header.
pub(crate) fn check(
    entry: &Entry,
    audio: Option<&AudioStream>,
    container: Container,
) -> Result<(), LibavError> {
    let audio = audio.map(|audio| (&audio.parameters, audio.rate()));
    begin(entry, audio, container, Room::default()).map(drop)
}

/// The expected size of a file.
#[derive(Clone, Copy, Default)]
struct Room {
    payload: usize,
    packets: usize,
}

/// Writes a cut as a file, with its audio if that is kept. The packets' payloads are copied once.
pub(crate) fn write(
    mut cut: Cut<Packet>,
    entry: &Entry,
    audio: Option<(&Arc<AudioStream>, AudioSegment<Arc<Packet>>)>,
    container: Container,
) -> Result<Chunk, LibavError> {
    let (start, end) = (cut.facts.start_ticks, cut.facts.end_ticks);
    let timebase = cut.facts.timebase;
    let audio_dropped = audio.as_ref().map_or(0, |(_, segment)| segment.dropped);
    let track = audio.and_then(|(stream, segment)| {
        Track::new(stream, segment, (start..end, timebase), container)
    });
    let audio_stream = track
        .as_ref()
        .map(|track| (track.parameters(), track.stream.rate()));
    let mut muxer = begin(
        entry,
        audio_stream,
        container,
        Room::new(&cut, track.as_ref()),
    )?;
    let mut interleaver = Interleaver::new(track.as_ref());
    let mut first_key_frame = 0..0;
    let stamps = stamps(shown(&cut, container), start, end);
    if container == Container::Mp4 && !fits(&stamps, timebase, track.as_ref()) {
        return Err(LibavError::INVALID_DATA);
    }
    for (sample, stamp) in cut.samples.iter_mut().zip(stamps) {
        interleaver.write_until(&mut muxer, stamp, timebase)?;
        let written = muxer.write(PICTURES, &mut sample.payload, stamp, timebase)?;
        if first_key_frame.is_empty() && sample.picture.is_key() {
            first_key_frame = written;
        }
    }
    interleaver.write_rest(&mut muxer)?;
    let mut bytes = muxer.finish()?;
    let layout = if container == Container::Mp4 {
        let first_shown = cut.samples.first().map_or(start, |sample| sample.pts);
        let lead = (first_shown - start) * i64::from(timebase.num());
        mp4_layout(&mut bytes, lead, first_key_frame).ok_or(LibavError::INVALID_DATA)?
    } else {
        ByteLayout::default() // The container's own framing wraps the key frame.
    };
    Ok(Chunk {
        bytes,
        format: Arc::clone(&entry.format),
        container,
        cut: cut.facts,
        audio: track.map(|track| track.facts()),
        audio_dropped,
        layout,
    })
}

/// Presentation times of the pictures in a file. Only mp4 can hide pictures before the interval; in
/// the other containers they are shown for no time, so the file is no longer than the interval.
fn shown(cut: &Cut<Packet>, container: Container) -> impl Iterator<Item = i64> {
    let earliest = match container {
        Container::Mp4 => i64::MIN,
        Container::Mkv | Container::MpegTs => cut.facts.start_ticks,
    };
    let samples = cut.samples.iter();
    samples.map(move |sample| sample.pts.max(earliest))
}

/// Returns true if an mp4 index, whose ticks are seconds by the timebase's denominator, can hold
/// these times.
fn fits(stamps: &[Stamp], timebase: Timebase, audio: Option<&Track>) -> bool {
    if audio.is_some_and(|audio| audio.longest_step() > LONGEST_STEP) {
        return false;
    }
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

/// A file with its header written, with room for the expected payload and packets.
fn begin(
    entry: &Entry,
    audio: Option<(&Parameters, Timebase)>,
    container: Container,
    room: Room,
) -> Result<Muxer, LibavError> {
    let parameters = audio.map(|(parameters, _)| parameters);
    let tracks = [&*entry.parameters].into_iter().chain(parameters);
    let tracks: usize = tracks
        .map(|track| INDEX_PER_TRACK + track.extradata().len())
        .sum();
    let index = INDEX_FIXED + tracks + INDEX_PER_PACKET * room.packets;
    let timebase = entry.format.timebase;
    let (format, options) = match container {
        Container::Mp4 => {
            let timescale = timebase.den().to_string();
            // A range that only the container has belongs in `colr`, which libav omits for the
            // range alone.
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
    let mut muxer = Muxer::create(format, room.payload + index + OVERHEAD)?;
    muxer.add_stream(
        &entry.parameters,
        timebase,
        tag(entry.format.codec, container),
    )?;
    if let Some((parameters, rate)) = audio {
        muxer.add_stream(parameters, rate, 0)?;
    }
    muxer.write_header(&options)?;
    Ok(muxer)
}

impl Room {
    fn new(cut: &Cut<Packet>, track: Option<&Track>) -> Room {
        let pictures: usize = cut.samples.iter().map(|sample| sample.size).sum();
        let audio = track.map_or(&[][..], |track| &track.packets);
        let audio_bytes: usize = audio.iter().map(|(packet, _)| packet.data().len()).sum();
        Room {
            payload: pictures + audio_bytes,
            packets: cut.samples.len() + audio.len(),
        }
    }
}

/// The four letters of the sample entry; 0 for libav's default. `hvc1` declares that parameter sets
/// are only there, which Apple's players require.
fn tag(codec: Codec, container: Container) -> u32 {
    match (codec, container) {
        (Codec::H265, Container::Mp4) => u32::from_le_bytes(*b"hvc1"),
        _ => 0,
    }
}

/// Corrects the index for pictures that are shown `lead` ticks before the first stored one, and
/// finds its range.
fn mp4_layout(bytes: &mut [u8], lead: i64, first_key_frame: Range<u64>) -> Option<ByteLayout> {
    if lead > 0 {
        index::begin_with_leading_pictures(bytes, lead)?;
    }
    Some(ByteLayout {
        index: index_range(bytes)?,
        first_key_frame,
    })
}

/// The range of the index; `None` if the file's length contradicts its boxes. libav counts an AV1
/// packet that it cannot parse as one of negative size, returns no error, and the file is
/// unreadable.
fn index_range(bytes: &[u8]) -> Option<Range<u64>> {
    let size = bytes.len() as u64;
    let boxes = Boxes::read(&mut std::io::Cursor::new(bytes), size).ok()??;
    boxes.missing(size).is_none().then(|| boxes.index())
}
