//! Small texts of a zone file: TOML strings, durations, names of entries made from what was called otherwise elsewhere.

use crate::limits::ENTRY_NAME_OCTETS;

/// A TOML string that stands for this text.
pub(super) fn quote(text: &str) -> String {
    if text.chars().any(char::is_control) || (text.contains('\'') && text.contains(['"', '\\'])) {
        let escaped = text.chars().map(|c| match c {
            '"' => "\\\"".to_owned(),
            '\\' => "\\\\".to_owned(),
            c if c.is_control() => format!("\\u{:04X}", u32::from(c)),
            c => c.to_string(),
        });
        return format!("\"{}\"", escaped.collect::<String>());
    }
    if text.contains(['"', '\\']) { format!("'{text}'") } else { format!("\"{text}\"") }
}

/// An array of strings, or the string alone if there is one.
pub(super) fn one_or_many(texts: &[String]) -> String {
    match texts {
        [one] => quote(one),
        many => array(many),
    }
}

/// An array of strings.
pub(super) fn array(texts: &[String]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| quote(text)).collect();
    format!("[{}]", quoted.join(", "))
}

/// A key, bare where TOML takes it so.
pub(super) fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !name.is_empty() && name.chars().all(is_bare) { name.to_owned() } else { quote(name) }
}

/// A duration as zone files have it: `90` is `1m30s`.
pub(super) fn seconds(count: u32) -> String {
    let mut rest = count;
    let mut text = String::new();
    for (unit, length) in [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)] {
        let number = rest.checked_div(length).unwrap_or(0);
        if number > 0 {
            text.push_str(&format!("{number}{unit}"));
            rest = rest.saturating_sub(number.saturating_mul(length));
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// A name for an entry: lower case, with a dash for whatever can't stand in one, and room for a number at its end.
pub(super) fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.to_lowercase().chars() {
        match c {
            c if c.is_ascii_alphanumeric() || c == '_' => slug.push(c),
            '*' => slug.push_str("any"),
            '@' => slug.push_str("apex"),
            _ if slug.is_empty() || slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    let room = ENTRY_NAME_OCTETS.saturating_sub(16);
    let slug: String = slug.chars().take(room).collect();
    let slug = slug.trim_matches('-');
    if slug.is_empty() { "unnamed".to_owned() } else { slug.to_owned() }
}

/// A comment: one line, without what could end it.
pub(super) fn comment(text: &str) -> String {
    text.replace(char::is_control, "?")
}

#[cfg(test)]
mod tests {
    use super::*;
    use toml::de::DeTable;

    #[test]
    fn strings_survive_toml() {
        for text in ["", "a", "a\"b", "a'b", "\\052", "a'b\"c\\d", "tab\there", "new\nline", "é"] {
            let document = format!("v = {}", quote(text));
            let table = DeTable::parse(&document).unwrap();
            assert_eq!(table.get_ref()["v"].get_ref().as_str(), Some(text));
        }
    }

    #[test]
    fn slugs_are_names_of_entries() {
        for (text, expected) in [
            ("api", "api"),
            ("API.example com", "api-example-com"),
            ("*.w", "any-w"),
            ("@", "apex"),
            ("_octodns-us-value.www", "_octodns-us-value-www"),
            ("--", "unnamed"),
            ("ünï", "n"),
        ] {
            assert_eq!(slug(text), expected);
        }
        assert_eq!(slug(&"x".repeat(500)).len(), 112);
    }

    #[test]
    fn seconds_are_durations() {
        for (count, text) in [(0, "0s"), (60, "1m"), (90, "1m30s"), (172_800, "2d"), (3601, "1h1s")]
        {
            assert_eq!(seconds(count), text);
        }
    }
}
