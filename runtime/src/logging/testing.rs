//! For tests: what would have been logged.

use std::io;
use std::sync::{Arc, Mutex};

use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Filter, Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;

/// Lines that were caught.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<u8>>>);

impl Heard {
    /// What `work` logs on this thread, of ours.
    pub(crate) fn during(work: impl FnOnce()) -> Self {
        // OpenTelemetry says now and then that nobody listens.
        Self::through(
            filter_fn(|metadata| !metadata.target().starts_with("opentelemetry")),
            work,
        )
    }

    /// What `work` logs on this thread, through a filter.
    pub(crate) fn through(
        filter: impl Filter<Registry> + Send + Sync + 'static,
        work: impl FnOnce(),
    ) -> Self {
        let heard = Self::default();
        let layer = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(heard.clone())
            .event_format(super::text::Text);
        listen(layer.with_filter(filter), work);
        heard
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

fn listen(layer: impl Layer<Registry> + Send + Sync, work: impl FnOnce()) {
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, work);
}

impl<'a> MakeWriter<'a> for Heard {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl io::Write for Heard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut heard = self.0.lock().expect("no test panics while it writes");
        heard.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
