//! Outcomes of puts and look-ups, and objects without their bytes.

use crate::Metadata;

/// The outcome of a put.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Put {
    /// This put created the object.
    Stored {
        /// The store's own version of it; empty where the store has none.
        generation: String,
    },
    /// The object existed with these very bytes: an earlier attempt created it.
    AlreadyMine {
        /// As above.
        generation: String,
    },
    /// Other bytes are stored under this key. They were not touched.
    Foreign(ForeignObject),
}

/// The content of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// None.
    Absent,
    /// The expected bytes.
    Mine {
        /// The store's own version of the object; empty where the store has none.
        generation: String,
    },
    /// Other bytes.
    Foreign(ForeignObject),
}

/// An object with other bytes than the expected ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignObject {
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256, where the comparison needed it.
    pub sha256: Option<[u8; 32]>,
}

/// An object without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Bytes of the object.
    pub size: u64,
    /// The store's own version of it; empty where the store has none.
    pub generation: String,
    /// Its metadata, `crc32c` and `sha256` included.
    pub metadata: Metadata,
}

/// One line of a listing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListEntry {
    /// The object's key.
    pub key: String,
    /// Bytes of the object.
    pub size: u64,
}
