//! A cluster that loses its leader, and one that is torn apart.
//!
//! How long an election takes is the servers' own affair, and so is how long a node that is cut off believes that it leads. What is ours begins
//! when they know better: `Observer`s ask each node all the time who leads, and a worker's silence is counted from the last moment at which
//! the node that could have told it had nothing to tell.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use crispy_queue::{Connection, Stream, topology};
use crispy_testbed::NatsCluster;
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    crew::{Hand, SILENCE, all_delivered, all_heard},
    ground::{Load, connect, eventually, set_up_with, until_count},
    work::Manner,
};

/// How often an observer asks, and how long it waits for an answer.
const EVERY: Duration = Duration::from_millis(50);
const ANSWER: Duration = Duration::from_millis(500);

/// Both with one crew and under one load: the second meets the queue as the first has left it.
pub(crate) async fn four_processes_work_on_when_the_leader_is_killed_and_when_it_is_cut_off() {
    let mut cluster = NatsCluster::start();
    let connection = in_three_copies(&cluster).await;
    let hands = crew(&mut cluster);
    let load = Load::on(&connection).await;
    all_heard(&hands, SystemTime::now()).await;

    let killed = until_led(&connection, None).await;
    cluster.node(&killed).kill9();
    let successor = until_led(&connection, Some(&killed)).await;
    at_work(
        &hands,
        &format!("{killed} was killed, and {successor} leads"),
    )
    .await;
    cluster.node(&killed).restart();
    at_work(&hands, &format!("{killed} was started again")).await;

    let lone = until_led(&connection, None).await;
    let mut observers = Vec::new();
    for node in ["n0", "n1", "n2"] {
        observers.push(Observer::of(node, &cluster.node(node).url()).await);
    }
    let cut = SystemTime::now();
    cluster.cut_off(&lone);
    eventually(async || observers.iter().all(|of| of.knows_better_than(&lone))).await;
    all_heard(&hands, SystemTime::now()).await;
    let joined = SystemTime::now();
    cluster.rejoin(&lone);
    eventually(async || observers.iter().all(|of| of.knows_of_a_leader())).await;
    all_heard(&hands, SystemTime::now()).await;

    let published = load.stop().await;
    let end = SystemTime::now();
    until_count(&connection, Stream::Chunks, 0).await;
    for hand in &hands {
        // Until it is joined again the lone node is only mistaken while it believes that it leads, and its clients with it.
        let silent = hand.silence(&(cut..end), |before| {
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
    let repeated = all_delivered(&hands, &published).await;
    println!("  {} chunks, {repeated} delivered again", published.len());
    assert_eq!(connection.messages(Stream::Dead).await.unwrap(), 0);
}

/// Every worker is at work soon after what has just happened.
async fn at_work(hands: &[Hand], event: &str) {
    let silent = all_heard(hands, SystemTime::now()).await;
    println!("  all four at work {silent:.1?} after {event}");
    assert!(silent < SILENCE, "silent for {silent:?}");
}

/// Asks one node who leads, all the time, and remembers its answers.
struct Observer {
    node: &'static str,
    answers: Arc<Mutex<Vec<Answer>>>,
    _asking: AbortOnDropHandle<()>,
}

/// Who leads, if anybody does, by the word of one node at one moment.
struct Answer {
    at: SystemTime,
    leader: Option<String>,
}

impl Observer {
    async fn of(node: &'static str, url: &str) -> Self {
        let connection = connect(url).await;
        let answers: Arc<Mutex<Vec<Answer>>> = Arc::default();
        let heard = Arc::clone(&answers);
        let asking = tokio::spawn(async move {
            loop {
                let asked = timeout(ANSWER, leaders(&connection)).await;
                let leader = asked.ok().flatten().map(|[stream, _]| stream);
                let at = SystemTime::now();
                heard.lock().unwrap().push(Answer { at, leader });
                sleep(EVERY).await;
            }
        });
        Self {
            node,
            answers,
            _asking: AbortOnDropHandle::new(asking),
        }
    }

    /// By its last answer another node leads, or it does not lead any more itself.
    fn knows_better_than(&self, lone: &str) -> bool {
        self.now(|leader| leader.map_or(self.node == lone, |leader| leader != lone))
    }

    fn knows_of_a_leader(&self) -> bool {
        self.now(|leader| leader.is_some())
    }

    fn now(&self, is_so: impl Fn(Option<&str>) -> bool) -> bool {
        let answers = self.answers.lock().unwrap();
        answers
            .last()
            .is_some_and(|answer| is_so(answer.leader.as_deref()))
    }

    /// The last moment before `moment` at which its answer was one of those.
    fn last(
        &self,
        moment: SystemTime,
        is_so: impl Fn(Option<&str>, SystemTime) -> bool,
    ) -> Option<SystemTime> {
        let answers = self.answers.lock().unwrap();
        let end = answers.partition_point(|answer| answer.at <= moment);
        let mut before = answers[..end].iter().rev();
        let found = before.find(|answer| is_so(answer.leader.as_deref(), answer.at));
        found.map(|answer| answer.at)
    }
}

/// Four workers, on all nodes: each knows one at first, and hears of the others there.
pub(crate) fn crew(cluster: &mut NatsCluster) -> Vec<Hand> {
    let start = |node| Hand::start(&cluster.node(node).url(), Manner::AtOnce);
    ["n0", "n1", "n2", "n0"].map(start).into()
}

/// Waits until stream and durable have leaders, other than the one that was; the stream's.
async fn until_led(connection: &Connection, but: Option<&str>) -> String {
    let mut leader = None;
    eventually(async || {
        leader = leaders(connection).await.filter(|[stream, durable]| {
            Some(stream.as_str()) != but && Some(durable.as_str()) != but
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
    let durable = stream.consumer_info("uploader").await.ok()?;
    let of_stream = stream.cached_info().cluster.as_ref()?.leader.clone()?;
    Some([of_stream, durable.cluster?.leader?])
}

/// Sets up with three replicas, which setting up again keeps where none are named.
async fn in_three_copies(cluster: &NatsCluster) -> Connection {
    let connection = set_up_with(&cluster.urls(), 3).await;
    let unnamed = topology::plan(&connection, None, true).await.unwrap();
    assert_eq!(unnamed.changes(), []);
    connection
}
