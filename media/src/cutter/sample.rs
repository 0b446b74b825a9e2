//! A packet as the cutter sees it.

/// The kind of a picture, by its references.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Picture {
    /// No later picture refers to an earlier one.
    Idr,
    /// A key frame; pictures stored after it but shown before it may refer to earlier ones.
    OpenKey,
    /// The picture becomes correct some frames later.
    RecoveryPoint,
    /// Shown before the key frame that it is stored after, without references to earlier pictures.
    DecodableLeading,
    /// Refers to earlier pictures.
    Dependent,
}

impl Picture {
    /// Returns true if decoding can begin here at once.
    pub(crate) fn is_key(self) -> bool {
        matches!(self, Picture::Idr | Picture::OpenKey)
    }
}

/// A packet with its timing and kind; the payload is opaque.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sample<P> {
    /// Presentation time in ticks.
    pub(crate) pts: i64,
    /// Duration in ticks, if the source has it.
    pub(crate) duration: Option<i64>,
    /// The kind of its picture.
    pub(crate) picture: Picture,
    /// True for the second field of the frame that the previous packet began.
    pub(crate) completes_frame: bool,
    /// Decoded but not shown.
    pub(crate) hidden: bool,
    /// Marked as damaged by the source.
    pub(crate) corrupt: bool,
    /// True if `pts` was inferred, because the source gave no timestamp.
    pub(crate) inferred: bool,
    /// Number of the sample entry that it needs: grows when codec parameters change.
    pub(crate) entry: u32,
    /// Size of the payload in bytes.
    pub(crate) size: usize,
    /// The packet itself.
    pub(crate) payload: P,
}
