//! An object that takes its inspector down, or is no video at all: nothing else waits for it, and nothing is lost.

use std::{fs, time::Duration};

use rustix::{
    fs::{CWD, FileType, Mode, mknodat},
    process::Signal,
};

use crate::house::{
    House,
    program::{Program, Running},
    server::Monitored,
    until, video,
};

const CHUNKS: u64 = 12;
/// How long the server leaves a chunk with an inspector that died, instead of a minute.
const LEASE: Duration = Duration::from_secs(2);

/// libav reads what anybody may have written, and may crash on it: the process is the boundary. Three inspectors are killed while each of
/// them is at the same chunk, whose object is a pipe that nobody writes to. Each has inspected all the others meanwhile.
#[test]
fn a_chunk_whose_inspection_kills_three_inspectors_holds_up_no_other_and_is_inspected_by_the_fourth()
 {
    let scene = Scene::open();
    scene.record("first");
    let object = scene.house.bucket().one_run().remove(5).path;
    let aside = scene.house.path("aside");
    fs::rename(&object, &aside).expect("take the object away");
    mknodat(CWD, &object, FileType::Fifo, Mode::RUSR, 0).expect("make a pipe");

    for (round, next) in (0..).zip(["second", "third", "fourth"]) {
        let inspector = scene.inspector();
        let deliveries = CHUNKS * (round + 1) + round;
        until("the chunk is with this inspector, and no other", || {
            scene.server.consumer("inspector") == (deliveries, 1)
        });
        scene.record(next);
        let others = CHUNKS * (round + 2) - 1;
        until("every other chunk is inspected meanwhile", || {
            scene.inspected() == others
                && scene.server.consumer("inspector") == ((deliveries + CHUNKS), 1)
        });
        inspector.signal(Signal::KILL);
        assert_eq!(inspector.end().status.code(), None, "it was killed");
    }

    fs::rename(&aside, &object).expect("put the object back");
    let inspector = scene.inspector();
    until("nothing is left to do", || {
        scene.server.consumer("inspector") == ((4 * CHUNKS + 3), 0)
    });
    assert_eq!(scene.inspected(), (4 * CHUNKS));
    assert_eq!(scene.server.messages("CRISPY_DEAD"), 0);
    inspector.signal(Signal::TERM);
    let ended = inspector.end().with_code(0);
    assert_eq!(ended.stderr_with("agrees=true").len(), 1, "{ended}");
}

/// Hostile bytes are no failure of the inspector: they are what it is there to find.
#[test]
fn an_object_that_is_no_video_disagrees_and_is_not_a_dead_letter() {
    let scene = Scene::open();
    scene.record("first");
    let objects = scene.house.bucket().one_run();
    let whole = fs::read(&objects[3].path).expect("an object");
    let noise: Vec<u8> = (0..whole.len() as u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    // an index that is all lies, and nothing that looks like a video
    let lies = [&whole[..200], &noise[200..]].concat();
    fs::write(&objects[3].path, lies).expect("overwrite an object");
    fs::write(&objects[7].path, noise).expect("overwrite an object");
    let events = scene.server.messages("CRISPY_EVENTS");
    let inspector = scene.inspector();
    until("nothing is left to do", || {
        scene.server.consumer("inspector") == (CHUNKS, 0)
    });
    assert_eq!(scene.inspected(), CHUNKS);
    assert_eq!(scene.server.messages("CRISPY_EVENTS"), events + 2);
    assert_eq!(scene.server.messages("CRISPY_DEAD"), 0);
    inspector.signal(Signal::TERM);
    let ended = inspector.end().with_code(0);
    assert_eq!(ended.stderr_with("agrees=false").len(), 2, "{ended}");
}

/// A queue, a bucket that is being filled, and nobody who inspects.
struct Scene {
    house: House,
    server: Monitored,
    _uploader: Running,
}

impl Scene {
    fn open() -> Self {
        let (house, server) = (House::new(), Monitored::start());
        let at = |program: Program| program.flag("--nats-server", server.url());
        at(house.program("crispy").arguments(["setup"]))
            .run()
            .with_code(0);
        server.lease("CRISPY_UPLOADED", "inspector", LEASE);
        let uploader = house.program("crispy-uploader");
        let uploader = uploader.flag("--spool", house.path("spool"));
        let uploader = at(uploader.flag("--bucket", house.bucket().url())).start();
        Self {
            house,
            server,
            _uploader: uploader,
        }
    }

    /// Another camera's chunks, into the bucket.
    fn record(&self, camera: &str) {
        let source = format!("{camera}={}", video::many(CHUNKS as u32).display());
        let ingestor = self.house.program("crispy-ingestor");
        ingestor
            .arguments(["--window", "1s"])
            .flag("--camera", source)
            .flag("--spool", self.house.path("spool"))
            .flag("--nats-server", self.server.url())
            .run()
            .with_code(0);
    }

    fn inspected(&self) -> u64 {
        self.server.messages("CRISPY_INSPECTED")
    }

    fn inspector(&self) -> Running {
        let inspector = self.house.program("crispy-inspector");
        inspector
            .flag("--bucket", self.house.bucket().url())
            .flag("--nats-server", self.server.url())
            .env("CRISPY_LOG_FORMAT", "text")
            .start()
    }
}
