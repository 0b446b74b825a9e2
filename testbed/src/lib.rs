//! Real servers, real video and a network with faults, for tests and the load test.
//!
//! ```text
//!   NatsServer     a nats-server on a free port, its store in a temporary folder; can be killed
//!                  and started again
//!   NatsCluster    three of them with replicated streams; a node can be cut off and joined again
//!   FaultProxy     a network between two programs: passes, delays, swallows, resets
//!   GcsServer      a simulated Google Cloud Storage, with the faults of the real one on request
//!   S3Server       Amazon S3, by moto; AzureServer: Azure's blob storage, by Azurite
//!   HttpServer     files over HTTP, with the faults of real servers on request
//!   OtlpReceiver   a collector of traces and metrics that keeps everything
//!   promtool_check_metrics   Prometheus' own opinion of a page of metrics
//!   clips          video made by FFmpeg's command, once, and the checksums of its decoded frames
//!   eventually     waits for a condition instead of sleeping for a guessed time
//! ```
//!
//! Only the cloud buckets are simulated, since the real ones are elsewhere: each is tested by a
//! client that was made for the real one. A tool that is missing on the machine is an error that
//! names `make setup`, never a skipped test.
#![warn(missing_docs)]

mod azure_server;
pub mod clips;
mod eventually;
mod fault_proxy;
pub mod gcs;
mod http_server;
mod listener;
mod nats_cluster;
mod nats_server;
mod otlp_receiver;
mod private_key;
mod program;
mod promtool;
mod s3_server;

pub use azure_server::AzureServer;
pub use eventually::{PATIENCE, eventually, eventually_blocking};
pub use fault_proxy::{FaultProxy, Traffic};
pub use gcs::GcsServer;
pub use http_server::{HttpFault, HttpServer};
pub use nats_cluster::NatsCluster;
pub use nats_server::{NatsOptions, NatsServer, nats_server_binary};
pub use otlp_receiver::{Attributes, OtlpReceiver, ReceivedPoint, ReceivedSpan};
pub use private_key::private_key;
pub use promtool::promtool_check_metrics;
pub use s3_server::S3Server;
