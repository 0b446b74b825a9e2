//! Options of a bucket, and the environment variables with its secrets.

use std::{collections::BTreeMap, fmt, time::Duration};

use crispy_fault::Fault;

use crate::location::Provider;

/// Options that every remote bucket has.
const SHARED: &[&str] = &["allow_http", "answer_timeout", "connect_timeout", "timeout"];
/// Options of each provider, by object_store's names: addresses, identities and settings of
/// storage, and no secrets. The list is kept by hand because it is a filter: object_store would
/// also take secrets, and options that disable create-only puts (`conditional_put`).
const GOOGLE: &[&str] = &["base_url"];
const AMAZON: &[&str] = &[
    "checksum_algorithm",
    "endpoint",
    "endpoint_url_sts",
    "imdsv1_fallback",
    "metadata_endpoint",
    "region",
    "request_payer",
    "role_arn",
    "role_session_name",
    "server_side_encryption",
    "skip_signature",
    "sse_bucket_key_enabled",
    "sse_kms_key_id",
    "unsigned_payload",
    "virtual_hosted_style_request",
    "web_identity_token_file",
];
const AZURE: &[&str] = &[
    "account_name",
    "authority_host",
    "client_id",
    "endpoint",
    "federated_token_file",
    "msi_endpoint",
    "msi_resource_id",
    "object_id",
    "skip_signature",
    "tenant_id",
    "use_azure_cli",
    "use_emulator",
];
/// Words in names of options that are secrets: every user of a machine can read its command lines.
const SECRET: &[&str] = &[
    "secret",
    "token",
    "password",
    "credential",
    "_key",
    "key_id",
];

/// Variables that concern buckets, by the start of their names.
const VARIABLES: &[&str] = &[
    "AWS_",
    "AZURE_",
    "CLOUDSDK_CONFIG",
    "GCE_METADATA_HOST",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "HOME",
    "STORAGE_EMULATOR_HOST",
];

/// Address, credentials and settings of a bucket, beside its URL.
///
/// Guarantee: its `Debug` form shows names only, since values may be secrets.
#[derive(Clone, Default)]
pub struct BucketOptions {
    options: BTreeMap<String, String>,
    variables: BTreeMap<String, String>,
}

impl BucketOptions {
    /// No options, and an empty environment: for tests.
    pub fn new() -> Self {
        Self::default()
    }

    /// No options, and the environment of this process.
    pub fn from_environment() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| VARIABLES.iter().any(|start| name.starts_with(start)));
        Self {
            options: BTreeMap::new(),
            variables: variables.collect(),
        }
    }

    /// With one option, given as `key=value`. [`Bucket::open_with`](crate::Bucket::open_with)
    /// checks that the bucket has such an option.
    ///
    /// # Errors
    /// [`Kind::Rejected`](crispy_fault::Kind::Rejected): text without `=`, and secrets.
    pub fn with_option(mut self, text: &str) -> Result<Self, Fault> {
        let Some((name, value)) = text.split_once('=') else {
            return refuse("a bucket option is key=value, as in region=eu-central-1".into());
        };
        let name = name.trim();
        let known = [SHARED, GOOGLE, AMAZON, AZURE].concat();
        if !known.contains(&name) && SECRET.iter().any(|word| name.contains(word)) {
            return refuse(format!(
                "{name} is a secret and no option; give it by the environment, by the name that \
                 the store's own tools have for it (docs/buckets.md)"
            ));
        }
        self.options
            .insert(name.to_owned(), value.trim().to_owned());
        Ok(self)
    }

    /// With a variable of the environment, which replaces the process's own.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        let value = self.variables.get(name).map(String::as_str);
        value.filter(|value| !value.is_empty())
    }

    pub(super) fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.variables.iter();
        pairs.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(super) fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    pub(super) fn options(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.options.iter();
        pairs.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Refuses options that a bucket of this provider does not have; `None` is a folder, or memory.
    pub(super) fn check(&self, provider: Option<Provider>) -> Result<(), Fault> {
        let own = match provider {
            None if self.options.is_empty() => return Ok(()),
            None => return refuse("this kind of bucket has no options".into()),
            Some(Provider::Google) => GOOGLE,
            Some(Provider::Amazon) => AMAZON,
            Some(Provider::Azure) => AZURE,
        };
        let known = [SHARED, own].concat();
        let mut names = self.options.keys();
        if let Some(name) = names.find(|name| !known.contains(&name.as_str())) {
            let likeness = |known: &str| strsim::jaro_winkler(known, name);
            let nearest = known
                .iter()
                .max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
            return refuse(format!(
                "unknown option {name:?}; did you mean {:?}? This kind of bucket knows {}",
                nearest.unwrap_or(&""),
                known.join(", ")
            ));
        }
        match self.option("allow_http") {
            None | Some("true" | "false") => Ok(()),
            Some(text) => refuse(format!(
                "option allow_http: {text:?} is neither true nor false"
            )),
        }
    }

    pub(super) fn duration(&self, name: &str, default: Duration) -> Result<Duration, Fault> {
        let Some(text) = self.option(name) else {
            return Ok(default);
        };
        match humantime::parse_duration(text) {
            Ok(time) if !time.is_zero() => Ok(time),
            _ => refuse(format!(
                "option {name}: {text:?} is no time; write 5s, 1500ms or 2m"
            )),
        }
    }
}

fn refuse<T>(why: String) -> Result<T, Fault> {
    Err(Fault::rejected(why))
}

impl fmt::Debug for BucketOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BucketOptions")
            .field("options", &self.options.keys())
            .field("variables", &self.variables.keys())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_option_is_refused_with_the_nearest_known_one() {
        let options = BucketOptions::new().with_option("regoin=eu").unwrap();
        let refused = options
            .check(Some(Provider::Amazon))
            .unwrap_err()
            .to_string();
        assert!(refused.contains("did you mean \"region\"?"), "{refused}");
        let options = BucketOptions::new().with_option("region=eu").unwrap();
        options.check(Some(Provider::Amazon)).unwrap();
        assert!(
            options.check(Some(Provider::Google)).is_err(),
            "Google has no such option"
        );
        let refused = options.check(None).unwrap_err().to_string();
        assert!(refused.contains("has no options"), "{refused}");
    }

    #[test]
    fn secrets_are_refused_as_options() {
        for name in [
            "secret_access_key",
            "access_key_id",
            "account_key",
            "token",
            "sas_token",
            "client_secret",
            "bearer_token",
        ] {
            let refused = BucketOptions::new()
                .with_option(&format!("{name}=hush"))
                .unwrap_err()
                .to_string();
            assert!(refused.contains("is a secret"), "{name}: {refused}");
            assert!(!refused.contains("hush"), "{refused}");
        }
    }

    #[test]
    fn debug_shows_no_value() {
        let options = BucketOptions::new().with_variable("AWS_SECRET_ACCESS_KEY", "hush");
        let options = options.with_option("endpoint=hush").unwrap();
        let shown = format!("{options:?}");
        assert!(
            shown.contains("AWS_SECRET_ACCESS_KEY") && !shown.contains("hush"),
            "{shown}"
        );
    }
}
