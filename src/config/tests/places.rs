//! Policies by the place and the network of a client.

use super::*;
use crate::limits::POLICY_TARGETS;
use crate::policy::{Place, Rule};

const POOL: &str = "[pool.p]\naddresses = \"192.0.2.1\"\n";

fn geolocation(places: &str) -> String {
    let policy = format!("[policy.g]\ntype = \"geolocation\"\n{places}\n");
    zone_with(&format!("{POOL}{policy}"), "n = { policy = \"g\" }")
}

#[test]
fn rule_25_smaller_places_come_first() {
    let text = geolocation(
        "continent.EU = \"p\"\ngroup.EU = \"p\"\ngroup.western-europe = \"p\"\ncountry.DE = \"p\"\n\
         subdivision.DE-HE = \"p\"\nasn.3320 = \"p\"\ncidr.\"192.0.2.0/24\" = \"p\"\ndefault = \"p\"",
    );
    let (zone, _) = compile(&text);
    let Rule::Geolocation { places, widening } = &zone.routing.policies[0].rule else { panic!() };
    assert!(widening);
    let kinds: Vec<&str> = places
        .keys()
        .map(|place| match place {
            Place::Network(_) => "network",
            Place::Asn(_) => "asn",
            Place::Subdivision(_) => "subdivision",
            Place::Country(_) => "country",
            Place::Group(id) => &zone.routing.groups[usize::from(id.0)].name,
            Place::Continent(_) => "continent",
            Place::Default => "default",
        })
        .collect();
    let expected = [
        "network",
        "asn",
        "subdivision",
        "country",
        "western-europe",
        "EU",
        "continent",
        "default",
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn a_group_that_several_name_is_there_once() {
    let residency = "[residency.r]\nclients = [\"group.EU\"]\npools = [\"p\"]\n";
    let text = geolocation("group.EU = \"p\"\ndefault = \"p\"")
        .replace("[policy", &format!("{residency}[policy"));
    let (zone, _) = compile(&text);
    assert_eq!(zone.routing.groups.len(), 1);
    assert_eq!(zone.routing.groups[0].countries.len(), 27);
}

#[test]
fn equal_places_are_found_however_they_are_written() {
    for (places, error) in [
        (
            "cidr.\"2001:db8::/32\" = \"p\"\ncidr.\"2001:0db8::/32\" = \"p\"",
            "the same network stands here twice",
        ),
        ("group.M49-155 = \"p\"\ngroup.western-europe = \"p\"", "two groups of the same countries"),
    ] {
        assert_eq!(
            errors(&geolocation(&format!("{places}\ndefault = \"p\""))),
            [error],
            "{places}"
        );
    }
    // A continent with a country of it is what the rules are for.
    compile(&geolocation(
        "continent.EU = \"p\"\ncountry.DE = \"p\"\ncidr.\"10.0.0.0/8\" = \"p\"\ncidr.\"10.1.0.0/16\" = \"p\"",
    ));
}

#[test]
fn groups_that_overlap_all_count_for_one_client() {
    let policy = |count: usize| {
        let pools: String = (0..count)
            .map(|n| format!("[pool.p{n}]\naddresses = \"192.0.2.{}\"\n", n + 1))
            .collect();
        let names: Vec<String> = (0..count).map(|n| format!("\"p{n}\"")).collect();
        let (one, other) = names.split_at(count / 2);
        zone_with(
            &format!(
                "{pools}[policy.g]\ntype = \"geolocation\"\ngroup.EU = [{}]\ngroup.EEA = [{}]\n",
                one.join(", "),
                other.join(", ")
            ),
            "",
        )
    };
    compile(&policy(POLICY_TARGETS));
    assert_eq!(
        errors(&policy(POLICY_TARGETS + 1)),
        ["the policy `g` gives one client 101 targets, 100 is the most"]
    );
}

#[test]
fn rule_43_locations_of_a_collection_are_copied_into_the_policy() {
    let sections = format!(
        "{POOL}[collection.c]\na = [\"192.0.2.0/24\", \"2001:db8::/48\"]\nb = \"192.0.0.0/16\"\nunused = \"10.0.0.0/8\"\n\
         [policy.i]\ntype = \"ip\"\ncollection = \"c\"\nlocation.a = \"p\"\nlocation.b = [\"p\"]\ndefault = \"p\"\n"
    );
    let (zone, found) = compile(&zone_with(&sections, "n = { policy = \"i\" }"));
    assert_eq!(found, []);
    let Rule::Ip { locations, default } = &zone.routing.policies[0].rule else { panic!() };
    let networks: Vec<usize> = locations.iter().map(|location| location.networks.len()).collect();
    assert_eq!((networks, default.len()), (vec![2, 1], 1));
}

#[test]
fn needs_are_compared_with_what_databases_know() {
    let source_text = geolocation("asn.3320 = \"p\"\nsubdivision.US-CA = \"p\"\ndefault = \"p\"");
    let (zone, _) = compile(&source_text);
    let facts: Vec<Fact> = needs(&zone).into_iter().map(|need| need.fact).collect();
    assert_eq!(facts, [Fact::Subdivisions, Fact::Asns]);
    let database = |has: bool| DatabaseFacts {
        has_subdivisions: has,
        has_coordinates: has,
        has_asns: has,
        kind: "GeoLite2-Country".to_owned(),
    };
    let source = source(&source_text);
    assert_eq!(compare_needs(&source, &needs(&zone), &database(true)), []);
    let found = compare_needs(&source, &needs(&zone), &database(false));
    let messages: Vec<&str> = found.iter().map(|found| found.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "the policy `g` names subdivisions, and the database has none",
            "the policy `g` names autonomous systems, and there is no database of them"
        ]
    );
    assert!(found.iter().all(|found| found.is_error() && found.line() == Some(4)), "{found:?}");
    assert_eq!(found[0].label, "the database is GeoLite2-Country");
}

#[test]
fn distance_without_coordinates_is_a_warning() {
    let pools = "[pool.a]\naddresses = \"192.0.2.1\"\nlocation = \"FR\"\n[pool.b]\naddresses = \"192.0.2.2\"\nlocation = \"IE\"\n[pool.c]\naddresses = \"192.0.2.3\"\nlocation = \"JP\"\n";
    let found = |policy: &str| {
        let sections = format!("{pools}[policy.x]\ntargets = [\"a\", \"b\"]\n{policy}");
        let text = zone_with(&sections, "");
        let (zone, _) = compile(&text);
        compare_needs(&source(&text), &needs(&zone), &DatabaseFacts::default())
    };
    for policy in
        ["type = \"geoproximity\"", "type = \"latency\"", "type = \"latency\"\nby = \"distance\""]
    {
        let found = found(policy);
        assert!(found.len() == 1 && !found[0].is_error(), "{policy}: {found:?}");
    }
    for policy in [
        "type = \"latency\"\nby = \"measured\"",
        "type = \"latency\"\ntable = \"t.csv\"",
        "type = \"failover\"",
        "type = \"geoproximity\"\nlocations = { a = \"US\" }",
    ] {
        assert_eq!(found(policy), [], "{policy}");
    }
}
