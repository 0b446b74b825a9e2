//! Flags of `crispy up`.

use std::path::PathBuf;

use crispy_runtime::{Secret, cameras::CameraFlags, cut::CutFlags};

use crate::{output::Format, trace::JaegerFlags};

/// Run everything on this machine: a nats-server, an ingestor, an uploader and an inspector
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Up {
    #[command(flatten)]
    pub(super) cameras: CameraFlags,

    #[command(flatten)]
    pub(super) cut: CutFlags,

    /// Bucket as a URL: gs://bucket, s3://bucket, az://container or file:///some/folder [default:
    /// the folder "bucket" of the data directory]
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

    /// Format of stdout: a table at the end, or a line for each inspected chunk and a summary
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Format,

    /// Use this NATS server instead of starting one. NATS_URL alone never does
    // No environment variable: a demo must not create streams in production.
    #[arg(long, value_name = "URL")]
    pub nats_server: Option<Secret>,

    /// Port of the nats-server that is started [default: any free port]
    #[arg(long, value_name = "PORT", conflicts_with = "nats_server")]
    pub nats_port: Option<u16>,

    /// Replay this site's dead letters first, once their reason is fixed: as `crispy dead replay`
    /// does
    // Our own server runs no longer than `crispy up`, so with sources that end there may be no
    // later moment for `crispy dead replay`.
    #[arg(long)]
    pub replay: bool,

    /// Send traces to the Jaeger that runs on this machine, and print the page of one. =running:
    /// without Jaeger go on without traces
    #[arg(
        long,
        value_name = "MODE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "required"
    )]
    pub jaeger: Option<JaegerMode>,

    #[command(flatten)]
    pub(super) jaeger_url: JaegerFlags,

    /// The nats-server program [default: the one on PATH]
    #[arg(long, env = "CRISPY_NATS_SERVER_BIN", value_name = "FILE")]
    pub nats_server_bin: Option<PathBuf>,
}

/// Modes of `--jaeger`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum JaegerMode {
    /// It is an error if no Jaeger runs on this machine
    Required,
    /// Without Jaeger there are no traces
    Running,
}

const EXAMPLES: &str = "\
Examples:
  crispy up --camera front=clip.mp4
  crispy up --camera front=clip.mp4 --camera yard=other.mkv --bucket file:///srv/video --data-dir /var/lib/crispy --site shop-12
  crispy up --camera front=clip.mp4 --jaeger
  crispy up --camera front=clip.mp4 -o jsonl | jq 'select(.agrees == false)'

It ends when every source has ended and every chunk has been inspected. The same command again resumes where it was stopped, and uploads
nothing that is in the bucket. Dead letters keep their bytes until they are replayed by --replay or `crispy dead replay`.";
