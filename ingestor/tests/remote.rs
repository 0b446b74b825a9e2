//! Sources over HTTP: what comes is every byte, or an error that says why not.

#![allow(clippy::unwrap_used)] // what only tests call is test code too

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use crispy_ingestor::{
    opened::{self, Opened},
    run_identity::FileIdentity,
};
use crispy_media::{ReadError, StopFlag};
use crispy_runtime::{
    Exit,
    cut::{Audio, Container, CutFlags},
};
use crispy_testbed::{HttpFault, HttpServer, clips};
use tempfile::TempDir;

const CUT: CutFlags = CutFlags {
    window: Duration::from_secs(2),
    audio: Audio::Drop,
    container: Container::Auto,
};

/// A folder to serve, with one clip in it.
struct Shop(TempDir);

impl Shop {
    fn with(clip: &Path, name: &str) -> Shop {
        let shop = Shop(tempfile::tempdir().unwrap());
        fs::copy(clip, shop.path(name)).unwrap();
        shop
    }

    /// `list.m3u8` with segments of two seconds, by FFmpeg's own muxer.
    fn playlist(clip: &Path, options: &str) -> Shop {
        let shop = Shop(tempfile::tempdir().unwrap());
        let mut arguments = vec!["-i".to_owned(), clip.display().to_string()];
        let all = format!("-c copy -f hls -hls_time 2 -hls_list_size 0 {options}");
        arguments.extend(all.split_whitespace().map(str::to_owned));
        arguments.push(shop.path("list.m3u8").display().to_string());
        clips::ffmpeg(&arguments);
        shop
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn serve(&self, faults: &[(&str, HttpFault)]) -> HttpServer {
        HttpServer::serve(self.0.path(), faults)
    }
}

/// 8 s in 1.5 MB and more, so that it is longer than what is kept of both ends, and its index comes last.
fn big() -> PathBuf {
    clips::camera(8.0)
        .output("-metadata creation_time=2026-03-01T12:00:00Z")
        .make()
}

fn small() -> PathBuf {
    clips::h264(8.0).make()
}

fn open(location: &str) -> Opened {
    opened::open(location, &CUT, &StopFlag::new()).unwrap()
}

fn refused(location: &str) -> (Exit, String) {
    let failed = opened::open(location, &CUT, &StopFlag::new()).expect_err("refused");
    (failed.exit, failed.to_string())
}

fn identity(opened: &Opened) -> FileIdentity {
    FileIdentity::new(&opened.mark, opened.chunks.creation_time_us(), &CUT, "m", 0)
}

/// All chunks' bytes, or how far it came.
fn cut(mut opened: Opened) -> (Vec<Vec<u8>>, Option<ReadError>) {
    let mut chunks = Vec::new();
    loop {
        match opened.chunks.next_chunk() {
            Ok(Some(chunk)) => chunks.push(chunk.bytes),
            Ok(None) => return (chunks, None),
            Err(error) => return (chunks, Some(error)),
        }
    }
}

#[track_caller]
fn whole(opened: Opened) -> Vec<Vec<u8>> {
    let (chunks, failure) = cut(opened);
    assert!(failure.is_none(), "{failure:?}");
    chunks
}

/// The frames of chunks, one after another.
fn frames(folder: &Path, chunks: &[Vec<u8>]) -> Vec<String> {
    let hashes = chunks.iter().enumerate().flat_map(|(index, bytes)| {
        let path = folder.join(format!("chunk-{index}.mp4"));
        fs::write(&path, bytes).unwrap();
        clips::frames_md5(&path)
    });
    hashes.collect()
}

#[test]
fn a_file_on_a_server_is_the_same_recording_as_on_a_disk() {
    let shop = Shop::with(&big(), "a.mp4");
    let server = shop.serve(&[]);
    let (disk, remote) = (
        open(shop.path("a.mp4").to_str().unwrap()),
        open(&server.url("/a.mp4")),
    );
    assert_eq!(identity(&disk), identity(&remote));
    assert_eq!(whole(disk), whole(remote));
}

#[test]
fn a_connection_that_breaks_is_gone_on_with_where_it_broke() {
    let shop = Shop::with(&big(), "a.mp4");
    let server = shop.serve(&[("/a.mp4", HttpFault::BreakAfter(1_200_000))]);
    let chunks = whole(open(&server.url("/a.mp4")));
    assert_eq!(chunks, whole(open(big().to_str().unwrap())));
    assert!(server.requests().len() >= 4, "{:?}", server.requests());
}

#[test]
fn a_server_that_is_unavailable_for_a_moment_is_asked_again() {
    let shop = Shop::with(&small(), "a.mp4");
    let server = shop.serve(&[("/a.mp4", HttpFault::Unavailable(2))]);
    assert_eq!(whole(open(&server.url("/a.mp4"))).len(), 4);
}

#[test]
fn a_file_that_changes_while_it_is_read_is_told_and_not_mixed() {
    let shop = Shop::with(&big(), "a.mp4");
    let faults = [
        ("/a.mp4", HttpFault::BreakAfter(1_200_000)),
        ("/a.mp4", HttpFault::ChangingEtag),
    ];
    let (_, said) = refused(&shop.serve(&faults).url("/a.mp4"));
    assert!(said.contains("has changed while it was read"), "{said}");
}

#[test]
fn a_server_that_keeps_breaking_off_is_given_up_with_an_error() {
    let shop = Shop::with(&big(), "a.ts");
    let server = shop.serve(&[("/a.ts", HttpFault::BreakAfter(0))]);
    let (exit, said) = refused(&server.url("/a.ts"));
    assert_eq!(exit, Exit::SourceUnreadable);
    assert!(said.contains("broke off after 0 bytes"), "{said}");
}

#[test]
fn without_ranges_what_has_its_index_first_is_recorded_and_what_has_it_last_is_explained() {
    let first = clips::camera(8.0).output("-movflags +faststart").make();
    let shop = Shop::with(&first, "first.mp4");
    fs::copy(big(), shop.path("last.mp4")).unwrap();
    let faults = [
        ("/first.mp4", HttpFault::NoRange),
        ("/last.mp4", HttpFault::NoRange),
    ];
    let server = shop.serve(&faults);
    let chunks = whole(open(&server.url("/first.mp4")));
    assert_eq!(frames(shop.0.path(), &chunks), clips::frames_md5(&first));
    let (_, said) = refused(&server.url("/last.mp4"));
    assert!(said.contains("takes no Range requests"), "{said}");
}

#[test]
fn without_ranges_a_connection_that_breaks_is_an_error_and_not_an_end() {
    let shop = Shop::with(&clips::camera(8.0).container("ts").make(), "a.ts");
    let faults = [
        ("/a.ts", HttpFault::NoRange),
        ("/a.ts", HttpFault::BreakAfter(2_000_000)),
    ];
    let server = shop.serve(&faults);
    let (chunks, failure) = cut(open(&server.url("/a.ts")));
    let said = format!("{:#}", anyhow::Error::new(failure.expect("an error")));
    assert!(
        !chunks.is_empty() && said.contains("cannot go on from there"),
        "{said}"
    );
}

#[test]
fn each_refusal_of_a_server_has_its_exit_code_and_shows_no_password() {
    let shop = Shop::with(&small(), "a.mp4");
    let faults = [
        ("/secret.mp4", HttpFault::Status(403)),
        (
            "/a.mp4",
            HttpFault::RequireAuthorization("Basic Y2FtOlMzQ1JFVA=="),
        ),
        ("/broken.mp4", HttpFault::Status(500)),
        ("/live.ts", HttpFault::NoLength),
    ];
    fs::copy(small(), shop.path("live.ts")).unwrap();
    let server = shop.serve(&faults);
    for (path, exit, advice) in [
        ("/none.mp4?token=T0KEN", Exit::SourceNotFound, "404"),
        (
            "/secret.mp4?token=T0KEN",
            Exit::SourceUnreadable,
            "user and password",
        ),
        ("/a.mp4?token=T0KEN", Exit::SourceUnreadable, "401"),
        ("/broken.mp4?token=T0KEN", Exit::SourceUnreadable, "500"),
        ("/live.ts", Exit::Configuration, "may be a live stream"),
    ] {
        let (code, said) = refused(&server.url_with("cam:WR0NG", path));
        assert!(
            code == exit && said.contains(advice),
            "{path}: {code:?} {said}"
        );
        assert!(!said.contains("WR0NG") && !said.contains("T0KEN"), "{said}");
    }
    assert_eq!(
        whole(open(&server.url_with("cam:S3CRET", "/a.mp4"))).len(),
        4
    );
}

#[test]
fn a_silent_server_is_left_when_it_is_told_to_stop() {
    let shop = Shop::with(&small(), "a.mp4");
    let server = shop.serve(&[("/a.mp4", HttpFault::Silent)]);
    let stop = StopFlag::new();
    let (url, flag) = (server.url("/a.mp4"), stop.clone());
    let opening = std::thread::spawn(move || opened::open(&url, &CUT, &flag).map(drop));
    while server.requests().is_empty() {
        std::thread::yield_now();
    }
    stop.stop();
    let failed = opening.join().unwrap().expect_err("stopped");
    assert!(failed.to_string().contains("stopped"), "{failed}");
}

#[test]
fn redirects_are_followed_over_http_only() {
    let shop = Shop::with(&small(), "a.mp4");
    let target = shop.serve(&[]);
    let faults = [
        ("/moved.mp4", HttpFault::Redirect(target.url("/a.mp4"))),
        (
            "/away.mp4",
            HttpFault::Redirect("file:///etc/passwd".to_owned()),
        ),
    ];
    let server = shop.serve(&faults);
    assert_eq!(whole(open(&server.url("/moved.mp4"))).len(), 4);
    let (exit, _) = refused(&server.url("/away.mp4"));
    assert_eq!(exit, Exit::SourceUnreadable);
}

#[test]
fn redirects_in_a_circle_are_told_at_once() {
    let shop = Shop::with(&small(), "a.mp4");
    let server = shop.serve(&[("/round.mp4", HttpFault::Redirect("/round.mp4".to_owned()))]);
    let (exit, said) = refused(&server.url("/round.mp4"));
    assert_eq!(exit, Exit::SourceUnreadable);
    assert!(said.contains("redirects in a circle"), "{said}");
    assert_eq!(server.requests().len(), 11, "one and ten redirects");
}

#[test]
fn bytes_from_elsewhere_are_never_taken_for_those_that_were_asked_for() {
    let shop = Shop::with(&clips::camera(8.0).container("ts").make(), "a.ts");
    let server = shop.serve(&[("/a.ts", HttpFault::WrongRange)]);
    let (exit, said) = refused(&server.url("/a.ts"));
    assert_eq!(exit, Exit::SourceUnreadable);
    assert!(said.contains("gives others"), "{said}");
}

#[test]
fn a_server_that_gives_less_than_it_is_asked_for_is_asked_for_the_rest() {
    let shop = Shop::with(&big(), "a.mp4");
    let server = shop.serve(&[("/a.mp4", HttpFault::ShortRange(100_000))]);
    assert_eq!(whole(open(&server.url("/a.mp4"))).len(), 4);
}

#[test]
fn what_comes_compressed_is_named_so() {
    let shop = Shop::with(&small(), "a.mp4");
    let server = shop.serve(&[("/a.mp4", HttpFault::Compressed)]);
    let (_, said) = refused(&server.url("/a.mp4"));
    assert!(said.contains("comes compressed (gzip)"), "{said}");
}

#[test]
fn without_ranges_what_is_no_video_is_not_advised_to_be_downloaded() {
    let shop = Shop(tempfile::tempdir().unwrap());
    fs::write(shop.path("a.mp4"), "<html>who are you?</html>").unwrap();
    let server = shop.serve(&[("/a.mp4", HttpFault::NoRange)]);
    let (exit, said) = refused(&server.url("/a.mp4"));
    assert_eq!(exit, Exit::SourceNotVideo);
    assert!(!said.contains("Range"), "{said}");
}

#[test]
fn a_playlist_that_is_made_on_request_needs_no_length() {
    let shop = Shop::playlist(&small(), "");
    let faults = [
        ("/list.m3u8", HttpFault::Chunked),
        ("/list2.ts", HttpFault::Chunked),
    ];
    let server = shop.serve(&faults);
    assert_eq!(whole(open(&server.url("/list.m3u8"))).len(), 4);
}

#[test]
fn a_segment_whose_end_may_be_a_break_is_an_error() {
    let shop = Shop::playlist(&small(), "");
    let faults = [
        ("/list2.ts", HttpFault::NoLength),
        ("/list2.ts", HttpFault::BreakAfter(50_000)),
    ];
    let (_, failure) = cut(open(&shop.serve(&faults).url("/list.m3u8")));
    let said = format!("{:#}", anyhow::Error::new(failure.expect("an error")));
    assert!(said.contains("whether all of it came"), "{said}");
}

#[test]
fn a_playlist_too_long_to_read_is_refused_and_not_shortened() {
    let shop = Shop::playlist(&small(), "");
    let mut list = fs::read_to_string(shop.path("list.m3u8")).unwrap();
    // its end declared first, as RFC 8216 allows
    list = list.replace("#EXT-X-ENDLIST\n", "");
    list = list.replacen("#EXTINF", "#EXT-X-ENDLIST\n#EXTINF", 1);
    list += &format!("#{}\n", "x".repeat(16 << 20));
    fs::write(shop.path("list.m3u8"), list).unwrap();
    let (_, said) = refused(&shop.serve(&[]).url("/list.m3u8"));
    assert!(said.contains("is longer than"), "{said}");
}

#[test]
fn a_playlist_gives_every_frame_of_its_segments() {
    let clip = small();
    let expected = clips::frames_md5(&clip);
    for options in ["", "-hls_segment_type fmp4", "-hls_flags single_file"] {
        let shop = Shop::playlist(&clip, options);
        let server = shop.serve(&[]);
        let chunks = whole(open(&server.url("/list.m3u8")));
        assert_eq!(chunks.len(), 4, "{options}");
        assert_eq!(frames(shop.0.path(), &chunks), expected, "{options}");
    }
}

#[test]
fn a_playlists_date_is_its_clock_and_sent_again_it_is_the_same_recording() {
    let shop = Shop::playlist(&small(), "");
    let list = fs::read_to_string(shop.path("list.m3u8")).unwrap();
    let dated = list.replacen(
        "#EXTINF",
        "#EXT-X-PROGRAM-DATE-TIME:2026-03-01T12:00:00.000Z\n#EXTINF",
        1,
    );
    fs::write(shop.path("dated.m3u8"), dated).unwrap();
    let master = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9\ndated.m3u8?sig=1\n";
    fs::write(shop.path("master.m3u8"), master).unwrap();
    let server = shop.serve(&[]);
    let first = identity(&open(&server.url("/master.m3u8")));
    assert_eq!(first.start_us, 1_772_366_400_000_000);
    // another server, another signature, and no master before it
    let other = shop.serve(&[]);
    assert_eq!(first, identity(&open(&other.url("/dated.m3u8?sig=2"))));
    let undated = identity(&open(&server.url("/list.m3u8")));
    assert_eq!(undated.origin, crispy_proto::v1::ClockOrigin::FileModified);
}

#[test]
fn a_segment_that_is_missing_is_an_error_and_not_a_shorter_recording() {
    let shop = Shop::playlist(&small(), "");
    let server = shop.serve(&[("/list2.ts", HttpFault::Status(404))]);
    let (chunks, failure) = cut(open(&server.url("/list.m3u8")));
    let said = format!("{:#}", anyhow::Error::new(failure.expect("an error")));
    assert!(
        chunks.len() < 3 && said.contains("list2.ts answers 404"),
        "{said}"
    );
}

#[test]
fn a_playlist_without_an_end_is_refused() {
    let shop = Shop::playlist(&small(), "-hls_flags omit_endlist");
    let (exit, said) = refused(&shop.serve(&[]).url("/list.m3u8"));
    assert_eq!(exit, Exit::Configuration);
    assert!(said.contains("live stream"), "{said}");
}

#[test]
fn nothing_a_server_sends_makes_us_read_files_of_this_machine() {
    let secret = Shop::with(&small(), "secret.mp4");
    let path = secret.path("secret.mp4");
    let path = path.display();
    let shop = Shop(tempfile::tempdir().unwrap());
    let list =
        format!("#EXTM3U\n#EXT-X-TARGETDURATION:8\n#EXTINF:8,\nfile://{path}\n#EXT-X-ENDLIST\n");
    fs::write(shop.path("list.m3u8"), list).unwrap();
    fs::write(
        shop.path("concat.mp4"),
        "ffconcat version 1.0\nfile 'secret.mp4'\n",
    )
    .unwrap();
    let server = shop.serve(&[]);
    // FFmpeg follows such lists to names below the current folder; no other test looks at that.
    let before = std::env::current_dir().unwrap();
    std::env::set_current_dir(secret.0.path()).unwrap();
    for name in ["/list.m3u8", "/concat.mp4"] {
        let (_, said) = refused(&server.url(name));
        assert!(!said.contains("secret.mp4"), "{name}: {said}");
    }
    std::env::set_current_dir(before).unwrap();
}

#[test]
fn a_list_of_files_on_the_disk_is_no_recording_either() {
    let shop = Shop::playlist(&small(), "");
    let (exit, _) = refused(shop.path("list.m3u8").to_str().unwrap());
    assert_eq!(exit, Exit::SourceNotVideo);
}

#[test]
fn without_any_date_time_is_that_of_recording() {
    let shop = Shop::with(&small(), "a.mp4");
    let server = shop.serve(&[("/a.mp4", HttpFault::NoDate)]);
    let identity = identity(&open(&server.url("/a.mp4")));
    assert_eq!(identity.origin, crispy_proto::v1::ClockOrigin::Host);
}

#[test]
fn a_stop_ends_the_reading_of_a_server_that_went_silent() {
    let shop = Shop::playlist(&small(), "");
    let server = shop.serve(&[("/list2.ts", HttpFault::Silent)]);
    let stop = StopFlag::new();
    let opened = opened::open(&server.url("/list.m3u8"), &CUT, &stop).unwrap();
    let reading = std::thread::spawn(move || cut(opened).1);
    while !server.requests().contains(&"/list2.ts".to_owned()) {
        std::thread::yield_now();
    }
    stop.stop();
    let ended = reading.join().unwrap();
    assert!(
        matches!(ended, Some(ReadError::Cancelled { .. })),
        "{ended:?}"
    );
}

#[test]
fn a_source_may_be_left_from_among_tasks() {
    let shop = Shop::with(&small(), "a.mp4");
    let opened = open(&shop.serve(&[]).url("/a.mp4"));
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    // as when another camera's source is refused: what was opened is dropped where tasks run
    runtime.unwrap().block_on(async move { drop(opened) });
}
