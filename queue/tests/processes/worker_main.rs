//! The worker process: acts by its behavior, and prints its steps.

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

use crate::{chunks::camera, crash_loop::CRASHING, fixture::connect};

/// The behavior of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behavior {
    /// Finishes at once.
    AtOnce,
    /// Finishes when a line comes in.
    OnSignal,
    /// Publishes an event, and finishes when a line comes in.
    Announce,
    /// Finishes when others have begun too. One chunk aborts the process, as a crash in C code
    /// would.
    CrashOnOne,
}

impl Behavior {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AtOnce => "at-once",
            Self::OnSignal => "on-signal",
            Self::Announce => "announce",
            Self::CrashOnOne => "crash-on-one",
        }
    }

    pub(crate) fn parse(name: &str) -> Self {
        let all = [
            Self::AtOnce,
            Self::OnSignal,
            Self::Announce,
            Self::CrashOnOne,
        ];
        let named = all.into_iter().find(|behavior| behavior.name() == name);
        named.expect("a known behavior")
    }
}

/// Runs until it is killed.
pub(crate) async fn run(urls: &str, behavior: Behavior) {
    let connection = connect(urls).await;
    let worker = Worker::bind(&connection, WorkerConfig::new(Stage::Uploader))
        .await
        .unwrap();
    let publisher = connection.publisher().await;
    let handler = ScriptedHandler {
        connection,
        publisher,
        behavior,
    };
    worker
        .run(Arc::new(handler), CancellationToken::new())
        .await;
}

struct ScriptedHandler {
    connection: Connection,
    publisher: Publisher,
    behavior: Behavior,
}

impl Handler for ScriptedHandler {
    type Message = ChunkReady;

    async fn handle(&self, chunk: ChunkReady, _: &Delivery) -> Result<(), Fault> {
        let sequence = chunk.id.as_ref().unwrap().sequence;
        print("begun", sequence);
        match self.behavior {
            Behavior::AtOnce => {}
            Behavior::OnSignal => wait_for_signal().await,
            Behavior::Announce => {
                self.announce(&chunk).await;
                print("announced", sequence);
                wait_for_signal().await;
            }
            Behavior::CrashOnOne => {
                // By then all have begun, and none has finished.
                sleep(Duration::from_millis(50)).await;
                if sequence == CRASHING {
                    process::abort();
                }
                sleep(Duration::from_millis(50)).await;
            }
        }
        print("done", sequence);
        Ok(())
    }
}

impl ScriptedHandler {
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

async fn wait_for_signal() {
    tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()))
        .await
        .unwrap()
        .unwrap();
}

/// Prints a line: step, sequence, time in Unix microseconds.
fn print(what: &str, sequence: u64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let line = format!("{what} {sequence} {}\n", now.as_micros());
    // Fails only when the parent is gone.
    let _ = std::io::stdout().write_all(line.as_bytes());
}
