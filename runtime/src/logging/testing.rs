//! Captured log lines, for tests.

use std::{
    io,
    sync::{Arc, Mutex},
};

use tracing_subscriber::{
    filter::filter_fn,
    fmt::MakeWriter,
    layer::{Filter, Layer, SubscriberExt},
    registry::Registry,
};

/// The captured lines.
#[derive(Clone, Debug, Default)]
pub(crate) struct CapturedLog(Arc<Mutex<Vec<u8>>>);

impl CapturedLog {
    /// Our own lines that `work` logs on this thread.
    pub(crate) fn during(work: impl FnOnce()) -> Self {
        // OpenTelemetry warns now and then that there is no reader.
        Self::through(
            filter_fn(|metadata| !metadata.target().starts_with("opentelemetry")),
            work,
        )
    }

    /// The lines that `work` logs on this thread, through a filter.
    pub(crate) fn through(
        filter: impl Filter<Registry> + Send + Sync + 'static,
        work: impl FnOnce(),
    ) -> Self {
        let log = Self::default();
        let layer = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(log.clone())
            .event_format(super::text::Text);
        capture(layer.with_filter(filter), work);
        log
    }

    /// The lines, in order.
    pub(crate) fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().expect("no test panics while it writes");
        String::from_utf8_lossy(&bytes)
            .lines()
            .map(str::to_owned)
            .collect()
    }
}

fn capture(layer: impl Layer<Registry> + Send + Sync, work: impl FnOnce()) {
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, work);
}

impl<'a> MakeWriter<'a> for CapturedLog {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl io::Write for CapturedLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut log = self.0.lock().expect("no test panics while it writes");
        log.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
