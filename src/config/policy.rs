//! `[policy.NAME]`: how targets are chosen. Targets are names here; [`super::routing`] looks them up.
//!
//! | file | owns the types |
//! |---|---|
//! | `weighted` | weighted |
//! | `places` | geolocation, ip |
//! | `near` | geoproximity, latency |
//!
//! Those that have a list of targets and nothing else are read here.

mod near;
mod places;
mod weighted;

use std::collections::HashMap;

use super::diagnostic::{Findings, Span};
use super::document::Entry;
use super::place::TypedPlace;
use super::reader::{Item, Spanned, Table};
use super::value::{closest, list};
pub(super) use near::{GeoproximityChoice, LatencyChoice, OfTarget, is_table_name};
pub(super) use places::IpChoice;
pub(super) use weighted::WeightedChoice;

const TYPES: [&str; 8] = [
    "weighted",
    "round-robin",
    "failover",
    "geolocation",
    "multivalue",
    "ip",
    "geoproximity",
    "latency",
];

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
    ("ip-based", "ip"),
    ("cidr", "ip"),
    ("proximity", "geoproximity"),
    ("nearest", "geoproximity"),
    ("rtt", "latency"),
];

/// What is said of keys that belong to another type, or elsewhere.
const NOTES: &[(&str, &str)] = &[
    ("weights", "`weights` belongs to type = \"weighted\""),
    ("sticky", "`sticky` belongs to type = \"weighted\""),
    ("seed", "`seed` belongs to type = \"weighted\", beside `sticky`"),
    ("ramp", "`ramp` belongs to type = \"weighted\""),
    (
        "targets",
        "`targets` belongs to the types round-robin, failover, multivalue, geoproximity and latency",
    ),
    ("cidr", PLACES),
    ("asn", PLACES),
    ("subdivision", PLACES),
    ("country", PLACES),
    ("group", PLACES),
    ("continent", PLACES),
    ("widening", "`widening` belongs to type = \"geolocation\""),
    ("default", "`default` belongs to the types geolocation, ip and geoproximity"),
    ("collection", "`collection` belongs to type = \"ip\""),
    (
        "location",
        "locations of a collection belong to type = \"ip\"; where targets are is written `locations`",
    ),
    ("locations", "`locations` belongs to the types geoproximity and latency"),
    ("bias", "`bias` belongs to type = \"geoproximity\""),
    ("regions", "`regions` belongs to type = \"latency\""),
    ("region", "regions are written regions = { us = \"us-east-1\" } in type = \"latency\""),
    ("table", "`table` belongs to type = \"latency\""),
    ("by", "`by` belongs to type = \"latency\""),
    ("hysteresis", "`hysteresis` belongs to type = \"latency\""),
    ("primary", "write the targets in their order: targets = [\"us\", \"eu\"]"),
    ("secondary", "write the targets in their order: targets = [\"us\", \"eu\"]"),
    ("ttl", "the TTL is set where a name uses the policy: api = { policy = \"…\", ttl = \"30s\" }"),
    (
        "together",
        "it is set where a name uses the policy: api = { policy = \"…\", together = true }",
    ),
    ("check", "checks belong to pools"),
];

const PLACES: &str = "places belong to type = \"geolocation\"";

/// A reference to a pool or a policy.
pub(super) type Reference<'t> = Spanned<&'t str>;

/// The targets of one place, in order.
pub(super) struct PlaceTargets<'t> {
    pub(super) place: TypedPlace<'t>,
    pub(super) targets: Vec<Reference<'t>>,
}

/// How a policy chooses, as typed.
pub(super) enum Rule<'t> {
    Weighted(WeightedChoice<'t>),
    Failover(Vec<Reference<'t>>),
    Geolocation { places: Vec<PlaceTargets<'t>>, default: Vec<Reference<'t>>, widening: bool },
    Ip(IpChoice<'t>),
    Geoproximity(GeoproximityChoice<'t>),
    Latency(LatencyChoice<'t>),
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
            Self::Weighted(choice) => choice.targets.iter().map(|(_, target)| target).collect(),
            Self::Failover(targets) | Self::RoundRobin(targets) | Self::Multivalue(targets) => {
                targets.iter().collect()
            }
            Self::Geolocation { places, default, .. } => {
                places.iter().flat_map(|place| &place.targets).chain(default).collect()
            }
            Self::Ip(choice) => {
                let located = choice.locations.iter().flat_map(|(_, targets)| targets);
                located.chain(&choice.default).collect()
            }
            Self::Geoproximity(choice) => choice.targets.iter().chain(&choice.default).collect(),
            Self::Latency(choice) => choice.targets.iter().collect(),
        }
    }
}

pub(super) fn read<'t>(entry: Entry<'t>, findings: &mut Findings<'_>) -> Policy<'t> {
    let Entry { name, mut table } = entry;
    let evaluate_health = table.take("evaluate_health");
    let evaluate_health = evaluate_health.and_then(|item| item.value.boolean(findings));
    let all_down = table.take("all_down");
    let all_down = all_down.and_then(|item| read_all_down(&item, findings));
    let rule = read_rule(&name, &mut table, findings);
    table.finish(NOTES, findings);
    Policy {
        name,
        rule,
        evaluate_health: evaluate_health.unwrap_or(true),
        all_down: all_down.unwrap_or(AllDown::IgnoreHealth),
    }
}

fn read_rule<'t>(
    name: &Spanned<&'t str>,
    table: &mut Table<'t>,
    findings: &mut Findings<'_>,
) -> Option<Rule<'t>> {
    let kind = table.take("type");
    match kind.as_ref().and_then(|item| item.value.as_str()) {
        Some("weighted") => weighted::read(name, table, findings),
        Some("failover") => {
            let example = "[\"us\", \"eu\"], the preferred one first";
            read_list(name, table, example, findings).map(Rule::Failover)
        }
        Some("round-robin") => {
            read_list(name, table, "[\"us\", \"eu\"]", findings).map(Rule::RoundRobin)
        }
        Some("multivalue") => {
            let example = "[\"us\", \"eu\"] with the pools whose endpoints are handed out";
            read_list(name, table, example, findings).map(Rule::Multivalue)
        }
        Some("geolocation") => places::read_geolocation(name, table, findings),
        Some("ip") => places::read_ip(name, table, findings),
        Some("geoproximity") => near::read_geoproximity(name, table, findings),
        Some("latency") => near::read_latency(name, table, findings),
        _ => {
            unknown_type(name, kind, table, findings);
            table.take_all();
            None
        }
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
    let types = format!("the types are {}", list(TYPES));
    let Some(item) = kind else {
        let keys = [
            ("weights", "weighted"),
            ("collection", "ip"),
            ("bias", "geoproximity"),
            ("table", "latency"),
            ("regions", "latency"),
            ("locations", "geoproximity"),
            ("targets", "failover"),
            ("continent", "geolocation"),
            ("country", "geolocation"),
            ("group", "geolocation"),
        ];
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
    if text == "residency" {
        findings
            .error(item.value.span(), "a residency is no policy: it holds for all of them")
            .help("write [residency.NAME] with `clients` and `pools`");
        return;
    }
    let other = OTHER_NAMES.iter().find(|(other, _)| *other == text).map(|(_, kind)| *kind);
    let guess = other.or_else(|| closest(text, TYPES));
    let label = guess.map_or(String::new(), |guess| format!("did you mean `{guess}`?"));
    let message = format!("`{text}` is no type of policy");
    findings.error(item.value.span(), message).label(label).help(types);
}

fn missing(name: &Spanned<&str>, what: &str, example: &str, findings: &mut Findings<'_>) {
    let message = format!("the policy `{}` has no {what}", name.value);
    findings.error(name.span.clone(), message).help(format!("add {example}"));
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
