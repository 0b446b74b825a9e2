//! Metadata of objects.

use std::{borrow::Cow, collections::BTreeMap};

use crispy_checksum::Checksums;
use crispy_fault::Fault;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// The bucket's own keys.
pub(super) const CRC32C: &str = "crc32c";
pub(super) const SHA256: &str = "sha256";

/// Bytes that the bucket's own keys take: two names, 8 and 64 digits.
const OWN: usize = CRC32C.len() + 8 + SHA256.len() + 64;

/// Characters that some store or proxy has mangled, refused or failed to give back: control
/// characters, quotes, bytes above ASCII (object_store can never read an object with such metadata
/// again), and the percent sign itself. Blanks too: headers lose theirs at both ends.
const ESCAPED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'%')
    .add(b'"')
    .add(b'\\')
    .add(b'\'')
    .add(b'<')
    .add(b'>')
    .add(b'`');

/// Keys and values stored with an object, in the order of keys.
///
/// Guarantees:
/// * Keys match `[a-z][a-z0-9]*`, which every store keeps unchanged.
/// * Any value is read as it was written: it is percent-encoded where a store would change it.
/// * All of it, encoded and with the bucket's own `crc32c` and `sha256`, takes at most 2 KB, the
///   least limit of any store
///   (S3: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html>).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata(BTreeMap<String, String>);

impl Metadata {
    /// The limit of all keys and encoded values together, in bytes.
    pub const MAX_LEN: usize = 2048;

    /// Empty.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a value, and replaces an earlier one of the same key. A put overwrites `crc32c` and
    /// `sha256` with the sums of its bytes.
    ///
    /// # Errors
    /// [`Kind::Rejected`](crispy_fault::Kind::Rejected): a key of another form, or too much
    /// metadata. The entry is left out.
    pub fn insert(&mut self, key: &str, value: impl Into<String>) -> Result<(), Fault> {
        let starts_well = key.starts_with(|c: char| c.is_ascii_lowercase());
        let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if !starts_well || !key.bytes().all(legal) {
            let start: String = key.chars().take(80).collect();
            return Err(Fault::rejected(format!(
                "{start:?} is not a metadata key: lower-case letters and digits, a letter first"
            )));
        }
        let value = value.into();
        let others = self
            .0
            .iter()
            .filter(|(name, _)| *name != key && !is_own(name));
        let others: usize = others.map(|(name, value)| entry_len(name, value)).sum();
        let own = if is_own(key) {
            0
        } else {
            entry_len(key, &value)
        };
        let len = OWN + others + own;
        if len > Self::MAX_LEN {
            return Err(Fault::rejected(format!(
                "with {key} the metadata takes {len} bytes, {} are allowed",
                Self::MAX_LEN
            )));
        }
        self.0.insert(key.to_owned(), value);
        Ok(())
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Keys and values, in the order of keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// A copy with the checksums of the object's bytes, as it is stored.
    pub(super) fn with(&self, checksums: &Checksums) -> Self {
        let mut all = self.0.clone();
        all.insert(CRC32C.to_owned(), checksums.crc32c_hex());
        all.insert(SHA256.to_owned(), checksums.sha256_hex());
        Self(all)
    }

    /// Keys and values as stores take them: ASCII that no store changes.
    pub(super) fn encoded(&self) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
        self.iter().map(|(key, value)| (key, encode(value)))
    }

    /// From a store that keeps any text unchanged.
    pub(super) fn verbatim(pairs: BTreeMap<String, String>) -> Self {
        Self(pairs)
    }

    /// From a store's answer. Other writers may have other rules: values that cannot be decoded are
    /// kept unchanged.
    pub(super) fn decoded<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let decode = |text: &str| match percent_decode_str(text).decode_utf8() {
            Ok(value) => value.into_owned(),
            Err(_) => text.to_owned(),
        };
        let pairs = pairs.into_iter();
        Self(
            pairs
                .map(|(key, value)| (key.to_owned(), decode(value)))
                .collect(),
        )
    }
}

fn is_own(key: &str) -> bool {
    key == CRC32C || key == SHA256
}

fn encode(value: &str) -> Cow<'_, str> {
    utf8_percent_encode(value, ESCAPED).into()
}

fn entry_len(key: &str, value: &str) -> usize {
    key.len() + encode(value).len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_that_some_store_changes_are_refused() {
        for key in [
            "",
            "Chunk",
            "chunk_from",
            "chunk-from",
            "1st",
            "ä",
            "a b",
            "a\n",
        ] {
            let refused = Metadata::new().insert(key, "");
            let refused = refused.unwrap_err().to_string();
            assert!(refused.contains("is not a metadata key"), "{refused}");
        }
    }

    #[test]
    fn replacing_a_long_value_makes_room() {
        let mut metadata = Metadata::new();
        metadata.insert("a", "x".repeat(1900)).unwrap();
        assert!(metadata.insert("b", "x".repeat(100)).is_err());
        metadata.insert("a", "x").unwrap();
        metadata.insert("b", "x".repeat(100)).unwrap();
    }

    proptest! {
        #[test]
        fn any_value_survives_and_is_stored_as_plain_ascii(value in "\\PC{0,50}|[\\x00-\\xff]{0,50}") {
            let mut metadata = Metadata::new();
            metadata.insert("value", value.as_str()).unwrap();
            let encoded: Vec<_> = metadata.encoded().collect();
            prop_assert!(encoded[0].1.bytes().all(|byte| byte.is_ascii_graphic()));
            let decoded = Metadata::decoded(encoded.iter().map(|(key, value)| (*key, value.as_ref())));
            prop_assert_eq!(decoded, metadata);
        }

        #[test]
        fn accepted_metadata_fits_every_store(sizes in proptest::collection::vec(0..700_usize, 0..8)) {
            let mut metadata = Metadata::new();
            for (number, size) in sizes.into_iter().enumerate() {
                // A refused entry leaves the others as they were.
                let _ = metadata.insert(&format!("key{number}"), "ä".repeat(size / 2));
            }
            let stored = metadata.with(&Checksums::new(b"bytes"));
            let len: usize = stored.encoded().map(|(key, value)| key.len() + value.len()).sum();
            prop_assert!(len <= Metadata::MAX_LEN);
        }
    }
}
