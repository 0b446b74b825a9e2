//! Sources: a file, a URL or a playlist, opened as chunks of video.
//!
//! ```text
//!   location ─┬─ path ────────► file ────────────────────────────────────────────┐
//!             └─ http(s) URL ─► http: any order by Range, resumes where it broke ┼─► OpenSource:
//!                               hls: segments one after another, none skipped ───┘   chunks and
//!                                                                                    identity
//! ```
//!
//! FFmpeg could fetch URLs itself. It does not get the chance, because its behaviour there cannot
//! be relied on: it skips a missing segment without an error, opens every address in a playlist,
//! and takes a broken connection for the end of the file. Here every byte comes or the recording
//! fails, and enough of it is read to recognize the same recording later ([`RunIdentity`]).
//!
//! * `file`: the paths and URLs that are accepted, and files on this machine
//! * `http`: files on a server
//! * `hls`: playlists on a server
//! * `fingerprint`, `identity`: the content of a source, and the runs that follow from it
//!
//! Calls block and can be ended from another thread by the stop flag of the options. Messages
//! never show users, passwords or queries.
#![warn(missing_docs)]

mod error;
mod file;
mod fingerprint;
mod hls;
mod http;
mod identity;

use crispy_media::{Chunks, Input, OpenError as MediaError, OpenOptions};
use url::Url;

pub use error::{FetchError, OpenError};
pub use identity::{RunIdentity, WallClock};

use fingerprint::Fingerprint;
use http::{HttpClient, HttpFile};

/// An open source.
#[derive(Debug)]
pub struct OpenSource {
    /// Its video, cut on demand.
    pub chunks: Chunks,
    /// Names its runs.
    pub identity: RunIdentity,
}

/// The bytes of a source on a server.
struct RemoteInput {
    input: Input,
    fingerprint: Fingerprint,
    /// An mp4 that is read from first to last: its index may come too late.
    index_may_be_late: bool,
}

/// True if a location is fetched over HTTP.
pub fn is_url(location: &str) -> bool {
    let scheme = location.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| ["http", "https"].contains(&scheme.to_ascii_lowercase().as_str()))
}

/// Opens a path or URL. Blocks; at a URL at most [`OpenOptions::timeout`] for each answer.
///
/// `now_us` (Unix microseconds) is the start of a source without any date.
///
/// # Errors
/// [`OpenError`]: nothing of the source has been used.
pub fn open(options: &OpenOptions, now_us: i64) -> Result<OpenSource, OpenError> {
    let (chunks, fingerprint) = if is_url(&options.location) {
        open_url(options)?
    } else {
        file::open(options)?
    };
    let muxer = crispy_media::muxer_version();
    let created_us = chunks.creation_time_us();
    let identity = RunIdentity::new(&fingerprint, created_us, options, &muxer, now_us);
    Ok(OpenSource { chunks, identity })
}

fn open_url(options: &OpenOptions) -> Result<(Chunks, Fingerprint), OpenError> {
    let remote = connect(options).map_err(|source| OpenError::Fetch {
        location: crispy_media::redact(&options.location),
        source,
    })?;
    let late = remote.index_may_be_late;
    let chunks = Chunks::open_input(options, remote.input).map_err(|error| match error {
        // The usual mp4 of a camera: its index is its end, and nothing can be read without it.
        error @ (MediaError::NotVideo { .. } | MediaError::Io { .. }) if late => {
            OpenError::IndexOutOfReach { source: error }
        }
        error => OpenError::Media(error),
    })?;
    Ok((chunks, remote.fingerprint))
}

fn connect(options: &OpenOptions) -> Result<RemoteInput, FetchError> {
    let url = Url::parse(&options.location).map_err(|source| FetchError::Url { source })?;
    let client = HttpClient::new(options.timeout, options.stop.clone())?;
    let file = HttpFile::open(client.clone(), url)?;
    if hls::is_playlist(file.head()) {
        return hls::open(client, file);
    }
    http::open(file)
}
