//! Reaching a source: the file is there and whole, or the server answers.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind};
use std::path::Path;

use crate::error::OpenError;
use crate::ffi::{Demuxer, LibavError, Watch};
use crate::location::Location;
use crate::spec::Spec;
use crate::wholeness;

/// Opens a path or URL and reads its header.
pub(super) fn connect(location: &Location, spec: &Spec) -> Result<Demuxer, OpenError> {
    let watch = Watch::new(spec.stop.clone());
    match location.file() {
        Some(path) => check_file(path, location)?,
        None => watch.allow(spec.patience),
    }
    let begun = std::time::Instant::now();
    let opened = Demuxer::open(&location.for_libav(), &options(location), watch);
    opened.map_err(|failure| {
        // the watch is gone with the context; the clock says the same
        let expired = location.file().is_none() && begun.elapsed() >= spec.patience;
        refusal(failure, location, spec, expired)
    })
}

/// What can be said about a file without knowing its format.
fn check_file(path: &Path, location: &Location) -> Result<(), OpenError> {
    let failed = |source: io::Error| open_error(location, source);
    let file = File::open(path).map_err(failed)?;
    let facts = file.metadata().map_err(failed)?;
    if facts.is_dir() {
        return Err(failed(io::Error::from(ErrorKind::IsADirectory)));
    }
    // a pipe or device has no size and cannot be looked at twice
    if !facts.is_file() {
        return Ok(());
    }
    if facts.len() == 0 {
        return Err(OpenError::Empty {
            location: location.to_string(),
        });
    }
    let mut reader = BufReader::with_capacity(64, file);
    match wholeness::missing(&mut reader, facts.len()).map_err(failed)? {
        Some(expected) => Err(OpenError::Truncated {
            location: location.to_string(),
            expected,
            actual: facts.len(),
        }),
        None => Ok(()),
    }
}

/// What libav is told for each kind of source.
fn options(location: &Location) -> Vec<(&'static str, String)> {
    match location.scheme() {
        // over UDP, one lost datagram damages every picture up to the next key frame
        Some("rtsp" | "rtsps") => {
            vec![
                ("rtsp_transport", "tcp".to_owned()),
                ("allowed_media_types", "video".to_owned()),
            ]
        }
        _ => Vec::new(),
    }
}

/// Why a source was refused, by what libav answered and what is known besides: libav's answer to a stop or to silence may be
/// anything.
pub(super) fn refusal(
    failure: LibavError,
    location: &Location,
    spec: &Spec,
    expired: bool,
) -> OpenError {
    let location = location.to_string();
    if spec.stop.is_stopped() {
        OpenError::Cancelled { location }
    } else if expired || failure.is_timeout() {
        OpenError::Timeout {
            location,
            seconds: spec.patience.as_secs(),
        }
    } else if failure.is_not_found() {
        OpenError::NotFound {
            location,
            source: failure.into(),
        }
    } else if failure.is_denied() {
        OpenError::PermissionDenied {
            location,
            source: failure.into(),
        }
    } else if failure.is_invalid_data() {
        OpenError::NotVideo {
            location,
            source: failure,
        }
    } else {
        OpenError::Io {
            location,
            source: failure.into(),
        }
    }
}

fn open_error(location: &Location, source: io::Error) -> OpenError {
    let location = location.to_string();
    match source.kind() {
        ErrorKind::NotFound => OpenError::NotFound { location, source },
        ErrorKind::PermissionDenied => OpenError::PermissionDenied { location, source },
        _ => OpenError::Io { location, source },
    }
}
