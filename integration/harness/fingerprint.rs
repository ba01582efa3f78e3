//! The shipped zone of the fingerprint service, with loopback responders in the place of its regions.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use super::responder::Responder;
use super::server::Server;
use super::wire::{A, Ask, UdpClient};

pub const FILE: &str = "fingerprint.toml";
pub const API: &str = "api.fingerprint.example.com";
pub const API_CNAME: &str = "api-cname.fingerprint.example.com";
pub const API_WEIGHTED: &str = "api-weighted.fingerprint.example.com";

pub const US_EAST_1: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);
pub const EU_WEST_1: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 12);
pub const AP_SOUTHEAST_1: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 13);
pub const REGIONS: [Ipv4Addr; 3] = [US_EAST_1, EU_WEST_1, AP_SOUTHEAST_1];

/// The interval of the checks in these tests, in seconds.
pub const EVERY_SECONDS: u64 = 1;
/// Failures until an endpoint counts as down in these tests.
pub const DOWN_AFTER: u64 = 2;

/// Clients whose country is certain, and the region that the zone documents for them.
pub const CLIENTS: [(&str, &str, Ipv4Addr); 4] = [
    ("the United States", "8.8.8.0/24", US_EAST_1),
    ("Germany", "46.4.0.0/24", EU_WEST_1),
    ("Japan", "133.11.0.0/24", AP_SOUTHEAST_1),
    ("Brazil", "200.160.0.0/24", US_EAST_1),
];

/// What is replaced in the shipped file, how often it stands there, and by what.
const REPLACED: &[(&str, usize, &str)] = &[
    (", \"2001:db8:1::10\"]", 1, "]"),
    (", \"2001:db8:2::10\"]", 1, "]"),
    (", \"2001:db8:3::10\"]", 1, "]"),
    ("\"192.0.2.10\"", 2, "\"127.0.0.11\""),
    ("\"198.51.100.10\"", 2, "\"127.0.0.12\""),
    ("\"203.0.113.10\"", 2, "\"127.0.0.13\""),
    ("https      = \"/health\"", 4, "port = PORT\nhttp = \"/health\""),
    ("every      = \"10s\"", 4, "every = \"1s\""),
    ("timeout    = \"2s\"", 4, "timeout = \"1s\""),
    ("down_after = 3", 4, "down_after = 2\ndamping = false"),
];

/// The shipped zone with regions on loopback, probed over plain HTTP every second. Loopback has a single IPv6 address, which
/// can't be three regions, so that only the IPv4 ones are left.
pub fn zone_on_loopback(port: u16) -> String {
    let path = super::repository().join("zones").join(FILE);
    let mut text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    // The tests at the end of the file are about the shipped addresses.
    text.truncate(text.find("# ---- Tests").expect("the zone has tests"));
    for (shipped, times, replacement) in REPLACED {
        let found = text.matches(shipped).count();
        assert_eq!(found, *times, "{shipped:?} in {}: change the test too", path.display());
        text = text.replace(shipped, &replacement.replace("PORT", &port.to_string()));
    }
    // The pace of the checks is another than the shipped one, but TTLs are to be as shipped.
    format!("ttl_floor = \"1h\"\n{text}")
}

/// The server on that zone, and its regions.
pub struct Deployment {
    pub server: Server,
    /// As in [`REGIONS`].
    pub regions: [Responder; 3],
}

impl Deployment {
    pub fn start(arguments: &[&str]) -> Self {
        let regions = Responder::start_all(REGIONS.map(IpAddr::V4));
        let zone = zone_on_loopback(regions[0].address().port());
        let server = Server::start(&[(FILE, &zone)], arguments);
        Self { server, regions }
    }

    /// The addresses that a client behind this prefix gets.
    pub fn ask(&self, name: &str, client: &str) -> Vec<Ipv4Addr> {
        self.server.ask(&Ask::new(name, A).subnet(client)).ipv4()
    }

    /// Asks many times, with many queries under way at once, and counts the answers by address.
    pub fn count_answers(&self, ask: &Ask, queries: u32) -> BTreeMap<Ipv4Addr, u32> {
        /// Small enough for the default receive buffer of either side.
        const WINDOW: u32 = 64;
        let client = UdpClient::connect(self.server.ipv4());
        let (mut counts, mut counted, mut lost) = (BTreeMap::new(), 0, 0);
        while counted < queries {
            let burst = WINDOW.min(queries - counted);
            for id in 0..burst {
                client.send(&ask.clone().id(id as u16).octets());
            }
            for _ in 0..burst {
                let Some(octets) = client.receive() else {
                    lost += 1;
                    assert!(lost < 10, "{lost} of {counted} queries were not answered");
                    break;
                };
                let addresses = super::wire::Reply::parse(octets).ipv4();
                let [address] = addresses[..] else {
                    panic!("one address was expected, not {addresses:?}")
                };
                *counts.entry(address).or_default() += 1;
                counted += 1;
            }
        }
        counts
    }
}
