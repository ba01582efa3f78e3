//! Everything that can tell the clients of one snapshot apart, laid over each other.
//!
//! A policy may ask for the place of a client, its autonomous system, the named network that holds it, and its row in a latency
//! table. An [`Atlas`] cuts the address space so that within one leaf all of that is the same: the leaf's [`Position`]. What
//! policies do with positions is up to them: they give each a class, and [`Atlas::merge`] begins the prefix map of it.
//!
//! | layer | wins over | holds in special-purpose space |
//! |---|---|---|
//! | database of places, of autonomous systems | | no |
//! | overrides | both databases | yes |
//! | networks that policies name, latency tables | (facts of their own) | yes |
//!
//! Neighbours: `database.rs`, `asn_database.rs`, `overrides.rs` and `latency_table.rs` are the layers, `overlay.rs` lays them over
//! each other, `merged.rs` and `prefix_map.rs` compile partitions. Invariants: position 0 is the wholly unknown one, no two
//! are equal; with no layer but the database its leaves are used as they are, and positions are numbered as locations.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::asn::Asn;
use super::asn_database::AsnDatabase;
use super::database::{Database, LocationId};
use super::latency_table::{LatencyTable, RegionId};
use super::leaves::Leaves;
use super::location::Location;
use super::merged::Merged;
use super::nesting;
use super::overlay::{self, AtlasError, Overlay};
use super::overrides::Overrides;
use super::prefix::{Family, canonical, map_network};
use super::special;

/// A position, by its place in [`Atlas::positions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PositionId(pub u32);

impl PositionId {
    /// Nothing is known of the client.
    pub const UNKNOWN: Self = Self(0);

    /// The index into [`Atlas::positions`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A named network, by its place in [`Atlas::networks`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NetworkId(pub u32);

/// A row in each latency table, as far as there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowSetId(pub u32);

impl RowSetId {
    /// No table has a row for the client.
    pub const NONE: Self = Self(0);
}

/// All that a policy can know of where a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    pub location: LocationId,
    /// Only systems that a policy names; all others are nothing.
    pub asn: Option<Asn>,
    /// The longest named network that holds the client; those around it are its parents.
    pub network: Option<NetworkId>,
    pub row: RowSetId,
}

impl Position {
    /// Nothing is known of the client.
    pub const UNKNOWN: Self =
        Self { location: LocationId::UNKNOWN, asn: None, network: None, row: RowSetId::NONE };
}

/// A network that a policy names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Without host bits.
    pub prefix: IpNet,
    /// The longest other named network that holds it.
    pub parent: Option<NetworkId>,
}

/// What an atlas is made of.
#[derive(Clone, Debug)]
pub struct AtlasParts<'a> {
    pub database: Arc<Database>,
    pub asn: Option<Arc<AsnDatabase>>,
    pub overrides: &'a Overrides,
    /// Every network that any policy names, in any order, repeated or not.
    pub networks: &'a [IpNet],
    /// Every autonomous system that any policy names.
    pub asns: &'a BTreeSet<Asn>,
    /// Every latency table; a row set is asked for by a table's place here.
    pub tables: &'a [Arc<LatencyTable>],
}

/// Who said where a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocationSource {
    Database,
    Override,
}

/// The answer to "where is this address, and who says so?".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Located {
    pub position: PositionId,
    /// The prefix of the database, or of the override, that said so; holds the address.
    pub network: IpNet,
    pub source: LocationSource,
}

/// All positions of one snapshot, and where they are. Never changes; share it.
pub struct Atlas {
    database: Arc<Database>,
    asn: Option<Arc<AsnDatabase>>,
    overrides: Overrides,
    asns: BTreeSet<Asn>,
    tables: Vec<Arc<LatencyTable>>,
    networks: Vec<Network>,
    positions: Vec<Position>,
    /// Nothing if the database is all there is: then its leaves are the atlas's.
    overlay: Option<Overlay>,
}

impl Atlas {
    /// Lays all parts over each other. A million networks take about a tenth of a second; without anything but the database
    /// there is nothing to do.
    ///
    /// An error means that the parts together are larger than [`crate::limits`] allows.
    pub fn build(parts: AtlasParts<'_>) -> Result<Self, AtlasError> {
        let AtlasParts { database, asn, overrides, asns, tables, .. } = parts;
        let mut prefixes: Vec<IpNet> = parts.networks.iter().copied().map(canonical).collect();
        prefixes.sort_unstable();
        prefixes.dedup();
        let parents = nesting::parents(&prefixes);
        let networks = prefixes
            .into_iter()
            .zip(parents)
            .map(|(prefix, parent)| Network { prefix, parent: parent.map(NetworkId) });
        let mut atlas = Self {
            networks: networks.collect(),
            asn,
            overrides: overrides.clone(),
            asns: asns.clone(),
            tables: tables.to_vec(),
            ..Self::of(database)
        };
        if atlas.needs_overlay() {
            let (positions, overlay) = overlay::build(&atlas)?;
            atlas.positions = positions;
            atlas.overlay = Some(overlay);
        }
        Ok(atlas)
    }

    /// The atlas of a database alone.
    pub fn of(database: Arc<Database>) -> Self {
        let locations = LocationId::all(database.locations());
        Self {
            positions: locations
                .map(|location| Position { location, ..Position::UNKNOWN })
                .collect(),
            database,
            asn: None,
            overrides: Overrides::default(),
            asns: BTreeSet::new(),
            tables: Vec::new(),
            networks: Vec::new(),
            overlay: None,
        }
    }

    fn needs_overlay(&self) -> bool {
        let has_rows = self.tables.iter().any(|table| !table.rows.is_empty());
        let has_asns = self.asn.is_some() && !self.asns.is_empty();
        has_rows || has_asns || !self.overrides.is_empty() || !self.networks.is_empty()
    }

    /// Do both cut the address space alike, because they are made of the same parts? Then classes of positions, and prefix maps
    /// made of them, hold for either. Parts count as the same if they are shared, not if they are equal.
    pub fn same(&self, other: &Self) -> bool {
        let is_same_asn = match (&self.asn, &other.asn) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        };
        let (one, two) = (&self.tables, &other.tables);
        let are_same_tables =
            one.len() == two.len() && one.iter().zip(two).all(|(one, two)| Arc::ptr_eq(one, two));
        Arc::ptr_eq(&self.database, &other.database)
            && is_same_asn
            && are_same_tables
            && self.networks == other.networks
            && self.asns == other.asns
            && self.overrides == other.overrides
    }

    /// Every position; position 0 is the unknown one.
    pub fn positions(&self) -> &[Position] {
        &self.positions
    }

    /// One position by its number; the unknown one for a number of another atlas.
    pub fn position(&self, id: PositionId) -> Position {
        self.positions.get(id.index()).copied().unwrap_or(Position::UNKNOWN)
    }

    /// A location by its number: of the database, or of an override.
    pub fn location(&self, id: LocationId) -> Location {
        let known = self.database.locations();
        let own = || {
            let at = id.index().checked_sub(known.len())?;
            self.overlay.as_ref()?.locations.get(at)
        };
        known.get(id.index()).or_else(own).copied().unwrap_or_default()
    }

    /// Every network that a policy names, in order of address, shorter ones before those inside them.
    pub fn networks(&self) -> &[Network] {
        &self.networks
    }

    /// A named network by its number.
    pub fn network(&self, id: NetworkId) -> Option<&Network> {
        self.networks.get(id.0 as usize)
    }

    /// The number of a network that a policy names.
    pub fn network_id(&self, prefix: IpNet) -> Option<NetworkId> {
        let prefix = canonical(prefix);
        let at = self.networks.binary_search_by_key(&prefix, |network| network.prefix).ok()?;
        u32::try_from(at).ok().map(NetworkId)
    }

    /// The named networks that hold a position, the longest first.
    pub fn networks_around(&self, position: Position) -> impl Iterator<Item = NetworkId> {
        let parent = |id: &NetworkId| self.network(*id)?.parent;
        std::iter::successors(position.network, parent)
    }

    /// What the table of this place says of the clients of a position: microseconds to each region that it knows, in order of
    /// region.
    pub fn row(&self, id: RowSetId, table: usize) -> &[(RegionId, u32)] {
        let find = || {
            let rows = self.overlay.as_ref()?.rows.get(id.0 as usize)?;
            let row = rows.get(table)?.checked_sub(1)?;
            self.tables.get(table)?.rows.get(row as usize)
        };
        find().map_or(&[], |row| &row.latencies)
    }

    /// The latency tables that row sets are of.
    pub fn tables(&self) -> &[Arc<LatencyTable>] {
        &self.tables
    }

    /// The position of a client of whom `source_length` bits are known: of the longest named networks only those that hold all
    /// of its prefix count (rule 45); everything else goes by the address. All bits: 32 or 128.
    pub fn position_of(&self, address: IpAddr, source_length: u8) -> PositionId {
        let (ipv4, ipv6) = self.leaves();
        let (number, length) = match Family::of(address) {
            Family::Ipv4(key) => (ipv4.find(key).1, source_length),
            Family::Mapped(key) => {
                (ipv4.find(key).1, source_length.saturating_sub(special::MAPPED.depth))
            }
            Family::Ipv6(key) => (ipv6.find(key).1, source_length),
        };
        let mut id = PositionId(number);
        while let Some(network) = self.position(id).network.and_then(|id| self.network(id))
            && network.prefix.prefix_len() > length
            && let Some(outer) = self.overlay.as_ref().and_then(|overlay| overlay.outer(id))
        {
            id = outer;
        }
        id
    }

    /// The position of an address, and who says where it is. For `explain`.
    pub fn locate(&self, address: IpAddr) -> Located {
        let position = self.position_of(address, u8::MAX);
        let said = self.overrides.find(address).and_then(|at| self.overrides.place_network(at));
        if let Some(network) = said {
            let is_mapped = matches!(Family::of(address), Family::Mapped(_));
            let network = if is_mapped { map_network(network) } else { network };
            return Located { position, network, source: LocationSource::Override };
        }
        let network = self.database.locate(address).network;
        Located { position, network, source: LocationSource::Database }
    }

    /// Who runs the network of an address, whether a policy names the system or not. For `explain`.
    pub fn asn_of(&self, address: IpAddr) -> Option<Asn> {
        let said = self.overrides.find(address).and_then(|at| self.overrides.whole(at).asn);
        said.or_else(|| self.asn.as_ref()?.asn_of(address))
    }

    /// Merges what no policy of a zone tells apart, by the class of each position; the first step to the zone's prefix maps.
    ///
    /// Classes are below 2^24 and best counted from 0; a position beyond the end has the class of the unknown one, or 0.
    pub fn merge(&self, class_of: &[u32]) -> Merged {
        let beyond = class_of.first().copied().unwrap_or(0);
        let (ipv4, ipv6) = self.leaves();
        Merged::new(ipv4, ipv6, |position| {
            class_of.get(position as usize).copied().unwrap_or(beyond)
        })
    }

    /// The database of places.
    pub fn database(&self) -> &Arc<Database> {
        &self.database
    }

    /// The database of autonomous systems.
    pub fn asn_database(&self) -> Option<&Arc<AsnDatabase>> {
        self.asn.as_ref()
    }

    /// What the operator knows better.
    pub fn overrides(&self) -> &Overrides {
        &self.overrides
    }

    /// Every autonomous system that a policy names.
    pub fn asns(&self) -> &BTreeSet<Asn> {
        &self.asns
    }

    /// All prefixes with their positions.
    pub(super) fn leaves(&self) -> (&Leaves<u32>, &Leaves<u128>) {
        match &self.overlay {
            Some(overlay) => (&overlay.ipv4, &overlay.ipv6),
            None => (&self.database.ipv4, &self.database.ipv6),
        }
    }

    /// How many leaves the space is cut into, IPv4 and IPv6.
    pub fn leaf_counts(&self) -> (usize, usize) {
        let (ipv4, ipv6) = self.leaves();
        (ipv4.len(), ipv6.len())
    }

    /// Heap octets held beside the parts, for metrics.
    pub fn memory_octets(&self) -> usize {
        let positions = std::mem::size_of_val(self.positions.as_slice());
        let networks = std::mem::size_of_val(self.networks.as_slice());
        let overlay = self.overlay.as_ref().map_or(0, Overlay::memory_octets);
        positions.saturating_add(networks).saturating_add(overlay)
    }
}

impl fmt::Debug for Atlas {
    /// How large it is, not its million numbers.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Atlas")
            .field("database", &self.database)
            .field("positions", &self.positions.len())
            .field("networks", &self.networks.len())
            .field("leaves", &self.leaf_counts())
            .finish_non_exhaustive()
    }
}
