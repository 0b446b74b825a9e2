//! `crispy.toml`: one file for all programs.
//!
//! ```toml
//! site = "hamburg"                     # at the top: flags that several programs share
//! nats-server = "nats://10.0.0.5"
//!
//! [[camera]]                           # the same as camera = ["yard=/srv/in/yard.mkv"]
//! name = "yard"
//! source = "/srv/in/yard.mkv"
//!
//! [ingestor]                           # a table for each program: overrides the top
//! window = "3s"
//! ```
//!
//! Keys are the names of flags without the two dashes; values are written as on the command line,
//! numbers and `true` bare. An unknown key is an error, so that a slip does not pass for a setting.
//! Every program checks the top in the same way; of the tables it checks its own.
//!
//! Without an environment variable a flag is not for the file either (`--dry-run`, `--output`): it
//! is about one call and not about the deployment, and stays with the command line.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, Args, Command};
use serde::Deserialize;
use thiserror::Error;
use toml::{Table, Value};

use super::{BucketFlags, cameras::CameraFlags, cut::CutFlags, nats::NatsFlags};
use crate::{export::TelemetryArgs, logging::LogArgs};

/// Programs that may have a table, by the name of the binary without `crispy-`.
const PROGRAMS: [&str; 4] = ["ingestor", "uploader", "inspector", "crispy"];

/// Flags of several programs that are not in one of the shared groups of flags.
const OTHER_SHARED: [&str; 3] = ["bucket", "spool", "data-dir"];

/// Keys for the top of the file: flags that mean the same in every program that has them. A program
/// that lacks one passes over it.
fn shared() -> Vec<String> {
    let groups = [
        CameraFlags::augment_args,
        CutFlags::augment_args,
        BucketFlags::augment_args,
        NatsFlags::augment_args,
        LogArgs::augment_args,
        TelemetryArgs::augment_args,
    ];
    let command = groups
        .iter()
        .fold(Command::new("shared"), |command, augment| augment(command));
    let mut keys = flags(&command);
    keys.extend(OTHER_SHARED.map(str::to_owned));
    keys
}

/// A table `[[camera]]`: one `--camera NAME=SOURCE`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CameraTable {
    name: String,
    source: String,
}

/// The configuration file cannot be used.
#[derive(Debug, Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("read configuration {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// It is not TOML.
    #[error("read configuration {path}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The place and the reason.
        source: toml::de::Error,
    },
    /// The key is unknown, or not allowed in this place.
    #[error("{path}: no setting is called `{key}`{place}{nearest}")]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key as it was written.
        key: String,
        /// Its place: empty at the top, ` in [uploader]` in a table.
        place: String,
        /// A hint: the nearest key that is allowed there.
        nearest: String,
    },
    /// The flag does not take this value.
    #[error("{path}: setting `{key}`: {reason}")]
    WrongValue {
        /// The file.
        path: PathBuf,
        /// The key as it was written.
        key: String,
        /// The values that the flag takes, and the one it got.
        reason: String,
    },
}

/// The settings of one program in a file.
#[derive(Debug)]
pub(super) struct ProgramSettings<'a> {
    path: &'a Path,
    /// Those of the table follow those of the top: the last value of a key counts.
    entries: Vec<(String, Value)>,
}

impl<'a> ProgramSettings<'a> {
    /// Reads the file for `command`; `program` is the name of its table.
    pub(super) fn read(
        path: &'a Path,
        program: &str,
        command: &Command,
    ) -> Result<ProgramSettings<'a>, FileError> {
        let text = std::fs::read_to_string(path).map_err(|source| FileError::Read {
            path: path.into(),
            source,
        })?;
        let file: Table = text.parse().map_err(|source| FileError::Malformed {
            path: path.into(),
            source,
        })?;
        let (own, shared) = (flags(command), shared());
        let (tables, top): (Vec<_>, Vec<_>) =
            file.into_iter().partition(|(_, value)| value.is_table());
        let mut entries = Vec::new();
        for (key, value) in top {
            if !shared.contains(&key) {
                return Err(unknown_at_the_top(path, key, program, own, shared));
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
        Ok(ProgramSettings { path, entries })
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
            // Hidden from --help: it must not show a password from the file as the default.
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
    // The file cannot name another file.
    long.filter(|long| *long != "config")
}

/// Names of the flags of a command and its subcommands that a file may set.
fn flags(command: &Command) -> Vec<String> {
    let here = command.get_arguments().filter_map(settable);
    here.map(str::to_owned)
        .chain(command.get_subcommands().flat_map(flags))
        .collect()
}

/// The flag's values as on the command line.
fn values_for(arg: &Arg, value: &Value) -> Result<Vec<String>, String> {
    match (arg.get_action(), value) {
        (ArgAction::SetTrue | ArgAction::SetFalse, Value::Boolean(flag)) => {
            Ok(vec![flag.to_string()])
        }
        (ArgAction::SetTrue | ArgAction::SetFalse, _) => Err("expected true or false".into()),
        (ArgAction::Append, Value::Array(values)) => values
            .iter()
            .map(|value| plain(arg, value).and_then(|text| accepted(arg, text)))
            .collect(),
        (ArgAction::Append | ArgAction::Set, value) => Ok(vec![
            plain(arg, value).and_then(|text| accepted(arg, text))?,
        ]),
        _ => Err("this flag can be given on the command line only".into()),
    }
}

fn plain(arg: &Arg, value: &Value) -> Result<String, String> {
    match value {
        Value::Table(table) if arg.get_long() == Some("camera") => {
            let table = table.clone().try_into();
            let CameraTable { name, source } =
                table.map_err(|error: toml::de::Error| error.message().to_owned())?;
            Ok(format!("{name}={source}"))
        }
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        Value::Boolean(flag) => Ok(flag.to_string()),
        other => Err(format!("expected one value, found {}", other.type_str())),
    }
}

/// Asks the flag's own parser, by a command that has this flag alone, so that the message can name
/// the file.
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
        // clap repeats the value, which may be a password.
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

fn unknown_at_the_top(
    path: &Path,
    key: String,
    program: &str,
    own: Vec<String>,
    shared: Vec<String>,
) -> FileError {
    if own.contains(&key) {
        return FileError::UnknownKey {
            path: path.into(),
            key,
            place: " that programs share".into(),
            nearest: format!("; put it into the table [{program}]"),
        };
    }
    unknown(path, key, "", shared.into_iter().chain(own))
}

fn unknown(
    path: &Path,
    key: String,
    place: &str,
    known: impl IntoIterator<Item = String>,
) -> FileError {
    // Below 0.7 two names share little more than letters (Jaro-Winkler, 1.0 is equal).
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
