use super::*;

const SEGMENTS: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-PROGRAM-DATE-TIME:2026-03-01T12:00:00.250Z\n#EXTINF:2.0,\na.ts?sig=1\n#EXTINF:1.5,\nb.ts?sig=1\n";
const END: &str = "#EXT-X-ENDLIST\n";

fn answer(url: &str, text: &str) -> Answer {
    Answer {
        url: Url::parse(url).unwrap(),
        modified_us: None,
        text: text.as_bytes().to_vec(),
    }
}

fn plan(text: &str) -> Plan {
    Plan::read(&answer("http://u:p@host/v/list.m3u8?sig=1", text)).unwrap()
}

fn refusal(text: &str) -> String {
    let refused = Plan::read(&answer("http://host/v/list.m3u8", text));
    refused.unwrap_err().to_string()
}

#[test]
fn segments_follow_one_another_with_the_user_of_their_list() {
    let plan = plan(&format!("{SEGMENTS}{END}"));
    let urls: Vec<_> = plan.parts.iter().map(|part| part.url.as_str()).collect();
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
fn another_host_or_signature_is_the_same_recording_and_another_length_is_not() {
    let text = format!("{SEGMENTS}{END}");
    let whole = |host: &str| text.replace("a.ts?", &format!("https://{host}/v/a.ts?"));
    let usual = plan(&text).canonical;
    assert_eq!(usual, plan(&text.replace("sig=1", "sig=2")).canonical);
    assert_eq!(plan(&whole("one")).canonical, plan(&whole("two")).canonical);
    assert_ne!(usual, plan(&text.replace("1.5", "1.6")).canonical);
    assert_ne!(usual, plan(&text.replace("b.ts", "c.ts")).canonical);
}

#[test]
fn ranges_without_a_place_follow_the_one_before() {
    let plan = plan(&format!(
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MAP:URI=\"v.mp4\",BYTERANGE=\"100@0\"\n#EXTINF:2,\n#EXT-X-BYTERANGE:50@100\nv.mp4\n#EXTINF:2,\n#EXT-X-BYTERANGE:60\nv.mp4\n{END}"
    ));
    let ranges: Vec<_> = plan.parts.into_iter().map(|part| part.range).collect();
    assert_eq!(ranges, [Some(0..100), Some(100..150), Some(150..210)]);
}

#[test]
fn the_variant_with_the_most_bits_is_recorded() {
    let master = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=100\nlow.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=900\nhigh.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=900\nother.m3u8\n";
    let best = variant(&answer("http://host/v/list.m3u8", master)).unwrap();
    assert_eq!(best.unwrap().as_str(), "http://host/v/high.m3u8");
}

#[test]
fn what_does_not_end_or_is_not_all_there_is_refused() {
    for (text, said) in [
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
        let refused = refusal(&text);
        assert!(refused.contains(said), "{refused}");
    }
}

#[test]
fn no_list_leads_to_files_of_this_machine() {
    for place in ["file:///etc/passwd", "ftp://host/a.ts", "concat:a.ts|b.ts"] {
        let text = format!("{}{END}", SEGMENTS.replace("a.ts", place));
        let refused = refusal(&text);
        assert!(refused.contains("only http:// and https://"), "{refused}");
    }
}

#[test]
fn a_byte_order_mark_in_front_is_passed_over() {
    let text = format!("\u{feff}{SEGMENTS}{END}");
    assert!(begins(text.as_bytes()));
    assert_eq!(plan(&text).parts.len(), 2);
}

#[test]
fn variables_are_refused_and_not_asked_for_by_their_names() {
    let text = format!("{}{END}", SEGMENTS.replace("a.ts", "{$where}/a.ts"));
    assert!(refusal(&text).contains("EXT-X-DEFINE"));
}
