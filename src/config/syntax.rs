//! From text to a TOML tree, with the parser's complaints in words for people who do not know TOML's grammar.

use toml::de::{DeTable, DeValue};

use super::Source;
use super::diagnostic::{Findings, Span};
use super::place::KINDS;
use crate::limits::ZONE_FILE_OCTETS;
use crate::wire::Name;

/// Reads the tree; nothing if the text is not TOML, which is then reported.
pub(super) fn parse<'s>(
    source: &'s Source,
    findings: &mut Findings<'_>,
) -> Option<toml::Spanned<DeTable<'s>>> {
    if source.text.len() > ZONE_FILE_OCTETS {
        let (octets, most) = (source.text.len(), ZONE_FILE_OCTETS);
        findings.error_of_file(format!("the file has {octets} octets, {most} is the most"));
        return None;
    }
    let (tree, errors) = DeTable::parse_recoverable(&source.text);
    let mut twice = None;
    for error in &errors {
        if !is_below(twice.as_ref(), error, &source.text) {
            report(error, &source.text, tree.get_ref(), findings);
            twice = error.span().filter(|_| error.message() == DUPLICATE).or(twice);
        }
    }
    errors.is_empty().then_some(tree)
}

/// Lines that are looked at to tell a master file from TOML.
const TELLING_LINES: usize = 50;

/// Whether a text is a master file (RFC 1035 §5): a directive, or an SOA record that no equals sign makes TOML.
pub(super) fn is_like_a_master_file(text: &str) -> bool {
    let lines = text.lines().map(str::trim_start);
    let mut telling =
        lines.filter(|line| !line.is_empty() && !line.starts_with([';', '#'])).take(TELLING_LINES);
    telling.any(|line| {
        let mut words = line.split_whitespace();
        let is_directive = ["$TTL", "$ORIGIN", "$INCLUDE", "$GENERATE"].iter().any(|directive| {
            words.clone().next().is_some_and(|word| word.eq_ignore_ascii_case(directive))
        });
        is_directive
            || (!line.contains(['=', '#']) && words.any(|word| word.eq_ignore_ascii_case("SOA")))
    })
}

/// How the parser calls a key that is there already.
const DUPLICATE: &str = "duplicate key";

/// Whether an error is about a key of a table whose header was reported as a duplicate: then the keys are, too.
fn is_below(twice: Option<&Span>, error: &toml::de::Error, text: &str) -> bool {
    let (Some(twice), Some(span)) = (twice, error.span()) else {
        return false;
    };
    let is_header = line_at(text, twice.start).trim_start().starts_with('[');
    let between = text.get(twice.start..span.start).unwrap_or_default();
    error.message() == DUPLICATE && is_header && !between.contains("\n[")
}

/// The apex of a file that could not be compiled, so that its queries can be refused by name.
pub(super) fn recover_apex(text: &str) -> Option<Name> {
    let (span, name) = find_apex(text)?;
    Name::parse(&name, &Name::root()).ok().filter(|_| !span.is_empty() && name != "@")
}

/// Where a file says which zone it is.
pub(super) fn apex_span(text: &str) -> Option<Span> {
    find_apex(text).map(|(span, _)| span)
}

/// The value of `zone`, from the tree if there is enough of one, else from the first line that reads like it.
fn find_apex(text: &str) -> Option<(Span, String)> {
    if text.len() > ZONE_FILE_OCTETS {
        return scan_for_apex(text);
    }
    let (tree, _) = DeTable::parse_recoverable(text);
    let from_tree = tree.get_ref().get("zone").and_then(|value| match value.get_ref() {
        DeValue::String(typed) => Some((value.span(), typed.to_string())),
        _ => None,
    });
    from_tree.or_else(|| scan_for_apex(text))
}

/// The first line that reads `zone = "…"`, with either kind of quotes.
fn scan_for_apex(text: &str) -> Option<(Span, String)> {
    let mut start = 0usize;
    for line in text.split_inclusive('\n') {
        if let Some((offset, name)) = scan_line(line) {
            let start = start.saturating_add(offset);
            return Some((start..start.saturating_add(name.len()), name.to_owned()));
        }
        start = start.saturating_add(line.len());
    }
    None
}

/// The quoted name of such a line and where it begins.
fn scan_line(line: &str) -> Option<(usize, &str)> {
    let value = line.trim_start().strip_prefix("zone")?.trim_start().strip_prefix('=')?;
    let quoted = value.trim_start();
    let quote = quoted.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (name, _) = quoted.strip_prefix(quote)?.split_once(quote)?;
    let offset = line.len().saturating_sub(quoted.len()).saturating_add(1);
    Some((offset, name))
}

fn report(error: &toml::de::Error, text: &str, tree: &DeTable<'_>, findings: &mut Findings<'_>) {
    let Some(span) = error.span().filter(|_| !findings.is_full()) else {
        findings.error_of_file(format!("this is not TOML: {}", error.message()));
        return;
    };
    if error.message() == DUPLICATE {
        return report_duplicate(span, text, tree, findings);
    }
    let span = visible(span, text);
    let line = line_at(text, span.start);
    // Any kind of string will do, not only what the parser calls a literal one.
    let message = error.message().trim_end_matches(", expected literal string");
    let diagnostic = findings.error(span.clone(), format!("this is not TOML: {message}"));
    diagnostic.help_if(advice(message, line, text.get(span).unwrap_or_default()));
}

/// What people usually meant by a line that is no TOML.
fn advice(message: &str, line: &str, at: &str) -> Option<String> {
    let key = line.split('=').next().unwrap_or_default().trim();
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_unquoted_key = !key.is_empty() && !key.contains(['"', '\'', '[', '{']);
    if line.contains('=') && is_unquoted_key && (!key.chars().all(is_bare) || key.ends_with('.')) {
        return Some(match key.split_once('.') {
            Some((kind, name)) if KINDS.contains(&kind) => {
                format!("put what follows `{kind}.` in quotes: {kind}.\"{name}\" = …")
            }
            _ => format!("put a name like this in quotes: \"{key}\" = …"),
        });
    }
    if message.contains("string values must be quoted") {
        return Some(format!("write \"{}\"", at.trim()));
    }
    None
}

fn report_duplicate(span: Span, text: &str, tree: &DeTable<'_>, findings: &mut Findings<'_>) {
    let typed = text.get(span.clone()).unwrap_or_default();
    let key = typed.trim_matches(['"', '\'']);
    let first = first_definition(&span, key, text, tree);
    let error = findings.error(span, format!("`{key}` is defined twice"));
    error.label("defined again here");
    if let Some(first) = first {
        error.related(first, "first defined here");
    }
}

/// Where the key of a duplicate was defined first: in the same table, or as an equal header.
fn first_definition(span: &Span, key: &str, text: &str, tree: &DeTable<'_>) -> Option<Span> {
    let line = line_at(text, span.start).trim();
    if line.starts_with('[') {
        let mut start = 0usize;
        for earlier in text.split_inclusive('\n') {
            if start >= span.start {
                return None;
            }
            if earlier.trim() == line {
                return visible_line(start, earlier, span);
            }
            start = start.saturating_add(earlier.len());
        }
        return None;
    }
    let mut innermost = (0, tree);
    find_table(span, text, tree, &mut innermost);
    let first = innermost.1.iter().find(|(known, _)| known.get_ref().as_ref() == key)?.0.span();
    (first.start < span.start).then_some(first)
}

fn visible_line(start: usize, line: &str, before: &Span) -> Option<Span> {
    let indent = line.len().saturating_sub(line.trim_start().len());
    let start = start.saturating_add(indent);
    let span = start..start.saturating_add(line.trim().len());
    (span.end <= before.start).then_some(span)
}

/// Finds the table in which a place of the text is: the last header before it, or the braces around it.
fn find_table<'a>(
    span: &Span,
    text: &str,
    table: &'a DeTable<'a>,
    innermost: &mut (usize, &'a DeTable<'a>),
) {
    for (_, value) in table.iter() {
        let DeValue::Table(inner) = value.get_ref() else {
            continue;
        };
        let place = value.span();
        let is_header = text.get(place.clone()).is_some_and(|text| text.starts_with('['));
        let holds = place.start <= span.start && (is_header || span.end <= place.end);
        if holds && place.start >= innermost.0 {
            *innermost = (place.start, inner);
        }
        find_table(span, text, inner, innermost);
    }
}

/// The line of an octet.
fn line_at(text: &str, offset: usize) -> &str {
    let (before, after) = text.split_at_checked(offset).unwrap_or((text, ""));
    let start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
    let end = after.find('\n').map_or(text.len(), |at| offset.saturating_add(at));
    text.get(start..end).unwrap_or_default()
}

/// A span that does not begin at a line's end, where a caret would stand under nothing.
fn visible(span: Span, text: &str) -> Span {
    let at_line_end =
        text.get(span.start..).is_none_or(|rest| rest.is_empty() || rest.starts_with('\n'));
    let before = text.get(..span.start.min(text.len())).unwrap_or_default();
    match before.char_indices().next_back() {
        Some((index, c)) if at_line_end && c != '\n' => index..span.start,
        _ => span,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Option<Name> {
        Some(Name::parse(text, &Name::root()).unwrap())
    }

    #[test]
    fn master_files_are_told_from_toml() {
        for text in ["; db\n$TTL 1h\n", "@ IN SOA ns1 h 1 2 3 4 5\n", "\n  $origin a.\n"] {
            assert!(is_like_a_master_file(text), "{text}");
        }
        for text in [
            "zone = \"a\"\n[names]\n\"@\" = { SOA = \"a b\" }\n",
            "# the SOA is below\n",
            "]]]",
            "",
        ] {
            assert!(!is_like_a_master_file(text), "{text}");
        }
    }

    #[test]
    fn an_apex_is_recovered_from_broken_files() {
        assert_eq!(recover_apex("zone = \"example.com\"\n[names\n"), name("example.com"));
        assert_eq!(recover_apex("ttl = \n  zone = 'example.com'"), name("example.com"));
        assert_eq!(recover_apex("]]]\nzone=\"a.b.\" # x\n\"@\" = {"), name("a.b"));
        assert_eq!(recover_apex("zone = example.com"), name("example.com"));
        assert_eq!(recover_apex("zones = \"example.com\""), None);
        assert_eq!(recover_apex("zone = 7"), None);
        assert_eq!(recover_apex(""), None);
    }

    #[test]
    fn the_first_of_two_definitions_is_found() {
        for (text, first) in [
            ("a = 1\nb = 2\na = 3\n", "a = 1"),
            ("[t]\na = 1\n[u]\na = 2\na = 3\n", "a = 2"),
            ("[t]\na = 1\nx = { a = 5, a = 6 }\n", "a = 5"),
            ("[t]\nz = 1\n[u]\n[t]\nz = 2\n", "[t]\nz = 1"),
        ] {
            let source = Source::new("", text, 0);
            let mut findings = Findings::new(&source);
            assert!(parse(&source, &mut findings).is_none());
            let found = findings.finish();
            let related = found[0].related.first().map(|related| related.span.start);
            assert_eq!(related, text.find(first), "{text}");
        }
    }
}
