//! Progress bars, one for each camera.

use std::{collections::HashMap, io, sync::Mutex, time::Duration};

use crispy_proto::id::Name;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::up::session::{Camera, Session};

/// Bars on stderr. A camera gets its bar with its first update.
pub(super) struct Bars {
    all: MultiProgress,
    cameras: Mutex<HashMap<Name, ProgressBar>>,
}

impl Bars {
    pub(super) fn new() -> Self {
        Self {
            all: MultiProgress::new(),
            cameras: Mutex::default(),
        }
    }

    /// Draws the state of the session.
    pub(super) fn update(&self, session: &Session) {
        let mut bars = self
            .cameras
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        for (name, camera) in session.cameras() {
            let bar = bars
                .entry(name.clone())
                .or_insert_with(|| self.all.add(new_bar(name)));
            draw(bar, camera);
        }
    }

    /// Writes a line above the bars.
    pub(super) fn line(&self, line: &str) {
        // A closed terminal is no error.
        let _ = self.all.println(line);
    }

    /// Hides the bars while `write` writes.
    pub(super) fn suspend(&self, write: &mut dyn FnMut()) {
        self.all.suspend(write);
    }

    /// Removes the bars.
    pub(super) fn clear(&self) {
        let _: io::Result<()> = self.all.clear();
    }
}

fn new_bar(name: &Name) -> ProgressBar {
    let form = "{prefix:>16} {spinner} [{bar:32}] {percent:>3}%  {msg}";
    let style = ProgressStyle::with_template(form).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(0)
        .with_style(style.progress_chars("=> "))
        .with_prefix(name.to_string());
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn draw(bar: &ProgressBar, camera: &Camera) {
    let done = u64::try_from(camera.inspected_us).unwrap_or(0);
    let all = camera
        .expected_us
        .and_then(|us| u64::try_from(us).ok())
        .unwrap_or(0);
    // The container's duration may be too short: the bar then stays full. A bar of length 0 would
    // be full too.
    bar.set_length(all.max(done).max(1));
    bar.set_position(done);
    bar.set_message(format!(
        "{} chunks, {:.1} s of video inspected",
        camera.chunks,
        done as f64 / 1e6
    ));
}
