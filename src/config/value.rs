//! Small values that zone files write as strings: durations, TTLs, names of entries; and guesses at what was meant.

use std::time::Duration;

use super::expectation::Share;
use crate::limits::{ENTRY_NAME_OCTETS, SUGGESTION_OCTETS, SUGGESTION_WORDS};
use crate::wire::Ttl;

/// Why a text is no value of its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ValueError {
    pub(super) message: String,
    /// What to write instead, where that can be guessed.
    pub(super) help: Option<String>,
}

fn refuse<T>(message: impl Into<String>, help: Option<String>) -> Result<T, ValueError> {
    Err(ValueError { message: message.into(), help })
}

/// Units of time, the largest first, with their length in milliseconds.
const UNITS: &[(&str, u64)] = &[
    ("w", 604_800_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Reads a duration such as `500ms`, `10s`, `5m`, `1h30m` or `1d`: larger units first, each once.
pub(super) fn parse_duration(text: &str) -> Result<Duration, ValueError> {
    let mut rest = text;
    let mut total_ms = 0u64;
    let mut allowed = UNITS;
    while !rest.is_empty() {
        let (number, after) = split_at(rest, |c| !c.is_ascii_digit());
        let (unit, after) = split_at(after, |c| !c.is_ascii_alphabetic());
        let Ok(number_value) = number.parse::<u64>() else {
            return refuse(format!("`{text}` is no duration"), example_for(text));
        };
        let Some(place) = UNITS.iter().position(|(name, _)| *name == unit) else {
            let message = unknown_unit(text, number, unit, after);
            return refuse(message, suggest_unit(text, number, unit));
        };
        let Some(place) = allowed.iter().position(|known| UNITS.get(place) == Some(known)) else {
            let message = format!("`{text}` repeats a unit or has a small one before a large one");
            return refuse(message, Some("write \"1h30m\", not \"30m1h\"".to_owned()));
        };
        let (_, length_ms) = allowed.get(place).copied().unwrap_or(("", 0));
        let part = number_value.checked_mul(length_ms);
        let Some(sum) = part.and_then(|part| total_ms.checked_add(part)) else {
            return refuse(format!("`{text}` is longer than any clock counts"), None);
        };
        total_ms = sum;
        allowed = allowed.get(place.saturating_add(1)..).unwrap_or_default();
        rest = after;
    }
    if text.is_empty() {
        return refuse("a duration is missing", example_for(text));
    }
    Ok(Duration::from_millis(total_ms))
}

/// Reads a TTL: a duration in whole seconds below 2^31.
pub(super) fn parse_ttl(text: &str) -> Result<Ttl, ValueError> {
    let duration = parse_duration(text)?;
    if duration.subsec_millis() != 0 {
        let seconds = duration.as_secs().saturating_add(1);
        return refuse(
            format!("`{text}` is not a whole number of seconds, which a TTL is"),
            Some(format!("write \"{seconds}s\"")),
        );
    }
    let Some(ttl) = Ttl::from_duration(duration) else {
        return refuse(
            format!("`{text}` is above the largest TTL, {} s (68 years)", Ttl::MAX.as_seconds()),
            None,
        );
    };
    Ok(ttl)
}

/// Reads a share such as `60%` or `33.33%`.
pub(super) fn parse_share(text: &str) -> Result<Share, ValueError> {
    let is_number = |digits: &str| digits.bytes().all(|octet| octet.is_ascii_digit());
    let Some(number) = text.strip_suffix('%') else {
        let help = is_number(text).then(|| format!("write \"{text}%\""));
        return refuse(format!("`{text}` has no %"), help.filter(|_| !text.is_empty()));
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || !is_number(whole) || !is_number(fraction) {
        return refuse(format!("`{text}` is no percentage"), Some("write \"60%\"".to_owned()));
    }
    if fraction.len() > 2 {
        return refuse(format!("`{text}` has more than two decimal places"), None);
    }
    let hundredths = format!("{whole}{fraction:0<2}").parse::<u16>().ok().map(Share);
    match hundredths.filter(|share| *share <= Share::WHOLE) {
        Some(share) => Ok(share),
        None => refuse(format!("`{text}` is more than the whole"), None),
    }
}

/// A duration as a zone file writes it.
pub(super) fn format_duration(duration: Duration) -> String {
    let mut rest_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, length_ms) in UNITS {
        let count = rest_ms.checked_div(*length_ms).unwrap_or(0);
        if count > 0 {
            text.push_str(&format!("{count}{unit}"));
            rest_ms = rest_ms.saturating_sub(count.saturating_mul(*length_ms));
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

fn split_at(text: &str, stop: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(stop).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

fn unknown_unit(text: &str, number: &str, unit: &str, after: &str) -> String {
    match unit {
        "" if !after.is_empty() => format!("`{text}` is no duration"),
        "" if text == number => format!("`{text}` has no unit"),
        "" => format!("the `{number}` of `{text}` has no unit"),
        _ => format!("`{text}` has the unknown unit `{unit}`"),
    }
}

/// The unit that was meant by another spelling, or seconds where none was written.
fn suggest_unit(text: &str, number: &str, unit: &str) -> Option<String> {
    let meant = match unit.to_ascii_lowercase().as_str() {
        "" if text == number => "s",
        "s" | "sec" | "secs" | "second" | "seconds" => "s",
        "m" | "min" | "mins" | "minute" | "minutes" => "m",
        "h" | "hr" | "hrs" | "hour" | "hours" => "h",
        "d" | "day" | "days" => "d",
        "w" | "week" | "weeks" => "w",
        "ms" | "msec" | "millis" | "milliseconds" => "ms",
        _ => return example_for(text),
    };
    if text.len() == number.len().saturating_add(unit.len()) {
        return Some(format!("write \"{number}{meant}\""));
    }
    example_for(text)
}

fn example_for(text: &str) -> Option<String> {
    let fraction =
        if text.contains('.') { ", and for a fraction a smaller unit: \"1500ms\"" } else { "" };
    let units = "units are ms, s, m, h, d and w: \"500ms\", \"10s\", \"1h30m\"";
    Some(format!("{units}{fraction}"))
}

/// Whether a text may name a check, a pool or a policy: such names stand in metrics, commands and URLs.
pub(super) fn is_entry_name(text: &str) -> bool {
    let is_allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
    !text.is_empty() && text.len() <= ENTRY_NAME_OCTETS && text.bytes().all(is_allowed)
}

/// The known word that is most like an unknown one, if any is like it.
pub(super) fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.is_empty() || word.len() > SUGGESTION_OCTETS {
        return None;
    }
    let folded = word.to_lowercase();
    let allowed = folded.chars().count().div_ceil(3).min(3);
    let distances = known.into_iter().take(SUGGESTION_WORDS).filter_map(|candidate| {
        if candidate.len() > SUGGESTION_OCTETS {
            return None;
        }
        let distance = strsim::osa_distance(&folded, &candidate.to_lowercase());
        (distance <= allowed && distance < candidate.chars().count())
            .then_some((distance, candidate))
    });
    distances.min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

/// Words in backticks, for a list of what is possible; only the first ones of many.
pub(super) fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 12;
    let mut words = words.into_iter();
    let shown: Vec<String> = words.by_ref().take(SHOWN).map(|word| format!("`{word}`")).collect();
    match words.count() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_read_and_print() {
        for (text, ms) in [
            ("500ms", 500),
            ("10s", 10_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("1d", 86_400_000),
            ("2w", 1_209_600_000),
            ("1s500ms", 1_500),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        assert_eq!(format_duration(Duration::from_millis(5_400_500)), "1h30m500ms");
        assert_eq!(format_duration(Duration::ZERO), "0s");
    }

    #[test]
    fn bad_durations_say_what_to_write() {
        for (text, message, help) in [
            ("10", "`10` has no unit", "write \"10s\""),
            ("10sec", "`10sec` has the unknown unit `sec`", "write \"10s\""),
            ("5M", "`5M` has the unknown unit `M`", "write \"5m\""),
            (
                "30m1h",
                "`30m1h` repeats a unit or has a small one before a large one",
                "write \"1h30m\", not \"30m1h\"",
            ),
        ] {
            let error = parse_duration(text).unwrap_err();
            assert_eq!((error.message.as_str(), error.help.as_deref()), (message, Some(help)));
        }
        for text in [
            "",
            "s",
            "1.5s",
            "-1s",
            "1 s",
            "99999999999999999999s",
            "18446744073709551615w",
            "1y",
            "ä",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ttls_are_whole_seconds_below_2_to_the_31() {
        assert_eq!(parse_ttl("0s").unwrap().as_seconds(), 0);
        assert_eq!(parse_ttl("1500ms").unwrap_err().help.as_deref(), Some("write \"2s\""));
        assert!(parse_ttl("2147483647s").is_ok());
        assert!(parse_ttl("2147483648s").is_err());
    }

    #[test]
    fn shares_are_percentages_of_at_most_two_places() {
        for (text, hundredths) in
            [("60%", 6_000), ("0%", 0), ("100%", 10_000), ("33.33%", 3_333), ("0.2%", 20)]
        {
            assert_eq!(parse_share(text), Ok(Share(hundredths)), "{text}");
        }
        assert_eq!(parse_share("60").unwrap_err().help.as_deref(), Some("write \"60%\""));
        for text in ["", "%", ".5%", "5.%", "-1%", "+1%", "1.234%", "100.01%", "999999%", "1 %"] {
            assert!(parse_share(text).is_err(), "{text}");
        }
    }

    #[test]
    fn suggestions_are_near_or_none() {
        let known = ["policy", "pool", "ttl"];
        assert_eq!(closest("pols", known), Some("pool"));
        assert_eq!(closest("polic", known), Some("policy"));
        assert_eq!(closest("TTL", known), Some("ttl"));
        assert_eq!(closest("banana", known), None);
        assert_eq!(closest("x", ["y"]), None);
        assert_eq!(closest(&"x".repeat(1000), known), None);
        assert_eq!(list(["a", "b"]), "`a`, `b`");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn printing_and_reading_are_inverse(ms in any::<u32>()) {
            let duration = Duration::from_millis(u64::from(ms));
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = parse_ttl(&text);
            let _ = closest(&text, ["policy", "pöol"]);
        }
    }
}
