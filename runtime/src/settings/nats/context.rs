//! natscli's contexts: connections with a name, one JSON file each.
//!
//! ```text
//!   --nats-context NAME ──► $XDG_CONFIG_HOME/nats/context/NAME.json     else ~/.config/nats/context/NAME.json
//!   --nats-context FILE.json ──► that file
//! ```
//!
//! Format and meaning are those of natscli's own reader (nats-io/jsm.go, folder natscontext), with two differences. A context counts only where
//! it is named: that somebody on this machine ran `nats context select` must not lead a daemon to another server. And what it says about where
//! to connect, or as whom, is honoured or refused by name; nothing of it is passed over.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crispy_jetstream::ConnectOptions;

use super::{
    environment::Environment,
    fields::{FieldError, Fields},
};

/// There is no such context, or it cannot be used. No value out of its file is in here.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// Nobody made it.
    #[error("there is no NATS context {name:?} in {}: {known}", folder.display())]
    Unknown {
        /// As given.
        name: String,
        /// Where contexts are kept.
        folder: PathBuf,
        /// Which there are, in words.
        known: String,
    },
    /// Neither variable nor user says where contexts are kept.
    #[error("find the NATS contexts: neither XDG_CONFIG_HOME nor HOME is set")]
    Homeless,
    /// Its file cannot be read.
    #[error("read the NATS context {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Its file is no JSON object.
    #[error("read the NATS context {}: not a JSON object", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where it ends to be one, without what stands there.
        source: Option<serde_json::Error>,
    },
    /// One of its fields cannot be used.
    #[error("NATS context {}", path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// Which, and why not.
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

/// What the context says, as the base of a connection's options.
pub(super) fn load(name: &str, environment: &Environment) -> Result<ConnectOptions, ContextError> {
    let path = find(name, environment)?;
    let text = fs::read(&path).map_err(|source| ContextError::Unreadable {
        path: path.clone(),
        source,
    })?;
    let object = serde_json::from_slice(&text).map_err(|error| ContextError::Malformed {
        path: path.clone(),
        // Errors of syntax name a place; those of type would quote what stands there.
        source: (!error.is_data()).then_some(error),
    })?;
    let options = Fields::new(object, environment).options();
    options.map_err(|source| ContextError::Field { path, source })
}

/// As natscli does: a file, if its name ends in `.json` and it is there; else a name, and then it leads nowhere but into the folder.
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
