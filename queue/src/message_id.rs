//! Message ids, by which the server recognises duplicate publishes.
//!
//! They save work, and no promise depends on them: the server's duplicate window ends, and a
//! restart may end it early. An id identifies one *publish* of a message, not a chunk: a deliberate
//! resend must not be dropped as a duplicate of the first one.

use crispy_proto::v1::{ChunkReady, RunState};

use crate::Stage;

/// A commit of a chunk: `{site}/{camera}/{run}/{sequence}@{committed, Unix microseconds}`.
///
/// A spool entry that is published twice by accident is one message. The same file ingested again
/// within the window is another commit, and so another message: its new spool entry waits for an
/// upload event of its own.
pub fn ready(chunk: &ChunkReady) -> String {
    let id = chunk.id.clone().unwrap_or_default();
    format!(
        "{}/{}/{}/{:010}@{}",
        id.site, id.camera, id.run, id.sequence, chunk.committed_us
    )
}

/// The `n`th deliberate resend, from 1, of the message that was first published as `id`.
pub fn resend(id: &str, n: u32) -> String {
    format!("{id}#{n}")
}

/// A run state.
pub fn run(state: &RunState) -> String {
    format!(
        "run:{}/{}/{}@{}",
        state.site, state.camera, state.run, state.written_us
    )
}

/// The upload event that answers the message with id `answered`.
///
/// Per message and not per chunk: the stream of upload events remembers ids for 10 minutes, and an
/// ingestor that publishes a chunk again within that time must get the event again.
pub fn uploaded(answered: &str) -> String {
    format!("up:{answered}")
}

/// The inspection of the object's `generation` that answers the upload event with id `answered`.
pub fn inspected(answered: &str, generation: &str) -> String {
    let answered = answered.strip_prefix("up:").unwrap_or(answered);
    format!("in:{answered}:{generation}")
}

/// The dead letter about the message at `sequence` of the stream that was created at
/// `stream_created_us` (Unix microseconds): a stream that was wiped and made again counts from 1
/// again.
pub fn dead(stage: Stage, stream_created_us: i64, sequence: u64) -> String {
    format!("dead:{stage}:{stream_created_us}:{sequence}")
}

/// The replay of the dead letter at `sequence` of its stream.
pub fn replay(sequence: u64) -> String {
    format!("replay:{sequence}")
}

/// The decision that the dead letter at `dead` was replayed, as the message at `sequence`.
pub fn replayed(dead: u64, sequence: u64) -> String {
    format!("replayed:{dead}:{sequence}")
}

/// The decision that the dead letter at `dead` was dropped.
pub fn dropped(dead: u64) -> String {
    format!("dropped:{dead}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crispy_proto::v1::ChunkId;

    fn chunk(sequence: u64, committed_us: i64) -> ChunkReady {
        ChunkReady {
            id: Some(ChunkId {
                site: "demo".into(),
                camera: "front".into(),
                run: "01K".into(),
                sequence,
            }),
            committed_us,
            ..Default::default()
        }
    }

    #[test]
    fn each_commit_and_each_resend_is_a_message() {
        let first = ready(&chunk(3, 17));
        assert_eq!(first, "demo/front/01K/0000000003@17");
        assert_eq!(first, ready(&chunk(3, 17)));
        assert_ne!(first, ready(&chunk(3, 18)));
        assert_ne!(first, ready(&chunk(4, 17)));
        assert_ne!(first, resend(&first, 1));
        assert_ne!(resend(&first, 1), resend(&first, 2));
    }

    #[test]
    fn each_publish_gets_an_upload_event() {
        let first = ready(&chunk(3, 17));
        let again = resend(&first, 1);
        assert_ne!(uploaded(&first), uploaded(&again));
        assert_eq!(
            inspected(&uploaded(&first), "9"),
            "in:demo/front/01K/0000000003@17:9"
        );
        assert_ne!(
            inspected(&uploaded(&first), "9"),
            inspected(&uploaded(&again), "9")
        );
    }

    #[test]
    fn a_stream_made_again_has_other_dead_letters() {
        assert_ne!(dead(Stage::Uploader, 1, 22), dead(Stage::Uploader, 2, 22));
        assert_ne!(dead(Stage::Uploader, 1, 22), dead(Stage::Inspector, 1, 22));
    }
}
