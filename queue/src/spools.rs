//! The addresses of spools: the key-value bucket `{prefix}_spools`.
//!
//! For spools that are read over HTTP, which are to come: no program uses it yet.

use async_nats::HeaderMap;
use crispy_fault::Fault;
use crispy_jetstream::{
    ApiError,
    api::{self, MessageSelector},
};
use crispy_proto::v1::SpoolRecord;
use prost::Message as _;

use crate::{Connection, Stream};

/// The records of all spools, each written only by its spool's owner.
#[derive(Clone, Debug)]
pub struct Spools {
    connection: Connection,
}

impl Spools {
    /// The records that `connection` reaches.
    pub fn new(connection: &Connection) -> Self {
        Self {
            connection: connection.clone(),
        }
    }

    /// Writes `record` under its spool id, with the retries of [`crate::Publisher::publish`].
    pub async fn put(&self, record: &SpoolRecord) -> Result<(), Fault> {
        let subject = self.subject(&record.spool_id)?;
        let publisher = self.connection.publisher().await;
        let payload = record.encode_to_vec().into();
        publisher
            .send(&subject, Stream::Spools, HeaderMap::new(), payload)
            .await
            .map(|_| ())
            .map_err(|error| {
                let doing = format!("write the record of spool {}", record.spool_id);
                Fault::transient(doing).with_source(error)
            })
    }

    /// The record of a spool; None where its owner has written none.
    pub async fn get(&self, id: &str) -> Result<Option<SpoolRecord>, Fault> {
        let subject = self.subject(id)?;
        let name = Stream::Spools.name(self.connection.prefix());
        let selector = MessageSelector::LastOfSubject(&subject);
        let message = match api::message(&self.connection, &name, &selector).await {
            Ok(message) => message,
            Err(ApiError::NoMessage) => return Ok(None),
            Err(error) => return Err(error.into_fault(format!("read the record of spool {id}"))),
        };
        match SpoolRecord::decode(message.payload) {
            Ok(record) => Ok(Some(record)),
            Err(error) => {
                let doing = format!("decode the record of spool {id}");
                Err(Fault::corrupt(doing).with_source(error))
            }
        }
    }

    fn subject(&self, id: &str) -> Result<String, Fault> {
        check_spool_id(id)?;
        Ok(format!("$KV.{}_spools.{id}", self.connection.prefix()))
    }
}

/// Checks that an id can be part of a consumer's name and of a key.
pub(crate) fn check_spool_id(id: &str) -> Result<(), Fault> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if (1..=64).contains(&id.len()) && id.bytes().all(legal) {
        return Ok(());
    }
    let refused: String = id.chars().take(80).collect();
    Err(Fault::rejected(format!(
        "{refused:?} is not a spool id: use 1 to 64 letters, digits, '-' and '_'"
    )))
}
