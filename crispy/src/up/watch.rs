//! Reads the streams of this session's cameras into one channel.

use std::time::Duration;

use crispy_fault::{Fault, Kind};
use crispy_proto::{
    id::Name,
    v1::{CameraEvent, ChunkInspected, DeadLetter},
};
use crispy_queue::{Connection, Message, Reader, StartAt, Stream};
use crispy_runtime::Failed;
use tokio::{sync::mpsc, task::JoinSet, time::sleep};

/// Pause after a failed read.
const RETRY_DELAY: Duration = Duration::from_millis(200);

/// A message about one of the cameras.
#[derive(Debug)]
pub(super) enum Update {
    /// An event of a camera.
    Event(Box<CameraEvent>),
    /// A chunk was inspected.
    Inspected(Box<ChunkInspected>),
    /// A message was dead-lettered.
    DeadLetter(Box<DeadLetter>),
}

/// Readers of three streams, which stop on drop.
pub(super) struct Watch {
    updates: mpsc::Receiver<Update>,
    sender: mpsc::Sender<Update>,
    readers: JoinSet<()>,
}

impl Watch {
    /// Reads what is published about `site` from now on.
    pub(super) async fn open(connection: &Connection, site: &Name) -> Result<Self, Failed> {
        let prefix = connection.prefix();
        let open = |stream, filter: String| async move {
            let reader = Reader::open(connection, stream, StartAt::New, &[&filter]).await;
            reader.map_err(Failed::from_queue)
        };
        let (events, inspected, dead) = tokio::try_join!(
            open(Stream::Events, format!("{prefix}.events.{site}.*")),
            open(Stream::Inspected, format!("{prefix}.inspected.{site}.*")),
            open(Stream::Dead, format!("{prefix}.dead.*.{site}.*")),
        )?;
        let (sender, updates) = mpsc::channel(256);
        let mut readers = JoinSet::new();
        readers.spawn(read(events, sender.clone(), |event| {
            Update::Event(Box::new(event))
        }));
        readers.spawn(read(inspected, sender.clone(), |inspected| {
            Update::Inspected(Box::new(inspected))
        }));
        readers.spawn(read(dead, sender.clone(), |letter| {
            Update::DeadLetter(Box::new(letter))
        }));
        Ok(Self {
            updates,
            sender,
            readers,
        })
    }

    /// Also reads the inspections of `site` that were published before, as of chunks that were
    /// already there.
    ///
    /// A killed session may have uploaded and inspected chunks that its spool still holds. The next
    /// start finds them confirmed, so they are neither uploaded nor inspected again, and no second
    /// inspection is published.
    pub(super) async fn read_earlier(
        &mut self,
        connection: &Connection,
        site: &Name,
    ) -> Result<(), Fault> {
        let filter = format!("{}.inspected.{site}.*", connection.prefix());
        let reader =
            Reader::open(connection, Stream::Inspected, StartAt::Oldest, &[&filter]).await?;
        let wrap = |mut inspected: ChunkInspected| {
            if let Some(upload) = &mut inspected.upload {
                upload.already_there = true;
            }
            Update::Inspected(Box::new(inspected))
        };
        self.readers.spawn(read(reader, self.sender.clone(), wrap));
        Ok(())
    }

    /// The next update. Cancel safe.
    pub(super) async fn next(&mut self) -> Update {
        match self.updates.recv().await {
            Some(update) => update,
            // Unreachable: `self` holds a sender.
            None => std::future::pending().await,
        }
    }
}

async fn read<M: Message>(
    mut reader: Reader,
    sender: mpsc::Sender<Update>,
    wrap: impl Fn(M) -> Update,
) {
    loop {
        match reader.next::<M>().await {
            Ok(received) => {
                if sender.send(wrap(received.message)).await.is_err() {
                    return;
                }
            }
            // A malformed message of another writer concerns no chunk of this session.
            Err(fault) if fault.kind() == &Kind::Corrupt => {}
            Err(_) => sleep(RETRY_DELAY).await,
        }
    }
}
