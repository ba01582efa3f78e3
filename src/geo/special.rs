//! Address space that belongs to no place, whatever a database says.
//!
//! Private, documentation and multicast addresses are in use everywhere at once, so a country for them is a guess that
//! would also be cached with a scope (the design sends such clients to the resolver's address). The blocks are those
//! of the IANA special-purpose registries (RFC 6890 and its updates) that are not globally reachable, plus multicast,
//! 240.0.0.0/4 and the deprecated forms.
//!
//! Two IPv6 forms that embed IPv4 are not here: 64:ff9b::/96 and 2002::/16 are globally reachable, so a database may
//! locate them; where it only aliases them to its IPv4 tree, the walk (`tree.rs`) leaves them without a location.
//! Neighbour: `tree.rs` cuts these blocks out while it walks. Invariant: sorted and disjoint (tested), because the
//! walk passes them once, in order.

use super::prefix::Prefix;

/// The first address of ::ffff:0:0/96: IPv4-mapped addresses (RFC 4291 §2.5.5.2), answered as their IPv4 address.
pub(super) const MAPPED: Prefix<u128> = Prefix { start: 0xffff_0000_0000, depth: 96 };

/// IPv4 blocks, in address order.
pub(super) const IPV4: [Prefix<u32>; 15] = [
    ipv4(0x0000_0000, 8),  // 0.0.0.0/8        this network (RFC 791 §3.2)
    ipv4(0x0a00_0000, 8),  // 10.0.0.0/8       private (RFC 1918)
    ipv4(0x6440_0000, 10), // 100.64.0.0/10    carrier NAT (RFC 6598)
    ipv4(0x7f00_0000, 8),  // 127.0.0.0/8      loopback (RFC 1122 §3.2.1.3)
    ipv4(0xa9fe_0000, 16), // 169.254.0.0/16   link local (RFC 3927)
    ipv4(0xac10_0000, 12), // 172.16.0.0/12    private (RFC 1918)
    ipv4(0xc000_0000, 24), // 192.0.0.0/24     protocol assignments (RFC 6890 §2.1)
    ipv4(0xc000_0200, 24), // 192.0.2.0/24     documentation (RFC 5737)
    ipv4(0xc058_6300, 24), // 192.88.99.0/24   6to4 relays, deprecated (RFC 7526)
    ipv4(0xc0a8_0000, 16), // 192.168.0.0/16   private (RFC 1918)
    ipv4(0xc612_0000, 15), // 198.18.0.0/15    benchmarks (RFC 2544)
    ipv4(0xc633_6400, 24), // 198.51.100.0/24  documentation (RFC 5737)
    ipv4(0xcb00_7100, 24), // 203.0.113.0/24   documentation (RFC 5737)
    ipv4(0xe000_0000, 4),  // 224.0.0.0/4      multicast (RFC 5771)
    ipv4(0xf000_0000, 4),  // 240.0.0.0/4      reserved, broadcast (RFC 1112 §4, RFC 919 §7)
];

/// IPv6 blocks, in address order.
pub(super) const IPV6: [Prefix<u128>; 13] = [
    ipv6(0x0000_0000_0000_0000, 96), // ::/96            unspecified, loopback, IPv4-compatible (RFC 4291 §2.5)
    MAPPED,                          // ::ffff:0:0/96    found as IPv4 before this table is asked
    ipv6(0x0064_ff9b_0001_0000, 48), // 64:ff9b:1::/48   local translation (RFC 8215)
    ipv6(0x0100_0000_0000_0000, 64), // 100::/64         discard (RFC 6666)
    ipv6(0x0100_0000_0000_0001, 64), // 100:0:0:1::/64   dummy prefix (RFC 9780)
    ipv6(0x2001_0000_0000_0000, 23), // 2001::/23        protocol assignments, Teredo (RFC 2928, RFC 4380)
    ipv6(0x2001_0db8_0000_0000, 32), // 2001:db8::/32    documentation (RFC 3849)
    ipv6(0x3fff_0000_0000_0000, 20), // 3fff::/20        documentation (RFC 9637)
    ipv6(0x5f00_0000_0000_0000, 16), // 5f00::/16        segment routing (RFC 9602)
    ipv6(0xfc00_0000_0000_0000, 7),  // fc00::/7         unique local (RFC 4193)
    ipv6(0xfe80_0000_0000_0000, 10), // fe80::/10        link local (RFC 4291 §2.5.6)
    ipv6(0xfec0_0000_0000_0000, 10), // fec0::/10        site local, deprecated (RFC 3879)
    ipv6(0xff00_0000_0000_0000, 8),  // ff00::/8         multicast (RFC 4291 §2.7)
];

const fn ipv4(start: u32, depth: u8) -> Prefix<u32> {
    Prefix { start, depth }
}

/// A block given by the upper half of its first address; the lower half is zero.
const fn ipv6(upper: u64, depth: u8) -> Prefix<u128> {
    Prefix { start: (upper as u128) << 64, depth }
}

#[cfg(test)]
mod tests {
    use super::super::prefix::Key;
    use super::*;

    fn is_sorted_and_disjoint<K: Key>(blocks: &[Prefix<K>]) -> bool {
        blocks.is_sorted_by(|left, right| left.last() < right.start)
    }

    fn written<K: Key>(blocks: &[Prefix<K>]) -> String {
        let texts = blocks.iter().map(|block| block.start.network(block.depth).to_string());
        texts.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn blocks_are_sorted_and_disjoint() {
        assert!(is_sorted_and_disjoint(&IPV4));
        assert!(is_sorted_and_disjoint(&IPV6));
    }

    #[test]
    fn blocks_are_the_registries() {
        assert_eq!(
            written(&IPV4),
            "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 \
             192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4"
        );
        assert_eq!(
            written(&IPV6),
            "::/96 ::ffff:0.0.0.0/96 64:ff9b:1::/48 100::/64 100:0:0:1::/64 2001::/23 2001:db8::/32 3fff::/20 5f00::/16 \
             fc00::/7 fe80::/10 fec0::/10 ff00::/8"
        );
    }
}
