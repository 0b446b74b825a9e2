//! `crispy-gcs-simulator`: Google Cloud Storage on this machine, in memory, for the load test, the
//! benchmark and trials by hand.
#![allow(clippy::print_stdout, reason = "its output is its purpose")]

use std::{io::Write, net::SocketAddr, time::Duration};

use clap::Parser;
use crispy_testbed::{GcsServer, gcs::Options};

/// Google Cloud Storage on this machine, in memory: its XML API, and the part of its JSON API that
/// clients use at their start.
///
/// It runs until a signal ends it. Its objects are gone then.
#[derive(Parser)]
#[command(name = "crispy-gcs-simulator", version)]
struct Cli {
    /// The address to listen on; port 0 is a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// A bucket that exists; can be given repeatedly
    #[arg(long, value_name = "NAME", default_value = GcsServer::BUCKET)]
    bucket: Vec<String>,

    /// Delay every response, as a distant bucket does
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = humantime::parse_duration)]
    latency: Duration,

    /// Answer 401 without a token from URL/token or from its metadata server
    #[arg(long)]
    token_required: bool,

    /// The lifetime of tokens
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = humantime::parse_duration)]
    token_lifetime: Duration,

    /// Keep at most so many bytes, and drop the oldest objects
    #[arg(long, value_name = "SIZE")]
    max_bytes: Option<bytesize::ByteSize>,
}

fn main() {
    let cli = Cli::parse();
    let gcs = GcsServer::start_with(Options {
        listen: cli.listen,
        buckets: cli.bucket.clone(),
        latency: cli.latency,
        token_required: cli.token_required,
        token_lifetime: cli.token_lifetime,
        max_bytes: cli.max_bytes.map(|size| size.as_u64()),
        ..Options::default()
    });
    println!("buckets: {}", cli.bucket.join(" "));
    println!("export STORAGE_EMULATOR_HOST={}", gcs.url());
    // The reader of a pipe waits for the line above.
    let _ = std::io::stdout().flush();
    loop {
        std::thread::park();
    }
}
