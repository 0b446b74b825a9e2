//! The emulators of S3 and Azure: they start, create an object once, and end with their owner.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{path::PathBuf, sync::Once};

use crispy_testbed::{AzureServer, S3Server};
use object_store::{
    Attribute, Attributes, ClientOptions, Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions,
    aws::AmazonS3Builder, azure::MicrosoftAzureBuilder, path::Path,
};

static PROVIDER: Once = Once::new();

async fn creates_an_object_once(store: impl ObjectStore) {
    let mut attributes = Attributes::new();
    attributes.insert(Attribute::Metadata("camera".into()), "door".into());
    let create = PutOptions {
        mode: PutMode::Create,
        attributes,
        ..PutOptions::default()
    };
    let path = Path::from("v1/site/camera/0.mp4");
    store
        .put_opts(&path, "first".into(), create.clone())
        .await
        .unwrap();
    let conflict = store
        .put_opts(&path, "second".into(), create)
        .await
        .unwrap_err();
    assert!(
        matches!(conflict, Error::AlreadyExists { .. }),
        "{conflict}"
    );
    let found = store.get(&path).await.unwrap();
    let camera = found.attributes.get(&Attribute::Metadata("camera".into()));
    assert_eq!(&**camera.unwrap(), "door");
    assert_eq!(found.bytes().await.unwrap(), "first");
}

fn is_running(pid: u32) -> bool {
    PathBuf::from(format!("/proc/{pid}")).exists()
}

fn options() -> ClientOptions {
    PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    ClientOptions::new().with_allow_http(true)
}

#[tokio::test]
async fn s3_creates_an_object_once_and_ends_with_its_owner() {
    let s3 = S3Server::start();
    let store = AmazonS3Builder::new()
        .with_endpoint(s3.url())
        .with_bucket_name(S3Server::BUCKET)
        .with_region(S3Server::REGION)
        .with_access_key_id(S3Server::ACCESS_KEY_ID)
        .with_secret_access_key(S3Server::SECRET_ACCESS_KEY)
        .with_client_options(options());
    creates_an_object_once(store.build().unwrap()).await;
    let pid = s3.pid();
    assert!(is_running(pid));
    drop(s3);
    assert!(!is_running(pid));
}

#[tokio::test]
async fn azure_creates_an_object_once_and_ends_with_its_owner() {
    let azure = AzureServer::start();
    let store = MicrosoftAzureBuilder::new()
        .with_endpoint(azure.url())
        .with_container_name(AzureServer::CONTAINER)
        .with_account(AzureServer::ACCOUNT)
        .with_access_key(AzureServer::ACCOUNT_KEY)
        .with_client_options(options());
    creates_an_object_once(store.build().unwrap()).await;
    let pid = azure.pid();
    assert!(is_running(pid));
    drop(azure);
    assert!(!is_running(pid));
}
