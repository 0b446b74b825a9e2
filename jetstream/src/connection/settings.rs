//! Settings of the async-nats client.

use std::{fs::File, io, path::Path, time::Duration};

use async_nats::{AuthError, ServerAddr};
use nkeys::KeyPair;

use super::{error::ConnectError, identity::Identity, options::ConnectOptions};

/// The time limit of one API request. During the election of a stream's leader (4.5 to 7 s,
/// measured) requests fail at once; natscli waits 5 s.
pub(super) const API_TIMEOUT: Duration = Duration::from_secs(5);

/// The interval of pings. Dead peers are noticed after two unanswered pings; the default of 60 s
/// leaves a cut cable unnoticed for two minutes.
const PING_INTERVAL: Duration = Duration::from_secs(5);

/// The client's settings for `options`. TLS is set up only where a server or an option asks for it:
/// reading the system's certificates costs more than all the rest of a connection.
pub(super) async fn settings(
    options: &ConnectOptions,
    addresses: &[ServerAddr],
) -> Result<async_nats::ConnectOptions, ConnectError> {
    let mut settings = async_nats::ConnectOptions::new()
        .name(&options.name)
        .request_timeout(Some(API_TIMEOUT))
        .ping_interval(PING_INTERVAL);
    settings = match Identity::new(options, addresses) {
        Identity::Anonymous => settings,
        Identity::User(user, password) => settings.user_and_password(user, password),
        Identity::Token(token) => settings.token(token),
    };
    settings = with_keys(settings, options).await?;
    settings = with_tls(settings, options)?;
    if let Some(prefix) = &options.inbox_prefix {
        settings = settings.custom_inbox_prefix(prefix);
    }
    Ok(settings)
}

/// Adds credentials that sign the server's nonce.
async fn with_keys(
    mut settings: async_nats::ConnectOptions,
    options: &ConnectOptions,
) -> Result<async_nats::ConnectOptions, ConnectError> {
    if let Some(path) = &options.creds {
        let made = settings.credentials_file(path).await;
        settings = made.map_err(unreadable(path))?;
    }
    if let Some(path) = &options.nkey {
        let text = std::fs::read_to_string(path).map_err(unreadable(path))?;
        let seed = seed_in(&text).ok_or_else(|| {
            let message = "no line is the seed of a user's nkey (SU...)";
            unreadable(path)(io::Error::new(io::ErrorKind::InvalidData, message))
        })?;
        settings = settings.nkey(seed.to_owned());
    }
    if let (Some(jwt), Some(seed)) = (&options.jwt, &options.seed) {
        // The parser's error has no more details.
        let pair = KeyPair::from_seed(seed.trim()).map_err(|_| ConnectError::Seed)?;
        let pair = std::sync::Arc::new(pair);
        settings = settings.jwt(jwt.trim().to_owned(), move |nonce| {
            let signed = pair.sign(&nonce).map_err(AuthError::new);
            async move { signed }
        });
    }
    Ok(settings)
}

/// The seed in a file with other text around it, as `nsc` and `nk` write them.
fn seed_in(text: &str) -> Option<&str> {
    let mut lines = text.lines().map(str::trim);
    lines.find(|line| line.starts_with("SU") && KeyPair::from_seed(line).is_ok())
}

fn with_tls(
    mut settings: async_nats::ConnectOptions,
    options: &ConnectOptions,
) -> Result<async_nats::ConnectOptions, ConnectError> {
    // async-nats reads these files while it connects, and its errors do not name the file.
    for path in [&options.tls_ca, &options.tls_cert, &options.tls_key]
        .into_iter()
        .flatten()
    {
        File::open(path).map_err(unreadable(path))?;
    }
    if let Some(ca) = &options.tls_ca {
        settings = settings.add_root_certificates(ca.clone()).require_tls(true);
    }
    if let (Some(cert), Some(key)) = (&options.tls_cert, &options.tls_key) {
        settings = settings
            .add_client_certificate(cert.clone(), key.clone())
            .require_tls(true);
    }
    Ok(match options.tls_first {
        true => settings.tls_first(),
        false => settings,
    })
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> ConnectError {
    move |source| ConnectError::Credentials {
        path: path.to_owned(),
        source,
    }
}
