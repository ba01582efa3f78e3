//! What a database says, and what we take from it.

use mmdb_writer::Value;

use super::*;
use crate::geo::{DatabaseError, LocationId};

fn two(first: (&str, Value), second: (&str, Value)) -> Value {
    Value::map([first, second])
}

fn place(iso_code: &str) -> Value {
    Value::map([("iso_code", Value::from(iso_code))])
}

#[test]
fn every_shape_is_read_best_first() {
    let database = database(&[
        ("1.0.0.0/24", nested("DE")),
        ("1.0.1.0/24", flat("FR")),
        ("1.0.2.0/24", Value::map([("registered_country", place("NL"))])),
        ("1.0.3.0/24", two(("country", place("IT")), ("registered_country", place("US")))),
        (
            "1.0.4.0/24",
            two(("registered_country", place("ES")), ("country_code", Value::from("US"))),
        ),
        (
            "1.0.5.0/24",
            two(("country", Value::from("Portugal")), ("country_code", Value::from("PT"))),
        ),
        ("2a00::/16", flat("SE")),
    ]);
    let expected = ["DE", "FR", "NL", "IT", "ES", "PT"];
    for (third, expected) in expected.iter().enumerate() {
        let address = format!("1.0.{third}.77");
        assert_eq!(country(&database, &address), code(expected), "{address}");
    }
    assert_eq!(country(&database, "2a00::1"), code("SE"));
    assert_eq!(country(&database, "9.9.9.9"), None);
}

#[test]
fn codes_are_upper_cased_and_unknown_ones_are_no_location() {
    let database = database(&[
        ("1.0.0.0/24", flat("de")),
        ("1.0.1.0/24", flat("ZZ")),
        ("1.0.2.0/24", flat("")),
        ("1.0.3.0/24", flat("EU")),
        ("1.0.4.0/24", Value::map([("city", Value::from("X"))])),
        ("1.0.5.0/24", Value::map([("country_code", Value::from(7_u32))])),
        ("1.0.6.0/24", Value::from("DE")),
        ("1.0.7.0/24", nested("XK")),
    ]);
    assert_eq!(country(&database, "1.0.0.1"), code("DE"));
    assert_eq!(country(&database, "1.0.7.1"), code("XK"));
    for third in 1..7 {
        let address = format!("1.0.{third}.1");
        let located = database.locate(address.parse().unwrap());
        assert_eq!(located.location, LocationId::UNKNOWN, "{address}");
    }
    assert_eq!(database.locations().len(), 3, "unknown, DE, XK: equal places are one");
}

#[test]
fn networks_are_the_longest_of_the_database() {
    let database = database(&[("8.0.0.0/8", flat("US")), ("8.8.8.0/24", flat("DE"))]);
    assert_eq!(network(&database, "8.8.8.8"), "8.8.8.0/24");
    assert_eq!(network(&database, "8.8.9.1"), "8.8.9.0/24");
    assert_eq!(network(&database, "8.255.0.0"), "8.128.0.0/9");
    assert_eq!(country(&database, "8.8.7.255"), code("US"));
}

#[test]
fn metadata_is_kept() {
    let database = database(&[("1.0.0.0/24", flat("DE"))]);
    assert_eq!(database.kind(), "Test-Country");
    assert_eq!(database.description(), "A test");
    assert_eq!(database.build_epoch(), EPOCH);
    assert!(database.ipv4_networks() > 24 && database.ipv6_networks() > 13);
    assert!(database.memory_octets() > 24 * 7);
}

#[test]
fn special_purpose_space_is_never_located() {
    let database =
        database(&[("0.0.0.0/0", flat("DE")), ("2000::/3", flat("FR")), ("e000::/3", flat("FR"))]);
    let private = "0.1.2.3 10.1.2.3 100.64.0.1 127.0.0.1 169.254.1.1 172.16.0.1 172.31.255.255 192.0.0.1 192.0.2.1 \
                   192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 \
                   255.255.255.255 :: ::1 64:ff9b:1::1 100::1 2001::1 2001:db8::1 3fff:fff::1 5f00::1 fc00::1 \
                   fdff::1 fe80::1 fec0::1 ff02::1";
    for address in private.split_whitespace() {
        assert_eq!(country(&database, address), None, "{address}");
    }
    let around = "9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 172.15.255.255 172.32.0.0 192.0.1.0 192.0.3.0 \
                  192.88.98.255 198.17.255.255 198.20.0.0 203.0.112.255 223.255.255.255";
    for address in around.split_whitespace() {
        assert_eq!(country(&database, address), code("DE"), "{address}");
    }
    for address in ["2001:200::1", "2001:db7::1", "2001:db9::1", "3ffe::1", "fe00::1"] {
        assert_eq!(country(&database, address), code("FR"), "{address}");
    }
    assert_eq!(network(&database, "10.1.2.3"), "10.0.0.0/8");
    assert_eq!(network(&database, "9.1.2.3"), "8.0.0.0/7");
    assert_eq!(network(&database, "11.1.2.3"), "11.0.0.0/8");
}

#[test]
fn mapped_addresses_are_their_ipv4_addresses() {
    for writer in [writer(), writer_without_aliases(), writer_of_ipv4()] {
        let bytes = written(writer, &[("8.8.8.0/24", flat("US"))]);
        let database = Database::read(&bytes).unwrap();
        assert_eq!(country(&database, "::ffff:8.8.8.8"), code("US"));
        assert_eq!(network(&database, "::ffff:8.8.8.8"), "::ffff:8.8.8.0/120");
        assert_eq!(country(&database, "::ffff:10.0.0.1"), None);
    }
}

#[test]
fn aliases_of_ipv4_are_unknown_unless_located_natively() {
    let records = [("8.8.8.0/24", flat("US"))];
    let aliased = database(&records);
    let sixto4 = "2002:808:800::1";
    assert_eq!(country(&aliased, sixto4), None);
    assert_eq!(network(&aliased, sixto4), "2002::/16");
    assert_eq!(country(&aliased, "64:ff9b::8.8.8.8"), None);

    let native =
        [("8.8.8.0/24", flat("US")), ("2002:808::/32", flat("FR")), ("64:ff9b::/96", flat("NL"))];
    let native = Database::read(&written(writer_without_aliases(), &native)).unwrap();
    assert_eq!(country(&native, sixto4), code("FR"));
    assert_eq!(country(&native, "64:ff9b::8.8.8.8"), code("NL"));
}

#[test]
fn ipv4_files_leave_ipv6_unknown() {
    let bytes = written(writer_of_ipv4(), &[("8.8.8.0/24", flat("US"))]);
    let database = Database::read(&bytes).unwrap();
    assert_eq!(country(&database, "8.8.8.8"), code("US"));
    assert_eq!(country(&database, "2a00::1"), None);
}

#[test]
fn one_record_above_both_families_locates_both() {
    let database =
        Database::read(&written(writer_without_aliases(), &[("::/0", flat("JP"))])).unwrap();
    assert_eq!(country(&database, "8.8.8.8"), code("JP"));
    assert_eq!(country(&database, "2a00::1"), code("JP"));
    assert_eq!(country(&database, "10.0.0.1"), None);
}

#[test]
fn errors_say_what_to_do() {
    let asn = Value::map([("autonomous_system_number", Value::from(64_512_u32))]);
    let message = |bytes: &[u8]| Database::read(bytes).err().unwrap().to_string();
    let no_countries = message(&written(writer(), &[("8.8.8.0/24", asn)]));
    assert!(
        no_countries.contains("Test-Country")
            && no_countries.contains("use a Country or City database")
    );
    let empty = message(&written(writer(), &[]));
    assert!(
        empty.contains("use a Country or City database") || empty.contains("download it again")
    );
    for bytes in [&b""[..], b"\x1f\x8b\x08 not a database", b"start,end,country\n"] {
        assert!(message(bytes).contains("download it again"));
    }
}

#[test]
fn errors_name_their_cause() {
    let refused = Database::read(b"").err().unwrap();
    assert!(matches!(refused, DatabaseError::Unreadable(_)));
    assert!(std::error::Error::source(&refused).is_some());
    let too_large = DatabaseError::TooLarge { what: "networks", limit: 7 };
    assert!(too_large.to_string().starts_with("more than 7 networks"));
}
