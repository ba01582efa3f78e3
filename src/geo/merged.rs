//! Leaves merged as far as one zone treats them alike: what all prefix maps of the zone are made from.
//!
//! Merging is one pass over the leaves in address order. Leaves without gaps are a binary tree written from left to right:
//! when a leaf arrives, every subtree that is finished and has no sibling yet waits on a stack, and the one on top is its
//! sibling if it is as deep. So nothing but depths and classes is compared ([`settle`]), at some 5 ns a leaf.
//!
//! Neighbours: `atlas.rs` gives the leaves, `prefix_map.rs` takes them. Invariant: the leaves cover the family, and
//! ::ffff:0:0/96 is a leaf of its own unless all of IPv4 is of one class, because its addresses are looked up as IPv4.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::leaves::{Leaves, Mark};
use super::prefix::Key;
use super::prefix::Prefix;
use super::shape::{Shape, Table};
use super::special::MAPPED;

/// The class of a prefix in which there are several; no class has this number.
const MIXED: u32 = u32::MAX;

/// The depth of a leaf that is not the first of a merged prefix; deeper than any address.
const INSIDE: u8 = u8::MAX;

/// The leaves of an atlas, merged by coarse class.
pub struct Merged {
    pub(super) shape: Arc<Shape>,
    /// The coarse class and depth of each leaf.
    ipv4: Vec<Mark>,
    ipv6: Vec<Mark>,
    /// The IPv6 leaf that is ::ffff:0:0/96 and nothing else.
    mapped: Option<usize>,
}

impl Merged {
    /// Merges both families by the class of each number; classes are below 2^24.
    pub(super) fn new(
        ipv4: &Leaves<u32>,
        ipv6: &Leaves<u128>,
        class_of: impl Fn(u32) -> u32,
    ) -> Self {
        let classes = ipv4.marks().iter().map(|mark| (mark.depth(), class_of(mark.number())));
        let (heads4, uniform) = find_heads(classes);
        let mapped = ipv6.index_of(MAPPED);
        let classes = ipv6.marks().iter().enumerate().map(|(at, mark)| {
            let own = if Some(at) == mapped { uniform } else { Some(class_of(mark.number())) };
            (mark.depth(), own.unwrap_or(MIXED))
        });
        let (mut heads6, _) = find_heads(classes);
        if uniform.is_none()
            && let Some(head) = mapped.and_then(|at| heads6.get_mut(at))
        {
            *head = MAPPED.depth;
        }
        let mapped = mapped.filter(|at| heads6.get(*at) == Some(&MAPPED.depth));
        let (ipv4, table4) = collect_heads(ipv4, &heads4, &class_of);
        let (ipv6, table6) = collect_heads(ipv6, &heads6, &class_of);
        Self {
            shape: Arc::new(Shape { ipv4: table4, ipv6: table6 }),
            mapped: mapped.and_then(|at| heads6.get(..at)).map(count_heads),
            ipv4,
            ipv6,
        }
    }

    /// The coarse class and depth of each leaf, IPv4 and IPv6.
    pub(super) fn marks(&self) -> (&[Mark], &[Mark]) {
        (&self.ipv4, &self.ipv6)
    }

    /// How many leaves are left, IPv4 and IPv6.
    pub fn leaves(&self) -> (usize, usize) {
        (self.ipv4.len(), self.ipv6.len())
    }

    /// Settles a finer question over both families: `visit4` and `visit6` get the leaves of each prefix of one class.
    ///
    /// `class_of` tells the class of a coarse class.
    pub(super) fn settle(
        &self,
        class_of: impl Fn(u32) -> u32,
        visit4: impl FnMut(Settled),
        visit6: impl FnMut(Settled),
    ) {
        let classes = self.ipv4.iter().map(|mark| (mark.depth(), class_of(mark.number())));
        let uniform = settle(classes, visit4);
        let classes = self.ipv6.iter().enumerate().map(|(at, mark)| {
            let own = match Some(at) == self.mapped {
                true => uniform,
                false => Some(class_of(mark.number())),
            };
            (mark.depth(), own.unwrap_or(MIXED))
        });
        settle(classes, visit6);
    }
}

impl fmt::Debug for Merged {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Merged").field("leaves", &self.leaves()).finish_non_exhaustive()
    }
}

/// A prefix of one class whose sibling is of another, or mixed.
pub(super) struct Settled {
    /// Its leaves.
    pub leaves: Range<usize>,
    pub depth: u8,
    pub class: u32,
}

/// A finished subtree.
struct Subtree {
    depth: u8,
    /// Its class, or [`MIXED`].
    class: u32,
    /// Its first leaf.
    from: usize,
}

/// Finds the shortest prefixes of one class in leaves given by depth and class, and the class of the whole family if there is
/// only one. Each leaf is in exactly one of them, but one that is [`MIXED`] itself is in none; they come in no order.
fn settle(leaves: impl Iterator<Item = (u8, u32)>, mut visit: impl FnMut(Settled)) -> Option<u32> {
    let mut settle = |subtree: &Subtree, to: usize| {
        if subtree.class != MIXED {
            visit(Settled { leaves: subtree.from..to, depth: subtree.depth, class: subtree.class });
        }
    };
    // One for each depth at most.
    let mut waiting: Vec<Subtree> = Vec::with_capacity(129);
    let mut count = 0_usize;
    for (depth, class) in leaves {
        let mut subtree = Subtree { depth, class, from: count };
        count = count.saturating_add(1);
        while let Some(lower) = waiting.pop_if(|lower| lower.depth == subtree.depth) {
            if lower.class != subtree.class {
                settle(&lower, subtree.from);
                settle(&subtree, count);
                subtree.class = MIXED;
            }
            subtree.from = lower.from;
            subtree.depth = subtree.depth.saturating_sub(1);
        }
        waiting.push(subtree);
    }
    let whole = waiting.pop()?;
    settle(&whole, count);
    (whole.class != MIXED).then_some(whole.class)
}

/// For each leaf the depth of the merged prefix that begins with it, or [`INSIDE`]; and the class of all, if it is one.
fn find_heads(leaves: impl ExactSizeIterator<Item = (u8, u32)>) -> (Vec<u8>, Option<u32>) {
    let mut heads = vec![INSIDE; leaves.len()];
    let uniform = settle(leaves, |settled| {
        if let Some(head) = heads.get_mut(settled.leaves.start) {
            *head = settled.depth;
        }
    });
    (heads, uniform)
}

/// How many merged prefixes there are.
fn count_heads(heads: &[u8]) -> usize {
    heads.iter().filter(|depth| **depth != INSIDE).count()
}

/// The class and depth of each merged prefix, and the table of all.
fn collect_heads<K: Key>(
    leaves: &Leaves<K>,
    heads: &[u8],
    class_of: impl Fn(u32) -> u32,
) -> (Vec<Mark>, Table<K>) {
    let count = count_heads(heads);
    let merged = || leaves.iter().zip(heads).filter(|(_, depth)| **depth != INSIDE);
    let mut marks = Vec::with_capacity(count);
    marks.extend(merged().map(|((_, number), &depth)| Mark::new(class_of(number), depth)));
    let prefixes = merged().map(|((leaf, _), &depth)| Prefix { start: leaf.start, depth });
    (marks, Table::build(count, prefixes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Leaves, depth and class of what settles.
    type Found = (Range<usize>, u8, u32);

    /// What settles, in address order.
    fn settled(leaves: &[(u8, u32)]) -> (Vec<Found>, Option<u32>) {
        let mut found = Vec::new();
        let uniform =
            settle(leaves.iter().copied(), |it| found.push((it.leaves, it.depth, it.class)));
        found.sort_by_key(|(leaves, ..)| leaves.start);
        (found, uniform)
    }

    #[test]
    fn equal_siblings_merge_as_far_as_they_go() {
        assert_eq!(settled(&[(0, 7)]), (vec![(0..1, 0, 7)], Some(7)));
        assert_eq!(settled(&[(1, 7), (2, 7), (2, 7)]), (vec![(0..3, 0, 7)], Some(7)));
        let expected = vec![(0..1, 1, 7), (1..2, 2, 8), (2..4, 2, 7)];
        assert_eq!(settled(&[(1, 7), (2, 8), (3, 7), (3, 7)]), (expected, None));
        // Neighbours of two parents stay apart.
        let expected = vec![(0..1, 2, 8), (1..2, 2, 7), (2..3, 1, 7)];
        assert_eq!(settled(&[(2, 8), (2, 7), (1, 7)]), (expected, None));
    }

    #[test]
    fn mixed_leaves_settle_nothing() {
        let expected = vec![(0..1, 1, 7), (2..3, 2, 7)];
        assert_eq!(settled(&[(1, 7), (2, MIXED), (2, 7)]), (expected, None));
        assert_eq!(settled(&[(1, MIXED), (1, MIXED)]), (vec![], None));
    }
}
