//! The three stages as daemons of their own, each with its pages, and a bucket that can be away.

use std::{collections::HashMap, net::SocketAddr, path::Path};

use crispy_testbed::GcsServer;

use super::{
    House, http,
    program::{Program, Running},
    server::Monitored,
    until, video,
};

/// The three stages, each with its pages.
pub(crate) struct Stages {
    pub(crate) house: House,
    pub(crate) server: Monitored,
    pub(crate) bucket: GcsServer,
    /// What all are told by their environment, beside where everything is.
    variables: Vec<(&'static str, String)>,
    running: Vec<(&'static str, Running, SocketAddr)>,
}

impl Stages {
    /// Where stages can be started, each with these variables.
    pub(crate) fn none(variables: &[(&'static str, &str)]) -> Self {
        let own = |(name, value): &(&'static str, &str)| (*name, (*value).to_owned());
        let stages = Self {
            house: House::new(),
            server: Monitored::start(),
            bucket: GcsServer::start(),
            variables: variables.iter().map(own).collect(),
            running: Vec::new(),
        };
        stages.set_up();
        stages
    }

    /// Thirty chunks in the spool of an ingestor that does not end before it was looked at, for the bucket is away; and the two that wait
    /// for them.
    pub(crate) fn start(variables: &[(&'static str, &str)]) -> Self {
        let mut stages = Self::none(variables);
        stages.add_uploader();
        stages.add_inspector();
        // One that starts asks its bucket.
        stages.until_ready("uploader");
        stages.bucket.go_down();
        stages.add_ingestor("front", &video::many(30));
        stages
    }

    pub(crate) fn add_ingestor(&mut self, camera: &str, source: &Path) {
        let ingestor = self.program("crispy-ingestor");
        let ingestor = ingestor.flag("--spool", self.house.path("spool"));
        let ingestor = ingestor.flag("--camera", format!("{camera}={}", source.display()));
        self.add("ingestor", ingestor.arguments(["--window", "1s"]));
    }

    pub(crate) fn add_uploader(&mut self) {
        let uploader = self.program("crispy-uploader");
        let uploader = uploader.flag("--bucket", bucket_url());
        let uploader = uploader.flag("--spool", self.house.path("spool"));
        self.add("uploader", uploader);
    }

    pub(crate) fn add_inspector(&mut self) {
        let inspector = self.program("crispy-inspector");
        self.add("inspector", inspector.flag("--bucket", bucket_url()));
    }

    pub(crate) fn set_up(&self) {
        let crispy = self.house.program("crispy").arguments(["setup"]);
        crispy
            .flag("--nats-server", self.server.url())
            .run()
            .with_code(0);
    }

    /// One of the programs, told where everything is.
    pub(crate) fn program(&self, name: &str) -> Program {
        let program = self.house.program(name);
        let program = program
            .flag("--nats-server", self.server.url())
            .flag("--admin-listen", "127.0.0.1:0")
            .env("CRISPY_LOG_FORMAT", "text")
            .env("STORAGE_EMULATOR_HOST", self.bucket.url());
        let variables = self.variables.iter();
        variables.fold(program, |program, (name, value)| program.env(name, value))
    }

    /// Starts one, by a name that nobody else who runs has.
    pub(crate) fn add(&mut self, name: &'static str, program: Program) {
        let mut running = program.start();
        let address = running.pages();
        self.running.push((name, running, address));
    }

    fn one(&self, name: &str) -> &(&'static str, Running, SocketAddr) {
        let stage = self.running.iter().find(|(stage, ..)| *stage == name);
        stage.unwrap_or_else(|| panic!("no {name} runs"))
    }

    /// The process.
    pub(crate) fn running(&self, name: &str) -> &Running {
        &self.one(name).1
    }

    /// The process, to wait for what it says.
    pub(crate) fn hear(&mut self, name: &str) -> &mut Running {
        let stage = self.running.iter_mut().find(|(stage, ..)| *stage == name);
        &mut stage.unwrap_or_else(|| panic!("no {name} runs")).1
    }

    /// Status and text of a page.
    pub(crate) fn get(&self, name: &str, path: &str) -> (u16, String) {
        get(self.one(name).2, path)
    }

    pub(crate) fn until_ready(&self, name: &str) {
        until(&format!("{name} is ready"), || {
            self.get(name, "/readyz").0 == 200
        });
    }

    /// Waits until it is not ready, for a reason with these words.
    pub(crate) fn until_unready(&self, name: &str, words: &str) {
        until(&format!("{name} says {words:?}"), || {
            let (status, reasons) = self.get(name, "/readyz");
            status == 503 && reasons.contains(words)
        });
    }

    /// Waits until there is a value of a series that `holds`.
    pub(crate) fn until_value(&self, name: &str, series: &str, holds: impl Fn(f64) -> bool) {
        until(&format!("{name} shows {series}"), || {
            let page = self.get(name, "/metrics").1;
            values(&page).get(series).is_some_and(|value| holds(*value))
        });
    }

    /// Takes one out, to be ended.
    pub(crate) fn end(&mut self, name: &str) -> Running {
        let place = self.running.iter().position(|(stage, ..)| *stage == name);
        self.running.remove(place.unwrap()).1
    }
}

fn bucket_url() -> String {
    format!("gs://{}", GcsServer::BUCKET)
}

fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let (status, page) = http::get(address, path);
    (status, String::from_utf8(page).unwrap())
}

/// Each series of a page of metrics, as it is written there, and its value.
pub(crate) fn values(page: &str) -> HashMap<&str, f64> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.rsplit_once(' '));
    pairs
        .filter_map(|(series, value)| Some((series, value.parse().ok()?)))
        .collect()
}
