//! The nats-server of `crispy up`: found, given a folder and a port of this machine, and started like any other child.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow};
use crispy_runtime::{Exit, Failed, WithExit};

use super::{
    child::{self, Recipe, Stderr},
    config::Up,
};

/// What the child, and the program, is called.
pub(super) const NAME: &str = "nats-server";

/// Where the server will be.
#[derive(Clone, Debug)]
pub(super) struct NatsServer {
    program: PathBuf,
    port: u16,
}

impl NatsServer {
    /// Finds the program and a port, before anything is started or written.
    pub(super) fn find(up: &Up) -> Result<Self, Failed> {
        let program = match &up.nats_server_bin {
            Some(program) => program.is_file().then(|| program.clone()),
            None => child::find_on_path(NAME),
        };
        let place = up
            .nats_server_bin
            .as_ref()
            .map_or("PATH".into(), |program| program.display().to_string());
        let program = program.ok_or_else(|| {
            let message = anyhow!("no nats-server at {place}: run `make setup`, give it with --nats-server-bin, or use another server with --nats-server");
            Failed::new(Exit::NatsServerMissing, message)
        })?;
        Ok(Self {
            program,
            port: free_port(up.nats_port)?,
        })
    }

    /// Its address. It listens on the loopback interface only.
    pub(super) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Writes its configuration below `data_dir` and says how to start it.
    pub(super) fn recipe(&self, data_dir: &Path) -> Result<Recipe, Failed> {
        let folder = data_dir.join("nats");
        let configuration = folder.join("nats.conf");
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(&configuration, self.configuration(&folder)))
            .with_context(|| format!("write {}", configuration.display()))
            .exit(Exit::SpoolNotWritable)?;
        Ok(Recipe {
            name: NAME,
            program: self.program.clone(),
            arguments: vec!["--config".into(), configuration.into()],
            environment: Vec::new(),
            stderr: Stderr::Ours,
        })
    }

    /// JetStream syncs every two minutes, its default: what a power cut takes from the queue is still in the spool, and sent again.
    fn configuration(&self, folder: &Path) -> String {
        let path =
            |name: &str| serde_json::Value::from(folder.join(name).to_string_lossy()).to_string();
        format!(
            "# Written by `crispy up` at each start.\nlisten: \"127.0.0.1:{}\"\nserver_name: \"crispy-up\"\nlog_file: {}\njetstream {{ store_dir: {} }}\n",
            self.port,
            path("nats-server.log"),
            path("jetstream"),
        )
    }
}

/// The port that was asked for, or one that is free. Closed again at once, so that the server can have it.
pub(super) fn free_port(wanted: Option<u16>) -> Result<u16, Failed> {
    let bound = TcpListener::bind(("127.0.0.1", wanted.unwrap_or(0)));
    let port = bound
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port());
    port.with_context(|| match wanted {
        Some(port) => format!(
            "port {port} of 127.0.0.1 cannot be used: stop what uses it, or leave --nats-port away"
        ),
        None => "find a free port of 127.0.0.1".into(),
    })
    .exit(Exit::PortTaken)
}
