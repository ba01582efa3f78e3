//! Names that answer as others do (Route 53 rules 48 to 50).

use super::*;
use crate::limits::ALIAS_CHAIN;

const POOLS: &str = "[pool.us]\naddresses = \"192.0.2.1\"\n[pool.eu]\naddresses = \"192.0.2.2\"\n\
                     [pool.cdn]\ncname = \"cdn.example.net.\"\n[policy.world]\ntype = \"weighted\"\n\
                     weights = { us = 1, eu = 1 }\nsticky = true\n";

fn zone(names: &str) -> CompiledZone {
    compile(&zone_with(POOLS, names)).0
}

fn answers<'z>(zone: &'z CompiledZone, owner: &str) -> &'z CompiledName {
    &zone.names[&name(owner)]
}

#[test]
fn rule_48_an_alias_has_what_its_target_has() {
    let zone = zone(
        "api = { policy = \"world\", ttl = \"30s\", TXT = \"x\" }\nwww = { alias = \"api\" }\n\
         far = { alias = \"WWW.example.com.\", MX = \"10 ns1\" }",
    );
    assert_eq!(answers(&zone, "www"), answers(&zone, "api"));
    let far = answers(&zone, "far");
    assert_eq!(far.routes, answers(&zone, "api").routes, "with the key of its sticky choices");
    let types: Vec<RecordType> = far.rrsets.iter().map(|set| set.rtype).collect();
    assert_eq!(types, [RecordType::MX, RecordType::TXT], "beside its own");
}

#[test]
fn rule_49_an_alias_of_one_type_gives_that_type_alone() {
    let zone = zone(
        "api = { policy = \"world\", ttl = \"30s\", TXT = \"x\", together = true }\n\
         www = { AAAA = { alias = \"api\" }, A = \"192.0.2.9\", TXT = { alias = \"api\" } }\n\
         via = { A = { alias = \"www\" }, AAAA = { alias = \"www\" } }\n\
         whole = { alias = \"via\" }",
    );
    let www = answers(&zone, "www");
    assert_eq!(*www.routes[0].types, [RecordType::AAAA]);
    assert!(!www.routes[0].together, "one type alone");
    assert_eq!(rrset(&zone, "www", RecordType::TXT), rrset(&zone, "api", RecordType::TXT));
    assert_eq!(answers(&zone, "via").routes, www.routes);
    assert_eq!(rrset(&zone, "via", RecordType::A), rrset(&zone, "www", RecordType::A));
    assert_eq!(answers(&zone, "whole"), answers(&zone, "via"));
}

#[test]
fn rule_50_an_alias_has_the_ttl_of_its_target() {
    let zone = zone(
        "api = { ttl = \"30s\", pool = \"us\", TXT = \"x\" }\n\
         www = { ttl = \"1h\", alias = \"api\", MX = \"10 ns1\" }",
    );
    assert_eq!(answers(&zone, "www").routes[0].ttl, ttl(30));
    assert_eq!(rrset(&zone, "www", RecordType::TXT).ttl, ttl(30));
    assert_eq!(rrset(&zone, "www", RecordType::MX).ttl, ttl(3_600), "its own");
}

#[test]
fn rule_49_what_belongs_to_the_zone_is_not_given() {
    let text =
        zone_with(POOLS, "www = { alias = \"@\" }").replace("NS = [", "pool = \"us\", NS = [");
    let (zone, found) = compile(&text);
    assert_eq!(found.len(), 2, "the pool and the policy that nothing uses: {found:?}");
    let www = answers(&zone, "www");
    assert_eq!((www.rrsets.len(), www.routes.len()), (0, 1), "no SOA, no NS");
    let bare = zone_with("", "www = { alias = \"@\" }");
    assert_eq!(errors(&bare), ["example.com. has nothing that an alias could give"]);
}

#[test]
fn an_alias_of_a_cname_is_one() {
    let zone = zone(
        "cdn = { pool = \"cdn\" }\nb = { alias = \"cdn\" }\nc = { CNAME = \"b\" }\nd = { alias = \"c\" }",
    );
    assert_eq!(answers(&zone, "b"), answers(&zone, "cdn"));
    assert_eq!(answers(&zone, "d"), answers(&zone, "c"));
    for (names, error) in [
        (
            "c = { CNAME = \"d\" }\nd = { alias = \"c\" }",
            "d.example.com. would be a CNAME of itself",
        ),
        (
            "c = { CNAME = \"ns1\" }\nd = { alias = \"c\", A = { alias = \"ns1\" } }",
            "d.example.com. would have a CNAME beside other data",
        ),
    ] {
        assert_eq!(errors(&zone_with("", names)), [error], "{names}");
    }
}

#[test]
fn rule_57_wildcards_may_be_aliases_and_targets() {
    let zone = zone(
        "api = { pool = \"us\" }\n\"*.a\" = { alias = \"api\" }\n\"*.b\" = { A = \"192.0.2.3\" }\nb1 = { alias = \"*.b\" }",
    );
    assert_eq!(answers(&zone, "*.a"), answers(&zone, "api"));
    assert_eq!(answers(&zone, "b1"), answers(&zone, "*.b"));
}

#[test]
fn circles_of_aliases_are_told_once() {
    for (names, expected) in [
        ("a = { alias = \"b\" }\nb = { alias = \"a\" }\nc = { alias = \"a\" }", 1),
        ("a = { alias = \"b\" }\nb = { A = { alias = \"a\" } }", 1),
        ("a = { A = { alias = \"b\" } }\nb = { A = { alias = \"a\" } }", 1),
        (
            "a = { alias = \"b\" }\nb = { alias = \"a\" }\nc = { alias = \"d\" }\nd = { alias = \"c\" }",
            2,
        ),
    ] {
        let found = errors(&zone_with("", names));
        assert_eq!(found.len(), expected, "{names}: {found:?}");
        assert!(found[0].ends_with("is an alias that leads back to itself"), "{found:?}");
    }
    // By type there is no circle.
    let (zone, _) = compile(&zone_with(
        "",
        "a = { A = { alias = \"b\" }, AAAA = \"::1\" }\nb = { A = \"192.0.2.1\", AAAA = { alias = \"a\" } }",
    ));
    assert_eq!(rrset(&zone, "a", RecordType::A), rrset(&zone, "b", RecordType::A));
    assert_eq!(rrset(&zone, "b", RecordType::AAAA), rrset(&zone, "a", RecordType::AAAA));
}

#[test]
fn chains_of_aliases_are_bounded() {
    let chain = |length: usize| {
        let links = (0..length).map(|n| format!("c{n} = {{ alias = \"c{}\" }}\n", n + 1));
        zone_with(
            "",
            &(links.collect::<String>() + &format!("c{length} = {{ A = \"192.0.2.1\" }}")),
        )
    };
    compile(&chain(ALIAS_CHAIN));
    assert_eq!(errors(&chain(ALIAS_CHAIN + 1)), ["c0.example.com. leads through too many aliases"]);
}

#[test]
fn the_apex_may_be_an_alias_of_addresses() {
    let text = zone_with(POOLS, "api = { policy = \"world\" }\nb = { CNAME = \"api\" }");
    let apex = |alias: &str| text.replace("NS = [", &format!("alias = \"{alias}\", NS = ["));
    let (zone, _) = compile(&apex("api"));
    assert_eq!(answers(&zone, "@").routes, answers(&zone, "api").routes);
    assert_eq!(errors(&apex("b")), ["the apex cannot be a CNAME, and this alias makes it one"]);
}

#[test]
fn tests_of_a_zone_know_what_an_alias_leads_to() {
    let test = |pool: &str, rtype: &str| {
        let names = "api = { policy = \"world\" }\nwww = { alias = \"api\" }";
        format!(
            "{}[[test]]\nname = \"www\"\ntype = \"{rtype}\"\nexpect = \"{pool}\"\n",
            zone_with(POOLS, names)
        )
    };
    assert_eq!(compile(&test("us", "A")).0.tests.len(), 1);
    assert_eq!(errors(&test("cdn", "A")), ["www.example.com. never leads to the pool `cdn`"]);
    assert_eq!(errors(&test("us", "TXT")), ["www.example.com. never leads to the pool `us`"]);
}
