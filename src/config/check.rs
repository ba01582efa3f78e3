//! `[check.NAME]`: how endpoints are probed, or from what else their health comes.
//!
//! | file | owns |
//! |---|---|
//! | `kind` | the kinds of checks, and which keys have a meaning for which |
//! | `http`, `headers`, `tcp`, `tls`, `dns`, `grpc`, `prometheus`, `external` | what one kind reads |
//! | `calculated` | checks of other checks: the only ones that refer to anything |
//! | `place` | hosts, ports and addresses |
//! | `timing`, `recovery` | how often, how long, how many times; and how what is down comes back |
//!
//! A check with a mistake is a hole: it is there for those that name it, and has nothing compiled.

mod calculated;
mod dns;
mod external;
mod grpc;
mod headers;
mod http;
mod kind;
mod place;
mod prometheus;
mod recovery;
mod tcp;
mod timing;
mod tls;

use std::sync::Arc;

use super::CompiledCheck;
use super::diagnostic::{Diagnostic, Findings, Span};
use super::document::Entry;
use super::reader::{Spanned, Table, Value};
use crate::health::{
    CheckSpec, Damping, LatencyMeasure, Pattern, PatternError, ProbeAddress, Protocol, Recovery,
};
use crate::wire::Name;
use calculated::Calculated;
pub(super) use calculated::connect;
use kind::Kind;

/// What people may expect among the keys, and what it is here.
const NOTES: &[(&str, &str)] = &[
    ("interval", "the time between probes is `every`"),
    ("threshold", "the thresholds are `down_after` and `up_after`"),
    ("path", "the path is the value of `http` or `https`: https = \"/healthz\""),
    ("sni", "it stands in the table: tls = { sni = false }"),
    ("verify", "it stands in the table: tls = { verify = true }"),
    ("status", "the statuses that pass are `expect`: expect = \"200-299\""),
    ("regex", "a regular expression is `body_regex`, or `expect_regex` with `tcp`"),
];

const LATENCIES: &[(&str, LatencyMeasure)] = &[
    ("average", LatencyMeasure::Average),
    ("p50", LatencyMeasure::P50),
    ("p95", LatencyMeasure::P95),
];

/// A check as it was typed.
pub(super) struct Check<'t> {
    pub(super) name: Spanned<&'t str>,
    /// Nothing if it has a mistake. What it is calculated from is put in by [`connect`].
    pub(super) compiled: Option<CompiledCheck>,
    calculated: Option<Calculated<'t>>,
}

/// What is asked, of which port, and of whom if not of the endpoint.
struct Asked {
    protocol: Protocol,
    port: u16,
    address: Option<ProbeAddress>,
}

impl Check<'_> {
    /// The checks that it is calculated from.
    pub(super) fn children(&self) -> &[Spanned<&str>] {
        self.calculated.as_ref().map_or(&[], |calculated| &*calculated.children)
    }
}

/// Reads a check of the zone with this apex.
pub(super) fn read<'t>(entry: Entry<'t>, apex: &Name, findings: &mut Findings<'_>) -> Check<'t> {
    let Entry { name, mut table } = entry;
    let Some((kind, value)) = kind::read(&name, &mut table, findings) else {
        kind::take_all(&mut table);
        table.finish(NOTES, findings);
        return Check { name, compiled: None, calculated: None };
    };
    kind::report_misplaced(kind, &mut table, findings);
    let calculated = match kind {
        Kind::Calculated => calculated::read(&value, findings),
        _ => None,
    };
    let asked = match &calculated {
        Some(calculated) => Some(calculated.as_asked()),
        None => read_asked(kind, &value, (&name, apex), &mut table, findings),
    };
    let spec = read_spec(kind, asked.as_ref(), &mut table, findings);
    let address = table.take("address").and_then(|item| place::read_address(&item.value, findings));
    table.finish(NOTES, findings);
    let compiled = asked.zip(spec).map(|(asked, spec)| CompiledCheck {
        name: name.value.into(),
        spec: Arc::new(spec),
        address: asked.address.or(address),
    });
    Check { name, compiled, calculated }
}

fn read_asked(
    kind: Kind,
    value: &Value<'_>,
    (name, apex): (&Spanned<&str>, &Name),
    table: &mut Table<'_>,
    findings: &mut Findings<'_>,
) -> Option<Asked> {
    match kind {
        Kind::Http | Kind::Https => http::read(kind, value, table, findings),
        Kind::Tcp => tcp::read(value, table, findings),
        Kind::Dns => dns::read(value, table, findings),
        Kind::Icmp => read_icmp(value, findings),
        Kind::Grpc => grpc::read(value, table, findings),
        Kind::Prometheus => prometheus::read(value, table, findings),
        Kind::External => external::read(value, name, apex, findings),
        Kind::Calculated => None,
    }
}

fn read_icmp(value: &Value<'_>, findings: &mut Findings<'_>) -> Option<Asked> {
    if value.boolean(findings)? {
        return Some(Asked { protocol: Protocol::Icmp, port: 0, address: None });
    }
    findings.error(value.span(), "a check that does not ping asks nothing").help(
        "write icmp = true, or what else to probe; disabled = true keeps a check from probing",
    );
    None
}

/// Everything but the protocol. Nothing without one, but what is typed is looked at.
fn read_spec(
    kind: Kind,
    asked: Option<&Asked>,
    table: &mut Table<'_>,
    findings: &mut Findings<'_>,
) -> Option<CheckSpec> {
    let protocol = asked.map(|asked| &asked.protocol);
    let times = timing::read(kind, protocol, table, findings);
    let (down_after, up_after) = timing::read_thresholds(table, findings);
    let recovery = recovery::read(table, findings);
    let sources = table.take("source").map(|item| place::read_sources(&item.value, findings));
    let latency = table.take("latency").and_then(|item| item.value.word(LATENCIES, findings));
    let mut read_flag = |key| table.take(key).and_then(|item| item.value.boolean(findings));
    let (is_inverted, is_disabled) = (read_flag("inverted"), read_flag("disabled"));
    let asked = asked?;
    let spec = CheckSpec::new(asked.protocol.clone(), asked.port);
    let timing::Times { every, retry, timeout, phases } = times?;
    // What is reported or calculated comes and goes with what it comes from, as with Route 53.
    let usual = if kind.is_probed() { spec.recovery } else { Recovery::Damped(Damping::NONE) };
    Some(CheckSpec {
        every,
        retry,
        timeout,
        phases,
        down_after: down_after?,
        up_after: up_after?,
        recovery: recovery.unwrap_or(usual),
        sources: sources.unwrap_or_default(),
        latency: latency.unwrap_or_default(),
        is_inverted: is_inverted.unwrap_or_default(),
        is_disabled: is_disabled.unwrap_or_default(),
        ..spec
    })
}

/// Whether a query of it has the endpoint's address in it.
pub(super) fn names_endpoint(check: &CheckSpec) -> bool {
    match &check.protocol {
        Protocol::Prometheus(metric) => metric.query.contains("{address}"),
        Protocol::Calculated(calculated) => {
            calculated.children.iter().any(|child| names_endpoint(&child.check))
        }
        _ => false,
    }
}

/// What an answer must have in it: a text or, under another key, a regular expression.
fn read_pattern(
    text_key: &'static str,
    regex_key: &'static str,
    table: &mut Table<'_>,
    findings: &mut Findings<'_>,
) -> Option<Pattern> {
    let text = table.take(text_key);
    let regex = table.take(regex_key);
    if let (Some(text), Some(regex)) = (&text, &regex) {
        report_both(&text.key, &regex.key, findings)
            .help("an expression can say both: \"(?s)one.*two|two.*one\"");
        return None;
    }
    let is_regex = regex.is_some();
    let value = text.or(regex)?.value;
    let Some(text) = value.as_str() else {
        let is_status = value.as_integer().is_some_and(|number| (100..600).contains(&number));
        let help = is_status.then_some("a status is expected by `http` and `https`");
        value.expected("a text such as \"ok\"", findings).help_if(help);
        return None;
    };
    let parse = if is_regex { Pattern::parse_regex } else { Pattern::parse_text };
    match parse(text) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            let what = if is_regex { "is no regular expression" } else { "cannot be looked for" };
            let message = format!("`{}` {what}", value.name);
            findings.error(value.span(), message).label(pattern_problem(&error));
            None
        }
    }
}

/// One line of it: the library draws the expression, which stands above the caret already.
fn pattern_problem(error: &PatternError) -> String {
    let text = error.to_string();
    let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    last.trim().trim_start_matches("error: ").to_owned()
}

/// Two keys of which one says it all.
fn report_both<'f>(
    first: &Spanned<&str>,
    second: &Spanned<&str>,
    findings: &'f mut Findings<'_>,
) -> &'f mut Diagnostic {
    let message = format!("`{}` and `{}` exclude each other", first.value, second.value);
    findings.error(second.span.clone(), message).related(first.span.clone(), "the other one")
}

/// A text that is too long for its purpose, or has characters that its protocol cannot carry.
fn refuse_text(name: &str, span: Span, problem: String, findings: &mut Findings<'_>) {
    findings.error(span, format!("`{name}` cannot be sent as it is")).label(problem);
}
