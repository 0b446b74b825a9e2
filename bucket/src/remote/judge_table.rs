//! The table of `judge`, row by row, and that what is said helps and betrays nothing.

use super::*;
use crate::{GetError, PutError};

fn judge(kind: Kind) -> Judge {
    Judge {
        kind,
        host: "store.example".into(),
    }
}

fn refused(kind: Kind, deed: Deed, status: u16, code: &str) -> Verdict {
    let refusal = Refusal {
        status,
        host: "bucket.store.example".into(),
        code: code.into(),
        ..Refusal::default()
    };
    judge(kind).refused(deed, &refusal)
}

/// The error that a put ends with, as it is logged.
fn put_error(verdict: Verdict) -> (PutError, String) {
    let error = PutError::new("gs://b/k".into(), verdict.into_fault());
    let source = Error::source(&error).unwrap().to_string();
    (error, source)
}

fn name(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Conflict(_) => "Conflict",
        Verdict::Forbidden(Fault::Unavailable(..)) => "Forbidden",
        Verdict::Stale(Fault::Unavailable(..)) => "Stale",
        Verdict::Fault(fault) => match fault {
            Fault::Absent => "Absent",
            Fault::Unavailable(..) => "Unavailable",
            Fault::Transient(..) => "Transient",
            Fault::Damaged(_) => "Damaged",
            Fault::Invalid(_) => "Invalid",
        },
        Verdict::Stale(_) | Verdict::Forbidden(_) => "not Unavailable",
    }
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table")]
fn every_answer_of_a_store_has_its_error() {
    for (status, code, expected) in [
        (301, "PermanentRedirect", "Unavailable"),
        (307, "", "Unavailable"),
        (400, "BadDigest", "Damaged"),
        (400, "InvalidDigest", "Damaged"),
        (400, "XAmzContentSHA256Mismatch", "Damaged"),
        (400, "Md5Mismatch", "Damaged"),
        (400, "MetadataTooLarge", "Invalid"),
        (400, "KeyTooLongError", "Invalid"),
        (400, "EntityTooLarge", "Invalid"),
        (400, "ExpiredToken", "Stale"),
        (400, "AuthorizationHeaderMalformed", "Unavailable"),
        (400, "UserProjectMissing", "Unavailable"),
        (400, "RequestTimeout", "Transient"),
        (400, "IncompleteBody", "Transient"),
        (400, "", "Transient"),
        (401, "AuthenticationRequired", "Stale"),
        (403, "AccessDenied", "Forbidden"),
        (403, "ExpiredToken", "Stale"),
        (403, "UserProjectAccountProblem", "Forbidden"),
        (403, "", "Forbidden"),
        (404, "NoSuchBucket", "Unavailable"),
        (404, "ContainerNotFound", "Unavailable"),
        (404, "NoSuchKey", "Absent"),
        (404, "BlobNotFound", "Absent"),
        (404, "", "Absent"),
        (405, "", "Unavailable"),
        (408, "", "Transient"),
        (409, "OperationAborted", "Conflict"),
        (409, "BlobAlreadyExists", "Conflict"),
        (409, "ContainerBeingDeleted", "Unavailable"),
        (411, "", "Invalid"),
        (412, "PreconditionFailed", "Conflict"),
        (413, "", "Invalid"),
        (416, "", "Transient"),
        (429, "SlowDown", "Transient"),
        (500, "InternalError", "Transient"),
        (501, "", "Unavailable"),
        (502, "", "Transient"),
        (503, "SlowDown", "Transient"),
        (504, "", "Transient"),
        (507, "", "Unavailable"),
    ] {
        for kind in [Kind::Google, Kind::Amazon, Kind::Azure] {
            let verdict = refused(kind, Deed::Put, status, code);
            assert_eq!(
                name(&verdict),
                expected,
                "{kind:?}: {status} {code}: {verdict:?}"
            );
        }
    }
}

#[test]
fn a_missing_right_is_named_with_the_role_that_has_it() {
    for (kind, deed, words) in [
        (
            Kind::Google,
            Deed::Put,
            ["storage.objects.create", "roles/storage.objectCreator"],
        ),
        (
            Kind::Google,
            Deed::Get,
            ["storage.objects.list", "roles/storage.objectViewer"],
        ),
        (Kind::Amazon, Deed::Put, ["s3:PutObject", "AccessDenied"]),
        (Kind::Amazon, Deed::Get, ["s3:GetObject", "s3:ListBucket"]),
        (
            Kind::Azure,
            Deed::Put,
            ["Storage Blob Data Contributor", "403"],
        ),
        (Kind::Azure, Deed::List, ["Storage Blob Data Reader", "403"]),
    ] {
        let (_, said) = put_error(refused(kind, deed, 403, "AccessDenied"));
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
        assert!(
            said.starts_with("bucket.store.example answered 403 AccessDenied"),
            "{said}"
        );
    }
}

#[test]
fn other_refusals_say_what_to_do_too() {
    let region = Refusal {
        status: 301,
        host: "store.example".into(),
        code: "PermanentRedirect".into(),
        region: "eu-central-1".into(),
        ..Refusal::default()
    };
    let (_, said) = put_error(judge(Kind::Amazon).refused(Deed::Put, &region));
    assert!(
        said.contains("--bucket-option region=eu-central-1"),
        "{said}"
    );
    for (status, code, words) in [
        (401, "", "check the credentials: AWS_ACCESS_KEY_ID"),
        (403, "RequestTimeTooSkewed", "clock"),
        (403, "SignatureDoesNotMatch", "credentials"),
        (404, "NoSuchBucket", "make the bucket"),
        (405, "", "endpoint"),
        (507, "", "no room"),
    ] {
        let (_, said) = put_error(refused(Kind::Amazon, Deed::Put, status, code));
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn whatever_gives_tokens_makes_everything_unavailable_when_it_fails() {
    for status in [400, 403, 404, 429, 500, 503] {
        let refusal = Refusal {
            status,
            host: "sts.example".into(),
            retry_after: Some(std::time::Duration::from_secs(3)),
            ..Refusal::default()
        };
        let verdict = judge(Kind::Amazon).refused(Deed::Put, &refusal);
        let (error, said) = put_error(verdict);
        assert!(
            matches!(error, PutError::Unavailable { .. }),
            "{status}: {error:?}"
        );
        assert_eq!(error.retry_after(), Some(std::time::Duration::from_secs(3)));
        assert!(said.contains("credentials"), "{said}");
    }
}

#[test]
fn no_connection_is_an_outage_and_no_answer_is_not() {
    let broken = |kind, host: &str| {
        let http = HttpError::new(kind, std::io::Error::other("os says no"));
        let error = object_store::Error::Generic {
            store: "S3",
            source: http.into(),
        };
        let verdict = judge(Kind::Amazon).broken(Deed::Get, &error, host);
        GetError::new("s3://b/k".into(), verdict.into_fault())
    };
    let refused = broken(HttpErrorKind::Connect, "store.example");
    assert!(
        matches!(refused, GetError::Unavailable { .. }),
        "{refused:?}"
    );
    let said = Error::source(&refused).unwrap().to_string();
    assert_eq!(
        said,
        "cannot connect to store.example: os says no; check the endpoint, the network and the name's resolution"
    );
    let nobody = broken(HttpErrorKind::Connect, "169.254.169.254");
    let said = Error::source(&nobody).unwrap().to_string();
    assert!(said.contains("none are configured"), "{said}");
    for kind in [
        HttpErrorKind::Timeout,
        HttpErrorKind::Interrupted,
        HttpErrorKind::Request,
        HttpErrorKind::Unknown,
    ] {
        let lost = broken(kind, "store.example");
        assert!(
            matches!(lost, GetError::Transient { .. }),
            "{kind:?}: {lost:?}"
        );
    }
}
