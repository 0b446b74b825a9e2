//! What tests and the load test stand on: real servers and real video, made when needed and gone afterwards.
//!
//! ```text
//!   NatsServer   a nats-server of its own, on a free port, with a store in a temporary folder; can be killed and started again
//!   NatsCluster  three of them that keep one another's streams; one can be cut off and joined again
//!   FaultProxy   a network between two programs: passes, delays, swallows, resets, by connection or all
//!   GcsServer    Google Cloud Storage, simulated: with the faults of the real one, by script
//!   S3Server     Amazon S3, as moto answers for it; AzureServer, as Azurite does
//!   HttpServer   the files of a folder over HTTP, with the faults of real servers on request
//!   promtool_check_metrics   what Prometheus itself says of a page of metrics
//!   OtlpReceiver a collector of traces and metrics that keeps what it is sent
//!   clips        video made by FFmpeg's own command, once; and the checksums of its decoded frames
//! ```
//!
//! Of all these only the buckets of clouds stand in for something, since the real ones are elsewhere: each is judged by a client that was
//! made for the real one. What is missing on the machine is an error that
//! says how to get it, never a skipped test.
#![warn(missing_docs)]

mod azure_server;
pub mod clips;
mod eventually;
mod fault_proxy;
pub mod gcs;
mod http_server;
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
