//! What differs between the streams there are and the streams there should be. Pure.

use std::fmt;

use async_nats::jetstream::{consumer, stream};

use super::{SCHEMA, streams::SCHEMA_KEY};

/// One thing that setting up does. Printed as one line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// A stream is made.
    CreateStream {
        /// Its name on the server.
        stream: String,
        /// Copies.
        replicas: usize,
        /// Its limit, in bytes.
        max_bytes: i64,
    },
    /// A setting of a stream is changed.
    AlterStream {
        /// Its name on the server.
        stream: String,
        /// The setting, as the server calls it.
        setting: &'static str,
        /// What it is.
        from: String,
        /// What it shall be.
        to: String,
    },
    /// A durable consumer is made.
    CreateConsumer {
        /// The stream's name on the server.
        stream: String,
        /// The consumer's name.
        consumer: String,
    },
    /// A setting of a durable consumer is changed.
    AlterConsumer {
        /// The stream's name on the server.
        stream: String,
        /// The consumer's name.
        consumer: String,
        /// The setting, as the server calls it.
        setting: &'static str,
        /// What it is.
        from: String,
        /// What it shall be.
        to: String,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateStream {
                stream,
                replicas,
                max_bytes,
            } => write!(
                f,
                "create stream {stream}: {} at most, {replicas} replica{}",
                bytes(*max_bytes),
                if *replicas == 1 { "" } else { "s" }
            ),
            Self::AlterStream {
                stream,
                setting,
                from,
                to,
            } => write!(f, "change stream {stream}: {setting} from {from} to {to}"),
            Self::CreateConsumer { stream, consumer } => {
                write!(f, "create consumer {consumer} of stream {stream}")
            }
            Self::AlterConsumer {
                stream,
                consumer,
                setting,
                from,
                to,
            } => write!(
                f,
                "change consumer {consumer} of stream {stream}: {setting} from {from} to {to}"
            ),
        }
    }
}

/// A limit as one reads it; exact, for limits are whole MiB unless somebody has tuned them.
fn bytes(limit: i64) -> String {
    match limit {
        ..=-1 => "no limit".to_owned(),
        _ if limit % (1 << 30) == 0 => format!("{} GiB", limit >> 30),
        _ if limit % (1 << 20) == 0 => format!("{} MiB", limit >> 20),
        _ => format!("{limit} bytes"),
    }
}

/// The setting's name, what it is, what it shall be.
pub(super) type Difference = (&'static str, String, String);

/// Takes `wanted`'s settings over into `config` and says which differ.
///
/// Limits are the operator's to tune: once a stream stands they are only touched with `force`. A stream of a newer schema is left alone.
pub(super) fn align_stream(
    config: &mut stream::Config,
    wanted: &stream::Config,
    force: bool,
) -> Vec<Difference> {
    let mut differences = Vec::new();
    let schema = schema(config);
    if schema > SCHEMA {
        return differences;
    }
    let mut set = Setter(&mut differences);
    set.take("subjects", &mut config.subjects, &wanted.subjects);
    set.take("retention", &mut config.retention, &wanted.retention);
    set.take("discard", &mut config.discard, &wanted.discard);
    set.take(
        "num_replicas",
        &mut config.num_replicas,
        &wanted.num_replicas,
    );
    set.take(
        "allow_direct",
        &mut config.allow_direct,
        &wanted.allow_direct,
    );
    set.take(
        "allow_rollup_hdrs",
        &mut config.allow_rollup,
        &wanted.allow_rollup,
    );
    if force {
        set.take_bytes("max_bytes", &mut config.max_bytes, wanted.max_bytes);
        set.take("max_age", &mut config.max_age, &wanted.max_age);
        set.take(
            "max_msg_size",
            &mut config.max_message_size,
            &wanted.max_message_size,
        );
        set.take(
            "duplicate_window",
            &mut config.duplicate_window,
            &wanted.duplicate_window,
        );
        set.take("max_msgs", &mut config.max_messages, &wanted.max_messages);
        set.take(
            "max_msgs_per_subject",
            &mut config.max_messages_per_subject,
            &wanted.max_messages_per_subject,
        );
    }
    if schema < SCHEMA {
        let text = SCHEMA.to_string();
        let from = config.metadata.insert(SCHEMA_KEY.to_owned(), text.clone());
        differences.push((SCHEMA_KEY, from.unwrap_or_else(|| "none".to_owned()), text));
    }
    differences
}

/// The schema number of a stream; 0 where it has none.
fn schema(config: &stream::Config) -> u32 {
    let number = config.metadata.get(SCHEMA_KEY);
    number.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// As [`align_stream`], for a durable. Its limits are the operator's too.
pub(super) fn align_consumer(
    config: &mut consumer::Config,
    wanted: &consumer::Config,
    force: bool,
) -> Vec<Difference> {
    let mut differences = Vec::new();
    let mut set = Setter(&mut differences);
    set.take("max_deliver", &mut config.max_deliver, &wanted.max_deliver);
    set.take("backoff", &mut config.backoff, &wanted.backoff);
    if force {
        set.take("ack_wait", &mut config.ack_wait, &wanted.ack_wait);
        set.take(
            "max_ack_pending",
            &mut config.max_ack_pending,
            &wanted.max_ack_pending,
        );
    }
    differences
}

struct Setter<'a>(&'a mut Vec<Difference>);

impl Setter<'_> {
    fn take<T: Clone + PartialEq + fmt::Debug>(
        &mut self,
        setting: &'static str,
        is: &mut T,
        shall: &T,
    ) {
        if is != shall {
            self.0
                .push((setting, format!("{is:?}"), format!("{shall:?}")));
            *is = shall.clone();
        }
    }

    fn take_bytes(&mut self, setting: &'static str, is: &mut i64, shall: i64) {
        if *is != shall {
            self.0.push((setting, bytes(*is), bytes(shall)));
            *is = shall;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Prefix, Stream, topology::streams};

    fn config(max_bytes: i64) -> stream::Config {
        streams::config(Stream::Chunks, &Prefix::default(), 1, max_bytes)
    }

    fn align(is: &mut stream::Config, force: bool) -> Vec<&'static str> {
        let differences = align_stream(is, &config(10), force);
        differences
            .into_iter()
            .map(|(setting, ..)| setting)
            .collect()
    }

    #[test]
    fn what_is_as_it_should_be_is_left_alone() {
        let mut is = config(10);
        assert!(align(&mut is, true).is_empty());
        assert_eq!(is, config(10));
    }

    #[test]
    fn tuned_limits_are_kept_unless_forced() {
        let mut is = config(17);
        assert!(align(&mut is, false).is_empty());
        assert_eq!(is.max_bytes, 17);
        assert_eq!(align(&mut is, true), ["max_bytes"]);
        assert_eq!(is.max_bytes, 10);
    }

    #[test]
    fn settings_that_promises_rest_on_are_mended() {
        let mut is = config(10);
        is.discard = stream::DiscardPolicy::Old;
        is.subjects.pop();
        assert_eq!(align(&mut is, false), ["subjects", "discard"]);
        assert_eq!(is, config(10));
    }

    #[test]
    fn the_schema_number_is_raised_and_never_lowered() {
        let mut is = config(10);
        is.metadata.clear();
        assert_eq!(align(&mut is, false), [SCHEMA_KEY]);
        let newer = (SCHEMA + 1).to_string();
        is.metadata.insert(SCHEMA_KEY.to_owned(), newer.clone());
        is.discard = stream::DiscardPolicy::Old;
        assert!(align(&mut is, true).is_empty());
        assert_eq!(is.metadata[SCHEMA_KEY], newer);
    }
}
