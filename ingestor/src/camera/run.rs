//! The run that is being recorded: the next chunk's id and chain, and the sums so far. Pure.

use crispy_proto::{
    id::{CameraId, ChunkId, Run},
    v1,
};
use crispy_source::WallClock;

/// One unbroken timeline, from its first chunk to its end.
#[derive(Clone, Debug)]
pub(crate) struct CurrentRun {
    run: Run,
    camera: CameraId,
    wall: WallClock,
    gap_before_us: Option<i64>,
    state: v1::RunState,
}

impl CurrentRun {
    /// A run without chunks. `gap_before_us`: the missing time before it, if any.
    pub(crate) fn new(
        camera: CameraId,
        run: Run,
        wall: WallClock,
        gap_before_us: Option<i64>,
    ) -> Self {
        let state = v1::RunState {
            site: camera.site.to_string(),
            camera: camera.camera.to_string(),
            run: run.to_string(),
            ..Default::default()
        };
        Self {
            run,
            camera,
            wall,
            gap_before_us,
            state,
        }
    }

    /// Its start on the wall clock.
    pub(crate) fn wall(&self) -> WallClock {
        self.wall
    }

    /// The id of the next chunk.
    pub(crate) fn next_id(&self) -> ChunkId {
        ChunkId {
            camera: self.camera.clone(),
            run: self.run,
            sequence: self.state.next_sequence,
        }
    }

    /// Missing time before the next chunk: only before the first, as a run has none inside.
    pub(crate) fn gap_before_us(&self) -> Option<i64> {
        self.gap_before_us.filter(|_| self.state.next_sequence == 0)
    }

    /// The hash that the next chunk is chained to; empty before the first.
    pub(crate) fn previous_sha256(&self) -> Vec<u8> {
        self.state.last_sha256.clone()
    }

    /// Its end so far, in Unix microseconds.
    pub(crate) fn end_us(&self) -> i64 {
        self.state
            .wall
            .as_ref()
            .map_or(self.wall.start_us, |wall| wall.end_us)
    }

    /// Its sums so far.
    pub(crate) fn state(&self) -> &v1::RunState {
        &self.state
    }

    /// Adds a committed chunk.
    pub(crate) fn add(&mut self, chunk: &v1::ChunkReady) {
        let state = &mut self.state;
        state.next_sequence += 1;
        state.last_sha256 = chunk.sha256.clone();
        state.frames += chunk.frames;
        state.bytes += chunk.size;
        if let Some(media) = &chunk.media {
            state.media.get_or_insert(*media).end_ticks = media.end_ticks;
        }
        if let Some(wall) = &chunk.wall {
            state.wall.get_or_insert(*wall).end_us = wall.end_us;
        }
    }

    /// Its final state.
    pub(crate) fn end(mut self, end: v1::RunEnd, detail: &str) -> v1::RunState {
        self.state.ended = true;
        self.state.end = end.into();
        self.state.detail = detail.to_owned();
        self.state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> CurrentRun {
        let wall = WallClock {
            start_us: 1_000_000,
            origin: v1::ClockOrigin::FileModified,
        };
        CurrentRun::new(
            "demo/front".parse().unwrap(),
            Run::new(1_000, [1; 10]),
            wall,
            Some(5),
        )
    }

    fn chunk(start: i64, end: i64, sha: u8) -> v1::ChunkReady {
        v1::ChunkReady {
            media: Some(v1::MediaInterval {
                start_ticks: start,
                end_ticks: end,
                ..Default::default()
            }),
            wall: Some(v1::WallInterval {
                start_us: start + 1_000_000,
                end_us: end + 1_000_000,
                ..Default::default()
            }),
            frames: 3,
            size: 10,
            sha256: vec![sha; 32],
            ..Default::default()
        }
    }

    #[test]
    fn each_chunk_is_numbered_and_chained_to_the_one_before() {
        let mut run = run();
        assert_eq!((run.next_id().sequence, run.previous_sha256()), (0, vec![]));
        run.add(&chunk(0, 100, 1));
        assert_eq!(
            (run.next_id().sequence, run.previous_sha256()),
            (1, vec![1; 32])
        );
    }

    #[test]
    fn only_the_first_chunk_carries_the_gap_before() {
        let mut run = run();
        assert_eq!(run.gap_before_us(), Some(5));
        run.add(&chunk(0, 100, 1));
        assert_eq!(run.gap_before_us(), None);
    }

    #[test]
    fn the_final_state_spans_all_chunks() {
        let mut run = run();
        run.add(&chunk(0, 100, 1));
        run.add(&chunk(100, 250, 2));
        let state = run.end(v1::RunEnd::SourceEnded, "the file ended");
        assert!(state.ended && state.next_sequence == 2 && state.frames == 6 && state.bytes == 20);
        assert_eq!(state.last_sha256, vec![2; 32]);
        assert_eq!(
            state.media.map(|m| (m.start_ticks, m.end_ticks)),
            Some((0, 250))
        );
        assert_eq!(
            state.wall.map(|w| (w.start_us, w.end_us)),
            Some((1_000_000, 1_000_250))
        );
    }
}
