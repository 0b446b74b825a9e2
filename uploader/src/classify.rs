//! What to do about an upload that failed: the one table from errors to outcomes. Pure.
//!
//! | what happened | outcome | because |
//! |---|---|---|
//! | the descriptor cannot be filed, or has no checksum | Reject | it will not change |
//! | the object is there with other bytes | Reject | it must not be overwritten, by anybody |
//! | the bytes are gone from a spool that proved its id, and not in the bucket | Reject | nobody has them |
//! | the store calls the request invalid | Reject | it will not change |
//! | the spool is not on this host, or its disk fails | Unavailable, its owner's | other owners' chunks must flow on |
//! | the bucket is down, full, forbidden or missing | Unavailable, the bucket's | an outage, not a failure of each chunk |
//! | the bytes in the spool are damaged | Retry | a second read may differ; if not, the limit ends it |
//! | anything else | Retry | |

use queue::{Failure, PublishError};
use store::{
    bucket::{GetError, PutError},
    spool::ReadError,
};

use crate::fetch::FetchError;

/// Why a chunk, or a run's state, is not in the bucket, or is there and nobody was told.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// It cannot be filed.
    #[error("name the object")]
    Key(#[source] proto::id::KeyError),
    /// A descriptor without the checksum that everything rests on.
    #[error("the descriptor has no whole SHA-256")]
    Checksum,
    /// Its metadata does not fit an object.
    #[error("describe the object")]
    Metadata(#[source] store::bucket::MetadataError),
    /// The bytes were not found.
    #[error("fetch the chunk")]
    Fetch(#[source] FetchError),
    /// The bucket did not take it.
    #[error("store the chunk")]
    Put(#[source] PutError),
    /// The bucket did not answer whether it has it.
    #[error("ask the bucket for the chunk")]
    LookUp(#[source] GetError),
    /// Somebody else's bytes.
    #[error(
        "object {object} is there already with other bytes; it is not overwritten: find out who wrote it"
    )]
    Foreign {
        /// The object's key.
        object: String,
    },
    /// It is in the bucket, and the event is not published.
    #[error("announce the upload")]
    Announce(#[source] PublishError),
}

/// What the worker shall do.
pub fn classify(error: UploadError) -> Failure {
    match &error {
        UploadError::Key(_)
        | UploadError::Checksum
        | UploadError::Metadata(_)
        | UploadError::Foreign { .. } => Failure::reject(error),
        UploadError::Fetch(FetchError::Elsewhere { spool }) => Failure::owner(spool.clone(), error),
        UploadError::Fetch(FetchError::Read { spool, source }) => match source {
            ReadError::Unproved { .. } | ReadError::Io { .. } => {
                Failure::owner(spool.clone(), error)
            }
            ReadError::Gone { .. } | ReadError::Id(_) | ReadError::Undescribed { .. } => {
                Failure::reject(error)
            }
            _ => Failure::retry(error),
        },
        UploadError::Put(PutError::Unavailable { .. })
        | UploadError::LookUp(GetError::Unavailable { .. }) => Failure::destination(error),
        UploadError::Put(PutError::Invalid { .. })
        | UploadError::LookUp(GetError::Invalid { .. }) => Failure::reject(error),
        UploadError::Fetch(_)
        | UploadError::Put(_)
        | UploadError::LookUp(_)
        | UploadError::Announce(_) => Failure::retry(error),
    }
}

#[cfg(test)]
mod tests {
    use queue::Cause;

    use super::*;

    #[derive(Debug, PartialEq)]
    enum Outcome {
        Retry,
        Reject,
        Destination,
        Owner,
    }

    fn outcome(error: UploadError) -> Outcome {
        match classify(error) {
            Failure::Retry(_) => Outcome::Retry,
            Failure::Reject(_) => Outcome::Reject,
            Failure::Unavailable(Cause::Destination, _) => Outcome::Destination,
            Failure::Unavailable(_, _) => Outcome::Owner,
            other => panic!("{other:?} has no row"),
        }
    }

    #[test]
    #[allow(clippy::too_many_lines, reason = "a table")]
    fn every_row_of_the_table_has_its_outcome() {
        let (object, path) = (
            || "file:///b/o".to_owned(),
            || std::path::PathBuf::from("/spool/x"),
        );
        let lost = || Box::new(std::io::Error::other("lost"));
        let read = |source| {
            UploadError::Fetch(FetchError::Read {
                spool: "s".into(),
                source,
            })
        };
        let io = || std::io::Error::other("disk");
        let rows = [
            (UploadError::Checksum, Outcome::Reject),
            (
                UploadError::Key(proto::id::KeyError::NoWallClock),
                Outcome::Reject,
            ),
            (UploadError::Foreign { object: object() }, Outcome::Reject),
            (read(ReadError::Gone { path: path() }), Outcome::Reject),
            (
                UploadError::Put(PutError::Invalid {
                    object: object(),
                    source: lost(),
                }),
                Outcome::Reject,
            ),
            (
                UploadError::Fetch(FetchError::Elsewhere { spool: "s".into() }),
                Outcome::Owner,
            ),
            (
                read(ReadError::Io {
                    path: path(),
                    source: io(),
                }),
                Outcome::Owner,
            ),
            (
                read(ReadError::Unproved {
                    root: path(),
                    source: io(),
                }),
                Outcome::Owner,
            ),
            (
                UploadError::Put(PutError::Unavailable {
                    object: object(),
                    source: lost(),
                    retry_after: None,
                }),
                Outcome::Destination,
            ),
            (
                UploadError::LookUp(GetError::Unavailable {
                    object: object(),
                    source: lost(),
                    retry_after: None,
                }),
                Outcome::Destination,
            ),
            (read(ReadError::Damaged { path: path() }), Outcome::Retry),
            (
                UploadError::Put(PutError::Transient {
                    object: object(),
                    source: lost(),
                    retry_after: None,
                }),
                Outcome::Retry,
            ),
            (
                UploadError::LookUp(GetError::Transient {
                    object: object(),
                    source: lost(),
                    retry_after: None,
                }),
                Outcome::Retry,
            ),
            (UploadError::Fetch(FetchError::Interrupted), Outcome::Retry),
            (UploadError::Announce(PublishError::Closed), Outcome::Retry),
        ];
        for (error, expected) in rows {
            let said = error.to_string();
            assert_eq!(outcome(error), expected, "{said}");
        }
    }
}
