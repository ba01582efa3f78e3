//! Builds the leaves of an atlas: several layers, each of which says one fact of every address, become one.
//!
//! A layer is a list of spans in address order. One sweep passes all layers at once; wherever any fact changes, the facts
//! together are looked up as a position, and ranges of one position are cut into as few prefixes as possible. Neighbours:
//! `nesting.rs` makes spans of prefixes inside each other, `atlas.rs` asks for the result. Invariants: leaves have no gaps;
//! ::ffff:0:0/96 is a leaf of its own, because its addresses are looked up as IPv4.

use std::collections::HashMap;
use std::fmt;
use std::iter::Peekable;

use crate::limits::ATLAS_LEAVES;

use super::asn::Asn;
use super::asn_database::AsnDatabase;
use super::atlas::{Atlas, NetworkId, Position, PositionId, RowSetId};
use super::database::LocationId;
use super::latency_table::{LatencyTable, RegionId};
use super::leaves::{Leaves, Mark};
use super::location::Location;
use super::nesting::{self, Span};
use super::prefix::{Key, Prefix};

/// Why there is no atlas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtlasError {
    /// Over a bound of ours.
    TooLarge {
        /// What there is too much of, in the plural.
        what: &'static str,
        /// How many we take.
        limit: usize,
    },
}

impl fmt::Display for AtlasError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::TooLarge { what, limit } = self;
        write!(
            f,
            "databases, overrides, networks of policies and latency tables together make more than {limit} {what}: \
             use a smaller database or smaller tables"
        )
    }
}

impl std::error::Error for AtlasError {}

/// What an atlas has beside the database.
pub(super) struct Overlay {
    pub ipv4: Leaves<u32>,
    pub ipv6: Leaves<u128>,
    /// Places that overrides have made, numbered after those of the database.
    pub locations: Vec<Location>,
    /// For each position, the one with the network around its own.
    outer: Vec<PositionId>,
    /// For each set of rows, and each table, the row counted from 1, or 0.
    pub rows: Vec<Box<[u32]>>,
}

impl Overlay {
    /// The position with the next shorter named network, or with none, and all else the same.
    pub fn outer(&self, id: PositionId) -> Option<PositionId> {
        self.outer.get(id.index()).copied()
    }

    /// Heap octets held.
    pub fn memory_octets(&self) -> usize {
        let rows: usize = self.rows.iter().map(|rows| std::mem::size_of_val(rows.as_ref())).sum();
        [
            self.ipv4.memory_octets(),
            self.ipv6.memory_octets(),
            std::mem::size_of_val(self.locations.as_slice()),
            std::mem::size_of_val(self.outer.as_slice()),
            std::mem::size_of_val(self.rows.as_slice()),
            rows,
        ]
        .into_iter()
        .sum()
    }
}

/// Lays everything that an atlas names over its database.
pub(super) fn build(atlas: &Atlas) -> Result<(Vec<Position>, Overlay), AtlasError> {
    let tables: Vec<Vec<u32>> = atlas.tables().iter().map(|table| alike_rows(table)).collect();
    let mut positions = Positions::new(atlas);
    let ipv4 = sweep(layers(atlas, &atlas.database().ipv4, &tables), &mut positions, 0)?;
    let ipv6 = sweep(layers(atlas, &atlas.database().ipv6, &tables), &mut positions, ipv4.len())?;
    let outer = positions.surround()?;
    let Positions { list, locations, rows, .. } = positions;
    Ok((list, Overlay { ipv4, ipv6, locations: locations.own, outer, rows: rows.list }))
}

/// Which fact stands where in what a sweep has found; after these, one row for each table.
const LOCATION: usize = 0;
const ASN: usize = 1;
const OVERRIDE: usize = 2;
const NETWORK: usize = 3;
const ROWS: usize = 4;

/// The facts of a family, in the order of the constants above: an index for locations, else counted from 1.
fn layers<'a, K: AsnLeaves>(
    atlas: &'a Atlas,
    base: &'a Leaves<K>,
    tables: &'a [Vec<u32>],
) -> Vec<Layer<'a, K>> {
    let asn = atlas.asn_database().map(|asn| asn_spans(atlas, asn)).unwrap_or_default();
    let overrides = nesting::spans(atlas.overrides().iter().map(|(network, _)| network).zip(1..));
    let networks = nesting::spans(atlas.networks().iter().map(|network| network.prefix).zip(1..));
    let mut layers = vec![
        Layer::new(base.iter().map(|(prefix, number)| (prefix.start, number))),
        Layer::new(asn),
        Layer::new(overrides),
        Layer::new(networks),
    ];
    layers.extend(atlas.tables().iter().zip(tables).map(|(table, alike)| {
        let networks = table.rows.iter().map(|row| row.network);
        Layer::new(nesting::spans(networks.zip(alike.iter().copied())))
    }));
    layers
}

/// A family, as a database of autonomous systems has it.
trait AsnLeaves: Key {
    fn of(database: &AsnDatabase) -> &Leaves<Self>;
}

impl AsnLeaves for u32 {
    fn of(database: &AsnDatabase) -> &Leaves<Self> {
        &database.ipv4
    }
}

impl AsnLeaves for u128 {
    fn of(database: &AsnDatabase) -> &Leaves<Self> {
        &database.ipv6
    }
}

/// Where the named systems are, each by its place among the named ones.
fn asn_spans<K: AsnLeaves>(atlas: &Atlas, database: &AsnDatabase) -> Vec<Span<K>> {
    let named: HashMap<Asn, u32> = atlas.asns().iter().copied().zip(1..).collect();
    let place = |asn: &Option<Asn>| asn.and_then(|asn| named.get(&asn)).copied().unwrap_or(0);
    let places: Vec<u32> = database.asns().iter().map(place).collect();
    let mut spans: Vec<Span<K>> = Vec::new();
    for (prefix, number) in K::of(database).iter() {
        let place = places.get(number as usize).copied().unwrap_or(0);
        if spans.last().is_none_or(|(_, last)| *last != place) {
            spans.push((prefix.start, place));
        }
    }
    spans
}

/// For each row of a table, counted from 1, the first row that says the same.
fn alike_rows(table: &LatencyTable) -> Vec<u32> {
    let mut first: HashMap<&[(RegionId, u32)], u32> = HashMap::new();
    let rows = table.rows.iter().zip(1..);
    rows.map(|(row, number)| *first.entry(&row.latencies).or_insert(number)).collect()
}

/// One fact of every address of a family.
struct Layer<'a, K> {
    rest: Peekable<Box<dyn Iterator<Item = Span<K>> + 'a>>,
    /// What holds where the sweep is.
    value: u32,
}

impl<'a, K: Key + 'a> Layer<'a, K> {
    fn new(spans: impl IntoIterator<Item = Span<K>, IntoIter: 'a>) -> Self {
        let spans: Box<dyn Iterator<Item = Span<K>> + 'a> = Box::new(spans.into_iter());
        Self { rest: spans.peekable(), value: 0 }
    }

    /// Goes on to an address, and says where the next span begins.
    fn advance(&mut self, to: K) -> Option<K> {
        while let Some((_, value)) = self.rest.next_if(|(start, _)| *start <= to) {
            self.value = value;
        }
        self.rest.peek().map(|(start, _)| *start)
    }
}

/// Passes all layers at once, and writes the leaves; so many are there already.
fn sweep<'a, K: Key + 'a>(
    mut layers: Vec<Layer<'a, K>>,
    positions: &mut Positions<'_>,
    before: usize,
) -> Result<Leaves<K>, AtlasError> {
    let mut writer =
        Writer { leaves: Leaves::new(), open: None, limit: ATLAS_LEAVES.saturating_sub(before) };
    let mut facts: Vec<u32> = Vec::with_capacity(layers.len());
    let mut at = Some(K::ZERO);
    while let Some(start) = at {
        at = layers.iter_mut().filter_map(|layer| layer.advance(start)).min();
        facts.clear();
        facts.extend(layers.iter().map(|layer| layer.value));
        writer.set(start, positions.number(&facts)?)?;
    }
    writer.finish()
}

/// Cuts ranges of one position into prefixes.
struct Writer<K> {
    leaves: Leaves<K>,
    /// The range that is not at its end: where it begins, and its position.
    open: Option<Span<K>>,
    limit: usize,
}

impl<K: Key> Writer<K> {
    /// A position from an address on.
    fn set(&mut self, start: K, number: u32) -> Result<(), AtlasError> {
        match self.open {
            Some((_, open)) if open == number && !start.is_mapped_start() => return Ok(()),
            Some((first, open)) => self.cut(first, start.before(), open)?,
            None => {}
        }
        self.open = Some((start, number));
        Ok(())
    }

    fn finish(mut self) -> Result<Leaves<K>, AtlasError> {
        if let Some((first, number)) = self.open {
            self.cut(first, K::ZERO.last(0), number)?;
        }
        self.leaves.shrink();
        Ok(self.leaves)
    }

    /// Writes the prefixes of a range, the largest that fit.
    fn cut(&mut self, first: K, last: K, number: u32) -> Result<(), AtlasError> {
        let mut next = Some(first);
        while let Some(start) = next.filter(|start| *start <= last) {
            if self.leaves.len() >= self.limit {
                return Err(AtlasError::TooLarge { what: "prefixes", limit: ATLAS_LEAVES });
            }
            let prefix = Prefix { start, depth: start.depth_up_to(last) };
            self.leaves.push(prefix, number);
            next = prefix.last().next();
        }
        Ok(())
    }
}

/// Positions without repetition.
struct Positions<'a> {
    atlas: &'a Atlas,
    asns: Vec<Asn>,
    list: Vec<Position>,
    numbers: HashMap<Position, u32>,
    /// The position of facts that were seen before.
    known: HashMap<Vec<u32>, u32>,
    rows: Rows,
    locations: Locations<'a>,
}

impl<'a> Positions<'a> {
    fn new(atlas: &'a Atlas) -> Self {
        let nothing: Box<[u32]> = atlas.tables().iter().map(|_| 0).collect();
        Self {
            atlas,
            asns: atlas.asns().iter().copied().collect(),
            list: vec![Position::UNKNOWN],
            numbers: HashMap::from([(Position::UNKNOWN, 0)]),
            known: HashMap::new(),
            rows: Rows { numbers: HashMap::from([(nothing.clone(), 0)]), list: vec![nothing] },
            locations: Locations::new(atlas),
        }
    }

    /// The number of the position of these facts.
    fn number(&mut self, facts: &[u32]) -> Result<u32, AtlasError> {
        if let Some(known) = self.known.get(facts) {
            return Ok(*known);
        }
        let position = self.resolve(facts);
        let number = self.intern(position)?;
        self.known.insert(facts.to_vec(), number);
        Ok(number)
    }

    /// What the facts mean.
    fn resolve(&mut self, facts: &[u32]) -> Position {
        let fact = |at: usize| facts.get(at).copied().unwrap_or(0);
        // From 1: the place in a list, or nothing.
        let place = |at: usize| fact(at).checked_sub(1);
        let asn = place(ASN).and_then(|asn| self.asns.get(asn as usize)).copied();
        let mut position = Position {
            location: LocationId::from_number(fact(LOCATION)),
            asn,
            network: place(NETWORK).map(NetworkId),
            row: self.rows.number(facts.get(ROWS..).unwrap_or_default()),
        };
        if let Some(at) = place(OVERRIDE) {
            let said = self.atlas.overrides().whole(at);
            let known = self.locations.location(position.location);
            let place = said.apply(known);
            if place != known {
                position.location = self.locations.number(place);
            }
            if said.asn.is_some() {
                position.asn = said.asn.filter(|asn| self.atlas.asns().contains(asn));
            }
        }
        position
    }

    fn intern(&mut self, position: Position) -> Result<u32, AtlasError> {
        if let Some(known) = self.numbers.get(&position) {
            return Ok(*known);
        }
        let number = self.list.len();
        if number >= Mark::NUMBERS {
            return Err(AtlasError::TooLarge { what: "positions", limit: Mark::NUMBERS });
        }
        // Fits by the line before.
        let number = number as u32;
        self.list.push(position);
        self.numbers.insert(position, number);
        Ok(number)
    }

    /// For each position the one with the network around its own, which is made if there is none.
    fn surround(&mut self) -> Result<Vec<PositionId>, AtlasError> {
        let mut outer: Vec<PositionId> = Vec::new();
        while let Some(&position) = self.list.get(outer.len()) {
            let network = position.network.and_then(|id| self.atlas.network(id)?.parent);
            let number = self.intern(Position { network, ..position })?;
            outer.push(PositionId(number));
        }
        Ok(outer)
    }
}

/// Sets of rows without repetition; the first has none.
struct Rows {
    list: Vec<Box<[u32]>>,
    numbers: HashMap<Box<[u32]>, u32>,
}

impl Rows {
    /// The number of a set; there are no more than prefixes, so that it fits.
    fn number(&mut self, rows: &[u32]) -> RowSetId {
        if let Some(known) = self.numbers.get(rows) {
            return RowSetId(*known);
        }
        let number = self.list.len() as u32;
        self.list.push(rows.into());
        self.numbers.insert(rows.into(), number);
        RowSetId(number)
    }
}

/// The places of the database, and those that overrides make.
struct Locations<'a> {
    atlas: &'a Atlas,
    own: Vec<Location>,
    /// Empty without overrides.
    numbers: HashMap<Location, LocationId>,
}

impl<'a> Locations<'a> {
    fn new(atlas: &'a Atlas) -> Self {
        let known = atlas.database().locations();
        let is_needed = !atlas.overrides().is_empty();
        let known = known.iter().copied().zip(LocationId::all(known)).filter(|_| is_needed);
        Self { atlas, own: Vec::new(), numbers: known.collect() }
    }

    /// A place of the database.
    fn location(&self, id: LocationId) -> Location {
        self.atlas.database().location(id)
    }

    /// The number of a place, a new one if it is new.
    fn number(&mut self, location: Location) -> LocationId {
        let count = self.atlas.database().locations().len().saturating_add(self.own.len());
        let own = &mut self.own;
        *self.numbers.entry(location).or_insert_with(|| {
            own.push(location);
            // Fits: at most one for each pair of a place and an override, each of which has a prefix.
            LocationId::from_number(count as u32)
        })
    }
}
