//! Rules B5 and B7: draws that stay with a client, and weights that grow after a recovery.

use std::collections::BTreeMap;

use meridian::health::Status;
use meridian::query::{Client, Engine, Scratch, Transport};

use crate::harness::{Question, World, Zone, assert_fit, decode, question};

fn split(lines: &str) -> Zone {
    Zone::new()
        .pool("a", "192.0.2.1")
        .pool("b", "192.0.2.2")
        .pool("c", "192.0.2.3")
        .policy("p", "weighted", lines)
        .route("www", "p")
        .route("other", "p")
}

const SHARES: &str = "weights = { a = 50, b = 30, c = 20 }\nsticky = true";

/// A question of one of many clients: one for each /24.
fn from(client: u32) -> Question {
    question("www").client(&format!("20.{}.{}.0/24", client / 256, client % 256))
}

/// Who is sent where, of so many clients.
fn places(world: &World, clients: u32) -> Vec<String> {
    (0..clients).map(|client| world.addresses(&from(client)).join(" ")).collect()
}

fn count(places: &[String]) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for place in places {
        *counts.entry(place.clone()).or_insert(0) += 1;
    }
    counts
}

#[test]
fn rule_b5_a_client_prefix_keeps_its_target_on_every_server() {
    let (one, other) = (split(SHARES).world(), split(SHARES).world());
    for client in 0..200 {
        let expected = one.addresses(&from(client));
        for seed in 0..4 {
            assert_eq!(one.answer(&from(client), seed).addresses(), expected);
            assert_eq!(other.answer(&from(client), seed).addresses(), expected);
        }
        let reply = one.ask(&from(client));
        assert_eq!(reply.scope(), 24, "the answer is for the prefix that draws");
    }
    let world = split(SHARES).world();
    let longer = question("www").client("20.0.7.128/25");
    assert_eq!(world.addresses(&longer), world.addresses(&from(7)));
    assert_eq!(world.ask(&longer).scope(), 24);
    let shorter = question("www").client("20.0.0.0/16");
    assert_eq!(world.ask(&shorter).scope(), 24, "other /24s in it may get something else");
    let ipv6 = question("www").client("2001:db9:7:1200::/56");
    assert_eq!(world.ask(&ipv6).scope(), 48);
    assert_eq!(world.addresses(&ipv6), world.addresses(&question("www").client("2001:db9:7::/48")));
}

#[test]
fn rule_b5_shares_are_those_of_the_weights() {
    let counts = count(&places(&split(SHARES).world(), 20_000));
    assert_fit(&counts, &[("192.0.2.1", 50), ("192.0.2.2", 30), ("192.0.2.3", 20)]);
}

#[test]
fn rule_b5_a_change_moves_as_few_clients_as_it_can() {
    let before = places(&split(SHARES).world(), 4_000);
    // A target that is down gives up its own clients only, and in proportion.
    let world = split(SHARES).world();
    world.only_down(&["a"]);
    let without = places(&world, 4_000);
    let moved: Vec<&String> = before
        .iter()
        .zip(&without)
        .filter(|(old, _)| *old == "192.0.2.1")
        .map(|(_, new)| new)
        .collect();
    let stayed = before.iter().zip(&without).filter(|(old, _)| *old != "192.0.2.1");
    assert!(stayed.into_iter().all(|(old, new)| old == new), "only clients of `a` move");
    let moved: Vec<String> = moved.into_iter().cloned().collect();
    assert_fit(&count(&moved), &[("192.0.2.2", 30), ("192.0.2.3", 20)]);
    // A weight that grows only takes clients.
    let grown = split("weights = { a = 50, b = 30, c = 60 }\nsticky = true").world();
    for (old, new) in before.iter().zip(&places(&grown, 4_000)) {
        assert!(old == new || new == "192.0.2.3", "{old} to {new}");
    }
}

#[test]
fn rule_b5_names_and_seeds_draw_apart() {
    let world = split(SHARES).world();
    let seeded = split(&format!("{SHARES}\nseed = \"again\"")).world();
    let (mut by_name, mut by_seed) = (0, 0);
    for client in 0..400 {
        let other = Question { name: question("other").name, ..from(client) };
        by_name += u32::from(world.addresses(&other) != world.addresses(&from(client)));
        by_seed += u32::from(seeded.addresses(&from(client)) != world.addresses(&from(client)));
    }
    // Two draws of 50, 30 and 20 % differ for 62 %.
    assert!((200..300).contains(&by_name) && (200..300).contains(&by_seed), "{by_name} {by_seed}");
}

#[test]
fn rule_b5_without_a_client_subnet_the_resolver_draws() {
    let world = split(SHARES).world();
    let through = |resolver: &str| world.addresses(&question("www").through(resolver));
    for place in 0..64 {
        assert_eq!(through(&format!("20.0.{place}.1")), through(&format!("20.0.{place}.200")));
        assert_eq!(through(&format!("20.0.{place}.1")), world.addresses(&from(place)));
    }
}

/// Zone `p` ramps over 100 seconds, and `b` recovered at 1,000,000 ms.
fn ramping(lines: &str) -> World {
    let world = split(lines).world();
    world.only_down(&[]);
    let routing = world.snapshot.routings().next().unwrap();
    let target = routing.bound.pools()[1].endpoints[0].health.target().unwrap();
    world.view.set_recovered_ms(target, 1_000_000);
    world
}

fn shares_at(world: &World, now_ms: u64) -> BTreeMap<String, u32> {
    let engine = Engine::new(&world.snapshot, &world.view).at(now_ms);
    let mut scratch = Scratch::new(7);
    let mut shares = BTreeMap::new();
    for client in 0..20_000 {
        let asked = from(client);
        let mut out = [0u8; 1232];
        let by = Client { address: asked.resolver, transport: Transport::Udp };
        let outcome = engine.answer(&mut scratch, &asked.octets(), by, &mut out);
        let reply = decode(&out[..outcome.octets]);
        *shares.entry(crate::harness::addresses(&reply).join(" ")).or_insert(0) += 1;
    }
    shares
}

#[test]
fn rule_b7_a_weight_grows_from_nothing_to_all_of_it() {
    for sticky in ["", "\nsticky = true"] {
        let world = ramping(&format!("weights = {{ a = 100, b = 100 }}\nramp = \"100s\"{sticky}"));
        for (age_ms, b) in [(25_000, 25), (50_000, 50), (100_000, 100), (3_600_000, 100)] {
            let shares = shares_at(&world, 1_000_000 + age_ms);
            assert_fit(&shares, &[("192.0.2.1", 100), ("192.0.2.2", b)]);
        }
        let just = shares_at(&world, 1_000_000);
        assert!(just.get("192.0.2.2").copied().unwrap_or(0) < 20, "{just:?}");
    }
}

#[test]
fn rule_b7_what_recovers_still_takes_over_where_nothing_else_is_up() {
    let world = ramping("weights = { a = 100, b = 100, c = 0 }\nramp = \"100s\"");
    world.set("a", Status::Down);
    assert_fit(&shares_at(&world, 1_000_000), &[("192.0.2.2", 1)]);
}
