//! What async-nats is told.

use std::{fs::File, io, path::Path, time::Duration};

use async_nats::{AuthError, ServerAddr};
use nkeys::KeyPair;

use super::{ConnectError, ConnectOptions, identity::Identity};

/// How long one request to the server's API may take. An election of a replicated stream's leader takes 4.5 to 7 s (measured), in which
/// requests fail at once; 5 s is what natscli waits.
pub(super) const API_TIMEOUT: Duration = Duration::from_secs(5);

/// How often the server is asked whether it is there. Dead peers are noticed after two unanswered pings; the default of 60 s leaves a cut
/// cable unnoticed for two minutes.
const PING: Duration = Duration::from_secs(5);

/// async-nats' settings for `options`. Nothing of TLS is touched unless a server or an option asks for it: reading the system's
/// certificates costs more than all else that a connection does.
pub(super) async fn settings(
    options: &ConnectOptions,
    addresses: &[ServerAddr],
) -> Result<async_nats::ConnectOptions, ConnectError> {
    let mut settings = async_nats::ConnectOptions::new()
        .name(&options.name)
        .request_timeout(Some(API_TIMEOUT))
        .ping_interval(PING);
    settings = match Identity::of(options, addresses) {
        Identity::Nobody => settings,
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

/// What is proved by signing the server's nonce.
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
            let message = "no line of it is the seed of a user's nkey (SU...)";
            unreadable(path)(io::Error::new(io::ErrorKind::InvalidData, message))
        })?;
        settings = settings.nkey(seed.to_owned());
    }
    if let (Some(jwt), Some(seed)) = (&options.jwt, &options.seed) {
        // The seed's own error would repeat none of it, and says no more.
        let pair = KeyPair::from_seed(seed.trim()).map_err(|_| ConnectError::Seed)?;
        let pair = std::sync::Arc::new(pair);
        settings = settings.jwt(jwt.trim().to_owned(), move |nonce| {
            let signed = pair.sign(&nonce).map_err(AuthError::new);
            async move { signed }
        });
    }
    Ok(settings)
}

/// The seed in a file that may have words around it, as `nsc` and `nk` write them.
fn seed_in(text: &str) -> Option<&str> {
    let mut lines = text.lines().map(str::trim);
    lines.find(|line| line.starts_with("SU") && KeyPair::from_seed(line).is_ok())
}

fn with_tls(
    mut settings: async_nats::ConnectOptions,
    options: &ConnectOptions,
) -> Result<async_nats::ConnectOptions, ConnectError> {
    // async-nats reads them while it connects, and its errors do not say which it could not read.
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
