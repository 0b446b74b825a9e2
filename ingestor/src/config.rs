//! Command line and settings: cameras, cutting, spool, queue.

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
pub struct Config {
    /// A command other than recording.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// Settings of recording.
    #[command(flatten)]
    pub(crate) record: RecordFlags,
}

/// Commands other than recording.
#[derive(Clone, Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Report on a video file or URL, its cutting and its problems; nothing is recorded
    Probe(Box<Probe>),
}

/// Settings of recording.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct RecordFlags {
    /// The sources.
    #[command(flatten)]
    pub(crate) cameras: CameraFlags,

    /// Their cutting.
    #[command(flatten)]
    pub(crate) cut: CutFlags,

    /// Folder that keeps chunks until the bucket has them
    #[arg(
        long,
        env = "CRISPY_SPOOL",
        value_name = "DIR",
        default_value = "crispy-spool"
    )]
    pub(crate) spool: PathBuf,

    /// Bytes that the spool may hold; at the limit a file waits
    #[arg(
        long,
        env = "CRISPY_SPOOL_LIMIT",
        value_name = "SIZE",
        default_value = "10GiB",
        value_parser = crispy_runtime::settings::size
    )]
    pub(crate) spool_limit: u64,

    /// The queue's servers and credentials.
    #[command(flatten)]
    pub(crate) nats: crispy_runtime::NatsFlags,
}

const EXAMPLES: &str = "\
Examples:
  crispy-ingestor --camera front=clip.mp4
  crispy-ingestor probe clip.mp4
  crispy-ingestor --site shop-12 --camera till=till.mkv --camera door=door.ts --window 10s --nats-server nats://hub:4222

It ends when every source has ended and every chunk of it is in the bucket.";
