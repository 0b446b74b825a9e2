use super::*;

const SEGMENTS: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-PROGRAM-DATE-TIME:2026-03-01T12:00:00.250Z\n#EXTINF:2.0,\na.ts?sig=1\n#EXTINF:1.5,\nb.ts?sig=1\n";
const END: &str = "#EXT-X-ENDLIST\n";

fn playlist(url: &str, text: &str) -> PlaylistText {
    PlaylistText {
        url: Url::parse(url).unwrap(),
        modified_us: None,
        text: text.as_bytes().to_vec(),
    }
}

fn plan(text: &str) -> Plan {
    Plan::parse(&playlist("http://u:p@host/v/list.m3u8?sig=1", text)).unwrap()
}

fn error_of(text: &str) -> String {
    let error = Plan::parse(&playlist("http://host/v/list.m3u8", text));
    error.unwrap_err().to_string()
}

#[test]
fn segments_take_the_credentials_of_their_playlist() {
    let plan = plan(&format!("{SEGMENTS}{END}"));
    let urls: Vec<_> = plan
        .segments
        .iter()
        .map(|segment| segment.url.as_str())
        .collect();
    assert_eq!(
        urls,
        [
            "http://u:p@host/v/a.ts?sig=1",
            "http://u:p@host/v/b.ts?sig=1"
        ]
    );
    assert_eq!(plan.duration, Duration::from_millis(3500));
    assert_eq!(plan.started_us, Some(1_772_366_400_250_000));
}

#[test]
fn another_host_or_signature_is_the_same_recording() {
    let text = format!("{SEGMENTS}{END}");
    let whole = |host: &str| text.replace("a.ts?", &format!("https://{host}/v/a.ts?"));
    let usual = plan(&text).canonical;
    assert_eq!(usual, plan(&text.replace("sig=1", "sig=2")).canonical);
    assert_eq!(plan(&whole("one")).canonical, plan(&whole("two")).canonical);
    assert_ne!(usual, plan(&text.replace("1.5", "1.6")).canonical);
    assert_ne!(usual, plan(&text.replace("b.ts", "c.ts")).canonical);
}

#[test]
fn ranges_without_an_offset_follow_the_one_before() {
    let plan = plan(&format!(
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MAP:URI=\"v.mp4\",BYTERANGE=\"100@0\"\n#EXTINF:2,\n#EXT-X-BYTERANGE:50@100\nv.mp4\n#EXTINF:2,\n#EXT-X-BYTERANGE:60\nv.mp4\n{END}"
    ));
    let ranges: Vec<_> = plan
        .segments
        .into_iter()
        .map(|segment| segment.range)
        .collect();
    assert_eq!(ranges, [Some(0..100), Some(100..150), Some(150..210)]);
}

#[test]
fn the_variant_of_the_highest_bandwidth_is_recorded() {
    let master = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=100\nlow.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=900\nhigh.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=900\nother.m3u8\n";
    let best = best_variant(&playlist("http://host/v/list.m3u8", master)).unwrap();
    assert_eq!(best.unwrap().as_str(), "http://host/v/high.m3u8");
}

#[test]
fn endless_and_incomplete_playlists_are_refused() {
    for (text, expected) in [
        (SEGMENTS.to_owned(), "#EXT-X-ENDLIST"),
        (
            format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n{END}"),
            "no segments",
        ),
        (
            format!(
                "{}{END}",
                SEGMENTS.replace("#EXTINF:1.5", "#EXT-X-GAP\n#EXTINF:1.5")
            ),
            "segment 1 is missing",
        ),
        (
            format!(
                "{}{END}",
                SEGMENTS.replace(
                    "#EXTINF:1.5",
                    "#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXTINF:1.5"
                )
            ),
            "segment 1 is encrypted",
        ),
        (
            format!(
                "{}{END}",
                SEGMENTS.replace("#EXTINF:1.5", "#EXT-X-MAP:URI=\"b\"\n#EXTINF:1.5")
            ),
            "EXT-X-MAP",
        ),
    ] {
        let error = error_of(&text);
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn no_playlist_leads_to_files_of_this_machine() {
    for place in ["file:///etc/passwd", "ftp://host/a.ts", "concat:a.ts|b.ts"] {
        let text = format!("{}{END}", SEGMENTS.replace("a.ts", place));
        let error = error_of(&text);
        assert!(error.contains("only http:// and https://"), "{error}");
    }
}

#[test]
fn a_byte_order_mark_is_skipped() {
    let text = format!("\u{feff}{SEGMENTS}{END}");
    assert!(is_playlist(text.as_bytes()));
    assert_eq!(plan(&text).segments.len(), 2);
}

#[test]
fn variables_are_refused() {
    let text = format!("{}{END}", SEGMENTS.replace("a.ts", "{$where}/a.ts"));
    assert!(error_of(&text).contains("EXT-X-DEFINE"));
}
