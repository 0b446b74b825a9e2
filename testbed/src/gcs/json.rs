//! Google's JSON API: the requests of clients at their start, and of Google's own Python client.

use std::sync::Arc;

use axum::{
    extract::{Path, RawQuery, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::{
    checksum::Claims,
    download::download,
    error_response::ErrorResponse,
    multipart,
    objects::{Attributes, Listing, NewObject, Object},
    request::Request,
    state::Shared,
    token::Permission,
    xml::rfc3339,
};

pub(crate) fn ok(value: &Value) -> Response {
    let content_type = "application/json; charset=UTF-8";
    ([(CONTENT_TYPE, content_type)], value.to_string()).into_response()
}

pub(crate) fn error(error: &ErrorResponse) -> Response {
    let message = error.details.as_ref().unwrap_or(&error.message);
    let body = ok(&json!({"error": {
        "code": error.status.as_u16(),
        "message": message,
        "errors": [{"message": message, "domain": "global", "reason": error.reason}],
    }}));
    (error.status, body).into_response()
}

/// Google's `/token`, where a service account's key is exchanged for a token.
pub(crate) async fn token(State(shared): State<Arc<Shared>>) -> Response {
    let mut tokens = shared.tokens();
    let token = json!({
        "access_token": tokens.issue(None),
        "expires_in": tokens.lifetime.as_secs(),
        "token_type": "Bearer",
    });
    ([("metadata-flavor", "Google")], ok(&token)).into_response()
}

/// The metadata server of a virtual machine.
pub(crate) async fn metadata(
    state: State<Arc<Shared>>,
    Path(path): Path<String>,
) -> Result<Response, ErrorResponse> {
    match path.rsplit('/').next() {
        Some("token") => Ok(token(state).await),
        Some("email") => Ok("crispy@testbed.iam.gserviceaccount.com".into_response()),
        _ => Err(ErrorResponse::not_implemented(format!("metadata {path}"))),
    }
}

/// The bucket's resource.
pub(crate) async fn bucket(request: Request) -> Result<Response, ErrorResponse> {
    let bucket = &request.bucket;
    request.shared.objects().bucket(bucket)?;
    request.permissions.need(Permission::GetBucket)?;
    Ok(ok(&json!({
        "kind": "storage#bucket",
        "id": bucket,
        "name": bucket,
        "metageneration": "1",
        "location": "EU",
        "storageClass": "STANDARD",
        "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": true}},
    })))
}

/// The permissions that the client has of those that it names.
pub(crate) async fn permissions(
    // The name is repeated, so the request's map of parameters is of no use.
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response, ErrorResponse> {
    request.shared.objects().bucket(&request.bucket)?;
    let query = query.unwrap_or_default();
    let held: Vec<String> = url::form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| name == "permissions")
        .map(|(_, wanted)| wanted.into_owned())
        .filter(|wanted| {
            let known = Permission::ALL.into_iter().find(|one| one.name() == wanted);
            known.is_some_and(|permission| request.permissions.has(permission))
        })
        .collect();
    let mut body = json!({"kind": "storage#testIamPermissionsResponse"});
    // Google omits an empty list.
    if !held.is_empty() {
        body["permissions"] = json!(held);
    }
    Ok(ok(&body))
}

/// An object's resource, or its bytes.
pub(crate) async fn object(request: Request) -> Result<Response, ErrorResponse> {
    if request.param("alt") == Some("media") {
        return download(&request);
    }
    let object = request.find()?;
    Ok(ok(&resource(&request, &object)))
}

pub(crate) async fn delete(request: Request) -> Result<StatusCode, ErrorResponse> {
    request.delete()?;
    Ok(StatusCode::NO_CONTENT)
}

/// The objects of a bucket.
pub(crate) async fn list(request: Request) -> Result<Response, ErrorResponse> {
    let objects = request.shared.objects();
    objects.bucket(&request.bucket)?;
    request.permissions.need(Permission::List)?;
    let text = |name| request.param(name).unwrap_or_default().to_owned();
    let limit = request.param("maxResults");
    let listing = Listing {
        prefix: text("prefix"),
        delimiter: text("delimiter"),
        after: text("pageToken"),
        limit: limit.and_then(|limit| limit.parse().ok()).unwrap_or(1000),
    };
    let page = objects.list(&request.bucket, &listing)?;
    let items = page.objects.iter();
    let items: Vec<Value> = items.map(|object| resource(&request, object)).collect();
    let mut body = json!({"kind": "storage#objects", "items": items, "prefixes": page.prefixes});
    if let Some(next) = page.next {
        body["nextPageToken"] = json!(next);
    }
    Ok(ok(&body))
}

/// An upload in one request: the bytes alone, or after the object's resource.
pub(crate) async fn upload(mut request: Request) -> Result<Response, ErrorResponse> {
    let content = std::mem::take(&mut request.content);
    let content_type = request.header("content-type");
    let (given, content_type, content) = match request.param("uploadType") {
        Some("media") => (json!({}), content_type.map(str::to_owned), content),
        Some("multipart") => multipart::parse(content_type.unwrap_or_default(), content)
            .ok_or_else(|| {
                ErrorResponse::invalid_argument(
                    "expected multipart/related, an object and its bytes",
                )
            })?,
        other => {
            let details = format!("an upload of type {other:?}");
            return Err(ErrorResponse::not_implemented(details));
        }
    };
    let text = |name: &str| given[name].as_str().map(str::to_owned);
    let key = request.param("name").map(str::to_owned);
    let key = key.or_else(|| text("name"));
    let key = key.ok_or_else(|| ErrorResponse::invalid_argument("the object has no name"))?;
    let claims = Claims {
        crc32c: text("crc32c"),
        md5: text("md5Hash"),
    };
    let mut attributes = Attributes::default();
    if let Some(content_type) = text("contentType").or(content_type) {
        attributes.headers.insert("content-type", content_type);
    }
    for (name, value) in given["metadata"].as_object().into_iter().flatten() {
        let value = value.as_str().unwrap_or_default().to_owned();
        attributes.metadata.insert(name.clone(), value);
    }
    let object = request.write(NewObject {
        key,
        sums: claims.check(&content)?,
        content,
        attributes,
    })?;
    Ok(ok(&resource(&request, &object)))
}

/// An object's resource.
fn resource(request: &Request, object: &Object) -> Value {
    let (bucket, url) = (&request.bucket, &request.shared.url);
    let key = utf8_percent_encode(&object.key, NON_ALPHANUMERIC);
    let (generation, created) = (object.generation, rfc3339(object.created));
    let path = format!("storage/v1/b/{bucket}/o/{key}");
    let mut all = Map::new();
    let mut add = |name: &str, value: Value| all.insert(name.to_owned(), value);
    add("kind", json!("storage#object"));
    add("id", json!(format!("{bucket}/{}/{generation}", object.key)));
    add("selfLink", json!(format!("{url}/{path}")));
    add(
        "mediaLink",
        json!(format!(
            "{url}/download/{path}?generation={generation}&alt=media"
        )),
    );
    add("name", json!(object.key));
    add("bucket", json!(bucket));
    add("generation", json!(generation.to_string()));
    add("metageneration", json!("1"));
    add("size", json!(object.content.len().to_string()));
    add("crc32c", json!(object.sums.crc32c_base64()));
    add("etag", json!(object.etag().trim_matches('"')));
    add("timeCreated", json!(created));
    add("updated", json!(created));
    add("storageClass", json!("STANDARD"));
    add("metadata", json!(object.attributes.metadata));
    if let Some(content_type) = object.attributes.headers.get("content-type") {
        add("contentType", json!(content_type));
    }
    if let Some(md5) = object.sums.md5_base64() {
        add("md5Hash", json!(md5));
    }
    Value::Object(all)
}
