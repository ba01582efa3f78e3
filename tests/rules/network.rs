//! Random databases of nested networks, and where an address is by brute force.
//!
//! A *landmark* is an address at which the location may change: where a network or special-purpose space begins, and where
//! it has ended. Between two landmarks every address has one location, so that looking at a prefix's first address and at
//! the landmarks in it is looking at all of its addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use meridian::geo::Database;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::harness::database;
use crate::tree::COUNTRIES;

/// Special-purpose space inside the space that networks are drawn from.
const SPECIAL: [&str; 2] = ["10.0.0.0/8", "2001:db8::/32"];

/// Networks with their country; a longer one inside a shorter one wins.
#[derive(Clone, Debug)]
pub struct Networks(Vec<(IpNet, Option<&'static str>)>);

/// Networks below 8.0.0.0/6 and 2001:d00::/24, with few distinct bits, so that they nest and touch.
pub fn networks() -> impl Strategy<Value = Networks> {
    let ipv4 = (0..16u32, 0..4u32, any::<u8>(), 7..=28u8).prop_map(|(high, middle, low, depth)| {
        let address = 0x0800_0000 | high << 22 | middle << 14 | u32::from(low);
        IpNet::from(Ipv4Net::new(address.into(), depth).unwrap().trunc())
    });
    let ipv6 =
        (0..8u128, 0..4u128, any::<u8>(), 24..=64u8).prop_map(|(high, middle, low, depth)| {
            let address =
                0x2001_0db0 << 96 | (high * 3) << 96 | middle << 78 | u128::from(low) << 64;
            IpNet::from(Ipv6Net::new(address.into(), depth).unwrap().trunc())
        });
    let country = prop_oneof![
        6 => (0..COUNTRIES.len()).prop_map(|number| Some(COUNTRIES[number].0)),
        1 => Just(None)
    ];
    let network = (prop_oneof![3 => ipv4, 2 => ipv6], country);
    // The last one makes it a database of countries.
    vec(network, 1..12).prop_map(|mut networks| {
        networks.push(("11.255.0.0/16".parse().unwrap(), Some("US")));
        networks.sort_by_key(|(network, _)| (network.prefix_len(), *network));
        networks.dedup_by_key(|(network, _)| *network);
        Networks(networks)
    })
}

impl Networks {
    pub fn database(&self) -> Database {
        database(&self.0)
    }

    /// The country of an address, by looking at every network. An IPv4-mapped address is its IPv4 address.
    pub fn country(&self, address: IpAddr) -> Option<&'static str> {
        let address = address.to_canonical();
        if special().any(|block| block.contains(&address)) {
            return None;
        }
        // They are sorted by length.
        let mut holding = self.0.iter().filter(|(network, _)| network.contains(&address));
        holding.next_back().and_then(|(_, country)| *country)
    }

    fn landmarks(&self) -> impl Iterator<Item = IpAddr> {
        let networks = self.0.iter().map(|(network, _)| *network).chain(special());
        let ends = networks.flat_map(|network| [Some(network.network()), after(network)]);
        ends.flatten().flat_map(|address| [Some(address), mapped(address)]).flatten()
    }

    /// One address for each location in a prefix, at least.
    pub fn samples(&self, prefix: IpNet) -> Vec<IpAddr> {
        let inside = self.landmarks().filter(|address| prefix.contains(address));
        let mut samples: Vec<IpAddr> = inside.chain([prefix.network()]).collect();
        samples.sort();
        samples.dedup();
        samples
    }

    /// Clients of both families, one in each location.
    pub fn clients(&self) -> Vec<IpAddr> {
        let everything = ["0.0.0.0/0", "::/0"].map(|all| all.parse().unwrap());
        everything.into_iter().flat_map(|all| self.samples(all)).collect()
    }
}

/// ::ffff:a.b.c.d of an IPv4 address.
fn mapped(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) => Some(address.to_ipv6_mapped().into()),
        IpAddr::V6(_) => None,
    }
}

fn special() -> impl Iterator<Item = IpNet> {
    SPECIAL.into_iter().map(|block| block.parse().unwrap())
}

/// The address after a network.
fn after(network: IpNet) -> Option<IpAddr> {
    match network.broadcast() {
        IpAddr::V4(last) => u32::from(last).checked_add(1).map(|next| Ipv4Addr::from(next).into()),
        IpAddr::V6(last) => u128::from(last).checked_add(1).map(|next| Ipv6Addr::from(next).into()),
    }
}

/// The prefix of one address.
pub fn host(address: IpAddr) -> IpNet {
    IpNet::from(address)
}

/// The prefix of this length around an address.
pub fn around(address: IpAddr, length: u8) -> IpNet {
    IpNet::new(address, length).unwrap().trunc()
}

/// The other half of the prefix that is one bit shorter.
pub fn sibling(prefix: IpNet) -> Option<IpNet> {
    let length = prefix.prefix_len();
    let parent = around(prefix.network(), length.checked_sub(1)?);
    parent.subnets(length).unwrap().find(|half| *half != prefix)
}
