//! Classification of error responses and broken connections: the one table to faults. Pure.
//!
//! | answer | kind | because |
//! |---|---|---|
//! | 404 of an object | NotFound | |
//! | 404 of a bucket or container | Unavailable | it is missing for every object |
//! | 401, 403, any 3xx, 405, 501, 507 | Unavailable | rights, endpoint, space: of every object |
//! | 400 about credentials, region, payer or clock | Unavailable | the same, in other words |
//! | any error of a token server | Unavailable | every request needs a token |
//! | no connection | Unavailable | |
//! | 403 of a put | Forbidden, Unavailable if there is no object | an object may exist |
//! | 409, 412 | Conflict | another writer was faster: look up the object |
//! | 400 about a checksum | Corrupt | the bytes changed on their way |
//! | 400 about size, key or metadata, 411, 413, 414 | Rejected | it will not change |
//! | 408, 429, 5xx, no answer, reset, other 400 | Transient | it may succeed next time |

use std::error::Error;

use crispy_fault::{Fault, Kind};
use object_store::client::{HttpError, HttpErrorKind};

use super::{
    error_response::ErrorResponse,
    hints::{Operation, credentials, hint},
};
use crate::{location::Provider, redact, request_log::LastRequest, unavailable};

/// The classification of a failed operation.
#[derive(Debug)]
pub(crate) enum Classification {
    /// The fault is final.
    Fault(Fault),
    /// The credentials are refused; fresh ones may work.
    StaleCredentials(Fault),
    /// The caller may not write; or may not overwrite an existing object: Google does not document
    /// whether it checks the right or the condition first.
    Forbidden(Fault),
    /// An object exists, or existed a moment ago. Transient, should it be gone.
    Conflict(Fault),
}

impl Classification {
    /// The fault, for operations that compete with no other.
    pub(crate) fn into_fault(self) -> Fault {
        match self {
            Self::Fault(fault)
            | Self::StaleCredentials(fault)
            | Self::Forbidden(fault)
            | Self::Conflict(fault) => fault,
        }
    }
}

/// The table, for one bucket.
#[derive(Clone, Debug)]
pub(super) struct Classifier {
    pub(super) provider: Provider,
    /// The host of requests about objects, as opposed to those for tokens. A store may prefix it
    /// with the bucket's name.
    pub(super) host: String,
    /// The bucket's URL.
    pub(super) url: String,
}

impl Classifier {
    pub(super) fn classify(
        &self,
        operation: Operation,
        error: &object_store::Error,
        last: &LastRequest,
    ) -> Classification {
        match &last.error {
            Some(response) => self.error_response(operation, response),
            None => self.no_response(operation, error, &last.host),
        }
    }

    fn error_response(&self, operation: Operation, response: &ErrorResponse) -> Classification {
        use Classification as C;
        let fault = |kind: Kind| {
            let fault = Fault::new(kind, response.to_string());
            let fault = fault.with_retry_after(response.retry_after);
            match hint(self.provider, operation, response) {
                Some(hint) => fault.with_hint(hint),
                None => fault,
            }
        };
        let transient = Kind::Transient { retry_after: None };
        if !self.is_the_store(&response.host) {
            let outage = format!("{response}, a source of credentials");
            return C::Fault(
                Fault::new(unavailable(&self.url), outage)
                    .with_retry_after(response.retry_after)
                    .with_hint(credentials(self.provider)),
            );
        }
        let code = response.code.as_str();
        let outage = || fault(unavailable(&self.url));
        match (response.status, code) {
            (404 | 409, _) if is_about_the_bucket(code) => C::Fault(outage()),
            (404, _) => C::Fault(Fault::not_found("no such object")),
            (409 | 412, _) => C::Conflict(fault(transient)),
            (401, _) => C::StaleCredentials(outage()),
            (400 | 403, _) if is_stale(code) => C::StaleCredentials(outage()),
            (400, _) if is_about_the_bytes(code) => C::Fault(fault(Kind::Corrupt)),
            (400, _) if is_about_the_object(code) => C::Fault(fault(Kind::Rejected)),
            (411 | 413 | 414, _) => C::Fault(fault(Kind::Rejected)),
            (400, _) if is_about_everything(code) => C::Fault(outage()),
            (403, _) if operation == Operation::Put => C::Forbidden(outage()),
            (300..400 | 403 | 405 | 501 | 507, _) => C::Fault(outage()),
            _ => C::Fault(fault(transient)),
        }
    }

    /// There was no answer, or one that object_store does not understand.
    fn no_response(
        &self,
        operation: Operation,
        error: &object_store::Error,
        host: &str,
    ) -> Classification {
        use Classification as C;
        if let Some(no_token) = find::<super::google::NoToken>(error) {
            let outage = Fault::new(unavailable(&self.url), no_token.to_string());
            return C::StaleCredentials(outage.with_hint(credentials(self.provider)));
        }
        let Some(http) = find::<HttpError>(error) else {
            use object_store::Error as E;
            let message = || redact::words(&error.to_string());
            return match error {
                // Memory has no better answer.
                E::NotFound { .. } => C::Fault(Fault::not_found("no such object")),
                E::AlreadyExists { .. } => C::Conflict(Fault::transient("object exists")),
                E::InvalidPath { .. } | E::NotSupported { .. } | E::NotImplemented { .. } => {
                    C::Fault(Fault::rejected(message()))
                }
                _ => C::Fault(Fault::transient(message())),
            };
        };
        let cause = innermost(http);
        if http.kind() != HttpErrorKind::Connect {
            let verb = operation.verb();
            return C::Fault(Fault::transient(format!("{verb} {host}: {cause}")));
        }
        let outage = Fault::new(
            unavailable(&self.url),
            format!("connect to {host}: {cause}"),
        );
        C::Fault(outage.with_hint(if self.is_the_store(host) {
            "check the endpoint, the network and the name's resolution"
        } else {
            "configure credentials (docs/buckets.md): there are none, and this host would have them"
        }))
    }

    fn is_the_store(&self, host: &str) -> bool {
        host == self.host
            || host
                .strip_suffix(self.host.as_str())
                .is_some_and(|bucket| bucket.ends_with('.'))
    }
}

fn is_about_the_bucket(code: &str) -> bool {
    [
        "NoSuchBucket",
        "ContainerNotFound",
        "ContainerBeingDeleted",
        "ContainerDisabled",
        "AccountIsDisabled",
        "AccountBeingCreated",
        "ResourceNotFound",
    ]
    .contains(&code)
}

/// A token, or the part of a key that is valid for an hour, has expired.
fn is_stale(code: &str) -> bool {
    [
        "ExpiredToken",
        "TokenRefreshRequired",
        "InvalidToken",
        "ExpiredTokenException",
    ]
    .contains(&code)
}

fn is_about_the_bytes(code: &str) -> bool {
    [
        "BadDigest",
        "InvalidDigest",
        "XAmzContentSHA256Mismatch",
        "XAmzContentChecksumMismatch",
        "Md5Mismatch",
        "Crc64Mismatch",
        "InvalidMd5",
    ]
    .contains(&code)
}

fn is_about_the_object(code: &str) -> bool {
    [
        "MetadataTooLarge",
        "EntityTooLarge",
        "EntityTooSmall",
        "KeyTooLongError",
        "KeyTooLong",
        "InvalidObjectName",
        "InvalidMetadata",
        "EmptyMetadataKey",
        "RequestHeaderSectionTooLarge",
        "OutOfRangeInput",
        "InvalidResourceName",
    ]
    .contains(&code)
}

fn is_about_everything(code: &str) -> bool {
    [
        "AuthorizationHeaderMalformed",
        "IllegalLocationConstraintException",
        "InvalidBucketName",
        "UserProjectMissing",
        "UserProjectInvalid",
        "InvalidSecurity",
        "InvalidAuthenticationInfo",
        "UnsupportedHeader",
    ]
    .contains(&code)
}

/// The error of this type in a chain of sources.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// The last of a chain of sources: the error of the system or the other side. Those above it
/// contain addresses.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    redact::words(&last.to_string())
}

#[cfg(test)]
#[path = "classify_table.rs"]
mod table;
