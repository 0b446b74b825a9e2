//! What `crispy up` is told.

use std::path::PathBuf;

use crispy_runtime::Secret;
use crispy_runtime::{cameras::CameraFlags, cut::CutFlags};

use crate::trace::JaegerFlags;

/// Run everything on this machine: a nats-server, an ingestor, an uploader and an inspector
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Up {
    #[command(flatten)]
    pub(super) cameras: CameraFlags,

    #[command(flatten)]
    pub(super) cut: CutFlags,

    /// Bucket as a URL: gs://bucket, s3://bucket, az://container or file:///some/folder [default: the folder "bucket" of the data directory]
    #[arg(
        long,
        env = "CRISPY_BUCKET",
        value_name = "URL",
        hide_env_values = true
    )]
    pub bucket: Option<String>,

    #[command(flatten)]
    pub(super) options: crispy_runtime::BucketFlags,

    /// Folder for the queue, the spool and the logs
    #[arg(
        long,
        env = "CRISPY_DATA_DIR",
        value_name = "DIR",
        default_value = "crispy-data"
    )]
    pub data_dir: PathBuf,

    /// What is written to stdout
    #[arg(short, long, value_name = "FORM", default_value = "table")]
    pub output: Output,

    /// Use this NATS server instead of starting one. NATS_URL alone never does
    // No environment variable: a demo must not make streams in production.
    #[arg(long, value_name = "URL")]
    pub nats_server: Option<Secret>,

    /// Port of the nats-server that is started [default: any that is free]
    #[arg(long, value_name = "PORT", conflicts_with = "nats_server")]
    pub nats_port: Option<u16>,

    /// Send again what was given up earlier at this site, now that the reason is mended: as `crispy dead replay` does
    // A server of its own runs no longer than `crispy up` does, so with sources that end there may be nobody to ask for it later.
    #[arg(long)]
    pub replay: bool,

    /// Make traces and look at them in Jaeger: in the one that runs on this machine, else in one that is started from PATH and stays until Ctrl-C. =running starts none
    #[arg(
        long,
        value_name = "WHICH",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "start"
    )]
    pub jaeger: Option<WhichJaeger>,

    #[command(flatten)]
    pub(super) jaeger_url: JaegerFlags,

    /// The nats-server program [default: the one on PATH]
    #[arg(long, env = "CRISPY_NATS_SERVER_BIN", value_name = "FILE")]
    pub nats_server_bin: Option<PathBuf>,
}

/// Which Jaeger is meant by `--jaeger`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum WhichJaeger {
    /// One that runs on this machine, else one that is started
    Start,
    /// One that runs on this machine; no traces where there is none
    Running,
}

/// What is written to stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Output {
    /// A table when all is done
    Table,
    /// One JSON object a line: each chunk as it is inspected, and a summary
    Jsonl,
}

const EXAMPLES: &str = "\
Examples:
  crispy up --camera front=clip.mp4
  crispy up --camera front=clip.mp4 --camera yard=other.mkv --bucket file:///srv/video --data-dir /var/lib/crispy --site shop-12
  crispy up --camera front=clip.mp4 --jaeger
  crispy up --camera front=clip.mp4 -o jsonl | jq 'select(.agrees == false)'

It ends when every source has ended and every chunk of it has been inspected. The same command again goes on where it was stopped, and
uploads nothing that the bucket has. What was given up waits, with its bytes, until it is sent again by --replay or `crispy dead replay`.";
