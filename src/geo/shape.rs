//! Which leaf an address is in: the part of prefix maps that all maps of one zone share.
//!
//! | structure | why, why not (IPv4, nanoseconds a lookup in a batch / waiting for each other) |
//! |---|---|
//! | index of buckets, halving inside the one | chosen: 14 / 33, IPv6 47 / 48 |
//! | halving over everything | 94 / 95; chosen for a few leaves, where an index would be the larger part |
//! | DIR-24-8 | 7 / 130, and 36 MiB a map: misses in cache and TLB |
//! | compressed trie | 3 / 12, at several times the code; if a profile ever asks for it |
//!
//! The first row is `cargo bench --bench geo`, the others were measured before there was this code. Buckets are /16s for
//! IPv4. For IPv6 they are the /22s of 2000::/4, where all allocations are: with /16s, ten thousand leaves share one
//! bucket and the index saves nothing (82 / 96); with /24s it saves 3 ns more and costs 3 MiB.
//!
//! Neighbours: `merged.rs` makes it, `prefix_map.rs` keeps what each leaf says. Invariants: leaves are in address order
//! without gaps; each bucket's entry is the leaf that holds its first address.

use super::prefix::{Key, Prefix};

/// Up to how many leaves there is no index: 1.25 MiB of buckets for both families are worth it only for more.
const FEW_LEAVES: usize = 1 << 10;

/// The leaves of both families.
pub(super) struct Shape {
    pub ipv4: Table<u32>,
    pub ipv6: Table<u128>,
}

impl Shape {
    /// Heap octets held.
    pub fn memory_octets(&self) -> usize {
        self.ipv4.memory_octets().saturating_add(self.ipv6.memory_octets())
    }
}

/// The leaves of one family, in address order.
pub(super) enum Table<K: Key> {
    /// First addresses.
    Few(Box<[K]>),
    Indexed {
        /// For each bucket, the leaf that holds its first address; then the number of leaves.
        first: Box<[u32]>,
        /// First address of each leaf, as compared inside its bucket.
        lows: Box<[K::Low]>,
    },
}

impl<K: Key> Table<K> {
    /// A table of this many leaves without gaps, in address order.
    pub fn build(count: usize, leaves: impl Iterator<Item = Prefix<K>>) -> Self {
        if count <= FEW_LEAVES {
            return Self::Few(leaves.map(|leaf| leaf.start).collect());
        }
        let mut first: Vec<u32> = Vec::with_capacity(K::BUCKETS.saturating_add(1));
        let mut lows: Vec<K::Low> = Vec::with_capacity(count);
        for leaf in leaves {
            // The buckets whose first address it holds. The number fits, because an atlas has at most 2^25 leaves.
            let begun = leaf.last().bucket().saturating_add(1);
            if first.len() < begun {
                first.resize(begun, lows.len() as u32);
            }
            lows.push(leaf.start.low());
        }
        first.push(lows.len() as u32);
        Self::Indexed { first: first.into(), lows: lows.into() }
    }

    pub fn len(&self) -> usize {
        match self {
            Self::Few(starts) => starts.len(),
            Self::Indexed { lows, .. } => lows.len(),
        }
    }

    /// The number of the leaf that holds `key`: the last that does not start after it.
    #[inline]
    pub fn find(&self, key: K) -> usize {
        match self {
            Self::Few(starts) => starts.partition_point(|start| *start <= key).saturating_sub(1),
            // The invariant leaves no way to miss.
            Self::Indexed { first, lows } => find_in_bucket(first, lows, key).unwrap_or(0),
        }
    }

    fn memory_octets(&self) -> usize {
        match self {
            Self::Few(starts) => std::mem::size_of_val(starts.as_ref()),
            Self::Indexed { first, lows } => {
                let index = std::mem::size_of_val(first.as_ref());
                index.saturating_add(std::mem::size_of_val(lows.as_ref()))
            }
        }
    }
}

/// The last leaf of the bucket that does not start after `key`. A bucket inside a larger leaf has none that starts in it:
/// then that leaf is the answer.
#[inline]
fn find_in_bucket<K: Key>(first: &[u32], lows: &[K::Low], key: K) -> Option<usize> {
    let &[from, to, ..] = first.get(key.bucket()..)? else {
        return None;
    };
    let (from, to) = (from as usize, to as usize);
    let low = key.low();
    let starts_before = lows.get(from..to)?.partition_point(|start| *start <= low);
    Some(from.saturating_add(starts_before.saturating_sub(1)))
}
