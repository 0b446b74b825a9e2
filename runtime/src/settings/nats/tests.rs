use std::{fs, path::Path, time::Duration};

use super::*;
use crispy_testbed::{NatsOptions, NatsServer};
use tempfile::TempDir;

/// The flags on a command line, with the context `hub` to be found in `folder`.
fn flags(arguments: &[&str]) -> NatsFlags {
    Alone::parse_from([&["crispy"], arguments].concat()).nats
}

/// A context in a file; what to give to `--nats-context`.
fn context(folder: &TempDir, text: &str) -> String {
    let path = folder.path().join("hub.json");
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn options(arguments: &[&str]) -> ConnectOptions {
    flags(arguments).options("test").unwrap()
}

#[test]
fn a_flag_overrides_one_field_of_a_context() {
    let folder = TempDir::new().unwrap();
    let text = r#"{"url": "nats://hub", "user": "ann", "password": "pw", "ca": "/ca", "jetstream_domain": "edge"}"#;
    let hub = context(&folder, text);
    let first = options(&["--nats-context", &hub]);
    assert_eq!(
        (first.servers.as_str(), first.user.as_deref()),
        ("nats://hub", Some("ann"))
    );
    assert!(first.name.starts_with("test "));

    let elsewhere = options(&["--nats-context", &hub, "--nats-server", "nats://b"]);
    assert_eq!(
        (elsewhere.servers.as_str(), elsewhere.user.as_deref()),
        ("nats://b", Some("ann"))
    );
    assert_eq!(elsewhere.tls_ca.as_deref(), Some(Path::new("/ca")));
    let renewed = options(&["--nats-context", &hub, "--nats-password", "new"]);
    assert_eq!(
        (renewed.user.as_deref(), renewed.password.as_deref()),
        (Some("ann"), Some("new"))
    );
    let prefixed = options(&["--nats-context", &hub, "--nats-js-api-prefix", "JS.x.API"]);
    assert_eq!(
        (prefixed.domain, prefixed.js_api_prefix.as_deref()),
        (None, Some("JS.x.API"))
    );
}

#[test]
fn a_credential_flag_replaces_all_credentials() {
    let folder = TempDir::new().unwrap();
    let hub = context(&folder, r#"{"user": "ann", "password": "pw"}"#);
    let by_file = options(&["--nats-context", &hub, "--nats-creds", "/a.creds"]);
    assert_eq!((by_file.user, by_file.password), (None, None));
    assert!(by_file.creds.is_some());
    // As natscli reads it.
    let lone = options(&["--nats-context", &hub, "--nats-user", "t0ken"]);
    assert_eq!(
        (lone.user, lone.password, lone.token.as_deref()),
        (None, None, Some("t0ken"))
    );
}

#[tokio::test]
async fn a_context_connects_and_each_refusal_has_its_code() {
    let folder = TempDir::new().unwrap();
    let mut server = NatsServer::start_with(&NatsOptions {
        config: "authorization { user: ann, password: sEcrEt-1 }".into(),
        ..NatsOptions::default()
    });
    let text = |word: &str| {
        let url = server.url();
        format!(r#"{{"url": "{url}", "user": "ann", "password": "{word}"}}"#)
    };
    let try_with = async |context: &str| {
        let options = ConnectOptions {
            wait: Duration::from_millis(500),
            ..flags(&["--nats-context", context]).options("test")?
        };
        connect(&options, &Prefix::default()).await.map(drop)
    };
    let (right, wrong) = (text("sEcrEt-1"), text("sEcrEt-2"));
    try_with(&context(&folder, &right)).await.unwrap();
    let mut refusals = vec![
        (try_with(&context(&folder, &wrong)).await, Exit::NatsRefused),
        (try_with("no such context").await, Exit::Configuration),
        (
            try_with(&context(&folder, r#"{"creds": "/no/such"}"#)).await,
            Exit::Configuration,
        ),
        (
            try_with(&context(&folder, r#"{"ca": "/no/such"}"#)).await,
            Exit::Configuration,
        ),
    ];
    server.kill9();
    refusals.push((
        try_with(&context(&folder, &right)).await,
        Exit::NatsUnreachable,
    ));
    for (refusal, exit) in refusals {
        let failed = refusal.unwrap_err();
        assert_eq!(failed.exit, exit, "{failed:?}");
        assert!(!format!("{failed:?}").contains("sEcrEt"), "{failed:?}");
    }
}
