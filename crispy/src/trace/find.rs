//! Finds the traces of a query, of a run or of a failure.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::anyhow;
use crispy_proto::id::{Name, Run};
use crispy_runtime::{Exit, Failed};
use jiff::Timestamp;
use tokio::time::sleep;
use tracing::warn;
use url::Url;

use super::{
    Trace,
    jaeger::Jaeger,
    query::{self, Query},
    search,
    span::TraceId,
    summary::TraceSummary,
};

/// Pause between two requests for a trace that is not there yet.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// The traces of a query, earliest first.
///
/// # Errors
/// [`Exit::NoTrace`] if there is none after `--wait`.
pub(super) async fn traces(trace: &Trace, jaeger: &Jaeger) -> Result<Vec<TraceSummary>, Failed> {
    let mut sampled = true;
    let mut id = None;
    let mut chunk = None;
    match &trace.query {
        Query::Trace(trace) => id = Some(trace.clone()),
        Query::Chunk(named) => chunk = Some(named),
        Query::Object {
            bucket,
            key,
            chunk: named,
        } => {
            chunk = Some(named);
            if let Some(bucket) = bucket.as_ref().or(trace.bucket.as_ref())
                && let Some((trace, kept)) = trace_in_metadata(bucket, key, trace).await
            {
                (id, sampled) = (Some(trace), kept);
            }
        }
    }
    let deadline = Instant::now() + trace.wait;
    loop {
        let mut spans = match &id {
            Some(id) => jaeger.trace(id).await?,
            None => Vec::new(),
        };
        if let Some(chunk) = chunk.filter(|_| spans.is_empty()) {
            spans = search::spans_of_chunk(jaeger, chunk, trace.lookback).await?;
        }
        if !spans.is_empty() {
            return Ok(TraceSummary::group(spans));
        }
        if Instant::now() >= deadline {
            return Err(not_found(trace, jaeger, id.as_ref(), sampled));
        }
        sleep(POLL_INTERVAL).await;
    }
}

/// The trace id in an object's metadata, and its sampled flag. A failure is not final: the key
/// names the chunk.
async fn trace_in_metadata(url: &str, key: &str, trace: &Trace) -> Option<(TraceId, bool)> {
    let head = async {
        // Opening a file:// bucket creates its folder.
        let folder = Url::parse(url).ok().filter(|url| url.scheme() == "file");
        let folder = folder.and_then(|url| url.to_file_path().ok());
        if folder.is_some_and(|folder| !Path::is_dir(&folder)) {
            return Err(anyhow!("the folder does not exist"));
        }
        let bucket =
            crispy_runtime::open_bucket(url, &trace.options).map_err(|failed| failed.error)?;
        Ok(bucket.head(key).await?)
    };
    match head.await {
        Ok(head) => query::parse_traceparent(head.metadata.get("traceparent")?),
        Err(error) => {
            warn!(
                error = format!("{error:#}"),
                hint = "ignore this if the chunk is found",
                "cannot read the object's metadata, searching by chunk"
            );
            None
        }
    }
}

/// A trace found for a session.
#[derive(Debug)]
pub(crate) struct FoundTrace {
    /// Its id.
    pub id: TraceId,
    /// Whether its reason to be shown has arrived: the way from the cut to the inspection, or the
    /// failure.
    pub is_complete: bool,
}

/// The best trace of a run among those that began after `from`: complete ones first, then by the
/// number of spans. `None` also if Jaeger does not answer.
pub(crate) async fn find_run(
    jaeger: &Jaeger,
    site: &Name,
    camera: &Name,
    run: Run,
    from: Timestamp,
) -> Option<FoundTrace> {
    let attributes = [
        ("site", site.to_string()),
        ("camera", camera.to_string()),
        ("run", run.to_string()),
    ];
    let spans =
        search::spans_of_any_service(jaeger, &attributes, from, |chunk| chunk.run == run).await;
    let best = TraceSummary::group(spans.ok()?)
        .into_iter()
        .max_by_key(|trace| (trace.cut_to_inspected_ns().is_some(), trace.spans.len()))?;
    Some(FoundTrace {
        is_complete: best.cut_to_inspected_ns().is_some(),
        id: best.id,
    })
}

/// The trace of failed work, complete once it holds the failure. `None` while it has no spans, and
/// if Jaeger does not answer.
pub(crate) async fn find_failed(jaeger: &Jaeger, id: &TraceId) -> Option<FoundTrace> {
    let spans = jaeger.trace(id).await.ok()?;
    let trace = TraceSummary::group(spans).pop()?;
    Some(FoundTrace {
        is_complete: trace.errors() > 0,
        id: trace.id,
    })
}

fn not_found(trace: &Trace, jaeger: &Jaeger, id: Option<&TraceId>, sampled: bool) -> Failed {
    let what = match (&trace.query, id) {
        (_, Some(id)) | (Query::Trace(id), None) => format!("trace {id}"),
        (Query::Chunk(chunk) | Query::Object { chunk, .. }, None) => {
            format!("trace of chunk {chunk} within {:?}", trace.lookback)
        }
    };
    let hint = match sampled {
        true => {
            "check that traces were on (--otlp-endpoint) and sent to this Jaeger, that the sampler kept it, and --lookback"
        }
        false => {
            "the sampler did not keep it, and none of its spans failed; OTEL_TRACES_SAMPLER_ARG sets the share that is kept"
        }
    };
    let url = jaeger.redacted_url();
    Failed::new(Exit::NoTrace, anyhow!("no {what} at {url}; {hint}"))
}
