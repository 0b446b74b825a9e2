//! The simulator, tested by Google's own client.

use std::{path::Path, process::Command};

use crispy_testbed::GcsServer;
use object_store::{ObjectStoreExt, path::Path as Key};

use crate::client::{client, create};

#[tokio::test]
async fn googles_own_client_works() {
    let gcs = GcsServer::start();
    create(&client(&gcs), "made/by/object_store", "bytes")
        .await
        .unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = folder.join("../tools/venv/bin/python");
    assert!(python.is_file(), "tools/venv is missing: run `make setup`");
    let done = Command::new(python)
        .arg(folder.join("tests/gcs/google_client.py"))
        .arg(GcsServer::BUCKET)
        .env("STORAGE_EMULATOR_HOST", gcs.url())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{stderr}\n{:#?}", gcs.requests());
    // Vice versa, object_store reads the object that Google's client wrote.
    let found = client(&gcs)
        .get(&Key::from("v1/site/camera/chunk 0.mp4"))
        .await
        .unwrap();
    assert_eq!(
        found
            .attributes
            .get(&object_store::Attribute::Metadata("camera".into()))
            .map(|value| &**value),
        Some("door")
    );
    assert_eq!(found.meta.size, 1_536_000);
}
