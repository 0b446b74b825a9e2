//! A server that dies and comes back, with several workers on one durable.

use std::{collections::BTreeSet, time::Duration};

use crispy_queue::{Stream, WorkerConfig};
use tokio::time::{Instant, sleep};

use crate::scene::{Scene, chunk, publish, quick};

/// How long any worker may be silent once the server is back.
const SILENCE: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_worker_of_a_durable_works_again_within_three_seconds_of_a_killed_server() {
    let mut scene = Scene::new().await;
    let config = WorkerConfig {
        concurrency: 5,
        ..quick()
    };
    let mut hands = Vec::new();
    for _ in 0..4 {
        hands.push(scene.worker(config.clone(), async |_, _| Ok(())).await);
    }
    let publisher = scene.publisher().await;
    let connection = scene.connection.clone();
    let publishing = tokio::spawn(async move {
        for sequence in 0..4000 {
            publish(&publisher, &connection, &chunk(sequence)).await;
            sleep(Duration::from_millis(2)).await;
        }
    });
    let mut handled = BTreeSet::new();
    for _ in 0..2 {
        sleep(Duration::from_secs(1)).await;
        scene.server.kill9();
        sleep(Duration::from_secs(1)).await;
        for hand in &mut hands {
            handled.extend(hand.so_far().into_iter().map(|(sequence, _)| sequence));
        }
        scene.server.restart();
        let back = Instant::now();
        sleep(SILENCE).await;
        for hand in &mut hands {
            let heard = hand.so_far();
            let first = heard.iter().map(|(_, at)| *at).find(|at| *at > back);
            let first = first.expect("every worker is heard of within three seconds");
            assert!(first.duration_since(back) < SILENCE);
            handled.extend(heard.into_iter().map(|(sequence, _)| sequence));
        }
    }
    publishing.await.unwrap();
    scene.until_count(Stream::Chunks, 0).await;
    for hand in &mut hands {
        handled.extend(hand.so_far().into_iter().map(|(sequence, _)| sequence));
    }
    assert!(handled.into_iter().eq(0..4000), "nothing is lost");
    assert_eq!(scene.count(Stream::Dead).await, 0);
}
