//! The parent's side: workers in processes of their own, and what they say.

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
    ground::{PATIENCE, eventually},
    work::Manner,
};

/// How long any worker may be silent once there is a server again.
pub(crate) const SILENCE: Duration = Duration::from_secs(3);

/// A worker process; gone when this is.
pub(crate) struct Hand {
    child: Child,
    said: Arc<Mutex<Vec<Said>>>,
}

/// A line of a worker: what became of which chunk, and when.
#[derive(Clone, Debug)]
struct Said {
    what: String,
    sequence: u64,
    at: SystemTime,
}

impl Hand {
    /// Starts a worker on these servers.
    pub(crate) fn start(urls: &str, manner: Manner) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["work", urls, manner.name()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (said, stdout) = (Arc::default(), child.stdout.take().unwrap());
        let hearing: Arc<Mutex<Vec<Said>>> = Arc::clone(&said);
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                hearing.lock().unwrap().push(Said::read(&line));
            }
        });
        Self { child, said }
    }

    /// Lets a handler go on that waits to be told.
    pub(crate) fn tell(&mut self) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(b"go on\n").unwrap();
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill9(&mut self) {
        // Both fail only when it has gone by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits until it has said this.
    pub(crate) async fn until_said(&self, what: &str) {
        eventually(async || self.count(what) > 0).await;
    }

    /// How often it has said this.
    pub(crate) fn count(&self, what: &str) -> usize {
        let said = self.said.lock().unwrap();
        said.iter().filter(|line| line.what == what).count()
    }

    /// The most memory it has had so far, in KiB.
    pub(crate) fn peak_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = peak.unwrap().trim().trim_end_matches(" kB");
        kib.parse().unwrap()
    }

    /// The longest time in which it began nothing, counted from the last mistake of the servers in it, where `last_mistake` before a moment knows
    /// of one.
    pub(crate) fn silence(
        &self,
        during: &Range<SystemTime>,
        last_mistake: impl Fn(SystemTime) -> Option<SystemTime>,
    ) -> Duration {
        let said = self.said.lock().unwrap();
        let begun = said.iter().filter(|line| line.what == "begun");
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
        let said = self.said.lock().unwrap();
        let begun = said.iter().filter(|line| line.what == "begun");
        begun.map(|line| line.at).find(|at| *at > moment)
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        self.kill9();
    }
}

impl Said {
    fn read(line: &str) -> Self {
        let [what, sequence, at] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("a worker said {line:?}");
        };
        Self {
            what: what.into(),
            sequence: sequence.parse().unwrap(),
            at: UNIX_EPOCH + Duration::from_micros(at.parse().unwrap()),
        }
    }
}

/// Waits until every worker has begun something after `moment`, and says how long the slowest took.
pub(crate) async fn all_heard(hands: &[Hand], moment: SystemTime) -> Duration {
    let heard = || hands.iter().map(|hand| hand.begun_after(moment));
    eventually(async || heard().all(|at| at.is_some())).await;
    let last = heard().flatten().max().unwrap();
    last.duration_since(moment).unwrap()
}

/// Waits until all of `published` has been begun by some worker: what the last of them said may still be on its way here. Says how many deliveries
/// there were more than those.
pub(crate) async fn all_delivered(hands: &[Hand], published: &BTreeSet<u64>) -> usize {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (distinct, repeated) = begun(hands);
        let lost: Vec<_> = published.difference(&distinct).collect();
        if lost.is_empty() {
            return repeated;
        }
        assert!(Instant::now() < deadline, "lost: {lost:?}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// The longest time in which any worker began nothing.
pub(crate) fn longest_silence(hands: &[Hand], during: Range<SystemTime>) -> Duration {
    let silent = hands.iter().map(|hand| hand.silence(&during, |_| None));
    silent.max().unwrap_or_default()
}

/// What was begun, of all workers together: which chunks, and how many deliveries more than those.
pub(crate) fn begun(hands: &[Hand]) -> (BTreeSet<u64>, usize) {
    let mut all = Vec::new();
    for hand in hands {
        let said = hand.said.lock().unwrap();
        let begun = said.iter().filter(|line| line.what == "begun");
        all.extend(begun.map(|line| line.sequence));
    }
    let deliveries = all.len();
    let distinct: BTreeSet<u64> = all.into_iter().collect();
    let repeated = deliveries - distinct.len();
    (distinct, repeated)
}
