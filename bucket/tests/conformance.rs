//! The promises of every kind of bucket: the same claims, tested on each.
//!
//! ```text
//!   memory   folder                          on this machine
//!   google                          the simulator
//!   google_without_generations      the simulator as an emulator without generations in answers
//!   amazon   azure                           moto and Azurite
//! ```
//!
//! A new store joins by a line in `every_bucket!`.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::{
    any::Any,
    collections::HashSet,
    fs,
    sync::{Arc, Mutex, PoisonError, Weak, mpsc},
    thread,
};

use bytes::Bytes;
use crispy_bucket::{Bucket, BucketOptions, ForeignObject, Head, ListEntry, Lookup, Metadata, Put};
use crispy_checksum::Checksums;
use crispy_fault::Fault;
use crispy_testbed::{AzureServer, GcsServer, S3Server, gcs};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};

const KEY: &str = "v1/demo/front/2026/11/22/19/1763839803000-3000000-01KAF3-0000000007.mp4";

/// A bucket, and the servers that must outlive it.
struct Subject {
    bucket: Bucket,
    _keep: Option<Box<dyn Any + Send>>,
}

impl Subject {
    fn open(url: &str, options: &BucketOptions) -> Self {
        Self {
            bucket: Bucket::open_with(url, options).unwrap(),
            _keep: None,
        }
    }

    fn with(mut self, keep: impl Any + Send) -> Self {
        self._keep = Some(Box::new(keep));
        self
    }
}

/// The kind of a failure; `ok` without one.
fn kind<T>(result: &Result<T, Fault>) -> &'static str {
    let fault = result.as_ref().err();
    fault.map_or("ok", |fault| fault.kind().as_str())
}

fn memory(_: &str) -> Subject {
    Subject::open("memory://", &BucketOptions::new())
}

fn folder(_: &str) -> Subject {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("file://{}/bucket%20of%20mine", dir.path().display());
    Subject::open(&url, &BucketOptions::new()).with(dir)
}

fn google_with(options: gcs::Options) -> Subject {
    let server = GcsServer::start_with(options);
    let here = BucketOptions::new().with_variable("STORAGE_EMULATOR_HOST", server.url());
    let url = format!("gs://{}", GcsServer::BUCKET);
    Subject::open(&url, &here).with(server)
}

fn google(_: &str) -> Subject {
    google_with(gcs::Options::default())
}

fn google_without_generations(_: &str) -> Subject {
    google_with(gcs::Options {
        put_returns_generation: false,
        ..gcs::Options::default()
    })
}

/// One server for all claims that run at the same time, each below a prefix of its own: it takes
/// seconds to start.
///
/// A thread of its own starts it and waits: the kernel kills a server when the thread that started
/// it ends.
struct Shared {
    url: String,
    /// Both are `Some` until it is dropped.
    in_use: Option<mpsc::Sender<()>>,
    keeper: Option<thread::JoinHandle<()>>,
}

impl Shared {
    fn server<T: 'static>(
        place: &Mutex<Weak<Self>>,
        start: fn() -> T,
        url: fn(&T) -> String,
    ) -> Arc<Self> {
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = place.upgrade() {
            return running;
        }
        let ((started, urls), (in_use, until_unused)) = (mpsc::channel(), mpsc::channel());
        let keeper = thread::spawn(move || {
            let server = start();
            started.send(url(&server)).unwrap();
            let _ = until_unused.recv();
        });
        let shared = Arc::new(Self {
            url: urls.recv().unwrap(),
            in_use: Some(in_use),
            keeper: Some(keeper),
        });
        *place = Arc::downgrade(&shared);
        shared
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.in_use = None;
        self.keeper.take().map(thread::JoinHandle::join);
    }
}

fn amazon(claim: &str) -> Subject {
    static MOTO: Mutex<Weak<Shared>> = Mutex::new(Weak::new());
    let server = Shared::server(&MOTO, S3Server::start, S3Server::url);
    let options = BucketOptions::new()
        .with_variable("AWS_ACCESS_KEY_ID", S3Server::ACCESS_KEY_ID)
        .with_variable("AWS_SECRET_ACCESS_KEY", S3Server::SECRET_ACCESS_KEY)
        .with_variable("AWS_ENDPOINT_URL", &server.url);
    let url = format!("s3://{}/{claim}", S3Server::BUCKET);
    Subject::open(&url, &options).with(server)
}

fn azure(claim: &str) -> Subject {
    static AZURITE: Mutex<Weak<Shared>> = Mutex::new(Weak::new());
    let server = Shared::server(&AZURITE, AzureServer::start, AzureServer::url);
    let options = BucketOptions::new()
        .with_variable("AZURE_STORAGE_ACCOUNT_NAME", AzureServer::ACCOUNT)
        .with_variable("AZURE_STORAGE_ACCOUNT_KEY", AzureServer::ACCOUNT_KEY)
        .with_variable("AZURE_STORAGE_ENDPOINT", &server.url);
    let url = format!("az://{}/{claim}", AzureServer::CONTAINER);
    Subject::open(&url, &options).with(server)
}

macro_rules! every_bucket {
    ($($bucket:ident)+: $claims:tt) => {
        $(mod $bucket { claims!($bucket: $claims); })+
    };
}

macro_rules! claims {
    ($bucket:ident: ($($claim:ident),+ $(,)?)) => {
        $(#[tokio::test(flavor = "multi_thread")] async fn $claim() {
            super::$claim(&super::$bucket(stringify!($claim)).bucket).await;
        })+
    };
}

every_bucket!(memory folder google google_without_generations amazon azure: (
    a_put_object_can_be_read,
    the_same_bytes_again_are_mine,
    other_bytes_are_foreign_and_change_nothing,
    of_fifty_writers_one_stores,
    one_of_many_different_writers_wins_with_its_metadata,
    ranges_are_those_of_the_object,
    absent_objects_are_reported_absent,
    hostile_metadata_comes_back_as_it_was,
    every_legal_key_can_be_used,
    keys_of_another_form_are_refused,
    a_listing_is_in_order_and_of_whole_folders,
    checking_leaves_nothing,
    an_empty_object_is_an_object,
));

fn metadata(pairs: &[(&str, &str)]) -> Metadata {
    let mut metadata = Metadata::new();
    for (key, value) in pairs {
        metadata.insert(key, *value).unwrap();
    }
    metadata
}

async fn put(bucket: &Bucket, key: &str, bytes: &'static [u8], metadata: &Metadata) -> Put {
    let sums = Checksums::new(bytes);
    bucket
        .put_once(key, bytes.into(), &sums, metadata)
        .await
        .unwrap()
}

async fn head(bucket: &Bucket, key: &str) -> Head {
    bucket.head(key).await.unwrap()
}

fn pairs(metadata: &Metadata) -> Vec<(&str, &str)> {
    metadata.iter().collect()
}

async fn a_put_object_can_be_read(bucket: &Bucket) {
    let sums = Checksums::new(b"some bytes");
    let stored = put(
        bucket,
        KEY,
        b"some bytes",
        &metadata(&[("camera", "front")]),
    )
    .await;
    let Put::Stored { generation } = stored else {
        panic!("{stored:?}")
    };
    let head = head(bucket, KEY).await;
    assert_eq!((head.size, &head.generation), (10, &generation));
    assert_eq!(
        pairs(&head.metadata),
        [
            ("camera", "front"),
            ("crc32c", sums.crc32c_hex().as_str()),
            ("sha256", sums.sha256_hex().as_str()),
        ]
    );
    let found = bucket.lookup(KEY, 10, &sums.sha256).await.unwrap();
    assert_eq!(found, Lookup::Mine { generation });
    let bytes = bucket.get_range(KEY, 0..10).await.unwrap();
    assert_eq!(bytes, "some bytes");
}

async fn the_same_bytes_again_are_mine(bucket: &Bucket) {
    let Put::Stored { generation } =
        put(bucket, KEY, b"mine", &metadata(&[("attempt", "1")])).await
    else {
        panic!("not stored")
    };
    let before = head(bucket, KEY).await;
    let again = put(bucket, KEY, b"mine", &metadata(&[("attempt", "2")])).await;
    assert_eq!(again, Put::AlreadyMine { generation });
    assert_eq!(
        head(bucket, KEY).await,
        before,
        "the second put changed something"
    );
}

async fn other_bytes_are_foreign_and_change_nothing(bucket: &Bucket) {
    let _ = put(bucket, KEY, b"first", &metadata(&[("writer", "first")])).await;
    let before = head(bucket, KEY).await;
    for other in [&b"other"[..], b"longer than the first", b""] {
        let Put::Foreign(ForeignObject { size, .. }) =
            put(bucket, KEY, other, &metadata(&[("writer", "other")])).await
        else {
            panic!("{other:?} was not foreign")
        };
        assert_eq!(size, 5);
        let found = bucket
            .lookup(KEY, other.len() as u64, &Checksums::new(other).sha256)
            .await;
        assert!(matches!(found, Ok(Lookup::Foreign(_))), "{found:?}");
    }
    assert_eq!(head(bucket, KEY).await, before);
    assert_eq!(bucket.get_range(KEY, 0..100).await.unwrap(), "first");
}

async fn of_fifty_writers_one_stores(bucket: &Bucket) {
    let bytes = Bytes::from(vec![7; 300_000]);
    let sums = Checksums::new(&bytes);
    let writers: Vec<_> = (0..50)
        .map(|number| {
            let (bucket, bytes) = (bucket.clone(), bytes.clone());
            let metadata = metadata(&[("writer", &number.to_string())]);
            tokio::spawn(async move { bucket.put_once(KEY, bytes, &sums, &metadata).await })
        })
        .collect();
    let (mut stored, mut mine) = (0, 0);
    for writer in writers {
        match writer.await.unwrap().unwrap() {
            Put::Stored { .. } => stored += 1,
            Put::AlreadyMine { .. } => mine += 1,
            Put::Foreign(found) => panic!("{found:?}"),
        }
    }
    assert_eq!((stored, mine), (1, 49));
    assert_eq!(head(bucket, KEY).await.size, 300_000);
    assert!(head(bucket, KEY).await.metadata.get("writer").is_some());
}

async fn one_of_many_different_writers_wins_with_its_metadata(bucket: &Bucket) {
    for round in 0..20 {
        let key = format!("round/{round}");
        let writers: Vec<_> = (0..8_u8)
            .map(|number| {
                let (bucket, key) = (bucket.clone(), key.clone());
                // Of one size, so that only the bytes tell them apart.
                let bytes = Bytes::from(vec![number; 50_000]);
                let metadata = metadata(&[("writer", &number.to_string())]);
                tokio::spawn(async move {
                    let sums = Checksums::new(&bytes);
                    let put = bucket.put_once(&key, bytes, &sums, &metadata).await;
                    (number, put.unwrap())
                })
            })
            .collect();
        let mut winners = Vec::new();
        for writer in writers {
            match writer.await.unwrap() {
                (number, Put::Stored { .. }) => winners.push(number),
                (_, put) => assert!(matches!(put, Put::Foreign(_)), "{put:?}"),
            }
        }
        let [winner] = winners[..] else {
            panic!("winners: {winners:?}")
        };
        assert_eq!(bucket.get_range(&key, 0..1).await.unwrap()[0], winner);
        let head = head(bucket, &key).await;
        assert_eq!(
            head.metadata.get("writer"),
            Some(winner.to_string().as_str())
        );
    }
}

async fn ranges_are_those_of_the_object(bucket: &Bucket) {
    let _ = put(bucket, KEY, b"0123456789", &Metadata::new()).await;
    for (range, expected) in [
        (0..10, "0123456789"),
        (0..1, "0"),
        (3..7, "3456"),
        (9..10, "9"),
        (8..1000, "89"),
        (0..u64::MAX, "0123456789"),
        (4..4, ""),
        (10..10, ""),
    ] {
        let got = bucket.get_range(KEY, range.clone()).await.unwrap();
        assert_eq!(got, expected, "{range:?}");
    }
    for start in [10, 11, u64::MAX - 1] {
        let beyond = bucket.get_range(KEY, start..u64::MAX).await;
        assert!(kind(&beyond) == "rejected", "{start}: {beyond:?}");
    }
}

async fn absent_objects_are_reported_absent(bucket: &Bucket) {
    let _ = put(bucket, "a/b", b"there", &Metadata::new()).await;
    // Beside an object, below one, above one, and far from any.
    for key in ["a/c", "a/b/c", "a", "x/y/z"] {
        assert_eq!(
            bucket.lookup(key, 5, &[0; 32]).await.unwrap(),
            Lookup::Absent,
            "{key}"
        );
        let head = bucket.head(key).await;
        assert!(kind(&head) == "not_found", "{key}: {head:?}");
        let range = bucket.get_range(key, 0..1).await;
        assert_eq!(kind(&range), "not_found", "{key}");
        let fault = range.unwrap_err();
        assert!(fault.to_string().contains(key), "{fault}");
    }
}

async fn hostile_metadata_comes_back_as_it_was(bucket: &Bucket) {
    let values = [
        "",
        " ",
        " both ends ",
        "a\r\nx-injected: 1",
        "line\nbreak",
        "tab\t",
        "nul\0",
        "\u{7f}",
        "%",
        "%41",
        "100%",
        "\"quoted\"",
        "back\\slash",
        "grün",
        "日本語",
        "🎥",
        "\u{feff}",
        "\u{202e}rtl",
        "a,b;c=d",
        "{\"json\":[]}",
        "\u{e9}\u{301}",
    ];
    for (number, value) in values.into_iter().enumerate() {
        let key = format!("hostile/{number}");
        let _ = put(
            bucket,
            &key,
            b"x",
            &metadata(&[("a", "before"), ("value", value), ("z1", "after")]),
        )
        .await;
        let head = head(bucket, &key).await;
        assert_eq!(head.metadata.get("value"), Some(value));
        assert_eq!(head.metadata.get("a"), Some("before"));
        assert_eq!(head.metadata.get("z1"), Some("after"));
    }
}

/// All characters, the longest keys, and random ones, the same in every run.
fn legal_keys(bucket: &Bucket) -> HashSet<String> {
    let legal: String = (' '..='~')
        .filter(|c| c.is_ascii_alphanumeric() || "._-".contains(*c))
        .collect();
    let long_part = "x".repeat(180);
    // 1024 bytes are for the bucket's prefix too.
    let prefix = bucket
        .url()
        .splitn(4, '/')
        .nth(3)
        .map_or(0, |prefix| prefix.len() + 1);
    let long_key = format!(
        "{0}/{0}/{0}/{0}/{0}/{1}",
        long_part,
        "y".repeat(119 - prefix)
    );
    let mut keys = vec![
        legal.trim_start_matches(['-', '.']).to_owned(),
        format!("-{legal}"),
        "a..b/c.".to_owned(),
        long_key,
    ];
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        proptest::test_runner::TestRng::deterministic_rng(
            proptest::test_runner::RngAlgorithm::ChaCha,
        ),
    );
    let any_key = proptest::collection::vec("[A-Za-z0-9_-][A-Za-z0-9._-]{0,20}", 1..6);
    keys.extend((0..40).map(|_| {
        format!(
            "any/{}",
            any_key.new_tree(&mut runner).unwrap().current().join("/")
        )
    }));
    keys.into_iter().collect()
}

async fn every_legal_key_can_be_used(bucket: &Bucket) {
    let keys = legal_keys(bucket);
    for key in &keys {
        let stored = put(
            bucket,
            key,
            b"x",
            &metadata(&[("key", &key[..key.len().min(100)])]),
        )
        .await;
        assert!(matches!(stored, Put::Stored { .. }), "{key}: {stored:?}");
        assert_eq!(
            head(bucket, key).await.metadata.get("key"),
            Some(&key[..key.len().min(100)])
        );
    }
    let listed: HashSet<String> = bucket
        .list("")
        .await
        .unwrap()
        .into_iter()
        .map(|object| object.key)
        .collect();
    assert_eq!(listed, keys);
}

async fn keys_of_another_form_are_refused(bucket: &Bucket) {
    let (long_part, long_key) = ("x".repeat(181), ["y"; 513].join("/"));
    for key in [
        "",
        "/a",
        "a/",
        "a//b",
        "..",
        "a/../../b",
        ".hidden",
        "a b",
        "ä",
        "a\0b",
        &long_part,
        &long_key,
    ] {
        let put = bucket
            .put_once(key, Bytes::new(), &Checksums::new(b""), &Metadata::new())
            .await;
        assert!(kind(&put) == "rejected", "{key:?}: {put:?}");
        for refused in [
            bucket.lookup(key, 0, &[0; 32]).await.map(drop),
            bucket.head(key).await.map(drop),
            bucket.get_range(key, 0..1).await.map(drop),
        ] {
            assert!(kind(&refused) == "rejected", "{key:?}: {refused:?}");
        }
    }
    assert!(kind(&bucket.list("../x").await) == "rejected");
}

async fn a_listing_is_in_order_and_of_whole_folders(bucket: &Bucket) {
    for key in [
        "v1/a/2", "v1/a/10", "v1/a/1", "v1/ab/1", "v1/a-b/1", "v1/a.x", "v2/a",
    ] {
        let _ = put(bucket, key, b"12345", &Metadata::new()).await;
    }
    let keys = |listed: Vec<ListEntry>| {
        listed
            .into_iter()
            .map(|object| object.key)
            .collect::<Vec<_>>()
    };
    for prefix in ["v1/a", "v1/a/"] {
        assert_eq!(
            keys(bucket.list(prefix).await.unwrap()),
            ["v1/a/1", "v1/a/10", "v1/a/2"]
        );
    }
    assert_eq!(
        keys(bucket.list("v1").await.unwrap()),
        [
            "v1/a-b/1", "v1/a.x", "v1/a/1", "v1/a/10", "v1/a/2", "v1/ab/1"
        ]
    );
    assert_eq!(bucket.list("").await.unwrap().len(), 7);
    assert_eq!(bucket.list("v3").await.unwrap(), []);
    assert_eq!(bucket.list("v2").await.unwrap()[0].size, 5);
}

async fn checking_leaves_nothing(bucket: &Bucket) {
    for size in [0, 5, 1 << 20] {
        bucket.check_writable(size).await.unwrap();
    }
    bucket.check_readable().await.unwrap();
    assert_eq!(bucket.list("").await.unwrap(), []);
    if let Some(folder) = bucket.folder() {
        assert_eq!(fs::read_dir(folder).unwrap().count(), 0);
    }
}

async fn an_empty_object_is_an_object(bucket: &Bucket) {
    let stored = put(bucket, KEY, b"", &Metadata::new()).await;
    assert!(matches!(stored, Put::Stored { .. }));
    assert!(matches!(
        put(bucket, KEY, b"", &Metadata::new()).await,
        Put::AlreadyMine { .. }
    ));
    assert!(matches!(
        put(bucket, KEY, b"x", &Metadata::new()).await,
        Put::Foreign(_)
    ));
    assert_eq!(head(bucket, KEY).await.size, 0);
}
