//! The portable back end, `--io hickory`: hickory-server's sockets over the same engine, and so the same answers.

mod harness;

use std::time::Duration;

use harness::example::{self, BIG, MEDIUM};
use harness::fingerprint::{API, API_CNAME, API_WEIGHTED, CLIENTS, Deployment, EU_WEST_1};
use harness::tools::{dig, dig_short, nslookup};
use harness::wire::{A, Ask, FORMERR, TXT, TcpClient, UdpClient};
use harness::{PATIENCE, wait_until};

const HICKORY: [&str; 2] = ["--io", "hickory"];

/// Questions whose answers must not depend on the back end.
const QUESTIONS: &[&[&str]] = &[
    &["example.com", "A"],
    &["example.com", "NS"],
    &["example.com", "MX"],
    &["example.com", "TXT"],
    &["example.com", "CAA"],
    &["origin.example.com", "AAAA"],
    &["_sip._tcp.example.com", "SRV"],
    &["-x", "192.0.2.25"],
    &["www.example.com", "CNAME"],
    &["elsewhere.example.com", "A"],
    &["x.wild.example.com", "A"],
    &["mail.example.com", "MX"],
    &["missing.example.com", "A"],
    &["b.c.example.com", "A"],
    &["deep.sub.example.com", "A"],
    &["example.com", "ANY"],
    &["www.example.net", "A"],
    &["+noedns", "www.example.net", "A"],
    &["CH", "TXT", "version.bind"],
    &["+edns=1", "+noednsnegotiation", "example.com", "A"],
    &["+subnet=46.4.0.0/24", "www.places.example", "A"],
    &["+subnet=2a01:4f8::/32", "www.places.example", "AAAA"],
    &["+subnet=0.0.0.0/0", "www.places.example", "A"],
    &["+tcp", "big.example.com", "TXT"],
];

#[test]
fn both_back_ends_answer_alike() {
    let sockets = example::serve(&[]);
    let hickory = example::serve(&HICKORY);
    for question in QUESTIONS {
        let [ours, theirs] = [&sockets, &hickory].map(|server| dig(server.ipv4(), question));
        assert_eq!(theirs.status, ours.status, "{question:?}\n{}", theirs.text);
        assert_eq!(theirs.flags, ours.flags, "{question:?}\n{}", theirs.text);
        assert_eq!(theirs.rdata(), ours.rdata(), "{question:?}\n{}", theirs.text);
        assert_eq!(theirs.extended_error, ours.extended_error, "{question:?}\n{}", theirs.text);
        assert_eq!(theirs.subnet, ours.subnet, "{question:?}\n{}", theirs.text);
        let sorted = |lines: &[harness::tools::Line]| {
            let mut lines = lines.to_vec();
            lines.iter_mut().filter(|line| line.rtype == "SOA").for_each(|soa| {
                // The serial is the time at which the file was written.
                soa.rdata = soa.rdata.split(' ').take(2).collect();
            });
            lines.sort();
            lines
        };
        assert_eq!(sorted(&theirs.authority), sorted(&ours.authority), "{question:?}");
        assert_eq!(sorted(&theirs.additional), sorted(&ours.additional), "{question:?}");
    }
}

#[test]
fn truncation_and_the_way_to_tcp_work() {
    let server = example::serve(&HICKORY);
    let at = server.ipv4();
    let reply = dig(at, &["big.example.com", "TXT"]);
    assert!(reply.text.contains(";; Truncated, retrying in TCP mode."), "{}", reply.text);
    assert_eq!(reply.answer.len(), BIG);
    let reply = dig(at, &["+ignore", "+noedns", "medium.example.com", "A"]);
    assert!(reply.flags.contains(&"tc".to_owned()), "{}", reply.text);
    assert_eq!(dig(at, &["medium.example.com", "A"]).answer.len(), MEDIUM);
    let reply = UdpClient::connect(at).exchange(&Ask::new("big.example.com", TXT).payload(65_535));
    assert!(reply.is_truncated() && reply.octets.len() <= 1232);
}

#[test]
fn ipv6_tcp_pipelining_and_nslookup_work() {
    let server = example::serve(&HICKORY);
    assert_eq!(dig_short(server.ipv6(), &["example.com", "A"]), ["192.0.2.1"]);
    assert_eq!(dig_short(server.ipv6(), &["+tcp", "example.com", "A"]), ["192.0.2.1"]);
    assert!(nslookup(server.ipv4(), &["www.example.com"]).contains("Address: 192.0.2.80"));
    let mut client = TcpClient::connect(server.ipv4());
    let both: Vec<u8> = (1..=2)
        .flat_map(|id| TcpClient::framed(&Ask::new("example.com", A).id(id).octets()))
        .collect();
    client.write(&both);
    let mut ids = [client.receive().id(), client.receive().id()];
    ids.sort_unstable();
    assert_eq!(ids, [1, 2]);
}

#[test]
fn malformed_client_subnets_are_formerr_and_answers_get_silence() {
    let server = example::serve(&HICKORY);
    let client = UdpClient::connect(server.ipv4());
    for option in [&[0u8, 1, 33, 0, 46, 4, 0, 0, 0][..], &[0, 1, 20, 0, 46, 4, 0x1f], &[0, 1]] {
        let ask = Ask::new("www.places.example", A).option(8, option);
        assert_eq!(client.exchange_octets(&ask.octets()).rcode(), FORMERR, "{option:?}");
    }
    client.send(&Ask::new("example.com", A).flags(0x8000).octets());
    assert_eq!(client.receive_within(Duration::from_millis(500)), None);
}

#[test]
fn places_health_and_metrics_reach_this_back_end_too() {
    let mut deployment = Deployment::start(&HICKORY);
    for (place, client, region) in CLIENTS {
        assert_eq!(deployment.ask(API, client), [region], "{place}");
        assert_eq!(deployment.ask(API_CNAME, client), [region], "{place}");
    }
    let counts = deployment.count_answers(&Ask::new(API_WEIGHTED, A), 2_000);
    assert_eq!(counts.len(), 3, "{counts:?}");
    deployment.regions[0].stop();
    wait_until("clients have moved", PATIENCE, || deployment.ask(API, "8.8.8.0/24") == [EU_WEST_1]);
    let metrics = deployment.server.metrics();
    assert!(metrics.sum("meridian_dns_responses_total", &[("proto", "udp")]) >= 2_000.0);
    assert_eq!(deployment.server.stop("TERM"), Some(0));
}
