//! Rule B6: equal turns among the targets that are up.

use crate::harness::{Zone, home, question};
use crate::subnet::explained;

fn three() -> Zone {
    Zone::new()
        .pool("a", "192.0.2.1")
        .pool("b", "192.0.2.2")
        .pool("c", "192.0.2.3")
        .policy("p", "round-robin", "targets = [\"a\", \"b\", \"c\"]")
        .route("www", "p")
}

#[test]
fn rule_b6_each_target_that_is_up_gets_an_equal_share() {
    let world = three().world();
    let all = [("192.0.2.1", 1), ("192.0.2.2", 1), ("192.0.2.3", 1)];
    world.assert_shares(&question("www"), &all);
    world.only_down(&["b"]);
    world.assert_shares(&question("www"), &[("192.0.2.1", 1), ("192.0.2.3", 1)]);
    world.only_down(&["a", "b"]);
    world.assert_shares(&question("www"), &[("192.0.2.3", 1)]);
    world.only_down(&["a", "b", "c"]);
    world.assert_shares(&question("www"), &all);
}

#[test]
fn rule_b6_a_policy_takes_its_turn_as_one_target() {
    let zone = three()
        .policy("q", "round-robin", "targets = [\"p\", \"d\"]")
        .pool("d", "192.0.2.4")
        .route("nested", "q");
    let world = zone.world();
    world.only_down(&["c"]);
    let shares = [("192.0.2.1", 1), ("192.0.2.2", 1), ("192.0.2.4", 2)];
    world.assert_shares(&question("nested"), &shares);
}

#[test]
fn rule_b6_turns_tell_nobody_apart_and_explain_says_how_they_were_drawn() {
    let world = three().world();
    world.only_down(&["a", "b"]);
    assert_eq!(world.ask(&question("www").client(&home("FR"))).scope(), 0);
    let story = explained(&world, None, "192.0.2.200").to_string();
    assert!(story.contains("policy p (round-robin)"), "{story}");
    assert!(story.contains("drew c, weight 1 of "), "{story}");
}

#[test]
fn rule_b6_a_list_of_targets_and_nothing_else() {
    let pools = Zone::new().pool("a", "192.0.2.1").pool("b", "192.0.2.2");
    let policy = |lines: &str| pools.clone().policy("p", "round-robin", lines).route("www", "p");
    policy("").refused_for("the policy `p` has no targets");
    policy("targets = []").refused_for("`targets` is empty");
    policy("targets = [\"a\", \"a\"]").refused_for("stands in this list twice");
    policy("targets = [\"a\", \"x\"]").refused_for("there is no pool or policy `x`");
    policy("targets = [\"a\"]\nweights = { b = 1 }").refused_for("`weights` belongs to");
    let other = pools.policy("p", "rr", "targets = [\"a\", \"b\"]").route("www", "p");
    other.refused_for("did you mean `round-robin`?");
}
