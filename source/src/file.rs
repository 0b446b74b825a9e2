//! Files on this machine, and the locations that are accepted at all: sources that end, and that
//! can be identified and continued. FFmpeg would open more.

use std::path::Path;

use crispy_media::{Chunks, OpenOptions, redact};

use crate::{OpenError, fingerprint::Fingerprint};

/// Opens the file that a path or `file://` URL names.
pub(crate) fn open(options: &OpenOptions) -> Result<(Chunks, Fingerprint), OpenError> {
    let path = path(&options.location)?;
    let location = path.to_string_lossy().into_owned();
    let chunks = Chunks::open(&OpenOptions {
        location,
        ..options.clone()
    })?;
    let fingerprint = Fingerprint::read(path).map_err(|source| OpenError::Fingerprint {
        location: redact(&options.location),
        source,
    })?;
    Ok((chunks, fingerprint))
}

/// The path of a file.
fn path(location: &str) -> Result<&Path, OpenError> {
    let path = match location.split_once("://") {
        None => location,
        Some(("file", path)) => path,
        // A folder may have a colon at the end of its name.
        Some((scheme, _)) if scheme.contains('/') => location,
        Some((scheme, _)) => {
            return Err(OpenError::UnsupportedScheme {
                location: redact(location),
                scheme: scheme.to_owned(),
            });
        }
    };
    let path = Path::new(path);
    match path.metadata() {
        Ok(metadata) if !metadata.is_file() && !metadata.is_dir() => {
            Err(OpenError::IrregularFile {
                location: redact(location),
            })
        }
        // A missing or unreadable file and a folder have their own errors where they are opened.
        _ => Ok(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_file_urls_are_accepted() {
        for (location, expected) in [
            ("clip.mp4", "clip.mp4"),
            ("file:///a/clip.mp4", "/a/clip.mp4"),
            ("./a://b.mp4", "./a://b.mp4"),
            ("/", "/"),
        ] {
            assert_eq!(path(location).unwrap(), Path::new(expected));
        }
    }

    #[test]
    fn other_schemes_are_refused_without_their_password() {
        for location in [
            "rtsp://u:S3CRET@cam/main",
            "ftp://cam/v",
            "concat://a|b",
            "FILE:///a",
        ] {
            let error = path(location).unwrap_err();
            let message = error.to_string();
            assert!(matches!(error, OpenError::UnsupportedScheme { .. }));
            assert!(
                message.contains("come with a later one") && !message.contains("S3CRET"),
                "{message}"
            );
        }
    }

    #[test]
    fn a_device_is_not_a_file() {
        let error = path("/dev/null").unwrap_err();
        assert_eq!(error.to_string(), "/dev/null is not a regular file");
    }
}
