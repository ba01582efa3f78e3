//! Binds zones to what is known of clients: endpoints to probe targets, trees to areas, routes to prefix maps.
//!
//! Two routes that divide all clients in the same way share one map, whatever their zones, also with the generation before.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

use ipnet::IpNet;

use super::{BoundRoute, Division, Handout, Networks, Snapshot, ZoneRouting, plain_name};
use crate::config::{CompiledCheck, CompiledZone};
use crate::geo::{Atlas, Merged, PrefixMap};
use crate::health::{
    CalculatedCheck, CheckSpec, Child, Plan, ProbeAddress, ProbeTarget, PrometheusCheck, Protocol,
    SwitchId, TargetId,
};
use crate::policy::{
    AreaId, Areas, BoundRouting, Endpoint, Health, Partition, Place, Pool, PoolId, Route, Routing,
    Target, partition,
};
use crate::wire::{Name, RecordType};
use crate::zone::{RouteId, ZoneId};

/// Which partition of all addresses a map is of: two hashes of the class of every position, in order.
///
/// Two different partitions would have to agree in 128 bits to be taken for one; the classes themselves would take more memory
/// than the maps where a database has many positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct MapKey(u64, u64);

impl MapKey {
    fn new(areas: &Areas, partition: &Partition) -> Self {
        // Classes are numbered in the order in which positions come to them, so that equal partitions have equal numbers.
        let mut hashers = [DefaultHasher::new(), DefaultHasher::new()];
        for (salt, hasher) in (0u64..).zip(&mut hashers) {
            hasher.write_u64(salt);
            for area in areas.by_position() {
                hasher.write_u32(partition.class(AreaId(*area)));
            }
        }
        let [one, two] = hashers;
        Self(one.finish(), two.finish())
    }
}

/// What binding came to.
pub(super) struct Bound {
    pub(super) plan: Plan,
    pub(super) switch_count: usize,
    pub(super) routes: Vec<BoundRoute>,
    pub(super) maps: HashMap<MapKey, Arc<PrefixMap>>,
}

/// A zone's tree, bound, and what was made of it so far.
pub(super) struct BoundZone {
    pub(super) routing: BoundRouting,
    pub(super) areas: Arc<Areas>,
    /// The networks that residency names.
    bound_networks: Arc<[IpNet]>,
    /// The leaves of the atlas by area, made when the first map is.
    merged: Option<Merged>,
    /// What trees come to that several names use.
    divisions: HashMap<(Target, bool), Option<Division>>,
}

/// Probe targets without repetition: identical checks of one address are one target.
#[derive(Default)]
struct Targets {
    list: Vec<ProbeTarget>,
    /// By target, the pools that have it, each once.
    pools: Vec<Vec<Arc<str>>>,
    numbers: HashMap<ProbeTarget, TargetId>,
}

impl Targets {
    /// The number of a target that a pool has. What it is calculated from comes before it.
    fn number(&mut self, target: ProbeTarget, pool: &Arc<str>) -> TargetId {
        let children: Vec<ProbeTarget> = target.children().collect();
        for child in children {
            self.number_one(child, pool);
        }
        self.number_one(target, pool)
    }

    fn number_one(&mut self, target: ProbeTarget, pool: &Arc<str>) -> TargetId {
        let next = TargetId(u32::try_from(self.list.len()).unwrap_or(u32::MAX));
        let list = &mut self.list;
        let id = *self.numbers.entry(target).or_insert_with_key(|target| {
            list.push(target.clone());
            next
        });
        self.pools.resize(self.list.len(), Vec::new());
        let place = usize::try_from(id.0).unwrap_or(usize::MAX);
        // The endpoints of a pool come one after another: a pool that was told before is the last one.
        if let Some(pools) = self.pools.get_mut(place)
            && pools.last().is_none_or(|last| !Arc::ptr_eq(last, pool))
        {
            pools.push(Arc::clone(pool));
        }
        id
    }

    fn into_plan(self) -> Plan {
        Plan {
            targets: self.list.into(),
            pools: self.pools.into_iter().map(Vec::into_boxed_slice).collect(),
        }
    }
}

pub(super) struct Binder<'a> {
    atlas: &'a Arc<Atlas>,
    targets: Targets,
    next_switch: SwitchId,
    routes: Vec<BoundRoute>,
    maps: HashMap<MapKey, Arc<PrefixMap>>,
    areas: HashSet<Arc<Areas>>,
    reusable: Option<&'a HashMap<MapKey, Arc<PrefixMap>>>,
}

impl<'a> Binder<'a> {
    pub(super) fn new(atlas: &'a Arc<Atlas>, previous: Option<&'a Snapshot>) -> Self {
        let same = previous.filter(|previous| previous.atlas.same(atlas));
        Self {
            atlas,
            targets: Targets::default(),
            next_switch: SwitchId(0),
            routes: Vec::new(),
            maps: HashMap::new(),
            areas: HashSet::new(),
            reusable: same.map(|previous| &previous.maps),
        }
    }

    pub(super) fn finish(self) -> Bound {
        let Self { targets, next_switch, routes, maps, .. } = self;
        let switch_count = usize::try_from(next_switch.0).unwrap_or(usize::MAX);
        Bound { plan: targets.into_plan(), switch_count, routes, maps }
    }

    pub(super) fn bind_zone(&mut self, zone: &CompiledZone) -> BoundZone {
        let mut numbers: HashMap<(PoolId, usize), Health> = HashMap::new();
        let apex = plain_name(&zone.apex);
        for (id, pool) in (0u16..).map(PoolId).zip(&zone.routing.pools) {
            let name: Arc<str> = format!("{apex}/{}", pool.name).into();
            for (place, endpoint) in pool.endpoints.iter().enumerate() {
                numbers.insert((id, place), self.health(&zone.checks, &name, pool, endpoint));
            }
        }
        let health_of =
            |pool, place| numbers.get(&(pool, place)).copied().unwrap_or(Health::Unchecked);
        self.bind_tree(&zone.routing, health_of)
    }

    /// Binds the tree of a zone of the generation before; its endpoints keep their numbers.
    pub(super) fn rebind_zone(&mut self, zone: &ZoneRouting) -> BoundZone {
        let health_of = |pool, place: usize| {
            let endpoint = zone.bound.pool(pool).and_then(|pool| pool.endpoints.get(place));
            endpoint.map_or(Health::Unchecked, |endpoint| endpoint.health)
        };
        self.bind_tree(&zone.named, health_of)
    }

    fn bind_tree(
        &mut self,
        routing: &Routing,
        health_of: impl Fn(PoolId, usize) -> Health,
    ) -> BoundZone {
        let bound = routing.residencies.iter().flat_map(|residency| &residency.clients);
        let bound_networks = bound.filter_map(|place| match place {
            Place::Network(network) => Some(*network),
            _ => None,
        });
        let bound_networks = bound_networks.collect();
        let (routing, areas) = BoundRouting::new(routing, self.atlas, self.next_switch, health_of);
        (_, self.next_switch) = routing.switches();
        // Zones of one template have the same areas, and with many positions these are the larger part of what is kept.
        let areas = match self.areas.get(&areas) {
            Some(known) => Arc::clone(known),
            None => {
                let areas = Arc::new(areas);
                self.areas.insert(Arc::clone(&areas));
                areas
            }
        };
        BoundZone { routing, areas, bound_networks, merged: None, divisions: HashMap::new() }
    }

    fn health(
        &mut self,
        checks: &[CompiledCheck],
        name: &Arc<str>,
        pool: &Pool,
        endpoint: &Endpoint,
    ) -> Health {
        let check = pool.check.and_then(|check| checks.get(usize::from(check.0)));
        let Some(check) = check else { return Health::Unchecked };
        // What is probed: the check's own address if it has one (rule 5), else the endpoint.
        let own = own_address(endpoint);
        let asks_by_address = asks_by_address(&check.spec);
        let (spec, address) = match (&check.address, own) {
            // The one who is asked knows each endpoint by its address.
            (Some(_), None) if asks_by_address => return Health::Addresses,
            (Some(asked), Some(own)) if asks_by_address => {
                (Arc::new(ask_for(&check.spec, &own)), asked.clone())
            }
            (Some(address), _) => (Arc::clone(&check.spec), address.clone()),
            (None, Some(own)) if asks_by_address => (Arc::new(ask_for(&check.spec, &own)), own),
            (None, Some(own)) => (Arc::clone(&check.spec), own),
            (None, None) => return Health::Addresses,
        };
        Health::Target(self.targets.number(ProbeTarget { check: spec, address }, name))
    }

    /// Binds the routes of one name, and gives the first.
    pub(super) fn bind_routes(
        &mut self,
        zone: ZoneId,
        named: &Routing,
        bound: &mut BoundZone,
        routes: &[Route],
    ) -> Option<RouteId> {
        let mut ids = (0..).map(|more| self.next_id(more)).take(routes.len());
        let first = ids.next();
        let nexts: Vec<Option<RouteId>> = ids.map(Some).chain([None]).collect();
        for (route, next) in routes.iter().zip(nexts) {
            let division = self.divide(bound, route.target, route.together);
            let is_alias = route.types.contains(&RecordType::CNAME);
            let is_sticky =
                named.is_sticky(route.target) || (route.together && named.draws(route.target));
            self.routes.push(BoundRoute {
                zone,
                target: route.target,
                ttl: route.ttl,
                ttl_floor: route.ttl_floor,
                handout: if is_alias { Handout::Alias } else { Handout::Records },
                together: route.together,
                types: route.types.clone(),
                next,
                sticky: is_sticky.then_some(route.name_key),
                onward: [].into(),
                division,
            });
        }
        first
    }

    fn next_id(&self, more: usize) -> RouteId {
        RouteId(u32::try_from(self.routes.len().saturating_add(more)).unwrap_or(u32::MAX))
    }

    /// How a tree tells clients apart.
    pub(super) fn divide(
        &mut self,
        bound: &mut BoundZone,
        target: Target,
        together: bool,
    ) -> Option<Division> {
        if let Some(known) = bound.divisions.get(&(target, together)) {
            return known.clone();
        }
        let division = partition(&bound.routing, &bound.areas, target, together)
            .map(|partition| self.map(bound, partition));
        bound.divisions.insert((target, together), division.clone());
        division
    }

    fn map(&mut self, bound: &mut BoundZone, partition: Partition) -> Division {
        let areas = &bound.areas;
        let key = MapKey::new(areas, &partition);
        let known = self.maps.get(&key).or_else(|| self.reusable?.get(&key)).map(Arc::clone);
        let map = known.unwrap_or_else(|| {
            let merged = bound.merged.get_or_insert_with(|| self.atlas.merge(areas.by_position()));
            Arc::new(PrefixMap::build(merged, &partition.class_of))
        });
        self.maps.insert(key, Arc::clone(&map));
        let networks = areas.has_networks.then(|| Networks {
            atlas: Arc::clone(self.atlas),
            areas: Arc::clone(areas),
            bound: Arc::clone(&bound.bound_networks),
        });
        Division { map, partition: Arc::new(partition), networks }
    }
}

/// What an endpoint is probed at if the check does not say: nothing for a record that is neither an address nor an alias.
fn own_address(endpoint: &Endpoint) -> Option<ProbeAddress> {
    match endpoint.rtype {
        RecordType::A | RecordType::AAAA => endpoint.label.parse().ok().map(ProbeAddress::Ip),
        RecordType::CNAME => Some(ProbeAddress::Name(host_of(&endpoint.rdata))),
        _ => None,
    }
}

/// The host that a CNAME's RDATA names, as a resolver takes it: whole, without the final dot.
fn host_of(rdata: &[u8]) -> Box<str> {
    let name = Name::from_wire(rdata).map_or_else(|_| Name::root(), |(name, _)| name);
    name.to_string().trim_end_matches('.').into()
}

/// What stands in a PromQL query for the address of the endpoint that it is about.
const OWN_ADDRESS: &str = "{address}";

/// Whether a check, or one that it is calculated from, asks somebody else about each endpoint by its address.
fn asks_by_address(spec: &CheckSpec) -> bool {
    match &spec.protocol {
        Protocol::Prometheus(check) => check.query.contains(OWN_ADDRESS),
        Protocol::Calculated(check) => {
            check.children.iter().any(|child| asks_by_address(&child.check))
        }
        _ => false,
    }
}

/// The check with an endpoint's address in the place of [`OWN_ADDRESS`]. Calculated checks are of no calculated ones (rule 72), which
/// is what bounds this.
fn ask_for(spec: &CheckSpec, own: &ProbeAddress) -> CheckSpec {
    let own_text = match own {
        ProbeAddress::Ip(address) => address.to_string(),
        ProbeAddress::Name(name) => name.to_string(),
    };
    let protocol = match &spec.protocol {
        Protocol::Prometheus(check) => Protocol::Prometheus(PrometheusCheck {
            query: check.query.replace(OWN_ADDRESS, &own_text).into(),
            ..check.clone()
        }),
        Protocol::Calculated(check) => Protocol::Calculated(CalculatedCheck {
            children: check.children.iter().map(|child| ask_child_for(child, own)).collect(),
            ..check.clone()
        }),
        other => other.clone(),
    };
    CheckSpec { protocol, ..spec.clone() }
}

fn ask_child_for(child: &Child, own: &ProbeAddress) -> Child {
    let check = if asks_by_address(&child.check) {
        Arc::new(ask_for(&child.check, own))
    } else {
        Arc::clone(&child.check)
    };
    Child { check, address: child.address.clone() }
}
