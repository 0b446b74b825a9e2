//! The whole house, from outside: real programs, a real nats-server, real video, and nothing looked at but what an operator could look at.
//!
//! ```text
//!   clip ─► crispy up ─► nats-server, ingestor, uploader, inspector ─► bucket (a folder)
//!              │ exit code, JSON lines, log                              │ objects, metadata, run states
//!              └──────────────────── claims ────────────────────────────┘
//! ```
//!
//! * [`identity`]: what comes out is what went in
//! * [`again`]: twice is once
//! * [`stopped`]: Ctrl-C, and the same command again
//! * [`killed`]: `kill -9` of everything that can be killed
//! * [`by_hand`]: the daemons one by one, without `crispy up`
//! * [`poison`]: a chunk that takes its inspector down, and one that is no video
//! * [`dead`]: what was given up, replayed or dropped by command
//! * [`full`]: a queue without room, and one that vanishes
//! * [`google`]: a bucket of Google's instead of a folder
//! * [`status`]: how the queue stands, and what needs a human
//! * [`observed`]: metrics and pages of daemons at work
//! * [`drawn`]: the way of a chunk, through Jaeger
//! * [`logged`]: what the log says of chunks
//! * [`followed`]: a trace that is not easily found
//! * [`viewed`]: a session and its Jaeger
//! * [`traced`]: one chunk, one trace, whatever happens to it
//! * [`unheard`]: a collector that hears nothing
//! * [`resent`]: what is sent twice, in one trace
//! * [`requests`]: what a bucket was asked over HTTP, as traces tell it
//! * [`bad_input`], [`bad_place`], [`bad_server`]: each mistake has its own exit code and message, and leaves nothing half done
//! * [`permissions`]: a server that allows what the manual says, and nothing else
//! * [`leaks`]: secrets of every kind, and all places where they could come out
//! * [`ways_in`]: what lets in, and what does not, is not told
//! * [`secrets`]: what must not be said, and whom not to speak to
//!
//! One program holds them all: it is linked once. [`house`] is what they share.

// clippy.toml's leave to unwrap in tests covers test functions only; all of this is one test.
#![allow(clippy::unwrap_used)]

mod again;
mod bad_input;
mod bad_place;
mod bad_server;
mod by_hand;
mod dead;
mod drawn;
mod followed;
mod full;
mod google;
mod house;
mod identity;
mod killed;
mod leaks;
mod logged;
mod observed;
mod permissions;
mod poison;
mod remote;
mod requests;
mod resent;
mod secrets;
mod status;
mod stopped;
mod traced;
mod unheard;
mod viewed;
mod ways_in;
