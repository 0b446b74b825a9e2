//! Connects to NATS by the flags `--nats-…`. Names and environment are natscli's: what works
//! there works here.
//!
//! ```text
//!   flag ─► environment ─► crispy.toml ─► context ─► default        the first that is set counts
//!   └─────────── NatsFlags ──────────┘   context.rs
//! ```

mod context;
mod environment;
mod fields;

use std::path::PathBuf;

use crate::{Exit, Failed, WithExit};
use clap::{Args, Parser};
use crispy_jetstream::{ConnectError, ConnectOptions};
use crispy_queue::{Connection, Prefix, Stream, topology};
use tracing::warn;

pub use context::ContextError;
use environment::Environment;
pub use fields::FieldError;

/// The flags about NATS, which every program that connects has.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "NATS")]
pub struct NatsFlags {
    /// Servers of one cluster, as URLs with commas between them [default: nats://127.0.0.1:4222]
    #[arg(long, env = "NATS_URL", value_name = "URL", hide_env_values = true)]
    pub nats_server: Option<Secret>,

    /// natscli's context of this name, or in this .json file: for all that is not set otherwise
    #[arg(long, env = "NATS_CONTEXT", value_name = "NAME")]
    pub nats_context: Option<String>,

    /// User name; without a password a token
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

    /// A user's JWT, with its seed
    #[arg(
        long,
        env = "NATS_JWT",
        value_name = "JWT",
        hide_env_values = true,
        requires = "nats_seed"
    )]
    pub nats_jwt: Option<Secret>,

    /// Seed of the key that the JWT was issued for
    #[arg(
        long,
        env = "NATS_SEED",
        value_name = "SEED",
        hide_env_values = true,
        requires = "nats_jwt"
    )]
    pub nats_seed: Option<Secret>,

    /// File with this client's certificate
    #[arg(long, env = "NATS_CERT", value_name = "FILE", requires = "nats_tlskey")]
    pub nats_tlscert: Option<PathBuf>,

    /// File with the certificate's key
    #[arg(long, env = "NATS_KEY", value_name = "FILE", requires = "nats_tlscert")]
    pub nats_tlskey: Option<PathBuf>,

    /// File with the certificates to trust
    #[arg(long, env = "NATS_CA", value_name = "FILE")]
    pub nats_tlsca: Option<PathBuf>,

    /// Encrypt before the first byte of the server
    #[arg(long, env = "NATS_TLS_FIRST")]
    pub nats_tlsfirst: bool,

    /// JetStream domain, as on a leaf node
    #[arg(long, value_name = "DOMAIN", conflicts_with = "nats_js_api_prefix")]
    pub nats_js_domain: Option<String>,

    /// First tokens of the subjects of JetStream's API, where an account imports it under others
    #[arg(long, value_name = "PREFIX")]
    pub nats_js_api_prefix: Option<String>,

    /// First tokens of the subjects of answers [default: _INBOX]
    #[arg(long, value_name = "PREFIX")]
    pub nats_inbox_prefix: Option<String>,

    /// First token of all subjects, for accounts that others share
    #[arg(
        long,
        env = "CRISPY_PREFIX",
        value_name = "WORD",
        default_value = "crispy"
    )]
    pub prefix: Prefix,
}

/// A value that is never shown: it is, or may hold, a password.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// The value itself.
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
        let alone = alone.map(|alone| alone.nats).exit(Exit::Configuration)?;
        // A server that was named is not to be met with what a context has for another.
        Ok(Self {
            nats_context: None,
            ..alone
        })
    }

    /// The options of a connection that calls itself `program`.
    ///
    /// # Errors
    /// [`Exit::Configuration`] where the context cannot be used.
    pub fn options(&self, program: &str) -> Result<ConnectOptions, Failed> {
        let options = self.over_context(&Environment::from_process());
        let options = options.map_err(|error| Failed::new(Exit::Configuration, error))?;
        Ok(ConnectOptions {
            name: format!("{program} {}", crate::producer("").instance),
            ..options
        })
    }

    /// The context, overridden by flags. Any credential flag replaces all of the context's
    /// credentials; identities are never mixed.
    fn over_context(&self, environment: &Environment) -> Result<ConnectOptions, ContextError> {
        let context = match &self.nats_context {
            Some(name) => context::load(name, environment)?,
            None => ConnectOptions::default(),
        };
        let server = revealed(&self.nats_server).unwrap_or_else(|| context.servers.clone());
        let identity = match self.has_identity() {
            true => ConnectOptions {
                creds: self.nats_creds.clone(),
                nkey: self.nats_nkey.clone(),
                jwt: revealed(&self.nats_jwt),
                seed: revealed(&self.nats_seed),
                ..self.user_or_token()
            },
            false => ConnectOptions {
                password: revealed(&self.nats_password).or_else(|| context.password.clone()),
                ..context.clone()
            },
        };
        let prefix = self.nats_js_api_prefix.clone();
        let (domain, js_api_prefix) = match (self.nats_js_domain.clone(), prefix) {
            (None, None) => (context.domain, context.js_api_prefix),
            flags => flags,
        };
        Ok(ConnectOptions {
            servers: server,
            tls_ca: self.nats_tlsca.clone().or(context.tls_ca),
            tls_cert: self.nats_tlscert.clone().or(context.tls_cert),
            tls_key: self.nats_tlskey.clone().or(context.tls_key),
            tls_first: self.nats_tlsfirst || context.tls_first,
            domain,
            js_api_prefix,
            inbox_prefix: self.nats_inbox_prefix.clone().or(context.inbox_prefix),
            ..identity
        })
    }

    fn has_identity(&self) -> bool {
        let secrets = [&self.nats_token, &self.nats_jwt];
        let files = [&self.nats_creds, &self.nats_nkey];
        self.nats_user.is_some()
            || secrets.into_iter().any(Option::is_some)
            || files.into_iter().any(Option::is_some)
    }

    /// As natscli reads it: a user without a password is a token.
    fn user_or_token(&self) -> ConnectOptions {
        let (user, password) = (self.nats_user.clone(), revealed(&self.nats_password));
        let (user, lone) = match password {
            Some(_) => (user, None),
            None => (None, user),
        };
        ConnectOptions {
            user,
            password,
            token: revealed(&self.nats_token).or(lone),
            ..ConnectOptions::default()
        }
    }
}

fn revealed(secret: &Option<Secret>) -> Option<String> {
    secret.as_ref().map(|secret| secret.reveal().to_owned())
}

/// Connects, and logs a warning about the server if there is one.
///
/// # Errors
/// [`Exit::NatsUnreachable`], [`Exit::NatsRefused`], [`Exit::NatsServerTooOld`], else
/// [`Exit::Configuration`].
pub async fn connect(options: &ConnectOptions, prefix: &Prefix) -> Result<Connection, Failed> {
    let connection = crispy_queue::connect(options, prefix)
        .await
        .map_err(|error| {
            let exit = match error {
                ConnectError::Unreachable { .. } => Exit::NatsUnreachable,
                ConnectError::Refused { .. } | ConnectError::Tls { .. } => Exit::NatsRefused,
                ConnectError::TooOld { .. } => Exit::NatsServerTooOld,
                _ => Exit::Configuration,
            };
            Failed::new(exit, anyhow::Error::new(error).context("connect to NATS"))
        })?;
    if let Some(warning) = connection.warning() {
        warn!(warning, "untested version of the NATS server");
    }
    Ok(connection)
}

/// Checks that the streams that a program needs exist.
///
/// # Errors
/// [`Exit::StreamsMissing`], with a message that names them and `crispy setup`.
pub async fn check_streams(connection: &Connection, needs: &[Stream]) -> Result<(), Failed> {
    topology::check(connection, needs)
        .await
        .map_err(Failed::from_queue)
}

#[cfg(test)]
mod tests;
