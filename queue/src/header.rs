//! The headers that our messages carry.

/// The message's type: [`crate::Message::TYPE`].
pub const TYPE: &str = "Crispy-Type";

/// Which sending it is: see [`crate::message_id`]. The server's own name for it.
pub const MESSAGE_ID: &str = "Nats-Msg-Id";

/// The stream that must store it, checked by the server, so that a subject captured by somebody else's stream is an error and not a loss.
pub const EXPECTED_STREAM: &str = "Nats-Expected-Stream";
