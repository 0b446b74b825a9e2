//! What publishing waits for, stream by stream: one that is full says nothing about another.

use std::collections::BTreeMap;

use tokio::sync::watch;

use super::Stall;

/// The names of the streams into which publishing does not get on, and why.
pub type Stalls = BTreeMap<String, Stall>;

/// One message on its way into a stream; what was said of the stream is taken back when this ends, also when its publisher gives up.
pub(super) struct Trying<'a> {
    stream: &'a str,
    stalls: &'a watch::Sender<Stalls>,
}

impl<'a> Trying<'a> {
    pub(super) fn into(stream: &'a str, stalls: &'a watch::Sender<Stalls>) -> Self {
        Self { stream, stalls }
    }

    pub(super) fn stalled(&self, stall: Stall) {
        let news = |stalls: &mut Stalls| match stalls.get_mut(self.stream) {
            Some(known) => std::mem::replace(known, stall) != stall,
            None => stalls.insert(self.stream.to_owned(), stall).is_none(),
        };
        self.stalls.send_if_modified(news);
    }
}

impl Drop for Trying<'_> {
    fn drop(&mut self) {
        let news = |stalls: &mut Stalls| stalls.remove(self.stream).is_some();
        self.stalls.send_if_modified(news);
    }
}
