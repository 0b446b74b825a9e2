//! Parsing of playlists. Pure.

use std::{fmt::Write, ops::Range, time::Duration};

use m3u8_rs::{ByteRange, KeyMethod, MediaPlaylist, MediaSegment, Playlist};
use url::Url;

use crate::{FetchError, http::url::with_credentials};

/// A playlist as it came.
#[derive(Debug)]
pub(super) struct PlaylistText {
    /// Its address after redirects.
    pub url: Url,
    /// The last change, in Unix microseconds.
    pub modified_us: Option<i64>,
    pub text: Vec<u8>,
}

/// A URL, or a range of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub url: Url,
    /// `None` for all of it.
    pub range: Option<Range<u64>>,
}

/// The segments to fetch, in order: joined, they are one file.
#[derive(Debug)]
pub(super) struct Plan {
    pub segments: Vec<Segment>,
    /// The date of the first segment (`EXT-X-PROGRAM-DATE-TIME`), in Unix microseconds.
    pub started_us: Option<i64>,
    /// The sum of the segments' durations, as the playlist claims them.
    pub duration: Duration,
    /// The playlist without the parts that differ between two requests for one recording: hosts and
    /// queries (content networks give another host or signature each time), and the spelling of
    /// its dates.
    pub canonical: String,
}

/// True if these are the first bytes of a playlist. RFC 8216 requires exactly this; the content
/// types of servers are not reliable.
pub(crate) fn is_playlist(head: &[u8]) -> bool {
    without_byte_order_mark(head).starts_with(b"#EXTM3U")
}

/// Windows' editors put a byte order mark in front.
fn without_byte_order_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

/// The variant to record, if this is a master playlist: the first one of the highest bandwidth.
pub(super) fn best_variant(playlist: &PlaylistText) -> Result<Option<Url>, FetchError> {
    let Playlist::MasterPlaylist(master) = parse(playlist)? else {
        return Ok(None);
    };
    let variants = master.variants.iter().filter(|variant| !variant.is_i_frame);
    let best = variants.reduce(|best, next| {
        if next.bandwidth > best.bandwidth {
            next
        } else {
            best
        }
    });
    let best = best.ok_or_else(|| refuse("it lists no variants"))?;
    resolve(&playlist.url, &best.uri).map(Some)
}

fn parse(playlist: &PlaylistText) -> Result<Playlist, FetchError> {
    m3u8_rs::parse_playlist_res(without_byte_order_mark(&playlist.text))
        .map_err(|_| refuse("it is not a valid HLS playlist (RFC 8216)"))
}

fn refuse(reason: &str) -> FetchError {
    FetchError::Playlist(reason.to_owned())
}

fn resolve(base: &Url, uri: &str) -> Result<Url, FetchError> {
    if uri.contains("{$") {
        return Err(refuse(
            "it uses variables (EXT-X-DEFINE), which this version does not know",
        ));
    }
    let url = base
        .join(uri)
        .map_err(|source| FetchError::Url { source })?;
    if !matches!(url.scheme(), "http" | "https") {
        let scheme = url.scheme().to_owned();
        return Err(FetchError::Scheme { scheme });
    }
    Ok(with_credentials(&url, base))
}

impl Plan {
    /// The segments of a media playlist.
    pub(super) fn parse(playlist: &PlaylistText) -> Result<Self, FetchError> {
        let Playlist::MediaPlaylist(list) = parse(playlist)? else {
            return Err(refuse("its variant is itself a master playlist"));
        };
        check(&list)?;
        let mut plan = Self {
            segments: Vec::with_capacity(list.segments.len() + 1),
            started_us: list.segments[0]
                .program_date_time
                .map(|date| date.timestamp_micros()),
            duration: Duration::ZERO,
            canonical: String::new(),
        };
        let mut map = None;
        for (index, segment) in list.segments.iter().enumerate() {
            plan.add_map(&playlist.url, segment, index, &mut map)?;
            plan.add(&playlist.url, &segment.uri, segment.byte_range.as_ref())?;
            let seconds = f64::from(segment.duration).clamp(0.0, 1e6);
            plan.duration += Duration::from_secs_f64(seconds);
            // Writing to a string cannot fail.
            let _ = writeln!(
                plan.canonical,
                "{} {}",
                segment.duration, segment.discontinuity
            );
        }
        Ok(plan)
    }

    /// Fragments of mp4 need the beginning that `EXT-X-MAP` names; one for all, as a file has one.
    fn add_map(
        &mut self,
        base: &Url,
        segment: &MediaSegment,
        index: usize,
        before: &mut Option<Segment>,
    ) -> Result<(), FetchError> {
        let Some(map) = &segment.map else {
            return Ok(());
        };
        if let Some(before) = before {
            let range = map.byte_range.as_ref().map(|range| absolute(range, 0));
            let same = resolve(base, &map.uri)? == before.url && range == before.range;
            return if same {
                Ok(())
            } else {
                Err(refuse(&format!(
                    "its segment {index} begins with another EXT-X-MAP, so it is more than one \
                     recording: give each a playlist of its own"
                )))
            };
        }
        if index > 0 {
            return Err(refuse("its EXT-X-MAP comes after its first segment"));
        }
        self.add(base, &map.uri, map.byte_range.as_ref())?;
        *before = self.segments.last().cloned();
        Ok(())
    }

    fn add(&mut self, base: &Url, uri: &str, range: Option<&ByteRange>) -> Result<(), FetchError> {
        let url = resolve(base, uri)?;
        // A range without an offset follows the one before.
        let next_offset = self
            .segments
            .last()
            .filter(|last| last.url == url)
            .and_then(|last| last.range.clone())
            .map_or(0, |range| range.end);
        let range = range.map(|range| absolute(range, next_offset));
        // Writing to a string cannot fail.
        let _ = writeln!(self.canonical, "{} {range:?}", stable_part(uri, &url));
        self.segments.push(Segment { url, range });
        Ok(())
    }
}

/// The part of a URI that stays the same: the text without its query; of a whole URL, its path.
fn stable_part<'a>(uri: &'a str, url: &'a Url) -> &'a str {
    if uri.contains("://") || uri.starts_with("//") {
        return url.path();
    }
    uri.split(['?', '#']).next().unwrap_or(uri)
}

fn absolute(range: &ByteRange, next_offset: u64) -> Range<u64> {
    let from = range.offset.unwrap_or(next_offset);
    from..from.saturating_add(range.length)
}

/// Refuses a playlist without an end, and one with segments that are missing or encrypted.
fn check(list: &MediaPlaylist) -> Result<(), FetchError> {
    if !list.end_list {
        return Err(refuse(
            "it has no #EXT-X-ENDLIST, so it is a live stream, or one still being written: this \
             version records what has an end",
        ));
    }
    if list.segments.is_empty() {
        return Err(refuse("it lists no segments"));
    }
    for (index, segment) in list.segments.iter().enumerate() {
        let key = segment.key.as_ref().map(|key| &key.method);
        if key.is_some_and(|method| !matches!(method, KeyMethod::None)) {
            return Err(refuse(&format!(
                "its segment {index} is encrypted (EXT-X-KEY), which this version cannot read"
            )));
        }
        if segment.unknown_tags.iter().any(|tag| tag.tag == "X-GAP") {
            return Err(refuse(&format!(
                "it declares that its segment {index} is missing (EXT-X-GAP)"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
