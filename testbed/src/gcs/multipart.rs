//! `multipart/related`: the JSON API's upload of an object and its bytes in one request.

use bytes::{Bytes, BytesMut};
use serde_json::Value;

use super::content::Content;

/// The object's resource in JSON, the content type of its bytes, and the bytes.
pub(crate) fn parse(
    content_type: &str,
    content: Content,
) -> Option<(Value, Option<String>, Content)> {
    let boundary = content_type.split_once("boundary=")?.1;
    let boundary = boundary.split(';').next()?.trim_matches(['"', '\'', ' ']);
    let line = format!("--{boundary}");
    // The only copy: parts do not begin where pieces do.
    let all = content.0.iter().fold(BytesMut::new(), |mut all, piece| {
        all.extend_from_slice(piece);
        all
    });
    let all = all.freeze();
    let (_, resource, rest) = part(&all, &line)?;
    let resource = serde_json::from_slice(&resource).ok()?;
    let (content_type, bytes) = last_part(&rest, &line)?;
    Some((resource, content_type, Content(vec![bytes])))
}

/// The first part: its content type, its bytes, and the rest, which begins with the boundary.
fn part(all: &Bytes, line: &str) -> Option<(Option<String>, Bytes, Bytes)> {
    let (head, start) = head(all, line)?;
    let end = start + find(&all[start..], format!("\r\n{line}").as_bytes())?;
    Some((head, all.slice(start..end), all.slice(end + 2..)))
}

/// The last part: its content type and its bytes. Its bytes may contain anything, so its end is
/// searched from the back.
fn last_part(all: &Bytes, line: &str) -> Option<(Option<String>, Bytes)> {
    let (head, start) = head(all, line)?;
    let close = format!("\r\n{line}--");
    let tail = all.len().saturating_sub(close.len() + 4).max(start);
    let end = tail + find(&all[tail..], close.as_bytes())?;
    Some((head, all.slice(start..end)))
}

/// The content type of a part, and the offset of its bytes.
fn head(all: &Bytes, line: &str) -> Option<(Option<String>, usize)> {
    if !all.starts_with(line.as_bytes()) {
        return None;
    }
    let start = find(all, b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&all[..start]);
    let content_type = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is = name.eq_ignore_ascii_case("content-type");
        is.then(|| value.trim().to_owned())
    });
    Some((content_type, start))
}

fn find(all: &[u8], what: &[u8]) -> Option<usize> {
    all.windows(what.len()).position(|window| window == what)
}
