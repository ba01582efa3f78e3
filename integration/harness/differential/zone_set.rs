//! Zones as the test knows them: what may stand in them, what is true of them, and how they are written as files.
//!
//! Invariant: every zone is one that BIND, NSD and Knot all load, because [`Zone::add`] takes nothing else.

use std::collections::{BTreeMap, BTreeSet};

use super::domain_name::DomainName;
use super::rdata::{self, A, AAAA, CNAME, DNAME, DS, NS, Rdata, SOA};

/// All records of one owner and type. They have one TTL (RFC 2181 §5.2).
#[derive(Clone, Debug)]
pub struct RRset {
    /// In the case in which it was first written.
    pub owner: DomainName,
    pub rtype: u16,
    pub ttl: u32,
    pub data: Vec<Rdata>,
}

#[derive(Clone, Debug)]
pub struct Zone {
    pub apex: DomainName,
    /// By owner in lower case, and type.
    rrsets: BTreeMap<(DomainName, u16), RRset>,
    /// Apexes of other zones of the set that are below this one.
    children: Vec<DomainName>,
    /// That of them which has a DNAME at its apex: NSD takes no glue below one.
    moved_child: Option<DomainName>,
}

/// How a zone file is written for meridian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Toml,
    Master,
}

impl Zone {
    pub fn new(
        apex: &DomainName,
        children: Vec<DomainName>,
        moved_child: Option<DomainName>,
    ) -> Self {
        Self { apex: apex.clone(), rrsets: BTreeMap::new(), children, moved_child }
    }

    pub fn rrsets(&self) -> impl Iterator<Item = &RRset> {
        self.rrsets.values()
    }

    pub fn rrset(&self, owner: &DomainName, rtype: u16) -> Option<&RRset> {
        self.rrsets.get(&(owner.folded(), rtype))
    }

    /// Types at exactly this owner.
    pub fn types_at(&self, owner: &DomainName) -> Vec<u16> {
        let owner = owner.folded();
        let range = self.rrsets.range((owner.clone(), 0)..=(owner, u16::MAX));
        range.map(|((_, rtype), _)| *rtype).collect()
    }

    /// Every owner, and every empty non-terminal above one.
    pub fn names(&self) -> BTreeSet<DomainName> {
        let owners = self.rrsets.keys().map(|(owner, _)| owner);
        owners
            .flat_map(|owner| owner.ancestors().take_while(|name| name.is_at_or_below(&self.apex)))
            .collect()
    }

    /// The highest zone cut at or above a name, of this zone's own or of a zone that is served.
    pub fn cut_above(&self, name: &DomainName) -> Option<DomainName> {
        let inside = name.ancestors().take_while(|above| above.is_below(&self.apex));
        inside.filter(|above| self.rrset(above, NS).is_some() || self.is_child(above)).last()
    }

    fn is_child(&self, name: &DomainName) -> bool {
        self.children.iter().any(|child| child.folded() == name.folded())
    }

    /// Enters a record, unless the zone would no longer be one that everybody loads. Says whether it is there.
    pub fn add(&mut self, owner: &DomainName, ttl: u32, rtype: u16, data: Rdata) -> bool {
        let has_room = data.target.as_ref().is_none_or(DomainName::is_short_enough);
        if !has_room || !self.can_hold(owner, rtype) {
            return false;
        }
        let new = RRset { owner: owner.clone(), rtype, ttl, data: Vec::new() };
        let set = self.rrsets.entry((owner.folded(), rtype)).or_insert(new);
        if set.data.iter().all(|present| present.octets != data.octets) {
            set.data.push(data);
        }
        true
    }

    fn can_hold(&self, owner: &DomainName, rtype: u16) -> bool {
        let is_apex = owner.folded() == self.apex.folded();
        owner.is_at_or_below(&self.apex)
            && owner.is_short_enough()
            && self.is_alone(owner, rtype)
            && !self.is_below_dname(owner)
            && self.suits_cut(owner, rtype)
            && match rtype {
                SOA => is_apex && self.rrset(owner, SOA).is_none(),
                CNAME => !is_apex && self.rrset(owner, CNAME).is_none(),
                DNAME => self.can_be_moved(owner, is_apex),
                DS => !is_apex && self.rrset(owner, NS).is_some(),
                NS => is_apex || self.can_be_cut(owner),
                _ => true,
            }
    }

    /// A CNAME stands alone (RFC 1034 §3.6.2).
    fn is_alone(&self, owner: &DomainName, rtype: u16) -> bool {
        let types = self.types_at(owner);
        if rtype == CNAME { types.is_empty() } else { !types.contains(&CNAME) }
    }

    /// Nothing may stand below a DNAME (RFC 6672 §2.4), and Knot loads no zone where something does.
    fn is_below_dname(&self, owner: &DomainName) -> bool {
        let above = owner.ancestors().skip(1).take_while(|name| name.is_at_or_below(&self.apex));
        let mut above = above.into_iter();
        above.any(|name| self.rrset(&name, DNAME).is_some())
            || self.moved_child.as_ref().is_some_and(|moved| owner.is_below(moved))
    }

    /// One DNAME, nothing below it, no cut at it (RFC 6672 §2.3, §2.4), and no wildcard (§3.3).
    fn can_be_moved(&self, owner: &DomainName, is_apex: bool) -> bool {
        let has_below = self.rrsets.keys().any(|(name, _)| name.is_below(owner))
            || self.children.iter().any(|child| child.is_at_or_below(owner));
        let has_cut = !is_apex && self.cut_above(owner).is_some();
        !has_below && !has_cut && !owner.is_wildcard() && self.rrset(owner, DNAME).is_none()
    }

    /// No wildcard (RFC 4592 §4.2), and nothing that would stay behind at the cut.
    fn can_be_cut(&self, owner: &DomainName) -> bool {
        !owner.is_wildcard()
            && self.types_at(owner).iter().all(|rtype| matches!(*rtype, NS | DS | A | AAAA))
    }

    /// At a cut stand NS, DS and glue; below it may stand anything, as nobody sees it, but no alias.
    fn suits_cut(&self, owner: &DomainName, rtype: u16) -> bool {
        match self.cut_above(owner) {
            None => true,
            Some(cut) if cut == *owner || cut.folded() == owner.folded() => {
                matches!(rtype, NS | DS | A | AAAA)
            }
            Some(_) => !matches!(rtype, CNAME | DNAME | DS),
        }
    }

    /// The zone as RFC 1035 §5 has it.
    pub fn master_file(&self) -> String {
        let mut text = format!("$ORIGIN {}\n$TTL 3600\n", self.apex);
        for set in self.in_order() {
            let owner = set.owner.relative_to(&self.apex);
            for data in &set.data {
                let rtype = rdata::mnemonic(set.rtype);
                text += &format!("{owner}\t{}\tIN\t{rtype}\t{}\n", set.ttl, data.text);
            }
        }
        text
    }

    /// The zone as meridian's own format has it.
    pub fn toml(&self) -> String {
        let mut text =
            format!("zone = {}\nttl = \"1h\"\n\n[names]\n", toml(&self.apex.to_string()));
        let sets: Vec<&RRset> = self.in_order().collect();
        for owner in sets.chunk_by(|one, other| one.owner.folded() == other.owner.folded()) {
            text += &format!("{} = {{ ", toml(&owner[0].owner.relative_to(&self.apex)));
            let entries: Vec<String> = owner.iter().map(|set| toml_entry(set)).collect();
            text += &format!("{} }}\n", entries.join(", "));
        }
        text
    }

    /// The SOA first, as master files must have it.
    fn in_order(&self) -> impl Iterator<Item = &RRset> {
        let (soa, rest): (Vec<&RRset>, Vec<&RRset>) =
            self.rrsets().partition(|set| set.rtype == SOA);
        let (apex, below): (Vec<&RRset>, Vec<&RRset>) =
            rest.into_iter().partition(|set| set.owner.folded() == self.apex.folded());
        soa.into_iter().chain(apex).chain(below)
    }
}

fn toml_entry(set: &RRset) -> String {
    let data: Vec<String> = set.data.iter().map(|data| toml(&data.text)).collect();
    let rtype = rdata::mnemonic(set.rtype);
    format!("{rtype} = {{ ttl = \"{}s\", data = [{}] }}", set.ttl, data.join(", "))
}

/// A TOML basic string.
fn toml(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Zones that are served together.
#[derive(Debug)]
pub struct ZoneSet {
    pub name: String,
    pub zones: Vec<Zone>,
    /// By zone: see [`Zone::names`].
    names: Vec<BTreeSet<DomainName>>,
}

impl ZoneSet {
    /// NSD loads no zone with a DNAME above a name of another zone's file: such DNAMEs are left out.
    pub fn new(name: String, mut zones: Vec<Zone>) -> Self {
        let all: BTreeSet<DomainName> = zones.iter().flat_map(Zone::names).collect();
        for zone in &mut zones {
            zone.rrsets.retain(|(owner, rtype), _| {
                *rtype != DNAME || !all.iter().any(|name| name.is_below(owner))
            });
        }
        let names = zones.iter().map(Zone::names).collect();
        Self { name, zones, names }
    }

    /// Whether a name exists in the zone that it belongs to.
    pub fn has_name(&self, name: &DomainName) -> bool {
        self.place_of(name).is_some_and(|place| self.names[place].contains(&name.folded()))
    }

    /// Whether the file of another zone than the one that a name belongs to has the name, or something below it.
    pub fn is_in_other_file(&self, name: &DomainName) -> bool {
        let (own, name) = (self.place_of(name), name.folded());
        let mut others = self.names.iter().enumerate().filter(|(place, _)| Some(*place) != own);
        others.any(|(_, names)| names.contains(&name))
    }

    /// The zone with the longest apex at or above a name.
    pub fn zone_of(&self, name: &DomainName) -> Option<&Zone> {
        self.place_of(name).map(|place| &self.zones[place])
    }

    fn place_of(&self, name: &DomainName) -> Option<usize> {
        let above =
            self.zones.iter().enumerate().filter(|(_, zone)| name.is_at_or_below(&zone.apex));
        above.max_by_key(|(_, zone)| zone.apex.labels().len()).map(|(place, _)| place)
    }

    /// The zone that answers for a name and type: DS is the parent's (RFC 4035 §3.1.4.1).
    pub fn authority_for(&self, name: &DomainName, qtype: u16) -> Option<&Zone> {
        let zone = self.zone_of(name)?;
        let is_apex = name.folded() == zone.apex.folded();
        let parent = name.parent().filter(|_| is_apex && qtype == DS);
        parent.and_then(|parent| self.zone_of(&parent)).or(Some(zone))
    }

    /// RRsets of an owner and type in any zone: beside a zone's own its parent's glue.
    pub fn rrsets<'s>(&'s self, owner: &DomainName, rtype: u16) -> impl Iterator<Item = &'s RRset> {
        self.zones.iter().filter_map(move |zone| zone.rrset(owner, rtype))
    }

    /// File names and texts, as meridian takes them.
    pub fn files(&self, format: Format) -> Vec<(String, String)> {
        let files = self.zones.iter().enumerate().map(|(number, zone)| match format {
            Format::Toml => (format!("zone-{number}.toml"), zone.toml()),
            Format::Master => (master_file_name(&zone.apex), zone.master_file()),
        });
        files.collect()
    }
}

/// The apex without its final dot; the root is called so.
fn master_file_name(apex: &DomainName) -> String {
    let text = apex.to_string();
    match text.trim_end_matches('.') {
        "" => "root.zone".to_owned(),
        text => format!("{text}.zone"),
    }
}
