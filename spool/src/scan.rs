//! What is in the spool when it is opened, each file looked at.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use crispy_proto::{
    id::{CameraId, ChunkId, Run},
    v1::{ChunkReady, Container},
};
use prost::Message;

use super::{
    index::{Held, Index},
    layout::{self, FileName},
};
use crispy_fsync::{Folders, sync_folder};

/// What the scan did, beside filling the index.
#[derive(Debug, Default)]
pub struct Scan {
    /// Commits that were cut short, never reported to anybody: removed. Also what was left of chunks that were being freed.
    pub torn: usize,
    /// Committed chunks whose files are no longer what was committed: set aside under `damaged`, for people to look at.
    pub damaged: Vec<Damaged>,
    /// Files and folders that this version knows nothing of: left alone.
    pub strangers: usize,
}

/// A chunk that was set aside.
#[derive(Debug)]
pub struct Damaged {
    /// The chunk.
    pub chunk: ChunkId,
    /// Where what is left of it now lies.
    pub folder: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

/// Where the scan stopped, and why.
pub(super) type Stopped = (PathBuf, io::Error);

pub(super) fn scan(folders: &Folders) -> Result<(Index, Scan), Stopped> {
    let mut scanner = Scanner {
        folders,
        index: Index::default(),
        scan: Scan::default(),
    };
    let chunks = folders.root().join(layout::CHUNKS);
    for site in scanner.entries(&chunks)? {
        for camera in scanner.entries(&chunks.join(&site))? {
            let id = site.to_str().zip(camera.to_str());
            let Some(id) = id.and_then(|(site, camera)| CameraId::from_wire(site, camera).ok())
            else {
                scanner.scan.strangers += 1;
                continue;
            };
            for run in scanner.entries(&chunks.join(&site).join(&camera))? {
                match run.to_str().and_then(|run| run.parse::<Run>().ok()) {
                    Some(run) => scanner.run(&id, run)?,
                    None => scanner.scan.strangers += 1,
                }
            }
        }
    }
    Ok((scanner.index, scanner.scan))
}

struct Scanner<'a> {
    folders: &'a Folders,
    index: Index,
    scan: Scan,
}

/// The files of one sequence.
#[derive(Default)]
struct Files {
    descriptor: bool,
    mark: bool,
    bytes: Vec<Container>,
}

impl Scanner<'_> {
    /// Names in a folder; none where there is no folder. A file among the folders of sites, cameras or runs is a stranger.
    fn entries(&mut self, folder: &Path) -> Result<Vec<OsString>, Stopped> {
        let names = fs::read_dir(folder)
            .and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect());
        match names {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                self.scan.strangers += 1;
                Ok(Vec::new())
            }
            names => names.map_err(|error| (folder.to_owned(), error)),
        }
    }

    fn run(&mut self, camera: &CameraId, run: Run) -> Result<(), Stopped> {
        let id = |sequence| ChunkId {
            camera: camera.clone(),
            run,
            sequence,
        };
        let relative = layout::run_folder(&id(0));
        let folder = self.folders.root().join(&relative);
        let at =
            |path: &Path, result: io::Result<()>| result.map_err(|error| (path.to_owned(), error));
        let mut sequences: BTreeMap<u64, Files> = BTreeMap::new();
        for name in self.entries(&folder)? {
            match name.to_str().map_or(FileName::Stranger, FileName::parse) {
                FileName::Descriptor(sequence) => {
                    sequences.entry(sequence).or_default().descriptor = true
                }
                FileName::Bytes(sequence, container) => {
                    sequences.entry(sequence).or_default().bytes.push(container);
                }
                FileName::Mark(sequence) => sequences.entry(sequence).or_default().mark = true,
                FileName::Temporary => {
                    let path = folder.join(&name);
                    at(&path, fs::remove_file(&path))?;
                    self.scan.torn += 1;
                }
                FileName::Stranger => self.scan.strangers += 1,
            }
        }
        for (sequence, files) in sequences {
            self.chunk(&id(sequence), &files)?;
        }
        if fs::remove_dir(&folder).is_ok() {
            return Ok(());
        }
        // What the scan found is now as safe as what this process commits itself.
        at(&folder, self.folders.ensure(&relative).map(drop))?;
        at(&folder, sync_folder(&folder))
    }

    fn chunk(&mut self, id: &ChunkId, files: &Files) -> Result<(), Stopped> {
        let root = self.folders.root();
        let believed = if files.descriptor {
            believe(root, id)?
        } else {
            Ok(None)
        };
        match believed {
            Ok(held) => {
                // Bytes that no descriptor speaks of: a commit or a free that was cut short.
                let kept = held.map(|held| held.container);
                for &container in files.bytes.iter().filter(|&&found| Some(found) != kept) {
                    if let Some(path) = layout::bytes(id, container).map(|path| root.join(path)) {
                        fs::remove_file(&path).map_err(|error| (path, error))?;
                    }
                    self.scan.torn += 1;
                }
                match held {
                    Some(held) => {
                        let parked = files.mark;
                        self.index.insert(id, Held { parked, ..held });
                    }
                    // A mark that outlived its chunk: it was being freed.
                    None if files.mark => {
                        let path = root.join(layout::mark(id));
                        fs::remove_file(&path).map_err(|error| (path, error))?;
                        self.scan.torn += 1;
                    }
                    None => {}
                }
            }
            Err(reason) => {
                let folder = set_aside(self.folders, id, files)?;
                self.scan.damaged.push(Damaged {
                    chunk: id.clone(),
                    folder,
                    reason,
                });
            }
        }
        Ok(())
    }
}

/// Holds a descriptor against its file name and its bytes. The inner error says why the chunk cannot be believed.
fn believe(root: &Path, id: &ChunkId) -> Result<Result<Option<Held>, String>, Stopped> {
    let path = root.join(layout::descriptor(id));
    let encoded = fs::read(&path).map_err(|error| (path, error))?;
    let chunk = match ChunkReady::decode(encoded.as_slice()) {
        Ok(chunk) => chunk,
        Err(error) => return Ok(Err(format!("the descriptor cannot be decoded: {error}"))),
    };
    if ChunkId::from_wire(chunk.id.as_ref()).ok().as_ref() != Some(id) {
        return Ok(Err("the descriptor is that of another chunk".to_owned()));
    }
    let Some(bytes) = layout::bytes(id, chunk.container()) else {
        return Ok(Err(format!(
            "container {} is not known to this version",
            chunk.container
        )));
    };
    let path = root.join(bytes);
    match fs::metadata(&path) {
        Ok(found) if found.len() == chunk.size => Ok(Ok(Some(Held {
            size: chunk.size,
            container: chunk.container(),
            left: true,
            parked: false,
        }))),
        Ok(found) => Ok(Err(format!(
            "{} bytes are there, {} were committed",
            found.len(),
            chunk.size
        ))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Ok(Err("its bytes are missing".to_owned()))
        }
        Err(error) => Err((path, error)),
    }
}

/// Moves a chunk's files out of the way, never deleting: they are the only trace of video that was promised to be kept.
fn set_aside(folders: &Folders, id: &ChunkId, files: &Files) -> Result<PathBuf, Stopped> {
    let from = layout::run_folder(id);
    let below = from.strip_prefix(layout::CHUNKS).unwrap_or(&from);
    let to = Path::new(layout::DAMAGED).join(below);
    let folder = folders.root().join(&to);
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error| (path, error)
    };
    folders.ensure(&to).map_err(at(&folder))?;
    let bytes = files
        .bytes
        .iter()
        .filter_map(|container| layout::bytes(id, *container));
    let mark = files.mark.then(|| layout::mark(id));
    for file in bytes.chain(mark).chain([layout::descriptor(id)]) {
        let name = file.file_name().unwrap_or_default();
        let from = folders.root().join(&file);
        fs::rename(&from, folder.join(name)).map_err(at(&from))?;
    }
    sync_folder(&folder).map_err(at(&folder))?;
    Ok(folder)
}
