//! Parses a trace query: a chunk, object or trace, pasted from a log line, a listing or an alert.
//! Pure.

use std::str::FromStr;

use crispy_proto::id::{ChunkId, ObjectKey};
use url::Url;

use super::span::TraceId;

/// A chunk, an object or a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Query {
    /// A trace, by its id, `traceparent` or page.
    Trace(TraceId),
    /// A chunk.
    Chunk(ChunkId),
    /// A chunk's object.
    Object {
        /// The URL of its bucket, if it was given with one.
        bucket: Option<String>,
        /// Its key.
        key: String,
        /// The chunk in its key.
        chunk: ChunkId,
    },
}

impl FromStr for Query {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = strip_field_name(text);
        if let Some((trace, _)) = parse_traceparent(text) {
            return Ok(Self::Trace(trace));
        }
        // A log line's link may have a version (`?generation=…`), a page's address a selection.
        let path = text.split(['?', '#']).next().unwrap_or(text);
        let path = path.trim_end_matches('/');
        if let Ok(trace) = path.rsplit('/').next().unwrap_or(path).parse() {
            return Ok(Self::Trace(trace));
        }
        if let Ok(chunk) = pad_sequence(path).parse() {
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
        Err("expected a chunk (site/camera/run/sequence), an object's key or URL, or a trace id (32 hexadecimal digits)".to_owned())
    }
}

/// Removes the name of a pasted log field: `chunk=demo/front/…` gives its value.
fn strip_field_name(text: &str) -> &str {
    let is_around = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',');
    let text = text.trim_matches(is_around);
    let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    match text.split_once(['=', ':']) {
        Some((name, value))
            if is_name(name.trim_end_matches(is_around)) && !value.starts_with("//") =>
        {
            value.trim_matches(is_around)
        }
        _ => text,
    }
}

/// Pads a chunk's sequence to ten digits. A sequence with only some of its zeros was cut short, and
/// its missing digits are unknown.
fn pad_sequence(chunk: &str) -> String {
    match chunk.rsplit_once('/') {
        Some((before, sequence)) if sequence == "0" || !sequence.starts_with('0') => {
            format!("{before}/{sequence:0>10}")
        }
        _ => chunk.to_owned(),
    }
}

/// The bucket before a key: a bucket's URL, or a folder's path. `None` for a link over HTTP(S), of
/// which only the key is used.
fn bucket(before: &str) -> Option<String> {
    let before = before.strip_suffix('/')?;
    if before.starts_with('/') {
        return Url::from_file_path(before).ok().map(String::from);
    }
    let (scheme, _) = before.split_once("://")?;
    (!scheme.starts_with("http")).then(|| before.to_owned())
}

/// The trace id and sampled flag of a `traceparent` (W3C Trace Context), as in an object's
/// metadata.
pub(crate) fn parse_traceparent(text: &str) -> Option<(TraceId, bool)> {
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
    fn every_form_of_a_trace_is_parsed() {
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
                Ok(Query::Trace(TRACE.parse().unwrap())),
                "{text}"
            );
        }
    }

    #[test]
    fn every_form_of_an_object_is_parsed() {
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
            let object = Query::Object {
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
    fn every_form_of_a_chunk_is_parsed_and_nothing_else() {
        for text in [
            CHUNK,
            "demo/bikes/01M82C7XJ5HSDAXZ4F9DVKKH71/1",
            &format!("chunk={CHUNK}"),
            &format!("chunk=\"{CHUNK}\","),
            &format!("\"chunk\":\"{CHUNK}\","),
        ] {
            let chunk = Query::Chunk(CHUNK.parse().unwrap());
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
            assert!(text.parse::<Query>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_traceparent_has_a_trace_id_and_a_sampled_flag() {
        let trace: TraceId = TRACE.parse().unwrap();
        let parse =
            |flags: &str| parse_traceparent(&format!("00-{TRACE}-00f067aa0ba902b7-{flags}"));
        assert_eq!(parse("01"), Some((trace.clone(), true)));
        assert_eq!(parse("00"), Some((trace, false)));
        for nonsense in [
            "",
            "00",
            "00-x-y-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        ] {
            assert_eq!(parse_traceparent(nonsense), None, "{nonsense}");
        }
    }
}
