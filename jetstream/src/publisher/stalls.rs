//! Stalled publishes, by stream: a full stream does not concern another.

use std::collections::BTreeMap;

use tokio::sync::watch;

use super::Stall;

/// The names of streams into which publishing is stalled, and the causes.
pub type Stalls = BTreeMap<String, Stall>;

/// A publish in flight. Its stall is cleared when it ends, also when the caller drops it.
pub(super) struct InFlightPublish<'a> {
    stream: &'a str,
    stalls: &'a watch::Sender<Stalls>,
}

impl<'a> InFlightPublish<'a> {
    pub(super) fn new(stream: &'a str, stalls: &'a watch::Sender<Stalls>) -> Self {
        Self { stream, stalls }
    }

    pub(super) fn stalled(&self, stall: Stall) {
        self.stalls
            .send_if_modified(|stalls| match stalls.get_mut(self.stream) {
                Some(known) => std::mem::replace(known, stall) != stall,
                None => stalls.insert(self.stream.to_owned(), stall).is_none(),
            });
    }
}

impl Drop for InFlightPublish<'_> {
    fn drop(&mut self) {
        self.stalls
            .send_if_modified(|stalls| stalls.remove(self.stream).is_some());
    }
}
