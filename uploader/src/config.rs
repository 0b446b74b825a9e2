//! What an uploader is told: where bytes are found, where they go, how many at a time.

use std::path::PathBuf;

/// Take descriptors from the queue and put their chunks into the bucket
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "crispy-uploader", version, after_help = EXAMPLES)]
pub struct Config {
    /// Bucket as a URL: gs://bucket, s3://bucket, az://container, each with or without a /prefix, or file:///some/folder
    #[arg(
        long,
        env = "CRISPY_BUCKET",
        value_name = "URL",
        hide_env_values = true
    )]
    pub bucket: String,

    /// What the bucket is told beside its URL.
    #[command(flatten)]
    pub options: stage::BucketFlags,

    /// A spool that this host can read, by its folder; once for each
    #[arg(
        long,
        env = "CRISPY_SPOOL",
        value_name = "DIR",
        default_value = "crispy-spool"
    )]
    pub spool: Vec<PathBuf>,

    /// Uploads at a time
    #[arg(long, env = "CRISPY_CONCURRENCY", value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub concurrency: u16,

    /// Where the queue is, and who asks.
    #[command(flatten)]
    pub nats: stage::NatsFlags,
}

const EXAMPLES: &str = "\
Examples:
  crispy-uploader --spool ./crispy-spool --bucket gs://my-video/site-12
  crispy-uploader --spool ./crispy-spool --bucket s3://video --bucket-option endpoint=https://minio:9000
  crispy-uploader --spool /mnt/a --spool /mnt/b --bucket file:///srv/video --nats-server nats://hub:4222

Start as many as you like, on any hosts that can read the spools: each takes what it has hands for.";
