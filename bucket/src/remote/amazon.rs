//! S3, and the many stores that speak as it does.
//!
//! Who we are, and where, is told by the environment (`AWS_*`), in object_store's words and order: keys; a web identity and a role; a
//! container's role; the machine's role. Files in `~/.aws` are not read.

use std::sync::Arc;

use object_store::{
    ObjectStore,
    aws::{AmazonS3Builder, AmazonS3ConfigKey, Checksum},
};

use super::{
    super::{BucketOptions, location::Place},
    Provider, Why, check_line, client_options, endpoint, settings, text_of,
    wire::{Patience, Wire, retries_off},
};

/// S3's own default, where nobody says another.
const REGION: &str = "us-east-1";

pub(super) fn provider(
    place: &Place,
    options: &BucketOptions,
    patience: Patience,
) -> Result<Provider, Why> {
    let mut builder = AmazonS3Builder::new().with_checksum_algorithm(Checksum::SHA256);
    for (key, value) in settings::<AmazonS3ConfigKey>(options, "AWS_") {
        // What concerns the client is the wire's.
        if !matches!(key, AmazonS3ConfigKey::Client(_)) {
            builder = builder.with_config(key, value);
        }
    }
    let asked = |key| builder.get_config_value(&key);
    let region = asked(AmazonS3ConfigKey::Region).unwrap_or_else(|| REGION.to_owned());
    let given = asked(AmazonS3ConfigKey::S3Endpoint).or(asked(AmazonS3ConfigKey::Endpoint));
    let virtual_hosted =
        asked(AmazonS3ConfigKey::VirtualHostedStyleRequest).as_deref() == Some("true");
    let endpoint = match &given {
        Some(given) => {
            let endpoint = endpoint(given)?;
            check_line(&endpoint, options)?;
            endpoint
        }
        None => endpoint(&format!("https://s3.{region}.amazonaws.com"))?,
    };
    let bucket = place.bucket.clone();
    let base = match given {
        Some(_) if virtual_hosted => text_of(&endpoint).to_owned(),
        // A certificate covers one label, and a name with dots is several.
        None if !bucket.contains('.') => format!("https://{bucket}.s3.{region}.amazonaws.com"),
        _ => format!("{}/{bucket}", text_of(&endpoint)),
    };
    let builder = builder
        .with_bucket_name(&bucket)
        .with_client_options(client_options(&endpoint, patience))
        .with_http_connector(Wire(patience))
        .with_retry(retries_off());
    Ok(Provider {
        make: Box::new(move || Ok(Arc::new(builder.clone().build()?) as Arc<dyn ObjectStore>)),
        endpoint,
        link: Box::new(move |key, version| match version {
            "" => format!("{base}/{key}"),
            version => format!("{base}/{key}?versionId={version}"),
        }),
    })
}
