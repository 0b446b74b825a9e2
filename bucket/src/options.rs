//! What a bucket is told beside its URL: options of ours, and the environment, where secrets are.

use std::{collections::BTreeMap, fmt, time::Duration};

use super::location::Kind;

/// Options that every remote bucket has.
const SHARED: &[&str] = &["allow_http", "answer_timeout", "connect_timeout", "timeout"];
/// Options of each kind, named as object_store names them: everything that says where and how, and nothing that is a secret.
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
/// Words in names of options that are secrets: a command line is seen by everybody on its machine.
const SECRET: &[&str] = &[
    "secret",
    "token",
    "password",
    "credential",
    "_key",
    "key_id",
];

/// Variables that say something about buckets: by what their names begin with.
const VARIABLES: &[&str] = &[
    "AWS_",
    "AZURE_",
    "CLOUDSDK_CONFIG",
    "GCE_METADATA_HOST",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "HOME",
    "STORAGE_EMULATOR_HOST",
];

/// Beside a bucket's URL: how it is reached, and by whom.
///
/// Guarantee: its `Debug` form shows names only, since values may be secrets.
#[derive(Clone, Default)]
pub struct BucketOptions {
    options: BTreeMap<String, String>,
    variables: BTreeMap<String, String>,
}

impl BucketOptions {
    /// No options, and no environment either: for tests.
    pub fn new() -> Self {
        Self::default()
    }

    /// No options yet, and the environment of this process.
    pub fn of_environment() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| VARIABLES.iter().any(|start| name.starts_with(start)));
        Self {
            options: BTreeMap::new(),
            variables: variables.collect(),
        }
    }

    /// With one option, given as `key=value`. That a bucket has such an option is checked when it is opened.
    ///
    /// # Errors
    /// Text without `=`, and secrets.
    pub fn with_option(mut self, text: &str) -> Result<Self, OptionError> {
        let (name, value) = text.split_once('=').ok_or(OptionError::NoValue)?;
        let name = name.trim();
        let known = [SHARED, GOOGLE, AMAZON, AZURE].concat();
        if !known.contains(&name) && SECRET.iter().any(|word| name.contains(word)) {
            let name = name.to_owned();
            return Err(OptionError::Secret { name });
        }
        self.options
            .insert(name.to_owned(), value.trim().to_owned());
        Ok(self)
    }

    /// With a variable of the environment, in place of the process's own.
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

    /// Refuses options that a bucket of this kind does not have; none is a folder, or memory.
    pub(super) fn check(&self, kind: Option<Kind>) -> Result<(), OptionError> {
        let own = match kind {
            None if self.options.is_empty() => return Ok(()),
            None => return Err(OptionError::NoneHere),
            Some(Kind::Google) => GOOGLE,
            Some(Kind::Amazon) => AMAZON,
            Some(Kind::Azure) => AZURE,
        };
        let known = [SHARED, own].concat();
        let stranger = self
            .options
            .keys()
            .find(|name| !known.contains(&name.as_str()));
        let Some(name) = stranger else {
            return self.check_allow_http();
        };
        let likeness = |known: &str| strsim::jaro_winkler(known, name);
        let nearest = known.iter().copied();
        let nearest = nearest.max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        Err(OptionError::Unknown {
            name: name.clone(),
            nearest: nearest.unwrap_or_default(),
            known: known.join(", "),
        })
    }

    fn check_allow_http(&self) -> Result<(), OptionError> {
        match self.option("allow_http") {
            None | Some("true" | "false") => Ok(()),
            Some(text) => Err(OptionError::Switch {
                name: "allow_http",
                text: text.to_owned(),
            }),
        }
    }

    pub(super) fn duration(
        &self,
        name: &'static str,
        default: Duration,
    ) -> Result<Duration, OptionError> {
        let Some(text) = self.option(name) else {
            return Ok(default);
        };
        let time = humantime::parse_duration(text).ok();
        let time = time.filter(|time| !time.is_zero());
        time.ok_or_else(|| OptionError::Duration {
            name,
            text: text.to_owned(),
        })
    }
}

impl fmt::Debug for BucketOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BucketOptions")
            .field("options", &self.options.keys())
            .field("variables", &self.variables.keys())
            .finish()
    }
}

/// An option that a bucket does not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionError {
    /// Text of another form.
    #[error("a bucket option is key=value, as in region=eu-central-1")]
    NoValue,
    /// A secret, on a command line that everybody on this machine can read.
    #[error(
        "{name} is a secret and no option; give it by the environment, by the name that the store's own tools have for it (docs/buckets.md)"
    )]
    Secret {
        /// The option.
        name: String,
    },
    /// Neither yes nor no.
    #[error("option {name}: {text:?} is neither true nor false")]
    Switch {
        /// The option.
        name: &'static str,
        /// What was given.
        text: String,
    },
    /// A folder, or memory.
    #[error("this kind of bucket has no options")]
    NoneHere,
    /// A key that this kind of bucket does not know.
    #[error("unknown option {name:?}; did you mean {nearest:?}? This kind of bucket knows {known}")]
    Unknown {
        /// The option.
        name: String,
        /// The known one that is most like it.
        nearest: &'static str,
        /// All known ones.
        known: String,
    },
    /// A time that is none.
    #[error("option {name}: {text:?} is no time; write 5s, 1500ms or 2m")]
    Duration {
        /// The option.
        name: &'static str,
        /// Its value.
        text: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_option_is_refused_with_the_nearest_known_one() {
        let options = BucketOptions::new().with_option("regoin=eu").unwrap();
        let refused = options.check(Some(Kind::Amazon)).unwrap_err().to_string();
        assert!(refused.contains("did you mean \"region\"?"), "{refused}");
        let options = BucketOptions::new().with_option("region=eu").unwrap();
        options.check(Some(Kind::Amazon)).unwrap();
        assert!(
            options.check(Some(Kind::Google)).is_err(),
            "no option of Google's"
        );
        assert_eq!(options.check(None), Err(OptionError::NoneHere));
    }

    #[test]
    fn a_secret_is_no_option() {
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
                .unwrap_err();
            assert!(
                matches!(refused, OptionError::Secret { .. }),
                "{name}: {refused:?}"
            );
            assert!(!refused.to_string().contains("hush"), "{refused}");
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
