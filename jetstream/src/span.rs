//! Spans of messages that the application does not name, and the trace context in headers.
//!
//! Where no traces are made a span is disabled: none of its fields is computed, and no header is
//! written or read. Numbers of the messaging conventions are signed: tracing exports unsigned ones
//! as text.

use std::str::FromStr;

use async_nats::{HeaderMap, HeaderName, HeaderValue};
use crispy_telemetry::context::{self, Remote};
use tracing::{Span, field::Empty, info_span};

use crate::{Delivery, header};

/// The span of publishing a message.
pub(crate) fn publish(subject: &str, headers: &HeaderMap, bytes: usize) -> Span {
    info_span!(
        "publish",
        otel.name = "publish unknown",
        otel.kind = "producer",
        messaging.system = "nats",
        messaging.operation.name = "publish",
        messaging.operation.type = "send",
        messaging.destination.name = subject,
        messaging.destination.template = "unknown",
        messaging.message.id = headers.get(header::MESSAGE_ID).map(|id| id.as_str()),
        messaging.message.body.size = bytes.cast_signed(),
        stream = Empty,
        stream_sequence = Empty,
        attempt = Empty,
    )
}

/// The span of handling a delivery.
pub(crate) fn process(delivery: &Delivery, consumer: &str) -> Span {
    info_span!(
        parent: None,
        "process",
        otel.name = "process unknown",
        otel.kind = "consumer",
        messaging.system = "nats",
        messaging.operation.name = "process",
        messaging.operation.type = "process",
        messaging.destination.name = delivery.subject,
        messaging.destination.template = "unknown",
        messaging.consumer.group.name = consumer,
        messaging.message.id = delivery.message_id,
        messaging.message.body.size = delivery.payload.len().cast_signed(),
        stream = delivery.stream,
        stream_sequence = delivery.stream_sequence,
        delivery = delivery.deliveries,
        attempt = delivery.attempt,
        outcome = Empty,
    )
}

/// Continues the trace in `headers`, if any, in `span`, and writes its own context into them.
pub(crate) fn inject(span: &Span, headers: &mut HeaderMap) {
    if span.is_disabled() {
        return;
    }
    if headers.get(header::TRACEPARENT).is_some() {
        let named = headers.iter().filter_map(|(name, values)| {
            let name: &str = name.as_ref();
            Some((name, values.first()?.as_str()))
        });
        Remote::from_headers(named).continue_in(span);
    }
    for (name, value) in span.in_scope(context::headers) {
        // Propagators write legal headers only.
        if let (Ok(name), Ok(value)) = (HeaderName::from_str(&name), HeaderValue::from_str(&value))
        {
            headers.insert(name, value);
        }
    }
}

/// Makes `span` a child of the publishing of `delivery`, and links it to that.
pub(crate) fn adopt(span: &Span, delivery: &Delivery) {
    if !span.is_disabled() {
        Remote::from_headers(delivery.headers.iter()).adopt(span);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_traces_a_message_gets_no_header() {
        let mut headers = HeaderMap::new();
        let span = publish("crispy.chunks.demo.front", &headers, 9);
        inject(&span, &mut headers);
        assert!(span.is_disabled() && headers.is_empty());
    }
}
