//! The plugins whose resources are addresses, and the one that tries datacenters in order.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;

use super::Importer;
use super::vscf::Value;
use crate::import::Severity;
use crate::import::text::{quote, slug};
use crate::import::tree::{Pool, Tree};
use crate::limits::{IMPORT_DEPTH, POLICY_VISITS};
use crate::wire::Name;

/// Keys that are settings, not resources or addresses.
pub(super) const SETTINGS: &[&str] = &[
    "service_types",
    "up_thresh",
    "multi",
    "ignore_health",
    "addrs_v4",
    "addrs_v6",
    "plugin",
    "maps",
    "resources",
    "undefined_datacenters_ok",
    "datacenters",
    "dcmap",
    "map",
];

/// Where the settings of a resource are looked for: its own, then those around it.
#[derive(Clone, Copy)]
pub(super) struct Settings<'c> {
    pub(super) own: &'c Value,
    pub(super) around: [Option<&'c Value>; 2],
}

impl<'c> Settings<'c> {
    pub(super) fn at(&self, key: &str) -> Option<&'c Value> {
        let around = self.around.iter().flatten().find_map(|around| around.at(key));
        self.own.at(key).or(around)
    }
}

impl Importer<'_> {
    /// The tree of `plugin!resource` or `plugin!resource/datacenter`.
    pub(super) fn resource(&mut self, reference: &str) -> Option<Rc<Tree>> {
        if let Some(known) = self.resources.get(reference) {
            if known.is_none() {
                let reason = "it can't be carried over, or leads to itself";
                self.draft.note_thing(Severity::Error, reference, reason);
            }
            return known.clone();
        }
        self.resources.insert(reference.to_owned(), None);
        self.depth = self.depth.saturating_add(1);
        let made = if self.depth > IMPORT_DEPTH { None } else { self.make(reference) };
        self.depth = self.depth.saturating_sub(1);
        let tree = made.filter(|tree| tree.size <= POLICY_VISITS);
        self.resources.insert(reference.to_owned(), tree.clone());
        tree
    }

    fn make(&mut self, reference: &str) -> Option<Rc<Tree>> {
        let (plugin, name) = reference.split_once('!')?;
        let (name, datacenter) = match name.split_once('/') {
            Some((name, datacenter)) => (name, Some(datacenter)),
            None => (name, None),
        };
        let around = self.plugin(plugin)?.clone();
        let is_meta = matches!(plugin, "geoip" | "metafo");
        let own = if is_meta { around.at("resources")?.at(name)? } else { around.at(name)? };
        let settings = Settings { own, around: [Some(&around), None] };
        if !is_meta {
            return self.simple(plugin, name, settings);
        }
        let datacenters = self.datacenters(name, settings);
        if let Some(datacenter) = datacenter {
            return datacenters.get(datacenter).cloned();
        }
        if plugin == "geoip" {
            return self.geoip(name, settings, &datacenters).map(Rc::new);
        }
        let order = own.at("datacenters").map(Value::texts).unwrap_or_default();
        let targets = order.iter().filter_map(|name| datacenters.get(*name).cloned()).collect();
        Some(Rc::new(Tree::failover(slug(name), targets)))
    }

    /// A resource of a plugin that has addresses.
    fn simple(&mut self, plugin: &str, name: &str, settings: Settings<'_>) -> Option<Rc<Tree>> {
        match plugin {
            "multifo" => self.pool(name, settings).map(Rc::new),
            "static" => self.pool(name, Settings { around: [None, None], ..settings }).map(Rc::new),
            "simplefo" => self.simplefo(name, settings).map(Rc::new),
            "weighted" => self.one_weighted(name, settings),
            _ => {
                let reason = format!("the plugin {plugin} has no equivalent");
                self.draft.note_thing(Severity::Error, format!("{plugin}!{name}"), reason);
                None
            }
        }
    }

    /// The trees of a meta-plugin's datacenters.
    fn datacenters(&mut self, name: &str, settings: Settings<'_>) -> BTreeMap<String, Rc<Tree>> {
        let mut trees = BTreeMap::new();
        for (datacenter, value) in settings.own.at("dcmap").map(Value::entries).unwrap_or_default()
        {
            let entry = format!("{name}-{datacenter}");
            let tree = match value {
                Value::Text(text) if text.starts_with('%') => {
                    let reference = text.trim_start_matches('%').to_owned();
                    self.resource(&reference)
                }
                value => {
                    let plugin = value.text_at("plugin").unwrap_or("multifo").to_owned();
                    let around = [Some(settings.own), settings.around.first().copied().flatten()];
                    self.simple(&plugin, &entry, Settings { own: value, around })
                }
            };
            match tree {
                Some(tree) => drop(trees.insert(datacenter.clone(), tree)),
                None => {
                    let reason = format!("its datacenter {datacenter} is left out");
                    self.draft.note_thing(Severity::Error, name, reason);
                }
            }
        }
        trees
    }

    /// Addresses handed out together: those of multifo and static.
    fn pool(&mut self, name: &str, settings: Settings<'_>) -> Option<Tree> {
        let mut pool = Pool::default();
        for part in [Some(settings.own), settings.own.at("addrs_v4"), settings.own.at("addrs_v6")] {
            let Some(part) = part else { continue };
            let own: Vec<&str> = match part {
                Value::Map(entries) => entries
                    .iter()
                    .filter(|(key, _)| !SETTINGS.contains(&key.as_str()))
                    .flat_map(|(_, value)| value.texts())
                    .collect(),
                other => other.texts(),
            };
            for text in own {
                self.add_target(name, text, &mut pool);
            }
        }
        if pool.addresses.is_empty() && pool.cname.is_none() {
            self.draft.note_thing(Severity::Error, name, "it has no addresses");
            return None;
        }
        pool.check = self.check_of(self.service_types(settings));
        self.add_minimum(name, settings, &mut pool);
        Some(Tree::pool(slug(name), pool))
    }

    /// The service types of a resource, or those of one of its families.
    pub(super) fn service_types<'c>(&self, settings: Settings<'c>) -> Option<&'c Value> {
        let families = ["addrs_v4", "addrs_v6"].into_iter();
        let inner = families.filter_map(|key| settings.own.at(key)?.at("service_types")).next();
        inner.or_else(|| settings.at("service_types"))
    }

    /// An address, or else the name of a CNAME.
    pub(super) fn add_target(&mut self, name: &str, text: &str, pool: &mut Pool) {
        if let Ok(address) = text.parse::<IpAddr>() {
            if !pool.addresses.contains(&address) {
                pool.addresses.push(address);
            }
            return;
        }
        match Name::parse(text, &self.apex) {
            Ok(cname) if pool.addresses.is_empty() && pool.cname.is_none() => {
                pool.cname = Some(cname.to_string());
            }
            _ => {
                let reason = format!("`{text}` is left out: a pool has addresses or one CNAME");
                self.draft.note_thing(Severity::Error, name, reason);
            }
        }
    }

    /// `up_thresh`: the share of addresses below which the resource fails.
    fn add_minimum(&mut self, name: &str, settings: Settings<'_>, pool: &mut Pool) {
        let share = settings.at("up_thresh").and_then(Value::as_str).unwrap_or("0.5");
        let percent = (1..=100u16).find(|percent| {
            share.parse::<f64>().is_ok_and(|share| f64::from(*percent) >= share * 100.0 - 1e-9)
        });
        let (Some(percent), Some(_)) = (percent, &pool.check) else { return };
        let ipv4 = pool.addresses.iter().filter(|address| address.is_ipv4()).count();
        let most = ipv4.max(pool.addresses.len().saturating_sub(ipv4));
        if most.saturating_mul(usize::from(percent)) <= 100 {
            return;
        }
        pool.min_up = Some(quote(&format!("{percent}%")));
        let reason = "with fewer addresses up than up_thresh asks for, and nothing else to try, those that are up are given, not all";
        self.draft.note_thing(Severity::Warning, name, reason);
    }

    fn simplefo(&mut self, name: &str, settings: Settings<'_>) -> Option<Tree> {
        let check = self.check_of(self.service_types(settings));
        let mut targets = Vec::new();
        for role in ["primary", "secondary"] {
            let mut pool = Pool { check: check.clone(), ..Pool::default() };
            let parts =
                [Some(settings.own), settings.own.at("addrs_v4"), settings.own.at("addrs_v6")];
            for text in parts.into_iter().flatten().filter_map(|part| part.text_at(role)) {
                self.add_target(name, text, &mut pool);
            }
            if !pool.addresses.is_empty() || pool.cname.is_some() {
                targets.push(Rc::new(Tree::pool(slug(&format!("{name}-{role}")), pool)));
            }
        }
        (!targets.is_empty()).then(|| Tree::failover(slug(name), targets))
    }
}
