//! The spans of messages: where each was on its way, in the words of OpenTelemetry's conventions for messaging.
//!
//! ```text
//!   publish chunks.{camera} ── traceparent ──► process chunks.{camera} ── publish uploaded.{camera} ── traceparent ──► …
//!   publish dead.uploader.{camera} ◄─────────────────┘ given up; replayed, it goes on in the trace that it began in
//! ```
//!
//! Where nobody makes traces a span is nothing: none of its fields is worked out, and no header is written or read. What the conventions call a
//! number is signed: tracing tells unsigned ones as text.

use std::fmt;

use async_nats::HeaderMap;
use crispy_jetstream::{Delivery, header::MESSAGE_ID};
use crispy_proto::id::ChunkId;
use tracing::{Span, field::Empty, info_span};

use crate::header;

/// The span of getting a message into its stream. It belongs to the span that `headers` name, else to the one under way.
pub(crate) fn publish(subject: &str, headers: &HeaderMap, bytes: usize) -> Span {
    let place = Place::of(subject);
    let span = info_span!(
        "publish",
        otel.name = format_args!("publish {place}"),
        otel.kind = "producer",
        messaging.system = "nats",
        messaging.operation.name = "publish",
        messaging.operation.type = "send",
        messaging.destination.name = subject,
        messaging.destination.template = %place,
        messaging.message.id = headers.get(MESSAGE_ID).map(|id| id.as_str()),
        messaging.message.body.size = bytes.cast_signed(),
        site = place.site,
        camera = place.camera,
        run = Empty,
        sequence = Empty,
        stream = Empty,
        stream_sequence = Empty,
        attempt = Empty,
    );
    if !span.is_disabled() {
        let chunk = headers.get(header::CHUNK);
        say_chunk(&span, chunk.map(|chunk| chunk.as_str()));
    }
    span
}

/// The span of handling one delivery: child of its publishing, and linked to it.
pub(crate) fn process(delivery: &Delivery, consumer: &str, bytes: usize) -> Span {
    let place = Place::of(&delivery.subject);
    let span = info_span!(
        parent: None,
        "process",
        otel.name = format_args!("process {place}"),
        otel.kind = "consumer",
        messaging.system = "nats",
        messaging.operation.name = "process",
        messaging.operation.type = "process",
        messaging.destination.name = delivery.subject.as_str(),
        messaging.destination.template = %place,
        messaging.consumer.group.name = consumer,
        messaging.message.id = delivery.message_id.as_deref(),
        messaging.message.body.size = bytes.cast_signed(),
        site = place.site,
        camera = place.camera,
        run = Empty,
        sequence = Empty,
        stream = delivery.stream.as_str(),
        stream_sequence = delivery.stream_sequence,
        delivery = delivery.deliveries,
        attempt = delivery.attempt,
        outcome = Empty,
    );
    if !span.is_disabled() {
        say_chunk(&span, delivery.header(header::CHUNK));
    }
    span
}

/// What the span of the cut says too: a trace of which that was not kept is found by its other spans.
fn say_chunk(span: &Span, header: Option<&str>) {
    let Some(chunk) = header.and_then(|chunk| chunk.parse::<ChunkId>().ok()) else {
        return;
    };
    span.record("run", tracing::field::display(&chunk.run));
    span.record("sequence", chunk.sequence);
}

/// What a subject says, as far as a search or a span's name is concerned.
struct Place<'a> {
    topic: &'a str,
    site: &'a str,
    camera: &'a str,
}

impl<'a> Place<'a> {
    /// The parts of `{prefix}.{topic}.{site}.{camera}`; of somebody else's subject nothing.
    fn of(subject: &'a str) -> Self {
        let parts = || {
            let (rest, camera) = subject.rsplit_once('.')?;
            let (rest, site) = rest.rsplit_once('.')?;
            let (_, topic) = rest.split_once('.')?;
            Some((topic, site, camera))
        };
        let (topic, site, camera) = parts().unwrap_or_default();
        Self {
            topic,
            site,
            camera,
        }
    }
}

/// The form that all subjects of a topic have, few as a span's names must be.
impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.topic {
            "" => f.write_str("unknown"),
            topic => write!(f, "{topic}.{{camera}}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_named_after_the_form_of_its_subject() {
        for (subject, name) in [
            ("crispy.chunks.demo.front", "chunks.{camera}"),
            ("crispy.dead.uploader.demo.front", "dead.uploader.{camera}"),
            ("telemetry.of.others", "unknown"),
            ("", "unknown"),
        ] {
            assert_eq!(Place::of(subject).to_string(), name);
        }
    }
}
