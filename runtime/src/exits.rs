//! From errors of the queue to rows of the table of exit codes: is something missing, or did nobody answer? Pure.

use crate::Exit;
use crispy_fault::{DependencyId, Fault, Kind};
use crispy_jetstream::{ApiError, BindError};
use crispy_queue::{AnswersError, OverviewError, ReaderError};

/// The exit code of a failure of the queue, by its kind alone.
pub fn exit_of_queue(fault: &Fault) -> Exit {
    match fault.kind() {
        Kind::NotFound => Exit::StreamsMissing,
        Kind::Unavailable(dependency) if dependency.id == DependencyId::Queue => {
            Exit::NatsUnreachable
        }
        _ => Exit::Failure,
    }
}

/// The row of a worker that cannot begin.
pub fn exit_of_bind(error: &BindError) -> Exit {
    match error {
        BindError::MissingStream { .. } | BindError::MissingConsumer { .. } => Exit::StreamsMissing,
        BindError::Look { source, .. } => exit_of_api(source),
        _ => Exit::NatsUnreachable,
    }
}

/// The row of an owner of a spool who cannot listen for answers.
pub fn exit_of_answers(error: &AnswersError) -> Exit {
    match error {
        AnswersError::MissingStream { .. } => Exit::StreamsMissing,
        AnswersError::Durable { source, .. } => exit_of_api(source),
        AnswersError::Id { .. } | AnswersError::Malformed { .. } => Exit::Failure,
        _ => Exit::NatsUnreachable,
    }
}

/// The row of a reader of a stream that cannot be opened.
pub fn exit_of_reader(error: &ReaderError) -> Exit {
    match error {
        ReaderError::MissingStream { .. } => Exit::StreamsMissing,
        ReaderError::Consumer { source, .. } => exit_of_api(source),
        ReaderError::Malformed { .. } => Exit::Failure,
        _ => Exit::NatsUnreachable,
    }
}

/// The row of a look at the queue that failed.
pub fn exit_of_overview(error: &OverviewError) -> Exit {
    match error {
        OverviewError::Look { source, .. } => exit_of_api(source),
        OverviewError::Cameras(source) => exit_of_reader(source),
        _ => Exit::NatsUnreachable,
    }
}

fn exit_of_api(error: &ApiError) -> Exit {
    match error {
        // Without JetStream there are no streams either, and the message says what is to be enabled.
        ApiError::NoStream | ApiError::NoConsumer | ApiError::NoJetStream => Exit::StreamsMissing,
        ApiError::NoAnswer(_) => Exit::NatsUnreachable,
        // The server is there and so are the streams: only the message tells.
        _ => Exit::Failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_answer() -> ApiError {
        ApiError::NoAnswer(async_nats::jetstream::context::RequestErrorKind::TimedOut.into())
    }

    fn sources() -> [(fn() -> ApiError, Exit); 5] {
        [
            (no_answer, Exit::NatsUnreachable),
            (|| ApiError::NoStream, Exit::StreamsMissing),
            (|| ApiError::NoConsumer, Exit::StreamsMissing),
            (|| ApiError::NoJetStream, Exit::StreamsMissing),
            (|| ApiError::NoMessage, Exit::Failure),
        ]
    }

    #[test]
    fn what_is_missing_is_missing() {
        let stream = || "CRISPY_CHUNKS".to_owned();
        let exits = [
            exit_of_bind(&BindError::MissingStream { stream: stream() }),
            exit_of_bind(&BindError::MissingConsumer {
                stream: stream(),
                consumer: "uploader".into(),
            }),
            exit_of_answers(&AnswersError::MissingStream { stream: stream() }),
            exit_of_reader(&ReaderError::MissingStream { stream: stream() }),
            exit_of_queue(&Fault::not_found("stream missing")),
        ];
        assert_eq!(exits, [Exit::StreamsMissing; 5]);
    }

    #[test]
    fn a_server_that_does_not_answer_is_not_one_without_streams() {
        let stream = || "CRISPY_CHUNKS".to_owned();
        for (source, expected) in sources() {
            let exits = [
                exit_of_bind(&BindError::Look {
                    stream: stream(),
                    consumer: "uploader".into(),
                    source: source(),
                }),
                exit_of_answers(&AnswersError::Durable {
                    stream: stream(),
                    durable: "spool-x".into(),
                    source: source(),
                }),
                exit_of_reader(&ReaderError::Consumer {
                    stream: stream(),
                    source: source(),
                }),
            ];
            assert_eq!(exits, [expected; 3], "{:?}", source());
        }
    }
}
