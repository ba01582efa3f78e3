//! What an answer must say, reckoned from the zones alone: RFC 1034 §4.3.2 done once more, slowly and apart from the server.
//!
//! The links of the answer are taken as they are, since [`super::comparison`] checks that each is true; what is reckoned is
//! what must stand where they lead to.

use super::comparison::wildcard_above;
use super::decoding::{Decoded, SeenSet};
use super::domain_name::DomainName;
use super::query_generator::Query;
use super::rdata::{ANY, CNAME, DNAME, DS, NS, SOA};
use super::zone_set::{Zone, ZoneSet};

const NOERROR: u16 = 0;
const NXDOMAIN: u16 = 3;
const REFUSED: u16 = 5;
const YXDOMAIN: u16 = 6;

/// Links of a chain after which an answer may stop (`CNAME_CHAIN` of meridian's limits).
const CHAIN: usize = 16;

/// What must stand at the end of the chain.
#[derive(Debug, PartialEq, Eq)]
enum Expected {
    /// The name is nobody's here.
    NotOurs,
    /// NS of this cut.
    Referral(DomainName),
    /// Records of the type.
    Data,
    /// SOA of this zone, and this rcode.
    Denial(DomainName, u16),
    /// A DNAME makes a name that is too long.
    Overflow,
}

/// What is wrong with rcode, AA, or the sections as a whole; nothing where a loop or the length of the chain ends it.
pub fn find_fault(set: &ZoneSet, query: &Query, ours: &Decoded) -> Option<String> {
    // What is truncated is asked again over TCP, whatever else it says (RFC 2181 §9).
    if ours.is_truncated() {
        return None;
    }
    let chain = ours.chain(query);
    let (end, before) = chain.split_last()?;
    let asks_for_links = matches!(query.qtype, CNAME | ANY) && !before.is_empty();
    let stops = before.contains(end) || before.len() >= CHAIN || asks_for_links;
    let expected = expect(set, query, end);
    let rcode = match &expected {
        _ if stops => NOERROR,
        Expected::NotOurs if before.is_empty() => REFUSED,
        Expected::Denial(_, rcode) => *rcode,
        Expected::Overflow => YXDOMAIN,
        _ => NOERROR,
    };
    let leads_away = matches!(expected, Expected::NotOurs | Expected::Referral(_));
    let is_authoritative = !(before.is_empty() && leads_away);
    let is_right = ours.rcode == rcode
        && ours.is_authoritative() == is_authoritative
        && (stops || has(ours, query, end, &expected));
    let right = || format!("rcode {rcode}, AA {is_authoritative}, {expected:?} at {end}");
    (!is_right).then(|| format!("by the zones right is {}", right()))
}

fn expect(set: &ZoneSet, query: &Query, end: &DomainName) -> Expected {
    let Some(zone) = set.authority_for(end, query.qtype) else { return Expected::NotOurs };
    match zone.cut_above(end).map(|cut| cut.folded()) {
        Some(cut) if cut != *end || query.qtype != DS => return Expected::Referral(cut),
        _ => {}
    }
    if overflows(zone, end) {
        return Expected::Overflow;
    }
    let own = Some(end.clone()).filter(|end| set.has_name(end));
    let source = own.or_else(|| wildcard_above(set, end).filter(|name| set.has_name(name)));
    let apex = zone.apex.folded();
    match source {
        None => Expected::Denial(apex, NXDOMAIN),
        Some(name) if has_data(zone, &name, query.qtype) => Expected::Data,
        Some(_) => Expected::Denial(apex, NOERROR),
    }
}

fn has_data(zone: &Zone, name: &DomainName, qtype: u16) -> bool {
    match qtype {
        ANY => !zone.types_at(name).is_empty(),
        qtype => zone.rrset(name, qtype).is_some(),
    }
}

/// Whether a DNAME would make a name of more than 255 octets (RFC 6672 §2.2).
fn overflows(zone: &Zone, name: &DomainName) -> bool {
    let above = name.ancestors().skip(1).take_while(|above| above.is_at_or_below(&zone.apex));
    let mut dnames = above.into_iter().filter_map(|above| zone.rrset(&above, DNAME));
    dnames.next().is_some_and(|dname| {
        let target = dname.data.first().and_then(|data| data.target.as_ref());
        target.is_some_and(|target| !name.moved(&dname.owner, target).is_short_enough())
    })
}

/// Whether the sections hold what is expected, and no denial or referral beside it.
fn has(ours: &Decoded, query: &Query, end: &DomainName, expected: &Expected) -> bool {
    let is_data =
        |seen: &&SeenSet| !seen.is_link() || seen.rtype == query.qtype && seen.owner == *end;
    let data: Vec<&SeenSet> = ours.answer.iter().filter(is_data).collect();
    let authority: Vec<(&DomainName, u16)> =
        ours.authority.iter().map(|seen| (&seen.owner, seen.rtype)).collect();
    match expected {
        Expected::NotOurs | Expected::Overflow => data.is_empty() && authority.is_empty(),
        Expected::Referral(cut) => data.is_empty() && authority == [(cut, NS)],
        Expected::Denial(apex, _) => data.is_empty() && authority == [(apex, SOA)],
        Expected::Data => matches!(data[..], [only] if only.owner == *end) && authority.is_empty(),
    }
}
