//! Log lines about chunks: their number, and their trace ids.

use std::collections::{BTreeMap, BTreeSet};

use crispy_testbed::{
    OtlpReceiver,
    gcs::{Effect, Fault},
};
use rustix::process::Signal;
use serde_json::Value;

use crate::fixture::{program::Exited, stages::Stages, until, video};

/// Chunks of the recording, by sequence: one is dead-lettered and replayed, one dead-lettered and
/// dropped, one retried until the end, one unreadable at first.
const CHUNKS: usize = 10;
const REPLAYED: u64 = 2;
const DROPPED: u64 = 4;
const REFUSED: u64 = 6;
const UNREAD: u64 = 8;

/// Log lines of the three stages, and the traces of their chunks.
struct StageLogs {
    lines: Vec<(&'static str, Value)>,
    /// By the sequence of the chunk.
    traces: BTreeMap<u64, String>,
}

impl StageLogs {
    /// Runs the stages with successes and every kind of failure.
    fn record(variables: &[(&'static str, &str)]) -> Self {
        let receiver = OtlpReceiver::start();
        let url = receiver.url();
        let mut all = vec![
            ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
            ("OTEL_BSP_SCHEDULE_DELAY", "50"),
        ];
        all.extend(variables);
        let mut stages = Stages::new(&all);
        inject_faults(&stages);
        stages.add_uploader();
        stages.add_inspector();
        stages.add_ingestor("front", &video::many(10));
        stages
            .running_mut("inspector")
            .until_stderr("message will be retried");
        until("two chunks are parked", || {
            let ingestor = stages.running("ingestor");
            ingestor.stderr_with("dead-lettered, parked").len() == 2
        });
        resolve(&stages, REPLAYED, "replay");
        resolve(&stages, DROPPED, "drop");
        for words in ["replayed by operator", "dropped by operator"] {
            stages.running_mut("ingestor").until_stderr(words);
        }
        stages
            .running_mut("uploader")
            .until_stderr("message will be retried");
        stages.bucket.clear_faults();
        let mut exited = vec![("ingestor", stages.take("ingestor").end().with_code(0))];
        let inspected =
            r#"crispy_inspector_inspections_total{camera="front",outcome="agrees",site="local"}"#;
        stages.until_value("inspector", inspected, |chunks| {
            chunks == CHUNKS as f64 - 1.0
        });
        for name in ["uploader", "inspector"] {
            stages.running(name).signal(Signal::TERM);
            exited.push((name, stages.take(name).end().with_code(0)));
        }
        Self {
            lines: exited.iter().flat_map(lines_of).collect(),
            traces: traces_by_sequence(&receiver),
        }
    }

    /// Number of a stage's lines with these words.
    fn count(&self, stage: &str, words: &str) -> usize {
        let found = self.lines.iter().filter(|(other, line)| {
            *other == stage && line["message"].as_str().unwrap_or_default().contains(words)
        });
        found.count()
    }

    /// Checks that every line about a chunk has its trace id in `trace_field`, after `prefix`, and
    /// a span id in `span_field`.
    #[track_caller]
    fn has_trace_ids(&self, trace_field: &str, prefix: &str, span_field: &str) {
        let all: BTreeSet<_> = self.traces.values().map(String::as_str).collect();
        assert_eq!(all.len(), CHUNKS);
        let mut chunks = 0;
        for (stage, line) in &self.lines {
            let chunk = line["chunk"].as_str();
            // The queue's lines name the message instead.
            let message = line["subject"].as_str();
            if chunk.is_none() && message.is_none_or(|subject| !subject.contains(".front")) {
                continue;
            }
            chunks += 1;
            let trace = line[trace_field].as_str().unwrap_or_default();
            let trace = trace.strip_prefix(prefix).unwrap_or_default();
            assert!(all.contains(trace), "{stage}: {line}");
            if let Some(chunk) = chunk {
                let sequence: u64 = chunk.rsplit('/').next().unwrap().parse().unwrap();
                assert_eq!(trace, self.traces[&sequence], "{stage}: {line}");
            }
            let span = line[span_field].as_str().unwrap_or_default();
            assert!(
                span.len() == 16 && span != "0".repeat(16),
                "{stage}: {line}"
            );
        }
        assert!(chunks > 0, "{:#?}", self.lines);
    }

    /// Checks the lines of all problems.
    #[track_caller]
    fn has_every_problem(&self) {
        for (stage, words, times) in [
            ("uploader", "message stored as dead letter", 2),
            ("ingestor", "chunk dead-lettered, parked", 2),
            ("ingestor", "dropped by operator", 1),
            ("ingestor", "chunk replayed by operator", 1),
            ("inspector", "message will be retried", 1),
        ] {
            assert_eq!(self.count(stage, words), times, "{stage}: {words}");
        }
        assert!(self.count("uploader", "message will be retried") > 0);
    }
}

fn traces_by_sequence(receiver: &OtlpReceiver) -> BTreeMap<u64, String> {
    let spans = receiver.spans().into_iter();
    let cuts = spans.filter(|span| span.name == "cut chunk");
    let pairs = cuts.map(|cut| {
        let sequence = cut.attributes["sequence"].parse();
        (sequence.unwrap(), cut.trace_id)
    });
    pairs.collect()
}

/// Injects a fault for each of these chunks.
fn inject_faults(stages: &Stages) {
    for (sequence, method, effect, times) in [
        (REPLAYED, "PUT", Effect::Status(413), 1),
        (DROPPED, "PUT", Effect::Status(413), 1),
        (REFUSED, "PUT", Effect::Status(503), usize::MAX),
        (UNREAD, "HEAD", Effect::Status(404), 1),
    ] {
        let fault = Fault::new(effect).on_method(method).times(times);
        let name = format!("-{sequence:010}.mp4");
        let fault = fault.where_key(move |key| key.ends_with(&name));
        stages.bucket.inject(fault);
    }
}

fn lines_of((stage, exited): &(&'static str, Exited)) -> Vec<(&'static str, Value)> {
    let lines = exited.stderr.iter();
    lines
        .map(|line| {
            let parsed = serde_json::from_str(line);
            (*stage, parsed.unwrap_or_else(|e| panic!("{e}: {line}")))
        })
        .collect()
}

/// Replays or drops the dead letter of one chunk.
fn resolve(stages: &Stages, sequence: u64, subcommand: &str) {
    let dead = |arguments: &[&str]| {
        let crispy = stages.fixture.program("crispy").arguments(["dead"]);
        let crispy = arguments
            .iter()
            .fold(crispy, |it, word| it.arguments([*word]));
        let crispy = crispy.flag("--nats-server", stages.server.url());
        crispy.run().with_code(0)
    };
    let letters = dead(&["list", "-o", "jsonl"]).stdout;
    let letters = letters
        .iter()
        .map(|line| -> Value { serde_json::from_str(line).unwrap() });
    let mut letters = letters.filter(|letter| letter["sequence"] == sequence);
    let letter = letters.next().expect("the chunk's letter")["number"].to_string();
    dead(&[subcommand, &letter]);
}

#[test]
fn waiting_stages_log_it_once() {
    let mut stages = Stages::start(&[]);
    stages
        .running_mut("uploader")
        .until_stderr("dependency unavailable");
    let cut = r#"crispy_ingestor_chunks_total{camera="front",site="local"}"#;
    stages.until_value("ingestor", cut, |chunks| chunks == 30.0);
    let lines = |stages: &Stages| {
        ["ingestor", "uploader", "inspector"].map(|name| stages.running(name).stderr_with("").len())
    };
    let before = lines(&stages);
    // Longer than a pull request or any other periodic work.
    stages.until_value("inspector", "process_uptime_seconds", |up| up > 35.0);
    assert_eq!(
        lines(&stages),
        before,
        "{:#?}",
        stages.running("ingestor").stderr_with("")
    );
}

#[test]
fn every_line_about_a_chunk_has_its_trace_id() {
    let logs = StageLogs::record(&[("CRISPY_LOG_FORMAT", "json")]);
    logs.has_trace_ids("trace_id", "", "span_id");
    logs.has_every_problem();
    for (stage, words, times) in [
        ("ingestor", "cut", CHUNKS),
        ("uploader", "uploaded", CHUNKS - 1),
        ("inspector", "inspected", CHUNKS - 1),
    ] {
        assert_eq!(logs.count(stage, words), times, "{stage}: {words}");
    }
}

#[test]
fn log_chunks_problems_leaves_out_successful_chunks() {
    let logs = StageLogs::record(&[
        ("CRISPY_LOG_FORMAT", "gcp"),
        ("GOOGLE_CLOUD_PROJECT", "shop-video"),
        ("CRISPY_LOG_CHUNKS", "problems"),
        // Debug lines about a chunk count too.
        (
            "CRISPY_LOG_LEVEL",
            "info,chunks=debug,crispy_ingestor=debug",
        ),
    ]);
    let (trace, span) = (
        "logging.googleapis.com/trace",
        "logging.googleapis.com/spanId",
    );
    logs.has_trace_ids(trace, "projects/shop-video/traces/", span);
    logs.has_every_problem();
    let successes = logs
        .lines
        .iter()
        .filter(|(_, line)| line["target"] == "chunks");
    assert_eq!(successes.count(), 0, "{:#?}", logs.lines);
    for (stage, words) in [
        ("ingestor", "published"),
        ("uploader", "uploaded"),
        ("inspector", "inspected"),
    ] {
        assert_eq!(logs.count(stage, words), 0, "{stage}: {words}");
    }
    // Google's names of levels.
    let levels = logs.lines.iter().map(|(_, line)| line["severity"].as_str());
    let levels: BTreeSet<_> = levels.collect();
    let known = ["DEBUG", "INFO", "WARNING", "ERROR"].map(Some);
    assert!(levels.is_subset(&BTreeSet::from(known)), "{levels:?}");
    assert!(levels.contains(&Some("WARNING")), "{levels:?}");
}
