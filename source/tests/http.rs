//! Sources over HTTP: every byte comes, or an error says why not.

#![allow(clippy::unwrap_used)] // A test fails by panicking, its helpers too.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use crispy_media::{OpenError as MediaError, OpenOptions, ReadError, StopFlag};
use crispy_proto::v1::ClockOrigin;
use crispy_source::{FetchError, OpenError, OpenSource};
use crispy_testbed::{HttpFault, HttpServer, clips};
use tempfile::TempDir;

/// A folder to serve, with one clip in it.
struct Folder(TempDir);

impl Folder {
    fn with(clip: &Path, name: &str) -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        fs::copy(clip, folder.path(name)).unwrap();
        folder
    }

    /// `list.m3u8` with segments of two seconds, by FFmpeg's own muxer.
    fn playlist(clip: &Path, options: &str) -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        let mut arguments = vec!["-i".to_owned(), clip.display().to_string()];
        let all = format!("-c copy -f hls -hls_time 2 -hls_list_size 0 {options}");
        arguments.extend(all.split_whitespace().map(str::to_owned));
        arguments.push(folder.path("list.m3u8").display().to_string());
        clips::ffmpeg(&arguments);
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn serve(&self, faults: &[(&str, HttpFault)]) -> HttpServer {
        HttpServer::serve(self.0.path(), faults)
    }
}

/// 8 s in 1.5 MB and more, longer than the cached ends together, and its index comes last.
fn big() -> PathBuf {
    clips::camera(8.0)
        .output("-metadata creation_time=2026-03-01T12:00:00Z")
        .make()
}

fn small() -> PathBuf {
    clips::h264(8.0).make()
}

fn options(location: &str, stop: &StopFlag) -> OpenOptions {
    // Fails after the first test, which has installed it.
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut options = OpenOptions::new(location, Duration::from_secs(2));
    options.stop = stop.clone();
    options
}

fn open(location: &str) -> OpenSource {
    crispy_source::open(&options(location, &StopFlag::new()), 0).unwrap()
}

/// The error, and its whole chain as text.
fn open_error(location: &str) -> (OpenError, String) {
    let opened = crispy_source::open(&options(location, &StopFlag::new()), 0);
    let error = opened.expect_err("refused");
    let text = crispy_fault::chain(&error);
    (error, text)
}

/// The error of the fetch, and the whole chain as text.
fn fetch_error(location: &str) -> (FetchError, String) {
    match open_error(location) {
        (OpenError::Fetch { source, .. }, text) => (source, text),
        (other, _) => panic!("{other:?}"),
    }
}

/// The chunks' bytes, up to the end or an error.
fn cut(mut opened: OpenSource) -> (Vec<Vec<u8>>, Option<ReadError>) {
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
fn whole(opened: OpenSource) -> Vec<Vec<u8>> {
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
fn a_file_on_a_server_is_the_same_recording() {
    let folder = Folder::with(&big(), "a.mp4");
    let server = folder.serve(&[]);
    let (disk, remote) = (
        open(folder.path("a.mp4").to_str().unwrap()),
        open(&server.url("/a.mp4")),
    );
    assert_eq!(disk.identity, remote.identity);
    assert_eq!(whole(disk), whole(remote));
}

#[test]
fn a_broken_connection_is_resumed_where_it_broke() {
    let folder = Folder::with(&big(), "a.mp4");
    let server = folder.serve(&[("/a.mp4", HttpFault::BreakAfter(1_200_000))]);
    let chunks = whole(open(&server.url("/a.mp4")));
    assert_eq!(chunks, whole(open(big().to_str().unwrap())));
    assert!(server.requests().len() >= 4, "{:?}", server.requests());
}

#[test]
fn a_server_unavailable_for_a_moment_is_asked_again() {
    let folder = Folder::with(&small(), "a.mp4");
    let server = folder.serve(&[("/a.mp4", HttpFault::Unavailable(2))]);
    assert_eq!(whole(open(&server.url("/a.mp4"))).len(), 4);
}

#[test]
fn a_file_that_changes_while_read_is_an_error() {
    let folder = Folder::with(&big(), "a.mp4");
    let faults = [
        ("/a.mp4", HttpFault::BreakAfter(1_200_000)),
        ("/a.mp4", HttpFault::ChangingEtag),
    ];
    let (error, text) = fetch_error(&folder.serve(&faults).url("/a.mp4"));
    assert!(matches!(error, FetchError::Changed { .. }), "{text}");
}

#[test]
fn a_server_that_keeps_breaking_off_is_an_error() {
    let folder = Folder::with(&big(), "a.ts");
    let server = folder.serve(&[("/a.ts", HttpFault::BreakAfter(0))]);
    let (error, text) = fetch_error(&server.url("/a.ts"));
    assert!(matches!(error, FetchError::Broken { at: 0, .. }), "{text}");
}

#[test]
fn without_ranges_only_an_index_at_the_front_is_read() {
    let first = clips::camera(8.0).output("-movflags +faststart").make();
    let folder = Folder::with(&first, "first.mp4");
    fs::copy(big(), folder.path("last.mp4")).unwrap();
    let faults = [
        ("/first.mp4", HttpFault::NoRange),
        ("/last.mp4", HttpFault::NoRange),
    ];
    let server = folder.serve(&faults);
    let chunks = whole(open(&server.url("/first.mp4")));
    assert_eq!(frames(folder.0.path(), &chunks), clips::frames_md5(&first));
    let (error, text) = open_error(&server.url("/last.mp4"));
    assert!(matches!(error, OpenError::IndexOutOfReach { .. }), "{text}");
}

#[test]
fn without_ranges_a_broken_connection_is_an_error() {
    let folder = Folder::with(&clips::camera(8.0).container("ts").make(), "a.ts");
    let faults = [
        ("/a.ts", HttpFault::NoRange),
        ("/a.ts", HttpFault::BreakAfter(2_000_000)),
    ];
    let server = folder.serve(&faults);
    let (chunks, failure) = cut(open(&server.url("/a.ts")));
    let text = crispy_fault::chain(&failure.expect("an error"));
    assert!(
        !chunks.is_empty() && text.contains("cannot continue there"),
        "{text}"
    );
}

#[test]
fn each_refusal_of_a_server_is_explained_without_passwords() {
    let folder = Folder::with(&small(), "a.mp4");
    let faults = [
        ("/secret.mp4", HttpFault::Status(403)),
        (
            "/a.mp4",
            HttpFault::RequireAuthorization("Basic Y2FtOlMzQ1JFVA=="),
        ),
        ("/broken.mp4", HttpFault::Status(500)),
        ("/live.ts", HttpFault::NoLength),
    ];
    fs::copy(small(), folder.path("live.ts")).unwrap();
    let server = folder.serve(&faults);
    for (path, expected) in [
        ("/none.mp4?token=T0KEN", "answers 404"),
        ("/secret.mp4?token=T0KEN", "user and password"),
        ("/a.mp4?token=T0KEN", "answers 401"),
        ("/broken.mp4?token=T0KEN", "answers 500"),
        ("/live.ts", "may be a live stream"),
    ] {
        let (error, text) = fetch_error(&server.url_with("cam:WR0NG", path));
        assert_eq!(error.is_not_found(), text.contains("404"));
        assert!(text.contains(expected), "{path}: {text}");
        assert!(!text.contains("WR0NG") && !text.contains("T0KEN"), "{text}");
    }
    assert_eq!(
        whole(open(&server.url_with("cam:S3CRET", "/a.mp4"))).len(),
        4
    );
}

#[test]
fn a_stop_ends_the_opening_of_a_silent_server() {
    let folder = Folder::with(&small(), "a.mp4");
    let server = folder.serve(&[("/a.mp4", HttpFault::Silent)]);
    let stop = StopFlag::new();
    let (url, flag) = (server.url("/a.mp4"), stop.clone());
    let opening =
        std::thread::spawn(move || crispy_source::open(&options(&url, &flag), 0).map(drop));
    while server.requests().is_empty() {
        std::thread::yield_now();
    }
    stop.stop();
    let error = opening.join().unwrap().expect_err("stopped");
    let stopped = matches!(
        error,
        OpenError::Fetch {
            source: FetchError::Stopped,
            ..
        }
    );
    assert!(stopped, "{error:?}");
}

#[test]
fn redirects_are_followed_over_http_only() {
    let folder = Folder::with(&small(), "a.mp4");
    let target = folder.serve(&[]);
    let faults = [
        ("/moved.mp4", HttpFault::Redirect(target.url("/a.mp4"))),
        (
            "/elsewhere.mp4",
            HttpFault::Redirect("file:///etc/passwd".to_owned()),
        ),
    ];
    let server = folder.serve(&faults);
    assert_eq!(whole(open(&server.url("/moved.mp4"))).len(), 4);
    let (error, text) = fetch_error(&server.url("/elsewhere.mp4"));
    assert!(matches!(error, FetchError::Status { .. }), "{text}");
    assert!(
        text.contains("it redirects to what is no http://"),
        "{text}"
    );
}

#[test]
fn redirects_in_a_circle_are_an_error_at_once() {
    let folder = Folder::with(&small(), "a.mp4");
    let server = folder.serve(&[("/round.mp4", HttpFault::Redirect("/round.mp4".to_owned()))]);
    let (error, text) = fetch_error(&server.url("/round.mp4"));
    assert!(matches!(error, FetchError::Redirects { .. }), "{text}");
    assert_eq!(server.requests().len(), 11, "one and ten redirects");
}

#[test]
fn bytes_of_another_range_are_an_error() {
    let folder = Folder::with(&clips::camera(8.0).container("ts").make(), "a.ts");
    let server = folder.serve(&[("/a.ts", HttpFault::WrongRange)]);
    let (error, text) = fetch_error(&server.url("/a.ts"));
    assert!(matches!(error, FetchError::OtherRange { .. }), "{text}");
}

#[test]
fn a_server_that_sends_pieces_is_asked_for_the_rest() {
    let folder = Folder::with(&big(), "a.mp4");
    let server = folder.serve(&[("/a.mp4", HttpFault::ShortRange(100_000))]);
    assert_eq!(whole(open(&server.url("/a.mp4"))).len(), 4);
}

#[test]
fn a_compressed_answer_is_an_error() {
    let folder = Folder::with(&small(), "a.mp4");
    let server = folder.serve(&[("/a.mp4", HttpFault::Compressed)]);
    let (_, text) = fetch_error(&server.url("/a.mp4"));
    assert!(text.contains("is compressed (gzip)"), "{text}");
}

#[test]
fn a_page_that_is_no_video_gets_no_advice_on_ranges() {
    let folder = Folder(tempfile::tempdir().unwrap());
    fs::write(folder.path("a.mp4"), "<html>who are you?</html>").unwrap();
    let server = folder.serve(&[("/a.mp4", HttpFault::NoRange)]);
    let (error, text) = open_error(&server.url("/a.mp4"));
    let not_video = matches!(error, OpenError::Media(MediaError::NotVideo { .. }));
    assert!(not_video && !text.contains("Range"), "{text}");
}

#[test]
fn a_playlist_that_is_made_on_request_needs_no_length() {
    let folder = Folder::playlist(&small(), "");
    let faults = [
        ("/list.m3u8", HttpFault::Chunked),
        ("/list2.ts", HttpFault::Chunked),
    ];
    let server = folder.serve(&faults);
    assert_eq!(whole(open(&server.url("/list.m3u8"))).len(), 4);
}

#[test]
fn a_segment_without_a_certain_end_is_an_error() {
    let folder = Folder::playlist(&small(), "");
    let faults = [
        ("/list2.ts", HttpFault::NoLength),
        ("/list2.ts", HttpFault::BreakAfter(50_000)),
    ];
    let (_, failure) = cut(open(&folder.serve(&faults).url("/list.m3u8")));
    let text = crispy_fault::chain(&failure.expect("an error"));
    assert!(text.contains("has no Content-Length"), "{text}");
}

#[test]
fn a_playlist_that_is_too_long_is_refused() {
    let folder = Folder::playlist(&small(), "");
    let mut list = fs::read_to_string(folder.path("list.m3u8")).unwrap();
    // Its end is declared first, as RFC 8216 allows.
    list = list.replace("#EXT-X-ENDLIST\n", "");
    list = list.replacen("#EXTINF", "#EXT-X-ENDLIST\n#EXTINF", 1);
    list += &format!("#{}\n", "x".repeat(16 << 20));
    fs::write(folder.path("list.m3u8"), list).unwrap();
    let (error, text) = fetch_error(&folder.serve(&[]).url("/list.m3u8"));
    assert!(matches!(error, FetchError::TooLong { .. }), "{text}");
}

#[test]
fn a_playlist_gives_every_frame_of_its_segments() {
    let clip = small();
    let expected = clips::frames_md5(&clip);
    for options in ["", "-hls_segment_type fmp4", "-hls_flags single_file"] {
        let folder = Folder::playlist(&clip, options);
        let server = folder.serve(&[]);
        let chunks = whole(open(&server.url("/list.m3u8")));
        assert_eq!(chunks.len(), 4, "{options}");
        assert_eq!(frames(folder.0.path(), &chunks), expected, "{options}");
    }
}

#[test]
fn a_playlists_date_starts_its_clock() {
    let folder = Folder::playlist(&small(), "");
    let list = fs::read_to_string(folder.path("list.m3u8")).unwrap();
    let dated = list.replacen(
        "#EXTINF",
        "#EXT-X-PROGRAM-DATE-TIME:2026-03-01T12:00:00.000Z\n#EXTINF",
        1,
    );
    fs::write(folder.path("dated.m3u8"), dated).unwrap();
    let master = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9\ndated.m3u8?sig=1\n";
    fs::write(folder.path("master.m3u8"), master).unwrap();
    let server = folder.serve(&[]);
    let first = open(&server.url("/master.m3u8")).identity;
    assert_eq!(first.clock().start_us, 1_772_366_400_000_000);
    // Another server, another signature, and no master playlist before it.
    let other = folder.serve(&[]);
    assert_eq!(first, open(&other.url("/dated.m3u8?sig=2")).identity);
    let undated = open(&server.url("/list.m3u8")).identity.clock();
    assert_eq!(undated.origin, ClockOrigin::FileModified);
}

#[test]
fn a_missing_segment_is_an_error() {
    let folder = Folder::playlist(&small(), "");
    let server = folder.serve(&[("/list2.ts", HttpFault::Status(404))]);
    let (chunks, failure) = cut(open(&server.url("/list.m3u8")));
    let text = crispy_fault::chain(&failure.expect("an error"));
    assert!(
        chunks.len() < 3 && text.contains("list2.ts answers 404"),
        "{text}"
    );
}

#[test]
fn a_playlist_without_an_end_is_refused() {
    let folder = Folder::playlist(&small(), "-hls_flags omit_endlist");
    let (error, text) = fetch_error(&folder.serve(&[]).url("/list.m3u8"));
    assert!(matches!(error, FetchError::Playlist(_)), "{text}");
    assert!(text.contains("live stream"), "{text}");
}

#[test]
fn no_answer_of_a_server_opens_local_files() {
    let secret = Folder::with(&small(), "secret.mp4");
    let path = secret.path("secret.mp4");
    let path = path.display();
    let folder = Folder(tempfile::tempdir().unwrap());
    let list =
        format!("#EXTM3U\n#EXT-X-TARGETDURATION:8\n#EXTINF:8,\nfile://{path}\n#EXT-X-ENDLIST\n");
    fs::write(folder.path("list.m3u8"), list).unwrap();
    fs::write(
        folder.path("concat.mp4"),
        "ffconcat version 1.0\nfile 'secret.mp4'\n",
    )
    .unwrap();
    let server = folder.serve(&[]);
    // FFmpeg follows such lists to names below the current folder; no other test uses that.
    let before = std::env::current_dir().unwrap();
    std::env::set_current_dir(secret.0.path()).unwrap();
    for name in ["/list.m3u8", "/concat.mp4"] {
        let (_, text) = open_error(&server.url(name));
        assert!(!text.contains("secret.mp4"), "{name}: {text}");
    }
    std::env::set_current_dir(before).unwrap();
}

#[test]
fn a_playlist_on_the_disk_is_not_a_source() {
    let folder = Folder::playlist(&small(), "");
    let (error, text) = open_error(folder.path("list.m3u8").to_str().unwrap());
    let not_video = matches!(error, OpenError::Media(MediaError::NotVideo { .. }));
    assert!(not_video, "{text}");
}

#[test]
fn without_any_date_the_clock_starts_now() {
    let folder = Folder::with(&small(), "a.mp4");
    let server = folder.serve(&[("/a.mp4", HttpFault::NoDate)]);
    let clock = open(&server.url("/a.mp4")).identity.clock();
    assert_eq!(clock.origin, ClockOrigin::Host);
}

#[test]
fn a_stop_ends_the_reading_of_a_silent_server() {
    let folder = Folder::playlist(&small(), "");
    let server = folder.serve(&[("/list2.ts", HttpFault::Silent)]);
    let stop = StopFlag::new();
    let opened = crispy_source::open(&options(&server.url("/list.m3u8"), &stop), 0).unwrap();
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
fn a_source_may_be_dropped_inside_a_runtime() {
    let folder = Folder::with(&small(), "a.mp4");
    let opened = open(&folder.serve(&[]).url("/a.mp4"));
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    // As when another camera's source is refused: the open ones are dropped by a task.
    runtime.unwrap().block_on(async move { drop(opened) });
}
