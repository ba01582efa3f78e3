//! What the policies of a zone must be told about clients, and whether the databases of a server can tell it.

use std::collections::BTreeSet;

use super::diagnostic::Diagnostic;
use super::{CompiledZone, Source, Span};
use crate::geo::Coordinates;
use crate::policy::{Latency, LatencySource, Place, Policy, Rule};

/// Something that a database may know of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fact {
    Subdivisions,
    Asns,
    Coordinates,
}

/// A policy or a residency, and what it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// Such as "the policy `near`".
    pub what: String,
    /// Where it stands in the zone file.
    pub span: Span,
    pub fact: Fact,
}

/// What the databases of a server know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatabaseFacts {
    pub has_subdivisions: bool,
    pub has_coordinates: bool,
    pub has_asns: bool,
    /// What the main database calls itself, for people.
    pub kind: String,
}

/// Everything that a zone needs to know of clients beyond their countries, in the order of its policies and residencies.
pub fn needs(zone: &CompiledZone) -> Vec<Need> {
    let policies = zone.routing.policies.iter().zip(&zone.policy_spans);
    let policies = policies.flat_map(|(policy, span)| {
        let what = format!("the policy `{}`", policy.name);
        needs_of(policy).into_iter().map(move |fact| Need {
            what: what.clone(),
            span: span.clone(),
            fact,
        })
    });
    let residencies = zone.routing.residencies.iter().zip(&zone.residency_spans);
    let residencies = residencies.flat_map(|(residency, span)| {
        let what = format!("the residency `{}`", residency.name);
        facts_of(residency.clients.iter()).into_iter().map(move |fact| Need {
            what: what.clone(),
            span: span.clone(),
            fact,
        })
    });
    policies.chain(residencies).collect()
}

fn needs_of(policy: &Policy) -> BTreeSet<Fact> {
    match &policy.rule {
        Rule::Geolocation { places, .. } => facts_of(places.keys()),
        Rule::Geoproximity { sites, .. } => {
            let points: Vec<Coordinates> = sites.iter().map(|site| site.coordinates).collect();
            needs_coordinates(&points)
        }
        Rule::Latency(latency) if goes_by_distance(latency) => {
            let points: Vec<Coordinates> =
                latency.targets.iter().filter_map(|target| target.coordinates).collect();
            needs_coordinates(&points)
        }
        _ => BTreeSet::new(),
    }
}

/// Targets nearer to each other than this are a choice within a country, in kilometres: the middle of the client's country does
/// not tell them apart. Between continents it does.
const NEIGHBOURS_KM: f64 = 3_000.0;

fn needs_coordinates(points: &[Coordinates]) -> BTreeSet<Fact> {
    let has_neighbour = |one: &Coordinates| {
        points.iter().any(|other| other != one && one.distance_km(*other) < NEIGHBOURS_KM)
    };
    points.iter().any(has_neighbour).then_some(Fact::Coordinates).into_iter().collect()
}

/// Whether distance is what mostly decides.
fn goes_by_distance(latency: &Latency) -> bool {
    let placed = latency.targets.iter().filter(|target| target.coordinates.is_some()).count();
    match latency.only {
        Some(source) => source == LatencySource::Distance,
        None => latency.table.is_none() && placed > 1,
    }
}

fn facts_of<'p>(places: impl Iterator<Item = &'p Place>) -> BTreeSet<Fact> {
    let fact = |place: &Place| match place {
        Place::Subdivision(_) => Some(Fact::Subdivisions),
        Place::Asn(_) => Some(Fact::Asns),
        _ => None,
    };
    places.filter_map(fact).collect()
}

/// What the databases cannot tell: errors where a policy would never do what it says, warnings where it will do it worse.
pub fn compare_needs(source: &Source, needs: &[Need], facts: &DatabaseFacts) -> Vec<Diagnostic> {
    needs.iter().filter_map(|need| compare(source, need, facts)).collect()
}

fn compare(source: &Source, need: &Need, facts: &DatabaseFacts) -> Option<Diagnostic> {
    let Need { what, span, fact } = need;
    let kind = &facts.kind;
    let mut diagnostic = match fact {
        Fact::Subdivisions if !facts.has_subdivisions => Diagnostic::at(
            source,
            span.clone(),
            format!("{what} names subdivisions, and the database has none"),
        ),
        Fact::Asns if !facts.has_asns => Diagnostic::at(
            source,
            span.clone(),
            format!("{what} names autonomous systems, and there is no database of them"),
        ),
        Fact::Coordinates if !facts.has_coordinates => Diagnostic::warning_at(
            source,
            span.clone(),
            format!("{what} goes by distance, and the database has countries only"),
        ),
        _ => return None,
    };
    match fact {
        Fact::Subdivisions => diagnostic
            .label(format!("the database is {kind}"))
            .help("name a database of cities with --geodb"),
        Fact::Asns => diagnostic.help("name one, such as GeoLite2-ASN.mmdb, with --asndb"),
        Fact::Coordinates => diagnostic
            .label(format!("the database is {kind}"))
            .help("every client counts as in the middle of its country, and these targets are near each other; a database of cities (--geodb) knows better"),
    };
    Some(diagnostic)
}
