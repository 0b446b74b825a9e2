//! A network between two programs, with the faults of real ones on request.
//!
//! ```text
//!   client ──► proxy ──► target          Traffic: Pass, Delay, BlackHole, Cut
//!              │  one per connection       for all connections, or for one
//!              └─ a thread and a runtime of its own: it goes on while a test blocks
//! ```

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener as Listening},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
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
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Bytes taken from a socket at once.
const PIECE: usize = 64 * 1024;

/// Pieces under way in each direction of a connection: what a delayed network has in its cables.
const UNDER_WAY: usize = 64;

/// What a network does with what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// Carries it.
    Pass,
    /// Carries it, each byte this much later.
    Delay(Duration),
    /// Carries nothing, and tells nobody: a cable that was pulled. What was sent arrives when the cable is back, as with TCP's own repeats.
    BlackHole,
    /// Resets connections that are there, with what they had under way, and new ones at once.
    Cut,
}

/// A TCP proxy in front of one target, as long as the value lives.
///
/// * What it carries it carries unchanged and in order.
/// * A change of traffic holds for what is under way too.
/// * It needs nothing of the runtime that its owner may have.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    end: CancellationToken,
}

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    roads: Mutex<Roads>,
}

#[derive(Debug)]
struct Roads {
    /// For connections to come.
    traffic: Traffic,
    /// In the order in which they came; those that have ended too.
    connections: Vec<watch::Sender<Traffic>>,
}

impl FaultProxy {
    /// A proxy in front of `target`, on a free port of 127.0.0.1. Nobody need listen on the target yet.
    ///
    /// # Panics
    ///
    /// When there is no free port, or no thread to be had.
    pub fn new(target: SocketAddr) -> Self {
        let listener = Listening::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a socket of ours");
        let address = listener.local_addr().expect("a bound socket");
        let shared = Arc::new(Shared {
            target,
            roads: Mutex::new(Roads {
                traffic: Traffic::Pass,
                connections: Vec::new(),
            }),
        });
        let end = CancellationToken::new();
        let (serving, ending) = (Arc::clone(&shared), end.clone());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        thread::spawn(move || {
            // Ends with every connection that is still there.
            runtime.block_on(ending.run_until_cancelled(serve(listener, serving)))
        });
        Self {
            address,
            shared,
            end,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All traffic from now on: of connections that are there, and of those to come.
    pub fn set(&self, traffic: Traffic) {
        let mut roads = self.shared.roads();
        roads.traffic = traffic;
        for connection in &roads.connections {
            connection.send_replace(traffic);
        }
    }

    /// The traffic of one connection, counted from 0 in the order in which they came; others and those to come stay as they are.
    ///
    /// # Panics
    ///
    /// When there has been no such connection.
    pub fn set_one(&self, connection: usize, traffic: Traffic) {
        self.shared.roads().connections[connection].send_replace(traffic);
    }

    /// Resets all connections that are there, with what they had under way. New ones are welcome.
    pub fn reset(&self) {
        for connection in &self.shared.roads().connections {
            connection.send_replace(Traffic::Cut);
        }
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.shared.roads().connections.len()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

impl Shared {
    fn roads(&self) -> MutexGuard<'_, Roads> {
        self.roads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open_road(&self) -> watch::Receiver<Traffic> {
        let mut roads = self.roads();
        let (sender, traffic) = watch::channel(roads.traffic);
        roads.connections.push(sender);
        traffic
    }
}

async fn serve(listener: Listening, shared: Arc<Shared>) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let connections = TaskTracker::new();
    loop {
        let (client, _) = listener.accept().await?;
        let (target, traffic) = (shared.target, shared.open_road());
        connections.spawn(connect(client, target, traffic));
    }
}

/// One connection, from the client's first byte to the last of either.
async fn connect(
    mut client: TcpStream,
    target: SocketAddr,
    mut traffic: watch::Receiver<Traffic>,
) -> io::Result<()> {
    // Nothing is said before the network carries: in a black hole the client hears as little of the target as the target of it.
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
        // One of them has gone without a word, or the network has: whoever is left hears a reset, and nothing that was held up.
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
    // An error means that the proxy is gone, which cuts as well.
    let _ = traffic.wait_for(|traffic| *traffic == Traffic::Cut).await;
}

/// One direction: pieces are read as they come, and written when they are due.
async fn carry(
    mut from: ReadHalf<'_>,
    to: WriteHalf<'_>,
    traffic: watch::Receiver<Traffic>,
) -> io::Result<()> {
    let (sender, pieces) = mpsc::channel(UNDER_WAY);
    let seen = traffic.clone();
    let reading = async move {
        loop {
            let mut piece = vec![0; PIECE];
            let length = from.read(&mut piece).await?;
            piece.truncate(length);
            let due = match *seen.borrow() {
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
        // What a black hole held up is lost when the connection is cut: whoever cuts it also ends this.
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
        net,
        time::Instant,
    };

    /// A target that sends back what it gets, connection by connection.
    fn echo() -> SocketAddr {
        let listener = Listening::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
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
        let mut heard = vec![0; word.len()];
        client.read_exact(&mut heard)?;
        assert_eq!(heard, word);
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
    fn what_passes_is_unchanged_and_its_end_is_passed_on() {
        let proxy = FaultProxy::new(echo());
        let mut client = connect(&proxy);
        let sent: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let (mut sending, bytes) = (client.try_clone().unwrap(), sent.clone());
        thread::spawn(move || {
            sending.write_all(&bytes).unwrap();
            sending.shutdown(net::Shutdown::Write).unwrap();
        });
        let mut heard = Vec::new();
        client.read_to_end(&mut heard).unwrap();
        assert!(heard == sent, "{} of {} bytes", heard.len(), sent.len());
    }

    #[test]
    fn a_delay_holds_each_way_and_does_not_add_up() {
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
    fn a_black_hole_swallows_nothing_and_tells_nobody() {
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
    fn what_is_cut_ends_at_once_and_what_was_under_way_is_lost() {
        let heard = Listening::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let proxy = FaultProxy::new(heard.local_addr().unwrap());
        let mut client = connect(&proxy);
        let (mut target, _) = heard.accept().unwrap();
        proxy.set(Traffic::BlackHole);
        client.write_all(b"lost").unwrap();
        assert!(is_silent(&mut target)); // by now the proxy holds it
        proxy.set(Traffic::Cut);
        assert!(client.read(&mut [0]).is_err());
        assert!(target.read(&mut [0]).is_err());
        let mut refused = connect(&proxy);
        assert!(matches!(refused.read(&mut [0]), Err(_) | Ok(0)));
        proxy.set(Traffic::Pass);
        let mut again = connect(&proxy);
        again.write_all(b"heard").unwrap();
        let mut word = [0; 5];
        heard.accept().unwrap().0.read_exact(&mut word).unwrap();
        assert_eq!(&word, b"heard");
    }

    #[test]
    fn a_reset_ends_what_is_there_and_welcomes_what_comes() {
        let proxy = FaultProxy::new(echo());
        let mut client = connect(&proxy);
        answer(&mut client, b"before").unwrap();
        proxy.reset();
        assert!(client.read(&mut [0]).is_err());
        answer(&mut connect(&proxy), b"after").unwrap();
    }

    #[test]
    fn nobody_listens_where_a_proxy_was() {
        let proxy = FaultProxy::new(echo());
        let mut client = connect(&proxy);
        answer(&mut client, b"before").unwrap();
        let address = proxy.address();
        drop(proxy);
        assert!(matches!(client.read(&mut [0]), Err(_) | Ok(0)));
        assert!(net::TcpStream::connect(address).is_err());
    }
}
