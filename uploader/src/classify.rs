//! What to do about an upload that failed: the one table from errors to outcomes. Pure.
//!
//! | what happened | outcome | because |
//! |---|---|---|
//! | the descriptor cannot be filed, or has no checksum | Reject | it will not change |
//! | the object is there with other bytes | Reject | it must not be overwritten, by anybody |
//! | the bytes are gone from a spool that proved its id, and not in the bucket | Reject | nobody has them |
//! | the store calls the request invalid | Reject | it will not change |
//! | the spool is not on this host, or its disk fails | Unavailable, its owner's | other owners' chunks must flow on |
//! | the bucket is full, forbidden, missing or out of reach | Unavailable, the bucket's | an outage, not a failure of each chunk |
//! | the bucket does not answer a put, nor a question | Unavailable, the bucket's | the same |
//! | the store failed this once: 408, 429, 5xx, no answer, a broken connection | three more attempts, then the bucket is asked | see below |
//! | the store refused the bytes by their checksum | the same, with the bytes read again | they were damaged on their way |
//! | the bytes in the spool are damaged | Retry | a second read may differ; if not, the limit ends it |
//! | anything else | Retry | |
//!
//! A store that answers 500 may be down, and may have trouble with this one chunk. Asked whether such an object can be written it knows: if not, it is an
//! outage, and no attempt of any chunk is spent on it; if so, it is the chunk's own trouble and counted, so that one that never works cannot stop
//! the others for ever.

use std::time::Duration;

use crispy_bucket::{GetError, PutError};
use crispy_jetstream::{Backoff, Failure, PublishError};
use crispy_spool::ReadError;

use crate::{destination::Absence, fetch::FetchError};

/// Attempts after the first one, before a message is handed back: what passes within seconds need not cost a delivery.
const IN_PLACE: u32 = 3;

/// The pauses between them.
const PAUSES: Backoff = Backoff {
    first: Duration::from_millis(200),
    longest: Duration::from_secs(2),
};

/// The longest `Retry-After` that is waited for with the chunk in hand. Who asks for more gets it from the worker, which has its hands free meanwhile.
const WAITED_FOR: Duration = Duration::from_secs(10);

/// Why a chunk, or a run's state, is not in the bucket, or is there and nobody was told.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// It cannot be filed.
    #[error("name the object")]
    Key(#[source] crispy_proto::id::KeyError),
    /// A descriptor without the checksum that everything rests on.
    #[error("the descriptor has no whole SHA-256")]
    Checksum,
    /// Its metadata does not fit an object.
    #[error("describe the object")]
    Metadata(#[source] crispy_bucket::MetadataError),
    /// The bytes were not found.
    #[error("fetch the chunk")]
    Fetch(#[source] FetchError),
    /// The bucket did not take it.
    #[error("store the chunk")]
    Put(#[source] PutError),
    /// The bucket did not answer whether it has it.
    #[error("ask the bucket for the chunk")]
    LookUp(#[source] GetError),
    /// The bucket was silent, and then did not answer well whether it is there.
    #[error("wait for the bucket's answer")]
    Away(#[source] Absence),
    /// Every attempt failed, and then the bucket did not answer well whether it is there.
    #[error("{absence}, after other attempts had failed")]
    Outage {
        /// What came of the question.
        absence: Absence,
        /// The last of the attempts.
        source: Box<UploadError>,
    },
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

impl UploadError {
    /// This error was the last of several, and the bucket is away.
    pub(crate) fn outage(self, absence: Absence) -> Self {
        let source = Box::new(self);
        Self::Outage { absence, source }
    }
}

/// What an error says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It will not change.
    Reject,
    /// The bucket is away.
    Destination,
    /// The owner of this spool is away.
    Owner(String),
    /// This message's own trouble.
    Own,
    /// The bucket's trouble or the object's: nobody can tell yet. It asks to be left alone for so long.
    Doubtful(Duration),
    /// The bytes did not arrive as they were sent.
    Damaged,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The same again after a pause; `anew` with its bytes read again.
    Again {
        /// How long.
        pause: Duration,
        /// Whether the bytes that are in hand are not to be trusted.
        anew: bool,
    },
    /// The bucket is asked whether it is there.
    Ask,
    /// The error stands as it is.
    Settle,
}

impl Verdict {
    /// The table.
    pub fn on(error: &UploadError) -> Self {
        match error {
            UploadError::Key(_)
            | UploadError::Checksum
            | UploadError::Metadata(_)
            | UploadError::Foreign { .. }
            | UploadError::Put(PutError::Invalid { .. })
            | UploadError::LookUp(GetError::Invalid { .. }) => Self::Reject,
            UploadError::Fetch(error) => Self::on_fetch(error),
            UploadError::Put(PutError::Unavailable { .. })
            | UploadError::LookUp(GetError::Unavailable { .. })
            | UploadError::Away(_)
            | UploadError::Outage { .. } => Self::Destination,
            UploadError::Put(PutError::Damaged { .. }) => Self::Damaged,
            UploadError::Put(error) => Self::Doubtful(error.retry_after().unwrap_or_default()),
            UploadError::LookUp(error) => Self::Doubtful(error.retry_after().unwrap_or_default()),
            UploadError::Announce(_) => Self::Own,
        }
    }

    fn on_fetch(error: &FetchError) -> Self {
        match error {
            FetchError::Elsewhere { spool }
            | FetchError::Read {
                spool,
                source: ReadError::Unproved { .. } | ReadError::Io { .. },
            } => Self::Owner(spool.clone()),
            FetchError::Read {
                source: ReadError::Gone { .. } | ReadError::Id(_) | ReadError::Undescribed { .. },
                ..
            } => Self::Reject,
            FetchError::Read { .. } | FetchError::Interrupted => Self::Own,
        }
    }

    /// What comes after failure number `failed` (from 1), given a `random` number in [0, 1).
    pub fn step(&self, failed: u32, random: f64) -> Step {
        let (wished, anew) = match self {
            Self::Doubtful(wished) => (*wished, false),
            Self::Damaged => (Duration::ZERO, true),
            Self::Reject | Self::Destination | Self::Owner(_) | Self::Own => return Step::Settle,
        };
        if failed > IN_PLACE || wished > WAITED_FOR {
            return Step::Ask;
        }
        // Both, since all who were told the same time would come at the same time.
        let pause = wished + PAUSES.pause(failed, random);
        Step::Again { pause, anew }
    }
}

/// What the worker shall do. A doubtful error that comes this far is the message's own: the bucket has said that it is well.
pub fn classify(error: UploadError) -> Failure {
    match Verdict::on(&error) {
        Verdict::Reject => Failure::reject(error),
        Verdict::Destination => Failure::destination(error),
        Verdict::Owner(spool) => Failure::owner(spool, error),
        Verdict::Own | Verdict::Damaged => Failure::retry(error),
        Verdict::Doubtful(wished) => Failure::retry_after(wished, error),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use crispy_jetstream::Cause;
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, PartialEq)]
    enum Outcome {
        Retry,
        RetryAfter(u64),
        Reject,
        Destination,
        Owner,
    }

    fn outcome(error: UploadError) -> Outcome {
        match classify(error) {
            Failure::Retry(_) => Outcome::Retry,
            Failure::RetryAfter(pause, _) => Outcome::RetryAfter(pause.as_secs()),
            Failure::Reject(_) => Outcome::Reject,
            Failure::Unavailable(Cause::Destination, _) => Outcome::Destination,
            Failure::Unavailable(_, _) => Outcome::Owner,
            other => panic!("{other:?} has no row"),
        }
    }

    fn object() -> String {
        "gs://b/o".to_owned()
    }

    fn lost() -> Box<std::io::Error> {
        Box::new(std::io::Error::other("lost"))
    }

    fn seconds(wished: u64) -> Option<Duration> {
        (wished > 0).then(|| Duration::from_secs(wished))
    }

    fn transient(wished: u64) -> UploadError {
        UploadError::Put(PutError::Transient {
            object: object(),
            source: lost(),
            retry_after: seconds(wished),
        })
    }

    fn unavailable() -> PutError {
        PutError::Unavailable {
            object: object(),
            source: lost(),
            retry_after: seconds(60),
        }
    }

    fn damaged() -> UploadError {
        UploadError::Put(PutError::Damaged {
            object: object(),
            source: lost(),
        })
    }

    fn invalid() -> PutError {
        PutError::Invalid {
            object: object(),
            source: lost(),
        }
    }

    fn read(source: ReadError) -> UploadError {
        UploadError::Fetch(FetchError::Read {
            spool: "s".into(),
            source,
        })
    }

    #[test]
    fn what_says_all_has_its_outcome_at_once() {
        let path = || PathBuf::from("/spool/x");
        let io = || std::io::Error::other("disk");
        let key = crispy_proto::id::KeyError::NoWallClock;
        let too_long = crispy_bucket::Metadata::new().insert("codec", "x".repeat(9000));
        let elsewhere = FetchError::Elsewhere { spool: "s".into() };
        let get_invalid = GetError::Invalid {
            object: object(),
            source: lost(),
        };
        let get_away = GetError::Unavailable {
            object: object(),
            source: lost(),
            retry_after: None,
        };
        let unproved = ReadError::Unproved {
            root: path(),
            source: io(),
        };
        let rows = [
            (UploadError::Checksum, Outcome::Reject),
            (UploadError::Key(key), Outcome::Reject),
            (
                UploadError::Metadata(too_long.unwrap_err()),
                Outcome::Reject,
            ),
            (UploadError::Foreign { object: object() }, Outcome::Reject),
            (read(ReadError::Gone { path: path() }), Outcome::Reject),
            (UploadError::Put(invalid()), Outcome::Reject),
            (UploadError::LookUp(get_invalid), Outcome::Reject),
            (UploadError::Fetch(elsewhere), Outcome::Owner),
            (
                read(ReadError::Io {
                    path: path(),
                    source: io(),
                }),
                Outcome::Owner,
            ),
            (read(unproved), Outcome::Owner),
            (UploadError::Put(unavailable()), Outcome::Destination),
            (UploadError::LookUp(get_away), Outcome::Destination),
            (UploadError::Away(Absence::Silent), Outcome::Destination),
            (read(ReadError::Damaged { path: path() }), Outcome::Retry),
            (UploadError::Fetch(FetchError::Interrupted), Outcome::Retry),
            (UploadError::Announce(PublishError::Closed), Outcome::Retry),
        ];
        for (error, expected) in rows {
            let said = error.to_string();
            assert_eq!(Verdict::on(&error).step(1, 0.5), Step::Settle, "{said}");
            assert_eq!(outcome(error), expected, "{said}");
        }
    }

    #[test]
    fn what_passes_is_tried_again_and_then_the_bucket_is_asked_whose_trouble_it_is() {
        let get = UploadError::LookUp(GetError::Transient {
            object: object(),
            source: lost(),
            retry_after: None,
        });
        for (error, fetched_anew) in [(transient(0), false), (get, false), (damaged(), true)] {
            let said = error.to_string();
            for failed in 1..=IN_PLACE {
                match Verdict::on(&error).step(failed, 0.5) {
                    Step::Again { pause, anew } => {
                        assert_eq!(anew, fetched_anew, "{said}");
                        assert!(pause <= PAUSES.longest, "{said}: {pause:?}");
                    }
                    other => panic!("{said}, failure {failed}: {other:?}"),
                }
            }
            assert_eq!(Verdict::on(&error).step(IN_PLACE + 1, 0.5), Step::Ask);
        }
    }

    #[test]
    fn what_the_bucket_says_decides_whether_an_attempt_is_spent() {
        assert_eq!(outcome(transient(0)), Outcome::RetryAfter(0));
        assert_eq!(outcome(transient(45)), Outcome::RetryAfter(45));
        assert_eq!(outcome(damaged()), Outcome::Retry);
        for error in [transient(0), transient(45), damaged()] {
            let absence = Absence::Refused(unavailable());
            assert_eq!(outcome(error.outage(absence)), Outcome::Destination);
        }
    }

    proptest! {
        #[test]
        fn nobody_comes_back_sooner_than_asked_nor_waits_for_long_with_a_chunk_in_hand(
            wished in 0..100_u64, failed in 1..9_u32, random in 0.0..1.0,
        ) {
            let asked = Duration::from_secs(wished);
            match Verdict::on(&transient(wished)).step(failed, random) {
                Step::Again { pause, .. } => {
                    prop_assert!(failed <= IN_PLACE);
                    prop_assert!(pause >= asked && pause <= WAITED_FOR + PAUSES.longest);
                }
                step => {
                    prop_assert_eq!(step, Step::Ask);
                    prop_assert!(failed > IN_PLACE || asked > WAITED_FOR);
                }
            }
        }
    }
}
