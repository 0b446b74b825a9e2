//! What an inspector is told: which buckets it reads, and how many chunks at a time.

/// Read a little of each uploaded chunk back, hold it against its descriptor, and log what it is
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "crispy-inspector", version, after_help = EXAMPLES)]
pub struct Config {
    /// A bucket that uploaders write to, as a URL: gs://bucket, s3://bucket, az://container or file:///some/folder; once for each
    #[arg(
        long,
        env = "CRISPY_BUCKET",
        value_name = "URL",
        hide_env_values = true,
        required = true
    )]
    pub bucket: Vec<String>,

    /// What each of these buckets is told beside its URL.
    #[command(flatten)]
    pub options: crispy_runtime::BucketFlags,

    /// Inspections at a time
    #[arg(long, env = "CRISPY_CONCURRENCY", value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub concurrency: u16,

    /// Where the queue is, and who asks.
    #[command(flatten)]
    pub nats: crispy_runtime::NatsFlags,
}

const EXAMPLES: &str = "\
Examples:
  crispy-inspector --bucket gs://my-video/site-12
  crispy-inspector --bucket file:///srv/video --log-chunks problems --nats-server nats://hub:4222";
