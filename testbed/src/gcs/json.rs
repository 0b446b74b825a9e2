//! Google's JSON API: what a client asks at its start, and what Google's own Python client sends.

use hyper::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::{
    answer::Answer,
    checksum::Claims,
    multipart,
    objects::{Content, Draft, Listing, Object, Objects},
    reading,
    refusal::Refusal,
    request::Request,
    token::Permission,
    writing,
    xml::rfc3339,
};

/// The bucket itself.
pub(crate) fn bucket(
    objects: &Objects,
    request: &Request,
    bucket: &str,
) -> Result<Answer, Refusal> {
    objects.bucket(bucket)?;
    request.permissions.need(Permission::GetBucket)?;
    Ok(Answer::json(&json!({
        "kind": "storage#bucket", "id": bucket, "name": bucket, "metageneration": "1",
        "location": "EU", "storageClass": "STANDARD", "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": true}},
    })))
}

/// Which of the permissions that it names the sender has.
pub(crate) fn permissions(
    objects: &Objects,
    request: &Request,
    uri_query: &str,
    bucket: &str,
) -> Result<Answer, Refusal> {
    objects.bucket(bucket)?;
    // The name is repeated, so the query's map is of no use.
    let held: Vec<String> = url::form_urlencoded::parse(uri_query.as_bytes())
        .filter(|(name, _)| name == "permissions")
        .map(|(_, wanted)| wanted.into_owned())
        .filter(|wanted| {
            let known = Permission::ALL.into_iter().find(|one| one.name() == wanted);
            known.is_some_and(|permission| request.permissions.has(permission))
        })
        .collect();
    let mut answer = json!({"kind": "storage#testIamPermissionsResponse"});
    // As Google leaves it out where there is none.
    if !held.is_empty() {
        answer["permissions"] = json!(held);
    }
    Ok(Answer::json(&answer))
}

/// An object by its key: what it is, or its bytes.
pub(crate) fn object(
    objects: &mut Objects,
    request: &Request,
    (bucket, key): (&str, &str),
    url: &str,
) -> Result<Answer, Refusal> {
    match request.method {
        Method::GET if request.param("alt") == Some("media") => {
            let object = reading::find(objects, request, bucket, key)?;
            reading::give(request, &object)
        }
        Method::GET => {
            let object = reading::find(objects, request, bucket, key)?;
            Ok(Answer::json(&resource(bucket, &object, url)))
        }
        Method::DELETE => {
            writing::delete(objects, request, bucket, key)?;
            Ok(Answer::empty(StatusCode::NO_CONTENT))
        }
        _ => Err(Refusal::not_implemented(format!(
            "{} of an object",
            request.method
        ))),
    }
}

/// The objects of a bucket.
pub(crate) fn list(
    objects: &Objects,
    request: &Request,
    bucket: &str,
    url: &str,
) -> Result<Answer, Refusal> {
    objects.bucket(bucket)?;
    request.permissions.need(Permission::List)?;
    let text = |name| request.param(name).unwrap_or_default().to_owned();
    let listing = Listing {
        prefix: text("prefix"),
        delimiter: text("delimiter"),
        after: text("pageToken"),
        most: request
            .param("maxResults")
            .and_then(|most| most.parse().ok())
            .unwrap_or(1000),
    };
    let page = objects.list(bucket, &listing)?;
    let items: Vec<Value> = page
        .objects
        .iter()
        .map(|object| resource(bucket, object, url))
        .collect();
    let mut answer = json!({"kind": "storage#objects", "items": items, "prefixes": page.prefixes});
    if let Some(next) = page.next {
        answer["nextPageToken"] = json!(next);
    }
    Ok(Answer::json(&answer))
}

/// An upload in one request: the bytes alone, or what they are before them.
pub(crate) fn upload(
    objects: &mut Objects,
    request: &mut Request,
    bucket: &str,
    url: &str,
) -> Result<Answer, Refusal> {
    let content = std::mem::take(&mut request.content);
    let (said, content_type, content) = match request.param("uploadType") {
        Some("media") => (
            json!({}),
            request.header("content-type").map(str::to_owned),
            content,
        ),
        Some("multipart") => {
            let parts =
                multipart::take_apart(request.header("content-type").unwrap_or_default(), content);
            parts.ok_or_else(|| {
                Refusal::invalid_argument(
                    "multipart/related with an object and its bytes is expected",
                )
            })?
        }
        other => {
            return Err(Refusal::not_implemented(format!(
                "an upload of type {other:?}"
            )));
        }
    };
    let key = request.param("name").or_else(|| said["name"].as_str());
    let key = key
        .ok_or_else(|| Refusal::invalid_argument("the object has no name"))?
        .to_owned();
    let draft = draft(key, &said, content_type, content)?;
    let object = writing::write(objects, request, bucket, draft)?;
    Ok(Answer::json(&resource(bucket, &object, url)))
}

fn draft(
    key: String,
    said: &Value,
    content_type: Option<String>,
    content: Content,
) -> Result<Draft, Refusal> {
    let text = |name: &str| said[name].as_str().map(str::to_owned);
    let claims = Claims {
        crc32c: text("crc32c"),
        md5: text("md5Hash"),
    };
    let mut about = super::objects::About::default();
    if let Some(content_type) = text("contentType").or(content_type) {
        about.headers.insert("content-type", content_type);
    }
    for (name, value) in said["metadata"].as_object().into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        about.metadata.insert(name.clone(), value.to_owned());
    }
    Ok(Draft {
        key,
        sums: claims.check(&content)?,
        content,
        about,
    })
}

/// What Google says of an object.
fn resource(bucket: &str, object: &Object, url: &str) -> Value {
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
    add("metadata", json!(object.about.metadata));
    if let Some(content_type) = object.about.headers.get("content-type") {
        add("contentType", json!(content_type));
    }
    if let Some(md5) = object.sums.md5_base64() {
        add("md5Hash", json!(md5));
    }
    Value::Object(all)
}

/// A refusal, in JSON.
pub(crate) fn refuse(refusal: &Refusal) -> Answer {
    let message = refusal.details.as_ref().unwrap_or(&refusal.message);
    let mut answer = Answer::json(&json!({"error": {
        "code": refusal.status.as_u16(),
        "message": message,
        "errors": [{"message": message, "domain": "global", "reason": refusal.reason}],
    }}));
    answer.status = refusal.status;
    answer
}
