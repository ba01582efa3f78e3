//! CNAMEs that lead to CNAMEs: in a circle, or farther than an answer goes.
//!
//! Only links between CNAMEs of the zone come here, which are few in most zones; each is followed once, however many chains
//! it is a part of.

use std::collections::{HashMap, HashSet};

use crate::config::diagnostic::{Findings, Span};
use crate::config::names::Owner;
use crate::limits::CNAME_CHAIN;
use crate::wire::{Name, RecordType};

/// Names of a loop that are printed; the first ones show where to cut it.
const LOOP_NAMES: usize = 12;

/// A CNAME, and the one that it leads to.
pub(super) type Link<'d> = (&'d Owner<'d>, &'d Owner<'d>);

/// Warns of each loop once, and of each beginning of a chain that is too long.
pub(super) fn check(links: &[Link<'_>], findings: &mut Findings<'_>) {
    let mut chains = Chains {
        next: links.iter().map(|(from, to)| (&from.name.value, *to)).collect(),
        lengths: HashMap::new(),
    };
    let inner: HashSet<&Name> = links.iter().map(|(_, to)| &to.name.value).collect();
    for (start, _) in links {
        let length = chains.follow(start, findings);
        let is_start = !inner.contains(&start.name.value);
        if let Some(length) = length.filter(|length| is_start && *length >= CNAME_CHAIN) {
            let message = format!("a chain of {length} CNAMEs begins at {}", start.name.value);
            findings
                .warning(span_of(start), message)
                .label(format!("an answer has room for {}", CNAME_CHAIN.saturating_sub(1)))
                .help("let it lead to the last name of the chain at once");
        }
    }
}

struct Chains<'d> {
    next: HashMap<&'d Name, &'d Owner<'d>>,
    /// How many CNAMEs there are from one on, itself counted; nothing if there is no end.
    lengths: HashMap<&'d Name, Option<usize>>,
}

impl<'d> Chains<'d> {
    /// The length of the chain from a CNAME on. A loop that was not met before is reported.
    fn follow(&mut self, start: &'d Owner<'d>, findings: &mut Findings<'_>) -> Option<usize> {
        let mut way: Vec<&Owner<'d>> = Vec::new();
        let mut places: HashMap<&Name, usize> = HashMap::new();
        let mut here = start;
        let mut length = loop {
            let name = &here.name.value;
            if let Some(length) = self.lengths.get(name) {
                break *length;
            }
            if let Some(place) = places.insert(name, way.len()) {
                warn_loop(way.get(place..).unwrap_or_default(), findings);
                break None;
            }
            way.push(here);
            match self.next.get(name) {
                Some(next) => here = next,
                None => break Some(0),
            }
        };
        for owner in way.into_iter().rev() {
            length = length.map(|length| length.saturating_add(1));
            self.lengths.insert(&owner.name.value, length);
        }
        length
    }
}

/// Reports a loop at its first CNAME in the file.
fn warn_loop(members: &[&Owner<'_>], findings: &mut Findings<'_>) {
    let places = members.iter().enumerate();
    let Some((first, owner)) = places.min_by_key(|(_, owner)| owner.name.span.start) else {
        return;
    };
    let (after, before) = members.split_at_checked(first).unwrap_or_default();
    let in_turn = before.iter().chain(after).chain([owner]);
    let names: Vec<String> =
        in_turn.take(LOOP_NAMES).map(|owner| owner.name.value.to_string()).collect();
    let more = if members.len() < LOOP_NAMES { "" } else { " → …" };
    findings
        .warning(
            span_of(owner),
            format!("{} is a CNAME that leads back to itself", owner.name.value),
        )
        .label("nobody gets an answer (RFC 1034 §3.6.2)")
        .help(format!("the circle is {}{more}", names.join(" → ")));
}

fn span_of(owner: &Owner<'_>) -> Span {
    let data = owner.records_of(RecordType::CNAME).and_then(|cname| cname.rdata.first());
    data.map_or_else(|| owner.name.span.clone(), |data| data.span.clone())
}
