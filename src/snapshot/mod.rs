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
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use binder::{Binder, Bound, BoundZone, MapKey};

use crate::config::{CompiledCheck, CompiledZone};
use crate::geo::{Atlas, AtlasError, PrefixMap, PrefixMatch};
use crate::health::{Horizon, Plan, ProbeTarget, SwitchId, SwitchName, View};
use crate::policy::{
    AreaId, Areas, BoundRouting, Partition, Routing, StickyKey, Target, sticky_scope, switches_of,
};
use crate::wire::{Name, RecordType, Ttl};
use crate::zone::{Catalog, CatalogBuilder, CatalogFull, Owner, RouteId, ZoneId};

mod binder;
mod identity;
mod onward;
mod publish;
mod residency;
mod sources;

pub use identity::Identity;
pub use publish::{Live, Published, Reader};
pub use residency::{ResidencyProof, Stranded};
pub use sources::GeoSources;

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
    /// Records of the route's types.
    Records,
    /// An alias: the route answers every type with a CNAME.
    Alias,
}

/// A name's route for some types, bound.
#[derive(Clone, Debug)]
pub struct BoundRoute {
    /// Whose pools and policies the target is an index into.
    pub zone: ZoneId,
    pub target: Target,
    pub ttl: Ttl,
    /// What the soonest possible change of health caps the TTL to at the least.
    pub ttl_floor: Ttl,
    pub handout: Handout,
    /// Whether one selection serves all types (B8).
    pub together: bool,
    /// The types that it answers, unless it is an alias.
    types: Box<[RecordType]>,
    /// The route of the same name for other types.
    next: Option<RouteId>,
    /// Hash of the name, if draws depend on who asks.
    sticky: Option<u64>,
    /// Routes that an answer may come to by way of this one's aliases.
    onward: Box<[RouteId]>,
    /// Tells clients apart; nothing if the tree treats all alike.
    division: Option<Division>,
}

/// How a route tells clients apart.
#[derive(Clone, Debug)]
struct Division {
    map: Arc<PrefixMap>,
    partition: Arc<Partition>,
    /// If it tells named networks apart: what says in which area a client's prefix is that is shorter than some (rule 45).
    networks: Option<Networks>,
}

/// What tells named networks apart.
#[derive(Clone, Debug)]
struct Networks {
    atlas: Arc<Atlas>,
    areas: Arc<Areas>,
    /// Those that residency names.
    bound: Arc<[IpNet]>,
}

impl Networks {
    /// The area of a client's prefix. If there may be clients in it whom residency binds, it is theirs: what they may have is no
    /// harm to the others.
    #[cold]
    fn area(&self, address: IpAddr, source: u8) -> AreaId {
        let whole = IpNet::new(address, source).ok();
        let inside = |network: &&IpNet| whole.is_some_and(|whole| whole.contains(*network));
        let position = match self.bound.iter().find(inside) {
            Some(network) => self.atlas.position_of(network.addr(), u8::MAX),
            None => self.atlas.position_of(address, source),
        };
        self.areas.area(position)
    }
}

/// Where a client was found to be, as far as a route can tell places apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientPlace {
    /// An area that stands for all of its class.
    pub area: AreaId,
    /// Length of the prefix around the address in which every client is of the same class.
    pub scope: u8,
    /// Nobody can place it, and the route asks where clients are.
    pub is_unlocated: bool,
}

impl Division {
    fn place(&self, address: IpAddr, source: u8) -> ClientPlace {
        let PrefixMatch { mut class, scope } = self.map.lookup(address);
        // The client's prefix is wider than what its first address is in.
        if source < scope
            && let Some(networks) = &self.networks
        {
            class = self.partition.class(networks.area(address, source));
        }
        ClientPlace {
            area: self.partition.representative(class),
            scope,
            is_unlocated: self.partition.has_unlocated && class == 0,
        }
    }
}

impl BoundRoute {
    /// The class of the clients in a prefix: an address, and how many bits of it are known.
    #[inline]
    pub fn place(&self, address: IpAddr, source: u8) -> ClientPlace {
        let mut place = match &self.division {
            Some(division) => division.place(address, source),
            None => ClientPlace { area: AreaId::UNKNOWN, scope: 0, is_unlocated: false },
        };
        if self.sticky.is_some() {
            place.scope = place.scope.max(sticky_scope(address));
        }
        place
    }

    /// How long an answer may be cached whose soonest possible change is at the horizon (RELIABILITY §5.7).
    #[inline]
    pub fn ttl_within(&self, horizon: Horizon) -> Ttl {
        self.cap(self.ttl, horizon)
    }

    /// The lower of a TTL and the horizon, the floor held.
    #[inline]
    pub fn cap(&self, ttl: Ttl, horizon: Horizon) -> Ttl {
        let Some(soonest) = horizon.as_seconds().and_then(Ttl::from_seconds) else { return ttl };
        ttl.min(soonest.max(self.ttl_floor))
    }

    /// What sticky draws depend on for a client; nothing if there are none.
    #[inline]
    pub fn sticky_key(&self, address: IpAddr) -> Option<StickyKey> {
        self.sticky.map(|name_key| StickyKey::new(address, name_key))
    }

    /// The routes that the names this one hands out may lead to, whatever is chosen. What a client gets depends on them
    /// too, so that the scope of the answer does: always on all of them, or it would move with health.
    pub fn onward(&self) -> &[RouteId] {
        &self.onward
    }

    /// Whether the place of a client makes a difference.
    pub fn depends_on_place(&self) -> bool {
        self.division.is_some()
    }

    /// Which class an address is of, if the route tells clients apart; routes that do it alike share one map.
    pub fn map(&self) -> Option<&Arc<PrefixMap>> {
        self.division.as_ref().map(|division| &division.map)
    }

    /// The class of clients of whom nothing is known.
    pub fn unknown_class(&self) -> u32 {
        self.division.as_ref().map_or(0, |division| division.partition.class(AreaId::UNKNOWN))
    }

    /// An area that stands for a class of [`BoundRoute::map`].
    pub fn area_of(&self, class: u32) -> AreaId {
        let division = self.division.as_ref();
        division.map_or(AreaId::UNKNOWN, |division| division.partition.representative(class))
    }

    /// Whether who asks makes a difference, for its place or for a draw of its own.
    #[inline]
    pub fn depends_on_client(&self) -> bool {
        self.division.is_some() || self.sticky.is_some()
    }

    /// Whether the route answers a type: with records of it, or with an alias.
    #[inline]
    pub fn answers(&self, rtype: RecordType) -> bool {
        self.handout == Handout::Alias || self.types.contains(&rtype)
    }

    /// The types that it answers; only CNAME for an alias.
    pub fn types(&self) -> &[RecordType] {
        &self.types
    }
}

/// The pools and policies of one zone: bound for queries, and as they were written for people.
#[derive(Debug)]
pub struct ZoneRouting {
    pub bound: BoundRouting,
    pub named: Arc<Routing>,
    /// In which of them a client is decides what the rules come to.
    pub areas: Arc<Areas>,
    pub checks: Arc<[CompiledCheck]>,
}

/// All zones of one generation, ready for queries.
#[derive(Debug)]
pub struct Snapshot {
    pub generation: Generation,
    pub catalog: Arc<Catalog>,
    /// What is known of clients.
    pub atlas: Arc<Atlas>,
    /// What to probe. A target's place is its [`crate::health::TargetId`], and its entry in the view.
    pub targets: Arc<[ProbeTarget]>,
    plan: Plan,
    switch_count: usize,
    pub identity: Identity,
    routes: Vec<BoundRoute>,
    /// The owner of each route.
    routed_names: Arc<[Name]>,
    /// By zone; refused zones have none.
    routings: Vec<Option<ZoneRouting>>,
    maps: HashMap<MapKey, Arc<PrefixMap>>,
    /// Whether the time matters: some weight grows after a recovery (B7).
    pub has_ramps: bool,
}

/// Why there is no snapshot.
#[derive(Debug)]
pub enum SnapshotError {
    Catalog(CatalogFull),
    Atlas(AtlasError),
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Catalog(error) => error.fmt(f),
            Self::Atlas(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SnapshotError {}

impl From<CatalogFull> for SnapshotError {
    fn from(error: CatalogFull) -> Self {
        Self::Catalog(error)
    }
}

impl From<AtlasError> for SnapshotError {
    fn from(error: AtlasError) -> Self {
        Self::Atlas(error)
    }
}

/// What a snapshot is made of.
#[derive(Debug)]
pub struct Ingredients<'a> {
    pub zones: Vec<CompiledZone>,
    /// Apexes of zones whose files were refused.
    pub refused: &'a [Name],
    /// What is known of clients.
    pub geo: &'a GeoSources,
    /// Keys the name table; from the operating system's generator.
    pub seed: u64,
    pub generation: Generation,
    /// What the server tells of itself.
    pub identity: Identity,
    /// The generation before, whose prefix maps can be taken over if the database is the same.
    pub previous: Option<&'a Snapshot>,
}

impl Snapshot {
    /// Makes a snapshot.
    ///
    /// # Errors
    /// The zones are larger than a catalog can be, or tell more clients apart than an atlas can.
    pub fn compile(ingredients: Ingredients<'_>) -> Result<Self, SnapshotError> {
        let Ingredients { zones, refused, geo, seed, generation, identity, previous } = ingredients;
        let atlas = geo.atlas(zones.iter().map(|zone| &zone.routing))?;
        // What is the same need not be kept twice, and its maps can be taken over.
        let known = previous.map(|previous| &previous.atlas).filter(|known| known.same(&atlas));
        let atlas = known.map_or_else(|| Arc::new(atlas), Arc::clone);
        let apexes = zones.iter().map(|zone| &zone.apex).chain(refused);
        let mut catalog = CatalogBuilder::new(seed, apexes);
        let mut binder = Binder::new(&atlas, previous);
        let mut routings = Vec::new();
        let mut routed_names = Vec::new();
        for (id, zone) in (0u32..).map(ZoneId).zip(zones) {
            let mut bound = binder.bind_zone(&zone);
            let mut owners: Vec<Owner<'_>> = Vec::with_capacity(zone.names.len());
            for (name, owned) in &zone.names {
                let route = binder.bind_routes(id, &zone.routing, &mut bound, &owned.routes);
                routed_names.extend(owned.routes.iter().map(|_| name.clone()));
                owners.push(Owner { name, rrsets: &owned.rrsets, route });
            }
            catalog.add_zone(&zone.apex, owners)?;
            let BoundZone { routing: bound, areas, .. } = bound;
            let (named, checks) = (Arc::new(zone.routing), zone.checks.into());
            routings.push(Some(ZoneRouting { bound, named, areas, checks }));
        }
        for apex in refused {
            catalog.add_refused(apex)?;
            routings.push(None);
        }
        let Bound { plan, switch_count, mut routes, maps } = binder.finish();
        let catalog = Arc::new(catalog.build());
        onward::link(&mut routes, &catalog, &routings);
        Ok(Self {
            generation,
            catalog,
            atlas,
            targets: Arc::clone(&plan.targets),
            plan,
            switch_count,
            identity,
            routes,
            routed_names: routed_names.into(),
            has_ramps: routings.iter().flatten().any(|zone| zone.named.has_ramps()),
            routings,
            maps,
        })
    }

    /// The same zones over other databases. Nothing of the zones is read again, and endpoints keep their numbers, so that the
    /// view stays.
    ///
    /// # Errors
    /// Databases and zones together tell more clients apart than an atlas can.
    pub fn over(&self, geo: &GeoSources, generation: Generation) -> Result<Self, SnapshotError> {
        let atlas = Arc::new(geo.atlas(self.routings().map(|zone| &*zone.named))?);
        let mut binder = Binder::new(&atlas, Some(self));
        let mut bound: Vec<Option<BoundZone>> = Vec::with_capacity(self.routings.len());
        for zone in &self.routings {
            bound.push(zone.as_ref().map(|zone| binder.rebind_zone(zone)));
        }
        let routes = self.routes.iter().map(|route| {
            let zone = usize::try_from(route.zone.0).ok().and_then(|zone| bound.get_mut(zone));
            let division = zone
                .and_then(Option::as_mut)
                .and_then(|zone| binder.divide(zone, route.target, route.together));
            BoundRoute { division, ..route.clone() }
        });
        let routes = routes.collect();
        let Bound { maps, .. } = binder.finish();
        let routings = self.routings.iter().zip(bound).map(|(zone, bound)| {
            let (zone, BoundZone { routing, areas, .. }) = zone.as_ref().zip(bound)?;
            let (named, checks) = (Arc::clone(&zone.named), Arc::clone(&zone.checks));
            Some(ZoneRouting { bound: routing, named, areas, checks })
        });
        Ok(Self {
            generation,
            catalog: Arc::clone(&self.catalog),
            targets: Arc::clone(&self.targets),
            plan: self.plan.clone(),
            switch_count: self.switch_count,
            identity: self.identity.clone(),
            routes,
            routed_names: Arc::clone(&self.routed_names),
            routings: routings.collect(),
            maps,
            has_ramps: self.has_ramps,
            atlas,
        })
    }

    /// What to probe, and whose it is.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// How many switches a view of this snapshot has.
    pub fn switch_count(&self) -> usize {
        self.switch_count
    }

    /// A view in which nothing is known and nothing is set.
    pub fn new_view(&self) -> View {
        View::with_switches(self.targets.len(), self.switch_count)
    }

    /// Every switch: its number, the apex of its zone without the final dot, and what it is for. In order of number.
    pub fn switch_names(&self) -> impl Iterator<Item = (SwitchId, Arc<str>, SwitchName<'_>)> {
        let zones = (0u32..).map(ZoneId).zip(&self.routings);
        zones.filter_map(|(id, zone)| Some((id, zone.as_ref()?))).flat_map(|(id, zone)| {
            let apex = self.catalog.zone(id).map(|zone| plain_name(&zone.apex));
            let apex: Arc<str> = apex.unwrap_or_default().into();
            let (SwitchId(first), _) = zone.bound.switches();
            let names = (first..).map(SwitchId).zip(switches_of(&zone.named));
            names.map(move |(switch, name)| (switch, Arc::clone(&apex), name))
        })
    }

    /// The area of the clients of a prefix itself, and not the one that stands for all whom a route treats alike: while
    /// operators have set anything it need not treat them alike.
    #[cold]
    pub fn own_area(&self, route: &BoundRoute, address: IpAddr, source: u8) -> AreaId {
        let Some(zone) = self.routing(route.zone) else { return AreaId::UNKNOWN };
        let division = route.division.as_ref();
        match division.and_then(|division| division.networks.as_ref()) {
            Some(networks) => networks.area(address, source),
            None => zone.areas.area(self.atlas.position_of(address, u8::MAX)),
        }
    }

    /// Whether a policy of a route asks who the client is, be it for nothing as far as health can tell.
    pub fn tells_clients_apart(&self, route: &BoundRoute) -> bool {
        self.routing(route.zone).is_some_and(|zone| zone.bound.tells_clients_apart(route.target))
    }

    /// A route that the catalog named.
    pub fn route(&self, id: RouteId) -> Option<&BoundRoute> {
        self.routes.get(usize::try_from(id.0).ok()?)
    }

    /// The route at a node for a type, by the first route of the node.
    #[inline]
    pub fn route_for(&self, first: RouteId, rtype: RecordType) -> Option<&BoundRoute> {
        let mut route = self.route(first)?;
        while !route.answers(rtype) {
            route = self.route(route.next?)?;
        }
        Some(route)
    }

    /// Every route of a node, by its first.
    pub fn routes_from(&self, first: RouteId) -> impl Iterator<Item = &BoundRoute> {
        std::iter::successors(self.route(first), |route| self.route(route.next?))
    }

    /// Every route with its name, in the order of the zones and their names.
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

/// A name without its final dot, as people write apexes.
fn plain_name(name: &Name) -> String {
    let text = name.to_string();
    text.strip_suffix('.').filter(|rest| !rest.is_empty()).unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Source, compile_zone};
    use crate::health::{
        CalculatedCheck, CheckSpec, Child, Comparison, Limit, Missing, ProbeAddress,
        PrometheusCheck, Protocol, Quorum, TcpCheck,
    };

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
            geo: &GeoSources::of(Arc::new(crate::geo::Database::built_in().unwrap())),
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

    /// A zone with the pools `one` and `both` of the same check, with another spec than a file could say.
    fn checked_by(spec: CheckSpec, address: Option<ProbeAddress>) -> Snapshot {
        let text = r#"
            zone = "a.example"
            [check.web]
            tcp = 443
            [pool.one]
            addresses = ["192.0.2.1"]
            check = "web"
            [pool.both]
            addresses = ["192.0.2.1", "192.0.2.2"]
            check = "web"
            [policy.p]
            type = "failover"
            targets = ["one", "both"]
            [names]
            "@" = { SOA = "ns hostmaster", NS = "ns" }
            ns = { A = "192.0.2.53" }
            www = { policy = "p" }
        "#;
        let (mut zone, _) = compile_zone(&Source::new("a.toml", text, 1)).expect("a sound zone");
        zone.checks[0].spec = Arc::new(spec);
        zone.checks[0].address = address;
        Snapshot::compile(Ingredients {
            zones: vec![zone],
            refused: &[],
            geo: &GeoSources::of(Arc::new(crate::geo::Database::built_in().unwrap())),
            seed: 1,
            generation: Generation(1),
            identity: Identity::default(),
            previous: None,
        })
        .unwrap()
    }

    fn metric(query: &str) -> CheckSpec {
        let metric = PrometheusCheck {
            tls: None,
            host: None,
            prefix: "".into(),
            headers: Box::default(),
            query: query.into(),
            comparison: Comparison::Above,
            limit: Limit::try_from(1.0).unwrap(),
            missing: Missing::Last,
        };
        CheckSpec::new(Protocol::Prometheus(metric), 9090)
    }

    /// Every target as it prints, with its pools.
    fn plan_of(snapshot: &Snapshot) -> Vec<(String, String)> {
        let told = snapshot.plan().iter().map(|(target, pools)| {
            let pools: Vec<&str> = pools.iter().map(|pool| &**pool).collect();
            (target.to_string(), pools.join(" "))
        });
        told.collect()
    }

    #[test]
    fn what_a_check_is_calculated_from_comes_before_it() {
        let tcp = CheckSpec::new(Protocol::Tcp(TcpCheck::default()), 443);
        let child = |address| Child { check: Arc::new(tcp.clone()), address };
        let elsewhere = ProbeAddress::Ip("192.0.2.9".parse().unwrap());
        let children = [child(None), child(Some(elsewhere))].into();
        let whole = CalculatedCheck { children, quorum: Quorum::AtLeast(2) };
        let snapshot = checked_by(CheckSpec::new(Protocol::Calculated(whole), 0), None);
        let (one, both) = ("a.example/one a.example/both", "a.example/both");
        let expected = [
            ("tcp://192.0.2.1:443", one),
            ("tcp://192.0.2.9:443", one),
            ("2 checks of 192.0.2.1", one),
            ("tcp://192.0.2.2:443", both),
            ("2 checks of 192.0.2.2", both),
        ];
        let expected = expected.map(|(target, pools)| (target.to_owned(), pools.to_owned()));
        assert_eq!(plan_of(&snapshot), expected);
    }

    #[test]
    fn a_query_about_each_endpoint_is_one_target_for_each() {
        let server = || Some(ProbeAddress::Name("prometheus.example".into()));
        let asked = |query: &str| -> Vec<String> {
            plan_of(&checked_by(metric(query), server())).into_iter().map(|(one, _)| one).collect()
        };
        assert_eq!(asked("up"), ["prometheus://prometheus.example:9090 up > 1"]);
        assert_eq!(
            asked("up{i=\"{address}\"}"),
            [1, 2].map(|n| format!(
                "prometheus://prometheus.example:9090 up{{i=\"192.0.2.{n}\"}} > 1"
            ))
        );
    }

    #[test]
    fn a_new_view_has_a_switch_for_every_name() {
        let snapshot = checked_by(metric("up"), None);
        let names: Vec<String> =
            snapshot.switch_names().map(|(_, zone, name)| format!("{zone}: {name}")).collect();
        assert_eq!(names.len(), snapshot.switch_count());
        assert_eq!(snapshot.new_view().switch_count(), names.len());
        assert_eq!((&*names[0], &*names[6]), ("a.example: one", "a.example: p/both"));
        let sources = GeoSources::of(Arc::new(crate::geo::Database::built_in().unwrap()));
        let over = snapshot.over(&sources, Generation(2)).unwrap();
        let again: Vec<String> =
            over.switch_names().map(|(_, zone, name)| format!("{zone}: {name}")).collect();
        assert_eq!((again, over.switch_count()), (names, snapshot.switch_count()));
    }
}
