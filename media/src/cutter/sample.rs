//! What the cutter needs to know of a packet.

/// What can be decoded from a packet on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Picture {
    /// Nothing after it refers to anything before it.
    Idr,
    /// A key frame; pictures stored after it but shown before it may refer to what came before.
    OpenKey,
    /// From here on the picture becomes right after some frames.
    RecoveryPoint,
    /// Shown before the key frame that it is stored after, and needs nothing before that.
    DecodableLeading,
    /// Needs pictures before it.
    Dependent,
}

impl Picture {
    /// Whether decoding can begin here at once.
    pub(crate) fn is_key(self) -> bool {
        matches!(self, Picture::Idr | Picture::OpenKey)
    }
}

/// A packet, as far as the cutter is concerned; the payload is carried along and never looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sample<P> {
    /// When it is shown, in ticks.
    pub(crate) pts: i64,
    /// How long it is shown, in ticks, if the source knows.
    pub(crate) duration: Option<i64>,
    /// What can be decoded from here.
    pub(crate) picture: Picture,
    /// The second field of the frame whose first is the packet before.
    pub(crate) completes_frame: bool,
    /// Decoded but not shown.
    pub(crate) hidden: bool,
    /// Damaged, says the source.
    pub(crate) corrupt: bool,
    /// The source gave no timestamp; `pts` was made up.
    pub(crate) inferred: bool,
    /// Which set of codec parameters it needs: a number that grows when they change.
    pub(crate) entry: u32,
    /// Size of the payload in bytes.
    pub(crate) size: usize,
    /// The packet itself.
    pub(crate) payload: P,
}
