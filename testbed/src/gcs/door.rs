//! The listening socket: opened, closed and opened again on the same port.

use std::{
    net::{SocketAddr, TcpListener as Listening},
    sync::{Arc, mpsc as std_mpsc},
    thread,
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::sync::CancellationToken;

use super::connection::{Shared, serve};

/// Open or not, and who wants to know when it is so.
type Order = (bool, std_mpsc::Sender<()>);

/// The way into a server. Closed for good when this is dropped, with all connections.
#[derive(Debug)]
pub(crate) struct Door {
    address: SocketAddr,
    orders: mpsc::UnboundedSender<Order>,
    end: CancellationToken,
    thread: Option<thread::JoinHandle<()>>,
}

/// Takes an address.
///
/// # Panics
///
/// When it cannot be had.
pub(crate) fn listen(address: SocketAddr) -> Listening {
    // Not tokio's: it takes the address again while closed connections linger (SO_REUSEADDR), and so does std.
    let listener = Listening::bind(address);
    let listener = listener.unwrap_or_else(|error| panic!("listen on {address}: {error}"));
    listener.set_nonblocking(true).expect("a socket of ours");
    listener
}

impl Door {
    pub(crate) fn open(listener: Listening, address: SocketAddr, shared: Arc<Shared>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let (orders, received) = mpsc::unbounded_channel();
        let end = CancellationToken::new();
        let ending = end.clone();
        let thread = thread::spawn(move || {
            let opening = attend(listener, address, received, shared);
            runtime.block_on(ending.run_until_cancelled(opening));
        });
        Self {
            address,
            orders,
            end,
            thread: Some(thread),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Opens or closes it, and waits until that is done.
    pub(crate) fn set(&self, open: bool) {
        let (done, wait) = std_mpsc::channel();
        let sent = self.orders.send((open, done));
        sent.ok()
            .and_then(|()| wait.recv().ok())
            .expect("the server's thread has ended: see its message");
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.end.cancel();
        if let Some(thread) = self.thread.take() {
            // It has said why, if it has panicked.
            let _ = thread.join();
        }
    }
}

/// Serves while open, and waits while closed.
async fn attend(
    first: Listening,
    address: SocketAddr,
    mut orders: mpsc::UnboundedReceiver<Order>,
    shared: Arc<Shared>,
) {
    let mut open = Some(first);
    loop {
        let order = match open.take() {
            Some(listener) => {
                let listener = TcpListener::from_std(listener).expect("a socket of ours");
                let connections = CancellationToken::new();
                let order = tokio::select! {
                    order = orders.recv() => order,
                    () = accept(&listener, &shared, &connections) => None,
                };
                connections.cancel();
                order
            }
            None => orders.recv().await,
        };
        let Some((wanted, done)) = order else { return };
        open = wanted.then(|| listen(address));
        // Whoever gave the order may have given up.
        let _ = done.send(());
    }
}

async fn accept(listener: &TcpListener, shared: &Arc<Shared>, connections: &CancellationToken) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        // An answer is small and awaited.
        let _ = stream.set_nodelay(true);
        let shared = Arc::clone(shared);
        let service = service_fn(move |request| serve(Arc::clone(&shared), request));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service);
        let closing = connections.clone();
        // A connection that ends badly is what some tests want.
        tokio::spawn(async move { closing.run_until_cancelled(connection).await });
    }
}
