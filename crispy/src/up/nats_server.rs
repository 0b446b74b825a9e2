//! The nats-server of `crispy up`: its program, port and configuration.

use std::{
    env,
    ffi::OsString,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow};
use crispy_runtime::{Exit, Failed, WithExit};

use super::{
    child::{self, ChildCommand, Stderr},
    config::Up,
};

/// Limit of the Go runtime.
const PROCESSORS: &str = "GOMAXPROCS";

/// Name of the child and of its program.
pub(super) const NAME: &str = "nats-server";

/// The program and port of a server.
#[derive(Clone, Debug)]
pub(super) struct NatsServer {
    program: PathBuf,
    port: u16,
}

impl NatsServer {
    /// Finds the program and a free port; starts and writes nothing.
    pub(super) fn find(up: &Up) -> Result<Self, Failed> {
        let program = match &up.nats_server_bin {
            Some(program) => program.is_file().then(|| program.clone()),
            None => child::find_on_path(NAME),
        };
        let program = program.ok_or_else(|| {
            let named = up.nats_server_bin.as_ref();
            let place = named.map_or("on PATH".into(), |file| format!("at {}", file.display()));
            let message = anyhow!("no nats-server {place}: run `make setup`, name its program with --nats-server-bin, or use another server with --nats-server");
            Failed::new(Exit::NatsServerMissing, message)
        })?;
        Ok(Self {
            program,
            port: free_port(up.nats_port)?,
        })
    }

    /// Its address, on the loopback interface only.
    pub(super) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Writes its configuration below `data_dir`, and returns its command.
    pub(super) fn command(&self, data_dir: &Path) -> Result<ChildCommand, Failed> {
        let folder = data_dir.join("nats");
        let configuration = folder.join("nats.conf");
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(&configuration, self.configuration(&folder)))
            .with_context(|| format!("write {}", configuration.display()))
            .exit(Exit::SpoolNotWritable)?;
        Ok(ChildCommand {
            name: NAME,
            program: self.program.clone(),
            arguments: vec!["--config".into(), configuration.into()],
            environment: one_processor(),
            stderr: Stderr::Inherited,
            ours: false,
        })
    }

    /// Its configuration. JetStream syncs every two minutes, its default: messages that a power cut
    /// takes from the queue are still in the spool, and are published again.
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

/// Has its Go runtime use one processor at a time, unless the operator set `GOMAXPROCS`. Idle
/// processors search for work: measured on a machine with two, one saves a sixth of its CPU time,
/// and still carries many times the messages of one machine.
fn one_processor() -> Vec<(&'static str, OsString)> {
    let set = env::var_os(PROCESSORS).is_some();
    if set {
        Vec::new()
    } else {
        vec![(PROCESSORS, "1".into())]
    }
}

/// Checks that the `requested` port is free, or finds one. It is closed again for the server.
fn free_port(requested: Option<u16>) -> Result<u16, Failed> {
    let bound = TcpListener::bind(("127.0.0.1", requested.unwrap_or(0)));
    let port = bound
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port());
    port.with_context(|| match requested {
        Some(port) => format!(
            "port {port} of 127.0.0.1 is in use: stop the process that uses it, or omit --nats-port"
        ),
        None => "find a free port of 127.0.0.1".into(),
    })
    .exit(Exit::PortTaken)
}
