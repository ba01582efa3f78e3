//! The HTTP statuses that pass a check.
//!
//! Kept sorted and merged, so that `"200,201"` and `"200-201"` are equal and two checks that mean the same are one target.

use std::fmt;
use std::ops::RangeInclusive;

/// The statuses that may be expected: final ones (RFC 9110 §15). A 1xx is interim; the reply that counts comes after it.
const STATUSES: RangeInclusive<u16> = 200..=599;

/// Success and redirection, which is what Route 53 takes for healthy (rule 60).
const PASSING: RangeInclusive<u16> = 200..=399;

/// A set of HTTP statuses, never empty. The default is 200 to 399 (Route 53 rule 60).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StatusSet {
    /// Sorted, with a gap between neighbours: at most 200 ranges, as a range and its gap take two statuses.
    ranges: Box<[RangeInclusive<u16>]>,
}

/// Why a text is no set of statuses. The messages are written for the author of a zone file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatusSetError {
    /// Nothing between two commas, or nothing at all.
    Empty,
    /// Something that is no number where a status was expected.
    NotAStatus(Box<str>),
    /// A number that is no final status.
    OutOfRange(u16),
    /// A range whose end is below its start.
    Backwards(u16, u16),
}

impl StatusSet {
    /// Reads statuses and ranges separated by commas: `"200-299,301"`. Spaces around parts are fine.
    ///
    /// # Errors
    /// The first part that is no status or range between 200 and 599.
    pub fn parse(text: &str) -> Result<Self, StatusSetError> {
        let ranges: Result<Vec<_>, _> = text.split(',').map(parse_range).collect();
        Ok(Self { ranges: merge(ranges?) })
    }

    /// Whether a reply with this status passes.
    pub fn contains(&self, status: u16) -> bool {
        self.ranges.iter().any(|range| range.contains(&status))
    }
}

impl Default for StatusSet {
    fn default() -> Self {
        Self { ranges: Box::new([PASSING]) }
    }
}

fn parse_range(part: &str) -> Result<RangeInclusive<u16>, StatusSetError> {
    let (start, end) = part.split_once('-').unwrap_or((part, part));
    let (start, end) = (parse_status(start)?, parse_status(end)?);
    if start > end {
        return Err(StatusSetError::Backwards(start, end));
    }
    Ok(start..=end)
}

fn parse_status(text: &str) -> Result<u16, StatusSetError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(StatusSetError::Empty);
    }
    let is_number = text.bytes().all(|octet| octet.is_ascii_digit());
    let status = text.parse().ok().filter(|_| is_number);
    let status = status.ok_or_else(|| StatusSetError::NotAStatus(text.into()))?;
    if STATUSES.contains(&status) { Ok(status) } else { Err(StatusSetError::OutOfRange(status)) }
}

/// Sorts ranges and joins those that overlap or touch.
fn merge(mut ranges: Vec<RangeInclusive<u16>>) -> Box<[RangeInclusive<u16>]> {
    ranges.sort_by_key(|range| *range.start());
    let mut merged: Vec<RangeInclusive<u16>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if *range.start() <= last.end().saturating_add(1) => {
                *last = *last.start()..=*last.end().max(range.end());
            }
            _ => merged.push(range),
        }
    }
    merged.into()
}

/// As it is written in a zone file.
impl fmt::Display for StatusSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.ranges.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            match (range.start(), range.end()) {
                (start, end) if start == end => write!(f, "{comma}{start}")?,
                (start, end) => write!(f, "{comma}{start}-{end}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for StatusSetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a status is missing; write for example \"200-299,301\""),
            Self::NotAStatus(text) => {
                write!(f, "{text:?} is no status; write for example \"200-299,301\"")
            }
            Self::OutOfRange(status) => write!(
                f,
                "{status} is no final status, which are {} to {}",
                STATUSES.start(),
                STATUSES.end()
            ),
            Self::Backwards(start, end) => {
                write!(f, "the range {start}-{end} is backwards; did you mean {end}-{start}?")
            }
        }
    }
}

impl std::error::Error for StatusSetError {}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::arithmetic_side_effects)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rule_60_two_and_three_hundreds_pass_by_default() {
        let set = StatusSet::default();
        for status in 0..=u16::MAX {
            assert_eq!(set.contains(status), matches!(status, 200..=399), "{status}");
        }
    }

    #[test]
    fn a_set_is_read_and_printed_in_one_form() {
        for (typed, printed) in [
            ("200", "200"),
            ("200-299,301", "200-299,301"),
            (" 301 , 200 - 299 ", "200-299,301"),
            ("200,201,202", "200-202"),
            ("200-300,250-260,204", "200-300"),
            ("599,200-599", "200-599"),
        ] {
            assert_eq!(StatusSet::parse(typed).unwrap().to_string(), printed);
        }
        assert_eq!(StatusSet::parse("200,201"), StatusSet::parse("200-201"));
        assert_eq!(StatusSet::parse("200-399").unwrap(), StatusSet::default());
    }

    #[test]
    fn an_error_says_what_to_write() {
        let error = |text| StatusSet::parse(text).unwrap_err();
        assert_eq!(error(""), StatusSetError::Empty);
        assert_eq!(error("200,"), StatusSetError::Empty);
        assert_eq!(error("-299"), StatusSetError::Empty);
        assert_eq!(error("2xx"), StatusSetError::NotAStatus("2xx".into()));
        assert_eq!(error("+200"), StatusSetError::NotAStatus("+200".into()));
        assert_eq!(error("200-299-300"), StatusSetError::NotAStatus("299-300".into()));
        assert_eq!(error("99999"), StatusSetError::NotAStatus("99999".into()));
        assert_eq!(error("100-599"), StatusSetError::OutOfRange(100));
        assert_eq!(error("600"), StatusSetError::OutOfRange(600));
        assert_eq!(
            error("299-200").to_string(),
            "the range 299-200 is backwards; did you mean 200-299?"
        );
    }

    proptest! {
        #[test]
        fn a_set_contains_what_its_parts_contain(
            parts in prop::collection::vec((200u16..600, 0u16..80), 1..12)
        ) {
            let parts: Vec<_> = parts.iter().map(|&(start, more)| (start, (start + more).min(599))).collect();
            let text: Vec<_> = parts.iter().map(|(start, end)| format!("{start}-{end}")).collect();
            let set = StatusSet::parse(&text.join(",")).unwrap();
            for status in 100..=700 {
                let expected = parts.iter().any(|&(start, end)| (start..=end).contains(&status));
                prop_assert_eq!(set.contains(status), expected);
            }
            prop_assert_eq!(StatusSet::parse(&set.to_string()).unwrap(), set);
        }

        #[test]
        fn no_text_panics(text in "[0-9a-f, +-]{0,20}") {
            let _ = StatusSet::parse(&text);
        }
    }
}
