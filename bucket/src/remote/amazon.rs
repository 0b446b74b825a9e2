//! S3, and the many stores with its protocol.
//!
//! Credentials and region come from the environment (`AWS_*`), in object_store's words and order:
//! keys; a web identity and a role; a container's role; the machine's role. Files in `~/.aws` are
//! not read.

use std::sync::Arc;

use object_store::{
    ObjectStore,
    aws::{AmazonS3Builder, AmazonS3ConfigKey, Checksum},
};

use super::{
    StoreSetup, check_tls, client_options, endpoint,
    http::{Connector, Timeouts, no_retries},
    settings, without_slash,
};
use crate::{BucketOptions, location::RemoteLocation};

/// S3's own default.
const REGION: &str = "us-east-1";

pub(super) fn setup(
    location: &RemoteLocation,
    options: &BucketOptions,
    timeouts: Timeouts,
) -> Result<StoreSetup, String> {
    let mut builder = AmazonS3Builder::new().with_checksum_algorithm(Checksum::SHA256);
    for (key, value) in settings::<AmazonS3ConfigKey>(options, "AWS_") {
        // Client settings are those of `http`.
        if !matches!(key, AmazonS3ConfigKey::Client(_)) {
            builder = builder.with_config(key, value);
        }
    }
    let set = |key| builder.get_config_value(&key);
    let region = set(AmazonS3ConfigKey::Region).unwrap_or_else(|| REGION.to_owned());
    let given = set(AmazonS3ConfigKey::S3Endpoint).or(set(AmazonS3ConfigKey::Endpoint));
    let virtual_hosted =
        set(AmazonS3ConfigKey::VirtualHostedStyleRequest).as_deref() == Some("true");
    let endpoint = match &given {
        Some(given) => {
            let endpoint = endpoint(given)?;
            check_tls(&endpoint, options)?;
            endpoint
        }
        None => endpoint(&format!("https://s3.{region}.amazonaws.com"))?,
    };
    let bucket = location.bucket.clone();
    let base = match given {
        Some(_) if virtual_hosted => without_slash(&endpoint).to_owned(),
        // A certificate covers one label, and a name with dots is several.
        None if !bucket.contains('.') => format!("https://{bucket}.s3.{region}.amazonaws.com"),
        _ => format!("{}/{bucket}", without_slash(&endpoint)),
    };
    let builder = builder
        .with_bucket_name(&bucket)
        .with_client_options(client_options(&endpoint, timeouts))
        .with_http_connector(Connector(timeouts))
        .with_retry(no_retries());
    Ok(StoreSetup {
        make: Box::new(move || Ok(Arc::new(builder.clone().build()?) as Arc<dyn ObjectStore>)),
        endpoint,
        link: Box::new(move |key, version| match version {
            "" => format!("{base}/{key}"),
            version => format!("{base}/{key}?versionId={version}"),
        }),
    })
}
