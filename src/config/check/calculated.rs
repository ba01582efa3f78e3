//! `calculated`: a check of other checks of the zone (Route 53 rules 66 and 71 to 73).
//!
//! The only checks that refer to others. [`connect`] looks those up when all are read.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Asked, Check};
use crate::config::CompiledCheck;
use crate::config::diagnostic::{Findings, Span};
use crate::config::reader::{Item, Spanned, Table, Value};
use crate::config::routing::dangling;
use crate::health::{CalculatedCheck, CheckSpec, Child, Protocol, Quorum};
use crate::limits::CALCULATED_CHILDREN;

const EXAMPLE: &str = "{ of = [\"web\", \"db\"], at_least = 1 }";

/// Fewer checks than this make no sensible share (Route 53 rule 68: at least three regions).
const SHARED_CHILDREN: usize = 3;

/// What a check is calculated from, as typed.
pub(super) struct Calculated<'t> {
    pub(super) children: Vec<Spanned<&'t str>>,
    quorum: Quorum,
}

impl Calculated<'_> {
    /// With nothing in it yet.
    pub(super) fn as_asked(&self) -> Asked {
        let check = CalculatedCheck { children: Box::default(), quorum: self.quorum };
        Asked { protocol: Protocol::Calculated(check), port: 0, address: None }
    }
}

pub(super) fn read<'t>(value: &Value<'t>, findings: &mut Findings<'_>) -> Option<Calculated<'t>> {
    let mut table = value.table("calculated", EXAMPLE, findings)?;
    let Some(of) = table.take("of") else {
        findings
            .error(value.span(), "`calculated` needs `of`")
            .label("of which checks?")
            .help(format!("write calculated = {EXAMPLE}"));
        return None;
    };
    let children = of.value.strings("a list of checks such as [\"web\", \"db\"]", findings);
    if children.len() > CALCULATED_CHILDREN {
        let count = children.len();
        let message = format!("a check can be of {CALCULATED_CHILDREN} others, not {count}");
        findings.error(of.value.span(), message).label("Route 53 rule 72");
        return None;
    }
    report_repeats(&children, findings);
    let quorum = read_quorum(value.span(), &children, &mut table, findings);
    table.finish(&[("any", "one of them is at_least = 1")], findings);
    Some(Calculated { children, quorum: quorum? })
}

fn report_repeats(children: &[Spanned<&str>], findings: &mut Findings<'_>) {
    let mut seen: HashMap<&str, &Span> = HashMap::new();
    for child in children {
        if let Some(first) = seen.insert(child.value, &child.span) {
            let message = format!("the check `{}` stands in the list twice", child.value);
            findings.error(child.span.clone(), message).related(first.clone(), "first here");
        }
    }
}

/// Exactly one of three keys.
fn read_quorum(
    span: Span,
    children: &[Spanned<&str>],
    table: &mut Table<'_>,
    findings: &mut Findings<'_>,
) -> Option<Quorum> {
    let typed = ["all", "at_least", "more_than"].into_iter();
    let mut typed: Vec<Item<'_>> = typed.filter_map(|key| table.take(key)).collect();
    typed.sort_by_key(|item| item.key.span.start);
    if let [first, second, ..] = typed.as_slice() {
        super::report_both(&first.key, &second.key, findings);
        return None;
    }
    let Some(Item { key, value }) = typed.pop() else {
        findings.error(span, "`calculated` does not say how many must be up").help(
            "add all = true, at_least = 1, or more_than = 18 (in a hundred of those that report)",
        );
        return None;
    };
    match key.value {
        "all" => read_all(&value, children.len(), findings),
        "at_least" => read_count(&value, children.len(), findings),
        _ => read_share(&value, children.len(), findings),
    }
}

fn read_all(value: &Value<'_>, children: usize, findings: &mut Findings<'_>) -> Option<Quorum> {
    if value.boolean(findings)? {
        return Some(Quorum::AtLeast(u16::try_from(children).unwrap_or(u16::MAX)));
    }
    findings
        .error(value.span(), "`all = false` does not say how many must be up")
        .help("for any of them write at_least = 1");
    None
}

/// Rule 71, whose ends are no mistakes but seldom meant.
fn read_count(value: &Value<'_>, children: usize, findings: &mut Findings<'_>) -> Option<Quorum> {
    let count = value.integer(0..=i64::from(u16::MAX), findings)?;
    let count = u16::try_from(count).ok()?;
    if count == 0 {
        findings.warning(value.span(), "this check is always up").label("none must be (rule 71)");
    } else if usize::from(count) > children {
        let label = format!("there are only {children} to count (rule 71)");
        findings.warning(value.span(), "this check is always down").label(label);
    }
    Some(Quorum::AtLeast(count))
}

/// Rules 66 to 68.
fn read_share(value: &Value<'_>, children: usize, findings: &mut Findings<'_>) -> Option<Quorum> {
    let share = value.integer(0..=99, findings)?;
    if children < SHARED_CHILDREN {
        findings
            .warning(value.span(), format!("this is a share of only {children}"))
            .label(format!("Route 53 asks for {SHARED_CHILDREN} or more (rule 68)"))
            .help("with fewer, at_least = 1 says what is meant");
    }
    Some(Quorum::MoreThan(u8::try_from(share).ok()?))
}

/// Puts into every calculated check what it is calculated from.
pub(in crate::config) fn connect(checks: &mut [Check<'_>], findings: &mut Findings<'_>) {
    let places: HashMap<&str, usize> =
        (0..).zip(checks.iter()).map(|(place, check)| (check.name.value, place)).collect();
    let mut connected: Vec<(usize, Option<CompiledCheck>)> = Vec::new();
    for (place, check) in (0..).zip(checks.iter()) {
        let Some(calculated) = &check.calculated else { continue };
        let children = calculated.children.iter();
        let children: Vec<Option<Child>> =
            children.map(|child| find_child(child, checks, &places, findings)).collect();
        let children: Option<Box<[Child]>> = children.into_iter().collect();
        let compiled = check.compiled.as_ref().zip(children);
        let compiled = compiled.map(|(check, children)| {
            let check_of = CalculatedCheck { children, quorum: calculated.quorum };
            let spec = CheckSpec {
                protocol: Protocol::Calculated(check_of),
                ..CheckSpec::clone(&check.spec)
            };
            CompiledCheck { spec: Arc::new(spec), ..check.clone() }
        });
        connected.push((place, compiled));
    }
    for (place, compiled) in connected {
        if let Some(check) = checks.get_mut(place) {
            check.compiled = compiled;
        }
    }
}

/// A check that is there, and is not calculated itself (rule 72).
fn find_child(
    child: &Spanned<&str>,
    checks: &[Check<'_>],
    places: &HashMap<&str, usize>,
    findings: &mut Findings<'_>,
) -> Option<Child> {
    let Some(found) = places.get(child.value).and_then(|place| checks.get(*place)) else {
        dangling("check", child, checks.iter().map(|check| check.name.value), findings);
        return None;
    };
    if found.calculated.is_some() {
        findings
            .error(child.span.clone(), format!("the check `{}` is calculated itself", child.value))
            .related(found.name.span.clone(), "the check")
            .help("write the checks that it is of in its place (Route 53 rule 72)");
        return None;
    }
    let CompiledCheck { spec, address, .. } = found.compiled.as_ref()?;
    Some(Child { check: Arc::clone(spec), address: address.clone() })
}
