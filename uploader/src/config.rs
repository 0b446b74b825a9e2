//! Configuration of an uploader.

use std::path::PathBuf;

use crate::rate_limiter::Rate;

/// Take descriptors from the queue and put their chunks into the bucket
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "crispy-uploader", version, after_help = EXAMPLES)]
pub struct Config {
    /// Bucket as a URL: gs://bucket, s3://bucket, az://container, each with or without a /prefix,
    /// or file:///some/folder
    #[arg(
        long,
        env = "CRISPY_BUCKET",
        value_name = "URL",
        hide_env_values = true
    )]
    pub bucket: String,

    /// Options of the bucket.
    #[command(flatten)]
    pub options: crispy_runtime::BucketFlags,

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

    /// Bytes of chunks in memory at a time, read and not yet uploaded; a chunk that is larger
    /// passes alone
    // Eight ordinary chunks are 12 MB. Four of the largest chunks (64 MiB) fit at once, on hosts of
    // 512 MB.
    #[arg(long, env = "CRISPY_MAX_IN_FLIGHT", value_name = "SIZE", default_value = "256MiB", value_parser = crispy_runtime::settings::size)]
    pub max_in_flight: u64,

    /// Bytes a second that leave at most, all uploads together, like 50MiB/s; without it, what the
    /// network takes
    #[arg(long, env = "CRISPY_MAX_UPLOAD_RATE", value_name = "RATE")]
    pub max_upload_rate: Option<Rate>,

    /// Address and credentials of the queue.
    #[command(flatten)]
    pub nats: crispy_runtime::NatsFlags,
}

const EXAMPLES: &str = "\
Examples:
  crispy-uploader --spool ./crispy-spool --bucket gs://my-video/site-12
  crispy-uploader --spool ./crispy-spool --bucket s3://video --bucket-option endpoint=https://minio:9000
  crispy-uploader --spool ./crispy-spool --bucket gs://my-video --max-upload-rate 5MiB/s
  crispy-uploader --spool /mnt/a --spool /mnt/b --bucket file:///srv/video --nats-server nats://hub:4222

Start as many as you like, on any hosts that can read the spools: each takes as much work as it has capacity for.";
