//! Metrics of the process itself. The kernel is asked when they are read, and only then.

use std::{fs, time::Instant};

use crispy_telemetry::catalogue::{
    PROCESS_CPU, PROCESS_FILES, PROCESS_MEMORY, PROCESS_THREADS, PROCESS_UPTIME,
};

/// Registers them.
pub(super) fn observe() {
    let began = Instant::now();
    PROCESS_CPU.observe(|| one(Some(cpu_seconds())));
    PROCESS_MEMORY.observe(|| one(resident()));
    PROCESS_THREADS.observe(|| one(entries("/proc/self/task")));
    // The folder is open itself while it is read.
    PROCESS_FILES.observe(|| one(entries("/proc/self/fd").map(|files| files - 1.0)));
    PROCESS_UPTIME.observe(move || one(Some(began.elapsed().as_secs_f64())));
}

/// Nothing where the system has no answer: only Linux has a `/proc`.
fn one(value: Option<f64>) -> Vec<crispy_telemetry::Reading> {
    value.map(|value| (value, Vec::new())).into_iter().collect()
}

fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The second number of proc_pid_statm(5), in pages.
fn resident() -> Option<f64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: f64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as f64)
}

fn entries(folder: &str) -> Option<f64> {
    Some(fs::read_dir(folder).ok()?.count() as f64)
}
