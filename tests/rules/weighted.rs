//! Rules 10 to 17: shares by weight.

use crate::harness::{World, Zone, question};

/// A weighted policy over checked pools `a`, `b`, … with these weights and the addresses 192.0.2.1, 192.0.2.2, …
fn zone_of(weights: &[u32]) -> Zone {
    let mut zone = Zone::new();
    let mut entries = Vec::new();
    for (name, (number, weight)) in ('a'..).zip((1..).zip(weights)) {
        zone = zone.pool(&name.to_string(), &format!("192.0.2.{number}"));
        entries.push(format!("{name} = {weight}"));
    }
    let lines = format!("weights = {{ {} }}", entries.join(", "));
    zone.policy("p", "weighted", &lines).route("www", "p")
}

fn world_of(weights: &[u32]) -> World {
    zone_of(weights).world()
}

/// Fails unless these pools get these shares when those are down.
#[track_caller]
fn assert_with_down(world: &World, down: &[&str], shares: &[(&str, u32)]) {
    world.only_down(down);
    world.assert_shares(&question("www"), shares);
}

#[test]
fn rule_10_a_share_is_the_weight_over_the_sum() {
    let world = world_of(&[1, 255]);
    assert_with_down(&world, &[], &[("192.0.2.1", 1), ("192.0.2.2", 255)]);
}

#[test]
fn rule_11_the_share_of_what_is_down_goes_to_the_others_in_proportion() {
    let world = world_of(&[10, 20, 20]);
    let all = [("192.0.2.1", 20), ("192.0.2.2", 40), ("192.0.2.3", 40)];
    assert_with_down(&world, &[], &all);
    assert_with_down(&world, &["c"], &[("192.0.2.1", 1), ("192.0.2.2", 2)]);
}

#[test]
fn rule_12_weight_0_beside_another_weight_is_never_returned() {
    let zone = Zone::new().unchecked("a", "192.0.2.1").unchecked("b", "192.0.2.2");
    let zone = zone.policy("p", "weighted", "weights = { a = 1, b = 0 }").route("www", "p");
    zone.world().assert_shares(&question("www"), &[("192.0.2.1", 1)]);
}

#[test]
fn rule_12_with_all_weights_0_shares_are_equal() {
    let world = world_of(&[0, 0, 0, 0]);
    let equal = [("192.0.2.1", 1), ("192.0.2.2", 1), ("192.0.2.3", 1), ("192.0.2.4", 1)];
    assert_with_down(&world, &[], &equal);
    assert_with_down(&world, &["b"], &[("192.0.2.1", 1), ("192.0.2.3", 1), ("192.0.2.4", 1)]);
}

#[test]
fn rule_13_weight_0_waits_until_nothing_else_is_up() {
    let world = world_of(&[10, 0]);
    assert_with_down(&world, &[], &[("192.0.2.1", 1)]);
    assert_with_down(&world, &["a"], &[("192.0.2.2", 1)]);
    let world = world_of(&[10, 20, 0, 0]);
    assert_with_down(&world, &["a", "b", "d"], &[("192.0.2.3", 1)]);
}

#[test]
fn rule_14_those_of_weight_0_share_equally_among_the_up_ones() {
    let world = world_of(&[10, 20, 0, 0, 0]);
    let zeros = [("192.0.2.3", 1), ("192.0.2.4", 1), ("192.0.2.5", 1)];
    assert_with_down(&world, &["a", "b"], &zeros);
    assert_with_down(&world, &["a", "b", "d"], &[("192.0.2.3", 1), ("192.0.2.5", 1)]);
}

#[test]
fn rule_15_with_all_down_weight_0_waits_again() {
    let world = world_of(&[10, 0]);
    assert_with_down(&world, &["a", "b"], &[("192.0.2.1", 1)]);
}

#[test]
fn rule_16_without_a_check_a_weighted_record_keeps_weight_0_waiting() {
    let zone = Zone::new().unchecked("a", "192.0.2.1").pool("b", "192.0.2.2");
    let zone = zone.policy("p", "weighted", "weights = { a = 10, b = 0 }").route("www", "p");
    zone.world().assert_shares(&question("www"), &[("192.0.2.1", 1)]);
}

#[test]
fn rule_17_a_weight_is_an_integer_from_0_to_255() {
    let weight = |text: &str| {
        let lines = format!("weights = {{ a = {text} }}");
        Zone::new().unchecked("a", "192.0.2.1").policy("p", "weighted", &lines).route("www", "p")
    };
    for text in ["-1", "256", "1.5", "\"10\"", "true", "99999999999"] {
        weight(text).refused_for("must be an integer from 0 to 255");
    }
    for text in ["0", "1", "255"] {
        assert_eq!(weight(text).world().addresses(&question("www")), ["192.0.2.1"], "{text}");
    }
    weight("1, a = 2").errors();
    weight("1, nobody = 2").refused_for("there is no pool or policy `nobody`");
}

/// The TTL belongs to the name, so that the members of a set cannot differ in it.
#[test]
fn rule_17_members_of_a_weighted_policy_share_one_ttl() {
    let policy = "weights = { a = 1, b = 1 }";
    let pools = Zone::new().pool("a", "192.0.2.1").pool("b", "192.0.2.2");
    let with_ttl = format!("{policy}\nttl = \"60s\"");
    pools
        .clone()
        .policy("p", "weighted", &with_ttl)
        .refused_for("the TTL is set where a name uses");
    let zone = pools.policy("p", "weighted", policy).name("www", "policy = \"p\", ttl = \"47s\"");
    let world = zone.route("plain", "p").world();
    for seed in 0..16 {
        assert_eq!(world.answer(&question("www"), seed).ttls(), [47]);
        assert_eq!(world.answer(&question("plain"), seed).ttls(), [300], "the zone's");
    }
}
