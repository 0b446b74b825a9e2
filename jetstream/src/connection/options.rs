//! Options of a connection.

use std::{fmt, path::PathBuf, time::Duration};

use async_nats::ServerAddr;

/// The servers and the credentials: the settings of natscli, under its names.
///
/// Its debug form hides every secret, those inside server URLs too, so it can be logged.
#[derive(Clone)]
pub struct ConnectOptions {
    /// URLs of one cluster's servers, separated by commas; `nats://127.0.0.1:4222` by default. One
    /// of them may have a user and password, or a token in the user's place: for all of them.
    pub servers: String,
    /// The connection's name in the server's lists: program, host and process.
    pub name: String,
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
    /// A user's JWT, with [`Self::seed`].
    pub jwt: Option<String>,
    /// Seed of the key that [`Self::jwt`] was issued for.
    pub seed: Option<String>,
    /// File with the certificates to trust, instead of the system's.
    pub tls_ca: Option<PathBuf>,
    /// File with this client's certificate, with [`Self::tls_key`].
    pub tls_cert: Option<PathBuf>,
    /// File with the key of [`Self::tls_cert`].
    pub tls_key: Option<PathBuf>,
    /// Starts TLS before the server's greeting.
    pub tls_first: bool,
    /// JetStream domain, as on a leaf node.
    pub domain: Option<String>,
    /// First tokens of the subjects of JetStream's API, for accounts that import it under others.
    /// It overrides [`Self::domain`].
    pub js_api_prefix: Option<String>,
    /// First tokens of the reply subjects; `_INBOX` by default.
    pub inbox_prefix: Option<String>,
    /// The time limit of the first connection. Later reconnects have none.
    pub wait: Duration,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            servers: "nats://127.0.0.1:4222".to_owned(),
            name: "crispy".to_owned(),
            user: None,
            password: None,
            token: None,
            creds: None,
            nkey: None,
            jwt: None,
            seed: None,
            tls_ca: None,
            tls_cert: None,
            tls_key: None,
            tls_first: false,
            domain: None,
            js_api_prefix: None,
            inbox_prefix: None,
            wait: Duration::from_secs(5),
        }
    }
}

impl ConnectOptions {
    /// The first tokens of the subjects of JetStream's API.
    pub(super) fn api_prefix(&self) -> String {
        match (&self.js_api_prefix, &self.domain) {
            (Some(prefix), _) => prefix.clone(),
            (None, Some(domain)) => format!("$JS.{domain}.API"),
            (None, None) => "$JS.API".to_owned(),
        }
    }
}

impl fmt::Debug for ConnectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hide = |secret: &Option<String>| secret.as_ref().map(|_| "***");
        f.debug_struct("ConnectOptions")
            .field("servers", &redacted(&self.servers))
            .field("name", &self.name)
            .field("user", &self.user)
            .field("password", &hide(&self.password))
            .field("token", &hide(&self.token))
            .field("creds", &self.creds)
            .field("nkey", &self.nkey)
            .field("jwt", &hide(&self.jwt))
            .field("seed", &hide(&self.seed))
            .field("tls_ca", &self.tls_ca)
            .field("tls_cert", &self.tls_cert)
            .field("tls_key", &self.tls_key)
            .field("tls_first", &self.tls_first)
            .field("domain", &self.domain)
            .field("js_api_prefix", &self.js_api_prefix)
            .field("inbox_prefix", &self.inbox_prefix)
            .field("wait", &self.wait)
            .finish()
    }
}

/// Server URLs without the part before an `@`.
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

/// The addresses without users and passwords: async-nats ignores those, and logs them.
pub(super) fn bare(addresses: &[ServerAddr]) -> Vec<ServerAddr> {
    let bare = |address: &ServerAddr| {
        let mut url = address.clone().into_inner();
        // Fails only for URLs without a host.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        ServerAddr::from_url(url).unwrap_or_else(|_| address.clone())
    };
    addresses.iter().map(bare).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_for_async_nats_hold_no_secret() {
        let servers = addresses("nats://ann:pw@a:4222,tls://tok@b,nats://c").unwrap();
        let bare = bare(&servers);
        let bare: Vec<_> = bare.iter().map(ServerAddr::as_url_str).collect();
        assert_eq!(bare, ["nats://a:4222", "tls://b", "nats://c"]);
    }

    #[test]
    fn the_debug_form_hides_secrets() {
        let options = ConnectOptions {
            servers: "nats://ann:hunter2@a:4222, tls://s3cret@b".into(),
            password: Some("hunter3".into()),
            token: Some("t0ken".into()),
            jwt: Some("j.w.t".into()),
            seed: Some("SUSEED".into()),
            ..Default::default()
        };
        let shown = format!("{options:?}");
        for secret in ["hunter2", "hunter3", "s3cret", "t0ken", "j.w.t", "SUSEED"] {
            assert!(!shown.contains(secret), "{shown}");
        }
        assert!(shown.contains("nats://***@a:4222,tls://***@b"), "{shown}");
    }
}
