//! Finds a line in a sorted text that is compiled in.
//!
//! Why text: a table of five thousand places reads, compares and shrinks better as lines than as Rust, and needs no
//! start-up work: a line is found by halving the text itself, in a dozen steps. Neighbours: `country.rs` and
//! `subdivision.rs`, whose files under `geodb/` are sorted by their first word (tested there) and end with a new line.

use std::cmp::Ordering;

/// What follows the first word of the line that begins with `key`.
pub(super) fn find<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    // Both are where a line begins, or the end of the text.
    let (mut low, mut high) = (0usize, text.len());
    while low < high {
        let before = text.as_bytes().get(low..low.midpoint(high))?;
        let after_break = |at: usize| low.saturating_add(at).saturating_add(1);
        let start = before.iter().rposition(|octet| *octet == b'\n').map_or(low, after_break);
        let (line, _) = text.get(start..)?.split_once('\n')?;
        let (word, rest) = line.split_once(' ')?;
        match word.cmp(key) {
            Ordering::Equal => return Some(rest),
            Ordering::Less => low = start.saturating_add(line.len()).saturating_add(1),
            Ordering::Greater => high = start,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::find;

    const TEXT: &str = "AA one\nAB Åland ü\nABC 3\nB four five\nZZ last\n";

    #[test]
    fn every_line_is_found_and_nothing_between() {
        for line in TEXT.lines() {
            let (word, rest) = line.split_once(' ').unwrap_or_default();
            assert_eq!(find(TEXT, word), Some(rest), "{word}");
        }
        for word in ["", "A", "AAA", "ABCD", "BA", "Z", "ZZZ", "ü", "AA one"] {
            assert_eq!(find(TEXT, word), None, "{word:?}");
        }
        assert_eq!(find("", "AA"), None);
    }
}
