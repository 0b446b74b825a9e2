//! The headers of our messages.

/// The message's type: [`crate::Message::TYPE`].
pub const TYPE: &str = "Crispy-Type";

/// The chunk of the message, where it is about one: `{site}/{camera}/{run}/{sequence}`. For logs
/// and traces, which do not decode the payload; handlers trust the payload only.
pub const CHUNK: &str = "Crispy-Chunk";
