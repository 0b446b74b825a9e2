//! The state of a server.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Options, fault::Faults, journal::Journal, objects::Objects, token::Tokens};

/// Objects, tokens and faults, shared by all connections and kept while the server is down.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) url: String,
    pub(crate) options: Options,
    objects: Mutex<Objects>,
    tokens: Mutex<Tokens>,
    faults: Mutex<Faults>,
    pub(crate) journal: Journal,
}

impl Shared {
    pub(crate) fn new(url: String, options: Options) -> Self {
        Self {
            url,
            objects: Mutex::new(Objects::new(&options.buckets, options.max_bytes)),
            tokens: Mutex::new(Tokens::new(options.token_required, options.token_lifetime)),
            faults: Mutex::default(),
            journal: Journal::default(),
            options,
        }
    }

    pub(crate) fn objects(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tokens(&self) -> MutexGuard<'_, Tokens> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
