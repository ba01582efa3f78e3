//! What the fields of each type are, and the checks of single fields, which give a mistake its place and its words.

use std::net::IpAddr;

use super::token::{Token, to_ascii, unescape};
use super::{RdataError, parse_seconds};
use crate::wire::{Name, RecordType, Ttl};

/// What may stand in one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Ipv4,
    Ipv6,
    Name,
    U8,
    U16,
    U32,
    /// Seconds below 2^31, units allowed.
    Seconds,
    /// A character-string of at most 255 octets.
    Text,
    /// Whatever `domain` makes of it.
    Any,
    /// None or more fields to the end.
    Rest,
    /// One or more fields to the end.
    More,
    /// None or more character-strings to the end.
    Texts,
}

impl Field {
    /// Whether it takes all that is left.
    fn is_open(self) -> bool {
        matches!(self, Self::Rest | Self::More | Self::Texts)
    }
}

use Field::{Any, Ipv4, Ipv6, More, Rest, Seconds, Text, Texts, U8, U16, U32};

/// The fields of a type's presentation format.
pub(super) struct Layout {
    pub(super) rtype: RecordType,
    /// The type under which `domain` knows the same format.
    pub(super) scanned_as: RecordType,
    pub(super) fields: &'static [(&'static str, Field)],
    pub(super) example: &'static str,
}

const fn layout(
    rtype: RecordType,
    fields: &'static [(&'static str, Field)],
    example: &'static str,
) -> Layout {
    Layout { rtype, scanned_as: rtype, fields, example }
}

const fn alias(rtype: RecordType, scanned_as: RecordType, like: &Layout) -> Layout {
    Layout { rtype, scanned_as, fields: like.fields, example: like.example }
}

const HOST: &[(&str, Field)] = &[("HOST", Field::Name)];
const MX: Layout = layout(RecordType::MX, &[("PREFERENCE", U16), ("HOST", Field::Name)], "10 mail");
const TXT: Layout = layout(RecordType::TXT, &[("\"TEXT\"", Text), ("…", Texts)], "\"v=spf1 -all\"");
const TLSA: Layout = layout(
    RecordType::TLSA,
    &[("USAGE", Any), ("SELECTOR", Any), ("MATCHING", Any), ("HEX", More)],
    "3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
);
const DNSKEY: Layout = layout(
    RecordType::DNSKEY,
    &[("FLAGS", U16), ("PROTOCOL", U8), ("ALGORITHM", Any), ("BASE64", More)],
    "257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==",
);
const DS: Layout = layout(
    RecordType::DS,
    &[("KEYTAG", U16), ("ALGORITHM", Any), ("DIGESTTYPE", Any), ("HEX", More)],
    "60485 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
);
const SVCB: Layout = layout(
    RecordType::SVCB,
    &[("PRIORITY", U16), ("TARGET", Field::Name), ("KEY=VALUE…", Rest)],
    "1 . alpn=h2,h3",
);
const OPENPGPKEY: Layout = layout(RecordType::OPENPGPKEY, &[("BASE64", More)], "mQENBA==");

pub(super) const LAYOUTS: &[Layout] = &[
    layout(RecordType::A, &[("ADDRESS", Ipv4)], "192.0.2.1"),
    layout(RecordType::AAAA, &[("ADDRESS", Ipv6)], "2001:db8::1"),
    layout(RecordType::NS, HOST, "ns1"),
    layout(RecordType::CNAME, HOST, "www.example.net."),
    layout(RecordType::PTR, HOST, "www.example.net."),
    layout(RecordType::DNAME, HOST, "example.net."),
    MX,
    alias(RecordType::AFSDB, RecordType::MX, &MX),
    alias(RecordType::KX, RecordType::MX, &MX),
    TXT,
    alias(RecordType::SPF, RecordType::TXT, &TXT),
    layout(
        RecordType::SOA,
        &[
            ("PRIMARY", Field::Name),
            ("MAILBOX", Field::Name),
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
        &[("PRIORITY", U16), ("WEIGHT", U16), ("PORT", U16), ("HOST", Field::Name)],
        "0 5 5060 sip",
    ),
    layout(
        RecordType::CAA,
        &[("FLAGS", U8), ("TAG", Any), ("\"VALUE\"", Any)],
        "0 issue \"letsencrypt.org\"",
    ),
    layout(RecordType::HINFO, &[("CPU", Text), ("OS", Text)], "x86-64 Linux"),
    layout(
        RecordType::RP,
        &[("MAILBOX", Field::Name), ("TEXTS", Field::Name)],
        "hostmaster contact",
    ),
    layout(
        RecordType::NAPTR,
        &[
            ("ORDER", U16),
            ("PREFERENCE", U16),
            ("\"FLAGS\"", Text),
            ("\"SERVICES\"", Text),
            ("\"REGEXP\"", Text),
            ("REPLACEMENT", Field::Name),
        ],
        "100 10 \"S\" \"SIP+D2U\" \"\" _sip._udp",
    ),
    DS,
    alias(RecordType::CDS, RecordType::CDS, &DS),
    layout(
        RecordType::SSHFP,
        &[("ALGORITHM", Any), ("TYPE", Any), ("HEX", More)],
        "4 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    ),
    TLSA,
    alias(RecordType::SMIMEA, RecordType::TLSA, &TLSA),
    DNSKEY,
    alias(RecordType::CDNSKEY, RecordType::CDNSKEY, &DNSKEY),
    alias(RecordType::KEY, RecordType::DNSKEY, &DNSKEY),
    OPENPGPKEY,
    alias(RecordType::DHCID, RecordType::OPENPGPKEY, &OPENPGPKEY),
    SVCB,
    alias(RecordType::HTTPS, RecordType::HTTPS, &SVCB),
    layout(
        RecordType::URI,
        &[("PRIORITY", U16), ("WEIGHT", U16), ("\"TARGET\"", Any)],
        "10 1 \"https://www.example.com/\"",
    ),
];

impl Layout {
    /// The layout of a type, if it has one.
    pub(super) fn of(rtype: RecordType) -> Option<&'static Self> {
        LAYOUTS.iter().find(|layout| layout.rtype == rtype)
    }

    /// Checks the number of fields and each of them; answers with the fields as `domain` shall read them.
    pub(super) fn check(
        &self,
        tokens: &[Token<'_>],
        origin: &Name,
    ) -> Result<Vec<String>, RdataError> {
        self.check_count(tokens)?;
        let mut rest = tokens.iter();
        let mut checked = Vec::with_capacity(tokens.len());
        for &(name, field) in self.fields {
            let kind = match field {
                Texts => Text,
                Rest | More => Any,
                field => field,
            };
            let taken = if field.is_open() { usize::MAX } else { 1 };
            for token in rest.by_ref().take(taken) {
                checked.push(check_field(name, kind, token, origin)?);
            }
        }
        Ok(checked)
    }

    fn check_count(&self, tokens: &[Token<'_>]) -> Result<(), RdataError> {
        let fixed = self.fields.iter().filter(|(_, field)| !matches!(field, Rest | Texts)).count();
        let is_open = self.fields.iter().any(|(_, field)| field.is_open());
        match tokens.get(fixed) {
            Some(extra) if !is_open => Err(self.excess(extra)),
            _ if tokens.is_empty() => Err(RdataError::whole("there is no data")),
            _ if tokens.len() < fixed => {
                let found = tokens.len();
                Err(RdataError::whole(format!("only {found} of {fixed} fields are there")))
            }
            _ => Ok(()),
        }
    }

    fn excess(&self, extra: &Token<'_>) -> RdataError {
        let hint = match self.rtype {
            RecordType::A | RecordType::AAAA | RecordType::NS => {
                "; write several records as an array"
            }
            RecordType::CAA | RecordType::URI => "; put a value with spaces in quotes",
            _ => "",
        };
        RdataError::at(extra, format!("`{}` is one field too many{hint}", extra.text))
    }
}

/// Checks one field and writes it in ASCII, names absolute and times in seconds.
fn check_field(
    name: &str,
    field: Field,
    token: &Token<'_>,
    origin: &Name,
) -> Result<String, RdataError> {
    match field {
        Ipv4 | Ipv6 => check_address(field, token),
        Field::Name => check_name(token, origin),
        U8 => check_number(name, token, u32::from(u8::MAX)),
        U16 => check_number(name, token, u32::from(u16::MAX)),
        U32 => check_number(name, token, u32::MAX),
        Seconds => check_seconds(name, token),
        Text if unescape(token.inner()).len() > 255 => Err(RdataError::at(
            token,
            "a quoted text has more than 255 octets; split it into several",
        )),
        _ => Ok(to_ascii(token.text)),
    }
}

fn check_address(field: Field, token: &Token<'_>) -> Result<String, RdataError> {
    let text = token.text;
    match (field, text.parse::<IpAddr>()) {
        (Ipv4, Ok(IpAddr::V4(_))) | (Ipv6, Ok(IpAddr::V6(_))) => Ok(text.to_owned()),
        (_, Ok(IpAddr::V6(_))) => Err(RdataError::at(
            token,
            format!("`{text}` is an IPv6 address, which goes into an AAAA record"),
        )),
        (_, Ok(IpAddr::V4(_))) => Err(RdataError::at(
            token,
            format!("`{text}` is an IPv4 address, which goes into an A record"),
        )),
        (_, Err(_)) => {
            let family = if field == Ipv4 { "IPv4" } else { "IPv6" };
            Err(RdataError::at(token, format!("`{text}` is no {family} address")))
        }
    }
}

fn check_name(token: &Token<'_>, origin: &Name) -> Result<String, RdataError> {
    let text = token.inner();
    if text.trim_end_matches('.').parse::<IpAddr>().is_ok() {
        let message = format!("`{text}` is an address, and a host name is needed here");
        return Err(RdataError::at(token, message));
    }
    if text.len() > 1 && text.contains('@') && !text.contains('\\') {
        let (local, host) = text.split_once('@').unwrap_or((text, ""));
        let (local, host) = (local.replace('.', "\\."), host.trim_end_matches('.'));
        let message = format!("a mailbox is written with a dot for its `@`: `{local}.{host}.`");
        return Err(RdataError::at(token, message));
    }
    let name = Name::parse(text, origin)
        .map_err(|error| RdataError::at(token, format!("`{text}` is no name: {error}")))?;
    Ok(name.to_string())
}

pub(super) fn check_number(
    name: &str,
    token: &Token<'_>,
    largest: u32,
) -> Result<String, RdataError> {
    let digits = token.text.bytes().all(|c| c.is_ascii_digit());
    let number = token.text.parse::<u32>().ok().filter(|n| digits && *n <= largest);
    number.map(|n| n.to_string()).ok_or_else(|| {
        let message = format!("`{}` is no {name}, a number from 0 to {largest}", token.text);
        RdataError::at(token, message)
    })
}

fn check_seconds(name: &str, token: &Token<'_>) -> Result<String, RdataError> {
    let seconds = parse_seconds(token.text).and_then(Ttl::from_seconds);
    seconds.map(|ttl| ttl.as_seconds().to_string()).ok_or_else(|| {
        let message = format!("`{}` is no {name}, a time such as 2h or 7200", token.text);
        RdataError::at(token, message)
    })
}
