//! Every metric of the system, in one table. `docs/metrics.md` shows it to users; a test compares
//! the two.
//!
//! Names, units and attributes follow OpenTelemetry's conventions, and its own metrics are used
//! where they exist (`messaging.*`, `process.*`). Values of attributes are bounded: a site has tens
//! or hundreds of cameras, a queue two stages. Chunks, objects and runs are unbounded and belong
//! into logs and traces.

use crate::{Counter, Gauge, Histogram, Kind, Row};

/// Attribute: the site's name.
pub const SITE: &str = "site";
/// Attribute: the camera's name, unique within its site only.
pub const CAMERA: &str = "camera";
/// Attribute: the result, one of a few words.
pub const OUTCOME: &str = "outcome";
/// Attribute: the cause, one of a few words.
pub const REASON: &str = "reason";
/// Attribute: the stage, `uploader` or `inspector`.
pub const STAGE: &str = "stage";
/// Attribute: the stream's name.
pub const STREAM: &str = "stream";
/// Attribute: the field of a descriptor.
pub const FIELD: &str = "field";
/// Attribute: the level of a log line.
pub const LEVEL: &str = "level";

/// Histogram bounds for durations of requests, in seconds: 5 ms to 1 min.
const REQUEST: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];
/// Histogram bounds for latencies that include queues, in seconds: 50 ms, the latency of an idle
/// system, to 6 h, since an outage lasts hours.
const JOURNEY: &[f64] = &[
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0, 21600.0,
];

/// Makes an instrument of each row, and the list of all rows.
macro_rules! catalogue {
    (@new Counter $row:expr) => { Counter::new($row) };
    (@new Gauge $row:expr) => { Gauge::new($row) };
    (@new Histogram($bounds:ident) $row:expr) => { Histogram::new($row, $bounds) };
    (@kind Counter) => { Kind::Counter };
    (@kind Gauge) => { Kind::Gauge };
    (@kind Histogram($bounds:ident)) => { Kind::Histogram($bounds) };
    ($($name:ident: $kind:ident $(($bounds:ident))? = $metric:literal, $unit:literal, $about:literal, [$($attribute:ident),*];)+) => {
        $(
            #[doc = concat!("`", $metric, "`: ", $about, ".")]
            pub static $name: $kind = catalogue!(@new $kind $(($bounds))? Row {
                name: $metric,
                kind: catalogue!(@kind $kind $(($bounds))?),
                unit: $unit,
                about: $about,
                attributes: &[$($attribute),*],
            });
        )+

        /// Every row, in the order of a chunk's path.
        pub static ALL: &[&Row] = &[$(&$name.row),+];
    };
}

catalogue! {
    INGESTOR_CHUNKS: Counter = "crispy.ingestor.chunks", "{chunk}", "chunks committed to the spool", [SITE, CAMERA];
    INGESTOR_FRAMES: Counter = "crispy.ingestor.frames", "{frame}", "frames in committed chunks", [SITE, CAMERA];
    INGESTOR_IO: Counter = "crispy.ingestor.io", "By", "bytes of committed chunks", [SITE, CAMERA];
    INGESTOR_GAPS: Counter = "crispy.ingestor.gaps", "{gap}", "intervals that no chunk covers", [SITE, CAMERA];
    INGESTOR_RUNS: Counter = "crispy.ingestor.runs", "{run}", "runs begun: one for each reconnect or jump in time", [SITE, CAMERA];
    INGESTOR_DROPS: Counter = "crispy.ingestor.drops", "{chunk}", "chunks dropped from the spool without an upload, each declared: by an `operator`", [SITE, CAMERA, REASON];
    CAMERA_UP: Gauge = "crispy.camera.up", "{camera}", "1 while the camera is recorded, 0 after its source was lost; absent for a source that has ended", [SITE, CAMERA];
    CAMERA_CHUNK_AGE: Gauge = "crispy.camera.chunk.age", "s", "time since the camera's last chunk was committed, or since its source was opened", [SITE, CAMERA];
    SPOOL_USAGE: Gauge = "crispy.spool.usage", "By", "bytes of chunks that the bucket has not confirmed", [];
    SPOOL_LIMIT: Gauge = "crispy.spool.limit", "By", "bytes that the spool may hold", [];
    SPOOL_AGE: Gauge = "crispy.spool.age", "s", "age of the oldest chunk that the bucket may still confirm, without parked ones, which wait for an operator", [];
    OUTBOX_CHUNKS: Gauge = "crispy.outbox.chunks", "{chunk}", "chunks without an upload event: `waiting` or `parked`", [OUTCOME];
    QUEUE_PUBLISHED: Counter = "messaging.client.sent.messages", "{message}", "messages that a stream has confirmed", [STREAM];
    QUEUE_DELIVERED: Counter = "messaging.client.consumed.messages", "{message}", "deliveries to this worker, first ones and repeated ones", [STAGE];
    QUEUE_REDELIVERED: Counter = "crispy.queue.redelivered", "{message}", "repeated deliveries to this worker", [STAGE];
    QUEUE_SETTLED: Counter = "crispy.queue.settled", "{message}", "messages that this worker settled: `acked`, `retried`, `dead` or `handed_back`", [STAGE, OUTCOME];
    QUEUE_DEAD: Counter = "crispy.queue.dead", "{message}", "dead letters written: each waits for an operator", [STAGE];
    QUEUE_IN_FLIGHT: Gauge = "crispy.queue.in_flight", "{message}", "messages that this worker holds", [STAGE];
    QUEUE_HANDLING: Histogram(REQUEST) = "messaging.process.duration", "s", "time of one attempt", [STAGE, OUTCOME];
    QUEUE_BREAKER: Gauge = "crispy.queue.breaker.open", "{breaker}", "1 while work is paused because its destination is unavailable, else 0", [STAGE];
    QUEUE_PENDING: Gauge = "crispy.queue.pending", "{message}", "messages of the stage that were not delivered yet, reported by the server", [STAGE];
    QUEUE_UNSETTLED: Gauge = "crispy.queue.unsettled", "{message}", "messages of the stage that were delivered and not settled, reported by the server", [STAGE];
    QUEUE_DEAD_LETTERS: Gauge = "crispy.queue.letters", "{message}", "dead letters of the stage in their stream, reported by the server", [STAGE];
    STREAM_AGE: Gauge = "crispy.stream.age", "s", "age of the oldest message in the stream", [STREAM];
    STREAM_USAGE: Gauge = "crispy.stream.usage", "By", "bytes of messages in the stream", [STREAM];
    STREAM_LIMIT: Gauge = "crispy.stream.limit", "By", "bytes that the stream may hold", [STREAM];
    UPLOADER_IO: Counter = "crispy.uploader.io", "By", "bytes of objects that the bucket has stored", [];
    UPLOADER_PUT: Histogram(REQUEST) = "crispy.uploader.put.duration", "s", "time of one put: `stored`, `already_there`, `foreign`, `refused`, `damaged`, `invalid` or `away`", [OUTCOME];
    UPLOADER_RETRIES: Counter = "crispy.uploader.retries", "{attempt}", "attempts repeated at once, because the last one was `refused`, its bytes were `damaged`, or a lookup of its object failed (`look_up`)", [REASON];
    UPLOAD_LATENCY: Histogram(JOURNEY) = "crispy.upload.latency", "s", "time from the commit of a chunk to its upload event", [];
    INSPECTOR_INSPECTIONS: Counter = "crispy.inspector.inspections", "{chunk}", "chunks inspected: `agrees` or `disagrees`", [SITE, CAMERA, OUTCOME];
    INSPECTOR_DISAGREEMENTS: Counter = "crispy.inspector.disagreements", "{field}", "fields that differ between object and descriptor", [SITE, CAMERA, FIELD];
    INSPECTOR_IO: Counter = "crispy.inspector.io", "By", "bytes read back from the bucket", [];
    INSPECTION_LATENCY: Histogram(JOURNEY) = "crispy.inspection.latency", "s", "time from the commit of a chunk to its inspection event", [];
    PROCESS_CPU: Counter = "process.cpu.time", "s", "CPU time of this process, in user and system mode", [];
    PROCESS_MEMORY: Gauge = "process.memory.usage", "By", "memory of this process in RAM", [];
    PROCESS_THREADS: Gauge = "process.thread.count", "{thread}", "threads of this process", [];
    PROCESS_FILES: Gauge = "process.unix.file_descriptor.count", "{file_descriptor}", "files and sockets that this process has open", [];
    PROCESS_UPTIME: Gauge = "process.uptime", "s", "time since this process began", [];
    LOG_LINES: Counter = "crispy.log.lines", "{line}", "warnings and errors logged, including summarised ones", [LEVEL];
    TELEMETRY_LOST: Counter = "crispy.telemetry.lost", "{span}", "spans that did not reach the collector: `queue_full` or `export`", [REASON];
}

/// The table as Markdown, as `docs/metrics.md` shows it.
pub fn table() -> String {
    let mut table = String::from(
        "| name | in Prometheus | kind | unit | meaning | attributes |\n|---|---|---|---|---|---|\n",
    );
    for row in ALL {
        let kind = match row.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        let attributes: Vec<_> = row.attributes.iter().map(|a| format!("`{a}`")).collect();
        table += &format!(
            "| `{}` | `{}` | {kind} | `{}` | {} | {} |\n",
            row.name,
            row.prometheus_name(),
            row.unit,
            row.about,
            attributes.join(", ")
        );
    }
    table
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_page_of_metrics_shows_the_catalogue() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");
        let page =
            std::fs::read_to_string(path).expect("docs/metrics.md is part of the repository");
        assert!(
            page.contains(&table()),
            "docs/metrics.md must contain this table:\n{}",
            table()
        );
    }

    #[test]
    fn names_follow_conventions_and_are_unique() {
        let allowed = |name: &str| {
            name.split('.').all(|part| {
                !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
            })
        };
        for row in ALL {
            assert!(allowed(row.name), "{}", row.name);
            assert!(
                ["s", "By"].contains(&row.unit)
                    || row.unit.starts_with('{') && row.unit.ends_with('}'),
                "{} has the unit {}",
                row.name,
                row.unit
            );
        }
        let names: HashSet<_> = ALL.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), ALL.len());
    }

    #[test]
    fn attributes_are_bounded() {
        for row in ALL {
            for unbounded in ["chunk", "run", "sequence", "object", "key", "error"] {
                assert!(!row.attributes.contains(&unbounded), "{}", row.name);
            }
        }
    }
}
