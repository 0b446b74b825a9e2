//! Credentials of servers and buckets, accepted and refused: they appear nowhere.

use crispy_testbed::{AzureServer, GcsServer, S3Server, gcs::Options, private_key};
use nkeys::KeyPair;
use serde_json::json;

use crate::fixture::{
    Fixture,
    nats::MonitoredNats,
    secrets::{Secrets, at_debug, credentials_file},
    traces::Traces,
    video,
};

const RIGHT: &str = "rIgHt-1234";
const WRONG: &str = "wRoNg-1234";
const OTHER: &str = "oThEr-1234";

#[test]
fn nats_credentials_appear_nowhere_whether_accepted_or_not() {
    let user = KeyPair::new_user();
    let (public, seed) = (user.public_key(), user.seed().unwrap());
    let (_nkey_folder, nkey) = credentials_file(&seed);
    let (_creds_folder, creds) = credentials_file(&format!(
        "-----BEGIN NATS USER JWT-----\n{OTHER}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    ));
    let (_junk_folder, junk) = credentials_file(WRONG);
    let secrets = Secrets::new([RIGHT, OTHER, WRONG, &seed]);
    let of_token = format!("authorization {{ token: {RIGHT} }}");
    let of_nkey = format!("authorization {{ users: [{{ nkey: {public} }}] }}");
    for (config, name, value, accepted) in [
        (&of_token, "NATS_TOKEN", RIGHT, true),
        (&of_token, "NATS_TOKEN", WRONG, false),
        (&of_nkey, "NATS_NKEY", &nkey, true),
        (&of_nkey, "NATS_TOKEN", WRONG, false),
        (&of_token, "NATS_NKEY", &nkey, false),
        (&of_token, "NATS_CREDS", &creds, false),
        (&of_token, "NATS_CREDS", &junk, false),
        (&of_token, "NATS_NKEY", &junk, false),
    ] {
        let (fixture, server) = (Fixture::new(), MonitoredNats::start_with(config));
        let up = fixture.up(&[("front", &video::irregular())]);
        let up = up.flag("--nats-server", server.url()).env(name, value);
        let exited = at_debug(up).run();
        assert_eq!(exited.status.success(), accepted, "{name}: {exited}");
        secrets.are_not_in_output(&exited);
        secrets.are_not_below(&fixture.path("."));
    }
    let of_user = format!("authorization {{ user: op, password: {RIGHT} }}");
    for (password, accepted) in [(RIGHT, true), (WRONG, false)] {
        let (fixture, server) = (Fixture::new(), MonitoredNats::start_with(&of_user));
        let up = fixture.up(&[("front", &video::irregular())]);
        let up = up.flag("--nats-server", server.url_with(&format!("op:{password}")));
        let exited = at_debug(up).run();
        assert_eq!(exited.status.success(), accepted, "{exited}");
        secrets.are_not_in_output(&exited);
    }
}

/// Checks the output, files and telemetry of `crispy up` at debug level for `secrets`, with a
/// bucket that accepts or refuses it.
#[track_caller]
fn leaks_nothing(secrets: &Secrets, bucket: &str, settings: &[(&str, &str)], accepted: bool) {
    let (fixture, traces) = (Fixture::new(), Traces::receiver_only());
    let up = fixture.up(&[("front", &video::irregular())]);
    let up = at_debug(up.replace_flag("--bucket", bucket));
    let up = settings
        .iter()
        .fold(up, |up, (name, value)| up.env(name, value));
    let exited = traces.exported_by(up).run();
    assert_eq!(exited.status.success(), accepted, "{exited}");
    secrets.are_not_in_output(&exited);
    secrets.are_not_below(&fixture.path("."));
    if accepted {
        secrets.are_not_in_telemetry(&traces);
    } else {
        assert!(!exited.stderr.is_empty());
    }
}

#[test]
fn s3_and_azure_keys_appear_nowhere_whether_accepted_or_not() {
    let secrets = Secrets::new([WRONG, OTHER]);
    let s3 = S3Server::start();
    let keys = |url| {
        [
            ("AWS_ENDPOINT_URL", url),
            ("AWS_ACCESS_KEY_ID", "robot"),
            ("AWS_SECRET_ACCESS_KEY", WRONG),
            ("AWS_SESSION_TOKEN", OTHER),
        ]
    };
    let url = s3.url();
    leaks_nothing(&secrets, "s3://crispy-bucket", &keys(&url), true);
    leaks_nothing(&secrets, "s3://other-owner", &keys(&url), false);

    let azure = AzureServer::start();
    let wrong = "d3JvbmcgYW5kIHN0aWxsIGEgc2VjcmV0";
    let secrets = Secrets::new([AzureServer::ACCOUNT_KEY, wrong]);
    for (key, accepted) in [(AzureServer::ACCOUNT_KEY, true), (wrong, false)] {
        let url = azure.url();
        let keys = [
            ("AZURE_STORAGE_ENDPOINT", &*url),
            ("AZURE_STORAGE_ACCOUNT_NAME", AzureServer::ACCOUNT),
            ("AZURE_STORAGE_ACCOUNT_KEY", key),
        ];
        leaks_nothing(&secrets, "az://crispy-bucket", &keys, accepted);
    }
}

#[test]
fn service_account_keys_appear_nowhere_whether_accepted_or_not() {
    let key = private_key();
    // One line of it, and the start of a signed token: `{"alg":` in base64.
    let line = key.lines().nth(5).unwrap();
    let secrets = Secrets::new([line, "eyJhbGciOi"]);
    let robot = json!({
        "type": "service_account", "client_email": "robot@project.example", "private_key_id": "the-key",
        "private_key": key, "project_id": "p", "client_id": "1", "token_uri": "http://127.0.0.1:1/token",
    });
    let (_folder, file) = credentials_file(&robot.to_string());
    for accepted in [true, false] {
        let bucket = GcsServer::start_with(Options {
            token_required: !accepted,
            ..Options::default()
        });
        let base = format!("base_url={}", bucket.url());
        let settings = [
            ("GOOGLE_APPLICATION_CREDENTIALS", &*file),
            ("CRISPY_BUCKET_OPTION", &base),
        ];
        let url = format!("gs://{}", GcsServer::BUCKET);
        leaks_nothing(&secrets, &url, &settings, accepted);
    }
}
