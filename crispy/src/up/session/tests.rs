//! Tests of a session: updates in any order.

use crispy_proto::v1::{self, camera_event};

use super::*;

const BUCKET: &str = "file:///srv/video";

fn run() -> Run {
    Run::new(1, [0; 10])
}

fn session() -> Session {
    Session::new(["front".parse().unwrap()], BUCKET.into())
}

fn event(kind: Kind) -> CameraEvent {
    CameraEvent {
        site: "demo".into(),
        camera: "front".into(),
        run: run().to_string(),
        kind: Some(kind),
        ..Default::default()
    }
}

fn started() -> CameraEvent {
    event(Kind::RunStarted(camera_event::RunStarted {
        expected_duration_us: Some(9),
        ..Default::default()
    }))
}

fn ended(chunks: u64, end: RunEnd) -> CameraEvent {
    event(Kind::RunEnded(RunState {
        next_sequence: chunks,
        end: end.into(),
        detail: "gone".into(),
        ..Default::default()
    }))
}

fn inspected(sequence: u64, agrees: bool) -> ChunkInspected {
    let id = v1::ChunkId {
        site: "demo".into(),
        camera: "front".into(),
        run: run().to_string(),
        sequence,
    };
    let chunk = ChunkReady {
        id: Some(id),
        frames: 30,
        size: 100,
        duration_us: 1_000,
        committed_us: 50,
        traceparent: format!("00-{sequence:031}a-00000000000000aa-01"),
        ..Default::default()
    };
    ChunkInspected {
        upload: Some(ChunkUploaded {
            chunk: Some(chunk),
            bucket: BUCKET.into(),
            ..Default::default()
        }),
        agrees,
        inspected_us: 60 + i64::try_from(sequence).unwrap(),
        ..Default::default()
    }
}

#[test]
fn the_failed_trace_is_that_of_the_first_disagreeing_chunk() {
    let mut session = session();
    session.event(&started());
    session.inspected(&inspected(0, true));
    assert!(session.failed_trace().is_none());
    for sequence in [1, 2] {
        session.inspected(&inspected(sequence, false));
    }
    let failed = session.failed_trace().map(ToString::to_string);
    assert_eq!(failed, Some(format!("{:031}a", 1)));
}

#[test]
fn a_session_is_complete_when_every_chunk_is_inspected() {
    let mut session = session();
    session.event(&started());
    assert!(session.inspected(&inspected(0, true)));
    session.event(&ended(2, RunEnd::SourceEnded));
    assert!(!session.is_complete());
    assert_eq!(
        session.shortfall(),
        Some(Shortfall::Incomplete(vec![
            "front: 1 chunks are not inspected".into()
        ]))
    );
    assert!(session.inspected(&inspected(1, true)));
    assert!(session.is_complete() && session.shortfall().is_none());
    assert_eq!(
        session.totals(),
        &Totals {
            chunks: 2,
            frames: 60,
            video_us: 2_000,
            bytes: 200,
            ..Default::default()
        }
    );
}

#[test]
fn a_session_is_settled_while_no_run_is_under_way() {
    let mut session = session();
    assert!(session.is_settled(), "nothing has begun");
    session.event(&started());
    assert!(!session.is_settled(), "a run has not ended");
    session.event(&ended(1, RunEnd::Lost));
    assert!(!session.is_settled(), "a chunk is not inspected");
    session.inspected(&inspected(0, true));
    assert!(session.is_settled());
}

#[test]
fn an_inspection_before_its_run_counts_from_its_start() {
    let mut session = session();
    assert!(!session.inspected(&inspected(0, true)));
    assert_eq!(session.totals().chunks, 0);
    assert_eq!(session.event(&started()), vec![inspected(0, true)]);
    assert_eq!(session.totals().chunks, 1);
}

#[test]
fn a_chunk_that_is_inspected_twice_counts_once() {
    let mut session = session();
    session.event(&started());
    assert!(session.inspected(&inspected(0, true)));
    assert!(!session.inspected(&inspected(0, true)));
    session.event(&started());
    assert_eq!(
        session.totals().chunks,
        1,
        "a restarted ingestor starts the same run again"
    );
}

#[test]
fn other_cameras_are_ignored() {
    let mut session = Session::new(["yard".parse().unwrap()], BUCKET.into());
    session.event(&started());
    assert!(!session.inspected(&inspected(0, true)));
    session.event(&ended(1, RunEnd::SourceEnded));
    assert!(!session.is_complete());
}

#[test]
fn a_discontinuity_does_not_end_the_camera() {
    let mut session = session();
    session.event(&started());
    session.event(&ended(0, RunEnd::Discontinuity));
    assert!(!session.is_complete());
}

#[test]
fn the_worst_shortfall_comes_first() {
    let mut session = session();
    session.event(&started());
    assert_eq!(
        session.shortfall(),
        Some(Shortfall::Incomplete(vec![
            "front: stopped before its end, 0 chunks inspected".into()
        ]))
    );
    session.event(&ended(1, RunEnd::Lost));
    assert_eq!(
        session.shortfall(),
        Some(Shortfall::Lost(vec!["front: gone".into()]))
    );
    let payload = inspected(0, true)
        .upload
        .unwrap()
        .chunk
        .unwrap()
        .encode_to_vec();
    session.dead_letter(&DeadLetter {
        payload,
        reason: "poison".into(),
        ..Default::default()
    });
    assert!(
        matches!(session.shortfall(), Some(Shortfall::DeadLetters(reasons)) if reasons[0].ends_with("/0000000000: poison"))
    );
    assert!(
        session.is_complete(),
        "a dead-lettered chunk is not waited for"
    );
    session.inspected(&inspected(0, false));
    assert_eq!(session.shortfall(), Some(Shortfall::Disagreeing(1)));
}

#[test]
fn latency_percentiles_use_the_nearest_rank() {
    let mut session = session();
    assert_eq!(session.latency_us(50), None);
    session.event(&started());
    for sequence in 0..100 {
        session.inspected(&inspected(sequence, true));
    }
    assert_eq!(
        (
            session.latency_us(50),
            session.latency_us(99),
            session.latency_us(100)
        ),
        (Some(59), Some(108), Some(109))
    );
}

#[test]
fn objects_in_another_bucket_do_not_count() {
    let mut session = Session::new(["front".parse().unwrap()], "file:///elsewhere".into());
    session.event(&started());
    assert!(!session.inspected(&inspected(0, true)));
    assert_eq!(session.totals().chunks, 0);
}

#[test]
fn a_run_that_did_not_end_is_no_success() {
    let mut session = session();
    let other = CameraEvent {
        run: Run::new(2, [1; 10]).to_string(),
        ..started()
    };
    session.event(&other);
    session.event(&started());
    session.event(&ended(0, RunEnd::SourceEnded));
    assert!(session.is_complete());
    assert!(
        matches!(session.shortfall(), Some(Shortfall::Incomplete(reasons)) if reasons[0].contains("did not end"))
    );
}
