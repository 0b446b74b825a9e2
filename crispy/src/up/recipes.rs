//! How the three stages are started: the environment of each.
//!
//! Settings travel in the environment and not as arguments, which everybody on the machine can list: camera and server URLs may hold
//! passwords.

use std::{env, ffi::OsString, path::Path};

use crispy_jetstream::ConnectOptions;
use crispy_queue::Prefix;
use crispy_runtime::logging;

use super::{
    child::{Recipe, Stderr},
    config::Up,
    preflight::Preflight,
};

type Settings = Vec<(&'static str, OsString)>;

/// What every stage is told, and whose terminal it is.
pub(super) struct Recipes<'a> {
    pub(super) up: &'a Up,
    pub(super) flight: &'a Preflight,
    /// Where the server is, with its credentials.
    pub(super) nats: &'a ConnectOptions,
    /// The prefix of our names there.
    pub(super) prefix: &'a Prefix,
    /// The Jaeger that their traces go to, over gRPC; `None`: to where they were told.
    pub(super) collector: Option<&'a str>,
    /// Bars are drawn: children say only what needs a person.
    pub(super) owns_the_terminal: bool,
}

impl Recipes<'_> {
    /// Ingestor, uploader, inspector.
    pub(super) fn all(&self) -> [Recipe; 3] {
        let spool = || {
            (
                "CRISPY_SPOOL",
                self.flight.data_dir.path().join("spool").into(),
            )
        };
        let bucket = || ("CRISPY_BUCKET", self.flight.bucket.clone().into());
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
            ("CRISPY_SITE", self.flight.site.as_str().into()),
            spool(),
        ];
        let cut = self.up.cut.environment();
        source.extend(cut.map(|(name, value)| (name, value.into())));
        let [ingestor, uploader, inspector] = &self.flight.programs;
        let mut all = [
            self.recipe("crispy-ingestor", ingestor, source),
            self.recipe("crispy-uploader", uploader, bucket_and(vec![spool()])),
            self.recipe("crispy-inspector", inspector, bucket_and(Vec::new())),
        ];
        for (recipe, page) in all.iter_mut().zip(&self.flight.pages) {
            recipe
                .environment
                .push(("CRISPY_ADMIN_LISTEN", page.into()));
        }
        all
    }

    fn recipe(&self, name: &'static str, program: &Path, own: Settings) -> Recipe {
        let mut environment = handed_on(&TUNING);
        if self.up.nats_server.is_some() {
            // Our own server needs no credentials, and hears of none.
            environment.extend(handed_on(&CREDENTIALS));
        }
        environment.push(("NATS_URL", self.nats.servers.clone().into()));
        environment.push(("CRISPY_PREFIX", self.prefix.as_str().into()));
        // Everything comes from us: a file would have its say about the server too.
        environment.push(("CRISPY_CONFIG", "/dev/null".into()));
        environment.push(("CRISPY_LOG_LEVEL", self.log_level().into()));
        environment.push(("CRISPY_LOG_FORMAT", log_format().into()));
        environment.push(("CRISPY_LOG_CHUNKS", logging::chosen_chunks().into()));
        // The rest of OpenTelemetry's variables they inherit.
        if let Some(collector) = crispy_runtime::export::chosen_endpoint() {
            environment.push(("OTEL_EXPORTER_OTLP_ENDPOINT", collector.into()));
        }
        // Traces alone: Jaeger takes no metrics, and what is said of one signal goes over what is said of all.
        if let Some(collector) = self.collector {
            environment.push(("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", collector.into()));
            environment.push(("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc".into()));
        }
        environment.extend(own);
        Recipe {
            name,
            program: program.to_owned(),
            arguments: Vec::new(),
            environment,
            stderr: Stderr::PassedOn,
        }
    }

    fn log_level(&self) -> String {
        let quiet = if self.owns_the_terminal {
            "warn"
        } else {
            "info,async_nats=warn"
        };
        logging::chosen_level().unwrap_or(quiet).to_owned()
    }
}

/// Lines above bars are for people, whatever our stderr is to the children.
fn log_format() -> &'static str {
    logging::chosen_machine_format().unwrap_or("text")
}

/// What an operator may set for the stages in the environment of `crispy up`.
const TUNING: [&str; 4] = [
    "CRISPY_SPOOL_LIMIT",
    "CRISPY_CONCURRENCY",
    "CRISPY_MAX_IN_FLIGHT",
    "CRISPY_MAX_UPLOAD_RATE",
];

/// For a server that the operator named.
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

fn handed_on(names: &[&'static str]) -> Settings {
    let set = names
        .iter()
        .filter_map(|name| Some((*name, env::var_os(name)?)));
    set.collect()
}
