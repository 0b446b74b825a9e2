//! A nats-server for one test.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::program::{Program, free_port};

/// The default limit of JetStream's files, in bytes: twice the sum that all streams reserve. The
/// server's own default, three quarters of the free disk, would make tests depend on the machine.
const MAX_FILE_STORE: u64 = 64 << 30;

/// The settings of a server.
#[derive(Clone, Debug, Default)]
pub struct NatsOptions {
    /// The limit of JetStream's files, in bytes. None is enough for all streams, however full the
    /// machine's disk is.
    pub max_file_store: Option<u64>,
    /// More lines of its configuration.
    pub config: String,
    /// Disables JetStream.
    pub without_jetstream: bool,
}

/// A running nats-server, on a free port of 127.0.0.1, with JetStream in a temporary folder.
///
/// Dropping the value kills the process by its id. The kernel kills it when the thread that started
/// it ends: a test that is itself killed leaves nothing behind.
#[derive(Debug)]
pub struct NatsServer {
    folder: TempDir,
    port: u16,
    process: Option<Program>,
}

impl NatsServer {
    /// Starts a server and waits until it listens.
    ///
    /// # Panics
    ///
    /// When nats-server is not installed, or does not start.
    pub fn start() -> Self {
        Self::start_with(&NatsOptions::default())
    }

    /// As [`Self::start`], with these options.
    ///
    /// # Panics
    ///
    /// When nats-server is not installed, or does not start.
    pub fn start_with(options: &NatsOptions) -> Self {
        let mut server = Self::prepare(options);
        server.restart();
        server
    }

    fn prepare(options: &NatsOptions) -> Self {
        let folder = TempDir::with_prefix("crispy-nats-").expect("make a temporary folder");
        let server = Self {
            port: free_port(),
            folder,
            process: None,
        };
        fs::write(server.config_path(), server.config(options)).expect("write the configuration");
        server
    }

    /// `nats://127.0.0.1:<port>`: the address for clients.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Its process id; None while it is down.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Program::id)
    }

    /// Kills it as `kill -9` does, and waits for its end. Does nothing when it is down.
    pub fn kill9(&mut self) {
        self.process = None;
    }

    /// Puts it into lame-duck mode, as an operator does before an upgrade: it accepts no new
    /// clients, notifies those that it has, disconnects them after its grace period (4 s in a
    /// [`NatsCluster`], else 10 s, unless its configuration says otherwise) and ends.
    ///
    /// [`NatsCluster`]: crate::NatsCluster
    ///
    /// # Panics
    ///
    /// When it is down.
    pub fn lame_duck(&self) {
        let pid = self.pid().expect("it runs");
        let status = Command::new(nats_server_binary())
            .arg(format!("--signal=ldm={pid}"))
            .status()
            .expect("run nats-server");
        assert!(status.success(), "send ldm to {pid}: {status}");
    }

    /// True if it was killed or has ended.
    ///
    /// # Panics
    ///
    /// When the status of its process cannot be read.
    pub fn is_down(&mut self) -> bool {
        if self.process.as_mut().is_some_and(Program::has_ended) {
            self.process = None;
        }
        self.process.is_none()
    }

    /// Kills it if it runs, starts it again with its port and its store, and waits until it
    /// listens.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn restart(&mut self) {
        self.kill9();
        let mut process = self.spawn();
        process.wait_until_it_listens();
        self.process = Some(process);
    }

    /// Kills it and removes its store. [`Self::restart`] starts it empty.
    ///
    /// # Panics
    ///
    /// When its files cannot be removed.
    pub fn wipe(&mut self) {
        self.kill9();
        let store = self.store();
        if store.exists() {
            fs::remove_dir_all(store).expect("remove the store");
        }
    }

    /// The folder of its store, which holds every message as it came.
    pub fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn config_path(&self) -> PathBuf {
        self.folder.path().join("nats.conf")
    }

    fn config(&self, options: &NatsOptions) -> String {
        let folder = self.folder.path().display();
        let limit = format!(
            "max_file_store: {}",
            options.max_file_store.unwrap_or(MAX_FILE_STORE)
        );
        let jetstream = if options.without_jetstream {
            String::new()
        } else {
            format!("jetstream {{\nstore_dir: \"{folder}/store\"\n{limit}\n}}")
        };
        format!(
            "listen: \"127.0.0.1:{}\"\nlog_file: \"{folder}/log\"\n{jetstream}\n{}\n",
            self.port, options.config
        )
    }

    fn spawn(&self) -> Program {
        let (binary, log) = (nats_server_binary(), self.folder.path().join("log"));
        Program::spawn(
            &binary,
            [Path::new("-c"), &self.config_path()],
            self.port,
            &log,
        )
    }
}

/// Starts several servers at once, which may wait for one another, and waits until all listen.
pub(crate) fn start_together(options: &[NatsOptions]) -> Vec<NatsServer> {
    let mut servers: Vec<NatsServer> = options.iter().map(NatsServer::prepare).collect();
    for server in &mut servers {
        server.process = Some(server.spawn());
    }
    for process in servers
        .iter_mut()
        .filter_map(|server| server.process.as_mut())
    {
        process.wait_until_it_listens();
    }
    servers
}

/// The nats-server to start: `CRISPY_NATS_SERVER`, else the one that `make setup` installs in
/// `tools/bin`, else the one on PATH.
///
/// # Panics
///
/// When none is installed.
pub fn nats_server_binary() -> PathBuf {
    let named = env::var_os("CRISPY_NATS_SERVER").map(PathBuf::from);
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools/bin/nats-server");
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path).map(|folder| folder.join("nats-server"));
    named
        .into_iter()
        .chain([tools])
        .chain(on_path)
        .find(|binary| binary.is_file())
        .expect("no nats-server: run `make setup`, or name one by CRISPY_NATS_SERVER")
}

#[cfg(test)]
mod tests {
    use std::{
        net::{Ipv4Addr, TcpStream},
        thread,
    };

    use super::*;

    #[test]
    fn a_server_ends_with_its_owner() {
        let server = NatsServer::start();
        let process = PathBuf::from(format!("/proc/{}", server.pid().unwrap()));
        assert!(process.exists());
        drop(server);
        assert!(!process.exists());
    }

    #[test]
    fn a_server_ends_with_the_thread_that_started_it() {
        let pid = thread::spawn(|| {
            let server = NatsServer::start();
            let pid = server.pid().unwrap();
            std::mem::forget(server);
            pid
        })
        .join()
        .unwrap();
        let status = PathBuf::from(format!("/proc/{pid}/stat"));
        crate::eventually_blocking("the server ends", || {
            // A forgotten child is not waited for: a zombie counts as ended.
            !fs::read_to_string(&status).is_ok_and(|stat| !stat.contains(") Z "))
        });
    }

    #[test]
    fn a_killed_server_restarts_on_its_port() {
        let mut server = NatsServer::start();
        let url = server.url();
        server.kill9();
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, server.port)).is_err());
        server.restart();
        assert_eq!(server.url(), url);
    }
}
