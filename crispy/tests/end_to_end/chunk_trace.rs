//! One chunk, one trace: from the cut to the inspection, through three programs and whatever happens on the way.

use std::{fs, time::Duration};

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
    let scene = TracedStages::new();
    let (uploader, inspector) = (scene.uploader().start(), scene.inspector());
    scene.ingestor().run().with_code(0);
    let objects = scene.fixture.bucket().one_run();
    let traces = scene.inspected(objects.len());
    for trace in &traces {
        trace.deliveries_are_linked();
        assert_eq!(Vec::from_iter(trace.services()), SERVICES);
        leads_from_the_cut_to_the_reading(trace);
        let put = trace.one("PUT object");
        let object = objects.iter().find(|o| o.key == said(put, "object"));
        says_what_a_search_looks_for(trace, object.expect("the span names its object"));
        let key = said(put, "object");
        let line = uploader.stderr_with(&key);
        assert!(
            line.iter().any(|line| line.contains(trace.id())),
            "{line:?}"
        );
    }
    scene.traces.receiver().wait_for_points(|points| {
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
    let scene = TracedStages::new();
    // Where a chunk belongs, somebody else's bytes.
    let uploader = scene.uploader().start();
    scene.ingestor().run().with_code(0);
    uploader.signal(Signal::TERM);
    uploader.end().with_code(0);
    let objects = scene.fixture.bucket().one_run();
    for file in scene.fixture.bucket().files() {
        fs::remove_file(file).unwrap();
    }
    fs::write(&objects[0].path, "somebody else's").unwrap();
    let scene = scene.with_new_collector();
    let _stages = (scene.uploader().start(), scene.inspector());
    scene.ingestor().run().with_code(52);

    let shown = scene.dead(["show", "1", "-o", "jsonl"]).run().with_code(0);
    let letter: serde_json::Value = serde_json::from_str(&shown.stdout[0]).unwrap();
    fs::remove_file(&objects[0].path).unwrap();
    scene.dead(["replay"]).run().with_code(0);
    let traces = scene.inspected(objects.len());
    let replayed = traces.iter().find(|trace| letter["trace_id"] == trace.id());
    let replayed = replayed.expect("the letter names its trace");
    replayed.deliveries_are_linked();
    let outcome =
        |span: &crispy_testbed::ReceivedSpan| (span.attributes["outcome"].clone(), span.failed);
    let mut outcomes: Vec<_> = replayed
        .all("process chunks.{camera}")
        .map(outcome)
        .collect();
    outcomes.sort();
    assert_eq!(outcomes, [("acked".into(), false), ("dead".into(), true)]);
    let by_hand = |span: &&crispy_testbed::ReceivedSpan| span.resource["service.name"] == "crispy";
    let mut by_hand = replayed.all("publish chunks.{camera}").filter(by_hand);
    let sent_again = by_hand.next().expect("who sent it again");
    let acked = |span: &&crispy_testbed::ReceivedSpan| span.attributes["outcome"] == "acked";
    let mut deliveries = replayed.all("process chunks.{camera}");
    let acked = deliveries.find(acked).expect("it was done");
    assert_eq!(replayed.parent(acked).span_id, sent_again.span_id);
    for key in ["run", "sequence"] {
        let cut = &replayed.one("cut chunk").attributes[key];
        assert_eq!(
            acked.attributes[key], *cut,
            "a search finds it by the chunk"
        );
        assert_eq!(sent_again.attributes[key], *cut);
    }
    let letter = replayed.one("publish dead.uploader.{camera}");
    let given_up = replayed.parent(letter);
    assert_eq!(given_up.attributes["outcome"], "dead");
    assert!(given_up.error.contains("other bytes"), "{given_up:?}");
}

#[test]
fn a_redelivery_after_a_kill_continues_the_trace() {
    let scene = TracedStages::new();
    scene
        .server
        .set_lease("CRISPY_CHUNKS", "uploader", Duration::from_secs(2));
    let killed = scene.uploader().start();
    until("it asks for work", || uploaders_waiting(&scene.server) > 0);
    suspend(killed.pid());
    let ingestor = scene.ingestor().start();
    until("it is sent some", || {
        scene.server.consumer("uploader").1 > 0
    });
    kill9(killed.pid());
    let _stages = (scene.uploader().start(), scene.inspector());
    ingestor.end().with_code(0);
    let traces = scene.inspected(scene.fixture.bucket().one_run().len());
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
    let scene = TracedStages::new();
    let _uploader = scene.uploader().start();
    scene.ingestor().run().with_code(0);
    let objects = scene.fixture.bucket().one_run();
    let (object, away) = (&objects[0].path, scene.fixture.path("away"));
    fs::rename(object, &away).unwrap();
    let mut inspector = scene.inspector();
    inspector.until_stderr("message will be retried");
    fs::rename(&away, object).unwrap();
    let traces = scene.inspected(objects.len());
    let tried = |trace: &&Trace| trace.count("process uploaded.{camera}") > 1;
    let tried: Vec<_> = traces.iter().filter(tried).collect();
    let [trace] = tried[..] else {
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
        assert!(attempt.failed && attempt.error.contains("read the object back"));
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
    let scene = TracedStages::with_bucket(fixture, Traces::receiver_only(), bucket, sampler.into());
    let _uploader = scene.uploader().start();
    scene.ingestor().run().with_code(0);
    let objects = scene.fixture.bucket().one_run();
    let (object, whole) = (&objects[1], fs::read(&objects[1].path).unwrap());
    fs::write(&object.path, &whole[..whole.len() / 2]).unwrap();
    let mut inspector = scene.inspector();
    inspector.until_stderr("not what its descriptor says");
    let kept = scene
        .traces
        .receiver()
        .wait_for_spans(|spans| !spans.is_empty());
    let [inspection] = &kept[..] else {
        panic!("one chunk of all is not well: {kept:#?}")
    };
    assert_eq!(inspection.name, "process uploaded.{camera}");
    assert_eq!(said(inspection, "outcome"), "acked");
    assert_eq!(said(inspection, "sequence"), object.sequence.to_string());
    assert!(inspection.failed && inspection.error.contains("expected"));
    let line = &inspector.stderr_with("not what its descriptor says")[0];
    assert!(line.contains(&inspection.trace_id), "{line}");
}

#[track_caller]
fn leads_from_the_cut_to_the_reading(trace: &Trace) {
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
fn says_what_a_search_looks_for(trace: &Trace, object: &Object) {
    let (put, process) = (
        trace.one("PUT object"),
        trace.one("process chunks.{camera}"),
    );
    assert_eq!(trace.parent(put).span_id, process.span_id);
    assert_eq!(said(process, "messaging.system"), "nats");
    assert!(process.numbers.contains("messaging.message.body.size"));
    assert_eq!(
        said(process, "messaging.destination.name"),
        "crispy.chunks.demo.front"
    );
    assert_eq!(
        (said(process, "delivery"), said(process, "outcome")),
        ("1".into(), "acked".into())
    );
    let cut = trace.one("cut chunk");
    assert_eq!(said(cut, "sequence"), object.sequence.to_string());
    assert_eq!(
        (said(cut, "camera"), said(cut, "site")),
        ("front".into(), "demo".into())
    );
    assert_eq!(
        said(cut, "bytes"),
        fs::metadata(&object.path).unwrap().len().to_string()
    );
    let traceparent = object.metadata["traceparent"].as_str().unwrap();
    assert_eq!(
        traceparent,
        format!("00-{}-{}-01", trace.id(), process.span_id)
    );
}

fn said(span: &crispy_testbed::ReceivedSpan, key: &str) -> String {
    span.attributes[key].clone()
}
