//! The faults, from a client's point of view.

use std::{net::TcpStream, time::Duration};

use crispy_testbed::{
    GcsServer,
    gcs::{Effect, Fault},
};
use object_store::{ObjectStoreExt, path::Path};

use crate::client::{by_hand, client, create};

const KEY: &str = "v1/key";

fn large() -> Vec<u8> {
    vec![7; 1_500_000]
}

fn puts(harm: Effect) -> Fault {
    Fault::new(harm).on_method("PUT").times(1)
}

/// The error of a failed create, and the number of objects afterwards.
async fn fails(gcs: &GcsServer, harm: Effect) -> (String, u64) {
    gcs.inject(puts(harm));
    let error = create(&client(gcs), KEY, large()).await.unwrap_err();
    (format!("{error:?}"), gcs.counts().created)
}

#[tokio::test]
async fn a_status_is_answered_and_nothing_stored() {
    for (status, word) in [
        (503, "ServiceUnavailable"),
        (429, "SlowDown"),
        (403, "AccessDenied"),
        (500, "InternalError"),
    ] {
        let gcs = GcsServer::start();
        let (error, created) = fails(&gcs, Effect::Status(status)).await;
        assert!(error.contains(word), "{error}");
        assert_eq!(created, 0);
        create(&client(&gcs), KEY, large()).await.unwrap();
    }
}

#[tokio::test]
async fn closed_billing_and_retry_after_match_googles_responses() {
    let gcs = GcsServer::start();
    let (error, _) = fails(&gcs, Effect::BillingClosed).await;
    assert!(error.contains("UserProjectAccountProblem"), "{error}");
    gcs.inject(puts(Effect::StatusRetryAfter(429, Duration::from_secs(7))));
    let answer = by_hand(
        &gcs,
        &format!("PUT /{}/{KEY}", GcsServer::BUCKET),
        &[],
        b"x",
    );
    assert!(
        answer.starts_with("HTTP/1.1 429") && answer.contains("retry-after: 7\r\n"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_black_hole_never_answers() {
    let gcs = GcsServer::start();
    let (error, created) = fails(&gcs, Effect::BlackHole).await;
    assert!(
        error.contains("imed out") || error.contains("TimedOut"),
        "{error}"
    );
    assert_eq!(created, 0);
    assert_eq!(gcs.requests()[0].status, None);
}

#[tokio::test]
async fn a_delayed_request_of_a_disconnected_client_is_dropped() {
    let gcs = GcsServer::start();
    let (_, created) = fails(&gcs, Effect::DelayRequest(Duration::from_secs(3600))).await;
    assert_eq!(created, 0);
    let (_, created) = fails(&gcs, Effect::DelayResponse(Duration::from_secs(3600))).await;
    assert_eq!(created, 1, "a delayed response follows the write");
}

#[tokio::test]
async fn a_response_is_lost_after_the_object_is_stored() {
    let gcs = GcsServer::start();
    let (error, created) = fails(&gcs, Effect::LoseResponse).await;
    assert!(
        error.contains("Http") || error.contains("connection"),
        "{error}"
    );
    assert_eq!(created, 1);
}

#[tokio::test]
async fn a_commit_can_be_answered_as_a_failure() {
    let gcs = GcsServer::start();
    let (error, created) = fails(&gcs, Effect::CommitThenStatus(503)).await;
    assert!(error.contains("503"), "{error}");
    assert_eq!(created, 1);
}

#[tokio::test]
async fn a_flipped_bit_fails_the_checksum() {
    let gcs = GcsServer::start();
    gcs.inject(puts(Effect::FlipBit).times(2));
    let path = format!("PUT /{}/{KEY}", GcsServer::BUCKET);
    let answer = by_hand(&gcs, &path, &["x-goog-hash: crc32c=4waSgw=="], b"123456789");
    assert!(answer.contains("<Code>BadDigest</Code>"), "{answer}");
    // Without a checksum the damaged object is stored.
    create(&client(&gcs), KEY, large()).await.unwrap();
    let found = client(&gcs)
        .get(&Path::from(KEY))
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    assert_eq!(found.iter().filter(|byte| **byte != 7).count(), 1);
}

#[tokio::test]
async fn an_upload_is_reset_halfway() {
    let gcs = GcsServer::start();
    let (_, created) = fails(&gcs, Effect::ResetRequest(100_000)).await;
    assert_eq!(created, 0);
    assert_eq!(gcs.requests()[0].status, None);
}

#[tokio::test]
async fn a_download_breaks_off_halfway() {
    let gcs = GcsServer::start();
    let store = client(&gcs);
    create(&store, KEY, large()).await.unwrap();
    gcs.inject(Fault::new(Effect::TruncateResponse(100_000)).on_method("GET"));
    let answer = by_hand(&gcs, &format!("GET /{}/{KEY}", GcsServer::BUCKET), &[], b"");
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    assert!(answer.contains("content-length: 1500000"));
    assert_eq!(body.len(), 100_000);
}

#[tokio::test]
async fn a_server_restarts_with_its_objects() {
    let gcs = GcsServer::start();
    let store = client(&gcs);
    create(&store, KEY, "x").await.unwrap();
    gcs.go_down();
    assert!(TcpStream::connect(gcs.address()).is_err());
    assert!(store.head(&Path::from(KEY)).await.is_err());
    gcs.come_back();
    assert!(store.head(&Path::from(KEY)).await.is_ok());
}

#[tokio::test]
async fn faults_end_when_they_are_cleared() {
    let gcs = GcsServer::start();
    gcs.inject(Fault::new(Effect::Status(503)));
    let store = client(&gcs);
    assert!(create(&store, KEY, "x").await.is_err());
    gcs.clear_faults();
    create(&store, KEY, "x").await.unwrap();
    gcs.wait_for_requests(2).await;
    let statuses: Vec<_> = gcs.requests().iter().map(|asked| asked.status).collect();
    assert_eq!(statuses, [Some(503), Some(200)]);
}

#[tokio::test]
async fn a_server_is_gone_when_its_owner_is() {
    let gcs = GcsServer::start();
    let address = gcs.address();
    drop(gcs);
    assert!(TcpStream::connect(address).is_err());
}
