//! What became of an ingestor's chunks: the events that let it free its spool.

use std::time::Duration;

use async_nats::{
    Message,
    jetstream::consumer::{self, AckPolicy},
};
use crispy_jetstream::{
    ApiError, api,
    pull::{AckSubject, Pulled, Puller},
};
use crispy_proto::{
    id::Name,
    v1::{ChunkUploaded, DeadLetter, DeadRuling},
};

use crate::{Connection, DeadNotice, Decode, DecodeError, Stream, header};

/// How long the answers of an ingestor that does not come back are kept track of. After that it asks about each of its chunks anew.
const ABSENCE: Duration = Duration::from_secs(7 * 24 * 3600);

/// How long an answer may be worked on before it is given again.
const ACK_WAIT: Duration = Duration::from_secs(30);

/// Answers on their way or being worked on at once.
const AT_ONCE: usize = 64;

/// What became of one message.
#[expect(
    clippy::large_enum_variant,
    reason = "the large one is the usual one, and there is one at a time"
)]
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Notice {
    /// A chunk is in the bucket.
    Uploaded(ChunkUploaded),
    /// Work was given up.
    Dead(DeadLetter),
    /// An operator decided about work that was given up.
    Ruled(DeadRuling),
}

/// A notice that is this ingestor's until it is acknowledged.
#[derive(Debug)]
#[must_use = "an answer that is not acknowledged comes again"]
pub struct Answer {
    /// What became of it.
    pub notice: Notice,
    /// The stream's name on the server.
    pub stream: String,
    /// The notice's place in its stream.
    pub sequence: u64,
    connection: Connection,
    reply: async_nats::Subject,
}

impl Answer {
    /// Says that it has been acted on. Should this be lost, the same notice comes again.
    pub async fn ack(self) {
        self.connection.respond(self.reply, "+ACK".into()).await;
    }
}

/// The answers for one spool, through durables of its own: one hears of uploads, one of dead letters, both of its site only.
///
/// * Each notice comes at least once, also those sent while the ingestor was away, for up to 7 days.
/// * Notices for other spools of the same site come too: the reader looks whose they are.
/// * It outlasts outages of the server, and makes its durables again should they vanish.
#[derive(Debug)]
pub struct Answers {
    connection: Connection,
    durable: String,
    uploaded: Puller,
    dead: Puller,
    site: Name,
}

/// Listening for answers failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnswersError {
    /// The id cannot be part of a consumer's name.
    #[error("{id:?} is not a spool id: use 1 to 64 letters, digits, '-' and '_'")]
    Id {
        /// What was given.
        id: String,
    },
    /// A stream is missing.
    #[error("stream {stream} is missing: run `crispy setup`")]
    MissingStream {
        /// Its name on the server.
        stream: String,
    },
    /// The durable could not be made or looked at.
    #[error("listen to stream {stream} as {durable}")]
    Durable {
        /// The stream's name on the server.
        stream: String,
        /// The durable's name.
        durable: String,
        /// Why not.
        source: ApiError,
    },
    /// The connection is closed.
    #[error("listen for answers on a closed connection")]
    Closed(#[source] async_nats::SubscribeError),
    /// A notice cannot be read; it was acknowledged, and will not come again.
    #[error("decode message {sequence} of stream {stream}")]
    Malformed {
        /// The stream's name on the server.
        stream: String,
        /// The message's place in it.
        sequence: u64,
        /// What is wrong with it.
        source: DecodeError,
    },
}

/// What a spool may be called, so that its id is a legal consumer name and key.
pub(crate) fn is_spool_id(id: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    (1..=64).contains(&id.len()) && id.bytes().all(legal)
}

impl Answers {
    /// Makes the durables `spool-<spool id>` or binds to them, and listens.
    pub async fn open(
        connection: &Connection,
        spool_id: &str,
        site: &Name,
    ) -> Result<Self, AnswersError> {
        if !is_spool_id(spool_id) {
            return Err(AnswersError::Id {
                id: spool_id.chars().take(80).collect(),
            });
        }
        let durable = format!("spool-{spool_id}");
        let (uploaded, dead) = tokio::try_join!(
            listen(connection, Stream::Uploaded, &durable, site),
            listen(connection, Stream::Dead, &durable, site),
        )?;
        Ok(Self {
            connection: connection.clone(),
            durable,
            uploaded,
            dead,
            site: site.clone(),
        })
    }

    /// The next answer. Cancel safe. An error concerns one notice, or passes: call again, after a pause where it is [`AnswersError::Durable`].
    pub async fn next(&mut self) -> Result<Answer, AnswersError> {
        loop {
            self.uploaded.want(AT_ONCE).await;
            self.dead.want(AT_ONCE).await;
            let (pulled, stream) = tokio::select! {
                pulled = self.uploaded.next() => (pulled, Stream::Uploaded),
                pulled = self.dead.next() => (pulled, Stream::Dead),
            };
            match pulled {
                Pulled::Message(message) => return self.answer(message, stream).await,
                Pulled::Expired => {}
                Pulled::Broken(_) => {
                    put_durable(&self.connection, stream, &self.durable, &self.site).await?;
                }
            }
        }
    }

    async fn answer(&self, message: Message, stream: Stream) -> Result<Answer, AnswersError> {
        let facts = message.reply.as_deref().and_then(AckSubject::parse);
        let sequence = facts.map_or(0, |facts| facts.stream_sequence);
        let name = stream.name(self.connection.prefix());
        let reply = message.reply.clone().unwrap_or_else(|| "".into());
        match read(&message, stream) {
            Ok(notice) => Ok(Answer {
                notice,
                stream: name,
                sequence,
                connection: self.connection.clone(),
                reply,
            }),
            Err(source) => {
                // Not ours to keep: whoever wrote it, it would come again for ever.
                self.connection.respond(reply, "+TERM".into()).await;
                Err(AnswersError::Malformed {
                    stream: name,
                    sequence,
                    source,
                })
            }
        }
    }

    /// Answers that have not been acknowledged, on their way or still waiting: none, and there is nothing to be learned by waiting.
    pub async fn pending(&self) -> Result<u64, AnswersError> {
        let (uploaded, dead) = tokio::try_join!(
            self.pending_of(Stream::Uploaded),
            self.pending_of(Stream::Dead)
        )?;
        Ok(uploaded + dead)
    }

    async fn pending_of(&self, stream: Stream) -> Result<u64, AnswersError> {
        let name = stream.name(self.connection.prefix());
        match api::consumer_info(&self.connection, &name, &self.durable).await {
            Ok(info) => Ok(info.num_pending + info.num_ack_pending as u64),
            Err(source) => Err(durable_error(name, &self.durable, source)),
        }
    }
}

fn read(message: &Message, stream: Stream) -> Result<Notice, DecodeError> {
    let headers = message.headers.as_ref();
    let type_name = headers
        .and_then(|headers| headers.get(header::TYPE))
        .map(|value| value.as_str())
        .unwrap_or_default();
    match stream {
        Stream::Dead => Ok(match DeadNotice::decode(type_name, &message.payload)? {
            DeadNotice::Letter(letter) => Notice::Dead(letter),
            DeadNotice::Ruling(ruling) => Notice::Ruled(ruling),
        }),
        _ => <ChunkUploaded as Decode>::decode(type_name, &message.payload).map(Notice::Uploaded),
    }
}

async fn listen(
    connection: &Connection,
    stream: Stream,
    durable: &str,
    site: &Name,
) -> Result<Puller, AnswersError> {
    put_durable(connection, stream, durable, site).await?;
    let name = stream.name(connection.prefix());
    Puller::open(connection, &name, durable)
        .await
        .map_err(AnswersError::Closed)
}

/// Makes the durable, or finds it as it should be: the same request does either.
async fn put_durable(
    connection: &Connection,
    stream: Stream,
    durable: &str,
    site: &Name,
) -> Result<(), AnswersError> {
    let name = stream.name(connection.prefix());
    let filter_subject = match stream {
        Stream::Dead => format!("{}.dead.*.{site}.*", connection.prefix()),
        _ => format!("{}.uploaded.{site}.*", connection.prefix()),
    };
    let config = consumer::Config {
        durable_name: Some(durable.to_owned()),
        name: Some(durable.to_owned()),
        description: Some(format!("answers for the chunks of {durable}")),
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        max_deliver: -1,
        max_ack_pending: 100_000,
        inactive_threshold: ABSENCE,
        filter_subject,
        ..consumer::Config::default()
    };
    match api::put_consumer(connection, &name, config).await {
        Ok(_) => Ok(()),
        Err(source) => Err(durable_error(name, durable, source)),
    }
}

fn durable_error(stream: String, durable: &str, source: ApiError) -> AnswersError {
    match source {
        ApiError::NoStream => AnswersError::MissingStream { stream },
        source => AnswersError::Durable {
            stream,
            durable: durable.to_owned(),
            source,
        },
    }
}
