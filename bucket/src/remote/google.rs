//! Google Cloud Storage, through its XML interface.
//!
//! The source of credentials is the first of these that exists, as in all of Google's own clients:
//!
//! 1. `STORAGE_EMULATOR_HOST`: none, since an emulator needs no credentials
//! 2. the file that `GOOGLE_APPLICATION_CREDENTIALS` names
//! 3. gcloud's `application_default_credentials.json` in `CLOUDSDK_CONFIG` or `~/.config/gcloud`
//! 4. the machine's own, from its metadata server (`GCE_METADATA_HOST` names another one)
//!
//! A file has one of four types. google-cloud-auth reads all of them, object_store only two. It
//! refreshes a token four minutes before its end. It never repeats a failed request for a token, so
//! its client is rebuilt after a failure.

use std::{error::Error, fmt, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use google_cloud_auth::credentials::{
    AccessTokenCredentials, external_account, impersonated, mds,
    service_account::{self, AccessSpecifier},
    user_account,
};
use object_store::{
    CredentialProvider, ObjectStore, StaticCredentialProvider,
    gcp::{GcpCredential, GcpCredentialProvider, GoogleCloudStorageBuilder},
};
use parking_lot::Mutex;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    StoreSetup, check_tls, client_options, endpoint,
    http::{Connector, Timeouts, install_crypto, no_retries},
    without_slash,
};
use crate::{BucketOptions, location::RemoteLocation, redact};

/// Characters to escape in a part of a path (RFC 3986), slashes too.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
const ENDPOINT: &str = "https://storage.googleapis.com";
/// Enough for objects, and for nothing else: a leaked token opens no virtual machine.
const SCOPE: &str = "https://www.googleapis.com/auth/devstorage.read_write";
/// For a request for a token. The metadata server answers within 0.1 s, an exchange of tokens
/// within 1 s.
const TOKEN_TIMEOUT: Duration = Duration::from_secs(10);
/// The innermost errors of a chain that are shown.
const SHOWN_ERRORS: usize = 4;

pub(super) fn setup(
    location: &RemoteLocation,
    options: &BucketOptions,
    timeouts: Timeouts,
) -> Result<StoreSetup, String> {
    let emulator = options.variable("STORAGE_EMULATOR_HOST");
    let given = options.option("base_url");
    let endpoint = endpoint(given.or(emulator).unwrap_or(ENDPOINT))?;
    let source = match (given, emulator) {
        (None, Some(_)) => CredentialSource::None,
        _ => {
            check_tls(&endpoint, options)?;
            CredentialSource::from_options(options)
        }
    };
    let (bucket, base) = (location.bucket.clone(), without_slash(&endpoint).to_owned());
    let builder = GoogleCloudStorageBuilder::new()
        .with_bucket_name(&bucket)
        .with_base_url(&base)
        .with_client_options(client_options(&endpoint, timeouts))
        .with_http_connector(Connector(timeouts))
        .with_retry(no_retries());
    Ok(StoreSetup {
        make: Box::new(move || {
            let credentials = source.credentials();
            let store = builder.clone().with_credentials(credentials).build()?;
            Ok(Arc::new(store) as Arc<dyn ObjectStore>)
        }),
        endpoint,
        link: Box::new(move |key, generation| link(&base, &bucket, key, generation)),
    })
}

/// As Google's JSON interface calls it, `mediaLink`.
fn link(base: &str, bucket: &str, key: &str, generation: &str) -> String {
    let key = utf8_percent_encode(key, ESCAPED);
    let generation = match generation {
        "" => String::new(),
        generation => format!("generation={generation}&"),
    };
    format!("{base}/download/storage/v1/b/{bucket}/o/{key}?{generation}alt=media")
}

/// The source of credentials.
#[derive(Clone, Debug)]
enum CredentialSource {
    None,
    File(PathBuf),
    /// The metadata server at this URL.
    Machine(String),
}

impl CredentialSource {
    fn from_options(options: &BucketOptions) -> Self {
        if let Some(path) = options.variable("GOOGLE_APPLICATION_CREDENTIALS") {
            return Self::File(path.into());
        }
        let folder = options.variable("CLOUDSDK_CONFIG").map(PathBuf::from);
        let home = || {
            options
                .variable("HOME")
                .map(|home| PathBuf::from(home).join(".config/gcloud"))
        };
        let file = folder.or_else(home);
        let file = file.map(|folder| folder.join("application_default_credentials.json"));
        if let Some(file) = file.filter(|file| file.exists()) {
            return Self::File(file);
        }
        let host = options.variable("GCE_METADATA_HOST");
        Self::Machine(format!(
            "http://{}",
            host.unwrap_or("metadata.google.internal")
        ))
    }

    fn credentials(&self) -> GcpCredentialProvider {
        match self {
            Self::None => Arc::new(StaticCredentialProvider::new(GcpCredential {
                bearer: String::new(),
            })),
            _ => Arc::new(Tokens {
                source: self.clone(),
                current: Mutex::default(),
            }),
        }
    }

    fn build(&self) -> Result<AccessTokenCredentials, NoToken> {
        install_crypto();
        let path = match self {
            Self::File(path) => path,
            Self::Machine(url) => return machine(url).map_err(|error| self.no_token(&error)),
            Self::None => return Err(self.no_token(&UnknownType("none".into()))),
        };
        let text = std::fs::read_to_string(path).map_err(|error| self.no_token(&error))?;
        let json = serde_json::from_str(&text).map_err(|error| self.no_token(&error))?;
        from_file(json).map_err(|error| self.no_token(&*error))
    }

    fn no_token(&self, error: &(dyn Error + 'static)) -> NoToken {
        let from = match self {
            Self::None => "no source".to_owned(),
            Self::File(path) => format!("the credentials in {}", path.display()),
            Self::Machine(url) => format!(
                "the metadata server {url} (there is neither GOOGLE_APPLICATION_CREDENTIALS nor a file of gcloud auth application-default login)"
            ),
        };
        NoToken {
            from,
            why: redact::words(&innermost_messages(error)),
        }
    }
}

/// A machine's own scopes are those that its owner granted.
fn machine(url: &str) -> Result<AccessTokenCredentials, google_cloud_auth::build_errors::Error> {
    mds::Builder::default()
        .with_endpoint(url)
        .build_access_token_credentials()
}

/// A person's token has the scopes of their login, and a request for fewer is refused.
fn from_file(json: serde_json::Value) -> Result<AccessTokenCredentials, Box<dyn Error>> {
    let kind = json["type"].as_str().unwrap_or_default().to_owned();
    Ok(match kind.as_str() {
        "service_account" => service_account::Builder::new(json)
            .with_access_specifier(AccessSpecifier::from_scopes([SCOPE]))
            .build_access_token_credentials()?,
        "authorized_user" => user_account::Builder::new(json).build_access_token_credentials()?,
        "external_account" => external_account::Builder::new(json)
            .with_scopes([SCOPE])
            .build_access_token_credentials()?,
        "impersonated_service_account" => impersonated::Builder::new(json)
            .with_scopes([SCOPE])
            .build_access_token_credentials()?,
        _ => return Err(UnknownType(kind).into()),
    })
}

#[derive(Debug, thiserror::Error)]
#[error(
    "type {0:?} is unknown; known are service_account, authorized_user, external_account and impersonated_service_account"
)]
struct UnknownType(String);

/// The credentials gave no token.
#[derive(Debug, thiserror::Error)]
#[error("no token from {from}: {why}")]
pub(super) struct NoToken {
    from: String,
    why: String,
}

/// The last errors of a chain, each without the next one's text in it: the outer ones say only that
/// there was no token.
fn innermost_messages(error: &(dyn Error + 'static)) -> String {
    let mut errors = vec![error.to_string()];
    let mut next = error.source();
    while let Some(error) = next {
        let more = error.to_string();
        if let Some(last) = errors.last_mut()
            && let Some(at) = last.find(&more)
        {
            last.truncate(at);
        }
        errors.push(more);
        next = error.source();
    }
    let own = errors
        .iter()
        .map(|error| error.trim_end_matches([':', ' ']));
    let own: Vec<&str> = own.filter(|error| !error.is_empty()).collect();
    own[own.len().saturating_sub(SHOWN_ERRORS)..].join(": ")
}

/// Guarantee: its `Debug` form shows no token.
struct Tokens {
    source: CredentialSource,
    /// Created at first use, inside a runtime, which its refreshing needs.
    current: Mutex<Option<AccessTokenCredentials>>,
}

impl Tokens {
    fn credentials(&self) -> Result<AccessTokenCredentials, NoToken> {
        let mut current = self.current.lock();
        if let Some(credentials) = &*current {
            return Ok(credentials.clone());
        }
        Ok(current.insert(self.source.build()?).clone())
    }

    async fn token(&self) -> Result<String, NoToken> {
        let credentials = self.credentials()?;
        let token = tokio::time::timeout(TOKEN_TIMEOUT, credentials.access_token()).await;
        let error = match token {
            Ok(Ok(token)) => return Ok(token.token),
            Ok(Err(error)) => self.source.no_token(&error),
            Err(_) => self.source.no_token(&TokenTimeout),
        };
        // It would return the same error for ever.
        *self.current.lock() = None;
        Err(error)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("no answer within {TOKEN_TIMEOUT:?}")]
struct TokenTimeout;

#[async_trait]
impl CredentialProvider for Tokens {
    type Credential = GcpCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<GcpCredential>> {
        let bearer = self
            .token()
            .await
            .map_err(|error| object_store::Error::Generic {
                store: "GCS",
                source: error.into(),
            })?;
        Ok(Arc::new(GcpCredential { bearer }))
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_link_is_googles_own() {
        assert_eq!(
            link(ENDPOINT, "video", "v1/a b/1-2.mp4", "17"),
            "https://storage.googleapis.com/download/storage/v1/b/video/o/v1%2Fa%20b%2F1-2.mp4?generation=17&alt=media"
        );
    }
}
