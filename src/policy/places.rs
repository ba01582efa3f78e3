//! The places that hold a client, and which of them come first.

use super::areas::{Spot, networks_around};
use super::tree::{GroupId, Place, Routing};
use crate::geo::Atlas;

/// Every place that could hold a client at a spot, the smallest first (rules 25 and 29). A client of whom nothing is known is in
/// the default only (rule 27).
pub(crate) fn places_of(routing: &Routing, atlas: &Atlas, spot: &Spot) -> Vec<Place> {
    let networks = networks_around(atlas, spot.network).map(|(_, prefix)| Place::Network(prefix));
    let asn = spot.asn.map(Place::Asn);
    let subdivisions = [spot.district, spot.subdivision].into_iter().flatten();
    let country = spot.country.map(Place::Country);
    let continent = spot.country.and_then(|country| country.continent()).map(Place::Continent);
    networks
        .chain(asn)
        .chain(subdivisions.map(Place::Subdivision))
        .chain(country)
        .chain(groups_of(routing, spot).into_iter().map(Place::Group))
        .chain(continent)
        .chain([Place::Default])
        .collect()
}

/// The groups that a client's country is in, the one of the fewest countries first.
fn groups_of(routing: &Routing, spot: &Spot) -> Vec<GroupId> {
    let Some(country) = spot.country else { return Vec::new() };
    let groups = (0u16..).map(GroupId).zip(&routing.groups);
    let mut groups: Vec<(usize, GroupId)> = groups
        .filter(|(_, group)| group.countries.binary_search(&country).is_ok())
        .map(|(id, group)| (group.countries.len(), id))
        .collect();
    groups.sort_unstable();
    groups.into_iter().map(|(_, id)| id).collect()
}
