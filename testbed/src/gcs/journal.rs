//! The requests that a server received, for tests that count them.

use tokio::sync::watch;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedRequest {
    /// In capitals.
    pub method: String,
    /// With its query, as the client sent it.
    pub path: String,
    /// The key of the object that it concerns.
    pub key: Option<String>,
    /// Bytes of its body that were read.
    pub received: u64,
    /// None before the response, and for a request without one.
    pub status: Option<u16>,
}

/// All requests, in the order in which they came.
#[derive(Debug)]
pub(crate) struct Journal(watch::Sender<Vec<RecordedRequest>>);

impl Default for Journal {
    fn default() -> Self {
        Self(watch::Sender::new(Vec::new()))
    }
}

impl Journal {
    /// Adds a request and returns its index.
    pub(crate) fn add(&self, request: RecordedRequest) -> usize {
        let mut index = 0;
        self.0.send_modify(|all| {
            index = all.len();
            all.push(request);
        });
        index
    }

    pub(crate) fn update(&self, index: usize, change: impl FnOnce(&mut RecordedRequest)) {
        self.0.send_modify(|all| {
            if let Some(request) = all.get_mut(index) {
                change(request);
            }
        });
    }

    pub(crate) fn all(&self) -> Vec<RecordedRequest> {
        self.0.borrow().clone()
    }

    pub(crate) async fn wait_until(&self, mut holds: impl FnMut(&[RecordedRequest]) -> bool) {
        // The sender is ours, so the channel is open.
        let _ = self.0.subscribe().wait_for(|all| holds(all)).await;
    }
}
