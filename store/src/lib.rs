//! Where the bytes of a chunk live: first in a spool on the ingestor's disk, then in a bucket.
//!
//! ```text
//!   ingestor ── commit ──► Spool ◄── read, checked ── SpoolReader ── uploader ── put_once ──► Bucket
//!                            ▲                                                                  │
//!                            └────── free, once the bucket's answer has come back               └─ RangeReader ── inspector
//! ```
//!
//! * [`spool`]: a chunk is committed whole or not at all, survives a power cut from then on, and stays until its owner frees it.
//! * [`bucket`]: an object is created once and never overwritten, and every answer says whether what lies there is the chunk.
//! * [`Checksums`] tie the two together: taken when the chunk is cut, checked when it leaves the spool, stored with the object.
//! * [`RangeReader`] reads as little of an object as a question about it needs.
#![warn(missing_docs)]

pub mod bucket;
pub mod checksum;
mod durable;
pub mod range_reader;
pub mod spool;

pub use bucket::Bucket;
pub use checksum::Checksums;
pub use range_reader::RangeReader;
pub use spool::{Spool, SpoolId, SpoolReader};
