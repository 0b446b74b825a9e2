//! Connects to a source: checks that a file is complete, or that a server answers.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use crate::error::OpenError;
use crate::ffi::{Demuxer, LibavError, Watch};
use crate::input::Input;
use crate::location::Location;
use crate::options::OpenOptions;
use crate::truncation;

/// Opens a path or URL and reads its header.
pub(super) fn connect(location: &Location, options: &OpenOptions) -> Result<Demuxer, OpenError> {
    let watch = Watch::new(options.stop.clone());
    match location.file() {
        Some(path) => check_file(path, location)?,
        None => watch.allow(options.timeout),
    }
    let begun = std::time::Instant::now();
    let opened = Demuxer::open(&location.for_libav(), &libav_options(location), watch);
    opened.map_err(|failure| {
        // The watch is gone with the context; the clock gives the same answer.
        let expired = location.file().is_none() && begun.elapsed() >= options.timeout;
        refusal(failure, location, options, expired)
    })
}

/// Checks a file, independent of its format.
fn check_file(path: &Path, location: &Location) -> Result<(), OpenError> {
    let failed = |source: io::Error| open_error(location, source);
    let file = File::open(path).map_err(failed)?;
    let facts = file.metadata().map_err(failed)?;
    if facts.is_dir() {
        return Err(failed(io::Error::from(ErrorKind::IsADirectory)));
    }
    // A pipe or device has no size and can be read only once.
    if !facts.is_file() {
        return Ok(());
    }
    if facts.len() == 0 {
        return Err(OpenError::Empty {
            location: location.to_string(),
        });
    }
    check_truncation(
        BufReader::with_capacity(64, file),
        facts.len(),
        location,
        failed,
    )
}

/// Refuses bytes whose end is missing.
fn check_truncation<R: Read + Seek>(
    mut reader: R,
    length: u64,
    location: &Location,
    failed: impl FnOnce(io::Error) -> OpenError,
) -> Result<(), OpenError> {
    match truncation::missing(&mut reader, length).map_err(failed)? {
        Some(expected) => Err(OpenError::Truncated {
            location: location.to_string(),
            expected,
            actual: length,
        }),
        None => Ok(()),
    }
}

/// Opens bytes that the caller fetches, and reads their header.
pub(super) fn connect_input(
    mut input: Input,
    location: &Location,
    options: &OpenOptions,
) -> Result<Demuxer, OpenError> {
    let failed = |source: io::Error| fetch_error(location, options, source);
    match input.length() {
        Some(0) => {
            return Err(OpenError::Empty {
                location: location.to_string(),
            });
        }
        Some(length) => {
            if let Some(mut reader) = input.reader().peek() {
                check_truncation(&mut reader, length, location, failed)?;
                reader.seek(SeekFrom::Start(0)).map_err(failed)?;
            }
        }
        None => {}
    }
    let failure = input.reader().failure();
    let opened = Demuxer::open_reader(input.into_reader(), Watch::new(options.stop.clone()));
    opened.map_err(|number| match failure.take() {
        Some(source) => failed(source),
        None => refusal(number, location, options, false),
    })
}

/// The error for a source whose bytes could not be fetched.
pub(super) fn fetch_error(
    location: &Location,
    options: &OpenOptions,
    source: io::Error,
) -> OpenError {
    if options.stop.is_stopped() {
        return OpenError::Cancelled {
            location: location.to_string(),
        };
    }
    match source.kind() {
        ErrorKind::TimedOut => OpenError::Timeout {
            location: location.to_string(),
            seconds: options.timeout.as_secs(),
        },
        _ => open_error(location, source),
    }
}

/// libav's options for each kind of source.
fn libav_options(location: &Location) -> Vec<(&'static str, String)> {
    match location.scheme() {
        // Over UDP, one lost datagram damages every picture up to the next key frame.
        Some("rtsp" | "rtsps") => {
            vec![
                ("rtsp_transport", "tcp".to_owned()),
                ("allowed_media_types", "video".to_owned()),
            ]
        }
        _ => Vec::new(),
    }
}

/// The error for libav's answer. Stop and timeout are checked first, since libav's answer to them
/// varies.
pub(super) fn refusal(
    failure: LibavError,
    location: &Location,
    options: &OpenOptions,
    expired: bool,
) -> OpenError {
    let location = location.to_string();
    if options.stop.is_stopped() {
        OpenError::Cancelled { location }
    } else if expired || failure.is_timeout() {
        OpenError::Timeout {
            location,
            seconds: options.timeout.as_secs(),
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
