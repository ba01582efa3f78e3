//! Fields to octets: what each [`Field`] takes of the tokens, what it makes of them, and what it says about a mistake.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::encoding::{
    ALGORITHMS, CERTIFICATES, DIGESTS, Mnemonics, PROTOCOLS, SCHEMES, SERVICES, decode_base32,
    decode_base64, decode_hex, encode_bitmap, number_of, parse_decimal, parse_time, set_bit,
};
use super::layout::{Field, Layout};
use super::location::compose_location;
use super::token::{Token, push_unescaped};
use super::{RdataError, parse_seconds, service};
use crate::wire::{Name, RecordType, Ttl};

/// Fields of one record on their way to octets.
pub(super) struct Composer<'c> {
    layout: &'static Layout,
    origin: &'c Name,
    octets: &'c mut Vec<u8>,
}

impl<'c> Composer<'c> {
    /// Appends the octets of a whole record's data.
    pub(super) fn compose(
        layout: &'static Layout,
        tokens: &[Token<'_>],
        origin: &'c Name,
        octets: &'c mut Vec<u8>,
    ) -> Result<(), RdataError> {
        layout.check_count(tokens)?;
        let mut composer = Self { layout, origin, octets };
        let mut rest = tokens;
        for &(name, field) in layout.fields {
            if field.is_open() {
                return composer.push_open(name, field, rest);
            }
            let Some((token, others)) = rest.split_first() else { break };
            composer.push_field(name, field, token)?;
            rest = others;
        }
        Ok(())
    }

    fn push_field(
        &mut self,
        name: &str,
        field: Field,
        token: &Token<'_>,
    ) -> Result<(), RdataError> {
        use Field::*;
        match field {
            Ipv4 | Ipv6 => self.push_address(field, token),
            Name => self.push_name(token),
            U8 => self.push_u8(check_number(name, token, u32::from(u8::MAX))?),
            U16 => self.push_u16(check_number(name, token, u32::from(u16::MAX))?),
            U32 => self.push_u32(check_number(name, token, u32::MAX)?),
            Seconds => self.push_u32(check_seconds(name, token)?.as_seconds()),
            Text | MaybeText => self.push_text(token),
            Digits | Decimal(_) | Tag => self.push_plain_text(name, field, token),
            Octets => self.push_octets(token),
            SomeOctets if token.inner().is_empty() => {
                Err(RdataError::at(token, "the target is empty"))
            }
            SomeOctets => self.push_octets(token),
            Type => self.push_type(token),
            _ => self.push_special(name, field, token),
        }
    }

    /// The fields that only one or two types have.
    fn push_special(
        &mut self,
        name: &str,
        field: Field,
        token: &Token<'_>,
    ) -> Result<(), RdataError> {
        match field {
            Field::Algorithm => self.push_u8(check_mnemonic(name, ALGORITHMS, token, 255)?),
            Field::Digest => self.push_u8(check_mnemonic(name, DIGESTS, token, 255)?),
            Field::Scheme => self.push_u8(check_mnemonic(name, SCHEMES, token, 255)?),
            Field::Protocol => self.push_u8(check_mnemonic(name, PROTOCOLS, token, 255)?),
            Field::Certificate => self.push_u16(check_mnemonic(name, CERTIFICATES, token, 65_535)?),
            Field::Time => self.push_u32(parse_time(token.text).ok_or_else(|| {
                misread(token, "time; write 20260131235959 or seconds since 1970")
            })?),
            Field::Salt => self.push_counted(salt_of(token)),
            Field::Hash => self.push_counted(decode_base32(token.text)),
            Field::Hyphened(count) => self.push_hyphened(count, token),
            Field::Locator => self.push_locator(token),
            Field::Nsap => self.push_nsap(token),
            Field::Discovery => self.push_u8(check_number(name, token, 1)? << 7),
            Field::RelayKind => self.push_relay_kind(name, token),
            _ => self.push_gateway(field, token),
        }
    }

    /// Everything that is left.
    fn push_open(
        &mut self,
        name: &str,
        field: Field,
        tokens: &[Token<'_>],
    ) -> Result<(), RdataError> {
        match field {
            Field::Texts => tokens.iter().try_for_each(|token| self.push_text(token)),
            Field::Hex => self.push_decoded(decode_hex(&join(tokens))),
            Field::Base64 | Field::MaybeBase64 => self.push_decoded(decode_base64(&join(tokens))),
            Field::DashOrBase64 => match tokens {
                [token] if token.text == "-" => Ok(()),
                _ => self.push_decoded(decode_base64(&join(tokens))),
            },
            Field::Bitmap => self.push_bitmap(tokens),
            Field::Identity => self.push_identity(name, tokens),
            Field::Parameters => self.push_parameters(tokens),
            Field::Prefixes => tokens.iter().try_for_each(|token| self.push_prefix(token)),
            Field::Location => compose_location(tokens, self.octets),
            _ => self.push_services(name, tokens),
        }
    }

    fn push_u8(&mut self, number: u32) -> Result<(), RdataError> {
        self.octets.extend(u8::try_from(number));
        Ok(())
    }

    fn push_u16(&mut self, number: u32) -> Result<(), RdataError> {
        self.octets.extend(u16::try_from(number).iter().flat_map(|number| number.to_be_bytes()));
        Ok(())
    }

    fn push_u32(&mut self, number: u32) -> Result<(), RdataError> {
        self.octets.extend(number.to_be_bytes());
        Ok(())
    }

    fn push_address(&mut self, field: Field, token: &Token<'_>) -> Result<(), RdataError> {
        if field == Field::Ipv4 {
            let address: Ipv4Addr = token.text.parse().map_err(|_| no_address(field, token))?;
            self.octets.extend(address.octets());
        } else {
            let address: Ipv6Addr = token.text.parse().map_err(|_| no_address(field, token))?;
            self.octets.extend(address.octets());
        }
        Ok(())
    }

    fn push_name(&mut self, token: &Token<'_>) -> Result<(), RdataError> {
        let text = token.inner();
        if is_address(text) {
            let message = format!("`{text}` is an address, and a host name is needed here");
            return Err(RdataError::at(token, message));
        }
        if text.len() > 1 && text.contains('@') && !text.contains('\\') {
            return Err(mailbox_error(token));
        }
        Name::push_parsed(text, self.origin, self.octets)
            .map_err(|error| RdataError::at(token, format!("`{text}` is no name: {error}")))
    }

    fn push_text(&mut self, token: &Token<'_>) -> Result<(), RdataError> {
        let start = self.octets.len();
        self.octets.push(0);
        push_unescaped(token.inner(), self.octets);
        let length = self.octets.len().saturating_sub(start).saturating_sub(1);
        let length = u8::try_from(length).map_err(|_| {
            RdataError::at(token, "a quoted text has more than 255 octets; split it into several")
        })?;
        if let Some(slot) = self.octets.get_mut(start) {
            *slot = length;
        }
        Ok(())
    }

    /// A character-string without escapes whose characters have a meaning.
    fn push_plain_text(
        &mut self,
        name: &str,
        field: Field,
        token: &Token<'_>,
    ) -> Result<(), RdataError> {
        let is_good = is_plain_text(field, token.inner());
        if is_good { self.push_text(token) } else { Err(misread(token, name)) }
    }

    fn push_octets(&mut self, token: &Token<'_>) -> Result<(), RdataError> {
        push_unescaped(token.inner(), self.octets);
        Ok(())
    }

    fn push_type(&mut self, token: &Token<'_>) -> Result<(), RdataError> {
        self.push_u16(u32::from(check_type(token)?.0))
    }

    /// Octets behind their number; nothing if they could not be decoded or are too many.
    fn push_counted(&mut self, octets: Option<Vec<u8>>) -> Result<(), RdataError> {
        let octets = octets.ok_or_else(|| self.unreadable())?;
        let length = u8::try_from(octets.len()).map_err(|_| self.unreadable())?;
        self.octets.push(length);
        self.octets.extend(octets);
        Ok(())
    }

    fn push_decoded(&mut self, octets: Option<Vec<u8>>) -> Result<(), RdataError> {
        self.octets.extend(octets.ok_or_else(|| self.unreadable())?);
        Ok(())
    }

    fn unreadable(&self) -> RdataError {
        RdataError::whole(format!("this is no {} data", self.layout.rtype))
    }

    /// EUI-48 and EUI-64 (RFC 7043 §3.2, §4.2).
    fn push_hyphened(&mut self, count: usize, token: &Token<'_>) -> Result<(), RdataError> {
        let is_form = token.text.split('-').all(|pair| pair.len() == 2);
        let octets = decode_hex(&token.text.replace('-', ""));
        let octets = octets.filter(|octets| is_form && octets.len() == count);
        self.octets.extend(octets.ok_or_else(|| {
            misread(token, &format!("address of {count} octets such as 00-00-5e-00-53-2a"))
        })?);
        Ok(())
    }

    /// Node identifiers and locators (RFC 6742 §2.1.2, §2.3.2).
    fn push_locator(&mut self, token: &Token<'_>) -> Result<(), RdataError> {
        let groups: Option<Vec<u16>> = token.text.split(':').map(parse_hex_group).collect();
        let groups = groups.filter(|groups| groups.len() == 4);
        let groups =
            groups.ok_or_else(|| misread(token, "64-bit number such as 0014:4fff:ff20:ee64"))?;
        self.octets.extend(groups.iter().flat_map(|group| group.to_be_bytes()));
        Ok(())
    }

    /// A network service access point (RFC 1706 §7): the dots mean nothing.
    fn push_nsap(&mut self, token: &Token<'_>) -> Result<(), RdataError> {
        let digits = token.text.strip_prefix("0x").or(token.text.strip_prefix("0X"));
        let octets = digits.and_then(|digits| decode_hex(&digits.replace('.', "")));
        let octets = octets.filter(|octets| !octets.is_empty());
        self.octets
            .extend(octets.ok_or_else(|| misread(token, "NSAP address, 0x and octets in hex"))?);
        Ok(())
    }

    /// Completes the octet that [`Field::Discovery`] began (RFC 8777 §4.2).
    fn push_relay_kind(&mut self, name: &str, token: &Token<'_>) -> Result<(), RdataError> {
        let kind = check_number(name, token, 3)?;
        if let (Some(slot), Ok(kind)) = (self.octets.last_mut(), u8::try_from(kind)) {
            *slot |= kind;
        }
        Ok(())
    }

    /// No gateway, an address, or a name, as the kind says (RFC 4025 §2.5, RFC 8777 §4.2.4).
    fn push_gateway(&mut self, field: Field, token: &Token<'_>) -> Result<(), RdataError> {
        match gateway_kind(field, self.octets) {
            Some(0) if token.text == "." => Ok(()),
            Some(0) => Err(RdataError::at(token, "no gateway is written as `.`")),
            Some(1) => self.push_address(Field::Ipv4, token),
            Some(2) => self.push_address(Field::Ipv6, token),
            Some(3) => self.push_name(token),
            _ => Err(RdataError::at(token, "the type of gateway is one of 0 to 3")),
        }
    }

    fn push_bitmap(&mut self, tokens: &[Token<'_>]) -> Result<(), RdataError> {
        let types: Result<Vec<RecordType>, RdataError> = tokens.iter().map(check_type).collect();
        encode_bitmap(types?, self.octets);
        Ok(())
    }

    /// Algorithm, tag in hex, key in base 64, then rendezvous servers (RFC 8005 §5, §6).
    fn push_identity(&mut self, name: &str, tokens: &[Token<'_>]) -> Result<(), RdataError> {
        let [algorithm, tag, key, servers @ ..] = tokens else {
            return Err(self.unreadable());
        };
        let algorithm = check_number(name, algorithm, 255)?;
        let tag = decode_hex(tag.text).ok_or_else(|| misread(tag, "tag in hexadecimal digits"))?;
        let octets = decode_base64(key.text).ok_or_else(|| misread(key, "key in base 64"))?;
        let length = u32::try_from(tag.len()).ok().filter(|length| *length < 256);
        self.push_u8(length.ok_or_else(|| self.unreadable())?)?;
        self.push_u8(algorithm)?;
        let length = u16::try_from(octets.len()).map_err(|_| self.unreadable())?;
        self.push_u16(u32::from(length))?;
        self.octets.extend(tag);
        self.octets.extend(octets);
        servers.iter().try_for_each(|server| self.push_name(server))
    }

    /// The parameters behind priority and target.
    fn push_parameters(&mut self, tokens: &[Token<'_>]) -> Result<(), RdataError> {
        self.octets.extend(service::compose(tokens)?);
        if service::is_sound(self.octets) { Ok(()) } else { Err(self.unreadable()) }
    }

    /// `!2:2001:db8::/32`: not, family, prefix (RFC 3123 §5).
    fn push_prefix(&mut self, token: &Token<'_>) -> Result<(), RdataError> {
        let parsed = parse_prefix(token.text);
        let (family, length, is_not, mut octets) = parsed.ok_or_else(|| {
            misread(token, "prefix such as 1:192.0.2.0/24, !1:192.0.2.0/25 or 2:2001:db8::/32")
        })?;
        while octets.last() == Some(&0) {
            octets.pop();
        }
        self.octets.extend(family.to_be_bytes());
        self.octets.push(length);
        let count = u8::try_from(octets.len()).unwrap_or(0);
        self.octets.push(if is_not { count | 128 } else { count });
        self.octets.extend(octets);
        Ok(())
    }

    fn push_services(&mut self, name: &str, tokens: &[Token<'_>]) -> Result<(), RdataError> {
        let mut bits = Vec::new();
        for token in tokens {
            let port = check_mnemonic(name, SERVICES, token, 65_535)?;
            set_bit(&mut bits, u16::try_from(port).unwrap_or(0));
        }
        self.octets.extend(bits);
        Ok(())
    }
}

/// Whether a text is what one of the fields takes that are written without escapes.
pub(super) fn is_plain_text(field: Field, text: &str) -> bool {
    match field {
        Field::Digits => text.len() >= 4 && text.bytes().all(|c| c.is_ascii_digit()),
        Field::Tag => !text.is_empty() && text.bytes().all(|c| c.is_ascii_alphanumeric()),
        Field::Decimal(limit) => {
            let decimals = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
            let number = if decimals > 6 { None } else { parse_decimal(text, 6) };
            number.is_some_and(|number| {
                number.unsigned_abs() <= u64::from(limit).saturating_mul(1_000_000)
            })
        }
        _ => false,
    }
}

/// What kind of gateway comes next; nothing where the octets before it are missing.
pub(super) fn gateway_kind(field: Field, before: &[u8]) -> Option<u8> {
    match field {
        Field::Gateway => before.len().checked_sub(2).and_then(|at| before.get(at)).copied(),
        _ => before.last().map(|octet| octet & 127),
    }
}

fn misread(token: &Token<'_>, what: &str) -> RdataError {
    RdataError::at(token, format!("`{}` is no {what}", token.text))
}

fn join(tokens: &[Token<'_>]) -> String {
    tokens.iter().map(|token| token.text).collect()
}

fn salt_of(token: &Token<'_>) -> Option<Vec<u8>> {
    match token.text {
        "-" => Some(Vec::new()),
        digits => decode_hex(digits).filter(|octets| !octets.is_empty()),
    }
}

fn parse_hex_group(group: &str) -> Option<u16> {
    let is_group = (1..=4).contains(&group.len()) && group.bytes().all(|c| c.is_ascii_hexdigit());
    u16::from_str_radix(group, 16).ok().filter(|_| is_group)
}

/// Family, length, negation and octets of one prefix.
fn parse_prefix(text: &str) -> Option<(u16, u8, bool, Vec<u8>)> {
    let (is_not, rest) = match text.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (family, prefix) = rest.split_once(':')?;
    let (address, length) = prefix.split_once('/')?;
    let is_number = !length.starts_with('+');
    let length = length.parse::<u8>().ok().filter(|_| is_number)?;
    match (family, address.parse().ok()?) {
        ("1", IpAddr::V4(address)) if length <= 32 => {
            Some((1, length, is_not, address.octets().to_vec()))
        }
        ("2", IpAddr::V6(address)) if length <= 128 => {
            Some((2, length, is_not, address.octets().to_vec()))
        }
        _ => None,
    }
}

fn no_address(field: Field, token: &Token<'_>) -> RdataError {
    let text = token.text;
    let message = match text.parse::<IpAddr>() {
        Ok(IpAddr::V6(_)) => format!("`{text}` is an IPv6 address, which goes into an AAAA record"),
        Ok(IpAddr::V4(_)) => format!("`{text}` is an IPv4 address, which goes into an A record"),
        Err(_) if field == Field::Ipv4 => format!("`{text}` is no IPv4 address"),
        Err(_) => format!("`{text}` is no IPv6 address"),
    };
    RdataError::at(token, message)
}

/// Whether an address was written where a name belongs, cheaply for what is none.
fn is_address(text: &str) -> bool {
    let is_like_one = |c: u8| c.is_ascii_hexdigit() || matches!(c, b'.' | b':');
    text.bytes().all(is_like_one) && text.trim_end_matches('.').parse::<IpAddr>().is_ok()
}

fn mailbox_error(token: &Token<'_>) -> RdataError {
    let text = token.inner();
    let (local, host) = text.split_once('@').unwrap_or((text, ""));
    let (local, host) = (local.replace('.', "\\."), host.trim_end_matches('.'));
    let message = format!("a mailbox is written with a dot for its `@`: `{local}.{host}.`");
    RdataError::at(token, message)
}

pub(super) fn check_number(name: &str, token: &Token<'_>, largest: u32) -> Result<u32, RdataError> {
    let digits = token.text.bytes().all(|c| c.is_ascii_digit());
    token.text.parse::<u32>().ok().filter(|n| digits && *n <= largest).ok_or_else(|| {
        let message = format!("`{}` is no {name}, a number from 0 to {largest}", token.text);
        RdataError::at(token, message)
    })
}

fn check_mnemonic(
    name: &str,
    mnemonics: Mnemonics,
    token: &Token<'_>,
    largest: u32,
) -> Result<u32, RdataError> {
    match number_of(mnemonics, token.text) {
        Some(number) => Ok(u32::from(number)),
        None => check_number(name, token, largest),
    }
}

fn check_seconds(name: &str, token: &Token<'_>) -> Result<Ttl, RdataError> {
    parse_seconds(token.text).and_then(Ttl::from_seconds).ok_or_else(|| {
        let message = format!("`{}` is no {name}, a time such as 2h or 7200", token.text);
        RdataError::at(token, message)
    })
}

fn check_type(token: &Token<'_>) -> Result<RecordType, RdataError> {
    token.text.parse().map_err(|_| misread(token, "record type"))
}
