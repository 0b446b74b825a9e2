//! What a put does where Google's service, or the way there, does not do its part: the simulator is told what shall go wrong.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::{
    error::Error,
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use crispy_bucket::{Bucket, BucketOptions, GetError, Lookup, Metadata, Put, PutError};
use crispy_checksum::Checksums;
use crispy_testbed::{
    GcsServer,
    gcs::{Effect, Fault, Options, Permission},
};

const KEY: &str = "v1/demo/front/chunk.mp4";
const BYTES: &[u8] = b"some bytes of video";

fn bucket(server: &GcsServer) -> Bucket {
    let options = BucketOptions::new().with_variable("STORAGE_EMULATOR_HOST", server.url());
    // Impatient, so that tests are not slow.
    let options = options.with_option("answer_timeout=500ms").unwrap();
    Bucket::open_with(&format!("gs://{}/site", GcsServer::BUCKET), &options).unwrap()
}

async fn put(bucket: &Bucket) -> Result<Put, PutError> {
    put_bytes(bucket, BYTES).await
}

async fn put_bytes(bucket: &Bucket, bytes: &'static [u8]) -> Result<Put, PutError> {
    let sums = Checksums::new(bytes);
    bucket
        .put_once(KEY, bytes.into(), &sums, &Metadata::new())
        .await
}

async fn lookup(bucket: &Bucket) -> Result<Lookup, GetError> {
    let sums = Checksums::new(BYTES);
    bucket.lookup(KEY, BYTES.len() as u64, &sums.sha256).await
}

/// Everything that is ever logged of an error.
fn said(error: &dyn Error) -> String {
    let mut said = format!("{error}");
    let mut next = error.source();
    while let Some(error) = next {
        said = format!("{said}: {error}");
        next = error.source();
    }
    said
}

#[tokio::test]
async fn a_put_whose_answer_is_lost_is_found_to_be_done() {
    for harm in [
        Effect::LoseResponse,
        Effect::CommitThenStatus(503),
        Effect::CommitThenStatus(500),
        Effect::DelayResponse(Duration::from_secs(20)),
    ] {
        let server = GcsServer::start();
        let bucket = bucket(&server);
        server.inject(Fault::new(harm).on_method("PUT").times(1));
        let Ok(Put::AlreadyMine { generation }) = put(&bucket).await else {
            panic!("{harm:?}")
        };
        assert!(!generation.is_empty());
        assert_eq!(bucket.head(KEY).await.unwrap().generation, generation);
        assert_eq!(server.counts().created, 1, "{harm:?}");
        assert_eq!(server.counts().overwritten, 0, "{harm:?}");
    }
}

#[tokio::test]
async fn what_goes_wrong_once_is_transient_and_the_next_try_stores() {
    let mut harms = vec![Effect::BlackHole, Effect::ResetRequest(5)];
    harms.extend([408, 429, 500, 502, 503, 504].map(Effect::Status));
    for harm in harms {
        let server = GcsServer::start();
        let bucket = bucket(&server);
        server.inject(Fault::new(harm).on_method("PUT").times(1));
        let begun = Instant::now();
        let refused = put(&bucket).await.unwrap_err();
        assert!(
            matches!(refused, PutError::Transient { .. }),
            "{harm:?}: {refused:?}"
        );
        assert!(begun.elapsed() < Duration::from_secs(20), "{harm:?}");
        let puts = server
            .requests()
            .into_iter()
            .filter(|asked| asked.method == "PUT");
        assert_eq!(puts.count(), 1, "{harm:?}: retried in hiding");
        let stored = put(&bucket).await;
        assert!(
            matches!(stored, Ok(Put::Stored { .. })),
            "{harm:?}: {stored:?}"
        );
    }
}

#[tokio::test]
async fn a_store_that_asks_to_be_left_alone_is_heard() {
    let server = GcsServer::start();
    let bucket = bucket(&server);
    for (asked, heard) in [(7, 7), (3600, 60)] {
        server.clear_faults();
        server.inject(Fault::new(Effect::StatusRetryAfter(
            503,
            Duration::from_secs(asked),
        )));
        let heard = Some(Duration::from_secs(heard));
        assert_eq!(put(&bucket).await.unwrap_err().retry_after(), heard);
        assert_eq!(lookup(&bucket).await.unwrap_err().retry_after(), heard);
    }
}

#[tokio::test]
async fn bytes_that_change_on_the_way_are_refused_and_sent_again() {
    let server = GcsServer::start();
    let bucket = bucket(&server);
    server.inject(Fault::new(Effect::FlipBit).on_method("PUT").times(1));
    let refused = put(&bucket).await.unwrap_err();
    assert!(matches!(refused, PutError::Damaged { .. }), "{refused:?}");
    assert!(said(&refused).contains("BadDigest"), "{}", said(&refused));
    assert_eq!(server.counts().created, 0);
    assert!(matches!(put(&bucket).await, Ok(Put::Stored { .. })));
    assert_eq!(bucket.get_range(KEY, 0..100).await.unwrap(), BYTES);
}

#[tokio::test]
async fn what_is_true_of_every_object_makes_the_bucket_unavailable_and_says_what_to_do() {
    for (harm, words) in [
        (Effect::Status(401), "GOOGLE_APPLICATION_CREDENTIALS"),
        (Effect::Status(403), "roles/storage.objectCreator"),
        (Effect::BillingClosed, "billing"),
        (Effect::Status(404), "make the bucket"),
        (Effect::Status(405), "endpoint"),
    ] {
        let server = GcsServer::start();
        let bucket = bucket(&server);
        server.inject(Fault::new(harm).on_method("PUT"));
        let refused = put(&bucket).await.unwrap_err();
        assert!(
            matches!(refused, PutError::Unavailable { .. }),
            "{harm:?}: {refused:?}"
        );
        assert!(
            said(&refused).contains(words),
            "{harm:?}: {}",
            said(&refused)
        );
        // Reading works, and must not fool the probe.
        assert!(bucket.check_writable(0).await.is_err(), "{harm:?}");
        server.clear_faults();
        bucket.check_writable(0).await.unwrap();
        assert_eq!(
            server.counts().created,
            0,
            "{harm:?}: the probe wrote something"
        );
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_an_outage_and_its_return_is_noticed() {
    let server = GcsServer::start();
    let bucket = bucket(&server);
    let _ = put(&bucket).await.unwrap();
    server.go_down();
    assert!(matches!(
        put(&bucket).await,
        Err(PutError::Unavailable { .. })
    ));
    assert!(matches!(
        lookup(&bucket).await,
        Err(GetError::Unavailable { .. })
    ));
    assert!(matches!(
        bucket.list("").await,
        Err(GetError::Unavailable { .. })
    ));
    assert!(matches!(
        bucket.check_writable(0).await,
        Err(PutError::Unavailable { .. })
    ));
    server.come_back();
    bucket.check_writable(0).await.unwrap();
    assert!(matches!(put(&bucket).await, Ok(Put::AlreadyMine { .. })));
}

#[tokio::test]
async fn the_check_names_the_right_that_is_missing() {
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
        assert!(
            matches!(refused, PutError::Unavailable { .. }),
            "{rights:?}: {refused:?}"
        );
        assert!(
            said(&refused).contains(missing),
            "{rights:?}: {}",
            said(&refused)
        );
    }
    server.allow(&[Permission::Create, Permission::Get, Permission::List]);
    bucket.check_writable(0).await.unwrap();
    assert!(matches!(put(&bucket).await, Ok(Put::Stored { .. })));
    assert!(matches!(
        put_bytes(&bucket, b"other").await,
        Ok(Put::Foreign(_))
    ));
    assert_eq!(
        server.keys(GcsServer::BUCKET).unwrap(),
        [format!("site/{KEY}")]
    );
}

/// Whichever of right and condition Google looks at first.
#[tokio::test]
async fn who_may_not_overwrite_learns_what_is_there() {
    for conditions_before_permissions in [true, false] {
        let server = GcsServer::start_with(Options {
            conditions_before_permissions,
            ..Options::default()
        });
        let bucket = bucket(&server);
        server.allow(&[Permission::Create, Permission::Get, Permission::List]);
        bucket.check_writable(0).await.unwrap();
        assert!(matches!(put(&bucket).await, Ok(Put::Stored { .. })));
        assert!(matches!(put(&bucket).await, Ok(Put::AlreadyMine { .. })));
        assert!(matches!(
            put_bytes(&bucket, b"other").await,
            Ok(Put::Foreign(_))
        ));
    }
}

/// Who may not list is told that an object which is not there is forbidden. That must not be taken for absence, since a chunk that is called
/// gone is given up.
#[tokio::test]
async fn an_object_that_may_be_there_is_never_called_absent() {
    let server = GcsServer::start();
    let bucket = bucket(&server);
    server.allow(&[Permission::Create, Permission::Get]);
    assert!(matches!(
        lookup(&bucket).await,
        Err(GetError::Unavailable { .. })
    ));
    server.allow(&Permission::ALL);
    assert_eq!(lookup(&bucket).await.unwrap(), Lookup::Absent);
    // A HEAD has no words: the bucket that is missing looks like the object.
    let options = BucketOptions::new().with_variable("STORAGE_EMULATOR_HOST", server.url());
    let missing = Bucket::open_with("gs://no-such-bucket", &options).unwrap();
    let refused = lookup(&missing).await.unwrap_err();
    assert!(
        matches!(refused, GetError::Unavailable { .. }),
        "{refused:?}"
    );
    assert!(
        said(&refused).contains("NoSuchBucket"),
        "{}",
        said(&refused)
    );
}

#[tokio::test]
async fn a_store_that_ignores_conditions_is_found_out_by_the_check_and_never_overwritten() {
    let server = GcsServer::start_with(Options {
        preconditions: false,
        ..Options::default()
    });
    let bucket = bucket(&server);
    bucket.check_writable(0).await.unwrap();
    let before = server.counts();
    assert!(matches!(put(&bucket).await, Ok(Put::Stored { .. })));
    assert!(matches!(put(&bucket).await, Ok(Put::AlreadyMine { .. })));
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
async fn metadata_that_the_server_does_not_take_is_no_outage() {
    let server = GcsServer::start();
    let bucket = bucket(&server);
    server.inject(Fault::new(Effect::Status(413)).on_method("PUT"));
    let refused = put(&bucket).await.unwrap_err();
    assert!(matches!(refused, PutError::Invalid { .. }), "{refused:?}");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_transient() {
    let server = GcsServer::start();
    let bucket = bucket(&server);
    let _ = put(&bucket).await.unwrap();
    server.inject(
        Fault::new(Effect::TruncateResponse(4))
            .on_method("GET")
            .times(1),
    );
    let broken = bucket.get_range(KEY, 0..100).await;
    assert!(
        matches!(broken, Err(GetError::Transient { .. })),
        "{broken:?}"
    );
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

/// Somebody kept the metadata and not the bytes, or the store did: what it computed of what it has counts.
#[tokio::test]
async fn an_object_whose_bytes_are_not_those_of_its_metadata_is_foreign() {
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
    assert!(matches!(put(&bucket).await, Ok(Put::Foreign(_))));
}

#[tokio::test]
async fn keys_of_other_prefixes_are_not_seen() {
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
async fn a_put_that_somebody_overwrites_before_it_is_proved_is_not_called_stored() {
    let server = GcsServer::start_with(Options {
        preconditions: false,
        put_returns_generation: false,
        ..Options::default()
    });
    let (slow, fast) = (bucket(&server), bucket(&server));
    let late = Effect::DelayResponse(Duration::from_millis(300));
    server.inject(Fault::new(late).on_method("PUT").times(1));
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
