//! A cluster that loses its leader, and one that is partitioned.
//!
//! The servers determine the length of an election, and how long a partitioned node believes that
//! it leads. The worker's time begins after that: `Observer`s ask each node for the leader all the
//! time, and a worker's silence counts from the last moment at which its node could not name the
//! leader.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use crispy_queue::{Connection, Stream, topology};
use crispy_testbed::NatsCluster;
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    fixture::{Load, connect, eventually, set_up_with, wait_for_count},
    worker_main::Behavior,
    worker_process::{SILENCE, WorkerProcess, all_active, all_delivered},
};

/// The interval of an observer's requests, and their time limit.
const EVERY: Duration = Duration::from_millis(50);
const ANSWER: Duration = Duration::from_millis(500);

/// Both events under one load: the second meets the queue as the first left it.
pub(crate) async fn four_workers_resume_when_the_leader_is_killed_or_cut_off() {
    let mut cluster = NatsCluster::start();
    let connection = set_up_three_replicas(&cluster).await;
    let workers = start_workers(&mut cluster);
    let load = Load::start(&connection).await;
    all_active(&workers, SystemTime::now()).await;

    let killed = wait_for_leader(&connection, None).await;
    cluster.node(&killed).kill9();
    let successor = wait_for_leader(&connection, Some(&killed)).await;
    check_active(
        &workers,
        &format!("{killed} was killed, and {successor} leads"),
    )
    .await;
    cluster.node(&killed).restart();
    check_active(&workers, &format!("{killed} was started again")).await;

    let lone = wait_for_leader(&connection, None).await;
    let mut observers = Vec::new();
    for node in ["n0", "n1", "n2"] {
        observers.push(Observer::new(node, &cluster.node(node).url()).await);
    }
    let cut = SystemTime::now();
    cluster.cut_off(&lone);
    eventually(async || observers.iter().all(|of| of.disagrees_with(&lone))).await;
    all_active(&workers, SystemTime::now()).await;
    let joined = SystemTime::now();
    cluster.rejoin(&lone);
    eventually(async || observers.iter().all(|of| of.sees_a_leader())).await;
    all_active(&workers, SystemTime::now()).await;

    let published = load.stop().await;
    let end = SystemTime::now();
    wait_for_count(&connection, Stream::Chunks, 0).await;
    for worker in &workers {
        // Before it rejoins, the partitioned node is wrong only while it believes that it leads.
        let silent = worker.silence(&(cut..end), |before| {
            let last = |of: &Observer| {
                of.last(before, |leader, at| match leader {
                    _ if of.node == lone && at < joined => leader == Some(&lone),
                    Some(leader) => leader == lone && at < joined,
                    None => true,
                })
            };
            observers.iter().filter_map(last).max()
        });
        println!("  silent for {silent:.1?} at most while the servers knew who leads");
        assert!(silent < SILENCE);
    }
    let repeated = all_delivered(&workers, &published).await;
    println!("  {} chunks, {repeated} delivered again", published.len());
    assert_eq!(connection.messages(Stream::Dead).await.unwrap(), 0);
}

/// Checks that all workers are active soon after `event`.
async fn check_active(workers: &[WorkerProcess], event: &str) {
    let silent = all_active(workers, SystemTime::now()).await;
    println!("  all four active {silent:.1?} after {event}");
    assert!(silent < SILENCE, "silent for {silent:?}");
}

/// Asks one node for the leader all the time, and records its answers.
struct Observer {
    node: &'static str,
    answers: Arc<Mutex<Vec<Answer>>>,
    _asking: AbortOnDropHandle<()>,
}

/// The leader as seen by one node at one moment.
struct Answer {
    at: SystemTime,
    leader: Option<String>,
}

impl Observer {
    async fn new(node: &'static str, url: &str) -> Self {
        let connection = connect(url).await;
        let answers: Arc<Mutex<Vec<Answer>>> = Arc::default();
        let sink = Arc::clone(&answers);
        let asking = tokio::spawn(async move {
            loop {
                let answer = timeout(ANSWER, leaders(&connection)).await;
                let leader = answer.ok().flatten().map(|[stream, _]| stream);
                let at = SystemTime::now();
                sink.lock().unwrap().push(Answer { at, leader });
                sleep(EVERY).await;
            }
        });
        Self {
            node,
            answers,
            _asking: AbortOnDropHandle::new(asking),
        }
    }

    /// Whether its last answer names another leader than `lone`, or `lone` itself names none.
    fn disagrees_with(&self, lone: &str) -> bool {
        self.now(|leader| leader.map_or(self.node == lone, |leader| leader != lone))
    }

    fn sees_a_leader(&self) -> bool {
        self.now(|leader| leader.is_some())
    }

    fn now(&self, condition: impl Fn(Option<&str>) -> bool) -> bool {
        let answers = self.answers.lock().unwrap();
        answers
            .last()
            .is_some_and(|answer| condition(answer.leader.as_deref()))
    }

    /// The last moment before `moment` at which its answer met the condition.
    fn last(
        &self,
        moment: SystemTime,
        condition: impl Fn(Option<&str>, SystemTime) -> bool,
    ) -> Option<SystemTime> {
        let answers = self.answers.lock().unwrap();
        let end = answers.partition_point(|answer| answer.at <= moment);
        let mut before = answers[..end].iter().rev();
        let found = before.find(|answer| condition(answer.leader.as_deref(), answer.at));
        found.map(|answer| answer.at)
    }
}

/// Four workers on three nodes. Each is given one node, and learns of the others there.
pub(crate) fn start_workers(cluster: &mut NatsCluster) -> Vec<WorkerProcess> {
    let start = |node| WorkerProcess::start(&cluster.node(node).url(), Behavior::AtOnce);
    ["n0", "n1", "n2", "n0"].map(start).into()
}

/// Waits until stream and consumer have leaders other than `but`. Returns the stream's.
async fn wait_for_leader(connection: &Connection, but: Option<&str>) -> String {
    let mut leader = None;
    eventually(async || {
        leader = leaders(connection).await.filter(|[stream, consumer]| {
            Some(stream.as_str()) != but && Some(consumer.as_str()) != but
        });
        leader.is_some()
    })
    .await;
    let [stream, _] = leader.unwrap();
    stream
}

async fn leaders(connection: &Connection) -> Option<[String; 2]> {
    let name = Stream::Chunks.name(connection.prefix());
    let stream = connection.jetstream().get_stream(name).await.ok()?;
    let consumer = stream.consumer_info("uploader").await.ok()?;
    let stream_leader = stream.cached_info().cluster.as_ref()?.leader.clone()?;
    Some([stream_leader, consumer.cluster?.leader?])
}

/// Sets up with three replicas, and checks that another setup keeps them.
async fn set_up_three_replicas(cluster: &NatsCluster) -> Connection {
    let connection = set_up_with(&cluster.urls(), 3).await;
    let unnamed = topology::plan(&connection, None, true).await.unwrap();
    assert_eq!(unnamed.changes(), []);
    connection
}
