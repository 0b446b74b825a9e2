//! Message ids: what the server recognises a second sending by.
//!
//! Nothing rests on them but saved work: the window in which a server remembers ids ends, and a restart may end it early. An id says which
//! *sending* a message is, not which chunk: what is sent again on purpose must not be swallowed by its first sending.

use crispy_proto::v1::{ChunkReady, RunState};

use crate::Stage;

/// One commit of a chunk: `{site}/{camera}/{run}/{sequence}@{committed, Unix microseconds}`.
///
/// The same spool entry sent twice by accident is one message. The same file ingested again within the window is another commit, and so
/// another message: its new spool entry waits for an answer of its own.
pub fn ready(chunk: &ChunkReady) -> String {
    let id = chunk.id.clone().unwrap_or_default();
    format!(
        "{}/{}/{}/{:010}@{}",
        id.site, id.camera, id.run, id.sequence, chunk.committed_us
    )
}

/// The `n`th deliberate sending of what was first sent as `id`, counted from 1.
pub fn resend(id: &str, n: u32) -> String {
    format!("{id}#{n}")
}

/// One writing of a run's state.
pub fn run(state: &RunState) -> String {
    format!(
        "run:{}/{}/{}@{}",
        state.site, state.camera, state.run, state.written_us
    )
}

/// The announcement that a chunk is in the bucket, in answer to the message with id `answered`.
///
/// Per message and not per chunk: the stream of these events remembers ids for 10 minutes, and an ingestor that asks again within them must
/// hear the answer again.
pub fn uploaded(answered: &str) -> String {
    format!("up:{answered}")
}

/// The report of an inspection, in answer to the event with id `answered`, of the object's `generation`.
pub fn inspected(answered: &str, generation: &str) -> String {
    let answered = answered.strip_prefix("up:").unwrap_or(answered);
    format!("in:{answered}:{generation}")
}

/// The dead letter of the message at `sequence` of the stream that was created at `stream_created_us` (Unix microseconds): a wiped and
/// remade stream counts from 1 again.
pub fn dead(stage: Stage, stream_created_us: i64, sequence: u64) -> String {
    format!("dead:{stage}:{stream_created_us}:{sequence}")
}

/// The return of the dead letter at `sequence` of the dead letters' stream to where it came from.
pub fn replay(sequence: u64) -> String {
    format!("replay:{sequence}")
}

/// The word to a spool's owner that the dead letter at `dead` was replayed, as the message at `sequence`.
pub fn replayed(dead: u64, sequence: u64) -> String {
    format!("replayed:{dead}:{sequence}")
}

/// The word to a spool's owner that the dead letter at `dead` was dropped.
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
    fn another_commit_or_another_sending_is_another_message() {
        let first = ready(&chunk(3, 17));
        assert_eq!(first, "demo/front/01K/0000000003@17");
        assert_eq!(first, ready(&chunk(3, 17)));
        assert_ne!(first, ready(&chunk(3, 18)));
        assert_ne!(first, ready(&chunk(4, 17)));
        assert_ne!(first, resend(&first, 1));
        assert_ne!(resend(&first, 1), resend(&first, 2));
    }

    #[test]
    fn each_sending_gets_an_answer_of_its_own() {
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
    fn a_remade_stream_gives_other_dead_letters() {
        assert_ne!(dead(Stage::Uploader, 1, 22), dead(Stage::Uploader, 2, 22));
        assert_ne!(dead(Stage::Uploader, 1, 22), dead(Stage::Inspector, 1, 22));
    }
}
