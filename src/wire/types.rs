//! The small numbers of a DNS message, each as a type of its own, with the names that RFC 9499 and IANA give them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A type of resource record (RFC 1035 §3.2.2 and the IANA registry).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordType(pub u16);

impl RecordType {
    pub const A: Self = Self(1);
    pub const NS: Self = Self(2);
    pub const MD: Self = Self(3);
    pub const MF: Self = Self(4);
    pub const CNAME: Self = Self(5);
    pub const SOA: Self = Self(6);
    pub const MB: Self = Self(7);
    pub const MG: Self = Self(8);
    pub const MR: Self = Self(9);
    pub const NULL: Self = Self(10);
    pub const WKS: Self = Self(11);
    pub const PTR: Self = Self(12);
    pub const HINFO: Self = Self(13);
    pub const MINFO: Self = Self(14);
    pub const MX: Self = Self(15);
    pub const TXT: Self = Self(16);
    pub const RP: Self = Self(17);
    pub const AFSDB: Self = Self(18);
    pub const X25: Self = Self(19);
    pub const ISDN: Self = Self(20);
    pub const RT: Self = Self(21);
    pub const NSAP: Self = Self(22);
    pub const NSAP_PTR: Self = Self(23);
    pub const SIG: Self = Self(24);
    pub const KEY: Self = Self(25);
    pub const PX: Self = Self(26);
    pub const GPOS: Self = Self(27);
    pub const AAAA: Self = Self(28);
    pub const LOC: Self = Self(29);
    pub const EID: Self = Self(31);
    pub const NIMLOC: Self = Self(32);
    pub const SRV: Self = Self(33);
    pub const NAPTR: Self = Self(35);
    pub const KX: Self = Self(36);
    pub const CERT: Self = Self(37);
    pub const DNAME: Self = Self(39);
    pub const SINK: Self = Self(40);
    pub const OPT: Self = Self(41);
    pub const APL: Self = Self(42);
    pub const DS: Self = Self(43);
    pub const SSHFP: Self = Self(44);
    pub const IPSECKEY: Self = Self(45);
    pub const RRSIG: Self = Self(46);
    pub const NSEC: Self = Self(47);
    pub const DNSKEY: Self = Self(48);
    pub const DHCID: Self = Self(49);
    pub const NSEC3: Self = Self(50);
    pub const NSEC3PARAM: Self = Self(51);
    pub const TLSA: Self = Self(52);
    pub const SMIMEA: Self = Self(53);
    pub const HIP: Self = Self(55);
    pub const NINFO: Self = Self(56);
    pub const RKEY: Self = Self(57);
    pub const TALINK: Self = Self(58);
    pub const CDS: Self = Self(59);
    pub const CDNSKEY: Self = Self(60);
    pub const OPENPGPKEY: Self = Self(61);
    pub const CSYNC: Self = Self(62);
    pub const ZONEMD: Self = Self(63);
    pub const SVCB: Self = Self(64);
    pub const HTTPS: Self = Self(65);
    pub const DSYNC: Self = Self(66);
    pub const SPF: Self = Self(99);
    pub const NID: Self = Self(104);
    pub const L32: Self = Self(105);
    pub const L64: Self = Self(106);
    pub const LP: Self = Self(107);
    pub const EUI48: Self = Self(108);
    pub const EUI64: Self = Self(109);
    pub const TKEY: Self = Self(249);
    pub const TSIG: Self = Self(250);
    pub const IXFR: Self = Self(251);
    pub const AXFR: Self = Self(252);
    pub const MAILB: Self = Self(253);
    pub const MAILA: Self = Self(254);
    pub const ANY: Self = Self(255);
    pub const URI: Self = Self(256);
    pub const CAA: Self = Self(257);
    pub const AVC: Self = Self(258);
    pub const DOA: Self = Self(259);
    pub const AMTRELAY: Self = Self(260);
    pub const RESINFO: Self = Self(261);
    pub const WALLET: Self = Self(262);
    pub const TA: Self = Self(32768);
    pub const DLV: Self = Self(32769);

    /// Whether the number asks for something rather than names data (RFC 6895 §3.1: 128–255, and OPT).
    pub fn is_meta(self) -> bool {
        matches!(self.0, 128..=255) || self == Self::OPT
    }

    /// The mnemonic, where there is one.
    pub fn mnemonic(self) -> Option<&'static str> {
        MNEMONICS.iter().find(|(_, known)| *known == self).map(|(name, _)| *name)
    }

    /// Every mnemonic that a zone file may use, for suggestions.
    pub fn mnemonics() -> impl Iterator<Item = &'static str> {
        MNEMONICS.iter().filter(|(_, known)| !known.is_meta()).map(|(name, _)| *name)
    }
}

/// The commonest first: reading a zone file of a million records searches it as often.
const MNEMONICS: &[(&str, RecordType)] = &[
    ("A", RecordType::A),
    ("AAAA", RecordType::AAAA),
    ("NS", RecordType::NS),
    ("CNAME", RecordType::CNAME),
    ("TXT", RecordType::TXT),
    ("MX", RecordType::MX),
    ("PTR", RecordType::PTR),
    ("SRV", RecordType::SRV),
    ("AFSDB", RecordType::AFSDB),
    ("AMTRELAY", RecordType::AMTRELAY),
    ("ANY", RecordType::ANY),
    ("APL", RecordType::APL),
    ("AVC", RecordType::AVC),
    ("AXFR", RecordType::AXFR),
    ("CAA", RecordType::CAA),
    ("CDNSKEY", RecordType::CDNSKEY),
    ("CDS", RecordType::CDS),
    ("CERT", RecordType::CERT),
    ("CSYNC", RecordType::CSYNC),
    ("DHCID", RecordType::DHCID),
    ("DLV", RecordType::DLV),
    ("DNAME", RecordType::DNAME),
    ("DNSKEY", RecordType::DNSKEY),
    ("DOA", RecordType::DOA),
    ("DS", RecordType::DS),
    ("DSYNC", RecordType::DSYNC),
    ("EID", RecordType::EID),
    ("EUI48", RecordType::EUI48),
    ("EUI64", RecordType::EUI64),
    ("GPOS", RecordType::GPOS),
    ("HINFO", RecordType::HINFO),
    ("HIP", RecordType::HIP),
    ("HTTPS", RecordType::HTTPS),
    ("IPSECKEY", RecordType::IPSECKEY),
    ("ISDN", RecordType::ISDN),
    ("IXFR", RecordType::IXFR),
    ("KEY", RecordType::KEY),
    ("KX", RecordType::KX),
    ("L32", RecordType::L32),
    ("L64", RecordType::L64),
    ("LOC", RecordType::LOC),
    ("LP", RecordType::LP),
    ("MAILA", RecordType::MAILA),
    ("MAILB", RecordType::MAILB),
    ("MB", RecordType::MB),
    ("MD", RecordType::MD),
    ("MF", RecordType::MF),
    ("MG", RecordType::MG),
    ("MINFO", RecordType::MINFO),
    ("MR", RecordType::MR),
    ("NAPTR", RecordType::NAPTR),
    ("NID", RecordType::NID),
    ("NIMLOC", RecordType::NIMLOC),
    ("NINFO", RecordType::NINFO),
    ("NSAP", RecordType::NSAP),
    ("NSAP-PTR", RecordType::NSAP_PTR),
    ("NSEC", RecordType::NSEC),
    ("NSEC3", RecordType::NSEC3),
    ("NSEC3PARAM", RecordType::NSEC3PARAM),
    ("NULL", RecordType::NULL),
    ("OPENPGPKEY", RecordType::OPENPGPKEY),
    ("OPT", RecordType::OPT),
    ("PX", RecordType::PX),
    ("RESINFO", RecordType::RESINFO),
    ("RKEY", RecordType::RKEY),
    ("RP", RecordType::RP),
    ("RRSIG", RecordType::RRSIG),
    ("RT", RecordType::RT),
    ("SIG", RecordType::SIG),
    ("SINK", RecordType::SINK),
    ("SMIMEA", RecordType::SMIMEA),
    ("SOA", RecordType::SOA),
    ("SPF", RecordType::SPF),
    ("SSHFP", RecordType::SSHFP),
    ("SVCB", RecordType::SVCB),
    ("TA", RecordType::TA),
    ("TALINK", RecordType::TALINK),
    ("TKEY", RecordType::TKEY),
    ("TLSA", RecordType::TLSA),
    ("TSIG", RecordType::TSIG),
    ("URI", RecordType::URI),
    ("WALLET", RecordType::WALLET),
    ("WKS", RecordType::WKS),
    ("X25", RecordType::X25),
    ("ZONEMD", RecordType::ZONEMD),
];

/// The text names no type of record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownRecordType;

impl fmt::Display for UnknownRecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "no type of record has this name; an unlisted one is written TYPE123 (RFC 3597 §5)",
        )
    }
}

impl std::error::Error for UnknownRecordType {}

impl FromStr for RecordType {
    type Err = UnknownRecordType;

    /// Reads a mnemonic in any case, or `TYPE123` (RFC 3597 §5).
    fn from_str(text: &str) -> Result<Self, UnknownRecordType> {
        let known = MNEMONICS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        if let Some((_, rtype)) = known {
            return Ok(*rtype);
        }
        let (prefix, number) = text.split_at_checked(4).ok_or(UnknownRecordType)?;
        if !prefix.eq_ignore_ascii_case("TYPE") || number.starts_with('+') {
            return Err(UnknownRecordType);
        }
        number.parse().map(Self).map_err(|_| UnknownRecordType)
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mnemonic() {
            Some(name) => f.write_str(name),
            None => write!(f, "TYPE{}", self.0),
        }
    }
}

impl fmt::Debug for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A class (RFC 1035 §3.2.4). Zones are Internet class only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class(pub u16);

impl Class {
    pub const IN: Self = Self(1);
    /// CHAOS, in which servers say who they are (RFC 4892).
    pub const CH: Self = Self(3);
}

/// A kind of query (RFC 6895 §2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opcode(pub u8);

impl Opcode {
    pub const QUERY: Self = Self(0);
}

/// A response code with its extended upper bits (RFC 6895 §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rcode(pub u16);

impl Rcode {
    pub const NOERROR: Self = Self(0);
    pub const FORMERR: Self = Self(1);
    pub const SERVFAIL: Self = Self(2);
    pub const NXDOMAIN: Self = Self(3);
    pub const NOTIMP: Self = Self(4);
    pub const REFUSED: Self = Self(5);
    /// A name would have become too long (RFC 6672 §2.2).
    pub const YXDOMAIN: Self = Self(6);
    pub const BADVERS: Self = Self(16);

    /// The mnemonic of the codes that this server sends.
    pub fn mnemonic(self) -> &'static str {
        match self {
            Self::NOERROR => "NOERROR",
            Self::FORMERR => "FORMERR",
            Self::SERVFAIL => "SERVFAIL",
            Self::NXDOMAIN => "NXDOMAIN",
            Self::NOTIMP => "NOTIMP",
            Self::REFUSED => "REFUSED",
            Self::YXDOMAIN => "YXDOMAIN",
            Self::BADVERS => "BADVERS",
            _ => "OTHER",
        }
    }
}

/// Seconds a record may be cached, below 2^31 (RFC 2181 §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ttl(u32);

impl Ttl {
    /// Not to be cached.
    pub const ZERO: Self = Self(0);
    /// Largest value: 2^31 − 1 seconds, 68 years.
    pub const MAX: Self = Self(0x7fff_ffff);

    /// A TTL of so many seconds, or nothing above [`Ttl::MAX`].
    pub fn from_seconds(seconds: u32) -> Option<Self> {
        (seconds <= Self::MAX.0).then_some(Self(seconds))
    }

    /// A TTL of a duration in whole seconds, or nothing above [`Ttl::MAX`] or with a fraction of a second.
    pub fn from_duration(duration: Duration) -> Option<Self> {
        if duration.subsec_nanos() != 0 {
            return None;
        }
        u32::try_from(duration.as_secs()).ok().and_then(Self::from_seconds)
    }

    pub fn as_seconds(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0)
    }
}

/// The version of a zone's contents, which an SOA carries. It counts modulo 2^32 (RFC 1982).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Serial(pub u32);

impl Serial {
    /// Whether whoever has `other` should take this one in its stead (RFC 1982 §3.2). Of two that are 2^31 apart neither
    /// is newer.
    pub fn is_newer_than(self, other: Self) -> bool {
        (1..1 << 31).contains(&self.0.wrapping_sub(other.0))
    }

    /// The smallest one that is newer.
    pub fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Why an answer is not what was hoped for, as the client is told (RFC 8914 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtendedError(pub u16);

impl ExtendedError {
    pub const OTHER: Self = Self(0);
    pub const STALE_ANSWER: Self = Self(3);
    pub const PROHIBITED: Self = Self(18);
    pub const STALE_NXDOMAIN_ANSWER: Self = Self(19);
    pub const NOT_AUTHORITATIVE: Self = Self(20);
    pub const NOT_SUPPORTED: Self = Self(21);
    pub const INVALID_DATA: Self = Self(24);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_read_and_print() {
        for (name, rtype) in MNEMONICS {
            assert_eq!(name.parse::<RecordType>(), Ok(*rtype));
            assert_eq!(rtype.to_string(), *name);
        }
        assert_eq!("TYPE1".parse::<RecordType>(), Ok(RecordType::A));
        assert_eq!("type65280".parse::<RecordType>(), Ok(RecordType(65280)));
        assert_eq!(RecordType(65280).to_string(), "TYPE65280");
        for bad in ["", "TYPE", "TYPE65536", "TYPE+1", "TYPE-1", "B", "TYPEé"] {
            assert_eq!(bad.parse::<RecordType>(), Err(UnknownRecordType), "{bad}");
        }
    }

    #[test]
    fn ttl_is_below_2_to_the_31() {
        assert!(Ttl::from_seconds(0x8000_0000).is_none());
        assert_eq!(Ttl::from_seconds(0x7fff_ffff), Some(Ttl::MAX));
        assert!(Ttl::from_duration(Duration::from_millis(1500)).is_none());
    }

    /// The examples of RFC 1982 §5.2, and the edges.
    #[test]
    fn serials_count_in_a_circle() {
        let half = 1 << 31;
        for (newer, older) in [
            (1, 0),
            (44, 0),
            (100, 44),
            (200, 100),
            (0, u32::MAX),
            (100, half + 101),
            (5, half + 6),
        ] {
            assert!(Serial(newer).is_newer_than(Serial(older)), "{newer} {older}");
            assert!(!Serial(older).is_newer_than(Serial(newer)), "{older} {newer}");
        }
        for (one, other) in [(7, 7), (0, half), (half, 0), (half + 9, 9)] {
            assert!(!Serial(one).is_newer_than(Serial(other)), "{one} {other}");
        }
        for serial in [0, half - 1, half, u32::MAX] {
            assert!(Serial(serial).next().is_newer_than(Serial(serial)), "{serial}");
        }
    }
}
