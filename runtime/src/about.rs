//! The description of a program: name, version, role, threads.

/// The description of a program, as its `main.rs` gives it to [`main`](crate::main).
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// The binary's name: `crispy-uploader`. The part after `crispy-` names its table in
    /// `crispy.toml`.
    pub name: &'static str,
    /// Its version: `env!("CARGO_PKG_VERSION")`.
    pub version: &'static str,
    /// Its readers.
    pub role: Role,
    /// The threads that its tasks run on.
    pub threads: Threads,
}

/// The readers of a program's stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A process that runs until it is stopped. It logs from `info` on, with start, stop and
    /// failure.
    Daemon,
    /// An operator's command. It logs from `warn` on, and its failure is one plain line: `error:
    /// …`.
    Command,
}

impl Role {
    /// The NATS client reports each connection at `info` and each failed one at `error`, several
    /// times a second; our own lines are better.
    pub(crate) fn default_level(self) -> &'static str {
        match self {
            Role::Daemon => "info,async_nats=warn,async_nats::connector=off",
            Role::Command => "warn,async_nats::connector=off",
        }
    }
}

/// The threads of a program's tasks. Blocking work (`spawn_blocking`) has its own in either case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// One: the least CPU and memory. For programs that mostly wait for disk and network.
    Few,
    /// One for each core. For programs whose tasks compute.
    PerCore,
}
