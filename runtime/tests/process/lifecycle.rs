//! A process from its start to its exit: signals, failures, levels, configuration.

use std::process::Child;

use rustix::process::Signal;

use super::program::Program;

#[test]
fn the_first_sigterm_or_sigint_stops_with_0() {
    for (signal, name) in [(Signal::TERM, "SIGTERM"), (Signal::INT, "SIGINT")] {
        let mut program = Program::start("minimal", &[]);
        program.line_with("waiting");
        program.signal(signal);
        assert!(program.line_with("stop requested").contains(name));
        program.line_with("stopped");
        assert_eq!(program.code(), Some(0));
    }
}

#[test]
fn the_second_signal_ends_even_a_stuck_program() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let mut program = Program::start("minimal", &["--end", "stuck"]);
        program.line_with("waiting");
        program.signal(signal);
        wait_until_handled(&program.child);
        program.signal(signal);
        assert_eq!(program.code(), Some(code));
    }
}

/// Two signals of one kind that are pending together are one: waits until the first is taken off
/// the list.
fn wait_until_handled(child: &Child) {
    let path = format!("/proc/{}/status", child.id());
    let pending = || -> u64 {
        let status = std::fs::read_to_string(&path).expect("the program runs");
        let masks = status.lines().filter_map(|line| {
            line.strip_prefix("SigPnd:")
                .or(line.strip_prefix("ShdPnd:"))
        });
        masks
            .map(|mask| u64::from_str_radix(mask.trim(), 16).expect("a mask in hexadecimal"))
            .sum()
    };
    while pending() != 0 {
        std::thread::yield_now();
    }
}

#[test]
fn a_failure_is_logged_once_and_becomes_the_code() {
    let mut program = Program::start("minimal", &["--end", "failed"]);
    let line = program.line_with("lock is held");
    assert!(
        line.contains(r#""message":"open spool /s: lock is held""#)
            && line.contains(r#""exit":31"#),
        "{line}"
    );
    assert_eq!(
        program
            .lines
            .by_ref()
            .map_while(Result::ok)
            .filter(|line| line.contains("lock is held"))
            .count(),
        0
    );
    assert_eq!(program.code(), Some(31));
}

#[test]
fn a_panic_is_logged_with_its_place() {
    let mut program = Program::start("minimal", &["--end", "panicked"]);
    let line = program.line_with(r#""panic":"found a bug""#);
    assert!(
        line.contains(r#""level":"ERROR""#) && line.contains("minimal.rs:"),
        "{line}"
    );
    assert_eq!(
        program.code(),
        Some(i32::from(crispy_runtime::Exit::Panicked.code()))
    );
}

#[test]
fn starting_names_program_and_version() {
    let line = Program::start("minimal", &[]).line_with("starting");
    assert!(line.contains(r#""program":"crispy-minimal""#), "{line}");
    assert!(
        line.contains(&format!(r#""version":"{}""#, env!("CARGO_PKG_VERSION"))),
        "{line}"
    );
}

#[test]
fn the_environment_comes_between_flags_and_file() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    std::fs::write(folder.path().join("crispy.toml"), "log-level = \"info\"")
        .expect("write the file");
    let mut program = Program::start_with("minimal", &[], |command| {
        command
            .current_dir(&folder)
            .env("CRISPY_LOG_LEVEL", "off,minimal=info")
            .env("CRISPY_WAIT", "7s");
    });
    assert!(
        program.line_with("\"message\"").contains("7s"),
        "the environment turned off all other lines"
    );
    let mut program = Program::start_with("minimal", &["--wait", "8s"], |command| {
        command.current_dir(&folder).env("CRISPY_WAIT", "7s");
    });
    assert!(program.line_with("waiting").contains("8s"));
}

#[test]
fn rust_log_counts_only_without_a_level_of_ours() {
    let mut program = Program::start_with("minimal", &["--end", "failed"], |command| {
        command.env("RUST_LOG", "error");
    });
    assert!(
        program.line_with("\"message\"").contains("lock is held"),
        "no line below error"
    );
    let mut program = Program::start_with(
        "minimal",
        &["--end", "failed", "--log-level", "info"],
        |command| {
            command.env("RUST_LOG", "error");
        },
    );
    program.line_with("starting");
}

#[test]
fn a_misspelt_level_is_refused() {
    let mut program = Program::start("minimal", &["--log-level", "wran"]);
    let line = program.line_with("error:");
    assert!(
        line.contains(r#""wran" is no level"#) && line.contains("warn"),
        "{line}"
    );
    assert_eq!(program.code(), Some(2));
    let levels = [
        "WARN",
        "off",
        "info,crispy_queue=debug",
        "crispy_queue[span]=trace,error",
    ];
    for level in levels {
        let program = Program::start("minimal", &["--end", "failed", "--log-level", level]);
        assert_ne!(program.code(), Some(2), "{level}");
    }
    let mut program = Program::start_with("minimal", &["--end", "failed"], |command| {
        command.env("RUST_LOG", "wran");
    });
    program.line_with("lock is held");
}

#[test]
fn text_without_a_terminal_has_no_colour() {
    let line = Program::start("minimal", &["--log-format", "text"]).line_with("starting");
    assert!(
        line.contains(" INFO ") && !line.contains('\u{1b}'),
        "{line:?}"
    );
}

#[test]
fn a_wrong_file_ends_it_before_its_start() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    std::fs::write(folder.path().join("crispy.toml"), "nats-sever = \"h\"")
        .expect("write the file");
    let mut program = Program::start_with("minimal", &[], |command| {
        command.current_dir(&folder);
    });
    let line = program.line_with("nats-sever");
    assert_eq!(
        line,
        "error: crispy.toml: no setting is called `nats-sever`; did you mean `nats-server`?"
    );
    assert_eq!(program.code(), Some(13));
}

#[test]
fn a_wrong_flag_is_a_usage_error() {
    let mut program = Program::start("minimal", &["--no-such-flag"]);
    program.line_with("--no-such-flag");
    assert_eq!(program.code(), Some(2));
}
