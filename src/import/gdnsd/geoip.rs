//! The plugin geoip: a map gives each place, network or distance an order of datacenters.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::Importer;
use super::resources::Settings;
use super::vscf::Value;
use crate::geo::{Continent, CountryCode};
use crate::import::Severity;
use crate::import::route53::coordinates_of;
use crate::import::text::{key, quote, slug};
use crate::import::tree::{Kind, Member, Node, Role, Tree};

/// How many of the nearest datacenters gdnsd tries unless told otherwise.
const AUTO_LIMIT: usize = 3;

/// A resource with its map, while its places are read.
struct Reading<'r, 'c> {
    name: &'r str,
    map: &'c Value,
    datacenters: &'r BTreeMap<String, Rc<Tree>>,
    /// What `auto` stands for.
    near: Option<Rc<Tree>>,
    members: Vec<Member>,
    has_continents: bool,
}

impl Importer<'_> {
    /// The tree of a geoip resource.
    pub(super) fn geoip(
        &mut self,
        name: &str,
        settings: Settings<'_>,
        datacenters: &BTreeMap<String, Rc<Tree>>,
    ) -> Option<Tree> {
        let wanted = settings.own.text_at("map").unwrap_or_default();
        let maps = settings.around.first().copied().flatten().and_then(|around| around.at("maps"));
        let Some(map) = maps.and_then(|maps| maps.at(wanted)) else {
            let reason = format!("there is no map `{wanted}`");
            self.draft.note_thing(Severity::Error, name, reason);
            return None;
        };
        let near = self.near(name, map, datacenters).map(Rc::new);
        let mut reading =
            Reading { name, map, datacenters, near, members: Vec::new(), has_continents: false };
        self.read_networks(&mut reading);
        let places = map.at("map").cloned().unwrap_or(Value::Map(Vec::new()));
        self.read_level(&mut reading, &places, &Level::World);
        if reading.has_continents {
            let reason = format!(
                "continents of the map {wanted} are Route 53's here: Turkey and Cyprus are in Europe, for one"
            );
            self.draft.note_thing(Severity::Warning, name, reason);
        }
        self.default_of(&mut reading, &places);
        Some(finish(reading))
    }

    /// Everybody else: the map's default, or the nearest, or the datacenters in their order.
    fn default_of(&mut self, reading: &mut Reading<'_, '_>, places: &Value) {
        let usual = reading.map.at("datacenters").cloned().unwrap_or(Value::List(Vec::new()));
        let default = places.at("default").cloned();
        let default = match default {
            None if reading.near.is_some() => Value::Text("auto".to_owned()),
            None => usual,
            Some(default) => default,
        };
        self.push(reading, "default".to_owned(), &default);
    }

    /// `auto_dc_coords`: the nearest datacenter; clients that nobody can place get the order of the map.
    fn near(
        &mut self,
        name: &str,
        map: &Value,
        datacenters: &BTreeMap<String, Rc<Tree>>,
    ) -> Option<Tree> {
        let coordinates = map.at("auto_dc_coords")?;
        let mut members = Vec::new();
        for (datacenter, value) in coordinates.entries() {
            let numbers: Vec<f64> =
                value.texts().iter().filter_map(|text| text.parse().ok()).collect();
            let ([latitude, longitude], Some(tree)) =
                (numbers.as_slice(), datacenters.get(datacenter))
            else {
                let reason = format!("the coordinates of `{datacenter}` are left out");
                self.draft.note_thing(Severity::Error, name, reason);
                continue;
            };
            let role = Role::Near(coordinates_of(*latitude, *longitude), 0);
            members.push(Member { label: datacenter.clone(), role, targets: vec![tree.clone()] });
        }
        let limit = map.text_at("auto_dc_limit").and_then(|limit| limit.parse().ok());
        let limit = limit.unwrap_or(AUTO_LIMIT);
        if limit > 0 && limit < members.len() {
            let reason = format!(
                "all {} datacenters are tried by distance, not the nearest {limit} only",
                members.len()
            );
            self.draft.note_thing(Severity::Warning, name, reason);
        }
        let order = map.at("datacenters").map(Value::texts).unwrap_or_default();
        let order: Vec<Rc<Tree>> =
            order.iter().filter_map(|name| datacenters.get(*name).cloned()).collect();
        if !order.is_empty() {
            let fallback = Rc::new(Tree::failover(slug(&format!("{name}-unlocated")), order));
            let role = Role::Place("default".to_owned());
            members.push(Member { label: "default".to_owned(), role, targets: vec![fallback] });
        }
        Some(Tree::policy(slug(&format!("{name}-near")), Kind::Geoproximity, members))
    }

    fn read_networks(&mut self, reading: &mut Reading<'_, '_>) {
        match reading.map.at("nets") {
            Some(Value::Text(file)) => {
                let reason = format!(
                    "the networks of the file {file} are left out: put them into the configuration"
                );
                self.draft.note_thing(Severity::Error, reading.name, reason);
            }
            Some(nets) => {
                for (network, value) in nets.entries() {
                    self.push(reading, format!("cidr.{}", quote(network)), value);
                }
            }
            None => {}
        }
    }

    /// One level of the map: its keys are places of the next smaller kind.
    fn read_level(&mut self, reading: &mut Reading<'_, '_>, value: &Value, level: &Level) {
        let level = match level {
            Level::World if value.is_true_at("skip_level") => &Level::Continent,
            level => level,
        };
        for (code, inner) in value.entries() {
            if matches!(code.as_str(), "default" | "skip_level") {
                continue;
            }
            let is_city = value.is_true_at("skip_level") && matches!(level, Level::Country(_));
            let Some((place, next)) = level.place(code).filter(|_| !is_city) else {
                let reason = format!(
                    "clients are not located in `{code}` here; that part of the map is left out"
                );
                self.draft.note_thing(Severity::Error, reading.name, reason);
                continue;
            };
            reading.has_continents |= matches!(level, Level::World);
            match inner {
                Value::Map(_) => {
                    if let Some(default) = inner.at("default") {
                        self.push(reading, place, default);
                    }
                    self.read_level(reading, inner, &next);
                }
                list => self.push(reading, place, list),
            }
        }
    }

    /// A place with its datacenters.
    fn push(&mut self, reading: &mut Reading<'_, '_>, place: String, value: &Value) {
        let mut targets: Vec<Rc<Tree>> = Vec::new();
        for name in value.texts() {
            let tree = if name == "auto" {
                reading.near.clone()
            } else {
                reading.datacenters.get(name).cloned()
            };
            targets.extend(tree);
        }
        if targets.is_empty() {
            let reason = format!(
                "`{place}` has no datacenters; left out, so that the next larger place answers"
            );
            self.draft.note_thing(Severity::Error, reading.name, reason);
            return;
        }
        reading.members.push(Member { label: place.clone(), role: Role::Place(place), targets });
    }
}

/// What the keys of a level are.
enum Level {
    /// Continents.
    World,
    /// Countries.
    Continent,
    /// Parts of a country.
    Country(String),
    /// Cities, which are not known here.
    Part,
}

impl Level {
    /// The key of a geolocation policy for a code of this level, and the level below.
    fn place(&self, code: &str) -> Option<(String, Level)> {
        match self {
            Self::World => {
                let continent = Continent::parse(code)?;
                Some((format!("continent.{continent}"), Level::Continent))
            }
            Self::Continent => {
                let country = CountryCode::parse(code).filter(|it| it.continent().is_some())?;
                Some((format!("country.{country}"), Level::Country(code.to_owned())))
            }
            Self::Country(country) => {
                let is_code = (1..=3).contains(&code.len())
                    && code.bytes().all(|c| c.is_ascii_alphanumeric());
                let place =
                    format!("subdivision.{}", key(&format!("{country}-{}", code.to_uppercase())));
                is_code.then_some((place, Level::Part))
            }
            Self::Part => None,
        }
    }
}

/// One policy over all places. gdnsd never goes on to a larger place when everything of a smaller one is down.
fn finish(reading: Reading<'_, '_>) -> Tree {
    let name = slug(reading.name);
    if let [only] = reading.members.as_slice() {
        return match (only.targets.as_slice(), &reading.near) {
            ([target], Some(near)) if Rc::ptr_eq(target, near) => {
                Tree { name, ..Tree::clone(near) }
            }
            (targets, _) => Tree::failover(name, targets.to_vec()),
        };
    }
    let count = reading.datacenters.len();
    let near = reading.near.as_ref();
    let is_short = |member: &Member| {
        member.targets.len() < count
            && !member.targets.iter().any(|it| near.is_some_and(|near| Rc::ptr_eq(it, near)))
    };
    let is_short = reading.members.iter().any(is_short);
    let mut is_checked = false;
    for tree in reading.datacenters.values() {
        tree.for_each_pool(&mut |pool| is_checked |= pool.check.is_some());
    }
    let mut tree = Tree::policy(name, Kind::Geolocation, reading.members);
    if let Node::Policy(policy) = &mut tree.node
        && is_short
        && is_checked
    {
        policy.lines.push(("widening", "false".to_owned()));
    }
    tree
}
