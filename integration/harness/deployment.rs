//! A shipped zone with loopback responders in the place of its regions, which tests stop, slow down and break.
//!
//! [`super::fingerprint`] does the same for the fingerprint service, by its own pools and checks; this one takes any zone whose
//! pools are regions of one check. Each region is probed at its responder. The IPv4 address that is handed out is the
//! responder's, so that clients can fetch from it; the IPv6 address stays the shipped one, since loopback has only one, and
//! follows the same responder's health.
//!
//! Time: `every` of each check becomes a second, [`SCALED_EVERY`], whatever the zone ships: D1's 3 s are divided by 3, the
//! others' 30 s by 30. Timeouts are a second as well, and thresholds stay as shipped.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::responder::Responder;
use super::server::Server;
use super::wire::{A, AAAA, Ask, Reply, UdpClient};
use super::{PATIENCE, http, wait_until};

/// The interval of the checks in these tests.
pub const SCALED_EVERY: Duration = Duration::from_secs(1);

/// What a busy machine may add to any time that is promised.
const ALLOWANCE: Duration = Duration::from_secs(5);

/// A shipped zone.
pub struct Shipped<const N: usize> {
    pub file: &'static str,
    pub check: &'static str,
    /// As the zone file has them, for a test that notices when they change.
    pub every: &'static str,
    pub timeout: &'static str,
    pub down_after: u32,
    pub up_after: u32,
    pub regions: [Region; N],
}

/// A pool of a shipped zone.
pub struct Region {
    pub pool: &'static str,
    pub shipped: [&'static str; 2],
    /// Its responder, and the IPv4 address that is handed out.
    pub loopback: Ipv4Addr,
}

impl<const N: usize> Shipped<N> {
    /// The zone as the server of a test has it.
    fn on_loopback(&self, port: u16) -> String {
        let path = super::repository().join("zones").join(self.file);
        let mut text = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        // The tests at the end of the file are about the shipped addresses.
        text.truncate(text.find("# ---- Tests").expect("the zone has tests"));
        let check = self.replace_check(&mut text);
        for region in &self.regions {
            let Region { pool, shipped: [ipv4, _], loopback } = region;
            let start = find_once(&text, &format!("[pool.{pool}]"));
            let old = format!("check     = \"{}\"", self.check);
            let end = start + find(&text[start..], &old) + old.len();
            let section = text[start..end]
                .replace(&old, &format!("check     = \"{pool}\""))
                .replace(ipv4, &loopback.to_string());
            assert!(section.contains(&loopback.to_string()), "{pool} has no {ipv4}");
            text.replace_range(start..end, &section);
            text += &check
                .replace(&format!("[check.{}]", self.check), &format!("[check.{pool}]"))
                .replace("ADDRESS", &loopback.to_string())
                .replace("PORT", &port.to_string());
        }
        // The pace of the checks is another than the shipped one, but TTLs are to be as shipped.
        format!("ttl_floor = \"1h\"\n{text}")
    }

    /// Takes the check out of a zone, and gives it as each region has it.
    fn replace_check(&self, text: &mut String) -> String {
        let start = find_once(text, &format!("[check.{}]", self.check));
        let end = start + find(&text[start..], "\n\n");
        let mut check = format!("\n{}\n", &text[start..end]);
        text.replace_range(start..end, "");
        // No TLS on loopback, and what comes back comes back at once.
        for left_out in [
            "port       = 443\n",
            "tls        = { warn_before = \"14d\" }\n",
            "breaker    = { reset = \"30s\", longest = \"5m\" }\n",
        ] {
            check = check.replace(left_out, "");
        }
        check += "damping = false\n";
        for (shipped, replacement) in [
            (
                "https      = \"/health\"",
                "http = \"/health\"\naddress = \"ADDRESS\"\nport = PORT".into(),
            ),
            (&format!("every      = \"{}\"", self.every), "every = \"1s\"".to_owned()),
            (&format!("timeout    = \"{}\"", self.timeout), "timeout = \"1s\"".to_owned()),
        ] {
            find_once(&check, shipped);
            check = check.replace(shipped, &replacement);
        }
        find_once(&check, &format!("down_after = {}\n", self.down_after));
        find_once(&check, &format!("up_after   = {}\n", self.up_after));
        check
    }
}

fn find(text: &str, part: &str) -> usize {
    text.find(part)
        .unwrap_or_else(|| panic!("no {part:?} in the zone: change the test, too:\n{text}"))
}

fn find_once(text: &str, part: &str) -> usize {
    assert_eq!(
        text.matches(part).count(),
        1,
        "{part:?} in the zone: change the test, too:\n{text}"
    );
    find(text, part)
}

/// What a client loop came to.
#[derive(Debug, Default)]
pub struct Tally {
    /// Fetches that a region answered.
    pub fetched: BTreeMap<&'static str, u32>,
    pub failed: u32,
}

/// The server on a shipped zone, and its regions.
pub struct Deployment<const N: usize> {
    pub server: Server,
    shipped: &'static Shipped<N>,
    responders: [Responder; N],
}

impl<const N: usize> Deployment<N> {
    pub fn start(shipped: &'static Shipped<N>) -> Self {
        Self::start_with(shipped, |zone| zone)
    }

    /// On the zone as an operator edited it.
    pub fn start_with(shipped: &'static Shipped<N>, edit: impl Fn(String) -> String) -> Self {
        let addresses = shipped.regions.each_ref().map(|region| IpAddr::V4(region.loopback));
        let responders = Responder::start_all(addresses);
        let zone = edit(shipped.on_loopback(responders[0].address().port()));
        let server = Server::start(&[(shipped.file, &zone)], &[]);
        Self { server, shipped, responders }
    }

    pub fn responder(&mut self, pool: &str) -> &mut Responder {
        let place = self.shipped.regions.iter().position(|region| region.pool == pool);
        &mut self.responders[place.expect("a region")]
    }

    /// How long a region that refuses may still be handed out, and how long one that is back may not.
    pub fn promised(&self) -> [Duration; 2] {
        [self.shipped.down_after, self.shipped.up_after]
            .map(|threshold| SCALED_EVERY * threshold + ALLOWANCE)
    }

    /// Stops these regions and waits until the server knows, no longer than it promises.
    pub fn stop(&mut self, pools: &[&str]) {
        pools.iter().for_each(|pool| self.responder(pool).stop());
        let took = self.wait_for_health(pools, 0.0);
        let [promised, _] = self.promised();
        println!("{pools:?} left the answers after {took:.1?}, promised are {promised:?}");
        assert!(took <= promised, "{pools:?} left the answers after {took:?}");
    }

    /// Starts these regions again and waits until the server knows, no longer than it promises.
    pub fn restart(&mut self, pools: &[&str]) {
        pools.iter().for_each(|pool| self.responder(pool).restart());
        let took = self.wait_for_health(pools, 1.0);
        let [_, promised] = self.promised();
        println!("{pools:?} came back after {took:.1?}, promised are {promised:?}");
        assert!(took <= promised, "{pools:?} came back after {took:?}");
    }

    fn wait_for_health(&self, pools: &[&str], wanted: f64) -> Duration {
        wait_until(&format!("{pools:?} have health {wanted}"), PATIENCE * 2, || {
            let metrics = self.server.metrics();
            self.endpoints_of(pools).iter().all(|(pool, endpoint)| {
                let labels = [("pool", *pool), ("endpoint", endpoint.as_str())];
                metrics.value("meridian_endpoint_healthy", &labels) == wanted
            })
        })
    }

    fn endpoints_of(&self, pools: &[&str]) -> Vec<(&'static str, String)> {
        let regions = self.shipped.regions.iter().filter(|region| pools.contains(&region.pool));
        let endpoints = regions.flat_map(|region| {
            [region.loopback.to_string(), region.shipped[1].to_owned()]
                .map(|address| (region.pool, address))
        });
        endpoints.collect()
    }

    /// The region that an address belongs to.
    fn region_of(&self, address: IpAddr) -> &'static str {
        let is_of = |region: &&Region| match address {
            IpAddr::V4(address) => region.loopback == address,
            IpAddr::V6(address) => region.shipped[1].parse() == Ok::<Ipv6Addr, _>(address),
        };
        let region = self.shipped.regions.iter().find(is_of);
        region.unwrap_or_else(|| panic!("{address} is of no region")).pool
    }

    /// The regions of an answer; none if it has no data.
    pub fn regions_in(&self, reply: &Reply) -> Vec<&'static str> {
        let addresses = reply.rdata().into_iter().map(|rdata| rdata.parse().expect("an address"));
        addresses.map(|address| self.region_of(address)).collect()
    }

    /// The one region that a client behind this prefix is sent to, for IPv4 and IPv6.
    pub fn region(&self, name: &str, client: &str) -> &'static str {
        let of_type =
            |rtype| self.regions_in(&self.server.ask(&Ask::new(name, rtype).subnet(client)));
        let (ipv4, ipv6) = (of_type(A), of_type(AAAA));
        assert_eq!(ipv4, ipv6, "{name} for {client}: IPv4 and IPv6 differ");
        let [region] = ipv4[..] else { panic!("{name} for {client}: {ipv4:?} and not one region") };
        region
    }

    /// Waits until IPv4 clients behind a prefix are sent to this region, as latencies are measured: between a query for IPv4
    /// and one for IPv6 the fastest may have changed.
    pub fn wait_for_region(&self, name: &str, client: &str, region: &str) {
        wait_until(&format!("{name} sends {client} to {region}"), PATIENCE * 2, || {
            self.regions_in(&self.server.ask(&Ask::new(name, A).subnet(client))) == [region]
        });
    }

    /// Asserts which region clients behind each of these prefixes are sent to.
    pub fn assert_regions(&self, name: &str, expected: &[(&str, &str)]) {
        for (client, region) in expected {
            assert_eq!(self.region(name, client), *region, "{name} for {client}");
        }
    }

    /// How often each region answers a thousand IPv4 queries.
    pub fn shares(&self, name: &str, client: &str) -> BTreeMap<&'static str, u32> {
        let socket = UdpClient::connect(self.server.ipv4());
        let ask = Ask::new(name, A).subnet(client);
        let mut counts = BTreeMap::new();
        for _ in 0..1000 {
            let regions = self.regions_in(&socket.exchange(&ask));
            assert_eq!(regions.len(), 1, "{name} for {client}: {regions:?}");
            *counts.entry(regions[0]).or_default() += 1;
        }
        counts
    }

    /// Asserts shares of a thousand answers, by weights, to 8 points: five standard deviations of the widest share. Regions
    /// that are not named must have none.
    pub fn assert_shares(&self, name: &str, client: &str, expected: &[(&str, f64)]) {
        let counts = self.shares(name, client);
        let total: f64 = expected.iter().map(|(_, weight)| weight).sum();
        assert_eq!(counts.len(), expected.len(), "{name} for {client}: {counts:?}");
        for (region, weight) in expected {
            let share = f64::from(*counts.get(region).unwrap_or(&0)) / 1000.0;
            let wanted = weight / total;
            assert!(
                (share - wanted).abs() < 0.08,
                "{name} for {client}: {counts:?}, not {expected:?}"
            );
        }
    }

    /// A client that asks and fetches ten times a second.
    pub fn run_client(&self, name: &str, client: &str, time: Duration) -> Tally {
        let mut tally = Tally::default();
        let end = std::time::Instant::now() + time;
        while std::time::Instant::now() < end {
            self.fetch(name, client, &mut tally);
            std::thread::sleep(Duration::from_millis(100));
        }
        tally
    }

    fn fetch(&self, name: &str, client: &str, tally: &mut Tally) {
        let address = self.server.ask(&Ask::new(name, A).subnet(client)).ipv4()[0];
        let port = self.responders[0].address().port();
        match http::try_get((address, port).into(), "/") {
            Ok(answer) if answer.status == 200 => {
                *tally.fetched.entry(self.region_of(address.into())).or_default() += 1;
            }
            _ => tally.failed += 1,
        }
    }

    /// Scales regions to zero under a client loop, and restores them: all fetches succeed but those in the failover window, the
    /// stopped regions get none after it, and they get some again after the restore.
    pub fn drill(&mut self, name: &str, client: &str, stopped: &[&str]) {
        let before = self.run_client(name, client, SCALED_EVERY * 2);
        assert_eq!(before.failed, 0, "before the drill: {before:?}");
        self.stop(stopped);
        let after = self.run_client(name, client, SCALED_EVERY * 3);
        println!("drill of {name} without {stopped:?}: {after:?}");
        assert_eq!(after.failed, 0, "after the failover window: {after:?}");
        assert!(after.fetched.keys().all(|region| !stopped.contains(region)), "{after:?}");
        self.restart(stopped);
        let mut restored = Tally::default();
        wait_until("the restored regions are asked again", PATIENCE, || {
            self.fetch(name, client, &mut restored);
            stopped.iter().all(|region| restored.fetched.contains_key(region))
        });
        assert_eq!(restored.failed, 0, "after the restore: {restored:?}");
    }
}
