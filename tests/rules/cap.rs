//! RELIABILITY §5.7: the soonest possible change of what the selection looked at caps the TTL of the answer.

use std::time::Duration;

use hickory_proto::op::ResponseCode;
use meridian::health::{Horizon, Status};

use crate::harness::{Question, World, Zone, home, question};
use crate::subnet::explained;

fn horizon(seconds: u64) -> Horizon {
    Horizon::within(Duration::from_secs(seconds))
}

impl World {
    /// A status that could change within so many seconds.
    fn set_within(&self, pool: &str, status: Status, seconds: u64) {
        for target in self.targets_of(pool) {
            self.view.set_until(target, status, horizon(seconds));
        }
    }

    fn ttl(&self, question: &Question) -> u32 {
        let ttls = self.ask(question).ttls();
        assert_eq!(ttls.len(), 1, "{ttls:?}");
        ttls[0]
    }
}

/// `www` is `us`, and `eu` with that down; TTL 5 minutes.
fn failover(lines: &str) -> World {
    Zone::new()
        .pool("us", "192.0.2.1 192.0.2.2")
        .pool("eu", "192.0.2.3")
        .pool("far", "192.0.2.4")
        .policy("f", "failover", &format!("targets = [\"us\", \"eu\", \"far\"]\n{lines}"))
        .route("www", "f")
        .world()
}

#[test]
fn rule_50_the_soonest_change_of_what_was_looked_at_caps_the_ttl() {
    let world = failover("");
    assert_eq!(world.ttl(&question("www")), 300, "nothing is known to change");
    world.set_within("us", Status::Up, 20);
    world.set_within("eu", Status::Up, 10);
    assert_eq!(world.ttl(&question("www")), 20, "eu was not looked at");
    let second = world.targets_of("us")[1];
    world.view.set_until(second, Status::Up, horizon(9));
    assert_eq!(world.ttl(&question("www")), 9, "one endpoint of two");
    world.set_within("us", Status::Down, 60);
    assert_eq!(world.ttl(&question("www")), 10, "us was passed over, and may come back later");
    world.set_within("us", Status::Down, 8);
    assert_eq!(world.ttl(&question("www")), 8, "or sooner");
    world.set_within("us", Status::Up, 7200);
    assert_eq!(world.ttl(&question("www")), 300, "never above its own");
}

#[test]
fn rule_50_the_cap_has_a_floor() {
    let world = failover("");
    for soon in [0, 1, 4] {
        world.set_within("us", Status::Up, soon);
        assert_eq!(world.ttl(&question("www")), 5);
    }
    for (floor, ttl) in [("0s", 1), ("30s", 30), ("1h", 300)] {
        let source =
            Zone::new().pool("us", "192.0.2.1").policy("f", "failover", "targets = [\"us\"]");
        let source = source.route("www", "f").source();
        let text = format!("ttl_floor = \"{floor}\"\n{}", source.text);
        let source = meridian::config::Source::new("example.com.toml", &text, 1_700_000_000);
        let world = Zone::world_of(&source);
        world.set_within("us", Status::Up, 1);
        assert_eq!(world.ttl(&question("www")), ttl, "floor {floor}");
    }
}

#[test]
fn rule_50_a_last_resort_is_capped_as_well() {
    let world = failover("");
    for (pool, seconds) in [("us", 50), ("eu", 12), ("far", 40)] {
        world.set_within(pool, Status::Down, seconds);
    }
    let reply = world.ask(&question("www"));
    assert_eq!((reply.ttls(), reply.addresses().len()), (vec![12], 2));
}

#[test]
fn rule_50_nothing_because_of_health_is_denied_for_no_longer() {
    let world = failover("all_down = \"nodata\"");
    for pool in ["us", "eu", "far"] {
        world.set_within(pool, Status::Down, 7);
    }
    let reply = world.ask(&question("www"));
    assert!(reply.is_nodata());
    assert_eq!(reply.message.authorities[0].ttl, 7);
    let never = world.ask(&question("www").of(hickory_proto::rr::RecordType::MX));
    assert!(never.is_nodata());
    assert!(never.message.authorities[0].ttl > 7, "no state of health has an MX");
    let failing = failover("all_down = \"servfail\"");
    for pool in ["us", "eu", "far"] {
        failing.set_within(pool, Status::Down, 7);
    }
    assert_eq!(failing.ask(&question("www")).rcode(), ResponseCode::ServFail);
}

#[test]
fn rule_50_what_is_not_chosen_is_not_capped() {
    let world = failover("");
    for pool in ["us", "eu", "far"] {
        world.set_within(pool, Status::Up, 0);
    }
    assert_eq!(world.ttl(&question("ns1")), 300);
}

/// Rule B9: the scope is the same whatever the horizon.
#[test]
fn rule_b9_the_cap_does_not_move_the_scope() {
    let world = Zone::new()
        .pool("us", "192.0.2.1")
        .pool("d", "192.0.2.2")
        .policy("g", "geolocation", "country.US = \"us\"\ndefault = \"d\"")
        .route("www", "g")
        .world();
    let client = question("www").client(&home("US"));
    let scope = world.ask(&client).scope();
    world.set_within("us", Status::Up, 6);
    let reply = world.ask(&client);
    assert_eq!((reply.scope(), reply.ttls()), (scope, vec![6]));
}

#[test]
fn rule_50_a_floor_is_at_most_a_day() {
    let zone = Zone::new().pool("us", "192.0.2.1").name("www", "pool = \"us\"").source();
    for (floor, is_sound) in [("1d", true), ("25h", false), ("5", false)] {
        let text = format!("ttl_floor = \"{floor}\"\n{}", zone.text);
        let source = meridian::config::Source::new("example.com.toml", &text, 1_700_000_000);
        assert_eq!(meridian::config::compile_zone(&source).is_ok(), is_sound, "{floor}");
    }
}

#[test]
fn rule_50_an_explanation_says_what_capped_the_ttl() {
    let world = failover("");
    let source = || explained(&world, None, "192.0.2.200").ttl_from.unwrap();
    assert_eq!(source(), "the name's ttl");
    world.set_within("us", Status::Down, 60);
    world.set_within("eu", Status::Up, 10);
    let expected = "capped by the soonest change of 192.0.2.3 of the pool eu, in 10 s (floor 5 s)";
    assert_eq!(source(), expected);
}
