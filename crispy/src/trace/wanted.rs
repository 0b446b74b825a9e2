//! Which trace is meant: what somebody has at hand, from a log line, a listing or an alert. Pure.

use std::str::FromStr;

use crispy_proto::id::{ChunkId, ObjectKey};
use url::Url;

use super::span::TraceId;

/// What was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A trace, by its id or the address of its page.
    Trace(TraceId),
    /// A chunk.
    Chunk(ChunkId),
    /// A chunk's object.
    Object {
        /// The bucket that it is in, as a URL, where that was said.
        bucket: Option<String>,
        /// Its key.
        key: String,
        /// The chunk that its key names.
        chunk: ChunkId,
    },
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = of_log_line(text);
        if let Some((trace, _)) = of_traceparent(text) {
            return Ok(Self::Trace(trace));
        }
        // A log line's link may name a version: `?generation=…`; a page's address what was looked at in it.
        let path = text.split(['?', '#']).next().unwrap_or(text);
        let path = path.trim_end_matches('/');
        if let Ok(trace) = path.rsplit('/').next().unwrap_or(path).parse() {
            return Ok(Self::Trace(trace));
        }
        if let Ok(chunk) = with_zeros(path).parse() {
            return Ok(Self::Chunk(chunk));
        }
        let keys = path
            .match_indices("v1/")
            .filter(|(at, _)| *at == 0 || path[..*at].ends_with('/'));
        for (at, _) in keys {
            if let Ok(key) = path[at..].parse::<ObjectKey>() {
                return Ok(Self::Object {
                    bucket: bucket(&path[..at]),
                    key: path[at..].to_owned(),
                    chunk: key.chunk,
                });
            }
        }
        Err("neither a chunk (site/camera/run/sequence), nor an object's key or URL, nor the id of a trace (32 hexadecimal digits)".to_owned())
    }
}

/// The value of a field of a log line, `chunk=demo/front/…`, where one was copied with its name.
fn of_log_line(text: &str) -> &str {
    let around = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',');
    let text = text.trim_matches(around);
    let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    match text.split_once(['=', ':']) {
        Some((name, value))
            if is_name(name.trim_end_matches(around)) && !value.starts_with("//") =>
        {
            value.trim_matches(around)
        }
        _ => text,
    }
}

/// A chunk's id with all ten digits of its sequence. One that has some of its zeros was cut short: which digits are missing nobody knows.
fn with_zeros(chunk: &str) -> String {
    match chunk.rsplit_once('/') {
        Some((before, sequence)) if sequence == "0" || !sequence.starts_with('0') => {
            format!("{before}/{sequence:0>10}")
        }
        _ => chunk.to_owned(),
    }
}

/// The bucket before a key: a URL that a bucket can have, or a folder's path. Of a link over HTTPS the key alone is of use.
fn bucket(before: &str) -> Option<String> {
    let before = before.strip_suffix('/')?;
    if before.starts_with('/') {
        return Url::from_file_path(before).ok().map(String::from);
    }
    let (scheme, _) = before.split_once("://")?;
    (!scheme.starts_with("http")).then(|| before.to_owned())
}

/// The trace that an object's metadata names, and whether its spans were to be kept (W3C Trace Context, `traceparent`).
pub(crate) fn of_traceparent(text: &str) -> Option<(TraceId, bool)> {
    let mut fields = text.split('-').skip(1);
    let trace = fields.next()?.parse().ok()?;
    let flags = u8::from_str_radix(fields.nth(1)?, 16).ok()?;
    Some((trace, flags & 1 == 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNK: &str = "demo/bikes/01M82C7XJ5HSDAXZ4F9DVKKH71/0000000001";
    const KEY: &str = "v1/demo/bikes/2026/11/22/19/1795376284197-4440000-01M82C7XJ5HSDAXZ4F9DVKKH71-0000000001.mp4";
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn a_trace_is_known_by_its_id_and_by_its_page() {
        for text in [
            TRACE.to_owned(),
            TRACE.to_uppercase(),
            format!("http://h:16686/trace/{TRACE}"),
            format!("http://h:16686/trace/{TRACE}/"),
            format!("http://h:16686/jaeger/trace/{TRACE}?uiFind=front#x"),
            format!("00-{TRACE}-00f067aa0ba902b7-01"),
            format!("trace_id={TRACE}"),
        ] {
            assert_eq!(
                text.parse(),
                Ok(Wanted::Trace(TRACE.parse().unwrap())),
                "{text}"
            );
        }
    }

    #[test]
    fn an_object_is_known_by_its_key_its_url_its_path_and_its_link() {
        for (before, after, expected) in [
            ("", "", None),
            ("gs://my-video/shop-12/", "", Some("gs://my-video/shop-12")),
            ("file:///srv/video/", "", Some("file:///srv/video")),
            ("/srv/my video/", "", Some("file:///srv/my%20video")),
            ("s3://v1/v1/", "", Some("s3://v1/v1")),
            (
                "https://storage.googleapis.com/my-video/",
                "?generation=17",
                None,
            ),
        ] {
            let object = Wanted::Object {
                bucket: expected.map(Into::into),
                key: KEY.into(),
                chunk: CHUNK.parse().unwrap(),
            };
            assert_eq!(
                format!("{before}{KEY}{after}").parse(),
                Ok(object),
                "{before}"
            );
        }
    }

    #[test]
    fn a_chunk_is_known_by_its_id_and_nothing_else_is_known() {
        for text in [
            CHUNK,
            "demo/bikes/01M82C7XJ5HSDAXZ4F9DVKKH71/1",
            &format!("chunk={CHUNK}"),
            &format!("chunk=\"{CHUNK}\","),
            &format!("\"chunk\":\"{CHUNK}\","),
        ] {
            let chunk = Wanted::Chunk(CHUNK.parse().unwrap());
            assert_eq!(text.parse(), Ok(chunk), "{text}");
        }
        for text in [
            "",
            "x",
            "demo/bikes",
            "chunk=",
            "demo/bikes/01M82C7XJ5HSDAXZ4F9DVKKH71/",
            "demo/bikes/01M82C7XJ5HSDAXZ4F9DVKKH71/1x",
            "v1/demo/bikes/x.mp4",
            &"0".repeat(32),
            &CHUNK[1..40],
        ] {
            assert!(text.parse::<Wanted>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_traceparent_names_a_trace_and_whether_it_was_kept() {
        let trace: TraceId = TRACE.parse().unwrap();
        let of = |flags: &str| of_traceparent(&format!("00-{TRACE}-00f067aa0ba902b7-{flags}"));
        assert_eq!(of("01"), Some((trace.clone(), true)));
        assert_eq!(of("00"), Some((trace, false)));
        for nonsense in [
            "",
            "00",
            "00-x-y-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        ] {
            assert_eq!(of_traceparent(nonsense), None, "{nonsense}");
        }
    }
}
