//! Commands of the three stages: the environment of each.
//!
//! Settings are passed in the environment, not as arguments, which every user of the machine can
//! list: URLs of cameras and servers may hold passwords.

use std::{env, ffi::OsString, path::Path};

use crispy_jetstream::ConnectOptions;
use crispy_queue::Prefix;
use crispy_runtime::logging;

use super::{
    child::{ChildCommand, Stderr},
    config::Up,
    preflight::Preflight,
};

type Settings = Vec<(&'static str, OsString)>;

/// The settings of all stages.
pub(super) struct StageCommands<'a> {
    pub(super) up: &'a Up,
    pub(super) preflight: &'a Preflight,
    /// The server and its credentials.
    pub(super) nats: &'a ConnectOptions,
    /// The prefix of our streams and subjects.
    pub(super) prefix: &'a Prefix,
    /// Address to which they export traces over gRPC; `None`: the environment configures it.
    pub(super) collector: Option<&'a str>,
    /// Whether bars are drawn: then children log warnings only.
    pub(super) owns_terminal: bool,
}

impl StageCommands<'_> {
    /// Ingestor, uploader, inspector.
    pub(super) fn all(&self) -> [ChildCommand; 3] {
        let spool = || {
            (
                "CRISPY_SPOOL",
                self.preflight.data_dir.path().join("spool").into(),
            )
        };
        let bucket = || ("CRISPY_BUCKET", self.preflight.bucket.clone().into());
        let options = self.up.options.bucket_option.join(",");
        let bucket_and = |mut own: Settings| {
            own.push(bucket());
            if !options.is_empty() {
                own.push(("CRISPY_BUCKET_OPTION", options.clone().into()));
            }
            own
        };
        let mut source = vec![
            ("CRISPY_CAMERA", self.up.cameras.camera.join("\n").into()),
            ("CRISPY_SITE", self.preflight.site.as_str().into()),
            spool(),
        ];
        let cut = self.up.cut.environment();
        source.extend(cut.map(|(name, value)| (name, value.into())));
        let [ingestor, uploader, inspector] = &self.preflight.programs;
        let mut all = [
            self.command("crispy-ingestor", ingestor, source),
            self.command("crispy-uploader", uploader, bucket_and(vec![spool()])),
            self.command("crispy-inspector", inspector, bucket_and(Vec::new())),
        ];
        for (command, page) in all.iter_mut().zip(&self.preflight.admin_pages) {
            let variable = ("CRISPY_ADMIN_LISTEN", page.into());
            command.environment.push(variable);
        }
        all
    }

    fn command(&self, name: &'static str, program: &Path, own: Settings) -> ChildCommand {
        let mut environment = inherited(&TUNING);
        if self.up.nats_server.is_some() {
            // Our own server needs no credentials, and is sent none.
            environment.extend(inherited(&CREDENTIALS));
        }
        environment.push(("NATS_URL", self.nats.servers.clone().into()));
        environment.push(("CRISPY_PREFIX", self.prefix.as_str().into()));
        // All settings come from us: a file could name another server.
        environment.push(("CRISPY_CONFIG", "/dev/null".into()));
        environment.push(("CRISPY_LOG_LEVEL", self.log_level().into()));
        environment.push(("CRISPY_LOG_FORMAT", log_format().into()));
        environment.push(("CRISPY_LOG_CHUNKS", logging::chosen_chunks().into()));
        // The other OpenTelemetry variables are inherited.
        if let Some(collector) = crispy_runtime::export::chosen_endpoint() {
            environment.push(("OTEL_EXPORTER_OTLP_ENDPOINT", collector.into()));
        }
        // Traces only: Jaeger accepts no metrics. Variables of one signal override those of all.
        if let Some(collector) = self.collector {
            environment.push(("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", collector.into()));
            environment.push(("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc".into()));
        }
        environment.extend(own);
        ChildCommand {
            name,
            program: program.to_owned(),
            arguments: Vec::new(),
            environment,
            stderr: Stderr::Piped,
            ours: true,
        }
    }

    fn log_level(&self) -> String {
        let quiet = if self.owns_terminal {
            "warn"
        } else {
            "info,async_nats=warn"
        };
        logging::chosen_level().unwrap_or(quiet).to_owned()
    }
}

/// Text by default, also if the children's stderr is not a terminal: their lines end on ours.
fn log_format() -> &'static str {
    logging::chosen_machine_format().unwrap_or("text")
}

/// Settings of the stages that an operator may set in the environment of `crispy up`.
const TUNING: [&str; 4] = [
    "CRISPY_SPOOL_LIMIT",
    "CRISPY_CONCURRENCY",
    "CRISPY_MAX_IN_FLIGHT",
    "CRISPY_MAX_UPLOAD_RATE",
];

/// Credentials for a server that the operator named.
const CREDENTIALS: [&str; 11] = [
    "NATS_USER",
    "NATS_PASSWORD",
    "NATS_TOKEN",
    "NATS_CREDS",
    "NATS_NKEY",
    "NATS_JWT",
    "NATS_SEED",
    "NATS_CERT",
    "NATS_KEY",
    "NATS_CA",
    "NATS_TLS_FIRST",
];

fn inherited(names: &[&'static str]) -> Settings {
    let set = names
        .iter()
        .filter_map(|name| Some((*name, env::var_os(name)?)));
    set.collect()
}
