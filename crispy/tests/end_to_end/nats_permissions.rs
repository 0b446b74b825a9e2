//! The NATS permissions of docs/permissions.md are sufficient for each program.

use std::{fs, time::Duration};

use rustix::{
    fs::{CWD, FileType, Mode, mknodat},
    process::Signal,
};

use crate::fixture::{
    Fixture,
    bucket::FOREIGN,
    http,
    nats::MonitoredNats,
    program::{Exited, Program, Running},
    until, video,
};

const MANUAL: &str = include_str!("../../../docs/permissions.md");

/// Lease of a chunk at a dead inspector, instead of a minute.
const LEASE: Duration = Duration::from_millis(500);

/// Unfinished deliveries of a message before the crash guard marks it.
const UNMARKED: u64 = 4;

/// The documented configuration with passwords, and one line for the test itself.
fn configuration() -> String {
    let (_, block) = MANUAL.split_once("```conf\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let mut configuration = block.to_owned();
    for user in ["operator", "ingestor", "uploader", "inspector"] {
        configuration = configuration.replace(&format!("${}", user.to_uppercase()), user);
    }
    format!("{configuration}\nno_auth_user: operator\n")
}

struct Setup {
    fixture: Fixture,
    server: MonitoredNats,
}

impl Setup {
    fn new() -> Self {
        let setup = Self {
            fixture: Fixture::new(),
            server: MonitoredNats::start_with(&configuration()),
        };
        setup.operator(["setup"]).run().with_code(0);
        setup
    }

    fn connect(&self, program: Program, user: &str) -> Program {
        program
            .flag(
                "--nats-server",
                self.server.url_with(&format!("{user}:{user}")),
            )
            .env("CRISPY_LOG_FORMAT", "text")
    }

    fn operator<const N: usize>(&self, words: [&str; N]) -> Program {
        let crispy = self.fixture.program("crispy").arguments(words);
        crispy.flag("--nats-server", self.server.url_with("operator:operator"))
    }

    fn ingestor(&self) -> Program {
        let ingestor = self.fixture.ingestor("front", &video::irregular());
        self.connect(ingestor, "ingestor")
    }

    fn uploader(&self) -> Running {
        let uploader = self.connect(self.fixture.uploader(), "uploader");
        uploader.flag("--admin-listen", "127.0.0.1:0").start()
    }

    fn inspector(&self) -> Running {
        let inspector = self.connect(self.fixture.inspector(), "inspector");
        inspector.flag("--admin-listen", "127.0.0.1:0").start()
    }
}

#[test]
fn the_documented_permissions_suffice() {
    let setup = Setup::new();
    let mut uploader = setup.uploader();
    was_refused_nothing(&setup.ingestor().run().with_code(0));
    let objects = setup.fixture.bucket().one_run();
    let chunks = objects.len() as u64;

    // One inspector after the other dies at a chunk, until the crash guard marks it.
    setup
        .server
        .set_lease("CRISPY_UPLOADED", "inspector", LEASE);
    let (object, aside) = (&objects[1].path, setup.fixture.path("aside"));
    fs::rename(object, &aside).unwrap();
    mknodat(CWD, object, FileType::Fifo, Mode::RUSR, 0).unwrap();
    for crashes in 0..UNMARKED {
        let inspector = setup.inspector();
        until("only this chunk is in flight", || {
            setup.server.messages("CRISPY_INSPECTED") == chunks - 1
                && setup.server.consumer("inspector") == (chunks + crashes, 1)
        });
        inspector.signal(Signal::KILL);
        was_refused_nothing(&inspector.end());
    }
    let mut inspector = setup.inspector();
    until("it is marked", || {
        setup.server.messages("KV_crispy_suspects") == 1
    });
    inspector.signal(Signal::KILL);
    was_refused_nothing(&inspector.end());
    fs::rename(&aside, object).unwrap();
    inspector = setup.inspector();
    until("it is inspected, and its mark removed", || {
        setup.server.messages("CRISPY_INSPECTED") == chunks
            && setup.server.messages("KV_crispy_suspects") == 0
    });

    for daemon in [&mut uploader, &mut inspector] {
        shows_both_queues(daemon);
    }

    // A dead letter of a new ingestor, and its replay.
    fs::remove_dir_all(setup.fixture.path("spool")).unwrap();
    fs::write(object, FOREIGN).unwrap();
    was_refused_nothing(&setup.ingestor().run().with_code(52));
    setup.operator(["status"]).run().with_code(52);
    fs::remove_file(object).unwrap();
    setup.operator(["dead", "replay"]).run().with_code(0);
    was_refused_nothing(&setup.ingestor().run().with_code(0));
    setup.fixture.spool_is_empty();
    for daemon in [uploader, inspector] {
        daemon.signal(Signal::TERM);
        was_refused_nothing(&daemon.end().with_code(0));
    }
}

/// Checks the log: some programs go on without a permission.
#[track_caller]
fn was_refused_nothing(exited: &Exited) {
    let refused = exited.stderr_with("NATS server refused a request");
    assert!(refused.is_empty(), "{refused:?}");
}

fn shows_both_queues(daemon: &mut Running) {
    let pages = daemon.admin_address();
    until("it shows both queues", || {
        let (_, page) = http::get(pages, "/metrics");
        let page = String::from_utf8_lossy(&page);
        let is_shown = |stage| {
            let series = format!("crispy_queue_pending{{stage=\"{stage}\"}}");
            page.contains(&series)
        };
        is_shown("uploader") && is_shown("inspector")
    });
}
