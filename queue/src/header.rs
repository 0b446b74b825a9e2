//! The headers that our messages carry.

/// The message's type: [`crate::Message::TYPE`].
pub const TYPE: &str = "Crispy-Type";

/// The chunk that the message is about, where it is about one: `{site}/{camera}/{run}/{sequence}`. For logs and traces, which must not need to
/// decode what they speak of; who works on the message believes its payload alone.
pub const CHUNK: &str = "Crispy-Chunk";
