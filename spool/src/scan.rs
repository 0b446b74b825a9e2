//! The start-up scan: every file of the spool, checked.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use crispy_fsync::{Folders, sync_folder};
use crispy_proto::{
    id::{CameraId, ChunkId, Run},
    v1::{ChunkReady, Container},
};
use prost::Message;

use super::{
    index::{Held, Index},
    layout::{self, FileName},
};

/// The result of the start-up scan.
#[derive(Debug, Default)]
pub struct ScanReport {
    /// Files of torn commits, which were never reported, and of torn frees: removed.
    pub torn: usize,
    /// Committed chunks whose files have changed: set aside under `damaged`, for manual inspection.
    pub damaged: Vec<DamagedChunk>,
    /// Files and folders that this version does not know: left alone.
    pub unknown: usize,
}

/// A chunk that was set aside.
#[derive(Debug)]
pub struct DamagedChunk {
    /// Its id.
    pub chunk: ChunkId,
    /// The folder of its remaining files.
    pub folder: PathBuf,
    /// The damage.
    pub reason: String,
}

/// The path at which the scan failed, and the error.
pub(super) type ScanError = (PathBuf, io::Error);

pub(super) fn scan(folders: &Folders) -> Result<(Index, ScanReport), ScanError> {
    let mut scanner = Scanner {
        folders,
        index: Index::default(),
        report: ScanReport::default(),
    };
    let chunks = folders.root().join(layout::CHUNKS);
    for site in scanner.entries(&chunks)? {
        for camera in scanner.entries(&chunks.join(&site))? {
            let id = site.to_str().zip(camera.to_str());
            let Some(id) = id.and_then(|(site, camera)| CameraId::from_wire(site, camera).ok())
            else {
                scanner.report.unknown += 1;
                continue;
            };
            for run in scanner.entries(&chunks.join(&site).join(&camera))? {
                match run.to_str().and_then(|run| run.parse::<Run>().ok()) {
                    Some(run) => scanner.run(&id, run)?,
                    None => scanner.report.unknown += 1,
                }
            }
        }
    }
    Ok((scanner.index, scanner.report))
}

struct Scanner<'a> {
    folders: &'a Folders,
    index: Index,
    report: ScanReport,
}

/// The files of one sequence.
#[derive(Default)]
struct Files {
    descriptor: bool,
    marker: bool,
    bytes: Vec<Container>,
}

impl Scanner<'_> {
    /// Names in a folder; none where there is no folder. A file among the folders of sites, cameras
    /// or runs is unknown.
    fn entries(&mut self, folder: &Path) -> Result<Vec<OsString>, ScanError> {
        let names = fs::read_dir(folder)
            .and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect());
        match names {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                self.report.unknown += 1;
                Ok(Vec::new())
            }
            names => names.map_err(|error| (folder.to_owned(), error)),
        }
    }

    fn run(&mut self, camera: &CameraId, run: Run) -> Result<(), ScanError> {
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
            match name.to_str().map_or(FileName::Unknown, FileName::parse) {
                FileName::Descriptor(sequence) => {
                    sequences.entry(sequence).or_default().descriptor = true
                }
                FileName::Bytes(sequence, container) => {
                    sequences.entry(sequence).or_default().bytes.push(container);
                }
                FileName::Marker(sequence) => sequences.entry(sequence).or_default().marker = true,
                FileName::Temporary => {
                    let path = folder.join(&name);
                    at(&path, fs::remove_file(&path))?;
                    self.report.torn += 1;
                }
                FileName::Unknown => self.report.unknown += 1,
            }
        }
        for (sequence, files) in sequences {
            self.chunk(&id(sequence), &files)?;
        }
        if fs::remove_dir(&folder).is_ok() {
            return Ok(());
        }
        // Recovered chunks are now as safe as those that this process commits.
        at(&folder, self.folders.ensure(&relative).map(drop))?;
        at(&folder, sync_folder(&folder))
    }

    fn chunk(&mut self, id: &ChunkId, files: &Files) -> Result<(), ScanError> {
        let root = self.folders.root();
        let checked = if files.descriptor {
            check(root, id)?
        } else {
            Ok(None)
        };
        match checked {
            Ok(held) => {
                // Bytes without a descriptor: a torn commit or a torn free.
                let kept = held.map(|held| held.container);
                for &container in files.bytes.iter().filter(|&&found| Some(found) != kept) {
                    if let Some(path) = layout::bytes(id, container).map(|path| root.join(path)) {
                        fs::remove_file(&path).map_err(|error| (path, error))?;
                    }
                    self.report.torn += 1;
                }
                match held {
                    Some(held) => {
                        let parked = files.marker;
                        self.index.insert(id, Held { parked, ..held });
                    }
                    // A marker without a chunk: a torn free.
                    None if files.marker => {
                        let path = root.join(layout::marker(id));
                        fs::remove_file(&path).map_err(|error| (path, error))?;
                        self.report.torn += 1;
                    }
                    None => {}
                }
            }
            Err(reason) => {
                let folder = set_aside(self.folders, id, files)?;
                self.report.damaged.push(DamagedChunk {
                    chunk: id.clone(),
                    folder,
                    reason,
                });
            }
        }
        Ok(())
    }
}

/// Compares a descriptor with its file name and its bytes. The inner error is the damage.
fn check(root: &Path, id: &ChunkId) -> Result<Result<Option<Held>, String>, ScanError> {
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
            recovered: true,
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

/// Moves a chunk's files out of the way. It never deletes them: they are the only trace of video
/// that was promised to be kept.
fn set_aside(folders: &Folders, id: &ChunkId, files: &Files) -> Result<PathBuf, ScanError> {
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
    let marker = files.marker.then(|| layout::marker(id));
    for file in bytes.chain(marker).chain([layout::descriptor(id)]) {
        let name = file.file_name().unwrap_or_default();
        let from = folders.root().join(&file);
        fs::rename(&from, folder.join(name)).map_err(at(&from))?;
    }
    sync_folder(&folder).map_err(at(&folder))?;
    Ok(folder)
}
