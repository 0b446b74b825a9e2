//! Writes dead letters.

use crispy_jetstream::{DeadLetter, DeadLetterKind, PublishError, Published};
use crispy_proto::{
    id::CameraId,
    v1::{self, dead_letter::Kind},
};

use crate::{Prefix, Publisher, Stage, Subjects, message_id};

/// The longest reason, in bytes. An error chain may quote its input.
const MAX_REASON: usize = 4096;

/// A dead letter before its publish: the worker, the message and the reason.
pub(crate) struct DeadLetterDraft<'a> {
    pub(crate) stage: Stage,
    pub(crate) instance: &'a str,
    pub(crate) version: &'a str,
    pub(crate) letter: DeadLetter<'a>,
}

impl DeadLetterDraft<'_> {
    /// Publishes it. The original is terminated only after this has succeeded.
    pub(crate) async fn publish(
        &self,
        publisher: &Publisher,
        prefix: &Prefix,
    ) -> Result<Published, PublishError> {
        let subjects = Subjects::new(prefix);
        let camera = subjects
            .parse(&self.letter.delivery.subject)
            .map_or_else(unknown_camera, |(_, camera)| camera);
        let id = message_id::dead(
            self.stage,
            self.letter.delivery.stream_created_us,
            self.letter.delivery.stream_sequence,
        );
        publisher
            .publish(subjects.dead(self.stage, &camera), &id, &self.letter())
            .await
    }

    fn letter(&self) -> v1::DeadLetter {
        let header = |(name, value): (&str, &str)| v1::dead_letter::Header {
            name: name.to_owned(),
            value: value.to_owned(),
        };
        v1::DeadLetter {
            payload: self.letter.delivery.payload.to_vec(),
            headers: self.letter.delivery.headers.iter().map(header).collect(),
            subject: self.letter.delivery.subject.clone(),
            stream: self.letter.delivery.stream.clone(),
            stream_sequence: self.letter.delivery.stream_sequence,
            stream_created_us: self.letter.delivery.stream_created_us,
            stage: self.stage.to_string(),
            reason: shorten(self.letter.reason).to_owned(),
            kind: kind(self.letter.kind).into(),
            deliveries: self.letter.delivery.deliveries,
            first_failure_us: self.letter.first_failure_us,
            last_failure_us: self.letter.last_failure_us,
            producer: Some(v1::Producer {
                instance: self.instance.to_owned(),
                version: self.version.to_owned(),
            }),
            message_id: self.letter.delivery.message_id.clone().unwrap_or_default(),
        }
    }
}

/// The camera of a message from a foreign subject, which does not name a camera.
fn unknown_camera() -> CameraId {
    CameraId::from_wire("unknown", "unknown").expect("both are names")
}

fn kind(kind: DeadLetterKind) -> Kind {
    match kind {
        DeadLetterKind::Rejected => Kind::Rejected,
        DeadLetterKind::Undecodable => Kind::Undecodable,
        DeadLetterKind::RetriesSpent => Kind::RetriesSpent,
        DeadLetterKind::CrashGuard => Kind::CrashGuard,
    }
}

fn shorten(reason: &str) -> &str {
    let mut end = reason.len().min(MAX_REASON);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    &reason[..end]
}
