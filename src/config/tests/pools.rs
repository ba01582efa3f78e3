//! Pools of records, and the types that routes get from them.

use super::*;
use crate::limits::POOL_ENDPOINTS;
use crate::policy::CheckId;
use crate::zone::presentation;

const POOLS: &str = "[check.c]\ntcp = 1\naddress = \"192.0.2.99\"\n\
                     [pool.us]\naddresses = \"192.0.2.1\"\nHTTPS = \"1 . alpn=h2\"\n\
                     [pool.eu]\naddresses = \"192.0.2.2\"\nHTTPS = \"1 host\"\n\
                     [pool.txt]\nTXT = [\"a b\", \"c\"]\ncheck = \"c\"\n[pool.cdn]\ncname = \"x.example.net.\"\n\
                     [policy.f]\ntype = \"failover\"\ntargets = [\"us\", \"eu\"]\n\
                     [policy.m]\ntype = \"multivalue\"\ntargets = [\"us\", \"txt\"]\n";

fn types(names: &str) -> Vec<Vec<RecordType>> {
    let (zone, found) = compile(&zone_with(POOLS, names));
    assert!(found.iter().all(|warning| warning.message.contains("is not used")), "{found:?}");
    zone.names[&name("n")].routes.iter().map(|route| route.types.to_vec()).collect()
}

#[test]
fn a_route_answers_all_types_that_its_pools_have() {
    let (a, aaaa, https, txt) =
        (RecordType::A, RecordType::AAAA, RecordType::HTTPS, RecordType::TXT);
    assert_eq!(types("n = { policy = \"f\" }"), [[a, aaaa, https]]);
    assert_eq!(types("n = { pool = \"txt\", A = \"192.0.2.3\" }"), [[txt]], "addresses of its own");
    assert_eq!(types("n = { pool = \"cdn\" }"), [[RecordType::CNAME]]);
    assert_eq!(
        types("n = { policy = \"m\" }"),
        [vec![a, txt, aaaa, https]],
        "one set, nothing lacks"
    );
    assert_eq!(
        types("n = { A = { policy = \"f\" }, HTTPS = { pool = \"us\" }, AAAA = \"::1\" }"),
        [[a], [https]]
    );
}

#[test]
fn records_of_a_pool_are_data_with_names_of_the_zone() {
    let (zone, _) = compile(&zone_with(POOLS, "n = { policy = \"f\", ttl = \"9s\" }"));
    let eu = &zone.routing.pools[1].endpoints[1];
    let expected = presentation::parse_rdata(RecordType::HTTPS, "1 host", &zone.apex).unwrap();
    assert_eq!((eu.rtype, &eu.rdata, &*eu.label), (RecordType::HTTPS, &expected, "1 host"));
    let txt = &zone.routing.pools[2];
    assert_eq!((txt.check, txt.endpoints.len()), (Some(CheckId(0)), 2));
    assert_eq!(*txt.endpoints[0].rdata, *b"\x03a b");
    assert_eq!(zone.names[&name("n")].routes[0].ttl, ttl(9));
}

#[test]
fn pools_of_records_are_bounded() {
    let texts = |count: usize| {
        let list: Vec<String> = (0..count).map(|n| format!("\"{n}\"")).collect();
        zone_with(&format!("[pool.p]\nTXT = [{}]\n", list.join(", ")), "n = { pool = \"p\" }")
    };
    compile(&texts(POOL_ENDPOINTS));
    assert_eq!(
        errors(&texts(POOL_ENDPOINTS + 1)),
        ["the pool `p` has 401 endpoints, 400 is the most"]
    );
    let long: Vec<String> = (0..300).map(|n| format!("\"{n} {}\"", "x".repeat(240))).collect();
    let found = errors(&zone_with(&format!("[pool.p]\nTXT = [{}]\n", long.join(", ")), ""));
    assert!(found[0].contains("octets together"), "{found:?}");
}

#[test]
fn a_multivalue_policy_takes_no_cname() {
    let policy = "[policy.x]\ntype = \"multivalue\"\ntargets = [\"us\", \"cdn\"]\n";
    let found = errors(&zone_with(&format!("{POOLS}{policy}"), ""));
    assert_eq!(found, ["`cdn` is a CNAME, and a multivalue policy takes none"]);
}

#[test]
fn sticky_choices_have_a_seed() {
    let seed = |lines: &str| {
        let policy = format!("[policy.w]\ntype = \"weighted\"\nweights.us = 1\n{lines}");
        let (zone, _) = compile(&zone_with(&format!("{POOLS}{policy}"), ""));
        let rule =
            zone.routing.policies.into_iter().find(|policy| &*policy.name == "w").unwrap().rule;
        let crate::policy::Rule::Weighted(weighted) = rule else { panic!() };
        weighted.sticky
    };
    assert_eq!(seed(""), None);
    assert_eq!(seed("sticky = false"), None);
    assert_eq!(seed("sticky = true"), Some(serial::hash_text("")));
    assert_eq!(seed("sticky = true\nseed = \"foobar\""), Some(0x8594_4171_f739_67e8), "FNV-1a");
}
