//! Walks over whole address space: every stretch of addresses that some prefix maps treat alike.
//!
//! What "how many clients get this answer?" needs. A map's own look-up says how far its leaf reaches, so that a walk is a chain
//! of look-ups: some tens of milliseconds for all of IPv4 and half a million leaves. Neighbours: `special.rs` says which space
//! holds no clients. Invariant: the stretches of a range are disjoint, in order, and together are the range.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::prefix::Prefix;
use super::prefix_map::PrefixMap;
use super::special;

/// The addresses from one to another of the same family, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    first: u128,
    last: u128,
    is_ipv6: bool,
}

impl AddressRange {
    /// How many addresses there are.
    pub fn addresses(&self) -> f64 {
        self.last.saturating_sub(self.first) as f64 + 1.0
    }

    /// The first address.
    pub fn first(&self) -> IpAddr {
        address(self.first, self.is_ipv6)
    }

    /// Walks the stretches in which every map has one class. Gives the classes, in the order of the maps, and the number of
    /// addresses.
    pub fn walk<const N: usize>(&self, maps: [&PrefixMap; N], mut take: impl FnMut([u32; N], f64)) {
        let bits = if self.is_ipv6 { 128u8 } else { 32 };
        let mut first = self.first;
        loop {
            let at = address(first, self.is_ipv6);
            let mut last = self.last;
            let classes = maps.map(|map| {
                let found = map.lookup(at);
                let inside = bits.saturating_sub(found.scope);
                let rest = u128::MAX.checked_shr(128u32.saturating_sub(inside.into())).unwrap_or(0);
                last = last.min(first | rest);
                found.class
            });
            take(classes, last.saturating_sub(first) as f64 + 1.0);
            match last.checked_add(1) {
                Some(next) if last < self.last => first = next,
                _ => return,
            }
        }
    }
}

impl From<IpNet> for AddressRange {
    fn from(network: IpNet) -> Self {
        let number = |address| match address {
            IpAddr::V4(address) => u128::from(u32::from(address)),
            IpAddr::V6(address) => u128::from(address),
        };
        Self {
            first: number(network.network()),
            last: number(network.broadcast()),
            is_ipv6: matches!(network, IpNet::V6(_)),
        }
    }
}

/// All IPv4 space but what is set aside for special purposes.
pub fn public_ipv4() -> Vec<AddressRange> {
    let blocks = special::IPV4.map(|block| (block.start.into(), block.last().into()));
    gaps(&blocks, u32::MAX.into(), false)
}

/// The IPv6 space that is given out (2000::/3), but what is set aside for special purposes.
pub fn public_ipv6() -> Vec<AddressRange> {
    let unicast = Prefix { start: 1u128 << 125, depth: 3 };
    let blocks = special::IPV6.iter().map(|block| (block.start, block.last()));
    let blocks: Vec<(u128, u128)> = [(0, unicast.start.saturating_sub(1))]
        .into_iter()
        .chain(blocks.filter(|(first, _)| *first >= unicast.start && *first <= unicast.last()))
        .collect();
    gaps(&blocks, unicast.last(), true)
}

/// What is left between blocks that are in order and disjoint.
fn gaps(blocks: &[(u128, u128)], end: u128, is_ipv6: bool) -> Vec<AddressRange> {
    let mut ranges = Vec::new();
    let mut first = 0u128;
    for (start, last) in blocks {
        if let Some(before) = start.checked_sub(1).filter(|before| *before >= first) {
            ranges.push(AddressRange { first, last: before, is_ipv6 });
        }
        first = last.saturating_add(1);
    }
    if first <= end {
        ranges.push(AddressRange { first, last: end, is_ipv6 });
    }
    ranges
}

fn address(number: u128, is_ipv6: bool) -> IpAddr {
    if is_ipv6 {
        Ipv6Addr::from(number).into()
    } else {
        // A range of IPv4 has no larger numbers.
        Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX)).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_space_leaves_out_what_is_special_and_nothing_else() {
        let special: f64 =
            special::IPV4.iter().map(|block| 2f64.powi(32 - i32::from(block.depth))).sum();
        let public: f64 = public_ipv4().iter().map(AddressRange::addresses).sum();
        assert_eq!(special + public, 2f64.powi(32));
        let firsts: Vec<String> = public_ipv4().iter().map(|one| one.first().to_string()).collect();
        assert_eq!(firsts[..3], ["1.0.0.0", "11.0.0.0", "100.128.0.0"]);
        let firsts: Vec<String> = public_ipv6().iter().map(|one| one.first().to_string()).collect();
        assert_eq!(firsts, ["2000::", "2001:200::", "2001:db9::", "3fff:1000::"]);
        assert!(public_ipv4().iter().all(|range| range.last <= 0xdfff_ffff));
    }

    #[test]
    fn a_network_is_a_range() {
        let range = AddressRange::from("192.0.2.0/24".parse::<IpNet>().unwrap());
        assert_eq!((range.addresses(), range.first()), (256.0, "192.0.2.0".parse().unwrap()));
        let all = AddressRange::from("::/0".parse::<IpNet>().unwrap());
        assert_eq!(all.addresses(), 2f64.powi(128));
    }
}
