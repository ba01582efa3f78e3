//! Warnings about zones that can be served and will disappoint: records that lead nowhere, data that nobody can see, settings that
//! the rest of the net does not honour.
//!
//! | file | warns of |
//! |---|---|
//! | `cuts` | what delegations and DNAMEs hide, and delegations that can't be followed |
//! | `targets` | names in records that do not lead to what the record promises |
//! | `chains` | CNAMEs that lead to CNAMEs, in a circle or too far |
//! | `habits` | what works and is known to hurt: one name server, two SPF records, odd timers |
//!
//! A zone has up to a million names, so that each of these looks at an owner once, and takes no room for it. Only errors refuse a
//! zone; these are in [`super::zone`].

mod chains;
mod cuts;
mod habits;
mod targets;

use super::diagnostic::Findings;
use super::document::Document;
use super::names::Owner;
use crate::wire::{Name, RecordType};

/// Gives all warnings of a zone without errors. `owners` are the document's, in canonical order.
pub(super) fn give<'d>(
    document: &'d Document<'d>,
    owners: &'d [&'d Owner<'d>],
    findings: &mut Findings<'_>,
) {
    let zone = Zone::new(document, owners);
    if zone.has_cuts {
        cuts::check(&zone, findings);
    }
    targets::check(&zone, document, findings);
    for owner in &document.names {
        habits::check(owner, document, findings);
    }
}

/// What hides the names below it.
#[derive(Clone, Copy)]
pub(super) enum Cover<'d> {
    /// A name that is delegated: it belongs to another zone, and all below it.
    Delegation(&'d Owner<'d>),
    /// The owner of a DNAME, whose own data can be seen.
    Redirection(&'d Owner<'d>),
}

impl<'d> Cover<'d> {
    pub(super) fn owner(self) -> &'d Owner<'d> {
        match self {
            Self::Delegation(owner) | Self::Redirection(owner) => owner,
        }
    }
}

/// Where a name that a record speaks of is found.
enum Place<'d> {
    /// In another zone; nothing is known of it here.
    Outside,
    /// At or below a delegation, or below a DNAME.
    Covered(Cover<'d>),
    Owner(&'d Owner<'d>),
    /// There is no such name, and this wildcard stands for it.
    Wildcard(&'d Owner<'d>),
    /// An empty non-terminal, or no name at all.
    Missing,
}

/// The names of a zone, to look others up among them.
pub(super) struct Zone<'d> {
    pub(super) apex: &'d Name,
    /// In canonical order: what is below a name follows it.
    pub(super) owners: &'d [&'d Owner<'d>],
    /// Whether there are delegations, DNAMEs, or DS records that may lack one. Most zones have none, and then nobody needs to
    /// look for them above each name.
    has_cuts: bool,
}

impl<'d> Zone<'d> {
    pub(super) fn new(document: &'d Document<'d>, owners: &'d [&'d Owner<'d>]) -> Self {
        let apex = &document.apex.value;
        let mut zone = Self { apex, owners, has_cuts: false };
        let is_cut = |owner: &'d Owner<'d>| {
            zone.cover_at(owner).is_some() || owner.records_of(RecordType::DS).is_some()
        };
        zone.has_cuts = document.names.iter().any(is_cut);
        zone
    }

    /// The owner of this name.
    pub(super) fn owner_of(&self, name: &Name) -> Option<&'d Owner<'d>> {
        let place = self.owners.binary_search_by(|owner| owner.name.value.cmp(name)).ok()?;
        self.owners.get(place).copied()
    }

    fn is_apex(&self, owner: &Owner<'_>) -> bool {
        owner.name.value == *self.apex
    }

    /// The cover that an owner is.
    fn cover_at(&self, owner: &'d Owner<'d>) -> Option<Cover<'d>> {
        if owner.records_of(RecordType::NS).is_some() && !self.is_apex(owner) {
            return Some(Cover::Delegation(owner));
        }
        owner.records_of(RecordType::DNAME).map(|_| Cover::Redirection(owner))
    }

    /// What hides a name.
    pub(super) fn cover_of(&self, name: &Name) -> Option<Cover<'d>> {
        if !self.has_cuts {
            return None;
        }
        let mut above = Some(name.clone());
        while let Some(ancestor) = above.filter(|ancestor| ancestor.is_at_or_below(self.apex)) {
            let cover = self.owner_of(&ancestor).and_then(|owner| self.cover_at(owner));
            match cover {
                Some(Cover::Redirection(owner)) if owner.name.value == *name => {}
                Some(cover) => return Some(cover),
                None => {}
            }
            above = ancestor.parent();
        }
        None
    }

    fn place_of(&self, name: &Name) -> Place<'d> {
        if !name.is_at_or_below(self.apex) || name.is_root() {
            return Place::Outside;
        }
        if let Some(cover) = self.cover_of(name) {
            return Place::Covered(cover);
        }
        match self.owner_of(name) {
            Some(owner) => Place::Owner(owner),
            None => self.source_of_synthesis(name).map_or(Place::Missing, Place::Wildcard),
        }
    }

    /// The wildcard that stands for a name which has no records, if any does (RFC 4592 §3.3.1).
    pub(super) fn source_of_synthesis(&self, name: &Name) -> Option<&'d Owner<'d>> {
        let mut below = name.clone();
        while let Some(encloser) = below.parent().filter(|name| name.is_at_or_below(self.apex)) {
            if self.exists(&below) {
                return None;
            }
            let wildcard = encloser.child(b"*").ok();
            if let Some(owner) = wildcard.and_then(|wildcard| self.owner_of(&wildcard)) {
                return Some(owner);
            }
            below = encloser;
        }
        None
    }

    /// Whether a name has records, or a name below it has.
    pub(super) fn exists(&self, name: &Name) -> bool {
        let next = self.owners.partition_point(|owner| owner.name.value < *name);
        self.owners.get(next).is_some_and(|owner| owner.name.value.is_at_or_below(name))
    }
}

fn is_address(rtype: RecordType) -> bool {
    matches!(rtype, RecordType::A | RecordType::AAAA)
}

/// Whether addresses of the name can be sent along with a referral. A route makes none: its answers are chosen per question. An
/// alias may: what it leads to is looked at where it stands.
fn has_address_records(owner: &Owner<'_>) -> bool {
    !owner.aliases.is_empty() || owner.records.iter().any(|records| is_address(records.rtype.value))
}
