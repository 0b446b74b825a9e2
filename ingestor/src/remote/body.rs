//! An answer: what a server says of the bytes, and that they are the ones that were asked for.

use reqwest::{
    Response, StatusCode, Version,
    header::{
        CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, HeaderName,
        LAST_MODIFIED, TRANSFER_ENCODING,
    },
};
use url::Url;

use super::{failure::FetchError, fetcher::with_user, pace::Pace};

/// What a server said before the bytes.
///
/// They begin where it was asked for, and are those of the file itself: an answer that begins elsewhere, or is compressed, is
/// none.
#[derive(Debug)]
pub(super) struct Body {
    /// Where it came from, after redirects; with user and password, for what it refers to.
    pub url: Url,
    /// Whether the server answered with a stretch, and not with all of the file.
    pub partial: bool,
    /// The length of the whole, where the server says so.
    pub length: Option<u64>,
    /// Up to where in the file its bytes go, where the server says so. Some give less than they are asked for.
    pub end: Option<u64>,
    /// Whether an end can be told from a connection that broke.
    pub ends_for_certain: bool,
    /// By what the server knows this state of it: `ETag`, else `Last-Modified`; empty where it says neither.
    pub validator: String,
    /// When it was last written, in Unix microseconds.
    pub modified_us: Option<i64>,
    /// How fast it comes.
    pub pace: Pace,
    pub(super) response: Response,
    pub(super) place: String,
}

impl Body {
    /// The answer to a question for the bytes from `from` on.
    pub(super) fn new(
        response: Response,
        place: String,
        asked: &Url,
        from: u64,
    ) -> Result<Self, FetchError> {
        let stretch = Stretch::read(&response);
        let Some(stretch) = stretch else {
            let status = response.status();
            return Err(FetchError::Status { place, status });
        };
        if stretch.partial && stretch.from != Some(from) {
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
            url: with_user(response.url(), asked),
            partial: stretch.partial,
            length: stretch.length,
            end: stretch.end,
            ends_for_certain: headers.contains_key(CONTENT_LENGTH)
                || headers.contains_key(TRANSFER_ENCODING)
                || response.version() >= Version::HTTP_2,
            validator: validator.to_owned(),
            modified_us: modified.and_then(unix_us),
            pace: Pace::default(),
            place,
            response,
        })
    }
}

/// Which bytes an answer says that it gives.
struct Stretch {
    partial: bool,
    from: Option<u64>,
    end: Option<u64>,
    length: Option<u64>,
}

impl Stretch {
    /// None if it gives none.
    fn read(response: &Response) -> Option<Self> {
        let headers = response.headers();
        let range = header(headers, &CONTENT_RANGE).and_then(|range| range.strip_prefix("bytes "));
        let (stretch, total) = range.and_then(|range| range.rsplit_once('/')).unzip();
        let total = total.and_then(|total| total.parse().ok());
        match response.status() {
            StatusCode::OK => {
                let length = header(headers, &CONTENT_LENGTH);
                let length = length.and_then(|length| length.parse().ok());
                Some(Self {
                    partial: false,
                    from: Some(0),
                    end: length,
                    length,
                })
            }
            StatusCode::PARTIAL_CONTENT => {
                let (from, last) = stretch.and_then(|range| range.split_once('-')).unzip();
                let last = last.and_then(|last| last.parse::<u64>().ok());
                Some(Self {
                    partial: true,
                    from: from.and_then(|from| from.parse().ok()),
                    end: last.and_then(|last| last.checked_add(1)),
                    length: total,
                })
            }
            // An empty file has no first byte to give.
            StatusCode::RANGE_NOT_SATISFIABLE if total == Some(0) => Some(Self {
                partial: false,
                from: Some(0),
                end: total,
                length: total,
            }),
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
