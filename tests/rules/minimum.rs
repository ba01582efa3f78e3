//! Rule B3: how many endpoints must be up for a pool to count as up.

use hickory_proto::rr::RecordType;
use meridian::health::Status;

use crate::harness::{World, Zone, question};
use crate::subnet::explained;

const CHECKED: &str = "check = \"web\"";

fn zone_of(min_up: &str, addresses: &str) -> Zone {
    Zone::new()
        .pool_with("a", addresses, &format!("{CHECKED}\nmin_up = {min_up}"))
        .pool("b", "192.0.2.9 2001:db8::9")
        .policy("f", "failover", "targets = [\"a\", \"b\"]")
        .route("www", "f")
}

const THREE: &str = "192.0.2.1 192.0.2.2 192.0.2.3";

/// The addresses with so many endpoints of `a` down.
fn with_down(world: &World, down: usize) -> Vec<String> {
    for endpoint in 0..3 {
        let status = if endpoint < down { Status::Down } else { Status::Up };
        world.set_endpoint("a", endpoint, status);
    }
    world.addresses(&question("www"))
}

#[test]
fn rule_b3_a_pool_with_fewer_up_counts_as_down() {
    let two = zone_of("2", THREE).world();
    assert_eq!(with_down(&two, 0).len(), 3);
    assert_eq!(with_down(&two, 1), ["192.0.2.2", "192.0.2.3"]);
    assert_eq!(with_down(&two, 2), ["192.0.2.9"]);
    assert_eq!(with_down(&zone_of("1", THREE).world(), 2), ["192.0.2.3"]);
    assert_eq!(with_down(&zone_of("3", THREE).world(), 1), ["192.0.2.9"]);
}

#[test]
fn rule_b3_a_share_is_of_the_endpoints_of_the_pool() {
    for (share, least) in
        [("1%", 1), ("33%", 1), ("34%", 2), ("50%", 2), ("66%", 2), ("67%", 3), ("100%", 3)]
    {
        let world = zone_of(&format!("{share:?}"), THREE).world();
        for up in 0..=3 {
            let is_a = with_down(&world, 3 - up) != ["192.0.2.9"];
            assert_eq!(is_a, up >= least, "{share} with {up} of 3 up");
        }
    }
}

#[test]
fn rule_b3_rule_4_still_hands_out_what_there_is() {
    let world = zone_of("2", THREE).world();
    world.only_down(&["b"]);
    assert_eq!(with_down(&world, 2), ["192.0.2.3"], "what is up of it");
    assert_eq!(with_down(&world, 3), ["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
    let reply = world.ask(&question("www"));
    assert_eq!(reply.outcome.pool.map(|(_, _, is_last_resort)| is_last_resort), Some(true));
}

#[test]
fn rule_b3_each_type_is_counted_for_itself() {
    let world = zone_of("2", "192.0.2.1 192.0.2.2 2001:db8::1 2001:db8::2").world();
    world.set_endpoint("a", 0, Status::Down);
    assert_eq!(world.addresses(&question("www")), ["192.0.2.9"]);
    let ipv6 = world.addresses(&question("www").of(RecordType::AAAA));
    assert_eq!(ipv6, ["2001:db8::1", "2001:db8::2"]);
}

#[test]
fn rule_b3_explain_tells_the_minimum() {
    let world = zone_of("\"67%\"", THREE).world();
    world.set_endpoint("a", 1, Status::Down);
    let story = explained(&world, None, "192.0.2.200").to_string();
    let told =
        "pool a (min_up 67%) passed over: 192.0.2.1 not known yet, counts as up; 192.0.2.2 down";
    assert!(story.contains(told), "{story}");
}

#[test]
fn rule_b3_a_minimum_that_means_nothing_is_refused() {
    for text in ["0", "-1", "1.5", "\"2\"", "\"0%\"", "\"101%\"", "\"%\"", "true", "70000"] {
        zone_of(text, THREE).refused_for("`min_up` must be a number of endpoints such as 2");
    }
    zone_of("4", THREE).refused_for("the pool `a` would never be up for A");
    zone_of("2", "192.0.2.1 192.0.2.2 2001:db8::1").refused_for("would never be up for AAAA");
    let set = zone_of("2", THREE).policy("m", "multivalue", "targets = [\"a\"]").route("m", "m");
    set.refused_for("`a` has a `min_up`");
}
