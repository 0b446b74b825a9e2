//! Bucket URLs, parsed without a look at the disk. Pure.

use std::path::PathBuf;

use url::Url;

use crate::{OpenError, key, redact};

/// The schemes that this version opens.
const KNOWN: &str = "gs://, s3://, az://, file:// and memory://";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Location {
    Folder(PathBuf),
    Memory,
    Remote(RemoteLocation),
}

/// A bucket, or a part of one, at a provider of object storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RemoteLocation {
    pub(super) provider: Provider,
    /// Azure calls it a container.
    pub(super) bucket: String,
    /// The start of every key, without a slash at its end; empty for none.
    pub(super) prefix: String,
}

/// A protocol of object storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Provider {
    Google,
    Amazon,
    Azure,
}

impl Provider {
    const ALL: [Self; 3] = [Self::Google, Self::Amazon, Self::Azure];

    const fn scheme(self) -> &'static str {
        match self {
            Self::Google => "gs",
            Self::Amazon => "s3",
            Self::Azure => "az",
        }
    }
}

/// The location, and its URL for output.
pub(super) fn parse(text: &str) -> Result<(Location, String), OpenError> {
    let malformed = |why: &str| OpenError::Malformed {
        url: redact::url(text),
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
        scheme => match Provider::ALL.into_iter().find(|one| one.scheme() == scheme) {
            Some(provider) => {
                let remote = remote(provider, &url).map_err(|why| malformed(&why))?;
                let slash = if remote.prefix.is_empty() { "" } else { "/" };
                let shown = format!("{scheme}://{}{slash}{}", remote.bucket, remote.prefix);
                Ok((Location::Remote(remote), shown))
            }
            None => Err(OpenError::UnknownScheme {
                url: redact::url(text),
                known: KNOWN.to_owned(),
            }),
        },
    }
}

fn remote(provider: Provider, url: &Url) -> Result<RemoteLocation, String> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it must not contain credentials; give them by the environment".into());
    }
    let bucket = url.host_str().unwrap_or_default();
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if bucket.is_empty() || !bucket.bytes().all(legal) || url.port().is_some() {
        let scheme = provider.scheme();
        return Err(format!(
            "a bucket is {scheme}://name or {scheme}://name/prefix; its endpoint is given with --bucket-option"
        ));
    }
    let prefix = key::folder(url.path().trim_start_matches('/'));
    Ok(RemoteLocation {
        provider,
        bucket: bucket.to_owned(),
        prefix: prefix.map_err(|fault| fault.to_string())?.to_owned(),
    })
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
    fn a_bucket_url_may_have_a_prefix() {
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
            let Location::Remote(remote) = location else {
                panic!("{location:?}")
            };
            assert_eq!(
                (remote.bucket.as_str(), remote.prefix.as_str()),
                (bucket, prefix)
            );
            assert_eq!(url, shown);
        }
    }

    #[test]
    fn a_malformed_url_is_refused_with_its_correction() {
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
                Err(OpenError::Malformed { why, .. }) => {
                    assert!(why.contains(hint), "{text}: {why}")
                }
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn an_unknown_scheme_is_refused_with_the_known_ones() {
        for text in ["gcs://bucket", "ftp://h/x"] {
            match parse(text) {
                Err(OpenError::UnknownScheme { url, known }) => {
                    assert_eq!((url.as_str(), known.as_str()), (text, KNOWN));
                }
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn no_error_shows_a_secret() {
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
            let shown = format!("{:?}", parse(text).unwrap_err());
            assert!(
                !shown.contains("secret") && !shown.contains("ret@"),
                "{text}: {shown}"
            );
        }
    }
}
