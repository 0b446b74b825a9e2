//! By what a running system is read: the metrics that it has, and how one trace goes from program to program.
//!
//! ```text
//!   queue, store, ingestor, uploader, inspector          what is measured, by one line each
//!                     │
//!               instruments ──── catalogue ──── docs/metrics.md
//!                     │
//!        opentelemetry's global providers                nothing by default; `crispy_runtime::export` sets them
//! ```
//!
//! It stands on the ground because everybody measures and nobody above the queue may be asked by it. Only the API of OpenTelemetry is in
//! here: where nobody set a provider, an instrument is a branch and a trace context is empty.
//!
//! * [`catalogue`]: every metric of the house, in one table
//! * [`Counter`], [`Gauge`], [`Histogram`]: what a row of it can do
//! * [`context`]: the current span's place in its trace, as headers and back
//!
//! ```
//! use crispy_telemetry::catalogue::{CAMERA, INGESTOR_CHUNKS};
//! INGESTOR_CHUNKS.add(1, &[(CAMERA, "front")]);
//! ```
#![warn(missing_docs)]

pub mod catalogue;
pub mod context;
mod instrument;

pub use instrument::{Counter, Gauge, Histogram, Kind, Reading, Row, measure};
