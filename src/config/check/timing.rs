//! How often, how long, how many times.

use std::time::Duration;

use super::kind::Kind;
use crate::config::diagnostic::{Findings, Span};
use crate::config::reader::{Item, Spanned, Table};
use crate::config::value::format_duration;
use crate::health::{CheckSpec, Phases, Protocol, Threshold};
use crate::limits::{CHECK_EVERY_SECONDS, CHECK_THRESHOLD, CHECK_TIMEOUT_MS};

const CONNECT: &str = "connect_timeout";
const REPLY: &str = "reply_timeout";
const BODY: &str = "body_timeout";

/// The times of a check.
pub(super) struct Times {
    pub(super) every: Duration,
    pub(super) retry: Duration,
    pub(super) timeout: Duration,
    pub(super) phases: Phases,
}

/// Each time by itself, and whether they fit into each other.
pub(super) fn read(
    kind: Kind,
    protocol: Option<&Protocol>,
    table: &mut Table<'_>,
    findings: &mut Findings<'_>,
) -> Option<Times> {
    if !kind.is_probed() {
        let every = CheckSpec::EVERY;
        let timeout = CheckSpec::TIMEOUT;
        return Some(Times { every, retry: every, timeout, phases: Phases::default() });
    }
    let every = table.take("every");
    let every = every.map(|item| item.value.duration_within(CHECK_EVERY_SECONDS, findings));
    let retry = table.take("retry");
    let retry_time =
        retry.as_ref().map(|item| item.value.duration_within(CHECK_EVERY_SECONDS, findings));
    let timeout = table.take("timeout").and_then(|item| item.value.duration(findings));
    let phases = read_phases(kind, protocol, table, findings);
    // Whoever mistyped an interval meant some interval: nothing is compared with the usual one.
    let every = every.unwrap_or(Some(CheckSpec::EVERY))?;
    let retry_time = retry_time.unwrap_or(Some(every))?;
    if let Some(retry) = retry.filter(|_| retry_time > every) {
        report_retry(&retry, every, findings);
    }
    let time = timeout.as_ref().map_or(CheckSpec::TIMEOUT.min(every), |timeout| timeout.value);
    let span = timeout.as_ref().map(|timeout| timeout.span.clone());
    check_timeout(time, every, span.clone().unwrap_or(0..0), findings);
    check_phases(&phases, time, findings);
    if let Some(protocol) = protocol {
        warn_of_sum(protocol, &phases, time, span, findings);
    }
    Some(Times { every, retry: retry_time, timeout: time, phases: phases.as_phases() })
}

/// `retry` may be shorter than a probe takes: then the next one follows at once.
fn report_retry(retry: &Item<'_>, every: Duration, findings: &mut Findings<'_>) {
    let shown = format_duration(every);
    findings
        .error(retry.value.span(), format!("`retry` is longer than `every`, which is {shown}"))
        .label("it is the pace after a first failure, to be sure of it sooner");
}

/// A probe must end before the next one begins.
fn check_timeout(timeout: Duration, every: Duration, span: Span, findings: &mut Findings<'_>) {
    if timeout < Duration::from_millis(CHECK_TIMEOUT_MS) {
        findings.error(span, format!("`timeout` must be at least {CHECK_TIMEOUT_MS}ms"));
    } else if timeout > every {
        let shown = format_duration(every);
        let message = format!("`timeout` is longer than `every`, which is {shown}");
        findings
            .error(span, message)
            .label("a probe must end before the next one begins")
            .help(format!("write a timeout of at most \"{shown}\", or a longer `every`"));
    }
}

/// The parts of a probe that have a limit of their own.
struct TypedPhases {
    connect: Option<Spanned<Duration>>,
    reply: Option<Spanned<Duration>>,
    body: Option<Spanned<Duration>>,
}

impl TypedPhases {
    fn each(&self) -> [(&'static str, Option<&Spanned<Duration>>); 3] {
        [(CONNECT, self.connect.as_ref()), (REPLY, self.reply.as_ref()), (BODY, self.body.as_ref())]
    }

    fn as_phases(&self) -> Phases {
        let time = |typed: &Option<Spanned<Duration>>| typed.as_ref().map(|typed| typed.value);
        Phases { connect: time(&self.connect), reply: time(&self.reply), body: time(&self.body) }
    }
}

/// The parts that a probe goes through.
fn phases_of(protocol: &Protocol) -> &'static [&'static str] {
    match protocol {
        Protocol::Http(http) if http.body.is_none() => &[CONNECT, REPLY],
        Protocol::Http(_) | Protocol::Prometheus(_) => &[CONNECT, REPLY, BODY],
        Protocol::Tcp(tcp) if tcp.expect.is_none() => &[CONNECT],
        Protocol::Tcp(_) | Protocol::Grpc(_) => &[CONNECT, REPLY],
        _ => &[],
    }
}

/// Each that was typed, and whether there is such a part at all.
fn read_phases(
    kind: Kind,
    protocol: Option<&Protocol>,
    table: &mut Table<'_>,
    findings: &mut Findings<'_>,
) -> TypedPhases {
    let mut read = |key: &'static str, needs: &str| {
        let Item { key: typed, value } = table.take(key)?;
        let time = value.duration(findings)?;
        if protocol.is_some_and(|protocol| !phases_of(protocol).contains(&key)) {
            let message = format!("`{key}` has no meaning without {needs}");
            findings.error(typed.span, message).label("nothing is waited for");
            return None;
        }
        Some(time)
    };
    let connect = read(CONNECT, "a connection");
    let reply = read(REPLY, "`expect`");
    let body = match kind {
        Kind::Http | Kind::Https | Kind::Prometheus => read(BODY, "`body`"),
        _ => None,
    };
    TypedPhases { connect, reply, body }
}

fn check_phases(phases: &TypedPhases, timeout: Duration, findings: &mut Findings<'_>) {
    for (key, typed) in phases.each() {
        let Some(typed) = typed else { continue };
        if typed.value < Duration::from_millis(CHECK_TIMEOUT_MS) {
            let message = format!("`{key}` must be at least {CHECK_TIMEOUT_MS}ms");
            findings.error(typed.span.clone(), message);
        } else if typed.value > timeout {
            let shown = format_duration(timeout);
            findings
                .error(
                    typed.span.clone(),
                    format!("`{key}` is longer than `timeout`, which is {shown}"),
                )
                .label("a part is no longer than the whole")
                .help("write a longer `timeout`; it has room for all parts after each other");
        }
    }
}

/// A whole that is longer than all of its parts.
fn warn_of_sum(
    protocol: &Protocol,
    phases: &TypedPhases,
    timeout: Duration,
    span: Option<Span>,
    findings: &mut Findings<'_>,
) {
    let parts = phases.each().into_iter().filter(|(key, _)| phases_of(protocol).contains(key));
    let parts: Option<Vec<Duration>> = parts.map(|(_, typed)| Some(typed?.value)).collect();
    let Some(parts) = parts.filter(|parts| !parts.is_empty()) else { return };
    let sum = parts.iter().fold(Duration::ZERO, |sum, part| sum.saturating_add(*part));
    if let Some(span) = span.filter(|_| sum < timeout) {
        findings
            .warning(span, "`timeout` is never reached")
            .label(format!("the parts of a probe take at most {}", format_duration(sum)));
    }
}

/// `down_after` and `up_after`, the same number unless both are given (rule 59).
pub(super) fn read_thresholds(
    table: &mut Table<'_>,
    findings: &mut Findings<'_>,
) -> (Option<Threshold>, Option<Threshold>) {
    let mut read = |key| {
        let item = table.take(key)?;
        let count = item.value.integer(1..=i64::from(CHECK_THRESHOLD), findings);
        Some(count.and_then(|count| u8::try_from(count).ok()?.try_into().ok()))
    };
    let down_after = read("down_after").unwrap_or(Some(Threshold::DEFAULT));
    let up_after = read("up_after").unwrap_or(down_after);
    (down_after, up_after)
}
