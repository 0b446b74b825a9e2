//! A nats-server that can be asked what it holds, by its own monitoring page.

use std::{
    future::Future,
    net::{Ipv4Addr, TcpListener},
    path::PathBuf,
    time::Duration,
};

use async_nats::jetstream::{
    consumer::{Consumer, FromConsumer, pull::Config},
    stream,
};
use crispy_testbed::{NatsOptions, NatsServer};
use serde_json::Value;

use super::http;

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

    /// Loses everything that the server holds, as with its disk; it comes back empty, at the same address.
    pub(crate) fn wipe(&mut self) {
        self.server.wipe();
        self.server.restart();
    }

    /// `kill -9`; what it holds stays on its disk.
    pub(crate) fn kill(&mut self) {
        self.server.kill9();
    }

    /// Starts it again where it was.
    pub(crate) fn restart(&mut self) {
        self.server.restart();
    }

    /// Sets how many bytes a stream may hold, as an operator may.
    pub(crate) fn room(&self, stream: &str, bytes: i64) {
        self.update(stream, |config| config.max_bytes = bytes);
    }

    /// Sets how long a stream remembers which messages it was sent, as an operator may.
    pub(crate) fn memory(&self, stream: &str, window: Duration) {
        self.update(stream, |config| config.duplicate_window = window);
    }

    fn update(&self, stream: &str, change: impl FnOnce(&mut stream::Config)) {
        within_a_runtime(async {
            let client = async_nats::connect(self.url()).await.unwrap();
            let jetstream = async_nats::jetstream::new(client);
            let found = jetstream.get_stream(stream).await.unwrap();
            let mut config = found.cached_info().config.clone();
            change(&mut config);
            jetstream.update_stream(config).await.unwrap();
        });
    }

    /// Where all messages are kept.
    pub(crate) fn store(&self) -> PathBuf {
        self.server.store()
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

    /// How many messages a stream holds.
    pub(crate) fn messages(&self, stream: &str) -> u64 {
        let details = self.stream_details();
        let found = details.iter().find(|details| details["name"] == stream);
        let count = found.and_then(|stream| stream["state"]["messages"].as_u64());
        count.unwrap_or_else(|| panic!("no stream {stream}"))
    }

    /// How often a consumer has handed messages out, and how many of them nobody has acknowledged yet.
    pub(crate) fn consumer(&self, name: &str) -> (u64, u64) {
        let details = self.stream_details().into_iter();
        let mut consumers = details
            .filter_map(|stream| stream["consumer_detail"].as_array().cloned())
            .flatten();
        let found = consumers.find(|consumer| consumer["name"] == name);
        let count = |value: &Value| value.as_u64();
        let counts = found.and_then(|consumer| {
            let handed_out = count(&consumer["delivered"]["consumer_seq"])?;
            Some((handed_out, count(&consumer["num_ack_pending"])?))
        });
        counts.unwrap_or_else(|| panic!("no consumer {name}"))
    }

    /// Tunes how long a consumer leaves a message with a worker that is not heard of, as an operator may.
    pub(crate) fn lease(&self, stream: &str, consumer: &str, lease: Duration) {
        within_a_runtime(async {
            let client = async_nats::connect(self.url()).await.unwrap();
            let jetstream = async_nats::jetstream::new(client);
            let stream = jetstream.get_stream(stream).await.unwrap();
            let consumer: Consumer<Config> = stream.get_consumer(consumer).await.unwrap();
            let config = Config {
                ack_wait: lease,
                ..Config::try_from_consumer_config(consumer.cached_info().config.clone()).unwrap()
            };
            stream.update_consumer(config).await.unwrap();
        });
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

    fn page(&self, path: &str) -> Value {
        let (_, page) = http::get((Ipv4Addr::LOCALHOST, self.port), path);
        serde_json::from_slice(&page)
            .unwrap_or_else(|error| panic!("{path}: {error}: {}", String::from_utf8_lossy(&page)))
    }
}

/// Deletes a stream of the server at `url`, as somebody may by mistake.
pub(crate) fn delete_stream(url: &str, stream: &str) {
    within_a_runtime(async {
        let client = async_nats::connect(url).await.unwrap();
        let jetstream = async_nats::jetstream::new(client);
        jetstream.delete_stream(stream).await.unwrap();
    });
}

/// Whether the server at `url` has a stream.
pub(crate) fn has_stream(url: &str, stream: &str) -> bool {
    within_a_runtime(async {
        let client = async_nats::connect(url).await.unwrap();
        let jetstream = async_nats::jetstream::new(client);
        jetstream.get_stream(stream).await.is_ok()
    })
}

fn within_a_runtime<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(work)
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
