//! The database that is compiled in.

use std::sync::{Arc, OnceLock};

use super::*;
use crate::geo::{Atlas, LocationId, PrefixMap};

/// Reading takes a second without optimisation, so all tests share one.
fn built_in() -> &'static Arc<Database> {
    static BUILT_IN: OnceLock<Arc<Database>> = OnceLock::new();
    BUILT_IN.get_or_init(|| Arc::new(Database::built_in().unwrap()))
}

fn atlas() -> Atlas {
    Atlas::of(Arc::clone(built_in()))
}

#[test]
fn known_addresses_are_where_they_are() {
    for (address, expected) in [
        ("8.8.8.0", "US"),
        ("46.4.0.1", "DE"),
        ("133.11.0.0", "JP"),
        ("200.45.191.0", "AR"),
        ("::ffff:46.4.0.1", "DE"),
        ("2a01:4f8::1", "DE"),
        ("2001:200::1", "JP"),
    ] {
        assert_eq!(country(built_in(), address), code(expected), "{address}");
    }
    for address in ["10.0.0.1", "192.0.2.1", "2001:db8::1", "2002:808:808::1", "fe80::1"] {
        assert_eq!(country(built_in(), address), None, "{address}");
    }
}

#[test]
fn facts_about_it_are_as_documented() {
    let database = built_in();
    assert_eq!(database.kind(), "country ipvAll");
    assert!(database.build_epoch() > 1_780_000_000, "{}", database.build_epoch());
    assert!(database.locations().len() > 230);
    assert!(!database.has_subdivisions() && !database.has_coordinates());
    assert!(database.ipv4_networks() > 400_000 && database.ipv6_networks() > 200_000);
}

#[test]
fn leaves_have_no_gaps() {
    let mut expected = 0_u64;
    let atlas = atlas();
    let (ipv4, ipv6) = atlas.leaves();
    for (prefix, _) in ipv4.iter() {
        assert_eq!(u64::from(prefix.start), expected);
        expected = u64::from(prefix.last()) + 1;
    }
    assert_eq!(expected, 1 << 32);
    let mut expected = Some(0_u128);
    for (prefix, _) in ipv6.iter() {
        assert_eq!(Some(prefix.start), expected);
        expected = prefix.last().checked_add(1);
    }
    assert_eq!(expected, None);
}

#[test]
fn finest_partition_agrees_with_the_database_everywhere() {
    let database = built_in();
    let class_of: Vec<u32> = (0..).take(database.locations().len()).collect();
    let map = PrefixMap::of(&atlas(), &class_of);
    let ipv4 = database.ipv4.iter().map(|(prefix, id)| (IpAddr::V4(prefix.last().into()), id));
    let ipv6 = database.ipv6.iter().map(|(prefix, id)| (IpAddr::V6(prefix.last().into()), id));
    for (address, location) in ipv4.chain(ipv6) {
        if matches!(address, IpAddr::V6(address) if address.to_ipv4_mapped().is_some()) {
            continue;
        }
        assert_eq!(map.lookup(address).class, location, "{address}");
    }
}

#[test]
fn atlas_of_a_database_alone_costs_nothing() {
    let atlas = atlas();
    assert_eq!(atlas.positions().len(), built_in().locations().len());
    assert!(atlas.memory_octets() < 10_000, "{}", atlas.memory_octets());
    let (ipv4, ipv6) = (built_in().ipv4_networks(), built_in().ipv6_networks());
    assert_eq!(atlas.leaf_counts(), (ipv4, ipv6));
}

#[test]
fn maps_of_one_zone_share_their_leaves() {
    let atlas = atlas();
    let class_of: Vec<u32> = (0..).take(atlas.positions().len()).collect();
    let merged = atlas.merge(&class_of);
    let halves: Vec<u32> = class_of.iter().map(|class| class % 2).collect();
    let thirds: Vec<u32> = class_of.iter().map(|class| class % 3 + 7).collect();
    let (one, two) = (PrefixMap::build(&merged, &halves), PrefixMap::build(&merged, &thirds));
    assert_eq!(one.shared_octets(), two.shared_octets());
    let (ipv4, ipv6) = merged.leaves();
    assert!(one.memory_octets() < 2 * (ipv4 + ipv6) + 100);
    let (alone, noise) = (PrefixMap::of(&atlas, &thirds), 0x9e37_79b9_u32);
    for bits in (0..10_000_u32).map(|turn| turn.wrapping_mul(noise)) {
        let address = IpAddr::V4(bits.into());
        assert_eq!(two.lookup(address), alone.lookup(address), "{address}");
    }
}

#[test]
fn coarse_partitions_are_small() {
    let database = built_in();
    let map = PrefixMap::of(&atlas(), &[0]);
    let found = map.lookup("8.8.8.8".parse().unwrap());
    assert_eq!((found.class, found.scope), (0, 0));
    assert_eq!(map.lookup("2a00::1".parse().unwrap()).scope, 0);
    assert_eq!(map.leaves(), (1, 1));
    assert!(map.memory_octets() + map.shared_octets().1 < 100);
    assert_eq!(database.location(LocationId::UNKNOWN).country, None);
}
