//! The handler: reads a little of an uploaded object, and compares it with its descriptor.
//!
//! ```text
//!   ChunkUploaded ── head, ranges ── probe (nothing decoded) ── compare ── log ── ChunkInspected
//!                        └─ failed this once ── check the buckets
//!                                                  ├─ unreadable: an outage (not counted)
//!                                                  └─ readable: the object's own failure (counted)
//! ```
//!
//! A difference is a warning, and a CameraEvent.

use std::time::Duration;

use crispy_bucket::{Bucket, Lookup, RangeReader};
use crispy_fault::{DependencyId, Fault, Kind, chain};
use crispy_jetstream::{Delivery, PublishError};
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
    compare, metrics,
    report::{self, Report},
};

/// The handler of an inspector's worker.
pub struct InspectHandler {
    /// The buckets that this inspector reads. An event's bucket is only compared with them, never
    /// opened.
    pub(crate) buckets: Vec<Bucket>,
    pub(crate) publisher: Publisher,
    pub(crate) subjects: Subjects,
    /// This process.
    pub(crate) producer: v1::Producer,
}

/// For a bucket's answer to a check: the same as an uploader's.
const CHECK_TIMEOUT: Duration = Duration::from_secs(10);

impl Handler for InspectHandler {
    type Message = ChunkUploaded;

    async fn handle(&self, event: ChunkUploaded, delivery: &Delivery) -> Result<(), Fault> {
        self.inspect(event, delivery).await
    }

    async fn probe(&self) -> bool {
        self.check_buckets().await.is_ok()
    }
}

impl InspectHandler {
    /// Checks that every bucket can be read now. Every fault is an outage.
    async fn check_buckets(&self) -> Result<(), Fault> {
        for bucket in &self.buckets {
            let answer = timeout(CHECK_TIMEOUT, bucket.check_readable()).await;
            let silent = |_| {
                let silent = format!(
                    "bucket {}: no answer within {CHECK_TIMEOUT:?}",
                    bucket.url()
                );
                Err(Fault::transient(silent))
            };
            answer.unwrap_or_else(silent).map_err(|fault| {
                fault.into_outage(DependencyId::Bucket(bucket.url().to_owned()))
            })?;
        }
        Ok(())
    }

    /// Decides by a check whether a failed read is an outage or the object's own failure: a store
    /// that answers 500 may be down, or may fail for this one object only.
    async fn outage_or_own_failure(&self, fault: Fault) -> Fault {
        // A store with late listings may still show an absent object, and a proxy may refuse a
        // request for a while; the limit ends the retries.
        if matches!(fault.kind(), Kind::NotFound | Kind::Rejected) {
            return fault.into_transient();
        }
        if !fault.is_transient() {
            return fault;
        }
        match self.check_buckets().await {
            Ok(()) => fault,
            Err(outage) => outage.context(format!("after a failed read ({})", chain(&fault))),
        }
    }

    async fn inspect(&self, mut event: ChunkUploaded, delivery: &Delivery) -> Result<(), Fault> {
        let descriptor = event.chunk.as_ref();
        let descriptor = descriptor.ok_or_else(|| Fault::rejected("event has no descriptor"))?;
        let id = ChunkId::from_wire(descriptor.id.as_ref())
            .map_err(|error| Fault::rejected("read the chunk's identity").with_source(error))?;
        let bucket = self.find(&event).await?;
        let read =
            async { context::record_error(read_back(bucket, &event.object, descriptor).await) };
        let report = match bucket.in_span("GET", &event.object, 0, read).await {
            Ok(report) => report,
            Err(fault) => return Err(self.outage_or_own_failure(fault).await),
        };
        if bucket.url() != event.bucket {
            event.bucket = bucket.url().to_owned();
            event.media_link = bucket.media_link(&event.object, &event.generation);
        }
        let inspected = report::message(event, report, &self.producer);
        report::log(&id, &inspected);
        if !inspected.agrees {
            // The work is done, but its span ends as failed, so that sampling keeps its trace.
            let differs = report::differences(&inspected.disagreements);
            context::fail(format_args!(
                "object differs from its descriptor: {differs}"
            ));
        }
        let announced = self.announce(&id, &inspected, delivery).await;
        announced.map_err(|error| Fault::transient("announce inspection").with_source(error))?;
        metrics::inspected(&id, &inspected);
        Ok(())
    }

    /// The bucket that the event names; or another of ours that has these very bytes under this
    /// key: a folder that was moved.
    async fn find(&self, event: &ChunkUploaded) -> Result<&Bucket, Fault> {
        if let Some(named) = self.buckets.iter().find(|b| b.url() == event.bucket) {
            return Ok(named);
        }
        if let Ok(sha256) = event.sha256.as_slice().try_into() {
            for bucket in &self.buckets {
                match bucket.lookup(&event.object, event.size, sha256).await {
                    Ok(Lookup::Mine { .. }) => return Ok(bucket),
                    Ok(_) => {}
                    Err(fault) => return Err(self.outage_or_own_failure(fault).await),
                }
            }
        }
        // Another inspector's work, or ours once it is given the bucket: all else continues.
        let id = DependencyId::Bucket(event.bucket.clone());
        let doing = format!("bucket {:?} is not read by this inspector", event.bucket);
        Err(Fault::unavailable_to_some(id, doing)
            .with_hint("give it with --bucket, or start an inspector that has it"))
    }

    async fn announce(
        &self,
        id: &ChunkId,
        inspected: &ChunkInspected,
        delivery: &Delivery,
    ) -> Result<(), PublishError> {
        let upload = inspected.upload.as_ref();
        let generation = upload.map_or("", |upload| upload.generation.as_str());
        let message_id = message_id::inspected(
            delivery.message_id.as_deref().unwrap_or_default(),
            generation,
        );
        if !inspected.agrees {
            let event = disagreement(id, inspected);
            let subject = self.subjects.events(&id.camera);
            self.publisher
                .publish(subject, &format!("disagree:{message_id}"), &event)
                .await?;
        }
        self.publisher
            .publish(self.subjects.inspected(&id.camera), &message_id, inspected)
            .await?;
        Ok(())
    }
}

/// Reads ranges of the object, and compares it with the descriptor. A readable object that is wrong
/// is no fault, but a disagreement.
async fn read_back(
    bucket: &Bucket,
    object: &str,
    descriptor: &ChunkReady,
) -> Result<Report, Fault> {
    let size = bucket.head(object).await?.size;
    let reader =
        RangeReader::for_object(bucket.clone(), object.to_owned(), size, Handle::current());
    let traffic = reader.traffic();
    let probing = tokio::task::spawn_blocking(move || crispy_media::probe(reader, size));
    let probe = probing
        .await
        .map_err(|error| Fault::transient(format!("probe object {object}")).with_source(error))?;
    metrics::read(traffic.bytes());
    Span::current().record("bytes", traffic.bytes());
    Span::current().record("reads", traffic.reads());
    let mut report = Report {
        reads: traffic.reads(),
        bytes_read: traffic.bytes(),
        ..Report::default()
    };
    match probe {
        Ok(probe) => {
            report.disagreements = compare::disagreements(descriptor, size, &probe);
            report.probe = Some(probe);
        }
        // The store failed during the read, which proves nothing about the object.
        Err(ProbeError::Io { source }) => {
            return Err(Fault::transient(format!("probe object {object}")).with_source(source));
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
