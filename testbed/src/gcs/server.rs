//! The routes of the simulator, and the layer in front of them that applies faults.
//!
//! Google serves its two APIs from hosts and paths that never meet; on one address, buckets cannot
//! be called `storage`, `upload`, `download`, `token` or `computeMetadata`.

use std::{future::pending, sync::Arc};

use axum::{
    Router,
    body::{Body, HttpBody, to_bytes},
    extract::{RawPathParams, Request, State, rejection::RawPathParamsRejection},
    http::{HeaderValue, Method, Uri, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use tokio::time::sleep;

use super::{
    content::Content, error_response::ErrorResponse, fault::Effect, journal::RecordedRequest, json,
    state::Shared, xml,
};

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let xml_bucket = get(xml::list).head(xml::bucket);
    Router::new()
        .route("/token", any(json::token))
        .route("/computeMetadata/v1/{*path}", any(json::metadata))
        .route("/storage/v1/b/{bucket}", get(json::bucket))
        .route(
            "/storage/v1/b/{bucket}/iam/testPermissions",
            get(json::permissions),
        )
        .route("/storage/v1/b/{bucket}/o", get(json::list))
        .route(
            "/storage/v1/b/{bucket}/o/{*key}",
            get(json::object).delete(json::delete),
        )
        .route(
            "/download/storage/v1/b/{bucket}/o/{*key}",
            get(json::object).delete(json::delete),
        )
        .route("/upload/storage/v1/b/{bucket}/o", post(json::upload))
        .route("/storage/{*path}", any(unknown))
        .route("/download/{*path}", any(unknown))
        .route("/upload/{*path}", any(unknown))
        .route("/{bucket}", xml_bucket.clone())
        .route("/{bucket}/", xml_bucket)
        .route(
            "/{bucket}/{*key}",
            get(xml::object).put(xml::put).delete(xml::delete),
        )
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .layer(from_fn_with_state(Arc::clone(&shared), apply_faults))
        .with_state(shared)
}

async fn unknown(method: Method, uri: Uri) -> ErrorResponse {
    ErrorResponse::not_implemented(format!("{method} {uri}"))
}

/// Records a request, reads its body, and passes it on unless a fault strikes it.
///
/// Handlers find the body among the extensions. An [`ErrorResponse`] leaves as XML or JSON.
async fn apply_faults(
    State(shared): State<Arc<Shared>>,
    params: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let key = params.iter().flatten().find(|(name, _)| *name == "key");
    let key = key.map(|(_, key)| key.to_owned());
    let (method, path) = (parts.method.as_str(), parts.uri.path());
    let effect = shared.faults().strike(method, path, key.as_deref());
    let index = shared.journal.add(RecordedRequest {
        method: method.to_string(),
        path: parts.uri.to_string(),
        key,
        received: 0,
        status: None,
    });
    if effect == Some(Effect::BlackHole) {
        pending().await
    }
    let Some(content) = receive(body, effect).await else {
        return broken_connection();
    };
    let received = content.len();
    shared
        .journal
        .update(index, |request| request.received = received);
    if let Some(Effect::DelayRequest(time)) = effect {
        // With nothing left to read, hyper notices that the client closes, and drops this future.
        sleep(time).await;
    }
    parts.extensions.insert(content);
    let request = Request::from_parts(parts, Body::empty());
    let mut response = respond(&shared, effect, request, next).await;
    if !shared.options.latency.is_zero() {
        sleep(shared.options.latency).await;
    }
    match effect {
        Some(Effect::LoseResponse) => return broken_connection(),
        Some(Effect::TruncateResponse(bytes)) => response = truncate(response, bytes).await,
        Some(Effect::DelayResponse(time)) => sleep(time).await,
        _ => {}
    }
    let status = response.status().as_u16();
    shared
        .journal
        .update(index, |request| request.status = Some(status));
    response
}

/// Carries a request out, unless its fault answers instead.
async fn respond(
    shared: &Shared,
    effect: Option<Effect>,
    request: Request,
    next: Next,
) -> Response {
    let is_json = is_json(request.uri().path());
    let hides_generation =
        request.method() == Method::PUT && !shared.options.put_returns_generation;
    let mut response = match effect.and_then(ErrorResponse::from_effect) {
        Some(error) => error.into_response(),
        None => next.run(request).await,
    };
    if let Some(Effect::CommitThenStatus(status)) = effect {
        response = ErrorResponse::from_status(status).into_response();
    }
    if let Some(error) = response.extensions_mut().remove::<ErrorResponse>() {
        response = match is_json {
            true => json::error(&error),
            false => xml::error(&error),
        };
    }
    let headers = response.headers_mut();
    let server = HeaderValue::from_static("crispy-gcs-simulator");
    headers.insert(header::SERVER, server);
    if hides_generation {
        headers.remove("x-goog-generation");
    }
    if let Some(Effect::StatusRetryAfter(_, wait)) = effect {
        headers.insert(header::RETRY_AFTER, wait.as_secs().into());
    }
    response
}

/// True for paths of the JSON API, and of tokens, whose errors are JSON too.
fn is_json(path: &str) -> bool {
    let first = path.split('/').nth(1).unwrap_or_default();
    [
        "",
        "storage",
        "upload",
        "download",
        "token",
        "computeMetadata",
    ]
    .contains(&first)
}

/// The body, in the pieces in which it comes. None when the connection breaks, or is to break.
async fn receive(body: Body, effect: Option<Effect>) -> Option<Content> {
    let mut body = body.into_data_stream();
    let mut content = Content::default();
    let mut received = 0;
    while let Some(piece) = body.next().await {
        let piece = piece.ok()?;
        received += piece.len();
        // Bytes left unread in the socket make the kernel send a reset instead of an orderly end.
        if matches!(effect, Some(Effect::ResetRequest(bytes)) if received >= bytes) {
            return None;
        }
        content.0.push(piece);
    }
    if effect == Some(Effect::FlipBit) {
        flip_bit(&mut content);
    }
    Some(content)
}

/// In the middle, where no header of a container would show it.
fn flip_bit(content: &mut Content) {
    let middle = content.0.len() / 2;
    if let Some(piece) = content.0.get_mut(middle) {
        let mut damaged = BytesMut::from(&piece[..]);
        let at = damaged.len() / 2;
        damaged[at] ^= 1;
        *piece = damaged.freeze();
    }
}

/// Ends a connection. A body that fails at once ends it before hyper has sent the head.
fn broken_connection() -> Response {
    Response::new(Body::from_stream(stream::iter([Err::<Bytes, _>(Broken)])))
}

#[derive(Debug, thiserror::Error)]
#[error("the connection was broken on purpose")]
pub(crate) struct Broken;

/// Ends the connection after the head and so many bytes of the body.
pub(crate) async fn truncate(response: Response, bytes: usize) -> Response {
    let (mut parts, body) = response.into_parts();
    if let Some(length) = body.size_hint().exact() {
        let announced = parts.headers.entry(header::CONTENT_LENGTH);
        announced.or_insert(length.into());
    }
    // Our own bodies never fail.
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let sent = body.slice(..bytes.min(body.len()));
    let sent = stream::once(async { Ok(sent) });
    // Yields once, so that hyper sends the bytes before the failure.
    let broken = stream::once(async {
        tokio::task::yield_now().await;
        Err(Broken)
    });
    Response::from_parts(parts, Body::from_stream(sent.chain(broken)))
}
