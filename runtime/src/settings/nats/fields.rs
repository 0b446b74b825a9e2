//! The fields of a context, one by one.
//!
//! They are taken out of the object by hand: any that remain when all known ones have been taken
//! are refused, and no error quotes a value, as serde's own would.

use std::{fs, path::PathBuf};

use crispy_jetstream::ConnectOptions;
use serde_json::{Map, Value};

use super::environment::Environment;

/// A field cannot be used. The error does not hold its value.
#[derive(Debug, thiserror::Error)]
#[error("field `{field}`: {problem}")]
pub struct FieldError {
    field: String,
    problem: String,
}

/// Fields of identity. natscli allows one of them too, and where a file has several it picks one in
/// an order of its own.
const IDENTITIES: [&str; 6] = ["user", "token", "creds", "nkey", "nsc", "user_jwt"];

/// Fields about neither address nor identity.
const WITHOUT_EFFECT: [&str; 4] = [
    "name",
    "description",
    "color_scheme",
    "jetstream_event_prefix",
];

/// Unsupported fields, with the alternative.
const REFUSED: [(&str, &str); 6] = [
    (
        "nsc",
        "crispy does not run nsc: write the credentials to a file with `nsc generate creds`, and name it in `creds`",
    ),
    (
        "socks_proxy",
        "connecting through a SOCKS proxy is not supported",
    ),
    ("windows_cert_store", WINDOWS),
    ("windows_cert_match_by", WINDOWS),
    ("windows_cert_match", WINDOWS),
    ("windows_ca_certs_match", WINDOWS),
];
const WINDOWS: &str =
    "certificate stores of Windows are not supported: name files in `cert`, `key` and `ca`";

/// Schemes of references to secrets; natscli's, in any case.
const SCHEMES: [&str; 5] = ["file", "env", "data", "op", "nsc"];

pub(super) struct Fields<'a> {
    remaining: Map<String, Value>,
    environment: &'a Environment,
}

impl<'a> Fields<'a> {
    pub(super) fn new(mut remaining: Map<String, Value>, environment: &'a Environment) -> Self {
        // natscli writes every field; an empty one counts as absent.
        remaining.retain(|_, value| !is_empty(value));
        Self {
            remaining,
            environment,
        }
    }

    /// The options that all of them together give.
    pub(super) fn options(mut self) -> Result<ConnectOptions, FieldError> {
        for (field, instead) in REFUSED {
            if self.remaining.contains_key(field) {
                return Err(refused(field, instead));
            }
        }
        self.one_of(&IDENTITIES)?;
        self.one_of(&["jetstream_domain", "jetstream_api_prefix"])?;
        self.both_or_none("user_jwt", "user_seed")?;
        self.both_or_none("cert", "key")?;
        let defaults = ConnectOptions::default();
        let options = ConnectOptions {
            servers: self.text("url")?.unwrap_or(defaults.servers.clone()),
            user: self.text("user")?,
            password: self.secret("password")?,
            token: self.secret("token")?,
            creds: self.path("creds")?,
            nkey: self.path("nkey")?,
            jwt: self.secret("user_jwt")?,
            seed: self.secret("user_seed")?,
            tls_ca: self.path("ca")?,
            tls_cert: self.path("cert")?,
            tls_key: self.path("key")?,
            tls_first: self.boolean("tls_first")?,
            domain: self.text("jetstream_domain")?,
            js_api_prefix: self.text("jetstream_api_prefix")?,
            inbox_prefix: self.text("inbox_prefix")?,
            ..defaults
        };
        self.remaining
            .retain(|field, _| !WITHOUT_EFFECT.contains(&field.as_str()));
        match self.remaining.keys().next() {
            None => Ok(options),
            Some(field) => Err(refused(
                field,
                "this version does not know it, and will not guess whether it matters: leave it out",
            )),
        }
    }

    fn one_of(&self, fields: &[&str]) -> Result<(), FieldError> {
        let given = fields
            .iter()
            .filter(|field| self.remaining.contains_key(**field));
        match given.copied().collect::<Vec<_>>()[..] {
            [first, second, ..] => Err(refused(
                second,
                &format!("there is `{first}` too: leave one of them"),
            )),
            _ => Ok(()),
        }
    }

    fn both_or_none(&self, one: &str, other: &str) -> Result<(), FieldError> {
        for (here, missing) in [(one, other), (other, one)] {
            if self.remaining.contains_key(here) && !self.remaining.contains_key(missing) {
                return Err(refused(here, &format!("it needs `{missing}` too")));
            }
        }
        Ok(())
    }

    fn text(&mut self, field: &str) -> Result<Option<String>, FieldError> {
        match self.remaining.remove(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(refused(field, "it has to be a text")),
        }
    }

    fn boolean(&mut self, field: &str) -> Result<bool, FieldError> {
        match self.remaining.remove(field) {
            None => Ok(false),
            Some(Value::Bool(value)) => Ok(value),
            Some(_) => Err(refused(field, "it has to be true or false")),
        }
    }

    /// A file's name, in which `~`, `$NAME` and `${NAME}` are expanded.
    fn path(&mut self, field: &str) -> Result<Option<PathBuf>, FieldError> {
        let Some(text) = self.text(field)? else {
            return Ok(None);
        };
        match scheme(&text) {
            None => self.expanded(field, &text).map(Some),
            Some(("file", rest)) => self.expanded(field, rest).map(Some),
            Some((scheme, _)) => Err(refused(
                field,
                &format!("{scheme}: is not supported here: write it to a file, and name that"),
            )),
        }
    }

    /// A secret, given as it is or as a reference.
    fn secret(&mut self, field: &str) -> Result<Option<String>, FieldError> {
        let Some(text) = self.text(field)? else {
            return Ok(None);
        };
        let found = match scheme(&text) {
            None => return Ok(Some(text)),
            Some(("file", rest)) => {
                let path = self.expanded(field, rest)?;
                fs::read_to_string(&path)
                    .map_err(|error| refused(field, &format!("{}: {error}", path.display())))?
            }
            Some(("env", name)) => (self.environment.variable)(name)
                .filter(|value| !value.is_empty())
                .ok_or_else(|| refused(field, &format!("the variable {name} is not set")))?,
            Some((scheme, _)) => {
                let instead = "is not supported here: use env://NAME or file://PATH";
                return Err(refused(field, &format!("{scheme}: {instead}")));
            }
        };
        Ok(Some(found.trim_end_matches(['\r', '\n']).to_owned()))
    }

    fn expanded(&self, field: &str, text: &str) -> Result<PathBuf, FieldError> {
        let missing = |name: &str| refused(field, &format!("the variable {name} is not set"));
        let variable = |name: &str| (self.environment.variable)(name).map(Some).ok_or(());
        let text = shellexpand::env_with_context(text, variable)
            .map_err(|error| missing(&error.var_name))?;
        match text.strip_prefix('~') {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                let home = self
                    .environment
                    .home
                    .clone()
                    .ok_or_else(|| missing("HOME"))?;
                Ok(home.join(rest.trim_start_matches('/')))
            }
            _ => Ok(text.as_ref().into()),
        }
    }
}

/// `file://rest`, `env:rest` and the like, the scheme in lower case.
fn scheme(text: &str) -> Option<(&'static str, &str)> {
    let (word, rest) = text.split_once(':')?;
    let scheme = SCHEMES
        .into_iter()
        .find(|scheme| word.eq_ignore_ascii_case(scheme))?;
    Some((scheme, rest.strip_prefix("//").unwrap_or(rest)))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

fn refused(field: &str, problem: &str) -> FieldError {
    FieldError {
        field: field.to_owned(),
        problem: problem.to_owned(),
    }
}
