//! Prefix arithmetic for both address families, written once.
//!
//! The tree walk and the prefix map treat an address as a number and a prefix as (first address, depth). [`Key`] says
//! what they need of such a number: `u32` is IPv4, `u128` is IPv6. Neighbours: `tree.rs`, `database.rs` and
//! `prefix_map.rs` are generic over it. Invariant: a depth is at most [`Key::BITS`]; a deeper one gives the value that
//! changes nothing (no bit, the address itself), never a panic.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::{BitOr, BitXor};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// An address as a number, most significant bit first.
pub(super) trait Key: Copy + Ord + BitOr<Output = Self> + BitXor<Output = Self> {
    /// Depth of one whole address.
    const BITS: u8;

    /// The first address of the family.
    const ZERO: Self;

    /// What is compared inside one bucket: at least all that the index has not yet settled.
    type Low: Copy + Ord;

    /// The bit that tells the two halves of a prefix of this depth apart; zero for a whole address.
    fn branch(depth: u8) -> Self;

    /// The last address of the prefix that starts here.
    fn last(self, depth: u8) -> Self;

    /// How many buckets the index of a prefix map has.
    const BUCKETS: usize;

    /// The bucket that holds this address; never falls as addresses rise.
    ///
    /// IPv4: the /16. IPv6: the /22 inside 2000::/4, where all allocations are; what lies before is the first bucket and
    /// what lies after is the last. A prefix that ends in another bucket begins where a bucket begins: maps rely on it.
    fn bucket(self) -> usize;

    /// The address as it is compared inside its bucket.
    fn low(self) -> Self::Low;

    /// The address, for people and for looking things up.
    fn address(self) -> IpAddr;

    /// The prefix that starts here, for people.
    fn network(self, depth: u8) -> IpNet;
}

impl Key for u32 {
    const BITS: u8 = 32;
    const ZERO: Self = 0;
    type Low = u16;
    const BUCKETS: usize = 1 << 16;

    fn branch(depth: u8) -> Self {
        (1_u32 << 31).checked_shr(depth.into()).unwrap_or(0)
    }

    fn last(self, depth: u8) -> Self {
        self | Self::MAX.checked_shr(depth.into()).unwrap_or(0)
    }

    fn bucket(self) -> usize {
        (self >> 16) as usize
    }

    fn low(self) -> u16 {
        (self & 0xffff) as u16
    }

    fn address(self) -> IpAddr {
        Ipv4Addr::from(self).into()
    }

    fn network(self, depth: u8) -> IpNet {
        // Refuses only depths over 32, which the invariant excludes.
        Ipv4Net::new(self.into(), depth).unwrap_or_default().into()
    }
}

impl Key for u128 {
    const BITS: u8 = 128;
    const ZERO: Self = 0;
    type Low = u128;
    const BUCKETS: usize = (1 << 18) + 2;

    fn branch(depth: u8) -> Self {
        (1_u128 << 127).checked_shr(depth.into()).unwrap_or(0)
    }

    fn last(self, depth: u8) -> Self {
        self | Self::MAX.checked_shr(depth.into()).unwrap_or(0)
    }

    fn bucket(self) -> usize {
        let from_first = (self >> 106).saturating_sub((0x2000 << 6) - 1);
        from_first.min((1 << 18) + 1) as usize
    }

    fn low(self) -> u128 {
        self
    }

    fn address(self) -> IpAddr {
        Ipv6Addr::from(self).into()
    }

    fn network(self, depth: u8) -> IpNet {
        // Refuses only depths over 128, which the invariant excludes.
        Ipv6Net::new(self.into(), depth).unwrap_or_default().into()
    }
}

/// A prefix: its first address and its depth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prefix<K> {
    /// First address; the bits below `depth` are zero.
    pub start: K,
    /// How many leading bits the prefix settles.
    pub depth: u8,
}

impl<K: Key> Prefix<K> {
    /// The whole address space.
    pub const ALL: Self = Self { start: K::ZERO, depth: 0 };

    /// The last address.
    pub fn last(self) -> K {
        self.start.last(self.depth)
    }

    /// Both halves, lower first; `None` for a whole address.
    pub fn halves(self) -> Option<[Self; 2]> {
        if self.depth >= K::BITS {
            return None;
        }
        let depth = self.depth.saturating_add(1);
        let upper = self.start | K::branch(self.depth);
        Some([Self { start: self.start, depth }, Self { start: upper, depth }])
    }

    /// The prefix that this one is the upper half of, if `lower` is the lower half.
    pub fn joined_with(self, lower: Self) -> Option<Self> {
        let depth = self.depth.checked_sub(1)?;
        let is_sibling = lower.depth == self.depth && lower.start ^ self.start == K::branch(depth);
        is_sibling.then_some(Self { start: lower.start, depth })
    }

    /// Does this prefix hold all of `other`?
    pub fn contains(self, other: Self) -> bool {
        self.start <= other.start && other.last() <= self.last()
    }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may panic"
)]
mod tests {
    use super::*;

    #[test]
    fn halves_join_to_the_whole() {
        let whole = Prefix { start: 0x0a00_0000_u32, depth: 8 };
        let [lower, upper] = whole.halves().unwrap();
        assert_eq!(upper.start, 0x0a80_0000);
        assert_eq!(upper.joined_with(lower), Some(whole));
        assert!(whole.contains(upper) && !upper.contains(whole));
        assert_eq!(Prefix { start: 1_u128, depth: 128 }.halves(), None);
        assert_eq!(Prefix::<u128>::ALL.last(), u128::MAX);
    }

    #[test]
    fn buckets_rise_with_addresses() {
        let tops = [0_u128, 0x1fff, 0x2000, 0x2001, 0x2a00, 0x2fff, 0x3000, 0xffff];
        let buckets = tops.map(|top| (top << 112).bucket());
        assert!(buckets.is_sorted());
        assert_eq!((buckets[1], buckets[2], buckets[3]), (0, 1, 65));
        assert_eq!((buckets[5], u128::MAX.bucket()), (0x3_ffc1, u128::BUCKETS - 1));
        assert_eq!((u32::MAX.bucket(), u32::MAX.low()), (u32::BUCKETS - 1, 0xffff));
    }

    #[test]
    fn neighbours_of_two_parents_do_not_join() {
        let left = Prefix { start: 0x0a80_0000_u32, depth: 9 };
        let right = Prefix { start: 0x0b00_0000_u32, depth: 9 };
        assert_eq!(right.joined_with(left), None);
        assert_eq!(Prefix::<u32>::ALL.joined_with(Prefix::ALL), None);
    }
}
