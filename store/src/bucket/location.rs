//! Which bucket a URL names: text in, location out, and no look at the disk.

use std::path::PathBuf;

use url::Url;

/// The schemes that this version opens.
const KNOWN: &[&str] = &["file://", "memory://"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Location {
    Folder(PathBuf),
    Memory,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    UnknownScheme { url: String, known: String },
    Malformed { url: String, why: String },
}

/// The location, and its URL as it may be shown.
pub(super) fn parse(text: &str) -> Result<(Location, String), Refused> {
    let malformed = |why: &str| Refused::Malformed {
        url: redact(text),
        why: why.to_owned(),
    };
    let url = Url::parse(text).map_err(|error| match error {
        url::ParseError::RelativeUrlWithoutBase => {
            malformed("it has no scheme: a folder is file:///path/of/folder")
        }
        error => malformed(&error.to_string()),
    })?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(malformed(
            "it has a query or a fragment; write '?' as %3F and '#' as %23",
        ));
    }
    match url.scheme() {
        "file" => {
            let folder = url.to_file_path().map_err(|()| {
                malformed("a folder has an absolute path on this machine: file:///path/of/folder, with three slashes")
            })?;
            if folder.parent().is_none() {
                return Err(malformed("the root of the file system is not a bucket"));
            }
            let shown = url.as_str().trim_end_matches('/').to_owned();
            Ok((Location::Folder(folder), shown))
        }
        "memory" if text == "memory://" || text == "memory:///" => {
            Ok((Location::Memory, "memory://".to_owned()))
        }
        "memory" => Err(malformed(
            "memory:// has no name: every one that is opened is its own",
        )),
        _ => Err(Refused::UnknownScheme {
            url: redact(text),
            known: KNOWN.join(" and "),
        }),
    }
}

/// Without user, password, query and fragment, each of which may be a secret. By text alone: what does not parse has secrets too.
fn redact(text: &str) -> String {
    let (scheme, rest) = match text.find("://") {
        Some(at) => text.split_at(at + "://".len()),
        None => ("", text),
    };
    let (place, query) = rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()));
    // With a slash first there is no host, so no password before it, and '@' is part of a path.
    if place.starts_with('/') {
        return format!("{scheme}{place}");
    }
    // A password with a question mark in it, or a query with an @? Nobody can tell, so neither is shown.
    if query.contains('@') {
        return format!("{scheme}***");
    }
    format!(
        "{scheme}{}",
        place.rfind('@').map_or(place, |at| &place[at + 1..])
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_named_by_their_absolute_path() {
        let (location, shown) = parse("file:///some/my%20folder/").unwrap();
        assert_eq!(location, Location::Folder("/some/my folder/".into()));
        assert_eq!(shown, "file:///some/my%20folder");
        assert_eq!(parse("memory://").unwrap().0, Location::Memory);
    }

    #[test]
    fn what_is_no_bucket_url_is_refused_with_a_way_out() {
        for (text, hint) in [
            ("out", "file:///"),
            ("/abs/out", "file:///"),
            ("", "file:///"),
            ("file://out/x", "three slashes"),
            ("file:///", "root of the file system"),
            ("file:///a?b", "%3F"),
            ("memory://name", "no name"),
            ("http://[", "invalid"),
        ] {
            match parse(text) {
                Err(Refused::Malformed { why, .. }) => assert!(why.contains(hint), "{text}: {why}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn an_unknown_scheme_is_told_the_known_ones() {
        for text in ["gs://bucket", "s3://bucket/prefix", "az://c", "ftp://h/x"] {
            match parse(text) {
                Err(Refused::UnknownScheme { url, known }) => {
                    assert_eq!(
                        (url.as_str(), known.as_str()),
                        (text, "file:// and memory://")
                    );
                }
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn no_refusal_shows_a_secret() {
        for text in [
            "s3://key:secret@bucket/x",
            "s3://key:secret@bucket/x?token=secret#secret",
            "file:///x?secret",
            "http://u:secret@[",
            "u:secret@host",
            "secret@/x?secret",
            "gs://u:sec/ret@bucket#secret",
            "gs://u:secret?secret@bucket",
            "gs://u:secret#secret@bucket",
            "rtsp://u:secret/a@secret@127.0.0.1:1/",
            "http://h:80/v?u=a&pass=p@secret",
        ] {
            let said = format!("{:?}", parse(text).unwrap_err());
            assert!(
                !said.contains("secret") && !said.contains("ret@"),
                "{text}: {said}"
            );
        }
    }
}
