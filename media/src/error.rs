//! What can go wrong, by what a caller would do about it.
//!
//! Locations in these messages are redacted: no user name, password or query string is shown.

use std::io;

use crate::ffi::LibavError;
use crate::video::Container;

/// Why a source could not be opened. Every message says what, where, and what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Neither a path nor a URL.
    #[error(
        "`{location}` is neither a path nor a URL: name a video file, or a URL such as rtsp://camera/stream"
    )]
    InvalidLocation {
        /// What was given, made printable.
        location: String,
    },
    /// There is nothing there.
    #[error("no video at {location}: check the path or URL")]
    NotFound {
        /// The path or URL, redacted.
        location: String,
        /// What the system or server said.
        #[source]
        source: io::Error,
    },
    /// A file of zero bytes.
    #[error("{location} is empty: was it still being copied?")]
    Empty {
        /// The path, redacted.
        location: String,
    },
    /// The system or the server refuses.
    #[error(
        "no permission to read {location}: check the file's mode, or the user and password of the URL"
    )]
    PermissionDenied {
        /// The path or URL, redacted.
        location: String,
        /// What the system or server said.
        #[source]
        source: io::Error,
    },
    /// The bytes are no video that is known.
    #[error(
        "{location} is not a video: nothing in it looks like a known format; try `ffprobe` on it"
    )]
    NotVideo {
        /// The path or URL, redacted.
        location: String,
        /// What libav said.
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
        /// The bytes that it has.
        actual: u64,
    },
    /// A format that is known, without moving pictures.
    #[error(
        "{location} has no video in it, only audio or other data: choose another file or stream"
    )]
    NoVideo {
        /// The path or URL, redacted.
        location: String,
    },
    /// Video that cannot be carried.
    #[error(
        "{location} is {codec} video, which cannot be carried: convert it, for example with `ffmpeg -i IN -c:v libx264 OUT`"
    )]
    UnsupportedCodec {
        /// The path or URL, redacted.
        location: String,
        /// libav's name of the codec.
        codec: String,
    },
    /// Video or audio that another container would hold.
    #[error(
        "{location} is {codec}, which {container} does not hold: leave the choice of container to us, or choose mkv"
    )]
    WrongContainer {
        /// The path or URL, redacted.
        location: String,
        /// libav's name of the codec, and whether it is video or audio.
        codec: String,
        /// What was asked for.
        container: Container,
    },
    /// Nothing came in time.
    #[error(
        "{location} did not answer within {seconds} s: check that the camera is on and reachable"
    )]
    Timeout {
        /// The URL, redacted.
        location: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The stop flag was set.
    #[error("open {location}: stopped before it was open")]
    Cancelled {
        /// The path or URL, redacted.
        location: String,
    },
    /// Anything else that the system or the network answered.
    #[error(
        "open {location}: reading failed; try again, and if it stays, check the disk or the network"
    )]
    Io {
        /// The path or URL, redacted.
        location: String,
        /// What the system, the server or libav said.
        #[source]
        source: io::Error,
    },
}

/// Why a source that was open gave no further chunk.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Nothing came in time. What came before has been handed out.
    #[error("{location} sent nothing for {seconds} s")]
    Timeout {
        /// The URL, redacted.
        location: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The stop flag was set.
    #[error("read {location}: stopped")]
    Cancelled {
        /// The path or URL, redacted.
        location: String,
    },
    /// The source is over, and no chunk could be made of it.
    #[error(
        "{location} ended after {packets} packets without a key frame: nothing of it can be decoded"
    )]
    NoKeyFrame {
        /// The path or URL, redacted.
        location: String,
        /// Video packets that were read.
        packets: u64,
    },
    /// The container would not take the packets.
    #[error("write a chunk of {location}, beginning at tick {start_ticks}")]
    Mux {
        /// The path or URL, redacted.
        location: String,
        /// Where in the source's time the chunk begins.
        start_ticks: i64,
        /// What the muxer said.
        #[source]
        source: LibavError,
    },
    /// Anything else that the system, the network or libav answered.
    #[error("read {location}")]
    Io {
        /// The path or URL, redacted.
        location: String,
        /// What was said.
        #[source]
        source: io::Error,
    },
}

/// Why bytes could not be probed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// The boxes say that there should be more bytes than there are.
    #[error("the file is cut short: it has {actual} bytes and needs at least {expected}")]
    Truncated {
        /// The fewest bytes that the whole file can have.
        expected: u64,
        /// The bytes that it has.
        actual: u64,
    },
    /// The bytes are no video that is known.
    #[error("not a video")]
    NotVideo {
        /// What libav said.
        #[source]
        source: LibavError,
    },
    /// A format that is known, without moving pictures.
    #[error("no video in it")]
    NoVideo,
    /// Reading failed.
    #[error("read the file to probe it")]
    Io {
        /// What the reader said.
        #[source]
        source: io::Error,
    },
}

impl OpenError {
    /// The first packet could not be read.
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
