//! The proof that residency holds (B4): for every name and all its clients, what can be answered in any state of health.
//!
//! Selection never takes a pool that a client's residency does not allow, so that the proof can't fail unless selection is wrong.
//! What it finds in practice are clients that are left with nothing: a tree that has no pool for them which they may have.

use std::collections::{BTreeMap, BTreeSet};

use super::{Snapshot, ZoneRouting};
use crate::geo::Position;
use crate::policy::{AreaId, PoolId, Residency, Spot, holds, pools_reached};
use crate::wire::Name;

/// What one residency of a zone comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResidencyProof {
    pub zone: Name,
    pub residency: Box<str>,
    /// Names whose answers depend on health or place, and are bound by it.
    pub names: usize,
    /// Pools that the clients it holds for are answered with, from any name, in some state of health.
    pub pools: BTreeSet<Box<str>>,
    /// Pools among them that it does not allow: none, or selection is wrong.
    pub violations: BTreeSet<Box<str>>,
    /// Names that never have an answer for some of these clients.
    pub stranded: Vec<Stranded>,
}

/// Clients who get no data from a name, whatever is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stranded {
    pub name: Name,
    /// Where some of them are, for people.
    pub place: String,
}

impl Snapshot {
    /// Proves every residency of every zone.
    pub fn prove_residency(&self) -> Vec<ResidencyProof> {
        self.routings()
            .flat_map(|zone| {
                let examples = self.examples(zone);
                zone.named
                    .residencies
                    .iter()
                    .filter_map(|residency| self.prove(zone, residency, &examples))
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    /// One position for each area.
    fn examples(&self, zone: &ZoneRouting) -> BTreeMap<AreaId, Position> {
        let mut examples = BTreeMap::new();
        if zone.named.residencies.is_empty() {
            return examples;
        }
        for (area, position) in zone.areas.by_position().iter().zip(self.atlas.positions()) {
            examples.entry(AreaId(*area)).or_insert(*position);
        }
        // Areas are not listed where there is only one.
        if let (true, Some(first)) = (examples.is_empty(), self.atlas.positions().first()) {
            examples.insert(AreaId::UNKNOWN, *first);
        }
        examples
    }

    fn prove(
        &self,
        zone: &ZoneRouting,
        residency: &Residency,
        examples: &BTreeMap<AreaId, Position>,
    ) -> Option<ResidencyProof> {
        let (named, atlas) = (&zone.named, &self.atlas);
        let bound: Vec<(AreaId, Spot)> = examples
            .iter()
            .map(|(area, position)| (*area, Spot::of(atlas, *position)))
            .filter(|(_, spot)| holds(residency, named, atlas, spot))
            .collect();
        let routes = self.routed_names().filter(|(_, route)| {
            self.routing(route.zone).is_some_and(|owner| std::ptr::eq(owner, zone))
        });
        let (mut names, mut reached, mut stranded) = (0usize, BTreeSet::new(), Vec::new());
        let mut apex = None;
        for (name, route) in routes {
            apex = self.catalog.zone(route.zone).map(|zone| zone.apex.clone());
            names = names.saturating_add(1);
            let mut is_told = false;
            for (area, spot) in &bound {
                let pools = pools_reached(&zone.bound, *area, route.target, route.together);
                if pools.is_empty() && !is_told {
                    is_told = true;
                    stranded.push(Stranded { name: name.clone(), place: show_spot(spot) });
                }
                reached.extend(pools);
            }
        }
        let name_of = |id: &PoolId| named.pool(*id).map(|pool| pool.name.clone());
        let outside = |id: &&PoolId| !residency.pools.contains(id);
        Some(ResidencyProof {
            zone: apex?,
            residency: residency.name.clone(),
            names,
            pools: reached.iter().filter_map(name_of).collect(),
            violations: reached.iter().filter(outside).filter_map(name_of).collect(),
            stranded,
        })
    }
}

fn show_spot(spot: &Spot) -> String {
    match (spot.subdivision, spot.country) {
        (Some(subdivision), _) => subdivision.to_string(),
        (None, Some(country)) => format!("{country} ({})", country.name()),
        (None, None) if spot.is_located => "a place without a country".to_owned(),
        (None, None) => "places that nobody knows".to_owned(),
    }
}
