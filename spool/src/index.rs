//! The index of committed chunks, in memory: some 40 bytes a chunk, so that hours of an outage with
//! a thousand cameras fit.

use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Unbounded},
};

use crispy_proto::{
    id::{CameraId, ChunkId, Run},
    v1::Container,
};

/// One committed chunk. Everything else about it is in its descriptor, on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// Bytes of video.
    pub(super) size: u64,
    pub(super) container: Container,
    /// An earlier process committed it, and the scan found it.
    pub(super) recovered: bool,
    /// There is a marker beside it.
    pub(super) parked: bool,
}

/// Committed chunks in the order of camera, run and sequence, with their sum.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Never an empty run.
    runs: BTreeMap<(CameraId, Run), BTreeMap<u64, Held>>,
    chunks: usize,
    bytes: u64,
}

impl Index {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn chunks(&self) -> usize {
        self.chunks
    }

    pub(super) fn get(&self, id: &ChunkId) -> Option<Held> {
        let run = self.runs.get(&(id.camera.clone(), id.run))?;
        run.get(&id.sequence).copied()
    }

    pub(super) fn insert(&mut self, id: &ChunkId, held: Held) {
        let run = self.runs.entry((id.camera.clone(), id.run)).or_default();
        self.bytes += held.size;
        match run.insert(id.sequence, held) {
            Some(before) => self.bytes -= before.size,
            None => self.chunks += 1,
        }
    }

    /// Sets whether a chunk is parked, if it is here.
    pub(super) fn set_parked(&mut self, id: &ChunkId, parked: bool) {
        let run = self.runs.get_mut(&(id.camera.clone(), id.run));
        if let Some(held) = run.and_then(|run| run.get_mut(&id.sequence)) {
            held.parked = parked;
        }
    }

    pub(super) fn remove(&mut self, id: &ChunkId) -> Option<Held> {
        let key = (id.camera.clone(), id.run);
        let run = self.runs.get_mut(&key)?;
        let held = run.remove(&id.sequence)?;
        if run.is_empty() {
            self.runs.remove(&key);
        }
        self.bytes -= held.size;
        self.chunks -= 1;
        Some(held)
    }

    /// The first chunk after `id`, or the first of all.
    pub(super) fn after(&self, id: Option<&ChunkId>) -> Option<(ChunkId, Held)> {
        let Some(id) = id else {
            return self.runs.iter().find_map(first);
        };
        let key = (id.camera.clone(), id.run);
        let rest = self.runs.get_key_value(&key).and_then(|(key, run)| {
            let next = run.range((Excluded(id.sequence), Unbounded)).next()?;
            Some(found(key, next))
        });
        rest.or_else(|| {
            let later = self.runs.range((Excluded(key), Unbounded));
            later.into_iter().find_map(first)
        })
    }
}

type Key = (CameraId, Run);

fn first((key, run): (&Key, &BTreeMap<u64, Held>)) -> Option<(ChunkId, Held)> {
    run.iter().next().map(|next| found(key, next))
}

fn found((camera, run): &Key, (&sequence, &held): (&u64, &Held)) -> (ChunkId, Held) {
    let id = ChunkId {
        camera: camera.clone(),
        run: *run,
        sequence,
    };
    (id, held)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_id() -> impl Strategy<Value = ChunkId> {
        ("[ab]", "[ab]", 0..2_u8, 0..4_u64).prop_map(|(site, camera, run, sequence)| ChunkId {
            camera: CameraId::from_wire(&site, &camera).unwrap(),
            run: Run::new(0, [run; 10]),
            sequence,
        })
    }

    proptest! {
        /// Compared with the obvious model, a sorted map of ids.
        #[test]
        fn order_and_sums_are_those_of_a_sorted_map(
            steps in proptest::collection::vec((any_id(), proptest::option::of(0..100_u64)), 0..60),
        ) {
            let (mut index, mut model) = (Index::default(), BTreeMap::new());
            for (id, size) in steps {
                match size {
                    Some(size) => {
                        let held = Held { size, container: Container::Mp4, recovered: false, parked: false };
                        index.insert(&id, held);
                        model.insert(id, held);
                    }
                    None => prop_assert_eq!(index.remove(&id), model.remove(&id)),
                }
            }
            let mut walked = Vec::new();
            while let Some(next) = index.after(walked.last().map(|(id, _)| id)) {
                walked.push(next);
            }
            prop_assert_eq!(index.chunks(), model.len());
            prop_assert_eq!(index.bytes(), model.values().map(|held| held.size).sum::<u64>());
            prop_assert!(model.iter().all(|(id, held)| index.get(id) == Some(*held)));
            prop_assert_eq!(walked, model.into_iter().collect::<Vec<_>>());
        }
    }
}
