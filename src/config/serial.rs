//! The serial of a zone whose SOA gives none: the time of change of its file, as long as that goes forward.
//!
//! Times of files go back (an older checkout, a restored copy), and two changes within a second share one. Whoever compares
//! serials, a secondary or a person, would then take the new zone for the old one. So what was served last is remembered by
//! its serial and a digest of its contents, and [`derive_serial`] decides what comes next. Where that memory is kept is
//! the business of `app::serials`.
//!
//! The digest covers what a zone means: names, records, TTLs, routing and checks. The serial itself, comments, tests, the order
//! of entries and the time of the file are left out. It is the same in every build, as it outlives the process in a file. It
//! tells two versions of a file apart that one author wrote, nobody gains by making them collide, and so 64 bits that are
//! not cryptographic are enough.

mod checks;
mod rules;

use std::cmp::Ordering;
use std::time::Duration;

use super::document::DEFAULT_TTL_FLOOR_SECONDS;
use super::{CompiledCheck, CompiledName, CompiledZone};
use crate::policy::{Endpoint, MinUp, Pool, Route, Routing, Target};
use crate::wire::{Name, RecordType, Serial};
use crate::zone::RRset;

/// Octets of an SOA's five numbers, which end its data and of which the serial is the first (RFC 1035 §3.3.13).
const SOA_NUMBERS_OCTETS: usize = 20;
const SERIAL_OCTETS: usize = 4;

/// What a zone's contents amount to: equal for equal contents, and different for different ones but by a rare chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(pub u64);

/// What was last served of a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServedSerial {
    pub serial: Serial,
    pub digest: Digest,
}

/// The serial of a zone that gives none: the one before for the same contents, else the time of change of its file, else,
/// if that is no news after what was served before (RFC 1982), the next one.
pub fn derive_serial(before: Option<ServedSerial>, changed: Serial, digest: Digest) -> Serial {
    match before {
        Some(before) if before.digest == digest => before.serial,
        Some(before) if !changed.is_newer_than(before.serial) => before.serial.next(),
        _ => changed,
    }
}

impl CompiledZone {
    /// The serial of its SOA. Every zone has one.
    pub fn serial(&self) -> Option<Serial> {
        let sets = &self.names.get(&self.apex)?.rrsets;
        let soa = sets.iter().find(|set| set.rtype == RecordType::SOA)?;
        let (_, serial, _) = split_soa(soa.rdata.first()?)?;
        Some(Serial(u32::from_be_bytes(serial.try_into().ok()?)))
    }

    /// Puts another serial into its SOA.
    pub fn set_serial(&mut self, serial: Serial) {
        let sets = self.names.get_mut(&self.apex).into_iter().flat_map(|name| &mut name.rrsets);
        for rdata in sets.filter(|set| set.rtype == RecordType::SOA).flat_map(|set| &mut set.rdata)
        {
            if let Some((names, _, timers)) = split_soa(rdata) {
                *rdata = [names, &serial.0.to_be_bytes(), timers].concat().into();
            }
        }
    }

    /// What its contents amount to.
    pub fn digest(&self) -> Digest {
        let Self {
            apex,
            names,
            routing,
            checks,
            has_derived_serial: _,
            tests: _,
            policy_spans: _,
            residency_spans: _,
        } = self;
        let mut hasher = Fnv::new();
        hasher.write_name(apex);
        for (name, owned) in names {
            hasher.write_name(name);
            hasher.write_owned(name, owned, routing);
        }
        hasher.write_routing(routing, checks);
        hasher.write_count(checks.len());
        for check in in_order(checks, |one, other| one.name.cmp(&other.name)) {
            hasher.write_check(check);
        }
        Digest(hasher.sum)
    }
}

/// An SOA's two names, its serial, and its timers.
fn split_soa(rdata: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (names, numbers) = rdata.split_at_checked(rdata.len().checked_sub(SOA_NUMBERS_OCTETS)?)?;
    let (serial, timers) = numbers.split_at_checked(SERIAL_OCTETS)?;
    Some((names, serial, timers))
}

/// FNV-1a with 64 bits: one multiplication per octet, and short enough to be written out, so that no library's next version
/// changes what it gives. <https://datatracker.ietf.org/doc/html/draft-eastlake-fnv>
///
/// What has no length of its own (a name has one, in its root label) is written behind its length, so that no two values are
/// written alike. Parts of the zone file are written by name, not by index, and in the order of names where the order means
/// nothing.
struct Fnv {
    sum: u64,
}

impl Fnv {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;

    fn new() -> Self {
        Self { sum: Self::BASIS }
    }

    fn write(&mut self, octets: impl IntoIterator<Item = u8>) {
        for octet in octets {
            self.sum = (self.sum ^ u64::from(octet)).wrapping_mul(Self::PRIME);
        }
    }

    fn write_number(&mut self, number: u32) {
        self.write(number.to_be_bytes());
    }

    /// No list or text of a zone has 2^32 elements: a zone file is far shorter.
    fn write_count(&mut self, count: usize) {
        self.write_number(u32::try_from(count).unwrap_or(u32::MAX));
    }

    fn write_octets(&mut self, octets: &[u8]) {
        self.write_count(octets.len());
        self.write(octets.iter().copied());
    }

    fn write_text(&mut self, text: &str) {
        self.write_octets(text.as_bytes());
    }

    fn write_optional_text(&mut self, text: Option<&str>) {
        self.write([u8::from(text.is_some())]);
        self.write_text(text.unwrap_or_default());
    }

    /// In lower case: the case of an owner is never sent.
    fn write_name(&mut self, name: &Name) {
        self.write(name.as_wire().iter().map(u8::to_ascii_lowercase));
    }

    fn write_duration(&mut self, duration: Duration) {
        self.write(duration.as_millis().to_be_bytes());
    }

    fn write_owned(&mut self, name: &Name, owned: &CompiledName, routing: &Routing) {
        let CompiledName { rrsets, routes } = owned;
        self.write_count(rrsets.len());
        for set in in_order(rrsets, |one, other| one.rtype.cmp(&other.rtype)) {
            self.write_set(set);
        }
        if routes.len() != 1 {
            // A single one is marked where it is written.
            self.write([if routes.is_empty() { 0 } else { 0x80 }]);
            if routes.is_empty() {
                return;
            }
            self.write_count(routes.len());
        }
        for route in in_order(routes, |one, other| one.types.cmp(&other.types)) {
            self.write_route(name, route, routing);
        }
    }

    /// As older versions wrote it, where it has nothing that they did not have.
    fn write_route(&mut self, name: &Name, route: &Route, routing: &Routing) {
        let Route { target, ttl, ttl_floor, types, together, name_key } = route;
        let is_usual = matches!(**types, [RecordType::A, RecordType::AAAA] | [RecordType::CNAME]);
        let is_alias = *name_key != hash_name(name);
        let has_floor = ttl_floor.as_seconds() != DEFAULT_TTL_FLOOR_SECONDS;
        self.write([1
            | u8::from(*together) << 1
            | u8::from(!is_usual) << 2
            | u8::from(is_alias) << 3
            | u8::from(has_floor) << 4]);
        self.write_target(*target, routing);
        self.write_number(ttl.as_seconds());
        if has_floor {
            self.write_number(ttl_floor.as_seconds());
        }
        if !is_usual {
            self.write_count(types.len());
            self.write(types.iter().flat_map(|rtype| rtype.0.to_be_bytes()));
        }
        if is_alias {
            self.write(name_key.to_be_bytes());
        }
    }

    fn write_set(&mut self, set: &RRset) {
        let RRset { rtype, ttl, rdata } = set;
        self.write(rtype.0.to_be_bytes());
        self.write_number(ttl.as_seconds());
        self.write_count(rdata.len());
        for octets in in_order(rdata, Ord::cmp) {
            match split_soa(octets) {
                Some((names, _, timers)) if *rtype == RecordType::SOA => {
                    self.write_octets(names);
                    self.write_octets(timers);
                }
                _ => self.write_octets(octets),
            }
        }
    }

    fn write_target(&mut self, target: Target, routing: &Routing) {
        // Pools and policies share one name space.
        self.write_text(routing.target_name(target));
    }

    fn write_targets(&mut self, targets: &[Target], routing: &Routing) {
        self.write_count(targets.len());
        for target in targets {
            self.write_target(*target, routing);
        }
    }

    /// Targets whose order means nothing.
    fn write_unordered(&mut self, mut targets: Vec<Target>, routing: &Routing) {
        targets.sort_by_key(|target| routing.target_name(*target));
        self.write_targets(&targets, routing);
    }

    fn write_pool(&mut self, pool: &Pool, checks: &[CompiledCheck]) {
        let Pool { name, endpoints, check, min_up } = pool;
        self.write_text(name);
        self.write_count(endpoints.len());
        for Endpoint { rtype, rdata, label: _ } in endpoints {
            self.write(rtype.0.to_be_bytes());
            self.write_octets(rdata);
        }
        let check = check.and_then(|id| checks.get(usize::from(id.0)));
        // As with `all_down`: the default is written as it was before there was any other.
        let (kind, number) = match *min_up {
            MinUp::ONE => (0, 1),
            MinUp::Count(count) => (1, count),
            MinUp::Share(share) => (2, u16::from(share)),
        };
        self.write([u8::from(check.is_some()) | kind << 1]);
        self.write_text(check.map_or("", |check| &*check.name));
        if kind != 0 {
            self.write(number.to_be_bytes());
        }
    }
}

/// The elements in an order. Most lists are in it, those of one element to begin with, and of lists there may be millions: no
/// room is taken for them.
fn in_order<T>(list: &[T], compare: impl Fn(&T, &T) -> Ordering) -> impl Iterator<Item = &T> {
    let is_in_order = list.is_sorted_by(|one, other| compare(one, other).is_le());
    let mut moved: Vec<&T> = if is_in_order { Vec::new() } else { list.iter().collect() };
    moved.sort_by(|one, other| compare(one, other));
    let kept = if is_in_order { list } else { &[] };
    kept.iter().chain(moved)
}

/// A hash of a text, the same in every build.
pub(super) fn hash_text(text: &str) -> u64 {
    let mut hasher = Fnv::new();
    hasher.write(text.bytes());
    hasher.sum
}

/// A hash of a name in whatever case, the same in every build.
pub(super) fn hash_name(name: &Name) -> u64 {
    let mut hasher = Fnv::new();
    hasher.write_name(name);
    hasher.sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Source, compile_zone};

    fn compile(text: &str, modified: u32) -> CompiledZone {
        let source = Source::new("t.toml", text, modified);
        compile_zone(&source).expect("a sound zone").0
    }

    /// Of [`ZONE`], as the last build wrote it to `serials.json` that knew none of these.
    const OLD_DIGEST: u64 = 0x95a2_7854_a9cd_fff8;

    const ZONE: &str = r#"
        zone = "example.com"
        [check.web]
        https = "/"
        host = "www.example.com"
        expect = "200-299"
        every = "10s"
        [check.port]
        tcp = 443
        address = "192.0.2.9"
        [pool.a]
        addresses = ["192.0.2.1", "2001:db8::1"]
        check = "web"
        [pool.b]
        addresses = ["192.0.2.2"]
        check = "port"
        [policy.w]
        type = "weighted"
        weights = { a = 1, b = 2 }
        [policy.f]
        type = "failover"
        targets = ["w", "b"]
        [policy.g]
        type = "geolocation"
        country.NA = "a"
        default = ["f"]
        [names]
        "@" = { SOA = "ns1 host", NS = ["ns1", "ns2"] }
        ns1 = { A = "192.0.2.53" }
        ns2 = { A = "192.0.2.54" }
        www = { policy = "g", TXT = "x", ttl = "30s" }
    "#;

    #[test]
    fn a_given_serial_is_told_from_a_derived_one() {
        let mut derived = compile(ZONE, 1_700_000_000);
        assert!(derived.has_derived_serial);
        assert_eq!(derived.serial(), Some(Serial(1_700_000_000)));
        derived.set_serial(Serial(0xffff_ffff));
        assert_eq!(derived.serial(), Some(Serial(0xffff_ffff)));
        let given = compile(&ZONE.replace("ns1 host", "ns1 host 7 7200 3600 1209600 60"), 1);
        assert!(!given.has_derived_serial);
        assert_eq!(given.serial(), Some(Serial(7)));
        assert_eq!(given.names.len(), 4, "nothing else is touched");
    }

    #[test]
    fn setting_a_serial_changes_nothing_else() {
        let (mut zone, other) = (compile(ZONE, 1), compile(ZONE, 2));
        assert_ne!(zone, other);
        zone.set_serial(Serial(2));
        assert_eq!(zone, other);
    }

    #[test]
    fn the_serial_goes_forward_with_the_contents_and_stays_with_them() {
        let (same, new) = (Digest(1), Digest(2));
        let before = |serial| Some(ServedSerial { serial: Serial(serial), digest: same });
        for (before, changed, digest, expected) in [
            (None, 1_700_000_000, same, 1_700_000_000),
            (before(100), 100, same, 100),
            (before(100), 900, same, 100), // touched
            (before(100), 50, same, 100),  // an older copy of the same
            (before(100), 900, new, 900),
            (before(100), 100, new, 101), // twice in a second
            (before(100), 50, new, 101),  // an older checkout
            (before(100), 101, new, 101),
            (before(u32::MAX), u32::MAX, new, 0), // around the circle
            (before(u32::MAX), 5, new, 5),
            (before(5), u32::MAX, new, 6),
            (before(0), 1 << 31, new, 1), // neither is newer
            (before(0), (1 << 31) - 1, new, (1 << 31) - 1),
        ] {
            let serial = derive_serial(before, Serial(changed), digest);
            assert_eq!(serial, Serial(expected), "{before:?} {changed} {digest:?}");
        }
    }

    /// Whatever happens to the file, what follows is newer or the same, and the same only for the same contents.
    #[test]
    fn no_history_of_a_file_takes_the_serial_back() {
        let seed = 53;
        println!("seed {seed}");
        let mut random = crate::policy::Random::new(seed);
        let mut before = ServedSerial { serial: Serial(u32::MAX - 500), digest: Digest(0) };
        for _ in 0..10_000 {
            let changed =
                Serial(before.serial.0.wrapping_add(random.below(2_000)).wrapping_sub(1_000));
            let digest = Digest(u64::from(random.below(3)));
            let serial = derive_serial(Some(before), changed, digest);
            assert_eq!(serial.is_newer_than(before.serial), digest != before.digest, "{before:?}");
            before = ServedSerial { serial, digest };
        }
    }

    #[test]
    fn the_digest_is_fnv_1a() {
        for (text, sum) in [
            ("", 0xcbf2_9ce4_8422_2325),
            ("a", 0xaf63_dc4c_8601_ec8c),
            ("foobar", 0x8594_4171_f739_67e8),
        ] {
            let mut hasher = Fnv::new();
            hasher.write(text.bytes());
            assert_eq!(hasher.sum, sum, "{text}");
        }
    }

    /// It is kept in a file: a build that computes another one gives every zone a new serial.
    #[test]
    fn the_digest_is_the_same_in_every_build() {
        assert_eq!(format!("{:016x}", compile(ZONE, 1).digest().0), "95a27854a9cdfff8");
    }

    #[test]
    fn the_digest_ignores_what_means_nothing() {
        let digest = compile(ZONE, 1).digest();
        assert_eq!(compile(ZONE, 2).digest(), digest, "the time");
        for (from, to) in [
            ("[names]", "# a comment\n[names]"),
            ("\"ns1 host\"", "\"ns1 host 9 7200 3600 1209600 60\""),
            ("[\"ns1\", \"ns2\"]", "[\"ns2\", \"ns1\"]"),
            (
                "SOA = \"ns1 host\", NS = [\"ns1\", \"ns2\"]",
                "NS = [\"ns1\", \"ns2\"], SOA = \"ns1 host\"",
            ),
            ("www = {", "WWW = {"),
            ("ttl = \"30s\"", "ttl = \"30000ms\""),
            ("every = \"10s\"", "every = \"10000ms\""),
            ("expect = \"200-299\"", "expect = \"200-250,251-299\""),
            ("[\"192.0.2.2\"]", "[\"192.0.2.2\"]\nmin_up = 1"),
            ("[\"w\", \"b\"]", "[\"w\", \"b\"]\nall_down = \"ignore-health\""),
        ] {
            assert!(ZONE.contains(from), "{from}");
            assert_eq!(compile(&ZONE.replacen(from, to, 1), 1).digest(), digest, "{to}");
        }
        let pool =
            "        [pool.b]\n        addresses = [\"192.0.2.2\"]\n        check = \"port\"\n";
        assert!(ZONE.contains(pool));
        let moved =
            ZONE.replace(pool, "").replace("        [pool.a]", &format!("{pool}        [pool.a]"));
        assert_eq!(compile(&moved, 1).digest(), digest, "the order of pools");
        let tested = format!("{ZONE}\n[[test]]\nname = \"www\"\nrcode = \"NOERROR\"\n");
        assert_eq!(compile(&tested, 1).tests.len(), 1);
        assert_eq!(compile(&tested, 1).digest(), digest, "tests");
        let turns = |targets: &str| {
            let zone = ZONE.replace("\"failover\"", "\"round-robin\"");
            compile(&zone.replace("[\"w\", \"b\"]", targets), 1).digest()
        };
        assert_eq!(turns("[\"w\", \"b\"]"), turns("[\"b\", \"w\"]"), "the order of turns");
    }

    /// What was served before the checks of today knew more than status, pace and thresholds.
    #[test]
    fn checks_without_new_features_digest_as_they_always_did() {
        assert_eq!(compile(ZONE, 1).digest(), Digest(OLD_DIGEST));
        for (from, to) in [
            ("https = \"/\"", "https = \"/\"\nmethod = \"GET\"\nredirects = 0\nhttp2 = false"),
            ("https = \"/\"", "https = \"/\"\ntls = true"),
            ("https = \"/\"", "https = \"/\"\ntls = { verify = false, sni = true }"),
            ("https = \"/\"", "https = \"/\"\ndamping = { hold = \"30s\", longest = \"10m\" }"),
            ("https = \"/\"", "https = \"/\"\nlatency = \"average\"\nretry = \"10s\""),
            ("tcp = 443", "tcp = 443\ntls = false\ninverted = false\ndisabled = false"),
        ] {
            let digest = compile(&ZONE.replacen(from, to, 1), 1).digest();
            assert_eq!(digest, Digest(OLD_DIGEST), "{to}");
        }
    }

    #[test]
    fn the_digest_changes_with_everything_that_means_something() {
        let mut seen = vec![compile(ZONE, 1).digest()];
        for (from, to) in [
            ("192.0.2.53", "192.0.2.55"),
            ("ns2 = { A", "ns2 = { ttl = \"1h\", A"),
            ("ns2 = {", "ns2 = { AAAA = \"::1\","),
            ("\"ns1 host\"", "\"ns1 mail\""),
            ("\"ns1 host\"", "\"ns1 host 1 7201 3600 1209600 60\""),
            ("TXT = \"x\"", "TXT = \"X\""),
            ("policy = \"g\"", "policy = \"f\""),
            ("ttl = \"30s\"", "ttl = \"31s\""),
            ("zone = \"example.com\"", "zone = \"example.com\"\nttl_floor = \"6s\""),
            ("https = \"/\"", "https = \"/x\""),
            ("https = \"/\"", "http = \"/\""),
            ("host = \"www.example.com\"", "host = \"w.example.com\""),
            ("        host = \"www.example.com\"\n", ""),
            ("200-299", "200-298"),
            ("every = \"10s\"", "every = \"11s\""),
            ("every = \"10s\"", "every = \"10s\"\ntimeout = \"1s\""),
            ("every = \"10s\"", "every = \"10s\"\ndown_after = 4"),
            ("every = \"10s\"", "every = \"10s\"\nup_after = 4"),
            ("tcp = 443", "tcp = 444"),
            ("address = \"192.0.2.9\"", "address = \"192.0.2.10\""),
            ("address = \"192.0.2.9\"", "address = \"a.example.\""),
            ("        address = \"192.0.2.9\"\n", ""),
            ("\"2001:db8::1\"", "\"2001:db8::2\""),
            ("check = \"web\"", "check = \"port\""),
            ("a = 1, b = 2", "a = 2, b = 1"),
            ("[\"w\", \"b\"]", "[\"b\", \"w\"]"),
            ("[\"w\", \"b\"]", "[\"w\", \"b\"]\nevaluate_health = false"),
            ("\"failover\"", "\"round-robin\""),
            ("[\"w\", \"b\"]", "[\"w\", \"b\"]\nall_down = \"nodata\""),
            ("[\"w\", \"b\"]", "[\"w\", \"b\"]\nall_down = \"servfail\""),
            ("[\"w\", \"b\"]", "[\"w\", \"b\"]\nall_down = \"a\""),
            ("[\"w\", \"b\"]", "[\"w\", \"b\"]\nall_down = \"b\""),
            (
                "\"weighted\"\n        weights = { a = 1, b = 2 }",
                "\"multivalue\"\ntargets = [\"a\", \"b\"]",
            ),
            (
                "\"weighted\"\n        weights = { a = 1, b = 2 }",
                "\"failover\"\ntargets = [\"a\", \"b\"]",
            ),
            ("[\"192.0.2.2\"]", "[\"192.0.2.2\", \"192.0.2.3\"]"),
            ("[\"192.0.2.2\"]", "[\"192.0.2.2\", \"192.0.2.3\"]\nmin_up = 2"),
            ("[\"192.0.2.2\"]", "[\"192.0.2.2\", \"192.0.2.3\"]\nmin_up = \"2%\""),
            ("[\"192.0.2.2\"]", "[\"192.0.2.2\", \"192.0.2.3\"]\nmin_up = \"3%\""),
            ("a = 1, b = 2 }", "a = 1, b = 2 }\nsticky = true"),
            ("a = 1, b = 2 }", "a = 1, b = 2 }\nsticky = true\nseed = \"x\""),
            ("a = 1, b = 2 }", "a = 1, b = 2 }\nramp = \"1m\""),
            ("a = 1, b = 2 }", "a = 1, b = 2 }\nramp = \"2m\""),
            ("country.NA", "group.EU"),
            ("country.NA", "asn.1"),
            ("country.NA", "subdivision.US-CA"),
            ("country.NA", "cidr.\"192.0.2.0/24\""),
            ("country.NA", "widening = false\ncountry.NA"),
            ("policy = \"g\"", "together = true, policy = \"g\""),
            ("policy = \"g\"", "A = { policy = \"g\" }"),
            ("policy = \"g\"", "A = { policy = \"g\" }, AAAA = { policy = \"g\" }"),
            ("[\"192.0.2.2\"]", "[\"192.0.2.2\"]\nMX = \"0 .\""),
            ("country.NA", "continent.NA"),
            ("country.NA", "country.DE"),
            ("default = [\"f\"]", "default = [\"f\", \"a\"]"),
            ("        default = [\"f\"]\n", ""),
            ("https = \"/\"", "https = \"/\"\nmethod = \"HEAD\""),
            ("https = \"/\"", "https = \"/\"\nheaders = { a = \"1\" }"),
            ("https = \"/\"", "https = \"/\"\nheaders = { a = \"2\" }"),
            ("https = \"/\"", "https = \"/\"\nbody = \"ok\""),
            ("https = \"/\"", "https = \"/\"\nbody_regex = \"ok\""),
            ("https = \"/\"", "https = \"/\"\nhttp2 = true"),
            ("https = \"/\"", "https = \"/\"\nredirects = 2"),
            ("https = \"/\"", "https = \"/\"\ntls = { verify = true }"),
            ("https = \"/\"", "https = \"/\"\ntls = { verify = true, ca = \"/a\" }"),
            ("https = \"/\"", "https = \"/\"\ntls = { server_name = \"a.example\" }"),
            ("https = \"/\"", "https = \"/\"\ntls = { sni = false }"),
            ("https = \"/\"", "https = \"/\"\ntls = { warn_before = \"14d\" }"),
            ("every = \"10s\"", "every = \"10s\"\nretry = \"2s\""),
            ("every = \"10s\"", "every = \"10s\"\nconnect_timeout = \"2s\""),
            ("every = \"10s\"", "every = \"10s\"\nreply_timeout = \"2s\""),
            ("every = \"10s\"", "every = \"10s\"\ndamping = false"),
            ("every = \"10s\"", "every = \"10s\"\ndamping = { hold = \"31s\" }"),
            ("every = \"10s\"", "every = \"10s\"\nbreaker = true"),
            ("every = \"10s\"", "every = \"10s\"\nrecovery = \"manual\""),
            ("every = \"10s\"", "every = \"10s\"\nsource = \"192.0.2.7\""),
            ("every = \"10s\"", "every = \"10s\"\nsource = \"2001:db8::7\""),
            ("every = \"10s\"", "every = \"10s\"\nlatency = \"p50\""),
            ("every = \"10s\"", "every = \"10s\"\nlatency = \"p95\""),
            ("every = \"10s\"", "every = \"10s\"\ninverted = true"),
            ("every = \"10s\"", "every = \"10s\"\ndisabled = true"),
            ("tcp = 443", "tcp = 443\ntls = true"),
            ("tcp = 443", "tcp = 443\ntls = true\nhost = \"a.example\""),
            ("tcp = 443", "tcp = 443\nsend = \"a\""),
            ("tcp = 443", "tcp = 443\nexpect = \"a\""),
            ("tcp = 443", "icmp = true"),
            ("tcp = 443", "dns = \"a.example\""),
            ("tcp = 443", "dns = \"a.example\"\ntransport = \"tcp\""),
            ("tcp = 443", "dns = \"a.example\"\ntype = \"AAAA\""),
            ("tcp = 443", "dns = \"a.example\"\nexpect = \"192.0.2.1\""),
            ("tcp = 443", "grpc = \"\"\nport = 443"),
            ("tcp = 443", "grpc = \"a\"\nport = 443"),
            ("tcp = 443", "external = { stale_after = \"1m\" }"),
            ("tcp = 443", "external = { stale_after = \"2m\" }"),
            ("tcp = 443", "external = { stale_after = \"2m\", missing = \"up\" }"),
            ("tcp = 443", "calculated = { of = [\"web\"], all = true }"),
            ("tcp = 443", "calculated = { of = [\"web\"], more_than = 18 }"),
        ] {
            assert!(ZONE.contains(from), "{from}");
            let digest = compile(&ZONE.replacen(from, to, 1), 1).digest();
            assert!(!seen.contains(&digest), "{from} → {to}");
            seen.push(digest);
        }
    }
}
