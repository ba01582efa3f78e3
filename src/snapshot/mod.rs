//! The immutable whole that queries are answered from.
//!
//! A [`Snapshot`] is made off to the side from compiled zones and a geo database, and swapped in when it is finished: a query
//! sees all of one generation or all of the next. Routes are bound to the database here, endpoints to the numbers of the
//! probe targets, and locations to classes and prefix maps; maps of the same pattern are made once and shared, also with
//! the generation before.

#![deny(
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::config::{CompiledCheck, CompiledZone};
use crate::geo::{Database, LocationId, PrefixMap, PrefixMatch};
use crate::health::{ProbeAddress, ProbeTarget, TargetId};
use crate::policy::{BoundRouting, Endpoint, Pool, PoolId, Route, Routing, Target, partition};
use crate::wire::{Name, RecordType, Ttl};
use crate::zone::{Catalog, CatalogBuilder, CatalogFull, Owner, RouteId, ZoneId};

mod identity;
mod onward;
mod publish;

pub use identity::Identity;
pub use publish::{Live, Published, Reader};

/// Which snapshot: counts up by one with each that is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(pub u64);

impl Generation {
    /// The next one.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// What a routed name hands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handout {
    /// Addresses: the route answers A and AAAA.
    Addresses,
    /// An alias: the route answers every type with a CNAME.
    Alias,
}

/// A name's route, bound.
#[derive(Clone, Debug)]
pub struct BoundRoute {
    /// Whose pools and policies the target is an index into.
    pub zone: ZoneId,
    pub target: Target,
    pub ttl: Ttl,
    pub handout: Handout,
    /// Routes that an answer may come to by way of this one's aliases.
    onward: Box<[RouteId]>,
    /// Tells clients apart; nothing if the tree treats all alike.
    places: Option<Arc<PrefixMap>>,
}

/// Where a client was found to be, as far as a route can tell places apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientPlace {
    /// A location that stands for all of its class.
    pub location: LocationId,
    /// Length of the prefix around the address in which every client is of the same class.
    pub scope: u8,
}

impl BoundRoute {
    /// The class of an address.
    #[inline]
    pub fn place(&self, address: IpAddr) -> ClientPlace {
        let Some(places) = &self.places else {
            return ClientPlace { location: LocationId::UNKNOWN, scope: 0 };
        };
        let PrefixMatch { class, scope } = places.lookup(address);
        ClientPlace { location: LocationId::from_number(class), scope }
    }

    /// The routes that the names this one hands out may lead to, whatever is chosen. What a client gets depends on them
    /// too, so that the scope of the answer does: always on all of them, or it would move with health.
    pub fn onward(&self) -> &[RouteId] {
        &self.onward
    }

    /// Whether any two clients can get different answers for their place.
    pub fn depends_on_place(&self) -> bool {
        self.places.is_some()
    }
}

/// The pools and policies of one zone: bound for queries, and as they were written for people.
#[derive(Debug)]
pub struct ZoneRouting {
    pub bound: BoundRouting,
    pub named: Routing,
    pub checks: Vec<CompiledCheck>,
}

/// All zones of one generation, ready for queries.
#[derive(Debug)]
pub struct Snapshot {
    pub generation: Generation,
    pub catalog: Catalog,
    pub database: Arc<Database>,
    /// What to probe. A target's place is its [`TargetId`], and its entry in the view.
    pub targets: Arc<[ProbeTarget]>,
    pub identity: Identity,
    routes: Vec<BoundRoute>,
    /// The owner of each route.
    routed_names: Vec<Name>,
    /// By zone; refused zones have none.
    routings: Vec<Option<ZoneRouting>>,
    maps: HashMap<Vec<u16>, Arc<PrefixMap>>,
}

/// What a snapshot is made of.
#[derive(Debug)]
pub struct Ingredients<'a> {
    pub zones: Vec<CompiledZone>,
    /// Apexes of zones whose files were refused.
    pub refused: &'a [Name],
    pub database: Arc<Database>,
    /// Keys the name table; from the operating system's generator.
    pub seed: u64,
    pub generation: Generation,
    /// What the server tells of itself.
    pub identity: Identity,
    /// The generation before, whose prefix maps can be taken over if the database is the same.
    pub previous: Option<&'a Snapshot>,
}

impl Snapshot {
    /// Makes a snapshot. Fails only if the zones are larger than a catalog can be.
    pub fn compile(ingredients: Ingredients<'_>) -> Result<Self, CatalogFull> {
        let Ingredients { zones, refused, database, seed, generation, identity, previous } =
            ingredients;
        let apexes = zones.iter().map(|zone| &zone.apex).chain(refused);
        let mut catalog = CatalogBuilder::new(seed, apexes);
        let mut binder = Binder::new(&database, previous);
        let mut routings = Vec::new();
        let mut routed_names = Vec::new();
        for (id, zone) in (0u32..).map(ZoneId).zip(zones) {
            routed_names.extend(
                zone.names
                    .iter()
                    .filter(|(_, owned)| owned.route.is_some())
                    .map(|(name, _)| name.clone()),
            );
            let bound = binder.bind_routing(&zone);
            let owners: Vec<Owner<'_>> = zone
                .names
                .iter()
                .map(|(name, owned)| Owner {
                    name,
                    rrsets: &owned.rrsets,
                    route: owned
                        .route
                        .map(|route| binder.bind_route(id, &zone.routing, &bound, route)),
                })
                .collect();
            catalog.add_zone(&zone.apex, owners)?;
            routings.push(Some(ZoneRouting { bound, named: zone.routing, checks: zone.checks }));
        }
        for apex in refused {
            catalog.add_refused(apex)?;
            routings.push(None);
        }
        let Binder { targets, mut routes, maps, .. } = binder;
        let catalog = catalog.build();
        onward::link(&mut routes, &catalog, &routings);
        Ok(Self {
            generation,
            catalog,
            database,
            targets: targets.list.into(),
            identity,
            routes,
            routed_names,
            routings,
            maps,
        })
    }

    /// A route that the catalog named.
    pub fn route(&self, id: RouteId) -> Option<&BoundRoute> {
        self.routes.get(usize::try_from(id.0).ok()?)
    }

    /// Every name whose records are chosen per client, in the order of the zones and their names.
    pub fn routed_names(&self) -> impl Iterator<Item = (&Name, &BoundRoute)> {
        self.routed_names.iter().zip(&self.routes)
    }

    /// The pools and policies of a zone.
    pub fn routing(&self, zone: ZoneId) -> Option<&ZoneRouting> {
        self.routings.get(usize::try_from(zone.0).ok()?)?.as_ref()
    }

    /// The pools and policies of every zone that has any.
    pub fn routings(&self) -> impl Iterator<Item = &ZoneRouting> {
        self.routings.iter().flatten()
    }

    /// How many prefix maps there are, and the octets they take.
    pub fn map_sizes(&self) -> (usize, usize) {
        (self.maps.len(), self.maps.values().map(|map| map.memory_octets()).sum())
    }
}

/// Probe targets without repetition: identical checks of one address are one target.
#[derive(Default)]
struct Targets {
    list: Vec<ProbeTarget>,
    numbers: HashMap<ProbeTarget, TargetId>,
}

impl Targets {
    fn number(&mut self, target: ProbeTarget) -> TargetId {
        let next = TargetId(u32::try_from(self.list.len()).unwrap_or(u32::MAX));
        let list = &mut self.list;
        *self.numbers.entry(target).or_insert_with_key(|target| {
            list.push(target.clone());
            next
        })
    }
}

struct Binder<'a> {
    database: &'a Arc<Database>,
    targets: Targets,
    routes: Vec<BoundRoute>,
    maps: HashMap<Vec<u16>, Arc<PrefixMap>>,
    reusable: Option<&'a HashMap<Vec<u16>, Arc<PrefixMap>>>,
}

impl<'a> Binder<'a> {
    fn new(database: &'a Arc<Database>, previous: Option<&'a Snapshot>) -> Self {
        let same = previous.filter(|previous| Arc::ptr_eq(&previous.database, database));
        Self {
            database,
            targets: Targets::default(),
            routes: Vec::new(),
            maps: HashMap::new(),
            reusable: same.map(|previous| &previous.maps),
        }
    }

    fn bind_routing(&mut self, zone: &CompiledZone) -> BoundRouting {
        let mut numbers: HashMap<(PoolId, usize), TargetId> = HashMap::new();
        for (id, pool) in (0u16..).map(PoolId).zip(&zone.routing.pools) {
            for (place, endpoint) in pool.endpoints.iter().enumerate() {
                if let Some(target) = probe_target(&zone.checks, pool, endpoint) {
                    numbers.insert((id, place), self.targets.number(target));
                }
            }
        }
        let health_of = |pool, place| numbers.get(&(pool, place)).copied();
        BoundRouting::new(&zone.routing, self.database.locations(), health_of)
    }

    fn bind_route(
        &mut self,
        zone: ZoneId,
        named: &Routing,
        bound: &BoundRouting,
        route: Route,
    ) -> RouteId {
        let id = RouteId(u32::try_from(self.routes.len()).unwrap_or(u32::MAX));
        let classes = partition(bound, route.target, self.database.locations());
        let places = classes.map(|classes| self.map(classes));
        let handout =
            if hands_out_alias(named, route.target) { Handout::Alias } else { Handout::Addresses };
        self.routes.push(BoundRoute {
            zone,
            target: route.target,
            ttl: route.ttl,
            handout,
            onward: [].into(),
            places,
        });
        id
    }

    fn map(&mut self, classes: Vec<u16>) -> Arc<PrefixMap> {
        if let Some(map) = self.maps.get(&classes) {
            return Arc::clone(map);
        }
        let known = self.reusable.and_then(|maps| maps.get(&classes)).map(Arc::clone);
        let map = known.unwrap_or_else(|| Arc::new(PrefixMap::build(self.database, &classes)));
        self.maps.insert(classes, Arc::clone(&map));
        map
    }
}

/// What is probed for an endpoint: the check's own address if it has one (rule 5), else the endpoint.
fn probe_target(checks: &[CompiledCheck], pool: &Pool, endpoint: &Endpoint) -> Option<ProbeTarget> {
    let check = checks.get(usize::from(pool.check?.0))?;
    let own = match endpoint.label.parse() {
        Ok(address) if endpoint.rtype != RecordType::CNAME => ProbeAddress::Ip(address),
        _ => ProbeAddress::Name(host_of(&endpoint.rdata)),
    };
    let address = check.address.clone().unwrap_or(own);
    Some(ProbeTarget { check: Arc::clone(&check.spec), address })
}

/// The host that a CNAME's RDATA names, as a resolver takes it: whole, without the final dot.
fn host_of(rdata: &[u8]) -> Box<str> {
    let name = Name::from_wire(rdata).map_or_else(|_| Name::root(), |(name, _)| name);
    name.to_string().trim_end_matches('.').into()
}

/// Whether the pools below a target hand out a CNAME. `config` allows all or none of them to.
fn hands_out_alias(routing: &Routing, target: Target) -> bool {
    let is_alias =
        |pool: &Pool| pool.endpoints.iter().any(|endpoint| endpoint.rtype == RecordType::CNAME);
    routing.pools_below(target).into_iter().filter_map(|id| routing.pool(id)).any(is_alias)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Source, compile_zone};

    /// A relative name was probed as it was typed: the host `lb`, which nobody knows, counted as up for ever.
    #[test]
    fn rule_64_an_alias_is_probed_by_its_whole_name() {
        let text = r#"
            zone = "a.example"
            [check.web]
            tcp = 443
            [pool.relative]
            cname = "lb"
            check = "web"
            [pool.absolute]
            cname = "lb.other.example."
            check = "web"
            [policy.both]
            type = "failover"
            targets = ["relative", "absolute"]
            [names]
            "@" = { SOA = "ns hostmaster", NS = "ns" }
            ns = { A = "192.0.2.1" }
            www = { policy = "both" }
        "#;
        let source = Source::new("a.toml", text, 1);
        let (zone, _) = compile_zone(&source).expect("a sound zone");
        let snapshot = Snapshot::compile(Ingredients {
            zones: vec![zone],
            refused: &[],
            database: Arc::new(Database::built_in().unwrap()),
            seed: 1,
            generation: Generation(1),
            identity: Identity::default(),
            previous: None,
        })
        .unwrap();
        let names: Vec<&ProbeAddress> =
            snapshot.targets.iter().map(|target| &target.address).collect();
        let expected =
            ["lb.a.example", "lb.other.example"].map(|name| ProbeAddress::Name(name.into()));
        assert_eq!(names, expected.iter().collect::<Vec<_>>());
    }
}
