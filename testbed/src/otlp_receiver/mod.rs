//! A collector that keeps all telemetry: OTLP over gRPC and over HTTP, on one port.
//!
//! ```text
//!   program ── OTLP ──► receiver ── spans(), metrics() ──► test
//! ```

mod received;

use std::{
    io::Read,
    net::SocketAddr,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Instant,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderName, StatusCode, header::RETRY_AFTER},
    routing::post,
};
use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::{
    metrics::v1::{
        ExportMetricsServiceRequest, ExportMetricsServiceResponse,
        metrics_service_server::{MetricsService, MetricsServiceServer},
    },
    trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
};
use prost::Message;
use tonic::{Request, Response, Status, codec::CompressionEncoding, service::Routes};

pub use received::{Attributes, ReceivedPoint, ReceivedSpan};

use crate::{
    PATIENCE,
    listener::{FREE_PORT, Listener, bind},
};

/// A receiver that lives as long as the value, on a free port of this machine.
#[derive(Debug)]
pub struct OtlpReceiver {
    listener: Listener,
    kept: Arc<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    all: Mutex<All>,
    more: Condvar,
    throttled: AtomicBool,
}

#[derive(Debug, Default)]
struct All {
    spans: Vec<ReceivedSpan>,
    points: Vec<ReceivedPoint>,
    headers: Vec<Attributes>,
    requests: Vec<Vec<u8>>,
}

impl OtlpReceiver {
    /// Starts a receiver.
    ///
    /// # Panics
    ///
    /// When the machine has no free port or no thread left.
    pub fn start() -> Self {
        let kept = Arc::<Kept>::default();
        let router = router(&kept);
        let listener = Listener::open(bind(FREE_PORT), |listener| {
            axum::serve(listener, router).into_future()
        });
        Self { listener, kept }
    }

    /// The address on which it listens, for either protocol.
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// The same as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Refuses requests from now on, or accepts them again. Refusals are 503 with a `Retry-After`
    /// of a day, or gRPC's `Unavailable`.
    pub fn throttle(&self, throttled: bool) {
        self.kept.throttled.store(throttled, Relaxed);
    }

    /// The spans so far, in the order in which they came.
    pub fn spans(&self) -> Vec<ReceivedSpan> {
        self.kept.all().spans.clone()
    }

    /// The points of metrics so far, in the order in which they came.
    pub fn points(&self) -> Vec<ReceivedPoint> {
        self.kept.all().points.clone()
    }

    /// The headers of all requests so far.
    pub fn headers(&self) -> Vec<Attributes> {
        self.kept.all().headers.clone()
    }

    /// All requests so far as protobuf, which holds text as it is, for a search for secrets.
    pub fn requests(&self) -> Vec<Vec<u8>> {
        self.kept.all().requests.clone()
    }

    /// Waits until `holds` is true of the spans, and returns them.
    ///
    /// # Panics
    ///
    /// When that takes longer than [`PATIENCE`].
    pub fn wait_for_spans(&self, holds: impl Fn(&[ReceivedSpan]) -> bool) -> Vec<ReceivedSpan> {
        self.wait_for(|all| holds(&all.spans)).spans.clone()
    }

    /// Waits until `holds` is true of the points, and returns them.
    ///
    /// # Panics
    ///
    /// When that takes longer than [`PATIENCE`].
    pub fn wait_for_points(&self, holds: impl Fn(&[ReceivedPoint]) -> bool) -> Vec<ReceivedPoint> {
        self.wait_for(|all| holds(&all.points)).points.clone()
    }

    fn wait_for(&self, holds: impl Fn(&All) -> bool) -> MutexGuard<'_, All> {
        let until = Instant::now() + PATIENCE;
        let mut all = self.kept.all();
        while !holds(&all) {
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "not within {PATIENCE:?}: {all:#?}");
            let waited = self.kept.more.wait_timeout(all, left);
            all = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        all
    }
}

fn router(kept: &Arc<Kept>) -> Router {
    let traces = TraceServiceServer::from_arc(Arc::clone(kept));
    let metrics = MetricsServiceServer::from_arc(Arc::clone(kept));
    let mut services = Routes::builder();
    services.add_service(traces.accept_compressed(CompressionEncoding::Gzip));
    services.add_service(metrics.accept_compressed(CompressionEncoding::Gzip));
    let over_http = Router::new()
        .route("/v1/traces", post(traces_over_http))
        .route("/v1/metrics", post(metrics_over_http))
        .with_state(Arc::clone(kept));
    services.routes().into_axum_router().merge(over_http)
}

async fn traces_over_http(
    State(kept): State<Arc<Kept>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Vec<u8>, Throttled> {
    kept.admit(&headers).map_err(|_| TOMORROW)?;
    kept.keep_traces(read(&headers, &body));
    Ok(ExportTraceServiceResponse::default().encode_to_vec())
}

async fn metrics_over_http(
    State(kept): State<Arc<Kept>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Vec<u8>, Throttled> {
    kept.admit(&headers).map_err(|_| TOMORROW)?;
    kept.keep_metrics(read(&headers, &body));
    Ok(ExportMetricsServiceResponse::default().encode_to_vec())
}

/// A refusal over HTTP.
type Throttled = (StatusCode, [(HeaderName, &'static str); 1]);

const TOMORROW: Throttled = (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "86400")]);

fn read<M: Message + Default>(headers: &HeaderMap, body: &[u8]) -> M {
    let mut plain = Vec::new();
    let zipped = headers.get("content-encoding").is_some_and(|e| e == "gzip");
    let body = match zipped {
        true => {
            let unzipped = GzDecoder::new(body).read_to_end(&mut plain);
            unzipped.expect("what is called gzip is gzip");
            &plain
        }
        false => body,
    };
    M::decode(body).expect("OTLP in protobuf")
}

#[tonic::async_trait]
impl TraceService for Kept {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.admit(request.metadata().as_ref())?;
        self.keep_traces(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Kept {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.admit(request.metadata().as_ref())?;
        self.keep_metrics(request.into_inner());
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

impl Kept {
    fn all(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the headers of a request. It is refused while requests are throttled.
    fn admit(&self, headers: &HeaderMap) -> Result<(), Status> {
        let text =
            |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into();
        let headers = headers.iter();
        let headers = headers.map(|(name, value)| (name.to_string(), text(value)));
        self.all().headers.push(headers.collect());
        match self.throttled.load(Relaxed) {
            true => Err(Status::unavailable("too many requests: ask again tomorrow")),
            false => Ok(()),
        }
    }

    fn keep_traces(&self, request: ExportTraceServiceRequest) {
        let mut all = self.all();
        all.requests.push(request.encode_to_vec());
        for of_resource in request.resource_spans {
            let resource = of_resource.resource.unwrap_or_default();
            let resource = received::attributes(&resource.attributes);
            let spans = of_resource.scope_spans.into_iter().flat_map(|s| s.spans);
            all.spans
                .extend(spans.map(|span| received::span(&resource, span)));
        }
        self.more.notify_all();
    }

    fn keep_metrics(&self, request: ExportMetricsServiceRequest) {
        let mut all = self.all();
        all.requests.push(request.encode_to_vec());
        for of_resource in request.resource_metrics {
            let resource = of_resource.resource.unwrap_or_default();
            let resource = received::attributes(&resource.attributes);
            let metrics = of_resource.scope_metrics.into_iter();
            for metric in metrics.flat_map(|scope| scope.metrics) {
                all.points.extend(received::points(&resource, metric));
            }
        }
        self.more.notify_all();
    }
}
