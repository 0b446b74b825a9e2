//! A source that is open: what can be cut from it, and what it is known by. Recording and probing open alike, so that what the one
//! refuses the other does too, for the same reason.

use crispy_media::{Chunks, OpenError, StopFlag};
use crispy_runtime::{
    Exit, Failed, Redacted,
    cut::{self, CutFlags},
};

use crate::{
    remote,
    run_identity::Mark,
    source::{self, Place},
};

/// A source that is open.
#[derive(Debug)]
pub struct Opened {
    /// Its chunks to be.
    pub chunks: Chunks,
    /// What it is known by.
    pub mark: Mark,
}

/// Opens a path or URL. Blocks, for a URL at most some seconds without an answer.
pub fn open(location: &str, cut: &CutFlags, stop: &StopFlag) -> Result<Opened, Failed> {
    let place = source::place(location).map_err(|refused| Failed::new(refused.exit(), refused))?;
    let options = crispy_media::OpenOptions {
        audio: audio(cut),
        container: container(cut),
        stop: stop.clone(),
        ..crispy_media::OpenOptions::new(location, cut.window)
    };
    match place {
        Place::File(path) => {
            let location = path.to_string_lossy().into_owned();
            let chunks = Chunks::open(&crispy_media::OpenOptions {
                location,
                ..options
            })
            .map_err(refused)?;
            let mark =
                Mark::read(path).map_err(|error| Failed::new(Exit::SourceUnreadable, error))?;
            Ok(Opened { chunks, mark })
        }
        Place::Remote => fetch(&options),
    }
}

fn fetch(options: &crispy_media::OpenOptions) -> Result<Opened, Failed> {
    let remote =
        remote::open(&options.location, options.timeout, &options.stop).map_err(|error| {
            let exit = error.exit();
            let place = Redacted(&options.location);
            Failed::new(
                exit,
                anyhow::Error::new(error).context(format!("fetch {place}")),
            )
        })?;
    let chunks = Chunks::open_input(options, remote.input);
    let chunks = chunks.map_err(|error| match error {
        // the usual mp4 of a camera: its index comes last, and nothing can be read before it
        error @ (OpenError::NotVideo { .. } | OpenError::Io { .. }) if remote.index_may_be_late => {
            let exit = exit_of(&error);
            let advice = "the server takes no Range requests, so an index at the end of the file cannot be reached: download it and record it from disk";
            Failed::new(exit, anyhow::Error::new(error).context(advice))
        }
        error => refused(error),
    })?;
    let mark = remote.mark;
    Ok(Opened { chunks, mark })
}

fn refused(error: OpenError) -> Failed {
    Failed::new(exit_of(&error), error)
}

fn audio(cut: &CutFlags) -> crispy_media::Audio {
    match cut.audio {
        cut::Audio::Drop => crispy_media::Audio::Drop,
        cut::Audio::Keep => crispy_media::Audio::Keep,
    }
}

fn container(cut: &CutFlags) -> Option<crispy_media::Container> {
    match cut.container {
        cut::Container::Auto => None,
        cut::Container::Mp4 => Some(crispy_media::Container::Mp4),
        cut::Container::Mkv => Some(crispy_media::Container::Mkv),
        cut::Container::Ts => Some(crispy_media::Container::MpegTs),
    }
}

/// What an operator's script is told about a source that cannot be used.
fn exit_of(error: &OpenError) -> Exit {
    match error {
        OpenError::NotFound { .. } => Exit::SourceNotFound,
        OpenError::Empty { .. } => Exit::SourceEmpty,
        OpenError::NotVideo { .. } => Exit::SourceNotVideo,
        OpenError::Truncated { .. } => Exit::SourceCutShort,
        OpenError::NoVideo { .. } => Exit::SourceWithoutVideo,
        OpenError::UnsupportedCodec { .. } => Exit::CodecUnsupported,
        OpenError::WrongContainer { .. } => Exit::ContainerUnfit,
        _ => Exit::SourceUnreadable,
    }
}
