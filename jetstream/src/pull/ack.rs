//! Parses the reply subject of a delivery. Pure.

use jiff::Timestamp;

/// The subject on which a delivery is acknowledged. The server puts facts about it into the
/// subject.
///
/// `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<published, Unix
/// ns>.<pending>`, or with `<domain>.<account>` before the stream and perhaps more at the end (NATS
/// ADR-15).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AckSubject {
    /// The stream's name on the server.
    pub stream: String,
    /// Deliveries of the message by this consumer, from 1.
    pub deliveries: u64,
    /// The message's sequence in the stream.
    pub stream_sequence: u64,
    /// The delivery's sequence in the consumer.
    pub consumer_sequence: u64,
    /// When the stream stored the message, by the server's clock.
    pub published: Timestamp,
    /// Messages that the consumer has not delivered yet.
    pub pending: u64,
}

impl AckSubject {
    /// Parses `subject`.
    pub fn parse(subject: &str) -> Option<Self> {
        let tokens: Vec<&str> = subject.strip_prefix("$JS.ACK.")?.split('.').collect();
        let tokens = match tokens.len() {
            7 => &tokens[..],
            9.. => &tokens[2..],
            _ => return None,
        };
        let number = |at: usize| tokens[at].parse::<u64>().ok();
        Some(Self {
            stream: tokens[0].to_owned(),
            deliveries: number(2)?,
            stream_sequence: number(3)?,
            consumer_sequence: number(4)?,
            published: Timestamp::from_nanosecond(tokens[5].parse().ok()?).ok()?,
            pending: number(6)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_forms_are_parsed_alike(
            deliveries: u64,
            stream_sequence: u64,
            consumer_sequence: u64,
            published in 0_i64..,
            pending: u64,
        ) {
            let facts = format!("CRISPY_CHUNKS.uploader.{deliveries}.{stream_sequence}.{consumer_sequence}.{published}.{pending}");
            let expected = Some(AckSubject {
                stream: "CRISPY_CHUNKS".into(),
                deliveries,
                stream_sequence,
                consumer_sequence,
                published: Timestamp::from_nanosecond(published.into()).unwrap(),
                pending,
            });
            prop_assert_eq!(AckSubject::parse(&format!("$JS.ACK.{facts}")), expected.clone());
            prop_assert_eq!(AckSubject::parse(&format!("$JS.ACK._.ACCHASH.{facts}")), expected.clone());
            prop_assert_eq!(AckSubject::parse(&format!("$JS.ACK.hub.ACCHASH.{facts}.random")), expected);
        }

        #[test]
        fn no_text_panics_the_parser(text in ".{0,80}") {
            let _ = AckSubject::parse(&format!("$JS.ACK.{text}"));
        }
    }
}
