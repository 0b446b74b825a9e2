//! Azure's blob storage, by Microsoft's own emulator Azurite.

use std::time::SystemTime;

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tempfile::TempDir;

use crate::program::{Program, free_port, tool};

/// The version of the API that creates the container.
const VERSION: &str = "2021-08-06";

/// A running Azurite with one empty container, on a free port of 127.0.0.1, as long as the value
/// lives. It stores everything in memory.
#[derive(Debug)]
pub struct AzureServer {
    _folder: TempDir,
    program: Program,
    port: u16,
}

impl AzureServer {
    /// The container that exists.
    pub const CONTAINER: &str = "crispy-bucket";
    /// The account that every Azurite has.
    pub const ACCOUNT: &str = "devstoreaccount1";
    /// The key of that account, which Microsoft has published.
    pub const ACCOUNT_KEY: &str =
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

    /// Starts it and waits until its container exists.
    ///
    /// # Panics
    ///
    /// When Azurite is not installed, or does not start.
    pub fn start() -> Self {
        let (folder, port) = (TempDir::with_prefix("crispy-azure-"), free_port());
        let folder = folder.expect("make a temporary folder");
        let script = tool("azurite/node_modules/azurite/dist/src/blob/main.js");
        let script = script.to_string_lossy();
        let port_text = port.to_string();
        let args = [
            &*script,
            "--blobHost",
            "127.0.0.1",
            "--blobPort",
            &port_text,
            "--inMemoryPersistence",
            "--skipApiVersionCheck",
            "--disableTelemetry",
        ];
        let node = tool("bin/node");
        let mut program = Program::spawn(&node, args, port, &folder.path().join("log"));
        program.wait_until_it_listens();
        create_container(&program);
        Self {
            _folder: folder,
            program,
            port,
        }
    }

    /// `http://127.0.0.1:<port>/devstoreaccount1`: the blob endpoint of its account.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/{}", self.port, Self::ACCOUNT)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.program.id()
    }
}

/// Creates the container by a signed request: Azurite accepts no other.
fn create_container(program: &Program) {
    let (account, container) = (AzureServer::ACCOUNT, AzureServer::CONTAINER);
    let date = httpdate::fmt_http_date(SystemTime::now());
    // The method, eleven headers that are not sent, Microsoft's own headers, and the resource:
    // account, path and parameters.
    let blank = "\n".repeat(12);
    let signed = format!(
        "PUT{blank}x-ms-date:{date}\nx-ms-version:{VERSION}\n\
         /{account}/{account}/{container}\nrestype:container"
    );
    let key = BASE64_STANDARD.decode(AzureServer::ACCOUNT_KEY);
    let key = key.expect("a key in base64");
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("any length will do");
    mac.update(signed.as_bytes());
    let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
    let response = program.request(&[
        &format!("PUT /{account}/{container}?restype=container"),
        &format!("x-ms-date: {date}"),
        &format!("x-ms-version: {VERSION}"),
        &format!("authorization: SharedKey {account}:{signature}"),
    ]);
    let response = response.expect("create a container in Azurite");
    assert!(response.starts_with("HTTP/1.1 201"), "{response}");
}
