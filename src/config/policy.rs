//! `[policy.NAME]`: how targets are chosen. Targets are names here; [`super::routing`] looks them up.

use std::collections::HashMap;

use super::diagnostic::{Findings, Span};
use super::document::Entry;
use super::place;
use super::reader::{Item, Spanned, Table};
use super::value::closest;
use crate::policy::{Place, Weight};

const TYPES: &[&str] = &["weighted", "round-robin", "failover", "geolocation", "multivalue"];

/// Words that people bring from elsewhere, and the type that they mean.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("geo", "geolocation"),
    ("geoip", "geolocation"),
    ("weight", "weighted"),
    ("weighted-round-robin", "weighted"),
    ("rr", "round-robin"),
    ("roundrobin", "round-robin"),
    ("multi-value", "multivalue"),
    ("multivalue-answer", "multivalue"),
    ("active-passive", "failover"),
    ("primary-secondary", "failover"),
];

/// Types of the design that this version does not have.
const FUTURE_TYPES: &[&str] = &["latency", "geoproximity", "ip", "residency"];

const NOTES: &[(&str, &str)] = &[
    ("weights", "`weights` belongs to type = \"weighted\""),
    ("targets", "`targets` belongs to the types round-robin, failover and multivalue"),
    ("continent", "places belong to type = \"geolocation\""),
    ("country", "places belong to type = \"geolocation\""),
    ("default", "`default` belongs to type = \"geolocation\""),
    ("primary", "write the targets in their order: targets = [\"us\", \"eu\"]"),
    ("secondary", "write the targets in their order: targets = [\"us\", \"eu\"]"),
    ("subdivision", "states and provinces are not built yet; there are `continent` and `country`"),
    ("group", "groups of countries are not built yet; there are `continent` and `country`"),
    ("cidr", "choice by prefix is not built yet"),
    ("asn", "choice by autonomous system is not built yet"),
    ("sticky", "`sticky` is not built yet"),
    ("ttl", "the TTL is set where a name uses the policy: api = { policy = \"…\", ttl = \"30s\" }"),
    ("check", "checks belong to pools"),
];

/// A reference to a pool or a policy.
pub(super) type Reference<'t> = Spanned<&'t str>;

/// The targets of one place, in order.
pub(super) struct PlaceTargets<'t> {
    pub(super) place: Place,
    pub(super) targets: Vec<Reference<'t>>,
}

/// How a policy chooses, as typed.
pub(super) enum Rule<'t> {
    Weighted(Vec<(Weight, Reference<'t>)>),
    Failover(Vec<Reference<'t>>),
    Geolocation(Vec<PlaceTargets<'t>>),
    RoundRobin(Vec<Reference<'t>>),
    Multivalue(Vec<Reference<'t>>),
}

/// What becomes of a policy with everything down, as typed.
pub(super) enum AllDown<'t> {
    IgnoreHealth,
    NoData,
    ServFail,
    /// Any other word is the name of a pool.
    Pool(Reference<'t>),
}

/// A policy as it was typed.
pub(super) struct Policy<'t> {
    pub(super) name: Spanned<&'t str>,
    /// Nothing if even the type is not known.
    pub(super) rule: Option<Rule<'t>>,
    pub(super) evaluate_health: bool,
    pub(super) all_down: AllDown<'t>,
}

impl<'t> Rule<'t> {
    /// Every target, in the order of the text.
    pub(super) fn references(&self) -> Vec<&Reference<'t>> {
        match self {
            Self::Weighted(targets) => targets.iter().map(|(_, target)| target).collect(),
            Self::Failover(targets) | Self::RoundRobin(targets) | Self::Multivalue(targets) => {
                targets.iter().collect()
            }
            Self::Geolocation(places) => places.iter().flat_map(|place| &place.targets).collect(),
        }
    }
}

pub(super) fn read<'t>(entry: Entry<'t>, findings: &mut Findings<'_>) -> Policy<'t> {
    let Entry { name, mut table } = entry;
    let evaluate_health = table.take("evaluate_health");
    let evaluate_health = evaluate_health.and_then(|item| item.value.boolean(findings));
    let all_down = table.take("all_down");
    let all_down = all_down.and_then(|item| read_all_down(&item, findings));
    let kind = table.take("type");
    let rule = match kind.as_ref().map(|item| item.value.as_str()) {
        Some(Some("weighted")) => read_weighted(&name, &mut table, findings),
        Some(Some("failover")) => {
            let example = "[\"us\", \"eu\"], the preferred one first";
            read_list(&name, &mut table, example, findings).map(Rule::Failover)
        }
        Some(Some("round-robin")) => {
            read_list(&name, &mut table, "[\"us\", \"eu\"]", findings).map(Rule::RoundRobin)
        }
        Some(Some("multivalue")) => {
            let example = "[\"us\", \"eu\"] with the pools whose endpoints are handed out";
            read_list(&name, &mut table, example, findings).map(Rule::Multivalue)
        }
        Some(Some("geolocation")) => read_geolocation(&name, &mut table, findings),
        _ => {
            unknown_type(&name, kind, &table, findings);
            table.take_all();
            None
        }
    };
    table.finish(NOTES, findings);
    Policy {
        name,
        rule,
        evaluate_health: evaluate_health.unwrap_or(true),
        all_down: all_down.unwrap_or(AllDown::IgnoreHealth),
    }
}

/// The words of `all_down` that are no names of pools.
pub(super) const ALL_DOWN_WORDS: [&str; 3] = ["ignore-health", "nodata", "servfail"];

fn read_all_down<'t>(item: &Item<'t>, findings: &mut Findings<'_>) -> Option<AllDown<'t>> {
    let expected = "\"ignore-health\", \"nodata\", \"servfail\" or the name of a pool";
    let word = item.value.string(expected, findings)?;
    Some(match word.value {
        "ignore-health" => AllDown::IgnoreHealth,
        "nodata" => AllDown::NoData,
        "servfail" => AllDown::ServFail,
        _ => AllDown::Pool(word),
    })
}

fn unknown_type(
    name: &Spanned<&str>,
    kind: Option<Item<'_>>,
    table: &Table<'_>,
    findings: &mut Findings<'_>,
) {
    let types = "the types are weighted, round-robin, failover, geolocation and multivalue";
    let Some(item) = kind else {
        let keys = [("weights", "weighted"), ("targets", "failover"), ("continent", "geolocation")];
        let guess =
            keys.iter().find(|(key, _)| table.has(key)).map_or("failover", |(_, kind)| *kind);
        findings
            .error(name.span.clone(), format!("the policy `{}` has no type", name.value))
            .help(format!("add type = \"{guess}\"; {types}"));
        return;
    };
    let Some(text) = item.value.as_str() else {
        item.value.expected("a string such as \"failover\"", findings).help(types);
        return;
    };
    let is_future = FUTURE_TYPES.contains(&text);
    let message = if is_future {
        format!("policies of the type `{text}` are not built yet")
    } else {
        format!("`{text}` is no type of policy")
    };
    let other = OTHER_NAMES.iter().find(|(other, _)| *other == text).map(|(_, kind)| *kind);
    let guess = other.or_else(|| closest(text, TYPES.iter().copied())).filter(|_| !is_future);
    let label = guess.map_or(String::new(), |guess| format!("did you mean `{guess}`?"));
    findings.error(item.value.span(), message).label(label).help(types);
}

fn missing(name: &Spanned<&str>, what: &str, example: &str, findings: &mut Findings<'_>) {
    let message = format!("the policy `{}` has no {what}", name.value);
    findings.error(name.span.clone(), message).help(format!("add {example}"));
}

/// Rules 10 and 17: every target has a weight from 0 to 255.
fn read_weighted<'t>(
    name: &Spanned<&str>,
    table: &mut Table<'t>,
    findings: &mut Findings<'_>,
) -> Option<Rule<'t>> {
    let example = "weights = { us = 60, eu = 40 }";
    let Some(item) = table.take("weights") else {
        missing(name, "weights", example, findings);
        return None;
    };
    let mut weights = item.value.table("weights", "{ us = 60, eu = 40 }", findings)?;
    if weights.is_empty() {
        missing(name, "weights", example, findings);
    }
    let mut targets = Vec::new();
    for item in weights.take_all() {
        let weight = read_weight(&item, findings);
        targets.push((weight, item.key));
    }
    Some(Rule::Weighted(targets))
}

fn read_weight(item: &Item<'_>, findings: &mut Findings<'_>) -> Weight {
    let number = item.value.as_integer();
    if let Some(weight) = number.and_then(|number| u8::try_from(number).ok()) {
        return Weight(weight);
    }
    let advice = weight_advice(item);
    let message = format!("the weight of `{}` must be an integer from 0 to 255", item.key.value);
    findings
        .error(item.value.span(), message)
        .label(format!("this is {}", item.value.found()))
        .help_if(advice);
    Weight(0)
}

/// What to write for a weight that is none.
fn weight_advice(item: &Item<'_>) -> Option<String> {
    let name = item.key.value;
    if let Some(inner) = item.value.as_table("").and_then(|mut table| table.take_all().pop()) {
        let whole = format!("{name}.{}", inner.key.value);
        return Some(format!("a name with dots needs quotes: \"{whole}\" = 60"));
    }
    let text = item.value.as_str().map(|text| text.trim_end_matches('%').trim());
    if let Some(number) = text.filter(|text| text.parse::<u8>().is_ok()) {
        return Some(format!("write {name} = {number}"));
    }
    let is_large = item.value.as_integer().is_some_and(|number| number > 255);
    is_large.then(|| "weights are relative: 255 and 85 are shares of 75 % and 25 %".to_owned())
}

/// The `targets` of a policy that has a plain list of them.
fn read_list<'t>(
    name: &Spanned<&str>,
    table: &mut Table<'t>,
    example: &str,
    findings: &mut Findings<'_>,
) -> Option<Vec<Reference<'t>>> {
    let Some(item) = table.take("targets") else {
        missing(name, "targets", &format!("targets = {example}"), findings);
        return None;
    };
    Some(read_targets(&item, findings))
}

/// A target, or several in order, none twice.
fn read_targets<'t>(item: &Item<'t>, findings: &mut Findings<'_>) -> Vec<Reference<'t>> {
    let expected = "a pool or policy such as \"us\", or several as [\"us\", \"eu\"]";
    let mut targets = item.value.strings(expected, findings);
    let mut seen: HashMap<&str, Span> = HashMap::new();
    targets.retain(|target| {
        let Some(first) = seen.insert(target.value, target.span.clone()) else {
            return true;
        };
        let message = format!("the target `{}` stands in this list twice", target.value);
        findings.error(target.span.clone(), message).related(first, "first here");
        false
    });
    targets
}

fn read_geolocation<'t>(
    name: &Spanned<&str>,
    table: &mut Table<'t>,
    findings: &mut Findings<'_>,
) -> Option<Rule<'t>> {
    let mut places = Vec::new();
    let mut is_empty = true;
    for (key, parse) in PLACES {
        let Some(item) = table.take(key) else {
            continue;
        };
        let example = format!("{{ {} = \"us\" }}", if *key == "country" { "US" } else { "NA" });
        let Some(mut entries) = item.value.table(key, &example, findings) else {
            continue;
        };
        for item in entries.take_all() {
            is_empty = false;
            let targets = read_targets(&item, findings);
            let place = parse(&item.key, findings);
            places.extend(place.map(|place| PlaceTargets { place, targets }));
        }
    }
    if let Some(item) = table.take("default") {
        let targets = read_targets(&item, findings);
        places.push(PlaceTargets { place: Place::Default, targets });
    } else if is_empty {
        let example = "continent.EU = \"eu\", country.US = \"us\" or default = \"us\"";
        missing(name, "places", example, findings);
    } else {
        warn_without_default(name, findings);
    }
    Some(Rule::Geolocation(places))
}

type ParsePlace = fn(&Spanned<&str>, &mut Findings<'_>) -> Option<Place>;

const PLACES: &[(&str, ParsePlace)] =
    &[("continent", place::read_continent), ("country", place::read_country)];

/// Rules 26 and 27: without a default such clients get an empty answer.
fn warn_without_default(name: &Spanned<&str>, findings: &mut Findings<'_>) {
    let message = format!("the policy `{}` has no default", name.value);
    findings
        .warning(name.span.clone(), message)
        .label("clients elsewhere, or nobody knows where, get an empty answer")
        .help("add default = \"…\" with the pool or policy for everybody else");
}
