//! The server's own headers that we set.

/// The id by which a stream recognises a second sending of a message.
pub const MESSAGE_ID: &str = "Nats-Msg-Id";

/// The stream that must store the message, checked by the server: a subject captured by another stream is an error and not a loss.
pub const EXPECTED_STREAM: &str = "Nats-Expected-Stream";

/// The header of W3C Trace Context with a message's place in its trace.
pub const TRACEPARENT: &str = "traceparent";
