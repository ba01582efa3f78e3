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
    pub const CNAME: Self = Self(5);
    pub const SOA: Self = Self(6);
    pub const PTR: Self = Self(12);
    pub const HINFO: Self = Self(13);
    pub const MX: Self = Self(15);
    pub const TXT: Self = Self(16);
    pub const RP: Self = Self(17);
    pub const AFSDB: Self = Self(18);
    pub const KEY: Self = Self(25);
    pub const AAAA: Self = Self(28);
    pub const LOC: Self = Self(29);
    pub const SRV: Self = Self(33);
    pub const NAPTR: Self = Self(35);
    pub const KX: Self = Self(36);
    pub const CERT: Self = Self(37);
    pub const DNAME: Self = Self(39);
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
    pub const CDS: Self = Self(59);
    pub const CDNSKEY: Self = Self(60);
    pub const OPENPGPKEY: Self = Self(61);
    pub const CSYNC: Self = Self(62);
    pub const ZONEMD: Self = Self(63);
    pub const SVCB: Self = Self(64);
    pub const HTTPS: Self = Self(65);
    pub const SPF: Self = Self(99);
    pub const TKEY: Self = Self(249);
    pub const TSIG: Self = Self(250);
    pub const IXFR: Self = Self(251);
    pub const AXFR: Self = Self(252);
    pub const MAILB: Self = Self(253);
    pub const MAILA: Self = Self(254);
    pub const ANY: Self = Self(255);
    pub const URI: Self = Self(256);
    pub const CAA: Self = Self(257);

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

const MNEMONICS: &[(&str, RecordType)] = &[
    ("A", RecordType::A),
    ("AAAA", RecordType::AAAA),
    ("AFSDB", RecordType::AFSDB),
    ("ANY", RecordType::ANY),
    ("APL", RecordType::APL),
    ("AXFR", RecordType::AXFR),
    ("CAA", RecordType::CAA),
    ("CDNSKEY", RecordType::CDNSKEY),
    ("CDS", RecordType::CDS),
    ("CERT", RecordType::CERT),
    ("CNAME", RecordType::CNAME),
    ("CSYNC", RecordType::CSYNC),
    ("DHCID", RecordType::DHCID),
    ("DNAME", RecordType::DNAME),
    ("DNSKEY", RecordType::DNSKEY),
    ("DS", RecordType::DS),
    ("HINFO", RecordType::HINFO),
    ("HTTPS", RecordType::HTTPS),
    ("IPSECKEY", RecordType::IPSECKEY),
    ("IXFR", RecordType::IXFR),
    ("KEY", RecordType::KEY),
    ("KX", RecordType::KX),
    ("LOC", RecordType::LOC),
    ("MX", RecordType::MX),
    ("NAPTR", RecordType::NAPTR),
    ("NS", RecordType::NS),
    ("NSEC", RecordType::NSEC),
    ("NSEC3", RecordType::NSEC3),
    ("NSEC3PARAM", RecordType::NSEC3PARAM),
    ("OPENPGPKEY", RecordType::OPENPGPKEY),
    ("PTR", RecordType::PTR),
    ("RP", RecordType::RP),
    ("RRSIG", RecordType::RRSIG),
    ("SMIMEA", RecordType::SMIMEA),
    ("SOA", RecordType::SOA),
    ("SPF", RecordType::SPF),
    ("SRV", RecordType::SRV),
    ("SSHFP", RecordType::SSHFP),
    ("SVCB", RecordType::SVCB),
    ("TLSA", RecordType::TLSA),
    ("TXT", RecordType::TXT),
    ("URI", RecordType::URI),
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

/// Why an answer is not what was hoped for, as the client is told (RFC 8914 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtendedError(pub u16);

impl ExtendedError {
    pub const OTHER: Self = Self(0);
    pub const STALE_ANSWER: Self = Self(3);
    pub const PROHIBITED: Self = Self(18);
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
}
