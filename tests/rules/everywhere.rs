//! Rule B9 with all that can tell clients apart: random databases of places and systems, overrides, named networks, latency
//! tables and residency, under one or two policies of any rule that looks at the client. Every answer and every scope is
//! compared with a second evaluator, which looks at each list by brute force.
//!
//! Addresses are few: they differ in some bits only, so that networks nest and touch. Between two landmarks, where a network
//! begins or has ended, all addresses are alike.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use meridian::config::compile_zone;
use meridian::geo::{
    Asn, AsnDatabase, Coordinates, CountryCode, Database, Override, Overrides, Subdivision,
};
use meridian::health::{Status, View};
use meridian::snapshot::{Generation, GeoSources, Identity, Ingredients, Snapshot};
use mmdb_writer::{Ipv4Aliasing, Value, Writer};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::harness::{World, question, runner};
use crate::network::{around, sibling};

/// Pools of every tree; the last is not checked, so that nothing behind it matters.
const POOLS: usize = 5;
const SITES: [(f64, f64); POOLS] =
    [(40.0, -75.0), (37.0, -120.0), (50.0, 8.0), (1.0, 103.0), (-33.0, 151.0)];
const COUNTRIES: [&str; 5] = ["US", "CA", "DE", "FR", "JP"];
const STATES: [&str; 2] = ["US-CA", "US-NY"];
const ASNS: [u32; 3] = [64_500, 64_501, 64_502];
/// Where nobody is, and no network.
const RESOLVER: &str = "198.18.0.1";

/// What is said of a network; what is left out is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Facts {
    country: Option<&'static str>,
    state: Option<&'static str>,
    point: Option<(i8, i8)>,
    asn: Option<u32>,
}

#[derive(Clone, Debug)]
enum Rule {
    /// Targets by the key of the zone file, and the default.
    Geolocation {
        places: Vec<(String, Vec<usize>)>,
        default: Vec<usize>,
        widening: bool,
    },
    /// Locations as lists of networks.
    Ip {
        locations: Vec<(Vec<IpNet>, Vec<usize>)>,
        default: Vec<usize>,
    },
    Geoproximity {
        sites: Vec<(usize, i8)>,
        default: Vec<usize>,
    },
    /// By table, then by distance.
    Latency {
        targets: Vec<usize>,
    },
}

#[derive(Clone, Debug)]
struct Scene {
    cities: Vec<(IpNet, Facts)>,
    systems: Vec<(IpNet, u32)>,
    overrides: Vec<(IpNet, Facts)>,
    /// Milliseconds to the pools that were measured.
    table: Vec<(IpNet, Vec<(usize, u32)>)>,
    rules: Vec<Rule>,
    /// Countries, and the pools that their clients may get.
    residency: Option<(BTreeSet<&'static str>, BTreeSet<usize>)>,
}

/// Pools in the order in which they are tried, those of an order of the moment with their rule; and whether the resolver decides.
type Order = (Vec<(usize, Option<usize>)>, bool);

fn network() -> impl Strategy<Value = IpNet> {
    let ipv4 = (0..4u32, 0..4u32, 0..4u32, 5..=26u8).prop_map(|(high, middle, low, length)| {
        let address = 0x1400_0000 | high << 22 | middle << 14 | low << 6;
        IpNet::from(Ipv4Net::new(address.into(), length).unwrap().trunc())
    });
    let ipv6 = (0..4u128, 0..4u128, 14..=64u8).prop_map(|(high, low, length)| {
        let address = 0x2a00 << 112 | high << 94 | low << 66;
        IpNet::from(Ipv6Net::new(address.into(), length).unwrap().trunc())
    });
    prop_oneof![3 => ipv4, 2 => ipv6]
}

fn facts() -> impl Strategy<Value = Facts> {
    let point = prop::option::of((-80..=80i8, -120..=120i8));
    (prop::option::weighted(0.8, 0..COUNTRIES.len()), 0..4usize, point).prop_map(
        |(country, state, point)| {
            let country = country.map(|place| COUNTRIES[place]);
            let state = STATES.get(state).copied().filter(|_| country == Some("US"));
            Facts { country, state, point, asn: None }
        },
    )
}

fn targets() -> impl Strategy<Value = Vec<usize>> {
    vec(0..POOLS, 1..=3).prop_map(|mut targets| {
        let mut seen = BTreeSet::new();
        targets.retain(|target| seen.insert(*target));
        targets
    })
}

fn rule() -> impl Strategy<Value = Rule> {
    let key = prop_oneof![
        (0..COUNTRIES.len()).prop_map(|place| format!("country.{}", COUNTRIES[place])),
        (0..STATES.len()).prop_map(|place| format!("subdivision.{}", STATES[place])),
        (0..ASNS.len()).prop_map(|place| format!("asn.{}", ASNS[place])),
        prop::sample::select(vec!["continent.EU", "continent.NA", "group.EU", "group.americas"])
            .prop_map(str::to_owned),
        network().prop_map(|network| format!("cidr.\"{network}\"")),
    ];
    let place = (key, targets());
    let default = || prop_oneof![3 => targets(), 1 => Just(Vec::new())];
    let geolocation =
        (vec(place, 1..6), default(), any::<bool>()).prop_map(|(mut places, default, widening)| {
            places.sort();
            places.dedup_by(|one, other| one.0 == other.0);
            Rule::Geolocation { places, default, widening }
        });
    let ip = (vec((network(), 0..2usize), 1..5), targets(), targets(), default()).prop_map(
        |(mut networks, one, two, default)| {
            // Rule 43.
            networks.retain(|(network, _)| {
                let most = if network.addr().is_ipv4() { 24 } else { 48 };
                network.prefix_len() <= most
            });
            networks.push(("20.64.0.0/24".parse().unwrap(), 0));
            networks.push(("20.64.1.0/24".parse().unwrap(), 1));
            networks.sort();
            networks.dedup_by_key(|(network, _)| *network);
            let of = |wanted: usize| {
                let members = networks.iter().filter(|(_, location)| *location == wanted);
                members.map(|(network, _)| *network).collect::<Vec<IpNet>>()
            };
            Rule::Ip { locations: vec![(of(0), one), (of(1), two)], default }
        },
    );
    let near = (targets(), vec(-99..=99i8, 3), default()).prop_map(|(targets, biases, default)| {
        Rule::Geoproximity { sites: targets.into_iter().zip(biases).collect(), default }
    });
    let fast = targets().prop_map(|targets| Rule::Latency { targets });
    prop_oneof![3 => geolocation, 2 => ip, 2 => near, 2 => fast]
}

fn scene() -> impl Strategy<Value = Scene> {
    let over = (facts(), prop::option::of(0..ASNS.len()))
        .prop_map(|(facts, asn)| Facts { asn: asn.map(|place| ASNS[place]), ..facts });
    let row = vec((0..POOLS, 1..200u32), 1..=3).prop_map(|mut row| {
        row.sort();
        row.dedup_by_key(|(pool, _)| *pool);
        row
    });
    let residency = prop::option::weighted(
        0.4,
        (vec(0..COUNTRIES.len(), 1..3), vec(0..POOLS, 1..4)).prop_map(|(countries, pools)| {
            let countries = countries.into_iter().map(|place| COUNTRIES[place]).collect();
            (countries, pools.into_iter().collect())
        }),
    );
    (
        vec((network(), facts()), 0..8),
        vec((network(), 0..ASNS.len()), 0..4),
        vec((network(), over), 0..3),
        vec((network(), row), 0..4),
        vec(rule(), 1..=2),
        residency,
    )
        .prop_map(|(mut cities, systems, mut overrides, mut table, rules, residency)| {
            // Places that a zone may ask for, so that the database knows of them.
            let known = Facts {
                country: Some("US"),
                state: Some("US-CA"),
                point: Some((37, -122)),
                asn: None,
            };
            cities.push(("100.0.0.0/24".parse().unwrap(), known));
            overrides.retain(|(_, facts)| *facts != Facts::default());
            let mut systems: Vec<(IpNet, u32)> =
                systems.into_iter().map(|(network, place)| (network, ASNS[place])).collect();
            systems.push(("100.0.0.0/24".parse().unwrap(), ASNS[0]));
            sort(&mut cities);
            sort(&mut systems);
            sort(&mut overrides);
            sort(&mut table);
            Scene { cities, systems, overrides, table, rules, residency }
        })
}

/// Shorter ones first, none twice.
fn sort<T>(list: &mut Vec<(IpNet, T)>) {
    list.sort_by_key(|(network, _)| (network.prefix_len(), *network));
    list.dedup_by_key(|(network, _)| *network);
}

/// The longest network that holds an address.
fn longest<T>(list: &[(IpNet, T)], address: IpAddr) -> Option<&T> {
    list.iter().rev().find(|(network, _)| network.contains(&address)).map(|(_, item)| item)
}

impl Scene {
    fn zone(&self) -> (String, String) {
        let mut text = String::from("zone = \"example.com\"\n[check.web]\ntcp = 443\n");
        for (pool, (latitude, longitude)) in SITES.iter().enumerate() {
            let check = if pool + 1 < POOLS { "check = \"web\"\n" } else { "" };
            writeln!(
                text,
                "[pool.p{pool}]\naddresses = [\"192.0.2.{pool}\"]\n{check}location = {{ lat = {latitude:?}, lon = {longitude:?} }}"
            )
            .unwrap();
        }
        for (number, rule) in self.rules.iter().enumerate() {
            text += &write_rule(number, rule);
        }
        if let Some((countries, pools)) = &self.residency {
            let clients: Vec<String> =
                countries.iter().map(|code| format!("country.{code}")).collect();
            writeln!(text, "[residency.law]\nclients = {clients:?}\npools = {:?}", names(pools))
                .unwrap();
        }
        let rules: Vec<String> = (0..self.rules.len()).map(|number| format!("r{number}")).collect();
        writeln!(text, "[policy.top]\ntype = \"failover\"\ntargets = {rules:?}").unwrap();
        text += "[names]\n\"@\" = { SOA = \"ns1 hostmaster\", NS = \"ns1\" }\nns1 = { A = \"192.0.2.53\" }\n\
                 www = { policy = \"top\" }\n";
        let mut table = String::new();
        for (network, row) in &self.table {
            for (pool, latency) in row {
                writeln!(table, "{network},p{pool},{latency}").unwrap();
            }
        }
        (text, table)
    }

    fn world(&self) -> World {
        let (text, table) = self.zone();
        let mut source = meridian::config::Source::new("example.com.toml", text, 1_700_000_000);
        source.included.push(meridian::config::Included {
            by: 0,
            name: "rtt.csv".to_owned(),
            path: "rtt.csv".to_owned(),
            text: Ok(table),
        });
        let (zone, _) = compile_zone(&source)
            .unwrap_or_else(|rejected| panic!("{}\n{:#?}", source.text, rejected.diagnostics));
        let overrides = self.overrides.iter().map(|(network, facts)| {
            let subdivision = facts.state.and_then(Subdivision::parse);
            let country =
                facts.country.and_then(CountryCode::parse).filter(|_| subdivision.is_none());
            let coordinates = facts.point.map(coordinates);
            (*network, Override { country, subdivision, coordinates, asn: facts.asn.map(Asn) })
        });
        let geo = GeoSources {
            database: Arc::new(Database::read(&self.write_cities()).unwrap()),
            asn: Some(Arc::new(AsnDatabase::read(&self.write_systems()).unwrap())),
            overrides: Arc::new(Overrides::new(overrides).unwrap()),
        };
        let snapshot = Snapshot::compile(Ingredients {
            zones: vec![zone],
            refused: &[],
            geo: &geo,
            seed: 1,
            generation: Generation(1),
            identity: Identity::default(),
            previous: None,
        });
        let snapshot = snapshot.unwrap();
        let view = View::new(snapshot.targets.len());
        World { snapshot, view }
    }

    fn write_cities(&self) -> Vec<u8> {
        let mut writer = Writer::builder("Test-City").ipv4_aliasing(Ipv4Aliasing::Disabled).build();
        let code = |code: &str| Value::map([("iso_code", Value::from(code))]);
        for (network, facts) in &self.cities {
            // A record that says nothing still hides those around it.
            let mut record = vec![("about", Value::from("a test"))];
            record.extend(facts.country.map(|country| ("country", code(country))));
            let part = facts.state.and_then(|state| state.split_once('-'));
            record.extend(part.map(|(_, part)| ("subdivisions", Value::Array(vec![code(part)]))));
            record.extend(facts.point.map(|(latitude, longitude)| {
                let degrees = |number: i8| Value::from(f64::from(number));
                (
                    "location",
                    Value::map([
                        ("latitude", degrees(latitude)),
                        ("longitude", degrees(longitude)),
                    ]),
                )
            }));
            writer.insert_value(*network, Value::map(record)).unwrap();
        }
        writer.to_bytes().unwrap()
    }

    fn write_systems(&self) -> Vec<u8> {
        let mut writer = Writer::builder("Test-ASN").ipv4_aliasing(Ipv4Aliasing::Disabled).build();
        for (network, asn) in &self.systems {
            let record = Value::map([("autonomous_system_number", Value::from(*asn))]);
            writer.insert_value(*network, record).unwrap();
        }
        writer.to_bytes().unwrap()
    }

    /// What is known of an address, by looking at every list.
    fn facts(&self, address: IpAddr) -> Facts {
        let mut facts = longest(&self.cities, address).copied().unwrap_or_default();
        facts.asn = longest(&self.systems, address).copied();
        // From the shortest on: a country replaces the place, a point alone moves it.
        for (_, over) in self.overrides.iter().filter(|(network, _)| network.contains(&address)) {
            if over.country.is_some() {
                (facts.country, facts.state, facts.point) = (over.country, over.state, over.point);
            } else {
                facts.point = over.point.or(facts.point);
            }
            facts.asn = over.asn.or(facts.asn);
        }
        facts
    }

    /// The latency to a pool, by the longest row that has it, if any row holds the address.
    fn latency(&self, address: IpAddr, pool: usize) -> Option<u32> {
        let rows = self.table.iter().rev().filter(|(network, _)| network.contains(&address));
        rows.flat_map(|(_, row)| row).find(|(known, _)| *known == pool).map(|(_, latency)| *latency)
    }

    /// The pools in the order in which a client tries them, and whether it falls back to its resolver. Pools whose order is
    /// that of the moment have the number of their rule beside them; nothing was measured here, so that it is the list's.
    fn order(&self, address: IpAddr, source: u8) -> Order {
        // An IPv4-mapped address is its IPv4 address.
        let is_mapped = address.is_ipv6() && address.to_canonical().is_ipv4();
        let source = if is_mapped { source - 96 } else { source };
        let address = address.to_canonical();
        let facts = self.facts(address);
        let mut order: Vec<(usize, Option<usize>)> = Vec::new();
        let (mut is_placed, mut asks_place) = (false, self.residency.is_some());
        for (number, rule) in self.rules.iter().enumerate() {
            let (chain, placed, asks) = self.chain(rule, &facts, address, source);
            let is_measured =
                matches!(rule, Rule::Latency { .. }) && !placed && point(&facts).is_none();
            let mark = Some(number).filter(|_| is_measured);
            order.extend(chain.into_iter().map(|pool| (pool, mark)));
            is_placed |= placed;
            asks_place |= asks;
        }
        if let Some((countries, pools)) = &self.residency
            && facts.country.is_some_and(|country| countries.contains(country))
        {
            order.retain(|(pool, _)| pools.contains(pool));
        }
        let mut seen = BTreeSet::new();
        order.retain(|(pool, _)| seen.insert(*pool));
        // Behind what is always up nothing matters.
        if let Some(last) = order.iter().position(|(pool, _)| *pool == POOLS - 1) {
            let mark = order[last].1;
            let more =
                order[last + 1..].iter().take_while(|(_, one)| mark.is_some() && *one == mark);
            let count = last + 1 + more.count();
            order.truncate(count);
        }
        // One alone has no order.
        let marks: Vec<Option<usize>> = order.iter().map(|(_, mark)| *mark).collect();
        for (_, mark) in &mut order {
            *mark = mark.filter(|_| marks.iter().filter(|one| *one == mark).count() > 1);
        }
        let names_asn = |rule: &Rule| match rule {
            Rule::Geolocation { places, .. } => facts
                .asn
                .is_some_and(|asn| places.iter().any(|(key, _)| *key == format!("asn.{asn}"))),
            _ => false,
        };
        let is_located =
            facts.country.is_some() || facts.point.is_some() || self.rules.iter().any(names_asn);
        (order, asks_place && !is_located && !is_placed)
    }

    /// Whether residency bars some pool of the tree for a client. Operators can make any of them matter, so that such clients
    /// share no prefix with others.
    fn is_barred(&self, address: IpAddr) -> bool {
        let pools = self.rules.iter().flat_map(|rule| -> Vec<usize> {
            match rule {
                Rule::Geolocation { places, default, .. } => {
                    places.iter().flat_map(|(_, pools)| pools).chain(default).copied().collect()
                }
                Rule::Ip { locations, default } => {
                    locations.iter().flat_map(|(_, pools)| pools).chain(default).copied().collect()
                }
                Rule::Geoproximity { sites, default } => {
                    sites.iter().map(|(pool, _)| pool).chain(default).copied().collect()
                }
                Rule::Latency { targets } => targets.clone(),
            }
        });
        let named: BTreeSet<usize> = pools.collect();
        let country = self.facts(address.to_canonical()).country;
        self.residency.as_ref().is_some_and(|(countries, allowed)| {
            country.is_some_and(|country| countries.contains(country)) && !named.is_subset(allowed)
        })
    }

    /// The pools of one rule; whether a network or a table knows the client; whether the rule asks where it is.
    fn chain(
        &self,
        rule: &Rule,
        facts: &Facts,
        address: IpAddr,
        source: u8,
    ) -> (Vec<usize>, bool, bool) {
        let holds = |network: &IpNet| network.prefix_len() <= source && network.contains(&address);
        let point = point(facts);
        match rule {
            Rule::Geolocation { places, default, widening } => {
                let mut held: Vec<&Vec<usize>> = Vec::new();
                let find =
                    |key: String| places.iter().find(|(known, _)| *known == key).map(|(_, to)| to);
                let networks = places.iter().filter_map(|(key, to)| {
                    let network: IpNet =
                        key.strip_prefix("cidr.\"")?.strip_suffix('"')?.parse().ok()?;
                    holds(&network).then_some((network.prefix_len(), to))
                });
                let network = networks.max_by_key(|(length, _)| *length);
                held.extend(network.map(|(_, to)| to));
                held.extend(facts.asn.and_then(|asn| find(format!("asn.{asn}"))));
                held.extend(facts.state.and_then(|state| find(format!("subdivision.{state}"))));
                held.extend(facts.country.and_then(|country| find(format!("country.{country}"))));
                let is_in = |countries: &[&str]| {
                    facts.country.is_some_and(|code| countries.contains(&code))
                };
                // The EU is smaller than the Americas.
                held.extend(
                    Some("group.EU")
                        .filter(|_| is_in(&["DE", "FR"]))
                        .and_then(|key| find(key.into())),
                );
                held.extend(
                    Some("group.americas")
                        .filter(|_| is_in(&["US", "CA"]))
                        .and_then(|key| find(key.into())),
                );
                held.extend(
                    Some("continent.EU")
                        .filter(|_| is_in(&["DE", "FR"]))
                        .and_then(|key| find(key.into())),
                );
                held.extend(
                    Some("continent.NA")
                        .filter(|_| is_in(&["US", "CA"]))
                        .and_then(|key| find(key.into())),
                );
                if !default.is_empty() {
                    held.push(default);
                }
                let most = if *widening { held.len() } else { 1 };
                let asks = places.iter().any(|(key, _)| !key.starts_with("cidr"));
                (held.into_iter().take(most).flatten().copied().collect(), network.is_some(), asks)
            }
            Rule::Ip { locations, default } => {
                let networks = locations
                    .iter()
                    .flat_map(|(networks, to)| networks.iter().map(move |one| (one, to)));
                let matched =
                    networks.filter(|(one, _)| holds(one)).max_by_key(|(one, _)| one.prefix_len());
                let chain =
                    matched.iter().flat_map(|(_, to)| to.iter()).chain(default).copied().collect();
                (chain, matched.is_some(), false)
            }
            Rule::Geoproximity { sites, default } => {
                let Some(client) = point else { return (default.clone(), false, true) };
                let mut ranked: Vec<(f64, usize)> = sites
                    .iter()
                    .map(|(pool, bias)| {
                        let distance = distance_m(client, SITES[*pool]) / 1000.0;
                        let share = f64::from(*bias) / 100.0;
                        let counted = if *bias > 0 {
                            distance * (1.0 - share)
                        } else {
                            distance / (1.0 + share)
                        };
                        (counted, *pool)
                    })
                    .collect();
                ranked.sort_by(|one, other| one.0.total_cmp(&other.0));
                (ranked.into_iter().map(|(_, pool)| pool).collect(), false, true)
            }
            Rule::Latency { targets } => {
                let measured: Vec<(u32, usize)> = targets
                    .iter()
                    .filter_map(|pool| Some((self.latency(address, *pool)?, *pool)))
                    .collect();
                if !measured.is_empty() {
                    let mut ranked = measured;
                    ranked.sort_by_key(|(latency, _)| *latency);
                    let known = ranked.into_iter().map(|(_, pool)| pool);
                    return (known.chain(targets.iter().copied()).collect(), true, true);
                }
                let Some(client) = point else { return (targets.clone(), false, true) };
                let mut ranked: Vec<(f64, usize)> =
                    targets.iter().map(|pool| (distance_m(client, SITES[*pool]), *pool)).collect();
                ranked.sort_by(|one, other| one.0.total_cmp(&other.0));
                (ranked.into_iter().map(|(_, pool)| pool).collect(), false, true)
            }
        }
    }

    /// Where anything may change.
    fn landmarks(&self) -> Vec<IpAddr> {
        let mut networks: Vec<IpNet> = self.cities.iter().map(|(network, _)| *network).collect();
        networks.extend(self.systems.iter().map(|(network, _)| *network));
        networks.extend(self.overrides.iter().map(|(network, _)| *network));
        networks.extend(self.table.iter().map(|(network, _)| *network));
        for rule in &self.rules {
            match rule {
                Rule::Geolocation { places, .. } => {
                    networks.extend(places.iter().filter_map(|(key, _)| {
                        key.strip_prefix("cidr.\"")?.strip_suffix('"')?.parse::<IpNet>().ok()
                    }))
                }
                Rule::Ip { locations, .. } => {
                    networks.extend(locations.iter().flat_map(|(one, _)| one))
                }
                Rule::Geoproximity { .. } | Rule::Latency { .. } => {}
            }
        }
        let ends =
            networks.into_iter().flat_map(|network| [Some(network.network()), after(network)]);
        let mut landmarks: BTreeSet<IpAddr> = ends.flatten().collect();
        landmarks.extend(["20.0.0.0".parse::<IpAddr>().unwrap(), "2a00::".parse().unwrap()]);
        let mapped = landmarks.iter().filter_map(|address| match address {
            IpAddr::V4(address) => Some(IpAddr::V6(address.to_ipv6_mapped())),
            IpAddr::V6(_) => None,
        });
        landmarks.iter().copied().chain(mapped.collect::<Vec<_>>()).collect()
    }
}

fn names(pools: impl IntoIterator<Item = impl std::borrow::Borrow<usize>>) -> Vec<String> {
    pools.into_iter().map(|pool| format!("p{}", pool.borrow())).collect()
}

fn write_rule(number: usize, rule: &Rule) -> String {
    let mut text = format!("[policy.r{number}]\n");
    let default = match rule {
        Rule::Geolocation { places, default, widening } => {
            text += &format!("type = \"geolocation\"\nwidening = {widening}\n");
            for (key, to) in places {
                text += &format!("{key} = {:?}\n", names(to));
            }
            default
        }
        Rule::Ip { locations, default } => {
            text += &format!("type = \"ip\"\ncollection = \"c{number}\"\n");
            for (place, (_, to)) in locations.iter().enumerate() {
                text += &format!("location.l{place} = {:?}\n", names(to));
            }
            default
        }
        Rule::Geoproximity { sites, default } => {
            let targets: Vec<usize> = sites.iter().map(|(pool, _)| *pool).collect();
            let biases: Vec<String> =
                sites.iter().map(|(pool, bias)| format!("p{pool} = {bias}")).collect();
            text += &format!(
                "type = \"geoproximity\"\ntargets = {:?}\nbias = {{ {} }}\n",
                names(targets),
                biases.join(", ")
            );
            default
        }
        Rule::Latency { targets } => {
            text += &format!(
                "type = \"latency\"\ntable = \"rtt.csv\"\ntargets = {:?}\n",
                names(targets)
            );
            &Vec::new()
        }
    };
    if !default.is_empty() {
        text += &format!("default = {:?}\n", names(default));
    }
    if let Rule::Ip { locations, .. } = rule {
        text += &format!("[collection.c{number}]\n");
        for (place, (networks, _)) in locations.iter().enumerate() {
            let networks: Vec<String> = networks.iter().map(ToString::to_string).collect();
            text += &format!("l{place} = {networks:?}\n");
        }
    }
    text
}

/// Where a client is: by the database, or in the middle of its state, or its country.
fn point(facts: &Facts) -> Option<Coordinates> {
    let state = || Subdivision::parse(facts.state?)?.coordinates();
    let country = || CountryCode::parse(facts.country?)?.coordinates();
    facts.point.map(coordinates).or_else(state).or_else(country)
}

fn coordinates((latitude, longitude): (i8, i8)) -> Coordinates {
    Coordinates::new(latitude.into(), longitude.into()).unwrap()
}

/// Metres over a sphere, by the spherical law of cosines; rounded as distances are compared.
fn distance_m(client: Coordinates, (latitude, longitude): (f64, f64)) -> f64 {
    let (one, two) = (client.latitude().to_radians(), latitude.to_radians());
    let turn = (longitude - client.longitude()).to_radians();
    let cosine = one.sin() * two.sin() + one.cos() * two.cos() * turn.cos();
    (cosine.clamp(-1.0, 1.0).acos() * 6_371_008.8).round()
}

fn after(network: IpNet) -> Option<IpAddr> {
    match network.broadcast() {
        IpAddr::V4(last) => u32::from(last).checked_add(1).map(|next| Ipv4Addr::from(next).into()),
        IpAddr::V6(last) => u128::from(last).checked_add(1).map(|next| Ipv6Addr::from(next).into()),
    }
}

/// Sets the health of the checked pools, by bit, and says which are up.
fn apply(world: &World, bits: u32) -> Vec<bool> {
    let up: Vec<bool> = (0..POOLS).map(|pool| pool + 1 == POOLS || bits >> pool & 1 != 0).collect();
    let routing = world.snapshot.routings().next().unwrap();
    for (bound, is_up) in routing.bound.pools().iter().zip(&up) {
        if let Some(target) = bound.endpoints[0].health.target() {
            world.view.set(target, if *is_up { Status::Up } else { Status::Down });
        }
    }
    up
}

fn check(scene: &Scene, seed: u32) -> Result<(), TestCaseError> {
    let world = scene.world();
    let landmarks = scene.landmarks();
    let whole = |address: IpAddr| if address.is_ipv4() { 32 } else { 128 };
    let asked = |client: IpAddr, length: u8| {
        question("www").through(RESOLVER).client_net(around(client, length))
    };
    let orders: Vec<Order> =
        landmarks.iter().map(|client| scene.order(*client, whole(*client))).collect();
    for (place, client) in landmarks.iter().enumerate() {
        let (order, is_unlocated) = &orders[place];
        let mut scopes = BTreeSet::new();
        for bits in [u32::MAX, 0, seed] {
            let up = apply(&world, bits);
            let reply = world.ask(&asked(*client, whole(*client)));
            scopes.insert(reply.scope());
            let chosen = order.iter().find(|(pool, _)| up[*pool]).or(order.first());
            let expected: Vec<String> =
                chosen.map(|(pool, _)| format!("192.0.2.{pool}")).into_iter().collect();
            prop_assert_eq!(reply.addresses(), expected, "{} with {:b}", client, bits);
        }
        prop_assert_eq!(scopes.len(), 1, "{}: the scope moves with health", client);
        let scope = *scopes.first().unwrap();
        let prefix = around(*client, scope);
        for (other, key) in landmarks.iter().zip(&orders) {
            // A scope of 0 is that of a tree which tells nobody apart.
            let is_alike = key == &orders[place] || (scope == 0 && key.0 == *order);
            prop_assert!(
                !prefix.contains(other) || is_alike,
                "{other} is in {prefix}: {key:?}, not {order:?} {is_unlocated}"
            );
        }
        // Of an IPv4-mapped address the first 96 bits are always said.
        let sibling = sibling(prefix).filter(|_| client.to_canonical() == *client);
        if let Some(sibling) = sibling {
            let first = sibling.network();
            let mut others =
                landmarks.iter().zip(&orders).filter(|(other, _)| sibling.contains(*other));
            let is_barred = scene.is_barred(*client);
            let differs = others
                .any(|(other, key)| key != &orders[place] || scene.is_barred(*other) != is_barred)
                || scene.order(first, whole(first)) != orders[place]
                || scene.is_barred(first) != is_barred;
            prop_assert!(differs, "{client}: /{scope} can be shorter");
        }
        // Rule 45: of a client of whom fewer bits are known.
        let lengths = if client.to_canonical() == *client { &[8, 14, 20, 24, 48][..] } else { &[] };
        for &length in lengths {
            let short = around(*client, length.min(whole(*client)));
            let reply = world.ask(&asked(*client, short.prefix_len()));
            let first = scene.order(short.network(), whole(short.network()));
            let inside =
                || landmarks.iter().zip(&orders).filter(|(other, _)| short.contains(*other));
            let is_whole = inside().all(|(_, key)| *key == first);
            let is_same = inside().all(|(_, (order, _))| *order == first.0);
            let (order, _) =
                if is_whole { first } else { scene.order(short.network(), short.prefix_len()) };
            let up = apply(&world, seed);
            let chosen = order.iter().find(|(pool, _)| up[*pool]).or(order.first());
            let expected: Vec<String> =
                chosen.map(|(pool, _)| format!("192.0.2.{pool}")).into_iter().collect();
            let again = world.ask(&asked(*client, short.prefix_len()));
            prop_assert_eq!(again.addresses(), expected, "{} as a whole", short);
            prop_assert!(
                is_same || reply.scope() > short.prefix_len(),
                "{short}: /{}",
                reply.scope()
            );
        }
    }
    Ok(())
}

/// `MERIDIAN_CASES` asks for more: 100,000 take some minutes in a release build.
#[test]
fn rule_b9_holds_whatever_tells_clients_apart() {
    let cases =
        std::env::var("MERIDIAN_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(150);
    let result = runner(cases).run(&(scene(), any::<u32>()), |(scene, seed)| check(&scene, seed));
    result.unwrap();
}

/// What has coordinates alone is located, and shares no scope with what a resolver has to be asked about.
#[test]
fn rule_b9_a_place_without_a_country_is_no_unlocated_one() {
    let state = "subdivision.US-CA".to_owned();
    let point = Facts { point: Some((10, 10)), ..Facts::default() };
    let known = Facts { country: Some("US"), state: Some("US-CA"), ..point };
    let network = |text: &str| text.parse::<IpNet>().unwrap();
    let scene = Scene {
        cities: vec![(network("2a00::/14"), point), (network("100.0.0.0/24"), known)],
        systems: vec![(network("100.0.0.0/24"), ASNS[0])],
        overrides: Vec::new(),
        table: Vec::new(),
        rules: vec![Rule::Geolocation {
            places: vec![(state, vec![0])],
            default: vec![1],
            widening: false,
        }],
        residency: None,
    };
    check(&scene, 5).unwrap();
}
