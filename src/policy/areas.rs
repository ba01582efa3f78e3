//! Which clients the policies of a zone tell apart.
//!
//! The atlas knows more of a client than any zone asks: a city's coordinates where the zone has only continents, networks that
//! other zones name. Two steps take that away, once per load:
//!
//! ```text
//! position (atlas) ──▶ spot: only what some rule of this zone looks at ──▶ area: what makes a difference to one of them
//! ```
//!
//! For each rule that looks at the client, a [`Chart`] has one chain of targets per area: the order in which they are tried. A
//! query then costs one look-up, whatever the rule: places, networks, distances and latencies are all settled here.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

use super::chain::{Chain, Order, chain_for};
use super::places::places_of;
use super::tree::{Place, PoolId, Residency, Routing, Rule};
use crate::geo::{
    Asn, Atlas, Coordinates, CountryCode, NetworkId, Position, PositionId, RowSetId, Subdivision,
};

/// Clients that every policy of a zone treats alike, by their number in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AreaId(pub u32);

impl AreaId {
    /// The area of clients of whom nothing is known.
    pub const UNKNOWN: Self = Self(0);

    pub(super) fn index(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// What the rules of a zone look at of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Spot {
    pub country: Option<CountryCode>,
    /// The largest part of the country that is known, and a smaller one inside it.
    pub subdivision: Option<Subdivision>,
    pub district: Option<Subdivision>,
    pub coordinates: Option<Coordinates>,
    pub asn: Option<Asn>,
    pub network: Option<NetworkId>,
    pub row: RowSetId,
    /// Whether anything of the database places it.
    pub is_located: bool,
}

impl Spot {
    /// All that is known of a position.
    pub fn of(atlas: &Atlas, position: Position) -> Self {
        let location = atlas.location(position.location);
        let is_located = location.is_known();
        Self {
            country: location.country,
            subdivision: location.subdivision,
            district: location.district,
            coordinates: location.coordinates,
            asn: position.asn,
            network: position.network,
            row: position.row,
            is_located,
        }
    }

    /// Where on the earth it is: by the database, or in the middle of its subdivision or country.
    pub fn point(&self) -> Option<Coordinates> {
        let parts = [self.district, self.subdivision].into_iter().flatten();
        let middle = || parts.filter_map(Subdivision::coordinates).next();
        self.coordinates.or_else(middle).or_else(|| self.country?.coordinates())
    }
}

/// What the rules of a zone look at.
#[derive(Clone, Debug, Default)]
struct Needs {
    country: bool,
    subdivision: bool,
    coordinates: bool,
    asns: BTreeSet<Asn>,
    networks: BTreeSet<ipnet::IpNet>,
    rows: bool,
}

impl Needs {
    fn of(routing: &Routing) -> Self {
        let mut needs = Self::default();
        for policy in &routing.policies {
            match &policy.rule {
                Rule::Geoproximity { .. } => needs.coordinates = true,
                Rule::Latency(latency) => {
                    needs.coordinates = true;
                    needs.rows |= latency.table.is_some();
                }
                _ => {}
            }
        }
        routing.places_named().iter().for_each(|place| needs.add(place));
        let holds_unlocated = routing.residencies.iter().any(|one| one.holds_unlocated);
        // Where there are no coordinates the subdivision or the country stands in for them.
        needs.subdivision |= needs.coordinates;
        needs.country |= needs.coordinates || holds_unlocated;
        needs
    }

    fn add(&mut self, place: &Place) {
        match place {
            Place::Network(network) => {
                self.networks.insert(*network);
            }
            Place::Asn(asn) => {
                self.asns.insert(*asn);
            }
            Place::Subdivision(_) => self.subdivision = true,
            Place::Country(_) | Place::Group(_) | Place::Continent(_) => self.country = true,
            Place::Default => {}
        }
    }

    /// Every spot, and the number of each position's. Where nothing looks at clients there is one spot for all of them.
    fn spots(&self, atlas: &Atlas) -> (Vec<Spot>, Vec<u32>) {
        let mut spots = Numbers::new();
        let most = if self.is_any() { atlas.positions().len() } else { 1 };
        let spot = |position: &Position| self.project(atlas, Spot::of(atlas, *position));
        let positions = atlas.positions().iter().take(most);
        let spot_of = positions.map(|position| spots.number(spot(position))).collect();
        (spots.list, spot_of)
    }

    /// Whether anything looks at where clients are, rather than at which network they are in.
    fn is_location(&self) -> bool {
        self.country || self.subdivision || self.coordinates || self.rows || !self.asns.is_empty()
    }

    fn is_any(&self) -> bool {
        self.is_location() || !self.networks.is_empty()
    }

    /// A spot without what nothing looks at.
    fn project(&self, atlas: &Atlas, spot: Spot) -> Spot {
        Spot {
            country: spot.country.filter(|_| self.country),
            subdivision: spot.subdivision.filter(|_| self.subdivision),
            district: spot.district.filter(|_| self.subdivision),
            coordinates: spot.coordinates.filter(|_| self.coordinates),
            asn: spot.asn.filter(|asn| self.asns.contains(asn)),
            network: networks_around(atlas, spot.network)
                .find(|(_, prefix)| self.networks.contains(prefix))
                .map(|(id, _)| id),
            row: if self.rows { spot.row } else { RowSetId::NONE },
            is_located: self.is_location()
                && (spot.is_located || spot.asn.is_some_and(|asn| self.asns.contains(&asn))),
        }
    }
}

/// A named network and those around it, the longest first.
pub(super) fn networks_around(
    atlas: &Atlas,
    network: Option<NetworkId>,
) -> impl Iterator<Item = (NetworkId, ipnet::IpNet)> {
    std::iter::successors(network, |id| atlas.network(*id)?.parent)
        .filter_map(|id| Some((id, atlas.network(id)?.prefix)))
}

/// The order in which one rule tries its targets, by area.
#[derive(Clone, Debug, Default)]
pub(super) struct Chart {
    chain_of: Box<[u32]>,
    chains: Box<[Chain]>,
}

impl Chart {
    /// The chain of an area; nothing for an area of another zone.
    fn chain(&self, area: AreaId) -> Option<&Chain> {
        self.chain_of.get(area.index()).and_then(|at| self.chains.get(index(*at)))
    }

    /// The order of an area; nothing for an area of another zone.
    #[inline]
    pub(super) fn order(&self, area: AreaId) -> Option<&Order> {
        self.chain(area).map(|chain| &chain.order)
    }

    /// Whether a named network or a table holds the clients of an area.
    pub(super) fn is_placed(&self, area: AreaId) -> bool {
        self.chain(area).is_some_and(|chain| chain.is_placed)
    }
}

/// What some clients are restricted to (B4).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Restriction {
    /// By pool; empty for clients without a restriction.
    allowed: Box<[bool]>,
    pub(super) fails_closed: bool,
}

impl Restriction {
    /// Whether these clients may be answered with a pool.
    #[inline]
    pub(super) fn allows(&self, pool: PoolId) -> bool {
        self.allowed.get(usize::from(pool.0)).is_none_or(|is_allowed| *is_allowed)
    }

    fn of(residencies: &[&Residency], pools: usize) -> Self {
        let ids = (0u16..).map(PoolId).take(pools);
        let is_allowed = |id: &PoolId| residencies.iter().all(|one| one.pools.contains(id));
        let allowed = if residencies.is_empty() {
            [].into()
        } else {
            ids.map(|id| is_allowed(&id)).collect()
        };
        Self { allowed, fails_closed: residencies.iter().any(|one| one.fails_closed) }
    }
}

/// The areas of a zone, and what its rules come to in each.
#[derive(Debug)]
pub(super) struct Survey {
    /// By policy; nothing for a rule that does not look at the client.
    pub(super) charts: Vec<Option<Chart>>,
    /// By area; empty if nobody is restricted.
    pub(super) restriction_of: Box<[u32]>,
    pub(super) restrictions: Box<[Restriction]>,
    pub(super) areas: Areas,
}

/// Which area each position of the atlas is in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Areas {
    /// Empty if there is one area only.
    of_position: Box<[u32]>,
    /// By area: whether something of the database places its clients.
    is_located: Box<[bool]>,
    /// Whether any rule looks at named networks, which a client's prefix may be too short for (rule 45).
    pub has_networks: bool,
}

impl Areas {
    /// The area of a position.
    pub fn area(&self, position: PositionId) -> AreaId {
        AreaId(self.of_position.get(index(position.0)).copied().unwrap_or(0))
    }

    /// By position, the number of its area; nothing if there is only one.
    pub fn by_position(&self) -> &[u32] {
        &self.of_position
    }

    /// How many there are; never 0.
    pub fn count(&self) -> usize {
        self.is_located.len()
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = AreaId> + use<> {
        (0..u32::try_from(self.count()).unwrap_or(u32::MAX)).map(AreaId)
    }

    /// Whether something of the database places the clients of an area.
    pub fn is_located(&self, area: AreaId) -> bool {
        self.is_located.get(area.index()).copied().unwrap_or(false)
    }
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Numbers things in the order in which they come.
struct Numbers<T> {
    of: HashMap<T, u32>,
    list: Vec<T>,
}

impl<T: Clone + Eq + std::hash::Hash> Numbers<T> {
    fn new() -> Self {
        Self { of: HashMap::new(), list: Vec::new() }
    }

    fn number(&mut self, item: T) -> u32 {
        let next = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        match self.of.entry(item) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                self.list.push(new.key().clone());
                *new.insert(next)
            }
        }
    }
}

/// Numbers by spot: what a rule, or residency, makes of each.
type BySpot = Vec<u32>;

/// Surveys the clients for the rules of one zone.
pub(super) fn survey(routing: &Routing, atlas: &Atlas) -> Survey {
    let needs = Needs::of(routing);
    let (spots, spot_of) = needs.spots(atlas);
    let is_located: BySpot = spots.iter().map(|spot| u32::from(spot.is_located)).collect();
    let charted: Vec<Option<(BySpot, Vec<Chain>)>> =
        routing.policies.iter().map(|one| chart(&one.rule, routing, atlas, &spots)).collect();
    let (restriction_of, restrictions) = restrict(routing, atlas, &spots);
    // An area is the spots that everything makes the same of.
    let mut area_of = is_located.clone();
    for (chain_of, _) in charted.iter().flatten() {
        area_of = refine(&area_of, chain_of);
    }
    area_of = refine(&area_of, &restriction_of);
    let first_spots = first_of_each(&area_of);
    let by_area = |by_spot: &[u32]| -> Box<[u32]> {
        first_spots.iter().filter_map(|spot| by_spot.get(*spot).copied()).collect()
    };
    let charts = charted.into_iter().map(|charted| {
        let (chain_of, chains) = charted?;
        Some(Chart { chain_of: by_area(&chain_of), chains: chains.into() })
    });
    let is_divided = first_spots.len() > 1;
    let area_of_position = |spot: &u32| area_of.get(index(*spot)).copied().unwrap_or(0);
    Survey {
        charts: charts.collect(),
        restriction_of: if restrictions.len() > 1 { by_area(&restriction_of) } else { [].into() },
        restrictions: restrictions.into(),
        areas: Areas {
            of_position: spot_of.iter().filter(|_| is_divided).map(area_of_position).collect(),
            is_located: by_area(&is_located).iter().map(|bit| *bit != 0).collect(),
            has_networks: !needs.networks.is_empty(),
        },
    }
}

/// What one rule makes of each spot; nothing if it does not look at the client.
fn chart(
    rule: &Rule,
    routing: &Routing,
    atlas: &Atlas,
    spots: &[Spot],
) -> Option<(BySpot, Vec<Chain>)> {
    let mut chains = Numbers::new();
    let mut chain_of = Vec::with_capacity(spots.len());
    for spot in spots {
        chain_of.push(chains.number(chain_for(rule, routing, atlas, spot)?));
    }
    Some((chain_of, chains.list))
}

/// What residency makes of each spot. The first restriction is none.
fn restrict(routing: &Routing, atlas: &Atlas, spots: &[Spot]) -> (BySpot, Vec<Restriction>) {
    let mut restrictions = Numbers::new();
    restrictions.number(Restriction::default());
    let restriction_of = spots.iter().map(|spot| {
        let residencies = routing.residencies.iter();
        let held: Vec<&Residency> =
            residencies.filter(|one| holds(one, routing, atlas, spot)).collect();
        restrictions.number(Restriction::of(&held, routing.pools.len()))
    });
    (restriction_of.collect(), restrictions.list)
}

/// Splits classes by a second number, both by spot. Classes stay in the order of their first spot, so that the first spot, of
/// which nothing is known, is in the first.
fn refine(classes: &[u32], by: &[u32]) -> BySpot {
    let mut numbers = Numbers::new();
    classes.iter().zip(by).map(|pair| numbers.number(pair)).collect()
}

/// The first spot of each class.
fn first_of_each(classes: &[u32]) -> Vec<usize> {
    let mut firsts = Vec::new();
    for (spot, class) in classes.iter().enumerate() {
        if index(*class) == firsts.len() {
            firsts.push(spot);
        }
    }
    firsts
}

/// Whether a residency is about the clients at a spot.
pub(crate) fn holds(residency: &Residency, routing: &Routing, atlas: &Atlas, spot: &Spot) -> bool {
    if spot.country.is_none() && residency.holds_unlocated {
        return true;
    }
    places_of(routing, atlas, spot).iter().any(|place| residency.clients.contains(place))
}
