//! Precedence and refusals, on a program made for the purpose. clap reads the environment:
//! `tests/process/lifecycle.rs` tests on a real process that it comes between flags and file.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use tempfile::TempDir;

use super::*;
use crate::logging::LogFormat;

/// Sends chunks
#[derive(Debug, Parser)]
#[command(version)]
struct Uploader {
    #[arg(long, env = "CRISPY_OF_A_TEST_SITE")]
    site: String,
    #[arg(long, env = "CRISPY_OF_A_TEST_WINDOW", value_parser = duration, default_value = "3s")]
    window: Duration,
    #[arg(long, env = "CRISPY_OF_A_TEST_LIMIT", value_parser = size, default_value = "8GiB")]
    limit: u64,
    #[arg(long, env = "CRISPY_OF_A_TEST_CAMERA")]
    camera: Vec<String>,
    #[arg(long, env = "CRISPY_OF_A_TEST_VERIFY")]
    verify: bool,
    #[arg(long, env = "CRISPY_OF_A_TEST_AT_ONCE", default_value_t = 4)]
    at_once: u8,
    #[arg(long, env = "CRISPY_OF_A_TEST_PASSWORD", hide_env_values = true, value_parser = |_: &str| Err::<String, _>("too weak"))]
    nats_password: Option<String>,
    /// No environment variable: for the command line alone
    #[arg(long)]
    nats_server: Option<String>,
    #[arg(long)]
    dry_run: bool,
}

/// The operator's command: its flags belong to subcommands.
#[derive(Debug, Parser)]
struct Crispy {
    #[command(subcommand)]
    command: CrispyCommand,
}

#[derive(Debug, Subcommand)]
enum CrispyCommand {
    Up {
        #[arg(long, env = "CRISPY_OF_A_TEST_SITE")]
        site: String,
    },
    Setup {
        #[arg(long, env = "CRISPY_OF_A_TEST_REPLICAS", default_value_t = 1)]
        replicas: u8,
    },
}

/// A folder with a `crispy.toml` in it.
struct Folder(TempDir);

impl Folder {
    fn with(file: &str) -> Folder {
        let folder = Folder(TempDir::new().expect("a folder for the test"));
        fs::write(folder.file(), file).expect("write the file");
        folder
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("crispy.toml")
    }

    fn sources(&self, flags: &[&str]) -> Sources {
        let argv = std::iter::once("program")
            .chain(flags.iter().copied())
            .map(OsString::from)
            .collect();
        Sources {
            argv,
            named_file: None,
            default_file: self.file(),
        }
    }
}

fn uploader(file: &str, flags: &[&str]) -> Result<Uploader, ConfigError> {
    parse("crispy-uploader", &Folder::with(file).sources(flags)).map(|(config, _)| config)
}

/// What a person would read, and the exit code.
fn refusal(file: &str, flags: &[&str]) -> (String, Exit) {
    let error = uploader(file, flags).expect_err("has to be refused");
    let exit = error.exit();
    (format!("{:#}", anyhow::Error::new(error)), exit)
}

#[test]
fn a_default_holds_if_nothing_else_is_set() {
    let config = uploader("", &["--site", "here"]).unwrap();
    assert_eq!(
        (config.window, config.limit, config.verify),
        (Duration::from_secs(3), 8 << 30, false)
    );
}

#[test]
fn the_file_overrides_defaults_and_sets_required_flags() {
    let file = r#"
        site = "top"
        [uploader]
        window = "1500ms"
        limit = "64MB"
        verify = true
        at-once = 9
        camera = ["a=b", "c=d"]
    "#;
    let config = uploader(file, &[]).unwrap();
    assert_eq!(
        (config.site.as_str(), config.window, config.limit),
        ("top", Duration::from_millis(1500), 64_000_000)
    );
    assert_eq!((config.verify, config.at_once), (true, 9));
    assert_eq!(config.camera, ["a=b", "c=d"]);
}

#[test]
fn camera_tables_are_cameras() {
    let file = r#"
        [[camera]]
        name = "yard"
        source = "rtsp://10.0.0.7/a=b"
        [[camera]]
        name = "gate"
        source = "gate.mp4"
    "#;
    let config = uploader(file, &["--site", "s"]).unwrap();
    assert_eq!(config.camera, ["yard=rtsp://10.0.0.7/a=b", "gate=gate.mp4"]);
    for (table, expected) in [
        ("name = \"yard\"\nurl = \"x\"", "unknown field `url`"),
        ("name = \"yard\"", "missing field `source`"),
    ] {
        let (message, exit) = refusal(&format!("[[camera]]\n{table}"), &["--site", "s"]);
        assert!(
            message.contains("crispy.toml: setting `camera`: ") && message.contains(expected),
            "{message}"
        );
        assert_eq!(exit, Exit::Configuration);
    }
}

#[test]
fn a_flag_overrides_the_file() {
    let file = "[uploader]\nsite = \"file\"\nwindow = \"9s\"\ncamera = [\"a\", \"b\"]";
    let config = uploader(file, &["--site", "flag", "--camera", "c"]).unwrap();
    assert_eq!(
        (config.site.as_str(), config.window),
        ("flag", Duration::from_secs(9))
    );
    assert_eq!(
        config.camera,
        ["c"],
        "a list that is given replaces the file's"
    );
}

#[test]
fn a_programs_own_table_overrides_the_top() {
    assert_eq!(
        uploader("site = \"top\"\n[uploader]\nsite = \"own\"", &[])
            .unwrap()
            .site,
        "own"
    );
}

#[test]
fn settings_of_other_programs_are_passed_over() {
    let file = "site = \"top\"\nspool = \"/s\"\n[ingestor]\nwhatever = 3";
    assert_eq!(uploader(file, &[]).unwrap().site, "top");
}

#[test]
fn a_flag_without_a_variable_is_not_for_the_file() {
    let config = uploader("site = \"s\"\nnats-server = \"production\"", &[]).unwrap();
    assert_eq!((config.nats_server, config.dry_run), (None, false));
    let (message, _) = refusal("[uploader]\ndry-run = true", &["--site", "s"]);
    assert!(
        message.contains("no setting is called `dry-run` in [uploader]"),
        "{message}"
    );
}

#[test]
fn the_file_sets_flags_of_subcommands() {
    let folder = Folder::with("site = \"top\"\n[crispy]\nreplicas = 3");
    let (crispy, _) = parse::<Crispy>("crispy", &folder.sources(&["up"])).unwrap();
    assert!(matches!(crispy.command, CrispyCommand::Up { site } if site == "top"));
    let (crispy, _) = parse::<Crispy>("crispy", &folder.sources(&["setup"])).unwrap();
    assert!(matches!(
        crispy.command,
        CrispyCommand::Setup { replicas: 3 }
    ));
}

#[test]
fn every_program_has_flags_about_logs() {
    let folder = Folder::with("log-format = \"json\"");
    let sources = folder.sources(&["up", "--site", "s", "--log-level", "debug"]);
    let (_, common) = parse::<Crispy>("crispy", &sources).unwrap();
    assert_eq!(
        (common.logs.log_level.as_deref(), common.logs.log_format),
        (Some("debug"), LogFormat::Json)
    );
}

#[test]
fn flag_then_environment_then_folder_name_the_file() {
    let [flag, environment] =
        ["flag", "environment"].map(|name| Folder::with(&format!("site = \"{name}\"")));
    let folder = Folder::with("site = \"folder\"");
    let site = |sources: &Sources| {
        parse::<Uploader>("crispy-uploader", sources)
            .unwrap()
            .0
            .site
    };
    let mut sources = folder.sources(&[]);
    assert_eq!(site(&sources), "folder");
    sources.named_file = Some(environment.file());
    assert_eq!(site(&sources), "environment");
    let path = flag.file();
    let path = path.to_str().expect("a path in UTF-8");
    for flags in [vec!["--config", path], vec![&format!("--config={path}")]] {
        let mut sources = folder.sources(&flags);
        sources.named_file = Some(environment.file());
        assert_eq!(site(&sources), "flag");
    }
}

#[test]
fn a_named_file_has_to_exist() {
    let (message, exit) = refusal("", &["--site", "s", "--config", "/no/such/file.toml"]);
    assert!(
        message.starts_with("read configuration /no/such/file.toml: "),
        "{message}"
    );
    assert_eq!(exit, Exit::Configuration);
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest() {
    for (file, expected) in [
        (
            "[uploader]\nwindows = \"3s\"",
            "no setting is called `windows` in [uploader]; did you mean `window`?",
        ),
        (
            "[uploader]\nat_once = 3",
            "no setting is called `at_once` in [uploader]; did you mean `at-once`?",
        ),
        (
            "nats-sever = \"h\"",
            "no setting is called `nats-sever`; did you mean `nats-server`?",
        ),
        (
            "limit = \"8GiB\"",
            "no setting is called `limit` that programs share; put it into the table [uploader]",
        ),
        (
            "[upload]\nsite = \"s\"",
            "no setting is called `[upload]`; did you mean `[uploader]`?",
        ),
        (
            "[uploader]\nqqq = 1",
            "no setting is called `qqq` in [uploader]",
        ),
        (
            "[uploader]\nconfig = \"x\"",
            "no setting is called `config` in [uploader]",
        ),
    ] {
        let (message, exit) = refusal(file, &["--site", "s"]);
        assert!(
            message.ends_with(&format!("crispy.toml: {expected}")),
            "{message}"
        );
        assert_eq!(exit, Exit::Configuration);
    }
}

#[test]
fn a_wrong_value_is_refused_with_file_and_key() {
    for (line, expected) in [
        ("window = \"3\"", "time unit needed"),
        ("window = 3", "time unit needed"),
        ("limit = \"8G\"", "expected a whole number and a unit"),
        ("at-once = 300", "300 is not in 0..=255"),
        ("verify = \"yes\"", "expected true or false"),
        ("site = [\"a\", \"b\"]", "expected one value, found array"),
        ("camera = [[\"a\"]]", "expected one value, found array"),
        ("site = 2026-11-22", "expected one value, found datetime"),
    ] {
        let (message, exit) = refusal(&format!("[uploader]\n{line}"), &["--site", "s"]);
        let key = line.split(' ').next().unwrap();
        assert!(
            message.contains(&format!("crispy.toml: setting `{key}`: ")),
            "{message}"
        );
        assert!(message.contains(expected), "{message}");
        assert_eq!(exit, Exit::Configuration);
    }
}

#[test]
fn no_refusal_or_help_shows_a_secret() {
    let (message, _) = refusal("nats-password = \"hunter2\"", &["--site", "s"]);
    assert!(
        message.contains("setting `nats-password`") && !message.contains("hunter2"),
        "{message}"
    );
    let ConfigError::CommandLine(help) = uploader("site = \"hunter2\"", &["--help"]).unwrap_err()
    else {
        panic!("help comes from clap");
    };
    let help = help.to_string();
    assert!(!help.contains("hunter2"), "{help}");
}

#[test]
fn malformed_toml_is_refused_with_the_line() {
    let (message, exit) = refusal("site = \"a\"\nwindow =", &[]);
    assert!(
        message.contains("crispy.toml: TOML parse error at line 2"),
        "{message}"
    );
    assert_eq!(exit, Exit::Configuration);
}

#[test]
fn help_is_no_failure_and_a_wrong_flag_is() {
    assert_eq!(uploader("", &["--help"]).unwrap_err().exit(), Exit::Ok);
    assert_eq!(uploader("", &["--version"]).unwrap_err().exit(), Exit::Ok);
    assert_eq!(
        uploader("", &["--no-such-flag"]).unwrap_err().exit(),
        Exit::Usage
    );
    assert_eq!(
        uploader("", &[]).unwrap_err().exit(),
        Exit::Usage,
        "--site is missing"
    );
}

#[test]
fn help_begins_with_the_description() {
    let ConfigError::CommandLine(help) = uploader("", &["--help"]).unwrap_err() else {
        panic!("help comes from clap");
    };
    let help = help.to_string();
    assert!(help.contains("Sends chunks"), "{help}");
}

#[test]
fn the_sample_in_docs_is_accepted() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
    let page = fs::read_to_string(path).expect("docs/configuration.md is part of the repository");
    let sample = page
        .split("```toml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let config = uploader(sample.expect("the page has a sample"), &[]).unwrap();
    assert_eq!(config.site, "hamburg");
}

#[test]
fn generated_commands_satisfy_clap() {
    let folder = Folder::with("site = \"s\"\n[uploader]\ncamera = \"one\"\nverify = false");
    parse::<Uploader>("crispy-uploader", &folder.sources(&[])).unwrap();
    Uploader::command().debug_assert();
}
