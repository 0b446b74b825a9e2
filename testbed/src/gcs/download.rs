//! The response to the download of an object, or of a range of one: the same for both APIs.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    response::Response,
};

use super::{error_response::ErrorResponse, objects::Object, request::Request};

/// The bytes, and everything that is known of the object in headers.
pub(crate) fn download(request: &Request) -> Result<Response, ErrorResponse> {
    let object = request.find()?;
    let size = object.content.len();
    let range = match request.header("range") {
        Some(range) => parse_range(range, size)?,
        None => None,
    };
    let (from, end) = range.unwrap_or((0, size));
    let mut response = Response::new(object.content.slice(from, end).into_body());
    let headers = response.headers_mut();
    add_identity(headers, &object);
    for (name, value) in &object.attributes.headers {
        add(headers, name, value);
    }
    for (name, value) in &object.attributes.metadata {
        add(headers, &format!("x-goog-meta-{name}"), value);
    }
    add(headers, "content-length", (end - from).to_string());
    add(headers, "accept-ranges", "bytes");
    let modified = httpdate::fmt_http_date(object.created);
    add(headers, "last-modified", modified);
    add(headers, "x-goog-storage-class", "STANDARD");
    if range.is_some() {
        let range = format!("bytes {from}-{}/{size}", end - 1);
        add(headers, "content-range", range);
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// The response to an upload: no body, and the new object's identity in headers.
pub(crate) fn uploaded(object: &Object) -> Response {
    let mut response = Response::new(Body::empty());
    add_identity(response.headers_mut(), object);
    response
}

/// Headers that distinguish this version of an object from every other.
fn add_identity(headers: &mut HeaderMap, object: &Object) {
    add(headers, "etag", object.etag());
    add(headers, "x-goog-generation", object.generation.to_string());
    add(headers, "x-goog-metageneration", "1");
    add(headers, "x-goog-stored-content-encoding", "identity");
    let length = object.content.len().to_string();
    add(headers, "x-goog-stored-content-length", length);
    for sum in object.sums.headers() {
        add(headers, "x-goog-hash", sum);
    }
}

/// Adds a header beside those of the same name. A name or value that HTTP does not allow is left
/// out: no client could have sent it either.
fn add(headers: &mut HeaderMap, name: &str, value: impl AsRef<str>) {
    let name = HeaderName::from_bytes(name.as_bytes());
    if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_ref().as_bytes())) {
        headers.append(name, value);
    }
}

/// The first byte of a range and the one after its last. None is the whole object: like Google, the
/// simulator ignores several ranges and malformed ones.
fn parse_range(range: &str, size: u64) -> Result<Option<(u64, u64)>, ErrorResponse> {
    let Some((first, last)) = range
        .strip_prefix("bytes=")
        .and_then(|range| range.split_once('-'))
    else {
        return Ok(None);
    };
    let (from, end) = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(from), Ok(last)) if last < from => return Ok(None),
        (Ok(from), Ok(last)) => (from, size.min(last.saturating_add(1))),
        (Ok(from), Err(_)) if last.is_empty() => (from, size),
        (Err(_), Ok(suffix)) if first.is_empty() => (size - suffix.min(size), size),
        _ => return Ok(None),
    };
    if from >= end {
        return Err(ErrorResponse::invalid_range(size));
    }
    Ok(Some((from, end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_to_the_object_and_refused_beyond_it() {
        assert_eq!(parse_range("bytes=0-3", 10), Ok(Some((0, 4))));
        assert_eq!(parse_range("bytes=4-99", 10), Ok(Some((4, 10))));
        assert_eq!(parse_range("bytes=4-", 10), Ok(Some((4, 10))));
        assert_eq!(parse_range("bytes=-4", 10), Ok(Some((6, 10))));
        assert_eq!(parse_range("bytes=-99", 10), Ok(Some((0, 10))));
        for beyond in ["bytes=10-", "bytes=10-12", "bytes=-0"] {
            let refused = Err(ErrorResponse::invalid_range(10));
            assert_eq!(parse_range(beyond, 10), refused);
        }
        for ignored in ["bytes=4-3", "bytes=0-1,3-4", "lines=1-2", "bytes=a-b"] {
            assert_eq!(parse_range(ignored, 10), Ok(None));
        }
    }
}
