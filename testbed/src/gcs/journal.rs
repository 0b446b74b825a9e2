//! What was asked and what was answered, for tests that count.

use tokio::sync::watch;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedRequest {
    /// In capitals.
    pub method: String,
    /// With its query, as it was sent.
    pub path: String,
    /// Of the object that it is about, if it is one.
    pub key: Option<String>,
    /// Bytes of its body that were read.
    pub received: u64,
    /// None while there is no answer, and where there never was one.
    pub status: Option<u16>,
}

/// All requests so far, in the order in which they came.
#[derive(Debug)]
pub(crate) struct Journal(watch::Sender<Vec<RecordedRequest>>);

impl Default for Journal {
    fn default() -> Self {
        Self(watch::Sender::new(Vec::new()))
    }
}

impl Journal {
    /// Its place.
    pub(crate) fn arrived(&self, asked: RecordedRequest) -> usize {
        let mut place = 0;
        self.0.send_modify(|all| {
            place = all.len();
            all.push(asked);
        });
        place
    }

    pub(crate) fn note(&self, place: usize, change: impl FnOnce(&mut RecordedRequest)) {
        self.0.send_modify(|all| {
            if let Some(asked) = all.get_mut(place) {
                change(asked);
            }
        });
    }

    pub(crate) fn all(&self) -> Vec<RecordedRequest> {
        self.0.borrow().clone()
    }

    pub(crate) async fn until(&self, mut is: impl FnMut(&[RecordedRequest]) -> bool) {
        // The sender is ours, so it cannot have gone.
        let _ = self.0.subscribe().wait_for(|all| is(all)).await;
    }
}
