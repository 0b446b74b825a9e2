//! Credentials and TLS: accepted and refused.

use std::{fs, time::Duration};

use crispy_jetstream::{ConnectError, ConnectOptions, connect};
use crispy_testbed::{NatsOptions, NatsServer};
use nkeys::KeyPair;
use tempfile::TempDir;

use crate::certificates::{Certificates, Operator};

/// Part of every secret in these tests.
const SECRET: &str = "sEcrEt";

fn server(config: impl Into<String>) -> NatsServer {
    NatsServer::start_with(&NatsOptions {
        config: config.into(),
        without_jetstream: true,
        ..NatsOptions::default()
    })
}

/// A server, options that it accepts and options that it refuses.
struct Cases {
    server: NatsServer,
    accepted: Vec<ConnectOptions>,
    refused: Vec<ConnectOptions>,
}

impl Cases {
    /// Checks that both links connect or none does, and that no secret is printed.
    async fn check(self) {
        let at = |options: &ConnectOptions| ConnectOptions {
            servers: self.server.url(),
            wait: Duration::from_secs(20),
            ..options.clone()
        };
        for options in &self.accepted {
            let connection = connect(&at(options)).await.unwrap();
            connection.publisher().await;
            connection.flush().await.unwrap();
            connection.close().await;
        }
        for options in &self.refused {
            let error = connect(&at(options)).await.unwrap_err();
            let refused = matches!(
                error,
                ConnectError::Refused { .. } | ConnectError::Tls { .. }
            );
            assert!(refused, "{error:?} for {options:?}");
            let text = format!("{error:?} {error} {options:?}");
            assert!(!text.contains(SECRET) && !text.contains("SUA"), "{text}");
        }
    }
}

fn anonymous() -> ConnectOptions {
    ConnectOptions::default()
}

#[tokio::test]
async fn a_user_needs_the_right_password() {
    let by = |password: &str| ConnectOptions {
        user: Some("ann".into()),
        password: Some(password.into()),
        ..anonymous()
    };
    Cases {
        server: server(format!(
            "authorization {{ user: ann, password: {SECRET}-1 }}"
        )),
        accepted: vec![by("sEcrEt-1")],
        refused: vec![by("sEcrEt-2"), anonymous()],
    }
    .check()
    .await;
}

#[tokio::test]
async fn only_the_right_token_is_accepted() {
    let by = |token: &str| ConnectOptions {
        token: Some(token.into()),
        ..anonymous()
    };
    Cases {
        server: server(format!("authorization {{ token: {SECRET}-1 }}")),
        accepted: vec![by("sEcrEt-1")],
        refused: vec![by("sEcrEt-2"), anonymous()],
    }
    .check()
    .await;
}

#[tokio::test]
async fn only_the_right_nkey_is_accepted() {
    let (folder, ours, other) = (
        TempDir::new().unwrap(),
        KeyPair::new_user(),
        KeyPair::new_user(),
    );
    let by = |name: &str, pair: &KeyPair| {
        let path = folder.path().join(name);
        fs::write(
            &path,
            format!("# of the uploaders\n{}\n", pair.seed().unwrap()),
        )
        .unwrap();
        ConnectOptions {
            nkey: Some(path),
            ..anonymous()
        }
    };
    Cases {
        server: server(format!(
            "authorization {{ users: [{{ nkey: {} }}] }}",
            ours.public_key()
        )),
        accepted: vec![by("ours", &ours)],
        refused: vec![by("other", &other), anonymous()],
    }
    .check()
    .await;
}

#[tokio::test]
async fn operator_credentials_work_as_file_and_as_values() {
    let (folder, ours, other) = (TempDir::new().unwrap(), Operator::new(), Operator::new());
    let by_file = |name: &str, operator: &Operator| {
        let path = folder.path().join(name);
        fs::write(&path, operator.creds()).unwrap();
        ConnectOptions {
            creds: Some(path),
            ..anonymous()
        }
    };
    let by_jwt = |operator: &Operator, seed: &str| ConnectOptions {
        jwt: Some(operator.jwt.clone()),
        seed: Some(seed.to_owned()),
        ..anonymous()
    };
    Cases {
        server: server(ours.config.clone()),
        accepted: vec![by_file("ours", &ours), by_jwt(&ours, &ours.seed)],
        refused: vec![
            by_file("other", &other),
            by_jwt(&ours, &other.seed),
            anonymous(),
        ],
    }
    .check()
    .await;
}

#[tokio::test]
async fn a_private_authority_is_trusted_only_where_configured() {
    let (ours, other) = (Certificates::new(), Certificates::new());
    let trusting = |certificates: &Certificates| ConnectOptions {
        tls_ca: Some(certificates.path("ca.pem")),
        ..anonymous()
    };
    Cases {
        server: server(ours.config("")),
        accepted: vec![trusting(&ours)],
        refused: vec![trusting(&other), anonymous()],
    }
    .check()
    .await;
}

#[tokio::test]
async fn a_client_certificate_is_presented_where_required() {
    let (ours, other) = (Certificates::new(), Certificates::new());
    let by = |certificates: Option<&Certificates>| ConnectOptions {
        tls_ca: Some(ours.path("ca.pem")),
        tls_cert: certificates.map(|own| own.path("client.pem")),
        tls_key: certificates.map(|own| own.path("client.key")),
        ..anonymous()
    };
    Cases {
        server: server(ours.config("verify: true")),
        accepted: vec![by(Some(&ours))],
        refused: vec![by(Some(&other)), by(None)],
    }
    .check()
    .await;
}

#[tokio::test]
async fn tls_starts_before_the_greeting_where_configured() {
    let ours = Certificates::new();
    let first = ConnectOptions {
        tls_ca: Some(ours.path("ca.pem")),
        tls_first: true,
        ..anonymous()
    };
    Cases {
        server: server(ours.config("handshake_first: true")),
        accepted: vec![first.clone()],
        refused: vec![],
    }
    .check()
    .await;
    Cases {
        server: server(ours.config("")),
        accepted: vec![],
        refused: vec![first],
    }
    .check()
    .await;
}

#[tokio::test]
async fn any_reachable_server_serves_both_links() {
    let (mut dead, alive) = (
        server(""),
        server("authorization { user: ann, password: right }"),
    );
    dead.kill9();
    let host = |server: &NatsServer| server.url().replace("nats://", "");
    let connection = connect(&ConnectOptions {
        servers: format!("nats://{},nats://ann:right@{}", host(&dead), host(&alive)),
        ..anonymous()
    })
    .await
    .unwrap();
    connection.publisher().await;
    connection.flush().await.unwrap();
    assert!(connection.readiness().reasons().is_empty());
}

#[tokio::test]
async fn an_unusable_credentials_file_is_named() {
    let folder = TempDir::new().unwrap();
    let (missing, junk) = (folder.path().join("missing"), folder.path().join("junk"));
    fs::write(&junk, SECRET).unwrap();
    let creds = |path| ConnectOptions {
        creds: Some(path),
        ..anonymous()
    };
    let nkey = |path| ConnectOptions {
        nkey: Some(path),
        ..anonymous()
    };
    let ca = ConnectOptions {
        tls_ca: Some(missing.clone()),
        ..anonymous()
    };
    let named = [
        ("missing", creds(missing)),
        ("missing", ca),
        ("junk", creds(junk.clone())),
        ("junk", nkey(junk)),
    ];
    for (name, options) in named {
        let error = connect(&options).await.unwrap_err();
        assert!(
            matches!(error, ConnectError::Credentials { .. }),
            "{error:?}"
        );
        assert!(error.to_string().ends_with(name), "{error}");
        assert!(!format!("{error:?}").contains(SECRET), "{error:?}");
    }
}
