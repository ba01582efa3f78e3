//! Questions about a set of zones: at every name, beside it, above it and below it, for every type, in every size.

use super::super::random::Random;
use super::domain_name::DomainName;
use super::rdata::{
    self, A, AAAA, ANY, CAA, CNAME, DNAME, DNSKEY, DS, HINFO, HTTPS, MX, NS, NSEC, OPT, PTR, RRSIG,
    SOA, SRV, SVCB, TXT, UNKNOWN,
};
use super::zone_set::ZoneSet;

/// What is asked for where the name suggests nothing. Types that servers treat apart come more than once.
const TYPES: &[u16] = &[
    A, A, A, AAAA, NS, NS, CNAME, SOA, MX, TXT, TXT, SRV, HTTPS, SVCB, DS, DS, DNAME, PTR, ANY,
    RRSIG, NSEC, DNSKEY, CAA, HINFO, UNKNOWN,
];

/// Sizes that clients say they take: the smallest, the usual, and one that is more than anybody sends.
const PAYLOADS: &[u16] = &[512, 1232, 1232, 4096];

const FLAG_RECURSION_DESIRED: u16 = 0x0100;
const EDNS_DNSSEC_OK: u16 = 0x8000;

/// One question, as it is sent to all servers.
#[derive(Clone, Debug)]
pub struct Query {
    pub name: DomainName,
    pub qtype: u16,
    pub edns: Option<Edns>,
    pub wants_recursion: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct Edns {
    pub payload: u16,
    pub wants_dnssec: bool,
}

impl Query {
    /// The question section.
    pub fn question(&self) -> Vec<u8> {
        [self.name.wire(), self.qtype.to_be_bytes().to_vec(), vec![0, 1]].concat()
    }

    /// The message.
    pub fn octets(&self, id: u16) -> Vec<u8> {
        let flags = if self.wants_recursion { FLAG_RECURSION_DESIRED } else { 0 };
        let numbers = [id, flags, 1, 0, 0, u16::from(self.edns.is_some())];
        let mut octets = numbers.map(u16::to_be_bytes).concat();
        octets.extend(self.question());
        if let Some(edns) = self.edns {
            let flags = if edns.wants_dnssec { EDNS_DNSSEC_OK } else { 0 };
            octets.push(0);
            octets.extend([OPT, edns.payload, 0, flags, 0].map(u16::to_be_bytes).concat());
        }
        octets
    }

    /// Octets that the client takes over UDP (RFC 1035 §4.2.1, RFC 6891 §6.2.3).
    pub fn payload(&self) -> usize {
        self.edns.map_or(512, |edns| usize::from(edns.payload.max(512)))
    }

    /// The command that asks the same.
    pub fn dig(&self) -> String {
        let recursion = if self.wants_recursion { "+rec" } else { "+norec" };
        let edns = self.edns.map_or("+noedns".to_owned(), |edns| {
            let dnssec = if edns.wants_dnssec { " +dnssec" } else { "" };
            format!("+bufsize={}{dnssec}", edns.payload)
        });
        format!("dig +nocookie {recursion} {edns} '{}' {}", self.name, rdata::mnemonic(self.qtype))
    }
}

/// Makes that many questions.
pub fn generate(random: &mut Random, set: &ZoneSet, count: usize) -> Vec<Query> {
    let mut names: Vec<(usize, DomainName)> = Vec::new();
    for (place, zone) in set.zones.iter().enumerate() {
        names.extend(zone.names().into_iter().map(|name| (place, name)));
    }
    // Each name in its turn, so that none is forgotten; then again from the start.
    let turns = names.iter().cycle().take(count);
    turns.map(|(place, name)| query_about(random, set, *place, name)).collect()
}

fn query_about(random: &mut Random, set: &ZoneSet, place: usize, known: &DomainName) -> Query {
    let mut name = vary(random, known);
    if !name.is_short_enough() {
        name = known.clone();
    }
    let present = set.zones[place].types_at(known);
    let qtype = match random.below(100) {
        0..45 if !present.is_empty() => present[random.below(present.len())],
        _ => TYPES[random.below(TYPES.len())],
    };
    if random.below(4) == 0 {
        name = in_random_case(random, &name);
    }
    let edns = (random.below(100) < 65).then(|| Edns {
        payload: PAYLOADS[random.below(PAYLOADS.len())],
        wants_dnssec: random.below(4) == 0,
    });
    Query { name, qtype, edns, wants_recursion: random.below(10) == 0 }
}

/// The name itself half of the time, else one around it.
fn vary(random: &mut Random, name: &DomainName) -> DomainName {
    match random.below(16) {
        0 => name.parent().unwrap_or_default(),
        1 | 2 => name.child(format!("r{}", random.below(1000)).as_bytes()),
        3 => name.child(b"*"),
        4 => name.child(b"below").child(b"further"),
        5 => name.child(b"www"),
        6 => beside(name, |label| label.push(0)),
        7 => beside(name, |label| {
            if let Some(last) = label.last_mut() {
                *last = last.wrapping_sub(1);
            }
        }),
        8 => beside(name, |label| *label = b"*".to_vec()),
        _ => name.clone(),
    }
}

/// A sibling: the first label changed.
fn beside(name: &DomainName, change: impl FnOnce(&mut Vec<u8>)) -> DomainName {
    let (Some(mut label), Some(parent)) = (name.labels().first().cloned(), name.parent()) else {
        return name.child(b"sibling");
    };
    change(&mut label);
    if label.len() > super::domain_name::LABEL_OCTETS { name.clone() } else { parent.child(&label) }
}

/// Resolvers mix the case of questions (draft-vixie-dnsext-dns0x20).
fn in_random_case(random: &mut Random, name: &DomainName) -> DomainName {
    let labels: Vec<Vec<u8>> = name.labels().to_vec();
    let mixed: Vec<Vec<u8>> = labels
        .into_iter()
        .map(|label| {
            let turn =
                |octet: u8| if random.below(2) == 0 { octet.to_ascii_uppercase() } else { octet };
            label.into_iter().map(turn).collect()
        })
        .collect();
    DomainName::from_labels(mixed.iter().map(Vec::as_slice))
}
