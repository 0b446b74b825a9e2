//! From what was named to the traces that are meant.

use std::{
    env,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::anyhow;
use crispy_proto::id::{ChunkId, Name, Run};
use crispy_runtime::{Exit, Failed};
use jiff::Timestamp;
use tokio::time::sleep;
use tracing::warn;
use url::Url;

use super::{
    Trace,
    jaeger::{Jaeger, Search},
    journey::Journey,
    services,
    span::{Span, TraceId},
    wanted::{self, Wanted},
};

/// Pause between two questions for a trace that is not there yet.
const PAUSE: Duration = Duration::from_millis(250);

/// Clocks of other machines may be ahead.
const AHEAD: Duration = Duration::from_secs(300);

/// The traces of what is wanted, the earliest first.
///
/// # Errors
/// [`Exit::NoTrace`] if there is none within the time that may be waited.
pub(super) async fn journeys(trace: &Trace, jaeger: &Jaeger) -> Result<Vec<Journey>, Failed> {
    let mut sampled = true;
    let mut id = None;
    let mut chunk = None;
    match &trace.wanted {
        Wanted::Trace(trace) => id = Some(trace.clone()),
        Wanted::Chunk(named) => chunk = Some(named),
        Wanted::Object {
            bucket,
            key,
            chunk: named,
        } => {
            chunk = Some(named);
            if let Some(bucket) = bucket.as_ref().or(trace.bucket.as_ref())
                && let Some((trace, kept)) = in_metadata(bucket, key, trace).await
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
            spans = of_chunk(jaeger, chunk, trace.lookback).await?;
        }
        if !spans.is_empty() {
            return Ok(Journey::all(spans));
        }
        if Instant::now() >= deadline {
            return Err(none(trace, jaeger, id.as_ref(), sampled));
        }
        sleep(PAUSE).await;
    }
}

/// A trace that the metadata of an object names, and whether it was to be kept. What stands in the way is no end: its key names the chunk.
async fn in_metadata(url: &str, key: &str, trace: &Trace) -> Option<(TraceId, bool)> {
    let looked = async {
        // A folder that is not there would be made.
        let folder = Url::parse(url).ok().filter(|url| url.scheme() == "file");
        let folder = folder.and_then(|url| url.to_file_path().ok());
        if folder.is_some_and(|folder| !Path::is_dir(&folder)) {
            return Err(anyhow!("the folder is not there"));
        }
        let bucket =
            crispy_runtime::open_bucket(url, &trace.options).map_err(|failed| failed.error)?;
        Ok(bucket.head(key).await?)
    };
    match looked.await {
        Ok(head) => wanted::of_traceparent(head.metadata.get("traceparent")?),
        Err(error) => {
            warn!(
                "look at the object's metadata: {error:#}; searching for its chunk instead, nothing to do if that finds it"
            );
            None
        }
    }
}

/// The spans of all traces about a chunk, whole.
async fn of_chunk(
    jaeger: &Jaeger,
    chunk: &ChunkId,
    lookback: Duration,
) -> Result<Vec<Span>, Failed> {
    let attributes = [
        ("site", chunk.camera.site.to_string()),
        ("camera", chunk.camera.camera.to_string()),
        ("run", chunk.run.to_string()),
        ("sequence", chunk.sequence.to_string()),
    ];
    let from = Timestamp::now().checked_sub(lookback);
    let from = from.unwrap_or(Timestamp::UNIX_EPOCH);
    of_any_service(jaeger, &attributes, from, |other| other == chunk).await
}

/// The spans of all traces with a span that says this of itself, whole. Every stage's spans do: where those of the first were not kept, those
/// that failed further down may have been.
async fn of_any_service(
    jaeger: &Jaeger,
    attributes: &[(&str, String)],
    from: Timestamp,
    is_meant: impl Fn(&ChunkId) -> bool,
) -> Result<Vec<Span>, Failed> {
    let now = Timestamp::now();
    let to = now.checked_add(AHEAD).unwrap_or(now);
    let found = async |service: Option<&str>| {
        let search = Search {
            service,
            attributes,
            from,
            to,
        };
        let mut found = jaeger.search(&search).await?;
        // A version that does not know how to search by attributes passes them over.
        let about: Vec<TraceId> = found
            .iter()
            .filter(|span| span.chunk().as_ref().is_some_and(&is_meant))
            .map(|span| span.trace.clone())
            .collect();
        found.retain(|span| about.contains(&span.trace));
        Ok::<_, Failed>(found)
    };
    let mut spans = found(None).await?;
    if spans.is_empty() {
        // Without the list there are still our own names; what is wrong with Jaeger the next search tells.
        let known = jaeger.services().await.unwrap_or_default();
        let named = services::named(&|name| env::var(name).ok());
        for service in services::in_order(named, known) {
            spans = found(Some(&service)).await?;
            if !spans.is_empty() {
                break;
            }
        }
    }
    Ok(spans)
}

/// A trace to show of a run.
#[derive(Debug)]
pub(crate) struct Shown {
    /// Its id.
    pub trace: TraceId,
    /// What it is shown for is in it: a chunk's way from its cut to its inspection, or what failed.
    pub is_whole: bool,
}

/// The best trace to show of a run, of those that began after `from`: a whole one, and of these the one with most spans. `None` also where
/// nobody answers.
pub(crate) async fn of_run(
    jaeger: &Jaeger,
    site: &Name,
    camera: &Name,
    run: Run,
    from: Timestamp,
) -> Option<Shown> {
    let attributes = [
        ("site", site.to_string()),
        ("camera", camera.to_string()),
        ("run", run.to_string()),
    ];
    let found = of_any_service(jaeger, &attributes, from, |chunk| chunk.run == run).await;
    let best = Journey::all(found.ok()?)
        .into_iter()
        .max_by_key(|journey| (journey.cut_to_inspected_ns().is_some(), journey.spans.len()))?;
    Some(Shown {
        is_whole: best.cut_to_inspected_ns().is_some(),
        trace: best.trace,
    })
}

/// The trace of work that failed, whole when it says so. `None` while there is nothing of it, and where nobody answers.
pub(crate) async fn of_failed(jaeger: &Jaeger, trace: &TraceId) -> Option<Shown> {
    let spans = jaeger.trace(trace).await.ok()?;
    let of_it = Journey::all(spans).pop()?;
    Some(Shown {
        is_whole: of_it.errors() > 0,
        trace: of_it.trace,
    })
}

fn none(trace: &Trace, jaeger: &Jaeger, id: Option<&TraceId>, sampled: bool) -> Failed {
    let what = match (&trace.wanted, id) {
        (_, Some(id)) => format!("trace {id}"),
        (Wanted::Chunk(chunk) | Wanted::Object { chunk, .. }, None) => {
            format!("trace of chunk {chunk} within {:?}", trace.lookback)
        }
        (Wanted::Trace(id), None) => format!("trace {id}"),
    };
    let why = match sampled {
        true => {
            "was it made with traces on (--otlp-endpoint), sent to this Jaeger, kept by the sampler, and not too long ago (--lookback)?"
        }
        false => {
            "the sampler did not keep it, and none of its spans failed: OTEL_TRACES_SAMPLER_ARG says how many are kept"
        }
    };
    Failed::new(
        Exit::NoTrace,
        anyhow!("no {what} at {}: {why}", jaeger.shown()),
    )
}
