//! A database of autonomous systems: the second file, beside that of places.
//!
//! Neighbours: `file.rs` reads the file as it does that of places, `atlas.rs` lays the systems that policies name over the
//! places. Special-purpose address space belongs to no system, whatever the file says.

use std::fmt;
use std::net::IpAddr;

use maxminddb::PathElement::{self, Key as Name};

use crate::limits::DATABASE_NETWORKS;

use super::asn::Asn;
use super::error::DatabaseError;
use super::file::{self, Record};
use super::leaves::Leaves;
use super::prefix::Family;

/// Where databases write the number: GeoLite2, DB-IP and ip-location-db; IPinfo (as `AS123`) and flat files; Enterprise.
const PATHS: [&[PathElement<'static>]; 3] = [
    &[Name("autonomous_system_number")],
    &[Name("asn")],
    &[Name("traits"), Name("autonomous_system_number")],
];

/// A database of autonomous systems in memory.
pub struct AsnDatabase {
    kind: String,
    build_epoch: u64,
    /// Index 0 is "none".
    asns: Vec<Option<Asn>>,
    pub(super) ipv4: Leaves<u32>,
    pub(super) ipv6: Leaves<u128>,
}

impl AsnDatabase {
    /// Reads a MaxMind DB file whose records name an autonomous system (GeoLite2 ASN, DB-IP ASN, IPinfo and others).
    ///
    /// Takes any octets: a damaged or hostile file gives an error in bounded time. Keeps 8 octets for each IPv4 network and
    /// 20 for each IPv6 network.
    pub fn read(bytes: &[u8]) -> Result<Self, DatabaseError> {
        let contents = file::read(bytes, DATABASE_NETWORKS, read_asn)?;
        if contents.values.len() < 2 {
            return Err(DatabaseError::NoAsns { kind: contents.kind });
        }
        Ok(Self {
            kind: contents.kind,
            build_epoch: contents.build_epoch,
            asns: contents.values,
            ipv4: contents.ipv4,
            ipv6: contents.ipv6,
        })
    }

    /// Who runs the network of an address; an IPv4-mapped IPv6 address is looked up as its IPv4 address.
    pub fn asn_of(&self, address: IpAddr) -> Option<Asn> {
        let number = match Family::of(address) {
            Family::Ipv4(key) | Family::Mapped(key) => self.ipv4.find(key).1,
            Family::Ipv6(key) => self.ipv6.find(key).1,
        };
        self.asns.get(number as usize).copied().flatten()
    }

    /// Every distinct system, in the order of the numbers of the leaves; the first is "none".
    pub(super) fn asns(&self) -> &[Option<Asn>] {
        &self.asns
    }

    /// What the file calls itself (`database_type`), for example `GeoLite2-ASN`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// When the file was built, in seconds of Unix time.
    pub fn build_epoch(&self) -> u64 {
        self.build_epoch
    }

    /// How many prefixes the space is cut into, IPv4 and IPv6.
    pub fn networks(&self) -> (usize, usize) {
        (self.ipv4.len(), self.ipv6.len())
    }

    /// Heap octets held, for metrics.
    pub fn memory_octets(&self) -> usize {
        let asns = std::mem::size_of_val(self.asns.as_slice());
        self.ipv4.memory_octets().saturating_add(self.ipv6.memory_octets()).saturating_add(asns)
    }
}

/// The number in a record, by the first path that has one. 0 means that nobody announces the network (RFC 7607).
fn read_asn(record: &Record<'_>) -> Result<Option<Asn>, DatabaseError> {
    for path in PATHS {
        let number = match record.number(path)? {
            // The cast keeps every whole number of 32 bits; the comparison refuses all else.
            Some(number) => Some(number as u32).filter(|whole| f64::from(*whole) == number),
            None => record.text(path)?.and_then(parse_asn),
        };
        if number.is_some() {
            return Ok(number.filter(|number| *number != 0).map(Asn));
        }
    }
    Ok(None)
}

/// `AS123`, in any case.
fn parse_asn(text: &str) -> Option<u32> {
    let (letters, digits) = text.trim().split_at_checked(2)?;
    if !letters.eq_ignore_ascii_case("AS") {
        return None;
    }
    digits.parse().ok()
}

impl fmt::Debug for AsnDatabase {
    /// What it is and how large, not its hundred thousand numbers.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("AsnDatabase")
            .field("kind", &self.kind)
            .field("build_epoch", &self.build_epoch)
            .field("networks", &self.networks())
            .finish_non_exhaustive()
    }
}
