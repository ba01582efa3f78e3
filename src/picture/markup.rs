//! Text inside of XML.
//!
//! Titles and names of pools come from whoever wrote the zone; here they lose their power. Invariant: what [`escape`]
//! gives may stand between tags and between quotes, and holds only characters that XML 1.0 section 2.2 allows.

use std::borrow::Cow;

/// The text with `<`, `>`, `&` and both quotes as entities, and U+FFFD for what XML has no way to write.
pub(super) fn escape(text: &str) -> String {
    text.chars().map(escape_character).collect()
}

fn escape_character(character: char) -> Cow<'static, str> {
    match character {
        '<' => "&lt;".into(),
        '>' => "&gt;".into(),
        '&' => "&amp;".into(),
        '"' => "&quot;".into(),
        '\'' => "&#39;".into(),
        '\t' | '\n' | '\r' => " ".into(),
        '\0'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}' => "\u{FFFD}".into(),
        other => other.to_string().into(),
    }
}

/// A share as a person reads it: `42.0 %`.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A share between 0 and 1, whatever came in.
pub(super) fn clamped(share: f64) -> f64 {
    if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }
}

/// How wide a text is about, in units of the canvas: the canvas knows no fonts, so half a height a character.
pub(super) fn width_of(text: &str, font_size: f64) -> f64 {
    // Names are short; beyond 2^32 characters precision would not matter.
    let characters = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    f64::from(characters) * font_size * 0.56
}

/// At most so many characters, with an ellipsis for what is cut off.
pub(super) fn shortened(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        None => text.to_owned(),
        Some(_) => text.chars().take(characters.saturating_sub(1)).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_control_characters_are_escaped() {
        assert_eq!(escape("<a b=\"c\">&'"), "&lt;a b=&quot;c&quot;&gt;&amp;&#39;");
        assert_eq!(escape("a\u{0}b\u{1B}\u{FFFF}c\nd"), "a\u{FFFD}b\u{FFFD}\u{FFFD}c d");
        assert_eq!(escape("São Paulo 東京 🌍"), "São Paulo 東京 🌍");
    }

    #[test]
    fn shares_are_between_nothing_and_all() {
        for (share, expected) in [
            (0.42, 0.42),
            (-0.1, 0.0),
            (7.0, 1.0),
            (f64::NAN, 0.0),
            (f64::INFINITY, 0.0),
            (-0.0, 0.0),
        ] {
            assert_eq!(clamped(share), expected, "{share}");
        }
        assert_eq!(
            (percent(0.42), percent(1.0), percent(0.00049)),
            ("42.0 %".into(), "100.0 %".into(), "0.0 %".into())
        );
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        assert_eq!(shortened("東京都", 3), "東京都");
        assert_eq!(shortened("東京都区", 3), "東京…");
        assert_eq!(shortened("", 0), "");
    }
}
