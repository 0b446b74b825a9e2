//! Credentials of every kind that Google, S3 and Azure have, as far as this machine can test them:
//! servers of tokens are played by a listener that records its requests.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    sync::{Arc, Mutex},
    thread,
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use crispy_bucket::{Bucket, BucketOptions, Metadata, Put};
use crispy_checksum::Checksums;
use crispy_fault::Fault;
use crispy_testbed::{
    GcsServer,
    gcs::{self, Effect, Options, Permission},
    private_key,
};
use serde_json::json;
use tempfile::TempDir;

const SECRET: &str = "hush";
/// The request for a service account's token, with the account's name.
const IMPERSONATE: &str = "POST /v1/projects/-/serviceAccounts/robot:generateAccessToken";

/// Answers requests by their paths, and writes them down, heads and bodies. It ends with the
/// process.
struct RecordingServer {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl RecordingServer {
    /// `answer` has the method and path, and gives status and body.
    fn open(answer: impl Fn(&str) -> (u16, String) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let log = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A closed connection needs no answer.
                let _ = serve(stream, &answer, &log);
            }
        });
        Self { url, requests }
    }

    fn requests(&self, path: &str) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        requests
            .iter()
            .filter(|requests| requests.contains(path))
            .cloned()
            .collect()
    }
}

fn serve(
    mut stream: TcpStream,
    answer: &impl Fn(&str) -> (u16, String),
    log: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let (mut reader, mut text, mut length) =
        (BufReader::new(stream.try_clone()?), String::new(), 0);
    while reader.read_line(&mut text)? > 2 {
        let line = text.lines().last().unwrap_or_default().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or_default();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    text += &String::from_utf8_lossy(&body);
    let target = text.lines().next().unwrap_or_default();
    let (status, body) = answer(target.trim_end_matches(" HTTP/1.1"));
    log.lock().unwrap().push(text);
    write!(
        stream,
        "HTTP/1.1 {status} X\r\netag: \"1\"\r\nx-goog-generation: 1\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A store that accepts everything, and records the credentials.
fn any_store() -> RecordingServer {
    RecordingServer::open(|_| (200, String::new()))
}

fn strict() -> GcsServer {
    GcsServer::start_with(Options {
        token_required: true,
        ..Options::default()
    })
}

fn google(endpoint: &str) -> BucketOptions {
    BucketOptions::new()
        .with_option(&format!("base_url={endpoint}"))
        .unwrap()
}

async fn put(url: &str, options: &BucketOptions) -> Result<Put, Fault> {
    put_into(&Bucket::open_with(url, options).unwrap(), "key").await
}

async fn put_into(bucket: &Bucket, key: &str) -> Result<Put, Fault> {
    let sums = Checksums::new(b"bytes");
    bucket
        .put_once(key, "bytes".into(), &sums, &Metadata::new())
        .await
}

fn gs() -> String {
    format!("gs://{}", GcsServer::BUCKET)
}

/// The whole text of a fault in a log, and its debug form.
fn shown(fault: &Fault) -> String {
    format!("{fault:#} {fault:?}")
}

fn file(folder: &TempDir, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path
}

fn authorized_user(token_url: &str) -> String {
    json!({
        "type": "authorized_user", "client_id": "id", "client_secret": SECRET, "refresh_token": SECRET, "token_uri": token_url,
    })
    .to_string()
}

#[tokio::test]
async fn an_emulator_may_be_given_by_host_and_port() {
    let server = GcsServer::start();
    for host in [server.url().to_owned(), server.address().to_string()] {
        let options = BucketOptions::new().with_variable("STORAGE_EMULATOR_HOST", &host);
        let _ = put(&gs(), &options).await.unwrap();
    }
}

#[tokio::test]
async fn a_users_file_names_its_token_server() {
    let (server, folder) = (strict(), tempfile::tempdir().unwrap());
    let text = authorized_user(&server.token_url());
    let named = file(&folder, "named.json", &text);
    let options = google(server.url())
        .with_variable("GOOGLE_APPLICATION_CREDENTIALS", named.to_str().unwrap());
    assert!(matches!(put(&gs(), &options).await, Ok(Put::Stored { .. })));
    // gcloud's own file, where none is named.
    file(
        &folder,
        ".config/gcloud/application_default_credentials.json",
        &text,
    );
    let options = google(server.url()).with_variable("HOME", folder.path().to_str().unwrap());
    assert!(matches!(
        put(&gs(), &options).await,
        Ok(Put::AlreadyMine { .. })
    ));
}

#[tokio::test]
async fn a_machine_asks_its_metadata_server() {
    let server = strict();
    let options =
        google(server.url()).with_variable("GCE_METADATA_HOST", &server.address().to_string());
    assert!(matches!(put(&gs(), &options).await, Ok(Put::Stored { .. })));
}

#[tokio::test]
async fn a_service_account_signs_its_own_token() {
    let (store, folder) = (any_store(), tempfile::tempdir().unwrap());
    let key = json!({
        "type": "service_account", "client_email": "robot@project.example", "private_key_id": "the-key",
        "private_key": private_key(), "project_id": "p", "client_id": "1", "token_uri": "http://127.0.0.1:9/token",
    });
    let path = file(&folder, "key.json", key.to_string());
    let options =
        google(&store.url).with_variable("GOOGLE_APPLICATION_CREDENTIALS", path.to_str().unwrap());
    let _ = put("gs://b", &options).await.unwrap();
    let requests = &store.requests("PUT /b/key")[0];
    let (_, bearer) = requests
        .split_once("Bearer ")
        .or(requests.split_once("bearer "))
        .unwrap();
    let claims = bearer.split('.').nth(1).unwrap();
    let claims = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    assert!(claims.contains("robot@project.example"), "{claims}");
    assert!(claims.contains("devstorage.read_write"), "{claims}");
    assert!(
        requests.contains("x-goog-hash: crc32c=")
            && requests.contains("x-goog-if-generation-match: 0"),
        "{requests}"
    );
}

/// The exchange of tokens, and the impersonation of a service account: both give tokens of
/// `server`.
fn exchange(server: &GcsServer) -> RecordingServer {
    let token = server.token_for(&Permission::ALL);
    RecordingServer::open(move |target| match target {
        "POST /sts" => {
            let answer = json!({
                "access_token": token, "expires_in": 3600, "token_type": "Bearer",
                "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
            });
            (200, answer.to_string())
        }
        "POST /user" => (
            200,
            json!({"access_token": token, "expires_in": 3600, "token_type": "Bearer"}).to_string(),
        ),
        IMPERSONATE => {
            let answer = json!({"accessToken": token, "expireTime": "2099-01-01T00:00:00Z"});
            (200, answer.to_string())
        }
        _ => (404, String::new()),
    })
}

#[tokio::test]
async fn a_workload_identity_is_exchanged_and_may_impersonate() {
    let (server, folder) = (strict(), tempfile::tempdir().unwrap());
    let server_of_tokens = exchange(&server);
    let subject = file(&folder, "subject", "the-workload-s-own-token");
    for (impersonated, key) in [
        (None, "direct"),
        (
            Some(format!(
                "{}{}",
                server_of_tokens.url,
                IMPERSONATE.trim_start_matches("POST ")
            )),
            "lent",
        ),
    ] {
        let mut config = json!({
            "type": "external_account", "audience": "//iam.googleapis.com/pool", "token_url": format!("{}/sts", server_of_tokens.url),
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "credential_source": {"file": subject},
        });
        if let Some(url) = impersonated {
            config["service_account_impersonation_url"] = json!(url);
        }
        let path = file(&folder, key, config.to_string());
        let options = google(server.url())
            .with_variable("GOOGLE_APPLICATION_CREDENTIALS", path.to_str().unwrap());
        let bucket = Bucket::open_with(&gs(), &options).unwrap();
        assert!(
            matches!(put_into(&bucket, key).await, Ok(Put::Stored { .. })),
            "{key}"
        );
    }
    let exchanged = server_of_tokens.requests("POST /sts");
    assert!(
        exchanged[0].contains("the-workload-s-own-token"),
        "{exchanged:?}"
    );
    assert_eq!(
        (
            exchanged.len(),
            server_of_tokens.requests(IMPERSONATE).len()
        ),
        (2, 1)
    );
}

#[tokio::test]
async fn a_user_may_impersonate_a_service_account() {
    let (server, folder) = (strict(), tempfile::tempdir().unwrap());
    let server_of_tokens = exchange(&server);
    let config = json!({
        "type": "impersonated_service_account", "service_account_impersonation_url": format!("{}{}", server_of_tokens.url, IMPERSONATE.trim_start_matches("POST ")),
        "source_credentials": serde_json::from_str::<serde_json::Value>(&authorized_user(&format!("{}/user", server_of_tokens.url))).unwrap(),
    });
    let path = file(&folder, "lent.json", config.to_string());
    let options = google(server.url())
        .with_variable("GOOGLE_APPLICATION_CREDENTIALS", path.to_str().unwrap());
    let stored = put(&gs(), &options).await;
    assert!(matches!(stored, Ok(Put::Stored { .. })), "{stored:?}");
    assert_eq!(server_of_tokens.requests(IMPERSONATE).len(), 1);
}

#[tokio::test]
async fn an_expired_token_is_replaced_and_nothing_is_lost() {
    let server = strict();
    let options =
        google(server.url()).with_variable("GCE_METADATA_HOST", &server.address().to_string());
    let bucket = Bucket::open_with(&gs(), &options).unwrap();
    let _ = put_into(&bucket, "before").await.unwrap();
    server.expire_tokens();
    let puts = (0..8).map(|number| {
        let bucket = bucket.clone();
        tokio::spawn(async move { put_into(&bucket, &format!("after/{number}")).await })
    });
    for put in puts.collect::<Vec<_>>() {
        assert!(matches!(put.await.unwrap(), Ok(Put::Stored { .. })));
    }
    server.expire_tokens();
    bucket.check_writable(0).await.unwrap();
    assert_eq!(bucket.list("after").await.unwrap().len(), 8);
    let tokens = server
        .requests()
        .into_iter()
        .filter(|requests| requests.path.contains("/token"));
    assert_eq!(tokens.count(), 3, "one for all with a stale token");
}

#[tokio::test]
async fn a_refused_token_is_refreshed_once() {
    let server = strict();
    let options =
        google(server.url()).with_variable("GCE_METADATA_HOST", &server.address().to_string());
    server.inject(gcs::Fault::new(Effect::Status(401)));
    let refused = put(&gs(), &options).await.unwrap_err();
    assert!(refused.is_unavailable(), "{refused:?}");
    let puts = server
        .requests()
        .into_iter()
        .filter(|requests| requests.method == "PUT");
    assert_eq!(puts.count(), 2);
}

#[tokio::test]
async fn credentials_without_a_token_are_an_outage_until_fixed() {
    let (server, folder) = (strict(), tempfile::tempdir().unwrap());
    let path = folder.path().join("key.json");
    let options = google(server.url())
        .with_variable("GOOGLE_APPLICATION_CREDENTIALS", path.to_str().unwrap());
    let bucket = Bucket::open_with(&gs(), &options).unwrap();
    for text in [
        None,
        Some("no json: hush"),
        Some(r#"{"type":"hush2"}"#),
        Some(r#"{"type":"authorized_user","refresh_token":"hush"}"#),
    ] {
        if let Some(text) = text {
            std::fs::write(&path, text).unwrap();
        }
        let refused = put_into(&bucket, "key").await.unwrap_err();
        assert!(refused.is_unavailable(), "{text:?}: {refused:?}");
        assert!(shown(&refused).contains("key.json"), "{}", shown(&refused));
        assert!(!shown(&refused).contains("hush\""), "{}", shown(&refused));
    }
    std::fs::write(&path, authorized_user(&server.token_url())).unwrap();
    server.inject(gcs::Fault::new(Effect::Status(400)).on_tokens().times(2));
    let refused = put_into(&bucket, "key").await.unwrap_err();
    assert!(refused.is_unavailable(), "{refused:?}");
    server.clear_faults();
    assert!(matches!(
        put_into(&bucket, "key").await,
        Ok(Put::Stored { .. })
    ));
}

#[tokio::test]
async fn missing_credentials_are_reported_as_missing() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let store = any_store();
    let options = google(&store.url).with_variable("GCE_METADATA_HOST", &closed.to_string());
    let refused = put("gs://b", &options).await.unwrap_err();
    assert!(refused.is_unavailable(), "{refused:?}");
    assert!(
        shown(&refused).contains("Connection refused"),
        "{}",
        shown(&refused)
    );
    assert!(
        shown(&refused).contains("GOOGLE_APPLICATION_CREDENTIALS"),
        "{}",
        shown(&refused)
    );
}

#[tokio::test]
async fn an_s3_key_signs_and_a_machine_role_provides_one() {
    let store = any_store();
    let options = BucketOptions::new()
        .with_variable("AWS_ENDPOINT_URL_S3", &store.url)
        .with_variable("AWS_REGION", "eu-central-1");
    let keys = options
        .clone()
        .with_variable("AWS_ACCESS_KEY_ID", "the-key-id")
        .with_variable("AWS_SECRET_ACCESS_KEY", SECRET);
    let _ = put("s3://b", &keys).await.unwrap();
    let requests = &store.requests("PUT /b/key")[0];
    assert!(
        requests.contains("Credential=the-key-id/") && requests.contains("/eu-central-1/s3/"),
        "{requests}"
    );
    assert!(
        requests.contains("x-amz-checksum-sha256: ") && requests.contains("if-none-match: *"),
        "{requests}"
    );
    assert!(!requests.contains(SECRET), "{requests}");

    let machine = RecordingServer::open(|target| match target {
        "PUT /latest/api/token" => (200, "session".into()),
        target if target.ends_with("/security-credentials/") => (200, "role".into()),
        target if target.ends_with("/security-credentials/role") => {
            let answer = json!({
                "AccessKeyId": "the-role-s", "SecretAccessKey": SECRET, "Token": "session-token", "Expiration": "2099-01-01T00:00:00Z",
            });
            (200, answer.to_string())
        }
        _ => (404, String::new()),
    });
    let role = options.with_variable("AWS_METADATA_ENDPOINT", &machine.url);
    let _ = put("s3://b", &role).await.unwrap();
    let requests = store.requests("the-role-s");
    assert!(
        requests[0].contains("x-amz-security-token: session-token"),
        "{requests:?}"
    );
}

#[tokio::test]
async fn azure_secrets_and_machine_identities_give_tokens() {
    let store = any_store();
    let token = RecordingServer::open(|target| {
        let until = "4070908800";
        let answer = json!({
            "access_token": format!("token-for{}", target.contains("/tenant/")), "expires_in": 3600, "expires_on": until, "token_type": "Bearer",
        });
        (200, answer.to_string())
    });
    let options = BucketOptions::new()
        .with_variable("AZURE_STORAGE_ACCOUNT_NAME", "account")
        .with_variable("AZURE_STORAGE_ENDPOINT", &store.url);
    let client = options
        .clone()
        .with_variable("AZURE_CLIENT_ID", "id")
        .with_variable("AZURE_CLIENT_SECRET", SECRET)
        .with_variable("AZURE_TENANT_ID", "tenant")
        .with_variable("AZURE_AUTHORITY_HOST", &token.url);
    let _ = put("az://c", &client).await.unwrap();
    let machine = options.with_variable("AZURE_MSI_ENDPOINT", &token.url);
    let _ = put("az://c", &machine).await.unwrap();
    assert_eq!(store.requests("Bearer token-fortrue").len(), 1);
    assert_eq!(store.requests("Bearer token-forfalse").len(), 1);
}

#[tokio::test]
async fn no_error_and_no_debug_form_shows_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    // A server that repeats secrets in its answer.
    let leaky = RecordingServer::open(|target| {
        let words = format!("Bearer ya29.hush and sig=hush and {target}?sig=hush");
        (
            403,
            format!("<Error><Code>AccessDenied</Code><Message>{words}</Message></Error>"),
        )
    });
    let user = file(
        &folder,
        "user.json",
        authorized_user(&format!("{}/token", leaky.url)),
    );
    let options = [
        (
            "gs://b",
            google(&leaky.url)
                .with_variable("GOOGLE_APPLICATION_CREDENTIALS", user.to_str().unwrap()),
        ),
        (
            "s3://b",
            BucketOptions::new()
                .with_variable("AWS_ENDPOINT_URL", &leaky.url)
                .with_variable("AWS_ACCESS_KEY_ID", "id")
                .with_variable("AWS_SECRET_ACCESS_KEY", SECRET)
                .with_variable("AWS_SESSION_TOKEN", SECRET),
        ),
        (
            "az://c",
            BucketOptions::new()
                .with_variable("AZURE_STORAGE_ENDPOINT", &leaky.url)
                .with_variable("AZURE_STORAGE_ACCOUNT_NAME", "account")
                .with_variable("AZURE_STORAGE_SAS_TOKEN", "sv=2021&sig=hush"),
        ),
    ];
    for (url, options) in options {
        let bucket = Bucket::open_with(url, &options).unwrap();
        let shown = [
            format!("{bucket:?} {options:?} {}", bucket.url()),
            bucket.media_link("key", "1"),
            shown(&put_into(&bucket, "key").await.unwrap_err()),
            shown(&bucket.head("key").await.unwrap_err()),
            shown(&bucket.list("a").await.unwrap_err()),
            shown(&bucket.check_writable(1).await.unwrap_err()),
        ];
        assert!(
            shown.iter().all(|shown| !shown.contains(SECRET)),
            "{shown:#?}"
        );
    }
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table")]
fn a_link_is_the_stores_own_url_of_the_bytes() {
    let with = |options: &[&str]| {
        options.iter().fold(BucketOptions::new(), |all, option| {
            all.with_option(option).unwrap()
        })
    };
    for (url, options, version, expected) in [
        (
            "gs://b/site",
            with(&[]),
            "7",
            "https://storage.googleapis.com/download/storage/v1/b/b/o/site%2Fv1%2Fk.mp4?generation=7&alt=media",
        ),
        (
            "s3://b/site",
            with(&["region=eu-central-1"]),
            "",
            "https://b.s3.eu-central-1.amazonaws.com/site/v1/k.mp4",
        ),
        (
            "s3://b.c",
            with(&[]),
            "7",
            "https://s3.us-east-1.amazonaws.com/b.c/v1/k.mp4?versionId=7",
        ),
        (
            "s3://b",
            with(&["endpoint=https://minio:9000/"]),
            "",
            "https://minio:9000/b/v1/k.mp4",
        ),
        (
            "s3://b",
            with(&[
                "endpoint=https://b.minio",
                "virtual_hosted_style_request=true",
            ]),
            "",
            "https://b.minio/v1/k.mp4",
        ),
        (
            "az://c",
            with(&["account_name=a"]),
            "",
            "https://a.blob.core.windows.net/c/v1/k.mp4",
        ),
        (
            "az://c",
            with(&["use_emulator=true"]),
            "",
            "http://127.0.0.1:10000/devstoreaccount1/c/v1/k.mp4",
        ),
    ] {
        let bucket = Bucket::open_with(url, &options).unwrap();
        assert_eq!(bucket.media_link("v1/k.mp4", version), expected);
        assert_eq!(bucket.url(), url);
    }
}

#[test]
fn unfit_options_are_refused_with_their_correction() {
    for (url, option, hint) in [
        ("az://c", None, "account_name"),
        ("gs://b", Some("base_url=ftp://x"), "http://host:port"),
        ("gs://b", Some("base_url=https://u:hush@x"), "credentials"),
        ("gs://b", Some("regoin=x"), "base_url"),
        ("s3://b", Some("timeout=5"), "5s"),
        ("file:///tmp/x", Some("region=x"), "no options"),
    ] {
        let mut options = BucketOptions::new();
        if let Some(option) = option {
            options = options.with_option(option).unwrap();
        }
        let refused = Bucket::open_with(url, &options).unwrap_err().to_string();
        assert!(refused.contains(hint), "{refused}");
        assert!(!refused.contains(SECRET), "{refused}");
    }
}

#[test]
fn credentials_are_not_sent_without_tls() {
    let options = google("http://store.example");
    let refused = Bucket::open_with("gs://b", &options)
        .unwrap_err()
        .to_string();
    assert!(refused.contains("allow_http=true"), "{refused}");
    Bucket::open_with("gs://b", &options.with_option("allow_http=true").unwrap()).unwrap();
}
