//! Opening a source: whatever would make it useless is found out here, before the first chunk.

use std::sync::Arc;
use std::time::Duration;

use super::Source;
use super::connect::{connect, connect_input, fetch_error, refusal};
use super::entry::{Entries, Entry};
use super::stamper::Stamper;
use crate::audio::AudioStream;
use crate::bitstream::PictureOrder;
use crate::cutter::Pace;
use crate::describe::video_format;
use crate::error::OpenError;
use crate::ffi::{Demuxer, Failure, LibavError, Parameters, Stream};
use crate::input::Input;
use crate::location::{Location, redact};
use crate::options::{Audio, OpenOptions};
use crate::time::Timebase;
use crate::video::{Codec, VideoFormat};

/// How long libav may look at a live stream to learn what its header does not say: it looks at 5 s of video, which take
/// 5 s to arrive, and at more where that says too little.
const ANALYSIS: Duration = Duration::from_secs(10);

impl Source {
    /// Opens a path or URL, checks that it holds video that can be carried, and reads the first packet of it.
    pub(crate) fn open(options: &OpenOptions) -> Result<Source, OpenError> {
        let location = locate(options)?;
        let demuxer = connect(&location, options)?;
        let place = Place {
            networked: location.file().is_none(),
            location,
            fetched: None,
        };
        Source::of(demuxer, place, options)
    }

    /// The same for what somebody else fetches.
    pub(crate) fn open_input(options: &OpenOptions, mut input: Input) -> Result<Source, OpenError> {
        let location = locate(options)?;
        let fetched = Fetched {
            failure: input.reader().failure(),
            duration: input.duration(),
        };
        let demuxer = connect_input(input, &location, options)?;
        let place = Place {
            networked: false,
            location,
            fetched: Some(fetched),
        };
        Source::of(demuxer, place, options)
    }

    fn of(mut demuxer: Demuxer, place: Place, options: &OpenOptions) -> Result<Source, OpenError> {
        let stream = choose_video(&mut demuxer, &place, options).map_err(|refused| {
            // whatever libav made of bytes that did not come, that they did not come is the reason
            let failure = place.fetched.as_ref().and_then(|it| it.failure.take());
            failure.map_or(refused, |it| fetch_error(&place.location, options, it))
        })?;
        let audio = choose_audio(&mut demuxer, stream, options).map(Arc::new);
        let mut source = describe(demuxer, place, stream, audio, options)?;
        match source.next_packet() {
            Ok(Some(first)) => source.first = Some(first),
            Ok(None) => {
                return Err(OpenError::NoVideo {
                    location: source.place.location.to_string(),
                });
            }
            Err(failure) => return Err(OpenError::after_open(failure)),
        }
        Ok(source)
    }
}

/// Where a source is, and who waits for it.
pub(super) struct Place {
    pub(super) location: Location,
    /// Whether libav itself waits for a network, so that it needs a deadline.
    pub(super) networked: bool,
    /// For what somebody else fetches.
    pub(super) fetched: Option<Fetched>,
}

/// What is known of a source that somebody else fetches.
pub(super) struct Fetched {
    pub(super) failure: Failure,
    pub(super) duration: Option<Duration>,
}

fn locate(options: &OpenOptions) -> Result<Location, OpenError> {
    Location::parse(&options.location).ok_or_else(|| OpenError::InvalidLocation {
        location: redact(&options.location),
    })
}

/// Finds the one stream that is wanted; what its header does not say is learned from its first packets.
fn choose_video(
    demuxer: &mut Demuxer,
    place: &Place,
    options: &OpenOptions,
) -> Result<usize, OpenError> {
    let location = &place.location;
    if is_pushed(demuxer, place) {
        demuxer.stamp_by_arrival();
    }
    if !header_suffices(demuxer, options) {
        if place.networked {
            demuxer.watch().allow(options.timeout + ANALYSIS);
        }
        let analysed = demuxer.analyse();
        analysed
            .map_err(|failure| refusal(failure, location, options, demuxer.watch().expired()))?;
    }
    if !is_video_itself(demuxer) || demuxer.streams().next().is_none() {
        return Err(OpenError::NotVideo {
            location: location.to_string(),
            source: LibavError::INVALID_DATA,
        });
    }
    let stream = demuxer.best_video().ok_or_else(|| OpenError::NoVideo {
        location: location.to_string(),
    })?;
    Ok(stream)
}

/// Whether the video is in these very bytes.
///
/// Any text is a video of a terminal to libav. And where a list names other files, their bytes are in no fingerprint: the same
/// list would be the same recording, whatever it names by then.
fn is_video_itself(demuxer: &Demuxer) -> bool {
    !["tty", "hls", "concat", "dash", "sdp"].contains(&demuxer.format_name())
}

/// Finds the audio that goes with the video, if it is wanted and there is any; what is not wanted is not read.
fn choose_audio(demuxer: &mut Demuxer, video: usize, options: &OpenOptions) -> Option<AudioStream> {
    let found = match options.audio {
        Audio::Drop => None,
        Audio::Keep => demuxer.best_audio(video).and_then(|index| {
            let stream = demuxer.streams().nth(index)?;
            let parameters = stream.parameters().ok()?;
            AudioStream::new(
                index,
                parameters,
                stream.timebase()?,
                stream.timestamp_bits(),
            )
        }),
    };
    let wanted: Vec<usize> = found
        .iter()
        .map(|audio| audio.index)
        .chain([video])
        .collect();
    demuxer.keep_only(&wanted);
    found
}

/// Whether the header says all that is needed: then nothing has to be decoded, which would take 20 times as long as opening.
fn header_suffices(demuxer: &Demuxer, options: &OpenOptions) -> bool {
    let mp4 = demuxer.format_name().starts_with("mov");
    if !mp4 && !demuxer.format_name().starts_with("matroska") {
        return false;
    }
    let Some(video) = demuxer.best_video() else {
        return false;
    };
    let Some(stream) = demuxer.streams().nth(video) else {
        return false;
    };
    if options.audio == Audio::Keep && !audio_is_described(demuxer, video) {
        return false;
    }
    let sequence = stream
        .parameters()
        .ok()
        .and_then(|parameters| Codec::of(&parameters).sequence(parameters.extradata()));
    // in mp4 the index tells whether pictures are reordered, in Matroska only the parameter set can
    sequence.is_some_and(|set| mp4 || set.reorder.is_some()) && stream.frame_rate().is_some()
}

/// Whether the header says enough of the audio, if there is any.
fn audio_is_described(demuxer: &Demuxer, video: usize) -> bool {
    let audio = demuxer.best_audio(video);
    let stream = audio.and_then(|index| demuxer.streams().nth(index));
    stream.is_none_or(|stream| {
        let told = |parameters: Parameters| {
            parameters.sample_rate() > 0 && parameters.audio_channels() > 0
        };
        stream.parameters().is_ok_and(told)
    })
}

fn describe(
    mut demuxer: Demuxer,
    place: Place,
    index: usize,
    audio: Option<Arc<AudioStream>>,
    options: &OpenOptions,
) -> Result<Source, OpenError> {
    let failed = |failure: LibavError| OpenError::Io {
        location: place.location.to_string(),
        source: failure.into(),
    };
    let stream = demuxer
        .streams()
        .nth(index)
        .ok_or_else(|| failed(LibavError::INVALID_DATA))?;
    let mut parameters = stream.parameters().map_err(failed)?;
    let codec = Codec::of(&parameters);
    let timebase = stream
        .timebase()
        .ok_or_else(|| failed(LibavError::INVALID_DATA))?;
    let mut format = video_format(codec, &stream, &parameters, timebase);
    if let Some(rate) = raw_rate(demuxer.format_name(), codec, parameters.extradata()) {
        format.frame_rate = rate;
    }
    parameters.set_sample_aspect(format.sample_aspect);
    let pace = pace(&stream, format.frame_rate, timebase);
    let first = Entry {
        format: Arc::new(format),
        parameters: Arc::new(parameters),
    };
    let order = if first.format.has_b_frames {
        PictureOrder::new(codec, first.parameters.extradata())
    } else {
        None
    };
    let interval = timebase.ticks(pace.frame_interval.unwrap_or(Duration::from_millis(40)));
    let times_inferred = infer_times(&mut demuxer, &first.format, &place);
    Ok(Source {
        stream: index,
        audio,
        entries: Entries::new(first),
        pace,
        first: None,
        timeout: options.timeout,
        stamper: Stamper::new(interval, order),
        times_inferred,
        demuxer,
        place,
    })
}

/// Whether pictures are pushed over HTTP one by one: they carry no time, and libav calls it 25 a second whatever the camera
/// does.
fn is_pushed(demuxer: &Demuxer, place: &Place) -> bool {
    demuxer.format_name() == "mpjpeg" && place.networked
}

/// Has libav stamp what its demuxer cannot stamp rightly; whether it does.
fn infer_times(demuxer: &mut Demuxer, format: &VideoFormat, place: &Place) -> bool {
    if is_pushed(demuxer, place) {
        return true;
    }
    let counted = matches!(format.codec, Codec::H264 | Codec::H265);
    // AVI has no times of showing; for codecs whose pictures are not counted, libav knows which are B-frames
    if demuxer.format_name() == "avi" && format.has_b_frames && !counted {
        demuxer.infer_times();
        return true;
    }
    false
}

/// What FFmpeg takes raw video for that does not say how fast it is.
const RAW_RATE: (u32, u32) = (25, 1);

/// The frames in so many seconds of video without a container; `None` for any other.
///
/// Only the coded pictures can say. What libav says is another in each version: in FFmpeg 7.1 all raw video has 25 frames in a
/// second on average.
fn raw_rate(format: &str, codec: Codec, configuration: &[u8]) -> Option<(u32, u32)> {
    ["h264", "hevc"].contains(&format).then(|| {
        codec
            .sequence(configuration)
            .and_then(|set| set.frame_rate)
            .unwrap_or(RAW_RATE)
    })
}

fn pace(stream: &Stream<'_>, rate: (u32, u32), timebase: Timebase) -> Pace {
    let interval = |(num, den)| Duration::from_secs_f64(f64::from(den) / f64::from(num));
    let frame_interval = (rate.0 > 0).then(|| interval(rate));
    Pace {
        timebase,
        timestamp_bits: stream.timestamp_bits(),
        frame_interval,
    }
}
