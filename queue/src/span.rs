//! The spans of messages, by OpenTelemetry's semantic conventions for messaging.
//!
//! ```text
//!   publish chunks.{camera} ─ traceparent ─► process chunks.{camera} ─ publish uploaded.{camera} …
//!   publish dead.uploader.{camera} ◄────────────────┘ dead letter; a replay continues the trace
//! ```
//!
//! Without traces a span is disabled: its fields are not computed, and no header is written or
//! read. Numbers of the conventions are signed, because tracing exports unsigned ones as text.

use std::fmt;

use async_nats::HeaderMap;
use crispy_jetstream::{Delivery, header::MESSAGE_ID};
use crispy_proto::id::ChunkId;
use tracing::{Span, field::Empty, info_span};

use crate::header;

/// The span of a publish. Its parent is the span that `headers` name, else the current one.
pub(crate) fn publish(subject: &str, headers: &HeaderMap, bytes: usize) -> Span {
    let destination = Destination::parse(subject);
    let span = info_span!(
        "publish",
        otel.name = format_args!("publish {destination}"),
        otel.kind = "producer",
        messaging.system = "nats",
        messaging.operation.name = "publish",
        messaging.operation.type = "send",
        messaging.destination.name = subject,
        messaging.destination.template = %destination,
        messaging.message.id = headers.get(MESSAGE_ID).map(|id| id.as_str()),
        messaging.message.body.size = bytes.cast_signed(),
        site = destination.site,
        camera = destination.camera,
        run = Empty,
        sequence = Empty,
        stream = Empty,
        stream_sequence = Empty,
        attempt = Empty,
    );
    if !span.is_disabled() {
        let chunk = headers.get(header::CHUNK);
        record_chunk(&span, chunk.map(|chunk| chunk.as_str()));
    }
    span
}

/// The span of one attempt: child of its publish, and linked to it.
pub(crate) fn process(delivery: &Delivery, consumer: &str) -> Span {
    let destination = Destination::parse(&delivery.subject);
    let span = info_span!(
        parent: None,
        "process",
        otel.name = format_args!("process {destination}"),
        otel.kind = "consumer",
        messaging.system = "nats",
        messaging.operation.name = "process",
        messaging.operation.type = "process",
        messaging.destination.name = delivery.subject.as_str(),
        messaging.destination.template = %destination,
        messaging.consumer.group.name = consumer,
        messaging.message.id = delivery.message_id.as_deref(),
        messaging.message.body.size = delivery.payload.len().cast_signed(),
        site = destination.site,
        camera = destination.camera,
        run = Empty,
        sequence = Empty,
        stream = delivery.stream.as_str(),
        stream_sequence = delivery.stream_sequence,
        delivery = delivery.deliveries,
        attempt = delivery.attempt,
        outcome = Empty,
    );
    if !span.is_disabled() {
        record_chunk(&span, delivery.header(header::CHUNK));
    }
    span
}

/// Records the fields of the cut's span, so that a trace is found by its other spans when that one
/// was not kept.
fn record_chunk(span: &Span, header: Option<&str>) {
    let Some(chunk) = header.and_then(|chunk| chunk.parse::<ChunkId>().ok()) else {
        return;
    };
    span.record("run", tracing::field::display(&chunk.run));
    span.record("sequence", chunk.sequence);
}

/// The parts of a subject that are fields and names of spans.
struct Destination<'a> {
    topic: &'a str,
    site: &'a str,
    camera: &'a str,
}

impl<'a> Destination<'a> {
    /// Parses `{prefix}.{topic}.{site}.{camera}`; foreign subjects have no parts.
    fn parse(subject: &'a str) -> Self {
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

/// The template of a topic's subjects: span names must be few.
impl fmt::Display for Destination<'_> {
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
    fn a_span_has_the_template_of_its_subject_as_name() {
        for (subject, name) in [
            ("crispy.chunks.demo.front", "chunks.{camera}"),
            ("crispy.dead.uploader.demo.front", "dead.uploader.{camera}"),
            ("telemetry.of.others", "unknown"),
            ("", "unknown"),
        ] {
            assert_eq!(Destination::parse(subject).to_string(), name);
        }
    }
}
