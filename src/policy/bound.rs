//! The tree of one zone, bound to a geo database and to the numbers of the probe targets.
//!
//! Binding is done at load; what it precomputes is what a query would otherwise look up: which targets a location's smallest,
//! next and default place list (rule 29), and which view entry decides an endpoint's health.

use std::collections::{BTreeMap, HashMap};

use super::tree::{AllDown, MinUp, Place, PoolId, Routing, Rule, Target, Weight};
use crate::geo::{Location, LocationId};
use crate::health::TargetId;
use crate::wire::RecordType;

/// An endpoint as an answer needs it.
#[derive(Clone, Debug)]
pub struct BoundEndpoint {
    pub rtype: RecordType,
    pub rdata: Box<[u8]>,
    /// Whose state decides; without one the endpoint counts as up (rule 3).
    pub health: Option<TargetId>,
}

/// A pool as an answer needs it.
#[derive(Clone, Debug)]
pub struct BoundPool {
    pub endpoints: Vec<BoundEndpoint>,
    pub min_up: MinUp,
}

impl BoundPool {
    /// Whether the pool has an endpoint of this type.
    pub fn holds(&self, rtype: RecordType) -> bool {
        self.endpoints.iter().any(|endpoint| endpoint.rtype == rtype)
    }
}

/// How a policy chooses, with places resolved.
#[derive(Clone, Debug)]
pub(super) enum BoundRule {
    Weighted(Box<[(Weight, Target)]>),
    Failover(Box<[Target]>),
    /// Which chain each location takes, and the chains: targets in the order in which they are tried.
    Geolocation {
        chain_of: Box<[u16]>,
        chains: Box<[Box<[Target]>]>,
    },
    /// The pools, in order of index, and all their endpoints as one pool, in the order of the zone file.
    Multivalue {
        pools: Box<[PoolId]>,
        union: BoundPool,
    },
}

/// A policy with places resolved.
#[derive(Clone, Debug)]
pub(super) struct BoundPolicy {
    pub(super) rule: BoundRule,
    pub(super) evaluate_health: bool,
    pub(super) all_down: AllDown,
}

/// The pools and policies of one zone, ready for queries.
#[derive(Clone, Debug)]
pub struct BoundRouting {
    pub(super) pools: Vec<BoundPool>,
    pub(super) policies: Vec<BoundPolicy>,
}

impl BoundRouting {
    /// Binds a tree to the locations of a database. `health_of` tells which target decides about an endpoint, by its pool
    /// and its place in it.
    pub fn new(
        routing: &Routing,
        locations: &[Location],
        health_of: impl Fn(PoolId, usize) -> Option<TargetId>,
    ) -> Self {
        let pools = (0u16..).map(PoolId).zip(&routing.pools).map(|(id, pool)| BoundPool {
            endpoints: pool
                .endpoints
                .iter()
                .enumerate()
                .map(|(place, endpoint)| BoundEndpoint {
                    rtype: endpoint.rtype,
                    rdata: endpoint.rdata.clone(),
                    health: health_of(id, place),
                })
                .collect(),
            min_up: pool.min_up,
        });
        let pools: Vec<BoundPool> = pools.collect();
        let policies = routing.policies.iter().map(|policy| BoundPolicy {
            rule: bind_rule(&policy.rule, locations, &pools),
            evaluate_health: policy.evaluate_health,
            all_down: policy.all_down,
        });
        let policies = policies.collect();
        Self { pools, policies }
    }

    pub fn pool(&self, id: PoolId) -> Option<&BoundPool> {
        self.pools.get(usize::from(id.0))
    }

    /// The endpoints of what a selection came to: those of a pool, or of all pools of a multivalue policy. Nothing for a
    /// policy that chooses among its targets.
    pub fn handout(&self, target: Target) -> Option<&BoundPool> {
        match target {
            Target::Pool(id) => self.pool(id),
            Target::Policy(id) => match &self.policy(id)?.rule {
                BoundRule::Multivalue { union, .. } => Some(union),
                _ => None,
            },
        }
    }

    /// All pools, in the order of the zone's own list.
    pub fn pools(&self) -> &[BoundPool] {
        &self.pools
    }

    /// What becomes of a target with nothing up below it.
    pub(super) fn all_down(&self, target: Target) -> AllDown {
        match target {
            Target::Pool(_) => AllDown::IgnoreHealth,
            Target::Policy(id) => self.policy(id).map_or_else(AllDown::default, |p| p.all_down),
        }
    }

    pub(super) fn policy(&self, id: super::tree::PolicyId) -> Option<&BoundPolicy> {
        self.policies.get(usize::from(id.0))
    }
}

impl BoundRule {
    /// The targets that a client at `location` may be sent to by a geolocation rule, in order.
    pub(super) fn chain<'a>(
        chain_of: &[u16],
        chains: &'a [Box<[Target]>],
        location: LocationId,
    ) -> &'a [Target] {
        let chain =
            chain_of.get(location.index()).and_then(|&chain| chains.get(usize::from(chain)));
        chain.map_or(&[], |chain| chain)
    }
}

fn bind_rule(rule: &Rule, locations: &[Location], pools: &[BoundPool]) -> BoundRule {
    match rule {
        Rule::RoundRobin(targets) => {
            BoundRule::Weighted(targets.iter().map(|&target| (Weight(1), target)).collect())
        }
        Rule::Multivalue(ids) => bind_union(ids, pools),
        Rule::Weighted(targets) => BoundRule::Weighted(targets.as_slice().into()),
        Rule::Failover(targets) => BoundRule::Failover(targets.as_slice().into()),
        Rule::Geolocation(places) => bind_places(places, locations),
    }
}

fn bind_union(ids: &[PoolId], pools: &[BoundPool]) -> BoundRule {
    let members = ids.iter().filter_map(|id| pools.get(usize::from(id.0)));
    let endpoints = members.flat_map(|pool| pool.endpoints.iter().cloned()).collect();
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    BoundRule::Multivalue { pools: ids.into(), union: BoundPool { endpoints, min_up: MinUp::ONE } }
}

fn bind_places(places: &BTreeMap<Place, Vec<Target>>, locations: &[Location]) -> BoundRule {
    let mut numbers: HashMap<Box<[Target]>, u16> = HashMap::new();
    let mut chains: Vec<Box<[Target]>> = Vec::new();
    let chain_of = locations.iter().map(|location| {
        let chain = chain_for(places, location);
        *numbers.entry(chain).or_insert_with_key(|chain| {
            // A chain per country at most, so that the number fits.
            let number = u16::try_from(chains.len()).unwrap_or(u16::MAX);
            chains.push(chain.clone());
            number
        })
    });
    let chain_of = chain_of.collect();
    BoundRule::Geolocation { chain_of, chains: chains.into() }
}

/// The targets of the places that hold a location, the smallest place first (rules 25, 29 and 30), none named twice.
fn chain_for(places: &BTreeMap<Place, Vec<Target>>, location: &Location) -> Box<[Target]> {
    let mut chain: Vec<Target> = Vec::new();
    for place in places_of(location) {
        for &target in places.get(&place).into_iter().flatten() {
            if !chain.contains(&target) {
                chain.push(target);
            }
        }
    }
    chain.into()
}

/// The places that hold a location, the smallest first. A client without a location is in the default only (rule 27).
pub(crate) fn places_of(location: &Location) -> impl Iterator<Item = Place> {
    let country = location.country;
    let continent = country.and_then(|country| country.continent());
    let known =
        [country.map(Place::Country), continent.map(Place::Continent), Some(Place::Default)];
    known.into_iter().flatten()
}
