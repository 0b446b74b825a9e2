//! Files on a server, read by position.
//!
//! ```text
//!   URL ─► HttpClient ─► Body: checked headers ─► HttpFile: Read + Seek ─► crispy_media::Input
//! ```
//!
//! * Bytes of two different states of a file are never mixed: validators (`ETag`, `Last-Modified`)
//!   and length must stay the same.
//! * Transient failures (no connection, a broken connection, 5xx, 429) are retried a few times;
//!   others, and transient ones that stay, end the recording with an error.
//! * Only `http://` and `https://` are spoken, after redirects and in playlists too.

mod body;
mod client;
mod file;
mod stall;
pub(crate) mod url;

use crispy_media::Input;

pub(crate) use {client::HttpClient, file::HttpFile};

use crate::{
    FetchError, RemoteInput,
    fingerprint::{Fingerprint, hash_file},
};

/// The bytes of a file that is not a playlist.
pub(crate) fn open(mut file: HttpFile) -> Result<RemoteInput, FetchError> {
    let Some(length) = file.length() else {
        return Err(FetchError::Endless);
    };
    file.read_tail()?;
    // Without ranges its end is out of reach, and the server's name for its state has to do.
    let end = if file.takes_ranges() {
        file.tail()
    } else {
        file.validator().as_bytes()
    };
    let fingerprint = Fingerprint {
        hash: hash_file(length, file.head(), end),
        started_us: None,
        modified_us: file.modified_us(),
    };
    let index_may_be_late = !file.takes_ranges() && is_mp4(file.head());
    let input = if file.takes_ranges() {
        Input::seekable(file, length)
    } else {
        Input::sequential(file)
    };
    Ok(RemoteInput {
        input: input.map_err(|source| FetchError::Memory { source })?,
        fingerprint,
        index_may_be_late,
    })
}

/// True if these are the first bytes of an mp4 or mov: the name of a box that may come first.
fn is_mp4(head: &[u8]) -> bool {
    let name = head.get(4..8).unwrap_or_default();
    [b"ftyp", b"mdat", b"wide", b"free", b"skip"].contains(&name.try_into().unwrap_or(b"    "))
}
