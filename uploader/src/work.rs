//! What an uploader is handed: a chunk that is ready, or the state of a run.

use crispy_proto::v1::{ChunkReady, RunState};
use crispy_queue::{Decode, DecodeError, Message};

/// A message of the chunks' stream.
#[derive(Clone, Debug)]
pub enum Work {
    /// A chunk in some spool, to be put into the bucket.
    Chunk(Box<ChunkReady>),
    /// How far a run has come, to be put into the bucket as JSON.
    Run(Box<RunState>),
}

impl Decode for Work {
    fn decode(type_name: &str, payload: &[u8]) -> Result<Self, DecodeError> {
        match type_name {
            RunState::TYPE => <RunState as Decode>::decode(type_name, payload)
                .map(|state| Self::Run(Box::new(state))),
            _ => <ChunkReady as Decode>::decode(type_name, payload)
                .map(|chunk| Self::Chunk(Box::new(chunk))),
        }
    }
}
