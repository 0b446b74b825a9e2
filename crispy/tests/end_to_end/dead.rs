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

    fs::remove_file(&given_up.foreign).unwrap();
    let replayed = given_up.dead(["replay"]).run().with_code(0);
    assert!(replayed.stdout[0].ends_with(": replayed"), "{replayed}");
    let house = &given_up.house;
    until("the chunk is in the bucket", || {
        house.bucket().chunks().len() == given_up.chunks
    });
    let none = given_up.dead(["list"]).run().with_code(0);
    assert_eq!(none.stdout, ["no dead letters"]);
    given_up.ingestor("front").run().with_code(0);
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
