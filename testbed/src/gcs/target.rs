//! What a request is about, read from its path: pure.
//!
//! Google serves its two languages from hosts and paths that never meet; on one address, buckets cannot be called `storage`, `upload`,
//! `download`, `token` or `computeMetadata`.

use percent_encoding::percent_decode_str;

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// `/bucket`
    XmlBucket(String),
    /// `/bucket/key`
    XmlObject(String, String),
    /// `/storage/v1/b/bucket`
    JsonBucket(String),
    /// `/storage/v1/b/bucket/iam/testPermissions`
    JsonPermissions(String),
    /// `/storage/v1/b/bucket/o`
    JsonObjects(String),
    /// `/storage/v1/b/bucket/o/key`
    JsonObject(String, String),
    /// `/download/storage/v1/b/bucket/o/key`
    JsonMedia(String, String),
    /// `/upload/storage/v1/b/bucket/o`
    JsonUpload(String),
    /// `/token`
    Token,
    /// `/computeMetadata/v1/...`
    Metadata(String),
    /// Nothing that is known here.
    Nothing,
}

impl Target {
    /// Percent signs are resolved after the path is taken apart, so that a key may come with slashes or without.
    pub(crate) fn of(path: &str) -> Self {
        let path = path.trim_start_matches('/');
        if path == "token" {
            return Self::Token;
        }
        if let Some(rest) = path.strip_prefix("computeMetadata/v1/") {
            return Self::Metadata(rest.to_owned());
        }
        if let Some(rest) = path.strip_prefix("upload/storage/v1/b/") {
            return match json(rest) {
                Self::JsonObjects(bucket) => Self::JsonUpload(bucket),
                _ => Self::Nothing,
            };
        }
        if let Some(rest) = path.strip_prefix("download/storage/v1/b/") {
            return match json(rest) {
                Self::JsonObject(bucket, key) => Self::JsonMedia(bucket, key),
                _ => Self::Nothing,
            };
        }
        if let Some(rest) = path.strip_prefix("storage/v1/b/") {
            return json(rest);
        }
        match path.split_once('/') {
            None | Some((_, "")) if path.trim_end_matches('/').is_empty() => Self::Nothing,
            None => Self::XmlBucket(decode(path)),
            Some((bucket, "")) => Self::XmlBucket(decode(bucket)),
            Some((bucket, key)) => Self::XmlObject(decode(bucket), decode(key)),
        }
    }

    /// The key of the object that is meant, if it is one.
    pub(crate) fn key(&self) -> Option<&str> {
        match self {
            Self::XmlObject(_, key) | Self::JsonObject(_, key) | Self::JsonMedia(_, key) => {
                Some(key)
            }
            _ => None,
        }
    }

    /// Whether it is about tokens and not about objects.
    pub(crate) fn is_of_tokens(&self) -> bool {
        matches!(self, Self::Token | Self::Metadata(_))
    }

    /// Whether it speaks XML.
    pub(crate) fn is_xml(&self) -> bool {
        matches!(self, Self::XmlBucket(_) | Self::XmlObject(..))
    }
}

/// What follows `/storage/v1/b/`.
fn json(rest: &str) -> Target {
    let (bucket, rest) = rest.split_once('/').unwrap_or((rest, ""));
    let bucket = decode(bucket);
    match rest.trim_end_matches('/') {
        "" => Target::JsonBucket(bucket),
        "iam/testPermissions" => Target::JsonPermissions(bucket),
        "o" => Target::JsonObjects(bucket),
        object => match object.strip_prefix("o/") {
            Some(key) => Target::JsonObject(bucket, decode(key)),
            None => Target::Nothing,
        },
    }
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_may_come_with_slashes_or_with_percent_signs() {
        let wanted = Target::XmlObject("b".into(), "v1/a b".into());
        assert_eq!(Target::of("/b/v1/a%20b"), wanted);
        assert_eq!(Target::of("/b/v1%2Fa%20b"), wanted);
        let wanted = Target::JsonMedia("b".into(), "v1/a".into());
        assert_eq!(Target::of("/download/storage/v1/b/b/o/v1%2Fa"), wanted);
    }

    #[test]
    fn each_door_is_told_from_the_others() {
        assert_eq!(Target::of("/"), Target::Nothing);
        assert_eq!(Target::of("/b"), Target::XmlBucket("b".into()));
        assert_eq!(Target::of("/b/"), Target::XmlBucket("b".into()));
        assert_eq!(Target::of("/token"), Target::Token);
        assert_eq!(
            Target::of("/storage/v1/b/b"),
            Target::JsonBucket("b".into())
        );
        assert_eq!(
            Target::of("/storage/v1/b/b/iam/testPermissions"),
            Target::JsonPermissions("b".into())
        );
        assert_eq!(
            Target::of("/upload/storage/v1/b/b/o"),
            Target::JsonUpload("b".into())
        );
        assert!(Target::of("/computeMetadata/v1/x").is_of_tokens());
    }
}
