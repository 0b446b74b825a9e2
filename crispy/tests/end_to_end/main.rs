//! End-to-end tests: real programs, a real nats-server and real video, seen as an operator sees
//! them.
//!
//! ```text
//!   clip ─► crispy up ─► nats-server, ingestor, uploader, inspector ─► bucket (a folder)
//!              │ exit code, JSON lines, log                            │ objects, metadata, runs
//!              └──────────────────── assertions ───────────────────────┘
//! ```
//!
//! * recordings: [`frame_identity`], [`http_source`], [`gcs_bucket`], [`rerun`]
//! * failures: [`kill`], [`shutdown`], [`separate_daemons`], [`queue_full`], [`poison_chunk`],
//!   [`dead_letters`]
//! * mistakes, with exit code and message: [`bad_input`], [`bad_storage`], [`bad_nats_server`]
//! * observation: [`status`], [`metrics`], [`log_lines`], [`telemetry_outage`]
//! * traces: [`trace_cli`], [`jaeger_link`], [`chunk_trace`], [`resend`], [`http_spans`]
//! * security: [`nats_permissions`], [`secret_leaks`], [`credential_leaks`], [`password_leaks`],
//!   [`isolation`]
//!
//! All are one program, which is linked once. [`fixture`] is shared.

// clippy.toml's exception for unwrap in tests covers test functions only; all of this is one test.
#![allow(clippy::unwrap_used)]

mod bad_input;
mod bad_nats_server;
mod bad_storage;
mod chunk_trace;
mod credential_leaks;
mod dead_letters;
mod fixture;
mod frame_identity;
mod gcs_bucket;
mod http_source;
mod http_spans;
mod isolation;
mod jaeger_link;
mod kill;
mod log_lines;
mod metrics;
mod nats_permissions;
mod password_leaks;
mod poison_chunk;
mod queue_full;
mod rerun;
mod resend;
mod secret_leaks;
mod separate_daemons;
mod shutdown;
mod status;
mod telemetry_outage;
mod trace_cli;
