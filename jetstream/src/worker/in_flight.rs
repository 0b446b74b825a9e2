//! Messages in flight: delivered to this worker and not settled.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use super::delivery::{Delivery, MessageRef};

/// All messages in flight, running or waiting. Their leases are extended, and a stopping worker
/// hands them back.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    deliveries: HashMap<MessageRef, Arc<Delivery>>,
    waiting: VecDeque<MessageRef>,
}

impl InFlight {
    pub(super) fn len(&self) -> usize {
        self.deliveries.len()
    }

    /// Adds a delivery. A message that is in flight already was delivered again because its lease
    /// was extended late: its running attempt continues.
    pub(super) fn insert(&mut self, delivery: Delivery) {
        let message = delivery.message_ref();
        let previous = self.deliveries.insert(message, Arc::new(delivery));
        if previous.is_none() {
            self.waiting.push_back(message);
        }
    }

    /// The next waiting delivery, which counts as running from now on.
    pub(super) fn next_waiting(&mut self) -> Option<Arc<Delivery>> {
        let message = self.waiting.pop_front()?;
        self.get(message)
    }

    /// The number of messages that wait for a permit.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Lets a message whose attempt ended wait again, with `change` applied to its delivery.
    pub(super) fn requeue(&mut self, message: MessageRef, change: impl FnOnce(&mut Delivery)) {
        if let Some(delivery) = self.deliveries.get_mut(&message) {
            change(Arc::make_mut(delivery));
            self.waiting.push_back(message);
        }
    }

    /// The delivery of a message in flight.
    pub(super) fn get(&self, message: MessageRef) -> Option<Arc<Delivery>> {
        self.deliveries.get(&message).map(Arc::clone)
    }

    /// Whether a message is in flight.
    pub(super) fn contains(&self, message: MessageRef) -> bool {
        self.deliveries.contains_key(&message)
    }

    /// Removes a message.
    pub(super) fn remove(&mut self, message: MessageRef) -> Option<Arc<Delivery>> {
        self.deliveries.remove(&message)
    }

    /// Drops waiting messages of streams that were created at another time. Running attempts keep
    /// theirs.
    pub(super) fn drop_stale(&mut self, created_us: i64) {
        let deliveries = &mut self.deliveries;
        self.waiting.retain(|message| {
            let stays = message.created_us == created_us;
            if !stays {
                deliveries.remove(message);
            }
            stays
        });
    }

    /// Removes all waiting messages.
    pub(super) fn take_waiting(&mut self) -> Vec<Arc<Delivery>> {
        let waiting = std::mem::take(&mut self.waiting);
        waiting
            .into_iter()
            .filter_map(|message| self.remove(message))
            .collect()
    }

    /// Removes all messages.
    pub(super) fn take_all(&mut self) -> Vec<Arc<Delivery>> {
        self.waiting.clear();
        let all = self.deliveries.drain();
        all.map(|(_, delivery)| delivery).collect()
    }

    /// All deliveries.
    pub(super) fn deliveries(&self) -> impl Iterator<Item = &Delivery> {
        self.deliveries.values().map(Arc::as_ref)
    }
}
