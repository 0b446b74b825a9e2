//! Listening: everything that the streams say about this session's cameras, in one channel.

use std::time::Duration;

use crispy_fault::{Fault, Kind};
use crispy_proto::{
    id::Name,
    v1::{CameraEvent, ChunkInspected, DeadLetter},
};
use crispy_queue::{Connection, Message, Reader, StartAt, Stream};
use crispy_runtime::Failed;
use tokio::{sync::mpsc, task::JoinSet, time::sleep};

/// What was heard.
#[derive(Debug)]
pub(super) enum Heard {
    /// Something happened to a camera.
    Event(Box<CameraEvent>),
    /// A chunk was inspected.
    Inspected(Box<ChunkInspected>),
    /// Work was given up.
    Dead(Box<DeadLetter>),
}

/// Readers of three streams. Dropped, they stop.
pub(super) struct Watch {
    heard: mpsc::Receiver<Heard>,
    tell: mpsc::Sender<Heard>,
    readers: JoinSet<()>,
}

impl Watch {
    /// Listens to what is published about `site` from now on.
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
        let (tell, heard) = mpsc::channel(256);
        let mut readers = JoinSet::new();
        readers.spawn(read(events, tell.clone(), |event| {
            Heard::Event(Box::new(event))
        }));
        readers.spawn(read(inspected, tell.clone(), |inspected| {
            Heard::Inspected(Box::new(inspected))
        }));
        readers.spawn(read(dead, tell.clone(), |letter| {
            Heard::Dead(Box::new(letter))
        }));
        Ok(Self {
            heard,
            tell,
            readers,
        })
    }

    /// Listens also to the inspections of `site` that were published before, as of chunks that were there already.
    ///
    /// What a killed session had uploaded and inspected, but not yet freed from the spool, is answered at the next start without being
    /// uploaded or inspected once more: nobody says again what was said then.
    pub(super) async fn look_back(
        &mut self,
        connection: &Connection,
        site: &Name,
    ) -> Result<(), Fault> {
        let filter = format!("{}.inspected.{site}.*", connection.prefix());
        let reader =
            Reader::open(connection, Stream::Inspected, StartAt::Oldest, &[&filter]).await?;
        let tell = self.tell.clone();
        let before = |mut inspected: ChunkInspected| {
            if let Some(upload) = &mut inspected.upload {
                upload.already_there = true;
            }
            Heard::Inspected(Box::new(inspected))
        };
        self.readers.spawn(read(reader, tell, before));
        Ok(())
    }

    /// The next that is heard. Cancel safe.
    pub(super) async fn next(&mut self) -> Heard {
        match self.heard.recv().await {
            Some(heard) => heard,
            // Readers never end by themselves.
            None => std::future::pending().await,
        }
    }
}

async fn read<M: Message>(
    mut reader: Reader,
    tell: mpsc::Sender<Heard>,
    wrap: impl Fn(M) -> Heard,
) {
    loop {
        match reader.next::<M>().await {
            Ok(received) => {
                if tell.send(wrap(received.message)).await.is_err() {
                    return;
                }
            }
            // Not ours to mend: whoever wrote it, the session is told of its own chunks only.
            Err(fault) if fault.kind() == &Kind::Corrupt => {}
            Err(_) => sleep(Duration::from_millis(200)).await,
        }
    }
}
