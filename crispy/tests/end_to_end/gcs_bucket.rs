//! A GCS bucket instead of a folder: the simulator's own program, started by hand.

use std::{fs, path::PathBuf};

use crispy_testbed::{GcsServer, clips};
use serde_json::Value;

use crate::fixture::{Fixture, bucket::hex, http, program::Running, video};

#[test]
fn a_recording_in_a_gcs_bucket_is_found_by_its_links() {
    let fixture = Fixture::new();
    let server = Simulator::start(&fixture);
    let url = format!("gs://{}/shop-12", GcsServer::BUCKET);
    let send = || {
        let up = fixture.up(&[("front", &video::irregular())]);
        let up = up.replace_flag("--bucket", &url);
        up.env("STORAGE_EMULATOR_HOST", &server.url)
            .run()
            .with_code(0)
    };
    let first = send();
    let stored = server.objects();
    let again = send();
    let output = first.output();
    let uploaded = output.count("uploaded");
    assert!(uploaded > 3, "{first}");
    assert_eq!(output.chunks.len() as u64, uploaded, "{first}");
    let chunks = output.of_camera("front").into_iter().enumerate();
    let frames = chunks.flat_map(|(place, chunk)| {
        assert_eq!(chunk["agrees"], true, "{chunk}");
        let link = chunk["media_link"].as_str().unwrap();
        let bytes = get(&server, link);
        assert_eq!(hex(&bytes), chunk["sha256"].as_str().unwrap(), "{link}");
        let file: PathBuf = fixture.path(&format!("{place}.mp4"));
        fs::write(&file, bytes).unwrap();
        clips::frames_md5(&file)
    });
    let frames: Vec<String> = frames.collect();
    assert_eq!(frames, clips::frames_md5(&video::irregular()));
    // The run's state is an object too.
    assert_eq!(stored.len() as u64, uploaded + 1);
    assert_eq!(again.output().count("already_there"), uploaded, "{again}");
    assert_eq!(again.output().count("uploaded"), 0, "{again}");
    // An overwrite would make another generation.
    assert_eq!(server.objects(), stored);
    let ours = |(key, _): &(String, String)| key.starts_with("shop-12/v1/demo/front/");
    assert!(stored.iter().all(ours), "{stored:?}");
}

/// `crispy-gcs-simulator`, and the address that it printed.
struct Simulator {
    _program: Running,
    url: String,
}

impl Simulator {
    fn start(fixture: &Fixture) -> Self {
        let mut program = fixture.program("crispy-gcs-simulator").start();
        program.until_stdout_lines(2);
        let printed = program.stdout();
        let url = printed[1].strip_prefix("export STORAGE_EMULATOR_HOST=");
        let url = url.unwrap_or_else(|| panic!("{printed:?}")).to_owned();
        Self {
            _program: program,
            url,
        }
    }

    /// All objects, each with its generation.
    fn objects(&self) -> Vec<(String, String)> {
        let link = format!("{}/storage/v1/b/{}/o", self.url, GcsServer::BUCKET);
        let listed: Value = serde_json::from_slice(&get(self, &link)).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let items = listed["items"].as_array().unwrap().iter();
        items
            .map(|item| (text(&item["name"]), text(&item["generation"])))
            .collect()
    }
}

/// Downloads a link.
fn get(server: &Simulator, link: &str) -> Vec<u8> {
    let path = link.strip_prefix(&server.url);
    let path = path.unwrap_or_else(|| panic!("{link} is not of {}", server.url));
    let address = server.url.strip_prefix("http://").unwrap();
    let (status, bytes) = http::get(address, path);
    assert_eq!(status, 200, "{link}");
    bytes
}
