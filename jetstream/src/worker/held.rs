//! The messages that are this worker's for now.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use async_nats::{Message, Subject};
use bytes::Bytes;

use super::{Delivery, history::Failures, place::Place};
use crate::{Headers, header, pull::AckSubject};

/// A message, and what the server said of this delivery.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) place: Place,
    pub(super) reply: Subject,
    pub(super) subject: Subject,
    pub(super) headers: Headers,
    pub(super) payload: Bytes,
    pub(super) facts: AckSubject,
}

impl Parcel {
    /// None where it is not a delivery of a stream's message: there is nobody to acknowledge it to.
    pub(super) fn open(message: Message, created_us: i64) -> Option<Self> {
        let reply = message.reply?;
        let facts = AckSubject::parse(&reply)?;
        Some(Self {
            place: Place {
                created_us,
                sequence: facts.stream_sequence,
            },
            reply,
            subject: message.subject,
            headers: Headers::new(message.headers),
            payload: message.payload,
            facts,
        })
    }

    /// What a handler is told, by a worker that remembers this of the message.
    pub(super) fn delivery(&self, failures: Option<Failures>) -> Delivery {
        let retries = failures.map_or(0, |failures| failures.retries);
        Delivery {
            message_id: self.headers.get(header::MESSAGE_ID).map(str::to_owned),
            subject: self.subject.to_string(),
            stream: self.facts.stream.clone(),
            stream_sequence: self.facts.stream_sequence,
            stream_created_us: self.place.created_us,
            attempt: retries.saturating_add(1),
            deliveries: self.facts.deliveries,
            begun: failures.is_some_and(|failures| failures.survived),
            published: self.facts.published,
            headers: self.headers.clone(),
        }
    }
}

/// Everything that is held, running or waiting: what must be kept alive, and in the end handed back.
#[derive(Debug, Default)]
pub(super) struct Held {
    parcels: HashMap<Place, Arc<Parcel>>,
    waiting: VecDeque<Place>,
}

impl Held {
    pub(super) fn len(&self) -> usize {
        self.parcels.len()
    }

    /// Takes a parcel in. False where its message is held already: it was delivered again because a sign of life came late, and the hand
    /// that is on it goes on.
    pub(super) fn take_in(&mut self, parcel: Parcel) -> bool {
        let place = parcel.place;
        let news = self.parcels.insert(place, Arc::new(parcel)).is_none();
        if news {
            self.waiting.push_back(place);
        }
        news
    }

    /// The next that waits for a hand; it counts as running from now on.
    pub(super) fn next_waiting(&mut self) -> Option<Arc<Parcel>> {
        let place = self.waiting.pop_front()?;
        self.get(place)
    }

    /// How many wait for a hand.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// One that ran waits again.
    pub(super) fn wait_again(&mut self, place: Place) {
        if self.has(place) {
            self.waiting.push_back(place);
        }
    }

    /// The parcel of a message that is held.
    pub(super) fn get(&self, place: Place) -> Option<Arc<Parcel>> {
        self.parcels.get(&place).map(Arc::clone)
    }

    /// Whether a message is held.
    pub(super) fn has(&self, place: Place) -> bool {
        self.parcels.contains_key(&place)
    }

    /// Gives a parcel away.
    pub(super) fn release(&mut self, place: Place) -> Option<Arc<Parcel>> {
        self.parcels.remove(&place)
    }

    /// Forgets what waits and was taken from a stream that was created at another time. Hands that are on such a message keep it to their end.
    pub(super) fn forget_others(&mut self, created_us: i64) {
        let parcels = &mut self.parcels;
        self.waiting.retain(|place| {
            let stays = place.created_us == created_us;
            if !stays {
                parcels.remove(place);
            }
            stays
        });
    }

    /// Gives away all that wait.
    pub(super) fn release_waiting(&mut self) -> Vec<Arc<Parcel>> {
        let places = std::mem::take(&mut self.waiting);
        places
            .into_iter()
            .filter_map(|place| self.release(place))
            .collect()
    }

    /// Gives everything away.
    pub(super) fn release_all(&mut self) -> Vec<Arc<Parcel>> {
        self.waiting.clear();
        self.parcels.drain().map(|(_, parcel)| parcel).collect()
    }

    /// Everything, to send signs of life.
    pub(super) fn parcels(&self) -> impl Iterator<Item = &Parcel> {
        self.parcels.values().map(Arc::as_ref)
    }
}
