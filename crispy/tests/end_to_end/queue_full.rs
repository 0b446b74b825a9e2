//! A full queue, and a deleted stream.

use std::fs;

use crate::fixture::{
    Fixture,
    nats::{MonitoredNats, delete_stream, free_port, has_stream},
    until, video,
};

/// Chunks of one camera in an outage of half an hour.
const CHUNKS: usize = 2000;
/// Chunks after which only memory per chunk still grows.
const WARM: usize = 200;
/// Some hundred bytes for each unconfirmed chunk, and the allocator's slack.
const ALLOWED_KIB: u64 = 4096;

#[test]
fn a_full_queue_takes_no_memory_of_the_ingestor() {
    let (fixture, server) = (Fixture::new(), MonitoredNats::start());
    fixture.set_up(&server);
    server.set_max_bytes("CRISPY_CHUNKS", 64 * 1024);
    let ingestor = fixture.ingestor("front", &video::many_larger(CHUNKS as u32));
    let ingestor = ingestor.server(&server).arguments(["--window", "1s"]);
    let ingestor = ingestor.start();
    let committed = || {
        let files = fixture.chunks_in(&fixture.path("spool")).into_iter();
        files.filter(|file| file.extension().is_some_and(|it| it == "pb"))
    };
    until("some chunks are committed", || committed().count() >= WARM);
    let before = peak_kib(ingestor.pid());
    until("all chunks are committed", || committed().count() == CHUNKS);
    let after = peak_kib(ingestor.pid());
    let queued = server.messages("CRISPY_CHUNKS");
    assert!((1..WARM as u64).contains(&queued), "{queued} are queued");
    let files = fixture.chunks_in(&fixture.path("spool")).into_iter();
    let bytes: u64 = files.map(|file| fs::metadata(file).unwrap().len()).sum();
    assert!(bytes > 4 * 1024 * ALLOWED_KIB, "growth would show: {bytes}");
    // Measured: 49 MiB, and 1.3 MiB more for 62 MiB of video. With the bytes kept: 59 MiB more.
    assert!(after - before < ALLOWED_KIB, "{before} KiB, then {after}");

    server.set_max_bytes("CRISPY_CHUNKS", 64 << 20);
    let _uploader = fixture.uploader().server(&server).start();
    ingestor.end().with_code(0);
    assert_eq!(fixture.bucket().one_run().len(), CHUNKS);
    fixture.spool_is_empty();
}

#[test]
fn crispy_up_recreates_a_deleted_stream() {
    let (fixture, port) = (Fixture::new(), free_port().to_string());
    let file = video::many(300);
    let up = fixture.up(&[("front", &file)]);
    // Slow, so that the work is not done before the streams are checked.
    let up = up.env("CRISPY_MAX_UPLOAD_RATE", "10KiB/s");
    let mut up = up.flag("--nats-port", &port).start();
    up.until_stdout_lines(1);
    let url = format!("nats://127.0.0.1:{port}");
    delete_stream(&url, "CRISPY_DEAD");
    until("the stream is back", || has_stream(&url, "CRISPY_DEAD"));
    assert!(!up.has_ended(), "while it runs");
}

/// Peak memory of a process, in KiB.
fn peak_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.unwrap().trim().trim_end_matches(" kB");
    peak.parse().unwrap()
}
