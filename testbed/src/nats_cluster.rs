//! Three nats-servers that keep one another's streams.
//!
//! ```text
//!          n0 ◄────► n1        every pair meets through proxies, one for each way of dialling:
//!            ◄─► n2 ◄─►        a node is cut off by turning those that it is part of into black holes
//! ```

use std::net::{Ipv4Addr, SocketAddr};

use crate::{
    FaultProxy, NatsOptions, NatsServer, Traffic, nats_server::start_together, program::free_port,
};

/// How many there are: the least that survives the loss of any one.
const NODES: usize = 3;

/// A cluster of three nats-servers with JetStream, on free ports of 127.0.0.1, called `n0`, `n1` and `n2`.
///
/// Each node is a [`NatsServer`] and can be killed and started again by itself; between any two stands a [`FaultProxy`], so that one can be cut
/// off from the others while its clients still reach it.
#[derive(Debug)]
pub struct NatsCluster {
    nodes: Vec<NatsServer>,
    roads: Vec<Road>,
}

/// The way by which one node dials another.
#[derive(Debug)]
struct Road {
    ends: [usize; 2],
    proxy: FaultProxy,
}

impl NatsCluster {
    /// Starts three nodes and waits until all listen. They may not have agreed on leaders yet: what is asked of them waits or fails until then.
    ///
    /// # Panics
    ///
    /// When there is no nats-server to start, or one does not come up.
    pub fn start() -> Self {
        let ports: [u16; NODES] = std::array::from_fn(|_| free_port());
        let roads: Vec<Road> = pairs()
            .map(|ends| Road {
                ends,
                proxy: FaultProxy::new(SocketAddr::from((Ipv4Addr::LOCALHOST, ports[ends[1]]))),
            })
            .collect();
        let options = (0..NODES).map(|node| NatsOptions {
            config: config(node, ports[node], &roads),
            ..NatsOptions::default()
        });
        Self {
            nodes: start_together(&options.collect::<Vec<_>>()),
            roads,
        }
    }

    /// Where they listen, as clients are told: separated by commas.
    pub fn urls(&self) -> String {
        let urls: Vec<String> = self.nodes.iter().map(NatsServer::url).collect();
        urls.join(",")
    }

    /// The node of this name, to be killed and started again.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn node(&mut self, name: &str) -> &mut NatsServer {
        let index = index(name);
        &mut self.nodes[index]
    }

    /// Cuts a node off from the others, as a pulled cable does: silently. Its clients still reach it.
    ///
    /// # Panics
    ///
    /// When there is no node of this name.
    pub fn cut_off(&self, name: &str) {
        self.carry(name, Traffic::BlackHole);
    }

    /// Joins a node to the others again.
    ///
    /// # Panics
    ///
    /// When there is no node of this name.
    pub fn rejoin(&self, name: &str) {
        self.carry(name, Traffic::Pass);
    }

    fn carry(&self, name: &str, traffic: Traffic) {
        let node = index(name);
        for road in self.roads.iter().filter(|road| road.ends.contains(&node)) {
            road.proxy.set(traffic);
        }
    }
}

/// Every node to every other.
fn pairs() -> impl Iterator<Item = [usize; 2]> {
    let of = |from| (0..NODES).map(move |to| [from, to]);
    (0..NODES).flat_map(of).filter(|[from, to]| from != to)
}

fn index(name: &str) -> usize {
    let named = (0..NODES).find(|node| name == format!("n{node}"));
    named.unwrap_or_else(|| panic!("no node is called {name:?}"))
}

fn config(node: usize, port: u16, roads: &[Road]) -> String {
    let from_here = roads.iter().filter(|road| road.ends[0] == node);
    let routes: Vec<String> = from_here
        .map(|road| format!("\"nats-route://{}\"", road.proxy.address()))
        .collect();
    // Who does not leave a lame duck by itself stays for 4 s; the duration is the least that there is.
    // What nodes tell one another of third ones would lead past the proxies: it leads nowhere instead.
    format!(
        "server_name: n{node}\n\
         lame_duck_duration: 30s\nlame_duck_grace_period: 4s\n\
         cluster {{\nname: crispy\nlisten: \"127.0.0.1:{port}\"\nadvertise: \"127.0.0.1:1\"\nroutes: [{}]\n}}",
        routes.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{BufRead, BufReader, Write},
        net::TcpStream,
        time::Duration,
    };

    use crate::eventually_blocking;

    /// Says `word` on one node and listens on another: as much of the protocol as that takes.
    fn reaches(from: &str, to: &str, word: &str) -> bool {
        let connect = |url: &str| TcpStream::connect(url.trim_start_matches("nats://")).unwrap();
        let (mut speaker, mut listener) = (connect(from), connect(to));
        listener
            .set_read_timeout(Some(Duration::from_millis(300)))
            .unwrap();
        listener
            .write_all(b"CONNECT {\"verbose\":false}\r\nSUB heard 1\r\nPING\r\n")
            .unwrap();
        let mut lines = BufReader::new(listener).lines();
        lines
            .find(|line| line.as_ref().unwrap() == "PONG")
            .unwrap()
            .unwrap();
        let say = format!("PUB heard {}\r\n{word}\r\n", word.len());
        speaker
            .write_all(b"CONNECT {\"verbose\":false}\r\n")
            .unwrap();
        // The interest in it may travel longer than the word: it is said until it is heard.
        for _ in 0..3 {
            speaker.write_all(say.as_bytes()).unwrap();
            if lines
                .by_ref()
                .map_while(Result::ok)
                .any(|line| line == word)
            {
                return true;
            }
        }
        false
    }

    #[test]
    fn a_node_that_is_cut_off_hears_nothing_until_it_is_joined_again() {
        let cluster = NatsCluster::start();
        let urls: Vec<String> = cluster.nodes.iter().map(NatsServer::url).collect();
        let (n0, n1, n2) = (&urls[0], &urls[1], &urls[2]);
        for (from, to) in [(n0, n1), (n0, n2), (n1, n2)] {
            eventually_blocking("they meet", || reaches(from, to, "hello"));
        }
        cluster.cut_off("n0");
        assert!(!reaches(n1, n0, "are you there?"));
        assert!(!reaches(n0, n2, "anybody?"));
        assert!(reaches(n1, n2, "it has gone"));
        cluster.rejoin("n0");
        for (from, to) in [(n0, n1), (n2, n0)] {
            eventually_blocking("they meet again", || reaches(from, to, "hello again"));
        }
    }
}
