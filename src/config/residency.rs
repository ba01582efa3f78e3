//! `[residency.NAME]`: which clients are only ever answered from which pools (B4).

use std::collections::HashMap;

use super::diagnostic::{Findings, Span};
use super::document::Entry;
use super::place::{self, TypedPlace};
use super::policy::Reference;
use super::reader::{Spanned, Table};
use super::value::closest;

const NOTES: &[(&str, &str)] = &[
    ("countries", "write clients = [\"country.DE\", \"group.EU\"]"),
    ("groups", "write clients = [\"country.DE\", \"group.EU\"]"),
    ("targets", "a residency names pools: pools = [\"eu-west\"]"),
    ("pool", "write the pools as an array: pools = [\"eu-west\"]"),
    ("type", "a residency has no type: it holds whatever a policy says"),
];

/// Clients that nobody can place.
const UNLOCATED: &str = "unlocated";

/// A residency as it was typed.
pub(super) struct Residency<'t> {
    pub(super) name: Spanned<&'t str>,
    pub(super) clients: Vec<TypedPlace<'t>>,
    pub(super) holds_unlocated: bool,
    pub(super) pools: Vec<Reference<'t>>,
    pub(super) fails_closed: bool,
}

pub(super) fn read<'t>(entry: Entry<'t>, findings: &mut Findings<'_>) -> Residency<'t> {
    let Entry { name, mut table } = entry;
    let (clients, holds_unlocated) = read_clients(&name, &mut table, findings);
    let pools = read_pools(&name, &mut table, findings);
    let fails_closed = table.take("fail").is_some_and(|item| match item.value.as_str() {
        Some("closed") => true,
        Some("open") => false,
        other => {
            let guess = other.and_then(|word| closest(word, ["open", "closed"]));
            item.value
                .expected("\"open\" or \"closed\"", findings)
                .help_if(guess.map(|guess| format!("did you mean \"{guess}\"?")));
            false
        }
    });
    table.finish(NOTES, findings);
    Residency { name, clients, holds_unlocated, pools, fails_closed }
}

fn missing(name: &Spanned<&str>, what: &str, example: &str, findings: &mut Findings<'_>) {
    let message = format!("the residency `{}` has no {what}", name.value);
    findings.error(name.span.clone(), message).help(format!("add {example}"));
}

fn read_clients<'t>(
    name: &Spanned<&str>,
    table: &mut Table<'t>,
    findings: &mut Findings<'_>,
) -> (Vec<TypedPlace<'t>>, bool) {
    let Some(item) = table.take("clients") else {
        missing(name, "clients", "clients = [\"group.EU\", \"country.GB\"]", findings);
        return (Vec::new(), false);
    };
    let texts = item.value.strings("places such as [\"group.EU\", \"country.GB\"]", findings);
    let mut clients = Vec::new();
    let mut unlocated: Option<Span> = None;
    for text in texts {
        if text.value == UNLOCATED {
            if let Some(first) = unlocated.replace(text.span.clone()) {
                let message = format!("`{UNLOCATED}` stands in this list twice");
                findings.error(text.span, message).related(first, "first here");
            }
        } else if text.value == "default" {
            findings
                .error(text.span, "`default` is no place that a residency could hold for")
                .help("it holds for the clients that it names; \"unlocated\" are those nobody can place");
        } else {
            clients.extend(place::read_whole(&text, findings));
        }
    }
    (clients, unlocated.is_some())
}

fn read_pools<'t>(
    name: &Spanned<&str>,
    table: &mut Table<'t>,
    findings: &mut Findings<'_>,
) -> Vec<Reference<'t>> {
    let Some(item) = table.take("pools") else {
        missing(name, "pools", "pools = [\"eu-west\"]", findings);
        return Vec::new();
    };
    let mut pools = item.value.strings("pools such as [\"eu-west\"]", findings);
    let mut seen: HashMap<&str, Span> = HashMap::new();
    pools.retain(|pool| {
        let Some(first) = seen.insert(pool.value, pool.span.clone()) else { return true };
        let message = format!("the pool `{}` stands in this list twice", pool.value);
        findings.error(pool.span.clone(), message).related(first, "first here");
        false
    });
    pools
}
