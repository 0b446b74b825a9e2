//! A network between two programs, with the faults of real ones.
//!
//! ```text
//!   client ──► proxy ──► target          Traffic: Pass, Delay, BlackHole, Cut
//!                                        for all connections, or for one
//! ```

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};
use tokio_util::task::TaskTracker;

use crate::listener::{FREE_PORT, Listener, bind};

/// Bytes read from a socket at once.
const PIECE: usize = 64 * 1024;

/// Pieces in flight in each direction of a connection, as in the cables of a slow network.
const IN_FLIGHT: usize = 64;

/// The treatment of bytes by the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// Carries them.
    Pass,
    /// Carries them, each byte this much later.
    Delay(Duration),
    /// Carries nothing and reports nothing, as an unplugged cable. Bytes sent meanwhile arrive when
    /// the traffic passes again, as with TCP's own retransmissions.
    BlackHole,
    /// Resets existing connections, with their bytes in flight, and new ones at once.
    Cut,
}

/// A TCP proxy in front of one target, as long as the value lives.
///
/// * It carries bytes unchanged and in order.
/// * A change of traffic applies to bytes in flight too.
/// * It has a thread and a runtime of its own, so it carries on while a test blocks.
#[derive(Debug)]
pub struct FaultProxy {
    listener: Listener,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    connections: Mutex<Connections>,
}

#[derive(Debug)]
struct Connections {
    /// The traffic of connections to come.
    traffic: Traffic,
    /// The traffic of each connection so far, open or ended, in the order in which they came.
    each: Vec<watch::Sender<Traffic>>,
}

impl FaultProxy {
    /// A proxy in front of `target`, on a free port of 127.0.0.1. The target may start later.
    ///
    /// # Panics
    ///
    /// When the machine has no free port or no thread left.
    pub fn new(target: SocketAddr) -> Self {
        let shared = Arc::new(Shared {
            target,
            connections: Mutex::new(Connections {
                traffic: Traffic::Pass,
                each: Vec::new(),
            }),
        });
        let serving = Arc::clone(&shared);
        let listener = Listener::open(bind(FREE_PORT), |listener| serve(listener, serving));
        Self { listener, shared }
    }

    /// The address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// Sets the traffic of existing connections and of those to come.
    pub fn set(&self, traffic: Traffic) {
        let mut connections = self.shared.connections();
        connections.traffic = traffic;
        for connection in &connections.each {
            connection.send_replace(traffic);
        }
    }

    /// Sets the traffic of one connection, counted from 0 in the order in which they came.
    ///
    /// # Panics
    ///
    /// When there has been no such connection.
    pub fn set_one(&self, connection: usize, traffic: Traffic) {
        self.shared.connections().each[connection].send_replace(traffic);
    }

    /// Resets existing connections, with their bytes in flight. New ones are accepted.
    pub fn reset(&self) {
        for connection in &self.shared.connections().each {
            connection.send_replace(Traffic::Cut);
        }
    }

    /// The number of connections so far.
    pub fn connections(&self) -> usize {
        self.shared.connections().each.len()
    }
}

impl Shared {
    fn connections(&self) -> MutexGuard<'_, Connections> {
        let connections = self.connections.lock();
        connections.unwrap_or_else(PoisonError::into_inner)
    }

    fn add_connection(&self) -> watch::Receiver<Traffic> {
        let mut connections = self.connections();
        let (sender, traffic) = watch::channel(connections.traffic);
        connections.each.push(sender);
        traffic
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) -> io::Result<()> {
    let connections = TaskTracker::new();
    loop {
        let (client, _) = listener.accept().await?;
        let (target, traffic) = (shared.target, shared.add_connection());
        connections.spawn(connect(client, target, traffic));
    }
}

/// One connection, from the client's first byte to the last of either.
async fn connect(
    mut client: TcpStream,
    target: SocketAddr,
    mut traffic: watch::Receiver<Traffic>,
) -> io::Result<()> {
    // In a black hole, neither side learns of the other before the network carries again.
    let carries = |traffic: &Traffic| *traffic != Traffic::BlackHole;
    let first = *traffic.wait_for(carries).await.map_err(io::Error::other)?;
    let server = match first {
        Traffic::Cut => None,
        _ => TcpStream::connect(target).await.ok(),
    };
    let Some(mut server) = server else {
        return client.set_zero_linger();
    };
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let cut = until_cut(traffic.clone());
    let ends = carry_both(&mut client, &mut server, &traffic);
    let both = tokio::select! {
        both = ends => Some(both),
        () = cut => None,
    };
    match both {
        Some(Ok(())) => Ok(()),
        // One side or the network broke off: the other side gets a reset, without the delayed
        // bytes.
        Some(Err(_)) | None => client.set_zero_linger().and(server.set_zero_linger()),
    }
}

async fn carry_both(
    client: &mut TcpStream,
    server: &mut TcpStream,
    traffic: &watch::Receiver<Traffic>,
) -> io::Result<()> {
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let there = carry(from_client, to_server, traffic.clone());
    let back = carry(from_server, to_client, traffic.clone());
    tokio::try_join!(there, back).map(|_| ())
}

async fn until_cut(mut traffic: watch::Receiver<Traffic>) {
    // An error means that the proxy was dropped, which cuts connections too.
    let _ = traffic.wait_for(|traffic| *traffic == Traffic::Cut).await;
}

/// Carries one direction: reads pieces as they come and writes them when they are due.
async fn carry(
    mut from: ReadHalf<'_>,
    to: WriteHalf<'_>,
    traffic: watch::Receiver<Traffic>,
) -> io::Result<()> {
    let (sender, pieces) = mpsc::channel(IN_FLIGHT);
    let current = traffic.clone();
    let reading = async move {
        loop {
            let mut piece = vec![0; PIECE];
            let length = from.read(&mut piece).await?;
            piece.truncate(length);
            let due = match *current.borrow() {
                Traffic::Delay(delay) => Instant::now() + delay,
                _ => Instant::now(),
            };
            // An empty piece is the end of this direction.
            if sender.send((due, piece)).await.is_err() || length == 0 {
                return Ok(());
            }
        }
    };
    tokio::try_join!(reading, deliver(pieces, to, traffic)).map(|_| ())
}

async fn deliver(
    mut pieces: mpsc::Receiver<(Instant, Vec<u8>)>,
    mut to: WriteHalf<'_>,
    mut traffic: watch::Receiver<Traffic>,
) -> io::Result<()> {
    while let Some((due, piece)) = pieces.recv().await {
        sleep_until(due).await;
        // Cutting the connection drops this future, and the bytes that a black hole delayed.
        let carries = |traffic: &Traffic| !matches!(traffic, Traffic::BlackHole | Traffic::Cut);
        traffic.wait_for(carries).await.map_err(io::Error::other)?;
        if piece.is_empty() {
            break;
        }
        to.write_all(&piece).await?;
    }
    to.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{Read, Write},
        net::{self, TcpListener},
        thread,
        time::Instant,
    };

    /// A target that echoes each connection.
    fn echo() -> SocketAddr {
        let listener = TcpListener::bind(FREE_PORT).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for client in listener.incoming() {
                let mut client = client.unwrap();
                thread::spawn(move || io::copy(&mut client.try_clone().unwrap(), &mut client));
            }
        });
        address
    }

    fn connect(proxy: &FaultProxy) -> net::TcpStream {
        let client = net::TcpStream::connect(proxy.address()).unwrap();
        client
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        client
    }

    fn answer(client: &mut net::TcpStream, word: &[u8]) -> io::Result<()> {
        client.write_all(word)?;
        let mut received = vec![0; word.len()];
        client.read_exact(&mut received)?;
        assert_eq!(received, word);
        Ok(())
    }

    fn is_silent(client: &mut net::TcpStream) -> bool {
        let patience = client.read_timeout().unwrap();
        client
            .set_read_timeout(Some(Duration::from_millis(100)))
            .unwrap();
        let silent = client
            .read(&mut [0])
            .is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
        client.set_read_timeout(patience).unwrap();
        silent
    }

    #[test]
    fn bytes_and_their_end_pass_unchanged() {
        let proxy = FaultProxy::new(echo());
        let mut client = connect(&proxy);
        let sent: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let (mut sending, bytes) = (client.try_clone().unwrap(), sent.clone());
        thread::spawn(move || {
            sending.write_all(&bytes).unwrap();
            sending.shutdown(net::Shutdown::Write).unwrap();
        });
        let mut received = Vec::new();
        client.read_to_end(&mut received).unwrap();
        assert!(
            received == sent,
            "{} of {} bytes",
            received.len(),
            sent.len()
        );
    }

    #[test]
    fn a_delay_applies_each_way_and_does_not_add_up() {
        let proxy = FaultProxy::new(echo());
        let delay = Duration::from_millis(50);
        proxy.set(Traffic::Delay(delay));
        let mut client = connect(&proxy);
        let begun = Instant::now();
        for _ in 0..100 {
            client.write_all(b"x").unwrap();
        }
        client.read_exact(&mut [0; 100]).unwrap();
        let took = begun.elapsed();
        assert!(took >= delay * 2 && took < delay * 50, "{took:?}");
    }

    #[test]
    fn a_black_hole_loses_nothing_and_reports_nothing() {
        let proxy = FaultProxy::new(echo());
        let mut old = connect(&proxy);
        answer(&mut old, b"before").unwrap();
        proxy.set(Traffic::BlackHole);
        let mut new = connect(&proxy);
        for client in [&mut old, &mut new] {
            client.write_all(b"later").unwrap();
            assert!(is_silent(client));
        }
        proxy.set(Traffic::Pass);
        for client in [&mut old, &mut new] {
            client.read_exact(&mut [0; 5]).unwrap();
        }
    }

    #[test]
    fn one_connection_can_fail_alone() {
        let proxy = FaultProxy::new(echo());
        let mut clients = [connect(&proxy), connect(&proxy)];
        for client in &mut clients {
            answer(client, b"both").unwrap();
        }
        proxy.set_one(0, Traffic::Cut);
        assert!(clients[0].read(&mut [0]).is_err());
        answer(&mut clients[1], b"still").unwrap();
        assert_eq!(proxy.connections(), 2);
    }

    #[test]
    fn a_cut_ends_connections_and_loses_bytes_in_flight() {
        let received = TcpListener::bind(FREE_PORT).unwrap();
        let proxy = FaultProxy::new(received.local_addr().unwrap());
        let mut client = connect(&proxy);
        let (mut target, _) = received.accept().unwrap();
        proxy.set(Traffic::BlackHole);
        client.write_all(b"lost").unwrap();
        assert!(is_silent(&mut target)); // By now the proxy holds the bytes.
        proxy.set(Traffic::Cut);
        assert!(client.read(&mut [0]).is_err());
        assert!(target.read(&mut [0]).is_err());
        let mut refused = connect(&proxy);
        assert!(matches!(refused.read(&mut [0]), Err(_) | Ok(0)));
        proxy.set(Traffic::Pass);
        let mut again = connect(&proxy);
        again.write_all(b"again").unwrap();
        let mut word = [0; 5];
        received.accept().unwrap().0.read_exact(&mut word).unwrap();
        assert_eq!(&word, b"again");
    }

    #[test]
    fn a_reset_ends_old_connections_and_accepts_new_ones() {
        let proxy = FaultProxy::new(echo());
        let mut client = connect(&proxy);
        answer(&mut client, b"before").unwrap();
        proxy.reset();
        assert!(client.read(&mut [0]).is_err());
        answer(&mut connect(&proxy), b"after").unwrap();
    }

    #[test]
    fn a_dropped_proxy_closes_its_port() {
        let proxy = FaultProxy::new(echo());
        let mut client = connect(&proxy);
        answer(&mut client, b"before").unwrap();
        let address = proxy.address();
        drop(proxy);
        assert!(matches!(client.read(&mut [0]), Err(_) | Ok(0)));
        assert!(net::TcpStream::connect(address).is_err());
    }
}
