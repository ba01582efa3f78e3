//! The parameters of SVCB and HTTPS (RFC 9460 §2.1).
//!
//! Read here are parameters of plain octets, `key667=a`, and the two with lists of their own, `alpn` and `mandatory`. The
//! others are composed by `domain`, which only ever sees one line with one token that was checked, with octets outside ASCII
//! escaped. Whoever composed them, what `domain` reads from the octets must be what it composes again.

use std::net::{Ipv4Addr, Ipv6Addr};

use domain::base::iana::Rtype;
use domain::base::name::ParsedName;
use domain::base::rdata::{ComposeRecordData, ParseRecordData};
use domain::rdata::ZoneRecordData;
use domain::zonefile::inplace::{Entry, Zonefile};

use super::RdataError;
use super::encoding::encode_base64;
use super::print::push_quoted;
use super::token::{Token, push_unescaped, to_ascii};
use crate::wire::Reader;

/// Priority 1 and the root as target, behind which a parameter is composed.
const PREFIX: &[u8] = &[0, 1, 0];

/// The names of RFC 9460 §14.3.2 and of the registry, each at the place of its number.
const KEY_NAMES: [&str; 9] = [
    "mandatory",
    "alpn",
    "no-default-alpn",
    "port",
    "ipv4hint",
    "ech",
    "ipv6hint",
    "dohpath",
    "ohttp",
];

/// The octets of all parameters, keys rising and none of them twice (RFC 9460 §2.2).
pub(super) fn compose(tokens: &[Token<'_>]) -> Result<Vec<u8>, RdataError> {
    let mut parameters = Vec::with_capacity(tokens.len());
    for token in tokens {
        let (key, value) = compose_parameter(token)?;
        parameters.push((key, value, token));
    }
    // Stable, so that it is the second of two that is refused.
    parameters.sort_by_key(|(key, ..)| *key);
    check_mandatory(&parameters)?;
    let mut octets = Vec::new();
    let mut last = None;
    for (key, value, token) in parameters {
        if last.replace(key) == Some(key) {
            return Err(refuse(token, format!("{} is there twice", key_name(key))));
        }
        let length = u16::try_from(value.len())
            .map_err(|_| refuse(token, "the value has more than 65535 octets"))?;
        octets.extend(key.to_be_bytes());
        octets.extend(length.to_be_bytes());
        octets.extend(value);
    }
    Ok(octets)
}

/// Whether all keys are there that `mandatory` lists (RFC 9460 §8), which sorts before any other.
fn check_mandatory(parameters: &[(u16, Vec<u8>, &Token<'_>)]) -> Result<(), RdataError> {
    let Some((0, listed, token)) = parameters.first() else {
        return Ok(());
    };
    let keys = listed.as_chunks::<2>().0.iter().map(|octets| u16::from_be_bytes(*octets));
    let is_there = |key: u16| parameters.binary_search_by_key(&key, |(key, ..)| *key).is_ok();
    match keys.into_iter().find(|key| !is_there(*key)) {
        Some(key) => Err(refuse(token, format!("{} is not there", key_name(key)))),
        None => Ok(()),
    }
}

/// Names the parameter that is at fault.
fn refuse(token: &Token<'_>, why: impl std::fmt::Display) -> RdataError {
    RdataError::at(token, format!("the parameter `{}`: {why}", token.text))
}

/// The key and the value of one parameter.
fn compose_parameter(token: &Token<'_>) -> Result<(u16, Vec<u8>), RdataError> {
    let (name, typed) = token.text.split_once('=').unwrap_or((token.text, ""));
    let mut value = Vec::new();
    push_unescaped(Token { text: typed, offset: 0 }.inner(), &mut value);
    let key = if let Some(digits) = plain_key(name) {
        read_number(digits).ok_or_else(|| {
            refuse(token, "a key is written key0 to key65535, without zeros before the number")
        })?
    } else if name == "alpn" {
        value = read_protocols(&value).map_err(|why| refuse(token, why))?;
        1
    } else if name == "mandatory" {
        value = read_keys(&value).map_err(|why| refuse(token, why))?;
        0
    } else {
        let known = compose_known(token);
        let (key, octets) = known.ok_or_else(|| refuse(token, "its key or its value is none"))?;
        value = octets;
        key
    };
    check_value(key, &value).map_err(|why| refuse(token, why))?;
    Ok((key, value))
}

/// The digits of a key without a name, or of one whose name is not used: the value is the octets themselves.
fn plain_key(name: &str) -> Option<&str> {
    let digits = name.strip_prefix("key")?;
    (!digits.is_empty() && digits.bytes().all(|c| c.is_ascii_digit())).then_some(digits)
}

fn read_number(digits: &str) -> Option<u16> {
    let is_short = digits == "0" || !digits.starts_with('0');
    digits.parse().ok().filter(|_| is_short)
}

/// The list of `mandatory`: keys by their names, in any order (RFC 9460 §8).
fn read_keys(value: &[u8]) -> Result<Vec<u8>, String> {
    let text = std::str::from_utf8(value).unwrap_or_default();
    let number = |name: &str| {
        let place = KEY_NAMES.iter().position(|known| *known == name);
        let known = place.and_then(|place| u16::try_from(place).ok());
        known.or_else(|| read_number(plain_key(name)?)).ok_or(format!("`{name}` is no key"))
    };
    let mut keys = text.split(',').map(number).collect::<Result<Vec<u16>, _>>()?;
    keys.sort_unstable();
    Ok(keys.into_iter().flat_map(u16::to_be_bytes).collect())
}

/// The list of `alpn`, in which `\\,` and `\\\\` are a comma and a backslash: the second level of escapes, behind that of
/// every text (RFC 9460 §A.1, §7.1.1).
fn read_protocols(value: &[u8]) -> Result<Vec<u8>, &'static str> {
    let mut protocols = Vec::new();
    let mut protocol = Vec::new();
    let mut rest = value.iter();
    while let Some(octet) = rest.next() {
        match octet {
            b',' => push_protocol(&mut protocol, &mut protocols)?,
            b'\\' => match rest.next() {
                Some(escaped @ (b',' | b'\\')) => protocol.push(*escaped),
                _ => return Err("in the list only a comma and a backslash are escaped"),
            },
            _ => protocol.push(*octet),
        }
    }
    push_protocol(&mut protocol, &mut protocols)?;
    Ok(protocols)
}

fn push_protocol(protocol: &mut Vec<u8>, protocols: &mut Vec<u8>) -> Result<(), &'static str> {
    let length = u8::try_from(protocol.len()).ok().filter(|length| *length > 0);
    protocols.push(length.ok_or("a protocol has 1 to 255 octets")?);
    protocols.append(protocol);
    Ok(())
}

/// Key and value of what `domain` composes.
fn compose_known(token: &Token<'_>) -> Option<(u16, Vec<u8>)> {
    let line = format!(". 0 IN SVCB 1 . {}\n", to_ascii(token.text));
    let mut zonefile = Zonefile::from(line.as_str());
    let Ok(Some(Entry::Record(record))) = zonefile.next_entry() else {
        return None;
    };
    let mut octets = Vec::new();
    record.data().compose_rdata(&mut octets).ok()?;
    let mut reader = Reader::new(octets.strip_prefix(PREFIX)?);
    let (key, length) = (reader.u16().ok()?, reader.u16().ok()?);
    let value = reader.take(usize::from(length)).ok()?.to_vec();
    reader.is_at_end().then_some((key, value))
}

/// Whether octets are a value of their key, as far as that is known: RFC 9460 §7 and §8, RFC 9461 §5, RFC 9540 §4.
fn check_value(key: u16, value: &[u8]) -> Result<(), &'static str> {
    let is_list = |size: usize| !value.is_empty() && value.len().is_multiple_of(size);
    let (is_good, why) = match key {
        0 => (is_list(2) && is_rising(value), "the value is no list of other keys, each once"),
        1 => (are_protocols(value), "the value is no list of protocols"),
        2 | 8 => (value.is_empty(), "the key takes no value"),
        3 => (value.len() == 2, "the value is no port"),
        4 => (is_list(4), "the value is no list of IPv4 addresses"),
        6 => (is_list(16), "the value is no list of IPv6 addresses"),
        7 => (std::str::from_utf8(value).is_ok(), "the value is no UTF-8"),
        _ => return Ok(()),
    };
    if is_good { Ok(()) } else { Err(why) }
}

/// Whether keys rise, the first of them above that of `mandatory` itself.
fn is_rising(keys: &[u8]) -> bool {
    let (pairs, _) = keys.as_chunks::<2>();
    pairs.first() != Some(&[0, 0]) && pairs.is_sorted_by(|one, next| one < next)
}

fn are_protocols(mut value: &[u8]) -> bool {
    let is_empty = value.is_empty();
    while let Some((length, rest)) = value.split_first() {
        match rest.split_at_checked(usize::from(*length)) {
            Some((_, rest)) if *length > 0 => value = rest,
            _ => return false,
        }
    }
    !is_empty
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

fn key_name(key: u16) -> String {
    let known = KEY_NAMES.get(usize::from(key));
    known.map_or_else(|| format!("key{key}"), |name| (*name).to_owned())
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

/// Protocols of ALPN, in quotes and with two levels of escapes if one holds more than plain characters (RFC 9460 §A.1).
fn print_protocols(mut value: &[u8]) -> Option<String> {
    let mut list = Vec::new();
    let mut is_plain = true;
    while let Some((length, rest)) = value.split_first() {
        let (protocol, rest) = rest.split_at_checked(usize::from(*length))?;
        if !list.is_empty() {
            list.push(b',');
        }
        for octet in protocol {
            is_plain &= octet.is_ascii_graphic() && !b",\\\"();".contains(octet);
            if matches!(octet, b',' | b'\\') {
                list.push(b'\\');
            }
            list.push(*octet);
        }
        value = rest;
    }
    if is_plain {
        return String::from_utf8(list).ok();
    }
    let mut text = String::new();
    push_quoted(&list, &mut text);
    Some(text)
}
