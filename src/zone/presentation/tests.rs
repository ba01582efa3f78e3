//! Reading RDATA: what each type's text becomes, what is said about mistakes, and that no text panics.

use super::types::LAYOUTS;
use super::*;
use proptest::prelude::*;

pub(in crate::zone) mod samples;

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
    assert!(message(RecordType::NULL, "52 22 23").contains("RFC 3597"));
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
    for bad in ["", "h", "1h30", "-1", "1y", "99999999999", "9999999w", "0h5"] {
        assert_eq!(parse_seconds(bad), None, "{bad}");
    }
}

/// Texts in the form in which they are printed, and their octets.
const FORMS: &[(RecordType, &str, &str)] = &[
    (
        RecordType::LOC,
        "52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000.00m 10.00m",
        "000016138b3cf018810cbce0009895b8",
    ),
    (RecordType::NID, "10 0014:4fff:ff20:ee64", "000a00144fffff20ee64"),
    (RecordType::L32, "10 10.1.2.0", "000a0a010200"),
    (RecordType::EUI48, "00-00-5e-00-53-2a", "00005e00532a"),
    (RecordType::APL, "1:192.0.2.0/24 !2:2001:db8::/32", "00011803c000020002208420010db8"),
    (
        RecordType::NSEC,
        "host.example.com. A MX RRSIG NSEC TYPE1234",
        "04686f7374076578616d706c6503636f6d000006400100000003041b000000000000000000000000000000000000000000000000000020",
    ),
    (
        RecordType::NSEC3,
        "1 0 12 aabbccdd 2vptu5timamqttgl4luu9kg21e0aor3s A RRSIG",
        "0100000c04aabbccdd1417f3df17b2b2adaef615257de4d2020b80ac6c7c0006400000000002",
    ),
    (RecordType::NSEC3PARAM, "1 0 10 aabb", "0100000a02aabb"),
    (RecordType::IPSECKEY, "10 1 2 192.0.2.38 AQID", "0a0102c0000226010203"),
    (RecordType::IPSECKEY, "10 0 2 . AQID", "0a0002010203"),
    (RecordType::AMTRELAY, "10 1 3 a.", "0a83016100"),
    (RecordType::WKS, "192.0.2.1 6 0 25", "c00002010680000040"),
    (RecordType::X25, "311061700956", "0c333131303631373030393536"),
    (RecordType::NSAP, "0x47000580", "47000580"),
    (RecordType::CERT, "1 2 13 AQID", "000100020d010203"),
    (RecordType::HIP, "2 2001 AQID a.", "0202000320010102030161 00"),
    (RecordType::DOA, "0 1 2 \"\" -", "00000000000000010200"),
    (
        RecordType::RRSIG,
        "A 5 3 86400 20030322173103 20030220173103 2642 example.com. AQID",
        "00010503000151803e7c9dd73e5510d70a52076578616d706c6503636f6d00010203",
    ),
    (
        RecordType::HTTPS,
        "1 . mandatory=alpn,port alpn=h2,h3 no-default-alpn port=8443 ipv4hint=192.0.2.1 key667=\"a b\"",
        "000100000000040001000300010006026832026833000200000003000220fb00040004c0000201029b0003612062",
    ),
    (RecordType(65280), "\\# 2 abcd", "abcd"),
];

#[test]
fn every_kind_of_field_reads_and_prints() {
    for (rtype, text, octets) in FORMS {
        let read = parse(*rtype, text).expect(text);
        assert_eq!(hex(&read), octets.replace(' ', ""), "{rtype} {text}");
        assert_eq!(print_rdata(*rtype, &read), *text, "{rtype}");
    }
}

#[test]
fn examples_are_printed_in_the_syntax_of_their_type() {
    for layout in LAYOUTS {
        let read = parse(layout.rtype, layout.example).expect(layout.example);
        let printed = print_rdata(layout.rtype, &read);
        assert!(!printed.starts_with("\\#"), "{} {printed}", layout.rtype);
        assert_eq!(parse(layout.rtype, &printed), Ok(read), "{printed}");
    }
}

#[test]
fn mnemonics_and_short_forms_are_read() {
    for (rtype, text, same) in [
        (RecordType::DS, "1 ECDSAP256SHA256 SHA-256 AABB", "1 13 2 aa bb"),
        (RecordType::CERT, "PGP 0 0 AQID", "3 0 0 AQ ID"),
        (RecordType::LOC, "52 N 4 E 0", "52 0 0 N 4 0 0.000 E 0m 1m 10000m 10m"),
        (RecordType::LOC, "52 n 4 e 0 15m", "52 N 4 E 0 10m"),
        (RecordType::WKS, "192.0.2.1 tcp smtp http", "192.0.2.1 6 25 80"),
        (RecordType::NSAP, "0x47.0005.80", "0x47000580"),
        (
            RecordType::RRSIG,
            "A 5 3 1d 1048354263 1045762263 2642 @ AQID",
            "A 5 3 86400 20030322173103 20030220173103 2642 example.com. AQID",
        ),
        (
            RecordType::RRSIG,
            "A 5 3 1 20240229120000 19700101000000 1 @ AQID",
            "A 5 3 1 1709208000 0 1 @ AQID",
        ),
        (RecordType::HTTPS, "1 . key65479 port=1 key9=\"a b\"", "1 . port=1 key9=a\\032b key65479"),
        (RecordType::HTTPS, "1 . key9=\\065", "\\# 8 000100 0009000141"),
        (RecordType::KEY, "49152 3 1", "\\# 4 c0000301"),
        (RecordType::APL, "1:10.0.0.0/8", "\\# 5 00010801 0a"),
    ] {
        assert_eq!(parse(rtype, text), parse(rtype, same), "{rtype} {text}");
        assert!(parse(rtype, text).is_ok(), "{rtype} {text}");
    }
    assert!(parse(RecordType::APL, "").unwrap().is_empty());
}

/// RFC 9460 §2.1: the decoded value is the wire format, whether the key has a name or not.
#[test]
fn values_of_numbered_keys_were_read_in_the_syntax_of_the_named_ones() {
    for (text, octets) in [
        ("1 . key1=\\002h2", "00010000010003026832"),
        ("1 . key1=\"\\002h2\"", "00010000010003026832"),
        ("1 . key3=\\000\\053", "000100000300020035"),
        ("1 . key4=\\001\\002\\003\\004", "0001000004000401020304"),
        ("1 . key0=\\000\\001 key1=\\001a", "00010000000002000100010002 0161"),
        ("1 . key2 alpn=a", "0001000001000201610002 0000"),
    ] {
        let read = parse(RecordType::SVCB, text).expect(text);
        assert_eq!(hex(&read), octets.replace(' ', ""), "{text}");
    }
    let read = parse(RecordType::SVCB, "1 . key4=\\001\\002\\003\\004 key1=\\002h2").unwrap();
    assert_eq!(print_rdata(RecordType::SVCB, &read), "1 . alpn=h2 ipv4hint=1.2.3.4");
}

/// RFC 9460 §D.2, the last figure, in both of its forms.
#[test]
fn protocols_with_two_levels_of_escapes_were_refused() {
    let octets = "001003666f6f076578616d706c65036f72670000010 00c08665c6f6f2c626172026832";
    for parameter in [r#"alpn="f\\\\oo\\,bar,h2""#, r"alpn=f\\\092oo\092,bar,h2"] {
        let text = format!("16 foo.example.org. {parameter}");
        let read = parse(RecordType::SVCB, &text).expect(&text);
        assert_eq!(hex(&read), octets.replace(' ', ""), "{text}");
        let printed = r#"16 foo.example.org. alpn="f\\\\oo\\,bar,h2""#;
        assert_eq!(print_rdata(RecordType::SVCB, &read), printed);
    }
}

#[test]
fn mistakes_in_parameters_did_not_say_in_which() {
    for (parameter, message) in [
        ("key0667=a", "a key is written key0 to key65535, without zeros before the number"),
        ("port=x", "its key or its value is none"),
        ("colour=red", "its key or its value is none"),
        ("key3=a", "the value is no port"),
        ("mandatory=colour", "`colour` is no key"),
        ("mandatory=key123", "key123 is not there"),
        ("mandatory=alpn,port", "port is not there"),
        ("key0=\\000\\003", "port is not there"),
        ("key1=\\001a", "alpn is there twice"),
    ] {
        let text = format!("1 . alpn=h2 {parameter}");
        let error = parse(RecordType::SVCB, &text).unwrap_err();
        assert_eq!(error.message, format!("the parameter `{parameter}`: {message}"));
        assert_eq!(error.offset, Some(12), "{text}");
    }
}

#[test]
fn data_out_of_bounds_is_refused() {
    for (rtype, text) in [
        (RecordType::LOC, "91 N 4 E 0"),
        (RecordType::LOC, "90 0 1 N 4 E 0"),
        (RecordType::LOC, "52 60 N 4 E 0"),
        (RecordType::LOC, "52 N 4 E 0 1 2 3 4"),
        (RecordType::LOC, "52 N 4 E 99999999"),
        (RecordType::LOC, "52 4 E 0 1 1"),
        (RecordType::EUI48, "00-00-5e-00-53"),
        (RecordType::EUI48, "0-000-5e-00-53-2a"),
        (RecordType::NID, "10 14:4fff:ff20"),
        (RecordType::APL, "1:192.0.2.0/33"),
        (RecordType::APL, "3:192.0.2.0/3"),
        (RecordType::IPSECKEY, "10 0 2 192.0.2.1"),
        (RecordType::IPSECKEY, "10 4 2 ."),
        (RecordType::AMTRELAY, "10 2 1 192.0.2.1"),
        (RecordType::X25, "31x1"),
        (RecordType::GPOS, "181 0 0"),
        (RecordType::HTTPS, "1 . key9=a key9=b"),
        (RecordType::HTTPS, "1 . key09=a"),
        (RecordType::HTTPS, "1 . key99999=a"),
        (RecordType::HTTPS, "1 . key0667=a"),
        (RecordType::HTTPS, "1 . key00=\\000\\001 alpn=a"),
        (RecordType::HTTPS, "1 . key0=\\000\\000"),
        (RecordType::HTTPS, "1 . key0=\\000\\003\\000\\001 alpn=a port=1"),
        (RecordType::HTTPS, "1 . key1=\\003h2"),
        (RecordType::HTTPS, "1 . key1"),
        (RecordType::HTTPS, "1 . key2=a"),
        (RecordType::HTTPS, "1 . key3=a"),
        (RecordType::HTTPS, "1 . key4=abc"),
        (RecordType::HTTPS, "1 . key6"),
        (RecordType::HTTPS, "1 . ipv4hint=192.0.2.1 key4=\\192\\000\\002\\001"),
        (RecordType::HTTPS, "1 . alpn"),
        (RecordType::HTTPS, "1 . alpn=a,,b"),
        (RecordType::HTTPS, "1 . alpn=a,"),
        (RecordType::HTTPS, "1 . alpn=a\\\\b"),
        (RecordType::HTTPS, "1 . mandatory=alpn,alpn alpn=a"),
        (RecordType::CAA, "0 is-sue x"),
        (RecordType::NSEC, "a. NOTYPE"),
        (RecordType::NSEC3PARAM, "1 0 10 abc"),
        (RecordType::RRSIG, "A 5 3 1 20230229120000 0 1 @ AQID"),
        (RecordType::CERT, "PGP 0 0 AQI"),
        (RecordType::CERT, "PGP 0 0 AQJ="),
        (RecordType::NSAP, "47"),
        (RecordType::NULL, "x"),
    ] {
        assert!(parse(rtype, text).is_err(), "{rtype} {text}");
    }
    // A bitmap whose windows fall, and prefixes with a family that nobody knows.
    assert!(parse(RecordType::CSYNC, "\\# 12 000000010000 010101 000101").is_err());
    assert!(parse(RecordType::APL, "\\# 4 00030000").is_err());
}

#[test]
fn fields_keep_the_offsets_of_whoever_split_them() {
    let tokens = [Token { text: "10", offset: 100 }, Token { text: "192.0.2.1", offset: 110 }];
    let error = parse_fields(RecordType::MX, &tokens, &origin()).unwrap_err();
    assert_eq!(error.offset, Some(110));
    let tokens = [Token { text: "192.0.2.1", offset: 7 }, Token { text: "192.0.2.2", offset: 20 }];
    let error = parse_fields(RecordType::A, &tokens, &origin()).unwrap_err();
    assert_eq!(
        (error.message.as_str(), error.offset),
        ("`192.0.2.2` is one field too many", Some(20))
    );
}

#[test]
fn names_in_old_types_are_targets_and_fold() {
    let target =
        |rtype, text| target_of(rtype, &parse(rtype, text).unwrap()).map(|it| it.to_string());
    assert_eq!(target(RecordType::RT, "10 Relay").as_deref(), Some("Relay.example.com."));
    assert_eq!(target(RecordType::MB, "host").as_deref(), Some("host.example.com."));
    assert_eq!(target(RecordType::DSYNC, "CDS NOTIFY 5359 a").as_deref(), Some("a.example.com."));
    assert_eq!(target(RecordType::MINFO, "a b"), None);
    for (rtype, one, other) in [
        (RecordType::LP, "10 A", "10 a"),
        (RecordType::MINFO, "A B", "a b"),
        (RecordType::PX, "1 A B", "1 a b"),
        (RecordType::MR, "A", "a"),
    ] {
        let (one, other) = (parse(rtype, one).unwrap(), parse(rtype, other).unwrap());
        assert_eq!(comparable(rtype, &one), comparable(rtype, &other), "{rtype}");
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
        let _ = parse(RecordType::NULL, &text);
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

    #[test]
    fn printed_data_reads_back(noise in prop::collection::vec(any::<u8>(), 64..400)) {
        for layout in LAYOUTS {
            let rdata = samples::rdata_of(layout.rtype, &noise);
            let printed = print_rdata(layout.rtype, &rdata);
            let again = parse_rdata(layout.rtype, &printed, &origin());
            prop_assert_eq!(again, Ok(rdata.into_boxed_slice()), "{} {}", layout.rtype, printed);
        }
    }

    #[test]
    fn printed_noise_reads_back_if_it_is_data(octets in prop::collection::vec(any::<u8>(), 0..40)) {
        for rtype in LAYOUTS.iter().map(|layout| layout.rtype).chain([RecordType(65280)]) {
            let generic = format!("\\# {} {}", octets.len(), hex(&octets));
            let printed = print_rdata(rtype, &octets);
            prop_assert_eq!(parse(rtype, &printed), parse(rtype, &generic), "{} {}", rtype, printed);
        }
    }
}
