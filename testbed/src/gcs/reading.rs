//! Reading an object, or a part of one: the same in both languages.

use std::sync::Arc;

use hyper::StatusCode;

use super::{
    answer::Answer,
    objects::{Object, Objects},
    refusal::Refusal,
    request::Request,
    token::Permission,
};

/// The object that a request is about, if its sender may know of it.
///
/// Who may not list learns of a missing object only that it may not be listed: Google does not tell what is there.
pub(crate) fn find(
    objects: &Objects,
    request: &Request,
    bucket: &str,
    key: &str,
) -> Result<Arc<Object>, Refusal> {
    let there = objects.bucket(bucket)?.get(key).cloned();
    let generation = request.generation()?;
    request.permissions.need(Permission::Get)?;
    match there.filter(|object| generation.is_none_or(|wanted| wanted == object.generation)) {
        Some(object) => {
            request.condition()?.check(Some(&object))?;
            unchanged(request, &object)?;
            Ok(object)
        }
        None => {
            request.permissions.need(Permission::List)?;
            Err(Refusal::no_such_key(bucket, key))
        }
    }
}

/// HTTP's own conditions.
fn unchanged(request: &Request, object: &Object) -> Result<(), Refusal> {
    let names = |header| {
        let wanted = request.header(header)?;
        let mut tags = wanted.split(',').map(str::trim);
        Some(tags.any(|tag| tag == "*" || tag == object.etag()))
    };
    if names("if-match") == Some(false) {
        return Err(Refusal::precondition_failed());
    }
    if names("if-none-match") == Some(true) {
        return Err(Refusal::not_modified());
    }
    Ok(())
}

/// The bytes that are wanted of an object, with all that is known of it in headers.
pub(crate) fn give(request: &Request, object: &Object) -> Result<Answer, Refusal> {
    let size = object.content.len();
    let stretch = match request.header("range") {
        Some(range) => stretch(range, size)?,
        None => None,
    };
    let mut answer = Answer::empty(StatusCode::OK);
    for (name, value) in &object.about.headers {
        answer = answer.with(name, value);
    }
    for (name, value) in &object.about.metadata {
        answer = answer.with(&format!("x-goog-meta-{name}"), value);
    }
    answer = identify(answer, object)
        .with("accept-ranges", "bytes")
        .with("last-modified", httpdate::fmt_http_date(object.created))
        .with("x-goog-storage-class", "STANDARD");
    match stretch {
        Some((from, end)) => {
            answer.status = StatusCode::PARTIAL_CONTENT;
            answer.content = object.content.slice(from, end);
            let range = format!("bytes {from}-{}/{size}", end - 1);
            answer = answer.with("content-range", range);
        }
        None => answer.content = object.content.clone(),
    }
    Ok(answer)
}

/// With what tells this version of an object from every other.
pub(crate) fn identify(answer: Answer, object: &Object) -> Answer {
    let length = object.content.len().to_string();
    let answer = answer
        .with("etag", object.etag())
        .with("x-goog-generation", object.generation.to_string())
        .with("x-goog-metageneration", "1")
        .with("x-goog-stored-content-encoding", "identity")
        .with("x-goog-stored-content-length", length);
    let sums = object.sums.headers().into_iter();
    sums.fold(answer, |answer, sum| answer.with("x-goog-hash", sum))
}

/// The first byte that is wanted and the one after the last. None is all of them: what is no range, or several, is not heeded.
fn stretch(range: &str, size: u64) -> Result<Option<(u64, u64)>, Refusal> {
    let Some((first, last)) = range
        .strip_prefix("bytes=")
        .and_then(|range| range.split_once('-'))
    else {
        return Ok(None);
    };
    let (from, end) = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(from), Ok(last)) if last < from => return Ok(None),
        (Ok(from), Ok(last)) => (from, size.min(last.saturating_add(1))),
        (Ok(from), Err(_)) if last.is_empty() => (from, size),
        (Err(_), Ok(suffix)) if first.is_empty() => (size - suffix.min(size), size),
        _ => return Ok(None),
    };
    if from >= end {
        return Err(Refusal::invalid_range(size));
    }
    Ok(Some((from, end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_to_the_object_and_refused_beyond_it() {
        assert_eq!(stretch("bytes=0-3", 10), Ok(Some((0, 4))));
        assert_eq!(stretch("bytes=4-99", 10), Ok(Some((4, 10))));
        assert_eq!(stretch("bytes=4-", 10), Ok(Some((4, 10))));
        assert_eq!(stretch("bytes=-4", 10), Ok(Some((6, 10))));
        assert_eq!(stretch("bytes=-99", 10), Ok(Some((0, 10))));
        for beyond in ["bytes=10-", "bytes=10-12", "bytes=-0"] {
            assert_eq!(stretch(beyond, 10), Err(Refusal::invalid_range(10)));
        }
        for unheeded in ["bytes=4-3", "bytes=0-1,3-4", "lines=1-2", "bytes=a-b"] {
            assert_eq!(stretch(unheeded, 10), Ok(None));
        }
    }
}
