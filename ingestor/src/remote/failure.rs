//! What can go wrong between here and a server.

use std::io::{self, ErrorKind};

use crispy_media::LibavError;
use crispy_runtime::Exit;
use reqwest::StatusCode;

/// Why bytes could not be fetched. Places in these messages have no user, password or query.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Not a URL.
    #[error(
        "this is no URL: write it as http://host/path, with special characters of user and password as %XX"
    )]
    Url {
        /// What the parser said.
        source: url::ParseError,
    },
    /// A playlist or redirect that leads elsewhere.
    #[error("it leads to {scheme}://, and only http:// and https:// are followed")]
    Scheme {
        /// Where it leads.
        scheme: String,
    },
    /// The server answers, with something other than the bytes.
    #[error("{place} answers {status}{}", advice(*.status))]
    Status {
        /// What was asked for.
        place: String,
        /// What was answered.
        status: StatusCode,
    },
    /// No server, or none that can be spoken to.
    #[error("connect to {place}")]
    Connect {
        /// What was asked for.
        place: String,
        /// What happened.
        source: io::Error,
    },
    /// Redirects that end nowhere.
    #[error(
        "{place} redirects in a circle, or to what is no http:// or https:// URL: check the URL"
    )]
    Redirects {
        /// What was asked for.
        place: String,
        /// What happened.
        source: io::Error,
    },
    /// Bytes from elsewhere in the file.
    #[error(
        "{place} was asked for its bytes from {at} on and gives others: its Range requests cannot be relied on; download the file and record it from disk"
    )]
    OtherRange {
        /// What was asked for.
        place: String,
        /// From where on.
        at: u64,
    },
    /// Bytes that are not the file's own.
    #[error(
        "{place} comes compressed ({encoding}), which it was asked not to: switch off the server's Content-Encoding for video and playlists"
    )]
    Encoded {
        /// What was asked for.
        place: String,
        /// How it is compressed.
        encoding: String,
    },
    /// An end that may be a connection that broke.
    #[error(
        "{place} comes without its length (no Content-Length, not chunked), so nobody can tell whether all of it came: let the server say it"
    )]
    Uncertain {
        /// What was asked for.
        place: String,
    },
    /// Fewer bytes than were promised.
    #[error("{place} broke off after {at} bytes")]
    Broken {
        /// What was asked for.
        place: String,
        /// How far it came.
        at: u64,
        /// What happened, if anything did but an early end.
        source: Option<io::Error>,
    },
    /// It broke, and cannot be gone on with.
    #[error(
        "{place} broke off after {at} bytes, and the server cannot go on from there: it takes no Range requests; download the file and record it from disk"
    )]
    NoRange {
        /// What was asked for.
        place: String,
        /// How far it came.
        at: u64,
    },
    /// More than fits.
    #[error("{place} is longer than {most} bytes: no segment or playlist is")]
    TooLong {
        /// What was asked for.
        place: String,
        /// How long it may be.
        most: u64,
    },
    /// Not what it was.
    #[error("{place} has changed while it was read: record it again when nobody writes to it")]
    Changed {
        /// What was asked for.
        place: String,
    },
    /// Nothing came in time.
    #[error("{place} sent nothing for {seconds} s")]
    Silent {
        /// What was asked for.
        place: String,
        /// How long was waited.
        seconds: u64,
    },
    /// So little came that it would never end.
    #[error("{place} sends less than 4 KiB a minute: check server and network")]
    Slow {
        /// What was asked for.
        place: String,
    },
    /// The stop flag was set.
    #[error("stopped")]
    Stopped,
    /// Nothing that ends.
    #[error(
        "the server does not say how long this is, so it may be a live stream: this version records what has an end (a file, or a playlist with #EXT-X-ENDLIST)"
    )]
    Endless,
    /// A playlist that cannot be recorded.
    #[error("playlist: {0}")]
    Playlist(String),
    /// The client could not be made.
    #[error("prepare to speak HTTP")]
    Client {
        /// Why.
        source: io::Error,
    },
    /// Out of memory.
    #[error("prepare to read it")]
    Memory {
        /// Why.
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
    /// Whether the same question may be answered better in a moment.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Broken { .. } | Self::Silent { .. } => true,
            Self::Status { status, .. } => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            _ => false,
        }
    }

    /// What an operator's script is told.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Url { .. } | Self::Scheme { .. } | Self::Endless => Exit::Configuration,
            Self::Playlist(_) => Exit::Configuration,
            Self::Status { status, .. } if matches!(status.as_u16(), 404 | 410) => {
                Exit::SourceNotFound
            }
            _ => Exit::SourceUnreadable,
        }
    }

    /// As it goes through a reader.
    pub(super) fn into_io(self) -> io::Error {
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

    /// As it comes back out of one.
    pub(super) fn from_io(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(own) => own,
            Err(source) => Self::Client { source },
        }
    }
}
