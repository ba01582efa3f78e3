//! Aliases: names that answer as another name of the zone does (Route 53 rules 48 to 50).
//!
//! They are resolved here, once: an alias gets a copy of what its target answers with, the types of the zone itself left out, and
//! nothing behind this knows of it. A copied route keeps the name by which the target's sticky choices are drawn, so that both
//! send a client to the same place.
//!
//! An alias must lead to a name that is written down. A wildcard may be a target by its own name, `*.shop`; a name that only a
//! wildcard stands for may not, as the day that somebody defines it would change the alias as well.

use std::collections::{BTreeMap, HashSet};

use super::CompiledName;
use super::advice::{Cover, Zone};
use super::diagnostic::{Findings, Span};
use super::document::Document;
use super::names::{Owner, TypedAlias};
use super::reader::Spanned;
use super::routes;
use super::value::{closest, list};
use crate::limits::{ALIAS_CHAIN, ALIASED_OCTETS};
use crate::policy::{Route, Routing};
use crate::wire::{Name, RecordType};
use crate::zone::{RRset, presentation};

/// Gives every alias what its target has. `owners` are the document's, in canonical order.
pub(super) fn resolve<'d>(
    document: &'d Document<'d>,
    owners: &'d [&'d Owner<'d>],
    names: &mut BTreeMap<Name, CompiledName>,
    routing: &Routing,
    findings: &mut Findings<'_>,
) {
    let mut aliases = owners.iter().filter(|owner| !owner.aliases.is_empty()).peekable();
    if aliases.peek().is_none() {
        return;
    }
    let zone = Zone::new(document, owners);
    let mut copied_octets = 0usize;
    let mut resolved: Vec<(&Name, CompiledName)> = Vec::new();
    let mut circles: HashSet<Vec<usize>> = HashSet::new();
    let resolver = Resolver { document, zone: &zone, names, routing };
    for owner in aliases {
        let answers = resolver.resolve_owner(owner, &mut circles, findings);
        copied_octets = copied_octets.saturating_add(octets_of(&answers));
        if copied_octets > ALIASED_OCTETS {
            findings
                .error(owner.name.span.clone(), "the aliases of this zone copy too many records")
                .label(format!("{ALIASED_OCTETS} octets are the most"));
            break;
        }
        resolved.push((&owner.name.value, answers));
    }
    for (name, answers) in resolved {
        names.insert(name.clone(), answers);
    }
}

fn octets_of(answers: &CompiledName) -> usize {
    answers.rrsets.iter().flat_map(|set| &set.rdata).map(|rdata| rdata.len()).sum()
}

/// Why a target gives nothing.
enum Lack<'d> {
    /// The names lead back to one of them.
    Loop(Vec<&'d Owner<'d>>),
    TooLong,
    /// This name is a CNAME, for every type.
    Cname(&'d Owner<'d>),
    /// This name, the last, has no records of the type.
    Type(&'d Owner<'d>),
    /// Something on the way has a mistake of its own.
    Reported,
}

/// What answers one type.
enum Part {
    Records(RRset),
    Route(Route),
}

struct Resolver<'r, 'd> {
    document: &'d Document<'d>,
    zone: &'r Zone<'d>,
    /// Without what aliases give.
    names: &'r BTreeMap<Name, CompiledName>,
    routing: &'r Routing,
}

impl<'d> Resolver<'_, 'd> {
    /// Whatever the names of a circle, it is told once.
    fn resolve_owner(
        &self,
        owner: &'d Owner<'d>,
        circles: &mut HashSet<Vec<usize>>,
        findings: &mut Findings<'_>,
    ) -> CompiledName {
        let mut answers = self.names.get(&owner.name.value).cloned().unwrap_or_default();
        for alias in &owner.aliases {
            let Some(target) = self.target(alias, findings) else { continue };
            let given = match &alias.rtype {
                Some(rtype) => self.part_of(owner, target, rtype.value).map(|part| match part {
                    Part::Records(set) => CompiledName { rrsets: vec![set], routes: Vec::new() },
                    Part::Route(route) => CompiledName { rrsets: Vec::new(), routes: vec![route] },
                }),
                None => self.all_of(owner, target),
            };
            match given {
                Ok(given) => {
                    self.check_given(owner, alias, target, &answers, &given, findings);
                    answers.rrsets.extend(given.rrsets);
                    answers.routes.extend(given.routes);
                }
                Err(Lack::Loop(circle)) => {
                    let mut members: Vec<usize> =
                        circle.iter().map(|member| member.name.span.start).collect();
                    members.sort_unstable();
                    if circles.insert(members) {
                        report_loop(owner, alias.target.span.clone(), &circle, findings);
                    }
                }
                Err(lack) => report_lack(owner, alias, lack, findings),
            }
        }
        answers
    }

    /// The owner that an alias leads to; one that there is not, or that others answer for, is an error.
    fn target(&self, alias: &TypedAlias, findings: &mut Findings<'_>) -> Option<&'d Owner<'d>> {
        let Spanned { value: name, span } = &alias.target;
        if let Some(cover) = self.zone.cover_of(name) {
            let (what, label) = match cover {
                Cover::Delegation(_) => ("delegated to other servers", "delegated here"),
                Cover::Redirection(_) => ("below a DNAME", "the DNAME"),
            };
            findings
                .error(span.clone(), format!("{name} is {what}, so that no alias can stand for it"))
                .related(cover.owner().name.span.clone(), label)
                .help(format!("write a CNAME: {{ CNAME = \"{name}\" }}"));
            return None;
        }
        let owner = self.zone.owner_of(name);
        if owner.is_none() {
            self.report_unknown(name, span, findings);
        }
        owner
    }

    fn report_unknown(&self, name: &Name, span: &Span, findings: &mut Findings<'_>) {
        let typed = name.display_within(self.zone.apex).into_owned();
        let wildcard = self.zone.source_of_synthesis(name);
        let has_names_below = self.zone.exists(name);
        // Whoever has many such mistakes sees the first ones.
        let known = if findings.is_full() { Vec::new() } else { self.known_names() };
        let guess = closest(&typed, known.iter().map(String::as_str));
        let error = findings
            .error(span.clone(), format!("the alias leads to {name}, which does not exist"));
        if let Some(wildcard) = wildcard.filter(|_| !has_names_below) {
            let written = wildcard.name.value.display_within(self.zone.apex);
            error
                .label(format!("only the wildcard `{written}` answers for it"))
                .help(format!("write alias = \"{written}\""));
        } else if has_names_below {
            error.label("there are names below it, and nothing at it");
        } else if let Some(guess) = guess {
            error.label(format!("did you mean `{guess}`?"));
        }
    }

    fn known_names(&self) -> Vec<String> {
        let names = self.zone.owners.iter().take(crate::limits::SUGGESTION_WORDS);
        names.map(|owner| owner.name.value.display_within(self.zone.apex).into_owned()).collect()
    }

    /// What answers a type at a name, by its own aliases if need be.
    fn part_of(
        &self,
        owner: &'d Owner<'d>,
        target: &'d Owner<'d>,
        rtype: RecordType,
    ) -> Result<Part, Lack<'d>> {
        let mut way = vec![owner];
        let mut here = target;
        loop {
            step(&mut way, here)?;
            let own = self.names.get(&here.name.value).ok_or(Lack::Reported)?;
            if let Some(set) = own.rrsets.iter().find(|set| set.rtype == rtype) {
                return Ok(Part::Records(set.clone()));
            }
            if let Some(route) = own.routes.iter().find(|route| route.types.contains(&rtype)) {
                let types = [rtype].into();
                return Ok(Part::Route(Route { types, together: false, ..route.clone() }));
            }
            if is_cname(own) {
                return Err(Lack::Cname(here));
            }
            let of_type =
                |alias: &&TypedAlias| alias.rtype.as_ref().is_none_or(|typed| typed.value == rtype);
            let mut next = here.aliases.iter().filter(of_type).collect::<Vec<_>>();
            next.sort_by_key(|alias| alias.rtype.is_none());
            let Some(alias) = next.first() else { return Err(Lack::Type(here)) };
            here = self.zone.owner_of(&alias.target.value).ok_or(Lack::Reported)?;
        }
    }

    /// All that a name answers with, but for what a zone or a delegation is made of.
    fn all_of(
        &self,
        owner: &'d Owner<'d>,
        target: &'d Owner<'d>,
    ) -> Result<CompiledName, Lack<'d>> {
        let mut given = CompiledName::default();
        let mut way = vec![owner];
        let mut here = target;
        loop {
            step(&mut way, here)?;
            let own = self.names.get(&here.name.value).ok_or(Lack::Reported)?;
            let sets = own.rrsets.iter().filter(|set| !is_of_zone(set.rtype));
            given.rrsets.extend(sets.cloned());
            given.routes.extend(own.routes.iter().cloned());
            for alias in &here.aliases {
                let Some(rtype) = &alias.rtype else { continue };
                let inner = self.zone.owner_of(&alias.target.value).ok_or(Lack::Reported)?;
                match self.part_of(here, inner, rtype.value) {
                    Ok(Part::Records(set)) => given.rrsets.push(set),
                    Ok(Part::Route(route)) => given.routes.push(route),
                    Err(_) => return Err(Lack::Reported),
                }
            }
            let Some(alias) = here.aliases.iter().find(|alias| alias.rtype.is_none()) else {
                return Ok(given);
            };
            here = self.zone.owner_of(&alias.target.value).ok_or(Lack::Reported)?;
        }
    }

    /// What is given must not contradict what the name has.
    fn check_given(
        &self,
        owner: &Owner<'_>,
        alias: &TypedAlias,
        target: &Owner<'_>,
        own: &CompiledName,
        given: &CompiledName,
        findings: &mut Findings<'_>,
    ) {
        let (name, from) = (&owner.name.value, &target.name.value);
        let span = &alias.target.span;
        if given.rrsets.is_empty() && given.routes.is_empty() {
            findings
                .error(span.clone(), format!("{from} has nothing that an alias could give"))
                .label("SOA, NS and DS belong to a zone, not to a name");
        }
        if given.rrsets.iter().any(|set| set.rtype == RecordType::DNAME) {
            findings
                .error(span.clone(), format!("{from} has a DNAME, and an alias cannot give one"))
                .related(target.name.span.clone(), "it redirects the names below this one");
        }
        if is_cname(given) {
            self.check_cname(owner, alias, own, given, findings);
            return;
        }
        let given_types = types_of(given);
        if let Some(rtype) = types_of(own).into_iter().find(|rtype| given_types.contains(rtype)) {
            let typed = owner.records_of(rtype).map(|records| records.rtype.span.clone());
            let related =
                typed.or_else(|| owner.routes.first().map(|route| route.target.span.clone()));
            let error = findings.error(
                span.clone(),
                format!("{name} has {rtype} records beside those of the alias"),
            );
            if let Some(related) = related {
                error.related(related, "its own");
            }
            error.help(format!("leave them to {from}, or write an alias for each other type"));
        }
    }

    /// Rule 49: an alias of a name that is a CNAME.
    fn check_cname(
        &self,
        owner: &Owner<'_>,
        alias: &TypedAlias,
        own: &CompiledName,
        given: &CompiledName,
        findings: &mut Findings<'_>,
    ) {
        let (name, span) = (&owner.name.value, &alias.target.span);
        if *name == self.document.apex.value {
            findings
                .error(span.clone(), "the apex cannot be a CNAME, and this alias makes it one")
                .label(format!("{} is a CNAME", alias.target.value))
                .help("let the alias lead to a name with addresses");
            return;
        }
        if !own.rrsets.is_empty() || !own.routes.is_empty() || owner.aliases.len() > 1 {
            findings
                .error(span.clone(), format!("{name} would have a CNAME beside other data"))
                .label(format!("{} is a CNAME", alias.target.value));
        }
        let cnames = given.rrsets.iter().filter(|set| set.rtype == RecordType::CNAME);
        for rdata in cnames.flat_map(|set| &set.rdata) {
            if presentation::target_of(RecordType::CNAME, rdata).is_some_and(|to| to == *name) {
                findings.error(span.clone(), format!("{name} would be a CNAME of itself"));
            }
        }
        for route in &given.routes {
            let pools = self.routing.pools_below(route.target);
            routes::check_itself(owner, span, pools.into_iter(), self.document, findings);
        }
    }
}

/// Goes on to a name, if it was not come by before.
fn step<'d>(way: &mut Vec<&'d Owner<'d>>, here: &'d Owner<'d>) -> Result<(), Lack<'d>> {
    if let Some(start) = way.iter().position(|owner| owner.name.value == here.name.value) {
        // Names that only lead into a circle are not part of it.
        let circle = if start == 0 { Lack::Loop(std::mem::take(way)) } else { Lack::Reported };
        return Err(circle);
    }
    if way.len() > ALIAS_CHAIN {
        return Err(Lack::TooLong);
    }
    way.push(here);
    Ok(())
}

fn is_cname(answers: &CompiledName) -> bool {
    let is_alias = |route: &Route| *route.types == [RecordType::CNAME];
    answers.rrsets.iter().any(|set| set.rtype == RecordType::CNAME)
        || answers.routes.iter().any(is_alias)
}

/// What belongs to a zone or a delegation, not to a name (rule 49).
fn is_of_zone(rtype: RecordType) -> bool {
    matches!(
        rtype,
        RecordType::SOA
            | RecordType::NS
            | RecordType::DS
            | RecordType::DNSKEY
            | RecordType::CDS
            | RecordType::CDNSKEY
    )
}

fn types_of(answers: &CompiledName) -> Vec<RecordType> {
    let sets = answers.rrsets.iter().map(|set| set.rtype);
    sets.chain(answers.routes.iter().flat_map(|route| route.types.iter().copied())).collect()
}

fn report_lack(owner: &Owner<'_>, alias: &TypedAlias, lack: Lack<'_>, findings: &mut Findings<'_>) {
    let span = alias.target.span.clone();
    match lack {
        Lack::TooLong => {
            findings
                .error(span, format!("{} leads through too many aliases", owner.name.value))
                .label(format!("{ALIAS_CHAIN} are the most"))
                .help("let it lead to the last name at once");
        }
        Lack::Cname(target) => {
            findings
                .error(span, format!("{} is a CNAME, which has no one type", target.name.value))
                .help("write an alias of the whole name");
        }
        Lack::Type(target) => {
            let rtype = alias.rtype.as_ref().map_or(RecordType::A, |rtype| rtype.value);
            let known: Vec<String> =
                target.records.iter().map(|records| records.rtype.value.to_string()).collect();
            findings
                .error(span, format!("{} has no {rtype} records", target.name.value))
                .label("the target of an alias has the same type")
                .help_if(
                    (!known.is_empty())
                        .then(|| format!("it has {}", list(known.iter().map(String::as_str)))),
                );
        }
        Lack::Loop(_) | Lack::Reported => {}
    }
}

fn report_loop(owner: &Owner<'_>, span: Span, circle: &[&Owner<'_>], findings: &mut Findings<'_>) {
    if circle.len() == 1 {
        findings.error(span, format!("{} is an alias of itself", owner.name.value));
        return;
    }
    let names = circle.iter().chain([&owner]).map(|member| member.name.value.to_string());
    findings
        .error(span, format!("{} is an alias that leads back to itself", owner.name.value))
        .help(format!("the circle is {}", names.collect::<Vec<_>>().join(" → ")));
}
