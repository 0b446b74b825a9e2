//! Outages: of a shared dependency, of a dependency of some messages, of the stream.

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

use crate::fixture::{Fixture, LEASE, TIMEOUT, chunk, eventually, publish, quick_config};

/// Messages of an unavailable spool.
const DELAYED: u64 = 5000;

/// An outage of the bucket, which every message needs.
fn unavailable() -> Fault {
    Fault::unavailable(DependencyId::Bucket("gs://videos".into()), "put object")
}

#[tokio::test]
async fn an_unavailable_bucket_pauses_consumption_and_counts_no_attempt() {
    let fixture = Fixture::new().await;
    fixture.lease(LEASE).await;
    publish_many(&fixture, 0..500).await;
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
    let mut worker = fixture.worker_with_probe(quick_config(), act, probe).await;
    let state = worker.state.clone();
    eventually(async || !state.borrow().available).await;
    // Probes of a whole minute at the default interval.
    eventually(async || probes.load(Ordering::SeqCst) >= 30).await;
    sleep(LEASE).await;
    let tried = calls.load(Ordering::SeqCst);
    assert!(tried <= 16, "{tried} attempts during the outage");
    here.store(true, Ordering::SeqCst);
    fixture.wait_for_count(Stream::Chunks, 0).await;
    assert!(worker.state.borrow_and_update().available);
    let info = fixture.consumer().await;
    assert_eq!(
        info.delivered.consumer_sequence, 500,
        "each was delivered once"
    );
    assert_eq!(fixture.count(Stream::Dead).await, 0);
    let summary = worker.stop().await;
    assert_eq!((summary.handled, summary.retried), (500, 0));
}

/// Attempts that hang, as puts into a black hole do, until their timeouts.
#[tokio::test]
async fn an_outage_cancels_hanging_attempts_and_repeats_them_afterwards() {
    let fixture = Fixture::new().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&calls);
    let act = move |_, delivery: Delivery| {
        assert_eq!(delivery.attempt, 1, "no attempt was counted");
        let call = counting.fetch_add(1, Ordering::SeqCst);
        // One delivery, and a second attempt: its effects may be there already.
        assert_eq!((delivery.deliveries, delivery.is_repeated()), (1, call > 3));
        async move {
            match call {
                0..3 => std::future::pending().await,
                3 => Err(unavailable()),
                _ => Ok(()),
            }
        }
    };
    let worker = fixture
        .worker_with_probe(quick_config(), act, || true)
        .await;
    fixture.publish(0..4).await;
    fixture.wait_for_count(Stream::Chunks, 0).await;
    assert_eq!(calls.load(Ordering::SeqCst), 8);
    assert_eq!(fixture.count(Stream::Dead).await, 0);
    assert_eq!(worker.stop().await.retried, 0);
}

/// The attempt blocks its thread, and is cancelled only after the breaker has closed again.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_late_cancellation_does_not_open_the_breaker_again() {
    let fixture = Fixture::new().await;
    let (calls, back) = (AtomicUsize::new(0), Arc::new(AtomicBool::new(false)));
    let act = move |_, _| {
        let (call, back) = (calls.fetch_add(1, Ordering::SeqCst), Arc::clone(&back));
        async move {
            match call {
                0 => {
                    let until = Instant::now() + TIMEOUT;
                    // In place: other tasks may be queued on this thread, and no other thread takes
                    // them.
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
    let worker = fixture.worker_with_probe(quick_config(), act, probe).await;
    fixture.publish(0..2).await;
    fixture.wait_for_count(Stream::Chunks, 0).await;
    assert_eq!(worker.stop().await.handled, 2);
    assert_eq!(probes.load(Ordering::SeqCst), 1, "one outage");
}

#[tokio::test]
async fn an_unavailable_spool_delays_only_its_own_messages() {
    let fixture = Fixture::new().await;
    fixture.publish(0..100).await;
    let available = Arc::new(AtomicBool::new(false));
    let looking = Arc::clone(&available);
    let act = move |chunk: ChunkReady, _| {
        let delayed = chunk.id.unwrap().sequence < 90 && !looking.load(Ordering::SeqCst);
        async move {
            match delayed {
                true => Err(Fault::unavailable_to_some(
                    DependencyId::Spool("s1".into()),
                    "spool unreachable",
                )),
                false => Ok(()),
            }
        }
    };
    let worker = fixture.worker(quick_config(), act).await;
    fixture.wait_for_count(Stream::Chunks, 90).await;
    available.store(true, Ordering::SeqCst);
    fixture.wait_for_count(Stream::Chunks, 0).await;
    assert_eq!(worker.stop().await.dead_lettered, 0);
}

#[tokio::test]
async fn five_thousand_delayed_messages_do_not_slow_down_others() {
    let fixture = Fixture::new().await;
    let mut config = quick_config();
    // They are delivered again throughout: a thousand deliveries a second without effect.
    config.limits.longest_wait = Duration::from_secs(5);
    let act = async |chunk: ChunkReady, _| match chunk.id.unwrap().sequence {
        0..DELAYED => Err(Fault::unavailable_to_some(
            DependencyId::Spool("s1".into()),
            "spool unreachable",
        )),
        _ => Ok(()),
    };
    let mut worker = fixture.worker(config, act).await;
    publish_many(&fixture, 0..DELAYED).await;
    eventually(async || fixture.consumer().await.num_pending == 0).await;
    let mut delays = Vec::new();
    for sequence in DELAYED..DELAYED + 50 {
        let begun = Instant::now();
        fixture.publish(sequence..sequence + 1).await;
        while worker.next().await.0 != sequence {}
        delays.push(begun.elapsed());
    }
    delays.sort();
    // As without them: the bound is that of a worker with nothing else to do.
    assert!(delays[25] < Duration::from_millis(50), "{:?}", delays[25]);
    fixture.wait_for_count(Stream::Chunks, DELAYED).await;
    assert_eq!(fixture.count(Stream::Dead).await, 0);
    assert_eq!(worker.stop().await.handled, 50);
}

#[tokio::test]
async fn a_deleted_stream_makes_a_worker_unready_until_it_is_back() {
    let fixture = Fixture::new().await;
    let mut worker = fixture.worker(quick_config(), async |_, _| Ok(())).await;
    fixture.publish(0..1).await;
    worker.next().await;
    let jetstream = fixture.connection.jetstream();
    jetstream.delete_stream("CRISPY_CHUNKS").await.unwrap();
    let state = worker.state.clone();
    eventually(async || !state.borrow().bound).await;
    let connects = worker.connection.state().borrow().connects;
    // Longer than the failover timer.
    sleep(Duration::from_secs(4)).await;
    fixture.set_up().await;
    eventually(async || state.borrow().bound).await;
    let now = worker.connection.state().borrow().connects;
    assert_eq!(connects, now, "no failover for a missing stream");
    let created = fixture
        .connection
        .stream_created(Stream::Chunks)
        .await
        .unwrap();
    fixture.publish(5..6).await;
    let (sequence, delivery) = worker.next().await;
    assert_eq!((sequence, delivery.stream_created_us), (5, created));
}

/// Publishes concurrently: one after another, thousands take seconds.
async fn publish_many(fixture: &Fixture, sequences: std::ops::Range<u64>) {
    let publisher = fixture.publisher().await;
    let chunks: Vec<ChunkReady> = sequences.map(chunk).collect();
    let sending = chunks
        .iter()
        .map(|chunk| publish(&publisher, &fixture.connection, chunk));
    join_all(sending).await;
}
