//! natscli's contexts: named connections, one JSON file each.
//!
//! ```text
//!   --nats-context NAME ──► $XDG_CONFIG_HOME/nats/context/NAME.json,
//!                           else ~/.config/nats/context/NAME.json
//!   --nats-context FILE.json ──► that file
//! ```
//!
//! Format and meaning are those of natscli's own reader (nats-io/jsm.go, folder natscontext), with
//! two differences. A context counts only where it is named: `nats context select` on this machine
//! must not lead a daemon to another server. And every field about address or identity is honoured
//! or refused by name; none is passed over.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crispy_jetstream::ConnectOptions;

use super::{
    environment::Environment,
    fields::{FieldError, Fields},
};

/// The context does not exist or cannot be used. It holds no value of the file.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// There is no context of this name.
    #[error("there is no NATS context {name:?} in {}: {known}", folder.display())]
    Unknown {
        /// As given.
        name: String,
        /// The folder of contexts.
        folder: PathBuf,
        /// The existing ones, in words.
        known: String,
    },
    /// Neither variable nor user names a folder of contexts.
    #[error("find the NATS contexts: neither XDG_CONFIG_HOME nor HOME is set")]
    Homeless,
    /// Its file cannot be read.
    #[error("read the NATS context {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Its file is no JSON object.
    #[error("read the NATS context {}: not a JSON object", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The place of the error, without the text there.
        source: Option<serde_json::Error>,
    },
    /// One of its fields cannot be used.
    #[error("NATS context {}", path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// The field, and the reason.
        source: FieldError,
    },
}

/// The folder that holds the contexts, as natscli finds it.
fn folder(environment: &Environment) -> Result<PathBuf, ContextError> {
    let config = match (environment.variable)("XDG_CONFIG_HOME") {
        Some(folder) if !folder.is_empty() => folder.into(),
        _ => environment
            .home
            .as_ref()
            .ok_or(ContextError::Homeless)?
            .join(".config"),
    };
    Ok(config.join("nats/context"))
}

/// The context as the base of a connection's options.
pub(super) fn load(name: &str, environment: &Environment) -> Result<ConnectOptions, ContextError> {
    let path = find(name, environment)?;
    let text = fs::read(&path).map_err(|source| ContextError::Unreadable {
        path: path.clone(),
        source,
    })?;
    let object = serde_json::from_slice(&text).map_err(|error| ContextError::Malformed {
        path: path.clone(),
        // Errors of syntax name a place; errors of type would quote the text there.
        source: (!error.is_data()).then_some(error),
    })?;
    let options = Fields::new(object, environment).options();
    options.map_err(|source| ContextError::Field { path, source })
}

/// Finds a context as natscli does: an existing file whose name ends in `.json`; else a name, which
/// cannot lead out of the folder.
fn find(name: &str, environment: &Environment) -> Result<PathBuf, ContextError> {
    let file = Path::new(name);
    if name.ends_with(".json") && file.is_file() {
        return Ok(file.to_owned());
    }
    let folder = folder(environment)?;
    let path = folder.join(format!("{name}.json"));
    let is_name = !name.is_empty() && !name.contains("..") && !name.contains(['/', '\\']);
    if is_name && path.is_file() {
        return Ok(path);
    }
    Err(ContextError::Unknown {
        name: name.to_owned(),
        known: known(&folder),
        folder,
    })
}

fn known(folder: &Path) -> String {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = files
        .filter_map(|file| Some(file.file_name().to_str()?.strip_suffix(".json")?.to_owned()))
        .collect();
    names.sort();
    match names.is_empty() {
        true => "there is none at all; `nats context add` makes one".to_owned(),
        false => format!("there are {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests;
