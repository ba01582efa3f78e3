//! Differences that are allowed, each with the RFC that allows it.

use std::collections::BTreeSet;

use super::comparison::{
    Difference, Section, Transport, matches, missing_glue, udp_limit, wildcard_above,
};
use super::decoding::{Decoded, SeenSet};
use super::domain_name::DomainName;
use super::peers::PeerKind;
use super::query_generator::Query;
use super::rdata::{
    A, AAAA, ANY, CNAME, DNAME, DS, HINFO, HTTPS, MX, NAPTR, NS, NSEC, RRSIG, SOA, SRV, SVCB,
};
use super::zone_set::ZoneSet;

/// One question with our answer and one of a peer.
pub struct Case<'a> {
    pub set: &'a ZoneSet,
    pub query: &'a Query,
    pub transport: Transport,
    pub ours: &'a Decoded,
    pub theirs: &'a Decoded,
    /// Both again, over TCP, where somebody truncated.
    pub whole: Option<(&'a Decoded, &'a Decoded)>,
    pub peer: PeerKind,
}

/// Why a difference is none to worry about.
pub struct Explanation {
    pub name: &'static str,
    pub source: &'static str,
    /// Whether it holds although all peers agree against us.
    pub stands_against_all: bool,
    pub holds: fn(&Case<'_>, &Difference) -> bool,
}

/// Names that one answer may receive additional records for (`ADDITIONAL_NAMES` of meridian's limits).
const ADDITIONAL_NAMES: usize = 13;

/// Links of a chain that BIND follows (its `max-query-restarts`).
const BIND_CHAIN: usize = 11;

const NXDOMAIN: u16 = 3;
const YXDOMAIN: u16 = 6;

/// Links of a chain that Knot follows.
const KNOT_CHAIN: usize = 5;

/// Links of a chain that meridian follows (`CNAME_CHAIN` of its limits).
const OUR_CHAIN: usize = 16;

/// The first that holds is the one that counts.
pub const EXPLANATIONS: &[Explanation] = &[
    Explanation {
        name: "ANY: we answer with HINFO",
        source: "RFC 8482 §4.2",
        stands_against_all: true,
        holds: is_hinfo_for_any,
    },
    Explanation {
        name: "ANY: a CNAME made by a DNAME is followed or not",
        source: "RFC 1034 §4.3.2 step 3a",
        stands_against_all: false,
        holds: is_any_below_dname,
    },
    Explanation {
        name: "RRSIG, NSEC: the CNAME itself is looked at",
        source: "RFC 4035 §2.5",
        stands_against_all: false,
        holds: is_signature_of_cname,
    },
    Explanation {
        name: "the chain is not followed into another zone",
        source: "RFC 1034 §4.3.2 step 3a",
        stands_against_all: false,
        holds: is_end_at_zone,
    },
    Explanation {
        name: "a loop, or a chain of 11, is an error for BIND",
        source: "RFC 1034 §3.6.2",
        stands_against_all: false,
        holds: is_loop_error,
    },
    Explanation {
        name: "Knot follows 5 links, we 16",
        source: "RFC 1034 §3.6.2",
        stands_against_all: false,
        holds: is_shorter_chain,
    },
    Explanation {
        name: "NSD: names of another zone's file exist",
        source: "RFC 1034 §4.2.1",
        stands_against_all: false,
        holds: is_name_of_other_zone,
    },
    Explanation {
        name: "NSD: DS asked of the zone above the parent",
        source: "RFC 4035 §3.1.4.1",
        stands_against_all: false,
        holds: is_referral_for_ds,
    },
    Explanation {
        name: "TC as glue is missing",
        source: "RFC 9471 §3.1",
        stands_against_all: true,
        holds: is_truncated_for_glue,
    },
    Explanation {
        name: "TC as names are compressed worse",
        source: "RFC 1035 §4.1.4",
        stands_against_all: false,
        holds: is_larger,
    },
    Explanation {
        name: "rcode of an answer that is truncated",
        source: "RFC 2181 §9",
        stands_against_all: false,
        holds: is_rcode_of_truncated,
    },
    Explanation {
        name: "Knot, NSD: a record stands twice, where a chain comes back",
        source: "RFC 2181 §5",
        stands_against_all: false,
        holds: is_repeated_record,
    },
    Explanation {
        name: "NS of the zone beside an answer",
        source: "RFC 1034 §6.2.1",
        stands_against_all: false,
        holds: is_apex_ns,
    },
    Explanation {
        name: "Knot: records beside YXDOMAIN, now and then",
        source: "RFC 6672 §2.2",
        stands_against_all: false,
        holds: is_overflow_ignored,
    },
    Explanation {
        name: "BIND: RRsets of one owner stand together",
        source: "RFC 1034 §3.6",
        stands_against_all: false,
        holds: is_grouped_by_owner,
    },
    Explanation {
        name: "addresses of those servers",
        source: "RFC 1034 §4.3.2 step 6",
        stands_against_all: false,
        holds: is_address_of_apex_server,
    },
    Explanation {
        name: "the child's addresses, not the parent's glue",
        source: "RFC 2181 §5.4.1",
        stands_against_all: true,
        holds: is_stale_glue,
    },
    Explanation {
        name: "no additional data beyond 13 names",
        source: "BIND CVE-2024-11187",
        stands_against_all: true,
        holds: is_beyond_additional_names,
    },
    Explanation {
        name: "additional: no room for it in ours",
        source: "RFC 2181 §9",
        stands_against_all: true,
        holds: is_without_room,
    },
    Explanation {
        name: "additional: more than theirs",
        source: "RFC 1034 §4.3.2 step 6",
        stands_against_all: true,
        holds: is_more_additional_data,
    },
    Explanation {
        name: "additional: less than theirs",
        source: "RFC 1034 §4.3.2 step 6",
        stands_against_all: false,
        holds: is_less_additional_data,
    },
    Explanation {
        name: "additional: more of a service, as aliases and SRV",
        source: "RFC 9460 §4.1",
        stands_against_all: false,
        holds: is_alias_of_service,
    },
    Explanation {
        name: "NSD: what a wildcard gives, below another name",
        source: "RFC 4592 §3.3.1",
        stands_against_all: false,
        holds: is_misplaced_wildcard,
    },
];

/// Whether an RRset is of the zones, or made of a wildcard of theirs.
fn is_known(case: &Case<'_>, seen: &SeenSet) -> bool {
    case.set.rrsets(&seen.owner, seen.rtype).next().is_some()
        || wildcard_above(case.set, &seen.owner)
            .is_some_and(|wildcard| case.set.rrsets(&wildcard, seen.rtype).next().is_some())
}

fn is_apex(case: &Case<'_>, name: &DomainName) -> bool {
    case.set.zones.iter().any(|zone| zone.apex.folded() == *name)
}

/// Names that records send their reader to.
fn targets(sets: &[SeenSet]) -> impl Iterator<Item = DomainName> {
    sets.iter().flat_map(|seen| {
        let places =
            seen.data.iter().filter_map(|data| data.get(target_place(seen.rtype, data)?..));
        let names = places.map(DomainName::from_wire);
        // The root stands for the owner itself in a service record (RFC 9460 §2.5.2); not everybody knows.
        let own = matches!(seen.rtype, SVCB | HTTPS).then(|| seen.owner.clone());
        names.chain(own).collect::<Vec<_>>()
    })
}

/// Where the target begins in the data of a type that has one.
fn target_place(rtype: u16, data: &[u8]) -> Option<usize> {
    match rtype {
        NS => Some(0),
        MX | SVCB | HTTPS => Some(2),
        SRV => Some(6),
        // Three strings follow the numbers (RFC 3403 §4.1).
        NAPTR => (0..3).try_fold(4, |at: usize, _| Some(at + 1 + usize::from(*data.get(at)?))),
        _ => None,
    }
}

/// Whether a difference is about where a chain ends and what stands there.
fn is_about_end(difference: &Difference) -> bool {
    matches!(
        difference,
        Difference::Rcode { .. }
            | Difference::Answer { .. }
            | Difference::Extra(..)
            | Difference::Missing(..)
    )
}

fn apex_of<'s>(case: &Case<'s>, name: &DomainName) -> Option<&'s DomainName> {
    case.set.authority_for(name, case.query.qtype).map(|zone| &zone.apex)
}

fn is_hinfo_for_any(case: &Case<'_>, difference: &Difference) -> bool {
    let is_ours =
        case.query.qtype == ANY && case.ours.answer.iter().any(|seen| seen.rtype == HINFO);
    is_ours
        && match difference {
            Difference::Answer { theirs } => theirs.iter().all(|seen| is_known(case, seen)),
            Difference::Truncated { ours } => !ours,
            Difference::Missing(Section::Additional, seen) => {
                targets(&case.theirs.answer).any(|target| target == seen.owner)
            }
            _ => false,
        }
}

/// ANY is answered by a CNAME, so that it need not be followed; Knot and NSD follow those that they make.
fn is_any_below_dname(case: &Case<'_>, difference: &Difference) -> bool {
    let (ours, theirs) = (&case.ours.answer, &case.theirs.answer);
    let (shorter, longer) = if ours.len() < theirs.len() { (ours, theirs) } else { (theirs, ours) };
    let is_made = |sets: &[SeenSet]| {
        let [.., dname, cname] = sets else { return false };
        dname.rtype == DNAME && cname.rtype == CNAME && cname.owner.is_below(&dname.owner)
    };
    case.query.qtype == ANY
        && longer.starts_with(shorter)
        && is_made(shorter)
        && is_about_end(difference)
}

/// These types may stand beside a CNAME, so that BIND and Knot look for them there; no zone of the test is signed.
fn is_signature_of_cname(case: &Case<'_>, difference: &Difference) -> bool {
    let is_denied = |seen: &SeenSet| seen.rtype == SOA && is_apex(case, &seen.owner);
    is_about_end(difference)
        && matches!(case.query.qtype, RRSIG | NSEC)
        && case.peer != PeerKind::Nsd
        && case.ours.answer.first().is_some_and(SeenSet::is_link)
        && case.theirs.rcode == 0
        && case.theirs.answer.iter().all(SeenSet::is_link)
        && case.ours.answer.starts_with(&case.theirs.answer)
        && case.theirs.authority.iter().all(is_denied)
}

/// BIND and Knot answer from the zone that the question was found in; Knot refers to what is below that.
fn is_end_at_zone(case: &Case<'_>, difference: &Difference) -> bool {
    let end = case.theirs.end(case.query);
    let (first, last) = (apex_of(case, &case.query.name), apex_of(case, &end));
    let is_allowed = |seen: &SeenSet| match seen.rtype {
        NS => end.is_at_or_below(&seen.owner),
        SOA => case.query.qtype == DS && first.is_some_and(|apex| apex.folded() == seen.owner),
        _ => false,
    };
    is_about_end(difference)
        && case.peer != PeerKind::Nsd
        && last.is_some()
        && first != last
        && case.theirs.rcode == 0
        && case.theirs.answer.iter().all(SeenSet::is_link)
        && case.ours.answer.starts_with(&case.theirs.answer)
        && case.theirs.authority.iter().all(is_allowed)
}

/// We give the chain as far as it goes, or once around.
fn is_loop_error(case: &Case<'_>, difference: &Difference) -> bool {
    let aliases = case.theirs.answer.iter().filter(|seen| seen.rtype == CNAME);
    let links: usize = aliases.map(|seen| seen.data.len()).sum();
    let end = case.ours.end(case.query);
    let is_loop = case.ours.answer.iter().any(|link| link.owner == end);
    let mut pairs = case.theirs.answer.iter().zip(&case.ours.answer);
    is_about_end(difference)
        && case.peer == PeerKind::Bind
        && case.theirs.rcode == 2
        && (is_loop || links >= BIND_CHAIN)
        && case.theirs.authority.is_empty()
        && case.theirs.answer.iter().all(SeenSet::is_link)
        && pairs.all(|(theirs, ours)| theirs.owner == ours.owner)
}

/// Whoever asked goes on by himself.
fn is_shorter_chain(case: &Case<'_>, difference: &Difference) -> bool {
    let (ours, theirs) = (&case.ours.answer, &case.theirs.answer);
    let stops = |shorter: &Decoded, longer: &Decoded, links: usize| {
        shorter.rcode == 0
            && shorter.authority.is_empty()
            && shorter.answer.iter().filter(|seen| seen.rtype == CNAME).count() == links
            && shorter.answer.iter().all(SeenSet::is_link)
            && longer.answer.starts_with(&shorter.answer)
    };
    let is_knot = case.peer == PeerKind::Knot && stops(case.theirs, case.ours, KNOT_CHAIN);
    let is_ours = theirs.len() >= ours.len() && stops(case.ours, case.theirs, OUR_CHAIN);
    is_about_end(difference) && (is_knot || is_ours)
}

/// NSD has one tree of names for all zones: what a parent's file has below a cut exists in the child then.
fn is_name_of_other_zone(case: &Case<'_>, difference: &Difference) -> bool {
    let only_elsewhere =
        |name: &DomainName| !case.set.has_name(name) && case.set.is_in_other_file(name);
    let is_changed = |end: DomainName| {
        let apex = case.set.zone_of(&end).map(|zone| zone.apex.clone());
        let mut inside = end
            .ancestors()
            .take_while(|name| apex.as_ref().is_some_and(|apex| name.is_below(apex)));
        inside.any(|name| {
            let wildcard = name.parent().unwrap_or_default().child(b"*");
            only_elsewhere(&name) || only_elsewhere(&wildcard)
        })
    };
    case.peer == PeerKind::Nsd
        && case.ours.chain(case.query).into_iter().any(is_changed)
        && is_about_end(difference)
}

fn is_referral_for_ds(case: &Case<'_>, difference: &Difference) -> bool {
    let name = case.theirs.end(case.query);
    let cut = case.theirs.authority.first().map(|seen| seen.owner.clone());
    case.peer == PeerKind::Nsd
        && case.query.qtype == DS
        && is_apex(case, &name)
        && case.theirs.is_referral()
        && cut.is_some_and(|cut| is_apex(case, &cut) && name.is_below(&cut))
        && !matches!(difference, Difference::Question | Difference::Truncated { .. })
}

fn is_truncated_for_glue(case: &Case<'_>, difference: &Difference) -> bool {
    let (truncated, other) = match difference {
        Difference::Truncated { ours: true } => (case.ours, case.theirs),
        Difference::Truncated { ours: false } => (case.theirs, case.ours),
        _ => return false,
    };
    let has_all = missing_glue(case.set, other).next().is_none();
    case.transport == Transport::Udp && truncated.is_referral() && !has_all
}

/// One truncates what does not fit in its own way of writing it.
fn is_larger(case: &Case<'_>, difference: &Difference) -> bool {
    let Some((ours, theirs)) = case.whole else { return false };
    let limit = udp_limit(case.query);
    case.transport == Transport::Udp
        && match difference {
            Difference::Truncated { ours: true } => ours.octets.len() > limit,
            Difference::Truncated { ours: false } => theirs.octets.len() > limit,
            _ => false,
        }
}

fn is_apex_ns(case: &Case<'_>, difference: &Difference) -> bool {
    let Difference::Missing(Section::Authority, seen) = difference else { return false };
    seen.rtype == NS
        && is_apex(case, &seen.owner)
        && case.ours.authority.is_empty()
        && case.ours.answer.last().is_some_and(|last| last.owner.is_at_or_below(&seen.owner))
}

/// Knot looks on at the name that became too long: a wildcard may stand for it, or nothing.
fn is_overflow_ignored(case: &Case<'_>, difference: &Difference) -> bool {
    let is_of_end = match difference {
        Difference::Rcode { theirs, .. } => *theirs == NXDOMAIN,
        Difference::Answer { .. } => true,
        Difference::Missing(Section::Authority, seen) => {
            seen.rtype == SOA && is_apex(case, &seen.owner)
        }
        _ => false,
    };
    case.peer == PeerKind::Knot
        && case.ours.rcode == YXDOMAIN
        && matches!(case.theirs.rcode, YXDOMAIN | NXDOMAIN)
        && case.theirs.answer.starts_with(&case.ours.answer)
        && is_of_end
}

/// Nobody reads the rcode where TC says to ask again; over TCP it is the same.
fn is_rcode_of_truncated(case: &Case<'_>, difference: &Difference) -> bool {
    let is_same = case.whole.is_some_and(|(ours, theirs)| {
        // ANY may be followed below a DNAME, as it is explained elsewhere.
        let is_redirect = theirs.answer.first().is_some_and(|seen| seen.rtype == DNAME);
        ours.rcode == theirs.rcode || (case.query.qtype == ANY && is_redirect)
    });
    matches!(difference, Difference::Rcode { .. })
        && (case.ours.is_truncated() || case.theirs.is_truncated())
        && is_same
}

/// A wildcard's CNAME that leads to the name asked for, or a DNAME that leads to its own owner.
fn is_repeated_record(case: &Case<'_>, difference: &Difference) -> bool {
    let Difference::Answer { theirs } = difference else { return false };
    let mut distinct: Vec<SeenSet> = Vec::new();
    for mut seen in theirs.clone() {
        seen.data.dedup();
        if !distinct.contains(&seen) {
            distinct.push(seen);
        }
    }
    case.peer != PeerKind::Bind && distinct == case.ours.answer
}

/// A chain that comes back to the owner of a DNAME goes on behind the DNAME then.
fn is_grouped_by_owner(case: &Case<'_>, difference: &Difference) -> bool {
    let mut owners: Vec<&DomainName> = Vec::new();
    for seen in &case.ours.answer {
        if !owners.contains(&&seen.owner) {
            owners.push(&seen.owner);
        }
    }
    let mut grouped: Vec<&SeenSet> = case.ours.answer.iter().collect();
    grouped.sort_by_key(|seen| owners.iter().position(|owner| **owner == seen.owner));
    matches!(difference, Difference::Answer { .. })
        && case.peer == PeerKind::Bind
        && grouped.into_iter().eq(&case.theirs.answer)
}

fn is_address_of_apex_server(case: &Case<'_>, difference: &Difference) -> bool {
    let Difference::Missing(Section::Additional, seen) = difference else { return false };
    let is_of_apex = |other: &&SeenSet| other.rtype == NS && is_apex(case, &other.owner);
    let of_apex: Vec<_> = case.theirs.authority.iter().filter(is_of_apex).cloned().collect();
    matches!(seen.rtype, A | AAAA) && targets(&of_apex).any(|target| target == seen.owner)
}

/// Peers answer from the parent's file; we have the child's too, which is more trustworthy.
fn is_stale_glue(case: &Case<'_>, difference: &Difference) -> bool {
    let Difference::Missing(Section::Additional, seen) = difference else { return false };
    let Some(zone) = case.set.zone_of(&seen.owner) else { return false };
    let is_glue = case.set.rrsets(&seen.owner, seen.rtype).any(|rrset| matches(rrset, seen));
    let is_current = zone.rrset(&seen.owner, seen.rtype).is_some_and(|rrset| matches(rrset, seen));
    matches!(seen.rtype, A | AAAA) && is_glue && !is_current
}

fn is_beyond_additional_names(case: &Case<'_>, difference: &Difference) -> bool {
    let sections = [&case.ours.answer, &case.ours.authority].into_iter();
    let named: BTreeSet<_> = sections.flat_map(|sets| targets(sets)).collect();
    matches!(difference, Difference::Missing(Section::Additional, seen) if named.contains(&seen.owner))
        && named.len() > ADDITIONAL_NAMES
}

fn is_without_room(case: &Case<'_>, difference: &Difference) -> bool {
    let Difference::Missing(Section::Additional, seen) = difference else { return false };
    // A pointer, type, class, TTL and length stand before the data.
    let least: usize = seen.data.iter().map(|data| 12 + data.len()).sum();
    case.transport == Transport::Udp && case.ours.octets.len() + least > udp_limit(case.query)
}

/// BIND goes along the aliases of a service's target, and adds the services there.
fn is_alias_of_service(case: &Case<'_>, difference: &Difference) -> bool {
    let Difference::Missing(Section::Additional, seen) = difference else { return false };
    let named = targets(&case.theirs.answer).chain(targets(&case.theirs.additional));
    let reached: BTreeSet<DomainName> =
        named.flat_map(|name| aliases_from(case.set, name.folded())).collect();
    matches!(case.query.qtype, SVCB | HTTPS | NAPTR | ANY)
        && matches!(seen.rtype, CNAME | A | AAAA | SVCB | HTTPS | SRV)
        && (reached.contains(&seen.owner) || is_wildcard_of(seen, &reached))
        && is_known(case, seen)
}

/// A name, and those that CNAMEs lead to from there.
fn aliases_from(set: &ZoneSet, name: DomainName) -> impl Iterator<Item = DomainName> {
    let next = |name: &DomainName| {
        let source =
            if set.has_name(name) { Some(name.clone()) } else { wildcard_above(set, name) };
        let cname = source.and_then(|source| set.rrsets(&source, CNAME).next());
        cname.and_then(|cname| Some(cname.data.first()?.target.as_ref()?.folded()))
    };
    std::iter::successors(Some(name), next).take(OUR_CHAIN).collect::<Vec<_>>().into_iter()
}

/// Knot sends the wildcard itself.
fn is_wildcard_of(seen: &SeenSet, names: &BTreeSet<DomainName>) -> bool {
    let parent = seen.owner.parent().filter(|_| seen.owner.is_wildcard());
    parent.is_some_and(|parent| names.iter().any(|name| name.is_below(&parent)))
}

fn is_more_additional_data(case: &Case<'_>, difference: &Difference) -> bool {
    let Difference::Extra(Section::Additional, seen) = difference else { return false };
    let mut targets = targets(&case.ours.answer).chain(targets(&case.ours.authority));
    let is_useful = match seen.rtype {
        A | AAAA => true,
        // In alias mode (RFC 9460 §4.1).
        rtype => matches!(rtype, SVCB | HTTPS) && rtype == case.query.qtype,
    };
    is_useful && targets.any(|target| target == seen.owner)
}

fn is_less_additional_data(case: &Case<'_>, difference: &Difference) -> bool {
    let Difference::Missing(Section::Additional, seen) = difference else { return false };
    let named: BTreeSet<_> =
        targets(&case.ours.answer).chain(targets(&case.ours.authority)).collect();
    matches!(seen.rtype, A | AAAA)
        && (named.contains(&seen.owner) || is_wildcard_of(seen, &named))
        && is_known(case, seen)
}

/// NSD gives the owner that it made of a wildcard the first label of the target only.
fn is_misplaced_wildcard(case: &Case<'_>, difference: &Difference) -> bool {
    let Difference::Missing(Section::Additional, seen) = difference else { return false };
    let wildcard = wildcard_above(case.set, &seen.owner);
    case.peer == PeerKind::Nsd
        && wildcard.is_some()
        && targets(&case.theirs.answer).chain(targets(&case.theirs.authority)).any(|target| {
            target.labels().first() == seen.owner.labels().first()
                && wildcard_above(case.set, &target) == wildcard
        })
}
