//! What an answer of a store means: the one table from refusals and broken connections to faults. Pure.
//!
//! | answer | fault | because |
//! |---|---|---|
//! | 404 of an object | Absent | |
//! | 404 of a bucket or container | Unavailable | it is missing for every object |
//! | 401, 403, any 3xx, 405, 501, 507 | Unavailable | rights, endpoint, room: true of every object, and for a person to mend |
//! | 400 about credentials, region, payer or clock | Unavailable | the same, in other words |
//! | anything from where tokens come from | Unavailable | without a token nothing goes |
//! | no connection | Unavailable | |
//! | 403 of a put | Forbidden, Unavailable if nothing is there | something may be there that is not to be overwritten |
//! | 409, 412 | Conflict | somebody was faster: look what is there |
//! | 400 about a checksum | Damaged | the bytes changed on their way |
//! | 400 about size, key or metadata, 411, 413, 414 | Invalid | it will not change |
//! | 408, 429, 5xx, no answer, a broken connection, any other 400 | Transient | this once |

use std::error::Error;

use object_store::client::{HttpError, HttpErrorKind};

use super::{
    super::{fault::Fault, location::Kind},
    advice::{Deed, advice, credentials},
    answer::{Refusal, without_secrets},
    wire::Latest,
};

/// What came of an operation on a store that failed.
#[derive(Debug)]
pub(crate) enum Verdict {
    Fault(Fault),
    /// Credentials that a new token may mend.
    Stale(Fault),
    /// Nobody may write here; or nobody may overwrite, and something is there already: Google does not say which of right and condition
    /// it looks at first.
    Forbidden(Fault),
    /// Something is there, or was a moment ago.
    Conflict(String),
}

impl Verdict {
    /// For operations that nobody can be faster in.
    pub(crate) fn into_fault(self) -> Fault {
        match self {
            Self::Fault(fault) | Self::Stale(fault) | Self::Forbidden(fault) => fault,
            Self::Conflict(words) => Fault::transient(words),
        }
    }
}

/// A refusal in words, with what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Said(String);

/// Where requests about objects go, as opposed to those for tokens.
#[derive(Clone, Debug)]
pub(super) struct Judge {
    pub(super) kind: Kind,
    /// Host of the endpoint; a store may put the bucket before it.
    pub(super) host: String,
}

impl Judge {
    pub(super) fn judge(
        &self,
        deed: Deed,
        error: &object_store::Error,
        latest: &Latest,
    ) -> Verdict {
        match &latest.refusal {
            Some(refusal) => self.refused(deed, refusal),
            None => self.broken(deed, error, &latest.host),
        }
    }

    fn refused(&self, deed: Deed, refusal: &Refusal) -> Verdict {
        let said = || Said(format!("{refusal}{}", advice(self.kind, deed, refusal)));
        let wait = refusal.retry_after;
        let unavailable = || Fault::Unavailable(said().into(), wait);
        let code = refusal.code.as_str();
        if !self.is_the_store(&refusal.host) {
            let check = credentials(self.kind);
            let said = format!("{refusal}; this is where credentials come from: {check}");
            return Verdict::Fault(Fault::Unavailable(Said(said).into(), wait));
        }
        match (refusal.status, code) {
            (404, _) if is_about_the_bucket(code) => Verdict::Fault(unavailable()),
            (404, _) => Verdict::Fault(Fault::Absent),
            (409, _) if is_about_the_bucket(code) => Verdict::Fault(unavailable()),
            (409 | 412, _) => Verdict::Conflict(said().0),
            (401, _) => Verdict::Stale(unavailable()),
            (400 | 403, _) if is_stale(code) => Verdict::Stale(unavailable()),
            (400, _) if is_about_the_bytes(code) => Verdict::Fault(Fault::Damaged(said().into())),
            (400, _) if is_about_the_object(code) => Verdict::Fault(Fault::Invalid(said().into())),
            (411 | 413 | 414, _) => Verdict::Fault(Fault::Invalid(said().into())),
            (400, _) if is_about_everything(code) => Verdict::Fault(unavailable()),
            (403, _) if deed == Deed::Put => Verdict::Forbidden(unavailable()),
            (300..400 | 403 | 405 | 501 | 507, _) => Verdict::Fault(unavailable()),
            _ => Verdict::Fault(Fault::Transient(said().into(), wait)),
        }
    }

    /// There was no answer, or one that object_store does not understand.
    fn broken(&self, deed: Deed, error: &object_store::Error, host: &str) -> Verdict {
        if let Some(none) = find::<super::google::NoToken>(error) {
            let said = Said(none.to_string());
            return Verdict::Stale(Fault::unavailable(said));
        }
        let Some(http) = find::<HttpError>(error) else {
            use object_store::Error as E;
            return match error {
                // Memory says no more than this.
                E::NotFound { .. } => Verdict::Fault(Fault::Absent),
                E::AlreadyExists { .. } => Verdict::Conflict("it exists".into()),
                E::InvalidPath { .. } | E::NotSupported { .. } | E::NotImplemented { .. } => {
                    Verdict::Fault(Fault::invalid(Said(without_secrets(&error.to_string()))))
                }
                _ => Verdict::Fault(Fault::transient(Said(without_secrets(&error.to_string())))),
            };
        };
        let said = format!("{} {host}: {}", deed.asking(), innermost(http));
        Verdict::Fault(match http.kind() {
            HttpErrorKind::Connect => {
                let said = format!("cannot connect to {host}: {}", innermost(http));
                let hint = if self.is_the_store(host) {
                    "check the endpoint, the network and the name's resolution"
                } else {
                    "credentials would come from there, for none are configured (docs/buckets.md)"
                };
                Fault::unavailable(Said(format!("{said}; {hint}")))
            }
            _ => Fault::transient(Said(said)),
        })
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

/// A token, or the part of a key that lasts for an hour, is over.
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

/// The last of a chain of sources, which is what the system or the other side said; those above it have addresses in them.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    without_secrets(&last.to_string())
}

#[cfg(test)]
#[path = "judge_table.rs"]
mod table;
