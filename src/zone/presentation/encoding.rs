//! Octets and numbers as presentation format writes them: base 16, 32 and 64 (RFC 4648), mnemonics, dates.
//!
//! Every decoder takes only what the encoder could have written, but for the case of hexadecimal digits, so that no two
//! octet strings are hidden behind one text.

use crate::wire::RecordType;

/// Mnemonics of small numbers, in the case that IANA lists.
pub(super) type Mnemonics = &'static [(&'static str, u16)];

/// DNS security algorithm numbers (IANA registry).
pub(super) const ALGORITHMS: Mnemonics = &[
    ("RSAMD5", 1),
    ("DH", 2),
    ("DSA", 3),
    ("RSASHA1", 5),
    ("NSEC3DSA", 6),
    ("DSA-NSEC3-SHA1", 6),
    ("NSEC3RSASHA1", 7),
    ("RSASHA1-NSEC3-SHA1", 7),
    ("RSASHA256", 8),
    ("RSASHA512", 10),
    ("ECC-GOST", 12),
    ("ECDSAP256SHA256", 13),
    ("ECDSAP384SHA384", 14),
    ("ED25519", 15),
    ("ED448", 16),
    ("INDIRECT", 252),
    ("PRIVATEDNS", 253),
    ("PRIVATEOID", 254),
];

/// Digest types of DS (IANA registry).
pub(super) const DIGESTS: Mnemonics =
    &[("SHA-1", 1), ("SHA1", 1), ("SHA-256", 2), ("SHA256", 2), ("SHA-384", 4), ("SHA384", 4)];

/// Certificate types (RFC 4398 §2.1).
pub(super) const CERTIFICATES: Mnemonics = &[
    ("PKIX", 1),
    ("SPKI", 2),
    ("PGP", 3),
    ("IPKIX", 4),
    ("ISPKI", 5),
    ("IPGP", 6),
    ("ACPKIX", 7),
    ("IACPKIX", 8),
    ("URI", 253),
    ("OID", 254),
];

/// Schemes of DSYNC (RFC 9859 §2.2).
pub(super) const SCHEMES: Mnemonics = &[("NOTIFY", 1)];

/// The protocols that WKS was made for (RFC 1035 §3.4.2).
pub(super) const PROTOCOLS: Mnemonics = &[("ICMP", 1), ("TCP", 6), ("UDP", 17)];

/// Well known services by the names that old zone files use for them.
pub(super) const SERVICES: Mnemonics = &[
    ("echo", 7),
    ("discard", 9),
    ("daytime", 13),
    ("ftp-data", 20),
    ("ftp", 21),
    ("ssh", 22),
    ("telnet", 23),
    ("smtp", 25),
    ("time", 37),
    ("domain", 53),
    ("tftp", 69),
    ("gopher", 70),
    ("finger", 79),
    ("http", 80),
    ("kerberos", 88),
    ("pop3", 110),
    ("sunrpc", 111),
    ("nntp", 119),
    ("ntp", 123),
    ("imap2", 143),
    ("imap", 143),
    ("snmp", 161),
    ("https", 443),
];

/// The number of a mnemonic, in any case.
pub(super) fn number_of(mnemonics: Mnemonics, text: &str) -> Option<u16> {
    mnemonics.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, number)| *number)
}

pub(super) fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len().div_ceil(2));
    for pair in text.as_bytes().chunks(2) {
        let [high, low] = pair else { return None };
        let (high, low) = (hex_digit(*high)?, hex_digit(*low)?);
        octets.push(high << 4 | low);
    }
    Some(octets)
}

fn hex_digit(c: u8) -> Option<u8> {
    char::from(c).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

pub(super) fn encode_hex(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len().saturating_mul(2));
    for octet in octets {
        text.extend(
            [octet >> 4, octet & 15]
                .iter()
                .filter_map(|digit| char::from_digit(u32::from(*digit), 16)),
        );
    }
    text
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE32: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";

/// Base 64 with its padding (RFC 4648 §4).
pub(super) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let padding = text.len().checked_sub(digits.len())?;
    if !text.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    decode_bits(
        digits.bytes().map(|c| match c {
            b'A'..=b'Z' => Some(c.wrapping_sub(b'A')),
            b'a'..=b'z' => Some(c.wrapping_sub(b'a').wrapping_add(26)),
            b'0'..=b'9' => Some(c.wrapping_sub(b'0').wrapping_add(52)),
            b'+' => Some(62),
            b'/' => Some(63),
            _ => None,
        }),
        6,
    )
}

pub(super) fn encode_base64(octets: &[u8]) -> String {
    let mut text = encode_bits(octets, 6, BASE64);
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

/// Base 32 with the extended hexadecimal alphabet and without padding (RFC 5155 §3.3).
pub(super) fn decode_base32(text: &str) -> Option<Vec<u8>> {
    decode_bits(
        text.bytes().map(|c| match c.to_ascii_lowercase() {
            c @ b'0'..=b'9' => Some(c.wrapping_sub(b'0')),
            c @ b'a'..=b'v' => Some(c.wrapping_sub(b'a').wrapping_add(10)),
            _ => None,
        }),
        5,
    )
}

pub(super) fn encode_base32(octets: &[u8]) -> String {
    encode_bits(octets, 5, BASE32)
}

/// Joins digits of so many bits each; what is left over must be less than a digit, and zero.
fn decode_bits(digits: impl Iterator<Item = Option<u8>>, width: u32) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(digits.size_hint().0);
    let (mut bits, mut count) = (0u32, 0u32);
    for digit in digits {
        bits = bits.wrapping_shl(width) | u32::from(digit?);
        count = count.saturating_add(width);
        if let Some(left) = count.checked_sub(8) {
            octets.push(u8::try_from(bits.wrapping_shr(left) & 255).ok()?);
            bits &= 1u32.wrapping_shl(left).wrapping_sub(1);
            count = left;
        }
    }
    (bits == 0 && count < width).then_some(octets)
}

fn encode_bits(octets: &[u8], width: u32, alphabet: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len().saturating_mul(2));
    let mask = 1u32.wrapping_shl(width).wrapping_sub(1);
    let mut push = |digit: u32| {
        let digit = usize::try_from(digit & mask).ok().and_then(|digit| alphabet.get(digit));
        text.extend(digit.map(|c| char::from(*c)));
    };
    let (mut bits, mut count) = (0u32, 0u32);
    for octet in octets {
        bits = (bits << 8 | u32::from(*octet)) & 0xffff;
        count = count.saturating_add(8);
        while let Some(left) = count.checked_sub(width) {
            push(bits.wrapping_shr(left));
            count = left;
        }
    }
    if count > 0 {
        push(bits.wrapping_shl(width.saturating_sub(count)));
    }
    text
}

/// A number with at most so many decimals, in units of the last of them: `12.5` with two is 1250.
pub(super) fn parse_decimal(text: &str, decimals: usize) -> Option<i64> {
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let padding = decimals.checked_sub(fraction.len())?;
    let is_digits = |text: &str| text.bytes().all(|c| c.is_ascii_digit());
    if whole.is_empty() || whole.len() > 10 || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let number: i64 = format!("{whole}{fraction}{}", "0".repeat(padding)).parse().ok()?;
    Some(if is_negative { number.wrapping_neg() } else { number })
}

/// Types as windows of bits (RFC 4034 §4.1.2).
pub(super) fn encode_bitmap(mut types: Vec<RecordType>, octets: &mut Vec<u8>) {
    types.sort_unstable();
    for window in types.chunk_by(|a, b| a.0 >> 8 == b.0 >> 8) {
        let mut bits = Vec::new();
        for rtype in window {
            set_bit(&mut bits, rtype.0 & 255);
        }
        let number = window.first().and_then(|rtype| u8::try_from(rtype.0 >> 8).ok());
        octets.push(number.unwrap_or(0));
        octets.push(u8::try_from(bits.len()).unwrap_or(0));
        octets.extend(bits);
    }
}

/// Sets one bit, the highest of the first octet being number 0.
pub(super) fn set_bit(bits: &mut Vec<u8>, number: u16) {
    let place = usize::from(number >> 3);
    if bits.len() <= place {
        bits.resize(place.saturating_add(1), 0);
    }
    if let Some(octet) = bits.get_mut(place) {
        *octet |= 128u8.wrapping_shr(u32::from(number & 7));
    }
}

/// The numbers of the bits that are set, among the first 65,536.
pub(super) fn set_bits(bits: &[u8]) -> impl Iterator<Item = u16> {
    (0..=u16::MAX).filter(|number| {
        let octet = bits.get(usize::from(number >> 3)).copied().unwrap_or(0);
        octet & 128u8.wrapping_shr(u32::from(number & 7)) != 0
    })
}

const DAY_SECONDS: u32 = 86_400;

/// `YYYYMMDDHHMMSS` in UTC, or seconds since 1970 (RFC 4034 §3.2).
pub(super) fn parse_time(text: &str) -> Option<u32> {
    if !text.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    if text.len() != 14 {
        return text.parse().ok();
    }
    let part = |from: usize, to: usize| text.get(from..to)?.parse::<u32>().ok();
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
    if hour > 23 || minute > 59 || second > 59 || day == 0 || day > month_days(year, month)? {
        return None;
    }
    let years = (1970..year).try_fold(0u32, |sum, year| sum.checked_add(year_days(year)))?;
    let months =
        (1..month).try_fold(0u32, |sum, month| sum.checked_add(month_days(year, month)?))?;
    let days = years.checked_add(months)?.checked_add(day)?.checked_sub(1)?;
    let of_day = hour.checked_mul(3600)?.checked_add(minute.checked_mul(60)?)?;
    days.checked_mul(DAY_SECONDS)?.checked_add(of_day)?.checked_add(second).filter(|_| year >= 1970)
}

/// The inverse of [`parse_time`], always with a date.
pub(super) fn print_time(seconds: u32) -> String {
    let (mut days, of_day) = (seconds / DAY_SECONDS, seconds % DAY_SECONDS);
    let mut year = 1970u32;
    while let Some(rest) = days.checked_sub(year_days(year)) {
        (days, year) = (rest, year.saturating_add(1));
    }
    let mut month = 1u32;
    while let Some(rest) = month_days(year, month).and_then(|length| days.checked_sub(length)) {
        (days, month) = (rest, month.saturating_add(1));
    }
    let day = days.saturating_add(1);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}")
}

fn is_leap(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn year_days(year: u32) -> u32 {
    if is_leap(year) { 366 } else { 365 }
}

fn month_days(year: u32, month: u32) -> Option<u32> {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 => Some(if is_leap(year) { 29 } else { 28 }),
        _ => None,
    }
}
