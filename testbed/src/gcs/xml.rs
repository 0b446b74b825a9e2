//! Google's XML API, in which object_store speaks.

use std::time::SystemTime;

use hyper::{Method, StatusCode};
use serde::Serialize;

use super::{
    answer::Answer,
    checksum::Claims,
    objects::{Draft, Listing, Objects, Page},
    reading,
    refusal::Refusal,
    request::Request,
    token::Permission,
    writing,
};

const XML: &str = "application/xml; charset=UTF-8";

/// Google's own, and S3's.
const PAGE: usize = 1000;

/// An object by its key.
pub(crate) fn object(
    objects: &mut Objects,
    request: &mut Request,
    bucket: &str,
    key: &str,
) -> Result<Answer, Refusal> {
    match request.method {
        Method::GET | Method::HEAD => {
            let object = reading::find(objects, request, bucket, key)?;
            reading::give(request, &object)
        }
        Method::PUT
            if request.query.is_empty() && !request.headers.contains_key("x-goog-copy-source") =>
        {
            let content = std::mem::take(&mut request.content);
            let sums = Claims::of(&request.headers).check(&content)?;
            let draft = Draft {
                key: key.to_owned(),
                content,
                sums,
                about: request.about(),
            };
            let object = writing::write(objects, request, bucket, draft)?;
            Ok(reading::identify(Answer::empty(StatusCode::OK), &object))
        }
        Method::DELETE if request.query.is_empty() => {
            writing::delete(objects, request, bucket, key)?;
            Ok(Answer::empty(StatusCode::NO_CONTENT))
        }
        _ => Err(Refusal::not_implemented(format!(
            "{} of an object with {:?}",
            request.method, request.query
        ))),
    }
}

/// A bucket: its listing, or whether it is there.
pub(crate) fn bucket(
    objects: &Objects,
    request: &Request,
    bucket: &str,
) -> Result<Answer, Refusal> {
    match request.method {
        Method::HEAD => {
            objects.bucket(bucket)?;
            request.permissions.need(Permission::GetBucket)?;
            Ok(Answer::empty(StatusCode::OK))
        }
        Method::GET => {
            objects.bucket(bucket)?;
            request.permissions.need(Permission::List)?;
            let listing = listing(request)?;
            let page = objects.list(bucket, &listing)?;
            let list = ListBucketResult::new(bucket, &listing, page);
            let text = quick_xml::se::to_string(&list);
            let text = text.map_err(|error| Refusal::not_implemented(error.to_string()))?;
            Ok(Answer::text(StatusCode::OK, XML, text))
        }
        _ => Err(Refusal::not_implemented(format!(
            "{} of a bucket",
            request.method
        ))),
    }
}

fn listing(request: &Request) -> Result<Listing, Refusal> {
    let text = |name| request.param(name).unwrap_or_default().to_owned();
    let most = match request.param("max-keys") {
        Some(most) => most
            .parse()
            .map_err(|_| Refusal::invalid_argument("max-keys is a number"))?,
        None => PAGE,
    };
    // Names of list-type 2, and of the one before it. A page continues after the last name of the one before, whatever start-after says.
    let starts = ["start-after", "marker", "continuation-token"].map(text);
    Ok(Listing {
        prefix: text("prefix"),
        delimiter: text("delimiter"),
        after: starts.into_iter().max().unwrap_or_default(),
        most: PAGE.min(most),
    })
}

/// A refusal, in XML.
pub(crate) fn refuse(refusal: &Refusal) -> Answer {
    let error = Error {
        code: refusal.code,
        message: &refusal.message,
        details: refusal.details.as_deref(),
    };
    if refusal.status == StatusCode::NOT_MODIFIED {
        return Answer::empty(refusal.status);
    }
    // Three strings: there is nothing in them that cannot be written.
    let text = quick_xml::se::to_string(&error).unwrap_or_default();
    let text = format!("<?xml version='1.0' encoding='UTF-8'?>{text}");
    Answer::text(refusal.status, XML, text)
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
            max_keys: listing.most,
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

/// To the millisecond, as Google writes it.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let time = jiff::Timestamp::try_from(time).unwrap_or_default();
    format!("{time:.3}")
}
