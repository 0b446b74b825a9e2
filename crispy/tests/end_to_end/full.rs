//! A queue that is full: everybody before it waits, and nobody grows.

use std::fs;

use crate::house::{
    House,
    program::Program,
    server::{Monitored, delete_stream, free_port, has_stream},
    until, video,
};

/// As many as an outage of half an hour makes of one camera.
const CHUNKS: usize = 2000;
/// By then all that does not grow with each chunk has its size.
const WARM: usize = 200;
/// What the ingestor remembers of each chunk that it owes, some hundred bytes, and the allocator's slack.
const ALLOWED_KIB: u64 = 4096;

#[test]
fn a_full_queue_takes_no_memory_of_an_ingestor_that_goes_on_recording() {
    let (house, server) = (House::new(), Monitored::start());
    let at = |program: Program| program.flag("--nats-server", server.url());
    at(house.program("crispy").arguments(["setup"]))
        .run()
        .with_code(0);
    server.room("CRISPY_CHUNKS", 64 * 1024);
    let source = format!("front={}", video::many_larger(CHUNKS as u32).display());
    let ingestor = house.program("crispy-ingestor");
    let ingestor = ingestor
        .arguments(["--window", "1s"])
        .flag("--camera", source)
        .flag("--spool", house.path("spool"));
    let ingestor = at(ingestor).start();
    let committed = || {
        let files = house.chunks_in(&house.path("spool")).into_iter();
        files.filter(|file| file.extension().is_some_and(|it| it == "pb"))
    };
    until("some chunks are committed", || committed().count() >= WARM);
    let before = peak_kib(ingestor.pid());
    until("all chunks are committed", || committed().count() == CHUNKS);
    let after = peak_kib(ingestor.pid());
    let queued = server.messages("CRISPY_CHUNKS");
    assert!((1..WARM as u64).contains(&queued), "{queued} are queued");
    let files = house.chunks_in(&house.path("spool")).into_iter();
    let bytes: u64 = files.map(|file| fs::metadata(file).unwrap().len()).sum();
    assert!(bytes > 4 * 1024 * ALLOWED_KIB, "growth would show: {bytes}");
    // Measured: 49 MiB, and 1.3 MiB more for 62 MiB of video. With the bytes kept: 59 MiB more.
    assert!(after - before < ALLOWED_KIB, "{before} KiB, then {after}");

    server.room("CRISPY_CHUNKS", 64 << 20);
    let uploader = house.program("crispy-uploader");
    let uploader = uploader.flag("--spool", house.path("spool"));
    let _uploader = at(uploader.flag("--bucket", house.bucket().url())).start();
    ingestor.end().with_code(0);
    assert_eq!(house.bucket().one_run().len(), CHUNKS);
    house.no_chunk_is_in_the_spool();
}

#[test]
fn a_stream_that_vanishes_is_made_again_by_crispy_up() {
    let (house, port) = (House::new(), free_port().to_string());
    let file = video::many(300);
    let up = house.up(&[("front", &file)]);
    // Slow, so that it is still at work when the stream is looked for.
    let up = up.env("CRISPY_MAX_UPLOAD_RATE", "10KiB/s");
    let mut up = up.flag("--nats-port", &port).start();
    up.until_stdout_lines(1);
    let url = format!("nats://127.0.0.1:{port}");
    delete_stream(&url, "CRISPY_DEAD");
    until("the stream is back", || has_stream(&url, "CRISPY_DEAD"));
    assert!(!up.has_ended(), "while it runs");
}

/// The most memory that a process has had, in KiB.
fn peak_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.unwrap().trim().trim_end_matches(" kB");
    peak.parse().unwrap()
}
