//! A server that lets each program do what the manual says that it needs, and nothing else.

use std::{fs, time::Duration};

use rustix::{
    fs::{CWD, FileType, Mode, mknodat},
    process::Signal,
};

use crate::house::{
    House, http,
    program::{Ended, Program, Running},
    server::Monitored,
    until, video,
};

const MANUAL: &str = include_str!("../../../docs/permissions.md");

/// How long the server leaves a chunk with an inspector that died, instead of a minute.
const LEASE: Duration = Duration::from_millis(500);

/// Deliveries of a message without an end before it is a suspect: the next is marked.
const UNMARKED: u64 = 4;

/// The configuration in the manual, with passwords, and one line for the test itself.
fn configuration() -> String {
    let (_, block) = MANUAL.split_once("```conf\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let mut configuration = block.to_owned();
    for user in ["operator", "ingestor", "uploader", "inspector"] {
        configuration = configuration.replace(&format!("${}", user.to_uppercase()), user);
    }
    format!("{configuration}\nno_auth_user: operator\n")
}

struct Scene {
    house: House,
    server: Monitored,
}

impl Scene {
    fn new() -> Self {
        let scene = Self {
            house: House::new(),
            server: Monitored::start_with(&configuration()),
        };
        scene.operator(["setup"]).run().with_code(0);
        scene
    }

    fn program(&self, name: &str, user: &str) -> Program {
        let program = self.house.program(name);
        program
            .flag(
                "--nats-server",
                self.server.url_with(&format!("{user}:{user}")),
            )
            .env("CRISPY_LOG_FORMAT", "text")
    }

    fn operator<const N: usize>(&self, words: [&str; N]) -> Program {
        let crispy = self.house.program("crispy").arguments(words);
        crispy.flag("--nats-server", self.server.url_with("operator:operator"))
    }

    fn ingestor(&self) -> Program {
        let source = format!("front={}", video::irregular().display());
        let ingestor = self.program("crispy-ingestor", "ingestor");
        let ingestor = ingestor.flag("--spool", self.house.path("spool"));
        ingestor.flag("--camera", source)
    }

    fn uploader(&self) -> Running {
        let uploader = self.program("crispy-uploader", "uploader");
        let uploader = uploader.flag("--admin-listen", "127.0.0.1:0");
        let uploader = uploader.flag("--spool", self.house.path("spool"));
        uploader.flag("--bucket", self.house.bucket().url()).start()
    }

    fn inspector(&self) -> Running {
        let inspector = self.program("crispy-inspector", "inspector");
        let inspector = inspector.flag("--admin-listen", "127.0.0.1:0");
        inspector
            .flag("--bucket", self.house.bucket().url())
            .start()
    }
}

#[test]
fn the_permissions_of_the_manual_are_enough() {
    let scene = Scene::new();
    let mut uploader = scene.uploader();
    was_refused_nothing(&scene.ingestor().run().with_code(0));
    let objects = scene.house.bucket().one_run();
    let chunks = objects.len() as u64;

    // One inspector after the other dies of a chunk, until it is a suspect.
    scene.server.lease("CRISPY_UPLOADED", "inspector", LEASE);
    let (object, aside) = (&objects[1].path, scene.house.path("aside"));
    fs::rename(object, &aside).unwrap();
    mknodat(CWD, object, FileType::Fifo, Mode::RUSR, 0).unwrap();
    for deaths in 0..UNMARKED {
        let inspector = scene.inspector();
        until("it is at the chunk, and at no other", || {
            scene.server.messages("CRISPY_INSPECTED") == chunks - 1
                && scene.server.consumer("inspector") == (chunks + deaths, 1)
        });
        inspector.signal(Signal::KILL);
        was_refused_nothing(&inspector.end());
    }
    let mut inspector = scene.inspector();
    until("it is marked", || {
        scene.server.messages("KV_crispy_suspects") == 1
    });
    inspector.signal(Signal::KILL);
    was_refused_nothing(&inspector.end());
    fs::rename(&aside, object).unwrap();
    inspector = scene.inspector();
    until("it is inspected, and its mark removed", || {
        scene.server.messages("CRISPY_INSPECTED") == chunks
            && scene.server.messages("KV_crispy_suspects") == 0
    });

    for daemon in [&mut uploader, &mut inspector] {
        knows_how_both_queues_stand(daemon);
    }

    // Work that is given up, by an ingestor that knows nothing of the first, and done again.
    fs::remove_dir_all(scene.house.path("spool")).unwrap();
    fs::write(object, "somebody else's").unwrap();
    was_refused_nothing(&scene.ingestor().run().with_code(52));
    scene.operator(["status"]).run().with_code(52);
    fs::remove_file(object).unwrap();
    scene.operator(["dead", "replay"]).run().with_code(0);
    was_refused_nothing(&scene.ingestor().run().with_code(0));
    scene.house.no_chunk_is_in_the_spool();
    for daemon in [uploader, inspector] {
        daemon.signal(Signal::TERM);
        was_refused_nothing(&daemon.end().with_code(0));
    }
}

/// Rights that are missing are not always missed: some programs go on without.
#[track_caller]
fn was_refused_nothing(ended: &Ended) {
    let refused = ended.stderr_with("the NATS server refuses this");
    assert!(refused.is_empty(), "{refused:?}");
}

fn knows_how_both_queues_stand(daemon: &mut Running) {
    let pages = daemon.pages();
    until("it knows how both queues stand", || {
        let (_, page) = http::get(pages, "/metrics");
        let page = String::from_utf8_lossy(&page);
        let is_shown = |stage| {
            let series = format!("crispy_queue_pending{{stage=\"{stage}\"}}");
            page.contains(&series)
        };
        is_shown("uploader") && is_shown("inspector")
    });
}
