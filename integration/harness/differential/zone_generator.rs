//! Zones with everything that servers get wrong, from a seed.
//!
//! A zone is an apex and a number of features, each put at a place that earlier features made: so wildcards come to stand below
//! empty non-terminals, aliases to point into delegations, delegations to lie below wildcards. [`Zone::add`] drops what no
//! server would load.

use super::super::random::Random;
use super::domain_name::{DomainName, LABEL_OCTETS};
use super::rdata::{
    self, A, AAAA, CNAME, DNAME, DS, HTTPS, MX, NS, PTR, Rdata, SOA, SRV, SVCB, TXT,
};
use super::zone_set::{Zone, ZoneSet};

/// Features of a zone; the rarer ones stand in most zones all the same.
const FEATURES: usize = 45;

/// Labels that make names meet each other.
const LABELS: &[&[u8]] =
    &[b"a", b"b", b"c", b"x", b"www", b"mail", b"ns", b"_tcp", b"_sip", b"0", b"10", b"xn--a-ecp"];

/// Labels that some code takes for something else: dots, spaces, quotes, comments, octets beyond ASCII, case.
const ODD_LABELS: &[&[u8]] = &[
    b"a.b",
    b"s p",
    b"\x00",
    b"\xff\x80",
    b"back\\slash",
    b"q\"uote",
    b"@",
    b"$",
    b";c",
    b"(x)",
    b"UPPER",
    b"MiXeD",
    b"-",
    b"**",
    b"a*",
    b"'",
    b"[]",
    b"\x7f\n",
];

/// Names that no zone of ours holds.
const OUTSIDE: &[&str] = &["outside.test", "ns.provider.test", "www.elsewhere.invalid"];

/// Apexes of the sets, taken in turn: single ones, nested ones, siblings, and the root alone.
const LAYOUTS: &[&[&str]] = &[
    &["example"],
    &["example.com", "sub.example.com", "example.net"],
    &["a.b.example", "b.example", "c.b.example", "x.a.b.example"],
    &["."],
    &["zone.test", "b.a.zone.test", "zone.testing", "one.test"],
    &["net", "example.net", "www.example.net", "10.example.net"],
];

/// One thing that a zone may have.
type Feature = fn(&mut Builder<'_>);

const ALL: &[Feature] = &[
    add_plain_records,
    add_deep_name,
    add_wildcard,
    add_wildcard_below_wildcard,
    add_wildcard_in_the_middle,
    add_wildcard_alias,
    add_names_beside_wildcard,
    add_empty_wildcard,
    add_wildcard_below_cut,
    add_alias,
    add_alias_chain,
    add_alias_loop,
    add_alias_into_delegation,
    add_dname,
    add_dname_chain,
    add_dname_to_long_name,
    add_delegation,
    add_delegation_with_sibling_glue,
    add_delegation_below_delegation,
    add_mail,
    add_services,
    add_texts,
    add_large_sets,
    add_other_types,
    add_odd_labels,
    add_long_names,
    add_reverse,
];

/// Makes the set of this number.
pub fn generate(random: &mut Random, number: usize) -> ZoneSet {
    let layout = LAYOUTS[number % LAYOUTS.len()];
    let apexes: Vec<DomainName> = layout.iter().map(|apex| DomainName::plain(apex)).collect();
    let is_moving = number / LAYOUTS.len() % 3 == 2 && *layout != ["."];
    let moved = apexes.last().filter(|_| is_moving);
    let zones = apexes.iter().map(|apex| {
        let below: Vec<_> = apexes.iter().filter(|name| name.is_below(apex)).cloned().collect();
        let moved_below = moved.filter(|name| name.is_below(apex)).cloned();
        let zone = Zone::new(apex, below.clone(), moved_below);
        let mut builder = Builder { zone, apexes: &apexes, random: &mut *random };
        if moved == Some(apex) {
            builder.add_moved_apex();
            return builder.zone;
        }
        builder.add_apex();
        for child in below {
            builder.delegate_to_child(&child);
        }
        builder.random_features(FEATURES);
        builder.zone
    });
    ZoneSet::new(format!("set {number} ({})", layout.join(" ")), zones.collect())
}

/// A zone in the making.
struct Builder<'r> {
    zone: Zone,
    /// Of all zones of the set.
    apexes: &'r [DomainName],
    random: &'r mut Random,
}

impl Builder<'_> {
    fn random_features(&mut self, count: usize) {
        for _ in 0..count {
            let feature = ALL[self.random.below(ALL.len())];
            feature(self);
        }
    }

    fn choose<'c, T>(&mut self, choices: &'c [T]) -> &'c T {
        &choices[self.random.below(choices.len())]
    }

    fn is_lucky(&mut self, percent: usize) -> bool {
        self.random.below(100) < percent
    }

    fn add(&mut self, owner: &DomainName, rtype: u16, data: Rdata) -> bool {
        let ttl = *self.choose(&[0, 60, 300, 3600, 86_400]);
        let ttl = self.zone.rrset(owner, rtype).map_or(ttl, |set| set.ttl);
        self.zone.add(owner, ttl, rtype, data)
    }

    fn add_address(&mut self, owner: &DomainName) -> bool {
        let host = self.random.next();
        if self.is_lucky(80) {
            self.add(owner, A, rdata::a(0xc000_0200 | (host as u32 & 0xff)))
        } else {
            self.add(owner, AAAA, rdata::aaaa(host))
        }
    }

    fn add_text(&mut self, owner: &DomainName) {
        let text = format!("at {owner}").into_bytes().into_iter().take(200).collect();
        self.add(owner, TXT, rdata::txt(&[text]));
    }

    fn add_alias(&mut self, owner: &DomainName, target: &DomainName) {
        if owner.folded() != target.folded() && target.is_short_enough() {
            self.add(owner, CNAME, rdata::name(CNAME, target));
        }
    }

    fn label(&mut self) -> &'static [u8] {
        let labels = if self.is_lucky(12) { ODD_LABELS } else { LABELS };
        labels[self.random.below(labels.len())]
    }

    /// Some name of the zone, an empty non-terminal perhaps.
    fn place(&mut self) -> DomainName {
        if self.is_lucky(40) {
            return self.zone.apex.clone();
        }
        let names: Vec<DomainName> = self.zone.names().into_iter().collect();
        self.choose(&names).clone()
    }

    /// A place where records are seen.
    fn open_place(&mut self) -> DomainName {
        let place = self.place();
        if self.zone.cut_above(&place).is_some() { self.zone.apex.clone() } else { place }
    }

    fn new_name(&mut self) -> DomainName {
        let label = self.label();
        self.open_place().child(label)
    }

    /// Where an alias or a host may be said to be: everywhere.
    fn target(&mut self) -> DomainName {
        let target = match self.random.below(10) {
            0..=3 => self.place(),
            4 => self.place().child(b"missing"),
            5 => self.new_name(),
            6 | 7 => {
                let label = self.label();
                self.choose(self.apexes).child(label)
            }
            8 => self.choose(self.apexes).clone(),
            _ => DomainName::plain(OUTSIDE[self.random.below(OUTSIDE.len())]),
        };
        if target.is_short_enough() { target } else { self.zone.apex.clone() }
    }

    fn add_apex(&mut self) {
        let apex = self.zone.apex.clone();
        let (ttl, minimum) = *self.choose(&[(3600, 60), (60, 3600), (300, 300), (0, 60), (60, 0)]);
        let server = apex.child(b"ns");
        let mailbox = apex.child(b"host.master");
        let numbers = [2026, 7200, 3600, 1_209_600, minimum];
        self.zone.add(&apex, ttl, SOA, rdata::soa(&server, &mailbox, numbers));
        self.add(&apex, NS, rdata::name(NS, &server));
        self.add_address(&server);
        if self.is_lucky(60) {
            let second = self.target();
            // BIND wants addresses for the servers of the zone itself, and loads no zone without.
            if !second.is_at_or_below(&apex) || self.add_address(&second) {
                self.add(&apex, NS, rdata::name(NS, &second));
            }
        }
        if self.is_lucky(50) {
            self.add_address(&apex);
        }
    }

    /// A zone that is its apex, and moves all below that: into another zone of the set, or out of all.
    fn add_moved_apex(&mut self) {
        let apex = self.zone.apex.clone();
        let server = DomainName::plain(OUTSIDE[1]);
        let numbers = [2026, 7200, 3600, 1_209_600, 60];
        self.zone.add(&apex, 300, SOA, rdata::soa(&server, &server.child(b"mail"), numbers));
        self.add(&apex, NS, rdata::name(NS, &server));
        let target = if self.is_lucky(50) { self.apexes[0].clone() } else { server };
        if !target.is_at_or_below(&apex) {
            self.add(&apex, DNAME, rdata::name(DNAME, &target));
        }
        self.add_text(&apex);
        self.add(&apex, MX, rdata::mx(10, &target));
    }

    /// What a zone says of a zone below it that is served here too.
    fn delegate_to_child(&mut self, child: &DomainName) {
        let server = child.child(b"ns");
        let has_glue = self.zone.add(&server, 300, A, rdata::a(0xc633_6401));
        let server = if has_glue { server } else { DomainName::plain(OUTSIDE[1]) };
        self.add(child, NS, rdata::name(NS, &server));
        if self.is_lucky(50) {
            self.sign(child);
        }
        if self.is_lucky(50) {
            // The child's own business, and seen by nobody.
            self.add_text(&child.child(b"stale"));
        }
    }

    fn sign(&mut self, cut: &DomainName) {
        let (tag, digest) = (self.random.next() as u16, self.random.octets(32));
        self.add(cut, DS, rdata::ds(tag, &digest));
    }

    /// Delegates a name that is not in use, to servers in all places.
    fn delegate(&mut self, cut: &DomainName) {
        let inside = cut.child(b"ns");
        self.add(cut, NS, rdata::name(NS, &inside));
        if self.is_lucky(85) {
            self.add_address(&inside);
            self.add_address(&inside);
        }
        for _ in 0..self.random.below(3) {
            let target = self.target();
            self.add(cut, NS, rdata::name(NS, &target));
        }
        if self.is_lucky(20) {
            self.add(cut, NS, rdata::name(NS, cut));
            self.add_address(cut);
        }
        if self.is_lucky(40) {
            self.sign(cut);
        }
    }
}

fn add_plain_records(builder: &mut Builder<'_>) {
    let name = builder.new_name();
    builder.add_address(&name);
    builder.add_address(&name);
    if builder.is_lucky(50) {
        builder.add_text(&name);
    }
}

/// Makes empty non-terminals.
fn add_deep_name(builder: &mut Builder<'_>) {
    let mut name = builder.new_name();
    for _ in 0..2 + builder.random.below(2) {
        let label = builder.label();
        name = name.child(label);
    }
    builder.add_address(&name);
}

fn add_wildcard(builder: &mut Builder<'_>) {
    let wildcard = builder.open_place().child(b"*");
    let target = builder.target();
    match builder.random.below(5) {
        0 => builder.add(&wildcard, MX, rdata::mx(10, &target)),
        1 => builder.add(&wildcard, SRV, rdata::srv(1, 5060, &target)),
        2 => builder.add(&wildcard, HTTPS, rdata::service(HTTPS, 1, &target)),
        _ => false,
    };
    builder.add_text(&wildcard);
    if builder.is_lucky(70) {
        builder.add_address(&wildcard);
    }
}

/// `*.*`: the inner label is no wildcard (RFC 4592 §2.1.3).
fn add_wildcard_below_wildcard(builder: &mut Builder<'_>) {
    let wildcard = builder.open_place().child(b"*").child(b"*");
    builder.add_text(&wildcard);
}

fn add_wildcard_in_the_middle(builder: &mut Builder<'_>) {
    let label = builder.label();
    let name = builder.open_place().child(b"*").child(label);
    builder.add_address(&name);
}

/// An alias at a wildcard; now and then one that leads below itself, and so to itself again.
fn add_wildcard_alias(builder: &mut Builder<'_>) {
    let place = builder.new_name();
    let target = if builder.is_lucky(30) { place.child(b"again") } else { builder.target() };
    builder.add_alias(&place.child(b"*"), &target);
}

fn add_names_beside_wildcard(builder: &mut Builder<'_>) {
    let place = builder.new_name();
    builder.add_text(&place.child(b"*"));
    builder.add_address(&place.child(b"host"));
    builder.add_address(&place.child(b"empty").child(b"below"));
}

/// A wildcard that exists because something is below it, and holds nothing (RFC 4592 §2.2.2).
fn add_empty_wildcard(builder: &mut Builder<'_>) {
    let place = builder.new_name();
    builder.add_text(&place.child(b"*").child(b"below"));
}

fn add_wildcard_below_cut(builder: &mut Builder<'_>) {
    let cut = builder.new_name();
    builder.delegate(&cut);
    builder.add_text(&cut.child(b"*"));
}

fn add_alias(builder: &mut Builder<'_>) {
    let (name, target) = (builder.new_name(), builder.target());
    builder.add_alias(&name, &target);
}

fn add_alias_chain(builder: &mut Builder<'_>) {
    let place = builder.new_name();
    // Some are longer than any server follows.
    let length = if builder.is_lucky(10) { 25 } else { 2 + builder.random.below(5) };
    for step in 0..length {
        let [from, to] = [step, step + 1].map(|step| place.child(format!("step{step}").as_bytes()));
        builder.add_alias(&from, &to);
    }
    let (last, target) = (place.child(format!("step{length}").as_bytes()), builder.target());
    match builder.random.below(3) {
        0 => drop(builder.add_address(&last)),
        1 => builder.add_text(&last),
        _ => builder.add_alias(&last, &target),
    }
}

fn add_alias_loop(builder: &mut Builder<'_>) {
    let place = builder.open_place();
    let length = 2 + builder.random.below(3);
    for step in 0..length {
        let [from, to] =
            [step, (step + 1) % length].map(|step| place.child(format!("loop{step}").as_bytes()));
        builder.add_alias(&from, &to);
    }
}

fn add_alias_into_delegation(builder: &mut Builder<'_>) {
    let (cut, alias) = (builder.new_name(), builder.new_name());
    builder.delegate(&cut);
    let target = if builder.is_lucky(50) { cut.child(b"www") } else { cut };
    builder.add_alias(&alias, &target);
}

fn add_dname(builder: &mut Builder<'_>) {
    let (name, target) = (builder.new_name(), builder.target());
    if !target.is_at_or_below(&name) {
        builder.add(&name, DNAME, rdata::name(DNAME, &target));
        builder.add_text(&name);
    }
}

fn add_dname_chain(builder: &mut Builder<'_>) {
    let place = builder.new_name();
    let [one, two, three] = [&b"one"[..], b"two", b"three"].map(|label| place.child(label));
    builder.add(&one, DNAME, rdata::name(DNAME, &two));
    builder.add(&two, DNAME, rdata::name(DNAME, &three));
    builder.add_address(&three.child(b"www"));
    builder.add_text(&three.child(b"*").child(b"wild"));
    builder.add_alias(&three.child(b"alias"), &one.child(b"www"));
    let alias = builder.new_name();
    builder.add_alias(&alias, &one.child(b"alias"));
}

/// What is moved there has no room (RFC 6672 §2.2).
fn add_dname_to_long_name(builder: &mut Builder<'_>) {
    let name = builder.new_name();
    let long = long_name(&DomainName::plain("outside.test"), 250);
    builder.add(&name, DNAME, rdata::name(DNAME, &long));
}

fn add_delegation(builder: &mut Builder<'_>) {
    let cut = builder.new_name();
    builder.delegate(&cut);
    builder.add_address(&cut.child(b"www"));
}

/// Two cuts, each with its servers below the other (RFC 9471 §3.2).
fn add_delegation_with_sibling_glue(builder: &mut Builder<'_>) {
    let place = builder.open_place();
    let cuts = [&b"left"[..], b"right"].map(|label| place.child(label));
    for (cut, other) in [(&cuts[0], &cuts[1]), (&cuts[1], &cuts[0])] {
        let server = other.child(b"ns");
        builder.add(cut, NS, rdata::name(NS, &server));
        builder.add_address(&server);
    }
}

fn add_delegation_below_delegation(builder: &mut Builder<'_>) {
    let cut = builder.new_name();
    builder.delegate(&cut);
    let below = cut.child(b"deeper");
    builder.add(&below, NS, rdata::name(NS, &below.child(b"ns")));
    builder.add_address(&below.child(b"ns"));
}

fn add_mail(builder: &mut Builder<'_>) {
    let name = if builder.is_lucky(40) { builder.open_place() } else { builder.new_name() };
    for preference in 0..1 + builder.random.below(3) {
        let target = builder.target();
        builder.add(&name, MX, rdata::mx(10 * preference as u16, &target));
    }
    // Null MX (RFC 7505).
    if builder.is_lucky(15) {
        let name = builder.new_name();
        builder.add(&name, MX, rdata::mx(0, &DomainName::root()));
    }
}

fn add_services(builder: &mut Builder<'_>) {
    let name = builder.new_name();
    for priority in 1..2 + builder.random.below(2) as u16 {
        let target = builder.target();
        builder.add(&name, SRV, rdata::srv(priority, 443, &target));
        let target = if builder.is_lucky(20) { DomainName::root() } else { builder.target() };
        builder.add(&name, HTTPS, rdata::service(HTTPS, priority, &target));
    }
    let (alias, target) = (builder.new_name(), builder.target());
    builder.add(&alias, SVCB, rdata::service(SVCB, 0, &target));
    let target = builder.target();
    builder.add(&name, rdata::NAPTR, rdata::naptr(100, &target));
}

fn add_texts(builder: &mut Builder<'_>) {
    let name = builder.new_name();
    let octets = builder.random.octets(40);
    builder.add(&name, TXT, rdata::txt(&[b"two".to_vec(), b"strings; \"quoted\"".to_vec()]));
    builder.add(&name, TXT, rdata::txt(&[Vec::new()]));
    builder.add(&name, TXT, rdata::txt(&[octets, vec![b'x'; 255], b" ".to_vec()]));
}

/// Too much for 512 octets, for 1232, or for both.
fn add_large_sets(builder: &mut Builder<'_>) {
    let name = builder.new_name();
    let count = *builder.choose(&[28, 40, 90]);
    for host in 0..count {
        builder.add(&name, A, rdata::a(0xcb00_7100 + host));
    }
    let name = builder.new_name();
    let strings = 1 + builder.random.below(7);
    for number in 0..strings {
        builder.add(&name, TXT, rdata::txt(&[vec![b'0' + number as u8; 200]]));
    }
    let name = builder.new_name();
    for preference in 0..12 {
        let target = builder.target();
        builder.add(&name, MX, rdata::mx(preference, &target));
    }
}

fn add_other_types(builder: &mut Builder<'_>) {
    let name = builder.new_name();
    let octets = builder.random.octets(32);
    builder.add(&name, rdata::HINFO, rdata::hinfo("PDP-11", "UNIX V7"));
    builder.add(&name, rdata::CAA, rdata::caa("ca.example.net"));
    builder.add(&name, rdata::SSHFP, rdata::sshfp(&octets));
    builder.add(&name, rdata::TLSA, rdata::tlsa(&octets));
    let name = builder.new_name();
    // Not empty, which hickory-proto takes for a message of RFC 2136.
    let length = 1 + builder.random.below(20);
    builder.add(&name, rdata::UNKNOWN, rdata::unknown(&octets[..length]));
    builder.add(&name, rdata::UNKNOWN, rdata::unknown(&octets));
}

fn add_odd_labels(builder: &mut Builder<'_>) {
    let [one, two] = [0; 2].map(|_| *builder.choose(ODD_LABELS));
    let name = builder.open_place().child(one).child(two);
    builder.add_address(&name);
    let alias = builder.open_place().child(two);
    builder.add_alias(&alias, &name);
}

fn add_long_names(builder: &mut Builder<'_>) {
    let place = builder.open_place();
    builder.add_text(&place.child(&[b'L'; LABEL_OCTETS]));
    for octets in [255, 254, 250] {
        let name = long_name(&place, octets);
        builder.add_address(&name);
    }
    let longest = long_name(&place, 255);
    let mail = builder.new_name();
    builder.add(&mail, MX, rdata::mx(1, &longest));
}

fn add_reverse(builder: &mut Builder<'_>) {
    let number = builder.random.below(256).to_string();
    let (name, target) = (builder.open_place().child(number.as_bytes()), builder.target());
    builder.add(&name, PTR, rdata::name(PTR, &target));
}

/// A name below another with this many octets on the wire, or one less.
fn long_name(place: &DomainName, octets: usize) -> DomainName {
    let mut name = place.clone();
    loop {
        let room = octets.saturating_sub(name.wire().len());
        match room {
            0 | 1 => return name,
            room => name = name.child(&vec![b'l'; (room - 1).min(LABEL_OCTETS)]),
        }
    }
}
