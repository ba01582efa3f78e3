//! One record behind its owner: TTL and class in either order or missing, then type and data (RFC 1035 §5.1).

use super::{Problem, Span, span_of, span_over};
use crate::limits::{SUGGESTION_OCTETS, SUGGESTION_WORDS};
use crate::wire::{Name, RecordType, Ttl};
use crate::zone::presentation::{self, QUOTE_IN_WORD, RdataError, Token};

const FORM: &str =
    "a record is written OWNER TTL CLASS TYPE DATA, of which TTL and class may be left out";

/// What stands between the owner of a record and its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The record's own, if it has one.
    pub(super) ttl: Option<Ttl>,
    pub(super) rtype: RecordType,
    pub(super) type_span: Span,
}

impl Header {
    /// Whether the data may hold `key="value"` (RFC 9460 §2.1).
    pub(super) fn has_parameters(&self) -> bool {
        matches!(self.rtype, RecordType::SVCB | RecordType::HTTPS)
    }
}

/// Reads the header from the front of the tokens; `owner` is the token before, if it was typed.
pub(super) fn read_header<'e, 't>(
    owner: Option<&Token<'t>>,
    tokens: &'e [Token<'t>],
) -> Result<(Header, &'e [Token<'t>]), Problem> {
    let (mut ttl, mut has_class) = (None, false);
    let mut rest = tokens;
    while let Some((token, others)) = rest.split_first() {
        if let Some(read) = read_ttl(token)? {
            if ttl.replace(read).is_some() {
                return Err(misplaced(token, "is a second TTL"));
            }
        } else if is_class(token)? {
            if std::mem::replace(&mut has_class, true) {
                return Err(misplaced(token, "is a second class"));
            }
        } else {
            let rtype = read_type(owner, token)?;
            return Ok((Header { ttl, rtype, type_span: span_of(token) }, others));
        }
        rest = others;
    }
    let last = tokens.last().or(owner).map_or(0..0, span_of);
    Err(advise_on_owner(owner, Problem::error(last, "the record type is missing behind this")))
}

fn misplaced(token: &Token<'_>, what: &str) -> Problem {
    Problem::error(span_of(token), format!("`{}` {what}", token.text)).help(FORM)
}

/// Seconds, or times with units; nothing if the token is none. No type and no class begins with a digit.
pub(super) fn read_ttl(token: &Token<'_>) -> Result<Option<Ttl>, Problem> {
    let text = token.text;
    let is_time = |c: u8| c.is_ascii_digit() || b"smhdwSMHDW".contains(&c);
    if !text.starts_with(|c: char| c.is_ascii_digit()) || !text.bytes().all(is_time) {
        return Ok(None);
    }
    match presentation::parse_seconds(text).map(Ttl::from_seconds) {
        Some(Some(ttl)) => Ok(Some(ttl)),
        None if !text.bytes().all(|c| c.is_ascii_digit()) => {
            let message = format!("`{text}` is no time such as 3600 or 1h30m");
            Err(Problem::error(span_of(token), message))
        }
        _ => {
            let message = format!("`{text}` is above the largest TTL, {}", Ttl::MAX.as_seconds());
            Err(Problem::error(span_of(token), message).help("RFC 2181 §8 bounds it: 68 years"))
        }
    }
}

/// Whether a token is the class IN. Any other class is an error.
fn is_class(token: &Token<'_>) -> Result<bool, Problem> {
    let text = token.text;
    if text.eq_ignore_ascii_case("IN") {
        return Ok(true);
    }
    let number = class_number(text);
    if number == Some(1) {
        return Ok(true);
    }
    if number.is_none() && !is_other_class(text) {
        return Ok(false);
    }
    let message = format!("the class `{text}` is not served, only IN is");
    Err(Problem::error(span_of(token), message).help("write IN, or leave the class out"))
}

/// `CLASS123` (RFC 3597 §5).
fn class_number(text: &str) -> Option<u16> {
    let (prefix, digits) = text.split_at_checked(5)?;
    let is_number = prefix.eq_ignore_ascii_case("CLASS") && !digits.starts_with('+');
    digits.parse().ok().filter(|_| is_number)
}

/// A class that IANA lists. ANY is a type as well, and no zone can hold either.
fn is_other_class(text: &str) -> bool {
    ["CH", "CHAOS", "HS", "HESIOD", "CS", "ANY", "NONE"]
        .iter()
        .any(|class| class.eq_ignore_ascii_case(text))
}

/// Whether a name that was typed as an owner reads like a class.
pub(super) fn is_like_class(owner: &Token<'_>) -> bool {
    owner.text.eq_ignore_ascii_case("IN") || class_number(owner.text).is_some()
}

fn read_type(owner: Option<&Token<'_>>, token: &Token<'_>) -> Result<RecordType, Problem> {
    match token.text.parse::<RecordType>() {
        Ok(rtype) if rtype.is_meta() || rtype.0 == 0 => {
            let message = format!("{rtype} is for messages only, no zone can hold it");
            Err(Problem::error(span_of(token), message))
        }
        Ok(rtype) => Ok(rtype),
        Err(_) => Err(no_type(owner, token)),
    }
}

/// Something stands where the type should.
fn no_type(owner: Option<&Token<'_>>, token: &Token<'_>) -> Problem {
    let text = token.text;
    let (message, help) = match implied_type(text) {
        Some(rtype) => (
            format!("the record type is missing before `{text}`"),
            format!("write `{rtype} {text}`"),
        ),
        None => (format!("`{text}` is no record type"), suggest_type(text)),
    };
    advise_on_owner(owner, Problem::error(span_of(token), message).help(help))
}

/// The type that some data can only be meant for.
fn implied_type(text: &str) -> Option<RecordType> {
    match text.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(_)) => Some(RecordType::A),
        Ok(std::net::IpAddr::V6(_)) => Some(RecordType::AAAA),
        Err(_) => text.starts_with('"').then_some(RecordType::TXT),
    }
}

fn suggest_type(typed: &str) -> String {
    let folded = typed.to_ascii_uppercase();
    let length = folded.chars().count();
    let known = RecordType::mnemonics().take(SUGGESTION_WORDS);
    let known = known.filter(|_| folded.len() <= SUGGESTION_OCTETS);
    let distances = known.map(|known| (strsim::osa_distance(&folded, known), known));
    let is_near = |distance: usize| distance < length && distance <= length.div_ceil(3).min(3);
    let near = distances.filter(|(distance, _)| is_near(*distance));
    match near.min_by_key(|(distance, _)| *distance) {
        Some((_, guess)) => format!("did you mean `{guess}`?"),
        None => "a type without a name is written TYPE123 (RFC 3597 §5)".to_owned(),
    }
}

/// Says that the first word of the line was read as the owner, if it looks like something else.
fn advise_on_owner(owner: Option<&Token<'_>>, problem: Problem) -> Problem {
    let Some(owner) = owner else { return problem };
    let is_type = owner.text.parse::<RecordType>().is_ok();
    if is_type || is_like_class(owner) || matches!(read_ttl(owner), Ok(Some(_))) {
        return problem.help(format!(
            "`{}` was read as the owner; begin the line with a blank, or with the owner",
            owner.text
        ));
    }
    match problem.help {
        Some(_) => problem,
        None => problem.help(FORM),
    }
}

/// Reads the data into a buffer and says where they stand. A token with a value in quotes, of which `parameter` is the
/// first one of the entry, is one only for services; for other types the quote begins a token of its own.
pub(super) fn read_data(
    header: &Header,
    tokens: &[Token<'_>],
    parameter: Option<Token<'_>>,
    origin: &Name,
    octets: &mut Vec<u8>,
) -> Result<Span, Problem> {
    if let Some(parameter) = parameter.filter(|parameter| !tokens.contains(parameter)) {
        return Err(Problem::error(span_of(&parameter), QUOTE_IN_WORD));
    }
    let apart: Vec<Token<'_>>;
    let tokens = if parameter.is_some() && !header.has_parameters() {
        apart = tokens.iter().flat_map(split_value).collect();
        &apart
    } else {
        tokens
    };
    let end = header.type_span.end;
    let span = span_over(tokens).unwrap_or(end..end);
    presentation::push_fields(header.rtype, tokens, origin, octets)
        .map(|()| span.clone())
        .map_err(|error| data_problem(header, tokens, span, &error))
}

/// `a="b"` as `a=` and `"b"`, anything else as it is.
fn split_value<'t>(token: &Token<'t>) -> impl Iterator<Item = Token<'t>> + use<'t> {
    let Token { text, offset } = *token;
    let at = text.find("=\"").filter(|_| text.ends_with('"') && !text.starts_with('"'));
    let at = at.map_or(text.len(), |at| at.saturating_add(1));
    let (key, value) = text.split_at_checked(at).unwrap_or((text, ""));
    let value = Token { text: value, offset: offset.saturating_add(at) };
    [Token { text: key, offset }, value].into_iter().filter(|token| !token.text.is_empty())
}

fn data_problem(header: &Header, tokens: &[Token<'_>], span: Span, error: &RdataError) -> Problem {
    let whole = if tokens.is_empty() { header.type_span.clone() } else { span };
    let at = tokens.iter().find(|token| Some(token.offset) == error.offset);
    let message = format!("{} record: {error}", header.rtype);
    let problem = Problem::error(at.map_or(whole, span_of), message);
    let help = if tokens.iter().any(|token| token.text.contains('\n')) {
        Some(
            "a quoted text goes on over the end of a line here; its closing quote may be missing"
                .to_owned(),
        )
    } else {
        presentation::master_usage(header.rtype)
    };
    Problem { help, ..problem }
}
