//! Puts under failures of Google's service or of the network, by faults of the simulator.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use crispy_bucket::{Bucket, BucketOptions, Lookup, Metadata, Put};
use crispy_checksum::Checksums;
use crispy_fault::{Fault, Kind};
use crispy_testbed::{
    GcsServer,
    gcs::{self, Effect, Options, Permission},
};

const KEY: &str = "v1/demo/front/chunk.mp4";
const BYTES: &[u8] = b"some bytes of video";

/// The kind of a failure; `ok` without one.
fn kind<T>(result: &Result<T, Fault>) -> &'static str {
    let fault = result.as_ref().err();
    fault.map_or("ok", |fault| fault.kind().as_str())
}

fn bucket(server: &GcsServer) -> Bucket {
    let options = BucketOptions::new().with_variable("STORAGE_EMULATOR_HOST", server.url());
    // A short timeout, so that tests are fast.
    let options = options.with_option("answer_timeout=500ms").unwrap();
    Bucket::open_with(&format!("gs://{}/site", GcsServer::BUCKET), &options).unwrap()
}

async fn put(bucket: &Bucket) -> Result<Put, Fault> {
    put_bytes(bucket, BYTES).await
}

async fn put_bytes(bucket: &Bucket, bytes: &'static [u8]) -> Result<Put, Fault> {
    let sums = Checksums::new(bytes);
    bucket
        .put_once(KEY, bytes.into(), &sums, &Metadata::new())
        .await
}

async fn lookup(bucket: &Bucket) -> Result<Lookup, Fault> {
    let sums = Checksums::new(BYTES);
    bucket.lookup(KEY, BYTES.len() as u64, &sums.sha256).await
}

/// The whole text of a fault in a log.
fn text(fault: &Fault) -> String {
    format!("{fault:#}")
}

#[tokio::test]
async fn a_put_with_a_lost_answer_is_found_done() {
    for effect in [
        Effect::LoseResponse,
        Effect::CommitThenStatus(503),
        Effect::CommitThenStatus(500),
        Effect::DelayResponse(Duration::from_secs(20)),
    ] {
        let server = GcsServer::start();
        let bucket = bucket(&server);
        server.inject(gcs::Fault::new(effect).on_method("PUT").times(1));
        let Ok(Put::AlreadyMine { generation }) = put(&bucket).await else {
            panic!("{effect:?}")
        };
        assert!(!generation.is_empty());
        assert_eq!(bucket.head(KEY).await.unwrap().generation, generation);
        assert_eq!(server.counts().created, 1, "{effect:?}");
        assert_eq!(server.counts().overwritten, 0, "{effect:?}");
    }
}

#[tokio::test]
async fn a_passing_error_is_transient_and_the_next_put_stores() {
    let mut effects = vec![Effect::BlackHole, Effect::ResetRequest(5)];
    effects.extend([408, 429, 500, 502, 503, 504].map(Effect::Status));
    for effect in effects {
        let server = GcsServer::start();
        let bucket = bucket(&server);
        server.inject(gcs::Fault::new(effect).on_method("PUT").times(1));
        let begun = Instant::now();
        let refused = put(&bucket).await.unwrap_err();
        assert!(refused.is_transient(), "{effect:?}: {refused:?}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{effect:?}");
        let puts = server
            .requests()
            .into_iter()
            .filter(|asked| asked.method == "PUT");
        assert_eq!(puts.count(), 1, "{effect:?}: hidden retries");
        let stored = put(&bucket).await;
        assert!(
            matches!(stored, Ok(Put::Stored { .. })),
            "{effect:?}: {stored:?}"
        );
    }
}

#[tokio::test]
async fn retry_after_is_reported_up_to_a_minute() {
    let server = GcsServer::start();
    let bucket = bucket(&server);
    for (seconds, expected) in [(7, 7), (3600, 60)] {
        server.clear_faults();
        server.inject(gcs::Fault::new(Effect::StatusRetryAfter(
            503,
            Duration::from_secs(seconds),
        )));
        let expected = Some(Duration::from_secs(expected));
        assert_eq!(put(&bucket).await.unwrap_err().retry_after(), expected);
        assert_eq!(lookup(&bucket).await.unwrap_err().retry_after(), expected);
    }
}

#[tokio::test]
async fn bytes_that_change_on_the_way_are_refused_and_sent_again() {
    let server = GcsServer::start();
    let bucket = bucket(&server);
    server.inject(gcs::Fault::new(Effect::FlipBit).on_method("PUT").times(1));
    let refused = put(&bucket).await.unwrap_err();
    assert!(*refused.kind() == Kind::Corrupt, "{refused:?}");
    assert!(text(&refused).contains("BadDigest"), "{}", text(&refused));
    assert_eq!(server.counts().created, 0);
    assert!(matches!(&put(&bucket).await, Ok(Put::Stored { .. })));
    assert_eq!(bucket.get_range(KEY, 0..100).await.unwrap(), BYTES);
}

#[tokio::test]
async fn errors_of_every_object_are_outages_with_a_hint() {
    for (effect, words) in [
        (Effect::Status(401), "GOOGLE_APPLICATION_CREDENTIALS"),
        (Effect::Status(403), "roles/storage.objectCreator"),
        (Effect::BillingClosed, "billing"),
        (Effect::Status(404), "make the bucket"),
        (Effect::Status(405), "endpoint"),
    ] {
        let server = GcsServer::start();
        let bucket = bucket(&server);
        server.inject(gcs::Fault::new(effect).on_method("PUT"));
        let refused = put(&bucket).await.unwrap_err();
        assert!(refused.is_unavailable(), "{effect:?}: {refused:?}");
        assert!(
            text(&refused).contains(words),
            "{effect:?}: {}",
            text(&refused)
        );
        // Reads succeed, but the probe must fail.
        assert!(bucket.check_writable(0).await.is_err(), "{effect:?}");
        server.clear_faults();
        bucket.check_writable(0).await.unwrap();
        assert_eq!(
            server.counts().created,
            0,
            "{effect:?}: the probe created an object"
        );
    }
}

#[tokio::test]
async fn an_unreachable_server_is_an_outage_until_it_returns() {
    let server = GcsServer::start();
    let bucket = bucket(&server);
    let _ = put(&bucket).await.unwrap();
    server.go_down();
    assert!(kind(&put(&bucket).await) == "unavailable");
    assert!(kind(&lookup(&bucket).await) == "unavailable");
    assert!(kind(&bucket.list("").await) == "unavailable");
    assert!(kind(&bucket.check_writable(0).await) == "unavailable");
    server.come_back();
    bucket.check_writable(0).await.unwrap();
    assert!(matches!(&put(&bucket).await, Ok(Put::AlreadyMine { .. })));
}

#[tokio::test]
async fn the_check_names_the_missing_right() {
    let server = GcsServer::start();
    let bucket = bucket(&server);
    for (rights, missing) in [
        (
            &[Permission::Get, Permission::List][..],
            "roles/storage.objectCreator",
        ),
        (
            &[Permission::Create, Permission::List],
            "storage.objects.get",
        ),
        (
            &[Permission::Create, Permission::Get],
            "storage.objects.list",
        ),
        (&[], "storage.objects.create"),
    ] {
        server.allow(rights);
        let refused = bucket.check_writable(0).await.unwrap_err();
        assert!(refused.is_unavailable(), "{rights:?}: {refused:?}");
        assert!(
            text(&refused).contains(missing),
            "{rights:?}: {}",
            text(&refused)
        );
    }
    server.allow(&[Permission::Create, Permission::Get, Permission::List]);
    bucket.check_writable(0).await.unwrap();
    assert!(matches!(&put(&bucket).await, Ok(Put::Stored { .. })));
    assert!(matches!(
        put_bytes(&bucket, b"other").await,
        Ok(Put::Foreign(_))
    ));
    assert_eq!(
        server.keys(GcsServer::BUCKET).unwrap(),
        [format!("site/{KEY}")]
    );
}

/// In both orders of right and condition.
#[tokio::test]
async fn a_writer_that_may_not_overwrite_learns_the_content() {
    for conditions_before_permissions in [true, false] {
        let server = GcsServer::start_with(Options {
            conditions_before_permissions,
            ..Options::default()
        });
        let bucket = bucket(&server);
        server.allow(&[Permission::Create, Permission::Get, Permission::List]);
        bucket.check_writable(0).await.unwrap();
        assert!(matches!(&put(&bucket).await, Ok(Put::Stored { .. })));
        assert!(matches!(&put(&bucket).await, Ok(Put::AlreadyMine { .. })));
        assert!(matches!(
            put_bytes(&bucket, b"other").await,
            Ok(Put::Foreign(_))
        ));
    }
}

/// Who may not list is told that an object which is not there is forbidden. That must not be taken
/// for absence, since a chunk that is called gone is given up.
#[tokio::test]
async fn an_object_that_may_exist_is_never_called_absent() {
    let server = GcsServer::start();
    let bucket = bucket(&server);
    server.allow(&[Permission::Create, Permission::Get]);
    assert!(kind(&lookup(&bucket).await) == "unavailable");
    server.allow(&Permission::ALL);
    assert_eq!(lookup(&bucket).await.unwrap(), Lookup::Absent);
    // A HEAD has no body: a missing bucket looks like a missing object.
    let options = BucketOptions::new().with_variable("STORAGE_EMULATOR_HOST", server.url());
    let missing = Bucket::open_with("gs://no-such-bucket", &options).unwrap();
    let refused = lookup(&missing).await.unwrap_err();
    assert!(refused.is_unavailable(), "{refused:?}");
    assert!(
        text(&refused).contains("NoSuchBucket"),
        "{}",
        text(&refused)
    );
}

#[tokio::test]
async fn a_store_that_ignores_preconditions_is_detected_and_never_overwritten() {
    let server = GcsServer::start_with(Options {
        preconditions: false,
        ..Options::default()
    });
    let bucket = bucket(&server);
    bucket.check_writable(0).await.unwrap();
    let before = server.counts();
    assert!(matches!(&put(&bucket).await, Ok(Put::Stored { .. })));
    assert!(matches!(&put(&bucket).await, Ok(Put::AlreadyMine { .. })));
    assert!(matches!(
        put_bytes(&bucket, b"other").await,
        Ok(Put::Foreign(_))
    ));
    assert_eq!(server.counts().created, before.created + 1);
    assert_eq!(server.counts().overwritten, before.overwritten);
    assert_eq!(
        bucket.list("").await.unwrap().len(),
        1,
        "the probe is listed"
    );
}

#[tokio::test]
async fn refused_metadata_is_no_outage() {
    let server = GcsServer::start();
    let bucket = bucket(&server);
    server.inject(gcs::Fault::new(Effect::Status(413)).on_method("PUT"));
    let refused = put(&bucket).await.unwrap_err();
    assert!(*refused.kind() == Kind::Rejected, "{refused:?}");
}

#[tokio::test]
async fn a_truncated_answer_is_transient() {
    let server = GcsServer::start();
    let bucket = bucket(&server);
    let _ = put(&bucket).await.unwrap();
    server.inject(
        gcs::Fault::new(Effect::TruncateResponse(4))
            .on_method("GET")
            .times(1),
    );
    let broken = bucket.get_range(KEY, 0..100).await;
    assert!(kind(&broken) == "transient", "{broken:?}");
    assert_eq!(bucket.get_range(KEY, 0..100).await.unwrap(), BYTES);
}

#[tokio::test]
async fn a_media_link_leads_to_the_bytes_of_this_generation() {
    let server = GcsServer::start();
    let bucket = bucket(&server);
    let Put::Stored { generation } = put(&bucket).await.unwrap() else {
        panic!("not stored")
    };
    let link = bucket.media_link(KEY, &generation);
    let path = link.strip_prefix(server.url()).unwrap();
    let mut stream = TcpStream::connect(server.address()).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{link}");
    assert!(answer.ends_with(BYTES), "{link}");
}

/// The store's own checksum decides, whether a writer or the store kept metadata without its bytes.
#[tokio::test]
async fn an_object_that_contradicts_its_metadata_is_foreign() {
    let server = GcsServer::start();
    let bucket = bucket(&server);
    let sums = Checksums::new(BYTES);
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let other = [b'x'; BYTES.len()];
    write!(
        stream,
        "PUT /{}/site/{KEY} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\nx-goog-meta-sha256: {}\r\nx-goog-meta-crc32c: {}\r\n\r\n",
        GcsServer::BUCKET,
        other.len(),
        sums.sha256_hex(),
        sums.crc32c_hex()
    )
    .unwrap();
    stream.write_all(&other).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let found = lookup(&bucket).await.unwrap();
    assert!(matches!(found, Lookup::Foreign(_)), "{found:?}");
    assert!(matches!(&put(&bucket).await, Ok(Put::Foreign(_))));
}

#[tokio::test]
async fn keys_of_other_prefixes_are_not_listed() {
    let server = GcsServer::start();
    let options = BucketOptions::new().with_variable("STORAGE_EMULATOR_HOST", server.url());
    let open = |prefix: &str| {
        let url = format!("gs://{}/{prefix}", GcsServer::BUCKET);
        Bucket::open_with(&url, &options).unwrap()
    };
    let (one, other) = (open("site"), open("site-2/"));
    let _ = put(&one).await.unwrap();
    let _ = put(&other).await.unwrap();
    for bucket in [&one, &other] {
        let listed = bucket.list("v1").await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].key, KEY);
    }
    assert_eq!(open("si").list("").await.unwrap(), []);
}

#[tokio::test]
async fn a_put_overwritten_before_its_verification_is_not_called_stored() {
    let server = GcsServer::start_with(Options {
        preconditions: false,
        put_returns_generation: false,
        ..Options::default()
    });
    let (slow, fast) = (bucket(&server), bucket(&server));
    let late = Effect::DelayResponse(Duration::from_millis(300));
    server.inject(gcs::Fault::new(late).on_method("PUT").times(1));
    let slow = tokio::spawn(async move { put(&slow).await });
    server.wait_for_requests(1).await;
    while server.counts().created == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let overwrites = put_bytes(&fast, b"other").await;
    assert!(matches!(overwrites, Ok(Put::Stored { .. })));
    let slow = slow.await.unwrap();
    assert!(matches!(slow, Ok(Put::Foreign(_))), "{slow:?}");
}
