//! Work that was given up, dealt with by command.

use std::{fs, path::PathBuf};

use rustix::process::Signal;

use crate::house::{
    House,
    bucket::files_below,
    program::{Program, Running},
    server::Monitored,
    until, video,
};

/// A house in whose bucket somebody else's bytes lie where a chunk belongs, and an ingestor that has ended because that chunk was given up.
struct GivenUp {
    house: House,
    server: Monitored,
    uploader: Running,
    /// The file that is in the way.
    foreign: PathBuf,
    /// Chunks of the source.
    chunks: usize,
}

impl GivenUp {
    fn new() -> Self {
        let (house, server) = (House::new(), Monitored::start());
        let file = video::irregular();
        house.up(&[("front", &file)]).run().with_code(0);
        let objects = house.bucket().one_run();
        let (foreign, chunks) = (objects[0].path.clone(), objects.len());
        for file in house.bucket().files() {
            fs::remove_file(file).unwrap();
        }
        fs::write(&foreign, "somebody else's").unwrap();

        let crispy = |arguments: [&str; 1]| house.program("crispy").arguments(arguments);
        at(&server, crispy(["setup"])).run().with_code(0);
        let uploader = house.program("crispy-uploader");
        let uploader = uploader
            .flag("--spool", house.path("spool"))
            .flag("--bucket", house.bucket().url());
        let given_up = Self {
            uploader: at(&server, uploader).start(),
            house,
            server,
            foreign,
            chunks,
        };
        given_up.ingestor("front").run().with_code(52);
        given_up
    }

    /// The reason is mended: what is sent again will be uploaded.
    fn mend(&self) {
        fs::remove_file(&self.foreign).unwrap();
    }

    /// Whether the chunk that was given up is all that the bucket lacks.
    fn lacks_one(&self) -> bool {
        self.house.bucket().chunks().len() == self.chunks - 1
    }

    /// Replayed by command, it is uploaded, and its ingestor is told.
    fn is_replayed(&self) {
        let replayed = self.dead(["replay"]).run().with_code(0);
        assert!(replayed.stdout[0].ends_with(": replayed"), "{replayed}");
        until("the chunk is in the bucket", || {
            self.house.bucket().chunks().len() == self.chunks
        });
        let none = self.dead(["list"]).run().with_code(0);
        assert_eq!(none.stdout, ["no dead letters"]);
        self.ingestor("front").run().with_code(0);
        self.house.no_chunk_is_in_the_spool();
    }

    fn ingestor(&self, camera: &str) -> Program {
        let source = format!("{camera}={}", video::irregular().display());
        let ingestor = self.house.program("crispy-ingestor");
        let ingestor = ingestor
            .flag("--camera", source)
            .flag("--spool", self.house.path("spool"))
            .arguments(["--site", "demo"]);
        at(&self.server, ingestor)
    }

    fn dead<const N: usize>(&self, arguments: [&str; N]) -> Program {
        let dead = self.house.program("crispy").arguments(["dead"]);
        at(&self.server, dead.arguments(arguments))
    }
}

fn at(server: &Monitored, program: Program) -> Program {
    program
        .flag("--nats-server", server.url())
        .env("CRISPY_LOG_FORMAT", "text")
}

#[test]
fn what_was_given_up_is_replayed_once_its_reason_is_mended() {
    let given_up = GivenUp::new();
    let listed = given_up.dead(["list"]).run().with_code(0);
    assert!(listed.to_string().contains("rejected"), "{listed}");
    let shown = given_up
        .dead(["show", "1", "-o", "jsonl"])
        .run()
        .with_code(0);
    let letter: serde_json::Value = serde_json::from_str(&shown.stdout[0]).unwrap();
    assert_eq!(
        (&letter["stage"], &letter["sequence"]),
        (&"uploader".into(), &0.into())
    );
    given_up
        .dead(["show", "99"])
        .run()
        .with_code(1)
        .saying(&["99"]);

    for others in [["--camera", "yard"], ["--reason", "no such words"]] {
        let none = given_up
            .dead(["replay"])
            .arguments(others)
            .run()
            .with_code(0);
        assert_eq!(none.stdout, ["no dead letters"]);
    }
    let dry = given_up.dead(["replay", "--dry-run"]).run().with_code(0);
    assert!(dry.stdout[0].contains("would be replayed"), "{dry}");

    given_up.mend();
    given_up.is_replayed();
}

#[test]
fn what_was_given_up_stays_parked_when_its_ingestor_is_killed_and_started_anew() {
    let given_up = GivenUp::new();
    given_up.mend();
    let mut killed = given_up.ingestor("front").start();
    killed.until_stderr("they are kept and not sent");
    killed.signal(Signal::KILL);
    killed.end();
    let again = given_up.ingestor("front").run().with_code(52);
    again.saying(&["crispy dead list", "crispy dead replay"]);
    assert!(given_up.lacks_one());
    assert_eq!(given_up.server.messages("CRISPY_CHUNKS"), 0);
    assert_eq!(given_up.server.messages("CRISPY_DEAD"), 1);
    given_up.is_replayed();
}

#[test]
fn a_wiped_queue_leaves_what_is_parked_parked_and_its_dead_letter_comes_back() {
    let mut given_up = GivenUp::new();
    given_up.mend();
    given_up.server.wipe();
    let setup = given_up.house.program("crispy").arguments(["setup"]);
    at(&given_up.server, setup).run().with_code(0);
    let none = given_up.dead(["list"]).run().with_code(0);
    assert_eq!(none.stdout, ["no dead letters"]);

    let again = given_up.ingestor("front").run().with_code(52);
    assert_eq!(again.stderr_with("published again").len(), 1, "{again}");
    let listed = given_up.dead(["list"]).run().with_code(0);
    assert!(listed.to_string().contains("rejected"), "{listed}");
    assert!(given_up.lacks_one());
    // It is there now, and not published a second time.
    let again = given_up.ingestor("front").run().with_code(52);
    assert_eq!(again.stderr_with("published again").len(), 0, "{again}");
    assert_eq!(given_up.server.messages("CRISPY_DEAD"), 1);
    given_up.is_replayed();
}

#[test]
fn crispy_up_leaves_what_is_parked_until_it_is_told_to_replay_it() {
    let house = House::new();
    let file = video::irregular();
    let up = || house.up(&[("front", &file)]);
    up().run().with_code(0);
    let objects = house.bucket().one_run();
    for file in house.bucket().files() {
        fs::remove_file(file).unwrap();
    }
    fs::write(&objects[0].path, "somebody else's").unwrap();
    up().run().with_code(52);
    fs::remove_file(&objects[0].path).unwrap();
    up().run().with_code(52).saying(&["--replay"]);
    assert_eq!(house.bucket().chunks().len(), objects.len() - 1);
    up().arguments(["--replay"]).run().with_code(0);
    assert_eq!(house.bucket().chunks().len(), objects.len());
    house.no_chunk_is_in_the_spool();
}

#[test]
fn what_is_dropped_leaves_the_spool_and_is_declared_lost() {
    let given_up = GivenUp::new();
    given_up.uploader.signal(Signal::TERM);
    given_up
        .dead(["drop"])
        .run()
        .with_code(2)
        .saying(&["--yes"]);
    let kept = given_up.house.path("spool/chunks/demo/front");
    assert!(!files_below(&kept).is_empty());
    let dropped = given_up.dead(["drop", "1"]).run().with_code(0);
    assert!(dropped.stdout[0].ends_with(": dropped"), "{dropped}");
    // Of another camera: the same source would commit the chunk anew.
    let mut ingestor = given_up.ingestor("yard").start();
    ingestor.until_stderr("dropped by an operator");
    until("the chunk has left the spool", || {
        files_below(&kept).is_empty()
    });
    ingestor.signal(Signal::TERM);
    ingestor.end().with_code(0);
    let foreign = fs::read(&given_up.foreign).unwrap();
    assert_eq!(foreign, b"somebody else's");
}
