//! What the server says of itself and of its own state: NSID, CHAOS names, how long a connection may stay, stale answers.

mod harness;

use harness::example;
use harness::tools::{dig, dig_short};
use harness::wire::{A, Ask, REFUSED, TXT, TcpClient};

const CHAOS: u16 = 3;
const OPTION_NSID: u16 = 3;
const OPTION_TCP_KEEPALIVE: u16 = 11;
const NAMES: [&str; 4] = ["version.bind", "version.server", "id.server", "hostname.bind"];

#[test]
fn nothing_is_told_unless_the_owner_wants_it() {
    let server = example::serve(&[]);
    for name in NAMES {
        assert_eq!(server.ask(&Ask::new(name, TXT).class(CHAOS)).rcode(), REFUSED, "{name}");
    }
    let reply = server.ask(&Ask::new("example.com", A).option(OPTION_NSID, &[]));
    assert!(reply.options(OPTION_NSID).is_empty());
}

#[test]
fn what_the_owner_wants_is_told_to_those_who_ask() {
    let server = example::serve(&["--identity", "ns1.fra", "--show-version"]);
    for (name, start) in NAMES.into_iter().zip(["meridian ", "meridian ", "ns1.fra", "ns1.fra"]) {
        let reply = server.ask(&Ask::new(name, TXT).class(CHAOS));
        assert!(reply.is_authoritative() && reply.rdata()[0].starts_with(start), "{name}");
        assert_eq!(server.ask(&Ask::new(name, A).class(CHAOS)).counts()[1], 0);
    }
    let other = server.ask(&Ask::new("authors.bind", TXT).class(CHAOS));
    assert_eq!(other.rcode(), REFUSED);
    let reply = server.ask(&Ask::new("example.com", A).option(OPTION_NSID, &[]));
    assert_eq!(reply.options(OPTION_NSID), [b"ns1.fra"]);
    assert!(server.ask(&Ask::new("example.com", A).payload(1232)).options(OPTION_NSID).is_empty());
    let shown = dig(server.ipv4(), &["+nsid", "example.com", "A"]).text;
    assert!(shown.contains("(\"ns1.fra\")"), "{shown}");
    assert_eq!(dig_short(server.ipv4(), &["CH", "TXT", "id.server"]), ["\"ns1.fra\""]);
}

/// RFC 7828 §3.2: over TCP, and to those who ask.
#[test]
fn a_connection_hears_how_long_it_may_stay() {
    let server = example::serve(&[]);
    let ask = Ask::new("example.com", A).option(OPTION_TCP_KEEPALIVE, &[]);
    assert!(server.ask(&ask).options(OPTION_TCP_KEEPALIVE).is_empty(), "over UDP it is ignored");
    let mut client = TcpClient::connect(server.ipv4());
    assert_eq!(client.exchange(&ask).options(OPTION_TCP_KEEPALIVE), [[0, 100]]);
    let plain = client.exchange(&Ask::new("example.com", A).payload(1232));
    assert!(plain.options(OPTION_TCP_KEEPALIVE).is_empty());
}

#[test]
fn answers_are_stale_while_newer_zone_files_are_refused() {
    const STALE_ANSWER: u16 = 3;
    let server = example::serve(&[]);
    let ask = Ask::new("example.com", A).payload(1232);
    assert_eq!(server.ask(&ask).extended_error(), None);
    server.write_zone("example.toml", "zone = \"example.com\"\n");
    server.reload();
    server.wait_for_log("reload refused");
    harness::wait_until("answers say that they are stale", harness::PATIENCE, || {
        server.ask(&ask).extended_error().is_some_and(|(code, _)| code == STALE_ANSWER)
    });
    assert_eq!(server.ask(&ask).rdata(), ["192.0.2.1"]);
    assert_eq!(server.ask(&Ask::new("example.com", A)).counts()[3], 0, "not without EDNS");
    server.write_zone("example.toml", &example::example());
    server.reload();
    harness::wait_until("answers are fresh again", harness::PATIENCE, || {
        server.ask(&ask).extended_error().is_none()
    });
}
