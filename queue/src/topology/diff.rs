//! Differences between the settings on a server and ours. Pure.

use std::{fmt, time::Duration};

use async_nats::jetstream::{consumer, stream};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{SCHEMA, settings::SCHEMA_KEY};

/// One step of setting up. Printed as one line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// A stream is made.
    CreateStream {
        /// Its name on the server.
        stream: String,
        /// Number of copies.
        replicas: usize,
        /// Its limit, in bytes.
        max_bytes: i64,
    },
    /// A consumer is made.
    CreateConsumer {
        /// The stream's name on the server.
        stream: String,
        /// The consumer's name.
        consumer: String,
    },
    /// One setting of a stream or consumer is changed.
    Alter {
        /// `stream {name}` or `consumer {name} of stream {name}`.
        target: String,
        /// The setting's name on the server.
        setting: &'static str,
        /// The present value.
        from: String,
        /// The new value.
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
            } => {
                let plural = if *replicas == 1 { "" } else { "s" };
                let limit = bytes(*max_bytes);
                write!(
                    f,
                    "create stream {stream}: {limit} at most, {replicas} replica{plural}"
                )
            }
            Self::CreateConsumer { stream, consumer } => {
                write!(f, "create consumer {consumer} of stream {stream}")
            }
            Self::Alter {
                target,
                setting,
                from,
                to,
            } => write!(f, "change {target}: {setting} from {from} to {to}"),
        }
    }
}

/// A limit for people; exact, since limits are whole MiB unless an operator has tuned them.
fn bytes(limit: i64) -> String {
    match limit {
        ..=-1 => "no limit".to_owned(),
        _ if limit % (1 << 30) == 0 => format!("{} GiB", limit >> 30),
        _ if limit % (1 << 20) == 0 => format!("{} MiB", limit >> 20),
        _ => format!("{limit} bytes"),
    }
}

/// Settings that our promises rest on, by their names on the server. Always corrected.
const STREAM_SETTINGS: &[&str] = &[
    "subjects",
    "retention",
    "discard",
    "num_replicas",
    "allow_direct",
    "allow_rollup_hdrs",
];

/// Limits of an existing stream belong to its operator. Changed only with `force`.
const STREAM_LIMITS: &[&str] = &[
    "max_bytes",
    "max_age",
    "max_msg_size",
    "duplicate_window",
    "max_msgs",
    "max_msgs_per_subject",
];

const CONSUMER_SETTINGS: &[&str] = &["max_deliver", "backoff"];

const CONSUMER_LIMITS: &[&str] = &["ack_wait", "max_ack_pending"];

/// Copies our settings of a stream into `config` and returns the changes, those of its limits only
/// with `force`. A stream of a newer schema is left alone.
pub(super) fn align_stream(
    config: &mut stream::Config,
    wanted: &stream::Config,
    force: bool,
) -> Vec<Change> {
    let number = config.metadata.get(SCHEMA_KEY);
    let schema = number.and_then(|text| text.parse().ok()).unwrap_or(0);
    if schema > SCHEMA {
        return Vec::new();
    }
    let target = format!("stream {}", wanted.name);
    let mut changes = align(&target, config, wanted, STREAM_SETTINGS);
    if force {
        changes.extend(align(&target, config, wanted, STREAM_LIMITS));
    }
    if schema < SCHEMA {
        let to = SCHEMA.to_string();
        let from = config.metadata.insert(SCHEMA_KEY.to_owned(), to.clone());
        changes.push(Change::Alter {
            target,
            setting: SCHEMA_KEY,
            from: from.unwrap_or_else(|| "none".to_owned()),
            to,
        });
    }
    changes
}

/// As [`align_stream`], for the consumer that `target` describes.
pub(super) fn align_consumer(
    target: &str,
    config: &mut consumer::Config,
    wanted: &consumer::Config,
    force: bool,
) -> Vec<Change> {
    let mut changes = align(target, config, wanted, CONSUMER_SETTINGS);
    if force {
        changes.extend(align(target, config, wanted, CONSUMER_LIMITS));
    }
    changes
}

/// Copies `settings` from `wanted` into `config`, in the form in which they travel to the server.
fn align<C: Serialize + DeserializeOwned>(
    target: &str,
    config: &mut C,
    wanted: &C,
    settings: &[&'static str],
) -> Vec<Change> {
    let value = |config: &C| serde_json::to_value(config).expect("settings are JSON");
    let (mut current, wanted) = (value(config), value(wanted));
    let mut changes = Vec::new();
    for &setting in settings {
        let (from, to) = (&current[setting], &wanted[setting]);
        if from != to {
            changes.push(Change::Alter {
                target: target.to_owned(),
                setting,
                from: show(setting, from),
                to: show(setting, to),
            });
            current[setting] = to.clone();
        }
    }
    if !changes.is_empty() {
        let fields = current.as_object_mut().expect("settings are an object");
        fields.retain(|_, value| !value.is_null());
        *config = serde_json::from_value(current).expect("each field has the type of its twin");
    }
    changes
}

fn show(setting: &str, value: &Value) -> String {
    match (setting, value) {
        // Settings with their default value do not travel.
        (_, Value::Null) => "unset".to_owned(),
        ("max_bytes", value) => bytes(value.as_i64().unwrap_or_default()),
        ("max_age" | "duplicate_window" | "ack_wait", value) => {
            let nanos = value.as_u64().unwrap_or_default();
            format!("{:?}", Duration::from_nanos(nanos))
        }
        (_, Value::String(text)) => text.clone(),
        (_, other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Prefix, Stage, Stream,
        topology::settings::{self, stage_consumer},
    };

    fn config(max_bytes: i64) -> stream::Config {
        settings::config(Stream::Chunks, &Prefix::default(), 1, max_bytes)
    }

    fn align(current: &mut stream::Config, force: bool) -> Vec<&'static str> {
        let setting = |change| match change {
            Change::Alter { setting, .. } => setting,
            other => panic!("{other}"),
        };
        let changes = align_stream(current, &config(10), force);
        changes.into_iter().map(setting).collect()
    }

    #[test]
    fn equal_settings_are_left_alone() {
        let mut current = config(10);
        assert!(align(&mut current, true).is_empty());
        assert_eq!(current, config(10));
    }

    #[test]
    fn tuned_limits_are_kept_unless_forced() {
        let mut current = config(17);
        assert!(align(&mut current, false).is_empty());
        assert_eq!(current.max_bytes, 17);
        assert_eq!(align(&mut current, true), ["max_bytes"]);
        assert_eq!(current.max_bytes, 10);
    }

    #[test]
    fn settings_that_promises_rest_on_are_corrected() {
        let mut current = config(10);
        current.discard = stream::DiscardPolicy::Old;
        current.subjects.pop();
        current.allow_rollup = true;
        assert_eq!(
            align(&mut current, false),
            ["subjects", "discard", "allow_rollup_hdrs"]
        );
        assert_eq!(current, config(10));
    }

    #[test]
    fn the_schema_number_is_raised_and_never_lowered() {
        let mut current = config(10);
        current.metadata.clear();
        assert_eq!(align(&mut current, false), [SCHEMA_KEY]);
        let newer = (SCHEMA + 1).to_string();
        current
            .metadata
            .insert(SCHEMA_KEY.to_owned(), newer.clone());
        current.discard = stream::DiscardPolicy::Old;
        assert!(align(&mut current, true).is_empty());
        assert_eq!(current.metadata[SCHEMA_KEY], newer);
    }

    #[test]
    fn changed_values_are_shown_for_people() {
        let wanted = stage_consumer(Stage::Uploader);
        let mut current = consumer::Config {
            ack_wait: Duration::from_secs(5),
            max_deliver: 0,
            ..wanted.clone()
        };
        let lines: Vec<String> = align_consumer("consumer uploader", &mut current, &wanted, true)
            .iter()
            .map(Change::to_string)
            .collect();
        assert_eq!(
            lines,
            [
                "change consumer uploader: max_deliver from unset to -1",
                "change consumer uploader: ack_wait from 5s to 30s",
            ]
        );
        assert_eq!(current, wanted);
    }
}
