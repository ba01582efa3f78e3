//! Bytes from a damaged disk, a broken download or an enemy: an answer in bounded time, and never a panic.

use std::time::Instant;

use proptest::prelude::*;

use super::*;
use crate::geo::{AsnDatabase, DatabaseError};

/// Longest that one small file may keep us, without optimisation and on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A small database with every record shape.
fn sample() -> Vec<u8> {
    let registered =
        Value::map([("registered_country", Value::map([("iso_code", Value::from("NL"))]))]);
    let records = [
        ("8.8.8.0/24", nested("US")),
        ("46.4.0.0/16", flat("DE")),
        ("133.0.0.0/8", registered),
        ("2a00::/12", flat("SE")),
        ("2600::/12", nested("US")),
        ("9.0.0.0/8", city("US", &["CA"], Some((37.75, -122.42)))),
        ("2c00::/12", Value::map([("asn", Value::from("AS64500")), ("loc", Value::from("1,2"))])),
    ];
    written(writer(), &records)
}

/// Reads the bytes, whatever they are, and uses what comes out.
fn try_bytes(bytes: &[u8]) {
    let begin = Instant::now();
    if let Ok(database) = Database::read(bytes) {
        let atlas = crate::geo::Atlas::of(std::sync::Arc::new(database));
        let map = crate::geo::PrefixMap::of(&atlas, &[0, 1, 2]);
        for address in ["8.8.8.8", "2a00::1", "::ffff:1.2.3.4"] {
            let address: IpAddr = address.parse().unwrap();
            assert!(atlas.locate(address).network.contains(&address));
            map.lookup(address);
        }
    }
    if let Ok(asns) = AsnDatabase::read(bytes) {
        asns.asn_of("8.8.8.8".parse().unwrap());
    }
    assert!(begin.elapsed() < PATIENCE, "took {:?}", begin.elapsed());
}

#[test]
fn truncated_files_are_refused_or_read() {
    let bytes = sample();
    for length in (0..bytes.len()).step_by(7).chain([bytes.len() - 1]) {
        try_bytes(&bytes[..length]);
        try_bytes(&bytes[length..]);
    }
}

#[test]
fn mutated_files_are_refused_or_read() {
    let bytes = sample();
    let change = (0..bytes.len(), any::<u8>());
    let changes = proptest::collection::vec(change, 1..8);
    let run = runner(800).run(&changes, |changes| {
        let mut mutant = bytes.clone();
        for (at, octet) in changes {
            mutant[at] = octet;
        }
        try_bytes(&mutant);
        Ok(())
    });
    run.unwrap();
}

#[test]
fn mutated_metadata_is_refused_or_read() {
    let bytes = sample();
    let marker = b"\xab\xcd\xefMaxMind.com";
    let metadata = bytes.windows(marker.len()).rposition(|window| window == marker).unwrap();
    for at in metadata..bytes.len() {
        for octet in [0, 1, 0x3f, 0x7f, 0xff, bytes[at] ^ 1, bytes[at] ^ 0x20] {
            let mut mutant = bytes.clone();
            mutant[at] = octet;
            try_bytes(&mutant);
        }
    }
}

/// A file with these nodes (24-bit records) and one record, `{"country_code": "DE"}`.
fn with_tree(ip_version: u8, nodes: &[[u32; 2]]) -> Vec<u8> {
    let mut writer = writer_of_ipv4();
    if ip_version == 6 {
        writer = writer_without_aliases();
    }
    writer.insert_value("0.0.0.0/0".parse::<IpNet>().unwrap(), flat("DE")).unwrap();
    let template = writer.to_bytes().unwrap();
    let separator = template.windows(16).position(|window| window == [0; 16]).unwrap();
    let mut bytes: Vec<u8> = Vec::new();
    for record in nodes.iter().flatten() {
        bytes.extend_from_slice(&record.to_be_bytes()[1..]);
    }
    bytes.extend_from_slice(&[0; 16]);
    let data = separator + template[separator..].iter().position(|octet| *octet != 0).unwrap();
    bytes.extend_from_slice(&template[data..]);
    set_node_count(&mut bytes, nodes.len());
    bytes
}

/// Overwrites the one-octet node count in the metadata.
fn set_node_count(bytes: &mut Vec<u8>, count: usize) {
    let key = b"node_count";
    let at = bytes.windows(key.len()).rposition(|window| window == key).unwrap() + key.len();
    let octets = usize::from(bytes[at] & 31);
    let count = u32::try_from(count).unwrap().to_be_bytes();
    bytes.splice(at..=at + octets, [&[0xc4][..], &count].concat());
}

#[test]
fn handmade_tree_is_read() {
    let data = 1 + 16;
    let database = Database::read(&with_tree(4, &[[data, 1]])).unwrap();
    assert_eq!(country(&database, "8.8.8.8"), code("DE"));
    assert_eq!(country(&database, "200.0.0.1"), None);
}

#[test]
fn cycles_are_refused() {
    for nodes in [&[[0, 0]][..], &[[2, 1], [1, 1]], &[[1, 1], [0, 2]]] {
        for ip_version in [4, 6] {
            let refused = Database::read(&with_tree(ip_version, nodes)).err();
            assert!(matches!(refused, Some(DatabaseError::BrokenTree)), "{nodes:?} {refused:?}");
        }
    }
}

#[test]
fn cycles_inside_special_purpose_space_are_never_entered() {
    // Only addresses that begin with 32 zero bits would go round; 0.0.0.0/8 is cut out before.
    let refused = Database::read(&with_tree(4, &[[1, 2], [0, 2]])).err();
    assert!(matches!(refused, Some(DatabaseError::NoCountries { .. })), "{refused:?}");
}

#[test]
fn trees_that_double_are_refused() {
    // Node n leads to node n + 1 on both sides: 2^32 leaves out of 32 nodes.
    let count = 31;
    let nodes: Vec<[u32; 2]> = (1..=count).map(|next| [next, next]).collect();
    let refused = Database::read_at_most(&with_tree(4, &nodes), 100_000).err();
    assert!(matches!(refused, Some(DatabaseError::TooLarge { .. })), "{refused:?}");
}

#[test]
fn trees_that_double_into_aliases_are_refused() {
    // 96 zero bits lead to the IPv4 tree; the upper half of the root doubles 60 times and ends in aliases of it, which
    // an iterator that skips aliases would pass in silence.
    let (zeros, doubles) = (96, 60);
    let ipv4 = zeros + doubles;
    let nothing = ipv4 + 1;
    let mut nodes: Vec<[u32; 2]> = (1..=zeros).map(|next| [next, nothing]).collect();
    nodes[95][0] = ipv4;
    nodes[0][1] = zeros;
    nodes.extend((zeros + 1..=ipv4).map(|next| [next, next]));
    nodes.push([nothing, nothing + 16]);
    let refused = Database::read_at_most(&with_tree(6, &nodes), 100_000).err();
    assert!(matches!(refused, Some(DatabaseError::TooLarge { .. })), "{refused:?}");
}
