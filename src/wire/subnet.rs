//! The EDNS Client Subnet option (RFC 7871), read strictly.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::reader::{Malformed, Reader};

/// The prefix that a resolver sent on behalf of its client, as it stood in the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientSubnet {
    family: u16,
    source: u8,
    octets: [u8; 16],
}

const FAMILY_NONE: u16 = 0;
const FAMILY_IPV4: u16 = 1;
const FAMILY_IPV6: u16 = 2;

impl ClientSubnet {
    /// Reads the option's data (RFC 7871 §6, §7.1.2). Everything that is not exactly as it must be is malformed: an unknown
    /// family (but 0 with a source of 0, as `dig +subnet=0` sends it), a source longer than an address, a scope other than
    /// 0, more or fewer octets than the source needs, and bits set beyond the source (Route 53 rule 78).
    pub fn parse(data: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(data);
        let family = reader.u16()?;
        let source = reader.u8()?;
        let scope = reader.u8()?;
        let width = match family {
            FAMILY_NONE => 0,
            FAMILY_IPV4 => 32,
            FAMILY_IPV6 => 128,
            _ => return Err(Malformed),
        };
        if source > width || scope != 0 {
            return Err(Malformed);
        }
        let given = reader.take(usize::from(source.div_ceil(8)))?;
        let mut octets = [0; 16];
        octets.get_mut(..given.len()).ok_or(Malformed)?.copy_from_slice(given);
        let spare = u32::from(source).wrapping_neg() & 7;
        let dirty = given
            .last()
            .is_some_and(|last| u32::from(*last) & (1u32 << spare).wrapping_sub(1) != 0);
        if !reader.is_at_end() || dirty {
            return Err(Malformed);
        }
        Ok(Self { family, source, octets })
    }

    /// Reads a client as people write it: `ADDRESS/LENGTH`, or an address and so the prefix that a resolver would send of
    /// it, as Route 53's test tool assumes (rule 76): 24 bits of IPv4, 64 of IPv6. Nothing if it is neither.
    pub fn parse_prefix(text: &str) -> Option<(IpAddr, u8)> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let (width, usual) = if address.is_ipv4() { (32, 24) } else { (128, 64) };
        let length = length.map_or(Some(usual), |length| length.parse().ok())?;
        (length <= width).then_some((address, length))
    }

    /// The first address of the prefix, or nothing if the resolver asked us to look at its own address (§7.1.2: source 0).
    pub fn address(&self) -> Option<IpAddr> {
        if self.source == 0 {
            return None;
        }
        let wide = Ipv6Addr::from(self.octets);
        if self.family == FAMILY_IPV6 {
            return Some(IpAddr::V6(wide));
        }
        self.octets.first_chunk::<4>().map(|&narrow| IpAddr::V4(Ipv4Addr::from(narrow)))
    }

    /// How many leading bits of the address the resolver gave.
    pub fn source(&self) -> u8 {
        self.source
    }

    /// Longest prefix in the family: 32, 128, or 0 where there is none.
    pub fn width(&self) -> u8 {
        match self.family {
            FAMILY_IPV4 => 32,
            FAMILY_IPV6 => 128,
            _ => 0,
        }
    }

    /// The address octets that the option carries.
    pub fn octets(&self) -> &[u8] {
        self.octets.get(..usize::from(self.source.div_ceil(8))).unwrap_or_default()
    }

    pub fn family(&self) -> u16 {
        self.family
    }

    /// The option that a client at `address` would cause, as `explain` assumes it.
    pub fn from_prefix(address: IpAddr, source: u8) -> Self {
        let mut octets = [0u8; 16];
        let family = match address {
            IpAddr::V4(v4) => {
                for (to, from) in octets.iter_mut().zip(v4.octets()) {
                    *to = from;
                }
                FAMILY_IPV4
            }
            IpAddr::V6(v6) => {
                octets = v6.octets();
                FAMILY_IPV6
            }
        };
        let width = if family == FAMILY_IPV4 { 32 } else { 128 };
        let source = source.min(width);
        let kept = u128::MAX.checked_shl(128u32.saturating_sub(u32::from(source))).unwrap_or(0);
        let octets = (u128::from_be_bytes(octets) & kept).to_be_bytes();
        Self { family, source, octets }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_78_what_is_malformed() {
        for (data, why) in [
            (&[0u8, 1, 24][..], "short"),
            (&[0, 3, 0, 0], "family 3"),
            (&[0, 0, 8, 0, 1], "family 0 with a prefix"),
            (&[0, 1, 33, 0, 1, 2, 3, 4, 5], "source 33"),
            (
                &[0, 2, 129, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17],
                "source 129",
            ),
            (&[0, 1, 24, 24, 1, 2, 3], "scope in a query"),
            (&[0, 1, 24, 0, 1, 2], "one octet missing"),
            (&[0, 1, 24, 0, 1, 2, 3, 0], "one octet too many"),
            (&[0, 1, 20, 0, 1, 2, 0x1f], "bits beyond the source"),
            (&[0, 1, 0, 0, 0], "octets for no bits"),
        ] {
            assert_eq!(ClientSubnet::parse(data), Err(Malformed), "{why}");
        }
    }

    #[test]
    fn what_is_well_formed() {
        let subnet = ClientSubnet::parse(&[0, 1, 20, 0, 1, 2, 0x10]).unwrap();
        assert_eq!(subnet.address(), Some("1.2.16.0".parse().unwrap()));
        assert_eq!((subnet.source(), subnet.octets()), (20, &[1u8, 2, 0x10][..]));
        let subnet = ClientSubnet::parse(&[0, 2, 32, 0, 0x20, 1, 0x0d, 0xb8]).unwrap();
        assert_eq!(subnet.address(), Some("2001:db8::".parse().unwrap()));
        for none in [&[0u8, 0, 0, 0][..], &[0, 1, 0, 0], &[0, 2, 0, 0]] {
            assert_eq!(ClientSubnet::parse(none).unwrap().address(), None);
        }
    }

    #[test]
    fn a_prefix_made_is_a_prefix_read() {
        for (address, source) in
            [("203.0.113.9", 24), ("203.0.113.9", 32), ("2001:db8:1:2::3", 56), ("1.2.3.4", 0)]
        {
            let made = ClientSubnet::from_prefix(address.parse().unwrap(), source);
            let mut data = made.family().to_be_bytes().to_vec();
            data.extend([made.source(), 0]);
            data.extend(made.octets());
            assert_eq!(ClientSubnet::parse(&data), Ok(made));
        }
    }
}
