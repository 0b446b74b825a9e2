//! What an ingestor is told: which cameras, cut how, kept where, published to whom.

use std::path::PathBuf;

use crispy_runtime::{cameras::CameraFlags, cut::CutFlags};

use crate::probe::Probe;

/// Cut cameras and video files into chunks, keep them in a spool, and publish their descriptors
#[derive(Clone, Debug, clap::Parser)]
#[command(
    name = "crispy-ingestor",
    version,
    after_help = EXAMPLES,
    subcommand_negates_reqs = true,
    args_conflicts_with_subcommands = true
)]
pub struct Program {
    /// What there is to do instead of recording.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// What to record.
    #[command(flatten)]
    pub config: Config,
}

/// What there is to do beside recording.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Command {
    /// Tell what a video file or URL is, how it would be cut and what to look out for; nothing is recorded
    Probe(Box<Probe>),
}

/// How to record.
#[derive(Clone, Debug, clap::Args)]
pub struct Config {
    /// What to record.
    #[command(flatten)]
    pub cameras: CameraFlags,

    /// How to cut it.
    #[command(flatten)]
    pub cut: CutFlags,

    /// Folder that keeps chunks until the bucket has them
    #[arg(
        long,
        env = "CRISPY_SPOOL",
        value_name = "DIR",
        default_value = "crispy-spool"
    )]
    pub spool: PathBuf,

    /// Bytes that the spool may hold; at the limit a file waits
    #[arg(long, env = "CRISPY_SPOOL_LIMIT", value_name = "SIZE", default_value = "10GiB", value_parser = crispy_runtime::settings::size)]
    pub spool_limit: u64,

    /// Where the queue is, and who asks.
    #[command(flatten)]
    pub nats: crispy_runtime::NatsFlags,
}

const EXAMPLES: &str = "\
Examples:
  crispy-ingestor --camera front=clip.mp4
  crispy-ingestor probe clip.mp4
  crispy-ingestor --site shop-12 --camera till=till.mkv --camera door=door.ts --window 10s --nats-server nats://hub:4222

It ends when every source has ended and every chunk of it is in the bucket.";
