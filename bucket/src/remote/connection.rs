//! One store at hand: every operation is observed, judged, and tried once anew where only the credentials were too old.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use object_store::{ObjectStore, memory::InMemory, path::Path};
use url::Url;

use super::super::{
    BucketOptions, OptionError,
    fault::Fault,
    key::MAX_KEY,
    location::{Kind, Place},
};
use super::{
    Provider, Why,
    advice::Deed,
    judge::{Judge, Verdict},
    provider,
    wire::{Latest, Patience, observed},
};

/// Guarantees: an operation ends within its patience, is sent once, and once more only where the store called the credentials too old.
pub(crate) struct Connection {
    /// None is memory.
    provider: Option<Provider>,
    store: Mutex<Arc<dyn ObjectStore>>,
    judge: Judge,
    patience: Patience,
    prefix: String,
    pub(crate) known: Known,
}

/// What was found out about the store.
#[derive(Debug, Default)]
pub(crate) struct Known {
    ignores_conditions: AtomicBool,
}

impl Known {
    /// It carried out what should only be done under a condition that did not hold.
    pub(crate) fn ignores_conditions(&self) -> bool {
        self.ignores_conditions.load(Relaxed)
    }

    pub(crate) fn note_conditions(&self, ignored: bool) {
        self.ignores_conditions.store(ignored, Relaxed);
    }
}

impl Connection {
    /// Sets the store up, and sends nothing.
    pub(crate) fn open(place: &Place, options: &BucketOptions) -> Result<Self, Why> {
        let patience = Patience::of(options).map_err(|error: OptionError| error.to_string())?;
        let provider = provider(place, options, patience)?;
        let store = (provider.make)()
            .map_err(|error| super::answer::without_secrets(&error.to_string()))?;
        let judge = Judge {
            kind: place.kind,
            host: provider.endpoint.host_str().unwrap_or_default().to_owned(),
        };
        Ok(Self {
            provider: Some(provider),
            store: Mutex::new(store),
            judge,
            patience,
            prefix: place.prefix.clone(),
            known: Known::default(),
        })
    }

    /// Memory: it has no host, refuses nothing, and answers at once.
    pub(crate) fn memory() -> Result<Self, OptionError> {
        Ok(Self {
            provider: None,
            store: Mutex::new(Arc::new(InMemory::new())),
            judge: Judge {
                kind: Kind::Google,
                host: String::new(),
            },
            patience: Patience::of(&BucketOptions::new())?,
            prefix: String::new(),
            known: Known::default(),
        })
    }

    /// None is memory.
    pub(crate) fn kind(&self) -> Option<Kind> {
        self.provider.as_ref().map(|_| self.judge.kind)
    }

    /// Where the store listens; none is memory.
    pub(crate) fn endpoint(&self) -> Option<&Url> {
        self.provider.as_ref().map(|provider| &provider.endpoint)
    }

    /// Where an object of this key is in the store.
    pub(crate) fn path(&self, key: &str) -> Result<Path, Fault> {
        let whole = self.whole(key);
        if whole.len() > MAX_KEY {
            return Err(Fault::invalid(
                "with the bucket's prefix the key is longer than 1024 bytes",
            ));
        }
        Path::parse(whole).map_err(Fault::invalid)
    }

    /// From a path in the store to a key; none is somebody else's.
    pub(crate) fn key(&self, path: &str) -> Option<String> {
        let rest = path.strip_prefix(&self.prefix)?;
        let key = if self.prefix.is_empty() {
            rest
        } else {
            rest.strip_prefix('/')?
        };
        Some(key.to_owned())
    }

    fn whole(&self, key: &str) -> String {
        match (self.prefix.as_str(), key) {
            ("", key) => key.to_owned(),
            (prefix, "") => prefix.to_owned(),
            (prefix, key) => format!("{prefix}/{key}"),
        }
    }

    /// A URL of an object's bytes, where it has another one than the bucket's with the key behind it.
    pub(crate) fn link(&self, key: &str, generation: &str) -> Option<String> {
        let provider = self.provider.as_ref()?;
        Some((provider.link)(&self.whole(key), generation))
    }

    /// Runs an operation that moves so many bytes.
    pub(crate) async fn ask<T, F>(
        &self,
        deed: Deed,
        bytes: u64,
        operation: impl Fn(Arc<dyn ObjectStore>) -> F,
    ) -> Result<T, Verdict>
    where
        F: Future<Output = object_store::Result<T>>,
    {
        let used = self.store();
        match self.once(deed, bytes, operation(Arc::clone(&used))).await {
            Err(Verdict::Stale(fault)) => match self.renewed(&used) {
                Some(fresh) => self.once(deed, bytes, operation(fresh)).await,
                None => Err(Verdict::Stale(fault)),
            },
            result => result,
        }
    }

    async fn once<T>(
        &self,
        deed: Deed,
        bytes: u64,
        operation: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, Verdict> {
        if self.provider.is_none() {
            // Memory has no clock either.
            let done = operation.await;
            return done.map_err(|error| self.judge.judge(deed, &error, &Latest::default()));
        }
        let patience = self.patience.whole(bytes);
        let (result, latest) = observed(tokio::time::timeout(patience, operation)).await;
        match result {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(self.judge.judge(deed, &error, &latest)),
            Err(_) => Err(Verdict::Fault(too_late(deed, &latest, patience))),
        }
    }

    fn store(&self) -> Arc<dyn ObjectStore> {
        let store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&store)
    }

    /// The store with credentials that are read anew: files may have been replaced, and what was cached is dropped. Of many who found
    /// the same ones too old, one makes the new ones.
    fn renewed(&self, used: &Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        let make = &self.provider.as_ref()?.make;
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&store, used) {
            *store = make().ok()?;
        }
        Some(Arc::clone(&store))
    }
}

fn too_late(deed: Deed, latest: &Latest, patience: std::time::Duration) -> Fault {
    Fault::transient(format!(
        "{} {}: not done within {patience:?}",
        deed.asking(),
        latest.host
    ))
}

impl fmt::Debug for Connection {
    /// Never the store's own output, which may hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("kind", &self.kind())
            .field("host", &self.judge.host)
            .finish_non_exhaustive()
    }
}
