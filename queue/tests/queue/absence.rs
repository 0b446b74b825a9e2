//! What is away: the destination, an owner, the stream itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crispy_fault::{DependencyId, Fault};
use crispy_jetstream::Delivery;
use crispy_proto::v1::ChunkReady;
use crispy_queue::Stream;
use futures_util::future::join_all;
use tokio::{
    task::block_in_place,
    time::{Instant, sleep},
};

use crate::scene::{LEASE, PATIENCE, Scene, chunk, eventually, publish, quick};

/// Messages of an owner that is away.
const AWAY: u64 = 5000;

/// An outage of the bucket, which every message needs.
fn unavailable() -> Fault {
    Fault::unavailable(
        DependencyId::Bucket("gs://videos".into()),
        "the bucket is unavailable",
    )
}

#[tokio::test]
async fn an_absent_destination_pauses_everything_and_costs_no_message_anything() {
    let scene = Scene::new().await;
    scene.lease(LEASE).await;
    publish_many(&scene, 0..500).await;
    let (here, calls) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let (at_work, at_probe) = (Arc::clone(&here), Arc::clone(&here));
    let counting = Arc::clone(&calls);
    let act = move |_, delivery: Delivery| {
        assert_eq!(delivery.attempt, 1, "no attempt was counted");
        counting.fetch_add(1, Ordering::SeqCst);
        let here = at_work.load(Ordering::SeqCst);
        async move {
            match here {
                true => Ok(()),
                false => Err(unavailable()),
            }
        }
    };
    let probes = Arc::new(AtomicUsize::new(0));
    let probing = Arc::clone(&probes);
    let probe = move || {
        probing.fetch_add(1, Ordering::SeqCst);
        at_probe.load(Ordering::SeqCst)
    };
    let mut hand = scene.worker_with_probe(quick(), act, probe).await;
    let state = hand.state.clone();
    eventually(async || !state.borrow().available).await;
    // As many probes as a minute has, and as many leases.
    eventually(async || probes.load(Ordering::SeqCst) >= 30).await;
    sleep(LEASE).await;
    let tried = calls.load(Ordering::SeqCst);
    assert!(
        tried <= 16,
        "{tried} attempts while it was known to be away"
    );
    here.store(true, Ordering::SeqCst);
    scene.until_count(Stream::Chunks, 0).await;
    assert!(hand.state.borrow_and_update().available);
    let info = scene.consumer().await;
    assert_eq!(
        info.delivered.consumer_sequence, 500,
        "each was delivered once"
    );
    assert_eq!(scene.count(Stream::Dead).await, 0);
    let summary = hand.stop().await;
    assert_eq!((summary.handled, summary.retried), (500, 0));
}

/// As puts into a black hole do: they would hang until their time-outs, with the destination long back.
#[tokio::test]
async fn what_hangs_at_an_absent_destination_is_cut_short_and_done_when_it_is_back() {
    let scene = Scene::new().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&calls);
    let act = move |_, delivery: Delivery| {
        assert_eq!(delivery.attempt, 1, "no attempt was counted");
        let call = counting.fetch_add(1, Ordering::SeqCst);
        // It came once, and was begun all the same: whoever cares about effects has to look for them.
        assert_eq!((delivery.deliveries, delivery.is_repeated()), (1, call > 3));
        async move {
            match call {
                0..3 => std::future::pending().await,
                3 => Err(unavailable()),
                _ => Ok(()),
            }
        }
    };
    let hand = scene.worker_with_probe(quick(), act, || true).await;
    scene.publish(0..4).await;
    scene.until_count(Stream::Chunks, 0).await;
    assert_eq!(calls.load(Ordering::SeqCst), 8);
    assert_eq!(scene.count(Stream::Dead).await, 0);
    assert_eq!(hand.stop().await.retried, 0);
}

/// The hand of a message that is busy hears only late that it was cut short.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn one_that_was_cut_short_late_does_not_hold_up_what_goes_on() {
    let scene = Scene::new().await;
    let (calls, back) = (AtomicUsize::new(0), Arc::new(AtomicBool::new(false)));
    let act = move |_, _| {
        let (call, back) = (calls.fetch_add(1, Ordering::SeqCst), Arc::clone(&back));
        async move {
            match call {
                0 => {
                    let until = Instant::now() + PATIENCE;
                    // In place: the thread may have others of its tasks at hand, which no other thread takes from it.
                    block_in_place(|| {
                        while !back.load(Ordering::SeqCst) && Instant::now() < until {
                            std::thread::sleep(Duration::from_millis(1));
                        }
                    });
                    std::future::pending().await
                }
                1 => Err(unavailable()),
                _ => {
                    back.store(true, Ordering::SeqCst);
                    Ok(())
                }
            }
        }
    };
    let probes = Arc::new(AtomicUsize::new(0));
    let probing = Arc::clone(&probes);
    let probe = move || probing.fetch_add(1, Ordering::SeqCst) < usize::MAX;
    let hand = scene.worker_with_probe(quick(), act, probe).await;
    scene.publish(0..2).await;
    scene.until_count(Stream::Chunks, 0).await;
    assert_eq!(hand.stop().await.handled, 2);
    assert_eq!(probes.load(Ordering::SeqCst), 1, "it was away once");
}

#[tokio::test]
async fn an_absent_owner_holds_up_only_its_own() {
    let scene = Scene::new().await;
    scene.publish(0..100).await;
    let home = Arc::new(AtomicBool::new(false));
    let looking = Arc::clone(&home);
    let act = move |chunk: ChunkReady, _| {
        let away = chunk.id.unwrap().sequence < 90 && !looking.load(Ordering::SeqCst);
        async move {
            match away {
                true => Err(Fault::unavailable_to_some(
                    DependencyId::Spool("s1".into()),
                    "its host is away",
                )),
                false => Ok(()),
            }
        }
    };
    let hand = scene.worker(quick(), act).await;
    scene.until_count(Stream::Chunks, 90).await;
    home.store(true, Ordering::SeqCst);
    scene.until_count(Stream::Chunks, 0).await;
    assert_eq!(hand.stop().await.dead_lettered, 0);
}

#[tokio::test]
async fn an_absent_owner_of_five_thousand_messages_delays_nobody() {
    let scene = Scene::new().await;
    let mut config = quick();
    // They come again throughout: a thousand deliveries a second that lead nowhere.
    config.limits.longest_wait = Duration::from_secs(5);
    let act = async |chunk: ChunkReady, _| match chunk.id.unwrap().sequence {
        0..AWAY => Err(Fault::unavailable_to_some(
            DependencyId::Spool("s1".into()),
            "its host is away",
        )),
        _ => Ok(()),
    };
    let mut hand = scene.worker(config, act).await;
    publish_many(&scene, 0..AWAY).await;
    eventually(async || scene.consumer().await.num_pending == 0).await;
    let mut delays = Vec::new();
    for sequence in AWAY..AWAY + 50 {
        let begun = Instant::now();
        scene.publish(sequence..sequence + 1).await;
        while hand.next().await.0 != sequence {}
        delays.push(begun.elapsed());
    }
    delays.sort();
    // As without them: the bound is that of a worker with nothing else to do.
    assert!(delays[25] < Duration::from_millis(50), "{:?}", delays[25]);
    scene.until_count(Stream::Chunks, AWAY).await;
    assert_eq!(scene.count(Stream::Dead).await, 0);
    assert_eq!(hand.stop().await.handled, 50);
}

#[tokio::test]
async fn a_vanished_stream_makes_a_worker_not_ready_until_it_is_back() {
    let scene = Scene::new().await;
    let mut hand = scene.worker(quick(), async |_, _| Ok(())).await;
    scene.publish(0..1).await;
    hand.next().await;
    let jetstream = scene.connection.jetstream();
    jetstream.delete_stream("CRISPY_CHUNKS").await.unwrap();
    let state = hand.state.clone();
    eventually(async || !state.borrow().bound).await;
    let connects = hand.connection.state().borrow().connects;
    // Longer than a server that does not answer is kept.
    sleep(Duration::from_secs(4)).await;
    scene.set_up().await;
    eventually(async || state.borrow().bound).await;
    let now = hand.connection.state().borrow().connects;
    assert_eq!(connects, now, "no connection helps against that");
    let created = scene
        .connection
        .stream_created(Stream::Chunks)
        .await
        .unwrap();
    scene.publish(5..6).await;
    let (sequence, delivery) = hand.next().await;
    assert_eq!((sequence, delivery.stream_created_us), (5, created));
}

/// Publishes side by side: one after another, thousands take seconds.
async fn publish_many(scene: &Scene, sequences: std::ops::Range<u64>) {
    let publisher = scene.publisher().await;
    let chunks: Vec<ChunkReady> = sequences.map(chunk).collect();
    let sending = chunks
        .iter()
        .map(|chunk| publish(&publisher, &scene.connection, chunk));
    join_all(sending).await;
}
