//! The producer and the time of a message.

use std::time::SystemTime;

use crispy_proto::v1;

/// This process, as messages name it: `host:pid` and the version of the program.
///
/// A process id is used again after a restart of the host, so this tells running processes apart,
/// not all that ever ran.
pub fn producer(version: &str) -> v1::Producer {
    let system = rustix::system::uname();
    let host = system.nodename().to_string_lossy();
    v1::Producer {
        instance: format!("{host}:{}", std::process::id()),
        version: version.to_owned(),
    }
}

/// Now, in Unix microseconds; 1970 where the host's clock is earlier.
pub fn now_us() -> i64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
