//! A zone of octoDNS, from its YAML.
//!
//! | file | owns |
//! |---|---|
//! | `yaml` | YAML itself |
//! | `values` | data of the record types as octoDNS writes them |
//! | `dynamic` | dynamic records: pools with fallbacks, rules by places and subnets; and `geo`, their forerunner |
//!
//! octoDNS has no answers of its own: they are those of the provider that a zone is sent to. What is meant here is what its
//! documentation says of dynamic records, which its Route 53 provider does as rule 58 describes.

mod dynamic;
#[cfg(test)]
mod tests;
mod values;
mod yaml;

use super::draft::{Answer, Draft, parse_zone, route_ttl};
use super::tree::Tree;
use super::{ImportError, Imported, Severity, write};
use crate::wire::{Name, RecordType};
use std::rc::Rc;
use yaml::Yaml;

/// TTL of records that give none.
const TTL: u32 = 3600;

/// Keys of a record that are looked at.
const KEYS: &[&str] = &["type", "ttl", "value", "values", "octodns", "dynamic", "geo", "lenient"];

/// Turns a zone file of octoDNS into one of ours.
///
/// # Errors
/// A text that is no YAML, or no map of names; a zone that is no name.
pub fn import_octodns(yaml: &str, zone: &str) -> Result<Imported, ImportError> {
    let apex = parse_zone(zone)?;
    let yaml = Yaml::parse(yaml)
        .map_err(|error| ImportError::new(format!("this is not YAML: {error}")))?;
    let Some(entries) = yaml.as_map() else {
        return Err(ImportError::new("this is no zone of octoDNS: it is not a map of names"));
    };
    let heading = "From octoDNS by `meridian import octodns`.";
    let mut importer = Importer { draft: Draft::new(apex.clone(), heading), apex };
    for (name, records) in entries {
        importer.read_name(name, records);
    }
    importer.draft.add_servers(TTL);
    importer.draft.settle();
    Ok(write::write(importer.draft))
}

struct Importer {
    draft: Draft,
    apex: Name,
}

/// A record on its way.
struct Record<'y> {
    owner: Name,
    rtype: RecordType,
    ttl: u32,
    yaml: &'y Yaml,
}

impl Importer {
    fn read_name(&mut self, name: &str, records: &Yaml) {
        let text = if name.is_empty() { "@" } else { name };
        let Ok(owner) = Name::parse(text, &self.apex).map(|owner| owner.to_folded()) else {
            self.draft.note_thing(Severity::Error, name, "it is no name; left out");
            return;
        };
        for yaml in records.each() {
            self.read_record(&owner, yaml);
        }
    }

    fn read_record(&mut self, owner: &Name, yaml: &Yaml) {
        let typed = yaml.text_at("type").unwrap_or_default();
        self.note_keys(owner, typed, yaml);
        if yaml.at("octodns").and_then(|octodns| octodns.at("ignored")).is_some_and(Yaml::is_true) {
            self.draft.note(Severity::Warning, owner, typed, "octoDNS ignores it; left out");
            return;
        }
        let ttl = self.ttl_of(owner, typed, yaml);
        if typed == "ALIAS" {
            return self.read_alias(owner, yaml);
        }
        let Ok(rtype) = typed.parse::<RecordType>() else {
            let reason = "the type is octoDNS's own, or unknown; left out";
            return self.draft.note(Severity::Error, owner, typed, reason);
        };
        let record = Record { owner: owner.clone(), rtype, ttl, yaml };
        let tree = match (yaml.at("dynamic"), yaml.at("geo")) {
            (Some(dynamic), _) => self.dynamic(&record, dynamic),
            (None, Some(geo)) => self.legacy_geo(&record, geo),
            (None, None) => {
                let data = self.values(&record);
                if !data.is_empty() {
                    self.draft.set(owner, rtype, Answer::Records(ttl, data));
                }
                return;
            }
        };
        if let Some(tree) = tree {
            self.set_route(&record, Rc::new(tree));
        }
    }

    fn ttl_of(&mut self, owner: &Name, typed: &str, yaml: &Yaml) -> u32 {
        let Some(ttl) = yaml.text_at("ttl") else { return TTL };
        ttl.parse().unwrap_or_else(|_| {
            let reason = format!("the TTL `{ttl}` is no number of seconds, and becomes {TTL}");
            self.draft.note(Severity::Error, owner, typed, reason);
            TTL
        })
    }

    /// Sets a route; that of A and AAAA is one if both say the same.
    fn set_route(&mut self, record: &Record<'_>, tree: Rc<Tree>) {
        let other = match record.rtype {
            RecordType::A => RecordType::AAAA,
            _ => RecordType::A,
        };
        let ttl = route_ttl(&tree, record.ttl);
        let answers = self.draft.owners.get(&record.owner);
        let twin = match answers.and_then(|answers| answers.get(&other)) {
            Some(Answer::Route(twin_ttl, twin)) if *twin_ttl == ttl => Tree::merge(twin, &tree),
            _ => None,
        };
        if let Some(merged) = &twin {
            self.draft.set(&record.owner, other, Answer::Route(ttl, merged.clone()));
        }
        self.draft.set(&record.owner, record.rtype, Answer::Route(ttl, twin.unwrap_or(tree)));
    }

    /// The provider follows an ALIAS; here that is known of names in the zone only.
    fn read_alias(&mut self, owner: &Name, yaml: &Yaml) {
        let text = yaml.text_at("value").or_else(|| yaml.at("values")?.each().first()?.as_str());
        let target = text.and_then(|text| Name::parse(text, &self.apex).ok());
        let Some(target) = target.filter(|target| target.is_at_or_below(&self.apex)) else {
            let target = text.unwrap_or_default();
            let reason =
                format!("`{target}` is outside of the zone, and cannot be followed; left out");
            return self.draft.note(Severity::Error, owner, "ALIAS", reason);
        };
        for rtype in [RecordType::A, RecordType::AAAA] {
            self.draft.set(owner, rtype, Answer::Alias(target.to_folded()));
        }
    }

    /// Notes what a record says that nobody here listens to.
    fn note_keys(&mut self, owner: &Name, typed: &str, yaml: &Yaml) {
        let keys = yaml.as_map().unwrap_or_default().iter();
        let unknown =
            keys.filter(|(key, _)| !KEYS.contains(&key.as_str())).map(|(key, _)| key.clone());
        let octodns = yaml.at("octodns").and_then(Yaml::as_map).unwrap_or_default().iter();
        let known = ["healthcheck", "ignored", "lenient"];
        let inner = octodns.filter(|(key, value)| {
            let is_interval = key == "route53" && says_interval_only(value);
            !is_interval && !known.contains(&key.as_str())
        });
        let inner = inner.map(|(key, _)| format!("octodns.{key}"));
        for key in unknown.chain(inner) {
            let reason = format!("`{key}` has no meaning here, and is left out");
            self.draft.note(Severity::Warning, owner, typed, reason);
        }
    }
}

/// Whether Route 53 is told nothing but how often to probe, which is carried over.
fn says_interval_only(route53: &Yaml) -> bool {
    let Some([(key, healthcheck)]) = route53.as_map() else { return false };
    let keys = healthcheck.as_map().unwrap_or_default().iter();
    key == "healthcheck" && keys.map(|(key, _)| key.as_str()).eq(["request_interval"])
}
