//! One trace for each chunk, from its cut to its inspection, through three programs and failures.

use std::{fs, time::Duration};

use crispy_testbed::ReceivedSpan;
use rustix::process::Signal;

use crate::fixture::{
    Fixture,
    bucket::Object,
    nats::uploaders_waiting,
    processes::{kill9, suspend},
    traced_stages::TracedStages,
    traces::{Trace, Traces},
    until,
};

const SERVICES: [&str; 3] = ["crispy-ingestor", "crispy-inspector", "crispy-uploader"];

#[test]
fn every_chunk_has_one_trace_from_cut_to_inspection() {
    let stages = TracedStages::new();
    let (uploader, inspector) = (stages.uploader().start(), stages.inspector());
    stages.ingestor().run().with_code(0);
    let objects = stages.fixture.bucket().one_run();
    let traces = stages.inspected(objects.len());
    for trace in &traces {
        trace.deliveries_are_linked();
        assert_eq!(Vec::from_iter(trace.services()), SERVICES);
        leads_from_cut_to_read(trace);
        let put = trace.one("PUT object");
        let object = objects.iter().find(|o| o.key == attribute(put, "object"));
        has_the_searched_attributes(trace, object.expect("the span names its object"));
        let key = attribute(put, "object");
        let line = uploader.stderr_with(&key);
        assert!(
            line.iter().any(|line| line.contains(trace.id())),
            "{line:?}"
        );
    }
    stages.traces.receiver().wait_for_points(|points| {
        [
            "messaging.client.sent.messages",
            "messaging.client.consumed.messages",
            "messaging.process.duration",
            "crispy.queue.settled",
            "crispy.queue.in_flight",
            "crispy.queue.breaker.open",
        ]
        .iter()
        .all(|name| points.iter().any(|point| point.name == *name))
    });
    drop(inspector);
}

#[test]
fn a_replayed_dead_letter_continues_its_trace() {
    let stages = TracedStages::new();
    // First fill the bucket, then put another writer's object where the first chunk belongs.
    let uploader = stages.uploader().start();
    stages.ingestor().run().with_code(0);
    uploader.signal(Signal::TERM);
    uploader.end().with_code(0);
    let objects = stages.fixture.bucket().one_run();
    let foreign = stages.fixture.occupy_first_object();
    let stages = stages.with_new_collector();
    let _running = (stages.uploader().start(), stages.inspector());
    stages.ingestor().run().with_code(52);

    let shown = stages.dead(["show", "1", "-o", "jsonl"]).run().with_code(0);
    let letter: serde_json::Value = serde_json::from_str(&shown.stdout[0]).unwrap();
    fs::remove_file(foreign).unwrap();
    stages.dead(["replay"]).run().with_code(0);
    let traces = stages.inspected(objects.len());
    let replayed = traces.iter().find(|trace| letter["trace_id"] == trace.id());
    let replayed = replayed.expect("the letter names its trace");
    replayed.deliveries_are_linked();
    let outcome = |span: &ReceivedSpan| (span.attributes["outcome"].clone(), span.failed);
    let mut outcomes: Vec<_> = replayed
        .all("process chunks.{camera}")
        .map(outcome)
        .collect();
    outcomes.sort();
    assert_eq!(outcomes, [("acked".into(), false), ("dead".into(), true)]);
    let is_replay = |span: &&ReceivedSpan| span.resource["service.name"] == "crispy";
    let mut replays = replayed.all("publish chunks.{camera}").filter(is_replay);
    let replay = replays.next().expect("the replay has a span");
    let is_acked = |span: &&ReceivedSpan| span.attributes["outcome"] == "acked";
    let mut deliveries = replayed.all("process chunks.{camera}");
    let acked = deliveries.find(is_acked).expect("the replay succeeded");
    assert_eq!(replayed.parent(acked).span_id, replay.span_id);
    for key in ["run", "sequence"] {
        let cut = &replayed.one("cut chunk").attributes[key];
        assert_eq!(acked.attributes[key], *cut, "a search by chunk finds it");
        assert_eq!(replay.attributes[key], *cut);
    }
    let letter = replayed.one("publish dead.uploader.{camera}");
    let failed = replayed.parent(letter);
    assert_eq!(failed.attributes["outcome"], "dead");
    assert!(failed.error.contains("other bytes"), "{failed:?}");
}

#[test]
fn a_redelivery_after_a_kill_continues_the_trace() {
    let stages = TracedStages::new();
    stages
        .server
        .set_lease("CRISPY_CHUNKS", "uploader", Duration::from_secs(2));
    let killed = stages.uploader().start();
    until("it pulls", || uploaders_waiting(&stages.server) > 0);
    suspend(killed.pid());
    let ingestor = stages.ingestor().start();
    until("messages are in flight", || {
        stages.server.consumer("uploader").1 > 0
    });
    kill9(killed.pid());
    let _running = (stages.uploader().start(), stages.inspector());
    ingestor.end().with_code(0);
    let traces = stages.inspected(stages.fixture.bucket().one_run().len());
    for trace in &traces {
        trace.deliveries_are_linked();
    }
    let deliveries = |trace: &Trace| {
        let process = trace.one("process chunks.{camera}");
        process.attributes["delivery"].parse::<u64>().unwrap()
    };
    let again = traces.iter().filter(|trace| deliveries(trace) > 1);
    assert!(again.count() > 0, "{traces:?}");
}

#[test]
fn a_failed_attempt_is_a_span_with_its_error() {
    let stages = TracedStages::new();
    let _uploader = stages.uploader().start();
    stages.ingestor().run().with_code(0);
    let objects = stages.fixture.bucket().one_run();
    let (object, aside) = (&objects[0].path, stages.fixture.path("aside"));
    fs::rename(object, &aside).unwrap();
    let mut inspector = stages.inspector();
    inspector.until_stderr("message will be retried");
    fs::rename(&aside, object).unwrap();
    let traces = stages.inspected(objects.len());
    let is_retried = |trace: &&Trace| trace.count("process uploaded.{camera}") > 1;
    let retried: Vec<_> = traces.iter().filter(is_retried).collect();
    let [trace] = retried[..] else {
        panic!("{traces:?}")
    };
    trace.deliveries_are_linked();
    let mut attempts: Vec<_> = trace.all("process uploaded.{camera}").collect();
    attempts.sort_by_key(|attempt| attempt.attributes["delivery"].parse::<u64>().unwrap());
    let (last, failed) = attempts.split_last().unwrap();
    assert_eq!(last.attributes["outcome"], "acked");
    for (n, attempt) in failed.iter().enumerate() {
        assert_eq!(attempt.attributes["delivery"], (n + 1).to_string());
        assert_eq!(attempt.attributes["outcome"], "retried");
        assert!(attempt.failed && attempt.error.contains(&objects[0].key));
    }
    let line = &inspector.stderr_with("message will be retried")[0];
    assert!(line.contains(trace.id()), "{line}");
}

#[test]
fn a_disagreement_is_exported_though_its_trace_is_unsampled() {
    let sampler = [
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio".into()),
        ("OTEL_TRACES_SAMPLER_ARG", "0".into()),
    ];
    let fixture = Fixture::new();
    let bucket = fixture.bucket().url();
    let stages =
        TracedStages::with_bucket(fixture, Traces::receiver_only(), bucket, sampler.into());
    let _uploader = stages.uploader().start();
    stages.ingestor().run().with_code(0);
    let objects = stages.fixture.bucket().one_run();
    let (object, whole) = (&objects[1], fs::read(&objects[1].path).unwrap());
    fs::write(&object.path, &whole[..whole.len() / 2]).unwrap();
    let mut inspector = stages.inspector();
    inspector.until_stderr("object differs from its descriptor");
    let kept = stages
        .traces
        .receiver()
        .wait_for_spans(|spans| !spans.is_empty());
    let [inspection] = &kept[..] else {
        panic!("one chunk of all disagrees: {kept:#?}")
    };
    assert_eq!(inspection.name, "process uploaded.{camera}");
    assert_eq!(attribute(inspection, "outcome"), "acked");
    assert_eq!(
        attribute(inspection, "sequence"),
        object.sequence.to_string()
    );
    assert!(inspection.failed && inspection.error.contains("expected"));
    let line = &inspector.stderr_with("object differs from its descriptor")[0];
    assert!(line.contains(&inspection.trace_id), "{line}");
}

#[track_caller]
fn leads_from_cut_to_read(trace: &Trace) {
    let mut spans = Vec::new();
    let mut at = trace.one("GET object");
    while at.name != "cut chunk" {
        spans.push((at.name.as_str(), at.kind.as_str(), at.failed));
        at = trace.parent(at);
    }
    assert_eq!(
        spans,
        [
            ("GET object", "client", false),
            ("process uploaded.{camera}", "consumer", false),
            ("publish uploaded.{camera}", "producer", false),
            ("process chunks.{camera}", "consumer", false),
            ("publish chunks.{camera}", "producer", false),
        ]
    );
    let announced = trace.one("publish inspected.{camera}");
    assert_eq!(announced.parent_id, trace.one("GET object").parent_id);
}

#[track_caller]
fn has_the_searched_attributes(trace: &Trace, object: &Object) {
    let (put, process) = (
        trace.one("PUT object"),
        trace.one("process chunks.{camera}"),
    );
    assert_eq!(trace.parent(put).span_id, process.span_id);
    assert_eq!(attribute(process, "messaging.system"), "nats");
    assert!(process.numbers.contains("messaging.message.body.size"));
    assert_eq!(
        attribute(process, "messaging.destination.name"),
        "crispy.chunks.demo.front"
    );
    assert_eq!(
        (
            attribute(process, "delivery"),
            attribute(process, "outcome")
        ),
        ("1".into(), "acked".into())
    );
    let cut = trace.one("cut chunk");
    assert_eq!(attribute(cut, "sequence"), object.sequence.to_string());
    assert_eq!(
        (attribute(cut, "camera"), attribute(cut, "site")),
        ("front".into(), "demo".into())
    );
    assert_eq!(
        attribute(cut, "bytes"),
        fs::metadata(&object.path).unwrap().len().to_string()
    );
    let traceparent = object.metadata["traceparent"].as_str().unwrap();
    assert_eq!(
        traceparent,
        format!("00-{}-{}-01", trace.id(), process.span_id)
    );
}

fn attribute(span: &ReceivedSpan, key: &str) -> String {
    span.attributes[key].clone()
}
