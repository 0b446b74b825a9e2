//! What every process of the house shares: how it is configured, how it speaks, how it is stopped and how it ends.
//!
//! Every program is a `main.rs` that knocks on one door, and every program therefore starts and ends alike:
//!
//! ```text
//!   argv ── CRISPY_* ── crispy.toml ── defaults
//!                 │
//!              config ──► telemetry, logging ──► signals ──► "starting", health ──► run(config, stop) ──► Exit
//!                 │                      │                          │    ▲                ▲
//!                 └── wrong: exit 2, 13  └── first signal ── Stop ──┘    │                │
//!                                        └── second signal ── at once ───┼── 130, 143 ────┤
//!                                                                        └── Failed ──────┘
//! ```
//!
//! ```no_run
//! # mod uploader {
//! #     #[derive(clap::Parser)] pub struct Config {}
//! #     pub async fn run(_: Config, _: crispy_runtime::Stop) -> Result<(), crispy_runtime::Failed> { Ok(()) }
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
//!     crispy_runtime::main::<crispy_uploader::Config, _, _>(&about, crispy_uploader::run)
//! }
//! ```
//!
//! * [`main`] is the door; [`About`] says who knocks.
//! * [`config`] puts flags over environment over `crispy.toml` over defaults, and reads durations and sizes.
//! * [`logging`] writes lines to stderr: for people on a terminal, JSON elsewhere.
//! * [`telemetry`] makes traces and metrics and sends them, if somebody asks for them; what is measured is in the crate `instruments`.
//! * [`health`] says whether the program is alive and ready: on its admin pages, and to systemd.
//! * [`Stop`] is how a program learns that it shall stop. Shutdown is an argument, never a global.
//! * [`Exit`] is the one table of exit codes, [`Failed`] an error that knows its row in it.
//! * [`Redacted`] shows an address without its password.
//! * [`cameras`] reads the cameras and the site that a program was given, with one refusal for all programs.
//! * [`cut`] reads how they are cut, alike for all programs.
//! * [`producer`] and [`now_us`] sign a message: who wrote it, and when.
#![warn(missing_docs)]

mod about;
mod bootstrap;
mod exit;
pub mod export;
mod failed;
pub mod health;
pub mod logging;
mod observability;
mod parent;
mod producer;
mod queue_metrics;
mod redact;
pub mod settings;
mod signals;
mod stop;
mod telemetry_thread;
mod worker;

pub use about::{About, Role, Threads};
pub use bootstrap::main;
pub use exit::Exit;
pub use failed::{Failed, WithExit};
pub use parent::{PARENT_VARIABLE, die_with};
pub use producer::{now_us, producer};
pub use redact::Redacted;
pub use settings::{
    cameras, cut,
    nats::{ContextError, FieldError, NatsFlags, Secret, check_streams, connect},
    {BucketFlags, open_bucket},
};
pub use stop::{GRACE, Stop};
pub use worker::{report_queue, run_worker};
