//! Finding the bytes: the spools that this host can read.
//!
//! A descriptor names its spool by an id, never by a path: paths out of messages are not followed. A root is only believed after its own
//! `spool.id` file has said whose it is, so that an empty mount point is not taken for a spool whose chunks are gone.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use crispy_proto::v1::ChunkReady;
use crispy_spool::{ReadError, SpoolReader};

use crate::room::Room;

/// Why bytes were not found.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No configured root is the descriptor's spool: its owner's host, or its disk, is out of reach from here.
    #[error(
        "no spool that this uploader can read has id {spool:?}; give its folder with --spool, or wait until it is mounted"
    )]
    Elsewhere {
        /// The spool that is wanted.
        spool: String,
    },
    /// The spool is here, and does not give the bytes.
    #[error("read spool {spool:?}")]
    Read {
        /// The spool that was asked.
        spool: String,
        /// What it said.
        source: ReadError,
    },
    /// The thread that was reading is gone.
    #[error("reading was cut short")]
    Interrupted,
}

/// The spools of the configured roots. A root may come and go; each is opened when it is first wanted, and again when its id changes.
#[derive(Clone)]
pub struct Spools {
    roots: Arc<[PathBuf]>,
    room: Room,
    open: Arc<Mutex<Vec<Arc<SpoolReader>>>>,
}

impl Spools {
    /// Spools at `roots`, which need not be there yet. What is read from them takes its place in `room`.
    pub fn new(roots: &[PathBuf], room: Room) -> Self {
        Self {
            roots: roots.into(),
            room,
            open: Arc::default(),
        }
    }

    /// The bytes of a chunk, checked against its size and SHA-256, when there is room for them.
    pub async fn fetch(&self, chunk: Arc<ChunkReady>) -> Result<Bytes, FetchError> {
        let taken = self.room.take(chunk.size).await;
        let spools = self.clone();
        // The room goes with the bytes: a reading that nobody waits for any more goes on, and takes it until it ends.
        let reading = tokio::task::spawn_blocking(move || Ok(taken.with(spools.read(&chunk)?)));
        reading.await.unwrap_or(Err(FetchError::Interrupted))
    }

    fn read(&self, chunk: &ChunkReady) -> Result<Bytes, FetchError> {
        let spool = self.find(&chunk.spool_id)?;
        spool.read(chunk).map_err(|source| FetchError::Read {
            spool: chunk.spool_id.clone(),
            source,
        })
    }

    fn find(&self, wanted: &str) -> Result<Arc<SpoolReader>, FetchError> {
        let known = |open: &[Arc<SpoolReader>]| {
            open.iter()
                .find(|spool| spool.id().as_str() == wanted)
                .map(Arc::clone)
        };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(spool) = known(&open) {
            return Ok(spool);
        }
        *open = self
            .roots
            .iter()
            .filter_map(|root| SpoolReader::open(root).ok())
            .map(Arc::new)
            .collect();
        known(&open).ok_or_else(|| FetchError::Elsewhere {
            spool: wanted.to_owned(),
        })
    }
}
