//! What travels: our messages, and what a reader makes of bytes that somebody sent.

use crispy_proto::{
    id::ChunkId,
    v1::{self, dead_letter},
};

use crate::header;

/// A message of `crispy.v1` that travels on a subject of its own.
pub trait Message: prost::Message + Default + Send + Sync + 'static {
    /// The full name of the type, as header [`crate::header::TYPE`] carries it.
    const TYPE: &'static str;

    /// Features that a reader must know to treat the message rightly.
    fn needs(&self) -> &[String] {
        &[]
    }

    /// The chunk that it is about, as header [`crate::header::CHUNK`] carries it.
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
    ChunkReady needs needs about described,
    RunState needs needs,
    ChunkUploaded needs needs about uploaded,
    ChunkInspected about inspected,
    ChunkDropped,
    CameraEvent,
    DeadLetter about given_up,
    DeadRuling,
    SpoolRecord,
);

fn described(chunk: &v1::ChunkReady) -> Option<ChunkId> {
    ChunkId::from_wire(chunk.id.as_ref()).ok()
}

fn uploaded(upload: &v1::ChunkUploaded) -> Option<ChunkId> {
    described(upload.chunk.as_ref()?)
}

fn inspected(inspection: &v1::ChunkInspected) -> Option<ChunkId> {
    uploaded(inspection.upload.as_ref()?)
}

/// By the word of what was given up.
fn given_up(letter: &v1::DeadLetter) -> Option<ChunkId> {
    let named = |of: &&dead_letter::Header| of.name == header::CHUNK;
    letter.headers.iter().find(named)?.value.parse().ok()
}

/// Features that this version knows. None exist yet.
const KNOWN_NEEDS: &[&str] = &[];

/// What a reader can make of a message's bytes: one of ours, or a choice among several.
///
/// A stage that hears more than one kind implements it for an enum of them:
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
    /// The message of type `type_name` in `payload`.
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

/// Bytes that are not a message this version can treat.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The message does not say what it is: it is not from this system.
    #[error("the message has no type")]
    NoType,
    /// A type that this version does not know. A newer one may: it is not the message that is wrong.
    #[error("messages of type {0:?} are not known to this version")]
    UnknownType(String),
    /// A feature that this version does not know.
    #[error("the message needs feature {0:?}, which this version does not have")]
    UnknownNeed(String),
    /// Not the encoding of its type, and never will be.
    #[error("the message is not the encoding of its type")]
    Malformed(#[source] prost::DecodeError),
}

impl DecodeError {
    /// Whether a newer version might be able to read the message.
    pub fn is_from_the_future(&self) -> bool {
        matches!(self, Self::UnknownType(_) | Self::UnknownNeed(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crispy_proto::v1::{ChunkReady, RunState};
    use prost::Message as _;

    #[test]
    fn a_type_is_named_as_its_schema_names_it() {
        assert_eq!(ChunkReady::TYPE, "crispy.v1.ChunkReady");
    }

    #[test]
    fn whatever_is_about_a_chunk_says_which() {
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
        let said = [
            chunk.chunk(),
            upload.chunk(),
            inspection.chunk(),
            letter.chunk(),
        ];
        assert!(
            said.iter().all(|said| said.as_ref() == Some(&id)),
            "{said:?}"
        );
        assert_eq!(ChunkReady::default().chunk(), None);
        assert_eq!(RunState::default().chunk(), None);
    }

    #[test]
    fn what_was_encoded_is_decoded() {
        let chunk = ChunkReady {
            size: 17,
            ..Default::default()
        };
        let read = <ChunkReady as Decode>::decode(ChunkReady::TYPE, &chunk.encode_to_vec());
        assert_eq!(read.unwrap(), chunk);
    }

    #[test]
    fn what_a_newer_version_sent_is_told_from_poison() {
        let chunk = ChunkReady {
            needs: vec!["teleport".into()],
            ..Default::default()
        };
        let read = |type_name: &str, bytes: &[u8]| {
            <ChunkReady as Decode>::decode(type_name, bytes).unwrap_err()
        };
        assert!(read(ChunkReady::TYPE, &chunk.encode_to_vec()).is_from_the_future());
        assert!(read(RunState::TYPE, &[]).is_from_the_future());
        assert!(!read(ChunkReady::TYPE, &[0xff; 9]).is_from_the_future());
        assert!(!read("", &[]).is_from_the_future());
    }
}
