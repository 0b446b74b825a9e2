//! Fingerprints: the content of a source, wherever it is stored.

use std::{
    fs::{File, Metadata},
    io::{self, Read, Seek, SeekFrom},
    path::Path,
    time::UNIX_EPOCH,
};

use sha2::{Digest, Sha256};

/// Bytes read from each end of a file. Both ends of every container differ from recording to
/// recording: its header or its index.
pub(crate) const SAMPLE: u64 = 1 << 20;

/// Recognizes a source: a file on a disk and the same file on a server have the same hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    /// Of its content.
    pub(crate) hash: [u8; 32],
    /// The start that its playlist gives, in Unix microseconds.
    pub(crate) started_us: Option<i64>,
    /// The last change, in Unix microseconds.
    pub(crate) modified_us: Option<i64>,
}

impl Fingerprint {
    /// Reads both ends of the file at `path`.
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        let (mut head, mut tail) = (Vec::new(), Vec::new());
        (&mut file).take(SAMPLE).read_to_end(&mut head)?;
        file.seek(SeekFrom::Start(metadata.len().saturating_sub(SAMPLE)))?;
        file.take(SAMPLE).read_to_end(&mut tail)?;
        Ok(Self {
            hash: hash_file(metadata.len(), &head, &tail),
            started_us: None,
            modified_us: Some(modified_us(&metadata)?),
        })
    }
}

/// The hash of a file of `length` bytes with this beginning and end. Where the end cannot be read
/// by itself, `tail` is anything else that tells the file from others.
pub(crate) fn hash_file(length: u64, head: &[u8], tail: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(length.to_le_bytes());
    hash.update(head);
    hash.update(tail);
    hash.finalize().into()
}

/// A file from before 1970 starts in 1970: keys reach no further back.
fn modified_us(metadata: &Metadata) -> io::Result<i64> {
    let since = metadata
        .modified()?
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Ok(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
