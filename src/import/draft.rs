//! A zone on its way to TOML: what each owner answers with, and what was noted about it.
//!
//! Readers fill it; [`Draft::settle`] then takes out what a zone file cannot hold, with a note for each.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::tree::Tree;
use super::{ImportError, Note, Severity};
use crate::limits::ANSWER_ENDPOINTS;
use crate::wire::{Name, RecordType};
use crate::zone::presentation;

/// What one owner answers for one type.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// Data in presentation format with absolute names, and their TTL.
    Records(u32, Vec<String>),
    /// A tree, and the TTL of what it chooses.
    Route(u32, Rc<Tree>),
    /// The answer of another owner of the zone.
    Alias(Name),
}

/// A name of a CIDR collection with its locations and their prefixes.
pub(super) type Collection = BTreeMap<String, Vec<String>>;

/// A zone in the making.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) apex: Name,
    /// The first line of the file, a comment.
    pub(super) heading: String,
    pub(super) owners: BTreeMap<Name, BTreeMap<RecordType, Answer>>,
    pub(super) collections: BTreeMap<String, Collection>,
    pub(super) notes: Vec<OwnedNote>,
}

/// A note, and the owner above which it is printed.
#[derive(Debug)]
pub(super) struct OwnedNote {
    pub(super) owner: Option<Name>,
    pub(super) note: Note,
}

impl Draft {
    pub(super) fn new(apex: Name, heading: &str) -> Self {
        Self {
            apex,
            heading: heading.to_owned(),
            owners: BTreeMap::new(),
            collections: BTreeMap::new(),
            notes: Vec::new(),
        }
    }

    /// A note about a type of an owner.
    pub(super) fn note(
        &mut self,
        severity: Severity,
        owner: &Name,
        rtype: impl ToString,
        reason: impl Into<String>,
    ) {
        let name = owner.display_within(&self.apex).into_owned();
        let subject = format!("{name} {}", rtype.to_string()).trim_end().to_owned();
        self.push_note(Some(owner.clone()), Note { severity, subject, reason: reason.into() });
    }

    /// A note about something that is no name.
    pub(super) fn note_thing(
        &mut self,
        severity: Severity,
        subject: impl Into<String>,
        reason: impl Into<String>,
    ) {
        self.push_note(None, Note { severity, subject: subject.into(), reason: reason.into() });
    }

    fn push_note(&mut self, owner: Option<Name>, note: Note) {
        if self.notes.iter().all(|known| known.note != note) {
            self.notes.push(OwnedNote { owner, note });
        }
    }

    /// Sets what an owner answers for a type.
    pub(super) fn set(&mut self, owner: &Name, rtype: RecordType, answer: Answer) {
        self.owners.entry(owner.clone()).or_default().insert(rtype, answer);
    }

    /// Presentation format with absolute names of those texts that are data of the type.
    pub(super) fn read_all(
        &mut self,
        owner: &Name,
        rtype: RecordType,
        texts: &[String],
        origin: &Name,
    ) -> Vec<String> {
        let mut data = Vec::with_capacity(texts.len());
        for text in texts {
            match presentation::parse_rdata(rtype, text, origin) {
                Ok(octets) => {
                    let printed = presentation::print_rdata(rtype, &octets);
                    if !data.contains(&printed) {
                        data.push(printed);
                    }
                }
                Err(error) => {
                    let reason = format!("`{text}` is left out: {error}");
                    self.note(Severity::Error, owner, rtype, reason);
                }
            }
        }
        data
    }

    /// Gives the apex an SOA and name servers, where the original left them to whoever served it.
    pub(super) fn add_servers(&mut self, ttl: u32) {
        let apex = self.apex.clone();
        let answers = self.owners.entry(apex.clone()).or_default();
        let first = match answers.get(&RecordType::NS) {
            Some(Answer::Records(_, servers)) => servers.first().cloned(),
            _ => None,
        };
        let has_soa = answers.contains_key(&RecordType::SOA);
        if !has_soa {
            let server = first.clone().unwrap_or_else(|| "ns1".to_owned());
            let soa = vec![format!("{server} hostmaster")];
            self.set(&apex, RecordType::SOA, Answer::Records(ttl, soa));
        }
        if first.is_none() {
            let servers = vec!["ns1".to_owned(), "ns2".to_owned()];
            self.set(&apex, RecordType::NS, Answer::Records(ttl, servers));
            let reason = "the original names no servers: ns1 and ns2 are made up, give them addresses or put your own in their place";
            self.note(Severity::Warning, &apex, RecordType::NS, reason);
        }
    }

    /// Takes out what cannot stand together, and notes what is answered otherwise than before.
    pub(super) fn settle(&mut self) {
        let owners: Vec<Name> = self.owners.keys().cloned().collect();
        for owner in owners {
            self.cut_aliases(&owner);
            self.note_ttls(&owner);
            self.note_sizes(&owner);
        }
        self.owners.retain(|_, answers| !answers.is_empty());
    }

    /// A CNAME stands alone (RFC 1034 §3.6.2), so that a route that makes one cannot stand beside other data, nor may one route
    /// make both a CNAME and addresses.
    fn cut_aliases(&mut self, owner: &Name) {
        let Some(answers) = self.owners.get(owner) else { return };
        let is_routed = |rtype: &RecordType| {
            matches!(*rtype, RecordType::A | RecordType::AAAA | RecordType::CNAME)
        };
        let has_others = *owner == self.apex || answers.keys().any(|rtype| !is_routed(rtype));
        let mut types: BTreeSet<RecordType> = BTreeSet::new();
        for answer in answers.values() {
            if let Answer::Route(_, tree) = answer {
                types.extend(tree.types());
            }
        }
        let has_records = answers
            .iter()
            .any(|(rtype, answer)| is_routed(rtype) && !matches!(answer, Answer::Route(..)));
        let is_mixed = types.len() > 1 || has_others || has_records;
        if !types.contains(&RecordType::CNAME) || !is_mixed {
            return;
        }
        let routes = answers.clone().into_iter();
        for (rtype, answer) in routes {
            let Answer::Route(ttl, tree) = answer else { continue };
            let mut lost = BTreeSet::new();
            tree.for_each_pool(&mut |pool| lost.extend(pool.cname.clone()));
            if lost.is_empty() {
                continue;
            }
            let names: Vec<String> = lost.into_iter().collect();
            let reason = format!(
                "{} cannot be given as a CNAME here, where other data stand, and is left out: give its addresses, or move the name",
                names.join(", ")
            );
            self.note(Severity::Error, owner, rtype, reason);
            let rest = tree.without(&|pool| pool.cname.is_some());
            let Some(answers) = self.owners.get_mut(owner) else { return };
            match rest {
                Some(tree) => drop(answers.insert(rtype, Answer::Route(ttl, tree))),
                None => drop(answers.remove(&rtype)),
            }
        }
    }

    fn note_ttls(&mut self, owner: &Name) {
        for (rtype, answer) in self.owners.get(owner).cloned().unwrap_or_default() {
            let Answer::Route(ttl, tree) = answer else { continue };
            let ttls = tree.ttls();
            if ttls.len() > 1 {
                let all: Vec<String> = ttls.iter().map(ToString::to_string).collect();
                let reason =
                    format!("its records had several TTLs ({} s); all get {ttl} s", all.join(", "));
                self.note(Severity::Warning, owner, rtype, reason);
            }
        }
    }

    fn note_sizes(&mut self, owner: &Name) {
        for (rtype, answer) in self.owners.get(owner).cloned().unwrap_or_default() {
            let Answer::Route(_, tree) = answer else { continue };
            let mut most = 0usize;
            tree.for_each_pool(&mut |pool| {
                let ipv4 = pool.addresses.iter().filter(|address| address.is_ipv4()).count();
                most = most.max(ipv4).max(pool.addresses.len().saturating_sub(ipv4));
            });
            if most > ANSWER_ENDPOINTS {
                let reason = format!(
                    "a pool of {most} addresses hands out {ANSWER_ENDPOINTS} of them at a time, at random"
                );
                self.note(Severity::Warning, owner, rtype, reason);
            }
        }
    }
}

/// The TTL of a route: the lowest that its records had.
pub(super) fn route_ttl(tree: &Tree, otherwise: u32) -> u32 {
    tree.ttls().first().copied().unwrap_or(otherwise)
}

/// The name of a zone as it was typed.
pub(super) fn parse_zone(text: &str) -> Result<Name, ImportError> {
    Name::parse(text, &Name::root())
        .map(|name| name.to_folded())
        .map_err(|error| ImportError::new(format!("`{text}` is no name of a zone: {error}")))
}
