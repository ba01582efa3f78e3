//! Fields of a text in presentation format, before anyone knows what they mean (RFC 1035 §5.1).

use super::RdataError;
use crate::wire::RecordType;

/// One field of the text, as it stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'t> {
    /// With its quotes, if it has any.
    pub text: &'t str,
    /// Where it begins, in octets of the text that it was taken from.
    pub offset: usize,
}

impl<'t> Token<'t> {
    /// Without the quotes around it.
    pub fn inner(&self) -> &'t str {
        let stripped = self.text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        stripped.unwrap_or(self.text)
    }
}

/// What must not be in the text of any record. Octets that are meant can be escaped.
pub(super) fn check_characters(text: &str) -> Result<(), RdataError> {
    if let Some((offset, c)) = text.char_indices().find(|&(_, c)| c.is_control() && c != '\t') {
        let what = if matches!(c, '\n' | '\r') { "a line break" } else { "a control character" };
        let message = format!("{what} may not stand in record data");
        return Err(RdataError { message, offset: Some(offset) });
    }
    Ok(())
}

/// What is said where a quote neither begins a token nor the value of a parameter.
pub(in crate::zone) const QUOTE_IN_WORD: &str = "a quote stands inside a word; write \\\" for one";

/// Splits a text into its fields. Parentheses, which only serve to span lines, are skipped where they balance.
pub(super) fn split(text: &str, rtype: RecordType) -> Result<Vec<Token<'_>>, RdataError> {
    check_characters(text)?;
    let mut tokens = Vec::new();
    let mut open = 0usize;
    let mut start = 0usize;
    while let Some(c) = text.get(start..).and_then(|rest| rest.chars().next()) {
        let here = Token { text: "", offset: start };
        match c {
            ' ' | '\t' => {}
            '(' => open = open.saturating_add(1),
            ')' => {
                open = open
                    .checked_sub(1)
                    .ok_or_else(|| RdataError::at(&here, "a `)` closes nothing"))?;
            }
            ';' => {
                let message = "a `;` starts a comment; put a text that holds one in quotes";
                return Err(RdataError::at(&here, message));
            }
            _ => {
                let end = end_of_token(text, start, rtype)?;
                let token = text.get(start..end).unwrap_or_default();
                tokens.push(Token { text: token, offset: start });
                start = end;
                continue;
            }
        }
        start = start.saturating_add(1);
    }
    if open > 0 { Err(RdataError::whole("a `(` is not closed")) } else { Ok(tokens) }
}

/// Where the token that begins at `start` ends.
fn end_of_token(text: &str, start: usize, rtype: RecordType) -> Result<usize, RdataError> {
    let rest = text.get(start..).unwrap_or_default();
    let here = Token { text: rest, offset: start };
    let mut in_quotes = false;
    let mut characters = rest.char_indices();
    while let Some((index, c)) = characters.next() {
        match c {
            '\\' => skip_escape(&mut characters).map_err(|text| RdataError::at(&here, text))?,
            '"' if in_quotes => {
                let end = start.saturating_add(index).saturating_add(1);
                return expect_gap(text, end);
            }
            '"' if index > 0 && !is_parameter(rtype, rest.get(..index)) => {
                return Err(RdataError::at(&here, QUOTE_IN_WORD));
            }
            '"' => in_quotes = true,
            ' ' | '\t' | '(' | ')' | ';' if !in_quotes => return Ok(start.saturating_add(index)),
            _ => {}
        }
    }
    if in_quotes { Err(RdataError::at(&here, "a quote is not closed")) } else { Ok(text.len()) }
}

/// A service parameter may have its value in quotes: `alpn="h2,h3"` (RFC 9460 §2.1).
fn is_parameter(rtype: RecordType, before: Option<&str>) -> bool {
    let has_parameters = matches!(rtype, RecordType::SVCB | RecordType::HTTPS);
    let is_key = |key: &str| key.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
    has_parameters && before.and_then(|text| text.strip_suffix('=')).is_some_and(is_key)
}

fn expect_gap(text: &str, end: usize) -> Result<usize, RdataError> {
    match text.get(end..).and_then(|rest| rest.chars().next()) {
        None | Some(' ' | '\t' | '(' | ')' | ';') => Ok(end),
        Some(_) => Err(RdataError {
            message: "a closing quote is followed by neither a space nor the end".to_owned(),
            offset: Some(end),
        }),
    }
}

/// Steps over what follows a backslash (RFC 1035 §5.1).
pub(in crate::zone) fn skip_escape(
    characters: &mut std::str::CharIndices<'_>,
) -> Result<(), &'static str> {
    const MESSAGE: &str =
        "a backslash needs three digits up to 255 or one ASCII character after it";
    let first = characters.next().map(|(_, c)| c).filter(char::is_ascii).ok_or(MESSAGE)?;
    let Some(mut value) = first.to_digit(10) else {
        return Ok(());
    };
    for _ in 0..2 {
        let digit = characters.next().and_then(|(_, c)| c.to_digit(10)).ok_or(MESSAGE)?;
        value = value.saturating_mul(10).saturating_add(digit);
    }
    if value > 255 { Err(MESSAGE) } else { Ok(()) }
}

/// Appends the octets that a checked text stands for.
pub(super) fn push_unescaped(text: &str, octets: &mut Vec<u8>) {
    if !text.contains('\\') {
        return octets.extend_from_slice(text.as_bytes());
    }
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        if octet != b'\\' {
            octets.push(octet);
            continue;
        }
        let Some(first) = rest.next() else { break };
        if !first.is_ascii_digit() {
            octets.push(first);
            continue;
        }
        let digits = [first, rest.next().unwrap_or(b'0'), rest.next().unwrap_or(b'0')];
        let value = std::str::from_utf8(&digits).ok().and_then(|digits| digits.parse().ok());
        octets.push(value.unwrap_or(0));
    }
}

/// Writes octets outside printable ASCII as decimal escapes: `domain` refuses them, people write them in TXT records.
pub(super) fn to_ascii(text: &str) -> String {
    let mut ascii = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b' '..=b'~' => ascii.push(char::from(octet)),
            _ => ascii.push_str(&format!("\\{octet:03}")),
        }
    }
    ascii
}
