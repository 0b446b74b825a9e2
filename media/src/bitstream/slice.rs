//! The fields of a slice header that order pictures and pair fields.

/// Widths and flags that a slice header is parsed with, from the parameter sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SliceFormat {
    /// Bits of the frame number (H.264).
    pub(super) frame_bits: u32,
    /// Bits of the low part of the picture order count; `None` where slices do not carry it.
    pub(super) count_bits: Option<u32>,
    /// True if a picture may be a field (H.264).
    pub(super) may_be_field: bool,
    /// True if colour planes are coded separately.
    pub(super) separate_planes: bool,
    /// Extra bits in front of the slice type (H.265).
    pub(super) extra_bits: u32,
    /// True if slices carry a flag for the output of their picture (H.265).
    pub(super) has_output_flag: bool,
}

/// The header of a picture's first slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slice {
    /// Low bits of the picture order count.
    pub(super) count: Option<u32>,
    /// True if the count starts again here.
    pub(super) restarts: bool,
    /// True if later pictures take their high bits from this one.
    pub(super) is_reference: bool,
    /// The field of a picture; `None` for a whole frame.
    pub(super) field: Option<Field>,
}

/// A field of a picture: half of its lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(super) bottom: bool,
    pub(super) frame: u32,
}

impl Field {
    /// Returns true if this is the other half of the same frame.
    pub(crate) fn completes(self, first: Field) -> bool {
        self.bottom != first.bottom && self.frame == first.frame
    }
}
