//! LOC: a place on the earth (RFC 1876 §2, §3).
//!
//! In RDATA: a version, three sizes as one decimal digit and a power of ten, latitude and longitude in thousandths of an
//! arc second around 2^31, and the altitude in centimetres above 100 km below the sea.

use super::RdataError;
use super::encoding::parse_decimal;
use super::token::Token;
use crate::wire::Reader;

/// Equator and prime meridian.
const MIDDLE: u32 = 1 << 31;
/// Centimetres below the sea at which altitudes begin.
const DEPTH: i64 = 10_000_000;
const DEGREE: i64 = 3_600_000;
const MINUTE: i64 = 60_000;
/// Size, horizontal and vertical precision where none is written: 1 m, 10 km, 10 m.
const DEFAULT_SIZES: [u8; 3] = [0x12, 0x16, 0x13];

/// Appends the data that the tokens stand for.
pub(super) fn compose_location(
    tokens: &[Token<'_>],
    octets: &mut Vec<u8>,
) -> Result<(), RdataError> {
    let mut rest = tokens;
    let latitude = read_angle(&mut rest, "latitude", 90, ["N", "S"])?;
    let longitude = read_angle(&mut rest, "longitude", 180, ["E", "W"])?;
    let (altitude, rest) = rest
        .split_first()
        .ok_or_else(|| RdataError::whole("the altitude is missing behind the longitude"))?;
    let altitude = parse_metres(altitude.text)
        .and_then(|metres| u32::try_from(metres.checked_add(DEPTH)?).ok())
        .ok_or_else(|| misread(altitude, "altitude in metres"))?;
    let mut sizes = DEFAULT_SIZES;
    if let Some(extra) = rest.get(sizes.len()) {
        return Err(RdataError::at(extra, format!("`{}` is one field too many", extra.text)));
    }
    for (size, token) in sizes.iter_mut().zip(rest) {
        *size = encode_size(token.text).ok_or_else(|| misread(token, "size in metres"))?;
    }
    octets.push(0);
    octets.extend(sizes);
    for number in [latitude, longitude, altitude] {
        octets.extend(number.to_be_bytes());
    }
    Ok(())
}

fn misread(token: &Token<'_>, what: &str) -> RdataError {
    RdataError::at(token, format!("`{}` is no {what}", token.text))
}

/// Takes degrees, minutes and seconds up to the letter of the hemisphere.
fn read_angle(
    rest: &mut &[Token<'_>],
    what: &str,
    most: i64,
    letters: [&str; 2],
) -> Result<u32, RdataError> {
    let [positive, negative] = letters;
    let is_letter = |token: &Token<'_>| letters.iter().any(|c| c.eq_ignore_ascii_case(token.text));
    let missing = || {
        RdataError::whole(format!(
            "the {what} needs `{positive}` or `{negative}` behind its numbers"
        ))
    };
    let end = rest.iter().take(4).position(is_letter).ok_or_else(missing)?;
    let (numbers, others) = rest.split_at_checked(end).ok_or_else(missing)?;
    let (letter, others) = others.split_first().ok_or_else(missing)?;
    let mut angle = 0i64;
    for (token, (unit, decimals, largest)) in
        numbers.iter().zip([(DEGREE, 0, most), (MINUTE, 0, 59), (1, 3, 59_999)])
    {
        let number = parse_decimal(token.text, decimals).filter(|n| (0..=largest).contains(n));
        let number = number.ok_or_else(|| misread(token, what))?;
        angle = angle.saturating_add(number.saturating_mul(unit));
    }
    if numbers.is_empty() || angle > most.saturating_mul(DEGREE) {
        return Err(misread(numbers.first().unwrap_or(letter), what));
    }
    *rest = others;
    let angle =
        if letter.text.eq_ignore_ascii_case(negative) { angle.saturating_neg() } else { angle };
    u32::try_from(angle.saturating_add(i64::from(MIDDLE))).map_err(|_| missing())
}

/// Centimetres.
fn parse_metres(text: &str) -> Option<i64> {
    parse_decimal(text.strip_suffix(['m', 'M']).unwrap_or(text), 2)
}

/// The leading digit and the power of ten of a size in centimetres; the other digits are lost, as RFC 1876 §2 has it.
fn encode_size(text: &str) -> Option<u8> {
    let mut digit =
        u64::try_from(parse_metres(text)?).ok().filter(|size| *size <= 9_000_000_000)?;
    let mut power = 0u8;
    while digit > 9 {
        (digit, power) = (digit / 10, power.saturating_add(1));
    }
    Some(u8::try_from(digit).ok()? << 4 | power)
}

/// Presentation format of the data; nothing if they are none.
pub(super) fn print_location(reader: &mut Reader<'_>) -> Option<String> {
    if reader.u8().ok()? != 0 {
        return None;
    }
    let sizes = [reader.u8().ok()?, reader.u8().ok()?, reader.u8().ok()?];
    let latitude = print_angle(reader.u32().ok()?, 90, ["N", "S"])?;
    let longitude = print_angle(reader.u32().ok()?, 180, ["E", "W"])?;
    let altitude = print_metres(i64::from(reader.u32().ok()?).saturating_sub(DEPTH));
    let sizes: Option<Vec<String>> = sizes.into_iter().map(decode_size).collect();
    Some(format!("{latitude} {longitude} {altitude} {}", sizes?.join(" ")))
}

fn print_angle(number: u32, most: i64, letters: [&str; 2]) -> Option<String> {
    let [positive, negative] = letters;
    let angle = i64::from(number).saturating_sub(i64::from(MIDDLE));
    let letter = if angle < 0 { negative } else { positive };
    let angle = angle.saturating_abs();
    if angle > most.saturating_mul(DEGREE) {
        return None;
    }
    let (degrees, minutes) = (angle / DEGREE, angle / MINUTE % 60);
    let (seconds, thousandths) = (angle / 1000 % 60, angle % 1000);
    Some(format!("{degrees} {minutes} {seconds}.{thousandths:03} {letter}"))
}

fn print_metres(centimetres: i64) -> String {
    let sign = if centimetres < 0 { "-" } else { "" };
    let centimetres = centimetres.saturating_abs();
    format!("{sign}{}.{:02}m", centimetres / 100, centimetres % 100)
}

fn decode_size(size: u8) -> Option<String> {
    let (digit, power) = (size >> 4, size & 15);
    if digit > 9 || power > 9 {
        return None;
    }
    Some(print_metres(i64::from(digit).saturating_mul(10i64.saturating_pow(u32::from(power)))))
}
