//! `type = "geolocation"` and `type = "ip"`: targets by where the client is (rules 24 to 31, 43 to 47).

use super::{PlaceTargets, Reference, Rule, missing, read_targets};
use crate::config::collection::is_location_name;
use crate::config::diagnostic::Findings;
use crate::config::place;
use crate::config::reader::{Item, Spanned, Table};

/// An example of a name for each kind of place.
const EXAMPLES: [(&str, &str); 6] = [
    ("cidr", "{ \"192.0.2.0/24\" = \"us\" }"),
    ("asn", "{ 64500 = \"us\" }"),
    ("subdivision", "{ US-CA = \"us\" }"),
    ("country", "{ US = \"us\" }"),
    ("group", "{ EU = \"us\" }"),
    ("continent", "{ NA = \"us\" }"),
];

pub(super) fn read_geolocation<'t>(
    name: &Spanned<&str>,
    table: &mut Table<'t>,
    findings: &mut Findings<'_>,
) -> Option<Rule<'t>> {
    let widening = table.take("widening").and_then(|item| item.value.boolean(findings));
    let mut places = Vec::new();
    let mut is_empty = true;
    for (kind, example) in EXAMPLES {
        let Some(item) = table.take(kind) else { continue };
        let Some(mut entries) = item.value.table(kind, example, findings) else { continue };
        for item in entries.take_all() {
            is_empty = false;
            if is_split(kind, &item, findings) {
                continue;
            }
            let targets = read_targets(&item, findings);
            let place = place::read(kind, &item.key, findings);
            places.extend(place.map(|place| PlaceTargets { place, targets }));
        }
    }
    let default = read_default(table, findings);
    if default.is_none() && is_empty {
        let example = "continent.EU = \"eu\", country.US = \"us\" or default = \"us\"";
        missing(name, "places", example, findings);
    } else if default.is_none() {
        let label = "clients elsewhere, or nobody knows where, get an empty answer";
        warn_without_default(name, label, findings);
    }
    Some(Rule::Geolocation {
        places,
        default: default.unwrap_or_default(),
        widening: widening.unwrap_or(true),
    })
}

/// A place with a dot in it, which TOML reads as a table in a table: `subdivision.US.CA`. Reports it and says so.
fn is_split(kind: &str, item: &Item<'_>, findings: &mut Findings<'_>) -> bool {
    let inner = item.value.as_table("").and_then(|mut table| table.take_all().pop());
    let Some(inner) = inner else { return false };
    let (outer, inner) = (item.key.value, inner.key.value);
    let (message, help) = match kind {
        "subdivision" => (
            format!("`{outer}.{inner}` is written with a hyphen"),
            format!("write subdivision.{outer}-{inner}"),
        ),
        _ => (
            format!("TOML reads `{outer}.{inner}` as `{inner}` inside `{outer}`"),
            format!("write \"{outer}.{inner}\" = …"),
        ),
    };
    findings.error(item.key.span.clone(), message).help(help);
    true
}

pub(super) fn read_default<'t>(
    table: &mut Table<'t>,
    findings: &mut Findings<'_>,
) -> Option<Vec<Reference<'t>>> {
    table.take("default").map(|item| read_targets(&item, findings))
}

/// Rules 26, 27 and 46: without a default such clients get an empty answer.
pub(super) fn warn_without_default(name: &Spanned<&str>, label: &str, findings: &mut Findings<'_>) {
    let message = format!("the policy `{}` has no default", name.value);
    findings
        .warning(name.span.clone(), message)
        .label(label)
        .help("add default = \"…\" with the pool or policy for everybody else");
}

/// A choice by the locations of a collection as typed.
pub(in crate::config) struct IpChoice<'t> {
    pub(in crate::config) collection: Option<Reference<'t>>,
    /// Names of locations, and where their clients are sent.
    pub(in crate::config) locations: Vec<(Spanned<&'t str>, Vec<Reference<'t>>)>,
    pub(in crate::config) default: Vec<Reference<'t>>,
}

pub(super) fn read_ip<'t>(
    name: &Spanned<&str>,
    table: &mut Table<'t>,
    findings: &mut Findings<'_>,
) -> Option<Rule<'t>> {
    let collection = table.take("collection");
    if collection.is_none() {
        missing(name, "collection", "collection = \"…\", the name of a [collection.…]", findings);
    }
    let collection =
        collection.and_then(|item| item.value.string("the name of a collection", findings));
    let locations = table
        .take("location")
        .and_then(|item| item.value.table("location", "{ office = \"us\" }", findings));
    let mut choice = IpChoice { collection, locations: Vec::new(), default: Vec::new() };
    for item in locations.into_iter().flat_map(|mut table| table.take_all()) {
        let targets = read_targets(&item, findings);
        if item.key.value == "*" {
            findings
                .error(item.key.span, "clients elsewhere are written `default`")
                .help("write default = \"…\" for Route 53's location \"*\"");
        } else if is_location_name(item.key.value) {
            choice.locations.push((item.key, targets));
        } else {
            let message = format!("`{}` is no name of a location", item.key.value);
            findings
                .error(item.key.span, message)
                .help("networks stand in the collection; here are the names of its locations");
        }
    }
    let default = read_default(table, findings);
    if choice.locations.is_empty() && default.is_none() {
        missing(name, "locations", "location.office = \"us\" or default = \"us\"", findings);
    } else if default.is_none() {
        let label = "clients outside of these networks get an empty answer";
        warn_without_default(name, label, findings);
    }
    choice.default = default.unwrap_or_default();
    Some(Rule::Ip(choice))
}
