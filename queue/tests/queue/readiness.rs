//! Whether a daemon can work, told by events.

use crispy_jetstream::{NotReady, Readiness, Stall};
use crispy_queue::Stream;
use tokio::time::timeout;

use crate::scene::{PATIENCE, Scene, chunk, publish, quick};

/// Waits for news until something is so; nothing is looked at between them.
async fn until(readiness: &mut Readiness, is_so: impl Fn(&[NotReady]) -> bool) -> Vec<NotReady> {
    let waiting = async {
        loop {
            let reasons = readiness.reasons();
            if is_so(&reasons) {
                return reasons;
            }
            readiness.changed().await;
        }
    };
    timeout(PATIENCE, waiting).await.expect("it came about")
}

fn text(reasons: &[NotReady]) -> String {
    let lines: Vec<String> = reasons.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

#[tokio::test]
async fn a_worker_is_ready_but_for_the_time_that_its_server_or_its_stream_is_away() {
    let mut scene = Scene::new().await;
    let hand = scene.worker(quick(), async |_, _| Ok(())).await;
    hand.connection.publisher().await;
    let mut readiness = hand.readiness.clone();
    until(&mut readiness, <[_]>::is_empty).await;

    scene.server.kill9();
    let lost = until(&mut readiness, |reasons| reasons.len() >= 2).await;
    let url = scene.server.url();
    for role in ["consuming", "publishing"] {
        let line = format!("no connection to NATS at {url} for {role}: reconnecting");
        assert!(text(&lost).contains(&line), "{}", text(&lost));
    }
    scene.server.restart();
    until(&mut readiness, <[_]>::is_empty).await;

    let jetstream = scene.connection.jetstream().clone();
    jetstream.delete_stream("CRISPY_CHUNKS").await.unwrap();
    let unbound = until(&mut readiness, |reasons| !reasons.is_empty()).await;
    assert!(
        text(&unbound).contains("CRISPY_CHUNKS"),
        "{}",
        text(&unbound)
    );
    scene.set_up().await;
    until(&mut readiness, <[_]>::is_empty).await;
    hand.stop().await;
}

#[tokio::test]
async fn what_cannot_be_published_is_named_by_its_stream_until_nobody_tries() {
    let scene = Scene::new().await;
    let publisher = scene.publisher().await;
    let mut readiness = scene.connection.readiness();
    let jetstream = scene.connection.jetstream();
    jetstream.delete_stream("CRISPY_CHUNKS").await.unwrap();
    let connection = scene.connection.clone();
    let trying = tokio::spawn(async move { publish(&publisher, &connection, &chunk(0)).await });
    let expected = NotReady::Stalled {
        stream: Stream::Chunks.name(scene.connection.prefix()),
        stall: Stall::NoStream,
    };
    until(&mut readiness, |reasons| reasons.contains(&expected)).await;
    trying.abort();
    until(&mut readiness, <[_]>::is_empty).await;
}
