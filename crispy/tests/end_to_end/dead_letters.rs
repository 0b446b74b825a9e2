//! `crispy dead`: dead letters listed, replayed and dropped.

use std::{fs, path::PathBuf};

use rustix::process::Signal;

use crate::fixture::{
    Fixture,
    bucket::{FOREIGN, files_below},
    nats::MonitoredNats,
    program::{Program, Running},
    until, video,
};

/// A bucket with another writer's object where a chunk belongs, and an ingestor that has ended with
/// that chunk's dead letter.
struct DeadLetterFixture {
    fixture: Fixture,
    server: MonitoredNats,
    uploader: Running,
    /// The other writer's object.
    foreign: PathBuf,
    /// Number of chunks of the source.
    chunks: usize,
}

impl DeadLetterFixture {
    fn new() -> Self {
        let (fixture, server) = (Fixture::new(), MonitoredNats::start());
        let file = video::irregular();
        fixture.up(&[("front", &file)]).run().with_code(0);
        let chunks = fixture.bucket().one_run().len();
        let foreign = fixture.occupy_first_object();
        fixture.set_up(&server);
        let dead = Self {
            uploader: fixture.uploader().server(&server).start(),
            fixture,
            server,
            foreign,
            chunks,
        };
        dead.ingestor("front").run().with_code(52);
        dead
    }

    /// Removes the reason: a replay will succeed.
    fn fix(&self) {
        fs::remove_file(&self.foreign).unwrap();
    }

    /// Whether only the dead-lettered chunk is missing in the bucket.
    fn lacks_one(&self) -> bool {
        self.fixture.bucket().chunks().len() == self.chunks - 1
    }

    /// Replays it: it is uploaded, and its ingestor ends.
    fn replay(&self) {
        let replayed = self.dead(["replay"]).run().with_code(0);
        assert!(replayed.stdout[0].ends_with(": replayed"), "{replayed}");
        until("the chunk is in the bucket", || {
            self.fixture.bucket().chunks().len() == self.chunks
        });
        let none = self.dead(["list"]).run().with_code(0);
        assert_eq!(none.stdout, ["no dead letters"]);
        self.ingestor("front").run().with_code(0);
        self.fixture.spool_is_empty();
    }

    fn ingestor(&self, camera: &str) -> Program {
        let ingestor = self.fixture.ingestor(camera, &video::irregular());
        ingestor.server(&self.server).arguments(["--site", "demo"])
    }

    fn dead<const N: usize>(&self, arguments: [&str; N]) -> Program {
        let dead = self.fixture.program("crispy").arguments(["dead"]);
        dead.arguments(arguments).server(&self.server)
    }
}

#[test]
fn a_dead_letter_is_replayed_once_its_reason_is_fixed() {
    let dead = DeadLetterFixture::new();
    let listed = dead.dead(["list"]).run().with_code(0);
    assert!(listed.to_string().contains("rejected"), "{listed}");
    let shown = dead.dead(["show", "1", "-o", "jsonl"]).run().with_code(0);
    let letter: serde_json::Value = serde_json::from_str(&shown.stdout[0]).unwrap();
    assert_eq!(
        (&letter["stage"], &letter["sequence"]),
        (&"uploader".into(), &0.into())
    );
    dead.dead(["show", "99"])
        .run()
        .with_code(1)
        .with_message(&["99"]);

    for others in [["--camera", "yard"], ["--reason", "no such words"]] {
        let none = dead.dead(["replay"]).arguments(others).run().with_code(0);
        assert_eq!(none.stdout, ["no dead letters"]);
    }
    let dry = dead.dead(["replay", "--dry-run"]).run().with_code(0);
    assert!(dry.stdout[0].contains("would be replayed"), "{dry}");

    dead.fix();
    dead.replay();
}

#[test]
fn a_parked_chunk_survives_a_killed_ingestor() {
    let dead = DeadLetterFixture::new();
    dead.fix();
    let mut killed = dead.ingestor("front").start();
    killed.until_stderr("parked chunks in spool");
    killed.signal(Signal::KILL);
    killed.end();
    let again = dead.ingestor("front").run().with_code(52);
    again.with_message(&["crispy dead list", "crispy dead replay"]);
    assert!(dead.lacks_one());
    assert_eq!(dead.server.messages("CRISPY_CHUNKS"), 0);
    assert_eq!(dead.server.messages("CRISPY_DEAD"), 1);
    dead.replay();
}

#[test]
fn a_wiped_queue_keeps_parked_chunks_and_their_dead_letters() {
    let mut dead = DeadLetterFixture::new();
    dead.fix();
    dead.server.wipe();
    dead.fixture.set_up(&dead.server);
    let none = dead.dead(["list"]).run().with_code(0);
    assert_eq!(none.stdout, ["no dead letters"]);

    let again = dead.ingestor("front").run().with_code(52);
    assert_eq!(again.stderr_with("publishing it again").len(), 1, "{again}");
    let listed = dead.dead(["list"]).run().with_code(0);
    assert!(listed.to_string().contains("rejected"), "{listed}");
    assert!(dead.lacks_one());
    // It exists now, and is not published a second time.
    let again = dead.ingestor("front").run().with_code(52);
    assert_eq!(again.stderr_with("publishing it again").len(), 0, "{again}");
    assert_eq!(dead.server.messages("CRISPY_DEAD"), 1);
    dead.replay();
}

#[test]
fn crispy_up_replays_parked_chunks_only_on_request() {
    let fixture = Fixture::new();
    let file = video::irregular();
    let up = || fixture.up(&[("front", &file)]);
    up().run().with_code(0);
    let objects = fixture.bucket().one_run();
    let foreign = fixture.occupy_first_object();
    up().run().with_code(52);
    fs::remove_file(foreign).unwrap();
    up().run().with_code(52).with_message(&["--replay"]);
    assert_eq!(fixture.bucket().chunks().len(), objects.len() - 1);
    up().arguments(["--replay"]).run().with_code(0);
    assert_eq!(fixture.bucket().chunks().len(), objects.len());
    fixture.spool_is_empty();
}

#[test]
fn a_dropped_chunk_leaves_the_spool_and_is_declared_lost() {
    let dead = DeadLetterFixture::new();
    dead.uploader.signal(Signal::TERM);
    dead.dead(["drop"])
        .run()
        .with_code(2)
        .with_message(&["--yes"]);
    let kept = dead.fixture.path("spool/chunks/demo/front");
    assert!(!files_below(&kept).is_empty());
    let dropped = dead.dead(["drop", "1"]).run().with_code(0);
    assert!(dropped.stdout[0].ends_with(": dropped"), "{dropped}");
    // Another camera: the same source would commit the chunk again.
    let mut ingestor = dead.ingestor("yard").start();
    ingestor.until_stderr("dropped by operator");
    until("the chunk has left the spool", || {
        files_below(&kept).is_empty()
    });
    ingestor.signal(Signal::TERM);
    ingestor.end().with_code(0);
    let foreign = fs::read(&dead.foreign).unwrap();
    assert_eq!(foreign, FOREIGN.as_bytes());
}
