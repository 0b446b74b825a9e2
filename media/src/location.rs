//! A source's path or URL, shown without its password.

use std::ffi::CString;
use std::fmt;
use std::path::Path;

/// A valid path or URL.
///
/// `Display` and `Debug` omit user names, passwords and query strings, so any message may contain
/// it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Location(String);

impl Location {
    /// Checks a path or URL; `None` if it is empty or holds a NUL byte, which would end a C string.
    pub(crate) fn parse(text: &str) -> Option<Location> {
        (!text.is_empty() && !text.contains('\0')).then(|| Location(text.to_owned()))
    }

    /// The path, if it is a file.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self.scheme() {
            None => Some(Path::new(&self.0)),
            Some("file") => self.0.split_once("://").map(|(_, path)| Path::new(path)),
            Some(_) => None,
        }
    }

    /// The scheme in front of `://`, if it is a legal one.
    pub(crate) fn scheme(&self) -> Option<&str> {
        let (scheme, _) = self.0.split_once("://")?;
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        (!scheme.is_empty() && scheme.chars().all(legal)).then_some(scheme)
    }

    /// The location in libav's form. Paths get the prefix `file:`, since libav takes a path with a
    /// colon for a protocol (`concat:`, `data:`).
    pub(crate) fn for_libav(&self) -> CString {
        let text = match self.file() {
            Some(path) => format!("file:{}", path.display()),
            None => self.0.clone(),
        };
        CString::new(text).expect("`parse` rejects NUL")
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redact(&self.0))
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Location({self})")
    }
}

/// A path or URL without secrets: `***` replaces user name and password, and the query string of a
/// URL (cameras take passwords there too). Control characters are escaped.
///
/// Where the password's bounds are ambiguous, more is hidden rather than less.
pub fn redact(location: &str) -> String {
    let shown = match location.split_once("://") {
        None => location.to_owned(),
        Some((scheme, rest)) => format!("{scheme}://{}", without_secrets(rest)),
    };
    shown
        .chars()
        .flat_map(|c| {
            if c.is_control() {
                c.escape_default().collect()
            } else {
                vec![c]
            }
        })
        .collect()
}

/// The part after `://`, without user and query.
fn without_secrets(rest: &str) -> String {
    let (place, query) = rest
        .split_once('?')
        .map_or((rest, None), |(place, query)| (place, Some(query)));
    // Either a password with a question mark, or a query with an @: ambiguous, so neither is shown.
    // A part with a slash and without `:` and `@` begins with a host.
    let may_be_user = place.contains([':', '@']) || !place.contains('/');
    if may_be_user && query.is_some_and(|query| query.contains('@')) {
        return "***".to_owned();
    }
    // A slash in the password ends the authority too early: everything up to the last @ may be
    // secret.
    let authority = place.split('/').next().unwrap_or(place);
    let shown = match place.rsplit_once('@') {
        Some((_, host)) if authority.contains([':', '@']) => format!("***@{host}"),
        _ => place.to_owned(),
    };
    match query {
        Some(_) => format!("{shown}?***"),
        None => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_and_queries_are_hidden() {
        let shown = [
            (
                "rtsp://admin:s3cret@10.0.0.7:554/live",
                "rtsp://***@10.0.0.7:554/live",
            ),
            (
                "rtsp://admin:p@ss@10.0.0.7/live",
                "rtsp://***@10.0.0.7/live",
            ),
            (
                "http://cam/snap.cgi?user=a&pwd=b",
                "http://cam/snap.cgi?***",
            ),
            ("http://cam/a@b", "http://cam/a@b"),
            ("file:///videos/a@b.mp4", "file:///videos/a@b.mp4"),
            ("rtsp://u:S3/CR@ET@127.0.0.1:1/", "rtsp://***@127.0.0.1:1/"),
            ("rtsp://u:p@s@h/a", "rtsp://***@h/a"),
            ("rtsp://u:p/w@h/a", "rtsp://***@h/a"),
            ("rtsp://u:p#w@h/a", "rtsp://***@h/a"),
            ("rtsp://u:p?w@h/a", "rtsp://***"),
            ("nats://to?ken@h", "nats://***"),
            ("http://h:80/v?u=a&pass=p@ss", "http://***"),
            ("/videos/a@b?.mp4", "/videos/a@b?.mp4"),
        ];
        for (location, expected) in shown {
            assert_eq!(redact(location), expected);
        }
    }

    #[test]
    fn a_path_with_a_colon_is_no_protocol() {
        let location = Location::parse("concat:a|b").unwrap();
        assert_eq!(location.for_libav().to_str().unwrap(), "file:concat:a|b");
        assert_eq!(
            Location::parse("file:///a.mp4").unwrap().file(),
            Some(Path::new("/a.mp4"))
        );
        assert_eq!(Location::parse("rtsp://cam/1").unwrap().file(), None);
    }

    #[test]
    fn empty_locations_and_nul_bytes_are_rejected() {
        assert_eq!(Location::parse("a\0b"), None);
        assert_eq!(Location::parse(""), None);
    }
}
