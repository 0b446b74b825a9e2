//! The cost of a chunk's bytes from the cut to the bucket: sums, commit, read and put of 20
//! chunks of 1.5 MB.
//!
//! `cargo bench -p crispy-uploader`. Processor time of all threads, the best of several rounds;
//! wall time beside it, which is mostly the disk's.
#![allow(clippy::print_stdout, reason = "a benchmark reports to its user")]

use std::{path::Path, time::Instant};

use crispy_bucket::{Bucket, Metadata, Put};
use crispy_checksum::Checksums;
use crispy_proto::{
    id::{ChunkId, Run},
    v1::{self, ChunkReady},
};
use crispy_spool::{Spool, SpoolReader};
use rustix::time::{ClockId, clock_gettime};

const CHUNKS: u64 = 20;
const SIZE: usize = 1_500_000;
const ROUNDS: usize = 7;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .build()
        .expect("a runtime");
    let steps = ["sums", "commit", "read", "put", "free", "sum"];
    let mut best = [(f64::MAX, f64::MAX); 6];
    for _ in 0..ROUNDS {
        let dir =
            tempfile::tempdir_in(std::env::var("BENCH_DIR").unwrap_or_else(|_| "/tmp".to_owned()))
                .expect("a folder");
        let round = round(dir.path(), &runtime);
        for (best, new) in best.iter_mut().zip(round) {
            *best = (best.0.min(new.0), best.1.min(new.1));
        }
    }
    println!("{CHUNKS} chunks of {SIZE} bytes, best of {ROUNDS} rounds");
    for (step, (cpu, wall)) in steps.iter().zip(best) {
        println!("{step:>8} {cpu:7.1} ms CPU {wall:7.1} ms wall");
    }
}

/// Processor and wall milliseconds of each step, and of all.
fn round(root: &Path, runtime: &tokio::runtime::Runtime) -> [(f64, f64); 6] {
    let spool = Spool::open(&root.join("spool")).expect("a spool");
    let reader = SpoolReader::open(spool.root()).expect("the spool");
    let bucket = Bucket::open(&format!("file://{}/bucket", root.display())).expect("a bucket");
    let bytes: Vec<u8> = (0..SIZE as u64)
        .map(|at| (at.wrapping_mul(at) >> 7) as u8)
        .collect();
    let mut spent = [(0.0, 0.0); 6];
    for sequence in 0..CHUNKS {
        let (sums, cost0) = spend(|| Checksums::new(&bytes));
        let chunk = describe(&spool, sequence, &sums);
        let (_, cost1) = spend(|| spool.commit(&chunk, &bytes).expect("a commit"));
        let (read, cost2) = spend(|| reader.read(&chunk).expect("the chunk"));
        let key = format!("v1/demo/front/{sequence}.mp4");
        let (put, cost3) =
            spend(|| runtime.block_on(bucket.put_once(&key, read, &sums, &Metadata::new())));
        assert!(matches!(put, Ok(Put::Stored { .. })), "{put:?}");
        let id = ChunkId::from_wire(chunk.id.as_ref()).expect("an id");
        let (_, cost4) = spend(|| spool.free(&id).expect("a free"));
        for (step, (cpu, wall)) in [cost0, cost1, cost2, cost3, cost4].into_iter().enumerate() {
            for step in [step, 5] {
                spent[step] = (spent[step].0 + cpu, spent[step].1 + wall);
            }
        }
    }
    spent
}

fn spend<T>(work: impl FnOnce() -> T) -> (T, (f64, f64)) {
    let cpu = || {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
    };
    let (started, before) = (Instant::now(), cpu());
    let done = work();
    (
        done,
        (cpu() - before, started.elapsed().as_secs_f64() * 1e3),
    )
}

fn describe(spool: &Spool, sequence: u64, sums: &Checksums) -> ChunkReady {
    ChunkReady {
        id: Some(v1::ChunkId {
            site: "demo".to_owned(),
            camera: "front".to_owned(),
            run: Run::new(0, [0; 10]).to_string(),
            sequence,
        }),
        container: v1::Container::Mp4.into(),
        size: SIZE as u64,
        crc32c: sums.crc32c,
        sha256: sums.sha256.to_vec(),
        spool_id: spool.id().to_string(),
        ..Default::default()
    }
}
