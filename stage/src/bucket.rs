//! From `--bucket` to a bucket.

use daemon::{Exit, Failed};
use store::bucket::{Bucket, OpenError};

/// Opens the bucket at `url`.
///
/// # Errors
/// [`Exit::UnknownScheme`] for a scheme that this version does not know, else [`Exit::BucketUnavailable`].
pub fn open_bucket(url: &str) -> Result<Bucket, Failed> {
    Bucket::open(url).map_err(|error| {
        let exit = match error {
            OpenError::UnknownScheme { .. } => Exit::UnknownScheme,
            _ => Exit::BucketUnavailable,
        };
        Failed::new(exit, anyhow::Error::new(error).context("open the bucket"))
    })
}
