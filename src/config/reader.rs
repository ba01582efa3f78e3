//! Typed walking of a TOML document: take what is known, check its type, report what is left.
//!
//! `serde` would stop at the first mistake and knows no spans of keys; these small readers go on after a mistake and
//! leave a hole (`None`), so that one run finds all of them. A hole always has its error in the [`Findings`].

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::diagnostic::{Findings, Span};
use super::value::{closest, format_duration, list, parse_duration, parse_ttl};
use crate::wire::Ttl;

/// A value and where it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spanned<T> {
    pub(super) value: T,
    pub(super) span: Span,
}

/// A value that has not been looked at, with what messages call it.
#[derive(Clone, Copy)]
pub(super) struct Value<'t> {
    /// The key, or the entry of an array under it.
    pub(super) name: &'t str,
    node: &'t toml::Spanned<DeValue<'t>>,
}

/// A key and its value.
#[derive(Clone)]
pub(super) struct Item<'t> {
    pub(super) key: Spanned<&'t str>,
    pub(super) value: Value<'t>,
}

/// A table of which some keys have been taken.
pub(super) struct Table<'t> {
    /// What messages call it, such as "the check `web`".
    what: String,
    items: Vec<Item<'t>>,
    known: Vec<&'static str>,
}

impl<'t> Table<'t> {
    /// Items come in the order of the text, whatever order the parser keeps.
    pub(super) fn new(what: impl Into<String>, table: &'t DeTable<'t>) -> Self {
        let item = |(key, node): (&'t toml::Spanned<_>, _)| {
            let name: &'t str = key_text(key);
            Item { key: Spanned { value: name, span: key.span() }, value: Value { name, node } }
        };
        let mut items: Vec<Item<'t>> = table.iter().map(item).collect();
        items.sort_by_key(|item| item.key.span.start);
        Self { what: what.into(), items, known: Vec::new() }
    }

    /// Takes the item of a key that has a meaning here.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Item<'t>> {
        self.known.push(key);
        let place = self.items.iter().position(|item| item.key.value == key)?;
        Some(self.items.remove(place))
    }

    /// Takes the items whose keys the author chose.
    pub(super) fn take_all(&mut self) -> Vec<Item<'t>> {
        std::mem::take(&mut self.items)
    }

    /// Takes the items whose keys a test picks, such as types of records.
    pub(super) fn take_where(&mut self, is_wanted: impl Fn(&str) -> bool) -> Vec<Item<'t>> {
        let (taken, left) = self.take_all().into_iter().partition(|item| is_wanted(item.key.value));
        self.items = left;
        taken
    }

    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether a key is there and was not taken.
    pub(super) fn has(&self, key: &str) -> bool {
        self.items.iter().any(|item| item.key.value == key)
    }

    /// Where a key stands that was not taken.
    pub(super) fn span_of(&self, key: &str) -> Option<Span> {
        let item = self.items.iter().find(|item| item.key.value == key)?;
        Some(item.key.span.clone())
    }

    /// Reports every key that was not taken. `notes` explain keys that people may expect here.
    pub(super) fn finish(self, notes: &[(&str, &str)], findings: &mut Findings<'_>) {
        for item in &self.items {
            let key = item.key.value;
            let note = notes.iter().find(|(known, _)| *known == key);
            let guess = closest(key, self.known.iter().copied()).filter(|_| note.is_none());
            let valid = list(self.known.iter().copied());
            let error = findings
                .error(item.key.span.clone(), format!("unknown key `{key}` in {}", self.what))
                .label(match guess {
                    Some(guess) => format!("did you mean `{guess}`?"),
                    None => String::new(),
                });
            error.help_if(note.map(|(_, note)| *note)).help(format!("keys here are {valid}"));
        }
    }
}

fn key_text<'t>(key: &'t toml::Spanned<toml::de::DeString<'t>>) -> &'t str {
    key.get_ref()
}

impl<'t> Value<'t> {
    /// Where the value stands.
    pub(super) fn span(&self) -> Span {
        self.node.span()
    }

    /// The type and, where short, the value, as messages name it.
    pub(super) fn found(&self) -> String {
        match self.node.get_ref() {
            DeValue::String(text) if text.chars().count() <= 40 => format!("the string \"{text}\""),
            DeValue::String(_) => "a long string".to_owned(),
            DeValue::Integer(number) => format!("the integer {number}"),
            DeValue::Float(number) => format!("the number {number}"),
            DeValue::Boolean(value) => format!("`{value}`"),
            DeValue::Datetime(_) => "a date".to_owned(),
            DeValue::Array(_) => "an array".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        }
    }

    /// Reports that something else was expected, for example "a duration such as \"10s\"".
    pub(super) fn expected<'f>(
        &self,
        expected: &str,
        findings: &'f mut Findings<'_>,
    ) -> &'f mut super::Diagnostic {
        let message = format!("`{}` must be {expected}", self.name);
        findings.error(self.span(), message).label(format!("this is {}", self.found()))
    }

    pub(super) fn as_str(&self) -> Option<&'t str> {
        match self.node.get_ref() {
            DeValue::String(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn as_integer(&self) -> Option<i64> {
        match self.node.get_ref() {
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        }
    }

    /// An integer or a decimal number, as it was typed.
    pub(super) fn as_number(&self) -> Option<&'t str> {
        match self.node.get_ref() {
            DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str()),
            DeValue::Float(number) => Some(number.as_str()),
            _ => None,
        }
    }

    /// The entries of an array.
    pub(super) fn as_array(&self) -> Option<Vec<Value<'t>>> {
        match self.node.get_ref() {
            DeValue::Array(array) => {
                Some(array.iter().map(|node| Value { name: self.name, node }).collect())
            }
            _ => None,
        }
    }

    pub(super) fn as_table(&self, what: impl Into<String>) -> Option<Table<'t>> {
        match self.node.get_ref() {
            DeValue::Table(table) => Some(Table::new(what, table)),
            _ => None,
        }
    }

    pub(super) fn string(
        &self,
        expected: &str,
        findings: &mut Findings<'_>,
    ) -> Option<Spanned<&'t str>> {
        let text = self.as_str();
        if text.is_none() {
            self.expected(expected, findings);
        }
        text.map(|value| Spanned { value, span: self.span() })
    }

    /// One string, or an array of at least one.
    pub(super) fn strings(
        &self,
        expected: &str,
        findings: &mut Findings<'_>,
    ) -> Vec<Spanned<&'t str>> {
        let Some(values) = self.as_array() else {
            return self.string(expected, findings).into_iter().collect();
        };
        if values.is_empty() {
            let message = format!("`{}` is empty", self.name);
            findings.error(self.span(), message).label(format!("expected {expected}"));
        }
        values.iter().filter_map(|value| value.string(expected, findings)).collect()
    }

    pub(super) fn integer(
        &self,
        range: RangeInclusive<i64>,
        findings: &mut Findings<'_>,
    ) -> Option<i64> {
        let number = self.as_integer().filter(|number| range.contains(number));
        if number.is_none() {
            let expected = format!("an integer from {} to {}", range.start(), range.end());
            let quoted = self
                .as_str()
                .filter(|text| text.parse().is_ok_and(|number| range.contains(&number)));
            let help = quoted.map(|text| format!("write {text} without quotes"));
            self.expected(&expected, findings).help_if(help);
        }
        number
    }

    pub(super) fn as_boolean(&self) -> Option<bool> {
        match self.node.get_ref() {
            DeValue::Boolean(value) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn boolean(&self, findings: &mut Findings<'_>) -> Option<bool> {
        if let Some(value) = self.as_boolean() {
            return Some(value);
        }
        let quoted = self.as_str().filter(|text| matches!(*text, "true" | "false"));
        let help = quoted.map(|text| format!("write {text} without quotes"));
        self.expected("true or false", findings).help_if(help);
        None
    }

    /// One of some words, and what it stands for.
    pub(super) fn word<T: Copy>(
        &self,
        words: &[(&str, T)],
        findings: &mut Findings<'_>,
    ) -> Option<T> {
        let known = words.iter().find(|(word, _)| self.as_str() == Some(*word));
        if let Some((_, meaning)) = known {
            return Some(*meaning);
        }
        let all = || words.iter().map(|(word, _)| *word);
        let guess = self.as_str().and_then(|text| closest(text, all()));
        let help = guess.map(|guess| format!("did you mean \"{guess}\"?"));
        self.expected(&format!("one of {}", list(all())), findings).help_if(help);
        None
    }

    /// A duration within bounds, in seconds.
    pub(super) fn duration_within(
        &self,
        (shortest, longest): (u64, u64),
        findings: &mut Findings<'_>,
    ) -> Option<Duration> {
        let time = self.duration(findings)?.value;
        let (shortest, longest) = (Duration::from_secs(shortest), Duration::from_secs(longest));
        if (shortest..=longest).contains(&time) {
            return Some(time);
        }
        let range = format!("from {} to {}", format_duration(shortest), format_duration(longest));
        findings
            .error(self.span(), format!("`{}` must be {range}", self.name))
            .label(format!("this is {}", format_duration(time)));
        None
    }

    pub(super) fn table(
        &self,
        what: &str,
        example: &str,
        findings: &mut Findings<'_>,
    ) -> Option<Table<'t>> {
        let table = self.as_table(what);
        if table.is_none() {
            self.expected(&format!("a table such as {example}"), findings);
        }
        table
    }

    pub(super) fn duration(&self, findings: &mut Findings<'_>) -> Option<Spanned<Duration>> {
        self.measure("a duration such as \"10s\"", parse_duration, findings)
    }

    pub(super) fn ttl(&self, findings: &mut Findings<'_>) -> Option<Ttl> {
        self.measure("a TTL such as \"5m\"", parse_ttl, findings).map(|ttl| ttl.value)
    }

    fn measure<T>(
        &self,
        expected: &str,
        parse: impl Fn(&str) -> Result<T, super::value::ValueError>,
        findings: &mut Findings<'_>,
    ) -> Option<Spanned<T>> {
        let Some(text) = self.as_str() else {
            let seconds = self.as_integer().and_then(|number| u64::try_from(number).ok());
            let time = seconds.map(|seconds| format_duration(Duration::from_secs(seconds)));
            let help = time.map(|time| format!("times have a unit: write \"{time}\""));
            self.expected(expected, findings).help_if(help);
            return None;
        };
        match parse(text) {
            Ok(value) => Some(Spanned { value, span: self.span() }),
            Err(error) => {
                let message = format!("`{}` must be {expected}", self.name);
                findings.error(self.span(), message).label(error.message).help_if(error.help);
                None
            }
        }
    }
}

/// Where an octet of a string's value stands in the file, if the string was typed without escapes.
pub(super) fn span_inside(string: &Spanned<&str>, offset: usize, text: &str) -> Span {
    let typed = text.get(string.span.clone()).unwrap_or_default();
    let start = string.span.start.saturating_add(1).saturating_add(offset);
    let end = string.span.end.saturating_sub(1);
    let is_plain = typed.len() == string.value.len().saturating_add(2);
    if !is_plain || start >= end {
        return string.span.clone();
    }
    let rest = text.get(start..end).unwrap_or_default();
    let word = rest.find([' ', '\t']).filter(|length| *length > 0).unwrap_or(rest.len());
    start..start.saturating_add(word)
}
