//! One request from its first byte to its last: read, struck by faults, carried out, answered.

use std::{
    future::pending,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::{Response, StatusCode, body::Incoming, http::request::Parts};
use tokio::time::sleep;

use super::{
    Options,
    answer::{Answer, Broken, Outgoing},
    fault::{Effect, Faults},
    journal::{Journal, RecordedRequest},
    json,
    objects::{Content, Objects},
    refusal::Refusal,
    request::Request,
    target::Target,
    token::Tokens,
    xml,
};

/// What all connections of a server share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) url: String,
    pub(crate) options: Options,
    objects: Mutex<Objects>,
    tokens: Mutex<Tokens>,
    faults: Mutex<Faults>,
    pub(crate) journal: Journal,
}

impl Shared {
    pub(crate) fn new(url: String, options: Options) -> Self {
        Self {
            url,
            objects: Mutex::new(Objects::new(&options.buckets, options.max_bytes)),
            tokens: Mutex::new(Tokens::new(options.token_required, options.token_lifetime)),
            faults: Mutex::default(),
            journal: Journal::default(),
            options,
        }
    }

    pub(crate) fn objects(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tokens(&self) -> MutexGuard<'_, Tokens> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers a request, or breaks its connection.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    request: hyper::Request<Incoming>,
) -> Result<Response<Outgoing>, Broken> {
    let (parts, body) = request.into_parts();
    let (method, target) = (parts.method.clone(), Target::of(parts.uri.path()));
    let effect = shared.faults().strike(method.as_str(), &target);
    let place = shared.journal.arrived(RecordedRequest {
        method: method.to_string(),
        path: parts.uri.to_string(),
        key: target.key().map(str::to_owned),
        received: 0,
        status: None,
    });
    if effect == Some(Effect::BlackHole) {
        pending().await
    }
    let content = receive(body, effect).await?;
    let received = content.len();
    shared
        .journal
        .note(place, |asked| asked.received = received);
    if let Some(Effect::DelayRequest(time)) = effect {
        // With nothing left to read, hyper sees a client go, and drops this future.
        sleep(time).await;
    }
    let answer = shared.answer(parts, target, content, effect);
    if !shared.options.latency.is_zero() {
        sleep(shared.options.latency).await;
    }
    let breaks_off = match effect {
        Some(Effect::LoseResponse) => return Err(Broken),
        Some(Effect::TruncateResponse(bytes)) => Some(bytes),
        Some(Effect::DelayResponse(time)) => {
            sleep(time).await;
            None
        }
        _ => None,
    };
    let status = answer.status.as_u16();
    shared
        .journal
        .note(place, |asked| asked.status = Some(status));
    Ok(answer.into_response(&method, breaks_off))
}

/// What is answered without being carried out.
fn instead(effect: Effect) -> Option<Refusal> {
    match effect {
        Effect::Status(status) | Effect::StatusRetryAfter(status, _) => {
            Some(Refusal::of(status_of(status)))
        }
        Effect::BillingClosed => Some(Refusal::billing()),
        _ => None,
    }
}

fn status_of(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The body, in the pieces in which it comes.
async fn receive(mut body: Incoming, effect: Option<Effect>) -> Result<Content, Broken> {
    let mut content = Content::default();
    let mut received = 0;
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame.map_err(|_| Broken)?.into_data() else {
            continue;
        };
        received += piece.len();
        // What lies unread in the socket makes the kernel send a reset and no orderly end.
        if matches!(effect, Some(Effect::ResetRequest(bytes)) if received >= bytes) {
            return Err(Broken);
        }
        content.0.push(piece);
    }
    if effect == Some(Effect::FlipBit) {
        flip_a_bit(&mut content);
    }
    Ok(content)
}

/// In the middle, where no header of a container would tell.
fn flip_a_bit(content: &mut Content) {
    let middle = content.0.len() / 2;
    if let Some(piece) = content.0.get_mut(middle) {
        let mut damaged = BytesMut::from(&piece[..]);
        let at = damaged.len() / 2;
        damaged[at] ^= 1;
        *piece = Bytes::from(damaged);
    }
}

impl Shared {
    /// What is answered in the end, in the language of the request.
    fn answer(
        &self,
        parts: Parts,
        target: Target,
        content: Content,
        effect: Option<Effect>,
    ) -> Answer {
        let refuse = if target.is_xml() {
            xml::refuse
        } else {
            json::refuse
        };
        let done = match effect.and_then(instead) {
            Some(refusal) => Err(refusal),
            None => self.carry_out(parts, target, content),
        };
        let answer = done.unwrap_or_else(|refusal| refuse(&refusal));
        match effect {
            Some(Effect::CommitThenStatus(status)) => refuse(&Refusal::of(status_of(status))),
            Some(Effect::StatusRetryAfter(_, wait)) => answer.retry_after(wait),
            _ => answer,
        }
    }

    fn carry_out(&self, parts: Parts, target: Target, content: Content) -> Result<Answer, Refusal> {
        match &target {
            Target::Token => return Ok(self.tokens().answer()),
            Target::Metadata(path) if path.ends_with("/token") => {
                return Ok(self.tokens().answer());
            }
            Target::Metadata(path) if path.ends_with("/email") => {
                let email = "crispy@testbed.iam.gserviceaccount.com".to_owned();
                return Ok(Answer::text(StatusCode::OK, "application/text", email));
            }
            _ => {}
        }
        let permissions = self.tokens().permissions(&parts.headers)?;
        let uri_query = parts.uri.query().unwrap_or_default().to_owned();
        let mut request = Request::new(parts, content, permissions);
        request.conditions_before_permissions = self.options.conditions_before_permissions;
        if !self.options.preconditions {
            request.headers.remove("x-goog-if-generation-match");
            request.query.remove("ifGenerationMatch");
        }
        let (objects, url) = (&mut *self.objects(), self.url.as_str());
        let answer = match &target {
            Target::XmlObject(bucket, key) => xml::object(objects, &mut request, bucket, key),
            Target::XmlBucket(bucket) => xml::bucket(objects, &request, bucket),
            Target::JsonBucket(bucket) => json::bucket(objects, &request, bucket),
            Target::JsonPermissions(bucket) => {
                json::permissions(objects, &request, &uri_query, bucket)
            }
            Target::JsonObjects(bucket) => json::list(objects, &request, bucket, url),
            Target::JsonObject(bucket, key) | Target::JsonMedia(bucket, key) => {
                json::object(objects, &request, (bucket, key), url)
            }
            Target::JsonUpload(bucket) => json::upload(objects, &mut request, bucket, url),
            Target::Token | Target::Metadata(_) | Target::Nothing => Err(Refusal::not_implemented(
                format!("{} {target:?}", request.method),
            )),
        }?;
        Ok(self.as_this_server_answers(&request, answer))
    }

    fn as_this_server_answers(&self, request: &Request, mut answer: Answer) -> Answer {
        if !self.options.put_returns_generation && request.method == hyper::Method::PUT {
            answer.headers.remove("x-goog-generation");
        }
        answer
    }
}
