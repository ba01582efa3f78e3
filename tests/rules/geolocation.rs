//! Rules 24 to 31: the smallest place that holds the client and is up.

use meridian::geo::Database;

use crate::harness::{NOWHERE, Question, World, Zone, home, home_ipv6, question};

/// Pools named in lower case after what they stand for, with the addresses 192.0.2.1, 192.0.2.2, …
fn zone_of(pools: &[&str], lines: &str) -> Zone {
    let mut zone = Zone::new();
    for (number, pool) in (1..).zip(pools) {
        zone = zone.pool(pool, &format!("192.0.2.{number}"));
    }
    zone.policy("g", "geolocation", lines).route("www", "g")
}

fn from(country: &str) -> Question {
    question("www").client(&home(country))
}

/// Fails unless a client in the country is sent to this endpoint when those pools are down, over either family.
#[track_caller]
fn assert_sent(world: &World, down: &[&str], country: &str, number: u32) {
    world.only_down(down);
    let expected = [format!("192.0.2.{number}")];
    for subnet in [home(country), home_ipv6(country)] {
        let addresses = world.addresses(&question("www").client(&subnet));
        assert_eq!(addresses, expected, "{country} by {subnet}, down: {down:?}");
    }
}

#[test]
fn rule_24_places_are_continents_countries_and_the_default() {
    let world =
        zone_of(&["na", "us", "d"], "continent.NA = \"na\"\ncountry.US = \"us\"\ndefault = \"d\"")
            .world();
    for (country, number) in [("CA", 1), ("US", 2), ("DE", 3)] {
        assert_sent(&world, &[], country, number);
    }
}

#[test]
fn rule_24_the_same_place_twice_is_an_error() {
    let twice = |lines| zone_of(&["a", "b"], lines);
    twice("country.US = \"a\"\ncountry.US = \"b\"").errors();
    twice("continent.EU = \"a\"\ncontinent.EU = \"b\"").errors();
    twice("default = \"a\"\ndefault = \"b\"").errors();
    twice("country = { US = \"a\" }\ncountry.US = \"b\"").errors();
}

/// Route 53 writes the default as country "*"; here it has a key of its own.
#[test]
fn rule_24_what_is_no_place_is_refused() {
    let wrong = |lines| zone_of(&["a"], lines);
    wrong("country.\"*\" = \"a\"").refused_for("`*` is no country");
    wrong("country.EU = \"a\"").refused_for("EU is a continent");
    wrong("continent.US = \"a\"").refused_for("US is a country");
    wrong("country.us = \"a\"").refused_for("did you mean `US`");
    wrong("continent.XX = \"a\"").refused_for("no continent");
    wrong("continent.NA.country.US = \"a\"").errors();
    wrong("").refused_for("has no places");
}

#[test]
fn rule_25_the_smallest_matching_place_wins() {
    let lines = "continent.NA = \"na\"\ncountry.CA = \"ca\"\ndefault = \"d\"";
    let world = zone_of(&["na", "ca", "d"], lines).world();
    assert_sent(&world, &[], "CA", 2);
    assert_sent(&world, &[], "MX", 1);
}

#[test]
fn rule_26_no_place_is_the_default_and_without_one_no_answer() {
    let world = zone_of(&["eu", "d"], "continent.EU = \"eu\"\ndefault = \"d\"").world();
    assert_sent(&world, &[], "JP", 2);
    let world = zone_of(&["eu", "d"], "continent.EU = \"eu\"\ncountry.US = \"d\"").world();
    for subnet in [home("JP"), home_ipv6("JP"), NOWHERE.to_owned()] {
        let reply = world.ask(&question("www").client(&subnet));
        assert!(reply.is_nodata(), "{subnet}: {reply:?}");
    }
    world.only_down(&["eu", "d"]);
    assert!(world.ask(&from("JP")).is_nodata(), "rule 4 invents no place");
}

#[test]
fn rule_26_an_empty_answer_has_a_scope_too() {
    let world = zone_of(&["eu"], "continent.EU = \"eu\"").world();
    let (inside, outside) = (world.ask(&from("DE")), world.ask(&from("JP")));
    assert_eq!((inside.addresses().len(), outside.addresses().len()), (1, 0));
    // 20.3.0.0/16 DE and 20.4.0.0/16 FR have no common parent without their neighbours; JP, 20.6.0.0, has other places
    // around it.
    assert_eq!((inside.scope(), outside.scope()), (16, 15));
}

const CONTINENTS: [&str; 7] = ["AF", "AN", "AS", "EU", "NA", "OC", "SA"];

fn all_continents(more: &str) -> World {
    let pools = ["af", "an", "as", "eu", "na", "oc", "sa", "d"];
    let places =
        CONTINENTS.iter().map(|code| format!("continent.{code} = \"{}\"\n", code.to_lowercase()));
    zone_of(&pools, &(places.collect::<String>() + more)).world()
}

#[test]
fn rule_27_an_unlocated_address_gets_the_default_only() {
    let world = all_continents("default = \"d\"");
    for subnet in [NOWHERE, "10.0.0.0/8", "2001:db8::/48", "192.0.2.0/24"] {
        let reply = world.ask(&question("www").client(subnet));
        assert_eq!(reply.addresses(), ["192.0.2.8"], "{subnet}");
    }
    assert_eq!(world.addresses(&question("www")), ["192.0.2.8"], "the resolver is nowhere");
    let world = all_continents("");
    assert!(world.ask(&question("www").client(NOWHERE)).is_nodata());
}

/// States are not built: they are refused by name, and a US client is in its country, its continent and the default.
#[test]
fn rule_28_a_us_client_of_unknown_state() {
    let world = zone_of(&["ca", "d"], "country.CA = \"ca\"\ndefault = \"d\"").world();
    assert_sent(&world, &[], "US", 2);
    let world = zone_of(&["us", "d"], "country.US = \"us\"\ndefault = \"d\"").world();
    assert_sent(&world, &[], "US", 1);
}

#[test]
fn rule_29_the_first_place_that_is_up_from_the_smallest_on() {
    let lines = "country.US = \"us\"\ncontinent.NA = \"na\"\ndefault = \"d\"";
    let world = zone_of(&["us", "na", "d"], lines).world();
    assert_sent(&world, &[], "US", 1);
    assert_sent(&world, &["us"], "US", 2);
    assert_sent(&world, &["us", "na"], "US", 3);
    assert_sent(&world, &["us", "d"], "US", 2);
    assert_sent(&world, &["us", "na", "d"], "US", 1);
    assert_sent(&world, &["us", "na", "d"], "MX", 2);
}

#[test]
fn rule_30_only_places_of_the_clients_own_chain_count() {
    let lines = "country.FR = \"fr\"\ncountry.DE = \"de\"\ncontinent.EU = \"eu\"";
    let world = zone_of(&["fr", "de", "eu"], lines).world();
    assert_sent(&world, &["fr"], "FR", 3);
    assert_sent(&world, &["fr", "eu"], "FR", 1);
    assert_sent(&world, &["fr", "de", "eu"], "FR", 1);
}

#[test]
fn rule_31_continents_are_amazons() {
    let world = all_continents("default = \"d\"");
    for (countries, number) in [
        ("TR CY RU DE FR", 4),
        ("GE AM AZ KZ JP", 3),
        ("GS TF AQ", 2),
        ("ZA", 1),
        ("US CA MX", 5),
        ("AU", 6),
        ("BR", 7),
    ] {
        for country in countries.split(' ') {
            assert_sent(&world, &[], country, number);
        }
    }
}

#[test]
fn rule_31_four_countries_are_refused_and_have_no_continent() {
    for country in ["BV", "CX", "EH", "HM"] {
        zone_of(&["a"], &format!("country.{country} = \"a\"\ndefault = \"a\""))
            .refused_for("does not locate clients in");
    }
    assert_sent(&all_continents("default = \"d\""), &[], "BV", 8);
}

/// The database that we ship has 46.4.0.0/16 in Germany and 8.8.8.0/24 in the US.
#[test]
fn rule_25_by_the_built_in_database() {
    let lines = "continent.EU = \"eu\"\ncountry.US = \"us\"\ndefault = \"d\"";
    let world = zone_of(&["eu", "us", "d"], lines).world_with(Database::built_in().unwrap());
    for (subnet, expected) in
        [("46.4.0.0/24", "192.0.2.1"), ("8.8.8.0/24", "192.0.2.2"), ("10.1.0.0/24", "192.0.2.3")]
    {
        assert_eq!(world.addresses(&question("www").client(subnet)), [expected], "{subnet}");
    }
}

/// A target of several places of a chain is tried where it stands first.
#[test]
fn rule_29_a_target_named_again_changes_nothing() {
    let lines =
        "country.US = [\"us\", \"eu\"]\ncontinent.NA = [\"eu\", \"us\"]\ndefault = [\"d\", \"us\"]";
    let world = zone_of(&["us", "eu", "d"], lines).world();
    assert_sent(&world, &["us"], "US", 2);
    assert_sent(&world, &["us", "eu"], "US", 3);
    assert_sent(&world, &["us", "eu", "d"], "US", 1);
}
