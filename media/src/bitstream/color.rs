//! Colour properties: the code points of ITU-T H.273, which all codecs share.

use crate::video::ColorDescription;

/// Code points of a parameter set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Color {
    pub(crate) primaries: u8,
    pub(crate) transfer: u8,
    pub(crate) matrix: u8,
    pub(crate) full_range: bool,
}

impl Color {
    /// "Unspecified", in all three tables.
    pub(crate) const UNSPECIFIED: u8 = 2;

    /// The same by FFmpeg's names; reserved code points are unknown.
    pub(crate) fn describe(self) -> ColorDescription {
        let name = |names: &str, code: u8| match names.split(' ').nth(code.into()) {
            Some(name) if name != "-" => name.to_owned(),
            _ => "unknown".to_owned(),
        };
        ColorDescription {
            primaries: name(PRIMARIES, self.primaries),
            transfer: name(TRANSFER, self.transfer),
            space: name(MATRIX, self.matrix),
            range: if self.full_range { "pc" } else { "tv" }.to_owned(),
        }
    }
}

/// H.273 table 2 by code, `-` where reserved.
const PRIMARIES: &str = "- bt709 - - bt470m bt470bg smpte170m smpte240m film bt2020 \
    smpte428 smpte431 smpte432";

/// H.273 table 3 likewise.
const TRANSFER: &str = "- bt709 - - bt470m bt470bg smpte170m smpte240m linear log100 \
    log316 iec61966-2-4 bt1361e iec61966-2-1 bt2020-10 bt2020-12 smpte2084 smpte428 arib-std-b67";

/// H.273 table 4 likewise.
const MATRIX: &str = "gbr bt709 - - fcc bt470bg smpte170m smpte240m ycgco bt2020nc \
    bt2020c smpte2085 chroma-derived-nc chroma-derived-c ictcp";
