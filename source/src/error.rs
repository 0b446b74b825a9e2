//! Failures to open a source, and failures to fetch it from a server.

use std::io::{self, ErrorKind};

use crispy_media::{LibavError, OpenError as MediaError};
use reqwest::StatusCode;

/// A source that could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A camera or another stream.
    #[error(
        "{location}: this version records video files and playlists, by path or by http:// and \
         https://; sources by {scheme}:// come with a later one"
    )]
    UnsupportedScheme {
        /// The source, without secrets.
        location: String,
        /// The part before `://`.
        scheme: String,
    },
    /// A file without a size that is read only once: it can be neither identified nor continued.
    #[error("{location} is not a regular file")]
    IrregularFile {
        /// The source, without secrets.
        location: String,
    },
    /// Its ends could not be read.
    #[error("read both ends of {location}")]
    Fingerprint {
        /// The source, without secrets.
        location: String,
        /// The cause.
        source: io::Error,
    },
    /// The server did not give it.
    #[error("fetch {location}")]
    Fetch {
        /// The source, without secrets.
        location: String,
        /// The cause.
        source: FetchError,
    },
    /// It may have its index at its end, where the server lets it be read only after the rest.
    #[error(
        "the server takes no Range requests, so an index at the end of the file cannot be reached: \
         download it and record it from disk"
    )]
    IndexOutOfReach {
        /// The cause.
        source: MediaError,
    },
    /// Its bytes cannot be used.
    #[error(transparent)]
    Media(#[from] MediaError),
}

/// Bytes that could not be fetched. Places in these messages have no user, password or query.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Not a URL.
    #[error(
        "this is no URL: write it as http://host/path, with special characters of user and \
         password as %XX"
    )]
    Url {
        /// The parser's message.
        source: url::ParseError,
    },
    /// A playlist or redirect to an unsupported scheme.
    #[error("it leads to {scheme}://, and only http:// and https:// are followed")]
    Scheme {
        /// The scheme.
        scheme: String,
    },
    /// The server answers, without the bytes.
    #[error("{place} answers {status}{}", advice(*.status))]
    Status {
        /// The requested place.
        place: String,
        /// The answer.
        status: StatusCode,
    },
    /// No server, or none that speaks HTTP.
    #[error("connect to {place}")]
    Connect {
        /// The requested place.
        place: String,
        /// The cause.
        source: io::Error,
    },
    /// Redirects that end nowhere.
    #[error(
        "{place} redirects in a circle, or to what is no http:// or https:// URL: check the URL"
    )]
    Redirects {
        /// The requested place.
        place: String,
        /// The cause.
        source: io::Error,
    },
    /// Bytes from another position in the file.
    #[error(
        "{place} returned other bytes than requested (from {at} on): its Range requests cannot be \
         relied on; download the file and record it from disk"
    )]
    OtherRange {
        /// The requested place.
        place: String,
        /// The requested position.
        at: u64,
    },
    /// Compressed bytes.
    #[error(
        "{place} is compressed ({encoding}) although the request forbids it: switch off the \
         server's Content-Encoding for video and playlists"
    )]
    Encoded {
        /// The requested place.
        place: String,
        /// The encoding.
        encoding: String,
    },
    /// An end that may be a broken connection.
    #[error(
        "{place} has no Content-Length and is not chunked, so its end looks like a broken \
         connection: make the server send its length"
    )]
    UnknownEnd {
        /// The requested place.
        place: String,
    },
    /// Fewer bytes than promised.
    #[error("{place}: the connection ended after {at} bytes")]
    Broken {
        /// The requested place.
        place: String,
        /// The bytes that came.
        at: u64,
        /// The cause, unless it just ended early.
        source: Option<io::Error>,
    },
    /// A broken connection that cannot be resumed.
    #[error(
        "{place}: the connection ended after {at} bytes, and the server cannot continue there: it \
         takes no Range requests; download the file and record it from disk"
    )]
    NoRange {
        /// The requested place.
        place: String,
        /// The bytes that came.
        at: u64,
    },
    /// More than fits into memory.
    #[error("{place} is longer than {limit} bytes; segments and playlists may not be longer")]
    TooLong {
        /// The requested place.
        place: String,
        /// The limit.
        limit: u64,
    },
    /// Another state of the file than before.
    #[error("{place} has changed while it was read: record it again once it is complete")]
    Changed {
        /// The requested place.
        place: String,
    },
    /// No byte in time.
    #[error("{place} sent nothing for {seconds} s")]
    Silent {
        /// The requested place.
        place: String,
        /// The time waited.
        seconds: u64,
    },
    /// So few bytes that it would never end.
    #[error("{place} sends less than 4 KiB a minute: check server and network")]
    Slow {
        /// The requested place.
        place: String,
    },
    /// The stop flag was set.
    #[error("stopped")]
    Stopped,
    /// A source without an end.
    #[error(
        "the server does not say how long this is, so it may be a live stream: this version \
         records what has an end (a file, or a playlist with #EXT-X-ENDLIST)"
    )]
    Endless,
    /// A playlist that cannot be recorded.
    #[error("playlist: {0}")]
    Playlist(String),
    /// The HTTP client could not be made.
    #[error("prepare the HTTP client")]
    Client {
        /// The cause.
        source: io::Error,
    },
    /// Out of memory.
    #[error("prepare the reader")]
    Memory {
        /// The cause.
        source: LibavError,
    },
}

fn advice(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 | 403 => {
            ": check user and password in the URL (http://user:password@host/path), or its signature"
        }
        404 | 410 => ": check the URL",
        300..=399 => ": it redirects to what is no http:// or https:// URL",
        _ => "",
    }
}

impl FetchError {
    /// True if the same request may succeed in a moment.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Broken { .. } | Self::Silent { .. } => true,
            Self::Status { status, .. } => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            _ => false,
        }
    }

    /// True if the server says that there is no such file.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Status { status, .. } if matches!(status.as_u16(), 404 | 410))
    }

    /// The same error on its way through a reader.
    pub(crate) fn into_io(self) -> io::Error {
        let kind = match &self {
            Self::Status { status, .. } => match status.as_u16() {
                401 | 403 => ErrorKind::PermissionDenied,
                404 | 410 => ErrorKind::NotFound,
                _ => ErrorKind::Other,
            },
            Self::Silent { .. } => ErrorKind::TimedOut,
            _ => ErrorKind::Other,
        };
        io::Error::new(kind, self)
    }

    /// The error that [`Self::into_io`] has wrapped.
    pub(crate) fn from_io(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(own) => own,
            Err(source) => Self::Client { source },
        }
    }
}
