//! Metrics of the process, compared with the kernel's.

use std::{
    collections::HashMap,
    fs,
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use super::{
    pages::{address, get},
    program::Program,
    reporter,
};

/// Longer than anything here takes.
const TIMEOUT: Duration = Duration::from_secs(60);

const CPU: &str = "process_cpu_time_seconds_total";
const MEMORY: &str = "process_memory_usage_bytes";
const THREADS: &str = "process_thread_count";
const FILES: &str = "process_unix_file_descriptor_count";
const UPTIME: &str = "process_uptime_seconds";

/// The metrics of the page.
fn shown(address: SocketAddr) -> HashMap<String, f64> {
    let page = get(address, "/metrics").1;
    let lines = page.lines().filter_map(|line| line.split_once(' '));
    let values = lines.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)));
    values.collect()
}

/// The kernel's values: seconds of CPU, bytes, threads, files.
fn known(program: &Program) -> [f64; 4] {
    let of = |what: &str| format!("/proc/{}/{what}", program.child.id());
    let entries = |what| fs::read_dir(of(what)).expect("it runs").count() as f64;
    let numbers = |what, place: usize| -> f64 {
        let text = fs::read_to_string(of(what)).expect("it runs");
        // The name of a process may hold spaces.
        let text = text
            .rsplit_once(')')
            .map_or(text.as_str(), |(_, rest)| rest);
        let number = text.split_whitespace().nth(place).expect("a number");
        number.parse().expect("a number")
    };
    let ticks = numbers("stat", 11) + numbers("stat", 12);
    [
        ticks / rustix::param::clock_ticks_per_second() as f64,
        numbers("statm", 1) * rustix::param::page_size() as f64,
        entries("task"),
        entries("fd"),
    ]
}

#[test]
fn process_metrics_equal_the_kernels() {
    let began = Instant::now();
    let mut program = reporter(
        &[
            "--chunks",
            "30000",
            "--log-chunks",
            "problems",
            "--admin-listen",
            "127.0.0.1:0",
        ],
        &[],
    );
    let address = address(&mut program);
    program.line_with("reported");
    shown(address);
    let before = known(&program);
    let shown = shown(address);
    let after = known(&program);
    // More than the thread of the page can have spent.
    assert!(before[0] > 0.1, "{before:?}");
    // The kernel rounds CPU down to hundredths of a second; a page needs a buffer and a connection.
    for (name, place, slack) in [
        (CPU, 0, 0.02),
        (MEMORY, 1, 4e6),
        (THREADS, 2, 0.0),
        (FILES, 3, 2.0),
    ] {
        let between = before[place] - slack..=after[place] + slack;
        assert!(
            between.contains(&shown[name]),
            "{name}: {} is not in {between:?}",
            shown[name]
        );
        assert!(shown[name] > 0.0, "{name}");
    }
    assert!(shown[UPTIME] > 0.0 && shown[UPTIME] < began.elapsed().as_secs_f64());
}

#[test]
fn process_metrics_follow_the_work() {
    let mut program = reporter(&["--admin-listen", "127.0.0.1:0"], &[]);
    let address = address(&mut program);
    program.line_with("reported");
    let first = shown(address);
    let held: Vec<_> = (0..20).map(|_| TcpStream::connect(address)).collect();
    // Each page costs CPU.
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let now = shown(address);
        let grown = |name: &str, by: f64| now[name] >= first[name] + by;
        if grown(CPU, 0.01) && grown(FILES, held.len() as f64) && grown(UPTIME, 0.01) {
            break;
        }
        assert!(Instant::now() < deadline, "{first:?}, then {now:?}");
    }
    drop(held);
    while shown(address)[FILES] > first[FILES] + 2.0 {
        assert!(Instant::now() < deadline, "it keeps what was closed");
    }
}
