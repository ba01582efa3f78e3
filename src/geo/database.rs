//! A database of places, read once into flat tables.
//!
//! Neighbours: `file.rs` reads the file, `location.rs` knows what its records mean, `atlas.rs` lays everything else over it.
//! Invariants: the lists of prefixes cover every address without gaps; every number in them is an index into the locations;
//! number 0 is "unknown".

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::limits::DATABASE_NETWORKS;

use super::error::DatabaseError;
use super::file;
use super::leaves::Leaves;
use super::location::Location;
use super::prefix::{Family, Key, map_network};

/// The country database compiled into the program: bootstrap data, see `geodb/README.md`.
const BUILT_IN: &[u8] = include_bytes!("../../geodb/iptoasn-country.mmdb");

/// The number of a [`Location`] in one [`Database`], or in one [`Atlas`](super::Atlas) of it; means nothing in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocationId(u32);

impl LocationId {
    /// No place known: not in the database, no usable country, or special-purpose address space.
    pub const UNKNOWN: Self = Self(0);

    /// The location of a number that [`LocationId::number`] gave.
    pub fn from_number(number: u32) -> Self {
        Self(number)
    }

    /// The place in [`Database::locations`], below 2^24.
    pub fn number(self) -> u32 {
        self.0
    }

    /// The numbers of all these locations.
    pub fn all(locations: &[Location]) -> impl Iterator<Item = Self> + use<> {
        let count = u32::try_from(locations.len()).unwrap_or(u32::MAX);
        (0..count).map(Self)
    }

    /// The index into [`Database::locations`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What one database says of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatabaseMatch {
    /// The place.
    pub location: LocationId,
    /// The prefix of the database that said so; holds the address that was asked for.
    pub network: IpNet,
}

/// A database of places in memory.
pub struct Database {
    kind: String,
    description: String,
    build_epoch: u64,
    /// Index 0 is the unknown location.
    locations: Vec<Location>,
    has_subdivisions: bool,
    has_coordinates: bool,
    pub(super) ipv4: Leaves<u32>,
    pub(super) ipv6: Leaves<u128>,
}

impl Database {
    /// Reads a MaxMind DB file of places (GeoLite2, GeoIP2, DB-IP, IPtoASN, IPinfo and others; Country, City or Enterprise).
    ///
    /// Takes any octets: a damaged or hostile file gives an error in bounded time. Keeps 8 octets for each IPv4 network,
    /// 20 for each IPv6 network and 16 for each distinct place, nothing of `bytes`; reading the built-in one (860,000
    /// networks) takes 40 ms. Autonomous systems that a record may name too are passed over:
    /// [`AsnDatabase`](super::AsnDatabase) reads them from a file of their own.
    pub fn read(bytes: &[u8]) -> Result<Self, DatabaseError> {
        Self::read_at_most(bytes, DATABASE_NETWORKS)
    }

    /// Reads a file of at most this many networks; tests ask for few.
    pub(super) fn read_at_most(bytes: &[u8], networks: usize) -> Result<Self, DatabaseError> {
        let contents = file::read(bytes, networks, Location::read)?;
        let locations = contents.values;
        // A server that silently sends everyone to the default is worse than one that does not start.
        if locations.len() < 2 {
            return Err(DatabaseError::NoCountries { kind: contents.kind });
        }
        Ok(Self {
            kind: contents.kind,
            description: contents.description,
            build_epoch: contents.build_epoch,
            has_subdivisions: locations.iter().any(|location| location.subdivision.is_some()),
            has_coordinates: locations.iter().any(|location| location.coordinates.is_some()),
            locations,
            ipv4: contents.ipv4,
            ipv6: contents.ipv6,
        })
    }

    /// The database compiled into the program. Good enough to try the server out, known to be wrong here and there;
    /// an error would mean a broken build and is tested for.
    pub fn built_in() -> Result<Self, DatabaseError> {
        Self::read(BUILT_IN)
    }

    /// Every distinct location; the index is [`LocationId::index`], and index 0 is the unknown one.
    pub fn locations(&self) -> &[Location] {
        &self.locations
    }

    /// One location by its number; the unknown one for a number of another database.
    pub fn location(&self, id: LocationId) -> Location {
        self.locations.get(id.index()).copied().unwrap_or_default()
    }

    /// Does any record name a subdivision by its code? If not, policies of subdivisions match nobody.
    pub fn has_subdivisions(&self) -> bool {
        self.has_subdivisions
    }

    /// Does any record have coordinates?
    pub fn has_coordinates(&self) -> bool {
        self.has_coordinates
    }

    /// The place of an address, and the longest prefix of the database that holds it.
    ///
    /// An IPv4-mapped IPv6 address is located as its IPv4 address; the network is then written as IPv6. This is the
    /// slow, exact way, for `explain` and for tests; queries use a [`PrefixMap`](super::PrefixMap).
    pub fn locate(&self, address: IpAddr) -> DatabaseMatch {
        match Family::of(address) {
            Family::Ipv4(key) => find(&self.ipv4, key),
            Family::Ipv6(key) => find(&self.ipv6, key),
            Family::Mapped(key) => {
                let found = find(&self.ipv4, key);
                DatabaseMatch { network: map_network(found.network), ..found }
            }
        }
    }

    /// What the file calls itself (`database_type`), for example `GeoLite2-Country`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// What the file says of itself, in English if it can; may be empty.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// When the file was built, in seconds of Unix time.
    pub fn build_epoch(&self) -> u64 {
        self.build_epoch
    }

    /// How many IPv4 prefixes the space is cut into.
    pub fn ipv4_networks(&self) -> usize {
        self.ipv4.len()
    }

    /// How many IPv6 prefixes the space is cut into.
    pub fn ipv6_networks(&self) -> usize {
        self.ipv6.len()
    }

    /// Heap octets held, for metrics.
    pub fn memory_octets(&self) -> usize {
        let locations = std::mem::size_of_val(self.locations.as_slice());
        self.ipv4
            .memory_octets()
            .saturating_add(self.ipv6.memory_octets())
            .saturating_add(locations)
    }
}

/// What the leaves of one family say of an address.
fn find<K: Key>(leaves: &Leaves<K>, key: K) -> DatabaseMatch {
    let (prefix, number) = leaves.find(key);
    let network = prefix.start.network(prefix.depth);
    DatabaseMatch { location: LocationId(number), network }
}

impl fmt::Debug for Database {
    /// What it is and how large, not its million numbers.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Database")
            .field("kind", &self.kind)
            .field("build_epoch", &self.build_epoch)
            .field("ipv4_networks", &self.ipv4_networks())
            .field("ipv6_networks", &self.ipv6_networks())
            .finish_non_exhaustive()
    }
}
