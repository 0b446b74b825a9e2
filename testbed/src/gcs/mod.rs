//! Google Cloud Storage, as far as this project meets it, on a port of this machine.
//!
//! ```text
//!   client ──HTTP──► door ──► connection ──► target      what the path names
//!                    opens,    one request    ├─ xml     object_store's language      ┐ reading, writing ──► objects
//!                    closes    fault, journal ├─ json    Google's own clients'        ┘ request, refusal     in memory
//!                                             └─ token   who may do what
//! ```
//!
//! What it answers is what Google documents and what its service was seen to answer; where it knows no answer it says 501 and never guesses.
//! Its faults are scripted ([`Fault`]), and what was asked of it can be counted ([`GcsServer::requests`], [`GcsServer::counts`]).
//! It is cheap, since it is measured beside its clients: bodies are kept in the pieces in which they came, and only CRC32C is always computed.
//!
//! Not here: versions of objects that were overwritten (a deleted generation is gone), uploads in several requests, copies, signatures of URLs.

mod answer;
mod checksum;
mod connection;
mod door;
mod fault;
mod journal;
mod json;
mod multipart;
mod objects;
mod reading;
mod refusal;
mod request;
mod target;
mod token;
mod writing;
mod xml;

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

pub use fault::{Effect, Fault};
pub use journal::RecordedRequest;
pub use objects::Counts;
pub use token::Permission;

use connection::Shared;
use door::Door;
use token::Permissions;

/// How a server is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens; port 0 is a free one.
    pub listen: SocketAddr,
    /// The buckets that exist.
    pub buckets: Vec<String>,
    /// Every answer comes so much later.
    pub latency: Duration,
    /// Whether requests without a token of its own are answered 401.
    pub token_required: bool,
    /// How long its tokens are good for, in whole seconds as far as clients are told.
    pub token_lifetime: Duration,
    /// Bytes of objects that are kept at most: the oldest are dropped. None is no limit.
    pub max_bytes: Option<u64>,
    /// Whether the answer to a PUT says the generation. Some emulators do not.
    pub put_returns_generation: bool,
    /// Whether `if-generation-match` is heeded. Some emulators do not.
    pub preconditions: bool,
    /// Whether `if-generation-match` is judged before the right to overwrite. Google does not document which comes first: to somebody who
    /// may create and not delete, an object that is there already is 412 this way and 403 the other.
    pub conditions_before_permissions: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            buckets: vec![GcsServer::BUCKET.to_owned()],
            latency: Duration::ZERO,
            token_required: false,
            token_lifetime: Duration::from_secs(3600),
            max_bytes: None,
            put_returns_generation: true,
            preconditions: true,
            conditions_before_permissions: true,
        }
    }
}

/// A simulated Google Cloud Storage, as long as the value lives.
///
/// It has a thread and a runtime of its own: it goes on while its owner blocks.
#[derive(Debug)]
pub struct GcsServer {
    door: Door,
    shared: Arc<Shared>,
}

impl GcsServer {
    /// The bucket that exists where the options name no other.
    pub const BUCKET: &str = "crispy-bucket";

    /// A server with the one bucket, on a free port of 127.0.0.1.
    ///
    /// # Panics
    ///
    /// When there is no free port, or no thread to be had.
    pub fn start() -> Self {
        Self::start_with(Options::default())
    }

    /// As [`Self::start`], set up as `options` say.
    ///
    /// # Panics
    ///
    /// When it cannot listen there, or there is no thread to be had.
    pub fn start_with(options: Options) -> Self {
        let listener = door::listen(options.listen);
        let address = listener.local_addr().expect("a bound socket");
        let shared = Arc::new(Shared::new(format!("http://{address}"), options));
        let door = Door::open(listener, address, Arc::clone(&shared));
        Self { door, shared }
    }

    /// `http://127.0.0.1:<port>`: what `STORAGE_EMULATOR_HOST` is to be.
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// `127.0.0.1:<port>`: what `GCE_METADATA_HOST` is to be, for tokens; and the target of a [`crate::FaultProxy`].
    pub fn address(&self) -> SocketAddr {
        self.door.address()
    }

    /// Adds a fault. Of several that fit a request, the first one strikes.
    pub fn inject(&self, fault: Fault) {
        self.shared.faults().add(fault);
    }

    /// Ends all faults. Requests that one holds already are held on.
    pub fn clear_faults(&self) {
        self.shared.faults().clear();
    }

    /// Stops listening and resets all connections: what is sent is refused. Objects stay.
    pub fn go_down(&self) {
        self.door.set(false);
    }

    /// Listens again, on the same port.
    ///
    /// # Panics
    ///
    /// When another program has taken the port.
    pub fn come_back(&self) {
        self.door.set(true);
    }

    /// What everybody may do whose token says nothing else; all, at the start.
    pub fn allow(&self, permissions: &[Permission]) {
        self.shared.tokens().everybody = Permissions::of(permissions);
    }

    /// A token whose bearer may do this and nothing else.
    pub fn token_for(&self, permissions: &[Permission]) -> String {
        let permissions = Permissions::of(permissions);
        self.shared.tokens().issue(Some(permissions))
    }

    /// Makes expired ones of all tokens that were issued so far.
    pub fn expire_tokens(&self) {
        self.shared.tokens().expire();
    }

    /// Where a service account's key file sends for tokens (`token_uri`).
    pub fn token_url(&self) -> String {
        format!("{}/token", self.url())
    }

    /// All requests so far, in the order in which they came.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.shared.journal.all()
    }

    /// Waits until there were so many requests, answered or not.
    pub async fn wait_for_requests(&self, many: usize) {
        self.wait_until(|all| all.len() >= many).await;
    }

    /// Waits until something holds of all requests so far.
    pub async fn wait_until(&self, is: impl FnMut(&[RecordedRequest]) -> bool) {
        self.shared.journal.until(is).await;
    }

    /// How many objects were written, overwritten and deleted.
    pub fn counts(&self) -> Counts {
        self.shared.objects().counts
    }

    /// What is stored with an object, beside its bytes.
    pub fn metadata(&self, bucket: &str, key: &str) -> Option<BTreeMap<String, String>> {
        let objects = self.shared.objects();
        let bucket = objects.bucket(bucket).ok()?;
        Some(bucket.get(key)?.about.metadata.clone())
    }

    /// The keys of all objects of a bucket, in order. None where there is no such bucket.
    pub fn keys(&self, bucket: &str) -> Option<Vec<String>> {
        let objects = self.shared.objects();
        let bucket = objects.bucket(bucket).ok()?;
        Some(bucket.keys().cloned().collect())
    }
}
