//! From `--bucket` to a bucket.

use anyhow::anyhow;
use daemon::{Exit, Failed};
use store::bucket::{Bucket, OpenError};

/// Opens the bucket at `url`. One in memory is refused: each process would have its own, and none would find another's objects.
///
/// # Errors
/// [`Exit::UnknownScheme`] for a scheme that this version does not know, else [`Exit::BucketUnavailable`].
pub fn open_bucket(url: &str) -> Result<Bucket, Failed> {
    if url.starts_with("memory:") {
        let message = anyhow!(
            "bucket {url}: memory is not shared between processes; give a folder as file:///some/folder"
        );
        return Err(Failed::new(Exit::UnknownScheme, message));
    }
    Bucket::open(url).map_err(|error| {
        let exit = match error {
            OpenError::UnknownScheme { .. } => Exit::UnknownScheme,
            _ => Exit::BucketUnavailable,
        };
        Failed::new(exit, anyhow::Error::new(error).context("open the bucket"))
    })
}
