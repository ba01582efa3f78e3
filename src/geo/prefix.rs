//! Prefix arithmetic for both address families, written once.
//!
//! The tree walk and the prefix map treat an address as a number and a prefix as (first address, depth). [`Key`] says
//! what they need of such a number: `u32` is IPv4, `u128` is IPv6. Neighbours: `tree.rs`, `leaves.rs`, `overlay.rs`,
//! `merged.rs` and `shape.rs` are generic over it. Invariant: a depth is at most [`Key::BITS`]; a deeper one gives the value that
//! changes nothing (no bit, the address itself), never a panic.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::{BitOr, BitXor};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::special::MAPPED;

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

    /// A prefix of people's, if it is of this family. One inside ::ffff:0:0/96 is a prefix of IPv4.
    fn prefix_of(network: IpNet) -> Option<Prefix<Self>>;

    /// The address after this one.
    fn next(self) -> Option<Self>;

    /// The address before this one; the first stays.
    fn before(self) -> Self;

    /// Depth of the largest prefix that starts here and does not go beyond `last`.
    fn depth_up_to(self, last: Self) -> u8;

    /// Does ::ffff:0:0/96 start here? No larger prefix does, so that a range cut here has it as a leaf of its own.
    fn is_mapped_start(self) -> bool;
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

    fn prefix_of(network: IpNet) -> Option<Prefix<Self>> {
        match canonical(network) {
            IpNet::V4(network) => {
                Some(Prefix { start: network.network().into(), depth: network.prefix_len() })
            }
            IpNet::V6(_) => None,
        }
    }

    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }

    fn before(self) -> Self {
        self.saturating_sub(1)
    }

    fn depth_up_to(self, last: Self) -> u8 {
        // As many low bits as are zero here, and as the distance has ones: both at most 32.
        let free = last.saturating_sub(self).checked_add(1).map_or(32, Self::ilog2);
        32_u32.saturating_sub(free.min(self.trailing_zeros())) as u8
    }

    fn is_mapped_start(self) -> bool {
        false
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

    fn prefix_of(network: IpNet) -> Option<Prefix<Self>> {
        match canonical(network) {
            IpNet::V6(network) => {
                Some(Prefix { start: network.network().into(), depth: network.prefix_len() })
            }
            IpNet::V4(_) => None,
        }
    }

    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }

    fn before(self) -> Self {
        self.saturating_sub(1)
    }

    fn depth_up_to(self, last: Self) -> u8 {
        // As many low bits as are zero here, and as the distance has ones: both at most 128.
        let free = last.saturating_sub(self).checked_add(1).map_or(128, Self::ilog2);
        128_u32.saturating_sub(free.min(self.trailing_zeros())) as u8
    }

    fn is_mapped_start(self) -> bool {
        self == MAPPED.start
    }
}

/// A prefix without host bits; as IPv4 if it is inside ::ffff:0:0/96, because its addresses are looked up as IPv4.
pub(super) fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(inner) = network else {
        return network.trunc();
    };
    let depth = inner.prefix_len().checked_sub(MAPPED.depth);
    let mapped = depth.zip(inner.addr().to_ipv4_mapped());
    let mapped = mapped.and_then(|(depth, address)| Ipv4Net::new(address, depth).ok());
    mapped.map_or(network, IpNet::V4).trunc()
}

/// An address as its family looks it up: an IPv4-mapped one is an IPv4 address.
pub(super) enum Family {
    Ipv4(u32),
    /// An IPv4 address that was written as IPv6, so that depths count the 96 bits before it.
    Mapped(u32),
    Ipv6(u128),
}

impl Family {
    #[inline]
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::Ipv4(address.into()),
            IpAddr::V6(address) => match address.to_ipv4_mapped() {
                Some(mapped) => Self::Mapped(mapped.into()),
                None => Self::Ipv6(address.into()),
            },
        }
    }
}

/// An IPv4 network written as the IPv4-mapped IPv6 network.
pub(super) fn map_network(network: IpNet) -> IpNet {
    let IpNet::V4(network) = network else {
        return network;
    };
    let depth = network.prefix_len().saturating_add(MAPPED.depth);
    // Refuses only depths over 128: 96 and at most 32.
    Ipv6Net::new(network.addr().to_ipv6_mapped(), depth).unwrap_or_default().into()
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
    fn halves_are_inside_the_whole() {
        let whole = Prefix { start: 0x0a00_0000_u32, depth: 8 };
        let [lower, upper] = whole.halves().unwrap();
        assert_eq!(upper.start, 0x0a80_0000);
        assert_eq!((lower.start, lower.last().next()), (whole.start, Some(upper.start)));
        assert!(whole.contains(upper) && !upper.contains(whole));
        assert_eq!(Prefix { start: 1_u128, depth: 128 }.halves(), None);
        assert_eq!(Prefix::<u128>::ALL.last(), u128::MAX);
    }

    #[test]
    fn ranges_begin_with_their_largest_prefix() {
        assert_eq!(0_u32.depth_up_to(u32::MAX), 0);
        assert_eq!(0_u32.depth_up_to(u32::MAX - 1), 1);
        assert_eq!(0x0a00_0000_u32.depth_up_to(0x0a00_00ff), 24);
        assert_eq!(0x0a00_0000_u32.depth_up_to(0x0a00_01fe), 24);
        assert_eq!(0x0a00_0004_u32.depth_up_to(u32::MAX), 30);
        assert_eq!(7_u32.depth_up_to(7), 32);
        assert_eq!((0_u128.depth_up_to(u128::MAX), (1_u128 << 127).depth_up_to(u128::MAX)), (0, 1));
        assert_eq!(u128::MAX.depth_up_to(u128::MAX), 128);
    }

    #[test]
    fn mapped_prefixes_are_those_of_ipv4() {
        let parse = |text: &str| text.parse::<IpNet>().unwrap();
        for (text, expected) in [
            ("::ffff:10.1.2.3/112", "10.1.0.0/16"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("::ffff:0:0/95", "::fffe:0:0/95"),
            ("2001:db8::1/32", "2001:db8::/32"),
            ("10.1.2.3/8", "10.0.0.0/8"),
        ] {
            assert_eq!(canonical(parse(text)), parse(expected), "{text}");
        }
        assert_eq!(map_network(parse("10.0.0.0/8")), parse("::ffff:10.0.0.0/104"));
        assert_eq!(u128::prefix_of(parse("::ffff:10.0.0.0/104")), None);
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
}
