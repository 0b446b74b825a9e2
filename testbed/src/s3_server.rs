//! Amazon S3, as moto answers for it.

use tempfile::TempDir;

use crate::program::{Program, free_port, of_tools};

/// A running moto with one empty bucket, on a free port of 127.0.0.1, as long as the value lives. Everything that it stores is in its memory.
#[derive(Debug)]
pub struct S3Server {
    _folder: TempDir,
    program: Program,
    port: u16,
}

impl S3Server {
    /// The bucket that exists.
    pub const BUCKET: &str = "crispy-bucket";
    /// The region in which it exists.
    pub const REGION: &str = "us-east-1";
    /// Any key is as good as any other.
    pub const ACCESS_KEY_ID: &str = "testing";
    /// The same holds for what goes with it.
    pub const SECRET_ACCESS_KEY: &str = "testing";

    /// Starts it and waits until its bucket is there.
    ///
    /// # Panics
    ///
    /// When moto is not installed, and the message says how to get it; or it does not come up.
    pub fn start() -> Self {
        let (folder, port) = (TempDir::with_prefix("crispy-s3-"), free_port());
        let folder = folder.expect("make a temporary folder");
        // As a module: a script of pip's names the folder in which it was installed.
        let args = [
            "-m",
            "moto.server",
            "-H",
            "127.0.0.1",
            "-p",
            &port.to_string(),
        ];
        let python = of_tools("venv/bin/python");
        let mut program = Program::spawn(&python, args, port, &folder.path().join("log"));
        program.wait_until_it_listens();
        let created = program.ask(&[&format!("PUT /{}", Self::BUCKET)]);
        let created = created.expect("ask moto for a bucket");
        assert!(created.starts_with("HTTP/1.1 200"), "{created}");
        Self {
            _folder: folder,
            program,
            port,
        }
    }

    /// `http://127.0.0.1:<port>`: what `AWS_ENDPOINT_URL` is to be.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.program.id()
    }
}
