//! Where probes may be sent: addresses in zone files come from many hands, and a prober inside a cloud can reach what its own
//! machine's secrets are had from.
//!
//! Asked after every resolution and again right before every packet, so that neither a name that changes its address nor a
//! redirect leads around it. An address that carries an IPv4 address in it is judged by both. What is refused is never held
//! against an endpoint: [`Blocked`](crate::health::NothingReason::Blocked).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::blame::Miss;
use crate::health::NothingReason;

/// What an operator allows and denies; the longest prefix that covers an address decides, and `allow` if both are as long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Egress {
    /// Networks that no probe may be sent to.
    pub deny: Vec<IpNet>,
    /// Networks that may be probed all the same.
    pub allow: Vec<IpNet>,
    /// Where this server listens itself: never probed, whatever is allowed. Who writes zones is not to talk to it in its own name.
    pub own: Vec<SocketAddr>,
}

/// Link-local addresses, the metadata services of clouds, and what is nobody's single address. Private and loopback addresses
/// are allowed, unlike at Route 53 (rule 65).
impl Default for Egress {
    fn default() -> Self {
        let v4 = |octets: [u8; 4], length| {
            IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::from(octets), length))
        };
        let v6 =
            |parts: [u16; 8], length| IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::from(parts), length));
        let deny = vec![
            v4([169, 254, 0, 0], 16), // link-local, RFC 3927; nearly all metadata
            v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), // link-local, RFC 4291 §2.5.6
            v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], 128), // metadata, AWS
            v4([100, 100, 100, 200], 32), // metadata, Alibaba
            v4([192, 0, 0, 192], 32), // metadata, Oracle
            v4([168, 63, 129, 16], 32), // the host of Azure's machines
            v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128), // metadata, Google
            v6([0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe], 128), // metadata, Oracle
            // Local translators may hold an IPv4 address at any of six places in it (RFC 8215, RFC 6052 §2.2).
            v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48),
            v6([0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42], 128), // metadata, Scaleway
            v6([0xfd00, 0xa9fe, 0xa9fe, 0, 0, 0, 0, 1], 128), // metadata, Linode
            v4([224, 0, 0, 0], 4),                        // multicast, RFC 1112 §4
            v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8),         // multicast, RFC 4291 §2.7
            v4([0, 0, 0, 0], 8),                          // this host, RFC 1122 §3.2.1.3
            v6([0; 8], 128),                              // unspecified, RFC 4291 §2.5.2
            v4([255, 255, 255, 255], 32),                 // broadcast, RFC 919 §7
        ];
        Self { deny, allow: Vec::new(), own: Vec::new() }
    }
}

impl Egress {
    /// Whether probes may be sent there.
    pub fn permits(&self, address: IpAddr) -> bool {
        let inner = match address {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => carried_ipv4(address),
        };
        self.permits_as_is(address) && inner.is_none_or(|inner| self.permits_as_is(inner.into()))
    }

    /// The same as a step of a probe, which leads to a port as well.
    pub(super) fn expect(&self, address: SocketAddr) -> Result<(), Miss> {
        let is_permitted = self.permits(address.ip()) && !self.is_own(address);
        if is_permitted { Ok(()) } else { Err(Miss::Nothing(NothingReason::Blocked)) }
    }

    fn is_own(&self, address: SocketAddr) -> bool {
        let is_this = |ip: IpAddr| {
            let ip = ip.to_canonical();
            let own = self.own.iter().filter(|own| own.port() == address.port());
            own.map(|own| own.ip().to_canonical()).any(|listener| {
                listener == ip || listener.is_unspecified() && is_here(ip, address.port())
            })
        };
        let inner = match address.ip() {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => carried_ipv4(address),
        };
        is_this(address.ip()) || inner.is_some_and(|inner| is_this(inner.into()))
    }

    fn permits_as_is(&self, address: IpAddr) -> bool {
        longest(&self.allow, address) >= longest(&self.deny, address)
    }
}

/// Whether an address is one of this machine's: what is sent there would leave from there. If that can't be learnt, it is.
fn is_here(ip: IpAddr, port: u16) -> bool {
    if ip.is_loopback() {
        return true;
    }
    let any: IpAddr =
        if ip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let source = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((ip, port))?;
        socket.local_addr()
    });
    match source {
        Ok(source) => source.ip() == ip,
        // Without a route, or without the family, no probe gets there either.
        Err(error) => !matches!(
            error.raw_os_error(),
            Some(libc::ENETUNREACH | libc::EHOSTUNREACH | libc::EAFNOSUPPORT | libc::EACCES)
        ),
    }
}

/// The length of the longest prefix that covers the address; nothing, which is less than any, if none does.
fn longest(networks: &[IpNet], address: IpAddr) -> Option<u8> {
    networks.iter().filter(|network| network.contains(&address)).map(IpNet::prefix_len).max()
}

/// The IPv4 address that packets to this one may end up at: mapped and compatible ones (RFC 4291 §2.5.5), translated ones
/// (RFC 7915), NAT64 (RFC 6052 §2.1, RFC 8215), 6to4 (RFC 3056 §2), ISATAP (RFC 5214 §6.1).
fn carried_ipv4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let join = |high: u16, low: u16| Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match [a, b, c, d, e, f] {
        // `::` and `::1` are addresses of their own.
        [0, 0, 0, 0, 0, 0] if g != 0 || h > 1 => join(g, h),
        [0, 0, 0, 0, 0, 0xffff] | [0, 0, 0, 0, 0xffff, 0] => join(g, h),
        [0x64, 0xff9b, 0, 0, 0, 0] | [0x64, 0xff9b, 1, ..] => join(g, h),
        [0x2002, high, low, ..] => join(high, low),
        // ISATAP, whichever prefix it has.
        [_, _, _, _, 0 | 0x200, 0x5efe] => join(g, h),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(egress: &Egress, address: &str) -> bool {
        egress.permits(address.parse().unwrap())
    }

    #[test]
    fn by_default_metadata_and_link_local_are_denied_in_all_their_forms() {
        let egress = Egress::default();
        for denied in [
            "169.254.169.254",
            "169.254.0.1",
            "fe80::1",
            "febf::1",
            "fd00:ec2::254",
            "100.100.100.200",
            "192.0.0.192",
            "224.0.0.1",
            "239.255.255.255",
            "ff02::1",
            "0.0.0.0",
            "0.1.2.3",
            "::",
            "255.255.255.255",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::169.254.169.254",
            "2002:a9fe:a9fe::1",
            "::ffff:100.100.100.200",
            "64:ff9b:1:a9fe:a9:fe00::",
            "64:ff9b:1::192.0.2.1",
            "64:ff9b::0.0.0.0",
            "::ffff:0.0.0.0",
            "2002:e000:1::",
        ] {
            assert!(!permits(&egress, denied), "{denied}");
        }
    }

    #[test]
    fn rule_65_private_and_loopback_addresses_are_allowed() {
        let egress = Egress::default();
        for allowed in [
            "127.0.0.1",
            "::1",
            "10.0.0.1",
            "192.168.1.1",
            "172.16.0.1",
            "fd00::1",
            "192.0.2.1",
            "2001:db8::1",
            "::ffff:10.0.0.1",
            "64:ff9b::192.0.2.1",
            "2002:c000:201::1",
            "192.0.0.193",
            "100.100.100.201",
            "fec0::1",
        ] {
            assert!(permits(&egress, allowed), "{allowed}");
        }
    }

    /// A zone file had the prober ask the metrics of its own server.
    #[test]
    fn where_the_server_listens_is_never_probed() {
        let parse = |text: &str| text.parse::<SocketAddr>().unwrap();
        let own = vec![parse("127.0.0.1:9153"), parse("[::]:53"), parse("0.0.0.0:53")];
        let allow = vec!["127.0.0.0/8".parse().unwrap()];
        let egress = Egress { own, allow, ..Egress::default() };
        for (address, is_permitted) in [
            ("127.0.0.1:9153", false),
            ("[::ffff:127.0.0.1]:9153", false),
            ("[64:ff9b::127.0.0.1]:9153", false),
            ("127.0.0.2:9153", true),
            ("127.0.0.1:9154", true),
            ("127.0.0.1:53", false),
            ("127.9.9.9:53", false),
            ("192.0.2.253:53", true),
        ] {
            assert_eq!(egress.expect(parse(address)).is_ok(), is_permitted, "{address}");
        }
    }

    #[test]
    fn the_longest_prefix_decides_and_allow_if_both_are_as_long() {
        let parse =
            |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>();
        let egress = Egress {
            deny: parse(&["0.0.0.0/0", "10.1.0.0/16", "10.2.3.4/32", "::/0"]),
            allow: parse(&["10.0.0.0/8", "10.2.3.4/32", "64:ff9b::/96"]),
            own: Vec::new(),
        };
        for (address, permitted) in [
            ("192.0.2.1", false),
            ("10.9.9.9", true),
            ("10.1.9.9", false),
            ("10.2.3.4", true),
            ("2001:db8::1", false),
            ("64:ff9b::10.0.0.1", true),
            ("64:ff9b::10.1.0.1", false),
        ] {
            assert_eq!(permits(&egress, address), permitted, "{address}");
        }
        let metadata = Egress { allow: parse(&["169.254.169.254/32"]), ..Egress::default() };
        assert!(
            permits(&metadata, "::ffff:169.254.169.254") && permits(&metadata, "169.254.169.254")
        );
        assert!(!permits(&metadata, "169.254.169.253"));
    }
}
