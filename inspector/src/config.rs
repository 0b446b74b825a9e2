//! Configuration of an inspector.

/// Read a little of each uploaded chunk back, compare it with its descriptor, and log the result
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "crispy-inspector", version, after_help = EXAMPLES)]
pub struct Config {
    /// A bucket that uploaders write to, as a URL: gs://bucket, s3://bucket, az://container or
    /// file:///some/folder; once for each
    #[arg(
        long,
        env = "CRISPY_BUCKET",
        value_name = "URL",
        hide_env_values = true,
        required = true
    )]
    pub bucket: Vec<String>,

    /// Options of these buckets.
    #[command(flatten)]
    pub options: crispy_runtime::BucketFlags,

    /// Inspections at a time
    #[arg(long, env = "CRISPY_CONCURRENCY", value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub concurrency: u16,

    /// Address and credentials of the queue.
    #[command(flatten)]
    pub nats: crispy_runtime::NatsFlags,
}

const EXAMPLES: &str = "\
Examples:
  crispy-inspector --bucket gs://my-video/site-12
  crispy-inspector --bucket file:///srv/video --log-chunks problems --nats-server nats://hub:4222";
