//! What changes between two generations, and for which share of the clients.
//!
//! Names that are alike octet for octet are passed over, and routes with the same trees and maps are compared once, so that two
//! zones of a million names cost two walks over their tables. Only the answers count: renamed pools and policies, other checks, and a
//! new serial change nothing. A share that a sticky policy keeps while a new seed deals it out anew is no change here either.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;

use super::answers::{Answers, Mix, Supply, SupplyKey, are_alike, distance};
use super::clients::{Clients, Countries};
use crate::geo::PrefixMap;
use crate::health::View;
use crate::snapshot::Snapshot;
use crate::wire::{Name, RecordType, Records};
use crate::zone::{Found, Node, ZoneId, ZoneState, presentation};

/// A smaller share is a matter of rounding.
const LEAST_SHARE: f64 = 1e-9;

/// Static records of these types lead clients somewhere: to change them sends everybody elsewhere. Others only tell something.
const LEADING: [RecordType; 9] = [
    RecordType::A,
    RecordType::AAAA,
    RecordType::CNAME,
    RecordType::DNAME,
    RecordType::NS,
    RecordType::MX,
    RecordType::SRV,
    RecordType::HTTPS,
    RecordType::SVCB,
];

/// A routed name that answers some clients otherwise.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    pub name: String,
    #[serde(rename = "type")]
    pub rtype: String,
    /// Of all clients, those who get another answer, 0 to 1.
    pub share: f64,
}

/// What became of a set of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Added,
    Removed,
    Changed,
}

/// A set of records that is not routed, before or after, and is another one now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordChange {
    pub name: String,
    #[serde(rename = "type")]
    pub rtype: String,
    pub kind: Kind,
    /// In presentation format.
    pub before: Vec<String>,
    pub after: Vec<String>,
    #[serde(skip)]
    is_leading: bool,
}

/// Another TTL, in seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TtlChange {
    pub name: String,
    #[serde(rename = "type")]
    pub rtype: String,
    pub before: u32,
    pub after: u32,
}

/// Everything that is another way, each list in the order of names.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Difference {
    pub zones_added: Vec<String>,
    pub zones_removed: Vec<String>,
    /// Without those of whole zones.
    pub names_added: Vec<String>,
    pub names_removed: Vec<String>,
    pub routed: Vec<Change>,
    pub records: Vec<RecordChange>,
    pub ttls: Vec<TtlChange>,
}

impl Difference {
    /// Whether every client gets what it got.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What changes for more than this share of the clients, the largest first: a routed name, or one whose static records lead
    /// elsewhere; what is removed changes for everybody.
    pub fn above(&self, share: f64) -> Vec<(String, f64)> {
        let routed =
            self.routed.iter().map(|one| (format!("{} {}", one.name, one.rtype), one.share));
        let records = self.records.iter().filter(|one| one.is_leading && one.kind != Kind::Added);
        let records = records.map(|one| (format!("{} {}", one.name, one.rtype), 1.0));
        let zones = self.zones_removed.iter().map(|zone| (format!("zone {zone} (removed)"), 1.0));
        let names = self.names_removed.iter().map(|name| (format!("{name} (removed)"), 1.0));
        let all = zones.chain(names).chain(routed).chain(records);
        let mut above: Vec<(String, f64)> = all.filter(|(_, moved)| *moved > share).collect();
        above.sort_by(|one, other| other.1.total_cmp(&one.1));
        above
    }
}

/// Compares what two generations answer with everything up.
pub fn compare(old: &Snapshot, new: &Snapshot, clients: &Clients) -> Difference {
    let mut comparison = Comparison::new(old, new, clients);
    comparison.compare_zones();
    for node in old.catalog.nodes().filter(|node| holds_any(*node)) {
        let other = new.catalog.node(node.name()).filter(|other| holds_any(*other));
        match other.filter(|_| !is_given_away(node, old, new)) {
            Some(other) => comparison.compare_names(node, other),
            None => comparison.lose(node),
        }
    }
    for node in new.catalog.nodes().filter(|node| holds_any(*node)) {
        if !old.catalog.node(node.name()).is_some_and(holds_any) {
            comparison.gain(node);
        }
    }
    comparison.finish()
}

/// Whether a name that was answered from is at or below a delegation by now, which hides it.
fn is_given_away(node: Node<'_>, old: &Snapshot, new: &Snapshot) -> bool {
    let is_cut = |snapshot: &Snapshot| {
        let found = snapshot.catalog.find(node.name(), RecordType::A);
        matches!(found, Found::Delegation(_))
    };
    is_cut(new) && !is_cut(old)
}

/// Whether there is anything at a name; what stands between names only holds nothing.
fn holds_any(node: Node<'_>) -> bool {
    node.route().is_some() || node.rrsets().next().is_some()
}

fn name_of(node: Node<'_>) -> String {
    Name::from_wire(node.name()).map_or_else(|_| String::new(), |(name, _)| name.to_string())
}

/// One generation, and what of it is worked out already.
struct Side<'a> {
    snapshot: &'a Snapshot,
    view: View,
    /// By supply, type and class.
    mixes: HashMap<(SupplyKey, RecordType, u32), Mix>,
    /// In lower case.
    served: BTreeSet<Name>,
    refused: BTreeSet<Name>,
}

impl<'a> Side<'a> {
    fn new(snapshot: &'a Snapshot) -> Self {
        let zones = |state| {
            let zones = snapshot.catalog.zones().iter().filter(move |zone| zone.state == state);
            zones.map(|zone| zone.apex.to_folded()).collect()
        };
        Self {
            snapshot,
            view: View::new(snapshot.targets.len()),
            mixes: HashMap::new(),
            served: zones(ZoneState::Served),
            refused: zones(ZoneState::Refused),
        }
    }

    fn apex(&self, zone: ZoneId) -> Option<Name> {
        self.snapshot.catalog.zone(zone).map(|zone| zone.apex.to_folded())
    }

    fn prepare(
        &mut self,
        answers: &mut Answers,
        supply: &Supply<'_>,
        rtype: RecordType,
        class: u32,
    ) -> (SupplyKey, RecordType, u32) {
        let key = (supply.key(answers), rtype, class);
        if !self.mixes.contains_key(&key) {
            let mix = answers.mix(self.snapshot, &self.view, supply, rtype, class);
            self.mixes.insert(key, mix);
        }
        key
    }
}

/// By classes before and after, the weight of the clients.
type Pairs = Vec<([u32; 2], f64)>;

struct Comparison<'a> {
    old: Side<'a>,
    new: Side<'a>,
    clients: &'a Clients,
    countries: Option<Countries>,
    answers: Answers,
    /// By the addresses of both maps, and the classes of those whom nobody knows.
    pairs: HashMap<(usize, usize, [u32; 2]), Pairs>,
    shares: HashMap<(SupplyKey, SupplyKey, RecordType), f64>,
    difference: Difference,
}

impl<'a> Comparison<'a> {
    fn new(old: &'a Snapshot, new: &'a Snapshot, clients: &'a Clients) -> Self {
        Self {
            old: Side::new(old),
            new: Side::new(new),
            clients,
            countries: None,
            answers: Answers::default(),
            pairs: HashMap::new(),
            shares: HashMap::new(),
            difference: Difference::default(),
        }
    }

    /// Zones whose file is refused are told of elsewhere: they are neither removed nor added here.
    fn compare_zones(&mut self) {
        let missing = |from: &Side<'_>, to: &Side<'_>| -> Vec<String> {
            let missing = from.served.difference(&to.served);
            missing.filter(|apex| !to.refused.contains(apex)).map(ToString::to_string).collect()
        };
        self.difference.zones_removed = missing(&self.old, &self.new);
        self.difference.zones_added = missing(&self.new, &self.old);
    }

    /// A name is gone; those of a zone that is gone as a whole, or refused, are not told one by one.
    fn lose(&mut self, node: Node<'_>) {
        if self.old.apex(node.zone()).is_some_and(|apex| self.new.served.contains(&apex)) {
            self.difference.names_removed.push(name_of(node));
        }
    }

    fn gain(&mut self, node: Node<'_>) {
        if self.new.apex(node.zone()).is_some_and(|apex| self.old.served.contains(&apex)) {
            self.difference.names_added.push(name_of(node));
        }
    }

    fn compare_names(&mut self, old: Node<'_>, new: Node<'_>) {
        let routed = self.routed_types(old, new);
        for rtype in &routed {
            self.compare_type(old, new, *rtype);
        }
        let is_alias = routed.contains(&RecordType::CNAME);
        let is_static = |rtype: RecordType| {
            !routed.contains(&rtype)
                && (routed.is_empty() || (!is_alias && rtype != RecordType::CNAME))
        };
        for records in old.rrsets().filter(|records| is_static(records.rtype)) {
            match new.rrset(records.rtype) {
                Some(other) => self.compare_records(old, &records, &other),
                None => self.note_records(old, Kind::Removed, Some(&records), None),
            }
        }
        for records in new.rrsets().filter(|records| is_static(records.rtype)) {
            if old.rrset(records.rtype).is_none() {
                self.note_records(new, Kind::Added, None, Some(&records));
            }
        }
    }

    /// The types that a name routes, before or after. CNAME stands for all types, and so is only compared where both have it.
    fn routed_types(&self, old: Node<'_>, new: Node<'_>) -> BTreeSet<RecordType> {
        let types = |side: &Side<'_>, node: Node<'_>| -> BTreeSet<RecordType> {
            let routes = node.route().map(|first| side.snapshot.routes_from(first));
            routes.into_iter().flatten().flat_map(|route| route.types()).copied().collect()
        };
        let (before, after) = (types(&self.old, old), types(&self.new, new));
        let mut all: BTreeSet<RecordType> = before.union(&after).copied().collect();
        if all.len() > 1 {
            all.remove(&RecordType::CNAME);
        }
        // An alias in the place of addresses that were static, or the other way round.
        let is_alias_alone = all.contains(&RecordType::CNAME) && before != after;
        if is_alias_alone {
            let fixed = old.rrsets().chain(new.rrsets()).map(|records| records.rtype);
            let fixed: BTreeSet<RecordType> =
                fixed.filter(|rtype| *rtype != RecordType::CNAME).collect();
            if !fixed.is_empty() {
                return fixed;
            }
        }
        all
    }

    fn compare_type(&mut self, old: Node<'_>, new: Node<'_>, rtype: RecordType) {
        let (old_snapshot, new_snapshot) = (self.old.snapshot, self.new.snapshot);
        let before = Supply::of(old_snapshot, old, rtype);
        let after = Supply::of(new_snapshot, new, rtype);
        let share = self.share(&before, &after, rtype);
        if share > LEAST_SHARE {
            let (name, rtype) = (name_of(new), rtype.to_string());
            self.difference.routed.push(Change { name, rtype, share });
        }
        if let (Some(before), Some(after)) = (before.ttl(), after.ttl()) {
            self.compare_ttls(new, rtype, before, after);
        }
    }

    fn compare_ttls(&mut self, node: Node<'_>, rtype: RecordType, before: u32, after: u32) {
        if before != after {
            let (name, rtype) = (name_of(node), rtype.to_string());
            self.difference.ttls.push(TtlChange { name, rtype, before, after });
        }
    }

    /// The share of the clients who get another answer of a type.
    fn share(&mut self, before: &Supply<'_>, after: &Supply<'_>, rtype: RecordType) -> f64 {
        let key = (before.key(&mut self.answers), after.key(&mut self.answers), rtype);
        if let Some(share) = self.shares.get(&key) {
            return *share;
        }
        let mut share = 0.0;
        for ([one, other], weight) in self.pairs(before, after) {
            let one = self.old.prepare(&mut self.answers, before, rtype, one);
            let other = self.new.prepare(&mut self.answers, after, rtype, other);
            if let Some((one, other)) = self.old.mixes.get(&one).zip(self.new.mixes.get(&other)) {
                share += weight * distance(one, other);
            }
        }
        self.shares.insert(key, share);
        share
    }

    /// How the clients are divided by two supplies together.
    fn pairs(&mut self, before: &Supply<'_>, after: &Supply<'_>) -> Pairs {
        let routes = [before.route(), after.route()];
        let maps = routes.map(|route| route.and_then(|route| route.map()));
        if maps.iter().all(Option::is_none) {
            return vec![([0, 0], 1.0)];
        }
        let unknown = routes.map(|route| route.map_or(0, |route| route.unknown_class()));
        let [one, other] = maps.map(|map| map.map_or(0, |map| std::sync::Arc::as_ptr(map).addr()));
        let (clients, atlas) = (self.clients, &self.new.snapshot.atlas);
        let countries = self.countries.get_or_insert_with(|| Countries::of(atlas));
        let pairs = self.pairs.entry((one, other, unknown)).or_insert_with(|| {
            let maps: [Option<&PrefixMap>; 2] = maps.map(|map| map.map(|map| &**map));
            let tally = clients.tally(countries, maps, unknown);
            let mut pairs: HashMap<[u32; 2], f64> = HashMap::new();
            for ((_, classes), weight) in tally {
                *pairs.entry(classes).or_insert(0.0) += weight;
            }
            let mut pairs: Pairs = pairs.into_iter().collect();
            pairs.sort_by_key(|(classes, _)| *classes);
            pairs
        });
        pairs.clone()
    }

    fn compare_records(&mut self, node: Node<'_>, before: &Records<'_>, after: &Records<'_>) {
        if before.octets == after.octets {
            return;
        }
        if !are_alike(before, after) {
            self.note_records(node, Kind::Changed, Some(before), Some(after));
        }
        self.compare_ttls(node, before.rtype, before.ttl(), after.ttl());
    }

    fn note_records(
        &mut self,
        node: Node<'_>,
        kind: Kind,
        before: Option<&Records<'_>>,
        after: Option<&Records<'_>>,
    ) {
        let Some(rtype) = before.or(after).map(|records| records.rtype) else { return };
        let show = |records: Option<&Records<'_>>| -> Vec<String> {
            let rdata = records.into_iter().flat_map(Records::rdata);
            rdata.map(|rdata| presentation::print_rdata(rtype, rdata)).collect()
        };
        self.difference.records.push(RecordChange {
            name: name_of(node),
            rtype: rtype.to_string(),
            kind,
            before: show(before),
            after: show(after),
            is_leading: LEADING.contains(&rtype),
        });
    }

    /// The lists in the order of names: a table has none.
    fn finish(mut self) -> Difference {
        let difference = &mut self.difference;
        difference.names_added.sort_by_cached_key(|name| in_order(name));
        difference.names_removed.sort_by_cached_key(|name| in_order(name));
        difference.routed.sort_by_cached_key(|one| (in_order(&one.name), one.rtype.clone()));
        difference.records.sort_by_cached_key(|one| (in_order(&one.name), one.rtype.clone()));
        difference.ttls.sort_by_cached_key(|one| (in_order(&one.name), one.rtype.clone()));
        self.difference
    }
}

/// Canonical order (RFC 4034 §6.1).
fn in_order(name: &str) -> Option<Name> {
    Name::parse(name, &Name::root()).ok()
}
