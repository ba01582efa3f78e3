//! A MaxMind DB file, read once into flat tables, whatever its records are about.
//!
//! Each distinct record is decoded once into a value, special-purpose space is cut out, and what remains is one sorted list of
//! prefixes per family that covers every address. After that no octet of the file is looked at again. Neighbours: `tree.rs`
//! walks, `special.rs` says what is cut out, `database.rs` and `asn_database.rs` say what a record means. Invariant: value 0 is
//! the default value, and every number in the leaves is an index into the values.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;

use maxminddb::{LookupResult, MaxMindDbError, PathElement, Reader};
use serde::de::{Deserialize, Deserializer, IgnoredAny, Visitor};

use crate::limits::{DATABASE_OCTETS, DATABASE_RECORDS};

use super::error::DatabaseError;
use super::leaves::Leaves;
use super::prefix::{Key, Prefix};
use super::special;
use super::tree::{Leaf, Tree};

/// One record of a file, not decoded yet.
pub(super) struct Record<'file>(LookupResult<'file, &'file [u8]>);

impl<'file> Record<'file> {
    /// The text at a path; nothing if there is something else, which is then another vendor's shape and no damage.
    pub fn text(&self, path: &[PathElement<'_>]) -> Result<Option<&'file str>, DatabaseError> {
        self.value(path).map(Option::flatten)
    }

    /// The number at a path, which may be of any type, or written as a text.
    pub fn number(&self, path: &[PathElement<'_>]) -> Result<Option<f64>, DatabaseError> {
        self.value(path).map(|found| found.flatten().and_then(|Number(number)| number))
    }

    /// Is there anything at this path?
    pub fn has(&self, path: &[PathElement<'_>]) -> Result<bool, DatabaseError> {
        Ok(matches!(self.value::<IgnoredAny>(path)?, Some(Some(_))))
    }

    /// What is at a path: nothing, something of another type (`Some(None)`), or this.
    fn value<T: Deserialize<'file>>(
        &self,
        path: &[PathElement<'_>],
    ) -> Result<Option<Option<T>>, DatabaseError> {
        match self.0.decode_path(path) {
            Ok(found) => Ok(found.map(Some)),
            Err(MaxMindDbError::Decoding { .. }) => Ok(Some(None)),
            Err(damage) => Err(damage.into()),
        }
    }
}

/// A number of any type, or what a text says; nothing if it says none.
struct Number(Option<f64>);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}

/// Takes what a [`Number`] may be written as.
struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_f64<E>(self, number: f64) -> Result<Number, E> {
        Ok(Number(Some(number)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Number, E> {
        Ok(Number(Some(number as f64)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Number, E> {
        Ok(Number(Some(number as f64)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Number, E> {
        Ok(Number(text.trim().parse().ok()))
    }
}

/// What a record means.
pub(super) type Decode<V> = fn(&Record<'_>) -> Result<V, DatabaseError>;

/// All that is kept of a file.
pub(super) struct Contents<V> {
    pub kind: String,
    pub description: String,
    pub build_epoch: u64,
    /// Each distinct value once; number 0 is the default value.
    pub values: Vec<V>,
    pub ipv4: Leaves<u32>,
    pub ipv6: Leaves<u128>,
}

/// Reads a file of at most this many networks, both families together.
pub(super) fn read<V: Copy + Default + Eq + Hash>(
    bytes: &[u8],
    networks: usize,
    decode: Decode<V>,
) -> Result<Contents<V>, DatabaseError> {
    if bytes.len() > DATABASE_OCTETS {
        return Err(DatabaseError::TooLarge { what: "octets", limit: DATABASE_OCTETS });
    }
    let reader = Reader::from_source(bytes)?;
    let tree = Tree::new(bytes, reader.metadata())?;
    let mut reading = Reading::new(&reader, networks, decode);
    let (ipv4, ipv6) = collect_leaves(&tree, &mut reading)?;
    let mut values = reading.values;
    values.shrink_to_fit();
    let metadata = reader.metadata();
    Ok(Contents {
        kind: metadata.database_type.clone(),
        description: english(&metadata.description),
        build_epoch: metadata.build_epoch,
        values,
        ipv4,
        ipv6,
    })
}

/// Walks both families. A file for IPv4 alone leaves IPv6 unknown, cut as always.
fn collect_leaves<V: Copy + Default + Eq + Hash>(
    tree: &Tree<'_>,
    reading: &mut Reading<'_, V>,
) -> Result<(Leaves<u32>, Leaves<u128>), DatabaseError> {
    let is_ipv6 = reading.reader.metadata().ip_version == 6;
    let ipv6_root = if is_ipv6 { 0 } else { tree.nothing() };
    let (mut ipv4, mut ipv6) = (Leaves::new(), Leaves::new());
    tree.walk(tree.ipv4_root(), &special::IPV4, |leaf| reading.place(leaf, &mut ipv4))?;
    tree.walk(ipv6_root, &special::IPV6, |leaf| reading.place(leaf, &mut ipv6))?;
    ipv4.shrink();
    ipv6.shrink();
    Ok((ipv4, ipv6))
}

/// What has been met so far, while a file is read.
struct Reading<'file, V> {
    reader: &'file Reader<&'file [u8]>,
    decode: Decode<V>,
    networks: usize,
    /// How many networks are too many.
    network_limit: usize,
    values: Vec<V>,
    /// Which number a value has.
    numbers: HashMap<V, u32>,
    /// What a record of the tree turned out to be, so that it is decoded once.
    records: HashMap<u32, u32>,
}

impl<'file, V: Copy + Default + Eq + Hash> Reading<'file, V> {
    fn new(reader: &'file Reader<&'file [u8]>, network_limit: usize, decode: Decode<V>) -> Self {
        Self {
            reader,
            decode,
            networks: 0,
            network_limit,
            values: vec![V::default()],
            numbers: HashMap::from([(V::default(), 0)]),
            records: HashMap::new(),
        }
    }

    /// Adds a leaf of the tree, under the number of its value.
    fn place<K: Key>(&mut self, leaf: Leaf<K>, into: &mut Leaves<K>) -> Result<(), DatabaseError> {
        self.networks = self.networks.saturating_add(1);
        if self.networks > self.network_limit {
            return Err(DatabaseError::TooLarge { what: "networks", limit: self.network_limit });
        }
        let number = match leaf.data {
            Some(record) => self.number_of(record, leaf.prefix)?,
            None => 0,
        };
        into.push(leaf.prefix, number);
        Ok(())
    }

    /// The number of what a record means; `prefix` is one that the tree leads to it.
    fn number_of<K: Key>(&mut self, record: u32, prefix: Prefix<K>) -> Result<u32, DatabaseError> {
        if let Some(known) = self.records.get(&record) {
            return Ok(*known);
        }
        if self.records.len() >= DATABASE_RECORDS {
            return Err(DatabaseError::TooLarge { what: "records", limit: DATABASE_RECORDS });
        }
        let found = self.reader.lookup(prefix.start.address())?;
        let value = (self.decode)(&Record(found))?;
        // Fits, because there are no more values than records, which are far below 2^24.
        let next = self.values.len() as u32;
        let values = &mut self.values;
        let number = *self.numbers.entry(value).or_insert_with(|| {
            values.push(value);
            next
        });
        self.records.insert(record, number);
        Ok(number)
    }
}

/// The English description, or the first there is.
fn english(descriptions: &std::collections::BTreeMap<String, String>) -> String {
    let text = descriptions.get("en").or_else(|| descriptions.values().next());
    text.cloned().unwrap_or_default()
}
