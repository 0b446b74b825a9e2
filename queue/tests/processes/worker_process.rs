//! Worker processes and their output, as seen by the parent.

use std::{
    collections::BTreeSet,
    env, fs,
    io::{BufRead, BufReader, Write},
    ops::Range,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tokio::time::sleep;

use crate::{
    fixture::{TIMEOUT, eventually},
    worker_main::Behavior,
};

/// The longest silence of a worker after the server's return.
pub(crate) const SILENCE: Duration = Duration::from_secs(3);

/// A worker process, killed on drop.
pub(crate) struct WorkerProcess {
    child: Child,
    lines: Arc<Mutex<Vec<Line>>>,
}

/// A line of a worker: step, chunk, time.
#[derive(Clone, Debug)]
struct Line {
    what: String,
    sequence: u64,
    at: SystemTime,
}

impl WorkerProcess {
    /// Starts a worker on these servers.
    pub(crate) fn start(urls: &str, behavior: Behavior) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["work", urls, behavior.name()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (lines, stdout) = (Arc::default(), child.stdout.take().unwrap());
        let sink: Arc<Mutex<Vec<Line>>> = Arc::clone(&lines);
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                sink.lock().unwrap().push(Line::parse(&line));
            }
        });
        Self { child, lines }
    }

    /// Lets a waiting handler continue.
    pub(crate) fn signal(&mut self) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(b"go on\n").unwrap();
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill9(&mut self) {
        // Both fail only when it has exited.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Its exit status, if it has exited.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits until it has printed this step.
    pub(crate) async fn wait_for(&self, what: &str) {
        eventually(async || self.count(what) > 0).await;
    }

    /// The number of times that it has printed this step.
    pub(crate) fn count(&self, what: &str) -> usize {
        let lines = self.lines.lock().unwrap();
        lines.iter().filter(|line| line.what == what).count()
    }

    /// Its peak memory so far, in KiB.
    pub(crate) fn peak_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = peak.unwrap().trim().trim_end_matches(" kB");
        kib.parse().unwrap()
    }

    /// The longest time in which it began nothing. A gap counts from the servers' last mistake in
    /// it, by `last_mistake` before a moment.
    pub(crate) fn silence(
        &self,
        during: &Range<SystemTime>,
        last_mistake: impl Fn(SystemTime) -> Option<SystemTime>,
    ) -> Duration {
        let lines = self.lines.lock().unwrap();
        let begun = lines.iter().filter(|line| line.what == "begun");
        let within = begun.map(|line| line.at).filter(|at| during.contains(at));
        let mut moments: Vec<SystemTime> = within.collect();
        moments.insert(0, during.start);
        moments.push(during.end);
        let gaps = moments.windows(2).map(|gap| {
            let since = last_mistake(gap[1]).map_or(gap[0], |mistake| mistake.max(gap[0]));
            gap[1].duration_since(since).unwrap_or_default()
        });
        gaps.max().unwrap_or_default()
    }

    fn begun_after(&self, moment: SystemTime) -> Option<SystemTime> {
        let lines = self.lines.lock().unwrap();
        let begun = lines.iter().filter(|line| line.what == "begun");
        begun.map(|line| line.at).find(|at| *at > moment)
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        self.kill9();
    }
}

impl Line {
    fn parse(line: &str) -> Self {
        let [what, sequence, at] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("a worker printed {line:?}");
        };
        Self {
            what: what.into(),
            sequence: sequence.parse().unwrap(),
            at: UNIX_EPOCH + Duration::from_micros(at.parse().unwrap()),
        }
    }
}

/// Waits until every worker has begun a message after `moment`. Returns the time of the slowest.
pub(crate) async fn all_active(workers: &[WorkerProcess], moment: SystemTime) -> Duration {
    let active = || workers.iter().map(|worker| worker.begun_after(moment));
    eventually(async || active().all(|at| at.is_some())).await;
    let last = active().flatten().max().unwrap();
    last.duration_since(moment).unwrap()
}

/// Waits until all of `published` were begun by some worker: the last lines may still be on their
/// way. Returns the number of repeated deliveries.
pub(crate) async fn all_delivered(workers: &[WorkerProcess], published: &BTreeSet<u64>) -> usize {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let (distinct, repeated) = begun(workers);
        let lost: Vec<_> = published.difference(&distinct).collect();
        if lost.is_empty() {
            return repeated;
        }
        assert!(Instant::now() < deadline, "lost: {lost:?}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// The longest time in which any worker began nothing.
pub(crate) fn longest_silence(workers: &[WorkerProcess], during: Range<SystemTime>) -> Duration {
    let silent = workers
        .iter()
        .map(|worker| worker.silence(&during, |_| None));
    silent.max().unwrap_or_default()
}

/// The chunks that all workers have begun, and the number of repeated deliveries.
pub(crate) fn begun(workers: &[WorkerProcess]) -> (BTreeSet<u64>, usize) {
    let mut all = Vec::new();
    for worker in workers {
        let lines = worker.lines.lock().unwrap();
        let begun = lines.iter().filter(|line| line.what == "begun");
        all.extend(begun.map(|line| line.sequence));
    }
    let deliveries = all.len();
    let distinct: BTreeSet<u64> = all.into_iter().collect();
    let repeated = deliveries - distinct.len();
    (distinct, repeated)
}
