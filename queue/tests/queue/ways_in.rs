//! Every way of being let in, and what is said to whom it is not.

use std::{fs, time::Duration};

use crispy_jetstream::connect;
use crispy_jetstream::{ConnectError, ConnectOptions};
use crispy_testbed::{NatsOptions, NatsServer};
use nkeys::KeyPair;
use tempfile::TempDir;

use crate::papers::{Certificates, Operator};

/// Occurs in every secret that a test makes up.
const SECRET: &str = "sEcrEt";

fn server(config: impl Into<String>) -> NatsServer {
    NatsServer::start_with(&NatsOptions {
        config: config.into(),
        without_jetstream: true,
        ..NatsOptions::default()
    })
}

/// Options that let in, and options that do not.
struct Ways {
    server: NatsServer,
    right: Vec<ConnectOptions>,
    wrong: Vec<ConnectOptions>,
}

impl Ways {
    /// Both links get in by what is right; by what is wrong nobody does, and no secret is told.
    async fn hold(self) {
        let at = |options: &ConnectOptions| ConnectOptions {
            servers: self.server.url(),
            wait: Duration::from_secs(20),
            ..options.clone()
        };
        for right in &self.right {
            let connection = connect(&at(right)).await.unwrap();
            connection.publisher().await;
            connection.flush().await.unwrap();
            connection.close().await;
        }
        for wrong in &self.wrong {
            let error = connect(&at(wrong)).await.unwrap_err();
            let refused = matches!(
                error,
                ConnectError::Refused { .. } | ConnectError::Tls { .. }
            );
            assert!(refused, "{error:?} for {wrong:?}");
            let told = format!("{error:?} {error} {wrong:?}");
            assert!(!told.contains(SECRET) && !told.contains("SUA"), "{told}");
        }
    }
}

fn nobody() -> ConnectOptions {
    ConnectOptions::default()
}

#[tokio::test]
async fn user_and_password_let_in_and_nothing_else() {
    let by = |password: &str| ConnectOptions {
        user: Some("ann".into()),
        password: Some(password.into()),
        ..nobody()
    };
    Ways {
        server: server(format!(
            "authorization {{ user: ann, password: {SECRET}-1 }}"
        )),
        right: vec![by("sEcrEt-1")],
        wrong: vec![by("sEcrEt-2"), nobody()],
    }
    .hold()
    .await;
}

#[tokio::test]
async fn a_token_lets_in_and_another_does_not() {
    let by = |token: &str| ConnectOptions {
        token: Some(token.into()),
        ..nobody()
    };
    Ways {
        server: server(format!("authorization {{ token: {SECRET}-1 }}")),
        right: vec![by("sEcrEt-1")],
        wrong: vec![by("sEcrEt-2"), nobody()],
    }
    .hold()
    .await;
}

#[tokio::test]
async fn an_nkey_in_a_file_lets_in_and_another_does_not() {
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
            ..nobody()
        }
    };
    Ways {
        server: server(format!(
            "authorization {{ users: [{{ nkey: {} }}] }}",
            ours.public_key()
        )),
        right: vec![by("ours", &ours)],
        wrong: vec![by("other", &other), nobody()],
    }
    .hold()
    .await;
}

#[tokio::test]
async fn credentials_of_an_operator_let_in_as_a_file_and_by_themselves() {
    let (folder, ours, other) = (TempDir::new().unwrap(), Operator::new(), Operator::new());
    let by_file = |name: &str, operator: &Operator| {
        let path = folder.path().join(name);
        fs::write(&path, operator.creds()).unwrap();
        ConnectOptions {
            creds: Some(path),
            ..nobody()
        }
    };
    let by_jwt = |operator: &Operator, seed: &str| ConnectOptions {
        jwt: Some(operator.jwt.clone()),
        seed: Some(seed.to_owned()),
        ..nobody()
    };
    Ways {
        server: server(ours.config.clone()),
        right: vec![by_file("ours", &ours), by_jwt(&ours, &ours.seed)],
        wrong: vec![
            by_file("other", &other),
            by_jwt(&ours, &other.seed),
            nobody(),
        ],
    }
    .hold()
    .await;
}

#[tokio::test]
async fn an_own_authority_is_trusted_where_it_is_named_only() {
    let (ours, other) = (Certificates::new(), Certificates::new());
    let trusting = |certificates: &Certificates| ConnectOptions {
        tls_ca: Some(certificates.path("ca.pem")),
        ..nobody()
    };
    Ways {
        server: server(ours.config("")),
        right: vec![trusting(&ours)],
        wrong: vec![trusting(&other), nobody()],
    }
    .hold()
    .await;
}

#[tokio::test]
async fn a_client_certificate_lets_in_where_one_is_asked_for() {
    let (ours, other) = (Certificates::new(), Certificates::new());
    let by = |certificates: Option<&Certificates>| ConnectOptions {
        tls_ca: Some(ours.path("ca.pem")),
        tls_cert: certificates.map(|of| of.path("client.pem")),
        tls_key: certificates.map(|of| of.path("client.key")),
        ..nobody()
    };
    Ways {
        server: server(ours.config("verify: true")),
        right: vec![by(Some(&ours))],
        wrong: vec![by(Some(&other)), by(None)],
    }
    .hold()
    .await;
}

#[tokio::test]
async fn tls_before_the_first_word_is_spoken_where_it_is_asked_for() {
    let ours = Certificates::new();
    let first = ConnectOptions {
        tls_ca: Some(ours.path("ca.pem")),
        tls_first: true,
        ..nobody()
    };
    Ways {
        server: server(ours.config("handshake_first: true")),
        right: vec![first.clone()],
        wrong: vec![],
    }
    .hold()
    .await;
    Ways {
        server: server(ours.config("")),
        right: vec![],
        wrong: vec![first],
    }
    .hold()
    .await;
}

#[tokio::test]
async fn of_several_servers_any_that_lives_will_do_for_both_links() {
    let (mut dead, alive) = (
        server(""),
        server("authorization { user: ann, password: right }"),
    );
    dead.kill9();
    let host = |server: &NatsServer| server.url().replace("nats://", "");
    let connection = connect(&ConnectOptions {
        servers: format!("nats://{},nats://ann:right@{}", host(&dead), host(&alive)),
        ..nobody()
    })
    .await
    .unwrap();
    connection.publisher().await;
    connection.flush().await.unwrap();
    assert!(connection.readiness().reasons().is_empty());
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_named_before_anybody_is_asked() {
    let folder = TempDir::new().unwrap();
    let (missing, junk) = (folder.path().join("missing"), folder.path().join("junk"));
    fs::write(&junk, SECRET).unwrap();
    let creds = |path| ConnectOptions {
        creds: Some(path),
        ..nobody()
    };
    let nkey = |path| ConnectOptions {
        nkey: Some(path),
        ..nobody()
    };
    let ca = ConnectOptions {
        tls_ca: Some(missing.clone()),
        ..nobody()
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
