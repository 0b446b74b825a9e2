//! Searches for spans by their attributes, across services.

use std::{env, time::Duration};

use crispy_proto::id::ChunkId;
use crispy_runtime::Failed;
use jiff::Timestamp;

use super::{
    jaeger::{Jaeger, Search},
    span::{Span, TraceId},
};

/// Tolerance for clocks of other machines that are ahead.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(300);

/// The default service names of our programs; chunks start at the first.
const OUR_SERVICES: [&str; 3] = ["crispy-ingestor", "crispy-uploader", "crispy-inspector"];

/// Limit of the other services that are searched: a Jaeger may know hundreds, and each is a
/// request.
const MAX_OTHER_SERVICES: usize = 30;

/// All spans of the traces of a chunk.
pub(super) async fn spans_of_chunk(
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
    spans_of_any_service(jaeger, &attributes, from, |other| other == chunk).await
}

/// All spans of the traces that have a span with these attributes. Every stage sets them: if a
/// sampler kept no span of the first stage, it may have kept a failure further down.
pub(super) async fn spans_of_any_service(
    jaeger: &Jaeger,
    attributes: &[(&str, String)],
    from: Timestamp,
    is_match: impl Fn(&ChunkId) -> bool,
) -> Result<Vec<Span>, Failed> {
    let now = Timestamp::now();
    let to = now.checked_add(CLOCK_TOLERANCE).unwrap_or(now);
    let search = async |service: Option<&str>| {
        let search = Search {
            service,
            attributes,
            from,
            to,
        };
        let mut spans = jaeger.search(&search).await?;
        // Versions that cannot search by attributes ignore them.
        let matching: Vec<TraceId> = spans
            .iter()
            .filter(|span| span.chunk().as_ref().is_some_and(&is_match))
            .map(|span| span.trace.clone())
            .collect();
        spans.retain(|span| matching.contains(&span.trace));
        Ok::<_, Failed>(spans)
    };
    let mut spans = search(None).await?;
    if spans.is_empty() {
        // Without the list our own names remain; the next search reports a Jaeger that fails.
        let known = jaeger.services().await.unwrap_or_default();
        let configured = configured_service(&|name| env::var(name).ok());
        for service in search_order(configured, known) {
            spans = search(Some(&service)).await?;
            if !spans.is_empty() {
                break;
            }
        }
    }
    Ok(spans)
}

/// The services to search, the likeliest first: the `configured` one, ours, then the others that
/// Jaeger knows.
fn search_order(configured: Option<String>, known: Vec<String>) -> Vec<String> {
    let ours = OUR_SERVICES.map(str::to_owned);
    let mut services: Vec<String> = configured.into_iter().chain(ours).collect();
    let likely = services.len();
    for service in known {
        if !services.contains(&service) {
            services.push(service);
        }
    }
    services.truncate(likely + MAX_OTHER_SERVICES);
    services
}

/// The service name that OpenTelemetry's variables set for every program of this environment.
fn configured_service(variable: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let get = |name| variable(name).filter(|value| !value.is_empty());
    let attributes = get("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
    let mut attributes = attributes
        .split(',')
        .filter_map(|pair| pair.split_once('='));
    let attribute = attributes.find(|(key, _)| key.trim() == "service.name");
    get("OTEL_SERVICE_NAME").or_else(|| Some(attribute?.1.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likeliest_services_are_searched_first() {
        let mut known: Vec<String> = (0..100).map(|n| format!("other-{n}")).collect();
        known.push("crispy-uploader".into());
        let order = search_order(Some("video".into()), known);
        let expected = [
            "video",
            "crispy-ingestor",
            "crispy-uploader",
            "crispy-inspector",
            "other-0",
        ];
        assert_eq!(order[..5], expected);
        assert_eq!(order.len(), 4 + MAX_OTHER_SERVICES);
        assert_eq!(search_order(None, Vec::new()), OUR_SERVICES);
    }

    #[test]
    fn the_service_name_comes_from_opentelemetry_variables() {
        let configured = |variables: &[(&str, &str)]| {
            configured_service(&|name| {
                let found = variables.iter().find(|(variable, _)| *variable == name);
                Some(found?.1.to_owned())
            })
        };
        let attributes = ("OTEL_RESOURCE_ATTRIBUTES", "a=b, service.name=cams");
        assert_eq!(configured(&[attributes]).as_deref(), Some("cams"));
        let own = ("OTEL_SERVICE_NAME", "video");
        assert_eq!(configured(&[attributes, own]).as_deref(), Some("video"));
        assert_eq!(configured(&[("OTEL_SERVICE_NAME", "")]), None);
    }
}
