//! Rules 1 to 9: what holds for every policy.

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use meridian::health::{ProbeAddress, Status};

use crate::harness::{Zone, question};

fn failover() -> Zone {
    Zone::new()
        .pool("us", "192.0.2.1")
        .pool("eu", "192.0.2.2")
        .policy("p", "failover", "targets = [\"us\", \"eu\"]")
        .route("www", "p")
}

#[test]
fn rule_01_a_query_sees_stored_health_at_once() {
    let world = failover().world();
    let www = question("www");
    let targets_before = world.snapshot.targets.len();
    for (status, expected) in [
        (Status::Unknown, "192.0.2.1"),
        (Status::Down, "192.0.2.2"),
        (Status::Up, "192.0.2.1"),
        (Status::Down, "192.0.2.2"),
    ] {
        world.set("us", status);
        assert_eq!(world.addresses(&www), [expected], "{status}");
        // The engine holds the view by shared reference: it has nothing to probe with and changed no status.
        let statuses: Vec<Status> = world.view.iter().map(|(_, status)| status).collect();
        assert_eq!(statuses, [status, Status::Unknown]);
    }
    assert_eq!(world.snapshot.targets.len(), targets_before);
}

#[test]
fn rule_02_the_policy_picks_first_and_again_among_the_rest() {
    let world = Zone::new()
        .pool("a", "192.0.2.1")
        .pool("b", "192.0.2.2")
        .pool("c", "192.0.2.3")
        .policy("p", "weighted", "weights = { a = 60, b = 30, c = 10 }")
        .route("www", "p")
        .world();
    world.only_down(&["a"]);
    world.assert_shares(&question("www"), &[("192.0.2.2", 30), ("192.0.2.3", 10)]);
    world.only_down(&["a", "b"]);
    world.assert_shares(&question("www"), &[("192.0.2.3", 1)]);
}

#[test]
fn rule_03_without_a_check_a_record_is_always_up() {
    let world = Zone::new()
        .unchecked("a", "192.0.2.1")
        .pool("b", "192.0.2.2")
        .policy("p", "weighted", "weights = { a = 1, b = 255 }")
        .route("www", "p")
        .world();
    world.only_down(&["b"]);
    world.assert_shares(&question("www"), &[("192.0.2.1", 1)]);
}

#[test]
fn rule_04_with_all_down_the_policy_runs_as_if_all_were_up() {
    let zone = Zone::new()
        .pool("a", "192.0.2.1")
        .pool("b", "192.0.2.2")
        .policy("w", "weighted", "weights = { a = 3, b = 1 }")
        .policy("f", "failover", "targets = [\"a\", \"b\"]")
        .policy("g", "geolocation", "default = [\"b\", \"a\"]")
        .route("weighted", "w")
        .route("failover", "f")
        .route("geo", "g")
        .name("pool", "pool = \"a\"");
    let world = zone.world();
    world.only_down(&["a", "b"]);
    world.assert_shares(&question("weighted"), &[("192.0.2.1", 3), ("192.0.2.2", 1)]);
    for (name, address) in [("failover", "192.0.2.1"), ("geo", "192.0.2.2"), ("pool", "192.0.2.1")]
    {
        let reply = world.ask(&question(name));
        assert_eq!(reply.rcode(), ResponseCode::NoError);
        assert_eq!(reply.addresses(), [address], "{name}");
        assert_eq!(reply.outcome.pool.map(|(_, _, last_resort)| last_resort), Some(true));
    }
}

#[test]
fn rule_04_of_a_pool_the_up_endpoints_are_handed_out_and_all_if_none_is() {
    let world =
        Zone::new().pool("a", "192.0.2.1 192.0.2.2 192.0.2.3").name("www", "pool = \"a\"").world();
    world.set_endpoint("a", 1, Status::Down);
    assert_eq!(world.addresses(&question("www")), ["192.0.2.1", "192.0.2.3"]);
    world.set("a", Status::Down);
    assert_eq!(world.addresses(&question("www")), ["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
}

#[test]
fn rule_05_health_follows_the_checks_address_not_the_records() {
    let world = Zone::new()
        .section("check.elsewhere", "tcp = 80\naddress = \"198.51.100.9\"")
        .section("pool.a", "addresses = [\"192.0.2.1\"]\ncheck = \"elsewhere\"")
        .pool("b", "192.0.2.2")
        .policy("p", "failover", "targets = [\"a\", \"b\"]")
        .route("www", "p")
        .world();
    let probed: Vec<&ProbeAddress> =
        world.snapshot.targets.iter().map(|target| &target.address).collect();
    let ip = |text: &str| ProbeAddress::Ip(text.parse().unwrap());
    assert_eq!(probed, [&ip("198.51.100.9"), &ip("192.0.2.2")]);
    world.set("a", Status::Down);
    assert_eq!(world.addresses(&question("www")), ["192.0.2.2"]);
}

#[test]
fn rule_06_a_name_has_one_policy() {
    failover()
        .name("two", "policy = \"p\", pool = \"us\"")
        .refused_for("either a policy or a pool");
    failover()
        .name("two", "policy = \"p\", A = \"192.0.2.9\"")
        .refused_for("A records beside a route");
    failover().name("www", "pool = \"us\"").errors();
    failover().name("WWW", "pool = \"us\"").refused_for("defined twice");
}

#[test]
fn rule_06_a_policy_is_of_one_kind() {
    let mixed = |kind, lines| failover().policy("mixed", kind, lines);
    mixed("weighted", "weights = { us = 1 }\ntargets = [\"eu\"]").refused_for("targets");
    mixed("failover", "targets = [\"us\"]\nweights = { eu = 1 }").refused_for("weights");
    mixed("failover", "targets = [\"us\"]\ndefault = \"eu\"").refused_for("default");
    mixed("geolocation", "default = \"us\"\nweights = { eu = 1 }").refused_for("weights");
}

#[test]
fn rule_06_pools_and_policies_mix_in_one_policy() {
    let world = failover()
        .pool("extra", "192.0.2.3")
        .policy("mixed", "weighted", "weights = { p = 1, extra = 1 }")
        .route("mixed", "mixed")
        .world();
    world.assert_shares(&question("mixed"), &[("192.0.2.1", 1), ("192.0.2.3", 1)]);
}

#[test]
fn rule_06_identifiers_are_unique_and_have_1_to_128_characters() {
    let named =
        |name: &str| Zone::new().pool(name, "192.0.2.1").name("www", &format!("pool = {name:?}"));
    assert_eq!(named(&"x".repeat(128)).world().addresses(&question("www")), ["192.0.2.1"]);
    named(&"x".repeat(129)).refused_for("cannot be the name of a pool");
    Zone::new().pool("\"\"", "192.0.2.1").refused_for("cannot be the name of a pool");
    failover().pool("us", "192.0.2.9").errors();
    failover().pool("p", "192.0.2.9").refused_for("both a pool and a policy");
}

/// A policy with this many pools as targets.
fn policy_of(pools: usize, kind: &str) -> Zone {
    let mut zone = Zone::new().unchecked("first", "192.0.2.1");
    let mut names = Vec::new();
    for pool in 0..pools {
        zone = zone.unchecked(&format!("p{pool}"), &format!("198.18.0.{pool}"));
        names.push(format!("p{pool}"));
    }
    let lines = match kind {
        "weighted" => format!("weights = {{ {} = 1 }}", names.join(" = 1, ")),
        "failover" => format!("targets = {names:?}"),
        _ => format!("continent.EU = [\"first\"]\ndefault = {names:?}"),
    };
    zone.policy("p", kind, &lines).route("www", "p").name("other", "pool = \"first\"")
}

#[test]
fn rule_07_a_policy_has_at_most_100_targets() {
    for kind in ["weighted", "failover"] {
        assert_eq!(policy_of(100, kind).world().addresses(&question("www")).len(), 1, "{kind}");
        policy_of(101, kind).refused_for("101 targets, 100 is the most");
    }
    // The places of a geolocation policy count as far as one client can come to them.
    assert_eq!(policy_of(99, "geolocation").world().addresses(&question("www")), ["198.18.0.0"]);
    policy_of(100, "geolocation").refused_for("101 targets, 100 is the most");
}

#[test]
fn rule_07_all_100_weighted_targets_can_be_drawn_and_dropped() {
    let mut zone = Zone::new();
    let mut weights = Vec::new();
    for pool in 0..100 {
        zone = zone.pool(&format!("p{pool}"), &format!("198.18.0.{pool}"));
        weights.push(format!("p{pool} = 255"));
    }
    let lines = format!("weights = {{ {} }}", weights.join(", "));
    let world = zone.policy("p", "weighted", &lines).route("www", "p").world();
    assert!(world.shares(&question("www")).len() == 100);
    let all_but_one: Vec<String> = (0..99).map(|pool| format!("p{pool}")).collect();
    world.only_down(&all_but_one.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(world.addresses(&question("www")), ["198.18.0.99"]);
}

#[test]
fn rule_07_a_pool_has_at_most_400_addresses() {
    let addresses = |count: usize| {
        let addresses = (0..count).map(|n| format!("198.18.{}.{}", n / 200, n % 200));
        addresses.collect::<Vec<_>>().join(" ")
    };
    let zone = |count| Zone::new().pool("a", &addresses(count)).name("www", "pool = \"a\"");
    let world = zone(400).world();
    assert_eq!(world.addresses(&question("www")).len(), 8, "eight of a pool at once (rule 41)");
    for endpoint in 0..399 {
        world.set_endpoint("a", endpoint, Status::Down);
    }
    assert_eq!(world.addresses(&question("www")), ["198.18.1.199"]);
    zone(401).refused_for("a pool may have 400 addresses, not 401");
}

#[test]
fn rule_08_types_of_a_name_are_independent() {
    let world = Zone::new()
        .pool("us", "192.0.2.1 2001:db8::1")
        .pool("eu", "192.0.2.2 2001:db8::2")
        .policy("p", "failover", "targets = [\"us\", \"eu\"]")
        .route("www", "p")
        .world();
    let (a, aaaa) = (question("www"), question("www").of(RecordType::AAAA));
    world.set_endpoint("us", 0, Status::Down);
    assert_eq!(world.addresses(&a), ["192.0.2.2"], "A is in failover");
    assert_eq!(world.addresses(&aaaa), ["2001:db8::1"], "AAAA is not");
    world.set_endpoint("us", 1, Status::Down);
    world.set_endpoint("us", 0, Status::Up);
    assert_eq!(world.addresses(&a), ["192.0.2.1"]);
    assert_eq!(world.addresses(&aaaa), ["2001:db8::2"]);
}

/// Documented in `policy::select`: a pool is not passed over for lacking the type, so that no choice falls on another
/// pool only because it has IPv6 as well.
#[test]
fn rule_08_a_pool_without_the_type_is_chosen_and_gives_nodata() {
    let world = Zone::new()
        .pool("us", "192.0.2.1")
        .pool("eu", "192.0.2.2 2001:db8::2")
        .policy("p", "failover", "targets = [\"us\", \"eu\"]")
        .route("www", "p")
        .world();
    let aaaa = question("www").of(RecordType::AAAA);
    assert!(world.ask(&aaaa).is_nodata());
    world.only_down(&["us"]);
    assert_eq!(world.addresses(&aaaa), ["2001:db8::2"], "passed over for its health");
    world.only_down(&["us", "eu"]);
    assert!(world.ask(&aaaa).is_nodata(), "rule 4 and the first again");
}

#[test]
fn rule_09_a_plain_rrset_is_answered_whole_in_random_order() {
    let world = Zone::new()
        .name("www", "A = [\"192.0.2.1\", \"192.0.2.2\", \"192.0.2.3\"]")
        .pool("same", "192.0.2.1")
        .name("same", "pool = \"same\"")
        .world();
    world.only_down(&["same"]);
    let www = question("www");
    let mut first = std::collections::BTreeMap::new();
    for seed in 0..3_000 {
        let reply = world.answer(&www, seed);
        assert_eq!(
            reply.addresses(),
            ["192.0.2.1", "192.0.2.2", "192.0.2.3"],
            "health is no matter"
        );
        *first.entry(reply.data()[0].clone()).or_insert(0) += 1;
    }
    println!("seeds 0 to 2999: {first:?}");
    let thirds = [("192.0.2.1", 1), ("192.0.2.2", 1), ("192.0.2.3", 1)];
    crate::harness::assert_fit(&first, &thirds);
}

#[test]
fn rule_09_the_endpoints_of_a_pool_take_turns() {
    let world = Zone::new()
        .unchecked("a", "192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4")
        .name("www", "pool = \"a\"")
        .world();
    let mut first = std::collections::BTreeMap::new();
    for seed in 0..3_000 {
        let reply = world.answer(&question("www"), seed);
        assert_eq!(reply.addresses().len(), 4);
        *first.entry(reply.data()[0].clone()).or_insert(0) += 1;
    }
    println!("seeds 0 to 2999: {first:?}");
    let quarters = [("192.0.2.1", 1), ("192.0.2.2", 1), ("192.0.2.3", 1), ("192.0.2.4", 1)];
    crate::harness::assert_fit(&first, &quarters);
}
