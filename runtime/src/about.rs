//! What a program says of itself, in its `main.rs`.

/// Who knocks: what [`main`](crate::main) has to know about a program.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// The binary's name: `crispy-uploader`. What follows `crispy-` names its table in `crispy.toml`.
    pub name: &'static str,
    /// Its version: `env!("CARGO_PKG_VERSION")`.
    pub version: &'static str,
    /// To whom it speaks.
    pub role: Role,
    /// How many threads its tasks run on.
    pub threads: Threads,
}

/// To whom a program speaks on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A process that runs until it is stopped. It logs from `info` on, start, stop and failure too.
    Daemon,
    /// An operator's command. It logs from `warn` on, and its failure is one plain line: `error: …`.
    Command,
}

impl Role {
    /// NATS' own client reports each connection at `info`, and each that fails at `error`, several times a second; ours says it better.
    pub(crate) fn default_level(self) -> &'static str {
        match self {
            Role::Daemon => "info,async_nats=warn,async_nats::connector=off",
            Role::Command => "warn,async_nats::connector=off",
        }
    }
}

/// How many threads a program's tasks run on. Blocking work (`spawn_blocking`) has its own in either case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// One: the least CPU and memory. For programs that mostly wait for disk and network.
    Few,
    /// One for each core. For programs whose tasks compute.
    PerCore,
}
