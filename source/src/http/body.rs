//! Answers of a server: their headers, checked against the request.

use reqwest::{
    Response, StatusCode, Version,
    header::{
        CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, HeaderName,
        LAST_MODIFIED, TRANSFER_ENCODING,
    },
};
use url::Url;

use super::{stall::StallDetector, url::with_credentials};
use crate::FetchError;

/// An answer, up to its bytes.
///
/// The bytes begin at the requested position and are those of the file itself: an answer that
/// begins elsewhere, or is compressed, is an error.
#[derive(Debug)]
pub(super) struct Body {
    /// Its address after redirects; with user and password, for its references.
    pub url: Url,
    /// True if the server answered with a range, and not with all of the file.
    pub partial: bool,
    /// The length of the whole, where the server gives it.
    pub length: Option<u64>,
    /// The position after its last byte, where the server gives it. Some send less than requested.
    pub end: Option<u64>,
    /// True if an end can be told from a broken connection.
    pub end_is_certain: bool,
    /// The server's name for this state of the file: `ETag`, else `Last-Modified`; else empty.
    pub validator: String,
    /// The last change, in Unix microseconds.
    pub modified_us: Option<i64>,
    /// Ends a transfer that is too slow.
    pub stall: StallDetector,
    pub(super) response: Response,
    pub(super) place: String,
}

impl Body {
    /// The answer to a request for the bytes from `from` on.
    pub(super) fn new(
        response: Response,
        place: String,
        requested: &Url,
        from: u64,
    ) -> Result<Self, FetchError> {
        let Some(range) = ContentRange::parse(&response) else {
            let status = response.status();
            return Err(FetchError::Status { place, status });
        };
        if range.partial && range.from != Some(from) {
            return Err(FetchError::OtherRange { place, at: from });
        }
        let headers = response.headers();
        let encoding = header(headers, &CONTENT_ENCODING).unwrap_or("identity");
        if !encoding.eq_ignore_ascii_case("identity") {
            let encoding = encoding.to_owned();
            return Err(FetchError::Encoded { place, encoding });
        }
        let modified = header(headers, &LAST_MODIFIED);
        let validator = header(headers, &ETAG).or(modified).unwrap_or_default();
        Ok(Self {
            url: with_credentials(response.url(), requested),
            partial: range.partial,
            length: range.length,
            end: range.end,
            end_is_certain: headers.contains_key(CONTENT_LENGTH)
                || headers.contains_key(TRANSFER_ENCODING)
                || response.version() >= Version::HTTP_2,
            validator: validator.to_owned(),
            modified_us: modified.and_then(unix_us),
            stall: StallDetector::default(),
            place,
            response,
        })
    }
}

/// The bytes that an answer announces.
struct ContentRange {
    partial: bool,
    from: Option<u64>,
    end: Option<u64>,
    length: Option<u64>,
}

impl ContentRange {
    /// `None` if it has none.
    fn parse(response: &Response) -> Option<Self> {
        let headers = response.headers();
        let range = header(headers, &CONTENT_RANGE).and_then(|range| range.strip_prefix("bytes "));
        let (range, total) = range.and_then(|range| range.rsplit_once('/')).unzip();
        let total = total.and_then(|total| total.parse().ok());
        let whole = |length| Self {
            partial: false,
            from: Some(0),
            end: length,
            length,
        };
        match response.status() {
            StatusCode::OK => {
                let length = header(headers, &CONTENT_LENGTH);
                Some(whole(length.and_then(|length| length.parse().ok())))
            }
            StatusCode::PARTIAL_CONTENT => {
                let (from, last) = range.and_then(|range| range.split_once('-')).unzip();
                let last = last.and_then(|last| last.parse::<u64>().ok());
                Some(Self {
                    partial: true,
                    from: from.and_then(|from| from.parse().ok()),
                    end: last.and_then(|last| last.checked_add(1)),
                    length: total,
                })
            }
            // An empty file has no first byte to give.
            StatusCode::RANGE_NOT_SATISFIABLE if total == Some(0) => Some(whole(total)),
            _ => None,
        }
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn unix_us(date: &str) -> Option<i64> {
    let date = httpdate::parse_http_date(date).ok()?;
    let since = date.duration_since(std::time::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_micros()).ok()
}
