//! The table of types: the fields of each, and an example that a newcomer can copy.
//!
//! The commonest types come first, as the table is searched for every record of a zone file. Types that are missing have
//! no presentation format of their own (NULL, and whatever IANA adds): RFC 3597 §5 writes them.

use super::layout::Field::*;
use super::layout::{Field, Layout};
use crate::wire::RecordType;

const fn layout(
    rtype: RecordType,
    fields: &'static [(&'static str, Field)],
    example: &'static str,
) -> Layout {
    Layout { rtype, fields, example }
}

/// Another type with the same format.
const fn alias(rtype: RecordType, like: &Layout) -> Layout {
    Layout { rtype, fields: like.fields, example: like.example }
}

const HOST: &[(&str, Field)] = &[("HOST", Name)];
const MX: Layout = layout(RecordType::MX, &[("PREFERENCE", U16), ("HOST", Name)], "10 mail");
const TXT: Layout = layout(RecordType::TXT, &[("\"TEXT\"", Text), ("…", Texts)], "\"v=spf1 -all\"");
const MB: Layout = layout(RecordType::MB, HOST, "mail");
const TLSA: Layout = layout(
    RecordType::TLSA,
    &[("USAGE", U8), ("SELECTOR", U8), ("MATCHING", U8), ("HEX", Hex)],
    "3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
);
const DNSKEY: Layout = layout(
    RecordType::DNSKEY,
    &[("FLAGS", U16), ("PROTOCOL", U8), ("ALGORITHM", Algorithm), ("BASE64", Base64)],
    "257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==",
);
/// The key may be missing (RFC 2535 §3.1.2: the flags say that there is none).
const KEY: Layout = layout(
    RecordType::KEY,
    &[("FLAGS", U16), ("PROTOCOL", U8), ("ALGORITHM", Algorithm), ("BASE64", MaybeBase64)],
    DNSKEY.example,
);
const DS: Layout = layout(
    RecordType::DS,
    &[("KEYTAG", U16), ("ALGORITHM", Algorithm), ("DIGESTTYPE", Digest), ("HEX", Hex)],
    "60485 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
);
const SVCB: Layout = layout(
    RecordType::SVCB,
    &[("PRIORITY", U16), ("TARGET", Name), ("KEY=VALUE…", Parameters)],
    "1 . alpn=h2,h3",
);
const OPENPGPKEY: Layout = layout(RecordType::OPENPGPKEY, &[("BASE64", Base64)], "mQENBA==");
const RRSIG: Layout = layout(
    RecordType::RRSIG,
    &[
        ("TYPE", Type),
        ("ALGORITHM", Algorithm),
        ("LABELS", U8),
        ("TTL", Seconds),
        ("EXPIRATION", Time),
        ("INCEPTION", Time),
        ("KEYTAG", U16),
        ("SIGNER", Name),
        ("BASE64", Base64),
    ],
    "A 13 3 3600 20260201000000 20260101000000 60485 example.com. qx0BAw==",
);
const EID: Layout = layout(RecordType::EID, &[("HEX", Hex)], "e32c6f78163a9348");
const L64: Layout =
    layout(RecordType::L64, &[("PREFERENCE", U16), ("LOCATOR", Locator)], "10 2001:0db8:1140:1000");

pub(super) const LAYOUTS: &[Layout] = &[
    layout(RecordType::A, &[("ADDRESS", Ipv4)], "192.0.2.1"),
    layout(RecordType::AAAA, &[("ADDRESS", Ipv6)], "2001:db8::1"),
    layout(RecordType::NS, HOST, "ns1"),
    layout(RecordType::CNAME, HOST, "www.example.net."),
    layout(RecordType::PTR, HOST, "www.example.net."),
    MX,
    TXT,
    DS,
    layout(RecordType::DNAME, HOST, "example.net."),
    alias(RecordType::AFSDB, &MX),
    alias(RecordType::KX, &MX),
    alias(RecordType::RT, &MX),
    alias(RecordType::LP, &MX),
    alias(RecordType::SPF, &TXT),
    alias(RecordType::NINFO, &TXT),
    alias(RecordType::AVC, &TXT),
    alias(RecordType::RESINFO, &TXT),
    alias(RecordType::WALLET, &TXT),
    layout(
        RecordType::SOA,
        &[
            ("PRIMARY", Name),
            ("MAILBOX", Name),
            ("SERIAL", U32),
            ("REFRESH", Seconds),
            ("RETRY", Seconds),
            ("EXPIRE", Seconds),
            ("MINIMUM", Seconds),
        ],
        "ns1 hostmaster 2026010100 2h 1h 14d 60",
    ),
    layout(
        RecordType::SRV,
        &[("PRIORITY", U16), ("WEIGHT", U16), ("PORT", U16), ("HOST", Name)],
        "0 5 5060 sip",
    ),
    layout(
        RecordType::CAA,
        &[("FLAGS", U8), ("TAG", Tag), ("\"VALUE\"", Octets)],
        "0 issue \"letsencrypt.org\"",
    ),
    layout(RecordType::HINFO, &[("CPU", Text), ("OS", Text)], "x86-64 Linux"),
    layout(RecordType::RP, &[("MAILBOX", Name), ("TEXTS", Name)], "hostmaster contact"),
    layout(
        RecordType::NAPTR,
        &[
            ("ORDER", U16),
            ("PREFERENCE", U16),
            ("\"FLAGS\"", Text),
            ("\"SERVICES\"", Text),
            ("\"REGEXP\"", Text),
            ("REPLACEMENT", Name),
        ],
        "100 10 \"S\" \"SIP+D2U\" \"\" _sip._udp",
    ),
    alias(RecordType::CDS, &DS),
    alias(RecordType::DLV, &DS),
    alias(RecordType::TA, &DS),
    layout(
        RecordType::SSHFP,
        &[("ALGORITHM", U8), ("TYPE", U8), ("HEX", Hex)],
        "4 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    ),
    TLSA,
    alias(RecordType::SMIMEA, &TLSA),
    DNSKEY,
    alias(RecordType::CDNSKEY, &DNSKEY),
    KEY,
    layout(RecordType::RKEY, DNSKEY.fields, "0 3 13 mQENBA=="),
    OPENPGPKEY,
    alias(RecordType::DHCID, &OPENPGPKEY),
    SVCB,
    alias(RecordType::HTTPS, &SVCB),
    layout(
        RecordType::URI,
        &[("PRIORITY", U16), ("WEIGHT", U16), ("\"TARGET\"", SomeOctets)],
        "10 1 \"https://www.example.com/\"",
    ),
    RRSIG,
    alias(RecordType::SIG, &RRSIG),
    layout(RecordType::NSEC, &[("NEXT", Name), ("TYPE…", Bitmap)], "host A AAAA RRSIG NSEC"),
    layout(
        RecordType::NSEC3,
        &[
            ("HASH", U8),
            ("FLAGS", U8),
            ("ITERATIONS", U16),
            ("SALT", Salt),
            ("NEXT", Hash),
            ("TYPE…", Bitmap),
        ],
        "1 0 0 - 2vptu5timamqttgl4luu9kg21e0aor3s A RRSIG",
    ),
    layout(
        RecordType::NSEC3PARAM,
        &[("HASH", U8), ("FLAGS", U8), ("ITERATIONS", U16), ("SALT", Salt)],
        "1 0 0 -",
    ),
    layout(
        RecordType::CSYNC,
        &[("SERIAL", U32), ("FLAGS", U16), ("TYPE…", Bitmap)],
        "66 3 A NS AAAA",
    ),
    layout(
        RecordType::ZONEMD,
        &[("SERIAL", U32), ("SCHEME", U8), ("DIGESTTYPE", U8), ("HEX", Hex)],
        "2026010100 1 241 0123456789abcdef01234567",
    ),
    layout(
        RecordType::LOC,
        &[("LATITUDE N|S LONGITUDE E|W ALTITUDE SIZES", Location)],
        "52 22 23 N 4 53 32 E -2m 0m 10000m 10m",
    ),
    layout(
        RecordType::CERT,
        &[("TYPE", Certificate), ("KEYTAG", U16), ("ALGORITHM", Algorithm), ("BASE64", Base64)],
        "PKIX 60485 13 mQENBA==",
    ),
    layout(
        RecordType::APL,
        &[("FAMILY:PREFIX…", Prefixes)],
        "1:192.0.2.0/24 !1:192.0.2.64/28 2:2001:db8::/32",
    ),
    layout(
        RecordType::IPSECKEY,
        &[
            ("PRECEDENCE", U8),
            ("GATEWAYTYPE", U8),
            ("ALGORITHM", U8),
            ("GATEWAY", Gateway),
            ("BASE64", MaybeBase64),
        ],
        "10 1 2 192.0.2.38 AQNRU3mG",
    ),
    layout(
        RecordType::AMTRELAY,
        &[("PRECEDENCE", U8), ("DISCOVERY", Discovery), ("TYPE", RelayKind), ("RELAY", Relay)],
        "10 0 1 192.0.2.38",
    ),
    layout(
        RecordType::HIP,
        &[("ALGORITHM HIT BASE64 SERVER…", Identity)],
        "2 200100107b1a74df365639cc39f1d578 AwEAAbdx server",
    ),
    layout(
        RecordType::DSYNC,
        &[("TYPE", Type), ("SCHEME", Scheme), ("PORT", U16), ("HOST", Name)],
        "CDS NOTIFY 5359 notify",
    ),
    layout(RecordType::EUI48, &[("ADDRESS", Hyphened(6))], "00-00-5e-00-53-2a"),
    layout(RecordType::EUI64, &[("ADDRESS", Hyphened(8))], "00-00-5e-ef-10-00-00-2a"),
    layout(RecordType::NID, &[("PREFERENCE", U16), ("NODEID", Locator)], "10 0014:4fff:ff20:ee64"),
    layout(RecordType::L32, &[("PREFERENCE", U16), ("LOCATOR", Ipv4)], "10 10.1.2.0"),
    L64,
    MB,
    alias(RecordType::MG, &MB),
    alias(RecordType::MR, &MB),
    alias(RecordType::MD, &MB),
    alias(RecordType::MF, &MB),
    layout(RecordType::MINFO, &[("MAILBOX", Name), ("ERRORS", Name)], "owner-list errors-list"),
    layout(RecordType::X25, &[("NUMBER", Digits)], "311061700956"),
    layout(
        RecordType::ISDN,
        &[("NUMBER", Text), ("SUBADDRESS", MaybeText)],
        "\"150862028003217\" \"004\"",
    ),
    layout(
        RecordType::PX,
        &[("PREFERENCE", U16), ("MAP822", Name), ("MAPX400", Name)],
        "10 example.net. prmd-net",
    ),
    // RFC 1712 §3 has the longitude first, and an example with the latitude first: both must be readable.
    layout(
        RecordType::GPOS,
        &[("LONGITUDE", Decimal(180)), ("LATITUDE", Decimal(180)), ("ALTITUDE", Decimal(u32::MAX))],
        "-32.6882 116.8652 10.0",
    ),
    layout(
        RecordType::NSAP,
        &[("HEX", Nsap)],
        "0x47.0005.80.005a00.0000.0001.e133.ffffff000161.00",
    ),
    layout(RecordType::NSAP_PTR, HOST, "www.example.net."),
    layout(
        RecordType::WKS,
        &[("ADDRESS", Ipv4), ("PROTOCOL", Protocol), ("PORT…", Services)],
        "192.0.2.1 TCP 25 80",
    ),
    layout(
        RecordType::SINK,
        &[("MEANING", U8), ("CODING", U8), ("SUBCODING", U8), ("BASE64", MaybeBase64)],
        "1 0 0 mQENBA==",
    ),
    layout(RecordType::TALINK, &[("PREVIOUS", Name), ("NEXT", Name)], "h0 h2"),
    EID,
    alias(RecordType::NIMLOC, &EID),
    layout(
        RecordType::DOA,
        &[
            ("ENTERPRISE", U32),
            ("TYPE", U32),
            ("LOCATION", U8),
            ("\"MEDIATYPE\"", Text),
            ("BASE64", DashOrBase64),
        ],
        "0 1 2 \"\" aHR0cHM6Ly93d3cuaXNjLm9yZy8=",
    ),
];
