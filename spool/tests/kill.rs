//! A process that is killed while it commits, again and again: every chunk that it reported is
//! there, whole, and nothing half done is.
//!
//! This test is a program of its own (`harness = false`), since it starts itself as the process to
//! be killed.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]
#![allow(
    clippy::print_stdout,
    reason = "the child reports by its standard output; the parent is its own test harness"
)]

use std::{
    collections::HashMap,
    env,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use crispy_checksum::Checksums;
use crispy_proto::{
    id::{ChunkId, Run},
    v1::{self, ChunkReady},
};
use crispy_spool::{Spool, SpoolReader};

const ROUNDS: u64 = 25;

fn main() {
    let arguments: Vec<String> = env::args().collect();
    if let [_, role, root, run] = &arguments[..]
        && role == "commit-until-killed"
    {
        commit_until_killed(Path::new(root), run.parse().unwrap());
    }
    every_chunk_that_a_killed_process_reported_is_there();
    a_second_process_is_refused_by_the_firsts_id();
    println!("kill: 2 claims hold");
}

/// Commits chunks of a run of its own, frees every fourth, and prints each step once it is done.
fn commit_until_killed(root: &Path, run: u64) -> ! {
    let spool = Spool::open(root).unwrap();
    println!("open");
    for sequence in 0.. {
        let bytes = bytes_of(run, sequence);
        let chunk = describe(&spool, run, sequence, &bytes);
        assert!(spool.commit(&chunk, &bytes).unwrap().is_fresh());
        println!("committed {run} {sequence}");
        if sequence % 4 == 0 {
            println!("freeing {run} {sequence}");
            spool
                .free(&ChunkId::from_wire(chunk.id.as_ref()).unwrap())
                .unwrap();
            println!("freed {run} {sequence}");
        }
        std::io::stdout().flush().unwrap();
    }
    unreachable!("sequences do not end")
}

fn bytes_of(run: u64, sequence: u64) -> Vec<u8> {
    // Of several sizes, so that a kill finds the child in every one of its steps.
    let len = 1000 << (sequence % 9);
    (0..len)
        .map(|at: u64| (at.wrapping_mul(run + 3) ^ sequence) as u8)
        .collect()
}

fn describe(spool: &Spool, run: u64, sequence: u64, bytes: &[u8]) -> ChunkReady {
    let sums = Checksums::new(bytes);
    ChunkReady {
        id: Some(v1::ChunkId {
            site: "demo".to_owned(),
            camera: "front".to_owned(),
            run: Run::new(run, [0; 10]).to_string(),
            sequence,
        }),
        container: v1::Container::Mp4.into(),
        size: bytes.len() as u64,
        crc32c: sums.crc32c,
        sha256: sums.sha256.to_vec(),
        spool_id: spool.id().to_string(),
        ..Default::default()
    }
}

fn child(root: &Path, run: u64) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .arg("commit-until-killed")
        .arg(root)
        .arg(run.to_string());
    command.stdout(Stdio::piped()).spawn().unwrap()
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Committed,
    Freeing,
    Freed,
}

fn every_chunk_that_a_killed_process_reported_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let mut reported: HashMap<(u64, u64), Step> = HashMap::new();
    let mut torn = 0;
    for run in 0..ROUNDS {
        let mut child = child(dir.path(), run);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut lines = lines.map(Result::unwrap);
        assert_eq!(lines.next().as_deref(), Some("open"));
        let mut lines_read = 0;
        for line in lines {
            // Never a cut line: a short write to a pipe is atomic.
            let words: Vec<&str> = line.split(' ').collect();
            let [word, run, sequence] = words[..] else {
                panic!("the child printed {line:?}")
            };
            let (run, sequence) = (run.parse().unwrap(), sequence.parse().unwrap());
            match word {
                "committed" => reported.insert((run, sequence), Step::Committed),
                "freeing" => reported.insert((run, sequence), Step::Freeing),
                _ => reported.insert((run, sequence), Step::Freed),
            };
            lines_read += 1;
            if lines_read == 1 + run % 9 {
                // Into another step each time; the disk decides which.
                thread::sleep(Duration::from_micros(run * 7919 % 5000));
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        torn += check(dir.path(), &reported);
    }
    println!(
        "kill: {ROUNDS} kills, {} chunks reported, {torn} torn files removed",
        reported.len()
    );
}

/// Compares the spool with the reported steps. Returns the number of removed torn files.
fn check(root: &Path, reported: &HashMap<(u64, u64), Step>) -> usize {
    let spool = Spool::open(root).unwrap();
    let reader = SpoolReader::open(root).unwrap();
    assert_eq!(spool.scan().damaged.len(), 0, "{:?}", spool.scan());
    let mut found = HashMap::new();
    for chunk in spool.recovered().map(|chunk| chunk.unwrap().chunk) {
        let id = ChunkId::from_wire(chunk.id.as_ref()).unwrap();
        let name = (id.run.start_ms(), id.sequence);
        assert_eq!(
            reader.read(&chunk).unwrap(),
            bytes_of(name.0, name.1),
            "{id}"
        );
        found.insert(name, chunk);
    }
    for (name, step) in reported {
        match step {
            Step::Committed => assert!(
                found.contains_key(name),
                "{name:?} was reported and is not there"
            ),
            Step::Freed => assert!(!found.contains_key(name), "{name:?} came back"),
            Step::Freeing => {}
        }
    }
    spool.scan().torn
}

fn a_second_process_is_refused_by_the_firsts_id() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = child(dir.path(), 0);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "open");
    let refused = Spool::open(dir.path());
    let by_the_child = refused.as_ref().is_err_and(|fault| {
        fault
            .to_string()
            .ends_with(&format!("in use by process {}", child.id()))
    });
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(by_the_child, "{refused:?}");
    Spool::open(dir.path()).expect("the lock ends with its process");
}
