//! Rule B9: class and scope are exactly what brute force finds, on random databases and random partitions.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::geo::prefix::{Key, Prefix};
use crate::geo::special::MAPPED;
use crate::geo::{Atlas, AtlasParts, Overrides, PrefixMap};

const COUNTRIES: [&str; 5] = ["DE", "FR", "US", "JP", "ZZ"];

/// A random database and networks, a random partition of the positions, and random addresses.
#[derive(Clone, Debug)]
struct Case {
    records: Vec<(IpNet, usize)>,
    class_of: Vec<u32>,
    /// Networks that policies name, which make the atlas more than the database.
    networks: Vec<IpNet>,
    addresses: Vec<IpAddr>,
}

/// Few distinct bits, so that prefixes nest, touch and share parents.
pub(super) fn ipv4_address() -> impl Strategy<Value = u32> {
    prop_oneof![
        any::<u32>(),
        (0..4_u32, 0..4_u32).prop_map(|(a, b)| 0x0800_0000 | (a << 22) | (b << 6))
    ]
}

pub(super) fn ipv6_address() -> impl Strategy<Value = u128> {
    prop_oneof![
        any::<u128>(),
        any::<u128>().prop_map(|bits| (0x2a << 120) | (bits >> 8)),
        (0..4_u128, 0..4_u128).prop_map(|(a, b)| (0x2a00 << 112) | (a << 110) | (b << 62)),
        (0..3_u128, any::<u32>())
            .prop_map(|(block, low)| (0xfffe_u128 + block) << 32 | u128::from(low)),
        (0..3_u128).prop_map(|block| (0x2001 + block) << 112),
    ]
}

pub(super) fn any_network() -> impl Strategy<Value = IpNet> {
    let ipv4 = (ipv4_address(), 0..=32_u8).prop_map(|(start, depth)| start.network(depth).trunc());
    let ipv6 = (ipv6_address(), 0..=128_u8).prop_map(|(start, depth)| start.network(depth).trunc());
    prop_oneof![ipv4, ipv6]
}

pub(super) fn any_address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![ipv4_address().prop_map(Key::address), ipv6_address().prop_map(Key::address)]
}

fn case() -> impl Strategy<Value = Case> {
    let record = (any_network(), 0..COUNTRIES.len());
    let records = proptest::collection::vec(record, 0..24);
    let class_of = proptest::collection::vec(0..3_u32, 0..6);
    let networks = proptest::collection::vec(any_network(), 0..4);
    let addresses = proptest::collection::vec(any_address(), 24);
    (records, class_of, networks, addresses).prop_map(|(records, class_of, networks, addresses)| {
        Case { records, class_of, networks, addresses }
    })
}

/// The file of a case. The first record makes it a database of countries.
fn file(case: &Case, mut writer: Writer) -> Vec<u8> {
    let first = ("8.0.0.0/9".parse().unwrap(), 0);
    for (network, country) in std::iter::once(&first).chain(&case.records) {
        // A record inside an alias, or in IPv6 for a file of IPv4, is refused by the writer: one record less.
        let _ = writer.insert_value(*network, flat(COUNTRIES[*country]));
    }
    writer.to_bytes().unwrap()
}

/// The atlas of a case, if its database is one.
fn atlas(case: &Case, writer: Writer) -> Option<Atlas> {
    // Without it every country was written over with ZZ.
    let database = Arc::new(Database::read(&file(case, writer)).ok()?);
    let parts = AtlasParts {
        database,
        asn: None,
        overrides: &Overrides::default(),
        networks: &case.networks,
        asns: &BTreeSet::new(),
        tables: &[],
    };
    Some(Atlas::build(parts).unwrap())
}

fn class(case: &Case, position: u32) -> u32 {
    let class_of = &case.class_of;
    class_of.get(position as usize).or(class_of.first()).copied().unwrap_or(0)
}

/// Every class that occurs in an IPv4 prefix, by looking at every leaf.
fn ipv4_classes(atlas: &Atlas, case: &Case, prefix: Prefix<u32>) -> BTreeSet<u32> {
    let leaves = atlas.leaves().0.iter();
    let touching = leaves.filter(|(leaf, _)| leaf.contains(prefix) || prefix.contains(*leaf));
    touching.map(|(_, position)| class(case, position)).collect()
}

/// Every class that occurs in an IPv6 prefix; ::ffff:0:0/96 has the classes of IPv4.
fn ipv6_classes(atlas: &Atlas, case: &Case, prefix: Prefix<u128>) -> BTreeSet<u32> {
    let leaves = atlas.leaves().1.iter();
    let touching = leaves.filter(|(leaf, _)| leaf.contains(prefix) || prefix.contains(*leaf));
    touching
        .flat_map(|(leaf, position)| match leaf == MAPPED {
            true => ipv4_classes(atlas, case, Prefix::ALL),
            false => BTreeSet::from([class(case, position)]),
        })
        .collect()
}

/// The prefix of this depth with this address in it.
fn enclosing<K: Key>(key: K, depth: u8) -> Prefix<K> {
    let mut prefix = Prefix::ALL;
    while prefix.depth < depth {
        let [lower, upper] = prefix.halves().unwrap();
        prefix = if key < upper.start { lower } else { upper };
    }
    prefix
}

/// The scope must have one class, and the prefix that is one bit shorter several.
fn check<K: Key>(key: K, found: (u32, u8), classes: impl Fn(Prefix<K>) -> BTreeSet<u32>) {
    let (class, scope) = found;
    assert_eq!(classes(enclosing(key, scope)), BTreeSet::from([class]), "{}", key.address());
    if let Some(shorter) = scope.checked_sub(1) {
        assert!(classes(enclosing(key, shorter)).len() > 1, "{} /{scope}", key.address());
    }
}

fn check_address(atlas: &Atlas, case: &Case, map: &PrefixMap, address: IpAddr) {
    let found = map.lookup(address);
    let located = atlas.locate(address);
    assert!(located.network.contains(&address), "{address} {located:?}");
    assert_eq!(found.class, class(case, located.position.0), "{address}");
    let ipv4 = |address: Ipv4Addr, scope| {
        let classes = |prefix| ipv4_classes(atlas, case, prefix);
        check(u32::from(address), (found.class, scope), classes);
    };
    match address {
        IpAddr::V4(address) => ipv4(address, found.scope),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => ipv4(mapped, found.scope.checked_sub(96).unwrap()),
            None => {
                let classes = |prefix| ipv6_classes(atlas, case, prefix);
                check(u128::from(address), (found.class, found.scope), classes);
            }
        },
    }
}

/// Addresses where something changes: both ends of every leaf.
pub(super) fn edges(atlas: &Atlas) -> Vec<IpAddr> {
    let (ipv4, ipv6) = atlas.leaves();
    let ipv4 = ipv4.iter().flat_map(|(leaf, _)| [leaf.start, leaf.last()]);
    let ipv6 = ipv6.iter().flat_map(|(leaf, _)| [leaf.start, leaf.last()]);
    ipv4.map(Key::address).chain(ipv6.map(Key::address)).collect()
}

#[test]
fn rule_b9_scope_is_exact() {
    let run = runner(150).run(&(case(), 0..3_usize), |(case, kind)| {
        let writer = [writer, writer_without_aliases, writer_of_ipv4][kind]();
        let Some(atlas) = atlas(&case, writer) else {
            return Ok(());
        };
        let map = PrefixMap::of(&atlas, &case.class_of);
        let edges = edges(&atlas);
        let some_edges = edges.iter().step_by(edges.len() / 64 + 1);
        for address in case.addresses.iter().chain(some_edges) {
            check_address(&atlas, &case, &map, *address);
        }
        Ok(())
    });
    run.unwrap();
}

#[test]
fn rule_b9_every_address_in_scope_is_looked_up_alike() {
    let strategy = (case(), any::<u128>());
    let run = runner(300).run(&strategy, |(case, noise)| {
        let Some(atlas) = atlas(&case, writer()) else {
            return Ok(());
        };
        let map = PrefixMap::of(&atlas, &case.class_of);
        for address in &case.addresses {
            let found = map.lookup(*address);
            let other = match address {
                IpAddr::V4(address) => {
                    inside(u32::from(*address), found.scope, noise as u32).address()
                }
                IpAddr::V6(address) => inside(u128::from(*address), found.scope, noise).address(),
            };
            if !matches!(other, IpAddr::V6(other) if Ipv6Addr::to_ipv4_mapped(&other).is_some()) {
                assert_eq!(map.lookup(other), found, "{address} {other}");
            }
        }
        Ok(())
    });
    run.unwrap();
}

/// Some address of the prefix of this depth around `key`.
fn inside<K: Key>(key: K, depth: u8, noise: K) -> K {
    let mut prefix = enclosing(key, depth);
    while let Some([lower, upper]) = prefix.halves() {
        let is_upper = noise.last(prefix.depth) == noise.last(prefix.depth.saturating_add(1));
        prefix = if is_upper { upper } else { lower };
    }
    prefix.start
}

/// Merged in two steps, a partition is the same as in one, whatever the numbers of its classes.
#[test]
fn rule_b9_two_steps_are_one() {
    let strategy = (case(), proptest::collection::vec(0..3_u32, 3), any::<bool>());
    let run = runner(300).run(&strategy, |(case, finer, is_wide)| {
        let Some(atlas) = atlas(&case, writer()) else {
            return Ok(());
        };
        // Six hundred classes are too many for narrow codes.
        let mut of_coarse = finer.clone();
        of_coarse.extend((3..).take(if is_wide { 600 } else { 0 }));
        let steps = PrefixMap::build(&atlas.merge(&case.class_of), &of_coarse);
        let once: Vec<u32> = case.class_of.iter().map(|coarse| finer[*coarse as usize]).collect();
        let once = if once.is_empty() { vec![finer[0]] } else { once };
        let once = PrefixMap::of(&atlas, &once);
        for address in case.addresses.iter().chain(&edges(&atlas)) {
            assert_eq!(steps.lookup(*address), once.lookup(*address), "{address}");
        }
        Ok(())
    });
    run.unwrap();
}

#[test]
fn locations_are_those_that_maxminddb_finds() {
    let sizes = [RecordSize::Bits24, RecordSize::Bits28, RecordSize::Bits32];
    let run = runner(200).run(&(case(), 0..3_usize), |(case, size)| {
        let bytes = file(&case, writer_with_records_of(sizes[size]));
        let Ok(database) = Database::read(&bytes) else {
            return Ok(());
        };
        let oracle = maxminddb::Reader::from_source(bytes.as_slice()).unwrap();
        for address in &case.addresses {
            if is_special(*address) {
                continue;
            }
            let record = oracle.lookup(*address).unwrap();
            let path = [maxminddb::PathElement::Key("country_code")];
            let text: Option<&str> = record.decode_path(&path).unwrap();
            let expected = text.and_then(CountryCode::parse);
            let found = database.location(database.locate(*address).location).country;
            assert_eq!(found, expected, "{address}");
        }
        Ok(())
    });
    run.unwrap();
}

/// Is the address in a block that we never locate, whatever the database says?
fn is_special(address: IpAddr) -> bool {
    let within = |blocks: Vec<IpNet>| blocks.iter().any(|block| block.contains(&address));
    let ipv4 = crate::geo::special::IPV4.map(|block| block.start.network(block.depth));
    let ipv6 = crate::geo::special::IPV6.map(|block| block.start.network(block.depth));
    within([&ipv4[..], &ipv6[..]].concat())
}
