//! The portable back end, `--io hickory`: hickory-server's sockets over the same engine, and so the same answers.
//!
//! The tests of answers, abuse and malformed messages, with clients and in bulk, run here once more: they are the modules
//! below, and know by the name of this crate which back end they are to start. Where it may differ is in
//! [`harness::back_end`].

#![allow(clippy::duplicate_mod, reason = "each file of tests brings the harness with it")]

#[path = "abuse.rs"]
mod abuse;
#[path = "answers.rs"]
mod answers;
#[path = "clients.rs"]
mod clients;
mod harness;
#[path = "malformed.rs"]
mod malformed;
#[path = "sweep.rs"]
mod sweep;

use harness::example;
use harness::fingerprint::{API, API_CNAME, API_WEIGHTED, CLIENTS, Deployment, EU_WEST_1};
use harness::tools::dig;
use harness::wire::{A, Ask};
use harness::{PATIENCE, wait_until};

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
    let sockets = example::serve(&["--io", "sockets"]);
    let hickory = example::serve(&[]);
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
fn places_health_and_metrics_reach_this_back_end_too() {
    let mut deployment = Deployment::start(&[]);
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

/// The table of differences stands in the documentation, word for word.
#[test]
fn the_differences_of_the_other_back_end_are_documented() {
    let path = harness::repository().join("src/serve/hickory.rs");
    let source = std::fs::read_to_string(path).expect("the source of the back end");
    let rows: Vec<_> = source
        .lines()
        .filter_map(|line| line.strip_prefix("//! | ")?.strip_suffix(" |")?.split_once(" | "))
        .collect();
    assert_eq!(rows, harness::back_end::DIFFERENCES);
}
