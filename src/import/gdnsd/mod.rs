//! A zone of gdnsd: its configuration, and a zone file whose DYNA and DYNC records name resources of it.
//!
//! | file | owns |
//! |---|---|
//! | `vscf` | the syntax of the configuration |
//! | `checks` | service types |
//! | `resources` | the plugins multifo, weighted, simplefo, static and metafo as trees |
//! | `geoip` | maps of places, networks and coordinates |
//! | `zone` | the zone file |
//!
//! A datacenter is chosen once for both families in gdnsd; here A and AAAA go down the same tree each for itself.

mod checks;
mod geoip;
mod resources;
#[cfg(test)]
mod tests;
mod vscf;
mod weighted;
mod zone;

use std::collections::HashMap;
use std::rc::Rc;

use super::draft::{Answer, Draft, parse_zone};
use super::text::slug;
use super::tree::Tree;
use super::{ImportError, Imported, Severity, write};
use crate::wire::{Name, RecordType};
use vscf::Value;

/// TTL of names that no zone file gives one.
const TTL: u32 = 300;

/// What gdnsd has of a zone.
#[derive(Clone, Copy, Debug)]
pub struct Gdnsd<'t> {
    /// The configuration.
    pub config: &'t str,
    /// The zone file; without one each resource becomes a name.
    pub zone_file: Option<&'t str>,
    pub zone: &'t str,
}

/// Turns a zone of gdnsd into a zone file.
///
/// # Errors
/// A configuration or a zone file that can't be read; a zone that is no name.
pub fn import_gdnsd(input: Gdnsd<'_>) -> Result<Imported, ImportError> {
    let apex = parse_zone(input.zone)?;
    let config = Value::parse(input.config)
        .map_err(|error| ImportError::new(format!("this is no configuration of gdnsd: {error}")))?;
    let mut importer = Importer {
        draft: Draft::new(apex.clone(), "From gdnsd by `meridian import gdnsd`."),
        apex,
        config: &config,
        resources: HashMap::new(),
        depth: 0,
    };
    match input.zone_file {
        Some(text) => importer.read_zone(text)?,
        None => importer.name_resources(),
    }
    importer.draft.add_servers(TTL);
    importer.draft.settle();
    Ok(write::write(importer.draft))
}

struct Importer<'c> {
    draft: Draft,
    apex: Name,
    config: &'c Value,
    /// The trees of resources by `plugin!resource`; nothing while one is in the making.
    resources: HashMap<String, Option<Rc<Tree>>>,
    /// How many resources are in the making.
    depth: usize,
}

impl Importer<'_> {
    /// The configuration of a plugin.
    fn plugin(&self, name: &str) -> Option<&Value> {
        self.config.at("plugins")?.at(name)
    }

    /// Every resource as a name, where no zone file says which are.
    fn name_resources(&mut self) {
        let reason = "there is no zone file: each resource is given as a name";
        self.draft.note_thing(Severity::Warning, "names", reason);
        let mut references = Vec::new();
        for (plugin, config) in self.config.at("plugins").map(Value::entries).unwrap_or_default() {
            let inner = if matches!(plugin.as_str(), "geoip" | "metafo") {
                config.at("resources").map(Value::entries).unwrap_or_default()
            } else {
                config.entries()
            };
            let resources = inner.iter().filter(|(name, value)| {
                !resources::SETTINGS.contains(&name.as_str())
                    && (matches!(value, Value::Map(_)) || plugin == "static")
            });
            references
                .extend(resources.map(|(name, _)| (format!("{plugin}!{name}"), name.clone())));
        }
        for (reference, name) in references {
            if let Ok(owner) = Name::parse(&slug(&name), &self.apex) {
                self.route(&owner, TTL, &reference);
            }
        }
    }

    /// What a DYNA or DYNC record answers.
    fn route(&mut self, owner: &Name, ttl: u32, reference: &str) {
        let trees = match reference.strip_prefix("weighted!") {
            Some(name) => self.weighted_families(name),
            None => self.resource(reference).into_iter().collect(),
        };
        if trees.is_empty() {
            let reason = format!("`{reference}` can't be carried over; left out");
            self.draft.note(Severity::Error, owner, "DYNA", reason);
        }
        for tree in trees {
            let types = tree.types();
            let is_cname = types.iter().eq(&[RecordType::CNAME]);
            for rtype in [RecordType::A, RecordType::AAAA] {
                if types.contains(&rtype) {
                    self.draft.set(owner, rtype, Answer::Route(ttl, tree.clone()));
                }
            }
            if is_cname {
                self.draft.set(owner, RecordType::CNAME, Answer::Route(ttl, tree.clone()));
            }
        }
    }
}
