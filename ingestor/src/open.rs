//! Opens a source as the flags say, with the exit code of every failure. Recording and probing both
//! open here, so that they refuse the same sources for the same reasons.

use crispy_media::{OpenError as MediaError, OpenOptions, StopFlag};
use crispy_runtime::{
    Exit, Failed,
    cut::{self, CutFlags},
    now_us,
};
use crispy_source::{FetchError, OpenError, OpenSource};

/// Opens a path or URL. Blocks, for a URL at most some seconds without an answer.
pub(crate) fn open(location: &str, cut: &CutFlags, stop: &StopFlag) -> Result<OpenSource, Failed> {
    let options = OpenOptions {
        audio: audio(cut),
        container: container(cut),
        stop: stop.clone(),
        ..OpenOptions::new(location, cut.window)
    };
    crispy_source::open(&options, now_us()).map_err(|error| Failed::new(exit_of(&error), error))
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

/// The exit code of a source that cannot be used, for operators' scripts.
fn exit_of(error: &OpenError) -> Exit {
    match error {
        OpenError::UnsupportedScheme { .. } => Exit::Configuration,
        OpenError::IrregularFile { .. } | OpenError::Fingerprint { .. } => Exit::SourceUnreadable,
        OpenError::Fetch { source, .. } => match source {
            FetchError::Url { .. }
            | FetchError::Scheme { .. }
            | FetchError::Endless
            | FetchError::Playlist(_) => Exit::Configuration,
            error if error.is_not_found() => Exit::SourceNotFound,
            _ => Exit::SourceUnreadable,
        },
        OpenError::Media(source) | OpenError::IndexOutOfReach { source } => match source {
            MediaError::NotFound { .. } => Exit::SourceNotFound,
            MediaError::Empty { .. } => Exit::SourceEmpty,
            MediaError::NotVideo { .. } => Exit::SourceNotVideo,
            MediaError::Truncated { .. } => Exit::SourceCutShort,
            MediaError::NoVideo { .. } => Exit::SourceWithoutVideo,
            MediaError::UnsupportedCodec { .. } => Exit::CodecUnsupported,
            MediaError::WrongContainer { .. } => Exit::ContainerUnfit,
            _ => Exit::SourceUnreadable,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_of_a_server_have_their_exit_codes() {
        let place = || "http://cam/a.mp4".to_owned();
        let broken = FetchError::Broken {
            place: place(),
            at: 7,
            source: None,
        };
        for (source, exit) in [
            (FetchError::Endless, Exit::Configuration),
            (FetchError::Playlist("live".to_owned()), Exit::Configuration),
            (
                FetchError::Scheme {
                    scheme: "ftp".to_owned(),
                },
                Exit::Configuration,
            ),
            (broken, Exit::SourceUnreadable),
            (
                FetchError::Changed { place: place() },
                Exit::SourceUnreadable,
            ),
            (FetchError::Stopped, Exit::SourceUnreadable),
        ] {
            let location = place();
            let error = OpenError::Fetch { location, source };
            assert_eq!(exit_of(&error), exit, "{error:?}");
        }
    }
}
