//! Address → class and scope: what the query path asks.
//!
//! A policy tells places apart only so far (Germany, the rest of Europe, everyone else). Each such partition gives every
//! location a *class*, and a [`PrefixMap`] says which class an address has and, for EDNS Client Subnet, the scope: the
//! depth of the leaf in the smallest prefix tree for that partition, in which equal siblings are merged for as long as
//! there are any (rule B9, RFC 7871 §7.2.1). Merging is one pass over the database's leaves in address order.
//!
//! | structure | why, why not (IPv4, nanoseconds a lookup in a batch / waiting for each other) |
//! |---|---|
//! | index of buckets, halving inside the one | chosen: 14 / 33, IPv6 47 / 48, 12 MiB for the finest partition |
//! | halving over everything | 94 / 95 |
//! | DIR-24-8 | 7 / 130, and 36 MiB a map: misses in cache and TLB |
//! | compressed trie | 3 / 12, at several times the code; if a profile ever asks for it |
//!
//! The first row is `cargo bench --bench geo`, the others were measured before there was this code. Buckets are /16s for
//! IPv4. For IPv6 they are the /22s of 2000::/4, where all allocations are: with /16s, ten thousand leaves share one
//! bucket and the index saves nothing (82 / 96); with /24s it saves 3 ns more and costs 3 MiB.
//!
//! Neighbour: `database.rs` is what it is made from. Invariants: leaves are in address order without gaps; each bucket's
//! entry is the leaf that holds its first address.

use std::fmt;
use std::net::IpAddr;

use super::database::{Database, Leaves, LocationId};
use super::prefix::{Key, Prefix};
use super::special;

/// What a [`PrefixMap`] says of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixMatch {
    /// The class of the address's location, as given to [`PrefixMap::build`].
    pub class: u16,
    /// Length of the shortest prefix with this address in which every address has this class.
    pub scope: u8,
}

/// A partition of all addresses into classes. Never changes; share it.
pub struct PrefixMap {
    ipv4: Table<u32>,
    ipv6: Table<u128>,
}

impl PrefixMap {
    /// Compiles a partition. `class_of` is indexed by [`LocationId::index`] and as long as
    /// [`Database::locations`]; a location beyond its end has the class of the unknown location, or 0.
    pub fn build(database: &Database, class_of: &[u16]) -> Self {
        let ipv4 = merge(&database.ipv4, |_, location| Some(class(class_of, location)));
        let mapped = uniform_class(&ipv4);
        let ipv6 = merge(&database.ipv6, |prefix, location| {
            if prefix == special::MAPPED { mapped } else { Some(class(class_of, location)) }
        });
        Self { ipv4: Table::build(&ipv4), ipv6: Table::build(&ipv6) }
    }

    /// The class of an address, and its scope.
    ///
    /// An IPv4-mapped IPv6 address has the class of its IPv4 address, and a scope that counts the 96 bits before it.
    #[inline]
    pub fn lookup(&self, address: IpAddr) -> PrefixMatch {
        match address {
            IpAddr::V4(address) => self.ipv4.lookup(address.into()),
            IpAddr::V6(address) => match address.to_ipv4_mapped() {
                Some(mapped) => {
                    let found = self.ipv4.lookup(mapped.into());
                    let scope = found.scope.saturating_add(special::MAPPED.depth);
                    PrefixMatch { scope, ..found }
                }
                None => self.ipv6.lookup(address.into()),
            },
        }
    }

    /// How many IPv4 leaves are left after merging.
    pub fn ipv4_leaves(&self) -> usize {
        self.ipv4.leaves.len()
    }

    /// How many IPv6 leaves are left after merging.
    pub fn ipv6_leaves(&self) -> usize {
        self.ipv6.leaves.len()
    }

    /// Heap octets held, for metrics.
    pub fn memory_octets(&self) -> usize {
        self.ipv4.memory_octets().saturating_add(self.ipv6.memory_octets())
    }
}

impl fmt::Debug for PrefixMap {
    /// How large it is, not its million numbers.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PrefixMap")
            .field("ipv4_leaves", &self.ipv4_leaves())
            .field("ipv6_leaves", &self.ipv6_leaves())
            .finish_non_exhaustive()
    }
}

/// The class of a location.
fn class(class_of: &[u16], location: LocationId) -> u16 {
    let class = class_of.get(location.index()).or_else(|| class_of.first());
    class.copied().unwrap_or(0)
}

/// A prefix and the class of all its addresses. `None` where there are several, which only ::ffff:0:0/96 can have: it
/// equals no other, so nothing merges with it.
struct Merged<K> {
    prefix: Prefix<K>,
    class: Option<u16>,
}

impl<K: Key> Merged<K> {
    /// The parent of both, if they are its halves and of one class.
    fn joined_with(&self, lower: &Self) -> Option<Self> {
        if self.class != lower.class {
            return None;
        }
        let prefix = self.prefix.joined_with(lower.prefix)?;
        Some(Self { prefix, class: self.class })
    }
}

/// The only class there is, if the whole family is one leaf.
///
/// The IPv6 tree needs it for ::ffff:0:0/96, whose addresses are looked up as IPv4: with several classes in there, its
/// neighbours must not merge with it.
fn uniform_class(ipv4: &[Merged<u32>]) -> Option<u16> {
    match ipv4 {
        [all] => all.class,
        _ => None,
    }
}

/// Merges equal siblings, and the results again, in one pass: when an upper half arrives, its lower half is on top of
/// what has been merged so far, or is not of one class.
fn merge<K: Key>(
    leaves: &Leaves<K>,
    class_of: impl Fn(Prefix<K>, LocationId) -> Option<u16>,
) -> Vec<Merged<K>> {
    let mut merged: Vec<Merged<K>> = Vec::new();
    for (prefix, location) in leaves.iter() {
        let mut leaf = Merged { prefix, class: class_of(prefix, location) };
        while let Some(parent) = merged.last().and_then(|lower| leaf.joined_with(lower)) {
            merged.pop();
            leaf = parent;
        }
        merged.push(leaf);
    }
    merged
}

/// The leaves of one family, in address order, behind an index of buckets.
struct Table<K: Key> {
    /// For each bucket, the leaf that holds its first address; then the number of leaves.
    first: Vec<u32>,
    /// First address of each leaf, as compared inside its bucket.
    lows: Vec<K::Low>,
    /// What each leaf says.
    leaves: Vec<PrefixMatch>,
}

impl<K: Key> Table<K> {
    fn build(merged: &[Merged<K>]) -> Self {
        let mut table = Self {
            first: Vec::with_capacity(K::BUCKETS.saturating_add(1)),
            lows: Vec::with_capacity(merged.len()),
            leaves: Vec::with_capacity(merged.len()),
        };
        for leaf in merged {
            table.push(leaf);
        }
        table.first.push(table.next());
        table
    }

    /// Adds a leaf, and begins the buckets whose first address it holds.
    fn push(&mut self, leaf: &Merged<K>) {
        let Prefix { start, depth: scope } = leaf.prefix;
        let begun = leaf.prefix.last().bucket().saturating_add(1);
        if self.first.len() < begun {
            self.first.resize(begun, self.next());
        }
        self.lows.push(start.low());
        self.leaves.push(PrefixMatch { class: leaf.class.unwrap_or(0), scope });
    }

    /// The number of the next leaf; fits, because a database has at most 2^24.
    fn next(&self) -> u32 {
        self.leaves.len() as u32
    }

    #[inline]
    fn lookup(&self, key: K) -> PrefixMatch {
        // The invariant leaves no way to miss; a scope of one address would be the harmless answer.
        self.find(key).unwrap_or(PrefixMatch { class: 0, scope: K::BITS })
    }

    /// The last leaf of the bucket that does not start after `key`. A bucket inside a larger leaf has none that starts
    /// in it: then that leaf is the answer.
    #[inline]
    fn find(&self, key: K) -> Option<PrefixMatch> {
        let &[from, to, ..] = self.first.get(key.bucket()..)? else {
            return None;
        };
        let (from, to) = (from as usize, to as usize);
        let low = key.low();
        let starts_before = self.lows.get(from..to)?.partition_point(|start| *start <= low);
        self.leaves.get(from.saturating_add(starts_before.saturating_sub(1))).copied()
    }

    fn memory_octets(&self) -> usize {
        let index = std::mem::size_of_val(self.first.as_slice());
        let lows = std::mem::size_of_val(self.lows.as_slice());
        let leaves = std::mem::size_of_val(self.leaves.as_slice());
        index.saturating_add(lows).saturating_add(leaves)
    }
}
