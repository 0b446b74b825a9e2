//! The settings of each stream and consumer, and the reasons for them.

use std::{collections::HashMap, time::Duration};

use async_nats::jetstream::{
    consumer::{self, AckPolicy},
    stream::{Config, DiscardPolicy, RetentionPolicy, StorageType},
};

use super::SCHEMA;
use crate::{Prefix, Stage, Stream};

/// The metadata key that holds the schema number.
pub(super) const SCHEMA_KEY: &str = "crispy-schema";

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const GIB: i64 = 1 << 30;
const MIB: i64 = 1 << 20;

/// The size limit of a stream on a server with room for all of them: about 20 million descriptors,
/// and three days of uploads in proportion.
pub(super) fn wanted_bytes(stream: Stream) -> i64 {
    match stream {
        Stream::Chunks => 8 * GIB,
        Stream::Uploaded => 16 * GIB,
        Stream::Inspected | Stream::Dead => 4 * GIB,
        Stream::Events => GIB,
        Stream::Spools => 64 * MIB,
        Stream::CrashMarks => 16 * MIB,
    }
}

/// The settings of `stream` with `replicas` copies and a limit of `max_bytes`.
pub(super) fn config(stream: Stream, prefix: &Prefix, replicas: u8, max_bytes: i64) -> Config {
    let common = common(stream, prefix, replicas, max_bytes);
    let describe = |text: &str| Some(text.to_owned());
    match stream {
        Stream::Chunks => Config {
            description: describe("work: chunks and run states to be uploaded"),
            retention: RetentionPolicy::WorkQueue,
            // A full queue pushes back and drops nothing.
            discard: DiscardPolicy::New,
            duplicate_window: Duration::from_secs(120),
            // A descriptor has 300 to 1000 bytes. A larger message is not one.
            max_message_size: 64 * 1024,
            ..common
        },
        Stream::Uploaded => Config {
            description: describe("chunks that are in the bucket"),
            max_age: 72 * HOUR,
            duplicate_window: Duration::from_secs(600),
            ..common
        },
        Stream::Inspected => Config {
            description: describe("inspections of uploaded chunks"),
            max_age: 72 * HOUR,
            duplicate_window: Duration::from_secs(120),
            ..common
        },
        Stream::Events => Config {
            description: describe("events of cameras"),
            max_age: 30 * DAY,
            duplicate_window: Duration::from_secs(120),
            ..common
        },
        Stream::Dead => Config {
            description: describe("dead letters"),
            max_age: 30 * DAY,
            // Long, since a dead letter is sent again whenever its term was lost. They are few.
            duplicate_window: HOUR,
            ..common
        },
        Stream::Spools => Config {
            description: describe("addresses of spools"),
            discard: DiscardPolicy::New,
            ..bucket(common)
        },
        // Discards old marks: a mark that cannot be written would hold up its message. A lost mark
        // only lets one more crash happen.
        Stream::CrashMarks => Config {
            description: describe("marks of messages that may crash their workers"),
            max_age: DAY,
            ..bucket(common)
        },
    }
}

/// The server's own settings of a key-value bucket with a history of one, which `nats kv` can read.
fn bucket(common: Config) -> Config {
    Config {
        duplicate_window: Duration::from_secs(120),
        max_messages_per_subject: 1,
        allow_rollup: true,
        deny_delete: true,
        allow_direct: true,
        ..common
    }
}

/// The settings that all streams share.
fn common(stream: Stream, prefix: &Prefix, replicas: u8, max_bytes: i64) -> Config {
    Config {
        name: stream.name(prefix),
        subjects: stream.subjects(prefix),
        storage: StorageType::File,
        num_replicas: usize::from(replicas),
        max_bytes,
        // Never a limit in messages beside the one in bytes: with both, a full stream was seen to
        // drop messages silently (nats-server #4771).
        max_messages: -1,
        max_messages_per_subject: -1,
        max_consumers: -1,
        max_message_size: -1,
        metadata: HashMap::from([(SCHEMA_KEY.to_owned(), SCHEMA.to_string())]),
        ..Config::default()
    }
}

/// The settings of the consumer that all workers of `stage` share.
pub(crate) fn stage_consumer(stage: Stage) -> consumer::Config {
    consumer::Config {
        durable_name: Some(stage.as_str().to_owned()),
        name: Some(stage.as_str().to_owned()),
        description: Some(format!("work of every {stage}")),
        ack_policy: AckPolicy::Explicit,
        // The time that the work of a crashed worker waits for another. Live workers extend it.
        ack_wait: match stage {
            Stage::Uploader => Duration::from_secs(30),
            Stage::Inspector => Duration::from_secs(60),
        },
        // Workers decide on dead letters: a message over the server's limit would stay in a work
        // queue without being delivered to anyone.
        max_deliver: -1,
        // A message with a delayed nak keeps its slot. Measured: 4096 slots full of one dead host's
        // work stopped every worker.
        max_ack_pending: 100_000,
        // Open pull requests of all workers together; a worker has at most one for each permit.
        max_waiting: 2048,
        ..consumer::Config::default()
    }
}
