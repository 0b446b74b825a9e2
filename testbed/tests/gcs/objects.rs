//! Objects without faults.

use crispy_testbed::{GcsServer, gcs::Options};
use futures_util::TryStreamExt;
use object_store::{
    Attribute, Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode, PutOptions,
    PutPayload, UpdateVersion, path::Path,
};

use crate::client::{by_hand, client, create};

const KEY: &str = "v1/site/camera/chunk 0.mp4";

#[tokio::test]
async fn an_object_is_created_once_and_keeps_its_generation() {
    let gcs = GcsServer::start();
    let store = client(&gcs);
    let stored = create(&store, KEY, "first").await.unwrap();
    let conflict = create(&store, KEY, "second").await.unwrap_err();
    assert!(
        matches!(conflict, Error::AlreadyExists { .. }),
        "{conflict}"
    );
    let found = store.head(&Path::from(KEY)).await.unwrap();
    assert_eq!((found.version, found.size), (stored.version.clone(), 5));
    assert!(stored.version.unwrap().parse::<u64>().unwrap() > 1_000_000_000_000_000);
    let counts = gcs.counts();
    assert_eq!((counts.created, counts.overwritten), (1, 0));
    assert_eq!(gcs.keys(GcsServer::BUCKET).unwrap(), [KEY]);
}

#[tokio::test]
async fn an_update_needs_the_current_generation() {
    let gcs = GcsServer::start();
    let store = client(&gcs);
    let first = create(&store, KEY, "first").await.unwrap();
    let update = || PutOptions::from(PutMode::Update(UpdateVersion::from(first.clone())));
    let second = store
        .put_opts(&Path::from(KEY), "second".into(), update())
        .await
        .unwrap();
    assert!(second.version > first.version);
    let late = store
        .put_opts(&Path::from(KEY), "third".into(), update())
        .await
        .unwrap_err();
    assert!(matches!(late, Error::Precondition { .. }), "{late}");
    assert_eq!(gcs.counts().overwritten, 1);
}

#[tokio::test]
async fn attributes_come_back_in_lower_case() {
    let gcs = GcsServer::start();
    let store = client(&gcs);
    create(&store, KEY, "bytes").await.unwrap();
    let found = store.get(&Path::from(KEY)).await.unwrap();
    let of = |attribute| {
        found
            .attributes
            .get(&attribute)
            .map(|value| value.to_string())
    };
    assert_eq!(of(Attribute::ContentType).unwrap(), "video/mp4");
    assert_eq!(
        of(Attribute::Metadata("chunk_from".into())).unwrap(),
        "2026-11-22T00:00:00Z"
    );
    assert_eq!(found.bytes().await.unwrap(), "bytes");
}

#[tokio::test]
async fn ranges_are_cut_from_the_uploaded_pieces() {
    let gcs = GcsServer::start();
    let store = client(&gcs);
    // Large enough to come in many pieces, with a different value at each offset.
    let bytes: Vec<u8> = (0..1_500_000_u32)
        .flat_map(u32::to_be_bytes)
        .take(1_500_000)
        .collect();
    let path = Path::from(KEY);
    store
        .put(&path, PutPayload::from(bytes.clone()))
        .await
        .unwrap();
    for range in [
        0..1,
        0..1_500_000,
        65_530..65_545,
        700_001..1_400_003,
        1_499_999..1_500_000,
    ] {
        let got = store.get_range(&path, range.clone()).await.unwrap();
        assert_eq!(
            got,
            bytes[range.start as usize..range.end as usize],
            "{range:?}"
        );
    }
    let suffix = GetOptions {
        range: Some(GetRange::Suffix(1000)),
        ..GetOptions::default()
    };
    let got = store
        .get_opts(&path, suffix)
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    assert_eq!(got, bytes[1_499_000..]);
    let beyond = store
        .get_range(&path, 1_500_000..1_500_001)
        .await
        .unwrap_err()
        .to_string();
    assert!(beyond.contains("416"), "{beyond}");
}

#[tokio::test]
async fn a_listing_has_pages_prefixes_and_an_order() {
    let gcs = GcsServer::start();
    let store = client(&gcs);
    for number in 0..2100 {
        let key = format!("v1/site/camera-{}/{number:04}", number % 2);
        create(&store, &key, "x").await.unwrap();
    }
    let listed: Vec<_> = store
        .list(Some(&Path::from("v1/site/camera-1")))
        .try_collect()
        .await
        .unwrap();
    assert_eq!(listed.len(), 1050);
    assert!(listed.is_sorted_by_key(|object| object.location.clone()));
    let pages = gcs
        .requests()
        .iter()
        .filter(|asked| asked.method == "GET")
        .count();
    assert_eq!(pages, 2, "a page has 1000 entries");
    let offset = Path::from("v1/site/camera-1/2001");
    let rest: Vec<_> = store
        .list_with_offset(Some(&Path::from("v1/site")), &offset)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(rest.len(), 49);
    let folders = store
        .list_with_delimiter(Some(&Path::from("v1/site")))
        .await
        .unwrap();
    let names: Vec<_> = folders.common_prefixes.iter().map(Path::as_ref).collect();
    assert_eq!(names, ["v1/site/camera-0", "v1/site/camera-1"]);
    assert!(folders.objects.is_empty());
}

#[tokio::test]
async fn missing_objects_and_buckets_get_googles_messages() {
    let gcs = GcsServer::start();
    let store = client(&gcs);
    let missing = store.get(&Path::from("no/such")).await.unwrap_err();
    assert!(matches!(missing, Error::NotFound { .. }), "{missing}");
    let answer = by_hand(
        &gcs,
        &format!("GET /{}/no%2Fsuch", GcsServer::BUCKET),
        &[],
        b"",
    );
    assert!(
        answer.contains(
            "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message>"
        ),
        "{answer}"
    );
    let answer = by_hand(&gcs, "PUT /another-bucket/key", &[], b"x");
    assert!(
        answer.contains("404") && answer.contains("<Code>NoSuchBucket</Code>"),
        "{answer}"
    );
    let answer = by_hand(&gcs, "GET /storage/v1/b/another-bucket", &[], b"");
    assert!(
        answer.contains("404") && answer.contains("\"code\":404"),
        "{answer}"
    );
}

#[tokio::test]
async fn bytes_with_a_wrong_checksum_are_refused() {
    let gcs = GcsServer::start();
    let put = |hash: &str| {
        by_hand(
            &gcs,
            &format!("PUT /{}/key", GcsServer::BUCKET),
            &[&format!("x-goog-hash: {hash}")],
            b"123456789",
        )
    };
    // The published check values of both checksums.
    let (crc32c, md5) = ("crc32c=4waSgw==", "md5=JfnnlDI7RTiF9RgfG2JNCw==");
    for wrong in [
        "crc32c=4waSgg==",
        "md5=AAAAAAAAAAAAAAAAAAAAAA==",
        "crc32c=4waSgw==,md5=AAAAAAAAAAAAAAAAAAAAAA==",
    ] {
        let answer = put(wrong);
        assert!(
            answer.contains("400") && answer.contains("<Code>BadDigest</Code>"),
            "{answer}"
        );
    }
    assert_eq!(gcs.counts().created, 0);
    let both = format!("{crc32c},{md5}");
    for (right, sent_back) in [(crc32c, vec![crc32c]), (&both, vec![crc32c, md5])] {
        let answer = put(right);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let lines = answer.lines();
        let hashes: Vec<_> = lines
            .filter_map(|line| line.strip_prefix("x-goog-hash: "))
            .collect();
        assert_eq!(hashes, sent_back);
    }
}

#[tokio::test]
async fn metadata_beyond_the_limit_is_refused() {
    let gcs = GcsServer::start();
    let put = |bytes: usize| {
        let header = format!("x-goog-meta-a: {}", "v".repeat(bytes - 1));
        by_hand(
            &gcs,
            &format!("PUT /{}/key", GcsServer::BUCKET),
            &[&header],
            b"x",
        )
    };
    assert!(put(8192).starts_with("HTTP/1.1 200"));
    let answer = put(8193);
    assert!(
        answer.contains("400") && answer.contains("<Code>MetadataTooLarge</Code>"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_replaced_generation_is_not_found() {
    let gcs = GcsServer::start();
    let store = client(&gcs);
    let first = create(&store, KEY, "first").await.unwrap();
    let of = |version: &Option<String>| GetOptions {
        version: version.clone(),
        ..GetOptions::default()
    };
    let path = Path::from(KEY);
    assert!(store.get_opts(&path, of(&first.version)).await.is_ok());
    store.put(&path, "second".into()).await.unwrap();
    let gone = store.get_opts(&path, of(&first.version)).await.unwrap_err();
    assert!(matches!(gone, Error::NotFound { .. }), "{gone}");
    store.delete(&path).await.unwrap();
    assert!(matches!(
        store.delete(&path).await.unwrap_err(),
        Error::NotFound { .. }
    ));
}

#[tokio::test]
async fn a_server_can_imitate_simpler_emulators() {
    let options = Options {
        put_returns_generation: false,
        preconditions: false,
        ..Options::default()
    };
    let gcs = GcsServer::start_with(options);
    let store = client(&gcs);
    assert_eq!(create(&store, KEY, "first").await.unwrap().version, None);
    create(&store, KEY, "second").await.unwrap();
    assert_eq!(gcs.counts().overwritten, 1);
    assert!(
        store
            .head(&Path::from(KEY))
            .await
            .unwrap()
            .version
            .is_some()
    );
}

#[tokio::test]
async fn the_oldest_objects_are_dropped_at_the_limit() {
    let gcs = GcsServer::start_with(Options {
        max_bytes: Some(10),
        ..Options::default()
    });
    let store = client(&gcs);
    for key in ["a", "b", "c"] {
        create(&store, key, "4444").await.unwrap();
    }
    assert_eq!(gcs.keys(GcsServer::BUCKET).unwrap(), ["b", "c"]);
    assert_eq!(gcs.counts().dropped, 1);
}
