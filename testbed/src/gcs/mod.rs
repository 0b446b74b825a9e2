//! A simulator of Google Cloud Storage, as far as this project uses it, on a port of this machine.
//!
//! ```text
//!   client ──HTTP──► listener ──► server      routes, and a layer that records and injects faults
//!                                 ├─ xml      object_store's API      ┐ request: permissions,
//!                                 ├─ json     Google's own clients'   ┘ preconditions ─► objects
//!                                 └─ token    tokens and permissions                    in memory
//! ```
//!
//! Its responses are those that Google documents and that its service was seen to send; a request
//! that it does not know is answered 501, never by a guess. Tests inject faults ([`Fault`]) and
//! count requests and writes ([`GcsServer::requests`], [`GcsServer::counts`]). Benchmarks run it
//! beside the clients that they measure, so it is cheap: bodies are kept in the pieces in which
//! they came, and CRC32C is the only checksum that is always computed.
//!
//! Not simulated: versions of overwritten objects (a deleted generation is gone), uploads in
//! several requests, copies, signed URLs.

mod checksum;
mod content;
mod download;
mod error_response;
mod fault;
mod journal;
mod json;
mod multipart;
mod objects;
mod request;
mod server;
mod state;
mod token;
mod xml;

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::serve::ListenerExt;

pub use fault::{Effect, Fault};
pub use journal::RecordedRequest;
pub use objects::Counts;
pub(crate) use server::truncate;
pub use token::Permission;

use crate::listener::{Listener, bind};
use state::Shared;
use token::Permissions;

/// The settings of a server.
#[derive(Clone, Debug)]
pub struct Options {
    /// The address to listen on; port 0 is a free one.
    pub listen: SocketAddr,
    /// The buckets that exist.
    pub buckets: Vec<String>,
    /// The delay of every response.
    pub latency: Duration,
    /// Answers 401 to requests without a token of this server.
    pub token_required: bool,
    /// The lifetime of its tokens, in whole seconds as far as clients learn.
    pub token_lifetime: Duration,
    /// The limit of the bytes of all objects: the oldest are dropped. None is no limit.
    pub max_bytes: Option<u64>,
    /// Sends the generation in the response to a PUT. Some emulators omit it.
    pub put_returns_generation: bool,
    /// Honours `if-generation-match`. Some emulators ignore it.
    pub preconditions: bool,
    /// Checks `if-generation-match` before the permission to overwrite. Google does not
    /// document the order: a client that may create but not delete gets 412 for an existing object
    /// this way, and 403 the other way.
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

/// A running simulator; dropping it closes its port.
///
/// It has a thread and a runtime of its own, so it keeps serving while a test blocks.
#[derive(Debug)]
pub struct GcsServer {
    address: SocketAddr,
    /// None while it is down.
    listener: Mutex<Option<Listener>>,
    shared: Arc<Shared>,
}

impl GcsServer {
    /// The bucket that exists unless the options name others.
    pub const BUCKET: &str = "crispy-bucket";

    /// Starts a server with the one bucket, on a free port of 127.0.0.1.
    ///
    /// # Panics
    ///
    /// When the machine has no free port or no thread left.
    pub fn start() -> Self {
        Self::start_with(Options::default())
    }

    /// As [`Self::start`], with these options.
    ///
    /// # Panics
    ///
    /// When the address is taken, or the machine has no thread left.
    pub fn start_with(options: Options) -> Self {
        let listener = bind(options.listen);
        let address = listener.local_addr().expect("a bound socket");
        let shared = Arc::new(Shared::new(format!("http://{address}"), options));
        let server = Self {
            address,
            listener: Mutex::default(),
            shared,
        };
        *server.listener() = Some(server.serve(listener));
        server
    }

    fn serve(&self, listener: TcpListener) -> Listener {
        let router = server::router(Arc::clone(&self.shared));
        Listener::open(listener, async |listener| {
            // Clients wait for small responses, which Nagle's algorithm would delay.
            let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
            axum::serve(listener, router).await
        })
    }

    fn listener(&self) -> MutexGuard<'_, Option<Listener>> {
        self.listener.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `http://127.0.0.1:<port>`: the value for `STORAGE_EMULATOR_HOST`.
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// `127.0.0.1:<port>`: the value for `GCE_METADATA_HOST`, and the target of a
    /// [`crate::FaultProxy`].
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Adds a fault. Of several that match a request, the oldest strikes.
    pub fn inject(&self, fault: Fault) {
        self.shared.faults().add(fault);
    }

    /// Removes all faults. Requests that a fault delays already stay delayed.
    pub fn clear_faults(&self) {
        self.shared.faults().clear();
    }

    /// Closes the port and all connections. Objects stay.
    pub fn go_down(&self) {
        *self.listener() = None;
    }

    /// Listens on the same port again. Does nothing when it is up.
    ///
    /// # Panics
    ///
    /// When another program has taken the port.
    pub fn come_back(&self) {
        let mut listener = self.listener();
        if listener.is_none() {
            *listener = Some(self.serve(bind(self.address)));
        }
    }

    /// Sets the permissions of clients whose token has none of its own; at the start, all of them.
    pub fn allow(&self, permissions: &[Permission]) {
        self.shared.tokens().default_permissions = Permissions::new(permissions);
    }

    /// A token with these permissions only.
    pub fn token_for(&self, permissions: &[Permission]) -> String {
        let permissions = Permissions::new(permissions);
        self.shared.tokens().issue(Some(permissions))
    }

    /// Expires all tokens issued so far.
    pub fn expire_tokens(&self) {
        self.shared.tokens().expire();
    }

    /// The `token_uri` for the key file of a service account.
    pub fn token_url(&self) -> String {
        format!("{}/token", self.url())
    }

    /// All requests so far, in the order in which they came.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.shared.journal.all()
    }

    /// Waits until so many requests have come, answered or not.
    pub async fn wait_for_requests(&self, many: usize) {
        self.wait_until(|all| all.len() >= many).await;
    }

    /// Waits until a condition holds for all requests so far.
    pub async fn wait_until(&self, holds: impl FnMut(&[RecordedRequest]) -> bool) {
        self.shared.journal.wait_until(holds).await;
    }

    /// The numbers of objects written, overwritten and deleted.
    pub fn counts(&self) -> Counts {
        self.shared.objects().counts
    }

    /// The metadata of an object.
    pub fn metadata(&self, bucket: &str, key: &str) -> Option<BTreeMap<String, String>> {
        let objects = self.shared.objects();
        let bucket = objects.bucket(bucket).ok()?;
        Some(bucket.get(key)?.attributes.metadata.clone())
    }

    /// The keys of all objects of a bucket, in order. None for an unknown bucket.
    pub fn keys(&self, bucket: &str) -> Option<Vec<String>> {
        let objects = self.shared.objects();
        let bucket = objects.bucket(bucket).ok()?;
        Some(bucket.keys().cloned().collect())
    }
}
