//! A connection to our streams.

use std::ops::Deref;

use crispy_jetstream::{ConnectError, ConnectOptions};

use crate::{Prefix, Publisher, Subjects};

/// A connection to NATS, and the prefix of our names there. Clones share it.
#[derive(Clone, Debug)]
pub struct Connection {
    nats: crispy_jetstream::Connection,
    prefix: Prefix,
}

/// Connects, as [`crispy_jetstream::connect`], to the streams of `prefix`.
pub async fn connect(
    options: &ConnectOptions,
    prefix: &Prefix,
) -> Result<Connection, ConnectError> {
    Ok(Connection {
        nats: crispy_jetstream::connect(options).await?,
        prefix: prefix.clone(),
    })
}

impl Connection {
    /// The prefix of all subjects and names.
    pub fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    /// The subjects under [`Self::prefix`].
    pub fn subjects(&self) -> Subjects {
        Subjects::new(&self.prefix)
    }

    /// The publisher, over a link of its own.
    pub async fn publisher(&self) -> Publisher {
        Publisher::new(self.nats.publisher().await, &self.prefix)
    }

    /// As [`crispy_jetstream::Connection::close`].
    pub async fn close(self) {
        self.nats.close().await;
    }
}

impl Deref for Connection {
    type Target = crispy_jetstream::Connection;

    fn deref(&self) -> &Self::Target {
        &self.nats
    }
}
