//! The metrics catalogue, and trace contexts that travel from program to program.
//!
//! ```text
//!   queue, bucket, ingestor, uploader, inspector     record measurements, one line each
//!                     │
//!               telemetry ────── catalogue ──── docs/metrics.md
//!                     │
//!        opentelemetry's global providers            none by default; crispy_runtime sets them
//! ```
//!
//! Bottom layer: every crate records metrics, so this one depends on none of ours. It uses the API
//! of OpenTelemetry only: without a provider an instrument is one branch, and a trace context is
//! empty.
//!
//! * [`catalogue`]: every metric of the system, in one table
//! * [`Counter`], [`Gauge`], [`Histogram`]: the instruments of its rows
//! * [`context`]: the current span's trace context, to headers and back
//!
//! ```
//! use crispy_telemetry::catalogue::{CAMERA, INGESTOR_CHUNKS};
//! INGESTOR_CHUNKS.add(1, &[(CAMERA, "front")]);
//! ```
#![warn(missing_docs)]

pub mod catalogue;
pub mod context;
mod instrument;

pub use instrument::{Counter, Gauge, Histogram, Kind, Reading, Row, enable};
