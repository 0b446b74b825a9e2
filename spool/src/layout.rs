//! Paths from ids and ids from paths. Pure.

use std::path::{Path, PathBuf};

use crispy_proto::{
    id::{ChunkId, MAX_SEQUENCE},
    v1::Container,
};

/// The spool's id, one line of text.
pub(super) const ID: &str = "spool.id";
/// Locked by the owner as long as it lives; holds its process id, for the message to a second
/// owner.
pub(super) const LOCK: &str = "spool.lock";
/// Committed chunks.
pub(super) const CHUNKS: &str = "chunks";
/// Chunks that failed the scan, kept for manual inspection.
pub(super) const DAMAGED: &str = "damaged";

const DESCRIPTOR: &str = "pb";
const MARKER: &str = "parked";
const TEMPORARY: &str = ".tmp";
const CONTAINERS: [(Container, &str); 3] = [
    (Container::Mp4, "mp4"),
    (Container::Mkv, "mkv"),
    (Container::MpegTs, "ts"),
];

/// Folder of a chunk's run, relative to the root.
pub(super) fn run_folder(id: &ChunkId) -> PathBuf {
    let mut folder = PathBuf::from(CHUNKS);
    folder.push(id.camera.site.as_str());
    folder.push(id.camera.camera.as_str());
    folder.push(id.run.to_string());
    folder
}

/// Path of a chunk's descriptor, relative to the root.
pub(super) fn descriptor(id: &ChunkId) -> PathBuf {
    run_folder(id).join(FileName::Descriptor(id.sequence).to_string())
}

/// Path of the marker of a parked chunk, relative to the root.
pub(super) fn marker(id: &ChunkId) -> PathBuf {
    run_folder(id).join(FileName::Marker(id.sequence).to_string())
}

/// Path of a chunk's bytes, relative to the root; `None` for an unknown container.
pub(super) fn bytes(id: &ChunkId, container: Container) -> Option<PathBuf> {
    extension(container)?;
    Some(run_folder(id).join(FileName::Bytes(id.sequence, container).to_string()))
}

/// The name of a file before it is renamed to its own. One is enough: a run has one writer at a
/// time.
pub(super) fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(TEMPORARY);
    name.into()
}

/// Any name in a run's folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileName {
    Descriptor(u64),
    Bytes(u64, Container),
    /// The chunk is parked.
    Marker(u64),
    /// Left by a torn commit.
    Temporary,
    /// Another program's, or a newer version's: left alone.
    Unknown,
}

impl FileName {
    pub(super) fn parse(name: &str) -> Self {
        if name
            .strip_suffix(TEMPORARY)
            .is_some_and(|name| Self::parse(name) != Self::Unknown)
        {
            return Self::Temporary;
        }
        let Some((digits, ending)) = name.split_once('.') else {
            return Self::Unknown;
        };
        let ten_digits = digits.len() == 10 && digits.bytes().all(|byte| byte.is_ascii_digit());
        let Some(sequence) = digits.parse().ok().filter(|_| ten_digits) else {
            return Self::Unknown;
        };
        if ending == DESCRIPTOR {
            return Self::Descriptor(sequence);
        }
        if ending == MARKER {
            return Self::Marker(sequence);
        }
        match CONTAINERS.iter().find(|(_, name)| *name == ending) {
            Some(&(container, _)) => Self::Bytes(sequence, container),
            None => Self::Unknown,
        }
    }
}

impl std::fmt::Display for FileName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::Descriptor(sequence) => write!(f, "{sequence:010}.{DESCRIPTOR}"),
            Self::Marker(sequence) => write!(f, "{sequence:010}.{MARKER}"),
            Self::Bytes(sequence, container) => {
                write!(f, "{sequence:010}.{}", extension(container).unwrap_or("?"))
            }
            Self::Temporary => write!(f, "*{TEMPORARY}"),
            Self::Unknown => f.write_str("?"),
        }
    }
}

fn extension(container: Container) -> Option<&'static str> {
    let known = CONTAINERS.iter().find(|(known, _)| *known == container);
    known.map(|(_, ending)| *ending)
}

const _: () = assert!(MAX_SEQUENCE == 9_999_999_999, "names have ten digits");

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_name() -> impl Strategy<Value = FileName> {
        (0..=MAX_SEQUENCE, 0..5_usize).prop_map(|(sequence, kind)| match kind {
            3 => FileName::Descriptor(sequence),
            4 => FileName::Marker(sequence),
            kind => FileName::Bytes(sequence, CONTAINERS[kind].0),
        })
    }

    proptest! {
        #[test]
        fn parsing_and_printing_are_inverse(name in any_name()) {
            prop_assert_eq!(FileName::parse(&name.to_string()), name);
        }

        #[test]
        fn a_temporary_name_is_recognized(name in any_name()) {
            let path = temporary(Path::new(&name.to_string()));
            prop_assert_eq!(FileName::parse(path.to_str().unwrap()), FileName::Temporary);
        }

        #[test]
        fn any_other_name_is_unknown(name in "\\PC{0,20}") {
            let parsed = FileName::parse(&name);
            prop_assert!(matches!(parsed, FileName::Unknown | FileName::Temporary) || parsed.to_string() == name);
        }
    }

    #[test]
    fn names_that_only_look_alike_are_unknown() {
        for name in [
            "1.mp4",
            "00000000001.mp4",
            "+000000001.pb",
            "0000000001.MP4",
            "0000000001.pb.bak",
            "0000000001",
            ".tmp",
            "notes.tmp",
        ] {
            assert_eq!(FileName::parse(name), FileName::Unknown, "{name}");
        }
    }
}
