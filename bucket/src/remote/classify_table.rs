//! The table of `classify`, row by row, and its hints.

use super::*;

fn classifier(provider: Provider) -> Classifier {
    Classifier {
        provider,
        host: "store.example".into(),
        url: "s3://b".into(),
    }
}

fn response(host: &str, status: u16, code: &str) -> ErrorResponse {
    ErrorResponse {
        status,
        host: host.into(),
        code: code.into(),
        ..ErrorResponse::default()
    }
}

fn classify(provider: Provider, operation: Operation, status: u16, code: &str) -> Classification {
    let response = response("bucket.store.example", status, code);
    classifier(provider).error_response(operation, &response)
}

/// The whole fault, as it is logged.
fn text(classification: Classification) -> String {
    format!("{:#}", classification.into_fault())
}

fn name(classification: &Classification) -> &'static str {
    match classification {
        Classification::Conflict(fault) if fault.is_transient() => "conflict",
        Classification::Forbidden(fault) if fault.is_unavailable() => "forbidden",
        Classification::StaleCredentials(fault) if fault.is_unavailable() => "stale",
        Classification::Fault(fault) => fault.kind().as_str(),
        _ => "of the wrong kind",
    }
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table")]
fn every_error_response_has_its_kind() {
    for (status, code, expected) in [
        (301, "PermanentRedirect", "unavailable"),
        (307, "", "unavailable"),
        (400, "BadDigest", "corrupt"),
        (400, "InvalidDigest", "corrupt"),
        (400, "XAmzContentSHA256Mismatch", "corrupt"),
        (400, "Md5Mismatch", "corrupt"),
        (400, "MetadataTooLarge", "rejected"),
        (400, "KeyTooLongError", "rejected"),
        (400, "EntityTooLarge", "rejected"),
        (400, "ExpiredToken", "stale"),
        (400, "AuthorizationHeaderMalformed", "unavailable"),
        (400, "UserProjectMissing", "unavailable"),
        (400, "RequestTimeout", "transient"),
        (400, "IncompleteBody", "transient"),
        (400, "", "transient"),
        (401, "AuthenticationRequired", "stale"),
        (403, "AccessDenied", "forbidden"),
        (403, "ExpiredToken", "stale"),
        (403, "UserProjectAccountProblem", "forbidden"),
        (403, "", "forbidden"),
        (404, "NoSuchBucket", "unavailable"),
        (404, "ContainerNotFound", "unavailable"),
        (404, "NoSuchKey", "not_found"),
        (404, "BlobNotFound", "not_found"),
        (404, "", "not_found"),
        (405, "", "unavailable"),
        (408, "", "transient"),
        (409, "OperationAborted", "conflict"),
        (409, "BlobAlreadyExists", "conflict"),
        (409, "ContainerBeingDeleted", "unavailable"),
        (411, "", "rejected"),
        (412, "PreconditionFailed", "conflict"),
        (413, "", "rejected"),
        (416, "", "transient"),
        (429, "SlowDown", "transient"),
        (500, "InternalError", "transient"),
        (501, "", "unavailable"),
        (502, "", "transient"),
        (503, "SlowDown", "transient"),
        (504, "", "transient"),
        (507, "", "unavailable"),
    ] {
        for provider in [Provider::Google, Provider::Amazon, Provider::Azure] {
            let classification = classify(provider, Operation::Put, status, code);
            assert_eq!(
                name(&classification),
                expected,
                "{provider:?}: {status} {code}: {classification:?}"
            );
        }
    }
}

#[test]
fn a_missing_right_is_named_with_its_role() {
    use Operation::{Get, List, Put};
    use Provider::{Amazon, Azure, Google};
    for (provider, operation, words) in [
        (
            Google,
            Put,
            ["storage.objects.create", "roles/storage.objectCreator"],
        ),
        (
            Google,
            Get,
            ["storage.objects.list", "roles/storage.objectViewer"],
        ),
        (Amazon, Put, ["s3:PutObject", "AccessDenied"]),
        (Amazon, Get, ["s3:GetObject", "s3:ListBucket"]),
        (Azure, Put, ["Storage Blob Data Contributor", "403"]),
        (Azure, List, ["Storage Blob Data Reader", "403"]),
    ] {
        let text = text(classify(provider, operation, 403, "AccessDenied"));
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
        let start = "bucket.store.example answered 403 AccessDenied";
        assert!(text.starts_with(start), "{text}");
    }
}

#[test]
fn error_responses_have_hints() {
    let redirect = ErrorResponse {
        region: "eu-central-1".into(),
        ..response("store.example", 301, "PermanentRedirect")
    };
    let redirect = text(classifier(Provider::Amazon).error_response(Operation::Put, &redirect));
    assert!(
        redirect.contains("--bucket-option region=eu-central-1"),
        "{redirect}"
    );
    for (status, code, words) in [
        (401, "", "check the credentials: AWS_ACCESS_KEY_ID"),
        (403, "RequestTimeTooSkewed", "clock"),
        (403, "SignatureDoesNotMatch", "credentials"),
        (404, "NoSuchBucket", "make the bucket"),
        (405, "", "endpoint"),
        (507, "", "no room"),
    ] {
        let text = text(classify(Provider::Amazon, Operation::Put, status, code));
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn every_error_of_a_token_server_is_an_outage() {
    let wait = Some(std::time::Duration::from_secs(3));
    for status in [400, 403, 404, 429, 500, 503] {
        let response = ErrorResponse {
            retry_after: wait,
            ..response("sts.example", status, "")
        };
        let classification = classifier(Provider::Amazon).error_response(Operation::Put, &response);
        let fault = classification.into_fault();
        assert!(fault.is_unavailable(), "{status}: {fault:?}");
        assert_eq!(fault.retry_after(), wait);
        assert!(fault.hint().unwrap().contains("credentials"), "{fault:?}");
    }
}

#[test]
fn a_refused_connection_is_an_outage_and_a_timeout_is_not() {
    let broken = |kind, host: &str| {
        let http = HttpError::new(kind, std::io::Error::other("os error"));
        let error = object_store::Error::Generic {
            store: "S3",
            source: http.into(),
        };
        let classifier = classifier(Provider::Amazon);
        classifier
            .no_response(Operation::Get, &error, host)
            .into_fault()
    };
    let refused = broken(HttpErrorKind::Connect, "store.example");
    assert!(refused.is_unavailable(), "{refused:?}");
    assert_eq!(
        format!("{refused:#}"),
        "connect to store.example: os error; check the endpoint, the network and the name's \
         resolution"
    );
    let no_credentials = broken(HttpErrorKind::Connect, "169.254.169.254");
    let hint = no_credentials.hint().unwrap();
    assert!(hint.contains("configure credentials"), "{hint}");
    for kind in [
        HttpErrorKind::Timeout,
        HttpErrorKind::Interrupted,
        HttpErrorKind::Request,
        HttpErrorKind::Unknown,
    ] {
        let lost = broken(kind, "store.example");
        assert!(lost.is_transient(), "{kind:?}: {lost:?}");
    }
}
