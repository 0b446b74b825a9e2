//! Who else runs: the children of a process, from /proc (Linux).

use std::{fs, path::Path, time::Duration};

use rustix::process::{Pid, Signal, kill_process};

use super::{program::Running, until, until_within};

/// The four children of `crispy up`, as /proc names them: its names end after 15 letters.
pub(crate) const CHILDREN: [&str; 4] = [
    "nats-server",
    "crispy-ingestor",
    "crispy-uploader",
    "crispy-inspecto",
];

/// The kernel kills what is on a leash at once; the rest is for a machine that is busy.
const GONE: Duration = Duration::from_secs(3);

/// Waits until all four children run, and returns their process ids in the order of [`CHILDREN`].
pub(crate) fn all_children(up: &Running) -> [u32; 4] {
    CHILDREN.map(|name| child(up, name))
}

/// Waits until the child called `name` runs.
pub(crate) fn child(up: &Running, name: &str) -> u32 {
    let mut found = None;
    until(&format!("{name} runs"), || {
        found = children_of(up.pid())
            .into_iter()
            .find(|(_, called)| called == name);
        found.is_some()
    });
    found.map(|(pid, _)| pid).expect("it was found")
}

/// Ends a process as `kill -9` does.
pub(crate) fn kill9(pid: u32) {
    signal(pid, Signal::KILL);
}

/// Has a process hang: it runs no further, and hears no signal but the last.
pub(crate) fn stop_dead(pid: u32) {
    signal(pid, Signal::STOP);
}

/// Asks a process to stop, as a person would who takes it for one of its own.
pub(crate) fn ask_to_stop(pid: u32) {
    signal(pid, Signal::TERM);
}

/// Has it go on.
pub(crate) fn go_on(pid: u32) {
    signal(pid, Signal::CONT);
}

fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.cast_signed()).expect("a process id");
    kill_process(pid, signal).expect("send a signal to a process that runs");
}

/// Waits until none of `pids` runs.
pub(crate) fn until_gone(pids: &[u32]) {
    until_within(GONE, &format!("{pids:?} are gone"), || {
        pids.iter().all(|pid| !runs(*pid))
    });
}

/// Whether a process runs; one that has ended and was not waited for does not.
pub(crate) fn runs(pid: u32) -> bool {
    stat(pid).is_some_and(|(_, state, _)| state != 'Z')
}

/// Process ids and names of the children of `parent` that run.
pub(crate) fn children_of(parent: u32) -> Vec<(u32, String)> {
    all()
        .filter(|(_, (_, state, ppid))| *ppid == parent && *state != 'Z')
        .map(|(pid, (name, _, _))| (pid, name))
        .collect()
}

/// Process ids and names of whoever runs in a folder.
pub(crate) fn in_folder(folder: &Path) -> Vec<(u32, String)> {
    all()
        .filter(|(pid, (_, state, _))| {
            // Gone meanwhile, or another user's: then it is not ours.
            let cwd = fs::read_link(format!("/proc/{pid}/cwd"));
            *state != 'Z' && cwd.is_ok_and(|cwd| cwd == folder)
        })
        .map(|(pid, (name, _, _))| (pid, name))
        .collect()
}

/// Every process, with what [`stat`] says of it.
fn all() -> impl Iterator<Item = (u32, (String, char, u32))> {
    let entries = fs::read_dir("/proc").expect("this system has /proc");
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, stat(pid)?)))
}

/// Name, state and parent: proc_pid_stat(5).
fn stat(pid: u32) -> Option<(String, char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((name.to_owned(), state, fields.next()?.parse().ok()?))
}
