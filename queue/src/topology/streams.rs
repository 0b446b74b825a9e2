//! How each stream is kept, and why.

use std::{collections::HashMap, time::Duration};

use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};

use super::SCHEMA;
use crate::{Prefix, Stream};

/// The metadata key that holds the schema number.
pub(super) const SCHEMA_KEY: &str = "crispy-schema";

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const GIB: i64 = 1 << 30;
const MIB: i64 = 1 << 20;

/// How much a stream may hold on a server with room for all: about 20 million descriptors, and in proportion to that three days of uploads.
pub(super) fn wanted_bytes(stream: Stream) -> i64 {
    match stream {
        Stream::Chunks => 8 * GIB,
        Stream::Uploaded => 16 * GIB,
        Stream::Inspected | Stream::Dead => 4 * GIB,
        Stream::Events => GIB,
        Stream::Spools => 64 * MIB,
        Stream::Suspects => 16 * MIB,
    }
}

/// The settings of `stream` with `replicas` copies and room for `max_bytes`.
pub(super) fn config(stream: Stream, prefix: &Prefix, replicas: u8, max_bytes: i64) -> Config {
    let common = common(stream, prefix, replicas, max_bytes);
    let describe = |text: &str| Some(text.to_owned());
    match stream {
        Stream::Chunks => Config {
            description: describe("work: chunks and run states to be uploaded"),
            retention: RetentionPolicy::WorkQueue,
            // A full queue must push back, not forget.
            discard: DiscardPolicy::New,
            duplicate_window: Duration::from_secs(120),
            // A descriptor is 300 to 1000 bytes; what is larger is not one.
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
            description: describe("what was read back from the bucket"),
            max_age: 72 * HOUR,
            duplicate_window: Duration::from_secs(120),
            ..common
        },
        Stream::Events => Config {
            description: describe("what happened to cameras"),
            max_age: 30 * DAY,
            duplicate_window: Duration::from_secs(120),
            ..common
        },
        Stream::Dead => Config {
            description: describe("work that was given up"),
            max_age: 30 * DAY,
            // Long, because a dead letter is sent again whenever the term after it was lost, and they are few.
            duplicate_window: HOUR,
            ..common
        },
        Stream::Spools => Config {
            description: describe("where spools can be reached"),
            discard: DiscardPolicy::New,
            ..bucket(common)
        },
        // Discards the old: a mark that cannot be written would hold up its message, one that is forgotten only spares it once.
        Stream::Suspects => Config {
            description: describe("messages that may be killing their workers"),
            max_age: DAY,
            ..bucket(common)
        },
    }
}

/// As a server makes a key-value bucket with a history of one, so that `nats kv` can read it.
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

/// What all streams have in common.
fn common(stream: Stream, prefix: &Prefix, replicas: u8, max_bytes: i64) -> Config {
    Config {
        name: stream.name(prefix),
        subjects: stream.subjects(prefix),
        storage: StorageType::File,
        num_replicas: usize::from(replicas),
        max_bytes,
        // Never a limit in messages beside the one in bytes: with both, a full stream has been seen to drop silently (nats-server #4771).
        max_messages: -1,
        max_messages_per_subject: -1,
        max_consumers: -1,
        max_message_size: -1,
        metadata: HashMap::from([(SCHEMA_KEY.to_owned(), SCHEMA.to_string())]),
        ..Config::default()
    }
}
