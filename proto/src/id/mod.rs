//! Names, runs, chunk ids and object keys: the identifiers of a chunk.
//!
//! ```text
//!   Name "demo", Name "front"        a site and a camera: chosen by operators, checked only here
//!   └─ CameraId demo/front
//!      └─ Run 01KAF3…                one unbroken timeline of the camera
//!         └─ ChunkId …/0000000003
//!            └─ ObjectKey v1/demo/front/2026/11/22/19/1763839803000-3000000-01KAF3…-0000000003.mp4
//! ```
//!
//! Each of them parses and prints, as inverse functions. Every parsed value is a legal subject
//! token, path and key.

mod camera;
mod chunk;
mod name;
mod object_key;
mod run;

pub use camera::CameraId;
pub use chunk::{ChunkId, ChunkIdError, MAX_SEQUENCE};
pub use name::{Name, NameError};
pub use object_key::{KeyError, ObjectKey, run_state_key};
pub use run::{Run, RunError};
