//! What a playlist (HLS, RFC 8216) says. Pure.

use std::{fmt::Write, ops::Range, time::Duration};

use m3u8_rs::{ByteRange, KeyMethod, MediaPlaylist, MediaSegment, Playlist};
use url::Url;

use super::{failure::FetchError, fetcher::with_user};

/// A playlist, as it came.
#[derive(Debug)]
pub(super) struct Answer {
    /// Where it came from, after redirects.
    pub url: Url,
    /// When it was last written, in Unix microseconds.
    pub modified_us: Option<i64>,
    /// Its text.
    pub text: Vec<u8>,
}

/// A stretch of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub url: Url,
    /// All of it, if none.
    pub range: Option<Range<u64>>,
}

/// What has to be fetched, in order: joined, it is one file.
#[derive(Debug)]
pub(super) struct Plan {
    pub parts: Vec<Part>,
    /// The date that the first segment carries (`EXT-X-PROGRAM-DATE-TIME`), in Unix microseconds.
    pub started_us: Option<i64>,
    /// How long the segments are together, as the playlist claims.
    pub duration: Duration,
    /// What the playlist says, without what differs between two requests for one recording: hosts and queries (content networks
    /// hand out another host or signature each time), and the letters of its dates.
    pub canonical: String,
}

/// Whether these are the first bytes of a playlist. RFC 8216 wants exactly this; servers' content types are not to be relied on.
pub(super) fn begins(head: &[u8]) -> bool {
    without_mark(head).starts_with(b"#EXTM3U")
}

/// Without the byte order mark that Windows' editors put in front.
fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

/// The variant that is recorded, if this is a list of variants: the one with the most bits, and of equal ones the first.
pub(super) fn variant(answer: &Answer) -> Result<Option<Url>, FetchError> {
    let Playlist::MasterPlaylist(master) = parse(answer)? else {
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
    resolve(&answer.url, &best.uri).map(Some)
}

fn parse(answer: &Answer) -> Result<Playlist, FetchError> {
    m3u8_rs::parse_playlist_res(without_mark(&answer.text))
        .map_err(|_| refuse("it cannot be understood: is it HLS (RFC 8216)?"))
}

fn refuse(what: &str) -> FetchError {
    FetchError::Playlist(what.to_owned())
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
    Ok(with_user(&url, base))
}

impl Plan {
    /// What has to be fetched for a list of segments.
    pub(super) fn read(answer: &Answer) -> Result<Self, FetchError> {
        let Playlist::MediaPlaylist(list) = parse(answer)? else {
            return Err(refuse("its variant lists variants again"));
        };
        check(&list)?;
        let mut plan = Self {
            parts: Vec::with_capacity(list.segments.len() + 1),
            started_us: list.segments[0]
                .program_date_time
                .map(|date| date.timestamp_micros()),
            duration: Duration::ZERO,
            canonical: String::new(),
        };
        let mut map = None;
        for (index, segment) in list.segments.iter().enumerate() {
            plan.add_map(&answer.url, segment, index, &mut map)?;
            plan.add(&answer.url, &segment.uri, segment.byte_range.as_ref())?;
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

    /// Fragments of mp4 need the beginning that `EXT-X-MAP` names; one for all, for a file has one.
    fn add_map(
        &mut self,
        base: &Url,
        segment: &MediaSegment,
        index: usize,
        before: &mut Option<Part>,
    ) -> Result<(), FetchError> {
        let Some(map) = &segment.map else {
            return Ok(());
        };
        if let Some(before) = before {
            let range = map.byte_range.as_ref().map(|range| stretch(range, 0));
            let same = resolve(base, &map.uri)? == before.url && range == before.range;
            return if same {
                Ok(())
            } else {
                Err(refuse(&format!(
                    "its segment {index} begins with another EXT-X-MAP, so it is more than one recording: give each a playlist of its own"
                )))
            };
        }
        if index > 0 {
            return Err(refuse("its EXT-X-MAP comes after its first segment"));
        }
        self.add(base, &map.uri, map.byte_range.as_ref())?;
        *before = self.parts.last().cloned();
        Ok(())
    }

    fn add(&mut self, base: &Url, uri: &str, range: Option<&ByteRange>) -> Result<(), FetchError> {
        let url = resolve(base, uri)?;
        // Without a place of its own, a range follows the one before.
        let follows = self
            .parts
            .last()
            .filter(|last| last.url == url)
            .and_then(|last| last.range.clone())
            .map_or(0, |range| range.end);
        let range = range.map(|range| stretch(range, follows));
        // Writing to a string cannot fail.
        let _ = writeln!(self.canonical, "{} {range:?}", place_in(uri, &url));
        self.parts.push(Part { url, range });
        Ok(())
    }
}

/// What of a URI stays the same: the text without its query; of a whole URL, its path.
fn place_in<'a>(uri: &'a str, url: &'a Url) -> &'a str {
    if uri.contains("://") || uri.starts_with("//") {
        return url.path();
    }
    uri.split(['?', '#']).next().unwrap_or(uri)
}

fn stretch(range: &ByteRange, follows: u64) -> Range<u64> {
    let from = range.offset.unwrap_or(follows);
    from..from.saturating_add(range.length)
}

/// Whether it ends, and everything in it is there and can be read.
fn check(list: &MediaPlaylist) -> Result<(), FetchError> {
    if !list.end_list {
        return Err(refuse(
            "it has no #EXT-X-ENDLIST, so it is a live stream, or one still being written: this version records what has an end",
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
                "it says itself that its segment {index} is missing (EXT-X-GAP)"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
