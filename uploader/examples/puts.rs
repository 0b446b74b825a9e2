//! An uploader without a queue: chunks of 1.5 MB are read from a spool, checked, and put into a
//! bucket, so many at a time.
//!
//! `STORAGE_EMULATOR_HOST=... puts BUCKET COUNT TASKS` prints one line of JSON: seconds, processor
//! milliseconds a put, how many of them went into reading and SHA-256, and what a put took, in
//! milliseconds. `tools/bench-puts` is its caller, and starts the bucket.
#![allow(clippy::print_stdout, reason = "its one line is its result")]

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use crispy_bucket::{Bucket, Metadata, Put};
use crispy_checksum::Checksums;
use crispy_proto::{
    id::Run,
    v1::{self, ChunkReady},
};
use crispy_spool::{Spool, SpoolReader};
use rustix::time::{ClockId, clock_gettime};

const SIZE: u64 = 1_500_000;
/// Different chunks in the spool; each is put again and again, under new keys.
const CHUNKS: u64 = 8;

struct Work {
    reader: SpoolReader,
    chunks: Vec<ChunkReady>,
    bucket: Bucket,
    next: AtomicU64,
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [bucket, count, tasks] = &args[..] else {
        panic!("puts BUCKET COUNT TASKS");
    };
    let count: u64 = count.parse().expect("a number of puts");
    let tasks: u64 = tasks.parse().expect("a number of tasks");
    let folder = tempfile::tempdir().expect("a folder");
    let work = Arc::new(prepare(folder.path(), bucket));

    let (read, _) = spent(|| {
        for chunk in &work.chunks {
            work.reader.read(chunk).expect("the chunk");
        }
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    // The connections are made before the clock runs.
    runtime.block_on(all(&work, tasks, tasks));
    let (cpu, (took, seconds)) = spent(|| {
        let begun = Instant::now();
        let took = runtime.block_on(all(&work, tasks, count));
        (took, begun.elapsed().as_secs_f64())
    });
    let at = |share: usize| took[(took.len() - 1) * share / 100];
    println!(
        r#"{{"seconds": {seconds:.3}, "cpu_ms": {:.3}, "read_ms": {:.3}, "p50": {:.2}, "p99": {:.2}}}"#,
        cpu / count as f64,
        read / CHUNKS as f64,
        at(50),
        at(99),
    );
}

/// What each of `count` puts took, in milliseconds, the shortest first.
async fn all(work: &Arc<Work>, tasks: u64, count: u64) -> Vec<f64> {
    let end = work.next.load(Ordering::SeqCst) + count;
    let tasks = (0..tasks).map(|_| tokio::spawn(task(Arc::clone(work), end)));
    let mut took = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        took.extend(task.await.expect("a task that does not panic"));
    }
    work.next.store(end, Ordering::SeqCst);
    took.sort_by(f64::total_cmp);
    took
}

async fn task(work: Arc<Work>, end: u64) -> Vec<f64> {
    let mut took = Vec::new();
    loop {
        let number = work.next.fetch_add(1, Ordering::SeqCst);
        if number >= end {
            return took;
        }
        let begun = Instant::now();
        put(&work, number).await;
        took.push(begun.elapsed().as_secs_f64() * 1e3);
    }
}

/// As the uploader does it: read on a thread that may wait for the disk, then put.
async fn put(work: &Arc<Work>, number: u64) {
    let reading = Arc::clone(work);
    let chunk = work.chunks[(number % CHUNKS) as usize].clone();
    let sums = Checksums::from_parts(chunk.crc32c, &chunk.sha256).expect("sums");
    let read = tokio::task::spawn_blocking(move || reading.reader.read(&chunk));
    let bytes = read.await.expect("a thread").expect("the chunk");
    let key = format!("v1/bench/{}/{number:010}.mp4", std::process::id());
    let metadata = metadata();
    let put = work.bucket.put_once(&key, bytes, &sums, &metadata).await;
    assert!(matches!(put, Ok(Put::Stored { .. })), "{put:?}");
}

/// About as much as a chunk has.
fn metadata() -> Metadata {
    let mut metadata = Metadata::new();
    for name in ["camera", "site", "run", "sequence", "from", "to", "codec"] {
        let inserted = metadata.insert(name, "2026-11-22T00:00:00.000000Z");
        inserted.expect("a name and a value that every store takes");
    }
    metadata
}

fn prepare(folder: &Path, bucket: &str) -> Work {
    let spool = Spool::open(&folder.join("spool")).expect("a spool");
    let commit = |sequence| {
        let bytes: Vec<u8> = (0..SIZE)
            .map(|at| (at.wrapping_mul(at + sequence) >> 7) as u8)
            .collect();
        let chunk = describe(&spool, sequence, &Checksums::new(&bytes));
        let _ = spool.commit(&chunk, &bytes).expect("a commit");
        chunk
    };
    Work {
        chunks: (0..CHUNKS).map(commit).collect(),
        reader: SpoolReader::open(spool.root()).expect("the spool"),
        bucket: Bucket::open(bucket).expect("a bucket"),
        next: AtomicU64::new(0),
    }
}

fn describe(spool: &Spool, sequence: u64, sums: &Checksums) -> ChunkReady {
    ChunkReady {
        id: Some(v1::ChunkId {
            site: "bench".to_owned(),
            camera: "front".to_owned(),
            run: Run::new(0, [0; 10]).to_string(),
            sequence,
        }),
        container: v1::Container::Mp4.into(),
        size: SIZE,
        crc32c: sums.crc32c,
        sha256: sums.sha256.to_vec(),
        spool_id: spool.id().to_string(),
        ..Default::default()
    }
}

/// Processor time of all threads, in milliseconds, and what the work gave.
fn spent<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let cpu = || {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
    };
    let before = cpu();
    let done = work();
    (cpu() - before, done)
}
