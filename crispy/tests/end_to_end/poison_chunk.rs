//! Objects that crash their inspector or are no video: no other chunk waits for them, and nothing
//! is lost.

use std::{fs, time::Duration};

use rustix::{
    fs::{CWD, FileType, Mode, mknodat},
    process::Signal,
};

use crate::fixture::{Fixture, nats::MonitoredNats, program::Running, until, video};

const CHUNKS: u64 = 12;
/// Lease of a chunk at a dead inspector, instead of a minute.
const LEASE: Duration = Duration::from_secs(2);

/// libav reads untrusted bytes and may crash: the process is the boundary. Three inspectors are
/// killed at the same chunk, whose object is a pipe without a writer. Each inspects all the other
/// chunks meanwhile.
#[test]
fn a_chunk_that_kills_three_inspectors_delays_no_other() {
    let setup = Setup::new();
    setup.record("first");
    let object = setup.fixture.bucket().one_run().remove(5).path;
    let aside = setup.fixture.path("aside");
    fs::rename(&object, &aside).expect("take the object away");
    mknodat(CWD, &object, FileType::Fifo, Mode::RUSR, 0).expect("make a pipe");

    for (round, next) in (0..).zip(["second", "third", "fourth"]) {
        let inspector = setup.inspector();
        let deliveries = CHUNKS * (round + 1) + round;
        until("the chunk is with this inspector, and no other", || {
            setup.server.consumer("inspector") == (deliveries, 1)
        });
        setup.record(next);
        let others = CHUNKS * (round + 2) - 1;
        until("every other chunk is inspected meanwhile", || {
            setup.inspected() == others
                && setup.server.consumer("inspector") == ((deliveries + CHUNKS), 1)
        });
        inspector.signal(Signal::KILL);
        assert_eq!(inspector.end().status.code(), None, "it was killed");
    }

    fs::rename(&aside, &object).expect("put the object back");
    let inspector = setup.inspector();
    until("nothing is left to do", || {
        setup.server.consumer("inspector") == ((4 * CHUNKS + 3), 0)
    });
    assert_eq!(setup.inspected(), (4 * CHUNKS));
    assert_eq!(setup.server.messages("CRISPY_DEAD"), 0);
    inspector.signal(Signal::TERM);
    let exited = inspector.end().with_code(0);
    assert_eq!(exited.stderr_with("agrees=true").len(), 1, "{exited}");
}

/// Damaged bytes are a finding of the inspector, not its failure.
#[test]
fn an_object_that_is_no_video_is_no_dead_letter() {
    let setup = Setup::new();
    setup.record("first");
    let objects = setup.fixture.bucket().one_run();
    let whole = fs::read(&objects[3].path).expect("an object");
    let noise: Vec<u8> = (0..whole.len() as u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    // A damaged index, and bytes that are no video.
    let damaged = [&whole[..200], &noise[200..]].concat();
    fs::write(&objects[3].path, damaged).expect("overwrite an object");
    fs::write(&objects[7].path, noise).expect("overwrite an object");
    let events = setup.server.messages("CRISPY_EVENTS");
    let inspector = setup.inspector();
    until("nothing is left to do", || {
        setup.server.consumer("inspector") == (CHUNKS, 0)
    });
    assert_eq!(setup.inspected(), CHUNKS);
    assert_eq!(setup.server.messages("CRISPY_EVENTS"), events + 2);
    assert_eq!(setup.server.messages("CRISPY_DEAD"), 0);
    inspector.signal(Signal::TERM);
    let exited = inspector.end().with_code(0);
    assert_eq!(exited.stderr_with("agrees=false").len(), 2, "{exited}");
}

/// A queue and an uploader, without an inspector.
struct Setup {
    fixture: Fixture,
    server: MonitoredNats,
    _uploader: Running,
}

impl Setup {
    fn new() -> Self {
        let (fixture, server) = (Fixture::new(), MonitoredNats::start());
        fixture.set_up(&server);
        server.set_lease("CRISPY_UPLOADED", "inspector", LEASE);
        let uploader = fixture.uploader().server(&server).start();
        Self {
            fixture,
            server,
            _uploader: uploader,
        }
    }

    /// Uploads the chunks of another camera.
    fn record(&self, camera: &str) {
        let ingestor = self.fixture.ingestor(camera, &video::many(CHUNKS as u32));
        let ingestor = ingestor.server(&self.server).arguments(["--window", "1s"]);
        ingestor.run().with_code(0);
    }

    fn inspected(&self) -> u64 {
        self.server.messages("CRISPY_INSPECTED")
    }

    fn inspector(&self) -> Running {
        self.fixture.inspector().server(&self.server).start()
    }
}
