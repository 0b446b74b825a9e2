//! Google Cloud Storage, through its XML interface.
//!
//! Who we are, by the first of these that there is, as in all of Google's own clients:
//!
//! 1. `STORAGE_EMULATOR_HOST`: nobody; an emulator asks for no credentials
//! 2. the file that `GOOGLE_APPLICATION_CREDENTIALS` names
//! 3. gcloud's: `application_default_credentials.json` in `CLOUDSDK_CONFIG` or `~/.config/gcloud`
//! 4. the machine's own, from its metadata server (`GCE_METADATA_HOST` names another one)
//!
//! A file is of one of four kinds, and all are google-cloud-auth's work: object_store reads two of them only. It refreshes a token four
//! minutes before its end; what it cannot get it does not ask for again by itself, so that after a failure it is made anew.

use std::{
    error::Error,
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

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
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    super::{BucketOptions, location::Place},
    Provider, Why,
    answer::without_secrets,
    check_line, client_options, endpoint, text_of,
    wire::{Patience, Wire, retries_off, with_cryptography},
};

/// What a part of a path must have escaped (RFC 3986), slashes too.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
const ENDPOINT: &str = "https://storage.googleapis.com";
/// Enough for objects, and for nothing else: a token that leaks opens no virtual machine.
const SCOPE: &str = "https://www.googleapis.com/auth/devstorage.read_write";
/// Until a token is there. The metadata server answers within 0.1 s, an exchange of tokens within 1 s.
const TOKEN: Duration = Duration::from_secs(10);
/// Errors of a chain that are worth reading.
const LAST: usize = 4;

pub(super) fn provider(
    place: &Place,
    options: &BucketOptions,
    patience: Patience,
) -> Result<Provider, Why> {
    let emulator = options.variable("STORAGE_EMULATOR_HOST");
    let given = options.option("base_url");
    let endpoint = endpoint(given.or(emulator).unwrap_or(ENDPOINT))?;
    let identity = match (given, emulator) {
        (None, Some(_)) => Identity::Nobody,
        _ => {
            check_line(&endpoint, options)?;
            Identity::of(options)
        }
    };
    let (bucket, base) = (place.bucket.clone(), text_of(&endpoint).to_owned());
    let builder = GoogleCloudStorageBuilder::new()
        .with_bucket_name(&bucket)
        .with_base_url(&base)
        .with_client_options(client_options(&endpoint, patience))
        .with_http_connector(Wire(patience))
        .with_retry(retries_off());
    Ok(Provider {
        make: Box::new(move || {
            let credentials = identity.credentials();
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

/// Where a proof of who we are comes from.
#[derive(Clone, Debug)]
enum Identity {
    Nobody,
    File(PathBuf),
    /// The metadata server at this URL.
    Machine(String),
}

impl Identity {
    fn of(options: &BucketOptions) -> Self {
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
            Self::Nobody => Arc::new(StaticCredentialProvider::new(GcpCredential {
                bearer: String::new(),
            })),
            _ => Arc::new(Tokens {
                identity: self.clone(),
                current: Mutex::default(),
            }),
        }
    }

    fn build(&self) -> Result<AccessTokenCredentials, NoToken> {
        with_cryptography();
        let path = match self {
            Self::File(path) => path,
            Self::Machine(url) => return machine(url).map_err(|error| self.no_token(&error)),
            Self::Nobody => return Err(self.no_token(&Unknown("nobody".into()))),
        };
        let text = std::fs::read_to_string(path).map_err(|error| self.no_token(&error))?;
        let json = serde_json::from_str(&text).map_err(|error| self.no_token(&error))?;
        from_file(json).map_err(|error| self.no_token(&*error))
    }

    fn no_token(&self, error: &(dyn Error + 'static)) -> NoToken {
        let from = match self {
            Self::Nobody => "nobody".to_owned(),
            Self::File(path) => format!("the credentials in {}", path.display()),
            Self::Machine(url) => format!(
                "the metadata server {url} (there is neither GOOGLE_APPLICATION_CREDENTIALS nor a file of gcloud auth application-default login)"
            ),
        };
        NoToken {
            from,
            said: without_secrets(&chain(error)),
        }
    }
}

/// A machine's own scopes are what its owner gave it.
fn machine(url: &str) -> Result<AccessTokenCredentials, google_cloud_auth::build_errors::Error> {
    mds::Builder::default()
        .with_endpoint(url)
        .build_access_token_credentials()
}

/// A person's token has the scopes of their login, and asking for fewer is refused.
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
        _ => return Err(Unknown(kind).into()),
    })
}

#[derive(Debug, thiserror::Error)]
#[error(
    "type {0:?} is unknown; known are service_account, authorized_user, external_account and impersonated_service_account"
)]
struct Unknown(String);

/// The credentials gave no token.
#[derive(Debug, thiserror::Error)]
#[error("no token from {from}: {said}")]
pub(super) struct NoToken {
    from: String,
    said: String,
}

/// The last errors of a chain, each without the next one's words in it: the first ones only say that there was no token.
fn chain(error: &(dyn Error + 'static)) -> String {
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
    own[own.len().saturating_sub(LAST)..].join(": ")
}

/// Guarantee: never shown, what it holds.
struct Tokens {
    identity: Identity,
    /// Made when it is first needed, which is when there is a runtime for its refreshing.
    current: Mutex<Option<AccessTokenCredentials>>,
}

impl Tokens {
    fn credentials(&self) -> Result<AccessTokenCredentials, NoToken> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(credentials) = &*current {
            return Ok(credentials.clone());
        }
        Ok(current.insert(self.identity.build()?).clone())
    }

    async fn token(&self) -> Result<String, NoToken> {
        let credentials = self.credentials()?;
        let token = tokio::time::timeout(TOKEN, credentials.access_token()).await;
        let failed = match token {
            Ok(Ok(token)) => return Ok(token.token),
            Ok(Err(error)) => self.identity.no_token(&error),
            Err(_) => self.identity.no_token(&Late),
        };
        // It would give the same error for ever.
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Err(failed)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("no answer within {TOKEN:?}")]
struct Late;

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
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_link_is_google_s_own() {
        assert_eq!(
            link(ENDPOINT, "video", "v1/a b/1-2.mp4", "17"),
            "https://storage.googleapis.com/download/storage/v1/b/video/o/v1%2Fa%20b%2F1-2.mp4?generation=17&alt=media"
        );
    }
}
