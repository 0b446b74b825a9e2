//! Headers that NATS and W3C Trace Context define.

/// The id by which a stream recognises a second sending of a message.
pub const MESSAGE_ID: &str = "Nats-Msg-Id";

/// The stream that must store the message. The server checks it, so that a subject captured by
/// another stream is an error and not a loss.
pub const EXPECTED_STREAM: &str = "Nats-Expected-Stream";

/// A message's place in its trace (W3C Trace Context).
pub const TRACEPARENT: &str = "traceparent";
