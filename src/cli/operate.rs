//! The commands that operate a running server: what it counts as up, and what it knows.
//!
//! All of them ask by the control socket. What they print without `--json` is for people.

use std::process::ExitCode;

use hyper::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::args::{
    ConfirmArguments, ControlArguments, DepoolArguments, EventsArguments, HealthArguments,
    OverridesArguments, RepoolArguments, ReportArguments, StateArgument,
};
use super::check::count;
use super::table::Table;
use super::time::{as_age, as_date};
use super::{CommandError, CommandResult, runtime};
use crate::admin::{
    ActionWord, ConfirmRequest, ConfirmTaken, EndpointHealth, EventReport, HealthReport,
    HeldOverride, OverrideChange, OverrideReport, OverrideRequest, ReportRequest, ReportTaken,
    ReportedState, ask,
};
use crate::app::{Settings, complain, say};
use crate::health::{Action, Event, Happening};
use crate::sys::unix_ms;

const OVERRIDES_PATH: &str = "/api/v1/overrides";

/// Asks the server whose state directory was typed.
fn request<T: DeserializeOwned>(
    control: &ControlArguments,
    method: Method,
    path: &str,
    body: &impl Serialize,
) -> Result<T, CommandError> {
    let settings = Settings::resolve(control.typed())?;
    let Some(state) = settings.state else {
        return Err("which server? Name its state directory with --state; one without has no \
            socket, and can't be operated"
            .into());
    };
    Ok(runtime()?.block_on(ask(&state, method, path, body))?)
}

fn read<T: DeserializeOwned>(control: &ControlArguments, path: &str) -> Result<T, CommandError> {
    request(control, Method::GET, path, &())
}

/// Prints a report, in one way or the other.
fn print<T: Serialize>(
    control: &ControlArguments,
    report: &T,
    tell: impl FnOnce(&T) -> String,
) -> CommandResult {
    if control.json {
        say(&format!("{}\n", serde_json::to_string_pretty(report)?));
    } else {
        say(&tell(report));
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn depool(arguments: DepoolArguments) -> CommandResult {
    let action = match (arguments.up, arguments.drain) {
        (true, _) => ActionWord::Up,
        (false, Some(_)) => ActionWord::Drain,
        (false, None) => ActionWord::Down,
    };
    let order = OverrideRequest {
        zone: arguments.zone.unwrap_or_else(|| "*".to_owned()),
        pattern: arguments.pattern,
        action,
        percent_per_minute: arguments.drain,
        reason: arguments.reason,
        author: arguments.author,
        lasts: arguments.lasts,
    };
    let control = &arguments.control;
    let change: OverrideChange = request(control, Method::POST, OVERRIDES_PATH, &order)?;
    warn_of_forgetting(&change);
    print(control, &change, |change| {
        format!(
            "override {}: {} is {} ({}){}\n",
            change.held.set.id,
            change.held.set.pattern,
            action_word(change.held.set.action),
            count_matches(change.held.matches),
            end_of(&change.held, unix_ms())
        )
    })
}

fn warn_of_forgetting(change: &OverrideChange) {
    if let Some(why) = &change.unpersisted {
        complain(&format!("warning: a restart would not know of it: {why}\n"));
    }
}

fn end_of(held: &HeldOverride, now_ms: u64) -> String {
    match held.set.ends_ms {
        Some(ends) => format!(", for {}", as_age(ends.saturating_sub(now_ms).div_ceil(1000))),
        None => ", until it is taken back".to_owned(),
    }
}

fn count_matches(matches: usize) -> String {
    match matches {
        1 => "matches one thing".to_owned(),
        more => format!("matches {more} things"),
    }
}

fn action_word(action: Action) -> String {
    match action {
        Action::Up => "up".to_owned(),
        Action::Down => "down".to_owned(),
        Action::Drain { per_minute } => format!("draining {}%/min", f64::from(per_minute) / 10.0),
    }
}

pub(super) fn repool(arguments: &RepoolArguments) -> CommandResult {
    let (control, what) = (&arguments.control, arguments.what.as_str());
    let report: OverrideReport = read(control, OVERRIDES_PATH)?;
    let is_meant = |held: &&HeldOverride| match what.parse::<u64>() {
        Ok(id) => held.set.id == id,
        Err(_) => held.set.pattern.eq_ignore_ascii_case(what),
    };
    let ids: Vec<u64> = report.overrides.iter().filter(is_meant).map(|held| held.set.id).collect();
    if ids.is_empty() {
        return Err(format!("no override is `{what}`: `meridian overrides` lists them").into());
    }
    let mut changes = Vec::new();
    for id in ids {
        let path = format!("{OVERRIDES_PATH}/{id}");
        let change: OverrideChange = request(control, Method::DELETE, &path, &())?;
        warn_of_forgetting(&change);
        changes.push(change);
    }
    print(control, &changes, |changes| {
        let tell = |change: &OverrideChange| {
            let set = &change.held.set;
            format!("override {} of {} is taken back: health decides\n", set.id, set.pattern)
        };
        changes.iter().map(tell).collect()
    })
}

pub(super) fn overrides(arguments: &OverridesArguments) -> CommandResult {
    let report: OverrideReport = read(&arguments.control, OVERRIDES_PATH)?;
    print(&arguments.control, &report, |report| tell_overrides(&report.overrides, unix_ms()))
}

fn tell_overrides(overrides: &[HeldOverride], now_ms: u64) -> String {
    if overrides.is_empty() {
        return "no overrides: health decides\n".to_owned();
    }
    let mut table = Table::default();
    let head = ["id", "zone", "pattern", "action", "matches", "age", "ends in", "author", "reason"];
    table.push(head.map(str::to_owned).to_vec());
    for held in overrides {
        let set = &held.set;
        let left = |ends: u64| as_age(ends.saturating_sub(now_ms).div_ceil(1000));
        table.push(vec![
            set.id.to_string(),
            set.zone.clone(),
            set.pattern.clone(),
            action_word(set.action),
            held.matches.to_string(),
            as_age(now_ms.saturating_sub(set.set_ms) / 1000),
            set.ends_ms.map_or_else(|| "-".to_owned(), left),
            set.author.clone(),
            set.reason.clone(),
        ]);
    }
    table.render()
}

pub(super) fn report(arguments: ReportArguments) -> CommandResult {
    let order = ReportRequest {
        check: arguments.check,
        state: match arguments.how {
            StateArgument::Up => ReportedState::Up,
            StateArgument::Down => ReportedState::Down,
        },
        address: arguments.address,
        reason: arguments.reason,
    };
    let control = &arguments.control;
    let taken: ReportTaken = request(control, Method::POST, "/api/v1/reports", &order)?;
    print(control, &taken, |taken| format!("taken by {}\n", count(taken.endpoints, "endpoint")))
}

pub(super) fn confirm(arguments: ConfirmArguments) -> CommandResult {
    let (control, order) = (&arguments.control, ConfirmRequest { pattern: arguments.pattern });
    let taken: ConfirmTaken = request(control, Method::POST, "/api/v1/confirm", &order)?;
    print(control, &taken, |taken| {
        taken.targets.iter().map(|target| format!("{target} is back\n")).collect()
    })
}

pub(super) fn health(arguments: &HealthArguments) -> CommandResult {
    let report: HealthReport = read(&arguments.control, "/api/v1/health")?;
    print(&arguments.control, &report, tell_health)
}

fn tell_health(report: &HealthReport) -> String {
    let mut text: String =
        report.degraded.iter().map(|reason| format!("degraded: {reason}\n")).collect();
    if report.endpoints.is_empty() {
        return text + "no endpoint has a check\n";
    }
    let mut table = Table::default();
    let head =
        ["zone", "pool", "endpoint", "check", "status", "for", "probed", "ms", "last failure"];
    table.push(head.map(str::to_owned).to_vec());
    report.endpoints.iter().for_each(|endpoint| table.push(tell_endpoint(endpoint)));
    text += &table.render();
    text
}

fn tell_endpoint(endpoint: &EndpointHealth) -> Vec<String> {
    // Whole seconds do for people.
    let age = |seconds: f64| as_age(seconds as u64);
    let none = || "-".to_owned();
    vec![
        endpoint.zone.clone(),
        endpoint.pool.clone(),
        endpoint.endpoint.clone(),
        endpoint.check.clone(),
        endpoint.status.to_string(),
        age(endpoint.since_seconds),
        endpoint.probed_seconds.map_or_else(none, age),
        endpoint.latency_ms.map_or_else(none, |ms| format!("{ms:.1}")),
        endpoint.last_failure.clone().unwrap_or_else(none),
    ]
}

pub(super) fn events(arguments: &EventsArguments) -> CommandResult {
    let mut words = Vec::new();
    words.extend(arguments.since.map(|since| format!("since={since}")));
    words.extend(arguments.limit.map(|limit| format!("limit={limit}")));
    let path = format!("/api/v1/events?{}", words.join("&"));
    let report: EventReport = read(&arguments.control, &path)?;
    print(&arguments.control, &report, |report| match report.events.as_slice() {
        [] => "no events\n".to_owned(),
        events => events.iter().map(tell_event).collect(),
    })
}

fn tell_event(event: &Event) -> String {
    format!("{:>6}  {}  {}\n", event.number, as_date(event.at_ms), tell_happening(&event.what))
}

fn tell_happening(what: &Happening) -> String {
    let of = |pools: &[String]| match pools {
        [] => String::new(),
        pools => format!(" of {}", pools.join(", ")),
    };
    match what {
        Happening::Endpoint { target, pools, from, to, reason, .. } => {
            format!("{target}{}: {from} -> {to}: {reason}", of(pools))
        }
        Happening::GuardHeld { reason, failing, observed } => {
            format!("guard holds the last health: {failing} of {observed} fail: {reason}")
        }
        Happening::GuardReleased { reason } => format!("guard lets go: {reason}"),
        Happening::Blind { reason, blind, observed } => {
            format!("probes learn nothing: {blind} of {observed}: {reason}")
        }
        Happening::Sighted => "probes learn something again".to_owned(),
        Happening::SentinelsSilent { sentinels } => {
            format!("none of {sentinels} sentinels answers")
        }
        Happening::SentinelsHeard => "a sentinel answers again".to_owned(),
        Happening::Certificate { target, pools, ends_ms } => {
            format!("certificate of {target}{} ends {}", of(pools), as_date(*ends_ms))
        }
        Happening::OverrideSet { id, pattern, action, author, reason } => {
            format!("override {id} set by {author}: {pattern} {action}: {reason}")
        }
        Happening::OverrideEnded { id, pattern, reason } => {
            format!("override {id} of {pattern} ended: {reason}")
        }
        Happening::ProberRestarted { reason } => format!("prober restarted: {reason}"),
        Happening::Confirmed { target, pools, author } => {
            format!("{target}{} confirmed by {author}", of(pools))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::Override;

    #[test]
    fn overrides_are_a_table() {
        let set = Override {
            id: 3,
            zone: "*".to_owned(),
            pattern: "us".to_owned(),
            action: Action::Drain { per_minute: 125 },
            reason: "new disks".to_owned(),
            author: "ops".to_owned(),
            set_ms: 1_000,
            ends_ms: Some(601_000),
        };
        let text = tell_overrides(&[HeldOverride { set, matches: 3 }], 61_000);
        let words: Vec<&str> = text.lines().nth(1).unwrap().split_whitespace().collect();
        let expected =
            ["3", "*", "us", "draining", "12.5%/min", "3", "1m", "9m", "ops", "new", "disks"];
        assert_eq!(words, expected, "{text}");
        assert_eq!(tell_overrides(&[], 0), "no overrides: health decides\n");
    }

    #[test]
    fn an_event_is_a_line() {
        let what = Happening::Endpoint {
            target: "tcp://192.0.2.1:1".to_owned(),
            pools: vec!["example.com/us".to_owned()],
            from: "up".to_owned(),
            to: "down".to_owned(),
            reason: "connection refused".to_owned(),
            streak: 3,
        };
        let event = Event { number: 7, at_ms: 1_700_000_000_000, what };
        assert_eq!(
            tell_event(&event),
            "     7  2023-11-14 22:13:20Z  tcp://192.0.2.1:1 of example.com/us: up -> down: connection refused\n"
        );
    }
}
