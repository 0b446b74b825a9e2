//! Renders dead letters as tables, pages and JSON. Pure.

use comfy_table::{Table, presets};
use crispy_proto::{
    id::ChunkId,
    v1::{self, dead_letter::Kind},
};
use crispy_queue::{Decode, Message, StoredDeadLetter};
use jiff::Timestamp;
use serde_json::{Value, json};

/// A table with a row for each, newest last.
pub(super) fn table(letters: &[StoredDeadLetter]) -> String {
    if letters.is_empty() {
        return "no dead letters".to_owned();
    }
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    table.set_header(["number", "failed", "stage", "chunk", "kind", "reason"]);
    for stored in letters {
        let letter = &stored.letter;
        table.add_row([
            stored.sequence.to_string(),
            time(letter.last_failure_us),
            stored.stage.to_string(),
            subject(stored),
            kind(letter).to_owned(),
            letter.reason.clone(),
        ]);
    }
    table.to_string()
}

/// Every field of one, a line each.
pub(super) fn page(stored: &StoredDeadLetter) -> String {
    let letter = &stored.letter;
    let producer = letter.producer.clone().unwrap_or_default();
    let mut lines = vec![
        ("number", stored.sequence.to_string()),
        ("chunk", subject(stored)),
        ("stage", stored.stage.to_string()),
        ("kind", kind(letter).to_owned()),
        ("reason", letter.reason.clone()),
        ("host", producer.instance),
        ("version", producer.version),
        ("deliveries", letter.deliveries.to_string()),
        ("first failure", time(letter.first_failure_us)),
        ("last failure", time(letter.last_failure_us)),
        (
            "stream",
            format!("{} {}", letter.stream, letter.stream_sequence),
        ),
        ("subject", letter.subject.clone()),
        ("payload", format!("{} bytes", letter.payload.len())),
    ];
    if let Some(chunk) = chunk(stored) {
        lines.push(("spool", chunk.spool_id));
        lines.push(("bytes", chunk.size.to_string()));
        lines.push(("sha256", hex(&chunk.sha256)));
    }
    if let Some(trace) = stored.trace_id() {
        lines.push(("trace", trace.to_owned()));
    }
    for header in &letter.headers {
        lines.push(("header", format!("{}: {}", header.name, header.value)));
    }
    let line = |(name, value): (&str, String)| format!("{name:<14} {value}\n");
    lines.into_iter().map(line).collect()
}

/// `{"type":"dead_letter", …}`: every field, the original message's bytes in hexadecimal.
pub(super) fn json(stored: &StoredDeadLetter) -> Value {
    let letter = &stored.letter;
    let producer = letter.producer.clone().unwrap_or_default();
    let id = chunk(stored).and_then(|chunk| chunk.id).unwrap_or_default();
    let headers: Vec<_> = letter
        .headers
        .iter()
        .map(|header| json!([header.name, header.value]))
        .collect();
    json!({
        "type": "dead_letter",
        "number": stored.sequence,
        "stage": stored.stage.as_str(),
        "site": stored.camera.site.as_str(),
        "camera": stored.camera.camera.as_str(),
        "run": (!id.run.is_empty()).then_some(id.run.clone()),
        "sequence": (!id.run.is_empty()).then_some(id.sequence),
        "kind": kind(letter),
        "reason": letter.reason,
        "instance": producer.instance,
        "version": producer.version,
        "deliveries": letter.deliveries,
        "first_failure": time(letter.first_failure_us),
        "last_failure": time(letter.last_failure_us),
        "subject": letter.subject,
        "stream": letter.stream,
        "stream_sequence": letter.stream_sequence,
        "message_id": letter.message_id,
        "trace_id": stored.trace_id(),
        "headers": headers,
        "payload": hex(&letter.payload),
    })
}

/// The chunk of the message, else its camera.
pub(super) fn subject(stored: &StoredDeadLetter) -> String {
    let id = chunk(stored).and_then(|chunk| ChunkId::from_wire(chunk.id.as_ref()).ok());
    id.map_or_else(|| stored.camera.to_string(), |id| id.to_string())
}

/// The descriptor of the chunk, from a message of either stage.
fn chunk(stored: &StoredDeadLetter) -> Option<v1::ChunkReady> {
    let letter = &stored.letter;
    let type_name = letter
        .headers
        .iter()
        .find(|header| header.name == crispy_queue::header::TYPE)?;
    match type_name.value.as_str() {
        v1::ChunkReady::TYPE => {
            <v1::ChunkReady as Decode>::decode(v1::ChunkReady::TYPE, &letter.payload).ok()
        }
        v1::ChunkUploaded::TYPE => {
            <v1::ChunkUploaded as Decode>::decode(v1::ChunkUploaded::TYPE, &letter.payload)
                .ok()?
                .chunk
        }
        _ => None,
    }
}

fn kind(letter: &v1::DeadLetter) -> &'static str {
    match letter.kind() {
        Kind::Unspecified => "unknown",
        Kind::Rejected => "rejected",
        Kind::Undecodable => "undecodable",
        Kind::RetriesSpent => "retries spent",
        Kind::CrashGuard => "crashes its workers",
    }
}

fn time(us: i64) -> String {
    Timestamp::from_microsecond(us)
        .map(|at| format!("{at:.3}"))
        .unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message as _;

    fn stored() -> StoredDeadLetter {
        let chunk = v1::ChunkReady {
            id: Some(v1::ChunkId {
                site: "demo".into(),
                camera: "front".into(),
                run: "01KAPGPZKR0W3GE1R70W3GE1R7".into(),
                sequence: 3,
            }),
            size: 17,
            ..Default::default()
        };
        StoredDeadLetter {
            sequence: 9,
            stage: crispy_queue::Stage::Uploader,
            camera: "demo/front".parse().unwrap(),
            stored: Timestamp::UNIX_EPOCH,
            letter: v1::DeadLetter {
                payload: chunk.encode_to_vec(),
                headers: vec![v1::dead_letter::Header {
                    name: crispy_queue::header::TYPE.into(),
                    value: v1::ChunkReady::TYPE.into(),
                }],
                reason: "put object: disk is on fire".into(),
                kind: Kind::Rejected.into(),
                ..Default::default()
            },
        }
    }

    #[test]
    fn a_dead_letter_is_named_by_its_chunk_or_camera() {
        let mut stored = stored();
        assert_eq!(
            subject(&stored),
            "demo/front/01KAPGPZKR0W3GE1R70W3GE1R7/0000000003"
        );
        stored.letter.payload = vec![0xff];
        assert_eq!(subject(&stored), "demo/front");
    }

    #[test]
    fn every_format_has_number_and_reason() {
        let stored = stored();
        for text in [
            table(std::slice::from_ref(&stored)),
            page(&stored),
            json(&stored).to_string(),
        ] {
            assert!(
                text.contains('9') && text.contains("disk is on fire"),
                "{text}"
            );
        }
        assert_eq!(json(&stored)["sequence"], 3);
        assert_eq!(
            json(&stored)["payload"].as_str().unwrap().len(),
            2 * stored.letter.payload.len()
        );
    }
}
