//! What a real process does between its start and its exit: `examples/doorbell.rs` is rung from outside.

use std::process::Child;

use rustix::process::Signal;

use super::program::Rung;

#[test]
fn the_first_sigterm_or_sigint_asks_and_the_program_exits_0() {
    for (signal, name) in [(Signal::TERM, "SIGTERM"), (Signal::INT, "SIGINT")] {
        let mut rung = Rung::start("doorbell", &[]);
        rung.line_with("waiting");
        rung.signal(signal);
        assert!(rung.line_with("stop requested").contains(name));
        rung.line_with("stopped");
        assert_eq!(rung.code(), Some(0));
    }
}

#[test]
fn the_second_signal_ends_even_a_program_whose_runtime_is_stuck() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let mut rung = Rung::start("doorbell", &["--end", "stuck"]);
        rung.line_with("waiting");
        rung.signal(signal);
        wait_until_handled(&rung.child);
        rung.signal(signal);
        assert_eq!(rung.code(), Some(code));
    }
}

/// Two signals of one kind that are pending together are one: waits until the first is taken off the list.
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
fn a_failure_is_said_once_with_its_chain_and_becomes_the_exit_code() {
    let mut rung = Rung::start("doorbell", &["--end", "failed"]);
    let line = rung.line_with("lock is held");
    assert!(
        line.contains(r#""message":"open spool /s: lock is held""#)
            && line.contains(r#""exit":31"#),
        "{line}"
    );
    assert_eq!(
        rung.lines
            .by_ref()
            .map_while(Result::ok)
            .filter(|line| line.contains("lock is held"))
            .count(),
        0
    );
    assert_eq!(rung.code(), Some(31));
}

#[test]
fn a_panic_is_logged_with_its_place() {
    let mut rung = Rung::start("doorbell", &["--end", "panicked"]);
    let line = rung.line_with("panicked: out of patience");
    assert!(
        line.contains(r#""level":"ERROR""#) && line.contains("doorbell.rs:"),
        "{line}"
    );
    assert_eq!(
        rung.code(),
        Some(i32::from(crispy_runtime::Exit::Panicked.code()))
    );
}

#[test]
fn starting_names_program_and_version() {
    let line = Rung::start("doorbell", &[]).line_with("starting");
    assert!(line.contains(r#""program":"crispy-doorbell""#), "{line}");
    assert!(
        line.contains(&format!(r#""version":"{}""#, env!("CARGO_PKG_VERSION"))),
        "{line}"
    );
}

#[test]
fn the_environment_stands_between_flags_and_file() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    std::fs::write(folder.path().join("crispy.toml"), "log-level = \"info\"")
        .expect("write the file");
    let mut rung = Rung::start_with("doorbell", &[], |command| {
        command
            .current_dir(&folder)
            .env("CRISPY_LOG_LEVEL", "off,doorbell=info")
            .env("CRISPY_PATIENCE", "7s");
    });
    assert!(
        rung.line_with("\"message\"").contains("7s"),
        "the environment turned everything off but this line"
    );
    let mut rung = Rung::start_with("doorbell", &["--patience", "8s"], |command| {
        command.current_dir(&folder).env("CRISPY_PATIENCE", "7s");
    });
    assert!(rung.line_with("waiting").contains("8s"));
}

#[test]
fn rust_log_counts_only_where_nothing_of_ours_speaks() {
    let mut rung = Rung::start_with("doorbell", &["--end", "failed"], |command| {
        command.env("RUST_LOG", "error");
    });
    assert!(
        rung.line_with("\"message\"").contains("lock is held"),
        "no line below error"
    );
    let mut rung = Rung::start_with(
        "doorbell",
        &["--end", "failed", "--log-level", "info"],
        |command| {
            command.env("RUST_LOG", "error");
        },
    );
    rung.line_with("starting");
}

#[test]
fn a_level_with_a_slip_in_it_is_refused_and_never_taken_for_silence() {
    let mut rung = Rung::start("doorbell", &["--log-level", "wran"]);
    let line = rung.line_with("error:");
    assert!(
        line.contains(r#""wran" is no level"#) && line.contains("warn"),
        "{line}"
    );
    assert_eq!(rung.code(), Some(2));
    let wishes = ["WARN", "off", "info,queue=debug", "queue[span]=trace,error"];
    for wish in wishes {
        let rung = Rung::start("doorbell", &["--end", "failed", "--log-level", wish]);
        assert_ne!(rung.code(), Some(2), "{wish}");
    }
    let mut rung = Rung::start_with("doorbell", &["--end", "failed"], |command| {
        command.env("RUST_LOG", "wran");
    });
    rung.line_with("lock is held");
}

#[test]
fn text_is_without_colour_where_stderr_is_no_terminal() {
    let line = Rung::start("doorbell", &["--log-format", "text"]).line_with("starting");
    assert!(
        line.contains(" INFO ") && !line.contains('\u{1b}'),
        "{line:?}"
    );
}

#[test]
fn a_wrong_file_ends_it_before_it_starts() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    std::fs::write(folder.path().join("crispy.toml"), "nats-sever = \"h\"")
        .expect("write the file");
    let mut rung = Rung::start_with("doorbell", &[], |command| {
        command.current_dir(&folder);
    });
    let line = rung.line_with("nats-sever");
    assert_eq!(
        line,
        "error: crispy.toml: no setting is called `nats-sever`; did you mean `nats-server`?"
    );
    assert_eq!(rung.code(), Some(13));
}

#[test]
fn a_wrong_flag_is_a_usage_error() {
    let mut rung = Rung::start("doorbell", &["--no-such-flag"]);
    rung.line_with("--no-such-flag");
    assert_eq!(rung.code(), Some(2));
}
