//! Where two answers to one question differ, and what is wrong with one of ours whatever others say.

use std::collections::BTreeSet;
use std::fmt;

use super::decoding::{Decoded, SeenSet};
use super::domain_name::DomainName;
use super::oracle;
use super::query_generator::Query;
use super::rdata::{self, A, AAAA, ANY, CNAME, DNAME, HINFO, NS, SOA};
use super::zone_set::{RRset, ZoneSet};

/// Answers over UDP have no more octets (RFC 9715 §3.2).
const UDP_ANSWER_OCTETS: usize = 1232;

/// Octets that an answer over UDP may have: of ours, and of the peers as they are configured.
pub fn udp_limit(query: &Query) -> usize {
    query.payload().min(UDP_ANSWER_OCTETS)
}

const FLAG_RESPONSE: u16 = 0x8000;
const FLAG_RECURSION_DESIRED: u16 = 0x0100;
const FLAGS_THAT_MAY_BE_SET: u16 = 0x8700;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    Udp,
    Tcp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    Authority,
    Additional,
}

/// One point in which two answers differ.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    Question,
    Rcode {
        ours: u16,
        theirs: u16,
    },
    Authoritative {
        ours: bool,
    },
    Truncated {
        ours: bool,
    },
    /// The RRsets of the answer section, in their order.
    Answer {
        theirs: Vec<SeenSet>,
    },
    /// We send it, they don't.
    Extra(Section, SeenSet),
    /// They send it, we don't.
    Missing(Section, SeenSet),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Question => write!(f, "question"),
            Self::Rcode { ours, theirs } => write!(f, "rcode {ours}, theirs {theirs}"),
            Self::Authoritative { ours } => write!(f, "AA {ours}"),
            Self::Truncated { ours } => write!(f, "TC {ours}"),
            Self::Answer { .. } => write!(f, "answer section"),
            Self::Extra(section, set) => write!(f, "{section:?}: only ours has {set}"),
            Self::Missing(section, set) => write!(f, "{section:?}: only theirs has {set}"),
        }
    }
}

/// All differences. The sections of truncated answers are not compared: they are over TCP.
pub fn compare(ours: &Decoded, theirs: &Decoded) -> Vec<Difference> {
    let mut found = Vec::new();
    if ours.question != theirs.question {
        found.push(Difference::Question);
    }
    if ours.rcode != theirs.rcode {
        found.push(Difference::Rcode { ours: ours.rcode, theirs: theirs.rcode });
    }
    if ours.is_authoritative() != theirs.is_authoritative() {
        found.push(Difference::Authoritative { ours: ours.is_authoritative() });
    }
    if ours.is_truncated() != theirs.is_truncated() {
        found.push(Difference::Truncated { ours: ours.is_truncated() });
    }
    if ours.is_truncated() || theirs.is_truncated() {
        return found;
    }
    if ours.answer != theirs.answer {
        found.push(Difference::Answer { theirs: theirs.answer.clone() });
    }
    for (section, ours, theirs) in [
        (Section::Authority, &ours.authority, &theirs.authority),
        (Section::Additional, &ours.additional, &theirs.additional),
    ] {
        let (ours, theirs): (BTreeSet<_>, BTreeSet<_>) =
            (ours.iter().cloned().collect(), theirs.iter().cloned().collect());
        found.extend(ours.difference(&theirs).map(|set| Difference::Extra(section, set.clone())));
        found.extend(theirs.difference(&ours).map(|set| Difference::Missing(section, set.clone())));
    }
    found
}

/// What is wrong with an answer of ours by itself.
pub fn find_faults(
    set: &ZoneSet,
    query: &Query,
    transport: Transport,
    ours: &Decoded,
) -> Vec<String> {
    let mut faults = check_frame(query, transport, ours);
    faults.extend(oracle::find_fault(set, query, ours));
    let sections = [&ours.answer, &ours.authority, &ours.additional];
    for seen in sections.into_iter().flatten() {
        if !is_true(set, query, ours, seen) {
            faults.push(format!("not in the zones: {seen}"));
        }
    }
    let all: Vec<_> =
        sections.into_iter().flatten().map(|seen| (&seen.owner, seen.rtype)).collect();
    if all.iter().collect::<BTreeSet<_>>().len() < all.len() {
        faults.push("an RRset stands twice (RFC 2181 §5)".to_owned());
    }
    if !ours.is_truncated() {
        faults.extend(missing_glue(set, ours).map(|(owner, rtype)| {
            format!("no glue {owner} {} and no TC (RFC 9471 §3.1)", rdata::mnemonic(rtype))
        }));
    }
    faults
}

/// The largest query that our OPT records say we take.
const ADVERTISED: u16 = 1232;

/// Whether the zone that a name belongs to has it; the glue of the zone above may be stale.
fn holds(set: &ZoneSet, name: &DomainName, rtype: u16) -> bool {
    set.zone_of(name).is_some_and(|zone| zone.rrset(name, rtype).is_some())
}

/// Glue that a referral should have and has not.
pub fn missing_glue(set: &ZoneSet, referral: &Decoded) -> impl Iterator<Item = (DomainName, u16)> {
    required_glue(set, referral).into_iter().filter(|(owner, rtype)| {
        !referral.additional.iter().any(|seen| seen.owner == *owner && seen.rtype == *rtype)
    })
}

/// Header, question, EDNS and size.
fn check_frame(query: &Query, transport: Transport, ours: &Decoded) -> Vec<String> {
    let limit = match transport {
        Transport::Udp => udp_limit(query),
        Transport::Tcp => usize::from(u16::MAX),
    };
    let recursion = if query.wants_recursion { FLAG_RECURSION_DESIRED } else { 0 };
    let checks = [
        (ours.question == query.question(), "the question is not the one that was asked"),
        (ours.flags & FLAG_RESPONSE != 0, "QR is not set"),
        (ours.flags & FLAG_RECURSION_DESIRED == recursion, "RD is not as it was"),
        (ours.flags & !FLAGS_THAT_MAY_BE_SET & 0xfff0 == 0, "opcode, RA, Z, AD or CD is set"),
        (
            ours.edns == query.edns.map(|_| ADVERTISED),
            "EDNS is not as it was, or has another size (RFC 6891 §6.1.1)",
        ),
        (ours.octets.len() <= limit, "more octets than may be sent"),
    ];
    checks.iter().filter(|(holds, _)| !holds).map(|(_, fault)| (*fault).to_owned()).collect()
}

/// Whether an RRset that we sent is one of the zones', whole and with its TTL, or follows from one.
fn is_true(set: &ZoneSet, query: &Query, ours: &Decoded, seen: &SeenSet) -> bool {
    if seen.rtype == HINFO && query.qtype == ANY {
        let soa = set.zone_of(&seen.owner).and_then(|zone| zone.rrset(&zone.apex, SOA));
        return seen.data == [b"\x07RFC8482\x00".to_vec()]
            && soa.map(negative_ttl) == Some(seen.ttl);
    }
    let as_written = set.rrsets(&seen.owner, seen.rtype).any(|rrset| matches(rrset, seen));
    as_written
        || wildcard_above(set, &seen.owner)
            .is_some_and(|name| set.rrsets(&name, seen.rtype).any(|rrset| matches(rrset, seen)))
        || (seen.rtype == CNAME && synthesized(&ours.answer, seen))
}

pub fn matches(rrset: &RRset, seen: &SeenSet) -> bool {
    let mut data: Vec<_> = rrset.data.iter().map(|data| data.octets.clone()).collect();
    data.sort();
    let negative = rrset.rtype == SOA && negative_ttl(rrset) == seen.ttl;
    data == seen.data && (rrset.ttl == seen.ttl || negative)
}

/// TTL of an SOA that denies (RFC 2308 §3).
fn negative_ttl(soa: &RRset) -> u32 {
    let minimum = soa.data.first().and_then(|data| data.octets.last_chunk::<4>());
    soa.ttl.min(minimum.map_or(0, |octets| u32::from_be_bytes(*octets)))
}

/// The wildcard that stands for a name which does not exist (RFC 4592 §3.3.1).
pub fn wildcard_above(set: &ZoneSet, name: &DomainName) -> Option<DomainName> {
    let zone = set.zone_of(name)?;
    let mut above = name.ancestors().take_while(|above| above.is_at_or_below(&zone.apex));
    let encloser = above.find(|above| set.has_name(above))?;
    (encloser.folded() != name.folded()).then(|| encloser.child(b"*"))
}

/// Whether a CNAME is what a DNAME of the same answer makes of its owner, with the DNAME's TTL (RFC 6672 §3.1).
fn synthesized(answer: &[SeenSet], cname: &SeenSet) -> bool {
    let dnames = answer.iter().filter(|seen| seen.rtype == DNAME);
    dnames.filter(|dname| dname.ttl == cname.ttl).any(|dname| {
        cname.owner.is_below(&dname.owner)
            && dname.data.iter().any(|data| {
                let moved =
                    cname.owner.moved(&dname.owner, &DomainName::from_wire(data)).folded().wire();
                cname.data == [moved]
            })
    })
}

/// Addresses that the reader of a referral can't do without: those of servers at or below the cut (RFC 9471 §2.1).
fn required_glue(set: &ZoneSet, referral: &Decoded) -> Vec<(DomainName, u16)> {
    if !referral.is_referral() {
        return Vec::new();
    }
    let mut glue = Vec::new();
    // The NS of a zone that is served stand beside an answer, and refer nobody.
    let is_served = |seen: &SeenSet| set.zones.iter().any(|zone| zone.apex.folded() == seen.owner);
    let cuts = referral.authority.iter().filter(|seen| seen.rtype == NS && !is_served(seen));
    for seen in cuts {
        let servers = seen.data.iter().map(|data| DomainName::from_wire(data));
        for server in servers.filter(|server| server.is_at_or_below(&seen.owner)) {
            let types = [A, AAAA].into_iter();
            let present = types.filter(|rtype| holds(set, &server, *rtype));
            glue.extend(present.map(|rtype| (server.clone(), rtype)));
        }
    }
    glue
}
