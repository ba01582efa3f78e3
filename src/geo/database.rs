//! A country database, read once into flat tables.
//!
//! Everything about the file is settled here: each distinct record is decoded once into a [`Location`], special-purpose
//! space is cut out, and what remains is one sorted list of prefixes per family that covers every address. After that
//! no byte of the file is looked at again. Neighbours: `tree.rs` walks, `special.rs` says what is cut out,
//! `prefix_map.rs` compiles what a policy needs out of this. Invariants: the lists start at the first address, are in
//! order and have no gaps; every location number in them is an index into the locations; number 0 is "unknown".

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};
use maxminddb::{MaxMindDbError, PathElement, Reader};

use crate::limits::{DATABASE_NETWORKS, DATABASE_OCTETS, DATABASE_RECORDS};

use super::country::CountryCode;
use super::error::DatabaseError;
use super::prefix::{Key, Prefix};
use super::special;
use super::tree::{Leaf, Tree};

/// Where databases write the country, best first. The first that is there decides, even if it means nothing.
const SHAPES: [&[PathElement<'static>]; 3] = [
    &[PathElement::Key("country"), PathElement::Key("iso_code")],
    &[PathElement::Key("registered_country"), PathElement::Key("iso_code")],
    &[PathElement::Key("country_code")],
];

/// The country database compiled into the program: bootstrap data, see `geodb/README.md`.
const BUILT_IN: &[u8] = include_bytes!("../../geodb/iptoasn-country.mmdb");

/// What a database knows of a client's place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Location {
    /// The country, if the record named one that exists.
    pub country: Option<CountryCode>,
}

/// The number of a [`Location`] in one [`Database`]; means nothing in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocationId(u16);

impl LocationId {
    /// No place known: not in the database, no usable country, or special-purpose address space.
    pub const UNKNOWN: Self = Self(0);

    /// The location of a number that [`LocationId::number`] gave.
    pub fn from_number(number: u16) -> Self {
        Self(number)
    }

    /// The place in [`Database::locations`], as prefix maps store it.
    pub fn number(self) -> u16 {
        self.0
    }

    /// The numbers of all these locations.
    pub fn all(locations: &[Location]) -> impl Iterator<Item = Self> + use<> {
        let count = u16::try_from(locations.len()).unwrap_or(u16::MAX);
        (0..count).map(Self)
    }

    /// The index into [`Database::locations`].
    pub fn index(self) -> usize {
        self.0.into()
    }
}

/// The answer to "where is this address?".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Located {
    /// The place.
    pub location: LocationId,
    /// The prefix of the database that said so; holds the address that was asked for.
    pub network: IpNet,
}

/// A country database in memory.
pub struct Database {
    kind: String,
    description: String,
    build_epoch: u64,
    /// Index 0 is the unknown location.
    locations: Vec<Location>,
    pub(super) ipv4: Leaves<u32>,
    pub(super) ipv6: Leaves<u128>,
}

impl Database {
    /// Reads a MaxMind DB file (GeoLite2, GeoIP2, DB-IP, IPtoASN and others that name a country in one of the three
    /// usual ways).
    ///
    /// Takes any bytes: a damaged or hostile file gives an error in bounded time. Keeps 7 octets for each IPv4 network
    /// and 19 for each IPv6 network, nothing of `bytes`; reading the built-in one (860,000 networks) takes 40 ms.
    pub fn read(bytes: &[u8]) -> Result<Self, DatabaseError> {
        Self::read_at_most(bytes, DATABASE_NETWORKS)
    }

    /// Reads a file of at most this many networks; tests ask for few.
    pub(super) fn read_at_most(bytes: &[u8], networks: usize) -> Result<Self, DatabaseError> {
        if bytes.len() > DATABASE_OCTETS {
            return Err(DatabaseError::TooLarge { what: "octets", limit: DATABASE_OCTETS });
        }
        let reader = Reader::from_source(bytes)?;
        let tree = Tree::new(bytes, reader.metadata())?;
        let mut places = Places::new(&reader, networks);
        let (ipv4, ipv6) = collect_leaves(&tree, &mut places)?;
        places.require_a_country()?;
        let metadata = reader.metadata();
        Ok(Self {
            kind: metadata.database_type.clone(),
            description: english(&metadata.description),
            build_epoch: metadata.build_epoch,
            locations: places.locations,
            ipv4,
            ipv6,
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

    /// The place of an address, and the longest prefix of the database that holds it.
    ///
    /// An IPv4-mapped IPv6 address is located as its IPv4 address; the network is then written as IPv6. This is the
    /// slow, exact way, for `explain` and for tests; queries use a [`PrefixMap`](super::PrefixMap).
    pub fn locate(&self, address: IpAddr) -> Located {
        match address {
            IpAddr::V4(address) => self.ipv4.locate(address.into()),
            IpAddr::V6(address) => match address.to_ipv4_mapped() {
                Some(mapped) => map_network(self.ipv4.locate(mapped.into())),
                None => self.ipv6.locate(address.into()),
            },
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
        self.ipv4.starts.len()
    }

    /// How many IPv6 prefixes the space is cut into.
    pub fn ipv6_networks(&self) -> usize {
        self.ipv6.starts.len()
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

/// The prefixes of one family as parallel vectors, sorted by first address, without gaps.
pub(super) struct Leaves<K> {
    starts: Vec<K>,
    depths: Vec<u8>,
    locations: Vec<LocationId>,
}

impl<K: Key> Leaves<K> {
    const fn new() -> Self {
        Self { starts: Vec::new(), depths: Vec::new(), locations: Vec::new() }
    }

    fn push(&mut self, prefix: Prefix<K>, location: LocationId) {
        self.starts.push(prefix.start);
        self.depths.push(prefix.depth);
        self.locations.push(location);
    }

    /// Gives back what growing has reserved.
    fn shrink(&mut self) {
        self.starts.shrink_to_fit();
        self.depths.shrink_to_fit();
        self.locations.shrink_to_fit();
    }

    /// All prefixes with their locations, in address order.
    pub fn iter(&self) -> impl Iterator<Item = (Prefix<K>, LocationId)> {
        let prefixes = self.starts.iter().zip(&self.depths);
        let prefixes = prefixes.map(|(&start, &depth)| Prefix { start, depth });
        prefixes.zip(self.locations.iter().copied())
    }

    /// The prefix that holds `key`: the last one that does not start after it.
    fn locate(&self, key: K) -> Located {
        let at = self.starts.partition_point(|start| *start <= key).saturating_sub(1);
        let start = self.starts.get(at).copied().unwrap_or(K::ZERO);
        Located {
            location: self.locations.get(at).copied().unwrap_or(LocationId::UNKNOWN),
            network: start.network(self.depths.get(at).copied().unwrap_or(0)),
        }
    }

    fn memory_octets(&self) -> usize {
        let starts = std::mem::size_of_val(self.starts.as_slice());
        let locations = std::mem::size_of_val(self.locations.as_slice());
        starts.saturating_add(locations).saturating_add(self.depths.len())
    }
}

/// Walks both families. A file for IPv4 alone leaves IPv6 unknown, cut as always.
fn collect_leaves(
    tree: &Tree<'_>,
    places: &mut Places<'_>,
) -> Result<(Leaves<u32>, Leaves<u128>), DatabaseError> {
    let is_ipv6 = places.reader.metadata().ip_version == 6;
    let ipv6_root = if is_ipv6 { 0 } else { tree.nothing() };
    let (mut ipv4, mut ipv6) = (Leaves::new(), Leaves::new());
    tree.walk(tree.ipv4_root(), &special::IPV4, |leaf| places.place(leaf, &mut ipv4))?;
    tree.walk(ipv6_root, &special::IPV6, |leaf| places.place(leaf, &mut ipv6))?;
    ipv4.shrink();
    ipv6.shrink();
    Ok((ipv4, ipv6))
}

/// The locations met so far, while a file is read.
struct Places<'file> {
    reader: &'file Reader<&'file [u8]>,
    networks: usize,
    /// How many networks are too many.
    network_limit: usize,
    locations: Vec<Location>,
    /// Which number a location has.
    numbers: HashMap<Location, LocationId>,
    /// What a record of the tree turned out to be, so that it is decoded once.
    records: HashMap<u32, LocationId>,
}

impl<'file> Places<'file> {
    fn new(reader: &'file Reader<&'file [u8]>, network_limit: usize) -> Self {
        let unknown = Location::default();
        Self {
            reader,
            networks: 0,
            network_limit,
            locations: vec![unknown],
            numbers: HashMap::from([(unknown, LocationId::UNKNOWN)]),
            records: HashMap::new(),
        }
    }

    /// Adds a leaf of the tree, under the location of its data.
    fn place<K: Key>(&mut self, leaf: Leaf<K>, into: &mut Leaves<K>) -> Result<(), DatabaseError> {
        self.networks = self.networks.saturating_add(1);
        if self.networks > self.network_limit {
            return Err(DatabaseError::TooLarge { what: "networks", limit: self.network_limit });
        }
        let location = match leaf.data {
            Some(record) => self.location_of(record, leaf.prefix.start.address())?,
            None => LocationId::UNKNOWN,
        };
        into.push(leaf.prefix, location);
        Ok(())
    }

    /// The location that a record means; `address` is one that the tree leads to it.
    fn location_of(&mut self, record: u32, address: IpAddr) -> Result<LocationId, DatabaseError> {
        if let Some(known) = self.records.get(&record) {
            return Ok(*known);
        }
        if self.records.len() >= DATABASE_RECORDS {
            return Err(DatabaseError::TooLarge { what: "records", limit: DATABASE_RECORDS });
        }
        let country = read_country(self.reader, address)?;
        let number = self.number(Location { country })?;
        self.records.insert(record, number);
        Ok(number)
    }

    /// The number of a location, a new one if it is new.
    fn number(&mut self, location: Location) -> Result<LocationId, DatabaseError> {
        if let Some(known) = self.numbers.get(&location) {
            return Ok(*known);
        }
        let limit = usize::from(u16::MAX);
        let number = u16::try_from(self.locations.len())
            .map(LocationId)
            .map_err(|_| DatabaseError::TooLarge { what: "locations", limit })?;
        self.locations.push(location);
        self.numbers.insert(location, number);
        Ok(number)
    }

    /// Refuses a database that locates nobody: a server that silently sends everyone to the default is worse.
    fn require_a_country(&self) -> Result<(), DatabaseError> {
        if self.locations.iter().any(|location| location.country.is_some()) {
            return Ok(());
        }
        let kind = self.reader.metadata().database_type.clone();
        Err(DatabaseError::NoCountries { kind })
    }
}

/// The country in the record of an address, by the first shape that is there. A value of another type under one of the
/// names (IPinfo writes `country = "Germany"` beside `country_code`) is another shape, not damage.
fn read_country(
    reader: &Reader<&[u8]>,
    address: IpAddr,
) -> Result<Option<CountryCode>, DatabaseError> {
    let record = reader.lookup(address)?;
    for shape in SHAPES {
        match record.decode_path::<&str>(shape) {
            Ok(Some(code)) => return Ok(CountryCode::parse_lenient(code)),
            Ok(None) | Err(MaxMindDbError::Decoding { .. }) => {}
            Err(damage) => return Err(damage.into()),
        }
    }
    Ok(None)
}

/// The English description, or the first there is.
fn english(descriptions: &std::collections::BTreeMap<String, String>) -> String {
    let text = descriptions.get("en").or_else(|| descriptions.values().next());
    text.cloned().unwrap_or_default()
}

/// An IPv4 network written as the IPv4-mapped IPv6 network.
fn map_network(located: Located) -> Located {
    let IpNet::V4(network) = located.network else {
        return located;
    };
    let address: Ipv6Addr = network.addr().to_ipv6_mapped();
    let depth = network.prefix_len().saturating_add(special::MAPPED.depth);
    // Refuses only depths over 128: 96 and at most 32.
    let network = Ipv6Net::new(address, depth).unwrap_or_default();
    Located { network: network.into(), ..located }
}
