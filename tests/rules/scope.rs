//! Rule B9: in the prefix that an answer is for, every client gets the same answers in every state of health; the prefix
//! is as short as that allows, and does not move with health. Shown against brute force on random trees and databases.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::IpAddr;

use hickory_proto::rr::RecordType;
use meridian::policy::{PolicyId, Target, partition};
use proptest::prelude::*;

use crate::harness::{Question, World, Zone, database, home, question, runner};
use crate::network::{Networks, around, host, networks, sibling};
use crate::subnet::explained;
use crate::tree::{COUNTRIES, Chances, Tree, are_equal, tree};

/// Where the resolver is that clients without a location fall back to.
const RESOLVER: &str = "11.255.0.1";

fn from(client: IpAddr) -> Question {
    question("www").through(RESOLVER).client_net(host(client))
}

/// A tree and a database, with the chances of every country, and of nowhere, in every state of health.
struct Case {
    tree: Tree,
    networks: Networks,
    world: World,
    chances: BTreeMap<Option<&'static str>, Vec<Chances>>,
}

impl Case {
    fn new(tree: Tree, networks: Networks) -> Self {
        let world = tree.zone().world_with(networks.database());
        let countries = COUNTRIES.iter().map(|(code, _)| Some(*code)).chain([None]);
        let chances = countries.map(|country| (country, chances_by_state(&tree, country)));
        Self { chances: chances.collect(), tree, networks, world }
    }

    fn are_equal(&self, one: IpAddr, other: IpAddr) -> bool {
        let resolver = self.networks.country(RESOLVER.parse().unwrap());
        let chances = |client| self.chances[&self.networks.country(client).or(resolver)].as_slice();
        are_equal_in_all_states(chances(one), chances(other))
    }

    /// Whether two clients get the same by the second evaluator. One that cannot be located is never like one that can:
    /// it gets what its resolver would, wherever that is.
    fn are_alike(&self, one: IpAddr, other: IpAddr) -> bool {
        let is_located = |client| self.networks.country(client).is_some();
        is_located(one) == is_located(other) && self.are_equal(one, other)
    }

    /// The scope of a client, in very different states the same.
    fn steady_scope(&self, client: IpAddr) -> u8 {
        let scopes = [u32::MAX, 0, 0b1010_0101].map(|bits| {
            self.tree.apply(&self.tree.state(bits), &self.world);
            self.world.ask(&from(client)).scope()
        });
        assert!(scopes.iter().all(|scope| *scope == scopes[0]), "{client}: scopes {scopes:?}");
        scopes[0]
    }

    /// Everybody in the prefix gets the same, by brute force and by the engine draw for draw.
    fn check_truth(&self, client: IpAddr, scope: u8) {
        let prefix = around(client, scope);
        let samples = self.networks.samples(prefix);
        for sample in &samples {
            // A scope of 0 says that the tree tells nobody apart, the unlocated included.
            let is_alike =
                self.are_alike(client, *sample) || scope == 0 && self.are_equal(client, *sample);
            assert!(is_alike, "{sample} is in {prefix} and differs from {client}");
        }
        for bits in [u32::MAX, 0b0110_1001] {
            self.tree.apply(&self.tree.state(bits), &self.world);
            for seed in 0..4 {
                let expected = self.world.answer(&from(client), seed);
                for sample in samples.iter().take(4) {
                    let reply = self.world.answer(&from(*sample), seed);
                    assert_eq!(reply.data(), expected.data(), "{sample} in {prefix}");
                    assert_eq!(reply.scope(), scope, "{sample} in {prefix}");
                }
            }
        }
    }

    /// A shorter prefix would not be true: somebody in the other half differs.
    fn is_shortest(&self, client: IpAddr, scope: u8) -> bool {
        let Some(sibling) = sibling(around(client, scope)) else {
            return true;
        };
        let others = self.networks.samples(sibling);
        others.into_iter().any(|other| !self.are_alike(client, other))
    }
}

fn chances_by_state(tree: &Tree, country: Option<&str>) -> Vec<Chances> {
    tree.states().map(|state| tree.chances(country, &state)).collect()
}

fn are_equal_in_all_states(one: &[Chances], other: &[Chances]) -> bool {
    one.iter().zip(other).all(|(one, other)| are_equal(one, other))
}

#[test]
fn rule_b9_scope_is_true_steady_and_shortest() {
    let result = runner(100).run(&(tree(false), networks()), |(tree, networks)| {
        let case = Case::new(tree, networks);
        let is_exact = count_alike(&case.tree)?.1 == 0;
        for client in case.networks.clients() {
            let scope = case.steady_scope(client);
            case.check_truth(client, scope);
            let is_shortest = case.is_shortest(client, scope);
            prop_assert!(is_shortest || !is_exact, "{client}: /{scope} can be shorter");
        }
        Ok(())
    });
    result.unwrap();
}

/// The classes of nowhere and of all countries, by `policy::partition` alone.
fn classes(tree: &Tree) -> Vec<u32> {
    let address = |place: usize| -> IpAddr { format!("20.{place}.0.1").parse().unwrap() };
    let networks = COUNTRIES.iter().enumerate();
    let networks: Vec<_> = networks
        .map(|(place, (code, _))| (format!("20.{place}.0.0/16").parse().unwrap(), Some(*code)))
        .collect();
    let world = tree.zone().world_with(database(&networks));
    let routing = world.snapshot.routings().next().unwrap();
    let target = Target::Policy(PolicyId(0));
    let partition = partition(&routing.bound, &routing.areas, target, false);
    let class = |place| {
        let area = routing.areas.area(world.snapshot.atlas.position_of(address(place), 32));
        partition.as_ref().map_or(0, |partition| partition.class(area))
    };
    // Behind the last country is nowhere.
    std::iter::once(COUNTRIES.len()).chain(0..COUNTRIES.len()).map(class).collect()
}

/// How many pairs of countries are alike, and how many of those are in two classes all the same. No pair that differs may
/// be in one class.
fn count_alike(tree: &Tree) -> Result<(u32, u32), TestCaseError> {
    let (mut alike, mut split) = (0, 0);
    let chances: Vec<Vec<Chances>> =
        COUNTRIES.iter().map(|(code, _)| chances_by_state(tree, Some(*code))).collect();
    let classes = classes(tree);
    let pairs = (0..COUNTRIES.len()).flat_map(|one| (0..one).map(move |other| (one, other)));
    for (one, other) in pairs {
        let is_alike = are_equal_in_all_states(&chances[one], &chances[other]);
        // The first class is that of nowhere.
        let is_one_class = classes[one + 1] == classes[other + 1];
        prop_assert!(is_alike || !is_one_class, "{one} and {other} differ: {classes:?}");
        alike += u32::from(is_alike);
        split += u32::from(is_alike && !is_one_class);
    }
    Ok((alike, split))
}

/// Countries of one class are alike in every state of health. The other way round there are exceptions, which
/// `policy::partition` describes: trees that draw differently and come to the same shares. They are fewer than 1 in 200.
#[test]
fn rule_b9_classes_are_those_of_the_second_evaluator() {
    let (alike, split) = (Cell::new(0), Cell::new(0));
    let result = runner(1_500).run(&tree(false), |tree| {
        let (more_alike, more_split) = count_alike(&tree)?;
        alike.set(alike.get() + more_alike);
        split.set(split.get() + more_split);
        Ok(())
    });
    result.unwrap();
    println!("{} pairs are alike, {} of them in two classes", alike.get(), split.get());
    assert!(alike.get() > 10_000 && split.get() * 200 < alike.get());
}

/// Pools `us` and `ca` are checked, `free` is not; 20.0.0.0/16 is the US, 20.1.0.0/16 Canada, and both are alike if the
/// scope is their common /15.
#[track_caller]
fn assert_us_and_canada_are_one(lines: &str) {
    let zone = Zone::new()
        .pool("us", "192.0.2.1")
        .pool("ca", "192.0.2.2")
        .pool("d", "192.0.2.3")
        .unchecked("free", "192.0.2.4")
        .policy("world", "weighted", "weights = { us = 3, ca = 1 }")
        .policy("firm", "weighted", "weights = { us = 3, ca = 1 }\nevaluate_health = false")
        .policy("late", "weighted", "weights = { free = 1, ca = 0 }")
        .policy("both", "weighted", "weights = { us-first = 20, world-first = 10 }")
        .policy("us-first", "geolocation", "country.US = \"us\"\ndefault = \"d\"")
        .policy(
            "world-first",
            "geolocation",
            "country.US = [\"us\", \"us-first\"]\ndefault = \"d\"",
        )
        .policy("g", "geolocation", lines)
        .route("www", "g");
    let world = zone.world();
    for country in ["US", "CA"] {
        assert_eq!(world.ask(&question("www").client(&home(country))).scope(), 15, "{country}");
    }
}

#[test]
fn rule_b9_what_stands_behind_a_target_that_is_always_up_tells_nobody_apart() {
    let more = "default = \"d\"";
    assert_us_and_canada_are_one(&format!(
        "country.US = [\"free\", \"us\"]\ncountry.CA = [\"free\", \"ca\"]\n{more}"
    ));
    assert_us_and_canada_are_one(&format!(
        "country.US = [\"firm\", \"us\"]\ncountry.CA = [\"firm\", \"free\"]\n{more}"
    ));
    assert_us_and_canada_are_one(&format!("country.US = \"late\"\ncountry.CA = \"free\"\n{more}"));
}

#[test]
fn rule_b9_a_pool_named_again_where_it_is_down_tells_nobody_apart() {
    assert_us_and_canada_are_one(
        "country.US = \"world\"\ncountry.CA = [\"world\", \"us\"]\ndefault = \"d\"",
    );
}

/// The scope of a US client where only the US and Canada are told apart, if at all: 15 or 16.
fn scope_between(us: &str, ca: &str) -> u8 {
    let lines = format!("country.US = {us}\ncountry.CA = {ca}\ndefault = \"d\"");
    let zone = Zone::new()
        .pool("a", "192.0.2.1")
        .pool("b", "192.0.2.2")
        .pool("six", "2001:db8::1")
        .pool("d", "192.0.2.3")
        .policy("ab", "multivalue", "targets = [\"a\", \"b\"]")
        .policy("ba", "multivalue", "targets = [\"b\", \"a\"]")
        .policy("only-b", "multivalue", "targets = [\"b\"]")
        .policy("mixed", "multivalue", "targets = [\"a\", \"six\"]")
        .policy("end", "failover", "targets = [\"a\"]\nevaluate_health = false")
        .policy(
            "empty",
            "failover",
            "targets = [\"a\"]\nevaluate_health = false\nall_down = \"nodata\"",
        )
        .policy(
            "fail",
            "failover",
            "targets = [\"a\"]\nevaluate_health = false\nall_down = \"servfail\"",
        )
        .policy("to-b", "failover", "targets = [\"a\"]\nevaluate_health = false\nall_down = \"b\"")
        .policy("g", "geolocation", &lines)
        .route("www", "g");
    zone.world().ask(&question("www").client(&home("US"))).scope()
}

#[test]
fn rule_b9_sets_of_the_same_pools_tell_nobody_apart() {
    for (us, ca, scope) in [
        ("\"ab\"", "\"ba\"", 15),
        ("\"ab\"", "\"a\"", 16),
        ("\"only-b\"", "\"b\"", 15),
        ("[\"ab\", \"d\"]", "[\"ab\", \"a\", \"d\"]", 15),
        ("[\"a\", \"ab\"]", "[\"a\", \"b\"]", 15),
        ("[\"a\", \"ab\"]", "[\"ab\", \"a\"]", 16),
        // For A the set is down with `a`, and yet the other pool, which has no A, is up.
        ("[\"mixed\", \"d\"]", "[\"mixed\", \"six\", \"d\"]", 16),
        ("[\"a\", \"mixed\"]", "[\"a\", \"six\"]", 16),
    ] {
        assert_eq!(scope_between(us, ca), scope, "{us} and {ca}");
    }
}

#[test]
fn rule_b9_what_is_done_with_everything_down_tells_clients_apart() {
    let firm = ["end", "empty", "fail", "to-b"];
    for (us, ca) in firm.iter().flat_map(|us| firm.iter().map(move |ca| (us, ca))) {
        let scope = if us == ca { 15 } else { 16 };
        assert_eq!(scope_between(&format!("{us:?}"), &format!("{ca:?}")), scope, "{us} and {ca}");
    }
}

#[test]
fn rule_b9_shares_of_the_same_target_are_one() {
    assert_us_and_canada_are_one(
        "country.US = \"both\"\ncountry.CA = [\"us\", \"d\"]\ndefault = \"d\"",
    );
}

/// An alias that leads to `geo`, which is routed by place, or to `fixed`, which is not.
fn alias_to_routed_names(kind: &str, lines: &str) -> World {
    Zone::new()
        .pool("us", "192.0.2.1")
        .pool("d", "192.0.2.2")
        .policy("by-place", "geolocation", "country.US = \"us\"\ndefault = \"d\"")
        .section("check.alias", "tcp = 80\naddress = \"198.51.100.9\"")
        .section("pool.to-geo", "cname = \"step\"\ncheck = \"alias\"")
        .section("pool.to-fixed", "cname = \"fixed\"\ncheck = \"web\"")
        .policy("alias", kind, lines)
        .name("step", "CNAME = \"geo\"")
        .route("geo", "by-place")
        .name("fixed", "A = \"192.0.2.3\"")
        .route("www", "alias")
        .world()
}

/// The place matters as soon as the alias may lead to `geo`, also while it leads to `fixed`.
#[test]
fn rule_b9_scope_of_an_alias_covers_every_name_that_it_may_lead_to() {
    let www = || question("www").client(&home("US"));
    let failover = alias_to_routed_names("failover", "targets = [\"to-geo\", \"to-fixed\"]");
    for (down, address) in [(&[][..], "192.0.2.1"), (&["to-geo"], "192.0.2.3")] {
        failover.only_down(down);
        let reply = failover.ask(&www());
        assert_eq!((reply.addresses(), reply.scope()), (vec![address.to_owned()], 16), "{down:?}");
        assert_eq!(explained(&failover, Some(("20.0.7.0", 24)), RESOLVER).scope, Some(16));
    }
    let weighted = alias_to_routed_names("weighted", "weights = { to-geo = 1, to-fixed = 1 }");
    for seed in 0..32 {
        assert_eq!(weighted.answer(&www(), seed).scope(), 16, "seed {seed}");
    }
    assert_eq!(weighted.ask(&www().of(RecordType::CNAME)).scope(), 0, "not followed");
}

/// The name behind the alias has a route for each type, and only the first of them counted.
#[test]
fn rule_b9_scope_of_an_alias_covers_every_type_of_the_name_behind_it() {
    let world = Zone::new()
        .pool("us", "192.0.2.1 2001:db8::1")
        .pool("d", "192.0.2.2 2001:db8::2")
        .policy("f", "failover", "targets = [\"us\", \"d\"]")
        .policy("g", "geolocation", "country.US = \"us\"\ndefault = \"d\"")
        .section("check.alias", "tcp = 80\naddress = \"198.51.100.9\"")
        .section("pool.x", "cname = \"mixed\"\ncheck = \"alias\"")
        .section("pool.y", "cname = \"fixed\"")
        .policy("alias", "failover", "targets = [\"x\", \"y\"]")
        .name("mixed", "A = { policy = \"f\" }, AAAA = { policy = \"g\" }")
        .name("fixed", "AAAA = \"2001:db8::3\"")
        .route("www", "alias")
        .world();
    let asked = || question("www").of(RecordType::AAAA).client(&home("US"));
    for (down, address) in [(&[][..], "2001:db8::1"), (&["x"], "2001:db8::3")] {
        world.only_down(down);
        let reply = world.ask(&asked());
        assert_eq!((reply.addresses(), reply.scope()), (vec![address.to_owned()], 16), "{down:?}");
    }
}

/// With one selection for all types a pool is down if it is for any, and its endpoints of other types are still of the set.
#[test]
fn rule_b9_a_set_of_pools_that_serve_all_types_together() {
    let world = Zone::new()
        .pool("p1", "192.0.2.1 2001:db8::1")
        .pool("p2", "192.0.2.2 2001:db8::2")
        .policy("mv", "multivalue", "targets = [\"p1\", \"p2\"]")
        .policy("g", "geolocation", "country.US = [\"p1\", \"mv\"]\ndefault = [\"p1\", \"p2\"]")
        .name("www", "policy = \"g\", together = true")
        .world();
    world.set_endpoint("p1", 1, meridian::health::Status::Down);
    world.set_endpoint("p2", 0, meridian::health::Status::Down);
    let reply = world.ask(&question("www").client(&home("US")));
    assert_eq!((reply.addresses(), reply.scope()), (vec!["192.0.2.1".to_owned()], 16));
    let ipv6 = question("www").of(RecordType::AAAA).client(&home("US"));
    assert_eq!(world.addresses(&ipv6), ["2001:db8::2"]);
}
