//! Waiting for conditions, so that no test sleeps for a guessed time.

use std::{
    thread,
    time::{Duration, Instant},
};

/// The longest time that a test waits for a condition. A failing test costs this much; a slow
/// machine that runs many tests at once needs most of it.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Pause between two checks.
const PAUSE: Duration = Duration::from_millis(5);

/// Waits until `check` returns true and returns the time that it took.
///
/// # Panics
///
/// When the condition `what` does not hold within [`PATIENCE`].
pub async fn eventually(what: &str, mut check: impl AsyncFnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !check().await {
        assert_patience(what, began);
        tokio::time::sleep(PAUSE).await;
    }
    began.elapsed()
}

/// As [`eventually`], for tests without a runtime.
///
/// # Panics
///
/// When the condition `what` does not hold within [`PATIENCE`].
#[track_caller]
pub fn eventually_blocking(what: &str, mut check: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !check() {
        assert_patience(what, began);
        thread::sleep(PAUSE);
    }
    began.elapsed()
}

#[track_caller]
fn assert_patience(what: &str, began: Instant) {
    assert!(
        began.elapsed() < PATIENCE,
        "waited {PATIENCE:?} in vain: {what}"
    );
}
