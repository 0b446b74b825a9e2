//! Google's XML API, which object_store speaks.

use std::time::SystemTime;

use axum::{
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::{
    checksum::Claims,
    download::{download, uploaded},
    error_response::ErrorResponse,
    objects::{Listing, NewObject, Page},
    request::Request,
    token::Permission,
};

const XML: &str = "application/xml; charset=UTF-8";

/// Entries on a page of a listing: Google's limit, and S3's.
const PAGE: usize = 1000;

pub(crate) async fn object(request: Request) -> Result<Response, ErrorResponse> {
    download(&request)
}

pub(crate) async fn put(mut request: Request) -> Result<Response, ErrorResponse> {
    check_simple(&request)?;
    let content = std::mem::take(&mut request.content);
    let object = request.write(NewObject {
        key: request.key.clone(),
        sums: Claims::from_headers(&request.headers).check(&content)?,
        content,
        attributes: request.attributes(),
    })?;
    Ok(uploaded(&object))
}

pub(crate) async fn delete(request: Request) -> Result<StatusCode, ErrorResponse> {
    check_simple(&request)?;
    request.delete()?;
    Ok(StatusCode::NO_CONTENT)
}

/// Refuses copies, uploads in parts and all else that a parameter asks for.
fn check_simple(request: &Request) -> Result<(), ErrorResponse> {
    if request.query.is_empty() && !request.headers.contains_key("x-goog-copy-source") {
        return Ok(());
    }
    let details = format!("an object with {:?}", request.query);
    Err(ErrorResponse::not_implemented(details))
}

/// Answers whether a bucket exists.
pub(crate) async fn bucket(request: Request) -> Result<StatusCode, ErrorResponse> {
    request.shared.objects().bucket(&request.bucket)?;
    request.permissions.need(Permission::GetBucket)?;
    Ok(StatusCode::OK)
}

/// The objects of a bucket.
pub(crate) async fn list(request: Request) -> Result<Response, ErrorResponse> {
    let objects = request.shared.objects();
    objects.bucket(&request.bucket)?;
    request.permissions.need(Permission::List)?;
    let listing = listing(&request)?;
    let page = objects.list(&request.bucket, &listing)?;
    let list = ListBucketResult::new(&request.bucket, &listing, page);
    let text = quick_xml::se::to_string(&list);
    let text = text.map_err(|error| ErrorResponse::not_implemented(error.to_string()))?;
    Ok(([(CONTENT_TYPE, XML)], text).into_response())
}

fn listing(request: &Request) -> Result<Listing, ErrorResponse> {
    let text = |name| request.param(name).unwrap_or_default().to_owned();
    let limit = match request.param("max-keys") {
        Some(limit) => limit
            .parse()
            .map_err(|_| ErrorResponse::invalid_argument("max-keys is a number"))?,
        None => PAGE,
    };
    // The names of list-type 2, and of the older one. A page continues after the last name of the
    // page before it, also where start-after is given.
    let starts = ["start-after", "marker", "continuation-token"].map(text);
    Ok(Listing {
        prefix: text("prefix"),
        delimiter: text("delimiter"),
        after: starts.into_iter().max().unwrap_or_default(),
        limit: PAGE.min(limit),
    })
}

pub(crate) fn error(error: &ErrorResponse) -> Response {
    if error.status == StatusCode::NOT_MODIFIED {
        return error.status.into_response();
    }
    // Three strings: they can always be written.
    let text = quick_xml::se::to_string(&Error {
        code: error.code,
        message: &error.message,
        details: error.details.as_deref(),
    });
    let text = text.unwrap_or_default();
    let text = format!("<?xml version='1.0' encoding='UTF-8'?>{text}");
    (error.status, [(CONTENT_TYPE, XML)], text).into_response()
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Error<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListBucketResult {
    name: String,
    prefix: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    delimiter: String,
    max_keys: usize,
    key_count: usize,
    is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_continuation_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
    contents: Vec<Contents>,
    common_prefixes: Vec<CommonPrefix>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Contents {
    key: String,
    generation: u64,
    meta_generation: u64,
    last_modified: String,
    #[serde(rename = "ETag")]
    e_tag: String,
    size: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CommonPrefix {
    prefix: String,
}

impl ListBucketResult {
    fn new(bucket: &str, listing: &Listing, page: Page) -> Self {
        let contents = page.objects.iter().map(|object| Contents {
            key: object.key.clone(),
            generation: object.generation,
            meta_generation: 1,
            last_modified: rfc3339(object.created),
            e_tag: object.etag(),
            size: object.content.len(),
        });
        Self {
            name: bucket.to_owned(),
            prefix: listing.prefix.clone(),
            delimiter: listing.delimiter.clone(),
            max_keys: listing.limit,
            key_count: page.objects.len() + page.prefixes.len(),
            is_truncated: page.next.is_some(),
            next_continuation_token: page.next.clone(),
            next_marker: page.next,
            contents: contents.collect(),
            common_prefixes: page
                .prefixes
                .into_iter()
                .map(|prefix| CommonPrefix { prefix })
                .collect(),
        }
    }
}

/// A time to the millisecond, as Google writes it.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let time = jiff::Timestamp::try_from(time).unwrap_or_default();
    format!("{time:.3}")
}
