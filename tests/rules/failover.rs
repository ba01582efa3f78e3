//! Rules 18 to 23 and B1: the first target that is up.

use crate::harness::{World, Zone, question};

fn pools() -> Zone {
    Zone::new().pool("p", "192.0.2.1").pool("s", "192.0.2.2").pool("t", "192.0.2.3")
}

fn world_of(zone: Zone, targets: &str) -> World {
    zone.policy("f", "failover", &format!("targets = {targets}")).route("www", "f").world()
}

#[track_caller]
fn assert_with_down(world: &World, down: &[&str], addresses: &[&str]) {
    world.only_down(down);
    for seed in 0..64 {
        assert_eq!(world.answer(&question("www"), seed).addresses(), addresses, "down: {down:?}");
    }
}

#[test]
fn rule_18_a_target_stands_in_a_list_once() {
    let twice = pools().policy("f", "failover", "targets = [\"p\", \"s\", \"p\"]");
    twice.route("www", "f").refused_for("the target `p` stands in this list twice");
    let both = pools().policy("f", "failover", "targets = [\"p\"]\nweights = { s = 1 }");
    both.route("www", "f").refused_for("weights");
    pools().policy("f", "failover", "").refused_for("has no targets");
    pools().policy("f", "failover", "targets = []").route("www", "f").errors();
}

#[test]
fn rule_19_primary_then_secondary_then_primary() {
    let world = world_of(pools(), "[\"p\", \"s\"]");
    assert_with_down(&world, &[], &["192.0.2.1"]);
    assert_with_down(&world, &["s"], &["192.0.2.1"]);
    assert_with_down(&world, &["p"], &["192.0.2.2"]);
    assert_with_down(&world, &["p", "s"], &["192.0.2.1"]);
}

#[test]
fn rule_20_a_side_without_a_check_is_always_up() {
    let world = world_of(pools().unchecked("free", "192.0.2.9"), "[\"p\", \"free\"]");
    assert_with_down(&world, &[], &["192.0.2.1"]);
    assert_with_down(&world, &["p"], &["192.0.2.9"]);
    let world = world_of(pools().unchecked("free", "192.0.2.9"), "[\"free\", \"s\"]");
    assert_with_down(&world, &[], &["192.0.2.9"]);
    assert_with_down(&world, &["s"], &["192.0.2.9"]);
}

#[test]
fn rule_21_either_side_may_be_a_tree() {
    let trees = pools()
        .pool("u", "192.0.2.4")
        .policy("first", "weighted", "weights = { p = 1, s = 0 }")
        .policy("second", "failover", "targets = [\"t\", \"u\"]");
    let world = world_of(trees, "[\"first\", \"second\"]");
    assert_with_down(&world, &[], &["192.0.2.1"]);
    assert_with_down(&world, &["p"], &["192.0.2.2"]);
    assert_with_down(&world, &["p", "s"], &["192.0.2.3"]);
    assert_with_down(&world, &["p", "s", "t"], &["192.0.2.4"]);
}

/// Route 53 insists on evaluated health for the sides of a failover; here it is what a policy has unless it says no.
#[test]
fn rule_21_health_of_a_side_is_evaluated_by_default() {
    let sided = |more: &str| {
        let zone = pools().policy("side", "failover", &format!("targets = [\"p\"]\n{more}"));
        world_of(zone, "[\"side\", \"s\"]")
    };
    assert_with_down(&sided(""), &["p"], &["192.0.2.2"]);
    assert_with_down(&sided("evaluate_health = true"), &["p"], &["192.0.2.2"]);
    assert_with_down(&sided("evaluate_health = false"), &["p"], &["192.0.2.1"]);
}

#[test]
fn rule_22_a_primary_tree_holds_as_long_as_it_has_a_member_up() {
    let tree = pools().policy("tree", "weighted", "weights = { p = 200, t = 1 }");
    let world = world_of(tree, "[\"tree\", \"s\"]");
    assert_with_down(&world, &["p"], &["192.0.2.3"]);
    assert_with_down(&world, &["t"], &["192.0.2.1"]);
    assert_with_down(&world, &["p", "t"], &["192.0.2.2"]);
}

#[test]
fn rule_23_with_both_trees_down_the_primary_tree_answers_by_its_policy() {
    let trees = pools()
        .pool("u", "192.0.2.4")
        .policy("first", "weighted", "weights = { p = 3, s = 1 }")
        .policy("second", "weighted", "weights = { t = 1, u = 1 }");
    let world = world_of(trees, "[\"first\", \"second\"]");
    world.only_down(&["p", "s", "t", "u"]);
    world.assert_shares(&question("www"), &[("192.0.2.1", 3), ("192.0.2.2", 1)]);
}

#[test]
fn rule_b1_a_list_has_any_number_of_targets() {
    let mut zone = Zone::new();
    let names: Vec<String> = (1..=100).map(|n| format!("n{n}")).collect();
    for (number, name) in (1..).zip(&names) {
        zone = zone.pool(name, &format!("198.18.0.{number}"));
    }
    let world = world_of(zone, &format!("{names:?}"));
    for down in [0, 1, 2, 50, 99] {
        let down: Vec<&str> = names[..down].iter().map(String::as_str).collect();
        let expected = format!("198.18.0.{}", down.len() + 1);
        assert_with_down(&world, &down, &[&expected]);
    }
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_with_down(&world, &all, &["198.18.0.1"]);
}

#[test]
fn rule_b1_a_list_is_a_failover_wherever_a_target_may_stand() {
    let zone = pools().policy("g", "geolocation", "default = [\"p\", \"s\", \"t\"]");
    let world = zone.route("www", "g").world();
    assert_with_down(&world, &[], &["192.0.2.1"]);
    assert_with_down(&world, &["p"], &["192.0.2.2"]);
    assert_with_down(&world, &["p", "s"], &["192.0.2.3"]);
    assert_with_down(&world, &["p", "s", "t"], &["192.0.2.1"]);
}
