//! The folder that stands for a bucket, read without a line of ours.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde_json::Value;
use sha2::{Digest, Sha256};

/// A `file://` bucket.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    root: PathBuf,
}

/// A chunk's object.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) path: PathBuf,
    pub(crate) key: String,
    pub(crate) camera: String,
    pub(crate) run: String,
    pub(crate) sequence: u64,
    /// What is filed beside it.
    pub(crate) metadata: Value,
}

/// Everything that lies in a bucket: when each file was written, and what it holds.
pub(crate) type Snapshot = BTreeMap<PathBuf, (SystemTime, String)>;

impl Bucket {
    pub(crate) fn at(root: PathBuf) -> Self {
        Self { root }
    }

    pub(crate) fn url(&self) -> String {
        format!("file://{}", self.root.display())
    }

    /// All chunks, by camera, run and sequence.
    pub(crate) fn chunks(&self) -> Vec<Object> {
        let shown = self.files().into_iter().filter(|path| !is_hidden(path));
        let mut chunks: Vec<_> = shown
            .filter(|path| path.extension().is_some_and(|extension| extension == "mp4"))
            .map(|path| self.object(path))
            .collect();
        chunks.sort_by_key(|chunk| (chunk.camera.clone(), chunk.run.clone(), chunk.sequence));
        chunks
    }

    /// The chunks; fails unless they are one run of one camera with sequences from 0 without a hole, each once.
    #[track_caller]
    pub(crate) fn one_run(&self) -> Vec<Object> {
        let chunks = self.chunks();
        let sequences: Vec<u64> = chunks.iter().map(|chunk| chunk.sequence).collect();
        let whole: Vec<u64> = (0..chunks.len() as u64).collect();
        assert_eq!(sequences, whole, "sequences in {}", self.root.display());
        assert!(
            chunks
                .iter()
                .all(|chunk| (&chunk.camera, &chunk.run) == (&chunks[0].camera, &chunks[0].run)),
            "more than one run in {}",
            self.root.display()
        );
        chunks
    }

    /// The run states that are stored.
    pub(crate) fn run_states(&self) -> Vec<Value> {
        let states = self.files().into_iter().filter(|path| {
            !is_hidden(path) && path.parent().is_some_and(|folder| folder.ends_with("runs"))
        });
        states.map(|path| json(&path)).collect()
    }

    /// Every file, hidden ones too.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let look = |path: PathBuf| {
            let about = fs::metadata(&path).expect("a file of the bucket");
            let written = about.modified().expect("files have times");
            let sha256 = hex(&fs::read(&path).expect("a file of the bucket"));
            (path, (written, sha256))
        };
        self.files().into_iter().map(look).collect()
    }

    /// Key and content of every chunk: what must be the same however it came about.
    pub(crate) fn contents(&self) -> BTreeMap<String, String> {
        let chunks = self.chunks().into_iter();
        chunks
            .map(|chunk| {
                let bytes = fs::read(&chunk.path).expect("an object can be read");
                (chunk.key, hex(&bytes))
            })
            .collect()
    }

    /// Every file below it; none if it is not there.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        files_below(&self.root)
    }

    fn object(&self, path: PathBuf) -> Object {
        let key = path
            .strip_prefix(&self.root)
            .expect("it is below the root")
            .display()
            .to_string();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let beside = format!(".{name}.");
        let folder = fs::read_dir(path.parent().expect("objects lie in folders"));
        let metadata = folder
            .expect("the object's folder")
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| {
                path.file_name()
                    .is_some_and(|name| name.to_string_lossy().starts_with(&beside))
            })
            .map(|path| json(&path))
            .next();
        let metadata = metadata.unwrap_or_else(|| panic!("{key} has no metadata"));
        let said = |field: &str| metadata[field].as_str().unwrap_or_default().to_owned();
        let sequence = said("sequence").parse();
        Object {
            camera: said("camera"),
            run: said("run"),
            sequence: sequence
                .unwrap_or_else(|error| panic!("the sequence of {key}: {error}: {metadata}")),
            key,
            path,
            metadata,
        }
    }
}

/// Every file below a folder, in order; none if it is not there.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        entries => entries.unwrap_or_else(|error| panic!("list {}: {error}", folder.display())),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.expect("an entry of a folder").path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn is_hidden(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

fn json(path: &Path) -> Value {
    let text = fs::read_to_string(path).expect("a file of the bucket");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
