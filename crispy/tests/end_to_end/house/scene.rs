//! Daemons by hand, telling a collector what they do.

use super::{
    House,
    program::{Program, Running},
    server::Monitored,
    traces::{Trace, Traces},
    video,
};

/// Where the three stages can be started, one by one.
pub(crate) struct Scene {
    pub(crate) house: House,
    pub(crate) server: Monitored,
    pub(crate) traces: Traces,
    bucket: String,
    settings: Vec<(&'static str, String)>,
}

impl Scene {
    /// With the house's folder for a bucket.
    pub(crate) fn new() -> Self {
        let house = House::new();
        let bucket = house.bucket().url();
        Self::of(house, Traces::start(), bucket, Vec::new())
    }

    /// With another bucket, for which the environment says this.
    pub(crate) fn of(
        house: House,
        traces: Traces,
        bucket: String,
        settings: Vec<(&'static str, String)>,
    ) -> Self {
        let scene = Self {
            house,
            server: Monitored::start(),
            traces,
            bucket,
            settings,
        };
        scene.set_up();
        scene
    }

    /// Makes the streams that are not there.
    pub(crate) fn set_up(&self) {
        let setup = self.house.program("crispy").arguments(["setup"]);
        self.at(setup).run().with_code(0);
    }

    /// The same, and nobody has told the collector anything.
    pub(crate) fn anew(self) -> Self {
        let traces = Traces::start();
        Self { traces, ..self }
    }

    fn at(&self, program: Program) -> Program {
        let program = program.flag("--nats-server", self.server.url());
        let settings = self.settings.iter();
        let program = settings.fold(program, |program, (name, value)| program.env(name, value));
        self.traces.of(program.env("CRISPY_LOG_FORMAT", "text"))
    }

    pub(crate) fn ingestor(&self) -> Program {
        let source = format!("front={}", video::irregular().display());
        let ingestor = self.house.program("crispy-ingestor");
        let ingestor = ingestor.arguments(["--site", "demo"]);
        self.at(ingestor
            .flag("--camera", source)
            .flag("--spool", self.house.path("spool")))
    }

    pub(crate) fn uploader(&self) -> Program {
        let uploader = self.house.program("crispy-uploader");
        self.at(uploader
            .flag("--spool", self.house.path("spool"))
            .flag("--bucket", &self.bucket))
    }

    pub(crate) fn inspector(&self) -> Running {
        let inspector = self.house.program("crispy-inspector");
        self.at(inspector.flag("--bucket", &self.bucket)).start()
    }

    pub(crate) fn dead<const N: usize>(&self, arguments: [&str; N]) -> Program {
        let dead = self.house.program("crispy").arguments(["dead"]);
        self.at(dead.arguments(arguments))
    }

    /// The traces of all chunks, each whole and to its end.
    #[track_caller]
    pub(crate) fn inspected(&self, chunks: usize) -> Vec<Trace> {
        self.traces.of_chunks(chunks, |trace| {
            trace.count("publish inspected.{camera}") > 0 && trace.hangs_together()
        })
    }
}
