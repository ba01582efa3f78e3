//! The tree of policies and pools of one zone: what the zone file means, before any client asks.
//!
//! Everything is an index into [`Routing`], so that a tree is two flat vectors, branches may be shared, and nothing can
//! dangle. `config` builds it and proves that it has no loop and stays within [`crate::limits`]; selection relies on that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use crate::geo::{Asn, Continent, Coordinates, CountryCode, LatencyTable, Subdivision};
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

/// A group of countries of [`Routing::groups`], by its place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId(pub u16);

/// A latency table of [`Routing::tables`], by its place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableId(pub u16);

/// One record that may be handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// A, AAAA or CNAME; any other type that a record of a pool may have.
    pub rtype: RecordType,
    /// RDATA in wire format, names uncompressed.
    pub rdata: Box<[u8]>,
    /// As the zone file wrote it: an address, a host name, or the data of a record.
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
    /// Never empty. Either all CNAME, and then exactly one, or records of any other types mixed.
    pub endpoints: Vec<Endpoint>,
    /// What decides their health; without one they always count as up (rule 3). Records that are no addresses are up as long
    /// as any address of the pool is, unless the check has an address of its own.
    pub check: Option<CheckId>,
    pub min_up: MinUp,
}

/// Where a client may be, as a policy names it. Smaller places come first (rule 25).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// A prefix that holds all of the client's (rules 44 and 45); of several the longest.
    Network(IpNet),
    Asn(Asn),
    Subdivision(Subdivision),
    Country(CountryCode),
    /// Of several groups the one of the fewest countries comes first.
    Group(GroupId),
    Continent(Continent),
    /// Every client that no other place takes, those without a known location among them (rules 26 and 27).
    Default,
}

/// A named set of countries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub name: Box<str>,
    /// In order, none twice, never empty.
    pub countries: Box<[CountryCode]>,
}

/// A weighted choice (rules 10 to 17).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weighted {
    pub targets: Vec<(Weight, Target)>,
    /// If set, the same client prefix is sent to the same target by every server that knows this seed (B5).
    pub sticky: Option<u64>,
    /// In this time after a recovery a target's weight grows from nothing to all of it (B7).
    pub ramp: Option<Duration>,
}

/// A named location of a CIDR collection, and where its clients are sent (rule 43).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkLocation {
    pub name: Box<str>,
    /// In order, never empty. No network stands in two locations of one policy; longer ones may be inside shorter ones.
    pub networks: Box<[IpNet]>,
    pub targets: Vec<Target>,
}

/// A target somewhere on the earth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    pub target: Target,
    pub coordinates: Coordinates,
    /// -99 to 99: how much nearer (positive) or farther than it is (rule 33).
    pub bias: i8,
}

/// How the latency of a client to a target is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LatencySource {
    Table,
    Distance,
    Measured,
}

/// A target of a latency policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatencyTarget {
    pub target: Target,
    /// What the table, and Route 53, call its region; no two targets have the same (rule 37).
    pub region: Box<str>,
    pub coordinates: Option<Coordinates>,
    /// It is a region in China, which takes all clients in China (rule 39).
    pub is_in_china: bool,
}

/// A choice of the lowest latency (rules 37 to 40, B6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latency {
    pub targets: Vec<LatencyTarget>,
    pub table: Option<TableId>,
    /// The only source that is used; without it the first of table, distance and measurement that knows this client.
    pub only: Option<LatencySource>,
    /// By how many of a hundred a measured latency must be lower than another to be preferred, 0 to 90.
    pub hysteresis: u8,
}

/// How a policy chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Each target gets its weight's share (rules 10 to 17).
    Weighted(Weighted),
    /// Equal turns among the targets that are up (B6).
    RoundRobin(Vec<Target>),
    /// The first target that is up (rules 18 to 23, B1).
    Failover(Vec<Target>),
    /// The smallest place that holds the client and is up (rules 24 to 31). The targets of one place are tried in order.
    Geolocation {
        places: BTreeMap<Place, Vec<Target>>,
        /// Whether larger places are tried when the smallest has nothing up (rule 29).
        widening: bool,
    },
    /// The location of the longest network that holds all of the client's, then the default (rules 43 to 47).
    Ip { locations: Vec<NetworkLocation>, default: Vec<Target> },
    /// The nearest target that is up (rules 32 to 36); the default for clients that nobody can place.
    Geoproximity { sites: Vec<Site>, default: Vec<Target> },
    /// The target of the lowest latency that is up (rules 37 to 40).
    Latency(Latency),
    /// The endpoints of all these pools as one set (rules 41 and 42). No pool stands in it twice, no two pools share an
    /// endpoint, none is an alias or has a `min_up` of its own, and all together have no more endpoints than one pool may have.
    Multivalue(Vec<PoolId>),
}

impl Rule {
    /// Every target that the rule names.
    pub fn targets(&self) -> Vec<Target> {
        match self {
            Self::Weighted(weighted) => {
                weighted.targets.iter().map(|(_, target)| *target).collect()
            }
            Self::Failover(targets) | Self::RoundRobin(targets) => targets.clone(),
            Self::Multivalue(pools) => pools.iter().copied().map(Target::Pool).collect(),
            Self::Geolocation { places, .. } => places.values().flatten().copied().collect(),
            Self::Ip { locations, default } => {
                let located = locations.iter().flat_map(|location| &location.targets);
                located.chain(default).copied().collect()
            }
            Self::Geoproximity { sites, default } => {
                sites.iter().map(|site| site.target).chain(default.iter().copied()).collect()
            }
            Self::Latency(latency) => latency.targets.iter().map(|to| to.target).collect(),
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

/// Who may be answered with what, whatever a policy says (B4). A client of several residencies gets only what all of them allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Residency {
    pub name: Box<str>,
    /// The clients it holds for; never [`Place::Default`].
    pub clients: BTreeSet<Place>,
    /// Whether it also holds for clients of whom nobody knows the country.
    pub holds_unlocated: bool,
    /// The only pools that these clients are answered with.
    pub pools: BTreeSet<PoolId>,
    /// With none of these pools up: no data, instead of one of them anyway.
    pub fails_closed: bool,
}

/// All pools and policies of one zone, and what they refer to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routing {
    pub pools: Vec<Pool>,
    pub policies: Vec<Policy>,
    pub residencies: Vec<Residency>,
    /// Those that policies and residencies name, built in or of the zone's own.
    pub groups: Vec<Group>,
    pub tables: Vec<Arc<LatencyTable>>,
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
        let mut pools: BTreeSet<PoolId> = BTreeSet::new();
        let mut take = |target: Target| {
            if let Target::Pool(pool) = target {
                pools.insert(pool);
            }
        };
        take(target);
        self.walk(target, |policy| policy.targets().into_iter().for_each(&mut take));
        pools
    }

    /// Every place that a policy or a residency names, in any order, repeated or not.
    pub fn places_named(&self) -> Vec<Place> {
        let mut places: Vec<Place> = Vec::new();
        for policy in &self.policies {
            match &policy.rule {
                Rule::Geolocation { places: named, .. } => places.extend(named.keys()),
                Rule::Ip { locations, .. } => {
                    let networks = locations.iter().flat_map(|location| location.networks.iter());
                    places.extend(networks.copied().map(Place::Network));
                }
                _ => {}
            }
        }
        places.extend(self.residencies.iter().flat_map(|residency| &residency.clients));
        places
    }

    /// Whether a selection below `target` asks where the client is, and not only in which named networks.
    pub fn uses_location(&self, target: Target) -> bool {
        if self.is_bound_by_location() {
            return true;
        }
        let is_located = |place: &Place| !matches!(place, Place::Network(_) | Place::Default);
        let mut uses = false;
        self.walk(target, |policy| {
            uses |= match &policy.rule {
                Rule::Geolocation { places, .. } => places.keys().any(is_located),
                Rule::Geoproximity { .. } | Rule::Latency(_) => true,
                _ => false,
            };
        });
        uses
    }

    /// Whether residency asks where the client is, and not only in which named networks.
    pub fn is_bound_by_location(&self) -> bool {
        let is_located = |place: &Place| !matches!(place, Place::Network(_) | Place::Default);
        let is_bound = |one: &Residency| one.holds_unlocated || one.clients.iter().any(is_located);
        self.residencies.iter().any(is_bound)
    }

    /// Calls `visit` with every policy at or below a target, once.
    fn walk(&self, target: Target, mut visit: impl FnMut(&Policy)) {
        let below = self.policies_below(target).into_iter();
        below.filter_map(|id| self.policy(id)).for_each(&mut visit);
    }

    /// Every policy at or below a target, once.
    pub fn policies_below(&self, target: Target) -> Vec<PolicyId> {
        let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
        let mut open = vec![target];
        while let Some(target) = open.pop() {
            if let Target::Policy(id) = target
                && seen.insert(id)
                && let Some(policy) = self.policy(id)
            {
                found.push(id);
                open.extend(policy.targets());
            }
        }
        found
    }

    /// Whether a selection below `target` draws by the client, so that its answer is one for each prefix of
    /// [`super::sticky_scope`] only.
    pub fn is_sticky(&self, target: Target) -> bool {
        let mut is_sticky = false;
        self.walk(target, |policy| {
            is_sticky |= matches!(&policy.rule, Rule::Weighted(one) if one.sticky.is_some());
        });
        is_sticky
    }

    /// Whether any weight grows after a recovery.
    pub fn has_ramps(&self) -> bool {
        self.policies
            .iter()
            .any(|policy| matches!(&policy.rule, Rule::Weighted(one) if one.ramp.is_some()))
    }

    /// Whether a selection below `target` draws at all.
    pub fn draws(&self, target: Target) -> bool {
        let mut draws = false;
        self.walk(target, |policy| {
            draws |= matches!(&policy.rule, Rule::Weighted(_) | Rule::RoundRobin(_));
        });
        draws
    }

    /// The name by which the zone file knows a target.
    pub fn target_name(&self, target: Target) -> &str {
        match target {
            Target::Pool(id) => self.pool(id).map_or("?", |pool| &pool.name),
            Target::Policy(id) => self.policy(id).map_or("?", |policy| &policy.name),
        }
    }
}

/// What a name answers with, for some types, when its records are chosen per client.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Route {
    pub target: Target,
    pub ttl: Ttl,
    /// The soonest possible change of what was looked at caps the TTL, but to no less than this (RELIABILITY §5.7).
    pub ttl_floor: Ttl,
    /// The types that it answers, in order; only CNAME if the pools below are aliases, which answer every type. No two routes
    /// of a name answer the same type.
    pub types: Box<[RecordType]>,
    /// Whether one selection serves all types, so that a client gets them all from one pool (B8).
    pub together: bool,
    /// A hash of the name, which sticky choices depend on: the same on every server.
    pub name_key: u64,
}
