//! The worker's side: a process that does what its manner says, and says what it does.

use std::{
    io::Write,
    process,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crispy_fault::Fault;
use crispy_jetstream::Delivery;
use crispy_proto::v1::{ChunkReady, ChunkUploaded};
use crispy_queue::{Connection, Handler, Publisher, Stage, Worker, WorkerConfig, message_id};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{chunks::camera, culprit::CULPRIT, ground::connect};

/// What a worker does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Nothing: it is done at once.
    AtOnce,
    /// It is done when a line comes in.
    WhenTold,
    /// It is announced, and then done when a line comes in.
    Announce,
    /// It is done when others have begun too; but one chunk ends the process, as a crash in C code would.
    DieOfOne,
}

impl Manner {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AtOnce => "at-once",
            Self::WhenTold => "when-told",
            Self::Announce => "announce",
            Self::DieOfOne => "die-of-one",
        }
    }

    pub(crate) fn named(name: &str) -> Self {
        let all = [Self::AtOnce, Self::WhenTold, Self::Announce, Self::DieOfOne];
        let named = all.into_iter().find(|manner| manner.name() == name);
        named.expect("a manner of ours")
    }
}

/// Works until it is killed.
pub(crate) async fn work(urls: &str, manner: Manner) {
    let connection = connect(urls).await;
    let worker = Worker::bind(&connection, WorkerConfig::new(Stage::Uploader))
        .await
        .unwrap();
    let publisher = connection.publisher().await;
    let worked = Worked {
        connection,
        publisher,
        manner,
    };
    worker.run(Arc::new(worked), CancellationToken::new()).await;
}

struct Worked {
    connection: Connection,
    publisher: Publisher,
    manner: Manner,
}

impl Handler for Worked {
    type Message = ChunkReady;

    async fn handle(&self, chunk: ChunkReady, _: &Delivery) -> Result<(), Fault> {
        let sequence = chunk.id.as_ref().unwrap().sequence;
        say("begun", sequence);
        match self.manner {
            Manner::AtOnce => {}
            Manner::WhenTold => until_told().await,
            Manner::Announce => {
                self.announce(&chunk).await;
                say("announced", sequence);
                until_told().await;
            }
            Manner::DieOfOne => {
                // All have begun by then, and none has ended.
                sleep(Duration::from_millis(50)).await;
                if sequence == CULPRIT {
                    process::abort();
                }
                sleep(Duration::from_millis(50)).await;
            }
        }
        say("done", sequence);
        Ok(())
    }
}

impl Worked {
    async fn announce(&self, chunk: &ChunkReady) {
        let event = ChunkUploaded {
            chunk: Some(chunk.clone()),
            ..ChunkUploaded::default()
        };
        let subject = self.connection.subjects().uploaded(&camera());
        let id = message_id::uploaded(&message_id::ready(chunk));
        self.publisher.publish(subject, &id, &event).await.unwrap();
    }
}

async fn until_told() {
    tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()))
        .await
        .unwrap()
        .unwrap();
}

/// One line: what, of which chunk, and when, in Unix microseconds.
fn say(what: &str, sequence: u64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let line = format!("{what} {sequence} {}\n", now.as_micros());
    // Fails only when nobody listens any more, and then it does not matter.
    let _ = std::io::stdout().write_all(line.as_bytes());
}
