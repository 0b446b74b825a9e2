//! A listening socket with a thread and a runtime of its own.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener as StdListener},
    thread,
};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Any free port of 127.0.0.1.
pub(crate) const FREE_PORT: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

/// Binds an address. A port is free again although closed connections linger (`SO_REUSEADDR`).
///
/// # Panics
///
/// When the address is taken.
pub(crate) fn bind(address: impl Into<SocketAddr>) -> StdListener {
    let address = address.into();
    let listener = StdListener::bind(address);
    let listener = listener.unwrap_or_else(|error| panic!("listen on {address}: {error}"));
    listener.set_nonblocking(true).expect("a socket of ours");
    listener
}

/// Serves a port while the value lives, also while the test that owns it blocks.
///
/// Dropping it closes the port and resets all connections.
#[derive(Debug)]
pub(crate) struct Listener {
    address: SocketAddr,
    end: CancellationToken,
    thread: Option<thread::JoinHandle<()>>,
}

impl Listener {
    /// Runs `serve` with the socket in a new thread.
    ///
    /// # Panics
    ///
    /// When the machine has no thread left.
    pub(crate) fn open<F: Future>(
        listener: StdListener,
        serve: impl FnOnce(TcpListener) -> F + Send + 'static,
    ) -> Self {
        let address = listener.local_addr().expect("a bound socket");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let end = CancellationToken::new();
        let ending = end.clone();
        // The tasks of all connections are dropped together with the runtime, at the end of the
        // thread.
        let thread = thread::spawn(move || {
            runtime.block_on(ending.run_until_cancelled(async {
                let listener = TcpListener::from_std(listener).expect("a socket of ours");
                serve(listener).await;
            }));
        });
        Self {
            address,
            end,
            thread: Some(thread),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.end.cancel();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has printed its message already.
            let _ = thread.join();
        }
    }
}
