//! Tokens and permissions.

use std::time::Duration;

use crispy_testbed::{
    GcsServer,
    gcs::{Effect, Fault, Options, Permission},
};
use object_store::{Error, ObjectStoreExt, path::Path};

use crate::client::{by_hand, client, client_with, create};

fn strict() -> GcsServer {
    GcsServer::start_with(Options {
        token_required: true,
        ..Options::default()
    })
}

/// A token from one of the server's two endpoints.
fn fetch(gcs: &GcsServer, request_line: &str) -> String {
    let answer = by_hand(gcs, request_line, &["metadata-flavor: Google"], b"");
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["expires_in"], 3600);
    body["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_token_is_valid_until_it_expires() {
    let gcs = strict();
    for endpoint in [
        "POST /token",
        "GET /computeMetadata/v1/instance/service-accounts/default/token",
    ] {
        let store = client_with(&gcs, &fetch(&gcs, endpoint));
        let key = &endpoint[..4].trim();
        create(&store, key, "x").await.unwrap();
        gcs.expire_tokens();
        let late = store.head(&Path::from(*key)).await.unwrap_err();
        assert!(matches!(late, Error::Unauthenticated { .. }), "{late}");
    }
}

#[tokio::test]
async fn a_token_expires_by_itself() {
    let options = Options {
        token_required: true,
        token_lifetime: Duration::ZERO,
        ..Options::default()
    };
    let gcs = GcsServer::start_with(options);
    let store = client_with(&gcs, &gcs.token_for(&Permission::ALL));
    let late = create(&store, "key", "x").await.unwrap_err();
    assert!(matches!(late, Error::Unauthenticated { .. }), "{late}");
}

#[tokio::test]
async fn a_request_without_a_known_token_is_refused() {
    let gcs = strict();
    for store in [client(&gcs), client_with(&gcs, "ya29.made-up")] {
        let refused = create(&store, "key", "x").await.unwrap_err();
        assert!(
            matches!(refused, Error::Unauthenticated { .. }),
            "{refused}"
        );
    }
    assert_eq!(gcs.counts().created, 0);
}

#[tokio::test]
async fn permission_to_create_is_not_enough_to_overwrite_or_read() {
    let gcs = strict();
    let store = client_with(&gcs, &gcs.token_for(&[Permission::Create]));
    create(&store, "key", "x").await.unwrap();
    let path = Path::from("key");
    let again = create(&store, "key", "x").await.unwrap_err();
    assert!(matches!(again, Error::AlreadyExists { .. }), "{again}");
    for refused in [
        store.put(&path, "y".into()).await.unwrap_err(),
        store.get(&path).await.unwrap_err(),
        store.delete(&path).await.unwrap_err(),
    ] {
        assert!(
            matches!(refused, Error::PermissionDenied { .. }),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn permissions_can_be_checked_before_conditions() {
    let gcs = GcsServer::start_with(Options {
        conditions_before_permissions: false,
        ..Options::default()
    });
    gcs.allow(&[Permission::Create, Permission::Get]);
    let store = client(&gcs);
    create(&store, "key", "x").await.unwrap();
    let again = create(&store, "key", "x").await.unwrap_err();
    assert!(matches!(again, Error::PermissionDenied { .. }), "{again}");
}

#[tokio::test]
async fn a_refusal_names_the_permission() {
    let gcs = GcsServer::start();
    gcs.allow(&[Permission::Get]);
    let answer = by_hand(&gcs, &format!("PUT /{}/key", GcsServer::BUCKET), &[], b"x");
    assert!(
        answer.starts_with("HTTP/1.1 403") && answer.contains("<Code>AccessDenied</Code>"),
        "{answer}"
    );
    assert!(
        answer.contains(
            "does not have storage.objects.create access to the Google Cloud Storage object."
        ),
        "{answer}"
    );
}

#[tokio::test]
async fn a_missing_object_looks_forbidden_without_list_permission() {
    let gcs = GcsServer::start();
    gcs.allow(&[Permission::Get]);
    let missing = client(&gcs).head(&Path::from("missing")).await.unwrap_err();
    assert!(
        matches!(missing, Error::PermissionDenied { .. }),
        "{missing}"
    );
    let answer = by_hand(
        &gcs,
        &format!("GET /{}/missing", GcsServer::BUCKET),
        &[],
        b"",
    );
    assert!(
        answer.contains(
            "does not have storage.objects.list access to the Google Cloud Storage bucket."
        ),
        "{answer}"
    );
    gcs.allow(&[Permission::Get, Permission::List]);
    let missing = client(&gcs).head(&Path::from("missing")).await.unwrap_err();
    assert!(matches!(missing, Error::NotFound { .. }), "{missing}");
}

#[tokio::test]
async fn permissions_can_be_tested_without_use() {
    let gcs = GcsServer::start();
    gcs.allow(&[Permission::Create]);
    let path = format!(
        "GET /storage/v1/b/{}/iam/testPermissions?permissions=storage.objects.create&permissions=storage.objects.get",
        GcsServer::BUCKET
    );
    let answer = by_hand(&gcs, &path, &[], b"");
    assert!(
        answer.contains(r#""permissions":["storage.objects.create"]"#),
        "{answer}"
    );
    let bucket = by_hand(
        &gcs,
        &format!("GET /storage/v1/b/{}", GcsServer::BUCKET),
        &[],
        b"",
    );
    assert!(bucket.starts_with("HTTP/1.1 403"), "{bucket}");
}

#[tokio::test]
async fn tokens_have_their_own_faults() {
    let gcs = GcsServer::start();
    gcs.inject(Fault::new(Effect::Status(503)).on_tokens().times(1));
    create(&client(&gcs), "key", "x").await.unwrap();
    assert!(by_hand(&gcs, "POST /token", &[], b"").starts_with("HTTP/1.1 503"));
    assert!(by_hand(&gcs, "POST /token", &[], b"").starts_with("HTTP/1.1 200"));
}
