//! What an ingestor is told: which cameras, cut how, kept where, published to whom.

use std::{path::PathBuf, time::Duration};

/// Cut cameras and video files into chunks, keep them in a spool, and publish their descriptors
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "crispy-ingestor", version, after_help = EXAMPLES)]
pub struct Config {
    /// A camera as NAME=SOURCE, the source a path or URL; once for each camera
    // Checked by `daemon::cameras`: a wrong name has an exit code of its own.
    #[arg(
        long = "camera",
        env = "CRISPY_CAMERA",
        value_name = "NAME=SOURCE",
        value_delimiter = '\n',
        required = true,
        hide_env_values = true
    )]
    pub camera: Vec<String>,

    /// The site that the cameras stand at
    #[arg(long, env = "CRISPY_SITE", default_value = "local")]
    pub site: String,

    /// Folder that keeps chunks until the bucket has them
    #[arg(
        long,
        env = "CRISPY_SPOOL",
        value_name = "DIR",
        default_value = "crispy-spool"
    )]
    pub spool: PathBuf,

    /// Bytes that the spool may hold; at the limit a file waits
    #[arg(long, env = "CRISPY_SPOOL_LIMIT", value_name = "SIZE", default_value = "10GiB", value_parser = daemon::config::size)]
    pub spool_limit: u64,

    /// Length of a chunk, 100ms to 1h; cuts fall on the first key frame at or after each multiple of it
    #[arg(long, env = "CRISPY_WINDOW", value_name = "DURATION", default_value = "3s", value_parser = window)]
    pub window: Duration,

    /// Where the queue is, and who asks.
    #[command(flatten)]
    pub nats: stage::NatsFlags,
}

const EXAMPLES: &str = "\
Examples:
  crispy-ingestor --camera front=clip.mp4
  crispy-ingestor --site shop-12 --camera till=till.mkv --camera door=door.ts --window 10s --nats-server nats://hub:4222

It ends when every source has ended and every chunk of it is in the bucket.";

/// From a frame of slow video to what is still a sensible object.
fn window(text: &str) -> Result<Duration, String> {
    let window = daemon::config::duration(text).map_err(|error| error.to_string())?;
    let allowed = Duration::from_millis(100)..=Duration::from_secs(3600);
    allowed
        .contains(&window)
        .then_some(window)
        .ok_or_else(|| "a window lasts from 100ms to 1h".into())
}
