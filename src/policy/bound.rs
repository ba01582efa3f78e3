//! The tree of one zone, bound to an atlas and to the numbers of the probe targets.
//!
//! Binding is done at load; what it precomputes is what a query would otherwise look up: in which order a rule tries its targets
//! for the clients of each area, and which view entry decides an endpoint's health.

use std::collections::BTreeSet;
use std::time::Duration;

use super::areas::{AreaId, Areas, Chart, Restriction, Survey, survey};
use super::sticky::target_key;
use super::switched::Numbers;
use super::tree::{
    AllDown, MinUp, Policy, PolicyId, Pool, PoolId, Routing, Rule, Target, Weight, Weighted,
};
use crate::geo::Atlas;
use crate::health::{SwitchId, TargetId};
use crate::wire::RecordType;

/// What decides whether an endpoint is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Nothing: it counts as up (rule 3).
    Unchecked,
    /// What is probed for it.
    Target(TargetId),
    /// It is no address: the addresses of its pool decide, one of which must be up.
    Addresses,
}

impl Health {
    /// What is probed, if anything is.
    pub fn target(self) -> Option<TargetId> {
        match self {
            Self::Target(target) => Some(target),
            Self::Unchecked | Self::Addresses => None,
        }
    }
}

/// An endpoint as an answer needs it.
#[derive(Clone, Debug)]
pub struct BoundEndpoint {
    pub rtype: RecordType,
    pub rdata: Box<[u8]>,
    pub health: Health,
    /// The pool that it is of, which in the set of a multivalue policy differs.
    pub pool: PoolId,
    /// What an operator may set for it.
    pub switch: SwitchId,
}

/// A pool as an answer needs it.
#[derive(Clone, Debug)]
pub struct BoundPool {
    pub endpoints: Vec<BoundEndpoint>,
    pub min_up: MinUp,
    /// What an operator may set for the pool as a whole; that of the set of a multivalue policy is never set.
    pub switch: SwitchId,
    /// In the set of a multivalue policy, what may be set for each pool as a target of it.
    pub edges: Box<[(PoolId, SwitchId)]>,
}

impl BoundPool {
    /// Whether the pool has an endpoint of this type.
    pub fn holds(&self, rtype: RecordType) -> bool {
        self.endpoints.iter().any(|endpoint| endpoint.rtype == rtype)
    }

    /// Whether the pool's health never changes.
    pub(super) fn is_unchecked(&self) -> bool {
        self.endpoints.iter().all(|endpoint| endpoint.health == Health::Unchecked)
    }
}

/// What residency takes away from a tree: whether it fails closed, and the pools that it bars; nothing if it is all the same.
pub(super) type Permit = Option<(bool, Vec<PoolId>)>;

/// A weighted choice, ready to draw.
#[derive(Clone, Debug)]
pub(super) struct Lottery {
    pub(super) targets: Box<[(Weight, Target)]>,
    /// Of each target, for sticky draws: the same on every server.
    pub(super) keys: Box<[u64]>,
    pub(super) sticky: Option<u64>,
    pub(super) ramp: Option<Ramp>,
}

/// How weights grow after a recovery (B7).
#[derive(Clone, Debug)]
pub(super) struct Ramp {
    pub(super) length_ms: u64,
    /// For each target, the pools whose recovery counts: itself, or all below.
    pub(super) pools: Box<[Box<[PoolId]>]>,
}

/// How a policy chooses.
#[derive(Clone, Debug)]
pub(super) enum BoundRule {
    Weighted(Lottery),
    Failover(Box<[Target]>),
    /// In an order that depends on the client.
    ByArea {
        chart: Chart,
        /// The targets of a latency policy with the pools below each, for clients of whom nothing but measurements can tell.
        measured: Box<[(Target, Box<[PoolId]>)]>,
        hysteresis: u8,
    },
    /// The pools, in order of index, and all their endpoints as one pool, in the order of the zone file.
    Multivalue {
        pools: Box<[PoolId]>,
        union: BoundPool,
    },
}

/// A policy, bound.
#[derive(Clone, Debug)]
pub(super) struct BoundPolicy {
    pub(super) rule: BoundRule,
    pub(super) evaluate_health: bool,
    pub(super) all_down: AllDown,
    /// What an operator may set for each target, as a target of this policy.
    pub(super) edges: Box<[(Target, SwitchId)]>,
}

/// The pools and policies of one zone, ready for queries.
#[derive(Clone, Debug)]
pub struct BoundRouting {
    pub(super) pools: Vec<BoundPool>,
    pub(super) policies: Vec<BoundPolicy>,
    restriction_of: Box<[u32]>,
    restrictions: Box<[Restriction]>,
    /// By policy, whether it or one below asks where the client is.
    uses_location: Box<[bool]>,
    /// Whether residency asks that, whatever the policy.
    is_bound_by_location: bool,
    /// By policy, itself and all below.
    below: Box<[Box<[PolicyId]>]>,
    /// The numbers of its switches: the first, and the one behind the last.
    switches: (SwitchId, SwitchId),
}

impl BoundRouting {
    /// Binds a tree to what an atlas knows of clients. `health_of` tells what decides about an endpoint, by its pool and its
    /// place in it. Its switches are numbered from `first_switch` on, in the order of [`super::switches_of`]. Gives the areas as
    /// well, in which the tree treats all clients alike.
    pub fn new(
        routing: &Routing,
        atlas: &Atlas,
        first_switch: SwitchId,
        health_of: impl Fn(PoolId, usize) -> Health,
    ) -> (Self, Areas) {
        let mut numbers = Numbers::from(first_switch);
        let pools = (0u16..).map(PoolId).zip(&routing.pools);
        let pools: Vec<BoundPool> =
            pools.map(|(id, pool)| bind_pool(id, pool, &mut numbers, &health_of)).collect();
        let Survey { charts, restriction_of, restrictions, areas } = survey(routing, atlas);
        let policies = routing.policies.iter().zip(charts).map(|(policy, chart)| {
            let edges = numbers.number(policy);
            BoundPolicy {
                rule: bind_rule(policy, chart, routing, &pools, &edges),
                evaluate_health: policy.evaluate_health,
                all_down: policy.all_down,
                edges,
            }
        });
        let policies = policies.collect();
        let ids = || (0u16..).map(PolicyId).take(routing.policies.len()).map(Target::Policy);
        let uses_location = ids().map(|target| routing.uses_location(target)).collect();
        let below = ids().map(|target| routing.policies_below(target).into()).collect();
        let is_bound_by_location = routing.is_bound_by_location();
        let bound = Self {
            pools,
            policies,
            restriction_of,
            restrictions,
            uses_location,
            is_bound_by_location,
            below,
            switches: (first_switch, numbers.next()),
        };
        (bound, areas)
    }

    /// Pools without policies.
    #[cfg(test)]
    pub(super) fn of_pools(pools: Vec<BoundPool>) -> Self {
        let (policies, restriction_of) = (Vec::new(), [].into());
        let (uses_location, below) = ([].into(), [].into());
        Self {
            pools,
            policies,
            restriction_of,
            restrictions: [].into(),
            uses_location,
            is_bound_by_location: false,
            below,
            switches: (SwitchId(0), SwitchId(0)),
        }
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

    /// The numbers of its switches: the first, and the one behind the last.
    pub fn switches(&self) -> (SwitchId, SwitchId) {
        self.switches
    }

    /// What becomes of a target with nothing up below it.
    pub(super) fn all_down(&self, target: Target) -> AllDown {
        match target {
            Target::Pool(_) => AllDown::IgnoreHealth,
            Target::Policy(id) => self.policy(id).map_or_else(AllDown::default, |p| p.all_down),
        }
    }

    /// Whether a selection below `target` asks where the client is, and not only in which named networks.
    pub(super) fn uses_location(&self, target: Target) -> bool {
        match target {
            // A pool alone does, if residency bars it for some.
            Target::Pool(_) => self.is_bound_by_location,
            Target::Policy(id) => {
                self.uses_location.get(usize::from(id.0)).copied().unwrap_or(false)
            }
        }
    }

    /// Whether a rule at or below `target` knows the clients of an area by a named network or a table.
    pub(super) fn is_placed(&self, area: AreaId, target: Target) -> bool {
        let Target::Policy(id) = target else { return false };
        let below = self.below.get(usize::from(id.0)).map(|below| &**below).unwrap_or_default();
        below.iter().filter_map(|id| self.policy(*id)).any(|policy| match &policy.rule {
            BoundRule::ByArea { chart, .. } => chart.is_placed(area),
            _ => false,
        })
    }

    /// Whether the order of any policy at or below `target` depends on the client.
    pub fn tells_clients_apart(&self, target: Target) -> bool {
        let Target::Policy(id) = target else { return false };
        let below = self.below.get(usize::from(id.0)).map(|below| &**below).unwrap_or_default();
        let mut policies = below.iter().filter_map(|id| self.policy(*id));
        policies.any(|policy| matches!(policy.rule, BoundRule::ByArea { .. }))
    }

    /// What residency leaves of a tree for the clients of an area.
    pub(super) fn permitted(&self, area: AreaId, target: Target) -> Permit {
        let restriction = self.restriction(area)?;
        let barred = self.pools_below(target).into_iter().filter(|id| !restriction.allows(*id));
        let barred: Vec<PoolId> = barred.collect();
        let is_any = restriction.fails_closed || !barred.is_empty();
        is_any.then_some((restriction.fails_closed, barred))
    }

    /// Every pool at or below a target, those of last resort among them.
    fn pools_below(&self, target: Target) -> BTreeSet<PoolId> {
        let below = match target {
            Target::Pool(id) => return BTreeSet::from([id]),
            Target::Policy(id) => self.below.get(usize::from(id.0)),
        };
        let policies = below.into_iter().flatten().filter_map(|id| self.policy(*id));
        let pools = policies.flat_map(|policy| &policy.edges).filter_map(|(to, _)| match to {
            Target::Pool(id) => Some(*id),
            Target::Policy(_) => None,
        });
        pools.collect()
    }

    pub(super) fn policy(&self, id: PolicyId) -> Option<&BoundPolicy> {
        self.policies.get(usize::from(id.0))
    }

    /// What the clients of an area are restricted to (B4).
    #[inline]
    pub(super) fn restriction(&self, area: AreaId) -> Option<&Restriction> {
        let number = self.restriction_of.get(area.index()).filter(|number| **number != 0)?;
        self.restrictions.get(usize::try_from(*number).ok()?)
    }
}

fn bind_pool(
    id: PoolId,
    pool: &Pool,
    numbers: &mut Numbers,
    health_of: impl Fn(PoolId, usize) -> Health,
) -> BoundPool {
    let switch = numbers.take();
    let endpoints = pool.endpoints.iter().enumerate().map(|(place, endpoint)| BoundEndpoint {
        rtype: endpoint.rtype,
        rdata: endpoint.rdata.clone(),
        health: health_of(id, place),
        pool: id,
        switch: numbers.take(),
    });
    let endpoints = endpoints.collect();
    BoundPool { endpoints, min_up: pool.min_up, switch, edges: [].into() }
}

fn bind_rule(
    policy: &Policy,
    chart: Option<Chart>,
    routing: &Routing,
    pools: &[BoundPool],
    edges: &[(Target, SwitchId)],
) -> BoundRule {
    let below = |target| routing.pools_below(target).into_iter().collect();
    match &policy.rule {
        Rule::RoundRobin(targets) => {
            let targets = targets.iter().map(|&target| (Weight(1), target)).collect();
            let even = Weighted { targets, sticky: None, ramp: None };
            BoundRule::Weighted(bind_lottery(&policy.name, &even, routing))
        }
        Rule::Weighted(weighted) => {
            BoundRule::Weighted(bind_lottery(&policy.name, weighted, routing))
        }
        Rule::Multivalue(ids) => bind_union(ids, pools, edges),
        Rule::Failover(targets) => BoundRule::Failover(targets.as_slice().into()),
        Rule::Latency(latency) => BoundRule::ByArea {
            chart: chart.unwrap_or_default(),
            measured: latency.targets.iter().map(|to| (to.target, below(to.target))).collect(),
            hysteresis: latency.hysteresis,
        },
        Rule::Geolocation { .. } | Rule::Ip { .. } | Rule::Geoproximity { .. } => {
            BoundRule::ByArea {
                chart: chart.unwrap_or_default(),
                measured: [].into(),
                hysteresis: 0,
            }
        }
    }
}

fn bind_lottery(policy: &str, weighted: &Weighted, routing: &Routing) -> Lottery {
    let targets = || weighted.targets.iter().map(|(_, target)| *target);
    let pools_of = |target| routing.pools_below(target).into_iter().collect();
    Lottery {
        targets: weighted.targets.as_slice().into(),
        keys: targets().map(|to| target_key(policy, routing.target_name(to))).collect(),
        sticky: weighted.sticky,
        ramp: weighted.ramp.map(|length| Ramp {
            length_ms: milliseconds(length),
            pools: targets().map(pools_of).collect(),
        }),
    }
}

fn milliseconds(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

fn bind_union(ids: &[PoolId], pools: &[BoundPool], edges: &[(Target, SwitchId)]) -> BoundRule {
    let members = ids.iter().filter_map(|id| pools.get(usize::from(id.0)));
    let endpoints = members.flat_map(|pool| pool.endpoints.iter().cloned()).collect();
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    let edge = |(target, switch): &(Target, SwitchId)| match target {
        Target::Pool(pool) if ids.contains(pool) => Some((*pool, *switch)),
        _ => None,
    };
    let edges = edges.iter().filter_map(edge).collect();
    let switch = SwitchId::NONE;
    let union = BoundPool { endpoints, min_up: MinUp::ONE, switch, edges };
    BoundRule::Multivalue { pools: ids.into(), union }
}
