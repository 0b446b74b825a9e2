//! Checksums of a chunk's bytes: CRC32C, which stores check in transit, and SHA-256, which proves
//! identity.

use sha2::{Digest, Sha256};

/// Bytes hashed at a time: small enough that the second checksum finds the block in the processor's
/// second-level cache, large enough that the cost of the calls does not matter.
pub const BLOCK: usize = 64 * 1024;

/// Both checksums of the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Checksums {
    /// CRC-32C (Castagnoli): cheap, and checked by Google Cloud Storage before it stores.
    pub crc32c: u32,
    /// SHA-256: no two different chunks share it, not even on purpose.
    pub sha256: [u8; 32],
}

impl Checksums {
    /// Computes both in one pass over memory.
    pub fn new(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new();
        hasher.update(bytes);
        hasher.finish()
    }

    /// The checksums of a descriptor; `None` where `sha256` is not 32 bytes long.
    pub fn from_parts(crc32c: u32, sha256: &[u8]) -> Option<Self> {
        Some(Self {
            crc32c,
            sha256: sha256.try_into().ok()?,
        })
    }

    /// The SHA-256 as 64 lower-case hexadecimal digits.
    pub fn sha256_hex(&self) -> String {
        hex(&self.sha256)
    }

    /// The CRC32C as 8 lower-case hexadecimal digits.
    pub fn crc32c_hex(&self) -> String {
        format!("{:08x}", self.crc32c)
    }
}

/// Computes checksums of bytes that come in pieces.
#[derive(Clone, Debug)]
pub struct Hasher {
    crc32c: u32,
    sha256: Sha256,
}

impl Hasher {
    /// A hasher of no bytes yet.
    pub fn new() -> Self {
        Self {
            crc32c: 0,
            sha256: Sha256::new(),
        }
    }

    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        for block in bytes.chunks(BLOCK) {
            self.crc32c = crc32c::crc32c_append(self.crc32c, block);
            self.sha256.update(block);
        }
    }

    /// The checksums of all added bytes.
    pub fn finish(self) -> Checksums {
        Checksums {
            crc32c: self.crc32c,
            sha256: self.sha256.finalize().into(),
        }
    }
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

/// Lower-case hexadecimal digits, two per byte.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn checksums_equal_the_values_of_the_standards() {
        // CRC-32C's check value (RFC 3720, B.4 uses the same polynomial) and FIPS 180's "abc".
        assert_eq!(Checksums::new(b"123456789").crc32c_hex(), "e3069283");
        assert_eq!(
            Checksums::new(b"abc").sha256_hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn a_descriptor_without_a_whole_sha256_has_no_checksums() {
        assert_eq!(Checksums::from_parts(1, &[7; 31]), None);
    }

    proptest! {
        #[test]
        fn pieces_have_the_checksums_of_the_whole(
            cuts in proptest::collection::vec(0..3 * BLOCK, 0..5), len in 0..3 * BLOCK, seed: u8,
        ) {
            let bytes: Vec<u8> = (0..len).map(|at| (at / 7) as u8 ^ seed).collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(len)).chain([0, len]).collect();
            cuts.sort_unstable();
            let mut hasher = Hasher::new();
            cuts.windows(2).for_each(|cut| hasher.update(&bytes[cut[0]..cut[1]]));
            prop_assert_eq!(hasher.finish(), Checksums::new(&bytes));
        }
    }
}
