//! RDATA from presentation format (RFC 1035 §5.1): the text between the quotes of a zone file becomes wire octets.
//!
//! The text is split into fields here and each field is checked against the type's `Layout`, so that a mistake is
//! reported in our words and at its place. `domain` then composes the octets, and reads them back: what it cannot read
//! is refused. That order is also the guard around `domain`, whose scanner takes empty labels (`a..b`) for good and
//! asserts on some malformed entries: it only ever sees one line of checked fields, names made absolute.
//!
//! | text | read by |
//! |---|---|
//! | `\# 4 c0000201` (RFC 3597 §5), any type | `parse_generic` |
//! | A, AAAA, URI | here |
//! | a type with a `Layout` | fields here, octets by `domain` |
//! | any other type | refused unless generic |

mod layout;
#[cfg(test)]
mod tests;
mod token;

use std::borrow::Cow;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use domain::base::iana::Rtype;
use domain::base::name::ParsedName;
use domain::base::rdata::{ComposeRecordData, ParseRecordData};
use domain::rdata::ZoneRecordData;
use domain::zonefile::inplace::{Entry, Zonefile};

use crate::limits::RDATA_OCTETS;
use crate::wire::{Name, RecordType};
use layout::{Layout, check_number};
use token::{Token, check_characters, split, unescape};

/// Refresh, retry, expire and minimum of an SOA that names none of them: the zone has no secondaries that would poll,
/// and a minute is how long resolvers may remember that a name does not exist (RFC 2308 §5).
const SOA_TIMERS: [u32; 4] = [7_200, 3_600, 1_209_600, 60];

/// Why a text is no RDATA of its type, for the author of the zone file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RdataError {
    pub message: String,
    /// Where in the text, in octets; nothing when the text as a whole is at fault.
    pub offset: Option<usize>,
}

impl RdataError {
    fn whole(message: impl Into<String>) -> Self {
        Self { message: message.into(), offset: None }
    }

    fn at(token: &Token<'_>, message: impl Into<String>) -> Self {
        Self { message: message.into(), offset: Some(token.offset) }
    }
}

impl fmt::Display for RdataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for RdataError {}

/// Turns one record's data into wire format, names uncompressed and in the case they were typed in.
///
/// Names without a final dot are below `origin`. Newlines and other control characters are refused.
pub fn parse_rdata(rtype: RecordType, text: &str, origin: &Name) -> Result<Box<[u8]>, RdataError> {
    let tokens = split(text, rtype)?;
    if let Some((_, rest)) = tokens.split_first().filter(|(first, _)| first.text == "\\#") {
        return parse_generic(rtype, rest);
    }
    let layout = Layout::of(rtype).ok_or_else(|| unsupported(rtype))?;
    let fields = layout.check(&tokens, origin)?;
    match rtype {
        RecordType::A | RecordType::AAAA => compose_address(rtype, &tokens),
        RecordType::URI => compose_uri(&tokens),
        _ => compose(layout, &fields),
    }
}

/// The same for an SOA, which may leave out its numbers: `ns1 hostmaster` gets `serial` and our timers.
pub fn parse_soa(text: &str, origin: &Name, serial: u32) -> Result<Box<[u8]>, RdataError> {
    if split(text, RecordType::SOA)?.len() != 2 {
        return parse_rdata(RecordType::SOA, text, origin);
    }
    let [refresh, retry, expire, minimum] = SOA_TIMERS;
    let whole = format!("{text} {serial} {refresh} {retry} {expire} {minimum}");
    parse_rdata(RecordType::SOA, &whole, origin)
}

/// Splits a text of any length into the character-strings of a TXT record, as its author means it: 255 octets each.
pub fn literal_text(text: &str) -> Result<Box<[u8]>, RdataError> {
    check_characters(text)?;
    if text.is_empty() {
        return Ok(Box::new([0]));
    }
    let parts = text.as_bytes().chunks(255);
    let octets =
        parts.flat_map(|part| [&[u8::try_from(part.len()).unwrap_or(u8::MAX)], part].concat());
    checked_length(octets.collect())
}

/// How the data of a type is written, with an example; nothing for types that only RFC 3597 can write.
pub fn usage(rtype: RecordType) -> Option<String> {
    let layout = Layout::of(rtype)?;
    let fields: Vec<&str> = layout.fields.iter().map(|(name, _)| *name).collect();
    let example = match rtype {
        RecordType::SOA => "ns1 hostmaster",
        _ => layout.example,
    };
    let optional = if rtype == RecordType::SOA { ", the numbers may be left out" } else { "" };
    let quote = if example.contains('"') { '\'' } else { '"' };
    let written = format!("{rtype} = {quote}{example}{quote}");
    Some(match fields.as_slice() {
        [_] => format!("for example {written}"),
        fields => format!("the fields are {}{optional}: {written}", fields.join(" ")),
    })
}

/// The host that a record sends its reader to, for the types that name one.
pub fn target_of(rtype: RecordType, rdata: &[u8]) -> Option<Name> {
    let start = match rtype {
        RecordType::SVCB | RecordType::HTTPS => 2,
        _ => name_start(rtype)?,
    };
    Name::from_wire(rdata.get(start..)?).ok().map(|(name, _)| name)
}

/// The octets by which two records of one RRset are told apart: names in RDATA that compare without regard to case are
/// folded (RFC 4034 §6.2).
pub fn comparable(rtype: RecordType, rdata: &[u8]) -> Cow<'_, [u8]> {
    let parts = name_start(rtype).and_then(|start| rdata.split_at_checked(start));
    match parts {
        Some((numbers, name)) => Cow::Owned([numbers, &name.to_ascii_lowercase()].concat()),
        None => Cow::Borrowed(rdata),
    }
}

/// Where the name begins in data that ends with one.
fn name_start(rtype: RecordType) -> Option<usize> {
    match rtype {
        RecordType::NS | RecordType::CNAME | RecordType::PTR | RecordType::DNAME => Some(0),
        RecordType::MX | RecordType::AFSDB | RecordType::KX => Some(2),
        RecordType::SRV => Some(6),
        _ => None,
    }
}

/// Seconds in the units that master files use in the wild: `3600`, `1h`, `1h30m`, `2w`.
pub fn parse_seconds(text: &str) -> Option<u32> {
    let (mut total, mut number) = (0u32, None::<u32>);
    for c in text.chars() {
        if let Some(digit) = c.to_digit(10) {
            number = Some(number.unwrap_or(0).checked_mul(10)?.checked_add(digit)?);
            continue;
        }
        let unit = match c.to_ascii_lowercase() {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        total = total.checked_add(number.take()?.checked_mul(unit)?)?;
    }
    match number {
        Some(seconds) if total == 0 => Some(seconds),
        None if !text.is_empty() => Some(total),
        _ => None,
    }
}

fn unsupported(rtype: RecordType) -> RdataError {
    RdataError::whole(format!(
        "the data can be written by RFC 3597 §5 only: {rtype} = '\\# LENGTH HEX'"
    ))
}

fn compose_address(rtype: RecordType, tokens: &[Token<'_>]) -> Result<Box<[u8]>, RdataError> {
    let text = tokens.first().map_or("", |token| token.text);
    let octets = match rtype {
        RecordType::A => text.parse::<Ipv4Addr>().map(|address| address.octets().to_vec()),
        _ => text.parse::<Ipv6Addr>().map(|address| address.octets().to_vec()),
    };
    octets.map(Vec::into_boxed_slice).map_err(|_| RdataError::whole("no address"))
}

/// URI (RFC 7553 §4.4): two numbers and the target's octets to the end.
fn compose_uri(tokens: &[Token<'_>]) -> Result<Box<[u8]>, RdataError> {
    let [priority, weight, target] = tokens else {
        return Err(RdataError::whole("a URI has three fields"));
    };
    let octets = unescape(target.inner());
    if octets.is_empty() {
        return Err(RdataError::at(target, "the target is empty"));
    }
    let number = |token: &Token<'_>| token.text.parse::<u16>().unwrap_or(0).to_be_bytes();
    checked_length([&number(priority)[..], &number(weight), &octets].concat())
}

/// Lets `domain` compose checked fields.
fn compose(layout: &Layout, fields: &[String]) -> Result<Box<[u8]>, RdataError> {
    let rtype = Rtype::from_int(layout.scanned_as.0);
    let line = format!(". 0 IN {rtype} {}\n", fields.join(" "));
    let mut zonefile = Zonefile::from(line.as_str());
    let record = match zonefile.next_entry() {
        Ok(Some(Entry::Record(record))) => record,
        _ => return Err(unreadable(layout)),
    };
    let mut octets = Vec::new();
    record.data().compose_rdata(&mut octets).map_err(|_| unreadable(layout))?;
    if !is_canonical(layout.scanned_as, &octets) {
        return Err(unreadable(layout));
    }
    checked_length(octets)
}

fn unreadable(layout: &Layout) -> RdataError {
    RdataError::whole(format!("this is no {} data", layout.rtype))
}

/// RFC 3597 §5: `\# LENGTH HEX…`; the data of a known type must still make sense.
fn parse_generic(rtype: RecordType, tokens: &[Token<'_>]) -> Result<Box<[u8]>, RdataError> {
    let (length, digits) = tokens
        .split_first()
        .ok_or_else(|| RdataError::whole("after `\\#` the length in octets is missing"))?;
    let expected = check_number("length", length, u32::from(u16::MAX))?;
    let mut octets = Vec::new();
    for token in digits {
        let bad =
            || RdataError::at(token, format!("`{}` is no pair of hexadecimal digits", token.text));
        octets.extend(decode_hex(token.text).ok_or_else(bad)?);
    }
    if octets.len().to_string() != expected {
        let message = format!("the length says {expected} octets, {} follow", octets.len());
        return Err(RdataError::at(length, message));
    }
    let known = Layout::of(rtype).map(|layout| layout.scanned_as);
    if known.is_some_and(|rtype| !is_canonical(rtype, &octets)) {
        return Err(RdataError::whole(format!("these octets are no {rtype} data")));
    }
    Ok(octets.into())
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    let decode = |pair: &[u8]| {
        let [high, low] = pair else { return None };
        let digit = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok());
        Some(digit(*high)? << 4 | digit(*low)?)
    };
    pairs.map(decode).collect()
}

/// Whether the octets are data of the type, whole and without compression: reading and composing gives them back.
fn is_canonical(rtype: RecordType, octets: &[u8]) -> bool {
    if rtype == RecordType::URI {
        return octets.len() > 4;
    }
    let mut parser = domain::dep::octseq::Parser::from_ref(octets);
    let parsed = ZoneRecordData::<&[u8], ParsedName<&[u8]>>::parse_rdata(
        Rtype::from_int(rtype.0),
        &mut parser,
    );
    let Ok(Some(data)) = parsed else {
        return false;
    };
    let mut again = Vec::with_capacity(octets.len());
    let composed = data.compose_rdata(&mut again).is_ok();
    composed && parser.remaining() == 0 && again == octets
}

fn checked_length(octets: Vec<u8>) -> Result<Box<[u8]>, RdataError> {
    if octets.len() > RDATA_OCTETS {
        let message = format!("the data has {} octets, {RDATA_OCTETS} is the most", octets.len());
        return Err(RdataError::whole(message));
    }
    Ok(octets.into())
}
