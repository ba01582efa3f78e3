//! The whole address space of one family, cut into prefixes that each have a number.
//!
//! What the numbers mean is up to whoever made them: locations for `database.rs`, autonomous systems for `asn_database.rs`,
//! positions for `atlas.rs`. Invariants: the prefixes start at the first address, are in order and have no gaps; a number is
//! below 2^24, so that it shares four octets with the depth.

use super::prefix::{Key, Prefix};

/// A number below 2^24 and a depth, in four octets: eight million networks of a City database are 32 MB smaller for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark(u32);

impl Mark {
    /// The first number that does not fit.
    pub const NUMBERS: usize = 1 << 24;

    #[inline]
    pub fn new(number: u32, depth: u8) -> Self {
        Self((number << 8) | u32::from(depth))
    }

    #[inline]
    pub fn number(self) -> u32 {
        self.0 >> 8
    }

    #[inline]
    pub fn depth(self) -> u8 {
        (self.0 & 0xff) as u8
    }
}

/// The prefixes of one family as parallel vectors, sorted by first address.
pub(super) struct Leaves<K> {
    starts: Vec<K>,
    marks: Vec<Mark>,
}

impl<K: Key> Leaves<K> {
    pub const fn new() -> Self {
        Self { starts: Vec::new(), marks: Vec::new() }
    }

    pub fn push(&mut self, prefix: Prefix<K>, number: u32) {
        self.starts.push(prefix.start);
        self.marks.push(Mark::new(number, prefix.depth));
    }

    /// Gives back what growing has reserved.
    pub fn shrink(&mut self) {
        self.starts.shrink_to_fit();
        self.marks.shrink_to_fit();
    }

    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// All prefixes with their numbers, in address order.
    pub fn iter(&self) -> impl Iterator<Item = (Prefix<K>, u32)> {
        let leaves = self.starts.iter().zip(&self.marks);
        leaves.map(|(&start, mark)| (Prefix { start, depth: mark.depth() }, mark.number()))
    }

    /// The number and depth of each leaf, in address order.
    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// The place of this very prefix among the leaves.
    pub fn index_of(&self, prefix: Prefix<K>) -> Option<usize> {
        let at = self.starts.binary_search(&prefix.start).ok()?;
        self.marks.get(at).filter(|mark| mark.depth() == prefix.depth).map(|_| at)
    }

    /// The prefix that holds `key`, the last one that does not start after it, and its number.
    pub fn find(&self, key: K) -> (Prefix<K>, u32) {
        let at = self.starts.partition_point(|start| *start <= key).saturating_sub(1);
        let start = self.starts.get(at).copied().unwrap_or(K::ZERO);
        let mark = self.marks.get(at).copied().unwrap_or(Mark::new(0, 0));
        (Prefix { start, depth: mark.depth() }, mark.number())
    }

    /// Heap octets held.
    pub fn memory_octets(&self) -> usize {
        let starts = std::mem::size_of_val(self.starts.as_slice());
        starts.saturating_add(std::mem::size_of_val(self.marks.as_slice()))
    }
}
