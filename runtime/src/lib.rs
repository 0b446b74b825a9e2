//! One process of the system: settings, logs, telemetry, health, signals, exit codes, and the
//! connections that flags name.
//!
//! Every program is a `main.rs` that calls [`main`], so all programs start and end alike:
//!
//! ```text
//!   argv ── CRISPY_* ── crispy.toml ── defaults
//!                 │
//!             settings ─► export, logging ─► signals ─► health ─► run(config, stop) ─► Exit
//!                 │                          │                     │    ▲              ▲
//!                 └── wrong: exit 2, 13      ├─ first signal: Stop ┘    │              │
//!                                            └─ second signal, at once ─┼─── 130, 143 ─┤
//!                                                                       └─── Failed ───┘
//! ```
//!
//! ```no_run
//! # mod uploader {
//! #     #[derive(clap::Parser)] pub struct Config {}
//! #     pub async fn run(
//! #         _: Config,
//! #         _: crispy_runtime::Stop,
//! #     ) -> Result<(), crispy_runtime::Failed> {
//! #         Ok(())
//! #     }
//! # }
//! use crispy_runtime::{About, Role, Threads};
//!
//! fn main() -> std::process::ExitCode {
//!     let about = About {
//!         name: "crispy-uploader",
//!         version: env!("CARGO_PKG_VERSION"),
//!         role: Role::Daemon,
//!         threads: Threads::Few,
//!     };
//!     crispy_runtime::main::<uploader::Config, _, _>(&about, uploader::run)
//! }
//! ```
//!
//! * [`main`] starts and ends a program; [`About`] describes it.
//! * [`settings`] puts flags over environment over `crispy.toml` over defaults, and reads
//!   durations, sizes, [`cameras`], [`cut`] settings, and the flags of queue and bucket.
//! * [`logging`] writes lines to stderr: for people on a terminal, JSON elsewhere.
//! * [`export`] makes traces and metrics and sends them, on request; the crate `telemetry` defines
//!   them.
//! * [`health`] reports liveness and readiness, on admin pages and to systemd.
//! * [`Stop`] is the request to stop. It is an argument, never a global.
//! * [`Exit`] is the one table of exit codes, [`Failed`] an error that carries one.
//! * [`run_worker`] runs a stage on the queue.
//! * [`producer`] and [`now_us`] are a message's origin: its process and its time.
#![warn(missing_docs)]

mod about;
mod bootstrap;
mod exit;
pub mod export;
pub mod health;
pub mod logging;
mod observability;
mod parent;
mod producer;
mod queue_metrics;
pub mod settings;
mod signals;
mod stop;
mod telemetry_thread;
mod worker;

pub use about::{About, Role, Threads};
pub use bootstrap::main;
pub use crispy_fault::Redacted;
pub use exit::{Exit, Failed, WithExit};
pub use parent::{PARENT_VARIABLE, die_with};
pub use producer::{now_us, producer};
pub use settings::{
    cameras, cut,
    nats::{ContextError, FieldError, NatsFlags, Secret, check_streams, connect},
    {BucketFlags, open_bucket},
};
pub use stop::{GRACE, Stop};
pub use worker::{report_queue, run_worker};
