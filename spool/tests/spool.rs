//! The guarantees of the spool, from outside.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    thread,
    time::Duration,
};

use crispy_checksum::Checksums;
use crispy_fault::{Fault, Kind, chain};
use crispy_proto::{
    id::{ChunkId, Run},
    v1::{self, ChunkReady},
};
use crispy_spool::{Committed, Limit, Spool, SpoolReader};
use prost::Message;
use tempfile::TempDir;

fn root() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("some/spool");
    (dir, root)
}

fn bytes_of(sequence: u64) -> Vec<u8> {
    (0..10_000 + sequence)
        .map(|at| (at ^ sequence) as u8)
        .collect()
}

/// The descriptor of `bytes` as chunk `sequence` of a camera's only run.
fn describe(spool: &Spool, camera: &str, sequence: u64, bytes: &[u8]) -> ChunkReady {
    let sums = Checksums::new(bytes);
    ChunkReady {
        id: Some(v1::ChunkId {
            site: "demo".to_owned(),
            camera: camera.to_owned(),
            run: Run::new(1_763_839_803_000, [7; 10]).to_string(),
            sequence,
        }),
        container: v1::Container::Mp4.into(),
        size: bytes.len() as u64,
        crc32c: sums.crc32c,
        sha256: sums.sha256.to_vec(),
        spool_id: spool.id().to_string(),
        committed_us: 1_763_839_803_000_000 + sequence as i64,
        ..Default::default()
    }
}

fn commit(spool: &Spool, camera: &str, sequence: u64) -> ChunkReady {
    let bytes = bytes_of(sequence);
    let chunk = describe(spool, camera, sequence, &bytes);
    assert!(spool.commit(&chunk, &bytes).unwrap().is_fresh());
    chunk
}

fn id(chunk: &ChunkReady) -> ChunkId {
    ChunkId::from_wire(chunk.id.as_ref()).unwrap()
}

fn file(spool: &Spool, chunk: &ChunkReady, ending: &str) -> PathBuf {
    let id = id(chunk);
    let run = spool
        .root()
        .join("chunks")
        .join(id.camera.to_string())
        .join(id.run.to_string());
    run.join(format!("{:010}.{ending}", id.sequence))
}

/// The descriptors of earlier processes' chunks.
fn recovered(spool: &Spool) -> Vec<ChunkReady> {
    let all = spool.recovered().map(Result::unwrap);
    all.map(|descriptor| descriptor.chunk).collect()
}

/// The error, whose kind has to be this.
#[track_caller]
fn fault<T: std::fmt::Debug>(result: Result<T, Fault>, kind: &str) -> String {
    let fault = result.expect_err("an error");
    assert_eq!(fault.kind().as_str(), kind, "{fault:?}");
    chain(&fault)
}

/// Every file below a folder, relative to it.
fn files(root: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false => found.push(entry.path().strip_prefix(root).unwrap().to_owned()),
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_committed_chunk_is_found_again_and_reads_back_whole() {
    let (_dir, root) = root();
    let spool = Spool::open(&root).unwrap();
    let reader = SpoolReader::open(&root).unwrap();
    assert_eq!(reader.id(), spool.id());
    let chunk = commit(&spool, "front", 3);
    assert_eq!(reader.read(&chunk).unwrap(), bytes_of(3));
    let descriptor = spool.descriptor(&id(&chunk)).unwrap().unwrap();
    assert_eq!(descriptor.chunk, chunk);
    assert_eq!((spool.chunks_held(), spool.bytes_held()), (1, 10_003));
    assert_eq!(recovered(&spool), [], "this process committed it");

    let was = spool.id().clone();
    drop(spool);
    let spool = Spool::open(&root).unwrap();
    assert_eq!(*spool.id(), was);
    assert_eq!(recovered(&spool), [chunk]);
    assert_eq!((spool.chunks_held(), spool.bytes_held()), (1, 10_003));
    assert_eq!((spool.scan().torn, spool.scan().damaged.len()), (0, 0));
}

#[test]
fn recovered_chunks_come_in_the_order_of_their_ids() {
    let (_dir, root) = root();
    let spool = Spool::open(&root).unwrap();
    for (camera, sequence) in [
        ("yard", 0),
        ("front", 10),
        ("front", 9),
        ("front-2", 1),
        ("front", 2),
    ] {
        commit(&spool, camera, sequence);
    }
    drop(spool);
    let spool = Spool::open(&root).unwrap();
    commit(&spool, "front", 5);
    let order = |chunks: Vec<ChunkReady>| {
        let names = chunks
            .iter()
            .map(|chunk| (id(chunk).camera.camera.to_string(), id(chunk).sequence));
        names.collect::<Vec<_>>()
    };
    let expected = [
        ("front", 2),
        ("front", 9),
        ("front", 10),
        ("front-2", 1),
        ("yard", 0),
    ];
    let expected: Vec<_> = expected
        .map(|(camera, sequence)| (camera.to_owned(), sequence))
        .into();
    assert_eq!(order(recovered(&spool)), expected);
}

#[test]
fn the_same_chunk_again_keeps_the_first_descriptor() {
    let (_dir, root) = root();
    let spool = Spool::open(&root).unwrap();
    let first = commit(&spool, "front", 0);
    let again = ChunkReady {
        committed_us: first.committed_us + 1,
        ..first.clone()
    };
    for _ in 0..2 {
        let committed = spool.commit(&again, &bytes_of(0)).unwrap();
        assert_eq!(committed, Committed::AlreadyThere(Box::new(first.clone())));
    }
    assert_eq!(spool.chunks_held(), 1);
    drop(spool);
    let spool = Spool::open(&root).unwrap();
    let committed = spool.commit(&again, &bytes_of(0)).unwrap();
    assert_eq!(
        committed,
        Committed::AlreadyThere(Box::new(first)),
        "after a restart"
    );
}

#[test]
fn other_bytes_under_the_same_id_are_refused() {
    let (_dir, root) = root();
    let spool = Spool::open(&root).unwrap();
    let first = commit(&spool, "front", 0);
    let mut other = bytes_of(0);
    other[77] ^= 1;
    let refused = spool.commit(&describe(&spool, "front", 0, &other), &other);
    fault(refused, "conflict");
    assert_eq!(
        SpoolReader::open(&root).unwrap().read(&first).unwrap(),
        bytes_of(0)
    );
}

#[test]
fn a_descriptor_of_other_bytes_or_another_spool_is_refused() {
    let (_dir, root) = root();
    let spool = Spool::open(&root).unwrap();
    let bytes = bytes_of(0);
    let good = describe(&spool, "front", 0, &bytes);
    type Spoil = fn(&mut ChunkReady);
    let mismatches: [(&str, Spoil); 6] = [
        ("size", |chunk| chunk.size = 1),
        ("crc32c", |chunk| chunk.crc32c ^= 1),
        ("sha256", |chunk| chunk.sha256 = vec![1, 2]),
        ("container", |chunk| chunk.container = 0),
        ("container", |chunk| chunk.container = 99),
        ("spool_id", |chunk| chunk.spool_id = "f".repeat(32)),
    ];
    for (field, spoil) in mismatches {
        let mut chunk = good.clone();
        spoil(&mut chunk);
        let text = fault(spool.commit(&chunk, &bytes), "rejected");
        assert!(text.contains(&format!("descriptor's {field} ")), "{text}");
    }
    for site in ["..", "", "a/b", "DEMO"] {
        let mut chunk = good.clone();
        chunk.id.as_mut().unwrap().site = site.to_owned();
        let text = fault(spool.commit(&chunk, &bytes), "rejected");
        assert!(text.contains("without an identity"), "{site:?}: {text}");
    }
    assert_eq!(
        files(&root),
        [Path::new("spool.id"), Path::new("spool.lock")]
    );
}

#[test]
fn a_torn_commit_is_removed_at_start_up() {
    let (_dir, root) = root();
    let spool = Spool::open(&root).unwrap();
    let kept = commit(&spool, "front", 0);
    let torn = commit(&spool, "front", 1);
    let (bytes, descriptor) = (file(&spool, &torn, "mp4"), file(&spool, &torn, "pb"));
    let run = bytes.parent().unwrap().to_owned();
    drop(spool);
    // Every state that a commit passes through, each as a chunk of its own.
    fs::remove_file(descriptor).unwrap();
    fs::write(run.join("0000000002.mp4.tmp"), "half of the byt").unwrap();
    fs::write(run.join("0000000003.mp4"), "all of the bytes").unwrap();
    fs::write(run.join("0000000003.pb.tmp"), "half of the descr").unwrap();
    // And a run that ended before it began.
    let empty = run.with_file_name(Run::new(1, [0; 10]).to_string());
    fs::create_dir(&empty).unwrap();
    fs::write(empty.join("0000000000.ts.tmp"), "").unwrap();

    let spool = Spool::open(&root).unwrap();
    assert_eq!(
        recovered(&spool),
        std::slice::from_ref(&kept),
        "nothing committed is lost"
    );
    assert_eq!(
        (
            spool.scan().torn,
            spool.scan().damaged.len(),
            spool.scan().unknown
        ),
        (5, 0, 0)
    );
    let remaining: Vec<_> = fs::read_dir(&run)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(remaining.len(), 2, "{remaining:?}");
    assert!(!empty.exists());
    assert_eq!(
        SpoolReader::open(&root).unwrap().read(&kept).unwrap(),
        bytes_of(0)
    );
    // The torn chunk can be committed again.
    commit(&spool, "front", 1);
}

#[test]
fn a_damaged_chunk_is_set_aside_and_never_deleted() {
    let (_dir, root) = root();
    let spool = Spool::open(&root).unwrap();
    let chunks: Vec<_> = (0..6)
        .map(|sequence| commit(&spool, "front", sequence))
        .collect();
    let path = |sequence: usize, ending| file(&spool, &chunks[sequence], ending);
    fs::write(path(1, "pb"), "garbage").unwrap();
    fs::write(path(2, "pb"), chunks[0].encode_to_vec()).unwrap();
    fs::write(path(3, "mp4"), "cut").unwrap();
    fs::remove_file(path(4, "mp4")).unwrap();
    fs::write(path(5, "pb"), "").unwrap();
    drop(spool);

    let spool = Spool::open(&root).unwrap();
    assert_eq!(recovered(&spool), [chunks[0].clone()]);
    let damaged: Vec<_> = spool
        .scan()
        .damaged
        .iter()
        .map(|damaged| damaged.chunk.sequence)
        .collect();
    assert_eq!(damaged, [1, 2, 3, 4, 5]);
    assert_eq!(spool.scan().torn, 0);
    for damaged in &spool.scan().damaged {
        let name = format!("{:010}.pb", damaged.chunk.sequence);
        assert!(damaged.folder.join(name).exists(), "{damaged:?}");
        let bytes = damaged
            .folder
            .join(format!("{:010}.mp4", damaged.chunk.sequence));
        assert_eq!(bytes.exists(), damaged.chunk.sequence != 4, "{damaged:?}");
    }
    let reasons = spool
        .scan()
        .damaged
        .iter()
        .map(|damaged| damaged.reason.as_str());
    for (reason, expected) in reasons.zip([
        "decoded",
        "another chunk",
        "3 bytes are there",
        "missing",
        "another chunk",
    ]) {
        assert!(reason.contains(expected), "{reason}");
    }
    drop(spool);
    assert_eq!(
        Spool::open(&root).unwrap().scan().damaged.len(),
        0,
        "reported once"
    );
}

#[test]
fn unknown_files_are_left_alone() {
    let (_dir, root) = root();
    let spool = Spool::open(&root).unwrap();
    let chunk = commit(&spool, "front", 0);
    let run = file(&spool, &chunk, "mp4").parent().unwrap().to_owned();
    drop(spool);
    let strangers = [
        root.join("chunks/README"),
        root.join("chunks/demo/notes.txt"),
        run.with_file_name("not-a-run"),
        run.join("0000000000.jpg"),
        run.join("1.mp4"),
    ];
    for path in &strangers {
        fs::write(path, "mine").unwrap();
    }
    let spool = Spool::open(&root).unwrap();
    assert_eq!(spool.scan().unknown, strangers.len());
    assert_eq!(recovered(&spool), [chunk]);
    assert!(strangers.iter().all(|path| path.exists()));
}

#[test]
fn an_empty_run_goes_when_the_next_begins() {
    let (_dir, root) = root();
    let spool = Spool::open(&root).unwrap();
    let reader = SpoolReader::open(&root).unwrap();
    let chunks = [commit(&spool, "front", 0), commit(&spool, "front", 1)];
    let run = file(&spool, &chunks[0], "mp4").parent().unwrap().to_owned();

    assert!(spool.free(&id(&chunks[0])).unwrap());
    assert!(
        !spool.free(&id(&chunks[0])).unwrap(),
        "a second confirmation is no error"
    );
    fault(reader.read(&chunks[0]), "not_found");
    assert_eq!(spool.descriptor(&id(&chunks[0])).unwrap(), None);
    assert_eq!(spool.bytes_held(), chunks[1].size);
    assert!(run.exists());

    assert!(spool.free(&id(&chunks[1])).unwrap());
    assert_eq!((spool.chunks_held(), spool.bytes_held()), (0, 0));
    commit(&spool, "front", 2);
    let mut next = describe(&spool, "front", 0, &bytes_of(0));
    next.id.as_mut().unwrap().run = Run::new(1_763_839_900_000, [8; 10]).to_string();
    assert!(spool.commit(&next, &bytes_of(0)).unwrap().is_fresh());
    assert!(run.exists(), "there is a chunk in it");
    spool.free(&id(&describe(&spool, "front", 2, &[]))).unwrap();
    next.id.as_mut().unwrap().run = Run::new(1_763_840_000_000, [9; 10]).to_string();
    assert!(spool.commit(&next, &bytes_of(0)).unwrap().is_fresh());
    assert!(!run.exists());
    assert_eq!(spool.chunks_held(), 2);
    // A run that goes on after its folder was swept has it made again.
    commit(&spool, "front", 3);
    drop(spool);
    assert_eq!(recovered(&Spool::open(&root).unwrap()).len(), 3);
}

#[test]
fn a_torn_free_is_finished_at_start_up() {
    let (_dir, root) = root();
    let spool = Spool::open(&root).unwrap();
    let chunk = commit(&spool, "front", 0);
    fs::remove_file(file(&spool, &chunk, "pb")).unwrap();
    drop(spool);
    let spool = Spool::open(&root).unwrap();
    assert_eq!(
        (
            spool.chunks_held(),
            spool.scan().torn,
            spool.scan().damaged.len()
        ),
        (0, 1, 0)
    );
}

#[test]
fn a_second_owner_is_refused_by_name() {
    let (_dir, root) = root();
    let spool = Spool::open(&root).unwrap();
    let text = fault(Spool::open(&root), "conflict");
    let pid = std::process::id();
    assert_eq!(
        text,
        format!("spool {} is in use by process {pid}", root.display())
    );
    drop(spool);
    Spool::open(&root).unwrap();
}

/// A file in the folder's place stops every user; permission bits do not stop root, as whom tests
/// may run.
#[test]
fn an_unwritable_spool_is_unavailable() {
    let (dir, _) = root();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    for root in [
        file.clone(),
        file.join("spool"),
        PathBuf::from("/proc/spool"),
    ] {
        let text = fault(Spool::open(&root), "unavailable");
        let expected = format!("spool {} cannot be written: ", root.display());
        assert!(text.starts_with(&expected), "{text}");
    }
}

#[test]
fn a_lost_or_damaged_id_is_not_replaced() {
    let (_dir, root) = root();
    let spool = Spool::open(&root).unwrap();
    commit(&spool, "front", 0);
    drop(spool);
    fs::write(root.join("spool.id"), "something else").unwrap();
    let text = fault(Spool::open(&root), "corrupt");
    assert!(text.contains("read the spool's id"), "{text}");
    fs::remove_file(root.join("spool.id")).unwrap();
    let text = fault(Spool::open(&root), "corrupt");
    assert!(text.contains("its spool.id is missing"), "{text}");
}

#[test]
fn damaged_bytes_are_found_when_they_are_read() {
    let (_dir, root) = root();
    let spool = Spool::open(&root).unwrap();
    let reader = SpoolReader::open(&root).unwrap();
    let chunk = commit(&spool, "front", 0);
    let path = file(&spool, &chunk, "mp4");
    let mut flipped = bytes_of(0);
    flipped[5000] ^= 4;
    for wrong in [flipped, bytes_of(0)[1..].to_vec(), bytes_of(1), Vec::new()] {
        fs::write(&path, wrong).unwrap();
        fault(reader.read(&chunk), "corrupt");
    }
    // A size out of a message reserves no memory.
    let boastful = ChunkReady {
        size: u64::MAX,
        ..chunk
    };
    fault(reader.read(&boastful), "corrupt");
}

#[test]
fn absence_counts_only_in_a_proven_spool() {
    let (dir, root) = root();
    let spool = Spool::open(&root).unwrap();
    let reader = SpoolReader::open(&root).unwrap();
    let chunk = commit(&spool, "front", 0);
    // The disk is not mounted: an empty folder is in its place; then no folder; then another spool.
    let elsewhere = dir.path().join("elsewhere");
    fs::rename(&root, &elsewhere).unwrap();
    let unproved = || {
        let fault = reader.read(&chunk).unwrap_err();
        let dependency = fault.dependency().expect("the spool");
        assert!(!dependency.shared, "other spools are not concerned");
        assert!(fault.to_string().contains("does not prove"), "{fault}");
    };
    unproved();
    fs::create_dir(&root).unwrap();
    unproved();
    drop(Spool::open(&root).unwrap());
    unproved();
    fs::remove_dir_all(&root).unwrap();
    fs::rename(&elsewhere, &root).unwrap();
    assert_eq!(reader.read(&chunk).unwrap(), bytes_of(0));
    let foreign = ChunkReady {
        spool_id: "0".repeat(32),
        ..chunk
    };
    fault(reader.read(&foreign), "unavailable");
}

#[test]
fn the_committed_descriptor_is_the_bytes_of_its_file() {
    let (_dir, root) = root();
    let spool = Spool::open(&root).unwrap();
    let bytes = bytes_of(0);
    let chunk = describe(&spool, "front", 0, &bytes);
    let Committed::Fresh(encoded) = spool.commit(&chunk, &bytes).unwrap() else {
        panic!("it is the first");
    };
    assert_eq!(encoded, chunk.encode_to_vec());
    assert_eq!(encoded, fs::read(file(&spool, &chunk, "pb")).unwrap());
    let read = spool.descriptor(&id(&chunk)).unwrap().unwrap();
    assert_eq!((read.chunk, read.encoded), (chunk, encoded));
}

#[test]
fn many_cameras_commit_and_free_at_once() {
    let (_dir, root) = root();
    let spool = Spool::open(&root).unwrap();
    thread::scope(|scope| {
        for camera in ["a", "b", "c", "d"] {
            let spool = &spool;
            scope.spawn(move || {
                for sequence in 0..25 {
                    let chunk = commit(spool, camera, sequence);
                    // Another thread frees at once, in the very run that this one goes on with.
                    if sequence % 5 != 0 {
                        scope.spawn(move || assert!(spool.free(&id(&chunk)).unwrap()));
                    }
                }
            });
        }
    });
    assert_eq!(spool.chunks_held(), 4 * 5);
    drop(spool);
    let spool = Spool::open(&root).unwrap();
    assert_eq!((recovered(&spool).len(), spool.scan().torn), (20, 0));
}

#[test]
fn a_file_waits_at_the_limit_until_something_is_freed() {
    let (_dir, root) = root();
    let spool = Spool::open(&root).unwrap();
    let limit = Limit { bytes: 25_000 };
    let never = || false;
    let chunk = commit(&spool, "front", 0);
    let reserved = spool.reserve(limit, 10_000, never).unwrap();
    // 10,000 held and as many let in: a third chunk has to wait, until the first is freed.
    let waiting = AtomicBool::new(false);
    thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            let stopped = || {
                waiting.store(true, SeqCst);
                false
            };
            spool.reserve(limit, 10_000, stopped).is_some()
        });
        while !waiting.load(SeqCst) {
            thread::yield_now();
        }
        thread::sleep(Duration::from_millis(20));
        assert!(!waiter.is_finished(), "it was let in beyond the limit");
        spool.free(&id(&chunk)).unwrap();
        assert!(waiter.join().unwrap());
    });
    drop(reserved);
    assert!(
        spool.reserve(limit, 1_000_000, never).is_some(),
        "alone, a chunk above the limit passes"
    );
    commit(&spool, "front", 1);
    assert!(
        spool.reserve(limit, 1_000_000, || true).is_none(),
        "a stop ends the wait"
    );
}

#[test]
fn a_failed_commit_leaves_nothing() {
    let (_dir, root) = root();
    let spool = Spool::open(&root).unwrap();
    let kept = commit(&spool, "front", 0);
    let before = files(&root);
    let bytes = bytes_of(1);
    let chunk = describe(&spool, "front", 1, &bytes);
    // The bytes can be written, and the descriptor cannot: a folder is in its way.
    let obstacle = file(&spool, &chunk, "pb.tmp");
    fs::create_dir(&obstacle).unwrap();
    let failed = spool.commit(&chunk, &bytes).unwrap_err();
    assert!(matches!(failed.kind(), Kind::Unavailable(_)), "{failed:?}");
    assert!(!crispy_spool::is_disk_full(&failed));
    assert_eq!(files(&root), before);
    assert_eq!((spool.chunks_held(), spool.bytes_held()), (1, kept.size));
    fs::remove_dir(&obstacle).unwrap();
    assert!(spool.commit(&chunk, &bytes).unwrap().is_fresh());
}

fn letter(reason: &str) -> v1::DeadLetter {
    v1::DeadLetter {
        reason: reason.to_owned(),
        ..Default::default()
    }
}

#[test]
fn a_parked_chunk_stays_parked_after_a_restart() {
    let (_dir, root) = root();
    let spool = Spool::open(&root).unwrap();
    let chunks = [0, 1].map(|sequence| commit(&spool, "front", sequence));
    let [parked, other] = [id(&chunks[0]), id(&chunks[1])];
    assert!(spool.park(&parked, &letter("foreign")).unwrap());
    assert!(spool.park(&parked, &letter("foreign again")).unwrap());
    drop(spool);

    let spool = Spool::open(&root).unwrap();
    assert!(spool.is_parked(&parked) && !spool.is_parked(&other));
    assert_eq!(
        spool.dead_letter(&parked).unwrap(),
        Some(letter("foreign again")),
        "the later one"
    );
    assert_eq!(spool.dead_letter(&other).unwrap(), None);
    assert_eq!(recovered(&spool), chunks, "a marker is no chunk");
    assert_eq!((spool.scan().torn, spool.scan().unknown), (0, 0));
    assert!(spool.unpark(&parked).unwrap() && !spool.unpark(&parked).unwrap());
    drop(spool);

    let spool = Spool::open(&root).unwrap();
    assert!(!spool.is_parked(&parked));
    assert_eq!(recovered(&spool), chunks);
}

#[test]
fn a_marker_goes_with_its_chunk() {
    let (_dir, root) = root();
    let spool = Spool::open(&root).unwrap();
    let chunks = [0, 1, 2].map(|sequence| commit(&spool, "front", sequence));
    for chunk in &chunks[..2] {
        assert!(spool.park(&id(chunk), &letter("foreign")).unwrap());
    }
    let freed = file(&spool, &chunks[0], "parked");
    assert!(freed.exists());
    assert!(spool.free(&id(&chunks[0])).unwrap());
    assert!(!freed.exists());
    assert!(!spool.park(&id(&chunks[0]), &letter("late")).unwrap());
    assert!(!freed.exists(), "a chunk that is not here cannot be parked");

    // As a free that was killed after its first step, and a parking that was killed before its
    // rename.
    let orphan = file(&spool, &chunks[1], "parked");
    fs::remove_file(file(&spool, &chunks[1], "pb")).unwrap();
    let half = file(&spool, &chunks[2], "parked.tmp");
    fs::write(&half, "half").unwrap();
    drop(spool);
    let spool = Spool::open(&root).unwrap();
    assert!(!orphan.exists() && !half.exists());
    assert_eq!(
        spool.scan().torn,
        3,
        "bytes, their marker, and half a marker"
    );
    assert_eq!(recovered(&spool), chunks[2..]);
    assert!(!spool.is_parked(&id(&chunks[2])));
}

#[test]
fn an_unreadable_marker_keeps_its_chunk_parked() {
    let (_dir, root) = root();
    let spool = Spool::open(&root).unwrap();
    let chunk = commit(&spool, "front", 0);
    spool.park(&id(&chunk), &letter("foreign")).unwrap();
    fs::write(file(&spool, &chunk, "parked"), [0xff; 9]).unwrap();
    drop(spool);
    let spool = Spool::open(&root).unwrap();
    assert!(spool.is_parked(&id(&chunk)));
    assert!(spool.dead_letter(&id(&chunk)).is_err());
}
