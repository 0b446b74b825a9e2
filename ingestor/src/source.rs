//! Which sources are tried at all: what ends, and can be identified and continued. FFmpeg would open more.

use std::path::Path;

use crispy_runtime::{Exit, Redacted};

use crate::remote;

/// A source that is not even tried.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A camera or another stream.
    #[error(
        "{location}: this version records video files and playlists, by path or by http:// and https://; sources by {scheme}:// come with a later one"
    )]
    Scheme {
        /// The source, without secrets.
        location: String,
        /// What it begins with.
        scheme: String,
    },
    /// Without a size, and read only once: it could be neither identified nor continued.
    #[error("{location} is not a regular file")]
    Irregular {
        /// The source, without secrets.
        location: String,
    },
}

impl Refused {
    /// What an operator's script is told.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Scheme { .. } => Exit::Configuration,
            Self::Irregular { .. } => Exit::SourceUnreadable,
        }
    }
}

/// Where a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// On this machine.
    File(&'a Path),
    /// On a server that speaks HTTP.
    Remote,
}

/// Where a location leads.
pub fn place(location: &str) -> Result<Place<'_>, Refused> {
    if remote::is_remote(location) {
        return Ok(Place::Remote);
    }
    file(location).map(Place::File)
}

/// The file that a location names.
fn file(location: &str) -> Result<&Path, Refused> {
    let shown = || Redacted(location).to_string();
    let path = match location.split_once("://") {
        None => location,
        Some(("file", path)) => path,
        // A folder may have a colon at the end of its name.
        Some((scheme, _)) if scheme.contains('/') => location,
        Some((scheme, _)) => {
            return Err(Refused::Scheme {
                location: shown(),
                scheme: scheme.to_owned(),
            });
        }
    };
    let path = Path::new(path);
    match path.metadata() {
        Ok(facts) if !facts.is_file() && !facts.is_dir() => {
            Err(Refused::Irregular { location: shown() })
        }
        // What is not there, a folder, or not ours to see has a message of its own where it is opened.
        _ => Ok(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_and_http_are_tried() {
        for (location, path) in [
            ("clip.mp4", "clip.mp4"),
            ("file:///a/clip.mp4", "/a/clip.mp4"),
            ("./a://b.mp4", "./a://b.mp4"),
            ("/", "/"),
        ] {
            assert_eq!(file(location), Ok(Path::new(path)));
        }
        for location in [
            "rtsp://u:S3CRET@cam/main",
            "ftp://cam/v",
            "concat://a|b",
            "FILE:///a",
        ] {
            let refused = file(location).unwrap_err();
            let said = refused.to_string();
            assert_eq!(refused.exit(), Exit::Configuration);
            assert!(
                said.contains("come with a later one") && !said.contains("S3CRET"),
                "{said}"
            );
        }
    }

    #[test]
    fn http_leads_to_a_server() {
        for location in ["http://cam/v.mp4", "https://u:p@cam/v.m3u8?a=b"] {
            assert_eq!(place(location), Ok(Place::Remote));
        }
    }

    #[test]
    fn a_device_is_not_a_file() {
        let refused = file("/dev/null").unwrap_err();
        assert_eq!(refused.exit(), Exit::SourceUnreadable);
        assert_eq!(refused.to_string(), "/dev/null is not a regular file");
    }
}
