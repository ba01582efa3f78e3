//! All zones that this server answers for, and the way from a question to a node.
//!
//! [`Catalog::find`] is steps 2 and 3 of RFC 1034 §4.3.2 with RFC 4592's closest encloser: the name itself, else the longest
//! ancestor that exists (every ancestor up to the apex does, since empty non-terminals are entered), else another zone, else
//! nothing of ours. Zones may be nested: the deeper one owns its names.

use std::collections::HashMap;

use super::data::{Owner, RRset};
use super::table::{
    APEX, CUT, Entry, HAS_WILDCARD, Node, OCCLUDED, PARENT_SIDE, REDIRECT, RouteId, Table,
    TableBuilder, TableFull,
};
use crate::limits::{NAME_LABELS, NAME_OCTETS};
use crate::wire::{Name, RecordType, Records, Template, Ttl, ends_in};

/// A zone, by its place in [`Catalog::zones`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ZoneId(pub u32);

/// Whether a zone's data can be answered from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZoneState {
    Served,
    /// Its file was refused; every question for it gets SERVFAIL, so that resolvers ask another server.
    Refused,
}

/// What the catalog knows of one zone as a whole.
#[derive(Debug)]
pub struct ServedZone {
    pub apex: Name,
    pub state: ZoneState,
    /// The SOA with the TTL of negative answers: the lower of its own and its MINIMUM field (RFC 2308 §3).
    negative_soa: Box<[u8]>,
    /// The same for questions at or below the apex. Nothing for a refused zone, and for one that is the root.
    negative_template: Option<Template>,
}

impl ServedZone {
    /// The SOA for the authority section of a negative answer. Nothing for a refused zone.
    pub fn negative_soa(&self) -> Option<Records<'_>> {
        let soa = Records { rtype: RecordType::SOA, count: 1, octets: &self.negative_soa };
        (self.state == ZoneState::Served).then_some(soa)
    }

    /// The same, ready but for where the apex stands in the question, if the question's name is at or below it.
    pub fn negative_template(&self) -> Option<&Template> {
        self.negative_template.as_ref()
    }
}

/// Where a question leads.
#[derive(Clone, Copy, Debug)]
pub enum Found<'a> {
    /// No zone of ours holds the name.
    NotOurs,
    /// The name itself. It may hold no records (an empty non-terminal) or not the type asked for.
    Exact(Node<'a>),
    /// A wildcard that stands for the name.
    Wildcard(Node<'a>),
    /// The name belongs to a zone that was delegated away at this cut.
    Delegation(Node<'a>),
    /// The name is below this DNAME, and so stands for another name (RFC 6672 §3.2).
    Redirect(Node<'a>),
    /// The zone is ours and the name is not in it.
    NoSuchName(ZoneId),
}

impl Found<'_> {
    /// The zone that the question was found in.
    pub fn zone(&self) -> Option<ZoneId> {
        match self {
            Self::NotOurs => None,
            Self::Exact(node)
            | Self::Wildcard(node)
            | Self::Delegation(node)
            | Self::Redirect(node) => Some(node.zone()),
            Self::NoSuchName(zone) => Some(*zone),
        }
    }
}

/// Every name of every zone.
#[derive(Debug)]
pub struct Catalog {
    table: Table,
    zones: Vec<ServedZone>,
    /// Labels of the deepest name: suffixes of a question that are longer can't be in the table.
    deepest: usize,
    names: usize,
}

impl Catalog {
    /// The zones in the order they were added.
    pub fn zones(&self) -> &[ServedZone] {
        &self.zones
    }

    pub fn zone(&self, id: ZoneId) -> Option<&ServedZone> {
        self.zones.get(usize::try_from(id.0).ok()?)
    }

    /// How many names there are, empty non-terminals included.
    pub fn name_count(&self) -> usize {
        self.names
    }

    /// Octets of memory for all names and records.
    pub fn memory_octets(&self) -> usize {
        self.table.memory_octets()
    }

    /// A number for a name in lower case. Two names share one with a chance of one in 2^64 that nobody outside can raise.
    pub fn fingerprint(&self, name: &[u8]) -> u64 {
        self.table.hash(name)
    }

    /// The node of exactly this name, in lower case, wherever it stands: also below a cut, where glue lives.
    pub fn node(&self, name: &[u8]) -> Option<Node<'_>> {
        self.table.find(name)
    }

    /// Every name, in no order; empty non-terminals are among them.
    pub fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        self.table.nodes()
    }

    /// Has the memory of the nodes with these fingerprints come closer to the processor, all of it at once.
    pub fn approach(&self, fingerprints: impl Iterator<Item = u64>) {
        self.table.approach(fingerprints);
    }

    /// Where a question for `name` (in lower case, uncompressed) and `qtype` leads.
    #[inline]
    pub fn find(&self, name: &[u8], qtype: RecordType) -> Found<'_> {
        self.find_by(self.table.hash(name), name, qtype)
    }

    /// The same by the name's fingerprint.
    #[inline]
    pub fn find_by(&self, fingerprint: u64, name: &[u8], qtype: RecordType) -> Found<'_> {
        match self.table.find_by(fingerprint, name) {
            Some(node) if qtype == RecordType::DS && node.has(APEX) => {
                match self.find_parent_side(node) {
                    Some(parent_side) if parent_side.has(OCCLUDED) => self.find_above(name),
                    parent_side => Found::Exact(parent_side.unwrap_or(node)),
                }
            }
            Some(node) if !node.has(CUT | OCCLUDED) => Found::Exact(node),
            // DS belongs to the parent's side of a cut (RFC 4035 §3.1.4.1).
            Some(node) if node.has(CUT) && !node.has(OCCLUDED) && qtype == RecordType::DS => {
                Found::Exact(node)
            }
            Some(node) if node.has(CUT) && !node.has(OCCLUDED) => Found::Delegation(node),
            _ => self.find_above(name),
        }
    }

    /// What the zone above a nested one holds at its apex: the DS that vouches for it, or nothing (RFC 4035 §3.1.4.1).
    fn find_parent_side(&self, apex: Node<'_>) -> Option<Node<'_>> {
        let mut key = [0u8; NAME_OCTETS];
        let parts = [PARENT_SIDE].iter().chain(apex.name());
        for (to, from) in key.iter_mut().zip(parts) {
            *to = *from;
        }
        self.table.find(key.get(..apex.name().len().saturating_add(1))?)
    }

    /// Goes up from a name that is not there, or below a cut, to the closest encloser or the cut.
    fn find_above(&self, name: &[u8]) -> Found<'_> {
        let mut starts = [0u8; NAME_LABELS];
        let count = label_starts(name, &mut starts);
        let first = count.saturating_sub(self.deepest).max(1);
        let root = u8::try_from(name.len().saturating_sub(1)).unwrap_or(0);
        let above = starts.get(first.min(count)..count).unwrap_or_default();
        for &start in above.iter().chain([&root]) {
            let encloser = name.get(usize::from(start)..).unwrap_or_default();
            match self.table.find(encloser) {
                None => {}
                Some(node) if node.has(OCCLUDED) => {}
                Some(node) if node.has(CUT) => return Found::Delegation(node),
                Some(node) if node.has(REDIRECT) => return Found::Redirect(node),
                Some(node) if node.has(HAS_WILDCARD) => return self.find_wildcard(node),
                Some(node) => return Found::NoSuchName(node.zone()),
            }
        }
        Found::NotOurs
    }

    /// The source of synthesis below a closest encloser (RFC 4592 §3.3.1).
    fn find_wildcard(&self, encloser: Node<'_>) -> Found<'_> {
        let mut name = [0u8; NAME_OCTETS];
        let parts = [1, b'*'].iter().chain(encloser.name());
        for (to, from) in name.iter_mut().zip(parts) {
            *to = *from;
        }
        let whole = encloser.name().len().saturating_add(2);
        match name.get(..whole).and_then(|name| self.table.find(name)) {
            // A wildcard that is a cut delegates nothing: NS there has no meaning (RFC 4592 §4.2).
            Some(node) => Found::Wildcard(node),
            None => Found::NoSuchName(encloser.zone()),
        }
    }
}

/// Offsets of the labels of a name, the root's left out. Gives their number.
fn label_starts(name: &[u8], starts: &mut [u8; NAME_LABELS]) -> usize {
    let mut at = 0usize;
    let mut count = 0usize;
    while let Some(&length @ 1..) = name.get(at) {
        let (Some(slot), Ok(start)) = (starts.get_mut(count), u8::try_from(at)) else {
            break;
        };
        *slot = start;
        count = count.saturating_add(1);
        at = at.saturating_add(usize::from(length)).saturating_add(1);
    }
    count
}

/// The zones together are larger than a catalog can be: 4 GiB of names and records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CatalogFull;

impl std::fmt::Display for CatalogFull {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(
            "the zones hold more than 4 GiB of names and records, or an RRset of more than 65,535",
        )
    }
}

impl std::error::Error for CatalogFull {}

impl From<TableFull> for CatalogFull {
    fn from(_: TableFull) -> Self {
        Self
    }
}

/// Takes zones one by one and makes a [`Catalog`] of them.
#[derive(Debug)]
pub struct CatalogBuilder {
    table: TableBuilder,
    zones: Vec<ServedZone>,
    /// All apexes, known before the first zone is added: a name below another zone's apex belongs there.
    apexes: HashMap<Name, ZoneId>,
    /// By zone: the apexes of the zones directly below it, and the names between them and its own apex.
    nested: HashMap<ZoneId, Nested>,
    deepest: usize,
    names: usize,
}

/// What a zone must know of the zones below it.
#[derive(Debug, Default)]
struct Nested {
    apexes: Vec<Name>,
    /// They exist, as empty non-terminals at least, because something below them does (RFC 8020 §2).
    between: Vec<Name>,
}

impl CatalogBuilder {
    /// Begins a catalog of zones with these apexes, which will be added in this order. `seed` keys the table's hash.
    pub fn new<'a>(seed: u64, apexes: impl IntoIterator<Item = &'a Name>) -> Self {
        let apexes =
            (0u32..).map(ZoneId).zip(apexes).map(|(id, apex)| (apex.clone(), id)).collect();
        let nested = find_nested(&apexes);
        Self {
            table: TableBuilder::new(seed),
            zones: Vec::new(),
            apexes,
            nested,
            deepest: 0,
            names: 0,
        }
    }

    /// Adds a zone that can be answered from. It has an SOA at its apex, and all its owners are at or below it.
    pub fn add_zone<'a>(
        &mut self,
        apex: &'a Name,
        owners: impl IntoIterator<Item = Owner<'a>>,
    ) -> Result<(), CatalogFull> {
        let zone = self.next_zone()?;
        let nested = self.nested.remove(&zone).unwrap_or_default();
        let mut owners: Vec<Owner<'_>> = owners.into_iter().collect();
        if !nested.apexes.is_empty() {
            self.add_parent_sides(zone, &nested.apexes, &owners)?;
            owners.retain(|owner| self.owning_zone(owner.name) == Some(zone));
        }
        let soa = owners.iter().filter(|owner| owner.name == apex).flat_map(|owner| owner.rrsets);
        let soa = soa.into_iter().find(|rrset| rrset.rtype == RecordType::SOA);
        let negative_soa: Box<[u8]> = soa.map(encode_negative_soa).unwrap_or_default().into();
        let negative_template = Some(apex.as_wire())
            .filter(|apex| apex.len() > 1)
            .and_then(|apex| Template::of(RecordType::SOA, apex, &negative_soa));
        // These exist even without records. What stands in front of them in the list, under the same name, is kept.
        let empty = |name| Owner { name, rrsets: &[], route: None };
        let is_there = owners.first().is_some_and(|first| first.name == apex);
        owners.extend(nested.between.iter().chain((!is_there).then_some(apex)).map(empty));
        // Canonical order: every name comes after its ancestors. Most sources have it already.
        if !owners.is_sorted_by(|one, other| one.name <= other.name) {
            owners.sort_by(|one, other| one.name.cmp(other.name));
        }
        Walk::new(self, zone, apex).enter_all(&owners)?;
        self.zones.push(ServedZone {
            apex: apex.clone(),
            state: ZoneState::Served,
            negative_soa,
            negative_template,
        });
        Ok(())
    }

    /// Adds a zone whose file was refused.
    pub fn add_refused(&mut self, apex: &Name) -> Result<(), CatalogFull> {
        let zone = self.next_zone()?;
        // What it says of the zones nested in it is as unknown as the rest: their DS are not denied.
        let nested = self.nested.remove(&zone).unwrap_or_default();
        self.add_parent_sides(zone, &nested.apexes, &[])?;
        self.add_node(apex.as_wire(), APEX, zone, None, &[])?;
        self.zones.push(ServedZone {
            apex: apex.clone(),
            state: ZoneState::Refused,
            negative_soa: [].into(),
            negative_template: None,
        });
        Ok(())
    }

    fn next_zone(&self) -> Result<ZoneId, CatalogFull> {
        u32::try_from(self.zones.len()).map(ZoneId).map_err(|_| CatalogFull)
    }

    /// The zone with the longest apex at or above a name.
    fn owning_zone(&self, name: &Name) -> Option<ZoneId> {
        let mut ancestor = Some(name.clone());
        while let Some(name) = ancestor {
            if let Some(&zone) = self.apexes.get(&name) {
                return Some(zone);
            }
            ancestor = name.parent();
        }
        None
    }

    /// Keeps what this zone says of the zones nested in it: their DS, or that it delegated them away with a name above.
    fn add_parent_sides(
        &mut self,
        zone: ZoneId,
        apexes: &[Name],
        owners: &[Owner<'_>],
    ) -> Result<(), CatalogFull> {
        let sets: HashMap<&Name, &[RRset]> =
            owners.iter().map(|owner| (owner.name, owner.rrsets)).collect();
        for apex in apexes {
            let key = [&[PARENT_SIDE], apex.to_folded().as_wire()].concat();
            // The longest name of all has no room for the mark; nobody delegates to it.
            if key.len() > NAME_OCTETS {
                continue;
            }
            let rrsets = sets.get(apex).copied().unwrap_or_default();
            let signers: Vec<RRset> =
                rrsets.iter().filter(|set| set.rtype == RecordType::DS).cloned().collect();
            let flags = if self.is_given_away(apex, zone, &sets) { OCCLUDED } else { 0 };
            self.table.add(&key, flags, zone, None, &signers)?;
        }
        Ok(())
    }

    /// Whether the names between a nested zone's apex and this zone's hold a cut or a DNAME.
    fn is_given_away(&self, apex: &Name, zone: ZoneId, sets: &HashMap<&Name, &[RRset]>) -> bool {
        let mut above = apex.parent();
        while let Some(name) = above {
            let is_top = self.apexes.get(&name) == Some(&zone);
            let rrsets = sets.get(&name).copied().unwrap_or_default();
            let gives_away = |set: &RRset| match set.rtype {
                RecordType::NS => !is_top,
                rtype => rtype == RecordType::DNAME,
            };
            if rrsets.iter().any(gives_away) {
                return true;
            }
            above = name.parent().filter(|_| !is_top);
        }
        false
    }

    fn add_node(
        &mut self,
        name: &[u8],
        flags: u8,
        zone: ZoneId,
        route: Option<RouteId>,
        rrsets: &[RRset],
    ) -> Result<Entry, CatalogFull> {
        self.deepest = self.deepest.max(suffixes(name).count());
        self.names = self.names.saturating_add(1);
        Ok(self.table.add(name, flags, zone, route, rrsets)?)
    }

    /// The finished catalog.
    pub fn build(self) -> Catalog {
        Catalog {
            table: self.table.build(),
            zones: self.zones,
            deepest: self.deepest,
            names: self.names,
        }
    }
}

/// For each zone, which others are directly below it.
fn find_nested(apexes: &HashMap<Name, ZoneId>) -> HashMap<ZoneId, Nested> {
    let mut nested: HashMap<ZoneId, Nested> = HashMap::new();
    for apex in apexes.keys() {
        let mut between = Vec::new();
        let mut above = apex.parent();
        while let Some(name) = above {
            if let Some(&zone) = apexes.get(&name) {
                let below = nested.entry(zone).or_default();
                below.apexes.push(apex.clone());
                below.between.append(&mut between);
                break;
            }
            above = name.parent();
            between.push(name);
        }
    }
    nested
}

/// The way through the owners of one zone in canonical order, in which a name's ancestors come before it: so that the empty
/// non-terminals between are entered on the way, and a cut before what it occludes.
struct Walk<'b, 'a> {
    builder: &'b mut CatalogBuilder,
    zone: ZoneId,
    apex: &'a [u8],
    /// Where the names were entered that lead from the apex to the latest one.
    path: Vec<(&'a [u8], Entry)>,
    /// The cut that the walk is below.
    cut: Option<&'a [u8]>,
    /// The DNAME that the walk is below.
    redirect: Option<&'a [u8]>,
}

impl<'b, 'a> Walk<'b, 'a> {
    fn new(builder: &'b mut CatalogBuilder, zone: ZoneId, apex: &'a Name) -> Self {
        let apex = apex.as_wire();
        Self { builder, zone, apex, path: Vec::new(), cut: None, redirect: None }
    }

    /// Enters owners in canonical order. Of several with one name the first counts.
    fn enter_all(&mut self, owners: &[Owner<'a>]) -> Result<(), CatalogFull> {
        let mut previous: Option<&Name> = None;
        for owner in owners {
            let name = owner.name.as_wire();
            let is_again = previous.is_some_and(|previous| previous == owner.name);
            previous = Some(owner.name);
            // Names below a DNAME don't exist (RFC 6672 §2.4).
            if is_again || self.redirect.is_some_and(|redirect| ends_in(name, redirect)) {
                continue;
            }
            self.climb_to(name)?;
            self.enter_owner(owner)?;
        }
        Ok(())
    }

    /// Goes to the parent of a name, and enters what is missing on the way down to it.
    fn climb_to(&mut self, name: &'a [u8]) -> Result<(), CatalogFull> {
        while self.path.last().is_some_and(|(above, _)| !ends_in(name, above)) {
            self.path.pop();
        }
        let Some(above) = self.path.last().map(|(above, _)| above.len()) else { return Ok(()) };
        let missing: Vec<&[u8]> =
            suffixes(name).skip(1).take_while(|suffix| suffix.len() > above).collect();
        for empty in missing.into_iter().rev() {
            self.enter(empty, 0, None, &[])?;
        }
        Ok(())
    }

    fn enter_owner(&mut self, owner: &Owner<'a>) -> Result<(), CatalogFull> {
        let name = owner.name.as_wire();
        let has = |rtype| owner.rrsets.iter().any(|set| set.rtype == rtype);
        let is_apex = name.len() == self.apex.len();
        let is_occluded = self.cut.is_some_and(|cut| ends_in(name, cut));
        let is_cut = has(RecordType::NS) && !is_apex && !owner.name.is_wildcard();
        let is_redirect = has(RecordType::DNAME) && !is_cut && !is_occluded;
        if is_cut && !is_occluded {
            self.cut = Some(name);
        }
        if is_redirect {
            self.redirect = Some(name);
        }
        let flag = |is_set, flag| if is_set { flag } else { 0 };
        let flags = flag(is_apex, APEX) | flag(is_cut, CUT) | flag(is_redirect, REDIRECT);
        self.enter(name, flags, owner.route, owner.rrsets)
    }

    /// Enters a name below the latest one of the path.
    fn enter(
        &mut self,
        name: &'a [u8],
        flags: u8,
        route: Option<RouteId>,
        rrsets: &[RRset],
    ) -> Result<(), CatalogFull> {
        if let Some((_, parent)) = self.path.last()
            && name.starts_with(b"\x01*")
        {
            self.builder.table.set_flag(*parent, HAS_WILDCARD);
        }
        let is_below_cut =
            self.cut.is_some_and(|cut| cut.len() != name.len() && ends_in(name, cut));
        let flags = if is_below_cut { flags | OCCLUDED } else { flags };
        let entry = self.builder.add_node(name, flags, self.zone, route, rrsets)?;
        self.path.push((name, entry));
        Ok(())
    }
}

/// A name, its parent, and so on down to a name of one label.
fn suffixes(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::successors(Some(name), |name| parent_of(name)).take_while(|name| name.len() > 1)
}

fn parent_of(name: &[u8]) -> Option<&[u8]> {
    let length = usize::from(*name.first()?);
    name.get(length.saturating_add(1)..)
}

/// The SOA as negative answers carry it.
fn encode_negative_soa(soa: &RRset) -> Vec<u8> {
    let minimum =
        soa.rdata.first().and_then(|rdata| rdata.last_chunk::<4>()).map(|m| u32::from_be_bytes(*m));
    let ttl = minimum.and_then(Ttl::from_seconds).map_or(soa.ttl, |minimum| minimum.min(soa.ttl));
    let mut octets = Vec::new();
    // One record of a length that the table took already: nothing here can fail.
    Records::encode(RecordType::SOA, ttl, &soa.rdata, &mut octets);
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text, &Name::root()).unwrap()
    }

    fn rrset(rtype: RecordType) -> RRset {
        RRset { rtype, ttl: Ttl::from_seconds(60).unwrap(), rdata: vec![Box::new([0, 0, 0, 60])] }
    }

    /// A catalog of one zone `example.` with these owners, each with the given types, and a nested zone `child.example.`.
    fn catalog(owners: &[(&str, &[RecordType])]) -> Catalog {
        let owned: Vec<(Name, Vec<RRset>)> = owners
            .iter()
            .map(|(text, types)| (name(text), types.iter().map(|&rtype| rrset(rtype)).collect()))
            .collect();
        let apexes = [name("example."), name("child.example."), name("broken.example.")];
        let mut builder = CatalogBuilder::new(42, &apexes);
        let as_owners = owned.iter().map(|(name, rrsets)| Owner { name, rrsets, route: None });
        builder.add_zone(&apexes[0], as_owners).unwrap();
        let soa = [rrset(RecordType::SOA)];
        builder
            .add_zone(&apexes[1], [Owner { name: &apexes[1], rrsets: &soa, route: None }])
            .unwrap();
        builder.add_refused(&apexes[2]).unwrap();
        builder.build()
    }

    fn describe(catalog: &Catalog, question: &str, qtype: RecordType) -> String {
        let show = |node: Node<'_>| Name::from_wire(node.name()).unwrap().0.to_string();
        match catalog.find(name(question).to_folded().as_wire(), qtype) {
            Found::NotOurs => "not ours".into(),
            Found::Exact(node) => format!("exact {}", show(node)),
            Found::Wildcard(node) => format!("wildcard {}", show(node)),
            Found::Delegation(node) => format!("delegation {}", show(node)),
            Found::Redirect(node) => format!("redirect {}", show(node)),
            Found::NoSuchName(zone) => format!("no such name in {}", zone.0),
        }
    }

    #[test]
    fn questions_lead_where_rfc_1034_says() {
        const A: RecordType = RecordType::A;
        let catalog = catalog(&[
            ("example.", &[RecordType::SOA, RecordType::NS]),
            ("a.b.c.example.", &[A]),
            ("*.w.example.", &[A]),
            ("x.w.example.", &[A]),
            ("cut.example.", &[RecordType::NS, RecordType::DS]),
            ("ns.cut.example.", &[A]),
            ("deep.ns.cut.example.", &[RecordType::NS]),
            ("lost.child.example.", &[A]),
            ("d.example.", &[RecordType::DNAME, A]),
            ("hidden.d.example.", &[A]),
            ("deep.hidden.d.example.", &[RecordType::NS]),
        ]);
        for (question, expected) in [
            ("example.", "exact example."),
            ("A.B.C.Example.", "exact a.b.c.example."),
            ("b.c.example.", "exact b.c.example."),
            ("z.b.c.example.", "no such name in 0"),
            ("z.example.", "no such name in 0"),
            ("y.w.example.", "wildcard *.w.example."),
            ("y.y.w.example.", "wildcard *.w.example."),
            ("*.w.example.", "exact *.w.example."),
            ("y.x.w.example.", "no such name in 0"),
            ("w.example.", "exact w.example."),
            ("cut.example.", "delegation cut.example."),
            ("ns.cut.example.", "delegation cut.example."),
            ("deep.ns.cut.example.", "delegation cut.example."),
            ("z.deep.ns.cut.example.", "delegation cut.example."),
            ("q.cut.example.", "delegation cut.example."),
            ("child.example.", "exact child.example."),
            ("lost.child.example.", "no such name in 1"),
            ("x.broken.example.", "no such name in 2"),
            ("d.example.", "exact d.example."),
            ("x.d.example.", "redirect d.example."),
            ("hidden.d.example.", "redirect d.example."),
            ("y.deep.hidden.d.example.", "redirect d.example."),
            ("org.", "not ours"),
            (".", "not ours"),
        ] {
            assert_eq!(describe(&catalog, question, A), expected, "{question}");
        }
        assert_eq!(describe(&catalog, "cut.example.", RecordType::DS), "exact cut.example.");
        let long = format!("{}example.", "a.".repeat(120));
        assert_eq!(describe(&catalog, &long, A), "no such name in 0");
        assert!(catalog.node(name("ns.cut.example.").as_wire()).is_some());
    }

    #[test]
    fn names_between_nested_zones_exist_and_ds_is_the_parents() {
        let (parent, child) = (name("example."), name("a.b.example."));
        let soa = [rrset(RecordType::SOA)];
        let (wild, txt) = (name("*.example."), [rrset(RecordType::TXT)]);
        let delegation = [rrset(RecordType::NS), rrset(RecordType::DS)];
        for order in [[0, 1], [1, 0]] {
            let apexes = [&parent, &child];
            let mut builder = CatalogBuilder::new(42, order.map(|place| apexes[place]));
            for place in order {
                let owners: &[(&Name, &[RRset])] = if place == 0 {
                    &[(&parent, &soa), (&wild, &txt), (&child, &delegation)]
                } else {
                    &[(&child, &soa)]
                };
                let owners =
                    owners.iter().map(|&(name, rrsets)| Owner { name, rrsets, route: None });
                builder.add_zone(apexes[place], owners).unwrap();
            }
            let catalog = builder.build();
            let zone_of = |zone: ZoneId| &catalog.zone(zone).unwrap().apex;
            assert_eq!(describe(&catalog, "b.example.", RecordType::TXT), "exact b.example.");
            let Found::NoSuchName(zone) =
                catalog.find(name("x.b.example.").as_wire(), RecordType::TXT)
            else {
                panic!("the closest encloser is b.example., which has no wildcard");
            };
            assert_eq!(zone_of(zone), &parent);
            assert_eq!(describe(&catalog, "x.example.", RecordType::TXT), "wildcard *.example.");
            let Found::Exact(node) = catalog.find(child.as_wire(), RecordType::DS) else {
                panic!("DS")
            };
            assert_eq!(zone_of(node.zone()), &parent);
            assert!(node.rrset(RecordType::DS).is_some() && node.rrset(RecordType::NS).is_none());
            assert_eq!(node.name(), child.as_wire());
            let Found::Exact(node) = catalog.find(child.as_wire(), RecordType::SOA) else {
                panic!("SOA")
            };
            assert_eq!(zone_of(node.zone()), &child);
        }
    }

    #[test]
    fn ds_of_a_zone_that_was_given_away_is_not_the_parents() {
        let (parent, child) = (name("example."), name("b.a.example."));
        let cut = name("a.example.");
        let soa = [rrset(RecordType::SOA)];
        let (ns, ds) = ([rrset(RecordType::NS)], [rrset(RecordType::NS), rrset(RecordType::DS)]);
        let mut builder = CatalogBuilder::new(42, [&parent, &child]);
        let owner = |name, rrsets| Owner { name, rrsets, route: None };
        let owners = [owner(&parent, &soa[..]), owner(&cut, &ns), owner(&child, &ds)];
        builder.add_zone(&parent, owners).unwrap();
        builder.add_zone(&child, [owner(&child, &soa)]).unwrap();
        let catalog = builder.build();
        assert_eq!(describe(&catalog, "b.a.example.", RecordType::DS), "delegation a.example.");
        assert_eq!(describe(&catalog, "b.a.example.", RecordType::SOA), "exact b.a.example.");
    }

    /// The parent's file was refused: whether it has a DS for the child is not known, and must not be denied.
    #[test]
    fn ds_below_a_refused_zone_is_the_refused_zones() {
        let (parent, child) = (name("example."), name("child.example."));
        let soa = [rrset(RecordType::SOA)];
        let mut builder = CatalogBuilder::new(42, [&child, &parent]);
        builder.add_zone(&child, [Owner { name: &child, rrsets: &soa, route: None }]).unwrap();
        builder.add_refused(&parent).unwrap();
        let catalog = builder.build();
        let found = catalog.find(child.as_wire(), RecordType::DS).zone().unwrap();
        assert_eq!(catalog.zone(found).unwrap().state, ZoneState::Refused);
        let found = catalog.find(child.as_wire(), RecordType::SOA).zone().unwrap();
        assert_eq!(catalog.zone(found).unwrap().state, ZoneState::Served);
    }

    #[test]
    fn rule_57_wildcards_are_whole_leftmost_labels() {
        let catalog = catalog(&[
            ("example.", &[RecordType::SOA]),
            ("a*.example.", &[RecordType::A]),
            ("b.*.example.", &[RecordType::A]),
        ]);
        assert_eq!(describe(&catalog, "ab.example.", RecordType::A), "wildcard *.example.");
        let Found::Wildcard(node) = catalog.find(name("ab.example.").as_wire(), RecordType::A)
        else {
            panic!()
        };
        assert_eq!(
            node.rrsets().count(),
            0,
            "an empty non-terminal synthesises nothing but NODATA"
        );
    }

    #[test]
    fn negative_ttl_is_the_lower_of_soa_ttl_and_minimum() {
        let mut soa = rrset(RecordType::SOA);
        soa.rdata = vec![[&[0, 0][..], &[0; 16], &30u32.to_be_bytes()].concat().into()];
        let octets = encode_negative_soa(&soa);
        assert_eq!(Records { rtype: RecordType::SOA, count: 1, octets: &octets }.ttl(), 30);
    }

    #[test]
    fn the_root_can_be_a_zone() {
        let root = Name::root();
        let mut builder = CatalogBuilder::new(1, [&root]);
        let sets = [rrset(RecordType::SOA)];
        let com = name("com.");
        let ns = [rrset(RecordType::NS)];
        let owners = [
            Owner { name: &root, rrsets: &sets, route: None },
            Owner { name: &com, rrsets: &ns, route: None },
        ];
        builder.add_zone(&root, owners).unwrap();
        let catalog = builder.build();
        assert_eq!(describe(&catalog, "www.com.", RecordType::A), "delegation com.");
        assert_eq!(describe(&catalog, "org.", RecordType::A), "no such name in 0");
        assert_eq!(describe(&catalog, ".", RecordType::A), "exact .");
    }
}
