//! Rule B4: some clients are only ever answered from some pools, whatever a policy, health or a last resort says.

use hickory_proto::op::ResponseCode;

use crate::harness::{NOWHERE, World, Zone, home, question};

const EU: &str = "clients = [\"group.EU\", \"country.TR\"]\npools = [\"eu1\", \"eu2\"]";

/// Pools `eu1`, `eu2`, `us` and `ap`; `lines` are what the policy `p` says, and `more` what the residency does.
fn zone(kind: &str, lines: &str, more: &str) -> Zone {
    Zone::new()
        .pool("eu1", "192.0.2.1")
        .pool("eu2", "192.0.2.2")
        .pool("us", "192.0.2.3")
        .pool("ap", "192.0.2.4")
        .section("residency.eu", &format!("{EU}\n{more}"))
        .policy("p", kind, lines)
        .route("www", "p")
}

fn answer(world: &World, client: &str) -> String {
    world.addresses(&question("www").client(client)).join(" ")
}

const ALL: [&str; 4] = ["eu1", "eu2", "us", "ap"];

/// Every state of health: which pools are down.
fn states() -> impl Iterator<Item = Vec<&'static str>> {
    (0..16u32).map(|bits| {
        ALL.into_iter()
            .enumerate()
            .filter(|(bit, _)| bits >> bit & 1 != 0)
            .map(|(_, pool)| pool)
            .collect()
    })
}

/// Rules that would all send Europeans abroad.
const ABROAD: [(&str, &str); 9] = [
    ("failover", "targets = [\"us\", \"ap\", \"eu2\", \"eu1\"]"),
    ("weighted", "weights = { us = 250, eu1 = 1, ap = 1 }"),
    ("weighted", "weights = { us = 250, eu1 = 0 }\nsticky = true"),
    ("round-robin", "targets = [\"us\", \"ap\", \"eu1\"]"),
    ("multivalue", "targets = [\"us\", \"eu1\", \"eu2\"]"),
    ("geolocation", "continent.EU = [\"us\", \"eu1\"]\ndefault = \"us\""),
    (
        "geolocation",
        "country.DE = \"eu1\"\ncountry.FR = \"eu2\"\ncountry.TR = [\"ap\", \"eu2\"]\ndefault = \"us\"",
    ),
    ("failover", "targets = [\"us\", \"eu1\"]\nall_down = \"ap\""),
    ("latency", "targets = [\"us\", \"ap\", \"eu1\"]\nby = \"measured\""),
];

#[test]
fn rule_b4_bound_clients_get_compliant_pools_only_in_every_state_of_health() {
    let allowed = ["192.0.2.1", "192.0.2.2"];
    for (kind, lines) in ABROAD {
        let world = zone(kind, lines, "").world();
        for down in states() {
            world.only_down(&down);
            for client in [home("DE"), home("FR"), home("TR")] {
                for seed in 0..4 {
                    let reply = world.answer(&question("www").client(&client), seed);
                    let addresses = reply.addresses();
                    let is_bound = addresses.iter().all(|one| allowed.contains(&one.as_str()));
                    assert!(
                        is_bound && !addresses.is_empty(),
                        "{kind} {lines} {client} {down:?}: {addresses:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn rule_b4_other_clients_get_what_the_policy_says() {
    let world = zone("failover", "targets = [\"us\", \"eu1\"]", "").world();
    for client in [home("US"), home("JP"), home("RU"), NOWHERE.to_owned()] {
        assert_eq!(answer(&world, &client), "192.0.2.3", "{client}");
    }
    world.only_down(&["us"]);
    assert_eq!(answer(&world, &home("US")), "192.0.2.1");
}

/// With none of the compliant pools up: one of them anyway, or no data; and which of the two is in the scope as well.
#[test]
fn rule_b4_nothing_compliant_up_fails_open_or_closed() {
    let lines = "targets = [\"us\", \"eu1\", \"eu2\"]";
    let open = zone("failover", lines, "").world();
    open.only_down(&["eu1", "eu2"]);
    assert_eq!(answer(&open, &home("DE")), "192.0.2.1");
    let closed = zone("failover", lines, "fail = \"closed\"").world();
    assert_eq!(answer(&closed, &home("DE")), "192.0.2.1");
    closed.only_down(&["eu1"]);
    assert_eq!(answer(&closed, &home("DE")), "192.0.2.2");
    closed.only_down(&["eu1", "eu2"]);
    let reply = closed.ask(&question("www").client(&home("DE")));
    assert!(reply.is_nodata(), "{reply:?}");
    assert_eq!(answer(&closed, &home("US")), "192.0.2.3");
    // `all_down` of the policy has no say: the residency comes first.
    let servfail =
        zone("failover", &format!("{lines}\nall_down = \"servfail\""), "fail = \"closed\"");
    let servfail = servfail.world();
    servfail.only_down(&ALL);
    assert!(servfail.ask(&question("www").client(&home("DE"))).is_nodata());
    let us = servfail.ask(&question("www").client(&home("US")));
    assert_eq!(us.rcode(), ResponseCode::ServFail);
}

#[test]
fn rule_b4_a_last_resort_abroad_is_not_taken() {
    let lines = "targets = [\"us\", \"eu2\"]\nall_down = \"ap\"";
    let world = zone("failover", lines, "").world();
    world.only_down(&["us", "eu2"]);
    assert_eq!(answer(&world, &home("US")), "192.0.2.4");
    assert_eq!(answer(&world, &home("DE")), "192.0.2.2");
}

/// A branch that is never backed out of is backed out of where it would answer what is down and the residency fails closed.
#[test]
fn rule_b4_fails_closed_only_when_no_branch_has_a_compliant_pool_up() {
    let zone = zone("failover", "targets = [\"firm\", \"eu2\"]", "fail = \"closed\"").policy(
        "firm",
        "failover",
        "targets = [\"eu1\", \"us\"]\nevaluate_health = false",
    );
    let world = zone.world();
    world.only_down(&["eu1"]);
    assert_eq!(answer(&world, &home("DE")), "192.0.2.2");
    assert_eq!(answer(&world, &home("US")), "192.0.2.3");
    world.only_down(&["eu1", "us"]);
    assert_eq!(answer(&world, &home("US")), "192.0.2.1", "rule 52");
}

#[test]
fn rule_b4_several_residencies_hold_together() {
    let zone = zone("failover", "targets = [\"us\", \"ap\", \"eu1\", \"eu2\"]", "")
        .section("residency.german", "clients = [\"country.DE\"]\npools = [\"eu2\", \"us\"]");
    let world = zone.world();
    for down in states() {
        world.only_down(&down);
        assert_eq!(answer(&world, &home("DE")), "192.0.2.2", "{down:?}");
    }
    world.only_down(&[]);
    assert_eq!(answer(&world, &home("FR")), "192.0.2.1");
}

#[test]
fn rule_b4_clients_that_nobody_can_place_may_be_bound_too() {
    let zone = |more: &str| {
        Zone::new()
            .pool("eu1", "192.0.2.1")
            .pool("us", "192.0.2.2")
            .section(
                "residency.eu",
                &format!("clients = [\"country.DE\"{more}]\npools = [\"eu1\"]"),
            )
            .policy("p", "failover", "targets = [\"us\", \"eu1\"]")
            .route("www", "p")
            .world()
    };
    assert_eq!(answer(&zone(""), NOWHERE), "192.0.2.2");
    assert_eq!(answer(&zone(", \"unlocated\""), NOWHERE), "192.0.2.1");
    // Where its resolver is does not place a client that is bound; without a subnet the resolver is the client.
    let asked = question("www").through("20.0.1.1").client(NOWHERE);
    assert_eq!(zone(", \"unlocated\"").addresses(&asked), ["192.0.2.1"]);
    assert_eq!(zone("").addresses(&asked), ["192.0.2.2"]);
    let resolver = question("www").through("20.0.1.1");
    assert_eq!(zone(", \"unlocated\"").addresses(&resolver), ["192.0.2.2"]);
}

/// A name that names its pool directly is bound as well.
#[test]
fn rule_b4_holds_for_names_with_a_pool_of_their_own() {
    let zone = zone("failover", "targets = [\"us\", \"eu1\"]", "").name("direct", "pool = \"us\"");
    let world = zone.world();
    assert!(world.ask(&question("direct").client(&home("DE"))).is_nodata());
    assert_eq!(world.addresses(&question("direct").client(&home("US"))), ["192.0.2.3"]);
}

#[test]
fn rule_b4_is_proved_for_every_name() {
    let zone = zone("failover", "targets = [\"us\", \"eu1\", \"eu2\"]", "")
        .name("direct", "pool = \"us\"");
    let proofs = zone.world().snapshot.prove_residency();
    let [proof] = proofs.as_slice() else { panic!("{proofs:?}") };
    assert_eq!((&*proof.residency, proof.names), ("eu", 2));
    assert_eq!(proof.pools.iter().map(|name| &**name).collect::<Vec<_>>(), ["eu1", "eu2"]);
    assert!(proof.violations.is_empty());
    let [stranded] = proof.stranded.as_slice() else { panic!("{proof:?}") };
    assert_eq!(stranded.name.to_string(), "direct.example.com.");
}

/// Clients of a named network whom no database places were answered where their resolver is, without their restriction.
#[test]
fn rule_b4_holds_for_networks_that_nobody_places() {
    let zone = |network: &str| {
        Zone::new()
            .pool("eu1", "192.0.2.1")
            .pool("us", "192.0.2.2")
            .section(
                "residency.office",
                &format!("clients = [\"cidr.{network}\"]\npools = [\"eu1\"]"),
            )
            .policy("p", "geolocation", "continent.NA = [\"us\", \"eu1\"]\ndefault = \"eu1\"")
            .policy("f", "failover", "targets = [\"us\", \"eu1\"]")
            .route("www", "p")
            .route("flat", "f")
            .name("direct", "pool = \"us\"")
            .world()
    };
    let world = zone("10.1.0.0/16");
    let american = |client: &str| question("www").through("20.0.1.1").client(client);
    assert_eq!(world.addresses(&american("10.1.7.0/24")), ["192.0.2.1"]);
    assert_eq!(world.addresses(&american("10.2.7.0/24")), ["192.0.2.2"], "by its resolver");
    // A prefix in which some are bound is answered as they are: resolvers send no more than 24 bits.
    let world = zone("10.1.7.128/25");
    assert_eq!(world.addresses(&american("10.1.7.0/24")), ["192.0.2.1"]);
    assert_eq!(world.addresses(&american("10.1.0.0/16")), ["192.0.2.1"]);
    assert_eq!(world.addresses(&american("10.1.6.0/24")), ["192.0.2.2"]);
    // A pool of its own and a policy treat a client outside alike, wherever its resolver is.
    let world = zone("10.1.0.0/16");
    for name in ["direct", "flat"] {
        let asked = question(name).through("10.1.0.53").client("192.168.1.0/24");
        assert_eq!(world.addresses(&asked), ["192.0.2.2"], "{name}");
    }
}
