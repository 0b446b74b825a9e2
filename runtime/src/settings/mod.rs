//! Flags over `CRISPY_*` environment over `crispy.toml` over defaults.
//!
//! ```text
//!   flag ─► environment ─► crispy.toml ─► default        the first that is set counts
//!   └───── clap ──────┘    └─ file.rs ─┘   clap
//! ```
//!
//! A program's configuration is a clap struct, each field with `env = "CRISPY_…"`. The file becomes
//! the defaults of the command before clap sees the arguments, so that precedence needs no code.
//! Two limits follow: a setting from the file does not count as *given* for clap's `requires` and
//! `conflicts_with`, and flags that count their occurrences cannot be set in it.
//!
//! `--config` and the [`CommonFlags`] are added to every program here: no `Config` declares them.

mod bucket;
pub mod cameras;
pub mod cut;
mod file;
pub(crate) mod nats;
mod value;

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Args, Command, CommandFactory, FromArgMatches};
use thiserror::Error;

pub use bucket::{BucketFlags, open_bucket};
pub use file::FileError;
pub use value::{SizeError, duration, size};

use crate::Exit;
use crate::export::TelemetryArgs;
use crate::health::HealthArgs;
use crate::logging::LogArgs;
use file::ProgramSettings;

/// Read if nothing names another file, and only if it exists.
const DEFAULT_FILE: &str = "crispy.toml";

/// The configuration cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The command line is wrong, or asks for help or version.
    #[error("command line")]
    CommandLine(#[from] clap::Error),
    /// The file is wrong.
    #[error(transparent)]
    File(#[from] FileError),
}

impl ConfigError {
    /// [`Exit::Ok`] for help and version, [`Exit::Usage`] for the command line,
    /// [`Exit::Configuration`] for the file.
    pub fn exit(&self) -> Exit {
        match self {
            ConfigError::CommandLine(error) if error.use_stderr() => Exit::Usage,
            ConfigError::CommandLine(_) => Exit::Ok,
            ConfigError::File(_) => Exit::Configuration,
        }
    }
}

/// The sources of the configuration. clap reads the environment of flags.
#[derive(Debug, Clone)]
pub struct Sources {
    /// The command line, the program's name first.
    pub argv: Vec<OsString>,
    /// The file that `CRISPY_CONFIG` names.
    pub named_file: Option<PathBuf>,
    /// The file that is read if neither flag nor environment names one; it need not exist.
    pub default_file: PathBuf,
}

impl Sources {
    /// Those of this process.
    pub fn from_process() -> Sources {
        Sources {
            argv: env::args_os().collect(),
            named_file: env::var_os("CRISPY_CONFIG")
                .filter(|name| !name.is_empty())
                .map(PathBuf::from),
            default_file: DEFAULT_FILE.into(),
        }
    }

    /// The file to read, if any. A named one has to exist.
    fn file(&self) -> Option<PathBuf> {
        let named = config_flag(&self.argv).or_else(|| self.named_file.clone());
        named.or_else(|| {
            self.default_file
                .exists()
                .then(|| self.default_file.clone())
        })
    }
}

/// The flags that every program has.
#[derive(Clone, Args)]
pub struct CommonFlags {
    /// The flags about logs.
    #[command(flatten)]
    pub logs: LogArgs,
    /// The flags about telemetry.
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
    /// The flags about health.
    #[command(flatten)]
    pub health: HealthArgs,
}

/// Reads the configuration `C` of the program called `name` (`crispy-uploader` has the table
/// `[uploader]`).
///
/// # Errors
/// A wrong command line or file, each naming the mistake. Help and version are errors too, as in
/// clap.
pub fn parse<C: CommandFactory + FromArgMatches>(
    name: &str,
    sources: &Sources,
) -> Result<(C, CommonFlags), ConfigError> {
    let config = Arg::new("config")
        .long("config")
        .global(true)
        .value_name("FILE")
        .env("CRISPY_CONFIG")
        .value_parser(clap::value_parser!(PathBuf))
        .help("Configuration file [default: crispy.toml, if it is there]");
    // One by one: augmenting the command itself would replace the program's description by that of
    // the flags.
    let common = CommonFlags::augment_args(Command::new("common"));
    let mut command = C::command().arg(config).args(common.get_arguments());
    if let Some(path) = sources.file() {
        let table = name.strip_prefix("crispy-").unwrap_or(name);
        command = ProgramSettings::read(&path, table, &command)?.apply(command)?;
    }
    command = command.mut_args(unset_if_empty);
    let mut matches: ArgMatches = command.try_get_matches_from_mut(&sources.argv)?;
    let common = CommonFlags::from_arg_matches_mut(&mut matches)
        .map_err(|error| error.format(&mut command))?;
    let config =
        C::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))?;
    Ok((config, common))
}

/// An empty variable of OpenTelemetry's counts as unset, by its specification: the file is next.
fn unset_if_empty(arg: Arg) -> Arg {
    let variable = arg.get_env().and_then(|name| name.to_str());
    let is_empty = variable
        .filter(|name| name.starts_with("OTEL_"))
        .and_then(env::var_os)
        .is_some_and(|value| value.is_empty());
    if is_empty { arg.env(None::<&str>) } else { arg }
}

/// The value of `--config`, found before clap runs: its file gives the defaults that clap sees.
fn config_flag(argv: &[OsString]) -> Option<PathBuf> {
    let mut arguments = argv.iter().skip(1).take_while(|argument| *argument != "--");
    while let Some(argument) = arguments.next() {
        if argument == "--config" {
            return arguments.next().map(PathBuf::from);
        }
        if let Some(path) = argument
            .to_str()
            .and_then(|text| text.strip_prefix("--config="))
        {
            return Some(Path::new(path).into());
        }
    }
    None
}

#[cfg(test)]
mod tests;
