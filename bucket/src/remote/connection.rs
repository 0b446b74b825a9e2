//! The connection to one store: runs operations with timeouts, and refreshes stale credentials.
//!
//! An operation whose credentials the store calls stale is repeated once with fresh ones. The retry
//! policy does not count that: the store refused the request before it looked at it, and the same
//! request with the same credentials would fail forever.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use crispy_fault::Fault;
use object_store::{ObjectStore, memory::InMemory, path::Path};
use parking_lot::Mutex;
use url::Url;

use super::{
    StoreSetup,
    classify::{Classification, Classifier},
    hints::Operation,
    http::Timeouts,
    setup,
};
use crate::{
    BucketOptions,
    key::MAX_KEY,
    location::{Provider, RemoteLocation},
    redact,
    request_log::{LastRequest, observe},
};

/// Guarantees: an operation ends within its timeout, is sent once, and once more only if the store
/// called the credentials stale.
pub(crate) struct Connection {
    /// `None` is memory.
    setup: Option<StoreSetup>,
    store: Mutex<Arc<dyn ObjectStore>>,
    classifier: Classifier,
    timeouts: Timeouts,
    prefix: String,
    ignores_preconditions: AtomicBool,
}

impl Connection {
    /// Sets up the store of the bucket `url`, without a request. The error is the mistake in the
    /// options, and its correction.
    pub(crate) fn open(
        location: &RemoteLocation,
        url: &str,
        options: &BucketOptions,
    ) -> Result<Self, String> {
        let timeouts = Timeouts::from_options(options).map_err(|fault| fault.to_string())?;
        let setup = setup(location, options, timeouts)?;
        let store = (setup.make)().map_err(|error| redact::words(&error.to_string()))?;
        let classifier = Classifier {
            provider: location.provider,
            host: setup.endpoint.host_str().unwrap_or_default().to_owned(),
            url: url.to_owned(),
        };
        Ok(Self {
            setup: Some(setup),
            store: Mutex::new(store),
            classifier,
            timeouts,
            prefix: location.prefix.clone(),
            ignores_preconditions: AtomicBool::default(),
        })
    }

    /// Memory: it has no host, refuses nothing, and answers at once.
    pub(crate) fn memory() -> Self {
        Self {
            setup: None,
            store: Mutex::new(Arc::new(InMemory::new())),
            classifier: Classifier {
                provider: Provider::Google,
                host: String::new(),
                url: "memory://".to_owned(),
            },
            timeouts: Timeouts::default(),
            prefix: String::new(),
            ignores_preconditions: AtomicBool::default(),
        }
    }

    /// `None` is memory.
    pub(crate) fn provider(&self) -> Option<Provider> {
        self.setup.as_ref().map(|_| self.classifier.provider)
    }

    /// The store's address; `None` is memory.
    pub(crate) fn endpoint(&self) -> Option<&Url> {
        self.setup.as_ref().map(|setup| &setup.endpoint)
    }

    /// Whether the store has performed an operation whose precondition did not hold.
    pub(crate) fn ignores_preconditions(&self) -> bool {
        self.ignores_preconditions.load(Relaxed)
    }

    pub(crate) fn note_preconditions(&self, ignored: bool) {
        self.ignores_preconditions.store(ignored, Relaxed);
    }

    /// The path of a key in the store.
    pub(crate) fn path(&self, key: &str) -> Result<Path, Fault> {
        let path = self.with_prefix(key);
        if path.len() > MAX_KEY {
            return Err(Fault::rejected(
                "with the bucket's prefix the key is longer than 1024 bytes",
            ));
        }
        Path::parse(path).map_err(|error| Fault::rejected("parse key").with_source(error))
    }

    /// The key of a path in the store; `None` for a path outside of the prefix.
    pub(crate) fn key(&self, path: &str) -> Option<String> {
        let rest = path.strip_prefix(&self.prefix)?;
        let key = if self.prefix.is_empty() {
            rest
        } else {
            rest.strip_prefix('/')?
        };
        Some(key.to_owned())
    }

    fn with_prefix(&self, key: &str) -> String {
        match (self.prefix.as_str(), key) {
            ("", key) => key.to_owned(),
            (prefix, "") => prefix.to_owned(),
            (prefix, key) => format!("{prefix}/{key}"),
        }
    }

    /// A URL of an object's bytes, where it is not the bucket's URL followed by the key.
    pub(crate) fn link(&self, key: &str, generation: &str) -> Option<String> {
        let setup = self.setup.as_ref()?;
        Some((setup.link)(&self.with_prefix(key), generation))
    }

    /// Runs an operation that moves `bytes` bytes.
    pub(crate) async fn run<T, F>(
        &self,
        operation: Operation,
        bytes: u64,
        request: impl Fn(Arc<dyn ObjectStore>) -> F,
    ) -> Result<T, Classification>
    where
        F: Future<Output = object_store::Result<T>>,
    {
        let used = Arc::clone(&self.store.lock());
        let first = self.run_once(operation, bytes, request(Arc::clone(&used)));
        match first.await {
            Err(Classification::StaleCredentials(fault)) => match self.refresh(&used) {
                Some(fresh) => self.run_once(operation, bytes, request(fresh)).await,
                None => Err(Classification::StaleCredentials(fault)),
            },
            result => result,
        }
    }

    async fn run_once<T>(
        &self,
        operation: Operation,
        bytes: u64,
        request: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, Classification> {
        let classify = |error, last: &LastRequest| {
            let error: object_store::Error = error;
            self.classifier.classify(operation, &error, last)
        };
        if self.setup.is_none() {
            // Memory needs no runtime with timers.
            let done = request.await;
            return done.map_err(|error| classify(error, &LastRequest::default()));
        }
        let timeout = self.timeouts.operation(bytes);
        let (result, last) = observe(tokio::time::timeout(timeout, request)).await;
        match result {
            Ok(done) => done.map_err(|error| classify(error, &last)),
            Err(_) => Err(Classification::Fault(timed_out(operation, &last, timeout))),
        }
    }

    /// The store with credentials read again: files may have been replaced, and cached tokens are
    /// dropped. Of many tasks with the same stale credentials, one refreshes them.
    fn refresh(&self, used: &Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        let make = &self.setup.as_ref()?.make;
        let mut store = self.store.lock();
        if Arc::ptr_eq(&store, used) {
            *store = make().ok()?;
        }
        Some(Arc::clone(&store))
    }
}

fn timed_out(operation: Operation, last: &LastRequest, timeout: Duration) -> Fault {
    let (verb, host) = (operation.verb(), &last.host);
    Fault::transient(format!("{verb} {host}: not done within {timeout:?}"))
}

impl fmt::Debug for Connection {
    /// Never the store's own output, which may contain credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("provider", &self.provider())
            .field("host", &self.classifier.host)
            .finish_non_exhaustive()
    }
}
