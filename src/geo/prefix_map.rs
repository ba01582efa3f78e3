//! Address → class and scope: what the query path asks.
//!
//! A policy tells positions apart only so far (Germany, the rest of Europe, everyone else). Each such partition gives every
//! position a *class*, and a [`PrefixMap`] says which class an address has and, for EDNS Client Subnet, the scope: the
//! depth of the leaf in the smallest prefix tree for that partition, in which equal siblings are merged for as long as
//! there are any (rule B9, RFC 7871 §7.2.1).
//!
//! A zone may have a hundred policies. Their maps are made in two steps: [`Atlas::merge`] merges leaves that no policy of the
//! zone tells apart, once, and each map says class and scope for each leaf that is left, in two octets ([`Codes`]). The
//! leaves themselves, and the index over them, are shared ([`Shape`]). A hundred partitions of a million networks take
//! 200 MB so, where maps with leaves of their own took up to 12 MB each (`cargo bench --bench geo -- many`).
//!
//! Neighbours: `merged.rs` is what it is made from, `shape.rs` finds the leaf of an address.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use super::atlas::Atlas;
use super::leaves::Mark;
use super::merged::{Merged, Settled};
use super::prefix::Family;
use super::shape::Shape;
use super::special;

/// How many scopes there are, 0 to 128: a narrow code is a class times this, plus a scope.
const SCOPES: u16 = 129;

/// How many classes narrow codes can tell.
const NARROW_CLASSES: usize = (u16::MAX / SCOPES) as usize;

/// What a [`PrefixMap`] says of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixMatch {
    /// The class of the address's position, as given to [`PrefixMap::build`].
    pub class: u32,
    /// Length of the shortest prefix with this address in which every address has this class.
    pub scope: u8,
}

/// A partition of all addresses into classes. Never changes; share it.
pub struct PrefixMap {
    shape: Arc<Shape>,
    /// The classes that narrow codes count.
    classes: Box<[u32]>,
    ipv4: Codes,
    ipv6: Codes,
}

impl PrefixMap {
    /// Compiles a partition. `class_of` says the class of each coarse class that was given to [`Atlas::merge`]; a coarse class
    /// beyond its end has the class of the first one, or 0. Classes are below 2^24; any numbers will do.
    pub fn build(merged: &Merged, class_of: &[u32]) -> Self {
        let mut classes = class_of.to_vec();
        classes.sort_unstable();
        classes.dedup();
        if classes.is_empty() {
            classes.push(0);
        }
        let (ipv4, ipv6) = match classes.len() <= NARROW_CLASSES {
            true if classes.len() == class_of.len() => merged_codes(merged, class_of, &classes),
            true => narrow_codes(merged, class_of, &classes),
            false => wide_codes(merged, class_of),
        };
        Self { shape: Arc::clone(&merged.shape), classes: classes.into(), ipv4, ipv6 }
    }

    /// The map of a partition that is alone: of an atlas, with the class of each position.
    pub fn of(atlas: &Atlas, class_of: &[u32]) -> Self {
        let mut classes = class_of.to_vec();
        classes.sort_unstable();
        classes.dedup();
        Self::build(&atlas.merge(&places_of(class_of, &classes)), &classes)
    }

    /// The class of an address, and its scope.
    ///
    /// An IPv4-mapped IPv6 address has the class of its IPv4 address, and a scope that counts the 96 bits before it.
    #[inline]
    pub fn lookup(&self, address: IpAddr) -> PrefixMatch {
        match Family::of(address) {
            Family::Ipv4(key) => self.ipv4.at(self.shape.ipv4.find(key), &self.classes),
            Family::Ipv6(key) => self.ipv6.at(self.shape.ipv6.find(key), &self.classes),
            Family::Mapped(key) => {
                let found = self.ipv4.at(self.shape.ipv4.find(key), &self.classes);
                let scope = found.scope.saturating_add(special::MAPPED.depth);
                PrefixMatch { scope, ..found }
            }
        }
    }

    /// How many leaves it shares with the maps of the same [`Merged`], IPv4 and IPv6.
    pub fn leaves(&self) -> (usize, usize) {
        (self.shape.ipv4.len(), self.shape.ipv6.len())
    }

    /// Heap octets that it holds alone, for metrics.
    pub fn memory_octets(&self) -> usize {
        let classes = std::mem::size_of_val(self.classes.as_ref());
        self.ipv4.memory_octets().saturating_add(self.ipv6.memory_octets()).saturating_add(classes)
    }

    /// Heap octets that it shares with the maps of the same [`Merged`], and a number that these maps have in common.
    pub fn shared_octets(&self) -> (usize, usize) {
        (Arc::as_ptr(&self.shape).addr(), self.shape.memory_octets())
    }
}

impl fmt::Debug for PrefixMap {
    /// How large it is, not its million numbers.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PrefixMap").field("leaves", &self.leaves()).finish_non_exhaustive()
    }
}

/// What each leaf of one family says.
enum Codes {
    /// The place of the class among the map's classes, times [`SCOPES`], plus the scope.
    Narrow(Box<[u16]>),
    /// For partitions into very many classes.
    Wide(Box<[Mark]>),
}

impl Codes {
    /// What the leaf of this number says.
    #[inline]
    fn at(&self, leaf: usize, classes: &[u32]) -> PrefixMatch {
        match self {
            Self::Narrow(codes) => {
                let code = codes.get(leaf).copied().unwrap_or(0);
                let class = classes.get(usize::from(code / SCOPES)).copied().unwrap_or(0);
                // The rest of a division by 129 fits.
                PrefixMatch { class, scope: (code % SCOPES) as u8 }
            }
            Self::Wide(marks) => {
                let mark = marks.get(leaf).copied().unwrap_or(Mark::new(0, 0));
                PrefixMatch { class: mark.number(), scope: mark.depth() }
            }
        }
    }

    fn memory_octets(&self) -> usize {
        match self {
            Self::Narrow(codes) => std::mem::size_of_val(codes.as_ref()),
            Self::Wide(marks) => std::mem::size_of_val(marks.as_ref()),
        }
    }
}

/// Codes of two octets, by the place of each class among `classes`.
fn narrow_codes(merged: &Merged, class_of: &[u32], classes: &[u32]) -> (Codes, Codes) {
    let places = places_of(class_of, classes);
    let code = |settled: &Settled| narrow_code(settled.class, settled.depth);
    let (ipv4, ipv6) = fill(merged, 0, &places, code);
    (Codes::Narrow(ipv4), Codes::Narrow(ipv6))
}

/// Codes of two octets, where no two coarse classes are one: then nothing more merges, and the leaves are as they are.
///
/// Coarse classes beyond the end would be one with the first: such a partition is settled as any other.
fn merged_codes(merged: &Merged, class_of: &[u32], classes: &[u32]) -> (Codes, Codes) {
    let places = places_of(class_of, classes);
    let code = |mark: &Mark| {
        let place = places.get(mark.number() as usize)?;
        Some(narrow_code(*place, mark.depth()))
    };
    let (ipv4, ipv6) = merged.marks();
    let codes = |marks: &[Mark]| marks.iter().map(code).collect::<Option<Box<[u16]>>>();
    match (codes(ipv4), codes(ipv6)) {
        (Some(ipv4), Some(ipv6)) => (Codes::Narrow(ipv4), Codes::Narrow(ipv6)),
        _ => narrow_codes(merged, class_of, classes),
    }
}

/// For each coarse class the place of its class among all.
fn places_of(class_of: &[u32], classes: &[u32]) -> Vec<u32> {
    class_of.iter().map(|class| classes.binary_search(class).unwrap_or(0) as u32).collect()
}

/// Fits, because there are at most [`NARROW_CLASSES`] places.
fn narrow_code(place: u32, scope: u8) -> u16 {
    (place as u16).saturating_mul(SCOPES).saturating_add(scope.into())
}

/// Codes of four octets.
fn wide_codes(merged: &Merged, class_of: &[u32]) -> (Codes, Codes) {
    let mark = |settled: &Settled| Mark::new(settled.class, settled.depth);
    let (ipv4, ipv6) = fill(merged, Mark::new(0, 0), class_of, mark);
    (Codes::Wide(ipv4), Codes::Wide(ipv6))
}

/// Writes what is settled for each leaf. A leaf that never settles is ::ffff:0:0/96, for which nobody asks.
fn fill<C: Copy>(
    merged: &Merged,
    unsettled: C,
    class_of: &[u32],
    code: impl Fn(&Settled) -> C,
) -> (Box<[C]>, Box<[C]>) {
    let (ipv4, ipv6) = merged.leaves();
    let mut ipv4 = vec![unsettled; ipv4].into_boxed_slice();
    let mut ipv6 = vec![unsettled; ipv6].into_boxed_slice();
    let beyond = class_of.first().copied().unwrap_or(0);
    let write = |codes: &mut [C], settled: Settled| {
        let code = code(&settled);
        if let Some(leaves) = codes.get_mut(settled.leaves) {
            leaves.fill(code);
        }
    };
    merged.settle(
        |coarse| class_of.get(coarse as usize).copied().unwrap_or(beyond),
        |settled| write(&mut ipv4, settled),
        |settled| write(&mut ipv6, settled),
    );
    (ipv4, ipv6)
}
