//! Opens the bucket that the flags name.

use crate::{Exit, Failed};
use anyhow::anyhow;
use clap::Args;
use crispy_bucket::{Bucket, BucketOptions, OpenError};

/// The flags about buckets, beside their URLs.
#[derive(Clone, Debug, Default, Args)]
pub struct BucketFlags {
    /// Option of the bucket, such as region=eu-central-1 or endpoint=https://minio:9000; once for
    /// each (docs/buckets.md)
    #[arg(
        long,
        env = "CRISPY_BUCKET_OPTION",
        value_name = "KEY=VALUE",
        value_delimiter = ','
    )]
    pub bucket_option: Vec<String>,
}

/// Opens the bucket at `url`. A bucket in memory is refused: each process would have its own.
///
/// # Errors
/// [`Exit::UnknownScheme`] for an unknown scheme, [`Exit::Configuration`] for options that the
/// bucket does not take, else [`Exit::BucketUnavailable`].
pub fn open_bucket(url: &str, flags: &BucketFlags) -> Result<Bucket, Failed> {
    if url.starts_with("memory:") {
        let message = anyhow!(
            "bucket {url}: memory is not shared between processes; give a folder as file:///some/folder"
        );
        return Err(Failed::new(Exit::UnknownScheme, message));
    }
    let mut options = BucketOptions::from_environment();
    for text in &flags.bucket_option {
        options = options.with_option(text).map_err(|error| {
            let error = anyhow::Error::new(error).context("read --bucket-option");
            Failed::new(Exit::Configuration, error)
        })?;
    }
    Bucket::open_with(url, &options).map_err(|error| {
        let exit = match error {
            OpenError::UnknownScheme { .. } => Exit::UnknownScheme,
            OpenError::Options { .. } => Exit::Configuration,
            _ => Exit::BucketUnavailable,
        };
        Failed::new(exit, anyhow::Error::new(error).context("open the bucket"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refused_bucket_has_its_exit_code() {
        for (url, options, exit) in [
            ("ftp://x", &[][..], Exit::UnknownScheme),
            ("memory://", &[], Exit::UnknownScheme),
            ("gs://b", &["regoin=x"], Exit::Configuration),
            ("gs://b", &["no value"], Exit::Configuration),
            ("gs://b", &["allow_http=yes"], Exit::Configuration),
            ("s3://b", &["secret_access_key=x"], Exit::Configuration),
            ("gs://", &[], Exit::BucketUnavailable),
        ] {
            let bucket_option = options.iter().map(ToString::to_string).collect();
            let refused = open_bucket(url, &BucketFlags { bucket_option }).unwrap_err();
            assert_eq!(refused.exit, exit, "{url}: {:#}", refused.error);
        }
    }
}
