//! object_store's client in a program's configuration, and requests by hand that it cannot send.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{Arc, Once},
    time::Duration,
};

use crispy_testbed::GcsServer;
use object_store::{
    Attribute, Attributes, BackoffConfig, ClientOptions, ObjectStore, PutMode, PutOptions,
    PutPayload, PutResult, Result, RetryConfig,
    gcp::{GoogleCloudStorage, GoogleCloudStorageBuilder},
    path::Path,
};

static PROVIDER: Once = Once::new();

fn builder(gcs: &GcsServer, account: &str) -> GoogleCloudStorageBuilder {
    PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    let retry = RetryConfig {
        max_retries: 0,
        retry_timeout: Duration::from_secs(5),
        backoff: BackoffConfig::default(),
    };
    GoogleCloudStorageBuilder::new()
        .with_service_account_key(account)
        .with_bucket_name(GcsServer::BUCKET)
        .with_base_url(gcs.url())
        .with_client_options(
            ClientOptions::new()
                .with_allow_http(true)
                .with_timeout(Duration::from_secs(2)),
        )
        .with_retry(retry)
}

/// A client without tokens, and without retries, so that a test sees every failure.
pub(crate) fn client(gcs: &GcsServer) -> GoogleCloudStorage {
    let account =
        r#"{"disable_oauth":true,"client_email":"","private_key":"","private_key_id":""}"#;
    builder(gcs, account).build().unwrap()
}

/// A client with this token.
pub(crate) fn client_with(gcs: &GcsServer, token: &str) -> GoogleCloudStorage {
    let bearer = token.to_owned();
    let credential =
        object_store::StaticCredentialProvider::new(object_store::gcp::GcpCredential { bearer });
    let account =
        r#"{"disable_oauth":true,"client_email":"","private_key":"","private_key_id":""}"#;
    builder(gcs, account)
        .with_credentials(Arc::new(credential))
        .build()
        .unwrap()
}

/// Creates an object with metadata.
pub(crate) async fn create(
    store: &GoogleCloudStorage,
    key: &str,
    bytes: impl Into<PutPayload>,
) -> Result<PutResult> {
    let mut attributes = Attributes::new();
    attributes.insert(Attribute::ContentType, "video/mp4".into());
    attributes.insert(
        Attribute::Metadata("Chunk_From".into()),
        "2026-11-22T00:00:00Z".into(),
    );
    let options = PutOptions {
        mode: PutMode::Create,
        attributes,
        ..PutOptions::default()
    };
    store
        .put_opts(&Path::from(key), bytes.into(), options)
        .await
}

/// The response, with its headers, to a request by hand.
pub(crate) fn by_hand(
    gcs: &GcsServer,
    request_line: &str,
    headers: &[&str],
    body: &[u8],
) -> String {
    let mut stream = TcpStream::connect(gcs.address()).unwrap();
    let headers: String = headers
        .iter()
        .map(|header| format!("{header}\r\n"))
        .collect();
    let length = body.len();
    write!(
        stream,
        "{request_line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         content-length: {length}\r\n{headers}\r\n"
    )
    .unwrap();
    stream.write_all(body).unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).unwrap();
    String::from_utf8_lossy(&response).into_owned()
}
