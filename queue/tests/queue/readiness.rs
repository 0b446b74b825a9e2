//! Readiness, driven by events.

use crispy_jetstream::{NotReady, Readiness, Stall};
use crispy_queue::Stream;
use tokio::time::timeout;

use crate::fixture::{Fixture, TIMEOUT, chunk, publish, quick_config};

/// Waits until a condition holds. Checks it only after a change.
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
    timeout(TIMEOUT, waiting)
        .await
        .expect("the condition holds")
}

fn text(reasons: &[NotReady]) -> String {
    let lines: Vec<String> = reasons.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

#[tokio::test]
async fn a_worker_is_unready_without_its_server_or_stream() {
    let mut fixture = Fixture::new().await;
    let worker = fixture.worker(quick_config(), async |_, _| Ok(())).await;
    worker.connection.publisher().await;
    let mut readiness = worker.readiness.clone();
    until(&mut readiness, <[_]>::is_empty).await;

    fixture.server.kill9();
    let lost = until(&mut readiness, |reasons| reasons.len() >= 2).await;
    let url = fixture.server.url();
    for role in ["consuming", "publishing"] {
        let line = format!("no connection to NATS at {url} for {role}: reconnecting");
        assert!(text(&lost).contains(&line), "{}", text(&lost));
    }
    fixture.server.restart();
    until(&mut readiness, <[_]>::is_empty).await;

    let jetstream = fixture.connection.jetstream().clone();
    jetstream.delete_stream("CRISPY_CHUNKS").await.unwrap();
    let unbound = until(&mut readiness, |reasons| !reasons.is_empty()).await;
    assert!(
        text(&unbound).contains("CRISPY_CHUNKS"),
        "{}",
        text(&unbound)
    );
    fixture.set_up().await;
    until(&mut readiness, <[_]>::is_empty).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_stalled_publish_is_reported_by_its_stream() {
    let fixture = Fixture::new().await;
    let publisher = fixture.publisher().await;
    let mut readiness = fixture.connection.readiness();
    let jetstream = fixture.connection.jetstream();
    jetstream.delete_stream("CRISPY_CHUNKS").await.unwrap();
    let connection = fixture.connection.clone();
    let trying = tokio::spawn(async move { publish(&publisher, &connection, &chunk(0)).await });
    let expected = NotReady::Stalled {
        stream: Stream::Chunks.name(fixture.connection.prefix()),
        stall: Stall::NoStream,
    };
    until(&mut readiness, |reasons| reasons.contains(&expected)).await;
    trying.abort();
    until(&mut readiness, <[_]>::is_empty).await;
}
