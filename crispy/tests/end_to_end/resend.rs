//! What is sent twice, in one trace: by an ingestor that was started anew, and by one whose queue has lost it.

use std::{path::PathBuf, time::Duration};

use crate::fixture::{
    nats::delete_stream, processes::kill9, traced_stages::TracedStages, traces::Trace, until,
};

/// Waits until the recording is cut to its end, and tells how many chunks it has.
fn cut_to_the_end(scene: &TracedStages) -> usize {
    until("the run began and ended", || {
        scene.server.messages("CRISPY_EVENTS") == 2
    });
    let files = scene.fixture.chunks_in(&scene.fixture.path("spool"));
    let is_video = |path: &&PathBuf| path.extension().is_some_and(|ending| ending == "mp4");
    files.iter().filter(is_video).count()
}

/// Both messages were handled, and what they led to is inspected.
fn is_handled_twice(trace: &Trace) -> bool {
    let handled = trace.all("process chunks.{camera}");
    handled
        .filter(|span| span.attributes["outcome"] == "acked")
        .count()
        == 2
        && trace.count("publish inspected.{camera}") > 0
        && trace.is_connected()
}

/// Each of two sendings is a span of its own below the cut, and has its own delivery.
#[track_caller]
fn has_two_sendings_each_with_its_delivery(trace: &Trace) {
    trace.deliveries_are_linked();
    let cuts = trace.all("cut chunk");
    let [cut] = cuts
        .filter(|cut| cut.parent_id.is_empty())
        .collect::<Vec<_>>()[..]
    else {
        panic!("{:?}", trace.names())
    };
    let sendings: Vec<_> = trace.all("publish chunks.{camera}").collect();
    let deliveries = trace.all("process chunks.{camera}");
    let mut of: Vec<_> = deliveries.map(|delivery| &delivery.parent_id).collect();
    of.sort();
    let mut sent: Vec<_> = sendings.iter().map(|sending| &sending.span_id).collect();
    sent.sort();
    assert_eq!((sent.len(), &of), (2, &sent), "{:?}", trace.names());
    assert!(
        sendings
            .iter()
            .all(|sending| sending.parent_id == cut.span_id)
    );
}

#[test]
fn a_restarted_ingestor_resends_chunks_in_their_traces() {
    let scene = TracedStages::new();
    // The server would take it for the same message: here it has forgotten the first.
    scene
        .server
        .set_duplicate_window("CRISPY_CHUNKS", Duration::from_millis(100));
    let killed = scene.ingestor().start();
    let chunks = cut_to_the_end(&scene);
    let sent = |trace: &Trace| trace.count("publish chunks.{camera}") == 1;
    scene.traces.of_chunks(chunks, sent);
    kill9(killed.pid());
    drop(killed);

    let ingestor = scene.ingestor().start();
    until("all are sent again", || {
        scene.server.messages("CRISPY_CHUNKS") >= 2 * chunks as u64
    });
    let _stages = (scene.uploader().start(), scene.inspector());
    ingestor.end().with_code(0);
    // Not one more: what the second finds committed is no other chunk.
    let traces = scene.traces.of_chunks(chunks, is_handled_twice);
    for trace in &traces {
        has_two_sendings_each_with_its_delivery(trace);
        let cuts = trace.all("cut chunk");
        let mut outcomes: Vec<_> = cuts.map(|cut| cut.attributes["outcome"].as_str()).collect();
        outcomes.sort_unstable();
        assert_eq!(outcomes, ["already_there", "committed"]);
        let senders = trace.all("publish chunks.{camera}");
        let mut senders: Vec<_> = senders.map(|span| &span.resource["process.pid"]).collect();
        senders.dedup();
        assert_eq!(senders.len(), 2, "{:?}", trace.names());
    }
}

/// It takes a minute: so long an ingestor waits for an answer before it asks where its chunk is.
#[test]
fn chunks_lost_by_the_queue_are_resent_in_their_traces() {
    let scene = TracedStages::new();
    let ingestor = scene.ingestor().start();
    let chunks = cut_to_the_end(&scene);
    until("all is sent", || {
        scene.server.messages("CRISPY_CHUNKS") > chunks as u64
    });
    delete_stream(&scene.server.url(), "CRISPY_CHUNKS");
    scene.fixture.set_up(&scene.server);
    let _stages = (scene.uploader().start(), scene.inspector());
    ingestor.end().with_code(0);
    for trace in &scene.inspected(chunks) {
        trace.deliveries_are_linked();
        let cut = trace.one("cut chunk");
        let sendings: Vec<_> = trace.all("publish chunks.{camera}").collect();
        assert_eq!(sendings.len(), 2, "{:?}", trace.names());
        assert!(
            sendings
                .iter()
                .all(|sending| sending.parent_id == cut.span_id)
        );
        let later = sendings.iter().max_by_key(|sending| sending.start_ns);
        let process = trace.one("process chunks.{camera}");
        assert_eq!(process.parent_id, later.unwrap().span_id);
    }
}
