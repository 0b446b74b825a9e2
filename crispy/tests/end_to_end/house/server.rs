//! A nats-server that can be asked what it holds, by its own monitoring page.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
};

use serde_json::Value;
use testbed::{NatsOptions, NatsServer};

/// A real server of one test's own.
pub(crate) struct Monitored {
    server: NatsServer,
    port: u16,
}

impl Monitored {
    pub(crate) fn start() -> Self {
        Self::start_with("")
    }

    /// With further lines of configuration.
    pub(crate) fn start_with(config: &str) -> Self {
        let port = free_port();
        let server = NatsServer::start_with(&NatsOptions {
            config: format!("http: \"127.0.0.1:{port}\"\n{config}"),
            ..NatsOptions::default()
        });
        Self { server, port }
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// The same address, with user and password in it.
    pub(crate) fn url_with(&self, credentials: &str) -> String {
        self.url().replace("://", &format!("://{credentials}@"))
    }

    /// The names of its streams, in order.
    pub(crate) fn streams(&self) -> Vec<String> {
        let details = self.stream_details().into_iter();
        let mut names: Vec<_> = details
            .filter_map(|stream| Some(stream["name"].as_str()?.to_owned()))
            .collect();
        names.sort();
        names
    }

    fn stream_details(&self) -> Vec<Value> {
        let page = self.page("/jsz?accounts=true&streams=true&consumers=true");
        let accounts = page["account_details"].as_array().cloned();
        let accounts = accounts.unwrap_or_default().into_iter();
        accounts
            .filter_map(|account| account["stream_detail"].as_array().cloned())
            .flatten()
            .collect()
    }

    /// HTTP/1.0: the answer ends with the connection.
    fn page(&self, path: &str) -> Value {
        let mut http = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))
            .expect("the server's monitoring page");
        write!(http, "GET {path} HTTP/1.0\r\n\r\n").expect("ask for a page");
        let mut answer = String::new();
        http.read_to_string(&mut answer).expect("read the page");
        let (_, page) = answer.split_once("\r\n\r\n").unwrap_or_default();
        serde_json::from_str(page).unwrap_or_else(|error| panic!("{path}: {error}: {answer}"))
    }
}

/// Requests for work that wait at the uploaders' consumer.
pub(crate) fn uploaders_waiting(server: &Monitored) -> u64 {
    let details = server.stream_details().into_iter();
    details
        .filter_map(|stream| stream["consumer_detail"].as_array().cloned())
        .flatten()
        .filter(|consumer| consumer["name"] == "uploader")
        .filter_map(|consumer| consumer["num_waiting"].as_u64())
        .sum()
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("find a free port");
    listener.local_addr().expect("it is bound").port()
}
