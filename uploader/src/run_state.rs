//! The JSON document of a run's state, for people and scripts. Pure.

use bytes::Bytes;
use crispy_checksum::hex;
use crispy_proto::v1::RunState;
use serde_json::json;

use crate::metadata::rfc3339;

/// The document. It has neither its writer nor its time: the same run sent again must give the same
/// bytes, or the second put would be refused.
pub(crate) fn json(state: &RunState) -> Bytes {
    let wall = state.wall.unwrap_or_default();
    let media = state.media.unwrap_or_default();
    let timebase = media.timebase.unwrap_or_default();
    let drops: Vec<_> = state
        .drops
        .iter()
        .map(|drop| json!({"first": drop.first, "last": drop.last, "reason": drop.reason}))
        .collect();
    let document = json!({
        "type": "run",
        "site": state.site,
        "camera": state.camera,
        "run": state.run,
        "next_sequence": state.next_sequence,
        "last_sha256": hex(&state.last_sha256),
        "from": rfc3339(wall.start_us),
        "to": rfc3339(wall.end_us),
        "ticks": {"start": media.start_ticks, "end": media.end_ticks, "timebase": format!("{}/{}", timebase.num, timebase.den)},
        "frames": state.frames,
        "bytes": state.bytes,
        "drops": drops,
        "ended": state.ended,
        "end": state.end().as_str_name().trim_start_matches("RUN_END_").to_lowercase(),
        "detail": state.detail,
    });
    let mut text = format!("{document:#}");
    text.push('\n');
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crispy_proto::v1;

    #[test]
    fn the_same_run_gives_the_same_bytes() {
        let state = RunState {
            site: "demo".into(),
            next_sequence: 20,
            ended: true,
            end: v1::RunEnd::SourceEnded.into(),
            ..Default::default()
        };
        let other = RunState {
            written_us: 5,
            producer: Some(v1::Producer {
                instance: "h:1".into(),
                ..Default::default()
            }),
            ..state.clone()
        };
        assert_eq!(json(&state), json(&other));
        let read: serde_json::Value = serde_json::from_slice(&json(&state)).unwrap();
        assert_eq!(
            (read["next_sequence"].as_u64(), read["end"].as_str()),
            (Some(20), Some("source_ended"))
        );
    }
}
