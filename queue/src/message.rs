//! Our messages, and their decoding.

use crispy_proto::{
    id::ChunkId,
    v1::{self, dead_letter},
};

use crate::header;

/// A message of `crispy.v1` with a subject of its own.
pub trait Message: prost::Message + Default + Send + Sync + 'static {
    /// The full name of the type, for header [`crate::header::TYPE`].
    const TYPE: &'static str;

    /// Features that a reader must know to process the message.
    fn needs(&self) -> &[String] {
        &[]
    }

    /// Its chunk, for header [`crate::header::CHUNK`].
    fn chunk(&self) -> Option<ChunkId> {
        None
    }
}

macro_rules! messages {
    ($($message:ident $(needs $needs:ident)? $(about $chunk:ident)?),* $(,)?) => {$(
        impl Message for v1::$message {
            const TYPE: &'static str = concat!("crispy.v1.", stringify!($message));
            $(fn needs(&self) -> &[String] {
                &self.$needs
            })?
            $(fn chunk(&self) -> Option<ChunkId> {
                $chunk(self)
            })?
        }
    )*};
}

messages!(
    ChunkReady needs needs about ready,
    RunState needs needs,
    ChunkUploaded needs needs about uploaded,
    ChunkInspected about inspected,
    ChunkDropped,
    CameraEvent,
    DeadLetter about dead,
    SpoolRecord,
);

impl Message for v1::DeadLetterDecision {
    // Older than the name of the type, and part of the wire format.
    const TYPE: &'static str = "crispy.v1.DeadRuling";
}

fn ready(chunk: &v1::ChunkReady) -> Option<ChunkId> {
    ChunkId::from_wire(chunk.id.as_ref()).ok()
}

fn uploaded(upload: &v1::ChunkUploaded) -> Option<ChunkId> {
    ready(upload.chunk.as_ref()?)
}

fn inspected(inspection: &v1::ChunkInspected) -> Option<ChunkId> {
    uploaded(inspection.upload.as_ref()?)
}

/// From the headers of the original message.
fn dead(letter: &v1::DeadLetter) -> Option<ChunkId> {
    let is_chunk = |original: &&dead_letter::Header| original.name == header::CHUNK;
    letter.headers.iter().find(is_chunk)?.value.parse().ok()
}

/// Features of this version. None exist yet.
const KNOWN_NEEDS: &[&str] = &[];

/// Decoding of a message's bytes: one of our messages, or an enum of several.
///
/// A stage that receives several types implements it for an enum of them:
///
/// ```
/// use crispy_queue::{Decode, DecodeError, Message};
/// use crispy_proto::v1::{ChunkReady, RunState};
///
/// enum Work {
///     Chunk(ChunkReady),
///     Run(RunState),
/// }
///
/// impl Decode for Work {
///     fn decode(type_name: &str, payload: &[u8]) -> Result<Self, DecodeError> {
///         match type_name {
///             RunState::TYPE => <RunState as Decode>::decode(type_name, payload).map(Self::Run),
///             _ => <ChunkReady as Decode>::decode(type_name, payload).map(Self::Chunk),
///         }
///     }
/// }
/// ```
pub trait Decode: Sized {
    /// Decodes `payload` as a message of type `type_name`.
    fn decode(type_name: &str, payload: &[u8]) -> Result<Self, DecodeError>;
}

impl<M: Message> Decode for M {
    fn decode(type_name: &str, payload: &[u8]) -> Result<Self, DecodeError> {
        if type_name.is_empty() {
            return Err(DecodeError::NoType);
        }
        if type_name != M::TYPE {
            return Err(DecodeError::UnknownType(
                type_name.chars().take(80).collect(),
            ));
        }
        let message = <M as prost::Message>::decode(payload).map_err(DecodeError::Malformed)?;
        let unknown = message
            .needs()
            .iter()
            .find(|need| !KNOWN_NEEDS.contains(&need.as_str()));
        match unknown {
            Some(need) => Err(DecodeError::UnknownNeed(need.chars().take(80).collect())),
            None => Ok(message),
        }
    }
}

/// Bytes that this version cannot process.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The message has no type: it is not from this system.
    #[error("the message has no type")]
    NoType,
    /// A type that this version does not know. A newer version may know it.
    #[error("messages of type {0:?} are not known to this version")]
    UnknownType(String),
    /// A feature that this version does not know.
    #[error("the message needs feature {0:?}, which this version does not have")]
    UnknownNeed(String),
    /// Not the encoding of its type.
    #[error("the message is not the encoding of its type")]
    Malformed(#[source] prost::DecodeError),
}

impl DecodeError {
    /// Whether a newer version might be able to read the message.
    pub fn needs_newer_version(&self) -> bool {
        matches!(self, Self::UnknownType(_) | Self::UnknownNeed(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crispy_proto::v1::{ChunkReady, RunState};
    use prost::Message as _;

    #[test]
    fn a_type_has_the_name_of_its_schema() {
        assert_eq!(ChunkReady::TYPE, "crispy.v1.ChunkReady");
        assert_eq!(v1::DeadLetterDecision::TYPE, "crispy.v1.DeadRuling");
    }

    #[test]
    fn messages_about_a_chunk_name_it() {
        let id: ChunkId = "demo/front/01M82C7XJ5HSDAXZ4F9DVKKH71/0000000003"
            .parse()
            .unwrap();
        let chunk = ChunkReady {
            id: Some(id.to_wire()),
            ..Default::default()
        };
        let upload = v1::ChunkUploaded {
            chunk: Some(chunk.clone()),
            ..Default::default()
        };
        let inspection = v1::ChunkInspected {
            upload: Some(upload.clone()),
            ..Default::default()
        };
        let letter = v1::DeadLetter {
            headers: vec![dead_letter::Header {
                name: header::CHUNK.into(),
                value: id.to_string(),
            }],
            ..Default::default()
        };
        let chunks = [
            chunk.chunk(),
            upload.chunk(),
            inspection.chunk(),
            letter.chunk(),
        ];
        assert_eq!(chunks, [(); 4].map(|()| Some(id.clone())));
        assert_eq!(ChunkReady::default().chunk(), None);
        assert_eq!(RunState::default().chunk(), None);
    }

    #[test]
    fn encoded_messages_are_decoded() {
        let chunk = ChunkReady {
            size: 17,
            ..Default::default()
        };
        let read = <ChunkReady as Decode>::decode(ChunkReady::TYPE, &chunk.encode_to_vec());
        assert_eq!(read.unwrap(), chunk);
    }

    #[test]
    fn messages_of_a_newer_version_are_not_poison() {
        let chunk = ChunkReady {
            needs: vec!["teleport".into()],
            ..Default::default()
        };
        let read = |type_name: &str, bytes: &[u8]| {
            <ChunkReady as Decode>::decode(type_name, bytes).unwrap_err()
        };
        assert!(read(ChunkReady::TYPE, &chunk.encode_to_vec()).needs_newer_version());
        assert!(read(RunState::TYPE, &[]).needs_newer_version());
        assert!(!read(ChunkReady::TYPE, &[0xff; 9]).needs_newer_version());
        assert!(!read("", &[]).needs_newer_version());
    }
}
