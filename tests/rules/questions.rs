//! Whatever is asked: the answer can be read by `hickory-proto`, echoes the question, and fits.

use std::net::IpAddr;

use hickory_proto::op::{MessageType, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use ipnet::IpNet;
use meridian::query::Transport;
use proptest::prelude::*;

use crate::harness::{Question, World, Zone, question, runner};

/// A zone with one of everything, long sets among it.
fn world() -> World {
    let addresses: Vec<String> = (0..60).map(|n| format!("2001:db8::{n:x}")).collect();
    let texts: Vec<String> = (0..12).map(|n| format!("{n}{}", "x".repeat(200))).collect();
    Zone::new()
        .pool("six", &addresses.join(" "))
        .pool("four", "192.0.2.1 192.0.2.2 2001:db8:1::1")
        .section("pool.lb", "cname = \"four\"")
        .section("pool.far", "cname = \"lb.example.net.\"")
        .policy("geo", "geolocation", "continent.EU = \"six\"\ncountry.US = [\"four\", \"six\"]")
        .policy("share", "weighted", "weights = { six = 1, four = 1, geo = 1 }")
        .policy("cnames", "weighted", "weights = { lb = 1, far = 1 }")
        .route("geo", "geo")
        .route("share", "share")
        .route("cnames", "cnames")
        .route("*.wild", "share")
        .name("four", "pool = \"four\", MX = \"10 geo\"")
        .name("many", &format!("AAAA = {addresses:?}, TXT = {texts:?}"))
        .name("chain", "CNAME = \"cnames\"")
        .name("loop", "CNAME = \"loop2\"")
        .name("loop2", "CNAME = \"loop\"")
        .name("cut", "NS = [\"ns.cut\", \"ns1\"]")
        .name("ns.cut", "A = \"192.0.2.54\"")
        .name("a.b.c.deep", "TXT = \"deep\"")
        .world()
}

/// Names in the zone, near it, and far from it.
fn name() -> impl Strategy<Value = Name> {
    let known = prop::sample::select(vec![
        "",
        "geo.",
        "share.",
        "cnames.",
        "x.wild.",
        "a.b.wild.",
        "*.wild.",
        "four.",
        "many.",
        "chain.",
        "loop.",
        "cut.",
        "below.cut.",
        "ns.cut.",
        "deep.",
        "c.deep.",
        "x.deep.",
        "wild.",
        "none.",
    ]);
    let random = prop::collection::vec("[a-zA-Z0-9*_-]{1,20}", 0..4)
        .prop_map(|labels| labels.iter().map(|label| format!("{label}.")).collect::<String>());
    let long = (1..=63usize, 1..=3usize)
        .prop_map(|(length, count)| format!("{}.", "l".repeat(length)).repeat(count));
    let below = prop_oneof![6 => known.prop_map(str::to_owned), 2 => random, 1 => long];
    let apex = prop::sample::select(vec![
        "example.com.",
        "example.com.",
        "EXAMPLE.com.",
        "com.",
        "example.net.",
        ".",
    ]);
    (below, apex).prop_map(|(below, apex)| {
        let text = if below.is_empty() || apex != "." { below + apex } else { below };
        Name::from_ascii(&text).unwrap_or_else(|_| Name::root())
    })
}

fn rtype() -> impl Strategy<Value = RecordType> {
    let common = ["A", "AAAA", "TXT", "MX", "NS", "SOA", "CNAME", "ANY"];
    let common = prop::sample::select(common.map(|text| text.parse().unwrap()).to_vec());
    prop_oneof![4 => common, 1 => any::<u16>().prop_map(RecordType::from)]
}

fn subnet() -> impl Strategy<Value = Option<IpNet>> {
    let ipv4 = (any::<u32>(), 0..=32u8);
    let ipv6 = (any::<u128>(), 0..=128u8);
    let home = (0..20u8, 8..=32u8)
        .prop_map(|(country, length)| IpNet::new([20, country, 7, 9].into(), length).unwrap());
    prop_oneof![
        1 => Just(None),
        1 => ipv4.prop_map(|(address, length)| IpNet::new(IpAddr::V4(address.into()), length).ok()),
        1 => ipv6.prop_map(|(address, length)| IpNet::new(IpAddr::V6(address.into()), length).ok()),
        2 => home.prop_map(Some)
    ]
}

fn any_question() -> impl Strategy<Value = Question> {
    let payload =
        prop_oneof![Just(None), any::<u16>().prop_map(Some), (500..1300u16).prop_map(Some)];
    (name(), rtype(), subnet(), payload, any::<bool>(), any::<u32>()).prop_map(
        |(name, rtype, subnet, payload, is_stream, resolver)| {
            let transport = if is_stream { Transport::Stream } else { Transport::Udp };
            let resolver = IpAddr::V4(resolver.into());
            Question { name, rtype, subnet, payload, transport, resolver, ..question("@") }
        },
    )
}

/// What a client takes (RFC 1035 §4.2.1, RFC 6891 §6.2.3), and what we send over UDP at most.
fn size_limit(question: &Question) -> usize {
    match (question.transport, question.payload) {
        (Transport::Stream, _) => 65_535,
        (Transport::Udp, None) => 512,
        (Transport::Udp, Some(payload)) => usize::from(payload).clamp(512, 1232),
    }
}

fn check(world: &World, question: &Question, seed: u64) -> Result<(), TestCaseError> {
    let reply = world.answer(question, seed);
    let (message, metadata) = (&reply.message, &reply.message.metadata);
    prop_assert!(reply.octets.len() <= size_limit(question), "{} octets", reply.octets.len());
    prop_assert_eq!((metadata.id, metadata.message_type), (0x1234, MessageType::Response));
    prop_assert!(message.queries.len() == 1 && message.queries[0].name() == &question.name);
    prop_assert_eq!(message.queries[0].query_type(), question.rtype);
    prop_assert_eq!(message.edns.is_some(), question.payload.is_some());
    let sent = question.subnet.filter(|_| question.payload.is_some());
    prop_assert_eq!(
        reply.subnet().map(|back| back.source_prefix()),
        sent.map(|net| net.prefix_len())
    );
    prop_assert!(!(metadata.truncation && question.transport == Transport::Stream));
    match reply.rcode() {
        ResponseCode::NoError => {
            let is_bare = message.answers.is_empty() && message.authorities.is_empty();
            prop_assert!(!is_bare || metadata.truncation, "neither answer nor denial nor referral");
        }
        ResponseCode::NXDomain => prop_assert_eq!(message.authorities.len(), 1),
        rcode => {
            prop_assert!(matches!(rcode, ResponseCode::Refused | ResponseCode::NotImp), "{}", rcode)
        }
    }
    Ok(())
}

#[test]
fn every_question_gets_an_answer_that_can_be_read_and_fits() {
    let world = world();
    world.only_down(&[]);
    let result = runner(4_000)
        .run(&(any_question(), any::<u64>()), |(question, seed)| check(&world, &question, seed));
    result.unwrap();
}
