//! Errors of opening, reading and probing, by the caller's reaction to them.
//!
//! Locations in these messages are redacted: no user name, password or query string is shown.

use std::io;

use crate::ffi::LibavError;
use crate::video::Container;

/// A source could not be opened. Every message names the fault, the location and the next step.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Neither a path nor a URL.
    #[error(
        "`{location}` is neither a path nor a URL: name a video file, or a URL such as rtsp://camera/stream"
    )]
    InvalidLocation {
        /// The given text, made printable.
        location: String,
    },
    /// Nothing exists at the location.
    #[error("no video at {location}: check the path or URL")]
    NotFound {
        /// The path or URL, redacted.
        location: String,
        /// The answer of the system or server.
        #[source]
        source: io::Error,
    },
    /// A file of zero bytes.
    #[error("{location} is empty: it may still be in copying; try again when it is complete")]
    Empty {
        /// The path, redacted.
        location: String,
    },
    /// The system or the server refuses access.
    #[error(
        "no permission to read {location}: check the file's mode, or the user and password of the URL"
    )]
    PermissionDenied {
        /// The path or URL, redacted.
        location: String,
        /// The answer of the system or server.
        #[source]
        source: io::Error,
    },
    /// The bytes are in no known video format.
    #[error("{location} is not a video: no known format was recognized; try `ffprobe` on it")]
    NotVideo {
        /// The path or URL, redacted.
        location: String,
        /// libav's answer.
        #[source]
        source: LibavError,
    },
    /// The end of the file is missing, or the index that comes with it.
    #[error(
        "{location} is cut short: it has {actual} bytes and needs at least {expected}; copy it again, or repair it with \
         `ffmpeg -i IN -c copy OUT`"
    )]
    Truncated {
        /// The path, redacted.
        location: String,
        /// The fewest bytes that the whole file can have.
        expected: u64,
        /// The bytes that exist.
        actual: u64,
    },
    /// A known format without moving pictures.
    #[error(
        "{location} has no video in it, only audio or other data: choose another file or stream"
    )]
    NoVideo {
        /// The path or URL, redacted.
        location: String,
    },
    /// A codec that no container here can hold.
    #[error(
        "{location} is {codec} video, which is not supported: convert it, for example with `ffmpeg -i IN -c:v libx264 OUT`"
    )]
    UnsupportedCodec {
        /// The path or URL, redacted.
        location: String,
        /// libav's name of the codec.
        codec: String,
    },
    /// Video or audio that only another container can hold.
    #[error(
        "{location} is {codec}, which {container} cannot hold: choose mkv, or leave the container unset"
    )]
    WrongContainer {
        /// The path or URL, redacted.
        location: String,
        /// libav's name of the codec, followed by `video` or `audio`.
        codec: String,
        /// The requested container.
        container: Container,
    },
    /// The source did not answer in time.
    #[error(
        "{location} did not answer within {seconds} s: check that the camera is on and reachable"
    )]
    Timeout {
        /// The URL, redacted.
        location: String,
        /// The timeout.
        seconds: u64,
    },
    /// The stop flag was set.
    #[error("open {location}: stopped")]
    Cancelled {
        /// The path or URL, redacted.
        location: String,
    },
    /// Any other failure of the system or the network.
    #[error("open {location}: read failed; try again, then check the disk or the network")]
    Io {
        /// The path or URL, redacted.
        location: String,
        /// The answer of the system, the server or libav.
        #[source]
        source: io::Error,
    },
}

/// An open source gave no further chunk.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The source was silent for too long. Its earlier chunks were returned.
    #[error("{location} sent nothing for {seconds} s")]
    Timeout {
        /// The URL, redacted.
        location: String,
        /// The timeout.
        seconds: u64,
    },
    /// The stop flag was set.
    #[error("read {location}: stopped")]
    Cancelled {
        /// The path or URL, redacted.
        location: String,
    },
    /// The source ended without a single chunk.
    #[error(
        "{location} ended after {packets} packets without a key frame, so nothing can be decoded"
    )]
    NoKeyFrame {
        /// The path or URL, redacted.
        location: String,
        /// Video packets that were read.
        packets: u64,
    },
    /// The muxer rejected the packets.
    #[error("write chunk of {location} at tick {start_ticks}")]
    Mux {
        /// The path or URL, redacted.
        location: String,
        /// Start of the chunk in the source's ticks.
        start_ticks: i64,
        /// The muxer's answer.
        #[source]
        source: LibavError,
    },
    /// Any other failure of the system, the network or libav.
    #[error("read {location}")]
    Io {
        /// The path or URL, redacted.
        location: String,
        /// The answer.
        #[source]
        source: io::Error,
    },
}

/// Bytes could not be probed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// The container announces more bytes than exist.
    #[error("the file is cut short: it has {actual} bytes and needs at least {expected}")]
    Truncated {
        /// The fewest bytes that the whole file can have.
        expected: u64,
        /// The bytes that exist.
        actual: u64,
    },
    /// The bytes are in no known video format.
    #[error("not a video")]
    NotVideo {
        /// libav's answer.
        #[source]
        source: LibavError,
    },
    /// A known format without moving pictures.
    #[error("no video stream")]
    NoVideo,
    /// Reading failed.
    #[error("read file to probe")]
    Io {
        /// The reader's error.
        #[source]
        source: io::Error,
    },
}

impl OpenError {
    /// The error of opening a source whose first packet could not be read.
    pub(crate) fn after_open(failure: ReadError) -> OpenError {
        match failure {
            ReadError::Timeout { location, seconds } => OpenError::Timeout { location, seconds },
            ReadError::Cancelled { location } => OpenError::Cancelled { location },
            ReadError::Io { location, source } => OpenError::Io { location, source },
            ReadError::NoKeyFrame { location, .. } => OpenError::NoVideo { location },
            ReadError::Mux {
                location, source, ..
            } => OpenError::Io {
                location,
                source: source.into(),
            },
        }
    }
}
