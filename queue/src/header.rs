//! The headers that our messages carry.

/// The message's type: [`crate::Message::TYPE`].
pub const TYPE: &str = "Crispy-Type";

/// The chunk that the message is about, where it is about one: `{site}/{camera}/{run}/{sequence}`. For logs and traces, which must not need to
/// decode what they speak of; who works on the message believes its payload alone.
pub const CHUNK: &str = "Crispy-Chunk";

/// Which sending it is: see [`crate::message_id`]. The server's own name for it.
pub const MESSAGE_ID: &str = "Nats-Msg-Id";

/// The stream that must store it, checked by the server, so that a subject captured by somebody else's stream is an error and not a loss.
pub const EXPECTED_STREAM: &str = "Nats-Expected-Stream";
