//! Positions of an atlas against each of its parts by itself, on random parts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::exactness::{any_address, any_network, edges};
use super::*;
use crate::geo::prefix::{Key, canonical};
use crate::geo::special::MAPPED;
use crate::geo::{
    Asn, AsnDatabase, Atlas, AtlasParts, Coordinates, LatencyTable, Location, LocationSource,
    Override, Overrides, Position, PositionId, RowSetId, Subdivision,
};

const COUNTRIES: [&str; 3] = ["DE", "FR", "US"];

/// Random parts, as typed.
#[derive(Clone, Debug)]
struct Case {
    places: Vec<(IpNet, usize)>,
    systems: Vec<(IpNet, u32)>,
    overrides: Vec<(IpNet, Override)>,
    networks: Vec<IpNet>,
    asns: BTreeSet<Asn>,
    tables: [Vec<(IpNet, u8, u8)>; 2],
    addresses: Vec<IpAddr>,
}

/// The parts of a case.
struct Parts {
    database: Arc<Database>,
    asn: Arc<AsnDatabase>,
    overrides: Overrides,
    tables: Vec<Arc<LatencyTable>>,
}

fn some_override() -> impl Strategy<Value = Override> {
    let place = prop_oneof![
        Just(Override::default()),
        (0..COUNTRIES.len())
            .prop_map(|at| Override { country: code(COUNTRIES[at]), ..Override::default() }),
        Just(Override { subdivision: Subdivision::parse("US-CA"), ..Override::default() }),
    ];
    let point =
        proptest::option::of((0..2_i8).prop_map(|at| Coordinates::new(at.into(), 7.5).unwrap()));
    (place, point, proptest::option::of((1..4_u32).prop_map(Asn)))
        .prop_map(|(place, coordinates, asn)| Override { coordinates, asn, ..place })
}

fn case() -> impl Strategy<Value = Case> {
    use proptest::collection::{btree_set, vec};
    let table = || vec((any_network(), 0..3_u8, 0..3_u8), 0..6);
    let parts = (
        vec((any_network(), 0..COUNTRIES.len()), 0..12),
        vec((any_network(), 1..4_u32), 0..8),
        vec((any_network(), some_override()), 0..5),
        vec(any_network(), 0..6),
        btree_set((1..4_u32).prop_map(Asn), 0..3),
        [table(), table()],
        vec(any_address(), 24),
    );
    parts.prop_map(|(places, systems, overrides, networks, asns, tables, addresses)| Case {
        places,
        systems,
        overrides,
        networks,
        asns,
        tables,
        addresses,
    })
}

/// A table as text; of several lines about the same prefix and region the first.
fn table(lines: &[(IpNet, u8, u8)]) -> Arc<LatencyTable> {
    let mut known = BTreeMap::new();
    for (network, region, latency) in lines {
        known.entry((canonical(*network), *region)).or_insert(*latency);
    }
    let lines = known.iter().map(|((network, region), ms)| format!("{network},r{region},{ms}\n"));
    Arc::new(LatencyTable::parse("t", &lines.collect::<String>()).unwrap())
}

impl Parts {
    fn new(case: &Case) -> Self {
        let mut places = writer_without_aliases();
        places.insert_value("8.0.0.0/9".parse::<IpNet>().unwrap(), flat("JP")).unwrap();
        for (network, country) in &case.places {
            let point = (*country > 0).then_some((1.0, 7.5));
            places.insert_value(*network, city(COUNTRIES[*country], &[], point)).unwrap();
        }
        let mut systems = writer_without_aliases();
        for (network, asn) in [(&"9.0.0.0/9".parse().unwrap(), &9)]
            .into_iter()
            .chain(case.systems.iter().map(|(network, asn)| (network, asn)))
        {
            let record = Value::map([("autonomous_system_number", Value::from(*asn))]);
            systems.insert_value(*network, record).unwrap();
        }
        let mut seen = BTreeSet::new();
        let overrides =
            case.overrides.iter().copied().filter(|(network, _)| seen.insert(canonical(*network)));
        Self {
            database: Arc::new(Database::read(&places.to_bytes().unwrap()).unwrap()),
            asn: Arc::new(AsnDatabase::read(&systems.to_bytes().unwrap()).unwrap()),
            overrides: Overrides::new(overrides).unwrap(),
            tables: case.tables.iter().map(|lines| table(lines)).collect(),
        }
    }

    fn atlas(&self, case: &Case) -> Atlas {
        let parts = AtlasParts {
            database: Arc::clone(&self.database),
            asn: Some(Arc::clone(&self.asn)),
            overrides: &self.overrides,
            networks: &case.networks,
            asns: &case.asns,
            tables: &self.tables,
        };
        Atlas::build(parts).unwrap()
    }

    /// The overrides that hold an address, the longest last.
    fn overrides_of(&self, address: IpAddr) -> Vec<(IpNet, Override)> {
        let address = address.to_canonical();
        let mut holding: Vec<(IpNet, Override)> =
            self.overrides.iter().filter(|(network, _)| network.contains(&address)).collect();
        holding.sort_by_key(|(network, _)| network.prefix_len());
        holding
    }

    /// The place and the system of an address, and the override that says the place.
    fn place(&self, address: IpAddr) -> (Location, Option<Asn>, Option<IpNet>) {
        let mut place = self.database.location(self.database.locate(address).location);
        let (mut asn, mut said_by) = (self.asn.asn_of(address), None);
        for (network, said) in self.overrides_of(address) {
            if let Some(country) = said.subdivision.map(Subdivision::country).or(said.country) {
                let Override { subdivision, coordinates, .. } = said;
                place =
                    Location { country: Some(country), subdivision, district: None, coordinates };
            }
            place.coordinates = said.coordinates.or(place.coordinates);
            asn = said.asn.or(asn);
            let is_place =
                said.country.is_some() || said.subdivision.is_some() || said.coordinates.is_some();
            said_by = if is_place { Some(network) } else { said_by };
        }
        (place, asn, said_by)
    }
}

/// The longest of these networks of at most this depth that holds an address; a depth that counts 96 bits of IPv6 too.
fn longest(networks: &[IpNet], address: IpAddr, depth: u8) -> Option<IpNet> {
    let canonical_address = address.to_canonical();
    let depth = if address == canonical_address { depth } else { depth.saturating_sub(96) };
    let holding = networks.iter().map(|network| canonical(*network));
    let holding = holding.filter(|network| network.contains(&canonical_address));
    holding.filter(|network| network.prefix_len() <= depth).max_by_key(IpNet::prefix_len)
}

/// What the lines of a table say of an address: for each region the longest prefix that has it.
fn latencies(lines: &[(IpNet, u8, u8)], address: IpAddr) -> BTreeMap<String, u32> {
    let regions: BTreeSet<u8> = lines.iter().map(|(_, region, _)| *region).collect();
    let found = regions.into_iter().filter_map(|region| {
        let of_region = lines.iter().filter(|line| line.1 == region);
        let networks: Vec<IpNet> = of_region.clone().map(|line| line.0).collect();
        let network = longest(&networks, address, 128)?;
        let line = of_region.clone().find(|line| canonical(line.0) == network)?;
        Some((format!("r{region}"), u32::from(line.2) * 1000))
    });
    found.collect()
}

fn check_address(case: &Case, parts: &Parts, atlas: &Atlas, address: IpAddr) {
    let located = atlas.locate(address);
    let position = atlas.position(located.position);
    let (place, asn, said_by) = parts.place(address);
    assert_eq!(atlas.location(position.location), place, "{address}");
    assert_eq!(position.asn, asn.filter(|asn| case.asns.contains(asn)), "{address}");
    assert_eq!(atlas.asn_of(address), asn, "{address}");
    assert!(located.network.contains(&address), "{address} {located:?}");
    match said_by {
        Some(network) => assert_eq!(
            (located.source, canonical(located.network)),
            (LocationSource::Override, network),
            "{address}"
        ),
        None => assert_eq!(located.source, LocationSource::Database, "{address}"),
    }
    for (at, lines) in case.tables.iter().enumerate() {
        let row = atlas.row(position.row, at).iter();
        let name = |id| atlas.tables()[at].region_name(id).to_owned();
        let row: BTreeMap<String, u32> = row.map(|(id, value)| (name(*id), *value)).collect();
        assert_eq!(row, latencies(lines, address), "{address}");
    }
    let bits = if address.is_ipv4() { 32 } else { 128 };
    for length in 0..=bits {
        let found = atlas.position(atlas.position_of(address, length));
        let network = found.network.map(|id| atlas.network(id).unwrap().prefix);
        assert_eq!(network, longest(&case.networks, address, length), "{address} /{length}");
        assert_eq!(Position { network: position.network, ..found }, position, "{address}");
    }
}

/// All leaves in order, without gaps, with ::ffff:0:0/96 among them; no two positions are equal.
fn check_whole(atlas: &Atlas) {
    let (ipv4, ipv6) = atlas.leaves();
    let mut next = Some(0);
    for (prefix, _) in ipv4.iter() {
        assert_eq!(Some(prefix.start), next);
        next = prefix.last().next();
    }
    assert_eq!(next, None);
    let mut next = Some(0);
    for (prefix, _) in ipv6.iter() {
        assert_eq!(Some(prefix.start), next);
        next = prefix.last().next();
    }
    assert!(next.is_none() && ipv6.index_of(MAPPED).is_some());
    assert_eq!(atlas.positions()[0], Position::UNKNOWN);
    let facts = atlas.positions().iter().map(|position| {
        let rows = (0..2).map(|table| atlas.row(position.row, table).to_vec());
        let place = format!("{:?}", atlas.location(position.location));
        (place, position.asn, position.network, rows.collect::<Vec<_>>())
    });
    assert_eq!(facts.collect::<BTreeSet<_>>().len(), atlas.positions().len());
}

#[test]
fn positions_are_what_each_part_says() {
    let run = runner(300).run(&case(), |case| {
        let parts = Parts::new(&case);
        let atlas = parts.atlas(&case);
        check_whole(&atlas);
        let edges = edges(&atlas);
        let some_edges = edges.iter().step_by(edges.len() / 48 + 1);
        for address in case.addresses.iter().chain(some_edges) {
            check_address(&case, &parts, &atlas, *address);
        }
        Ok(())
    });
    run.unwrap();
}

/// Parts of which each does something in 10.0.0.0/8.
fn office() -> (Case, Parts) {
    let network = |text: &str| text.parse::<IpNet>().unwrap();
    let said = Override { country: code("FR"), asn: Some(Asn(2)), ..Override::default() };
    let case = Case {
        places: vec![(network("0.0.0.0/0"), 0)],
        systems: vec![(network("0.0.0.0/0"), 1)],
        overrides: vec![(network("10.1.0.0/16"), said)],
        networks: vec![network("10.0.0.0/8"), network("10.1.1.0/24"), network("::/0")],
        asns: BTreeSet::from([Asn(1), Asn(2)]),
        tables: [vec![(network("10.1.0.0/16"), 0, 5)], vec![]],
        addresses: vec![],
    };
    let parts = Parts::new(&case);
    (case, parts)
}

#[test]
fn overrides_hold_in_special_purpose_space() {
    let (case, parts) = office();
    let atlas = parts.atlas(&case);
    let at = |text: &str| atlas.locate(text.parse().unwrap());
    let located = at("10.1.2.3");
    let position = atlas.position(located.position);
    assert_eq!(atlas.location(position.location).country, code("FR"));
    assert_eq!((position.asn, located.source), (Some(Asn(2)), LocationSource::Override));
    assert_eq!(located.network.to_string(), "10.1.0.0/16");
    assert_eq!(at("::ffff:10.1.2.3").network.to_string(), "::ffff:10.1.0.0/112");
    let elsewhere = atlas.position(at("10.2.0.0").position);
    assert_eq!((atlas.location(elsewhere.location), elsewhere.asn), Default::default());
    assert_eq!(atlas.position(at("8.8.8.8").position).asn, Some(Asn(1)));
    // Private space of which nobody says anything is the unknown position.
    assert_eq!(atlas.position(at("192.168.1.1").position), Position::UNKNOWN);
    assert_eq!(at("192.168.1.1").position, PositionId::UNKNOWN);
}

#[test]
fn rule_45_networks_need_all_of_the_client_prefix() {
    let (case, parts) = office();
    let atlas = parts.atlas(&case);
    let name = |text: &str, length| {
        let position = atlas.position(atlas.position_of(text.parse().unwrap(), length));
        let networks = atlas.networks_around(position);
        let names = networks.map(|id| atlas.network(id).unwrap().prefix.to_string());
        (names.collect::<Vec<_>>().join(" "), position.row != RowSetId::NONE)
    };
    let (inner, outer) = ("10.1.1.0/24 10.0.0.0/8".to_owned(), "10.0.0.0/8".to_owned());
    assert_eq!(name("10.1.1.0", 32), (inner.clone(), true));
    assert_eq!(name("10.1.1.0", 24), (inner.clone(), true));
    assert_eq!(name("10.1.1.0", 23), (outer.clone(), true));
    assert_eq!(name("10.1.1.0", 7), (String::new(), true));
    assert_eq!(name("::ffff:10.1.1.0", 120), (inner, true));
    assert_eq!(name("::ffff:10.1.1.0", 119), (outer, true));
    assert_eq!(name("2001:db8::", 0), ("::/0".to_owned(), false));
    assert_eq!(atlas.network_id("10.1.1.9/24".parse().unwrap()).map(|id| id.0), Some(1));
}

#[test]
fn atlases_of_the_same_parts_are_the_same() {
    let (case, parts) = office();
    let atlas = parts.atlas(&case);
    assert!(atlas.same(&parts.atlas(&case)));
    let fewer = Case { networks: case.networks[1..].to_vec(), ..case.clone() };
    assert!(!atlas.same(&parts.atlas(&fewer)));
    let fewer = Case { asns: BTreeSet::from([Asn(1)]), ..case.clone() };
    assert!(!atlas.same(&parts.atlas(&fewer)));
    let again = Parts::new(&case);
    assert!(!atlas.same(&again.atlas(&case)), "equal databases that are read twice are two");
    let parts = Parts { overrides: Overrides::default(), ..parts };
    assert!(!atlas.same(&parts.atlas(&case)));
}
