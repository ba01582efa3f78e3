//! Reading RDATA: what each type's text becomes, what is said about mistakes, and that no text panics.

use super::layout::LAYOUTS;
use super::*;
use proptest::prelude::*;

fn origin() -> Name {
    Name::parse("example.com.", &Name::root()).unwrap()
}

fn parse(rtype: RecordType, text: &str) -> Result<Box<[u8]>, RdataError> {
    parse_rdata(rtype, text, &origin())
}

fn message(rtype: RecordType, text: &str) -> String {
    parse(rtype, text).expect_err(text).message
}

#[test]
fn every_layout_reads_its_own_example() {
    for layout in LAYOUTS {
        let rdata = parse(layout.rtype, layout.example);
        assert!(rdata.is_ok(), "{}: {rdata:?}", layout.rtype);
        assert!(usage(layout.rtype).is_some());
    }
}

#[test]
fn addresses_and_names_become_octets() {
    assert_eq!(*parse(RecordType::A, "192.0.2.1").unwrap(), [192, 0, 2, 1]);
    assert_eq!(parse(RecordType::AAAA, "2001:db8::1").unwrap().len(), 16);
    assert_eq!(*parse(RecordType::NS, "NS1").unwrap(), *b"\x03NS1\x07example\x03com\x00");
    assert_eq!(*parse(RecordType::NS, "@").unwrap(), *b"\x07example\x03com\x00");
    assert_eq!(*parse(RecordType::CNAME, "a.net.").unwrap(), *b"\x01a\x03net\x00");
    assert_eq!(*parse(RecordType::MX, "10 .").unwrap(), [0, 10, 0]);
    assert_eq!(*parse(RecordType::SRV, "1 2 443 a.").unwrap(), [0, 1, 0, 2, 1, 187, 1, b'a', 0]);
}

#[test]
fn soa_with_and_without_numbers() {
    let short = parse_soa("ns1 hostmaster", &origin(), 7).unwrap();
    let long = parse(RecordType::SOA, "ns1 hostmaster ( 7 2h 1h 14d 60 )").unwrap();
    assert_eq!(short, long);
    let error = parse_soa("ns1 hostmaster 7", &origin(), 7).unwrap_err();
    assert_eq!(error.message, "only 3 of 7 fields are there");
    let mailbox = message(RecordType::SOA, "ns1 hostmaster@example.com 1 1 1 1 1");
    assert_eq!(mailbox, "a mailbox is written with a dot for its `@`: `hostmaster.example.com.`");
}

#[test]
fn texts_keep_every_octet() {
    assert_eq!(*parse(RecordType::TXT, r#""a b" c"#).unwrap(), *b"\x03a b\x01c");
    assert_eq!(*parse(RecordType::TXT, r#""\"\\\065""#).unwrap(), *b"\x03\"\\A");
    assert_eq!(*parse(RecordType::TXT, "\"é;(\"").unwrap(), *b"\x04\xc3\xa9;(");
    assert_eq!(*parse(RecordType::TXT, "\"\"").unwrap(), [0]);
    assert_eq!(*literal_text("").unwrap(), [0]);
    let long = literal_text(&"x".repeat(300)).unwrap();
    assert!(literal_text("two\nlines").is_err());
    assert_eq!((long.len(), long[0], long[256]), (302, 255, 45));
}

#[test]
fn services_caa_and_uri() {
    let plain = parse(RecordType::HTTPS, "1 . alpn=h2,h3 port=8443").unwrap();
    let quoted = parse(RecordType::HTTPS, r#"1 . alpn="h2,h3" port=8443"#).unwrap();
    assert_eq!(plain, quoted);
    assert_eq!(target_of(RecordType::HTTPS, &plain), Some(Name::root()));
    let caa = parse(RecordType::CAA, r#"0 issue "letsencrypt.org""#).unwrap();
    assert_eq!(*caa, *b"\x00\x05issueletsencrypt.org");
    assert_eq!(*parse(RecordType::URI, r#"1 2 "a b""#).unwrap(), *b"\0\x01\0\x02a b");
}

#[test]
fn generic_data_must_fit_its_type() {
    assert_eq!(*parse(RecordType(65280), r"\# 3 abcd ef").unwrap(), [0xab, 0xcd, 0xef]);
    assert!(parse(RecordType(65280), r"\# 0").unwrap().is_empty());
    assert_eq!(*parse(RecordType::A, r"\# 4 c0000201").unwrap(), [192, 0, 2, 1]);
    assert_eq!(message(RecordType::A, r"\# 3 c00002"), "these octets are no A data");
    assert_eq!(message(RecordType::NS, r"\# 2 c000"), "these octets are no NS data");
    assert_eq!(message(RecordType(65280), r"\# 4 c0"), "the length says 4 octets, 1 follow");
    assert_eq!(message(RecordType(65280), r"\# 1 c"), "`c` is no pair of hexadecimal digits");
    assert!(message(RecordType::LOC, "52 22 23").contains("RFC 3597"));
}

#[test]
fn mistakes_are_named_and_placed() {
    for (rtype, text, expected, offset) in [
        (RecordType::A, "192.0.2.256", "`192.0.2.256` is no IPv4 address", Some(0)),
        (RecordType::A, "::1", "`::1` is an IPv6 address, which goes into an AAAA record", Some(0)),
        (
            RecordType::NS,
            "192.0.2.1",
            "`192.0.2.1` is an address, and a host name is needed here",
            Some(0),
        ),
        (RecordType::MX, "mail", "only 1 of 2 fields are there", None),
        (
            RecordType::MX,
            "10 192.0.2.1",
            "`192.0.2.1` is an address, and a host name is needed here",
            Some(3),
        ),
        (RecordType::MX, "70000 a", "`70000` is no PREFERENCE, a number from 0 to 65535", Some(0)),
        (RecordType::MX, "10 a..b", "`a..b` is no name: a label is empty", Some(3)),
        (
            RecordType::NS,
            "a b",
            "`b` is one field too many; write several records as an array",
            Some(2),
        ),
        (RecordType::NS, "", "there is no data", None),
        (RecordType::NS, "a\nb", "a line break may not stand in record data", Some(1)),
        (RecordType::NS, "a\u{1b}b", "a control character may not stand in record data", Some(1)),
        (
            RecordType::CAA,
            "0 issue ;",
            "a `;` starts a comment; put a text that holds one in quotes",
            Some(8),
        ),
        (RecordType::TXT, "\"a", "a quote is not closed", Some(0)),
        (RecordType::TXT, "a (", "a `(` is not closed", None),
        (
            RecordType::TXT,
            "\"a\\",
            "a backslash needs three digits up to 255 or one ASCII character after it",
            Some(0),
        ),
        (RecordType::DS, "1 13 2", "only 3 of 4 fields are there", None),
        (RecordType::DS, "1 13 2 xyz", "this is no DS data", None),
    ] {
        let error = parse(rtype, text).expect_err(text);
        assert_eq!((error.message.as_str(), error.offset), (expected, offset), "{rtype} {text}");
    }
    assert!(message(RecordType::TXT, &format!("\"{}\"", "x".repeat(256))).contains("255"));
}

#[test]
fn seconds_take_units() {
    assert_eq!(parse_seconds("3600"), Some(3600));
    assert_eq!(parse_seconds("1h30m"), Some(5400));
    assert_eq!(parse_seconds("1W"), Some(604_800));
    for bad in ["", "h", "1h30", "-1", "1y", "99999999999", "9999999w"] {
        assert_eq!(parse_seconds(bad), None, "{bad}");
    }
}

/// Texts made of what has meaning somewhere in presentation format.
fn likely_text() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        " ",
        " ",
        " ",
        "\"",
        "\\",
        "\\#",
        "\\000",
        "\\\"",
        "(",
        ")",
        ";",
        "@",
        ".",
        "..",
        "*",
        "$ORIGIN",
        "=",
        "a",
        "mail",
        "ns1.example.",
        "10",
        "0",
        "65536",
        "192.0.2.1",
        "::1",
        "issue",
        "alpn=h2",
        "key1=\"",
        "ab",
        "abcdef0123",
        "AAAA",
        "==",
        "é",
        "\t",
        "mandatory=alpn",
        "ipv4hint=1.2.3.4",
        ",",
        "ech=",
        "-",
        "1h",
    ]);
    prop::collection::vec(pieces, 0..14).prop_map(|pieces| pieces.concat())
}

fn assert_whole(rtype: RecordType, text: &str) {
    if let Ok(octets) = parse(rtype, text) {
        let generic = format!("\\# {} {}", octets.len(), hex(&octets));
        assert_eq!(parse(rtype, &generic), Ok(octets), "{rtype} {text}");
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in any::<String>()) {
        for layout in LAYOUTS {
            assert_whole(layout.rtype, &text);
        }
    }

    #[test]
    fn no_likely_text_panics(text in likely_text()) {
        for layout in LAYOUTS {
            assert_whole(layout.rtype, &text);
        }
        let _ = parse(RecordType::LOC, &text);
    }

    #[test]
    fn no_likely_parameters_panic(text in likely_text()) {
        assert_whole(RecordType::HTTPS, &format!("1 . {text}"));
        assert_whole(RecordType::NAPTR, &format!("1 1 {text} ."));
        assert_whole(RecordType::CAA, &format!("0 {text}"));
        assert_whole(RecordType::DNSKEY, &format!("257 3 13 {text}"));
    }

    #[test]
    fn no_generic_data_panics(octets in prop::collection::vec(any::<u8>(), 0..40)) {
        for layout in LAYOUTS {
            let _ = parse(layout.rtype, &format!("\\# {} {}", octets.len(), hex(&octets)));
        }
    }
}
