//! Object keys.

use crispy_fault::Fault;

/// The longest key, in bytes: that of Google Cloud Storage and S3.
pub(super) const MAX_KEY: usize = 1024;
/// The longest part between slashes, in bytes. File systems take 255; a folder's metadata file adds
/// 71 to its object's name.
pub(super) const MAX_PART: usize = 180;

/// Checks that a key means the same in every kind of bucket and needs no escaping in any: parts of
/// ASCII letters, digits, `.`, `_` and `-`, none of them hidden, joined by single slashes.
pub(super) fn check(key: &str) -> Result<(), Fault> {
    let refuse = |why| {
        let start: String = key.chars().take(200).collect();
        Err(Fault::rejected(format!("{start:?} is not a key: {why}")))
    };
    if key.len() > MAX_KEY {
        return refuse("it is longer than 1024 bytes");
    }
    for part in key.split('/') {
        if part.is_empty() {
            return refuse("a part of it is empty");
        }
        if part.starts_with('.') {
            return refuse("a part of it starts with a dot");
        }
        if part.len() > MAX_PART {
            return refuse("a part of it is longer than 180 bytes");
        }
        if !part.bytes().all(is_legal) {
            return refuse(
                "it has other characters than ASCII letters, digits, '.', '_', '-' and '/'",
            );
        }
    }
    Ok(())
}

/// The same for the prefix of a listing: a folder of keys, with or without a slash at its end;
/// empty for all.
pub(super) fn folder(prefix: &str) -> Result<&str, Fault> {
    let folder = prefix.strip_suffix('/').unwrap_or(prefix);
    if !folder.is_empty() {
        check(folder)?;
    }
    Ok(folder)
}

fn is_legal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_with_another_meaning_in_some_store_are_refused() {
        let long = "a".repeat(MAX_PART + 1);
        for key in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            "..",
            "a/../b",
            "./a",
            "a/.hidden",
            "a b",
            "a%2fb",
            "a\\b",
            "a\0",
            "ä",
            "a?b",
            "a#b",
            &long,
        ] {
            assert!(check(key).is_err(), "{key:?} was accepted");
        }
    }

    proptest! {
        #[test]
        fn a_key_is_a_path_below_its_root(key in "[a-c./%_ -]{0,12}") {
            if check(&key).is_ok() {
                prop_assert!(Path::new(&key).components().all(|part| matches!(part, Component::Normal(_))));
                let again: Vec<_> = Path::new(&key).iter().map(|part| part.to_str().unwrap()).collect();
                prop_assert_eq!(again.join("/"), key);
            }
        }
    }
}
