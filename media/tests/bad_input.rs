//! Unusable sources are refused at opening, each with its own error.
#![allow(clippy::unwrap_used)] // Helpers of tests are test code too.

mod clip;

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use clip::Clips;
use crispy_media::{Chunks, OpenError, OpenOptions, ReadError, StopFlag};

const WINDOW: Duration = Duration::from_secs(3);
const PICTURES: &str = "testsrc2=size=320x180:rate=25:duration=3";
const H264: &str = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -g 25";

fn refusal(path: &Path) -> OpenError {
    let error =
        Chunks::open(&OpenOptions::new(path.to_str().unwrap(), WINDOW)).expect_err("refused");
    let text = error.to_string();
    assert!(
        text.contains(path.to_str().unwrap()),
        "names the file: {text}"
    );
    error
}

#[test]
fn a_missing_file_is_not_found() {
    assert!(matches!(
        refusal(Path::new("/no/such/clip.mp4")),
        OpenError::NotFound { .. }
    ));
}

#[test]
fn an_empty_file_is_refused_as_empty() {
    let clips = Clips::new();
    assert!(matches!(
        refusal(&clips.write("a.mp4", b"")),
        OpenError::Empty { .. }
    ));
}

#[test]
fn a_folder_is_refused() {
    let clips = Clips::new();
    assert!(matches!(
        refusal(clips.path("x").parent().unwrap()),
        OpenError::Io { .. }
    ));
}

#[test]
fn garbage_is_not_video() {
    let clips = Clips::new();
    let noise: Vec<u8> = (0..300_000u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    for (name, bytes) in [
        ("a.mp4", &noise[..]),
        ("b.bin", &noise[1000..]),
        ("c.mp4", b"not a video at all"),
        ("d.mp4", &[0; 5000]),
    ] {
        let refusal = refusal(&clips.write(name, bytes));
        assert!(
            matches!(refusal, OpenError::NotVideo { .. }),
            "{name}: {refusal:?}"
        );
    }
}

#[test]
fn a_text_file_is_not_video() {
    let clips = Clips::new();
    let text = "A line of text, as in any log file.\n".repeat(500);
    let refusal = refusal(&clips.write("notes.txt", text.as_bytes()));
    assert!(matches!(refusal, OpenError::NotVideo { .. }), "{refusal:?}");
}

#[test]
fn an_mp4_without_its_end_is_truncated() {
    let clips = Clips::new();
    for options in [H264.to_owned(), format!("{H264} -movflags +faststart")] {
        let whole = std::fs::read(clips.make("a.mp4", PICTURES, &options)).unwrap();
        for kept in [whole.len() / 2, whole.len() - 1] {
            match refusal(&clips.write("cut.mp4", &whole[..kept])) {
                OpenError::Truncated {
                    expected, actual, ..
                } => assert!(actual == kept as u64 && expected > actual),
                other => panic!("{kept} of {} bytes: {other:?}", whole.len()),
            }
        }
    }
}

#[test]
fn a_matroska_file_with_a_length_can_be_truncated() {
    let clips = Clips::new();
    let whole = clips.make("a.mkv", PICTURES, H264);
    let bytes = std::fs::read(&whole).unwrap();
    match refusal(&clips.write("cut.mkv", &bytes[..bytes.len() / 2])) {
        OpenError::Truncated {
            expected, actual, ..
        } => {
            assert_eq!(
                (expected, actual),
                (bytes.len() as u64, bytes.len() as u64 / 2)
            )
        }
        other => panic!("{other:?}"),
    }
    // A streamed file announces no length, and is read to its end.
    let streamed = clips.convert("b.mkv", &whole, "-c copy -f matroska -live 1");
    let bytes = std::fs::read(streamed).unwrap();
    let cut = clips.write("cut.mkv", &bytes[..bytes.len() / 2]);
    let mut chunks = Chunks::open(&OpenOptions::new(cut.to_str().unwrap(), WINDOW)).unwrap();
    assert!(chunks.next_chunk().unwrap().is_some());
}

#[test]
fn audio_alone_is_no_video() {
    let clips = Clips::new();
    for name in ["a.m4a", "a.wav", "a.mkv"] {
        let audio = clips.make(name, "sine=duration=1", "");
        assert!(
            matches!(refusal(&audio), OpenError::NoVideo { .. }),
            "{name}"
        );
    }
}

#[test]
fn a_location_with_a_nul_byte_is_refused() {
    let error = Chunks::open(&OpenOptions::new("/dev/null\0.mp4", WINDOW)).expect_err("refused");
    assert!(matches!(error, OpenError::InvalidLocation { .. }));
    assert!(!error.to_string().contains('\0'));
}

#[test]
fn a_file_without_permission_is_denied() {
    let clips = Clips::new();
    let path = clips.make("a.mp4", PICTURES, H264);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    // root may read any file, so nothing is refused.
    if std::fs::File::open(&path).is_err() {
        assert!(matches!(refusal(&path), OpenError::PermissionDenied { .. }));
    } else {
        assert!(Chunks::open(&OpenOptions::new(path.to_str().unwrap(), WINDOW)).is_ok());
    }
}

#[test]
fn no_error_shows_a_password() {
    // Nothing listens on port 1.
    let options = OpenOptions::new("rtsp://admin:s3cret@127.0.0.1:1/live?token=t0ken", WINDOW);
    let error = Chunks::open(&options).expect_err("refused");
    let mut text = format!("{error} {error:?} {options:?}");
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text.push_str(&format!(" {cause} {cause:?}"));
        source = cause.source();
    }
    assert!(
        !text.contains("s3cret") && !text.contains("admin") && !text.contains("t0ken"),
        "{text}"
    );
    assert!(text.contains("127.0.0.1:1/live"), "{text}");
}

#[test]
fn a_stop_ends_an_open_on_a_silent_server() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let stop = StopFlag::new();
    let options = OpenOptions {
        stop: stop.clone(),
        ..OpenOptions::new(format!("http://{address}/live.ts"), WINDOW)
    };
    let (sender, opened) = mpsc::channel();
    std::thread::spawn(move || sender.send(Chunks::open(&options).map(drop)));
    // The server accepts and stays silent: the open is waiting.
    let _connection = server.accept().unwrap();
    stop.stop();
    let outcome = opened
        .recv_timeout(Duration::from_secs(5))
        .expect("ended by the stop");
    assert!(
        matches!(outcome, Err(OpenError::Cancelled { .. })),
        "{outcome:?}"
    );
}

#[test]
fn a_stopped_file_gives_only_whole_chunks() {
    let clips = Clips::new();
    let source = clips.make("a.mp4", PICTURES, H264);
    let stop = StopFlag::new();
    let options = OpenOptions {
        stop: stop.clone(),
        ..OpenOptions::new(source.to_str().unwrap(), Duration::from_secs(1))
    };
    let mut chunks = Chunks::open(&options).unwrap();
    let first = chunks.next_chunk().unwrap().unwrap();
    assert_eq!(first.cut.frames, 25);
    stop.stop();
    loop {
        match chunks.next_chunk() {
            Ok(Some(chunk)) => assert_eq!(chunk.cut.frames, 25),
            Ok(None) => break, // A small file may be read whole before the stop.
            Err(ReadError::Cancelled { .. }) => break,
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_silent_server_is_a_timeout() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let location = format!("http://{}/live.ts", server.local_addr().unwrap());
    let options = OpenOptions {
        timeout: Duration::from_secs(1),
        ..OpenOptions::new(location, WINDOW)
    };
    let error = Chunks::open(&options).expect_err("refused");
    assert!(
        matches!(error, OpenError::Timeout { seconds: 1, .. }),
        "{error:?}"
    );
}

#[test]
fn missing_and_forbidden_urls_are_distinct_errors() {
    let answer = |status: &'static str| {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let location = format!("http://{}/live.ts", server.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut client, _) = server.accept().unwrap();
            assert!(client.read(&mut [0; 4096]).unwrap() > 0, "a request");
            client
                .write_all(format!("HTTP/1.0 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes())
                .unwrap();
        });
        Chunks::open(&OpenOptions::new(location, WINDOW)).expect_err("refused")
    };
    let missing = answer("404 Not Found");
    assert!(matches!(missing, OpenError::NotFound { .. }), "{missing:?}");
    for status in ["401 Unauthorized", "403 Forbidden"] {
        let refused = answer(status);
        assert!(
            matches!(refused, OpenError::PermissionDenied { .. }),
            "{refused:?}"
        );
    }
}
