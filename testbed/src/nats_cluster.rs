//! A cluster of three nats-servers.
//!
//! ```text
//!          n0 ◄────► n1        A proxy for each direction of dialling between two nodes.
//!            ◄─► n2 ◄─►        A node is cut off when its proxies become black holes.
//! ```

use std::net::{Ipv4Addr, SocketAddr};

use crate::{
    FaultProxy, NatsOptions, NatsServer, Traffic, nats_server::start_together, program::free_port,
};

/// The least number that survives the loss of any one.
const NODES: usize = 3;

/// A cluster of three nats-servers with JetStream, on free ports of 127.0.0.1, called `n0`, `n1`
/// and `n2`.
///
/// Each node is a [`NatsServer`] and can be killed and started again. A [`FaultProxy`] sits between
/// any two, so that a node can be cut off from the others while its clients still reach it.
#[derive(Debug)]
pub struct NatsCluster {
    nodes: Vec<NatsServer>,
    routes: Vec<Route>,
}

/// The route by which one node dials another.
#[derive(Debug)]
struct Route {
    ends: [usize; 2],
    proxy: FaultProxy,
}

impl NatsCluster {
    /// Starts three nodes and waits until all listen. Requests wait or fail until the nodes have
    /// elected leaders.
    ///
    /// # Panics
    ///
    /// When nats-server is not installed, or a node does not start.
    pub fn start() -> Self {
        let ports: [u16; NODES] = std::array::from_fn(|_| free_port());
        let routes: Vec<Route> = pairs()
            .map(|ends| Route {
                ends,
                proxy: FaultProxy::new(SocketAddr::from((Ipv4Addr::LOCALHOST, ports[ends[1]]))),
            })
            .collect();
        let options = (0..NODES).map(|node| NatsOptions {
            config: config(node, ports[node], &routes),
            ..NatsOptions::default()
        });
        Self {
            nodes: start_together(&options.collect::<Vec<_>>()),
            routes,
        }
    }

    /// The addresses for clients, separated by commas.
    pub fn urls(&self) -> String {
        let urls: Vec<String> = self.nodes.iter().map(NatsServer::url).collect();
        urls.join(",")
    }

    /// The node of this name, to be killed and started again.
    ///
    /// # Panics
    ///
    /// When no node has this name.
    pub fn node(&mut self, name: &str) -> &mut NatsServer {
        let index = index(name);
        &mut self.nodes[index]
    }

    /// Cuts a node off from the others, silently, as an unplugged cable does. Its clients still
    /// reach it.
    ///
    /// # Panics
    ///
    /// When no node has this name.
    pub fn cut_off(&self, name: &str) {
        self.carry(name, Traffic::BlackHole);
    }

    /// Joins a node to the others again.
    ///
    /// # Panics
    ///
    /// When no node has this name.
    pub fn rejoin(&self, name: &str) {
        self.carry(name, Traffic::Pass);
    }

    fn carry(&self, name: &str, traffic: Traffic) {
        let node = index(name);
        for route in self
            .routes
            .iter()
            .filter(|route| route.ends.contains(&node))
        {
            route.proxy.set(traffic);
        }
    }
}

/// The pairs of every node with every other.
fn pairs() -> impl Iterator<Item = [usize; 2]> {
    let of = |from| (0..NODES).map(move |to| [from, to]);
    (0..NODES).flat_map(of).filter(|[from, to]| from != to)
}

fn index(name: &str) -> usize {
    let named = (0..NODES).find(|node| name == format!("n{node}"));
    named.unwrap_or_else(|| panic!("no node is called {name:?}"))
}

fn config(node: usize, port: u16, routes: &[Route]) -> String {
    let from_here = routes.iter().filter(|route| route.ends[0] == node);
    let routes: Vec<String> = from_here
        .map(|route| format!("\"nats-route://{}\"", route.proxy.address()))
        .collect();
    // A lame duck keeps clients that do not leave for 4 s; its duration is the least that is
    // allowed. Nodes advertise their address to one another, which would lead past the proxies:
    // port 1 leads nowhere.
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

    /// True if a message published on one node reaches a subscriber on another.
    fn reaches(from: &str, to: &str, word: &str) -> bool {
        let connect = |url: &str| TcpStream::connect(url.trim_start_matches("nats://")).unwrap();
        let (mut publisher, mut subscriber) = (connect(from), connect(to));
        subscriber
            .set_read_timeout(Some(Duration::from_millis(300)))
            .unwrap();
        subscriber
            .write_all(b"CONNECT {\"verbose\":false}\r\nSUB test 1\r\nPING\r\n")
            .unwrap();
        let mut lines = BufReader::new(subscriber).lines();
        lines
            .find(|line| line.as_ref().unwrap() == "PONG")
            .unwrap()
            .unwrap();
        let publish = format!("PUB test {}\r\n{word}\r\n", word.len());
        publisher
            .write_all(b"CONNECT {\"verbose\":false}\r\n")
            .unwrap();
        // The subscription may travel longer than the message: publish again until it arrives.
        for _ in 0..3 {
            publisher.write_all(publish.as_bytes()).unwrap();
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
    fn a_node_cut_off_receives_nothing_until_it_rejoins() {
        let cluster = NatsCluster::start();
        let urls: Vec<String> = cluster.nodes.iter().map(NatsServer::url).collect();
        let (n0, n1, n2) = (&urls[0], &urls[1], &urls[2]);
        for (from, to) in [(n0, n1), (n0, n2), (n1, n2)] {
            eventually_blocking("a message passes", || reaches(from, to, "hello"));
        }
        cluster.cut_off("n0");
        assert!(!reaches(n1, n0, "while cut off"));
        assert!(!reaches(n0, n2, "from the node cut off"));
        assert!(reaches(n1, n2, "between the others"));
        cluster.rejoin("n0");
        for (from, to) in [(n0, n1), (n2, n0)] {
            eventually_blocking("a message passes again", || {
                reaches(from, to, "hello again")
            });
        }
    }
}
