//! The start-up scan, on spools with any kind of damage.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::{collections::BTreeSet, fs, path::Path};

use crispy_proto::{
    id::Run,
    v1::{self, ChunkReady},
};
use crispy_spool::Spool;
use proptest::prelude::*;
use prost::Message;

fn run() -> Run {
    Run::new(1_763_839_803_000, [7; 10])
}

/// Damage to the files of one chunk.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Damage {
    Untouched,
    NeverDescribed,
    HalfWritten,
    Truncated,
    BytesMissing,
    Garbled(u8),
    OtherContainerBeside,
}

fn any_damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        3 => Just(Damage::Untouched),
        1 => Just(Damage::NeverDescribed),
        1 => Just(Damage::HalfWritten),
        1 => Just(Damage::Truncated),
        1 => Just(Damage::BytesMissing),
        1 => any::<u8>().prop_map(Damage::Garbled),
        1 => Just(Damage::OtherContainerBeside),
    ]
}

/// Writes a chunk as a commit would, with this damage. Without the spool, since syncing thousands
/// of files would take minutes.
fn write_chunk(folder: &Path, sequence: u64, damage: Damage) {
    let bytes = vec![sequence as u8; 100 + sequence as usize];
    let chunk = ChunkReady {
        id: Some(v1::ChunkId {
            site: "demo".to_owned(),
            camera: "front".to_owned(),
            run: run().to_string(),
            sequence,
        }),
        container: v1::Container::Mkv.into(),
        size: bytes.len() as u64,
        ..Default::default()
    };
    let file = |ending: &str| folder.join(format!("{sequence:010}.{ending}"));
    let mut descriptor = chunk.encode_to_vec();
    match damage {
        Damage::HalfWritten => fs::write(file("mkv.tmp"), &bytes[..50]).unwrap(),
        Damage::Truncated => fs::write(file("mkv"), &bytes[..50]).unwrap(),
        Damage::BytesMissing => {}
        _ => fs::write(file("mkv"), &bytes).unwrap(),
    }
    match damage {
        Damage::HalfWritten | Damage::NeverDescribed => return,
        // The first bytes are the id: any other value in them is another chunk, or no descriptor at
        // all.
        Damage::Garbled(noise) => descriptor[..40]
            .iter_mut()
            .for_each(|byte| *byte ^= noise | 1),
        Damage::OtherContainerBeside => fs::write(file("mp4"), "left over").unwrap(),
        _ => {}
    }
    fs::write(file("pb"), descriptor).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Nothing committed is lost, nothing half done is kept, and a second scan has nothing to do.
    #[test]
    fn exactly_the_whole_chunks_are_held(damages in proptest::collection::vec(any_damage(), 0..12)) {
        let dir = tempfile::tempdir().unwrap();
        drop(Spool::open(dir.path()).unwrap());
        let folder = dir.path().join("chunks/demo/front").join(run().to_string());
        fs::create_dir_all(&folder).unwrap();
        for (sequence, damage) in damages.iter().enumerate() {
            write_chunk(&folder, sequence as u64, *damage);
        }
        let sequences = |wanted: fn(&Damage) -> bool| -> BTreeSet<u64> {
            let numbered = (0..).zip(&damages);
            numbered.filter(|(_, damage)| wanted(damage)).map(|(sequence, _)| sequence).collect()
        };
        let whole = sequences(|damage| matches!(damage, Damage::Untouched | Damage::OtherContainerBeside));
        let damaged = sequences(|damage| matches!(damage, Damage::Truncated | Damage::BytesMissing | Damage::Garbled(_)));
        for (pass, damaged) in [damaged, BTreeSet::new()].into_iter().enumerate() {
            let spool = Spool::open(dir.path()).unwrap();
            let held: BTreeSet<u64> = spool.recovered().map(|chunk| chunk.unwrap().chunk.id.unwrap().sequence).collect();
            prop_assert_eq!(&held, &whole);
            let set_aside: BTreeSet<u64> = spool.scan().damaged.iter().map(|damaged| damaged.chunk.sequence).collect();
            prop_assert_eq!(set_aside, damaged);
            prop_assert_eq!(spool.bytes_held(), whole.iter().map(|sequence| 100 + sequence).sum::<u64>());
            prop_assert!(pass == 0 || spool.scan().torn == 0);
        }
    }
}
