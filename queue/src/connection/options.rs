//! What an operator says about a server.

use std::{fmt, path::PathBuf, time::Duration};

use async_nats::ServerAddr;

use crate::Prefix;

/// Where the servers are and how to be let in: the settings of natscli, under its names.
///
/// Its debug form hides every secret, those inside server URLs too, so it can be logged.
#[derive(Clone)]
pub struct ConnectOptions {
    /// URLs of one cluster's servers, separated by commas; `nats://127.0.0.1:4222` by default. A user and password, or a token in the
    /// user's place, may stand in the first.
    pub servers: String,
    /// What the server's lists of connections call this one: the program, its host and its process.
    pub name: String,
    /// The first token of all subjects.
    pub prefix: Prefix,
    /// User name, with [`Self::password`].
    pub user: Option<String>,
    /// Password of [`Self::user`].
    pub password: Option<String>,
    /// Token, instead of a user.
    pub token: Option<String>,
    /// File with a user's JWT and seed, as `nsc` writes it.
    pub creds: Option<PathBuf>,
    /// File with an nkey seed.
    pub nkey: Option<PathBuf>,
    /// File with the certificates to trust, instead of the system's.
    pub tls_ca: Option<PathBuf>,
    /// File with this client's certificate, with [`Self::tls_key`].
    pub tls_cert: Option<PathBuf>,
    /// File with the key of [`Self::tls_cert`].
    pub tls_key: Option<PathBuf>,
    /// Encrypt before the server has said anything.
    pub tls_first: bool,
    /// JetStream domain, as on a leaf node.
    pub domain: Option<String>,
    /// First tokens of the subjects on which replies are heard; `_INBOX` by default.
    pub inbox_prefix: Option<String>,
    /// How long the first connection may take. Once there has been one, a lost one is sought again for ever.
    pub wait: Duration,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            servers: "nats://127.0.0.1:4222".to_owned(),
            name: "crispy".to_owned(),
            prefix: Prefix::default(),
            user: None,
            password: None,
            token: None,
            creds: None,
            nkey: None,
            tls_ca: None,
            tls_cert: None,
            tls_key: None,
            tls_first: false,
            domain: None,
            inbox_prefix: None,
            wait: Duration::from_secs(5),
        }
    }
}

impl fmt::Debug for ConnectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hide = |secret: &Option<String>| secret.as_ref().map(|_| "***");
        f.debug_struct("ConnectOptions")
            .field("servers", &redacted(&self.servers))
            .field("name", &self.name)
            .field("prefix", &self.prefix)
            .field("user", &self.user)
            .field("password", &hide(&self.password))
            .field("token", &hide(&self.token))
            .field("creds", &self.creds)
            .field("nkey", &self.nkey)
            .field("tls_ca", &self.tls_ca)
            .field("tls_cert", &self.tls_cert)
            .field("tls_key", &self.tls_key)
            .field("tls_first", &self.tls_first)
            .field("domain", &self.domain)
            .field("inbox_prefix", &self.inbox_prefix)
            .field("wait", &self.wait)
            .finish()
    }
}

/// Server URLs without what stands before an `@`.
pub(super) fn redacted(servers: &str) -> String {
    let hide = |server: &str| match server.trim().rsplit_once('@') {
        None => server.trim().to_owned(),
        Some((before, host)) => match before.split_once("://") {
            Some((scheme, _)) => format!("{scheme}://***@{host}"),
            None => format!("***@{host}"),
        },
    };
    servers.split(',').map(hide).collect::<Vec<_>>().join(",")
}

/// The servers' addresses.
pub(super) fn addresses(servers: &str) -> std::io::Result<Vec<ServerAddr>> {
    servers
        .split(',')
        .map(|server| server.trim().parse())
        .collect()
}

/// Who we say we are: what the options name, else what the first URL carries, which async-nats itself does not look at.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Identity {
    Nobody,
    User(String, String),
    Token(String),
}

impl Identity {
    pub(super) fn of(options: &ConnectOptions, addresses: &[ServerAddr]) -> Self {
        if let Some(token) = &options.token {
            return Self::Token(token.clone());
        }
        if let Some(user) = &options.user {
            return Self::User(user.clone(), options.password.clone().unwrap_or_default());
        }
        let Some(user) = addresses.first().and_then(ServerAddr::username) else {
            return Self::Nobody;
        };
        match addresses[0].password() {
            Some(password) => Self::User(user.to_owned(), password.to_owned()),
            None => Self::Token(user.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_shows_in_the_debug_form() {
        let options = ConnectOptions {
            servers: "nats://ann:hunter2@a:4222, tls://s3cret@b".into(),
            password: Some("hunter3".into()),
            token: Some("t0ken".into()),
            ..Default::default()
        };
        let shown = format!("{options:?}");
        for secret in ["hunter2", "hunter3", "s3cret", "t0ken"] {
            assert!(!shown.contains(secret), "{shown}");
        }
        assert!(shown.contains("nats://***@a:4222,tls://***@b"), "{shown}");
    }

    #[test]
    fn the_first_url_says_who_we_are_unless_an_option_does() {
        let of = |servers: &str, user: Option<&str>| {
            let options = ConnectOptions {
                servers: servers.into(),
                user: user.map(str::to_owned),
                ..Default::default()
            };
            Identity::of(&options, &addresses(servers).unwrap())
        };
        let user = |name: &str, word: &str| Identity::User(name.into(), word.into());
        assert_eq!(of("nats://a,nats://b", None), Identity::Nobody);
        assert_eq!(of("nats://ann:pw@a,nats://b", None), user("ann", "pw"));
        assert_eq!(of("nats://tok@a", None), Identity::Token("tok".into()));
        assert_eq!(of("nats://ann:pw@a", Some("bob")), user("bob", ""));
    }
}
