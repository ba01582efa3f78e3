//! The tree of policies and pools of one zone: what the zone file means, before any client asks.
//!
//! Everything is an index into [`Routing`], so that a tree is two flat vectors, branches may be shared, and nothing can
//! dangle. `config` builds it and proves that it has no loop and stays within [`crate::limits`]; selection relies on that.

use std::collections::{BTreeMap, BTreeSet};

use crate::geo::{Continent, CountryCode};
use crate::wire::{RecordType, Ttl};

/// A pool, by its place in [`Routing::pools`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PoolId(pub u16);

/// A policy, by its place in [`Routing::policies`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PolicyId(pub u16);

/// A check of this zone, by its place in the compiled zone's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CheckId(pub u16);

/// What a policy may choose: a pool, or another policy that goes on choosing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    Pool(PoolId),
    Policy(PolicyId),
}

/// A relative share, 0 to 255 (Route 53 rules 10 to 17).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Weight(pub u8);

/// One address or name that may be handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// A, AAAA or CNAME.
    pub rtype: RecordType,
    /// RDATA in wire format, names uncompressed.
    pub rdata: Box<[u8]>,
    /// As the zone file wrote it: an address, or a host name.
    pub label: Box<str>,
}

/// How many endpoints of the type asked for must be up, or the pool counts as down (B3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MinUp {
    /// So many, and no more than the pool has of any type.
    Count(u16),
    /// So many of a hundred, 1 to 100.
    Share(u8),
}

impl MinUp {
    /// What holds for a pool that says nothing.
    pub const ONE: Self = Self::Count(1);

    /// Whether `up` endpoints out of `all` are enough.
    pub fn is_met(self, up: usize, all: usize) -> bool {
        match self {
            Self::Count(count) => up >= usize::from(count),
            Self::Share(share) => up.saturating_mul(100) >= all.saturating_mul(usize::from(share)),
        }
    }
}

/// A set of endpoints with one duty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    pub name: Box<str>,
    /// Never empty. Either all CNAME, and then exactly one, or A and AAAA mixed.
    pub endpoints: Vec<Endpoint>,
    /// What decides their health; without one they always count as up (rule 3).
    pub check: Option<CheckId>,
    pub min_up: MinUp,
}

/// Where a client may be, as a geolocation policy names it. Smaller places come first (rule 25).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    Country(CountryCode),
    Continent(Continent),
    /// Every client that no other place takes, those without a known location among them (rules 26 and 27).
    Default,
}

/// How a policy chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Each target gets its weight's share (rules 10 to 17).
    Weighted(Vec<(Weight, Target)>),
    /// Equal turns among the targets that are up (B6).
    RoundRobin(Vec<Target>),
    /// The first target that is up (rules 18 to 23, B1).
    Failover(Vec<Target>),
    /// The smallest place that holds the client and is up (rules 24 to 31). The targets of one place are tried in order.
    Geolocation(BTreeMap<Place, Vec<Target>>),
    /// The endpoints of all these pools as one set (rules 41 and 42). No pool stands in it twice, no two pools share an
    /// endpoint, none is an alias or has a `min_up` of its own, and all together have no more endpoints than one pool may have.
    Multivalue(Vec<PoolId>),
}

impl Rule {
    /// Every target that the rule names.
    pub fn targets(&self) -> Vec<Target> {
        match self {
            Self::Weighted(targets) => targets.iter().map(|(_, target)| *target).collect(),
            Self::Failover(targets) | Self::RoundRobin(targets) => targets.clone(),
            Self::Multivalue(pools) => pools.iter().copied().map(Target::Pool).collect(),
            Self::Geolocation(places) => places.values().flatten().copied().collect(),
        }
    }
}

/// What a policy comes to with nothing below it up, where that is its own decision: at the top of a tree, or with
/// `evaluate_health` off (B2). One that is evaluated is passed over instead by the policy that names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AllDown {
    /// Choose as if everything were up (rule 4).
    #[default]
    IgnoreHealth,
    /// An empty answer, NOERROR.
    NoData,
    /// SERVFAIL, so that resolvers try another server, or give a stale answer (RFC 8767).
    ServFail,
    /// This pool, whatever its own health.
    Pool(PoolId),
}

/// A named choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub name: Box<str>,
    pub rule: Rule,
    /// Whether a policy that chooses this one asks for its health (Route 53's evaluate-target-health). If not, it counts
    /// as up, and a choice of it is never backed out of (rule 52).
    pub evaluate_health: bool,
    pub all_down: AllDown,
}

impl Policy {
    /// Every target that a choice can come to: those of the rule, and the pool of last resort.
    pub fn targets(&self) -> Vec<Target> {
        let mut targets = self.rule.targets();
        if let AllDown::Pool(pool) = self.all_down {
            targets.push(Target::Pool(pool));
        }
        targets
    }
}

/// All pools and policies of one zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routing {
    pub pools: Vec<Pool>,
    pub policies: Vec<Policy>,
}

impl Routing {
    /// The pool of an index that `config` made.
    pub fn pool(&self, id: PoolId) -> Option<&Pool> {
        self.pools.get(usize::from(id.0))
    }

    /// The policy of an index that `config` made.
    pub fn policy(&self, id: PolicyId) -> Option<&Policy> {
        self.policies.get(usize::from(id.0))
    }

    /// Every pool that a selection below `target` can come to, whatever the client and the health, in order of index.
    pub fn pools_below(&self, target: Target) -> BTreeSet<PoolId> {
        let mut pools = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut open = vec![target];
        while let Some(target) = open.pop() {
            match target {
                Target::Pool(pool) => {
                    pools.insert(pool);
                }
                Target::Policy(id) if seen.insert(id) => {
                    open.extend(self.policy(id).into_iter().flat_map(Policy::targets));
                }
                Target::Policy(_) => {}
            }
        }
        pools
    }

    /// The name by which the zone file knows a target.
    pub fn target_name(&self, target: Target) -> &str {
        match target {
            Target::Pool(id) => self.pool(id).map_or("?", |pool| &pool.name),
            Target::Policy(id) => self.policy(id).map_or("?", |policy| &policy.name),
        }
    }
}

/// What a name answers with when its records are chosen per client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Route {
    pub target: Target,
    pub ttl: Ttl,
}
