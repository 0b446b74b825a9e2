//! What becomes of messages.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use crispy_queue::{Failure, Limits, Message, Stage, Stream, WorkerConfig, message_id};
use proto::v1::{ChunkReady, RunState, dead_letter::Kind};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep},
};

use crate::scene::{Scene, camera, chunk, eventually, quick};

const LEASE: Duration = Duration::from_millis(600);

#[tokio::test]
async fn what_is_done_is_gone_from_the_queue_and_reported_as_handled() {
    let scene = Scene::new().await;
    scene.publish(0..20).await;
    let mut hand = scene.worker(quick(), async |_, _| Ok(())).await;
    for _ in 0..20 {
        let (_, delivery) = hand.next().await;
        assert_eq!((delivery.attempt, delivery.deliveries), (1, 1));
        assert_eq!(delivery.subject, "crispy.chunks.demo.front");
        assert!(delivery.message_id.unwrap().ends_with("@17"));
    }
    scene.until_count(Stream::Chunks, 0).await;
    assert_eq!(hand.stop().await.handled, 20);
}

#[tokio::test]
async fn a_retry_comes_again_after_a_pause_and_counts_as_an_attempt() {
    let scene = Scene::new().await;
    scene.publish(0..1).await;
    let act = async |_, delivery: crispy_queue::Delivery| match delivery.attempt {
        1 => Err(Failure::retry("not yet")),
        _ => Ok(()),
    };
    let mut hand = scene.worker(quick(), act).await;
    hand.next().await;
    let (_, delivery) = hand.next().await;
    assert_eq!((delivery.attempt, delivery.deliveries), (2, 2));
    scene.until_count(Stream::Chunks, 0).await;
    let drained = hand.stop().await;
    assert_eq!((drained.handled, drained.retried), (1, 1));
}

#[tokio::test]
async fn a_handler_that_panics_is_retried_and_takes_nobody_with_it() {
    let scene = Scene::new().await;
    scene.publish(0..5).await;
    let act = async |chunk: ChunkReady, delivery: crispy_queue::Delivery| {
        let sequence = chunk.id.unwrap().sequence;
        assert!(sequence != 2 || delivery.attempt > 1, "as scripted");
        Ok(())
    };
    let hand = scene.worker(quick(), act).await;
    scene.until_count(Stream::Chunks, 0).await;
    let drained = hand.stop().await;
    assert_eq!(
        (drained.handled, drained.retried, drained.buried),
        (5, 1, 0)
    );
}

#[tokio::test]
async fn a_reject_is_a_dead_letter_with_all_that_is_needed_to_send_it_again() {
    let scene = Scene::new().await;
    scene.publish(3..4).await;
    let created = scene
        .connection
        .stream_created(Stream::Chunks)
        .await
        .unwrap();
    let act = async |_, _| Err(Failure::reject("no such thing"));
    let hand = scene.worker(quick(), act).await;
    scene.until_count(Stream::Chunks, 0).await;
    let (letter, id) = scene.dead_letter(1).await;
    assert_eq!(id, message_id::dead(Stage::Uploader, created, 1));
    assert_eq!(letter.payload, prost::Message::encode_to_vec(&chunk(3)));
    assert_eq!(letter.message_id, message_id::ready(&chunk(3)));
    assert_eq!(letter.subject, "crispy.chunks.demo.front");
    assert_eq!(letter.stream, "CRISPY_CHUNKS");
    assert_eq!(
        (letter.stream_sequence, letter.stream_created_us),
        (1, created)
    );
    assert_eq!((letter.stage.as_str(), letter.deliveries), ("uploader", 1));
    assert_eq!(letter.kind(), Kind::Rejected);
    assert_eq!(letter.reason, "no such thing");
    assert_eq!(letter.producer.unwrap().instance, "host/1");
    let kept = |name: &str| letter.headers.iter().any(|header| header.name == name);
    assert!(kept("Crispy-Type") && kept("Nats-Msg-Id"));
    assert_eq!(hand.stop().await.buried, 1);
}

#[tokio::test]
async fn a_message_is_not_given_up_before_its_dead_letter_is_stored() {
    let scene = Scene::new().await;
    scene.lease(LEASE).await;
    let jetstream = scene.connection.jetstream();
    jetstream.delete_stream("CRISPY_DEAD").await.unwrap();
    scene.publish(0..1).await;
    let act = async |_, _| Err(Failure::reject("no such thing"));
    let mut hand = scene.worker(quick(), act).await;
    hand.next().await;
    // Longer than the lease: it is kept alive while its dead letter finds no stream.
    sleep(LEASE * 2).await;
    assert_eq!(scene.count(Stream::Chunks).await, 1);
    assert_eq!(hand.so_far(), []);
    scene.set_up().await;
    scene.until_count(Stream::Chunks, 0).await;
    assert_eq!(scene.count(Stream::Dead).await, 1);
    assert_eq!(hand.stop().await.buried, 1);
}

#[tokio::test]
async fn poison_bytes_go_to_a_dead_letter_and_block_nobody() {
    let scene = Scene::new().await;
    publish_raw(&scene, ChunkReady::TYPE, b"\xff\xff\xff").await;
    publish_raw(&scene, "", b"hello").await;
    scene.publish(0..1).await;
    let hand = scene.worker(quick(), async |_, _| Ok(())).await;
    scene.until_count(Stream::Chunks, 0).await;
    scene.until_count(Stream::Dead, 2).await;
    for sequence in 1..=2 {
        let (letter, _) = scene.dead_letter(sequence).await;
        assert_eq!(letter.kind(), Kind::Undecodable);
    }
    let drained = hand.stop().await;
    assert_eq!((drained.handled, drained.buried), (1, 2));
}

#[tokio::test]
async fn what_a_newer_version_sent_waits_for_it_and_is_never_given_up() {
    let scene = Scene::new().await;
    publish_raw(&scene, RunState::TYPE, b"").await;
    let needy = ChunkReady {
        needs: vec!["teleport".into()],
        ..chunk(0)
    };
    publish_raw(
        &scene,
        ChunkReady::TYPE,
        &prost::Message::encode_to_vec(&needy),
    )
    .await;
    let mut config = quick();
    config.limits.suspicion = 3;
    config.limits.longest_absence = Duration::from_millis(20);
    let hand = scene.worker(config, async |_, _| Ok(())).await;
    // Far beyond every limit there is.
    eventually(async || scene.consumer().await.delivered.consumer_sequence > 20).await;
    assert_eq!(scene.count(Stream::Dead).await, 0);
    assert_eq!(scene.count(Stream::Chunks).await, 2);
    let drained = hand.stop().await;
    assert_eq!((drained.handled, drained.buried), (0, 0));
}

#[tokio::test]
async fn retries_over_the_limit_end_in_one_dead_letter() {
    let scene = Scene::new().await;
    scene.publish(0..1).await;
    let act = async |_, _| Err(Failure::retry("never works"));
    let hand = scene.worker(quick(), act).await;
    scene.until_count(Stream::Chunks, 0).await;
    let (letter, _) = scene.dead_letter(1).await;
    assert_eq!(letter.kind(), Kind::RetriesSpent);
    assert_eq!(
        (letter.reason.as_str(), letter.deliveries),
        ("never works", 3)
    );
    assert!(letter.first_failure_us < letter.last_failure_us);
    assert_eq!(hand.stop().await.retried, 2);
}

#[tokio::test]
async fn many_retries_in_a_short_time_are_not_given_up() {
    let scene = Scene::new().await;
    scene.publish(0..1).await;
    let mut config = quick();
    config.limits = Limits {
        retrying: Duration::from_secs(600),
        ..config.limits
    };
    let act = async |_, _| Err(Failure::retry("not yet"));
    let mut hand = scene.worker(config, act).await;
    for attempt in 1..=20 {
        assert_eq!(hand.next().await.1.attempt, attempt);
    }
    assert_eq!(scene.count(Stream::Dead).await, 0);
}

#[tokio::test]
async fn a_message_that_nobody_lived_to_tell_of_is_given_up_unhandled() {
    let scene = Scene::new().await;
    scene.lease(Duration::from_millis(100)).await;
    scene.publish(0..1).await;
    let mut config = quick();
    config.limits.suspicion = 1;
    for _ in 0..3 {
        let stuck = async |_, _| std::future::pending().await;
        let mut hand = scene.worker(config.clone(), stuck).await;
        hand.next().await;
        // As a crash does: without a word.
        hand.task.abort();
    }
    let mut hand = scene.worker(config, async |_, _| Ok(())).await;
    scene.until_count(Stream::Chunks, 0).await;
    assert_eq!(scene.dead_letter(1).await.0.kind(), Kind::CrashGuard);
    assert_eq!(hand.so_far(), []);
}

#[tokio::test]
async fn a_message_that_waited_for_its_owner_150_times_is_handled_by_a_fresh_worker() {
    let scene = Scene::new().await;
    scene.publish(0..1).await;
    let mut config = quick();
    config.limits.longest_absence = Duration::from_millis(2);
    let away = async |_, _| Err(Failure::owner("s1", "host is away"));
    let mut hand = scene.worker(config.clone(), away).await;
    while hand.next().await.1.deliveries < 150 {}
    hand.stop().await;
    let mut fresh = scene.worker(config, async |_, _| Ok(())).await;
    assert!(fresh.next().await.1.deliveries > 150);
    scene.until_count(Stream::Chunks, 0).await;
    assert_eq!(scene.count(Stream::Dead).await, 0);
    assert_eq!(scene.count(Stream::Suspects).await, 0);
    assert_eq!(fresh.stop().await.handled, 1);
}

#[tokio::test]
async fn a_worker_that_is_stopped_in_mid_handling_accuses_nobody() {
    let scene = Scene::new().await;
    scene.publish(0..1).await;
    let mut config = quick();
    config.grace = Duration::from_millis(50);
    (config.limits.suspicion, config.limits.deaths) = (1, 1);
    let stuck = async |_, _| std::future::pending().await;
    let mut hand = scene.worker(config.clone(), stuck).await;
    hand.next().await;
    assert_eq!(scene.count(Stream::Suspects).await, 1, "it is marked");
    assert_eq!(hand.stop().await.handed_back, 1);
    let fresh = scene.worker(config, async |_, _| Ok(())).await;
    scene.until_count(Stream::Chunks, 0).await;
    assert_eq!(fresh.stop().await.handled, 1);
}

#[tokio::test]
async fn a_handler_that_takes_three_leases_is_not_disturbed() {
    let scene = Scene::new().await;
    scene.lease(LEASE).await;
    scene.publish(0..4).await;
    let slow = async |_, _| {
        sleep(LEASE * 3).await;
        Ok(())
    };
    let hand = scene.worker(quick(), slow).await;
    let other = scene.worker(quick(), async |_, _| Ok(())).await;
    scene.until_count(Stream::Chunks, 0).await;
    assert_eq!(scene.consumer().await.delivered.consumer_sequence, 4);
    assert_eq!(hand.stop().await.handled + other.stop().await.handled, 4);
}

#[tokio::test]
async fn a_worker_that_dies_before_its_ack_leaves_its_message_to_another() {
    let scene = Scene::new().await;
    scene.lease(LEASE).await;
    scene.publish(0..1).await;
    let stuck = async |_, _| std::future::pending().await;
    let mut first = scene.worker(quick(), stuck).await;
    first.next().await;
    first.task.abort();
    let mut second = scene.worker(quick(), async |_, _| Ok(())).await;
    let (_, delivery) = second.next().await;
    assert_eq!(delivery.deliveries, 2);
    assert!(delivery.is_repeated());
    scene.until_count(Stream::Chunks, 0).await;
}

#[tokio::test]
async fn a_stopping_worker_finishes_what_runs_and_hands_back_what_does_not() {
    let scene = Scene::new().await;
    scene.publish(0..10).await;
    let gate = Arc::new(Semaphore::new(0));
    let passing = Arc::clone(&gate);
    let act = move |chunk: ChunkReady, _| {
        let gate = Arc::clone(&passing);
        async move {
            // Half of them never finish.
            if chunk.id.unwrap().sequence.is_multiple_of(2) {
                std::future::pending::<()>().await;
            }
            gate.acquire().await.unwrap().forget();
            Ok(())
        }
    };
    let mut config = quick();
    config.grace = Duration::from_millis(500);
    let mut hand = scene.worker(config, act).await;
    for _ in 0..8 {
        hand.next().await;
    }
    hand.stop.cancel();
    gate.add_permits(4);
    let drained = hand.stop().await;
    assert_eq!((drained.handled, drained.handed_back), (4, 4));
    // Not when their lease of 30 s is over: at once.
    let begun = Instant::now();
    let other = scene.worker(quick(), async |_, _| Ok(())).await;
    scene.until_count(Stream::Chunks, 0).await;
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(other.stop().await.handled, 6);
}

#[tokio::test]
async fn a_worker_whose_server_is_dead_stops_within_its_grace() {
    let mut scene = Scene::new().await;
    scene.publish(0..1).await;
    let mut config = quick();
    config.grace = Duration::from_secs(1);
    let never = async |_, _| std::future::pending().await;
    let mut hand = scene.worker(config, never).await;
    hand.next().await;
    scene.server.kill9();
    let mut link = hand.connection.state();
    link.wait_for(|link| !link.connected).await.unwrap();
    let (begun, connection) = (Instant::now(), hand.connection.clone());
    assert_eq!(hand.stop().await.handed_back, 1);
    connection.close().await;
    // Both would wait 2 s for an answer.
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn a_worker_never_holds_more_than_it_has_hands_for() {
    let scene = Scene::new().await;
    scene.publish(0..100).await;
    let gate = Arc::new(Semaphore::new(0));
    let passing = Arc::clone(&gate);
    let act = move |_, _| {
        let gate = Arc::clone(&passing);
        async move {
            gate.acquire().await.unwrap().forget();
            Ok(())
        }
    };
    let mut hand = scene.worker(quick(), act).await;
    for round in 0..10 {
        for _ in 0..8 {
            hand.next().await;
        }
        let info = scene.consumer().await;
        assert!(
            info.num_ack_pending <= 16,
            "round {round}: {}",
            info.num_ack_pending
        );
        gate.add_permits(8);
    }
    gate.add_permits(20);
    scene.until_count(Stream::Chunks, 0).await;
    assert_eq!(hand.stop().await.handled, 100);
}

#[tokio::test]
async fn an_absent_destination_pauses_everything_and_costs_no_message_anything() {
    let scene = Scene::new().await;
    scene.lease(LEASE).await;
    scene.publish(0..50).await;
    let (here, calls) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let (at_work, at_probe) = (Arc::clone(&here), Arc::clone(&here));
    let counting = Arc::clone(&calls);
    let act = move |_, _| {
        counting.fetch_add(1, Ordering::SeqCst);
        let here = at_work.load(Ordering::SeqCst);
        async move {
            match here {
                true => Ok(()),
                false => Err(Failure::destination("the bucket is away")),
            }
        }
    };
    let probe = move || at_probe.load(Ordering::SeqCst);
    let mut hand = scene.worker_with_probe(quick(), act, probe).await;
    let state = hand.state.clone();
    eventually(async || !state.borrow().destination).await;
    sleep(LEASE * 2).await;
    let tried = calls.load(Ordering::SeqCst);
    assert!(
        tried <= 16,
        "{tried} attempts while it was known to be away"
    );
    here.store(true, Ordering::SeqCst);
    scene.until_count(Stream::Chunks, 0).await;
    assert!(hand.state.borrow_and_update().destination);
    let info = scene.consumer().await;
    assert_eq!(
        info.delivered.consumer_sequence, 50,
        "each was delivered once"
    );
    assert_eq!(scene.count(Stream::Dead).await, 0);
    let drained = hand.stop().await;
    assert_eq!((drained.handled, drained.retried), (50, 0));
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
                true => Err(Failure::owner("s1", "its host is away")),
                false => Ok(()),
            }
        }
    };
    let hand = scene.worker(quick(), act).await;
    scene.until_count(Stream::Chunks, 90).await;
    home.store(true, Ordering::SeqCst);
    scene.until_count(Stream::Chunks, 0).await;
    assert_eq!(hand.stop().await.buried, 0);
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
    scene.set_up().await;
    eventually(async || state.borrow().bound).await;
    let created = scene
        .connection
        .stream_created(Stream::Chunks)
        .await
        .unwrap();
    scene.publish(5..6).await;
    let (sequence, delivery) = hand.next().await;
    assert_eq!((sequence, delivery.stream_created_us), (5, created));
}

#[tokio::test]
async fn a_message_is_handled_a_moment_after_it_was_published() {
    let scene = Scene::new().await;
    let mut hand = scene.worker(quick(), async |_, _| Ok(())).await;
    let mut delays = Vec::new();
    for sequence in 0..50 {
        let begun = Instant::now();
        scene.publish(sequence..sequence + 1).await;
        hand.next().await;
        delays.push(begun.elapsed());
    }
    delays.sort();
    // Half a millisecond when nothing else runs; this bound catches a worker that polls.
    assert!(delays[25] < Duration::from_millis(50), "{:?}", delays[25]);
}

#[tokio::test]
async fn workers_of_one_durable_share_its_work() {
    let scene = Scene::new().await;
    let act = async |_, _| {
        sleep(Duration::from_millis(10)).await;
        Ok(())
    };
    let config = WorkerConfig {
        concurrency: 2,
        ..quick()
    };
    let hands = [
        scene.worker(config.clone(), act).await,
        scene.worker(config, act).await,
    ];
    scene.publish(0..40).await;
    scene.until_count(Stream::Chunks, 0).await;
    for hand in hands {
        let handled = hand.stop().await.handled;
        assert!(handled >= 10, "{handled} of 40");
    }
}

async fn publish_raw(scene: &Scene, type_name: &str, payload: &[u8]) {
    let mut headers = async_nats::HeaderMap::new();
    if !type_name.is_empty() {
        headers.insert("Crispy-Type", type_name);
    }
    let subject = scene.connection.subjects().chunks(&camera()).to_string();
    let published = scene.connection.jetstream().publish_with_headers(
        subject,
        headers,
        Bytes::copy_from_slice(payload),
    );
    published.await.unwrap().await.unwrap();
}
