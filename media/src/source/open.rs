//! Opens a source: faults that make it useless are found here, before the first chunk.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::Source;
use super::connect::{connect, connect_input, fetch_error, refusal};
use super::entry::{Entries, Entry};
use super::stamper::Stamper;
use crate::audio::AudioStream;
use crate::bitstream::PictureOrder;
use crate::cutter::Pace;
use crate::error::OpenError;
use crate::ffi::{Demuxer, Failure, LibavError, Parameters, Stream};
use crate::format::video_format;
use crate::input::Input;
use crate::location::{Location, redact};
use crate::options::{Audio, OpenOptions};
use crate::time::Timebase;
use crate::video::{Codec, VideoFormat};

/// Extra time for libav's analysis of a live stream: it reads 5 s of video, which take 5 s to
/// arrive, and more if that is not enough.
const ANALYSIS: Duration = Duration::from_secs(10);

impl Source {
    /// Opens a path or URL, checks that its video is supported, and reads its first packet.
    pub(crate) fn open(options: &OpenOptions) -> Result<Source, OpenError> {
        let location = locate(options)?;
        let demuxer = connect(&location, options)?;
        let origin = Origin {
            networked: location.file().is_none(),
            location,
            input: None,
        };
        Source::new(demuxer, origin, options)
    }

    /// The same for bytes that the caller fetches.
    pub(crate) fn open_input(options: &OpenOptions, mut input: Input) -> Result<Source, OpenError> {
        let location = locate(options)?;
        let state = InputState {
            failure: input.reader().failure(),
            duration: input.duration(),
        };
        let demuxer = connect_input(input, &location, options)?;
        let origin = Origin {
            networked: false,
            location,
            input: Some(state),
        };
        Source::new(demuxer, origin, options)
    }

    fn new(
        mut demuxer: Demuxer,
        origin: Origin,
        options: &OpenOptions,
    ) -> Result<Source, OpenError> {
        let stream = choose_video(&mut demuxer, &origin, options).map_err(|refused| {
            // A failed fetch is the cause of any error that libav derives from it.
            let failure = origin.take_failure();
            failure.map_or(refused, |it| fetch_error(&origin.location, options, it))
        })?;
        let audio = choose_audio(&mut demuxer, stream, options).map(Arc::new);
        let mut source = Source::with_stream(demuxer, origin, stream, audio, options)?;
        match source.next_packet() {
            Ok(Some(first)) => source.first = Some(first),
            Ok(None) => {
                return Err(OpenError::NoVideo {
                    location: source.origin.location.to_string(),
                });
            }
            Err(failure) => return Err(OpenError::after_open(failure)),
        }
        Ok(source)
    }
}

/// The origin of a source's bytes.
pub(super) struct Origin {
    pub(super) location: Location,
    /// True if libav itself waits for a network, and so needs a deadline.
    pub(super) networked: bool,
    /// For bytes that the caller fetches.
    pub(super) input: Option<InputState>,
}

impl Origin {
    /// The error of the caller's reader, if it has failed.
    pub(super) fn take_failure(&self) -> Option<io::Error> {
        self.input.as_ref()?.failure.take()
    }
}

/// State of the bytes that the caller fetches.
pub(super) struct InputState {
    failure: Failure,
    pub(super) duration: Option<Duration>,
}

fn locate(options: &OpenOptions) -> Result<Location, OpenError> {
    Location::parse(&options.location).ok_or_else(|| OpenError::InvalidLocation {
        location: redact(&options.location),
    })
}

/// Selects the video stream. If the header is not sufficient, libav analyses the first packets.
fn choose_video(
    demuxer: &mut Demuxer,
    origin: &Origin,
    options: &OpenOptions,
) -> Result<usize, OpenError> {
    let location = &origin.location;
    if is_pushed(demuxer, origin) {
        demuxer.stamp_by_arrival();
    }
    if !header_suffices(demuxer, options) {
        if origin.networked {
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

/// Returns true if the source's own bytes contain the video.
///
/// To libav, any text is a video of a terminal. And the files that a list names are in no
/// fingerprint: the same list would be the same recording, even if those files have changed.
fn is_video_itself(demuxer: &Demuxer) -> bool {
    !["tty", "hls", "concat", "dash", "sdp"].contains(&demuxer.format_name())
}

/// Selects the audio stream that belongs to the video, if requested. Other streams are not read.
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

/// Returns true if the header is sufficient. Otherwise libav must decode, which takes 20 times as
/// long as opening.
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
    let sequence = stream.parameters().ok().and_then(|parameters| {
        Codec::from_parameters(&parameters).sequence(parameters.extradata())
    });
    // In mp4 the index shows whether pictures are reordered, in Matroska only the parameter set.
    sequence.is_some_and(|set| mp4 || set.reorder.is_some()) && stream.frame_rate().is_some()
}

/// Returns true if the header describes the audio, or there is none.
fn audio_is_described(demuxer: &Demuxer, video: usize) -> bool {
    let audio = demuxer.best_audio(video);
    let stream = audio.and_then(|index| demuxer.streams().nth(index));
    stream.is_none_or(|stream| {
        let described = |parameters: Parameters| {
            parameters.sample_rate() > 0 && parameters.audio_channels() > 0
        };
        stream.parameters().is_ok_and(described)
    })
}

impl Source {
    fn with_stream(
        mut demuxer: Demuxer,
        origin: Origin,
        index: usize,
        audio: Option<Arc<AudioStream>>,
        options: &OpenOptions,
    ) -> Result<Source, OpenError> {
        let failed = |failure: LibavError| OpenError::Io {
            location: origin.location.to_string(),
            source: failure.into(),
        };
        let invalid = || failed(LibavError::INVALID_DATA);
        let stream = demuxer.streams().nth(index).ok_or_else(invalid)?;
        let mut parameters = stream.parameters().map_err(failed)?;
        let codec = Codec::from_parameters(&parameters);
        let timebase = stream.timebase().ok_or_else(invalid)?;
        let mut format = video_format(codec, &stream, &parameters, timebase);
        if let Some(rate) = raw_rate(demuxer.format_name(), codec, parameters.extradata()) {
            format.frame_rate = rate;
        }
        parameters.set_sample_aspect(format.sample_aspect);
        let pace = pace(&stream, format.frame_rate, timebase);
        let order = if format.has_b_frames {
            PictureOrder::new(codec, parameters.extradata())
        } else {
            None
        };
        let interval = timebase.ticks(pace.frame_interval.unwrap_or(Duration::from_millis(40)));
        let times_inferred = infer_times(&mut demuxer, &format, &origin);
        Ok(Source {
            stream: index,
            audio,
            entries: Entries::new(Entry {
                format: Arc::new(format),
                parameters: Arc::new(parameters),
            }),
            pace,
            first: None,
            timeout: options.timeout,
            stamper: Stamper::new(interval, order),
            times_inferred,
            demuxer,
            origin,
        })
    }
}

/// Returns true for pictures that are pushed over HTTP one by one: they carry no time, and libav
/// assumes 25 a second.
fn is_pushed(demuxer: &Demuxer, origin: &Origin) -> bool {
    demuxer.format_name() == "mpjpeg" && origin.networked
}

/// Makes libav infer presentation times if its demuxer cannot give correct ones; returns true if it
/// does.
fn infer_times(demuxer: &mut Demuxer, format: &VideoFormat, origin: &Origin) -> bool {
    if is_pushed(demuxer, origin) {
        return true;
    }
    let counted = matches!(format.codec, Codec::H264 | Codec::H265);
    // AVI has no presentation times. For codecs whose slices carry no count, libav knows the
    // B-frames.
    if demuxer.format_name() == "avi" && format.has_b_frames && !counted {
        demuxer.infer_times();
        return true;
    }
    false
}

/// FFmpeg's rate for raw video that declares none.
const RAW_RATE: (u32, u32) = (25, 1);

/// The frame rate of video without a container; `None` for any other.
///
/// Only the parameter sets have it. libav's answer differs by version: in FFmpeg 7.1 all raw video
/// has an average of 25 frames a second.
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
