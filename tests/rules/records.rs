//! Any record type is routed; rule B8: one selection for all types; rules 8, 48 to 50: routes of one type, and aliases of names.

use std::collections::BTreeSet;

use hickory_proto::rr::RecordType;
use meridian::health::Status;

use crate::harness::{Question, World, Zone, home, question};

/// Pools `us` and `eu` with IPv4, IPv6 and HTTPS.
fn regions() -> Zone {
    let region = |zone: Zone, name: &str, number: u8| {
        let addresses = format!("192.0.2.{number} 2001:db8::{number}");
        zone.pool_with(
            name,
            &addresses,
            &format!("check = \"web\"\nHTTPS = \"1 {name}.example.net. alpn=h2\""),
        )
    };
    region(region(Zone::new(), "us", 1), "eu", 2)
}

fn region_of(world: &World, question: &Question, seed: u64) -> String {
    let reply = world.answer(question, seed);
    let data = reply.data().join(" ");
    let is = |marks: [&str; 3]| marks.iter().any(|mark| data.contains(mark));
    match (is(["192.0.2.1", "2001:db8::1", "us."]), is(["192.0.2.2", "2001:db8::2", "eu."])) {
        (true, false) => "us".to_owned(),
        (false, true) => "eu".to_owned(),
        _ => format!("{data:?}"),
    }
}

const TYPES: [RecordType; 3] = [RecordType::A, RecordType::AAAA, RecordType::HTTPS];

#[test]
fn rule_b8_one_selection_serves_every_type_of_a_client() {
    for rule in [
        "type = \"weighted\"\nweights = { us = 1, eu = 1 }",
        "type = \"round-robin\"\ntargets = [\"us\", \"eu\"]",
    ] {
        let world = regions()
            .section("policy.p", rule)
            .name("www", "policy = \"p\", together = true")
            .world();
        let mut seen = BTreeSet::new();
        for client in 0..64 {
            let client = format!("20.0.{client}.0/24");
            let regions: BTreeSet<String> = TYPES
                .iter()
                .flat_map(|rtype| {
                    let asked = question("www").of(*rtype).client(&client);
                    (0..3).map(|seed| region_of(&world, &asked, seed)).collect::<Vec<_>>()
                })
                .collect();
            assert_eq!(regions.len(), 1, "{client}: {regions:?}");
            seen.extend(regions);
        }
        assert_eq!(seen.len(), 2, "both regions have clients");
    }
}

/// Without it each type is judged by its own endpoints (rule 8); with it a region whose IPv6 is down is down.
#[test]
fn rule_b8_a_region_is_up_if_it_is_for_every_type_that_it_has() {
    let zone = |together: &str| {
        regions()
            .policy("p", "failover", "targets = [\"us\", \"eu\"]")
            .name("www", &format!("policy = \"p\"{together}"))
            .world()
    };
    for (together, expected) in
        [("", ["us", "eu", "us"]), (", together = true", ["eu", "eu", "eu"])]
    {
        let world = zone(together);
        world.set_endpoint("us", 1, Status::Down);
        let regions = TYPES.map(|rtype| region_of(&world, &question("www").of(rtype), 0));
        assert_eq!(regions, expected, "{together}");
    }
    let world = zone(", together = true");
    for endpoint in [0, 1] {
        world.set_endpoint("us", endpoint, Status::Down);
        world.set_endpoint("eu", endpoint, Status::Down);
    }
    assert_eq!(TYPES.map(|rtype| region_of(&world, &question("www").of(rtype), 0)), ["us"; 3]);
}

#[test]
fn rule_49_any_record_type_is_routed() {
    let records = [
        ("TXT", "\\\"v=one\\\"", "\\\"v=two\\\""),
        ("MX", "10 mx1.example.net.", "10 mx2.example.net."),
        ("SRV", "0 5 443 a.example.net.", "0 5 443 b.example.net."),
        ("SVCB", "1 a.example.net. alpn=h2", "1 b.example.net. alpn=h3"),
        ("HTTPS", "1 . alpn=h2", "1 . alpn=h3"),
        ("CAA", "0 issue \\\"a.example\\\"", "0 issue \\\"b.example\\\""),
    ];
    for (rtype, us, eu) in records {
        let world = Zone::new()
            .section("pool.us", &format!("{rtype} = \"{us}\""))
            .section("pool.eu", &format!("{rtype} = \"{eu}\""))
            .policy("p", "geolocation", "continent.EU = \"eu\"\ndefault = \"us\"")
            .route("www", "p")
            .world();
        let ask = |country: &str| {
            let asked = question("www").of(rtype.parse().unwrap()).client(&home(country));
            world.ask(&asked).data()
        };
        let (american, european) = (ask("US"), ask("DE"));
        assert_eq!((american.len(), european.len()), (1, 1), "{rtype}");
        assert_ne!(american, european, "{rtype}");
        assert!(world.ask(&question("www").client(&home("US"))).is_nodata(), "{rtype} only");
    }
}

/// Other records of a pool live as long as one of its addresses.
#[test]
fn rule_5_records_without_an_address_follow_the_addresses_of_their_pool() {
    let world =
        regions().policy("p", "failover", "targets = [\"us\", \"eu\"]").route("www", "p").world();
    let https = || question("www").of(RecordType::HTTPS);
    world.set_endpoint("us", 0, Status::Down);
    assert_eq!(region_of(&world, &https(), 0), "us");
    world.set_endpoint("us", 1, Status::Down);
    assert_eq!(region_of(&world, &https(), 0), "eu");
}

/// A may be in one policy while AAAA is in another, and TXT in none.
#[test]
fn rule_8_types_of_one_name_have_routes_of_their_own() {
    let world = regions()
        .policy("p", "failover", "targets = [\"us\", \"eu\"]")
        .policy("q", "failover", "targets = [\"eu\", \"us\"]")
        .name("www", "ttl = \"1m\", A = { policy = \"p\" }, AAAA = { policy = \"q\", ttl = \"10s\" }, TXT = \"static\"")
        .world();
    let ask = |rtype| world.ask(&question("www").of(rtype));
    assert_eq!(
        (ask(RecordType::A).data(), ask(RecordType::A).ttls()),
        (vec!["192.0.2.1".into()], vec![60])
    );
    let six = ask(RecordType::AAAA);
    assert_eq!((six.data(), six.ttls()), (vec!["2001:db8::2".into()], vec![10]));
    assert_eq!(ask(RecordType::TXT).data(), ["static"]);
    assert!(ask(RecordType::HTTPS).is_nodata());
}

#[test]
fn rule_48_an_alias_of_a_name_answers_as_if_that_had_been_asked() {
    let zone = regions()
        .policy("p", "geolocation", "continent.EU = \"eu\"\ndefault = \"us\"")
        .name("api", "policy = \"p\", ttl = \"20s\", TXT = \"here\"")
        .name("www", "alias = \"api\"")
        .name("far", "alias = \"www\"")
        .name("plain", "A = \"192.0.2.77\", MX = \"5 mx.example.net.\"")
        .name("copy", "alias = \"plain\"")
        .name("four", "A = { alias = \"api\" }, AAAA = \"2001:db8::77\"");
    let world = zone.world();
    for name in ["api", "www", "far"] {
        let reply = world.ask(&question(name).client(&home("DE")));
        assert_eq!(
            (reply.data(), reply.ttls(), reply.scope()),
            (vec!["192.0.2.2".into()], vec![20], 16),
            "{name}"
        );
        assert_eq!(reply.message.answers[0].name.to_string(), format!("{name}.example.com."));
        assert_eq!(world.ask(&question(name).of(RecordType::TXT)).data(), ["here"], "{name}");
    }
    // Rule 50: the TTL is the target's.
    let reply = world.ask(&question("copy"));
    assert_eq!((reply.data(), reply.ttls()), (vec!["192.0.2.77".into()], vec![300]));
    assert_eq!(world.ask(&question("copy").of(RecordType::MX)).data(), ["5 mx.example.net."]);
    // Rule 49: an alias of one type is of that type only.
    assert_eq!(world.addresses(&question("four").client(&home("US"))), ["192.0.2.1"]);
    assert_eq!(world.addresses(&question("four").of(RecordType::AAAA)), ["2001:db8::77"]);
    assert!(world.ask(&question("four").of(RecordType::HTTPS)).is_nodata());
}

#[test]
fn rule_48_an_alias_stands_at_the_apex_too() {
    let zone =
        regions().policy("p", "failover", "targets = [\"eu\"]").name("api", "policy = \"p\"");
    let mut source = zone.source();
    source.text = source.text.replace("NS = \"ns1\" }", "NS = \"ns1\", alias = \"api\" }");
    let world = Zone::world_of(&source);
    assert_eq!(world.addresses(&question("@")), ["192.0.2.2"]);
    assert_eq!(world.ask(&question("@").of(RecordType::SOA)).message.answers.len(), 1);
    assert_eq!(world.ask(&question("@").of(RecordType::NS)).message.answers.len(), 1);
}
