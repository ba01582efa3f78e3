//! Rules 75 to 79: where the client is, and the client subnet option on the wire (RFC 7871).

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use meridian::query::{Engine, Explanation, Inquiry, PlaceSource, explain};
use meridian::wire;

use crate::harness::{NOWHERE, SEED, World, Zone, database, home, home_ipv6, question};

fn zone() -> Zone {
    Zone::new()
        .pool("us", "192.0.2.1")
        .pool("eu", "192.0.2.2")
        .pool("d", "192.0.2.3")
        .policy("g", "geolocation", "country.US = \"us\"\ncontinent.EU = \"eu\"\ndefault = \"d\"")
        .route("www", "g")
        .policy("f", "failover", "targets = [\"us\", \"eu\"]")
        .route("everybody", "f")
        .name("static", "A = \"192.0.2.99\"")
}

fn resolver_in(country: &str) -> String {
    home(country).replace("0/24", "53")
}

#[test]
fn rule_75_the_client_subnet_decides_and_without_one_the_resolver() {
    let world = zone().world();
    let through_us = question("www").through(&resolver_in("US"));
    assert_eq!(world.addresses(&through_us), ["192.0.2.1"]);
    assert_eq!(world.addresses(&through_us.clone().client(&home("DE"))), ["192.0.2.2"]);
    assert_eq!(world.addresses(&through_us.clone().client(&home_ipv6("DE"))), ["192.0.2.2"]);
    assert_eq!(world.addresses(&through_us.clone().client(&home("JP"))), ["192.0.2.3"]);
    let through_de = question("www").through("2a00:3::53");
    assert_eq!(world.addresses(&through_de), ["192.0.2.2"], "a resolver with IPv6");
    let mapped = question("www").through("::ffff:20.3.7.53");
    assert_eq!(world.addresses(&mapped), ["192.0.2.2"], "IPv4 on a socket of IPv6");
}

/// A documented choice: a subnet without a location (private space among them) falls back to the resolver's address, and
/// the scope is still that of the subnet.
#[test]
fn rule_75_a_subnet_without_a_location_falls_back_to_the_resolver() {
    let world = zone().world();
    for (subnet, scope) in [("10.1.2.0/24", 4), (NOWHERE, 5)] {
        for (country, expected) in [("US", "192.0.2.1"), ("DE", "192.0.2.2"), ("JP", "192.0.2.3")] {
            let reply = world.ask(&question("www").through(&resolver_in(country)).client(subnet));
            assert_eq!(reply.addresses(), [expected]);
            assert_eq!(reply.scope(), scope, "{subnet}: all of it is nowhere");
        }
    }
}

/// How `www` is explained to a client behind a resolver.
pub fn explained(world: &World, subnet: Option<(&str, u8)>, resolver: &str) -> Explanation {
    let inquiry = Inquiry {
        name: wire::Name::parse("www.example.com.", &wire::Name::root()).unwrap(),
        qtype: wire::RecordType::A,
        subnet: subnet.map(|(address, length)| (address.parse().unwrap(), length)),
        resolver: resolver.parse().unwrap(),
        seed: SEED,
    };
    explain(&Engine::new(&world.snapshot, &world.view), &inquiry).unwrap()
}

#[test]
fn rule_76_explain_answers_as_the_wire_does_without_a_packet() {
    let world = zone().world();
    world.only_down(&["eu"]);
    for (country, resolver) in [("US", "DE"), ("DE", "US"), ("JP", "US")] {
        let (address, resolver) = (resolver_in(country), resolver_in(resolver));
        let told = explained(&world, Some((&address, 24)), &resolver);
        let reply = world.ask(&question("www").client(&home(country)).through(&resolver));
        assert_eq!((&*told.rcode, told.scope), ("NOERROR", Some(reply.scope())), "{told}");
        assert!(told.answers[0].ends_with(&reply.addresses()[0]), "{told}");
        assert_eq!(told.client, Some(home(country)), "the address is cut to the mask");
        let place = told.place.unwrap();
        assert_eq!(place.source, PlaceSource::ClientSubnet);
        assert_eq!(place.country.as_deref(), Some(country));
    }
}

#[test]
fn rule_76_explain_without_a_client_subnet_goes_by_the_resolver() {
    let world = zone().world();
    let told = explained(&world, None, &resolver_in("US"));
    assert_eq!(
        (told.pool.as_deref(), told.scope, told.client.as_deref()),
        (Some("us"), None, None)
    );
    assert_eq!(told.place.unwrap().source, PlaceSource::Resolver);
    let told = explained(&world, Some(("30.0.0.1", 24)), &resolver_in("DE"));
    assert_eq!(told.pool.as_deref(), Some("eu"));
    assert_eq!(told.place.unwrap().source, PlaceSource::ResolverInstead);
}

#[test]
fn rule_77_the_option_comes_back_only_if_it_was_sent() {
    let world = zone().world();
    let mut www = question("www");
    assert!(world.ask(&www).message.edns.is_none(), "no OPT, none back");
    www.payload = Some(1232);
    let reply = world.ask(&www);
    assert!(reply.message.edns.is_some() && reply.subnet().is_none());
}

#[test]
fn rule_77_family_source_and_address_are_copied() {
    let world = zone().world();
    for subnet in ["20.0.7.0/24", "20.0.7.9/32", "20.0.0.0/13", "2a00:0:7::/48", "2a00::/29"] {
        let net: ipnet::IpNet = subnet.parse().unwrap();
        let back = world.ask(&question("www").client(subnet)).subnet().unwrap();
        assert_eq!((back.addr(), back.source_prefix()), (net.addr(), net.prefix_len()));
    }
}

#[test]
fn rule_77_what_is_the_same_for_all_has_scope_0() {
    let world = zone().world();
    for name in ["static", "everybody", "nowhere", "ns1"] {
        for rtype in [RecordType::A, RecordType::TXT] {
            let reply = world.ask(&question(name).of(rtype).client(&home("US")));
            assert_eq!(reply.scope(), 0, "{name} {rtype}");
        }
    }
    let reply = world.ask(&question("www").of(RecordType::TXT).client(&home("US")));
    assert_eq!(reply.scope(), 0, "a routed name has no TXT for anybody");
}

#[test]
fn rule_77_source_0_means_the_resolver_and_scope_0() {
    let world = zone().world();
    let through_us = question("www").through(&resolver_in("US"));
    for any in ["0.0.0.0/0", "::/0"] {
        let reply = world.ask(&through_us.clone().client(any));
        assert_eq!((reply.addresses(), reply.scope()), (vec!["192.0.2.1".to_owned()], 0), "{any}");
        assert_eq!(reply.subnet().unwrap().source_prefix(), 0);
    }
}

/// An option that must be refused, and why.
const MALFORMED: [(&[u8], &str); 12] = [
    (&[], "no data"),
    (&[0, 1, 24], "shorter than 4"),
    (&[0, 3, 0, 0], "unknown family without a prefix"),
    (&[0, 3, 24, 0, 1, 2, 3], "unknown family"),
    (&[0, 0, 8, 0, 1], "family 0 with a prefix"),
    (&[0, 1, 33, 0, 1, 2, 3, 4, 5], "source above 32"),
    (
        &[0, 2, 129, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17],
        "source above 128",
    ),
    (&[0, 1, 24, 1, 20, 0, 7], "a scope in a query"),
    (&[0, 1, 24, 0, 20, 0], "an octet missing"),
    (&[0, 1, 24, 0, 20, 0, 7, 0], "an octet too many"),
    (&[0, 1, 20, 0, 20, 0, 0x1f], "a bit beyond the source"),
    (&[0, 2, 29, 0, 0x2a, 0, 0, 7], "a bit beyond the source, IPv6"),
];

#[test]
fn rule_78_malformed_options_are_refused() {
    let world = zone().world();
    for (data, why) in MALFORMED {
        for name in ["www", "static"] {
            let reply = world.ask(&question(name).raw_subnet(data));
            assert_eq!(reply.rcode(), ResponseCode::FormErr, "{why}");
            assert!(reply.message.answers.is_empty(), "{why}");
        }
    }
}

#[test]
fn rule_78_family_0_with_source_0_is_fine() {
    let world = zone().world();
    let question = question("www").through(&resolver_in("US")).raw_subnet(&[0, 0, 0, 0]);
    // hickory-proto cannot read family 0, so that this one answer is read by hand.
    let engine = Engine::new(&world.snapshot, &world.view);
    let client = meridian::query::Client {
        address: question.resolver,
        transport: meridian::query::Transport::Udp,
    };
    let mut out = [0u8; 1232];
    let mut scratch = meridian::query::Scratch::new(SEED);
    let outcome = engine.answer(&mut scratch, &question.octets(), client, &mut out);
    let answer = &out[..outcome.octets];
    assert_eq!(outcome.rcode, wire::Rcode::NOERROR);
    assert!(answer.windows(4).any(|octets| octets == [192, 0, 2, 1]), "by the resolver");
    assert!(answer.ends_with(&[0, 8, 0, 4, 0, 0, 0, 0]), "the option as it came: {answer:?}");
}

/// 20.0.0.0/8 is the US, 20.7.0.0/16 in it Germany: the /8 is split into what lies around the /16.
#[test]
fn rule_79_a_longer_prefix_splits_the_shorter_one() {
    let networks =
        [("20.0.0.0/8", "US"), ("20.7.0.0/16", "DE"), ("2a00::/16", "US"), ("2a00:7::/32", "DE")];
    let networks = networks.map(|(network, country)| (network.parse().unwrap(), Some(country)));
    let world = zone().world_with(database(&networks));
    for (subnet, expected, scope) in [
        ("20.7.0.0/16", "192.0.2.2", 16),
        ("20.7.255.255/32", "192.0.2.2", 16),
        ("20.6.0.0/16", "192.0.2.1", 16),
        ("20.5.0.0/16", "192.0.2.1", 15),
        ("20.1.0.0/16", "192.0.2.1", 14),
        ("20.8.0.0/16", "192.0.2.1", 13),
        ("20.200.0.0/16", "192.0.2.1", 9),
        ("2a00:7::/32", "192.0.2.2", 32),
        ("2a00:6::/32", "192.0.2.1", 32),
        ("2a00:8::/32", "192.0.2.1", 29),
        ("2a00:8000::/24", "192.0.2.1", 17),
    ] {
        let reply = world.ask(&question("www").client(subnet));
        assert_eq!(reply.addresses(), [expected], "{subnet}");
        assert_eq!(reply.scope(), scope, "{subnet}");
    }
}

/// A source shorter than the split is answered for its first address, with a scope that says it was too short.
#[test]
fn rule_79_a_source_shorter_than_the_split_gets_a_longer_scope() {
    let networks = [("20.0.0.0/8", "US"), ("20.7.0.0/16", "DE")];
    let networks = networks.map(|(network, country)| (network.parse().unwrap(), Some(country)));
    let world = zone().world_with(database(&networks));
    let reply = world.ask(&question("www").client("20.0.0.0/8"));
    assert_eq!((reply.addresses(), reply.scope()), (vec!["192.0.2.1".to_owned()], 14));
}
