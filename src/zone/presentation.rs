//! RDATA from presentation format (RFC 1035 §5.1): the text between the quotes of a zone file becomes wire octets.
//!
//! The text is split into tokens, and the type's `Layout` says what each of them may be: a mistake is reported in our
//! words and at its place. The same layout prints octets as text again, and so tells whether octets are data of a type.
//!
//! | module | owns |
//! |---|---|
//! | `types` | the table of types with their layouts |
//! | `layout` | the kinds of fields |
//! | `compose`, `print` | fields to octets, octets to fields |
//! | `encoding`, `location` | base 16, 32 and 64, mnemonics, times; LOC |
//! | `service` | SVCB parameters |
//! | `token` | tokens and escapes |
//!
//! `\# 4 c0000201` (RFC 3597 §5) is read for any type, and for a type without a layout it is the only form.

mod compose;
mod encoding;
mod layout;
mod location;
mod print;
mod service;
#[cfg(test)]
pub(in crate::zone) mod tests;
mod token;
mod types;

use std::borrow::Cow;
use std::fmt;

use crate::limits::RDATA_OCTETS;
use crate::wire::{Name, RecordType};
use compose::{Composer, check_number};
use encoding::{decode_hex, encode_hex};
use layout::Layout;
use print::Printer;
pub use token::Token;
pub(in crate::zone) use token::{QUOTE_IN_WORD, skip_escape};
use token::{check_characters, split};

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
    if Layout::of(rtype).is_none() && !is_generic(&tokens) {
        return Err(unsupported(&format!("{rtype} = '\\# LENGTH HEX'")));
    }
    let is_host = matches!(rtype, RecordType::A | RecordType::AAAA | RecordType::NS);
    let layout = Layout::of(rtype).filter(|_| is_host && !is_generic(&tokens));
    if let Some((layout, extra)) = layout.and_then(|it| Some((it, it.first_excess(&tokens)?))) {
        let mut error = layout.excess(extra);
        error.message.push_str("; write several records as an array");
        return Err(error);
    }
    parse_fields(rtype, &tokens, origin)
}

/// The same for tokens that somebody else has split: escapes and quotes are known to be whole.
pub fn parse_fields(
    rtype: RecordType,
    tokens: &[Token<'_>],
    origin: &Name,
) -> Result<Box<[u8]>, RdataError> {
    let mut octets = Vec::new();
    push_fields(rtype, tokens, origin, &mut octets)?;
    Ok(octets.into())
}

/// The same into a buffer that is cleared first, for whoever reads a million records.
pub fn push_fields(
    rtype: RecordType,
    tokens: &[Token<'_>],
    origin: &Name,
    octets: &mut Vec<u8>,
) -> Result<(), RdataError> {
    octets.clear();
    if let Some((_, rest)) = tokens.split_first().filter(|_| is_generic(tokens)) {
        return push_generic(rtype, rest, octets);
    }
    let layout =
        Layout::of(rtype).ok_or_else(|| unsupported(&format!("{rtype} \\# LENGTH HEX")))?;
    Composer::compose(layout, tokens, origin, octets)?;
    check_length(octets)
}

/// Presentation format of data in wire format, names absolute: [`parse_rdata`] turns it back into exactly these octets.
///
/// What the type's own syntax cannot say is written by RFC 3597 §5. Octets that are no data of the type are written so,
/// too, and then refused by whoever reads them.
pub fn print_rdata(rtype: RecordType, rdata: &[u8]) -> String {
    let own = Layout::of(rtype).and_then(|layout| Printer::print(layout, rdata));
    let reads_back = |text: &String| {
        let again = parse_rdata(rtype, text, &Name::root());
        !text.is_empty() && again.is_ok_and(|octets| *octets == *rdata)
    };
    own.filter(reads_back).unwrap_or_else(|| {
        format!("\\# {} {}", rdata.len(), encode_hex(rdata)).trim_end().to_owned()
    })
}

/// Whether the data are written by RFC 3597 §5.
fn is_generic(tokens: &[Token<'_>]) -> bool {
    tokens.first().is_some_and(|first| first.text == "\\#")
}

/// The same for an SOA, which may leave out its numbers: `ns1 hostmaster` gets `serial` and our timers.
pub fn parse_soa(text: &str, origin: &Name, serial: u32) -> Result<Box<[u8]>, RdataError> {
    if !is_short_soa(text) {
        return parse_rdata(RecordType::SOA, text, origin);
    }
    let [refresh, retry, expire, minimum] = SOA_TIMERS;
    let whole = format!("{text} {serial} {refresh} {retry} {expire} {minimum}");
    parse_rdata(RecordType::SOA, &whole, origin)
}

/// Whether an SOA leaves out its numbers, the serial among them.
pub fn is_short_soa(text: &str) -> bool {
    split(text, RecordType::SOA).is_ok_and(|tokens| tokens.len() == 2)
}

/// Splits a text of any length into the character-strings of a TXT record, as its author means it: 255 octets each.
pub fn literal_text(text: &str) -> Result<Box<[u8]>, RdataError> {
    check_characters(text)?;
    if text.is_empty() {
        return Ok(Box::new([0]));
    }
    let parts = text.as_bytes().chunks(255);
    let octets: Vec<u8> = parts
        .flat_map(|part| [&[u8::try_from(part.len()).unwrap_or(u8::MAX)], part].concat())
        .collect();
    check_length(&octets)?;
    Ok(octets.into())
}

/// How the data of a type is written in a TOML zone, with an example; nothing for types that only RFC 3597 can write.
pub fn usage(rtype: RecordType) -> Option<String> {
    let layout = Layout::of(rtype)?;
    let is_soa = rtype == RecordType::SOA;
    let example = if is_soa { "ns1 hostmaster" } else { layout.example };
    let optional = if is_soa { ", the numbers may be left out" } else { "" };
    let quote = if example.contains('"') { '\'' } else { '"' };
    Some(describe(layout, optional, &format!("{rtype} = {quote}{example}{quote}")))
}

/// The same for a line of a master file.
pub fn master_usage(rtype: RecordType) -> Option<String> {
    let layout = Layout::of(rtype)?;
    Some(describe(layout, "", &format!("{rtype} {}", layout.example)))
}

fn describe(layout: &Layout, optional: &str, written: &str) -> String {
    let fields: Vec<&str> = layout.fields.iter().map(|(name, _)| *name).collect();
    match fields.as_slice() {
        [_] => format!("for example {written}"),
        fields => format!("the fields are {}{optional}: {written}", fields.join(" ")),
    }
}

/// The host that a record sends its reader to, for the types that name one.
pub fn target_of(rtype: RecordType, rdata: &[u8]) -> Option<Name> {
    let start = match rtype {
        RecordType::MINFO | RecordType::RP | RecordType::PX => return None,
        RecordType::SVCB | RecordType::HTTPS => 2,
        RecordType::DSYNC => 5,
        _ => names_start(rtype)?,
    };
    Name::from_wire(rdata.get(start..)?).ok().map(|(name, _)| name)
}

/// The octets by which two records of one RRset are told apart: names in RDATA that compare without regard to case are
/// folded (RFC 4034 §6.2).
pub fn comparable(rtype: RecordType, rdata: &[u8]) -> Cow<'_, [u8]> {
    let parts = names_start(rtype).and_then(|start| rdata.split_at_checked(start));
    match parts {
        Some((numbers, names)) => Cow::Owned([numbers, &names.to_ascii_lowercase()].concat()),
        None => Cow::Borrowed(rdata),
    }
}

/// Where the names begin in data that end with one or two.
fn names_start(rtype: RecordType) -> Option<usize> {
    match rtype {
        RecordType::NS
        | RecordType::CNAME
        | RecordType::PTR
        | RecordType::DNAME
        | RecordType::NSAP_PTR
        | RecordType::MB
        | RecordType::MG
        | RecordType::MR
        | RecordType::MD
        | RecordType::MF
        | RecordType::MINFO
        | RecordType::RP => Some(0),
        RecordType::MX
        | RecordType::AFSDB
        | RecordType::KX
        | RecordType::RT
        | RecordType::LP
        | RecordType::PX => Some(2),
        RecordType::SRV => Some(6),
        _ => None,
    }
}

/// Seconds in the units that master files use in the wild: `3600`, `1h`, `1h30m`, `2w`.
pub fn parse_seconds(text: &str) -> Option<u32> {
    let (mut total, mut number, mut has_units) = (0u32, None::<u32>, false);
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
        has_units = true;
    }
    match number {
        Some(seconds) if !has_units => Some(seconds),
        None if !text.is_empty() => Some(total),
        _ => None,
    }
}

fn unsupported(form: &str) -> RdataError {
    RdataError::whole(format!("the data can be written by RFC 3597 §5 only: {form}"))
}

/// RFC 3597 §5: `\# LENGTH HEX…`; the data of a known type must still make sense.
fn push_generic(
    rtype: RecordType,
    tokens: &[Token<'_>],
    octets: &mut Vec<u8>,
) -> Result<(), RdataError> {
    let (length, digits) = tokens
        .split_first()
        .ok_or_else(|| RdataError::whole("after `\\#` the length in octets is missing"))?;
    let expected = check_number("length", length, u32::from(u16::MAX))?;
    for token in digits {
        let bad =
            || RdataError::at(token, format!("`{}` is no pair of hexadecimal digits", token.text));
        octets.extend(decode_hex(token.text).ok_or_else(bad)?);
    }
    if u32::try_from(octets.len()) != Ok(expected) {
        let message = format!("the length says {expected} octets, {} follow", octets.len());
        return Err(RdataError::at(length, message));
    }
    if Layout::of(rtype).is_some_and(|layout| !is_sound(layout, octets)) {
        return Err(RdataError::whole(format!("these octets are no {rtype} data")));
    }
    check_length(octets)
}

/// Whether the octets are data of the type, whole and without compression.
fn is_sound(layout: &Layout, octets: &[u8]) -> bool {
    let is_service = matches!(layout.rtype, RecordType::SVCB | RecordType::HTTPS);
    (!is_service || service::is_sound(octets)) && Printer::print(layout, octets).is_some()
}

fn check_length(octets: &[u8]) -> Result<(), RdataError> {
    if octets.len() > RDATA_OCTETS {
        let message = format!("the data has {} octets, {RDATA_OCTETS} is the most", octets.len());
        return Err(RdataError::whole(message));
    }
    Ok(())
}
