//! The hidden file of an object's metadata: one JSON object of strings, for people and programs.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use crispy_checksum::Checksums;

use crate::Metadata;

const ENDING: &str = ".json";
const SHA256_DIGITS: usize = 64;

/// The path of the metadata of an object with these bytes.
pub(super) fn path(object: &Path, checksums: &Checksums) -> PathBuf {
    object.with_file_name(format!(
        "{}{}{ENDING}",
        prefix(object),
        checksums.sha256_hex()
    ))
}

pub(super) fn encode(metadata: &Metadata) -> Vec<u8> {
    let pairs: BTreeMap<&str, &str> = metadata.iter().collect();
    let mut json = serde_json::to_vec_pretty(&pairs).expect("a map of strings has a JSON form");
    json.push(b'\n');
    json
}

/// The metadata of an object; empty if it has no such file, as after a copy of the object alone.
///
/// A writer that lost with other bytes may have left a second file. Only then `sha256` is called
/// for the object's own SHA-256, which reads all of it.
pub(super) fn read(
    object: &Path,
    sha256: impl FnOnce() -> io::Result<String>,
) -> io::Result<Metadata> {
    let prefix = prefix(object);
    let folder = object.parent().unwrap_or(Path::new(""));
    let mut candidates = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let digits = name
            .to_str()
            .and_then(|name| digits(name, &prefix))
            .map(str::to_owned);
        candidates.extend(digits.map(|digits| (digits, folder.join(name))));
    }
    let found = if candidates.len() > 1 {
        let sha256 = sha256()?;
        candidates.into_iter().find(|(digits, _)| *digits == sha256)
    } else {
        candidates.pop()
    };
    let Some((_, path)) = found else {
        return Ok(Metadata::new());
    };
    let pairs: BTreeMap<String, String> = serde_json::from_slice(&fs::read(path)?)?;
    Ok(Metadata::verbatim(pairs))
}

fn prefix(object: &Path) -> String {
    let name = object.file_name().unwrap_or_default();
    format!(".{}.", name.to_string_lossy())
}

fn digits<'a>(name: &'a str, prefix: &str) -> Option<&'a str> {
    let digits = name.strip_prefix(prefix)?.strip_suffix(ENDING)?;
    // Another object's name may begin as this one's does.
    let whole =
        digits.len() == SHA256_DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    whole.then_some(digits)
}
