//! From `--nats-…` to a connection. Names and environment are natscli's, so that what works there works here.

use std::path::PathBuf;

use clap::{Args, Parser};
use daemon::{Exit, Failed, WithExit};
use queue::{ConnectError, ConnectOptions, Connection, Prefix, Stream, topology};
use tracing::warn;

use crate::exit_of_check;

/// The flags about NATS, which every program that connects has.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "NATS")]
pub struct NatsFlags {
    /// Servers of one cluster, as URLs with commas between them
    #[arg(
        long,
        env = "NATS_URL",
        value_name = "URL",
        default_value = "nats://127.0.0.1:4222",
        hide_env_values = true
    )]
    pub nats_server: Secret,

    /// User name
    #[arg(long, env = "NATS_USER", value_name = "NAME", hide_env_values = true)]
    pub nats_user: Option<String>,

    /// Password of the user
    #[arg(
        long,
        env = "NATS_PASSWORD",
        value_name = "PASSWORD",
        hide_env_values = true
    )]
    pub nats_password: Option<Secret>,

    /// Token, instead of a user
    #[arg(long, env = "NATS_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub nats_token: Option<Secret>,

    /// File with a user's JWT and seed, as nsc writes it
    #[arg(long, env = "NATS_CREDS", value_name = "FILE")]
    pub nats_creds: Option<PathBuf>,

    /// File with an nkey seed
    #[arg(long, env = "NATS_NKEY", value_name = "FILE")]
    pub nats_nkey: Option<PathBuf>,

    /// File with this client's certificate
    #[arg(long, env = "NATS_CERT", value_name = "FILE", requires = "nats_tlskey")]
    pub nats_tlscert: Option<PathBuf>,

    /// File with the certificate's key
    #[arg(long, env = "NATS_KEY", value_name = "FILE", requires = "nats_tlscert")]
    pub nats_tlskey: Option<PathBuf>,

    /// File with the certificates to trust
    #[arg(long, env = "NATS_CA", value_name = "FILE")]
    pub nats_tlsca: Option<PathBuf>,

    /// Encrypt before the server has said anything
    #[arg(long, env = "NATS_TLS_FIRST")]
    pub nats_tlsfirst: bool,

    /// First token of all subjects, for accounts that others share
    #[arg(
        long,
        env = "CRISPY_PREFIX",
        value_name = "WORD",
        default_value = "crispy"
    )]
    pub prefix: Prefix,
}

/// A value that is not shown: it is, or may hold, a password.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// The value itself, for whoever has to hand it on.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// A command line with no more than these flags.
#[derive(clap::Parser)]
struct Alone {
    #[command(flatten)]
    nats: NatsFlags,
}

impl NatsFlags {
    /// The server at `url`, with the credentials that the environment has for it.
    ///
    /// # Errors
    /// [`Exit::Configuration`] where the environment has values that cannot be used.
    pub fn of_environment(url: &str) -> Result<Self, Failed> {
        let alone = Alone::try_parse_from(["crispy", "--nats-server", url]);
        alone.map(|alone| alone.nats).exit(Exit::Configuration)
    }

    /// What the queue is told, for a connection that calls itself `program`.
    pub fn options(&self, program: &str) -> ConnectOptions {
        let revealed =
            |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.reveal().to_owned());
        ConnectOptions {
            servers: self.nats_server.reveal().to_owned(),
            name: format!("{program} {}", daemon::producer("").instance),
            prefix: self.prefix.clone(),
            user: self.nats_user.clone(),
            password: revealed(&self.nats_password),
            token: revealed(&self.nats_token),
            creds: self.nats_creds.clone(),
            nkey: self.nats_nkey.clone(),
            tls_ca: self.nats_tlsca.clone(),
            tls_cert: self.nats_tlscert.clone(),
            tls_key: self.nats_tlskey.clone(),
            tls_first: self.nats_tlsfirst,
            ..ConnectOptions::default()
        }
    }
}

/// Connects, and logs what is worth a warning about the server.
///
/// # Errors
/// [`Exit::NatsUnreachable`], [`Exit::NatsRefused`], [`Exit::NatsServerTooOld`], else [`Exit::Configuration`].
pub async fn connect(options: &ConnectOptions) -> Result<Connection, Failed> {
    let connection = queue::connect(options).await.map_err(|error| {
        let exit = match error {
            ConnectError::Unreachable { .. } => Exit::NatsUnreachable,
            ConnectError::Refused { .. } | ConnectError::Tls { .. } => Exit::NatsRefused,
            ConnectError::TooOld { .. } => Exit::NatsServerTooOld,
            _ => Exit::Configuration,
        };
        Failed::new(exit, anyhow::Error::new(error).context("connect to NATS"))
    })?;
    if let Some(warning) = connection.warning() {
        warn!("{warning}");
    }
    Ok(connection)
}

/// Checks that the streams a program needs are there.
///
/// # Errors
/// [`Exit::StreamsMissing`], with a message that names them and `crispy setup`; see [`exit_of_check`] for a server that does not say.
pub async fn check_streams(connection: &Connection, needs: &[Stream]) -> Result<(), Failed> {
    topology::check(connection, needs)
        .await
        .map_err(|error| Failed::new(exit_of_check(&error), error))
}
