//! YAML as octoDNS uses it: maps, lists and scalars as they were typed.
//!
//! Numbers and booleans stay texts, so that the name `01` and the address `1.10` are not taken for others. Anchors are
//! followed; how much they may make is bounded.

use saphyr_parser::{Event, Parser};
use std::collections::HashMap;

use crate::limits::{YAML_DEPTH, YAML_NODES};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Yaml {
    Scalar(String),
    List(Vec<Yaml>),
    /// In the order of the text.
    Map(Vec<(String, Yaml)>),
}

impl Yaml {
    /// Reads the first document of a text.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut reader =
            Reader { parser: Parser::new_from_str(text), anchors: HashMap::new(), nodes: 0 };
        loop {
            match reader.next()? {
                Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
                Event::StreamEnd | Event::DocumentEnd => return Err("it is empty".to_owned()),
                event => return reader.node(event, 0),
            }
        }
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        if let Self::Scalar(text) = self { Some(text) } else { None }
    }

    pub(super) fn as_map(&self) -> Option<&[(String, Yaml)]> {
        if let Self::Map(entries) = self { Some(entries) } else { None }
    }

    /// The value of a key, as far as this is a map and has it.
    pub(super) fn at(&self, key: &str) -> Option<&Yaml> {
        self.as_map()?.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    /// The text of a key.
    pub(super) fn text_at(&self, key: &str) -> Option<&str> {
        self.at(key).and_then(Self::as_str)
    }

    /// The parts of a list, or the one that stands in the place of a list.
    pub(super) fn each(&self) -> &[Yaml] {
        if let Self::List(parts) = self { parts } else { std::slice::from_ref(self) }
    }

    /// Whether this is a scalar that YAML takes for true.
    pub(super) fn is_true(&self) -> bool {
        self.as_str().is_some_and(|text| text.eq_ignore_ascii_case("true"))
    }

    /// Whether this is nothing.
    pub(super) fn is_null(&self) -> bool {
        self.as_str().is_some_and(|text| matches!(text, "" | "~" | "null"))
    }

    fn count(&self) -> usize {
        let below: usize = match self {
            Self::Scalar(_) => 0,
            Self::List(parts) => parts.iter().fold(0, |sum, part| sum.saturating_add(part.count())),
            Self::Map(entries) => {
                entries.iter().fold(0, |sum, (_, value)| sum.saturating_add(value.count()))
            }
        };
        below.saturating_add(1)
    }
}

struct Reader<'t> {
    parser: Parser<'t, saphyr_parser::StrInput<'t>>,
    anchors: HashMap<usize, Yaml>,
    nodes: usize,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<Event<'t>, String> {
        match self.parser.next_event() {
            Some(Ok((event, _))) => Ok(event),
            Some(Err(error)) => Err(error.to_string()),
            None => Err("it ends too early".to_owned()),
        }
    }

    fn node(&mut self, event: Event<'t>, depth: usize) -> Result<Yaml, String> {
        self.spend(1)?;
        if depth > YAML_DEPTH {
            return Err(format!("it nests deeper than {YAML_DEPTH} levels"));
        }
        let (anchor, node) = match event {
            Event::Scalar(text, _, anchor, _) => (anchor, Yaml::Scalar(text.into_owned())),
            Event::SequenceStart(anchor, _) => (anchor, self.list(depth)?),
            Event::MappingStart(anchor, _) => (anchor, self.map(depth)?),
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned().ok_or("an alias leads nowhere")?;
                self.spend(node.count())?;
                return Ok(node);
            }
            _ => return Err("it is not what octoDNS writes".to_owned()),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn spend(&mut self, nodes: usize) -> Result<(), String> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > YAML_NODES {
            return Err(format!("it has more than {YAML_NODES} values"));
        }
        Ok(())
    }

    fn list(&mut self, depth: usize) -> Result<Yaml, String> {
        let mut parts = Vec::new();
        loop {
            match self.next()? {
                Event::SequenceEnd => return Ok(Yaml::List(parts)),
                event => parts.push(self.node(event, depth.saturating_add(1))?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Yaml, String> {
        let mut entries: Vec<(String, Yaml)> = Vec::new();
        loop {
            let event = self.next()?;
            if event == Event::MappingEnd {
                return Ok(Yaml::Map(entries));
            }
            let Yaml::Scalar(key) = self.node(event, depth.saturating_add(1))? else {
                return Err("a key is no text".to_owned());
            };
            let event = self.next()?;
            let value = self.node(event, depth.saturating_add(1))?;
            match value {
                // Merged keys give way to those that are written (YAML 1.1 "<<").
                Yaml::Map(merged) if key == "<<" => {
                    let known = |key: &String| entries.iter().any(|(known, _)| known == key);
                    let new: Vec<_> = merged.into_iter().filter(|(key, _)| !known(key)).collect();
                    entries.extend(new);
                }
                value => {
                    entries.retain(|(known, _)| *known != key);
                    entries.push((key, value));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_stay_as_they_were_typed() {
        let yaml = Yaml::parse("---\n'': {type: A, value: 1.10}\n01: [yes, ~, 'a: b']\n").unwrap();
        assert_eq!(yaml.at("").unwrap().text_at("value"), Some("1.10"));
        assert_eq!(yaml.at("01").unwrap().each().len(), 3);
        assert_eq!(yaml.at("01").unwrap().each()[0].as_str(), Some("yes"));
    }

    #[test]
    fn anchors_are_followed_and_bounded() {
        let yaml = Yaml::parse("a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3\n").unwrap();
        assert_eq!(yaml.at("d").unwrap().text_at("c"), Some("3"));
        assert_eq!(yaml.at("d").unwrap().text_at("b"), Some("1"));
        let mut bomb = "a0: &a0 [x]\n".to_owned();
        for level in 1..40 {
            let before = level - 1;
            bomb.push_str(&format!("a{level}: &a{level} [*a{before}, *a{before}]\n"));
        }
        assert!(Yaml::parse(&bomb).unwrap_err().contains("more than"));
        assert!(Yaml::parse(&"[".repeat(10_000)).is_err());
    }

    #[test]
    fn what_is_no_yaml_is_an_error() {
        for text in ["", "a: [", "a: b: c", "*x", "? [a]\n: b"] {
            assert!(Yaml::parse(text).is_err(), "{text}");
        }
    }
}
