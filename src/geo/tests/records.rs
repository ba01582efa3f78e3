//! What a database says, and what we take from it.

use mmdb_writer::Value;

use super::*;
use crate::geo::{AsnDatabase, DatabaseError, LocationId};

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

/// The place of an address, as text.
fn place_of(database: &Database, address: &str) -> String {
    let location = database.location(database.locate(address.parse().unwrap()).location);
    let show = |part: Option<String>| part.unwrap_or_else(|| "-".to_owned());
    let country = show(location.country.map(|code| code.to_string()));
    let parts = [location.subdivision, location.district].into_iter().flatten();
    let parts: Vec<String> = parts.map(|code| code.to_string()).collect();
    let subdivision = show(Some(parts.join("/")).filter(|parts| !parts.is_empty()));
    let point = show(location.coordinates.map(|point| point.to_string()));
    format!("{country} {subdivision} {point}")
}

fn text(pairs: &[(&str, &str)]) -> Value {
    Value::map(pairs.iter().map(|(key, value)| (*key, Value::from(*value))))
}

#[test]
fn city_records_have_subdivisions_and_coordinates() {
    let named = Value::map([("names", Value::map([("en", Value::from("Bavaria"))]))]);
    let unnumbered = Value::map([
        ("country", place("DE")),
        ("subdivisions", Value::Array(vec![named])),
        (
            "location",
            Value::map([("latitude", Value::from(48.1)), ("longitude", Value::from(7_u32))]),
        ),
    ]);
    let point = Value::map([("latitude", Value::from(-33.5)), ("longitude", Value::from(151.0))]);
    let database = database(&[
        ("1.0.0.0/24", city("US", &["CA"], Some((37.751, -122.424)))),
        ("1.0.1.0/24", city("GB", &["ENG", "WSM"], Some((51.51, -0.13)))),
        ("1.0.2.0/24", city("GB", &["ENG", "no code"], None)),
        ("1.0.3.0/24", unnumbered),
        ("1.0.4.0/24", two(("location", point.clone()), ("registered_country", place("AU")))),
        ("1.0.5.0/24", Value::map([("location", point)])),
        ("1.0.6.0/24", city("US", &[], Some((91.0, 0.0)))),
    ]);
    assert!(database.has_subdivisions() && database.has_coordinates());
    for (third, expected) in [
        "US US-CA 37.75, -122.42",
        "GB GB-ENG/GB-WSM 51.51, -0.13",
        "GB GB-ENG -",
        "DE - 48.10, 7.00",
        "AU - -33.50, 151.00",
        "- - -33.50, 151.00",
        "US - -",
    ]
    .iter()
    .enumerate()
    {
        assert_eq!(place_of(&database, &format!("1.0.{third}.1")), *expected, "{third}");
    }
}

#[test]
fn flat_records_have_subdivisions_and_coordinates() {
    let numbers = Value::map([
        ("country_code", Value::from("US")),
        ("state1", Value::from("California")),
        ("latitude", Value::from(37.75_f32)),
        ("longitude", Value::from(-122.5_f32)),
    ]);
    let flat = |state, latitude, longitude| {
        let keys = ["country_code", "state1", "latitude", "longitude"];
        let values = ["US", state, latitude, longitude];
        text(&keys.into_iter().zip(values).collect::<Vec<_>>())
    };
    let database = database(&[
        ("1.0.0.0/24", flat("CA", "37.751", "-122.424")),
        ("1.0.1.0/24", numbers),
        ("1.0.2.0/24", text(&[("country", "US"), ("region", "CA"), ("loc", "37.38, -122.08")])),
        (
            "1.0.3.0/24",
            text(&[("country", "US"), ("lat", "1"), ("lng", "2"), ("region_code", "US-NY")]),
        ),
        ("1.0.4.0/24", flat("CA", "0", "0.0")),
        ("1.0.5.0/24", flat("CA", "north", "1")),
        (
            "1.0.6.0/24",
            text(&[("country", "Germany"), ("country_code", "DE"), ("region", "Bavaria")]),
        ),
        ("1.0.7.0/24", text(&[("loc", "1.5,2.5")])),
    ]);
    for (third, expected) in [
        "US US-CA 37.75, -122.42",
        "US - 37.75, -122.50",
        "US US-CA 37.38, -122.08",
        "US US-NY 1.00, 2.00",
        "US US-CA -",
        "US US-CA -",
        "DE - -",
        "- - 1.50, 2.50",
    ]
    .iter()
    .enumerate()
    {
        assert_eq!(place_of(&database, &format!("1.0.{third}.1")), *expected, "{third}");
    }
}

#[test]
fn autonomous_systems_are_read_in_every_shape() {
    let number = |key: &str, value: Value| Value::map([(key, value)]);
    let traits = number("autonomous_system_number", Value::from(64_503_u32));
    let records = [
        ("1.0.0.0/24", number("autonomous_system_number", Value::from(64_500_u32))),
        ("1.0.1.0/24", number("asn", Value::from("AS64501"))),
        ("1.0.2.0/24", number("asn", Value::from("64502"))),
        ("1.0.3.0/24", number("traits", traits)),
        ("1.0.4.0/24", number("autonomous_system_number", Value::from(0_u32))),
        ("1.0.5.0/24", number("asn", Value::from("ASnone"))),
        ("1.0.6.0/24", number("asn", Value::from("4294967296"))),
        ("1.0.7.0/24", number("asn", Value::from("-1"))),
        ("1.0.8.0/24", number("autonomous_system_number", Value::from("as4294967295"))),
        ("10.0.0.0/8", number("asn", Value::from(1_u32))),
        ("2a00::/12", number("asn", Value::from(1_u32))),
    ];
    let database = AsnDatabase::read(&written(writer(), &records)).unwrap();
    let asn = |text: &str| database.asn_of(text.parse().unwrap()).map(|asn| asn.0);
    let expected = [Some(64_500), Some(64_501), Some(64_502), Some(64_503), None, None, None, None];
    for (third, expected) in expected.into_iter().chain([Some(u32::MAX)]).enumerate() {
        assert_eq!(asn(&format!("1.0.{third}.9")), expected, "{third}");
    }
    assert_eq!((asn("2a00::1"), asn("::ffff:1.0.0.1")), (Some(1), Some(64_500)));
    assert_eq!((asn("10.0.0.1"), asn("9.9.9.9")), (None, None), "private, and not there");
    assert_eq!((database.kind(), database.build_epoch()), ("Test-Country", EPOCH));
    let refused = AsnDatabase::read(&written(writer(), &[("1.0.0.0/24", nested("DE"))]));
    let message = refused.err().unwrap().to_string();
    assert!(message.contains("use an ASN database"), "{message}");
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
