//! `crispy.toml`: one file for all programs.
//!
//! ```toml
//! site = "hamburg"                     # at the top: what several programs share (SHARED)
//! nats-server = "nats://10.0.0.5"
//!
//! [ingestor]                           # a table for each program: its own flags, and its own word on shared ones
//! window = "3s"
//! camera = ["yard=/srv/in/yard.mkv", "gate=/srv/in/gate.mp4"]
//! ```
//!
//! Keys are the names of flags without the two dashes; values are written as on the command line, numbers and `true` bare.
//! A key that nobody knows is an error, so that a typing error does not pass for a setting. Every program judges
//! the top alike; of the tables it judges its own.
//!
//! What the environment may not set, the file may not either: a flag without an environment variable (`--dry-run`,
//! `--output`) is about one call and not about the house, and stays with the command line.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, Command};
use thiserror::Error;
use toml::{Table, Value};

/// Programs that may have a table, by the name of the binary without `crispy-`.
const PROGRAMS: [&str; 5] = ["ingestor", "uploader", "inspector", "crispy", "loadtest"];

/// Keys that may stand at the top of the file: flags that mean the same in every program that has them.
/// A program that lacks one passes over it.
pub const SHARED: [&str; 24] = [
    "site",
    "camera",
    "window",
    "audio",
    "container",
    "bucket",
    "bucket-option",
    "spool",
    "data-dir",
    "prefix",
    "nats-server",
    "nats-user",
    "nats-password",
    "nats-token",
    "nats-creds",
    "nats-nkey",
    "nats-tlscert",
    "nats-tlskey",
    "nats-tlsca",
    "nats-tlsfirst",
    "log-level",
    "log-format",
    "log-chunks",
    "otlp-endpoint",
];

/// Why the configuration file cannot be used.
#[derive(Debug, Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("read configuration {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// It is not TOML.
    #[error("read configuration {path}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: toml::de::Error,
    },
    /// Nobody knows this key, or not in this place.
    #[error("{path}: no setting is called `{key}`{place}{nearest}")]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key as it was written.
        key: String,
        /// Where it stands: empty at the top, ` in [uploader]` in a table.
        place: String,
        /// A hint: the nearest key that is known there.
        nearest: String,
    },
    /// The key is known, its value is not one that the flag takes.
    #[error("{path}: setting `{key}`: {reason}")]
    WrongValue {
        /// The file.
        path: PathBuf,
        /// The key as it was written.
        key: String,
        /// What the flag takes, and what it got.
        reason: String,
    },
}

/// What a file says about one program.
#[derive(Debug)]
pub(super) struct Settings<'a> {
    path: &'a Path,
    /// The table's keys come after the top's: the last word on a key counts.
    entries: Vec<(String, Value)>,
}

impl<'a> Settings<'a> {
    /// Reads the file for `command`; `program` is the name of its table.
    pub(super) fn read(
        path: &'a Path,
        program: &str,
        command: &Command,
    ) -> Result<Settings<'a>, FileError> {
        let text = std::fs::read_to_string(path).map_err(|source| FileError::Read {
            path: path.into(),
            source,
        })?;
        let file: Table = text.parse().map_err(|source| FileError::Malformed {
            path: path.into(),
            source,
        })?;
        let own = flags(command);
        let (tables, top): (Vec<_>, Vec<_>) =
            file.into_iter().partition(|(_, value)| value.is_table());
        let mut entries = Vec::new();
        for (key, value) in top {
            if !SHARED.contains(&key.as_str()) {
                return Err(unknown_at_the_top(path, key, program, &own));
            }
            if own.contains(&key) {
                entries.push((key, value));
            }
        }
        for (name, value) in tables {
            if !PROGRAMS.contains(&name.as_str()) {
                return Err(unknown(
                    path,
                    format!("[{name}]"),
                    "",
                    PROGRAMS.map(|name| format!("[{name}]")),
                ));
            }
            let Value::Table(table) = value else { continue };
            for (key, value) in table.into_iter().filter(|_| name == program) {
                if !own.contains(&key) {
                    return Err(unknown(path, key, &format!(" in [{program}]"), own));
                }
                entries.push((key, value));
            }
        }
        Ok(Settings { path, entries })
    }

    /// Puts the settings between the environment and the defaults of `command` and its subcommands.
    pub(super) fn apply(&self, mut command: Command) -> Result<Command, FileError> {
        for (key, value) in &self.entries {
            command = self.set(command, key, value)?;
        }
        Ok(command)
    }

    fn set(&self, mut command: Command, key: &str, value: &Value) -> Result<Command, FileError> {
        let found = command
            .get_arguments()
            .find(|arg| settable(arg) == Some(key))
            .cloned();
        if let Some(arg) = found {
            let wrong = |reason| FileError::WrongValue {
                path: self.path.into(),
                key: key.into(),
                reason,
            };
            let values = values_for(&arg, value).map_err(wrong)?;
            let hide = arg.get_action().takes_values();
            // Hidden from --help: a password from the file must not be shown as the default.
            command = command.mut_arg(arg.get_id(), |arg| {
                arg.default_values(values)
                    .required(false)
                    .hide_default_value(hide)
            });
        }
        let mut outcome = Ok(());
        let command = command.mut_subcommands(|inner| {
            let untouched = inner.clone();
            self.set(inner, key, value).unwrap_or_else(|error| {
                outcome = Err(error);
                untouched
            })
        });
        outcome.map(|()| command)
    }
}

/// The flag's long name, if a file may set it.
fn settable(arg: &Arg) -> Option<&str> {
    let long = arg.get_long().filter(|_| arg.get_env().is_some());
    // The file that is read cannot name another.
    long.filter(|long| *long != "config")
}

/// Names of the flags of a command and its subcommands that a file may set.
fn flags(command: &Command) -> Vec<String> {
    let here = command.get_arguments().filter_map(settable);
    here.map(str::to_owned)
        .chain(command.get_subcommands().flat_map(flags))
        .collect()
}

/// What the flag would have got on the command line.
fn values_for(arg: &Arg, value: &Value) -> Result<Vec<String>, String> {
    match (arg.get_action(), value) {
        (ArgAction::SetTrue | ArgAction::SetFalse, Value::Boolean(flag)) => {
            Ok(vec![flag.to_string()])
        }
        (ArgAction::SetTrue | ArgAction::SetFalse, _) => Err("expected true or false".into()),
        (ArgAction::Append, Value::Array(values)) => values
            .iter()
            .map(|value| plain(value).and_then(|text| accepted(arg, text)))
            .collect(),
        (ArgAction::Append | ArgAction::Set, value) => {
            Ok(vec![plain(value).and_then(|text| accepted(arg, text))?])
        }
        _ => Err("this flag can be given on the command line only".into()),
    }
}

fn plain(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        Value::Boolean(flag) => Ok(flag.to_string()),
        other => Err(format!("expected one value, found {}", other.type_str())),
    }
}

/// Asks the flag's own parser, by a command that has this flag alone: so the message can name the file.
fn accepted(arg: &Arg, text: String) -> Result<String, String> {
    let long = arg.get_long().unwrap_or_default();
    let alone = Arg::new("value")
        .long(long.to_owned())
        .num_args(1)
        .value_parser(arg.get_value_parser().clone());
    let asked = Command::new("file")
        .no_binary_name(true)
        .arg(alone)
        .try_get_matches_from([format!("--{long}={text}")]);
    match asked {
        Ok(_) => Ok(text),
        // clap repeats the value; a password must not reach the terminal that way.
        Err(_) if arg.is_hide_env_values_set() => Err("the flag does not accept its value".into()),
        Err(error) => Err(first_paragraph(&error.to_string())),
    }
}

/// clap's message without its prefix and without the hints about the command line.
fn first_paragraph(message: &str) -> String {
    let message = message.strip_prefix("error: ").unwrap_or(message);
    message
        .split("\n\n")
        .next()
        .unwrap_or(message)
        .trim()
        .replace("\n  ", " ")
}

fn unknown_at_the_top(path: &Path, key: String, program: &str, own: &[String]) -> FileError {
    if own.contains(&key) {
        let nearest = format!("; put it into the table [{program}]");
        return FileError::UnknownKey {
            path: path.into(),
            key,
            place: " that programs share".into(),
            nearest,
        };
    }
    unknown(
        path,
        key,
        "",
        SHARED
            .map(str::to_owned)
            .into_iter()
            .chain(own.iter().cloned()),
    )
}

fn unknown(
    path: &Path,
    key: String,
    place: &str,
    known: impl IntoIterator<Item = String>,
) -> FileError {
    // Below 0.7 two names have little more in common than their letters (Jaro-Winkler, 1.0 is equal).
    let near = |name: String| {
        Some((strsim::jaro_winkler(&key, &name), name)).filter(|(likeness, _)| *likeness > 0.7)
    };
    let nearest = known
        .into_iter()
        .filter_map(near)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let nearest = nearest.map_or_else(String::new, |(_, name)| format!("; did you mean `{name}`?"));
    FileError::UnknownKey {
        path: path.into(),
        key,
        place: place.into(),
        nearest,
    }
}
