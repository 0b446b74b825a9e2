//! Video that is fetched over HTTP: a file, or a playlist (HLS) that has an end.
//!
//! ```text
//!   URL ─► Fetcher ─► file ──────► RemoteFile: any order, by Range; goes on where a connection broke ─┐
//!          (http,     playlist ──► Plan: which parts ─► Parts: one after another, none passed over ───┴─► crispy_media::Input
//!           https)                 (pure)
//! ```
//!
//! FFmpeg could fetch all this itself. It is not let, for what it does there cannot be promised: it passes over a segment that is
//! missing without a word, opens whatever a playlist names, and takes a connection that broke for the end of the file. Here
//! every byte comes or the recording fails, and what is fetched is known well enough to be known again: see [`Mark`].
//!
//! * What was read before is never read again in another state: validators (`ETag`, `Last-Modified`) and length must stay what
//!   they were.
//! * A failure that may pass (no connection, a connection that broke, 5xx, 429) is tried again a few times; one that will not,
//!   or does not, is told.
//! * Only `http://` and `https://` are spoken, by redirects and playlists too. Messages never show users, passwords or queries.

mod body;
mod failure;
mod fetcher;
mod file;
mod pace;
mod parts;
mod playlist;

use std::{io::Read, time::Duration};

use crispy_media::{Input, StopFlag};
pub use failure::FetchError;
use fetcher::Fetcher;
use file::RemoteFile;
use parts::Parts;
use playlist::{Answer, Plan};
use url::Url;

use crate::run_identity::Mark;

/// Bytes of a playlist that are read at most: a day in segments of 2 s has 3 MB.
const PLAYLIST: u64 = 16 << 20;

/// A source that is open, and what it is known by.
#[derive(Debug)]
pub struct Remote {
    /// Its bytes.
    pub input: Input,
    /// What it is known by.
    pub mark: Mark,
    /// Whether it is an mp4 or mov on a server that gives it from its beginning only: then an index at its end is found too late.
    pub index_may_be_late: bool,
}

/// Whether a location is to be fetched from here.
pub fn is_remote(location: &str) -> bool {
    let scheme = location.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| ["http", "https"].contains(&scheme.to_ascii_lowercase().as_str()))
}

/// Opens a URL. Blocks, at most `patience` for each answer, and until the flag is set.
pub fn open(location: &str, patience: Duration, stop: &StopFlag) -> Result<Remote, FetchError> {
    let url = Url::parse(location).map_err(|source| FetchError::Url { source })?;
    let fetcher = Fetcher::new(patience, stop.clone())?;
    let mut file = RemoteFile::open(fetcher.clone(), url)?;
    if playlist::begins(file.head()) {
        let answer = read_playlist(file)?;
        return open_playlist(fetcher, answer);
    }
    let Some(length) = file.length() else {
        return Err(FetchError::Endless);
    };
    file.read_tail()?;
    // What its end would tell, the server's word for its state has to.
    let end = if file.takes_ranges() {
        file.tail()
    } else {
        file.validator().as_bytes()
    };
    let mark = Mark {
        hash: Mark::of_file(length, file.head(), end),
        started_us: None,
        modified_us: file.modified_us(),
    };
    let index_may_be_late = !file.takes_ranges() && is_mp4(file.head());
    let input = if file.takes_ranges() {
        Input::seekable(file, length)
    } else {
        Input::sequential(file)
    };
    Ok(Remote {
        input: input.map_err(|source| FetchError::Memory { source })?,
        mark,
        index_may_be_late,
    })
}

/// Whether these are the first bytes of an mp4 or mov: the name of a box that may come first.
fn is_mp4(head: &[u8]) -> bool {
    let name = head.get(4..8).unwrap_or_default();
    [b"ftyp", b"mdat", b"wide", b"free", b"skip"].contains(&name.try_into().unwrap_or(b"    "))
}

fn read_playlist(mut file: RemoteFile) -> Result<Answer, FetchError> {
    let mut text = Vec::new();
    let read = file.by_ref().take(PLAYLIST + 1).read_to_end(&mut text);
    read.map_err(FetchError::from_io)?;
    // What is left out would be lost without a word, for its end may be declared at its beginning.
    if text.len() as u64 > PLAYLIST {
        let place = fetcher::shown(file.url());
        let most = PLAYLIST;
        return Err(FetchError::TooLong { place, most });
    }
    Ok(Answer {
        url: file.url().clone(),
        modified_us: file.modified_us(),
        text,
    })
}

/// Follows a master playlist to its best variant, and begins with the first part.
fn open_playlist(fetcher: Fetcher, mut answer: Answer) -> Result<Remote, FetchError> {
    if let Some(variant) = playlist::variant(&answer)? {
        let file = RemoteFile::open(fetcher.clone(), variant)?;
        answer = read_playlist(file)?;
    }
    let plan = Plan::read(&answer)?;
    let (started_us, duration) = (plan.started_us, plan.duration);
    let (parts, hash) = Parts::begin(fetcher, plan)?;
    let mark = Mark {
        hash,
        started_us,
        modified_us: answer.modified_us,
    };
    let input = Input::sequential(parts).map_err(|source| FetchError::Memory { source })?;
    Ok(Remote {
        input: input.with_duration(duration),
        mark,
        index_may_be_late: false,
    })
}
