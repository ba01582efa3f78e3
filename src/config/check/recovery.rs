//! How what is down comes back: `damping`, `breaker` or `recovery`, one of them.

use std::time::Duration;

use crate::config::diagnostic::Findings;
use crate::config::reader::{Item, Table, Value};
use crate::config::value::format_duration;
use crate::health::{Breaker, Damping, Recovery};
use crate::limits::RECOVERY_SECONDS;

/// What a breaker has of what is not written.
const BREAKER: Breaker =
    Breaker { reset: Duration::from_secs(30), longest: Duration::from_secs(300) };

/// Nothing unless it was typed.
pub(super) fn read(table: &mut Table<'_>, findings: &mut Findings<'_>) -> Option<Recovery> {
    let typed = ["damping", "breaker", "recovery"].into_iter();
    let mut typed: Vec<Item<'_>> = typed.filter_map(|key| table.take(key)).collect();
    typed.sort_by_key(|item| item.key.span.start);
    if let [first, second, ..] = typed.as_slice() {
        super::report_both(&first.key, &second.key, findings)
            .help("what is down comes back in one way: leave one of them out");
        return None;
    }
    let Item { key, value } = typed.pop()?;
    match key.value {
        "damping" => read_damping(&value, findings).map(Recovery::Damped),
        "breaker" => read_breaker(&value, findings).map(Recovery::Breaker),
        _ => value.word(&[("manual", Recovery::Manual)], findings),
    }
}

fn read_damping(value: &Value<'_>, findings: &mut Findings<'_>) -> Option<Damping> {
    match value.as_boolean() {
        Some(true) => return Some(Damping::DEFAULT),
        Some(false) => return Some(Damping::NONE),
        None => {}
    }
    let usual = (Damping::DEFAULT.hold, Damping::DEFAULT.longest);
    let (hold, longest) = read_times(value, "hold", usual, "damping = false", findings)?;
    Some(Damping { hold, longest })
}

fn read_breaker(value: &Value<'_>, findings: &mut Findings<'_>) -> Option<Breaker> {
    if value.as_boolean() == Some(true) {
        return Some(BREAKER);
    }
    let usual = (BREAKER.reset, BREAKER.longest);
    let (reset, longest) = read_times(value, "reset", usual, "no breaker at all", findings)?;
    Some(Breaker { reset, longest })
}

/// A table of a first time and the longest. A first time above the usual longest is the longest, too.
fn read_times(
    value: &Value<'_>,
    key: &'static str,
    (usual, usual_longest): (Duration, Duration),
    without: &str,
    findings: &mut Findings<'_>,
) -> Option<(Duration, Duration)> {
    let Some(mut table) = value.as_table(value.name) else {
        let example = format!("a table such as {{ {key} = \"30s\", longest = \"5m\" }}");
        value.expected(&example, findings).help(format!("to come back at once: {without}"));
        return None;
    };
    let typed = table.take(key);
    let first =
        typed.map_or(Some(usual), |item| item.value.duration_within(RECOVERY_SECONDS, findings));
    let typed = table.take("longest");
    let longest = typed.as_ref().map(|item| item.value.duration_within(RECOVERY_SECONDS, findings));
    table.finish(&[], findings);
    let first = first?;
    let longest = longest.unwrap_or(Some(usual_longest.max(first)))?;
    if let Some(typed) = typed.filter(|_| longest < first) {
        let shown = format_duration(first);
        let message = format!("`longest` is shorter than `{key}`, which is {shown}");
        findings.error(typed.value.span(), message).label("the time doubles up to this");
        return None;
    }
    Some((first, longest))
}
