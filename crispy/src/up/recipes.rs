//! How the three stages are started: the environment of each.
//!
//! Settings travel in the environment and not as arguments, which everybody on the machine can list: camera and server URLs may hold
//! passwords.

use std::{env, ffi::OsString, path::Path};

use super::{child::Recipe, config::Up, preflight::Preflight};

type Settings = Vec<(&'static str, OsString)>;

/// What every stage is told, and whose terminal it is.
pub(super) struct Recipes<'a> {
    pub(super) up: &'a Up,
    pub(super) flight: &'a Preflight,
    /// The server's URL, with its credentials.
    pub(super) nats_url: &'a str,
    /// Bars are drawn: children write through us, and only what needs a person.
    pub(super) capture_logs: bool,
}

impl Recipes<'_> {
    /// Ingestor, uploader, inspector.
    pub(super) fn all(&self) -> [Recipe; 3] {
        let spool = || ("CRISPY_SPOOL", self.flight.data_dir.join("spool").into());
        let bucket = || ("CRISPY_BUCKET", self.flight.bucket.clone().into());
        let source = vec![
            ("CRISPY_CAMERA", self.up.cameras.camera.join("\n").into()),
            ("CRISPY_SITE", self.flight.site.as_str().into()),
            (
                "CRISPY_WINDOW",
                format!("{}us", self.up.cameras.window.as_micros()).into(),
            ),
            spool(),
        ];
        let [ingestor, uploader, inspector] = &self.flight.programs;
        [
            self.recipe("crispy-ingestor", ingestor, source),
            self.recipe("crispy-uploader", uploader, vec![spool(), bucket()]),
            self.recipe("crispy-inspector", inspector, vec![bucket()]),
        ]
    }

    fn recipe(&self, name: &'static str, program: &Path, own: Settings) -> Recipe {
        let level = if self.capture_logs {
            "warn"
        } else {
            "info,async_nats=warn"
        };
        let level = env::var_os("CRISPY_LOG_LEVEL").unwrap_or_else(|| level.into());
        let mut environment = credentials(self.up);
        environment.push(("NATS_URL", self.nats_url.into()));
        environment.push(("CRISPY_LOG_LEVEL", level));
        environment.push(("CRISPY_LOG_FORMAT", "text".into()));
        environment.extend(own);
        Recipe {
            name,
            program: program.to_owned(),
            arguments: Vec::new(),
            environment,
            capture_logs: self.capture_logs,
        }
    }
}

/// Credentials for a server that the operator named; our own server needs none, and hears of none.
fn credentials(up: &Up) -> Settings {
    const CREDENTIALS: [&str; 9] = [
        "NATS_USER",
        "NATS_PASSWORD",
        "NATS_TOKEN",
        "NATS_CREDS",
        "NATS_NKEY",
        "NATS_CERT",
        "NATS_KEY",
        "NATS_CA",
        "NATS_TLS_FIRST",
    ];
    let named = up.nats_server.is_some();
    let set = CREDENTIALS
        .into_iter()
        .filter(|_| named)
        .filter_map(|name| Some((name, env::var_os(name)?)));
    set.collect()
}
