//! Rules 43 to 47: choice by the networks of a CIDR collection.

use crate::harness::{World, Zone, home, question};
use crate::subnet::explained;

const ALL: &str =
    "location.outer = \"a\"\nlocation.inner = \"b\"\nlocation.site = \"c\"\ndefault = \"d\"";

#[track_caller]
fn assert_sent(world: &World, client: &str, address: &str, scope: u8) {
    let reply = world.ask(&question("www").client(client));
    assert_eq!((reply.addresses().join(" "), reply.scope()), (address.into(), scope), "{client}");
}

#[test]
fn rule_43_networks_have_lengths_and_locations_have_names() {
    let zone = |nets: &str| {
        Zone::new()
            .pool("a", "192.0.2.1")
            .section("collection.nets", nets)
            .policy("p", "ip", "collection = \"nets\"\nlocation.x = \"a\"\ndefault = \"a\"")
            .route("www", "p")
    };
    zone("x = \"30.0.0.0/24\"").world();
    for bad in [
        "x = \"30.0.0.0/25\"",
        "x = \"0.0.0.0/0\"",
        "x = \"2001:db9::/49\"",
        "x = \"30.0.0.1/24\"",
        "x = [\"30.0.0.0/24\", \"30.0.0.0/24\"]",
        "x = \"30.0.0.0/24\"\ny = \"30.0.0.0/24\"",
        "x = \"30.0.0.0/24\"\n\"a b\" = \"30.0.1.0/24\"",
        "x = \"30.0.0.0/24\"\nabcdefghijklmnopq = \"30.0.1.0/24\"",
        "y = \"30.0.0.0/24\"",
    ] {
        assert!(!zone(bad).errors().is_empty(), "{bad}");
    }
}

const FIXED: &str = "outer = [\"30.0.0.0/8\", \"2001:db9::/32\"]\ninner = [\"30.1.0.0/16\", \"2001:db9:12::/48\"]\nsite = \"30.1.2.0/24\"";

fn nets(lines: &str) -> World {
    Zone::new()
        .pool("a", "192.0.2.1 2001:db8::1")
        .pool("b", "192.0.2.2 2001:db8::2")
        .pool("c", "192.0.2.3 2001:db8::3")
        .pool("d", "192.0.2.4 2001:db8::4")
        .section("collection.nets", FIXED)
        .policy("p", "ip", &format!("collection = \"nets\"\n{lines}"))
        .route("www", "p")
        .world()
}

#[test]
fn rule_44_a_client_in_a_listed_network_is_matched() {
    let world = nets(ALL);
    assert_sent(&world, "30.200.0.0/24", "192.0.2.1", 9);
    assert_sent(&world, "30.1.7.0/24", "192.0.2.2", 22);
    assert_sent(&world, "30.1.2.0/24", "192.0.2.3", 24);
    assert_sent(&world, "30.1.2.128/32", "192.0.2.3", 24);
    assert_sent(&world, "2001:db9:12:34::/64", "192.0.2.2", 48);
    assert_sent(&world, &home("US"), "192.0.2.4", 5);
}

/// A prefix that is shorter than a network is not in it, though its first address is.
#[test]
fn rule_45_a_client_prefix_shorter_than_a_network_does_not_match_it() {
    let world = nets(ALL);
    let answer = |client: &str| world.addresses(&question("www").client(client)).join(" ");
    assert_eq!(answer("30.1.2.0/23"), "192.0.2.2", "wider than the site, inside the inner one");
    assert_eq!(answer("30.1.2.0/24"), "192.0.2.3");
    assert_eq!(answer("30.1.0.0/16"), "192.0.2.2");
    assert_eq!(answer("30.0.0.0/15"), "192.0.2.1");
    assert_eq!(answer("30.0.0.0/8"), "192.0.2.1");
    assert_eq!(answer("30.0.0.0/7"), "192.0.2.4");
    assert_eq!(answer("2001:db9:12::/47"), "192.0.2.1");
    assert_eq!(answer("2001:db9:12::/48"), "192.0.2.2");
    assert_eq!(answer("2001:db8::/31"), "192.0.2.4");
    // The scope says that the answer does not hold for all of the prefix.
    assert!(world.ask(&question("www").client("30.1.2.0/23")).scope() > 23);
}

#[test]
fn rule_46_the_longest_network_wins_and_then_the_default() {
    let world = nets(ALL);
    world.only_down(&["c"]);
    assert_sent(&world, "30.1.2.0/24", "192.0.2.4", 24);
    world.only_down(&["c", "d"]);
    assert_sent(&world, "30.1.2.0/24", "192.0.2.3", 24);
    let world = nets("location.outer = \"a\"");
    let reply = world.ask(&question("www").client(&home("US")));
    assert!(reply.is_nodata());
    assert_eq!(world.addresses(&question("www").client("30.1.2.0/24")), ["192.0.2.1"]);
    world.only_down(&["a"]);
    assert_eq!(world.addresses(&question("www").client("30.1.2.0/24")), ["192.0.2.1"]);
}

#[test]
fn rule_47_one_location_serves_both_address_types() {
    use hickory_proto::rr::RecordType;
    let world = nets(ALL);
    for (client, address) in [("30.1.2.0/24", "2001:db8::3"), ("2001:db9:12::/48", "2001:db8::2")] {
        let reply = world.ask(&question("www").of(RecordType::AAAA).client(client));
        assert_eq!(reply.addresses(), [address], "{client}");
    }
    assert_eq!(world.addresses(&question("www").client("2001:db9:12::/48")), ["192.0.2.2"]);
}

/// Nobody has to be located for a choice by network: no resolver's place stands in for an unlisted client.
#[test]
fn rule_75_an_unlisted_client_is_not_placed_by_its_resolver() {
    let world = nets(ALL);
    let asked = question("www").through("30.1.2.7").client("40.0.0.0/24");
    assert_eq!(world.addresses(&asked), ["192.0.2.4"]);
    assert_eq!(world.addresses(&question("www").through("30.1.2.7")), ["192.0.2.3"]);
    let told = explained(&world, Some(("30.1.2.0", 24)), "192.0.2.200");
    let text: Vec<String> = told.steps.into_iter().map(|step| step.text).collect();
    assert!(text.join("\n").contains("network 30.1.2.0/24 is in location site → c"), "{text:?}");
}

/// Networks among places: the longest network comes before every place, and is widened like one.
#[test]
fn rule_29_a_network_is_the_smallest_place() {
    let world = Zone::new()
        .pool("a", "192.0.2.1")
        .pool("b", "192.0.2.2")
        .pool("c", "192.0.2.3")
        .policy(
            "p",
            "geolocation",
            "cidr.\"20.0.7.0/24\" = \"a\"\ncidr.\"10.1.0.0/16\" = \"c\"\ncountry.US = \"b\"\ndefault = \"c\"",
        )
        .route("www", "p")
        .world();
    let us = || question("www").client(&home("US"));
    assert_eq!(world.addresses(&us()), ["192.0.2.1"]);
    assert_eq!(world.addresses(&question("www").client("20.0.8.0/24")), ["192.0.2.2"]);
    world.only_down(&["a"]);
    assert_eq!(world.addresses(&us()), ["192.0.2.2"], "widened to the country");
    world.only_down(&[]);
    // A private network that is named needs no location.
    let office = question("www").through("20.0.9.9").client("10.1.2.0/24");
    assert_eq!(world.addresses(&office), ["192.0.2.3"]);
    let elsewhere = question("www").through("20.0.9.9").client("10.2.2.0/24");
    assert_eq!(world.addresses(&elsewhere), ["192.0.2.2"], "by the resolver's country");
}
