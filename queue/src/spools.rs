//! Where spools can be reached: the key-value bucket `{prefix}_spools`.

use async_nats::HeaderMap;
use crispy_jetstream::{
    ApiError, PublishError,
    api::{self, Which},
};
use crispy_proto::v1::SpoolRecord;
use prost::Message as _;

use crate::{Connection, Stream, answers::is_spool_id};

/// The records of all spools, each written by its spool's owner alone.
#[derive(Clone, Debug)]
pub struct Spools {
    connection: Connection,
}

/// Reading or writing a spool's record failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpoolsError {
    /// Not an id: `[A-Za-z0-9_-]{1,64}`.
    #[error("{id:?} is not a spool id")]
    Id {
        /// What was given.
        id: String,
    },
    /// Writing failed.
    #[error("write the record of spool {id}")]
    Write {
        /// The spool.
        id: String,
        /// Why.
        source: PublishError,
    },
    /// Reading failed.
    #[error("read the record of spool {id}")]
    Read {
        /// The spool.
        id: String,
        /// Why.
        source: ApiError,
    },
    /// What is there is not a record.
    #[error("decode the record of spool {id}")]
    Malformed {
        /// The spool.
        id: String,
        /// What is wrong with it.
        source: prost::DecodeError,
    },
}

impl Spools {
    /// The records that `connection` reaches.
    pub fn new(connection: &Connection) -> Self {
        Self {
            connection: connection.clone(),
        }
    }

    /// Writes `record` under its spool id. As patient as [`crate::Publisher::publish`].
    pub async fn put(&self, record: &SpoolRecord) -> Result<(), SpoolsError> {
        let subject = self.subject(&record.spool_id)?;
        let publisher = self.connection.publisher().await;
        let payload = record.encode_to_vec().into();
        publisher
            .send(&subject, Stream::Spools, HeaderMap::new(), payload)
            .await
            .map(|_| ())
            .map_err(|source| SpoolsError::Write {
                id: record.spool_id.clone(),
                source,
            })
    }

    /// The record of the spool with this id; None where its owner has written none.
    pub async fn get(&self, id: &str) -> Result<Option<SpoolRecord>, SpoolsError> {
        let subject = self.subject(id)?;
        let name = Stream::Spools.name(self.connection.prefix());
        let asked = api::message(&self.connection, &name, &Which::LastOn(&subject)).await;
        let message = match asked {
            Ok(message) => message,
            Err(ApiError::NoMessage) => return Ok(None),
            Err(source) => {
                return Err(SpoolsError::Read {
                    id: id.to_owned(),
                    source,
                });
            }
        };
        match SpoolRecord::decode(message.payload) {
            Ok(record) => Ok(Some(record)),
            Err(source) => Err(SpoolsError::Malformed {
                id: id.to_owned(),
                source,
            }),
        }
    }

    fn subject(&self, id: &str) -> Result<String, SpoolsError> {
        if !is_spool_id(id) {
            return Err(SpoolsError::Id {
                id: id.chars().take(80).collect(),
            });
        }
        Ok(format!("$KV.{}_spools.{id}", self.connection.prefix()))
    }
}
