//! In which order a rule tries its targets for a client: by places, networks, distance or latency.
//!
//! All of it is settled per load, but for latency that the prober measures: that order is a matter of the moment, not of the
//! client, and is made when the query comes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::areas::Spot;
use super::places::places_of;
use super::tree::{
    Latency, LatencySource, LatencyTarget, NetworkLocation, Place, Routing, Rule, Site, Target,
};
use crate::geo::{Atlas, Coordinates, CountryCode, LatencyTable};

/// What a rule tries for some clients.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Chain {
    pub(super) order: Order,
    /// A named network or a table holds the client, so that nothing else has to place it.
    pub(super) is_placed: bool,
}

/// The order in which targets are tried.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Order {
    Fixed(Box<[Target]>),
    /// All targets of the latency policy, by what the prober measured.
    Measured,
}

/// The chain of a rule for the clients at a spot; nothing if the rule does not look at the client.
pub(super) fn chain_for(
    rule: &Rule,
    routing: &Routing,
    atlas: &Atlas,
    spot: &Spot,
) -> Option<Chain> {
    match rule {
        Rule::Geolocation { places, widening } => {
            let held = places_of(routing, atlas, spot);
            let is_network = |place: &Place| matches!(place, Place::Network(_));
            let is_placed =
                held.iter().any(|place| is_network(place) && places.contains_key(place));
            Some(distinct(by_place(places, *widening, &held), is_placed))
        }
        Rule::Ip { locations, default } => {
            let held = places_of(routing, atlas, spot);
            let matched = held.iter().find_map(|place| location_of(locations, place));
            let targets = matched.into_iter().flat_map(|location| &location.targets);
            Some(distinct(targets.chain(default).copied(), matched.is_some()))
        }
        Rule::Geoproximity { sites, default } => Some(match spot.point() {
            Some(client) => distinct(by_distance(sites, client), false),
            None => distinct(default.iter().copied(), false),
        }),
        Rule::Latency(latency) => Some(by_latency(latency, routing, atlas, spot)),
        Rule::Weighted(_) | Rule::RoundRobin(_) | Rule::Failover(_) | Rule::Multivalue(_) => None,
    }
}

fn distinct(targets: impl Iterator<Item = Target>, is_placed: bool) -> Chain {
    let mut order: Vec<Target> = Vec::new();
    for target in targets {
        if !order.contains(&target) {
            order.push(target);
        }
    }
    Chain { order: Order::Fixed(order.into()), is_placed }
}

/// The targets of the places that hold a client, the smallest place first (rules 25, 29 and 30); without widening those of the
/// smallest place alone. Of several networks only the longest counts (rule 46).
fn by_place<'r>(
    places: &'r BTreeMap<Place, Vec<Target>>,
    widening: bool,
    held: &[Place],
) -> impl Iterator<Item = Target> + use<'r> {
    let mut has_network = false;
    let listed: Vec<&Vec<Target>> = held
        .iter()
        .filter_map(|place| {
            let targets = places.get(place)?;
            let is_network = matches!(place, Place::Network(_));
            let is_outer = is_network && has_network;
            has_network |= is_network;
            (!is_outer).then_some(targets)
        })
        .collect();
    let most = if widening { listed.len() } else { 1 };
    listed.into_iter().take(most).flatten().copied()
}

/// The location of a collection that lists exactly this network.
pub(crate) fn location_of<'r>(
    locations: &'r [NetworkLocation],
    place: &Place,
) -> Option<&'r NetworkLocation> {
    let Place::Network(network) = place else { return None };
    locations.iter().find(|location| location.networks.binary_search(network).is_ok())
}

/// How far a site counts as being from a client (rule 33), in kilometres.
pub(crate) fn biased_distance(site: &Site, client: Coordinates) -> f64 {
    let distance = site.coordinates.distance_km(client);
    let share = f64::from(site.bias) / 100.0;
    if share > 0.0 { distance * (1.0 - share) } else { distance / (1.0 + share) }
}

/// The nearest first; of equally near ones the one that is listed first (rule 33).
fn by_distance(sites: &[Site], client: Coordinates) -> impl Iterator<Item = Target> + use<> {
    let mut sites: Vec<(f64, Target)> =
        sites.iter().map(|site| (biased_distance(site, client), site.target)).collect();
    sites.sort_by(|one, other| one.0.total_cmp(&other.0));
    sites.into_iter().map(|(_, target)| target)
}

/// By which source a latency policy ranks its targets for the clients at a spot; nothing if the only one that it may use knows
/// nothing of them, and the order of the list has to do.
pub(crate) fn latency_source(
    latency: &Latency,
    routing: &Routing,
    atlas: &Atlas,
    spot: &Spot,
) -> Option<LatencySource> {
    let knows = |source: &LatencySource| match source {
        LatencySource::Table => !latencies(latency, routing, atlas, spot).is_empty(),
        LatencySource::Distance => {
            spot.point().is_some() && latency.targets.iter().all(|to| to.coordinates.is_some())
        }
        LatencySource::Measured => true,
    };
    let sources = [LatencySource::Table, LatencySource::Distance, LatencySource::Measured];
    let allowed = |source: &LatencySource| latency.only.is_none_or(|only| only == *source);
    sources.into_iter().find(|source| allowed(source) && knows(source))
}

/// What the table says of the clients at a spot: microseconds and the target, in the order of the targets.
pub(crate) fn latencies(
    latency: &Latency,
    routing: &Routing,
    atlas: &Atlas,
    spot: &Spot,
) -> Vec<(u32, Target)> {
    let table = latency.table.and_then(|table| routing.tables.get(usize::from(table.0)));
    let known = |one: &Arc<LatencyTable>| table.is_some_and(|table| Arc::ptr_eq(one, table));
    let (Some(table), Some(at)) = (table, atlas.tables().iter().position(known)) else {
        return Vec::new();
    };
    let row = atlas.row(spot.row, at);
    let measured = |to: &LatencyTarget| {
        let region = table.region(&to.region)?;
        let (_, microseconds) = row.iter().find(|(id, _)| *id == region)?;
        Some((*microseconds, to.target))
    };
    latency.targets.iter().filter_map(measured).collect()
}

fn by_latency(latency: &Latency, routing: &Routing, atlas: &Atlas, spot: &Spot) -> Chain {
    let listed = || latency.targets.iter().map(|to| to.target);
    // Rule 39: the region in China is for China, whatever the latency.
    let is_in_china = spot.country.is_some_and(CountryCode::is_china);
    let first = latency.targets.iter().filter(|to| is_in_china && to.is_in_china);
    let first: Vec<Target> = first.map(|to| to.target).collect();
    let source = latency_source(latency, routing, atlas, spot);
    let ranked: Vec<Target> = match (source, spot.point()) {
        (Some(LatencySource::Table), _) => {
            let mut known = latencies(latency, routing, atlas, spot);
            known.sort_by_key(|(microseconds, _)| *microseconds);
            known.into_iter().map(|(_, target)| target).chain(listed()).collect()
        }
        (Some(LatencySource::Distance), Some(client)) => {
            let sites = latency.targets.iter().filter_map(|to| {
                Some(Site { target: to.target, coordinates: to.coordinates?, bias: 0 })
            });
            let sites: Vec<Site> = sites.collect();
            by_distance(&sites, client).collect()
        }
        (Some(LatencySource::Measured), _) if first.is_empty() => {
            return Chain { order: Order::Measured, is_placed: false };
        }
        _ => listed().collect(),
    };
    distinct(first.into_iter().chain(ranked), source == Some(LatencySource::Table))
}
