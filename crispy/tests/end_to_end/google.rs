//! A bucket of Google's instead of a folder, as far as the simulator is Google's.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::PathBuf,
};

use testbed::{GcsServer, clips};

use crate::house::{House, bucket::hex, video};

#[test]
fn a_recording_goes_to_a_bucket_of_googles_and_every_chunk_is_found_by_its_link() {
    let (house, server) = (House::new(), GcsServer::start());
    let url = format!("gs://{}/shop-12", GcsServer::BUCKET);
    let send = || {
        let up = house.up(&[("front", &video::irregular())]);
        let up = up.instead("--bucket", &url);
        up.env("STORAGE_EMULATOR_HOST", server.url())
            .run()
            .with_code(0)
    };
    let (first, again) = (send(), send());
    let answers = first.answers();
    let uploaded = answers.count("uploaded");
    assert!(uploaded > 3, "{first}");
    assert_eq!(answers.chunks.len() as u64, uploaded, "{first}");
    let chunks = answers.of_camera("front").into_iter().enumerate();
    let frames = chunks.flat_map(|(place, chunk)| {
        assert_eq!(chunk["agrees"], true, "{chunk}");
        let link = chunk["media_link"].as_str().unwrap();
        let bytes = get(&server, link);
        assert_eq!(hex(&bytes), chunk["sha256"].as_str().unwrap(), "{link}");
        let file: PathBuf = house.path(&format!("{place}.mp4"));
        fs::write(&file, bytes).unwrap();
        clips::frames_md5(&file)
    });
    let frames: Vec<String> = frames.collect();
    assert_eq!(frames, clips::frames_md5(&video::irregular()));
    // The run's state lies beside the chunks.
    assert_eq!(server.counts().created, uploaded + 1);
    assert_eq!(again.answers().count("already_there"), uploaded, "{again}");
    assert_eq!(again.answers().count("uploaded"), 0, "{again}");
    let counts = server.counts();
    assert_eq!((counts.created, counts.overwritten), (uploaded + 1, 0));
    let keys = server.keys(GcsServer::BUCKET).unwrap();
    let ours = |key: &String| key.starts_with("shop-12/v1/demo/front/");
    assert!(keys.iter().all(ours), "{keys:?}");
}

/// What a browser gets, by a link.
fn get(server: &GcsServer, link: &str) -> Vec<u8> {
    let path = link.strip_prefix(server.url());
    let path = path.unwrap_or_else(|| panic!("{link} is not of {}", server.url()));
    let mut server = TcpStream::connect(server.address()).unwrap();
    write!(server, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).unwrap();
    let ends = answer.windows(4).position(|window| window == b"\r\n\r\n");
    let bytes = answer.split_off(ends.expect("an answer has a head") + 4);
    let head = String::from_utf8(answer).unwrap();
    assert!(head.starts_with("HTTP/1.0 200"), "{head}");
    bytes
}
