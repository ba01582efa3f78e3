//! Rules 41 and 42: the endpoints of several pools as one set.

use std::collections::BTreeMap;

use hickory_proto::rr::RecordType;
use meridian::health::Status;

use crate::harness::{DRAWS, SEED, World, Zone, assert_fit, home, question};
use crate::subnet::explained;

fn addresses(numbers: std::ops::RangeInclusive<u8>) -> Vec<String> {
    let mut addresses: Vec<String> = numbers.map(|number| format!("192.0.2.{number}")).collect();
    addresses.sort();
    addresses
}

/// A multivalue policy over the pools `a`, with 192.0.2.1 and so on, and `b`, with 192.0.2.101 and so on.
fn world_of(a: u8, b: u8) -> World {
    Zone::new()
        .pool("a", &addresses(1..=a).join(" "))
        .pool("b", &addresses(101..=100 + b).join(" "))
        .policy("p", "multivalue", "targets = [\"a\", \"b\"]")
        .route("www", "p")
        .world()
}

#[track_caller]
fn assert_always(world: &World, expected: &[String]) {
    let mut expected = expected.to_vec();
    expected.sort();
    for seed in 0..32 {
        assert_eq!(world.answer(&question("www"), seed).addresses(), expected, "seed {seed}");
    }
}

#[test]
fn rule_41_up_to_8_that_are_up_are_all_handed_out() {
    let world = world_of(4, 4);
    assert_always(&world, &[addresses(1..=4), addresses(101..=104)].concat());
    world.only_down(&["a"]);
    assert_always(&world, &addresses(101..=104));
    world.set_endpoint("a", 2, Status::Up);
    assert_always(&world, &[addresses(3..=3), addresses(101..=104)].concat());
    let world = world_of(5, 4);
    world.set_endpoint("b", 0, Status::Down);
    assert_always(&world, &[addresses(1..=5), addresses(102..=104)].concat());
}

/// Of ten, any two may be left out: a window that turns would leave out neighbours only.
#[test]
fn rule_41_of_more_than_8_each_choice_of_8_is_as_likely() {
    for down in [&[][..], &["a", "b"]] {
        let world = world_of(5, 5);
        world.only_down(down);
        let shares = world.shares(&question("www"));
        assert!(shares.keys().all(|set| set.split(' ').count() == 8));
        assert_eq!(shares.len(), 45, "pairs of ten: {down:?}");
        let expected = f64::from(DRAWS) / 45.0;
        let seen = shares.values().map(|count| (f64::from(*count) - expected).powi(2) / expected);
        // One of a thousand random tables with 44 degrees of freedom is above.
        assert!(seen.sum::<f64>() < 78.75, "{shares:?}");
    }
    let world = world_of(4, 5);
    let all = [addresses(1..=4), addresses(101..=105)].concat();
    let without = |left_out: &String| {
        let mut set: Vec<&str> =
            all.iter().filter(|one| *one != left_out).map(String::as_str).collect();
        set.sort_unstable();
        set.join(" ")
    };
    let sets: Vec<String> = all.iter().map(without).collect();
    let weights: Vec<(&str, u32)> = sets.iter().map(|set| (set.as_str(), 1)).collect();
    world.assert_shares(&question("www"), &weights);
}

#[test]
fn rule_41_with_all_down_up_to_8_are_handed_out_as_if_up() {
    let world = world_of(3, 2);
    world.only_down(&["a", "b"]);
    assert_always(&world, &[addresses(1..=3), addresses(101..=102)].concat());
    let reply = world.ask(&question("www"));
    assert_eq!(reply.outcome.pool.map(|(_, _, is_last_resort)| is_last_resort), Some(true));
}

/// The first record is what many clients take.
#[test]
fn rule_41_every_endpoint_is_first_as_often() {
    let world = world_of(3, 2);
    let mut firsts: BTreeMap<String, u32> = BTreeMap::new();
    for seed in 0..u64::from(DRAWS) {
        let reply = world.answer(&question("www"), SEED.wrapping_add(seed));
        *firsts.entry(reply.data()[0].clone()).or_insert(0) += 1;
    }
    println!("seeds from {SEED:#x}: {firsts:?}");
    let all = [addresses(1..=3), addresses(101..=102)].concat();
    let weights: Vec<(&str, u32)> = all.iter().map(|address| (address.as_str(), 1)).collect();
    assert_fit(&firsts, &weights);
}

#[test]
fn rule_41_a_set_without_anything_up_is_passed_over() {
    let zone = Zone::new()
        .pool("a", "192.0.2.1")
        .pool("b", "192.0.2.2 2001:db8::2")
        .pool("c", "192.0.2.3")
        .policy("p", "multivalue", "targets = [\"a\", \"b\"]")
        .policy("f", "failover", "targets = [\"p\", \"c\"]")
        .route("www", "f");
    let world = zone.world();
    assert_eq!(world.addresses(&question("www")), ["192.0.2.1", "192.0.2.2"]);
    world.only_down(&["a", "b"]);
    assert_eq!(world.addresses(&question("www")), ["192.0.2.3"]);
    // Health counts over the endpoints of the type (rule 8), in all pools of the set.
    world.set_endpoint("b", 1, Status::Up);
    assert_eq!(world.addresses(&question("www")), ["192.0.2.3"]);
    assert_eq!(world.addresses(&question("www").of(RecordType::AAAA)), ["2001:db8::2"]);
}

#[test]
fn rule_41_the_set_tells_nobody_apart_and_explain_tells_its_pools() {
    let world = world_of(1, 1);
    world.only_down(&["b"]);
    assert_eq!(world.ask(&question("www").client(&home("FR"))).scope(), 0);
    let explanation = explained(&world, None, "192.0.2.200");
    assert_eq!(explanation.pool.as_deref(), Some("p"));
    let story = explanation.to_string();
    let told = "all pools of p (a, b) as one set taken: 192.0.2.1 up; 192.0.2.101 down";
    assert!(story.contains("policy p (multivalue)") && story.contains(told), "{story}");
}

#[test]
fn rule_42_without_a_check_an_endpoint_is_up() {
    let zone = Zone::new()
        .unchecked("a", "192.0.2.1")
        .pool("b", "192.0.2.2")
        .policy("p", "multivalue", "targets = [\"a\", \"b\"]")
        .route("www", "p");
    let world = zone.world();
    world.only_down(&["b"]);
    assert_eq!(world.addresses(&question("www")), ["192.0.2.1"]);
}

#[test]
fn rule_42_pools_of_addresses_and_nothing_else() {
    let pools = Zone::new()
        .pool("a", "192.0.2.1 192.0.2.2")
        .pool("again", "192.0.2.2")
        .section("pool.alias", "cname = \"lb.example.net.\"")
        .policy("inner", "failover", "targets = [\"a\"]");
    let policy = |targets: &str| {
        let lines = format!("targets = {targets}");
        pools.clone().policy("p", "multivalue", &lines).route("www", "p")
    };
    policy("[\"a\", \"inner\"]").refused_for("`inner` is a policy, and a multivalue policy takes");
    policy("[\"a\", \"alias\"]")
        .refused_for("`alias` is a CNAME, and a multivalue policy takes none");
    policy("[\"a\", \"a\"]").refused_for("the target `a` stands in this list twice");
    policy("[\"a\", \"again\"]").refused_for("`192.0.2.2` is in the pools `a` and `again`");
    policy("[\"a\", \"x\"]").refused_for("there is no pool or policy `x`");
    policy("[]").refused_for("`targets` is empty");
    assert_eq!(policy("\"a\"").world().addresses(&question("www")), addresses(1..=2));
}

#[test]
fn rule_42_a_set_has_no_more_endpoints_than_a_pool() {
    let pool = |third: u8, count: u8| {
        let each = (0..count).map(|last| format!("198.51.{third}.{}", last + 1));
        each.collect::<Vec<_>>().join(" ")
    };
    let zone = |last: u8| {
        Zone::new()
            .pool("a", &pool(1, 200))
            .pool("b", &pool(2, last))
            .policy("p", "multivalue", "targets = [\"a\", \"b\"]")
            .route("www", "p")
    };
    zone(201).refused_for("the pools of the policy `p` have 401 endpoints, 400 is the most");
    assert_eq!(zone(200).world().addresses(&question("www")).len(), 8);
}
