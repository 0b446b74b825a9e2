//! Renders the status as tables and JSON lines. Pure.

use bytesize::ByteSize;
use comfy_table::{CellAlignment, Table, presets};
use crispy_queue::Overview;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::findings::Finding;

/// Tables of streams, consumers and cameras, and below them the findings.
pub(super) fn tables(overview: &Overview, findings: &[Finding], now: Timestamp) -> String {
    let mut text = format!("{}\n{}\n", streams(overview, now), consumers(overview));
    if !overview.cameras.is_empty() {
        let mut table = table(["camera", "last upload"]);
        for (camera, at) in &overview.cameras {
            table.add_row([camera.to_string(), ago(now, *at)]);
        }
        text += &format!("{table}\n");
    }
    if findings.is_empty() {
        return text + "all is well";
    }
    let lines: Vec<_> = findings.iter().map(|it| format!("! {it}")).collect();
    text + &lines.join("\n")
}

fn streams(overview: &Overview, now: Timestamp) -> Table {
    let mut table = table(["stream", "messages", "bytes", "full", "oldest"]);
    for state in &overview.streams {
        let Some(usage) = &state.usage else {
            table.add_row([state.name.as_str(), "missing"]);
            continue;
        };
        let full = usage.limit.map_or_else(String::new, |limit| {
            format!("{:.1} %", usage.bytes as f64 * 100.0 / limit.max(1) as f64)
        });
        table.add_row([
            state.name.clone(),
            usage.messages.to_string(),
            ByteSize(usage.bytes).display().iec().to_string(),
            full,
            usage.oldest.map_or_else(String::new, |at| ago(now, at)),
        ]);
    }
    table
}

fn consumers(overview: &Overview) -> Table {
    let header = [
        "stage",
        "pending",
        "in flight",
        "of at most",
        "redelivered",
        "waiting pulls",
        "dead letters",
    ];
    let mut table = table(header);
    for state in &overview.consumers {
        let Some(work) = &state.work else {
            table.add_row([state.stage.as_str(), "missing"]);
            continue;
        };
        let dead = overview.dead.get(&state.stage).copied().unwrap_or(0);
        let share = work.in_flight as f64 * 100.0 / work.in_flight_limit.max(1) as f64;
        table.add_row([
            state.stage.to_string(),
            work.pending.to_string(),
            work.in_flight.to_string(),
            format!("{share:.1} %"),
            work.redelivered.to_string(),
            work.waiting_pulls.to_string(),
            dead.to_string(),
        ]);
    }
    table
}

fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    table.set_header(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// A JSON object for each stream, consumer, camera and finding, and a summary.
pub(super) fn lines(overview: &Overview, findings: &[Finding], now: Timestamp) -> Vec<Value> {
    let streams = overview.streams.iter().map(|state| {
        let usage = state.usage.as_ref();
        json!({
            "type": "stream",
            "stream": state.name,
            "exists": usage.is_some(),
            "messages": usage.map(|usage| usage.messages),
            "bytes": usage.map(|usage| usage.bytes),
            "limit": usage.and_then(|usage| usage.limit),
            "oldest_s": usage.and_then(|usage| usage.oldest).map(|at| seconds(now, at)),
        })
    });
    let consumers = overview.consumers.iter().map(|state| {
        let work = state.work.as_ref();
        json!({
            "type": "consumer",
            "stage": state.stage.as_str(),
            "exists": work.is_some(),
            "pending": work.map(|work| work.pending),
            "in_flight": work.map(|work| work.in_flight),
            "in_flight_limit": work.map(|work| work.in_flight_limit),
            "redelivered": work.map(|work| work.redelivered),
            "waiting_pulls": work.map(|work| work.waiting_pulls),
            "dead_letters": overview.dead.get(&state.stage).copied().unwrap_or(0),
        })
    });
    let cameras = overview.cameras.iter().map(|(id, at)| {
        let (site, camera) = (id.site.as_str(), id.camera.as_str());
        json!({"type": "camera", "site": site, "camera": camera, "last_upload_s": seconds(now, *at)})
    });
    let findings = findings
        .iter()
        .map(|finding| json!({"type": "concern", "says": finding.to_string()}));
    let mut lines: Vec<_> = streams.chain(consumers).chain(cameras).collect();
    let ok = findings.len() == 0;
    lines.extend(findings);
    lines.push(json!({"type": "summary", "ok": ok, "at": format!("{now:.3}")}));
    lines
}

fn seconds(now: Timestamp, at: Timestamp) -> f64 {
    now.duration_since(at).as_secs_f64()
}

/// An age, `3m 12s ago`, at least 0: the server's clock may be ahead of ours.
fn ago(now: Timestamp, at: Timestamp) -> String {
    let seconds = now.duration_since(at).as_secs().max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s ago"),
        (0, 0, _) => format!("{minutes}m {}s ago", seconds % 60),
        (0, ..) => format!("{hours}h {minutes}m ago"),
        _ => format!("{days}d {hours}h ago"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_shown_in_its_two_largest_units() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        for (seconds, expected) in [
            (-5, "0s ago"),
            (0, "0s ago"),
            (59, "59s ago"),
            (192, "3m 12s ago"),
            (7_260, "2h 1m ago"),
            (90_000, "1d 1h ago"),
        ] {
            let at = Timestamp::from_second(1_000_000 - seconds).unwrap();
            assert_eq!(ago(now, at), expected);
        }
    }

    #[test]
    fn findings_are_in_both_formats() {
        let overview = Overview::default();
        let finding = Finding::NoStream("CRISPY_DEAD".into());
        let now = Timestamp::UNIX_EPOCH;
        let text = tables(&overview, std::slice::from_ref(&finding), now);
        assert!(text.contains("! stream CRISPY_DEAD is missing"), "{text}");
        assert!(tables(&overview, &[], now).ends_with("all is well"));
        let last = |findings: &[Finding]| lines(&overview, findings, now).pop().unwrap();
        assert_eq!(last(&[finding])["ok"], false);
        assert_eq!(last(&[])["ok"], true);
    }
}
