//! JSON lines of a session: one for each inspected chunk, and a summary. Pure.

use crispy_proto::v1::ChunkInspected;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::SessionReport;

/// `{"type":"chunk", …}`: the inspector's findings, the object, and whether it agrees with its
/// descriptor.
pub(super) fn chunk(inspected: &ChunkInspected) -> Value {
    let upload = inspected.upload.clone().unwrap_or_default();
    let chunk = upload.chunk.unwrap_or_default();
    let id = chunk.id.unwrap_or_default();
    let wall = chunk.wall.unwrap_or_default();
    let differs: Vec<Value> = inspected
        .disagreements
        .iter()
        .map(|d| json!({"field": d.field, "expected": d.expected, "found": d.found}))
        .collect();
    json!({
        "type": "chunk",
        "site": id.site,
        "camera": id.camera,
        "run": id.run,
        "sequence": id.sequence,
        "object": upload.object,
        "from": time(wall.start_us),
        "to": time(wall.end_us),
        "duration_s": seconds(chunk.duration_us),
        "packets": chunk.packets,
        "frames": chunk.frames,
        "width": inspected.width,
        "height": inspected.height,
        "channels": inspected.channels,
        "codec": inspected.codec,
        "size": upload.size,
        "crc32c": format!("{:08x}", upload.crc32c),
        "sha256": upload.sha256.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
        "media_link": upload.media_link,
        "already_there": upload.already_there,
        "agrees": inspected.agrees,
        "disagreements": differs,
    })
}

/// `{"type":"summary", …}`, the last line.
pub(super) fn summary(report: &SessionReport<'_>) -> Value {
    let totals = report.session.totals();
    let latency = |percent| report.session.latency_us(percent).map(seconds);
    let cpu: serde_json::Map<String, Value> = report
        .cpu
        .iter()
        .map(|(name, time)| (name.clone(), json!(time.as_secs_f64())))
        .collect();
    json!({
        "type": "summary",
        "ok": report.problem.is_none(),
        "problem": report.problem,
        "chunks": totals.chunks,
        "uploaded": totals.chunks - totals.already_there,
        "already_there": totals.already_there,
        "disagreeing": totals.disagreeing,
        "frames": totals.frames,
        "video_s": seconds(totals.video_us),
        "bytes": totals.bytes,
        "elapsed_s": report.elapsed.as_secs_f64(),
        "frames_per_s": totals.frames as f64 / report.elapsed.as_secs_f64().max(1e-9),
        "cut_to_inspected_s": {"p50": latency(50), "p99": latency(99)},
        "cpu_s": cpu,
        "bucket": report.bucket,
        "trace": report.trace,
    })
}

fn seconds(us: i64) -> f64 {
    us as f64 / 1e6
}

fn time(us: i64) -> String {
    Timestamp::from_microsecond(us)
        .map(|at| format!("{at:.6}"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crispy_proto::v1;

    const FIELDS: [&str; 20] = [
        "type",
        "site",
        "camera",
        "run",
        "sequence",
        "object",
        "from",
        "to",
        "duration_s",
        "packets",
        "frames",
        "width",
        "height",
        "channels",
        "codec",
        "size",
        "crc32c",
        "sha256",
        "media_link",
        "agrees",
    ];

    #[test]
    fn a_line_of_a_chunk_has_the_documented_fields() {
        let upload = v1::ChunkUploaded {
            chunk: Some(v1::ChunkReady {
                id: Some(v1::ChunkId {
                    site: "demo".into(),
                    camera: "front".into(),
                    run: "R".into(),
                    sequence: 3,
                }),
                duration_us: 3_003_000,
                packets: 90,
                frames: 90,
                ..Default::default()
            }),
            object: "v1/x.mp4".into(),
            crc32c: 0xab,
            sha256: vec![1, 0xff],
            ..Default::default()
        };
        let line = chunk(&ChunkInspected {
            upload: Some(upload),
            width: 1920,
            agrees: true,
            ..Default::default()
        });
        for field in FIELDS {
            assert!(line.get(field).is_some(), "{field} is missing in {line}");
        }
        assert_eq!(
            (line["duration_s"].as_f64(), line["sha256"].as_str()),
            (Some(3.003), Some("01ff"))
        );
        assert_eq!(
            (line["crc32c"].as_str(), line["from"].as_str()),
            (Some("000000ab"), Some("1970-01-01T00:00:00.000000Z"))
        );
    }
}
