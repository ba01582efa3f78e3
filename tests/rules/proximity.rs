//! Rules 32 to 40, B6, and what City databases add: distance, bias, latency tables, measured latency, subdivisions.

use meridian::config::{Source, compile_zone};

use crate::harness::{NOWHERE, World, Zone, cities, home, question};
use crate::subnet::explained;

/// On the equator a degree of longitude is 111 km: clients at 0, 1, 2 … degrees east are in the networks 21.0, 21.1, 21.2 ….
fn equator() -> meridian::geo::Database {
    let networks: Vec<(String, f64)> =
        (0..40u8).map(|degree| (format!("21.{degree}.0.0/16"), f64::from(degree))).collect();
    let networks: Vec<_> = networks
        .iter()
        .map(|(network, east)| (network.as_str(), "GA", "", 0.5, *east))
        .chain([
            ("22.0.0.0/16", "US", "CA", 34.05, -118.24),
            ("22.1.0.0/16", "US", "NY", 40.71, -74.0),
            ("22.2.0.0/16", "US", "", 39.0, -98.0),
            ("22.3.0.0/16", "CN", "BJ", 39.9, 116.4),
            ("22.4.0.0/16", "CA", "ON", 43.65, -79.38),
        ])
        .collect();
    cities(&networks)
}

fn at(degree: u8) -> String {
    format!("21.{degree}.7.0/24")
}

/// Pools `a` at 0 degrees east and `b` at 20, and what a policy over both says.
fn two(kind: &str, lines: &str) -> Zone {
    Zone::new()
        .pool_with("a", "192.0.2.1", "check = \"web\"\nlocation = { lat = 0.5, lon = 0.0 }")
        .pool_with("b", "192.0.2.2", "check = \"web\"\nlocation = { lat = 0.5, lon = 20.0 }")
        .policy("p", kind, &format!("targets = [\"a\", \"b\"]\n{lines}"))
        .route("www", "p")
}

fn world(kind: &str, lines: &str) -> World {
    two(kind, lines).world_with(equator())
}

fn answer(world: &World, client: &str) -> String {
    world.addresses(&question("www").client(client)).join(" ")
}

/// The first degree at which the answer is `b`, of those between both.
fn border(world: &World) -> u8 {
    let is_b = |degree: &u8| answer(world, &at(*degree)) == "192.0.2.2";
    let border = (0..=20).find(is_b).unwrap_or(21);
    assert!((border..=20).all(|degree| is_b(&degree)), "one border");
    border
}

#[test]
fn rule_32_locations_are_points_places_or_regions_of_aws() {
    let zone = |location: &str| {
        Zone::new()
            .pool_with("a", "192.0.2.1", &format!("location = {location}"))
            .policy("p", "geoproximity", "targets = [\"a\"]\ndefault = \"a\"")
            .route("www", "p")
    };
    for good in [
        "\"us-east-1\"",
        "\"IE\"",
        "\"US-VA\"",
        "{ lat = 38.9, lon = -77.4 }",
        "{ lat = -90, lon = 180 }",
    ] {
        zone(good).world();
    }
    for bad in [
        "\"us-east-99\"",
        "\"ZZ\"",
        "{ lat = 38.901, lon = 0 }",
        "{ lat = 91, lon = 0 }",
        "{ lat = 0, lon = 181 }",
        "{ lat = 0 }",
        "7",
    ] {
        assert!(!zone(bad).errors().is_empty(), "{bad}");
    }
    for bias in ["100", "-100", "1.5", "\"9\""] {
        let zone = two("geoproximity", &format!("bias = {{ a = {bias} }}\ndefault = \"a\""));
        assert!(!zone.errors().is_empty(), "{bias}");
    }
}

#[test]
fn rule_33_the_nearest_wins_by_biased_distance() {
    assert_eq!(
        border(&world("geoproximity", "default = \"a\"")),
        11,
        "both are 10 degrees away at 10: the first"
    );
    // b at half its distance: x = (20 - x) / 2 at 6.7.
    assert_eq!(border(&world("geoproximity", "bias = { b = 50 }\ndefault = \"a\"")), 7);
    // b at twice its distance: x = (20 - x) · 2 at 13.3.
    assert_eq!(border(&world("geoproximity", "bias = { b = -50 }\ndefault = \"a\"")), 14);
    assert_eq!(border(&world("geoproximity", "bias = { a = 99, b = -99 }\ndefault = \"a\"")), 20);
}

/// A: 150 km, b = 50 against B: 100 km, b = 0: 75 < 100.
#[test]
fn rule_34_the_guides_example() {
    let database =
        cities(&[("21.0.0.0/16", "GA", "", 0.5, 0.0), ("21.1.0.0/16", "US", "", 40.0, -90.0)]);
    let zone = |bias: &str| {
        Zone::new()
            .pool_with("a", "192.0.2.1", "check = \"web\"\nlocation = { lat = 0.5, lon = 1.35 }")
            .pool_with("b", "192.0.2.2", "check = \"web\"\nlocation = { lat = 0.5, lon = -0.90 }")
            .policy(
                "p",
                "geoproximity",
                &format!("targets = [\"a\", \"b\"]\nbias = {bias}\ndefault = \"a\""),
            )
            .route("www", "p")
    };
    let world = zone("{ a = 50 }").world_with(database);
    assert_eq!(answer(&world, "21.0.0.0/24"), "192.0.2.1");
    let told = explained(&world, Some(("21.0.0.0", 24)), "192.0.2.200");
    let told: Vec<String> = told.steps.into_iter().map(|step| step.text).collect();
    let told = told.join("\n");
    assert!(told.contains("a is 150 km away, with bias 50 as if 75 km"), "{told}");
    assert!(told.contains("b is 100 km away"), "{told}");
}

#[test]
fn rule_35_the_next_nearest_takes_over_and_with_all_down_the_nearest() {
    let world = world("geoproximity", "default = \"a\"");
    world.only_down(&["a"]);
    assert_eq!(answer(&world, &at(1)), "192.0.2.2");
    world.only_down(&["a", "b"]);
    assert_eq!(answer(&world, &at(1)), "192.0.2.1");
}

#[test]
fn rule_36_clients_that_nobody_can_place_get_the_default_or_nothing() {
    let with = world("geoproximity", "default = \"b\"");
    assert_eq!(answer(&with, NOWHERE), "192.0.2.2");
    let without = world("geoproximity", "");
    assert!(without.ask(&question("www").client(NOWHERE)).is_nodata());
    // Without coordinates a client is in the middle of its country: the atlas has countries only.
    let country = two("geoproximity", "").world();
    assert_eq!(answer(&country, &home("FR")), "192.0.2.1");
    assert_eq!(answer(&country, &home("JP")), "192.0.2.2");
}

const TABLE: &str = "# measured\n21.0.0.0/16,a,80.5\n21.0.0.0/16,b,20\n21.1.0.0/16,a,5\n21.1.0.0/16,b,5.5\n21.2.0.0/15,c,1\n2a00::/16,b,3\n2a00::/16,a,9\n";

fn by_table(lines: &str) -> World {
    let zone = two("latency", &format!("table = \"rtt.csv\"\n{lines}"));
    let source = zone.source_with("rtt.csv", TABLE);
    World::of(&source, equator())
}

#[test]
fn rule_37_the_lowest_latency_among_the_regions_that_there_are() {
    let world = by_table("");
    assert_eq!(answer(&world, &at(0)), "192.0.2.2", "farther, and faster");
    assert_eq!(answer(&world, &at(1)), "192.0.2.1");
    assert_eq!(answer(&world, "2a00:1::/48"), "192.0.2.2");
    let twice = two("latency", "regions = { a = \"us-east-1\", b = \"us-east-1\" }");
    assert!(!twice.errors().is_empty());
}

#[test]
fn rule_38_the_next_best_region_takes_over() {
    let world = by_table("");
    world.only_down(&["b"]);
    assert_eq!(answer(&world, &at(0)), "192.0.2.1");
    world.only_down(&["a", "b"]);
    assert_eq!(answer(&world, &at(0)), "192.0.2.2");
}

#[test]
fn rule_39_a_region_in_china_is_for_china() {
    let zone = two(
        "latency",
        "regions = { a = \"eu-west-1\", b = \"cn-north-1\" }\nlocations = { b = { lat = 0.0, lon = -80.0 } }",
    );
    let world = zone.world_with(equator());
    assert_eq!(answer(&world, "22.3.0.0/24"), "192.0.2.2", "Beijing, though the other is nearer");
    assert_eq!(answer(&world, &at(1)), "192.0.2.1");
    world.only_down(&["b"]);
    assert_eq!(answer(&world, "22.3.0.0/24"), "192.0.2.1");
}

/// Where the table has nothing the distance decides, and the scope is where that changes.
#[test]
fn rule_40_a_table_comes_before_distance_and_both_before_measuring() {
    let world = by_table("");
    assert_eq!(
        (answer(&world, &at(2)), answer(&world, &at(19))),
        ("192.0.2.1".into(), "192.0.2.2".into())
    );
    let told = |client: &str| {
        let told = explained(&world, Some((client, 24)), "192.0.2.200");
        told.steps.into_iter().map(|step| step.text).collect::<Vec<_>>().join("\n")
    };
    assert!(told("21.0.7.0").contains("by the table rtt.csv"), "{}", told("21.0.7.0"));
    assert!(told("21.19.7.0").contains("by distance"), "{}", told("21.19.7.0"));
    let only = by_table("by = \"table\"");
    assert_eq!(answer(&only, &at(19)), "192.0.2.1", "in the order of the list");
}

/// Sets what was measured for each pool, in milliseconds.
fn measure(world: &World, latencies: [u32; 2]) {
    let routing = world.snapshot.routings().next().unwrap();
    for (pool, latency) in routing.bound.pools().iter().zip(latencies) {
        world.view.set_latency_us(pool.endpoints[0].health.target().unwrap(), latency * 1000);
    }
}

#[test]
fn rule_b6_latency_is_measured_where_nothing_else_tells_and_small_differences_do_not_count() {
    let world = world("latency", "by = \"measured\"\nhysteresis = \"20%\"");
    for (latencies, address) in [
        ([0, 0], "192.0.2.1"),
        ([0, 50], "192.0.2.2"),
        ([100, 50], "192.0.2.2"),
        ([100, 85], "192.0.2.1"),
        ([100, 79], "192.0.2.2"),
        ([50, 100], "192.0.2.1"),
    ] {
        measure(&world, latencies);
        let reply = world.ask(&question("www").client(&at(19)));
        assert_eq!(
            (reply.addresses().join(" "), reply.scope()),
            (address.into(), 0),
            "{latencies:?}"
        );
    }
    measure(&world, [10, 100]);
    world.only_down(&["a"]);
    assert_eq!(answer(&world, &at(0)), "192.0.2.2");
    // Clients that nobody can place, where distance decides for the others.
    let world = self::world("latency", "");
    measure(&world, [100, 10]);
    assert_eq!(
        (answer(&world, &at(0)), answer(&world, NOWHERE)),
        ("192.0.2.1".into(), "192.0.2.2".into())
    );
}

#[test]
fn rule_28_a_subdivision_is_smaller_than_its_country() {
    let zone = |more: &str| {
        Zone::new()
            .pool("ca", "192.0.2.1")
            .pool("us", "192.0.2.2")
            .pool("d", "192.0.2.3")
            .policy(
                "p",
                "geolocation",
                &format!("subdivision.US-CA = \"ca\"\n{more}\ndefault = \"d\""),
            )
            .route("www", "p")
            .world_with(equator())
    };
    let without = zone("");
    assert_eq!(answer(&without, "22.0.0.0/24"), "192.0.2.1");
    assert_eq!(answer(&without, "22.1.0.0/24"), "192.0.2.3", "New York");
    assert_eq!(answer(&without, "22.2.0.0/24"), "192.0.2.3", "a state that is not known");
    let with = zone("country.US = \"us\"");
    assert_eq!(answer(&with, "22.2.0.0/24"), "192.0.2.2");
    assert_eq!(answer(&with, "22.4.0.0/24"), "192.0.2.3", "Ontario");
    with.only_down(&["ca"]);
    assert_eq!(answer(&with, "22.0.0.0/24"), "192.0.2.2", "rule 29");
    with.only_down(&["ca", "us", "d"]);
    assert_eq!(answer(&with, "22.0.0.0/24"), "192.0.2.1", "rule 29: the smallest place");
}

#[test]
fn rule_29_without_widening_only_the_smallest_place_counts() {
    let zone = Zone::new()
        .pool("de", "192.0.2.1")
        .pool("eu", "192.0.2.2")
        .policy(
            "p",
            "geolocation",
            "country.DE = \"de\"\ncontinent.EU = \"eu\"\ndefault = \"eu\"\nwidening = false",
        )
        .policy("top", "failover", "targets = [\"p\", \"eu\"]")
        .name("www", "policy = \"p\"")
        .route("backed", "top");
    let world = zone.world();
    world.only_down(&["de"]);
    assert_eq!(answer(&world, &home("DE")), "192.0.2.1", "rule 4");
    let backed = question("backed").client(&home("DE"));
    assert_eq!(world.addresses(&backed), ["192.0.2.2"], "what is above may still back out");
}

#[test]
fn rule_25_a_group_stands_between_country_and_continent() {
    let world = Zone::new()
        .pool("a", "192.0.2.1")
        .pool("b", "192.0.2.2")
        .pool("c", "192.0.2.3")
        .pool("d", "192.0.2.4")
        .section("group.pair", "countries = [\"DE\", \"US\"]")
        .policy(
            "p",
            "geolocation",
            "group.pair = \"a\"\ngroup.EU = \"b\"\ncontinent.EU = \"c\"\ncountry.US = \"d\"\ndefault = \"d\"",
        )
        .route("www", "p")
        .world();
    let clients = ["DE", "FR", "TR", "RU", "US"].map(|country| answer(&world, &home(country)));
    assert_eq!(clients, ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.3", "192.0.2.4"]);
    world.only_down(&["a"]);
    assert_eq!(answer(&world, &home("DE")), "192.0.2.2", "widened to the next larger group");
    world.only_down(&["a", "b"]);
    assert_eq!(answer(&world, &home("DE")), "192.0.2.3");
}

#[test]
fn a_table_that_is_wrong_is_shown_with_its_line() {
    let zone = two("latency", "table = \"rtt.csv\"");
    let source: Source = zone.source_with("rtt.csv", "21.0.0.0/16,a,80\n21.0.0.0/33,a,80\n");
    let rejected = compile_zone(&source).unwrap_err();
    let first = &rejected.diagnostics[0];
    assert_eq!((first.line(), &*first.path), (Some(2), "rtt.csv"), "{first:?}");
}
