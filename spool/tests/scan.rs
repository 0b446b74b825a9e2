//! The start-up scan against whatever may lie in a spool.
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

/// What somebody, or a crash, did to the files of one chunk.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Untouched,
    NeverDescribed,
    HalfWritten,
    Truncated,
    BytesMissing,
    Garbled(u8),
    OtherContainerBeside,
}

fn any_fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        3 => Just(Fate::Untouched),
        1 => Just(Fate::NeverDescribed),
        1 => Just(Fate::HalfWritten),
        1 => Just(Fate::Truncated),
        1 => Just(Fate::BytesMissing),
        1 => any::<u8>().prop_map(Fate::Garbled),
        1 => Just(Fate::OtherContainerBeside),
    ]
}

/// Lays a chunk down as a commit would, and lets fate have it. By hand, since syncing thousands of files would take minutes.
fn lay(folder: &Path, sequence: u64, fate: Fate) {
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
    match fate {
        Fate::HalfWritten => fs::write(file("mkv.tmp"), &bytes[..50]).unwrap(),
        Fate::Truncated => fs::write(file("mkv"), &bytes[..50]).unwrap(),
        Fate::BytesMissing => {}
        _ => fs::write(file("mkv"), &bytes).unwrap(),
    }
    match fate {
        Fate::HalfWritten | Fate::NeverDescribed => return,
        // The first bytes are the id: any other value in them is another chunk, or no descriptor at all.
        Fate::Garbled(noise) => descriptor[..40]
            .iter_mut()
            .for_each(|byte| *byte ^= noise | 1),
        Fate::OtherContainerBeside => fs::write(file("mp4"), "left over").unwrap(),
        _ => {}
    }
    fs::write(file("pb"), descriptor).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Nothing committed is lost, whatever lies beside it; nothing half done is believed; and a second scan finds nothing more to do.
    #[test]
    fn exactly_the_whole_chunks_are_held(fates in proptest::collection::vec(any_fate(), 0..12)) {
        let dir = tempfile::tempdir().unwrap();
        drop(Spool::open(dir.path()).unwrap());
        let folder = dir.path().join("chunks/demo/front").join(run().to_string());
        fs::create_dir_all(&folder).unwrap();
        for (sequence, fate) in fates.iter().enumerate() {
            lay(&folder, sequence as u64, *fate);
        }
        let sequences = |wanted: fn(&Fate) -> bool| -> BTreeSet<u64> {
            let numbered = (0..).zip(&fates);
            numbered.filter(|(_, fate)| wanted(fate)).map(|(sequence, _)| sequence).collect()
        };
        let whole = sequences(|fate| matches!(fate, Fate::Untouched | Fate::OtherContainerBeside));
        let damaged = sequences(|fate| matches!(fate, Fate::Truncated | Fate::BytesMissing | Fate::Garbled(_)));
        for (pass, damaged) in [damaged, BTreeSet::new()].into_iter().enumerate() {
            let spool = Spool::open(dir.path()).unwrap();
            let held: BTreeSet<u64> = spool.left().map(|chunk| chunk.unwrap().id.unwrap().sequence).collect();
            prop_assert_eq!(&held, &whole);
            let set_aside: BTreeSet<u64> = spool.scan().damaged.iter().map(|damaged| damaged.chunk.sequence).collect();
            prop_assert_eq!(set_aside, damaged);
            prop_assert_eq!(spool.bytes_held(), whole.iter().map(|sequence| 100 + sequence).sum::<u64>());
            prop_assert!(pass == 0 || spool.scan().torn == 0);
        }
    }
}
