//! Which bucket a URL names: text in, location out, and no look at the disk.

use std::path::PathBuf;

use url::Url;

use super::key;

/// The schemes that this version opens.
const KNOWN: &str = "gs://, s3://, az://, file:// and memory://";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Location {
    Folder(PathBuf),
    Memory,
    Remote(Place),
}

/// A bucket, or a part of one, at a provider of object storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) kind: Kind,
    /// Azure calls it a container.
    pub(super) bucket: String,
    /// What every key begins with, without a slash at its end; empty for none.
    pub(super) prefix: String,
}

/// Whose language is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Google,
    Amazon,
    Azure,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Google, Self::Amazon, Self::Azure];

    pub(super) const fn scheme(self) -> &'static str {
        match self {
            Self::Google => "gs",
            Self::Amazon => "s3",
            Self::Azure => "az",
        }
    }
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
        scheme => match Kind::ALL.into_iter().find(|kind| kind.scheme() == scheme) {
            Some(kind) => {
                let place = place(kind, &url).map_err(|why| malformed(&why))?;
                let slash = if place.prefix.is_empty() { "" } else { "/" };
                let shown = format!("{scheme}://{}{slash}{}", place.bucket, place.prefix);
                Ok((Location::Remote(place), shown))
            }
            None => Err(Refused::UnknownScheme {
                url: redact(text),
                known: KNOWN.to_owned(),
            }),
        },
    }
}

fn place(kind: Kind, url: &Url) -> Result<Place, String> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err("credentials do not belong into it; give them by the environment".into());
    }
    let bucket = url.host_str().unwrap_or_default();
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if bucket.is_empty() || !bucket.bytes().all(legal) || url.port().is_some() {
        let scheme = kind.scheme();
        return Err(format!(
            "a bucket is {scheme}://name or {scheme}://name/prefix; its endpoint is given with --bucket-option"
        ));
    }
    let prefix = key::folder(url.path().trim_start_matches('/'));
    Ok(Place {
        kind,
        bucket: bucket.to_owned(),
        prefix: prefix.map_err(|refused| refused.to_string())?.to_owned(),
    })
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
    fn buckets_are_named_with_the_folder_in_them_that_is_meant() {
        for (text, bucket, prefix, shown) in [
            ("gs://my_video", "my_video", "", "gs://my_video"),
            ("gs://video/", "video", "", "gs://video"),
            (
                "s3://v.example.com/site/a/",
                "v.example.com",
                "site/a",
                "s3://v.example.com/site/a",
            ),
            ("az://container/x", "container", "x", "az://container/x"),
        ] {
            let (location, url) = parse(text).unwrap();
            let Location::Remote(place) = location else {
                panic!("{location:?}")
            };
            assert_eq!(
                (place.bucket.as_str(), place.prefix.as_str()),
                (bucket, prefix)
            );
            assert_eq!(url, shown);
        }
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
            ("gs://", "gs://name"),
            ("gs:///x", "gs://name"),
            ("s3://h:9000/b", "--bucket-option"),
            ("s3://b/a/../../c d", "is not a key"),
            ("az://account:key@c", "environment"),
        ] {
            match parse(text) {
                Err(Refused::Malformed { why, .. }) => assert!(why.contains(hint), "{text}: {why}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn an_unknown_scheme_is_told_the_known_ones() {
        for text in ["gcs://bucket", "ftp://h/x"] {
            match parse(text) {
                Err(Refused::UnknownScheme { url, known }) => {
                    assert_eq!((url.as_str(), known.as_str()), (text, KNOWN));
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
