//! Chunks published twice: by a restarted ingestor, and after a loss of the queue.

use std::{path::PathBuf, time::Duration};

use crate::fixture::{
    nats::delete_stream, processes::kill9, traced_stages::TracedStages, traces::Trace, until,
};

/// Waits until the recording is cut to its end. Returns the number of its chunks.
fn wait_for_cuts(stages: &TracedStages) -> usize {
    until("the run began and exited", || {
        stages.server.messages("CRISPY_EVENTS") == 2
    });
    let files = stages.fixture.chunks_in(&stages.fixture.path("spool"));
    let is_video = |path: &&PathBuf| path.extension().is_some_and(|ending| ending == "mp4");
    files.iter().filter(is_video).count()
}

/// Whether both messages were processed, and the chunk inspected.
fn is_processed_twice(trace: &Trace) -> bool {
    let handled = trace.all("process chunks.{camera}");
    handled
        .filter(|span| span.attributes["outcome"] == "acked")
        .count()
        == 2
        && trace.count("publish inspected.{camera}") > 0
        && trace.is_connected()
}

/// Checks that both publish spans are below the cut, each with its own delivery.
#[track_caller]
fn has_two_publishes_with_deliveries(trace: &Trace) {
    trace.deliveries_are_linked();
    let cuts = trace.all("cut chunk");
    let [cut] = cuts
        .filter(|cut| cut.parent_id.is_empty())
        .collect::<Vec<_>>()[..]
    else {
        panic!("{:?}", trace.names())
    };
    let publishes: Vec<_> = trace.all("publish chunks.{camera}").collect();
    let deliveries = trace.all("process chunks.{camera}");
    let mut of: Vec<_> = deliveries.map(|delivery| &delivery.parent_id).collect();
    of.sort();
    let mut sent: Vec<_> = publishes.iter().map(|publish| &publish.span_id).collect();
    sent.sort();
    assert_eq!((sent.len(), &of), (2, &sent), "{:?}", trace.names());
    assert!(
        publishes
            .iter()
            .all(|publish| publish.parent_id == cut.span_id)
    );
}

#[test]
fn a_restarted_ingestor_resends_chunks_in_their_traces() {
    let stages = TracedStages::new();
    // A longer duplicate window would drop the second message.
    stages
        .server
        .set_duplicate_window("CRISPY_CHUNKS", Duration::from_millis(100));
    let killed = stages.ingestor().start();
    let chunks = wait_for_cuts(&stages);
    let sent = |trace: &Trace| trace.count("publish chunks.{camera}") == 1;
    stages.traces.of_chunks(chunks, sent);
    kill9(killed.pid());
    drop(killed);

    let ingestor = stages.ingestor().start();
    until("all are published again", || {
        stages.server.messages("CRISPY_CHUNKS") >= 2 * chunks as u64
    });
    let _running = (stages.uploader().start(), stages.inspector());
    ingestor.end().with_code(0);
    // The second ingestor commits no further chunk.
    let traces = stages.traces.of_chunks(chunks, is_processed_twice);
    for trace in &traces {
        has_two_publishes_with_deliveries(trace);
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

/// It takes a minute: the time that an ingestor waits for a confirmation before it looks for its
/// chunk.
#[test]
fn chunks_lost_by_the_queue_are_resent_in_their_traces() {
    let stages = TracedStages::new();
    let ingestor = stages.ingestor().start();
    let chunks = wait_for_cuts(&stages);
    until("all are published", || {
        stages.server.messages("CRISPY_CHUNKS") > chunks as u64
    });
    delete_stream(&stages.server.url(), "CRISPY_CHUNKS");
    stages.fixture.set_up(&stages.server);
    let _running = (stages.uploader().start(), stages.inspector());
    ingestor.end().with_code(0);
    for trace in &stages.inspected(chunks) {
        trace.deliveries_are_linked();
        let cut = trace.one("cut chunk");
        let publishes: Vec<_> = trace.all("publish chunks.{camera}").collect();
        assert_eq!(publishes.len(), 2, "{:?}", trace.names());
        assert!(
            publishes
                .iter()
                .all(|publish| publish.parent_id == cut.span_id)
        );
        let later = publishes.iter().max_by_key(|publish| publish.start_ns);
        let process = trace.one("process chunks.{camera}");
        assert_eq!(process.parent_id, later.unwrap().span_id);
    }
}
