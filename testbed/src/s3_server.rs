//! Amazon S3, by the emulator moto.

use tempfile::TempDir;

use crate::program::{Program, free_port, tool};

/// A running moto with one empty bucket, on a free port of 127.0.0.1, as long as the value lives.
/// It stores everything in memory.
#[derive(Debug)]
pub struct S3Server {
    _folder: TempDir,
    program: Program,
    port: u16,
}

impl S3Server {
    /// The bucket that exists.
    pub const BUCKET: &str = "crispy-bucket";
    /// The region of the bucket.
    pub const REGION: &str = "us-east-1";
    /// Moto accepts any key.
    pub const ACCESS_KEY_ID: &str = "testing";
    /// Moto accepts any secret.
    pub const SECRET_ACCESS_KEY: &str = "testing";

    /// Starts it and waits until its bucket exists.
    ///
    /// # Panics
    ///
    /// When moto is not installed, or does not start.
    pub fn start() -> Self {
        let (folder, port) = (TempDir::with_prefix("crispy-s3-"), free_port());
        let folder = folder.expect("make a temporary folder");
        // As a module, since pip's scripts contain the path at which they were installed.
        let args = [
            "-m",
            "moto.server",
            "-H",
            "127.0.0.1",
            "-p",
            &port.to_string(),
        ];
        let python = tool("venv/bin/python");
        let mut program = Program::spawn(&python, args, port, &folder.path().join("log"));
        program.wait_until_it_listens();
        let created = program.request(&[&format!("PUT /{}", Self::BUCKET)]);
        let created = created.expect("create a bucket in moto");
        assert!(created.starts_with("HTTP/1.1 200"), "{created}");
        Self {
            _folder: folder,
            program,
            port,
        }
    }

    /// `http://127.0.0.1:<port>`: the value for `AWS_ENDPOINT_URL`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.program.id()
    }
}
