//! Worker processes that are killed, or whose servers are.
//!
//! ```text
//!   this program ──► a server or a cluster, streams, load    kills, crash_loop, outage, memory, …
//!        │           claims: kills, crash_loop, outage, lame_duck, cluster, memory
//!        └─ starts itself as workers (`worker_main`), which print their steps
//! ```
//!
//! It is its own harness (`harness = false`), because it starts itself. Arguments choose claims by
//! parts of their names.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on says so by panicking, and this one is its own harness"
)]

#[path = "../chunks/mod.rs"]
mod chunks;
mod cluster;
mod crash_loop;
mod fixture;
mod kills;
mod lame_duck;
mod memory;
mod outage;
mod worker_main;
mod worker_process;

use std::{env, time::Instant};

use worker_main::Behavior;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    if let [role, url, behavior] = &arguments[..]
        && role == "work"
    {
        runtime.block_on(worker_main::run(url, Behavior::parse(behavior)));
        return;
    }
    runtime.block_on(claims(&arguments));
}

async fn claims(chosen: &[String]) {
    /// Checks the chosen claims, by the names of their functions; all where none is chosen.
    macro_rules! show {
        ($($module:ident::$claim:ident),* $(,)?) => {
            $(if is_chosen(chosen, stringify!($claim)) {
                let begun = Instant::now();
                println!("claim {}", stringify!($claim));
                $module::$claim().await;
                println!("  holds, after {:.1?}", begun.elapsed());
            })*
        };
    }
    show![
        kills::a_worker_killed_before_its_ack_leaves_its_message_to_another,
        kills::a_worker_killed_after_its_event_announces_once_in_effect,
        crash_loop::a_message_that_crashes_processes_is_dead_lettered_alone,
        outage::four_workers_resume_within_3_s_of_a_killed_server,
        memory::a_million_messages_take_no_more_memory_than_a_few,
    ];
    // Elections take long on a busy machine: by name only (`make cluster`).
    if names(chosen).next().is_some() {
        show![
            cluster::four_workers_resume_when_the_leader_is_killed_or_cut_off,
            lame_duck::four_workers_resume_when_the_servers_close_in_turn,
        ];
    }
}

fn is_chosen(chosen: &[String], name: &str) -> bool {
    let mut parts = names(chosen);
    parts.clone().next().is_none() || parts.any(|part| name.contains(part.as_str()))
}

/// The chosen names. Options of cargo's own harness are ignored.
fn names(chosen: &[String]) -> impl Iterator<Item = &String> + Clone {
    chosen.iter().filter(|part| !part.starts_with('-'))
}
