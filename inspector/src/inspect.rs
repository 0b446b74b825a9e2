//! The handler: read a little of an uploaded object back, and say whether it is what its descriptor says.
//!
//! ```text
//!   ChunkUploaded ── head, ranges ── probe (nothing decoded) ── agree ── log ── ChunkInspected ── (the worker acks)
//!                                  └─ it failed this once ── ask the buckets ── one is away: an outage (not counted)
//!                                                                 └─ all are well: this object's own trouble (counted)
//! ```
//!
//! What differs is a warning, and a CameraEvent.

use std::time::Duration;

use crispy_bucket::{Bucket, GetError, Lookup, RangeReader};
use crispy_jetstream::{Delivery, Failure, PublishError};
use crispy_media::ProbeError;
use crispy_proto::{
    id::ChunkId,
    v1::{self, CameraEvent, ChunkInspected, ChunkReady, ChunkUploaded, Disagreement},
};
use crispy_queue::{Handler, Publisher, Subjects, message_id};
use crispy_runtime::now_us;
use crispy_telemetry::context;
use tokio::{runtime::Handle, time::timeout};
use tracing::Span;

use crate::{
    agree, measured,
    report::{self, Report},
};

/// Everything that an inspection needs.
pub struct Inspect {
    /// The buckets that this inspector reads. An event's own word about a bucket is only compared, never followed.
    pub buckets: Vec<Bucket>,
    /// Where results go.
    pub publisher: Publisher,
    /// What results are called.
    pub subjects: Subjects,
    /// This process.
    pub producer: v1::Producer,
}

/// Why an object could not be inspected. What could be read and is wrong is no error, but a disagreement.
#[derive(Debug, thiserror::Error)]
enum InspectError {
    #[error("read the chunk's identity")]
    Id(#[source] crispy_proto::id::ChunkIdError),
    #[error("the event has no descriptor")]
    NoDescriptor,
    #[error(
        "the object is in bucket {bucket:?}, which this inspector does not read; give it with --bucket, or leave it to one that does"
    )]
    OtherBucket { bucket: String },
    #[error("read the object back")]
    Read(#[source] GetError),
    /// It could not be read, and then a bucket did not answer well whether it is there.
    #[error("{absence}, after an attempt had failed")]
    Outage {
        absence: Absence,
        source: Box<InspectError>,
    },
    #[error("the probe of object {object} was cut short")]
    Interrupted { object: String },
    #[error("announce the inspection")]
    Announce(#[source] PublishError),
}

/// A bucket is away, by its own word or for want of one.
#[derive(Debug, thiserror::Error)]
enum Absence {
    #[error("ask whether the bucket can be read: {0}")]
    Refused(GetError),
    #[error("bucket {bucket} is silent: no answer within {ANSWER:?} to whether it can be read")]
    Silent { bucket: String },
}

/// How long a bucket may take to say whether it can be read: as long as an uploader gives it.
const ANSWER: Duration = Duration::from_secs(10);

impl Handler for Inspect {
    type Message = ChunkUploaded;

    async fn handle(&self, event: ChunkUploaded, delivery: &Delivery) -> Result<(), Failure> {
        let error = match self.inspect(event, delivery).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        // A store that answers 500 may be down, and may have trouble with this one object.
        if matches!(error, InspectError::Read(GetError::Transient { .. }))
            && let Err(absence) = self.ask().await
        {
            let source = Box::new(error);
            return Err(classify(InspectError::Outage { absence, source }));
        }
        Err(classify(error))
    }

    async fn probe(&self) -> bool {
        self.ask().await.is_ok()
    }
}

fn classify(error: InspectError) -> Failure {
    match &error {
        InspectError::Id(_) | InspectError::NoDescriptor => Failure::reject(error),
        // Another inspector's work, or ours once it is given the bucket: everything else flows on.
        InspectError::OtherBucket { bucket } => Failure::owner(bucket.clone(), error),
        InspectError::Read(GetError::Unavailable { .. }) | InspectError::Outage { .. } => {
            Failure::destination(error)
        }
        // An object that is not there may be on its way through a store that lists late; the limit ends it.
        InspectError::Read(_) | InspectError::Interrupted { .. } | InspectError::Announce(_) => {
            Failure::retry(error)
        }
    }
}

impl Inspect {
    /// Whether every bucket can be read now.
    async fn ask(&self) -> Result<(), Absence> {
        for bucket in &self.buckets {
            let answer = timeout(ANSWER, bucket.check_readable()).await;
            let silent = |_| Absence::Silent {
                bucket: bucket.url().to_owned(),
            };
            answer.map_err(silent)?.map_err(Absence::Refused)?;
        }
        Ok(())
    }

    async fn inspect(
        &self,
        mut event: ChunkUploaded,
        delivery: &Delivery,
    ) -> Result<(), InspectError> {
        let descriptor = event.chunk.as_ref().ok_or(InspectError::NoDescriptor)?;
        let id = ChunkId::from_wire(descriptor.id.as_ref()).map_err(InspectError::Id)?;
        let bucket = self.find(&event).await?;
        let reading =
            async { context::record_error(read_back(bucket, &event.object, descriptor).await) };
        let report = bucket.in_span("GET", &event.object, 0, reading).await?;
        if bucket.url() != event.bucket {
            event.bucket = bucket.url().to_owned();
            event.media_link = bucket.media_link(&event.object, &event.generation);
        }
        let inspected = report::message(event, report, &self.producer);
        report::log(&id, &inspected);
        if !inspected.agrees {
            // The work is done, and its span is kept as one that failed: this is what inspections are for.
            let differs = report::differences(&inspected.disagreements);
            context::fail(format_args!(
                "the object is not what its descriptor says: {differs}"
            ));
        }
        let announced = self.announce(&id, &inspected, delivery).await;
        announced.map_err(InspectError::Announce)?;
        measured::inspected(&id, &inspected);
        Ok(())
    }

    /// The bucket that the event names; or another of ours that has these very bytes under this key: a folder that was moved.
    async fn find(&self, event: &ChunkUploaded) -> Result<&Bucket, InspectError> {
        if let Some(named) = self.buckets.iter().find(|b| b.url() == event.bucket) {
            return Ok(named);
        }
        if let Ok(sha256) = event.sha256.as_slice().try_into() {
            for bucket in &self.buckets {
                let found = bucket.lookup(&event.object, event.size, sha256).await;
                if matches!(found.map_err(InspectError::Read)?, Lookup::Mine { .. }) {
                    return Ok(bucket);
                }
            }
        }
        let bucket = event.bucket.clone();
        Err(InspectError::OtherBucket { bucket })
    }

    async fn announce(
        &self,
        id: &ChunkId,
        inspected: &ChunkInspected,
        delivery: &Delivery,
    ) -> Result<(), PublishError> {
        let upload = inspected.upload.as_ref();
        let generation = upload.map_or("", |upload| upload.generation.as_str());
        let answered = message_id::inspected(
            delivery.message_id.as_deref().unwrap_or_default(),
            generation,
        );
        if !inspected.agrees {
            let event = disagreement(id, inspected);
            let subject = self.subjects.events(&id.camera);
            self.publisher
                .publish(subject, &format!("disagree:{answered}"), &event)
                .await?;
        }
        self.publisher
            .publish(self.subjects.inspected(&id.camera), &answered, inspected)
            .await?;
        Ok(())
    }
}

/// Reads ranges of the object and holds what they say against the descriptor.
async fn read_back(
    bucket: &Bucket,
    object: &str,
    descriptor: &ChunkReady,
) -> Result<Report, InspectError> {
    let size = bucket.head(object).await.map_err(InspectError::Read)?.size;
    let reader = RangeReader::over(bucket.clone(), object.to_owned(), size, Handle::current());
    let traffic = reader.traffic();
    let probing = tokio::task::spawn_blocking(move || crispy_media::probe(reader, size));
    let probe = probing.await.map_err(|_| InspectError::Interrupted {
        object: object.into(),
    })?;
    measured::read(traffic.bytes());
    Span::current().record("bytes", traffic.bytes());
    Span::current().record("reads", traffic.reads());
    let mut report = Report {
        reads: traffic.reads(),
        bytes_read: traffic.bytes(),
        ..Report::default()
    };
    match probe {
        Ok(probe) => {
            report.disagreements = agree::disagreements(descriptor, size, &probe);
            report.probe = Some(probe);
        }
        // The store failed while we read: that says nothing about the object.
        Err(ProbeError::Io { source }) => {
            let (object, source) = (object.to_owned(), Box::new(source));
            let retry_after = None;
            return Err(InspectError::Read(GetError::Transient {
                object,
                source,
                retry_after,
            }));
        }
        Err(error) => report.disagreements = vec![unreadable(descriptor, &error)],
    }
    Ok(report)
}

fn unreadable(descriptor: &ChunkReady, error: &ProbeError) -> Disagreement {
    Disagreement {
        field: "container".into(),
        expected: descriptor.content_type.clone(),
        found: error.to_string(),
    }
}

fn disagreement(id: &ChunkId, inspected: &ChunkInspected) -> CameraEvent {
    CameraEvent {
        site: id.camera.site.to_string(),
        camera: id.camera.camera.to_string(),
        run: id.run.to_string(),
        at_us: now_us(),
        producer: inspected.producer.clone(),
        detail: report::differences(&inspected.disagreements),
        kind: Some(v1::camera_event::Kind::Disagreement(inspected.clone())),
    }
}
