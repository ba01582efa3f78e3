//! The parameters of SVCB and HTTPS (RFC 9460 §2.1): composed by `domain`, printed here.
//!
//! `domain` only ever sees one line of tokens that were checked, with octets outside ASCII escaped; what it composes must
//! be what it reads back.

use std::net::{Ipv4Addr, Ipv6Addr};

use domain::base::iana::Rtype;
use domain::base::name::ParsedName;
use domain::base::rdata::{ComposeRecordData, ParseRecordData};
use domain::rdata::ZoneRecordData;
use domain::zonefile::inplace::{Entry, Zonefile};

use super::encoding::encode_base64;
use super::print::push_quoted;
use super::token::{Token, push_unescaped, to_ascii};
use crate::wire::Reader;

/// Priority 1 and the root as target, behind which parameters are composed.
const PREFIX: &[u8] = &[0, 1, 0];

/// The octets of the parameters, or nothing if they are none.
pub(super) fn compose(tokens: &[Token<'_>]) -> Option<Vec<u8>> {
    let (ours, others): (Vec<&Token<'_>>, Vec<_>) =
        tokens.iter().partition(|token| is_refused_key(token));
    let octets = compose_known(&others)?;
    if ours.is_empty() {
        return Some(octets);
    }
    let mut parameters = split_parameters(&octets)?;
    for token in ours {
        parameters.push(compose_unknown(token)?);
    }
    // Keys rise, and none is there twice (RFC 9460 §2.2).
    parameters.sort();
    let is_rising = parameters.is_sorted_by(|(one, _), (next, _)| one < next);
    is_rising.then(|| parameters.into_iter().flat_map(|(_, octets)| octets).collect())
}

/// What `domain` composes.
fn compose_known(tokens: &[&Token<'_>]) -> Option<Vec<u8>> {
    let parameters: Vec<String> = tokens.iter().map(|token| to_ascii(token.text)).collect();
    let line = format!(". 0 IN SVCB 1 . {}\n", parameters.join(" "));
    let mut zonefile = Zonefile::from(line.as_str());
    let Ok(Some(Entry::Record(record))) = zonefile.next_entry() else {
        return None;
    };
    let mut octets = Vec::new();
    record.data().compose_rdata(&mut octets).ok()?;
    octets.strip_prefix(PREFIX).map(<[u8]>::to_vec)
}

/// A key without a name whose number holds a 9, which `domain` 0.12 takes for no character of a key.
fn is_refused_key(token: &Token<'_>) -> bool {
    let key = token.text.split_once('=').map_or(token.text, |(key, _)| key);
    key.contains('9') && key.starts_with("key")
}

/// A parameter of plain octets: its key, and all of its octets.
fn compose_unknown(token: &Token<'_>) -> Option<(u16, Vec<u8>)> {
    let (key, value) = token.text.split_once('=').unwrap_or((token.text, ""));
    let number = key.strip_prefix("key")?;
    let is_number = number.bytes().all(|c| c.is_ascii_digit()) && !number.starts_with('0');
    let number: u16 = number.parse().ok().filter(|_| is_number)?;
    let mut octets = Vec::new();
    push_unescaped(Token { text: value, offset: 0 }.inner(), &mut octets);
    let length = u16::try_from(octets.len()).ok()?;
    Some((number, [&number.to_be_bytes()[..], &length.to_be_bytes(), &octets].concat()))
}

/// Keys, each with all octets of its parameter.
fn split_parameters(octets: &[u8]) -> Option<Vec<(u16, Vec<u8>)>> {
    let mut reader = Reader::new(octets);
    let mut parameters = Vec::new();
    while !reader.is_at_end() {
        let (key, length) = (reader.u16().ok()?, reader.u16().ok()?);
        let value = reader.take(usize::from(length)).ok()?;
        parameters.push((key, [&key.to_be_bytes()[..], &length.to_be_bytes(), value].concat()));
    }
    Some(parameters)
}

/// Whether the octets are data of SVCB, whole and without compression: reading and composing gives them back.
pub(super) fn is_sound(octets: &[u8]) -> bool {
    let mut parser = domain::dep::octseq::Parser::from_ref(octets);
    let parsed = ZoneRecordData::<&[u8], ParsedName<&[u8]>>::parse_rdata(Rtype::SVCB, &mut parser);
    let Ok(Some(data)) = parsed else {
        return false;
    };
    let mut again = Vec::with_capacity(octets.len());
    let composed = data.compose_rdata(&mut again).is_ok();
    composed && parser.remaining() == 0 && again == octets
}

/// The parameters to the end, a blank before each; nothing where they end too early.
pub(super) fn print(reader: &mut Reader<'_>, text: &mut String) -> Option<()> {
    while !reader.is_at_end() {
        let key = reader.u16().ok()?;
        let length = reader.u16().ok()?;
        let value = reader.take(usize::from(length)).ok()?;
        text.push(' ');
        text.push_str(&key_name(key));
        match print_value(key, value) {
            Some(written) if written.is_empty() => {}
            Some(written) => text.extend(["=", &written]),
            None => {
                text.push('=');
                push_quoted(value, text);
            }
        }
    }
    Some(())
}

/// The names of RFC 9460 §14.3.2 and of the registry.
fn key_name(key: u16) -> String {
    let known = match key {
        0 => "mandatory",
        1 => "alpn",
        2 => "no-default-alpn",
        3 => "port",
        4 => "ipv4hint",
        5 => "ech",
        6 => "ipv6hint",
        7 => "dohpath",
        8 => "ohttp",
        _ => return format!("key{key}"),
    };
    known.to_owned()
}

/// The value in its own syntax; nothing if it is one of plain octets.
fn print_value(key: u16, value: &[u8]) -> Option<String> {
    if value.is_empty() {
        return Some(String::new());
    }
    let numbers =
        || value.chunks_exact(2).filter_map(|pair| Some(u16::from_be_bytes(pair.try_into().ok()?)));
    Some(match key {
        0 => join(numbers().map(key_name)),
        1 => print_protocols(value)?,
        3 => join(numbers().map(|port| port.to_string())),
        4 => {
            join(value.as_chunks::<4>().0.iter().map(|octets| Ipv4Addr::from(*octets).to_string()))
        }
        5 => encode_base64(value),
        6 => {
            join(value.as_chunks::<16>().0.iter().map(|octets| Ipv6Addr::from(*octets).to_string()))
        }
        _ => return None,
    })
}

fn join(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(",")
}

/// Protocols of ALPN where none holds a character that would need two levels of escapes (RFC 9460 §A.1).
fn print_protocols(mut value: &[u8]) -> Option<String> {
    let mut protocols = Vec::new();
    while let Some((length, rest)) = value.split_first() {
        let (protocol, rest) = rest.split_at_checked(usize::from(*length))?;
        let is_plain =
            |c: &u8| c.is_ascii_graphic() && !matches!(c, b',' | b'\\' | b'"' | b'(' | b')' | b';');
        if !protocol.iter().all(is_plain) {
            return None;
        }
        protocols.push(String::from_utf8(protocol.to_vec()).ok()?);
        value = rest;
    }
    Some(protocols.join(","))
}
