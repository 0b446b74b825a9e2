//! Playlists (HLS, RFC 8216) that have an end.
//!
//! ```text
//!   playlist ─► variant (of a master playlist) ─► Plan: its segments, pure ─► Segments: Read
//! ```

mod playlist;
mod segments;

use std::io::Read;

use crispy_media::Input;

pub(crate) use playlist::is_playlist;

use crate::{
    FetchError, RemoteInput,
    fingerprint::Fingerprint,
    http::{HttpClient, HttpFile, url::redacted},
};
use playlist::{Plan, PlaylistText};
use segments::Segments;

/// Bytes of a playlist at most: a day in segments of 2 s has 3 MB.
const PLAYLIST_LIMIT: u64 = 16 << 20;

/// Follows a master playlist to its best variant, and begins with the first segment.
pub(crate) fn open(client: HttpClient, file: HttpFile) -> Result<RemoteInput, FetchError> {
    let mut text = read(file)?;
    if let Some(variant) = playlist::best_variant(&text)? {
        text = read(HttpFile::open(client.clone(), variant)?)?;
    }
    let plan = Plan::parse(&text)?;
    let (started_us, duration) = (plan.started_us, plan.duration);
    let (segments, hash) = Segments::open(client, plan)?;
    let input = Input::sequential(segments).map_err(|source| FetchError::Memory { source })?;
    Ok(RemoteInput {
        input: input.with_duration(duration),
        fingerprint: Fingerprint {
            hash,
            started_us,
            modified_us: text.modified_us,
        },
        index_may_be_late: false,
    })
}

fn read(mut file: HttpFile) -> Result<PlaylistText, FetchError> {
    let mut text = Vec::new();
    let mut limited = file.by_ref().take(PLAYLIST_LIMIT + 1);
    limited
        .read_to_end(&mut text)
        .map_err(FetchError::from_io)?;
    // A shortened playlist would lose segments silently: its end may be declared at its beginning.
    if text.len() as u64 > PLAYLIST_LIMIT {
        return Err(FetchError::TooLong {
            place: redacted(file.url()),
            limit: PLAYLIST_LIMIT,
        });
    }
    Ok(PlaylistText {
        url: file.url().clone(),
        modified_us: file.modified_us(),
        text,
    })
}
