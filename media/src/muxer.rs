//! From a cut to the bytes of a file of its own: mp4 where it can be, Matroska for what mp4 does not hold, MPEG-TS on
//! request. In mp4:
//!
//! ```text
//!   ftyp | moov, with room for every packet | free: the room not used | mdat: pictures in the order of decoding
//! ```
//!
//! The index comes first and in one pass: the packets are in memory, so a bound of its size is known (`moov_size`).

mod audio;
mod index;
mod stamps;

use std::ops::Range;
use std::sync::Arc;

use self::audio::{Beside, Track};
use self::stamps::stamps;
use crate::audio::{AudioSegment, AudioStream};
use crate::boxes::Boxes;
use crate::chunk::{ByteLayout, Chunk};
use crate::cutter::Cut;
use crate::ffi::{LibavError, Muxer, Packet, Parameters, Stamp, libavformat_version};
use crate::source::Entry;
use crate::time::Timebase;
use crate::video::{Codec, Container};

/// Grows with every change here that changes the bytes written for the same packets.
const REVISION: u32 = 5;

/// What the index needs at most for each packet (times, offset, size, key flag), in bytes: 24 are usual, and too little
/// is found out only when everything is written.
const INDEX_PER_PACKET: usize = 48;

/// What the index needs for each track besides packets and codec configuration, in bytes.
const INDEX_PER_TRACK: usize = 640;

/// What the index needs for the file as a whole, in bytes.
const INDEX_FIXED: usize = 1024;

/// The places of the two streams in a file.
const PICTURES: u16 = 0;
const AUDIO: u16 = 1;

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
pub(crate) fn check(
    entry: &Entry,
    audio: Option<&AudioStream>,
    container: Container,
) -> Result<(), LibavError> {
    let audio = audio.map(|audio| (&audio.parameters, audio.rate()));
    begin(entry, audio, container, Room::default()).map(drop)
}

/// How much is to be written.
#[derive(Clone, Copy, Default)]
struct Room {
    payload: usize,
    packets: usize,
}

/// Writes a cut as a file, with its audio if it is kept. The packets' payloads are copied once.
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
    let described = track
        .as_ref()
        .map(|track| (track.parameters(), track.stream.rate()));
    let mut muxer = begin(entry, described, container, Room::of(&cut, track.as_ref()))?;
    let mut beside = Beside::new(track.as_ref());
    let mut first_key_frame = 0..0;
    let stamps = stamps(shown(&cut, container), start, end);
    if container == Container::Mp4 && !fits(&stamps, timebase, track.as_ref()) {
        return Err(LibavError::INVALID_DATA);
    }
    for (sample, stamp) in cut.samples.iter_mut().zip(stamps) {
        beside.write_until(&mut muxer, stamp, timebase)?;
        let written = muxer.write(PICTURES, &mut sample.payload, stamp, timebase)?;
        if first_key_frame.is_empty() && sample.picture.is_key() {
            first_key_frame = written;
        }
    }
    beside.write_rest(&mut muxer)?;
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
        layout.index = index_range(&bytes).ok_or(LibavError::INVALID_DATA)?;
    } else {
        layout.first_key_frame = 0..0; // wrapped in the container's own framing
    }
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

/// When each picture is shown in a file. Only mp4 can hide those before the interval; elsewhere they are shown for no time,
/// so that the file is no longer than the interval.
fn shown(cut: &Cut<Packet>, container: Container) -> impl Iterator<Item = i64> {
    let earliest = match container {
        Container::Mp4 => i64::MIN,
        Container::Mkv | Container::MpegTs => cut.facts.start_ticks,
    };
    let samples = cut.samples.iter();
    samples.map(move |sample| sample.pts.max(earliest))
}

/// Whether an mp4 index, whose ticks are seconds by the timebase's denominator, can hold these times.
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

/// A file of the right format with its header written, with room for so much payload in so many packets.
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
    let mut muxer = Muxer::create(format, room.payload + index + AROUND)?;
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
    fn of(cut: &Cut<Packet>, track: Option<&Track>) -> Room {
        let pictures: usize = cut.samples.iter().map(|sample| sample.size).sum();
        let audio = track.map_or(&[][..], |track| &track.packets);
        let heard: usize = audio.iter().map(|(packet, _)| packet.data().len()).sum();
        Room {
            payload: pictures + heard,
            packets: cut.samples.len() + audio.len(),
        }
    }
}

/// The four letters in the sample description. `hvc1` says that parameter sets are only there, which Apple's players
/// insist on; 0 leaves it to libav.
fn tag(codec: Codec, container: Container) -> u32 {
    match (codec, container) {
        (Codec::H265, Container::Mp4) => u32::from_le_bytes(*b"hvc1"),
        _ => 0,
    }
}

/// Where the index is; `None` if the file is not as long as it says. libav counts an AV1 packet that it cannot read as one of
/// negative size, says nothing, and the file is unreadable.
fn index_range(bytes: &[u8]) -> Option<Range<u64>> {
    let size = bytes.len() as u64;
    let boxes = Boxes::read(&mut std::io::Cursor::new(bytes), size).ok()??;
    boxes.missing(size).is_none().then(|| boxes.index())
}
