//! What operators set goes before health, and nothing that they set goes before residency.

use std::collections::BTreeSet;

use meridian::health::{Action, Override, Status, Switch, apply_overrides};
use meridian::policy::Random;
use proptest::prelude::*;

use crate::harness::{NOWHERE, World, Zone, home, question, runner};
use crate::subnet::explained;
use crate::tree::tree;

/// Times on both clocks, in milliseconds; the engine of these tests is at the end of all time.
const NOW_MS: u64 = 1_000_000;

impl World {
    /// Sets these and nothing else, the newest last, and gives for how many things each is.
    fn set_overrides(&self, set: &[(&str, Action)]) -> Vec<usize> {
        let overrides = (1..).zip(set).map(|(id, (pattern, action))| Override {
            id,
            zone: "example.com".into(),
            pattern: (*pattern).into(),
            action: *action,
            reason: "a test".into(),
            author: "rules".into(),
            set_ms: NOW_MS,
            ends_ms: None,
        });
        let overrides: Vec<Override> = overrides.collect();
        let names = self.snapshot.switch_names();
        apply_overrides(&overrides, names, &self.view, NOW_MS, NOW_MS)
    }

    fn www(&self) -> String {
        self.addresses(&question("www")).join(" ")
    }
}

fn failover() -> World {
    Zone::new()
        .pool("us", "192.0.2.1 192.0.2.2")
        .unchecked("eu", "192.0.2.3")
        .pool("far", "192.0.2.4")
        .policy("f", "failover", "targets = [\"us\", \"eu\", \"far\"]")
        .route("www", "f")
        .world()
}

#[test]
fn a_switch_goes_before_health_and_an_endpoint_before_its_pool() {
    use Action::{Down, Up};
    let world = failover();
    let cases: [(&[(&str, Action)], &str); 8] = [
        (&[], "192.0.2.1 192.0.2.2"),
        (&[("us", Down)], "192.0.2.3"),
        (&[("us/192.0.2.1", Down)], "192.0.2.2"),
        (&[("us", Down), ("us/192.0.2.1", Up)], "192.0.2.1"),
        (&[("us", Up), ("us/*", Down)], "192.0.2.3"),
        (&[("us", Down), ("eu", Down)], "192.0.2.4"),
        (&[("f/us", Down)], "192.0.2.3"),
        (&[("f/*", Down), ("f/far", Up)], "192.0.2.4"),
    ];
    for (set, answer) in cases {
        world.set_overrides(set);
        assert_eq!(world.www(), answer, "{set:?}");
    }
    world.set("us", Status::Down);
    for (set, answer) in [
        (&[("us", Up)][..], "192.0.2.1 192.0.2.2"),
        (&[("us/192.0.2.2", Up)], "192.0.2.2"),
        (&[("f/us", Up)], "192.0.2.1 192.0.2.2"),
        (&[("f/us", Up), ("us", Down)], "192.0.2.3"),
        (&[], "192.0.2.3"),
    ] {
        world.set_overrides(set);
        assert_eq!(world.www(), answer, "{set:?}");
    }
}

#[test]
fn a_last_resort_leaves_out_what_was_taken_away_while_anything_else_is_there() {
    use Action::Down;
    let world = failover();
    world.only_down(&["us", "far"]);
    for (set, answer) in [
        (&[("eu", Down)][..], "192.0.2.1 192.0.2.2"),
        (&[("eu", Down), ("us/192.0.2.1", Down)], "192.0.2.2"),
        (&[("eu", Down), ("us", Down)], "192.0.2.4"),
        (&[("eu", Down), ("f/us", Down)], "192.0.2.4"),
        // Better what was taken away than nothing.
        (&[("*", Down)], "192.0.2.1 192.0.2.2"),
        (&[("f/*", Down)], "192.0.2.1 192.0.2.2"),
    ] {
        world.set_overrides(set);
        let reply = world.ask(&question("www"));
        assert_eq!(reply.addresses().join(" "), answer, "{set:?}");
    }
}

/// A branch whose health is not evaluated is left all the same when operators take all of it away.
#[test]
fn a_branch_that_is_not_evaluated_is_left_if_it_was_taken_away() {
    let world = Zone::new()
        .pool("a", "192.0.2.1")
        .pool("b", "192.0.2.2")
        .policy("firm", "failover", "targets = [\"a\"]\nevaluate_health = false")
        .policy("f", "failover", "targets = [\"firm\", \"b\"]")
        .route("www", "f")
        .world();
    world.only_down(&["a"]);
    assert_eq!(world.www(), "192.0.2.1");
    world.set_overrides(&[("a", Action::Down)]);
    assert_eq!(world.www(), "192.0.2.2");
}

#[test]
fn min_up_counts_with_switches_applied() {
    let world = Zone::new()
        .pool_with("us", "192.0.2.1 192.0.2.2", "check = \"web\"\nmin_up = 2")
        .pool("eu", "192.0.2.3")
        .policy("f", "failover", "targets = [\"us\", \"eu\"]")
        .route("www", "f")
        .world();
    world.set_overrides(&[("us/192.0.2.1", Action::Down)]);
    assert_eq!(world.www(), "192.0.2.3");
    world.set_endpoint("us", 1, Status::Down);
    world.set_overrides(&[("us/192.0.2.2", Action::Up)]);
    assert_eq!(world.www(), "192.0.2.1 192.0.2.2");
}

#[test]
fn a_pool_of_a_set_is_switched_as_a_target_too() {
    let world = Zone::new()
        .pool("a", "192.0.2.1")
        .pool("b", "192.0.2.2")
        .policy("m", "multivalue", "targets = [\"a\", \"b\"]")
        .route("www", "m")
        .world();
    assert_eq!(world.set_overrides(&[("m/a", Action::Down), ("*", Action::Up)]), [1, 2]);
    assert_eq!(world.www(), "192.0.2.2");
    world.only_down(&["b"]);
    world.set_overrides(&[("m/b", Action::Up), ("a", Action::Down)]);
    assert_eq!(world.www(), "192.0.2.2");
}

/// Half of the draws are lost after half of the time, and those that are lost stay lost.
#[test]
fn a_drain_takes_draws_away_bit_by_bit() {
    let switch = Switch::Drain { since_ms: 0, per_minute: 100 };
    let wins = [0, 60_000, 300_000, 540_000, 600_000].map(|now| switch.wins(now).unwrap());
    assert_eq!(wins, [1000, 900, 500, 100, 0]);
    let world = failover();
    // The engine here is at the end of all time: a drain is over for it.
    world.set_overrides(&[("us", Action::Drain { per_minute: 1 })]);
    assert_eq!(world.www(), "192.0.2.3");
    let shares = |now_ms: u64| {
        let counts = (0..2_000).filter(|seed| {
            let engine = meridian::query::Engine::new(&world.snapshot, &world.view).at(now_ms);
            let client = meridian::query::Client {
                address: "192.0.2.200".parse().unwrap(),
                transport: meridian::query::Transport::Udp,
            };
            let mut out = [0; 512];
            let mut scratch = meridian::query::Scratch::new(*seed);
            let query = question("www").octets();
            let outcome = engine.answer(&mut scratch, &query, client, &mut out);
            let message = crate::harness::decode(&out[..outcome.octets]);
            let addresses = crate::harness::addresses(&message).join(" ");
            // Its endpoints leave together.
            assert!(["192.0.2.1 192.0.2.2", "192.0.2.3"].contains(&addresses.as_str()));
            addresses.starts_with("192.0.2.1")
        });
        counts.collect::<BTreeSet<u64>>()
    };
    world.set_overrides(&[("us", Action::Drain { per_minute: 100 })]);
    let stays: Vec<BTreeSet<u64>> =
        [0, 5, 9, 10].map(|minutes| shares(NOW_MS + minutes * 60_000)).into();
    // Half of 2,000 with a standard deviation of 22, and 200 with one of 13.
    assert_eq!((stays[0].len(), stays[3].len()), (2_000, 0));
    assert!((880..1_120).contains(&stays[1].len()), "{}", stays[1].len());
    assert!((130..270).contains(&stays[2].len()), "{}", stays[2].len());
    assert!(stays[2].is_subset(&stays[1]), "who has left does not come back");
}

/// An unchecked pool is always up, so that what stands behind it tells nobody apart, until an operator takes it away.
#[test]
fn clients_of_one_class_get_their_own_when_something_is_set() {
    let world = Zone::new()
        .unchecked("cdn", "192.0.2.1")
        .pool("us", "192.0.2.2")
        .pool("eu", "192.0.2.3")
        .policy("g", "geolocation", "country.US = [\"cdn\", \"us\"]\ndefault = [\"cdn\", \"eu\"]")
        .route("www", "g")
        .world();
    let answer = |country| world.addresses(&question("www").client(&home(country))).join(" ");
    assert_eq!((answer("US"), answer("DE")), ("192.0.2.1".into(), "192.0.2.1".into()));
    world.set_overrides(&[("cdn", Action::Down)]);
    assert_eq!((answer("US"), answer("DE")), ("192.0.2.2".into(), "192.0.2.3".into()));
}

/// Rule B4 with everything that can be set, over all rules and clients, and what one client is told is never kept from it for
/// another that shares its scope.
#[test]
fn rule_b4_residency_holds_against_every_override() {
    let kinds = [
        ("failover", "targets = [\"us\", \"ap\", \"eu2\", \"eu1\"]"),
        ("weighted", "weights = { us = 250, eu1 = 1, ap = 1 }"),
        ("weighted", "weights = { us = 250, eu1 = 0 }\nsticky = true"),
        ("multivalue", "targets = [\"us\", \"eu1\", \"eu2\"]"),
        ("geolocation", "country.DE = [\"free\", \"eu1\"]\ndefault = [\"free\", \"us\"]"),
        ("failover", "targets = [\"free\", \"us\", \"eu1\"]\nall_down = \"ap\""),
        ("latency", "targets = [\"us\", \"ap\", \"eu1\"]\nby = \"measured\""),
    ];
    let allowed = ["192.0.2.1", "192.0.2.2", "192.0.2.5"];
    for (kind, lines) in kinds {
        for fail in ["open", "closed"] {
            let residency =
                "clients = [\"group.EU\", \"country.TR\"]\npools = [\"eu1\", \"eu2\", \"free\"]";
            let world = Zone::new()
                .pool("eu1", "192.0.2.1")
                .pool("eu2", "192.0.2.2")
                .pool("us", "192.0.2.3")
                .pool("ap", "192.0.2.4")
                .unchecked("free", "192.0.2.5")
                .section("residency.eu", &format!("{residency}\nfail = \"{fail}\""))
                .policy("inner", kind, lines)
                .policy("p", "failover", "targets = [\"inner\", \"eu2\", \"free\"]")
                .route("www", "p")
                .world();
            let cases = (any::<u64>(), any::<u8>());
            let result = runner(60).run(&cases, |(seed, down)| {
                let mut random = Random::new(seed);
                for (target, _) in world.view.iter() {
                    let is_down = u32::from(down) >> target.0 & 1 != 0;
                    world.view.set(target, if is_down { Status::Down } else { Status::Up });
                }
                let set: Vec<Switch> = (0..world.view.switch_count())
                    .map(|_| match random.below(5) {
                        0 => Switch::Up,
                        1 => Switch::Down,
                        2 => Switch::Drain { since_ms: 0, per_minute: 1 },
                        _ => Switch::Free,
                    })
                    .collect();
                world.view.set_switches(None, |id| set[id.0 as usize]);
                for country in ["DE", "FR", "TR"] {
                    let reply = world.answer(&question("www").client(&home(country)), seed);
                    let addresses = reply.addresses();
                    let is_bound = addresses.iter().all(|one| allowed.contains(&one.as_str()));
                    prop_assert!(is_bound, "{country}: {addresses:?} with {set:?}");
                    prop_assert!(fail == "closed" || !addresses.is_empty(), "{country}: {set:?}");
                }
                Ok(())
            });
            result.unwrap();
            // Whoever is not bound is told apart from those who are, whatever is set.
            let scope = |client: &str| world.ask(&question("www").client(client)).scope();
            assert_ne!((scope(&home("DE")), scope(NOWHERE)), (0, 0), "{kind} {lines}");
        }
    }
}

/// What is never down was all that two places led to, and one scope held for both, until an operator took it away.
#[test]
fn rule_b9_what_is_overridden_is_answered_for_the_subnet_alone() {
    let world = Zone::new()
        .unchecked("a", "192.0.2.1")
        .pool("b", "192.0.2.2")
        .pool("c", "192.0.2.3")
        .policy("de", "failover", "targets = [\"a\", \"b\"]")
        .policy("rest", "failover", "targets = [\"a\", \"c\"]")
        .policy("g", "geolocation", "country.DE = \"de\"\ndefault = \"rest\"")
        .route("www", "g")
        .world();
    let ask = |country: &str| {
        let reply = world.ask(&question("www").client(&home(country)));
        (reply.addresses().join(" "), reply.scope())
    };
    assert_eq!([ask("DE"), ask("US")], [("192.0.2.1".into(), 0), ("192.0.2.1".into(), 0)]);
    world.set_overrides(&[("a", Action::Down)]);
    assert_eq!([ask("DE"), ask("US")], [("192.0.2.2".into(), 24), ("192.0.2.3".into(), 24)]);
    world.set_overrides(&[]);
    assert_eq!(ask("DE"), ("192.0.2.1".into(), 0));
}

/// An answer that an operator said is over in ten seconds is not to be cached for longer.
#[test]
fn a_ttl_ends_with_the_override_or_the_drain() {
    let world = failover();
    let ttl = || world.ask(&question("www")).message.answers[0].ttl;
    let free = ttl();
    let set = |action, ends_ms| {
        let one = Override {
            id: 1,
            zone: "*".into(),
            pattern: "eu".into(),
            action,
            reason: "a test".into(),
            author: "rules".into(),
            set_ms: 0,
            ends_ms,
        };
        // The engine of these tests is at the end of all time.
        apply_overrides(&[one], world.snapshot.switch_names(), &world.view, 0, u64::MAX - 60_000);
        ttl()
    };
    assert_eq!(set(Action::Down, None), free);
    assert_eq!(set(Action::Down, Some(10_000)), 5, "it was over long ago: the floor");
}

/// Whatever is set, in any tree with a default, there is an answer.
#[test]
fn rule_04_no_override_makes_an_answer_empty() {
    let result =
        runner(200).run(&(tree(true), any::<u32>(), any::<u64>()), |(tree, bits, seed)| {
            let world = tree.zone().world();
            tree.apply(&tree.state(bits), &world);
            let mut random = Random::new(seed);
            let set: Vec<Switch> = (0..world.view.switch_count())
                .map(|_| if random.below(2) == 0 { Switch::Down } else { Switch::Free })
                .collect();
            world.view.set_switches(None, |id| set[id.0 as usize]);
            for country in ["US", "DE"] {
                let reply = world.answer(&question("www").client(&home(country)), seed);
                prop_assert!(!reply.addresses().is_empty(), "{set:?}");
            }
            Ok(())
        });
    result.unwrap();
}

#[test]
fn an_explanation_says_what_operators_did() {
    let world = failover();
    world.set_overrides(&[("us/192.0.2.1", Action::Down), ("us/192.0.2.2", Action::Down)]);
    let told = || {
        let steps = explained(&world, None, "192.0.2.200").steps.into_iter();
        steps.map(|step| step.text).collect::<Vec<_>>().join("\n")
    };
    assert!(told().contains("192.0.2.1 forced down by override"), "{}", told());
    world.set_overrides(&[("f/us", Action::Down)]);
    assert!(told().contains("us counts as down for the policy f by override"), "{}", told());
}

/// The numbers of switches are in the order of their names.
#[test]
fn every_switch_has_a_name() {
    let world = failover();
    let names: Vec<String> = world
        .snapshot
        .switch_names()
        .enumerate()
        .map(|(place, (id, apex, name))| {
            assert_eq!((id.0 as usize, &*apex), (place, "example.com"));
            name.to_string()
        })
        .collect();
    let expected = [
        "us",
        "us/192.0.2.1",
        "us/192.0.2.2",
        "eu",
        "eu/192.0.2.3",
        "far",
        "far/192.0.2.4",
        "f/us",
        "f/eu",
        "f/far",
    ];
    assert_eq!(names, expected);
    assert_eq!(world.view.switch_count(), names.len());
}
