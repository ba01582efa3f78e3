//! Rule B2: what a policy comes to with everything below it down.

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use hickory_proto::rr::rdata::opt::EdnsCode;

use crate::harness::{NOWHERE, Question, Reply, World, Zone, home, question};
use crate::subnet::explained;

fn pools() -> Zone {
    Zone::new()
        .pool("a", "192.0.2.1")
        .pool("b", "192.0.2.2")
        .pool("c", "192.0.2.3")
        .pool("last", "192.0.2.9")
}

fn top(all_down: &str) -> World {
    let lines = format!("targets = [\"a\", \"b\"]\nall_down = {all_down:?}");
    pools().policy("p", "failover", &lines).route("www", "p").world()
}

fn with_down(world: &World, down: &[&str]) -> Reply {
    world.only_down(down);
    world.ask(&question("www").client(&home("FR")))
}

#[track_caller]
fn assert_servfail(reply: &Reply) {
    assert_eq!(reply.rcode(), ResponseCode::ServFail);
    assert!(reply.message.answers.is_empty() && reply.message.authorities.is_empty());
}

#[test]
fn rule_b2_ignore_health_is_the_default() {
    let world = top("ignore-health");
    assert_eq!(with_down(&world, &["a", "b"]).addresses(), ["192.0.2.1"]);
    assert_eq!(with_down(&world, &["a"]).addresses(), ["192.0.2.2"]);
}

#[test]
fn rule_b2_nodata() {
    let world = top("nodata");
    assert!(with_down(&world, &["a", "b"]).is_nodata());
    assert_eq!(with_down(&world, &["a"]).addresses(), ["192.0.2.2"]);
}

#[test]
fn rule_b2_servfail_says_why() {
    let world = top("servfail");
    let reply = with_down(&world, &["a", "b"]);
    assert_servfail(&reply);
    let edns = reply.message.edns.as_ref().unwrap();
    let error = edns.option(EdnsCode::from(15)).expect("an extended error");
    let error = Vec::<u8>::try_from(error).unwrap();
    assert_eq!(error, b"\x00\x00no endpoint is up, and the zone says to fail then");
    assert_eq!(reply.scope(), 0);
    assert_eq!(with_down(&world, &["a"]).addresses(), ["192.0.2.2"]);
    world.only_down(&["a", "b"]);
    let without_edns = Question { payload: None, ..question("www") };
    assert_servfail(&world.ask(&without_edns));
}

#[test]
fn rule_b2_a_pool_of_last_resort_whatever_its_health() {
    let world = top("last");
    assert_eq!(with_down(&world, &["a", "b"]).addresses(), ["192.0.2.9"]);
    let reply = with_down(&world, &["a", "b", "last"]);
    assert_eq!(reply.addresses(), ["192.0.2.9"]);
    assert_eq!(reply.outcome.pool.map(|(_, _, is_last_resort)| is_last_resort), Some(true));
    assert_eq!(with_down(&world, &["b", "last"]).addresses(), ["192.0.2.1"]);
}

/// A policy over `inner`, over `a` and `b`, and `c`.
fn nested(inner: &str, outer: &str) -> World {
    pools()
        .policy("inner", "failover", &format!("targets = [\"a\", \"b\"]\n{inner}"))
        .policy("p", "failover", &format!("targets = [\"inner\", \"c\"]\n{outer}"))
        .policy("unused", "failover", "targets = [\"last\"]")
        .route("www", "p")
        .route("other", "unused")
        .world()
}

#[test]
fn rule_b2_a_nested_policy_that_is_down_is_passed_over_by_its_parent() {
    for all_down in ["nodata", "servfail", "last"] {
        let world = nested(&format!("all_down = {all_down:?}"), "");
        assert_eq!(with_down(&world, &["a", "b"]).addresses(), ["192.0.2.3"], "{all_down}");
        let reply = with_down(&world, &["a", "b", "c"]);
        assert_eq!(reply.addresses(), ["192.0.2.1"], "{all_down}: the top's decision is rule 4");
    }
}

#[test]
fn rule_b2_with_its_health_not_evaluated_the_decision_is_its_own() {
    let inner = |all_down: &str| format!("all_down = {all_down:?}\nevaluate_health = false");
    let world = nested(&inner("nodata"), "all_down = \"servfail\"");
    assert!(with_down(&world, &["a", "b"]).is_nodata());
    assert!(with_down(&world, &["a", "b", "c"]).is_nodata());
    assert_servfail(&with_down(&nested(&inner("servfail"), ""), &["a", "b"]));
    assert_eq!(with_down(&nested(&inner("last"), ""), &["a", "b"]).addresses(), ["192.0.2.9"]);
}

#[test]
fn rule_b2_the_top_decides_for_the_whole_tree() {
    let world = nested("", "all_down = \"servfail\"");
    assert_eq!(with_down(&world, &["a", "b"]).addresses(), ["192.0.2.3"]);
    assert_servfail(&with_down(&world, &["a", "b", "c"]));
}

/// Rule 26 is not about health: who is in none of the places gets no data, whatever `all_down` says.
#[test]
fn rule_b2_a_client_of_no_place_has_nothing_that_is_down() {
    for all_down in ["servfail", "last"] {
        let lines = format!("country.FR = \"a\"\nall_down = {all_down:?}");
        let world = pools().policy("p", "geolocation", &lines).route("www", "p").world();
        world.only_down(&["a"]);
        for client in [home("DE"), NOWHERE.to_owned()] {
            assert!(world.ask(&question("www").client(&client)).is_nodata(), "{all_down}");
        }
        let reply = world.ask(&question("www").client(&home("FR")));
        assert!(reply.addresses() == ["192.0.2.9"] || reply.rcode() == ResponseCode::ServFail);
    }
}

#[test]
fn rule_b2_explain_tells_what_was_decided() {
    for (all_down, told) in
        [("servfail", "SERVFAIL"), ("nodata", "no data"), ("last", "the pool last")]
    {
        let world = top(all_down);
        world.only_down(&["a", "b"]);
        let story = explained(&world, None, "192.0.2.200").to_string();
        let line = format!("nothing is up: `all_down` of the policy p says {told}");
        assert!(story.contains(&line) && !story.contains("file was refused"), "{story}");
    }
}

#[test]
fn rule_b2_after_an_alias_the_chain_stays_and_the_code_is_of_its_end() {
    let lines = "targets = [\"a\"]\nall_down = \"servfail\"";
    let zone = pools().policy("p", "failover", lines).route("end", "p");
    let world = zone.name("www", "CNAME = \"end\"").world();
    let reply = with_down(&world, &["a"]);
    assert_eq!(reply.rcode(), ResponseCode::ServFail, "RFC 6604 §3");
    assert_eq!(reply.data(), ["end.example.com."]);
    let ipv6 = world.ask(&question("www").of(RecordType::AAAA));
    assert_eq!(ipv6.rcode(), ResponseCode::ServFail, "a pool without the type counts all of its");
}

#[test]
fn rule_b2_what_all_down_may_say() {
    let policy = |all_down: &str| {
        let lines = format!("targets = [\"a\"]\nall_down = {all_down}");
        pools().policy("p", "failover", &lines).route("www", "p")
    };
    policy("\"nodat\"").refused_for("there is no pool `nodat` | did you mean `nodata`?");
    policy("\"nobody\"").refused_for("defined here: `ignore-health`, `nodata`, `servfail`, `a`");
    policy("\"p\"").refused_for("`p` is a policy, and `all_down` takes a pool");
    policy("true").refused_for("`all_down` must be \"ignore-health\", \"nodata\"");
    let alias = policy("\"alias\"").section("pool.alias", "cname = \"lb.example.net.\"");
    alias.refused_for("may become a CNAME or addresses");
}
