//! Worker processes, as hosts run them, that are killed, or whose servers are.
//!
//! ```text
//!   this program ──► a server or a cluster, streams, load        claims: deaths, culprit, outage, lame_duck, cluster, backlog
//!        └─ starts itself as workers (`work`), which say on standard output what they do, and when
//! ```
//!
//! It is a program of its own (`harness = false`), since it starts itself. Arguments choose claims, by a part of their names.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on says so by panicking, and this one is its own harness"
)]

mod backlog;
#[path = "../chunks/mod.rs"]
mod chunks;
mod cluster;
mod crew;
mod culprit;
mod deaths;
mod ground;
mod lame_duck;
mod outage;
mod work;

use std::{env, time::Instant};

use work::Manner;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    if let [role, url, manner] = &arguments[..]
        && role == "work"
    {
        runtime.block_on(work::work(url, Manner::named(manner)));
        return;
    }
    runtime.block_on(claims(&arguments));
}

async fn claims(chosen: &[String]) {
    /// Shows the claims that are chosen, by the names of their functions; all if none is.
    macro_rules! show {
        ($($module:ident::$claim:ident),* $(,)?) => {
            $(if is_chosen(chosen, stringify!($claim)) {
                let begun = Instant::now();
                println!("claim {}", stringify!($claim));
                $module::$claim().await;
                println!("  holds, shown in {:.1?}", begun.elapsed());
            })*
        };
    }
    show![
        deaths::a_worker_that_is_killed_between_its_handler_and_its_ack_leaves_its_message_to_another,
        deaths::a_worker_that_is_killed_between_its_event_and_its_ack_announces_once_in_effect,
        culprit::what_kills_its_workers_is_given_up_and_takes_nobody_with_it,
        outage::four_processes_work_on_within_three_seconds_of_each_of_three_killed_servers,
        backlog::a_backlog_of_a_million_messages_takes_no_more_memory_than_a_small_one,
    ];
    // Elections on a busy machine take as long as they take: by name only (`make cluster`).
    if names(chosen).next().is_some() {
        show![
            cluster::four_processes_work_on_when_the_leader_is_killed_and_when_it_is_cut_off,
            lame_duck::four_processes_work_on_when_the_servers_close_one_after_the_other,
        ];
    }
}

fn is_chosen(chosen: &[String], name: &str) -> bool {
    let mut parts = names(chosen);
    parts.clone().next().is_none() || parts.any(|part| name.contains(part.as_str()))
}

/// What was asked for by name. The options that cargo's own harness knows are none of ours.
fn names(chosen: &[String]) -> impl Iterator<Item = &String> + Clone {
    chosen.iter().filter(|part| !part.starts_with('-'))
}
