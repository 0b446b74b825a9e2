//! A request to a bucket or an object: the same for both APIs.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    extract::{FromRequestParts, Path},
    http::{HeaderMap, request::Parts},
};
use serde::Deserialize;

use super::{
    content::Content,
    error_response::ErrorResponse,
    objects::{Attributes, Condition, NewObject, Object},
    state::Shared,
    token::{Permission, Permissions},
};

/// Headers that are kept with an object, beside its metadata.
const KEPT: [&str; 5] = [
    "content-type",
    "content-encoding",
    "content-language",
    "content-disposition",
    "cache-control",
];

const METADATA: &str = "x-goog-meta-";

/// A request that has arrived whole.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) shared: Arc<Shared>,
    pub(crate) bucket: String,
    /// Empty for a request to a bucket.
    pub(crate) key: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: HeaderMap,
    pub(crate) content: Content,
    /// The permissions of the client.
    pub(crate) permissions: Permissions,
}

/// The parameters of a route. Axum decodes percent signs after it has taken the path apart, so a
/// key may come with slashes or without.
#[derive(Deserialize)]
struct Params {
    bucket: String,
    #[serde(default)]
    key: String,
}

impl FromRequestParts<Arc<Shared>> for Request {
    type Rejection = ErrorResponse;

    async fn from_request_parts(
        parts: &mut Parts,
        shared: &Arc<Shared>,
    ) -> Result<Self, ErrorResponse> {
        let permissions = shared.tokens().permissions(&parts.headers)?;
        let path = Path::<Params>::from_request_parts(parts, shared).await;
        let Path(params) =
            path.map_err(|error| ErrorResponse::invalid_argument(&error.body_text()))?;
        let query = parts.uri.query().unwrap_or_default();
        let query = url::form_urlencoded::parse(query.as_bytes()).into_owned();
        let mut request = Self {
            shared: Arc::clone(shared),
            bucket: params.bucket,
            key: params.key,
            query: query.collect(),
            headers: parts.headers.clone(),
            content: parts.extensions.remove().unwrap_or_default(),
            permissions,
        };
        if !shared.options.preconditions {
            request.headers.remove("x-goog-if-generation-match");
            request.query.remove("ifGenerationMatch");
        }
        Ok(request)
    }
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// The preconditions, from the XML API's headers or the JSON API's parameters.
    fn condition(&self) -> Result<Condition, ErrorResponse> {
        let either = |header, param| self.header(header).or_else(|| self.param(param));
        Ok(Condition {
            generation: generation(either("x-goog-if-generation-match", "ifGenerationMatch"))?,
            not_generation: generation(either(
                "x-goog-if-generation-not-match",
                "ifGenerationNotMatch",
            ))?,
        })
    }

    /// HTTP's own preconditions.
    fn check_etag(&self, object: &Object) -> Result<(), ErrorResponse> {
        let names = |header| {
            let mut tags = self.header(header)?.split(',').map(str::trim);
            Some(tags.any(|tag| tag == "*" || tag == object.etag()))
        };
        if names("if-match") == Some(false) {
            return Err(ErrorResponse::precondition_failed());
        }
        if names("if-none-match") == Some(true) {
            return Err(ErrorResponse::not_modified());
        }
        Ok(())
    }

    /// The object to read.
    ///
    /// Without the permission to list, a client learns of a missing object only that it may not
    /// list: Google does not reveal the keys that exist.
    pub(crate) fn find(&self) -> Result<Arc<Object>, ErrorResponse> {
        let objects = self.shared.objects();
        let existing = objects.bucket(&self.bucket)?.get(&self.key);
        let wanted = generation(self.param("generation"))?;
        self.permissions.need(Permission::Get)?;
        match existing.filter(|object| wanted.is_none_or(|wanted| wanted == object.generation)) {
            Some(object) => {
                self.condition()?.check(Some(object))?;
                self.check_etag(object)?;
                Ok(Arc::clone(object))
            }
            None => {
                self.permissions.need(Permission::List)?;
                Err(ErrorResponse::no_such_key(&self.bucket, &self.key))
            }
        }
    }

    /// Writes an object, if permissions and preconditions allow it.
    pub(crate) fn write(&self, new: NewObject) -> Result<Arc<Object>, ErrorResponse> {
        let mut objects = self.shared.objects();
        let existing = objects.bucket(&self.bucket)?.get(&new.key);
        self.permissions.need(Permission::Create)?;
        let holds = self.condition()?.check(existing.map(|object| &**object));
        let allowed = match existing {
            Some(_) => self.permissions.need(Permission::Delete),
            None => Ok(()),
        };
        if self.shared.options.conditions_before_permissions {
            holds.and(allowed)?;
        } else {
            allowed.and(holds)?;
        }
        objects.put(&self.bucket, new)
    }

    /// Deletes an object, if permissions and preconditions allow it.
    pub(crate) fn delete(&self) -> Result<(), ErrorResponse> {
        let mut objects = self.shared.objects();
        objects.bucket(&self.bucket)?;
        self.permissions.need(Permission::Delete)?;
        let existing = objects.get(&self.bucket, &self.key)?;
        self.condition()?.check(Some(&existing))?;
        objects.delete(&self.bucket, &self.key)
    }

    /// The attributes of an object, from the headers of its upload.
    pub(crate) fn attributes(&self) -> Attributes {
        let mut attributes = Attributes::default();
        for name in KEPT {
            if let Some(value) = self.header(name) {
                attributes.headers.insert(name, value.to_owned());
            }
        }
        for (name, value) in &self.headers {
            if let Some(name) = name.as_str().strip_prefix(METADATA) {
                // Google keeps UTF-8 as it comes.
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                attributes.metadata.insert(name.to_owned(), value);
            }
        }
        attributes
    }
}

fn generation(text: Option<&str>) -> Result<Option<u64>, ErrorResponse> {
    let wrong = |_| ErrorResponse::invalid_argument("a generation is a number");
    text.map(|text| text.parse().map_err(wrong)).transpose()
}
