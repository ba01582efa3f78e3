//! Residencies (B4).

use super::*;
use crate::policy::PoolId;

const POOLS: &str = "[pool.us]\naddresses = \"192.0.2.1\"\n[pool.eu]\naddresses = \"192.0.2.2\"\n\
                     [policy.w]\ntype = \"weighted\"\nweights = { us = 1, eu = 1 }\n";

fn zone(residency: &str) -> String {
    zone_with(&format!("{POOLS}[residency.r]\n{residency}\n"), "n = { policy = \"w\" }")
}

#[test]
fn rule_b4_a_residency_names_places_and_pools() {
    let clients = "clients = [\"group.EU\", \"country.GB\", \"cidr.10.0.0.0/8\", \"asn.64500\", \
                   \"subdivision.US-CA\", \"continent.AF\", \"unlocated\"]";
    let (zone, found) = compile(&zone(&format!("{clients}\npools = [\"eu\"]")));
    assert_eq!(found, []);
    let residency = &zone.routing.residencies[0];
    assert_eq!((&*residency.name, residency.clients.len()), ("r", 6));
    assert!(residency.holds_unlocated && !residency.fails_closed, "open unless it says otherwise");
    assert_eq!(residency.pools, [PoolId(1)].into());
    let facts: Vec<Fact> = needs(&zone).into_iter().map(|need| need.fact).collect();
    assert_eq!(facts, [Fact::Subdivisions, Fact::Asns]);
    let what = needs(&zone).remove(0).what;
    assert_eq!(what, "the residency `r`");
}

#[test]
fn rule_b4_a_residency_may_fail_closed() {
    let (zone, _) = compile(&zone("clients = \"country.DE\"\npools = \"eu\"\nfail = \"closed\""));
    assert!(zone.routing.residencies[0].fails_closed);
}

#[test]
fn rule_b4_a_residency_that_no_name_can_keep_is_warned_of() {
    let apart = zone("clients = \"country.DE\"\npools = \"far\"")
        .replace("[residency", "[pool.far]\naddresses = \"192.0.2.3\"\n[residency");
    let found = warnings(&apart);
    assert_eq!(
        found,
        ["the pool `far` is not used", "no name leads to a pool of the residency `r`"]
    );
}

/// What is in the digest of a zone: each of these is another zone.
#[test]
fn every_part_of_a_residency_changes_the_zone() {
    let texts = [
        "clients = \"country.DE\"\npools = \"eu\"",
        "clients = \"country.FR\"\npools = \"eu\"",
        "clients = \"group.EU\"\npools = \"eu\"",
        "clients = \"country.DE\"\npools = [\"eu\", \"us\"]",
        "clients = \"country.DE\"\npools = \"eu\"\nfail = \"closed\"",
        "clients = [\"country.DE\", \"unlocated\"]\npools = \"eu\"",
    ];
    let mut seen: Vec<Digest> = texts.iter().map(|text| compile(&zone(text)).0.digest()).collect();
    seen.push(compile(&zone_with(POOLS, "n = { policy = \"w\" }")).0.digest());
    let count = seen.len();
    seen.sort_by_key(|digest| digest.0);
    seen.dedup();
    assert_eq!(seen.len(), count);
}
