//! Whole zone files: what a good one compiles to, what is warned of, the limits, and that nothing panics.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::geo::{Continent, CountryCode};
use crate::health::{HttpCheck, Protocol, StatusSet};
use crate::limits::{
    CNAME_CHAIN, ERRORS_PER_FILE, POLICY_DEPTH, POLICY_TARGETS, POOL_ENDPOINTS, TEST_QUESTIONS,
    ZONE_TESTS,
};
use crate::policy::{AllDown, CheckId, MinUp, Place, PolicyId, PoolId, Rule, Target, Weight};
use crate::wire::{RecordType, Ttl};
use crate::zone::presentation;

/// Uses everything the grammar has.
const COMPLETE: &str = include_str!("../../tests/complete.toml");

fn source(text: &str) -> Source {
    Source::new("zones/t.toml", text, 1_700_000_000)
}

fn name(text: &str) -> Name {
    Name::parse(text, &Name::parse("example.com.", &Name::root()).unwrap()).unwrap()
}

fn compile(text: &str) -> (CompiledZone, Vec<Diagnostic>) {
    let source = source(text);
    compile_zone(&source).unwrap_or_else(|rejected| {
        panic!("{}", render(&rejected.diagnostics, |_| Some(&source.text), false))
    })
}

/// A zone with the lines that every zone needs.
fn zone_with(sections: &str, names: &str) -> String {
    format!(
        "zone = \"example.com\"\n{sections}\n[names]\n\"@\" = {{ SOA = \"ns1 host\", NS = [\"ns1\", \"ns2\"] }}\n\
         ns1 = {{ A = \"192.0.2.53\" }}\nns2 = {{ A = \"192.0.2.54\" }}\n{names}\n"
    )
}

fn errors(text: &str) -> Vec<String> {
    let rejected = compile_zone(&source(text)).expect_err(text);
    let errors = rejected.diagnostics.into_iter().filter(Diagnostic::is_error);
    errors.map(|diagnostic| diagnostic.message).collect()
}

fn warnings(text: &str) -> Vec<String> {
    compile(text).1.into_iter().map(|diagnostic| diagnostic.message).collect()
}

fn rrset<'z>(zone: &'z CompiledZone, owner: &str, rtype: RecordType) -> &'z RRset {
    let found = zone.names[&name(owner)].rrsets.iter().find(|rrset| rrset.rtype == rtype);
    found.unwrap_or_else(|| panic!("{owner} {rtype}"))
}

fn ttl(seconds: u32) -> Ttl {
    Ttl::from_seconds(seconds).unwrap()
}

#[test]
fn a_complete_zone_has_its_checks() {
    let (zone, found) = compile(COMPLETE);
    assert_eq!(found, []);
    assert_eq!(zone.apex, name("@"));
    let [web, plain, database] = zone.checks.as_slice() else { panic!("{:?}", zone.checks) };
    assert_eq!((&*web.name, web.spec.port, &web.address), ("web", 8443, &None));
    assert_eq!(web.spec.every, Duration::from_secs(10));
    assert_eq!(web.spec.timeout, Duration::from_millis(2500));
    assert_eq!((web.spec.down_after.as_u8(), web.spec.up_after.as_u8()), (5, 2));
    let https = HttpCheck {
        tls: true,
        path: "/healthz".into(),
        host: Some("www.example.com".into()),
        expect: StatusSet::parse("200,204,301-302").unwrap(),
    };
    assert_eq!(web.spec.protocol, Protocol::Http(https));
    assert_eq!((plain.spec.port, plain.spec.every), (80, Duration::from_secs(30)));
    assert_eq!(plain.spec.timeout, Duration::from_secs(4));
    assert_eq!(plain.address, Some(ProbeAddress::Name("probe.example.net".into())));
    assert_eq!((database.spec.port, &database.spec.protocol), (5432, &Protocol::Tcp));
    assert_eq!(database.address, Some(ProbeAddress::Ip("198.51.100.9".parse().unwrap())));
    assert_eq!(database.spec.every, Duration::from_secs(2));
    assert_eq!(database.spec.timeout, Duration::from_secs(2), "never longer than `every`");
    assert_eq!(database.spec.up_after.as_u8(), 4, "as many as `down_after` (rule 59)");
}

#[test]
fn a_complete_zone_has_its_pools_and_policies() {
    let (zone, _) = compile(COMPLETE);
    let routing = &zone.routing;
    let pools: Vec<&str> = routing.pools.iter().map(|pool| &*pool.name).collect();
    assert_eq!(pools, ["us", "eu", "ap", "cdn", "cdn-backup"]);
    let us = &routing.pools[0];
    assert_eq!(us.check, Some(CheckId(0)));
    let types: Vec<RecordType> = us.endpoints.iter().map(|endpoint| endpoint.rtype).collect();
    assert_eq!(types, [RecordType::A, RecordType::AAAA]);
    assert_eq!(
        (&*us.endpoints[0].rdata, &*us.endpoints[0].label),
        (&[192, 0, 2, 10][..], "192.0.2.10")
    );
    let cdn = &routing.pools[3].endpoints[0];
    assert_eq!(
        (cdn.rtype, &*cdn.rdata),
        (RecordType::CNAME, &b"\x03cdn\x07example\x03net\x00"[..])
    );
    let backup = &routing.pools[4].endpoints[0];
    assert_eq!(&*backup.rdata, name("static").as_wire(), "relative to the zone");

    let pool = |id| Target::Pool(PoolId(id));
    let policy = |id| Target::Policy(PolicyId(id));
    let rules: Vec<&Rule> = routing.policies.iter().map(|policy| &policy.rule).collect();
    let weights = vec![(Weight(60), pool(0)), (Weight(0), pool(1)), (Weight(255), pool(2))];
    assert_eq!(rules[0], &Rule::Weighted(weights));
    assert!(!routing.policies[0].evaluate_health && routing.policies[1].evaluate_health);
    assert_eq!(rules[1], &Rule::Failover(vec![pool(2), policy(0)]));
    let places = [
        (Place::Country(CountryCode::parse("IS").unwrap()), vec![pool(0)]),
        (Place::Country(CountryCode::parse("NA").unwrap()), vec![pool(1)]),
        (Place::Continent(Continent::Europe), vec![pool(1), policy(0)]),
        (Place::Continent(Continent::NorthAmerica), vec![pool(0), policy(0)]),
        (Place::Default, vec![policy(1)]),
    ];
    assert_eq!(rules[2], &Rule::Geolocation(places.into()));
    assert_eq!(rules[3], &Rule::Failover(vec![pool(3), pool(4)]));
    assert_eq!(rules[4], &Rule::RoundRobin(vec![pool(0), policy(1)]));
    assert_eq!(rules[5], &Rule::Multivalue(vec![PoolId(1), PoolId(0)]));
    let all_down = routing.policies.iter().map(|policy| policy.all_down).skip(3);
    let pool_or_failure = [AllDown::IgnoreHealth, AllDown::Pool(PoolId(1)), AllDown::ServFail];
    assert_eq!(all_down.collect::<Vec<_>>(), pool_or_failure);
    let minimums = routing.pools.iter().map(|pool| pool.min_up).take(3);
    assert_eq!(minimums.collect::<Vec<_>>(), [MinUp::ONE, MinUp::ONE, MinUp::Share(50)]);
}

#[test]
fn a_complete_zone_has_its_names() {
    let (zone, _) = compile(COMPLETE);
    let route = |owner: &str| zone.names[&name(owner)].route.unwrap();
    assert_eq!(route("api").target, Target::Policy(PolicyId(2)));
    assert_eq!(route("api").ttl, ttl(30));
    assert_eq!(route("us").target, Target::Pool(PoolId(0)));
    assert_eq!(route("us").ttl, ttl(600), "the zone's");
    assert_eq!(route("*.shop").target, Target::Policy(PolicyId(0)));
    assert_eq!(route("assets").target, Target::Policy(PolicyId(3)));
    assert_eq!(rrset(&zone, "api", RecordType::TXT).ttl, ttl(30), "the name's");
    assert_eq!(rrset(&zone, "mail", RecordType::A).ttl, ttl(86_400), "its own");
    assert_eq!(rrset(&zone, "mail", RecordType::AAAA).ttl, ttl(3_600));
    assert_eq!(rrset(&zone, "@", RecordType::NS).rdata.len(), 2);
    let soa = presentation::parse_rdata(
        RecordType::SOA,
        "ns1 hostmaster 1700000000 7200 3600 1209600 60",
        &zone.apex,
    );
    assert_eq!(rrset(&zone, "@", RecordType::SOA).rdata, [soa.unwrap()]);
    assert_eq!(*rrset(&zone, "@", RecordType::TXT).rdata[0], *b"\x0bv=spf1 -all");
    assert_eq!(*rrset(&zone, "@", RecordType::TXT).rdata[1], *b"\x03a b\x01c");
    assert_eq!(*rrset(&zone, "x", RecordType(65280)).rdata[0], [0xab, 0xcd]);
    assert_eq!(rrset(&zone, "absolute", RecordType::PTR).rdata.len(), 1);
    let types = ["@", "x"].map(|owner| zone.names[&name(owner)].rrsets.len());
    assert_eq!(types, [6, 13]);
}

#[test]
fn a_minimal_zone_has_defaults() {
    let (zone, found) = compile(&zone_with("", ""));
    assert_eq!((zone.names.len(), found.len()), (3, 0));
    assert_eq!(rrset(&zone, "ns1", RecordType::A).ttl, ttl(300));
}

#[test]
fn warnings_do_not_reject() {
    let sections = "[check.c]\ntcp = 1\n[pool.p]\naddresses = \"192.0.2.1\"\n\
                    [policy.q]\ntype = \"geolocation\"\ncontinent.EU = \"p\"\n";
    assert_eq!(
        warnings(&zone_with(sections, "")),
        [
            "the check `c` is not used",
            "the policy `q` has no default",
            "the policy `q` is not used"
        ]
    );
    for (names, warning) in [
        (
            "\"www.example.com\" = { A = \"192.0.2.1\" }",
            "`www.example.com` is relative and so means www.example.com.example.com.",
        ),
        (
            "m = { MX = \"10 aspmx.l.google.com\" }",
            "aspmx.l.google.com.example.com. does not exist in this zone",
        ),
        ("m = { MX = \"10 t\" }\nt = { TXT = \"\" }", "t.example.com. has no address"),
        (
            "m = { MX = \"10 c\" }\nc = { CNAME = \"ns1\" }",
            "c.example.com. is a CNAME, which MX must not name",
        ),
    ] {
        assert_eq!(warnings(&zone_with("", names)), [warning], "{names}");
    }
    for fine in
        ["w = { CNAME = \"a.w2\" }\n\"*.w2\" = { A = \"192.0.2.1\" }", "m = { MX = \"0 .\" }"]
    {
        assert_eq!(warnings(&zone_with("", fine)), [""; 0], "{fine}");
    }
}

/// Names, and the warnings that they give.
fn assert_warnings(cases: &[(&str, &[&str])]) {
    for (names, expected) in cases {
        assert_eq!(warnings(&zone_with("", names)), *expected, "{names}");
    }
}

#[test]
fn what_is_below_a_delegation_or_a_dname_is_hidden() {
    let cut = "d = { NS = [\"ns.d\", \"ns1\"] }\n\"ns.d\" = { A = \"192.0.2.1\" }\n";
    assert_warnings(&[
        (cut, &[]),
        (
            &format!("{cut}\"x.d\" = {{ TXT = \"x\" }}"),
            &["nobody can see the data of x.d.example.com."],
        ),
        (
            &format!("{cut}\"c.d\" = {{ NS = [\"ns1\", \"ns2\"] }}"),
            &["nobody can see the data of c.d.example.com."],
        ),
        (
            "d = { NS = [\"ns1\", \"ns2\"], MX = \"1 ns1\", DS = \"1 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\", A = \"192.0.2.1\" }",
            &["nobody can see the MX records of d.example.com."],
        ),
        ("d = { DNAME = \"example.net.\", A = \"192.0.2.1\", TXT = \"x\" }", &[]),
        (
            "d = { DNAME = \"example.net.\" }\n\"a.b.d\" = { A = \"192.0.2.1\" }\ndd = { A = \"192.0.2.1\" }",
            &["nobody can see the data of a.b.d.example.com."],
        ),
        // What is looked for below a delegation is not ours to miss.
        ("d = { NS = [\"ns1\", \"ns2\"] }\nm = { MX = \"1 mail.d\" }", &[]),
    ]);
}

#[test]
fn a_delegation_has_glue() {
    assert_warnings(&[
        (
            "d = { NS = [\"ns1.d\", \"ns2.d\"] }",
            &["the delegation of d.example.com. can't be followed"],
        ),
        (
            "d = { NS = [\"ns1.d\", \"ns2.d\"] }\n\"ns2.d\" = { AAAA = \"2001:db8::1\" }",
            &["ns1.d.example.com. has no address here, so that nobody can ask it"],
        ),
        (
            "d = { NS = [\"d\", \"ns.example.net.\"] }",
            &["d.example.com. has no address here, so that nobody can ask it"],
        ),
        ("d = { NS = [\"d\", \"ns.example.net.\"], A = \"192.0.2.1\" }", &[]),
        ("d = { NS = [\"ns.example.net.\", \"ns.example.org.\"] }", &[]),
        ("d = { NS = [\"ns1.c\", \"ns2.c\"] }\nc = { NS = [\"ns1\", \"ns2\"] }", &[]),
        (
            "\"*.d\" = { A = \"192.0.2.1\" }\nd = { NS = [\"ns1.d\", \"ns1\"] }",
            &["ns1.d.example.com. has no address here, so that nobody can ask it"],
        ),
    ]);
    let routed = "d = { NS = [\"ns1.d\", \"ns2.d\"] }\n\"ns1.d\" = { pool = \"p\" }";
    let found = warnings(&zone_with("[pool.p]\naddresses = \"192.0.2.1\"\n", routed));
    assert_eq!(
        found,
        [
            "the delegation of d.example.com. can't be followed",
            "nobody can see the data of ns1.d.example.com."
        ],
        "a route is no glue"
    );
    let apex = zone_with("[pool.p]\naddresses = \"192.0.2.1\"\n", "")
        .replace("ns2 = { A = \"192.0.2.54\" }", "ns2 = { pool = \"p\" }");
    assert_eq!(warnings(&apex), [""; 0], "a name server of the zone itself may be routed");
}

#[test]
fn ds_and_dname_have_their_places() {
    let ds = "DS = \"1 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"";
    assert_warnings(&[
        (&format!("d = {{ {ds} }}"), &["d.example.com. has a DS record and no NS"]),
        (&format!("d = {{ {ds}, NS = [\"ns1\", \"ns2\"] }}"), &[]),
        (
            "\"*.d\" = { DNAME = \"example.net.\" }",
            &["*.d.example.com. is a wildcard with a DNAME"],
        ),
        ("d = { DNAME = \"x.d\" }", &["the DNAME of d.example.com. leads to x.d.example.com."]),
        (
            "d = { DNAME = \"example.net.\" }\nm = { MX = \"1 a.d\" }\nc = { CNAME = \"a.d\" }",
            &["a.d.example.com. is below a DNAME, which MX must not name"],
        ),
    ]);
    let apex = zone_with("", "").replace("NS = [", &format!("{ds}, NS = ["));
    assert_eq!(warnings(&apex), ["the apex example.com. has a DS record"]);
    let apex = zone_with("", "").replace("NS = [", "DNAME = \"example.net.\", NS = [");
    let found = warnings(&apex);
    assert_eq!(
        found.iter().filter(|text| text.starts_with("nobody can see")).count(),
        2,
        "what is below a DNAME at the apex: {found:?}"
    );
}

#[test]
fn circles_of_cnames_are_found_once() {
    assert_warnings(&[
        (
            "in = { CNAME = \"b\" }\na = { CNAME = \"b\" }\nb = { CNAME = \"c\" }\nc = { CNAME = \"a\" }",
            &["a.example.com. is a CNAME that leads back to itself"],
        ),
        (
            "a = { CNAME = \"b\" }\nb = { CNAME = \"a\" }\nc = { CNAME = \"d\" }\nd = { CNAME = \"c\" }",
            &[
                "a.example.com. is a CNAME that leads back to itself",
                "c.example.com. is a CNAME that leads back to itself",
            ],
        ),
        // The classic: a wildcard that leads to a name which only the wildcard answers.
        (
            "\"*.w\" = { CNAME = \"www.w\" }",
            &["*.w.example.com. is a CNAME that leads back to itself"],
        ),
        ("\"*.w\" = { CNAME = \"www.w\" }\n\"www.w\" = { A = \"192.0.2.1\" }", &[]),
        // An empty non-terminal stands between the wildcard and the name.
        (
            "\"*.w\" = { CNAME = \"a.b.w\" }\n\"c.b.w\" = { A = \"192.0.2.1\" }",
            &["a.b.w.example.com. does not exist in this zone"],
        ),
        ("a = { CNAME = \"b\" }\nb = { CNAME = \"c\" }\nc = { CNAME = \"example.net.\" }", &[]),
        // Both ways join before the delegation, and end there.
        (
            "a = { CNAME = \"x.d\" }\nd = { NS = [\"ns1\", \"ns2\"] }\n\"x.d\" = { A = \"192.0.2.1\" }",
            &[],
        ),
    ]);
    let (_, found) = compile(&zone_with("", "a = { CNAME = \"b\" }\nb = { CNAME = \"a\" }"));
    assert_eq!(found[0].help, ["the circle is a.example.com. → b.example.com. → a.example.com."]);
}

#[test]
fn chains_of_cnames_are_as_long_as_an_answer() {
    let chain = |length: usize| {
        let links = (0..length).map(|n| format!("c{n} = {{ CNAME = \"c{}\" }}\n", n + 1));
        let end = format!("c{length} = {{ A = \"192.0.2.1\" }}\nside = {{ CNAME = \"c1\" }}");
        zone_with("", &(links.collect::<String>() + &end))
    };
    assert_eq!(warnings(&chain(CNAME_CHAIN - 1)), [""; 0]);
    let expected = ["c0", "side"]
        .map(|start| format!("a chain of {CNAME_CHAIN} CNAMEs begins at {start}.example.com."));
    assert_eq!(warnings(&chain(CNAME_CHAIN)), expected, "at its beginnings only");
    assert_eq!(warnings(&chain(5_000)).len(), 2);
}

#[test]
fn habits_that_hurt_are_mentioned() {
    assert_warnings(&[
        ("d = { NS = \"ns1\" }", &["d.example.com. has only one name server"]),
        (
            "d = { NS = { ttl = \"0s\", data = [\"ns1\", \"ns2\"] } }",
            &["NS of d.example.com. has a TTL of 0"],
        ),
        ("d = { ttl = \"0s\", A = \"192.0.2.1\" }", &[]),
        (
            "d = { TXT = [\"v=spf1 -all\", \"x\", \"V=SPF1\"] }",
            &["d.example.com. has two SPF records"],
        ),
        ("d = { TXT = [\"v=spf1 -all\", \"v=spf10\", \"\"] }", &[]),
        (
            "d = { MX = [\"10 ns1\", \"0 .\"] }",
            &["d.example.com. says that it takes no mail, and names a host for it"],
        ),
    ]);
    let with_soa = |soa: &str| warnings(&zone_with("", "").replace("\"ns1 host\"", soa));
    for (soa, expected) in [
        ("\"ns1 host 1 7200 3600 1209600 86400\"", &[][..]),
        ("\"ns1 host 1 3600 3600 3600 60\"", &[]),
        (
            "\"ns1 host 1 3600 7200 1209600 60\"",
            &["the SOA's retry, 2h, is longer than its refresh, 1h"],
        ),
        (
            "\"ns1 host 1 7200 3600 3600 60\"",
            &["the SOA's expire, 1h, is shorter than its refresh, 2h"],
        ),
        ("\"ns1 host 1 7200 3600 1209600 86401\"", &["the SOA's minimum is 1d1s"]),
        ("{ ttl = \"0s\", data = \"ns1 host\" }", &["SOA of example.com. has a TTL of 0"]),
    ] {
        assert_eq!(with_soa(soa), expected, "{soa}");
    }
    let alone = zone_with("", "").replace("[\"ns1\", \"ns2\"]", "\"ns1\"");
    assert_eq!(warnings(&alone), ["example.com. has only one name server"]);
}

#[test]
fn rule_17_a_weight_is_an_integer_up_to_255() {
    let zone = |weight: &str| {
        let pool = "[pool.p]\naddresses = [\"192.0.2.1\"]\n";
        let policy = format!("[policy.w]\ntype = \"weighted\"\nweights.p = {weight}\n");
        zone_with(&format!("{pool}{policy}"), "a = { policy = \"w\" }")
    };
    for weight in ["0", "255", "0xff"] {
        compile(&zone(weight));
    }
    for weight in ["256", "-1", "1.0", "\"1\"", "true", "99999999999999999999"] {
        assert_eq!(errors(&zone(weight)), ["the weight of `p` must be an integer from 0 to 255"]);
    }
}

#[test]
fn routes_and_records_that_contradict_are_refused() {
    let sections = "[pool.a]\naddresses = [\"192.0.2.1\"]\n[pool.c]\ncname = \"x.net.\"\n[pool.self]\ncname = \"n\"\n";
    for (names, error) in [
        ("n = { pool = \"a\", AAAA = \"::1\" }", "n.example.com. has AAAA records beside a route"),
        ("n = { pool = \"a\", CNAME = \"x\" }", "n.example.com. has a CNAME beside other data"),
        (
            "n = { pool = \"c\", TXT = \"x\" }",
            "n.example.com. would have a CNAME beside other data",
        ),
        ("n = { pool = \"self\" }", "n.example.com. would be a CNAME of itself"),
        (
            "n = { pool = \"a\", NS = \"ns1\" }",
            "n.example.com. is delegated and cannot be routed as well",
        ),
        ("n = { pool = \"a\", policy = \"a\" }", "a name has either a policy or a pool"),
        ("n = { DNAME = [\"x.\", \"y.\"] }", "n.example.com. has more than one DNAME record"),
        ("n = { SOA = \"a b\" }", "the SOA belongs to the apex, example.com."),
    ] {
        assert_eq!(errors(&zone_with(sections, names))[0], error, "{names}");
    }
    compile(&zone_with(sections, "n = { pool = \"a\", TXT = \"x\", MX = \"0 .\" }"));
    let apex = zone_with(sections, "").replace("NS = [", "pool = \"c\", NS = [");
    assert_eq!(errors(&apex), ["the apex cannot be a CNAME, and this route makes one"]);
}

/// Policies in a chain, each naming the next and a pool.
fn chain(length: usize) -> String {
    let mut text = "[pool.p]\naddresses = [\"192.0.2.1\"]\n".to_owned();
    for level in 0..length {
        let next = if level + 1 == length { "p".to_owned() } else { format!("l{}", level + 1) };
        text.push_str(&format!("[policy.l{level}]\ntype = \"failover\"\ntargets = [\"{next}\"]\n"));
    }
    zone_with(&text, "n = { policy = \"l0\" }")
}

#[test]
fn policies_nest_to_the_limit() {
    compile(&chain(POLICY_DEPTH));
    let found = errors(&chain(POLICY_DEPTH + 3));
    assert_eq!(found, [format!("below the policy `l2` policies nest {} deep", POLICY_DEPTH + 1)]);
    assert_eq!(errors(&chain(20_000)).len(), 2, "too deep, too many; and no overflow of the stack");
}

/// Levels of four policies, each naming all four of the level below: a selection may visit 4, 20, 84 and so on.
fn lattice(levels: usize) -> String {
    let twins = |level: usize| ["a", "b", "c", "d"].map(|twin| format!("{twin}{level}"));
    let mut text = "[pool.p]\naddresses = [\"192.0.2.1\"]\n".to_owned();
    for level in 0..levels {
        let below = if level == 0 { "p".to_owned() } else { twins(level - 1).join("\", \"") };
        for twin in twins(level) {
            text.push_str(&format!(
                "[policy.{twin}]\ntype = \"failover\"\ntargets = [\"{below}\"]\n"
            ));
        }
    }
    let routes = twins(levels - 1).map(|twin| format!("{twin} = {{ policy = \"{twin}\" }}\n"));
    zone_with(&text, &routes.concat())
}

#[test]
fn shared_branches_count_each_time() {
    compile(&lattice(6));
    let over = ["a6", "b6", "c6", "d6"]
        .map(|twin| format!("the policy `{twin}` may look at 9556 targets for one query"));
    assert_eq!(errors(&lattice(9)), over, "only the lowest ones, not all above");
}

#[test]
fn pools_and_policies_are_bounded() {
    let addresses = |count: usize| {
        let list: Vec<String> =
            (0..count).map(|n| format!("\"192.0.{}.{}\"", n / 250, n % 250 + 1)).collect();
        zone_with(&format!("[pool.p]\naddresses = [{}]\n", list.join(", ")), "n = { pool = \"p\" }")
    };
    compile(&addresses(POOL_ENDPOINTS));
    assert_eq!(errors(&addresses(POOL_ENDPOINTS + 1)), ["a pool may have 400 addresses, not 401"]);
    let targets = |count: usize| {
        let pools =
            (0..count).map(|n| format!("[pool.p{n}]\naddresses = [\"192.0.2.{}\"]\n", n + 1));
        let weights: Vec<String> = (0..count).map(|n| format!("p{n} = 1")).collect();
        let policy =
            format!("[policy.w]\ntype = \"weighted\"\nweights = {{ {} }}\n", weights.join(", "));
        zone_with(&format!("{}{policy}", pools.collect::<String>()), "n = { policy = \"w\" }")
    };
    compile(&targets(POLICY_TARGETS));
    assert_eq!(
        errors(&targets(POLICY_TARGETS + 1)),
        ["the policy `w` gives one client 101 targets, 100 is the most"]
    );
}

#[test]
fn an_rrset_fits_into_an_answer() {
    let texts: Vec<String> = (0..300).map(|n| format!("\"{n} {}\"", "x".repeat(240))).collect();
    let found = errors(&zone_with("", &format!("t = {{ TXT = [{}] }}", texts.join(", "))));
    assert!(found[0].contains("octets together"), "{found:?}");
}

#[test]
fn all_errors_of_a_file_are_found_up_to_the_limit() {
    let names: String =
        (0..ERRORS_PER_FILE * 2).map(|n| format!("n{n} = {{ A = \"x\" }}\n")).collect();
    let found = errors(&zone_with("", &names));
    assert_eq!(found.len(), ERRORS_PER_FILE + 1);
    assert_eq!(found.last().unwrap(), "there are 50 more errors in this file");
}

#[test]
fn the_later_of_two_files_is_rejected_even_if_the_first_is_broken() {
    let file = |path: &str, text: &str| Source::new(path, text, 0);
    let good = zone_with("", "");
    let sources = [file("a.toml", "zone = \"EXAMPLE.com\"\n]"), file("b.toml", &good)];
    let compiled = compile_zones(&sources);
    let rejected: Vec<&Rejected> =
        compiled.iter().map(|result| result.as_ref().unwrap_err()).collect();
    assert!(rejected.iter().all(|rejected| rejected.apex == Some(name("@"))));
    assert_eq!(
        rejected[1].diagnostics[0].message,
        "the zone example.com. of b.toml is also defined in a.toml"
    );
    assert_eq!(rejected[1].diagnostics[0].line(), Some(1));
}

#[test]
fn the_root_and_odd_names_are_zones_too() {
    let text = "zone = \".\"\n[names]\n\"@\" = { SOA = \"a. b.\", NS = \"a.\" }\na = { A = \"192.0.2.1\" }\n";
    assert!(compile(text).0.apex.is_root());
    let odd = "\"a\\\\.b\" = { A = \"192.0.2.1\" }\n\"x.*.y\" = { A = \"192.0.2.2\" }\n\"_sip._tcp\" = { SRV = \"0 0 1 ns1\" }";
    let (zone, found) = compile(&zone_with("", odd));
    assert_eq!((zone.names.len(), found.len()), (6, 0));
    assert!(errors("zone = \"@\"")[0].contains("must be a name"));
}

#[test]
fn a_large_zone_takes_little_time() {
    let names: String =
        (0..20_000).map(|n| format!("n{n} = {{ A = \"192.0.2.1\", TXT = \"x\" }}\n")).collect();
    let text = zone_with("", &names);
    let start = std::time::Instant::now();
    assert_eq!(compile(&text).0.names.len(), 20_003);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

/// A change that a slip of the fingers or of an editor makes.
#[derive(Clone, Debug)]
enum Slip {
    Delete(prop::sample::Index),
    Insert(prop::sample::Index, char),
    Replace(prop::sample::Index, char),
    DeleteLine(prop::sample::Index),
    RepeatLine(prop::sample::Index),
    SwapLines(prop::sample::Index, prop::sample::Index),
    Truncate(prop::sample::Index),
}

fn slip() -> impl Strategy<Value = Slip> {
    let index = any::<prop::sample::Index>;
    let typed = || {
        let likely = prop::sample::select(
            "\"'[]{}=.,#\\\n@*-_0aZ9 é\u{1b}\u{202e}".chars().collect::<Vec<_>>(),
        );
        prop_oneof![4 => likely, 1 => any::<char>()]
    };
    prop_oneof![
        index().prop_map(Slip::Delete),
        (index(), typed()).prop_map(|(at, c)| Slip::Insert(at, c)),
        (index(), typed()).prop_map(|(at, c)| Slip::Replace(at, c)),
        index().prop_map(Slip::DeleteLine),
        index().prop_map(Slip::RepeatLine),
        (index(), index()).prop_map(|(one, other)| Slip::SwapLines(one, other)),
        index().prop_map(Slip::Truncate),
    ]
}

fn apply(slip: &Slip, text: &str) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    let mut lines: Vec<&str> = text.lines().collect();
    if characters.is_empty() || lines.is_empty() {
        return text.to_owned();
    }
    let (last, last_line) = (characters.len(), lines.len());
    match slip {
        Slip::Delete(at) => {
            characters.remove(at.index(last));
        }
        Slip::Insert(at, c) => characters.insert(at.index(last), *c),
        Slip::Replace(at, c) => characters[at.index(last)] = *c,
        Slip::Truncate(at) => characters.truncate(at.index(last)),
        Slip::DeleteLine(at) => {
            lines.remove(at.index(last_line));
            return lines.join("\n");
        }
        Slip::RepeatLine(at) => {
            lines.insert(at.index(last_line), lines[at.index(last_line)]);
            return lines.join("\n");
        }
        Slip::SwapLines(one, other) => {
            lines.swap(one.index(last_line), other.index(last_line));
            return lines.join("\n");
        }
    }
    characters.into_iter().collect()
}

/// Never a panic; a zone, or at least one error; and every message can be printed.
fn assert_judged(text: &str) {
    let source = source(text);
    let found = match compile_zone(&source) {
        Ok((zone, warnings)) => {
            assert!(warnings.iter().all(|warning| !warning.is_error()));
            assert!(zone.names.contains_key(&zone.apex));
            warnings
        }
        Err(rejected) => {
            assert!(rejected.diagnostics.iter().any(Diagnostic::is_error));
            rejected.diagnostics
        }
    };
    for styled in [false, true] {
        let text = render(&found, |_| Some(&source.text), styled);
        assert!(styled || text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    }
    let _ = read_settings(&source);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(53),
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_slip_panics(slips in prop::collection::vec(slip(), 1..4)) {
        let text = slips.iter().fold(COMPLETE.to_owned(), |text, slip| apply(slip, &text));
        assert_judged(&text);
    }

    #[test]
    fn no_text_panics(text in any::<String>()) {
        assert_judged(&text);
        assert_judged(&format!("zone = \"a\"\n[names]\n\"@\" = {text}"));
    }
}

/// Two routed names, for tests of tests.
fn tested(test: &str) -> String {
    let pools = "[check.web]\nhttps = \"/\"\n[pool.us]\naddresses = \"192.0.2.1\"\ncheck = \"web\"\n\
                 [pool.eu]\naddresses = \"192.0.2.2\"\n[policy.world]\ntype = \"weighted\"\n\
                 weights = { us = 1, eu = 1 }";
    let names = "api = { policy = \"world\" }\nwww = { policy = \"world\" }";
    format!("{}[[test]]\n{test}\n", zone_with(pools, names))
}

#[test]
fn tests_compile_with_their_defaults_and_places() {
    let text = tested("name = \"api\"\nexpect = \"us\"");
    let test = compile(&text).0.tests.remove(0);
    assert_eq!((&*test.names, test.qtype), (&[name("api")][..], RecordType::A));
    assert_eq!(test.clients, []);
    assert_eq!(test.resolver.to_string(), "127.0.0.1");
    assert_eq!(&text[test.span.clone()], "[[test]]");
    assert_eq!(test.statements.len(), 1);
    assert_eq!(test.statements[0].expectation, Expectation::Pools(vec![PoolId(0)]));
    assert_eq!(&text[test.statements[0].span.clone()], "\"us\"");
}

#[test]
fn tests_compile_with_everything_they_can_say() {
    let text = tested(
        "name = [\"api\", \"www\"]\ntype = \"AAAA\"\nclient = [\"192.0.2.1\", \"2001:db8::/56\"]\n\
         resolver = \"::1\"\ndown = [\"us\", \"192.0.2.1\"]\nexpect = [\"us\", \"eu\"]\n\
         share = { us = \"60%\", eu = \"40%\" }\nscope = 0\n\
         answer = { CNAME = \"x\", AAAA = [\"2001:db8::1\", \"2001:db8::2\"] }\nrcode = \"NOERROR\"\nttl = \"1m\"",
    );
    let test = compile(&text).0.tests.remove(0);
    assert_eq!(test.names, [name("api"), name("www")]);
    let clients: Vec<String> = test.clients.iter().map(|(a, l)| format!("{a}/{l}")).collect();
    assert_eq!(clients, ["192.0.2.1/24", "2001:db8::/56"]);
    assert_eq!(test.down, ["us".into(), "192.0.2.1".into()]);
    let statements: Vec<_> = test.statements.into_iter().map(|s| s.expectation).collect();
    let shares = vec![(PoolId(0), Share(6_000)), (PoolId(1), Share(4_000))];
    assert_eq!(
        statements[..3],
        [
            Expectation::Pools(vec![PoolId(0), PoolId(1)]),
            Expectation::Shares(shares),
            Expectation::Scope(0),
        ]
    );
    let Expectation::Answer(records) = &statements[3] else { panic!("{statements:?}") };
    let types: Vec<RecordType> = records.iter().map(|record| record.rtype).collect();
    assert_eq!(types, [RecordType::CNAME, RecordType::AAAA, RecordType::AAAA]);
    assert_eq!(statements[5], Expectation::Ttl(ttl(60)));
}

#[test]
fn tests_that_no_answer_can_pass_are_errors() {
    for (test, message) in [
        ("name = \"api\"", "the test says nothing of the answer"),
        ("name = \"ns1\"\nexpect = \"us\"", "ns1.example.com. never leads to the pool `us`"),
        ("name = \"api\"\nscope = 0", "`scope` needs a `client`"),
        (
            "name = \"api\"\nshare = { us = \"50%\", eu = \"40%\" }",
            "the shares make 90% together, not 100%",
        ),
        (
            "name = \"api\"\nexpect = \"us\"\nrcode = \"NXDOMAIN\"",
            "a pool of addresses never gives this code",
        ),
        ("name = \"api\"\ndown = \"eu\"\nexpect = \"us\"", "`eu` cannot be down"),
        (
            "name = \"api\"\ntype = \"ANY\"\nanswer = \"x\"",
            "an answer to ANY is written with its types",
        ),
    ] {
        assert_eq!(errors(&tested(test)), [message]);
    }
}

#[test]
fn tests_and_their_questions_are_bounded() {
    let clients: Vec<String> = (0..=TEST_QUESTIONS).map(|i| format!("\"10.{i}.0.1\"")).collect();
    let clients = clients.iter().map(|c| c.replace("10.256.", "11.0.")).collect::<Vec<_>>();
    let test = |clients: &[String]| {
        tested(&format!("name = \"api\"\nscope = 0\nclient = [{}]", clients.join(", ")))
    };
    assert_eq!(compile(&test(&clients[1..])).0.tests.len(), 1);
    assert_eq!(errors(&test(&clients)), ["the test asks 257 questions, 256 is the most"]);
    let one = "name = \"api\"\nexpect = [\"us\", \"eu\"]";
    let many = |count: usize| tested(&vec![one; count].join("\n[[test]]\n"));
    assert_eq!(compile(&many(ZONE_TESTS)).0.tests.len(), ZONE_TESTS);
    assert_eq!(
        errors(&many(ZONE_TESTS + 1)),
        [format!("a zone may have {ZONE_TESTS} tests, not {}", ZONE_TESTS + 1)]
    );
}
