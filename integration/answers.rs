//! What the server answers, seen with dig, with nslookup, and octet by octet.

mod harness;

use std::net::SocketAddr;
use std::time::Duration;

use harness::back_end;
use harness::example::{self, BIG, MEDIUM};
use harness::server::Server;
use harness::tools::{Dig, dig, dig_short, nslookup};
use harness::wire::{
    A, AAAA, ANY, AXFR, Ask, BADVERS, FORMERR, HINFO, NOERROR, NOTIMP, NXDOMAIN, REFUSED, SOA, TXT,
    TcpClient, UdpClient,
};

fn assert_ok(reply: &Dig) {
    assert_eq!(reply.status, "NOERROR", "{}", reply.text);
    assert!(reply.is_authoritative(), "{}", reply.text);
}

/// The name does not exist, or not with this type: nothing but the SOA of the zone (RFC 2308 §2).
fn assert_denied(reply: &Dig, status: &str, zone: &str) {
    assert_eq!(reply.status, status, "{}", reply.text);
    assert!(reply.is_authoritative(), "{}", reply.text);
    assert!(reply.answer.is_empty(), "{}", reply.text);
    assert_eq!(reply.authority.len(), 1, "{}", reply.text);
    assert_eq!((&*reply.authority[0].rtype, &*reply.authority[0].owner), ("SOA", zone));
}

#[test]
fn dig_gets_records_of_every_type() {
    let server = example::serve(&[]);
    let at = server.ipv4();
    for (question, expected) in [
        (&["example.com", "A"][..], &["192.0.2.1"][..]),
        (&["origin.example.com", "A"], &["192.0.2.80", "192.0.2.81"]),
        (&["origin.example.com", "AAAA"], &["2001:db8::80"]),
        (&["example.com", "NS"], &["ns1.example.com.", "ns2.example.com."]),
        (&["example.com", "MX"], &["10 mail.example.com.", "20 mail.example.net."]),
        (&["example.com", "TXT"], &["\"v=spf1 -all\""]),
        (
            &["quoted.example.com", "TXT"],
            &["\"a plain; one\"", "\"two strings\" \"of one record\""],
        ),
        (&["example.com", "CAA"], &["0 issue \"ca.example.net\""]),
        (&["_sip._tcp.example.com", "SRV"], &["10 60 5060 mail.example.com."]),
        (&["www.example.com", "CNAME"], &["web.example.com."]),
        (&["1.2.0.192.in-addr.arpa", "PTR"], &["example.com."]),
        (&["-x", "192.0.2.25"], &["mail.example.com."]),
    ] {
        let reply = dig(at, question);
        assert_ok(&reply);
        assert_eq!(reply.rdata(), expected, "{question:?}");
        assert!(reply.answer.iter().all(|line| line.ttl == 3600), "{}", reply.text);
    }
    let soa = dig_short(at, &["example.com", "SOA"]);
    assert!(soa[0].starts_with("ns1.example.com. hostmaster.example.com. "), "{soa:?}");
}

#[test]
fn nslookup_gets_addresses_names_mail_and_denials() {
    let server = example::serve(&[]);
    let at = server.ipv4();
    let text = nslookup(at, &["www.example.com"]);
    for line in [
        "www.example.com\tcanonical name = web.example.com.",
        "web.example.com\tcanonical name = origin.example.com.",
        "Address: 192.0.2.80",
        "Address: 192.0.2.81",
        "Address: 2001:db8::80",
    ] {
        assert!(text.contains(line), "no {line:?} in\n{text}");
    }
    let text = nslookup(at, &["-type=mx", "example.com"]);
    assert!(text.contains("mail exchanger = 10 mail.example.com."), "{text}");
    let text = nslookup(at, &["-type=txt", "example.com"]);
    assert!(text.contains("\"v=spf1 -all\""), "{text}");
    let text = nslookup(at, &["192.0.2.25"]);
    assert!(text.contains("name = mail.example.com."), "{text}");
    let text = nslookup(at, &["missing.example.com"]);
    assert!(text.contains("server can't find missing.example.com: NXDOMAIN"), "{text}");
    let text = nslookup(at, &["-type=srv", "mail.example.com"]);
    assert!(text.contains("*** Can't find mail.example.com: No answer"), "{text}");
    let text = nslookup(at, &["www.example.net"]);
    assert!(text.contains("server can't find www.example.net: REFUSED"), "{text}");
}

#[test]
fn cname_chains_are_followed_inside_the_zone_and_no_further() {
    let server = example::serve(&[]);
    let at = server.ipv4();
    let reply = dig(at, &["www.example.com", "A"]);
    assert_ok(&reply);
    let chain: Vec<_> = reply.answer.iter().map(|line| (&*line.owner, &*line.rtype)).collect();
    assert_eq!(
        chain,
        [
            ("www.example.com.", "CNAME"),
            ("web.example.com.", "CNAME"),
            ("origin.example.com.", "A"),
            ("origin.example.com.", "A"),
        ]
    );
    // The end of the chain lacks the type: NODATA, with the chain (RFC 2308 §2.2).
    let reply = dig(at, &["www.example.com", "MX"]);
    assert_eq!((reply.status.as_str(), reply.answer.len()), ("NOERROR", 2), "{}", reply.text);
    assert_eq!(reply.authority[0].rtype, "SOA", "{}", reply.text);
    let reply = dig(at, &["elsewhere.example.com", "A"]);
    assert_ok(&reply);
    assert_eq!(reply.rdata(), ["www.example.net."]);
    // From one zone into a name that is chosen by place.
    let reply = dig(at, &["+subnet=46.4.0.0/24", "alias.places.example", "A"]);
    assert_eq!(reply.rdata(), ["192.0.2.3", "www.places.example."]);
}

#[test]
fn wildcards_stand_for_names_that_do_not_exist() {
    let server = example::serve(&[]);
    let at = server.ipv4();
    for name in ["x.wild.example.com", "x.y.wild.example.com"] {
        let reply = dig(at, &[name, "A"]);
        assert_ok(&reply);
        assert_eq!(reply.rdata(), ["192.0.2.99"]);
        assert_eq!(reply.answer[0].owner, format!("{name}."));
    }
    assert_denied(&dig(at, &["x.wild.example.com", "MX"]), "NOERROR", "example.com.");
    assert_denied(&dig(at, &["host.wild.example.com", "A"]), "NOERROR", "example.com.");
    // An existing name is the closest encloser, and has no wildcard below it (RFC 4592 §2.2.1).
    assert_denied(&dig(at, &["x.host.wild.example.com", "A"]), "NXDOMAIN", "example.com.");
    assert_eq!(dig_short(at, &["*.wild.example.com", "TXT"]), ["\"from the wildcard\""]);
}

#[test]
fn nodata_and_nxdomain_are_two_things_with_one_soa() {
    let server = example::serve(&[]);
    let at = server.ipv4();
    assert_denied(&dig(at, &["mail.example.com", "MX"]), "NOERROR", "example.com.");
    assert_denied(&dig(at, &["missing.example.com", "A"]), "NXDOMAIN", "example.com.");
    assert_denied(&dig(at, &["x.mail.example.com", "A"]), "NXDOMAIN", "example.com.");
    // Empty non-terminals exist (RFC 8020).
    assert_denied(&dig(at, &["b.c.example.com", "A"]), "NOERROR", "example.com.");
    assert_denied(&dig(at, &["c.example.com", "A"]), "NOERROR", "example.com.");
    assert_denied(&dig(at, &["x.c.example.com", "A"]), "NXDOMAIN", "example.com.");
    assert_denied(&dig(at, &["narrow.places.example", "AAAA"]), "NOERROR", "places.example.");
    assert_denied(&dig(at, &["www.places.example", "TXT"]), "NOERROR", "places.example.");
    // The SOA's TTL is the time to remember a denial (RFC 2308 §3).
    let reply = dig(at, &["missing.example.com", "A"]);
    let soa = &reply.authority[0];
    let minimum: u32 = soa.rdata.rsplit(' ').next().unwrap().parse().unwrap();
    assert_eq!(soa.ttl, minimum.min(3600), "{}", reply.text);
}

#[test]
fn delegations_are_referred_with_glue() {
    let server = example::serve(&[]);
    for name in ["sub.example.com", "deep.down.sub.example.com", "ns.sub.example.com"] {
        let reply = dig(server.ipv4(), &["+norecurse", name, "A"]);
        assert_eq!(reply.status, "NOERROR", "{}", reply.text);
        assert!(!reply.is_authoritative() && reply.answer.is_empty(), "{}", reply.text);
        let servers: Vec<_> =
            reply.authority.iter().map(|line| (&*line.owner, &*line.rtype)).collect();
        assert_eq!(servers, [("sub.example.com.", "NS"); 2], "{}", reply.text);
        let glue: Vec<_> = reply.additional.iter().map(|line| line.rdata.as_str()).collect();
        assert_eq!(glue, ["192.0.2.54", "2001:db8::54"], "{}", reply.text);
    }
}

#[test]
fn dig_retries_over_tcp_when_an_answer_is_truncated() {
    let server = example::serve(&[]);
    let at = server.ipv4();
    let reply = dig(at, &["big.example.com", "TXT"]);
    assert!(reply.text.contains(";; Truncated, retrying in TCP mode."), "{}", reply.text);
    assert_eq!(reply.answer.len(), BIG);
    // However much the client would take: no fragments.
    let reply = dig(at, &["+ignore", "+bufsize=4096", "big.example.com", "TXT"]);
    assert!(reply.flags.contains(&"tc".to_owned()), "{}", reply.text);
    // 40 addresses fit into 1232 octets, but not into 512, which is what there is without EDNS.
    let reply = dig(at, &["+ignore", "medium.example.com", "A"]);
    assert_eq!((reply.answer.len(), reply.flags.contains(&"tc".to_owned())), (MEDIUM, false));
    for small in ["+noedns", "+bufsize=512", "+bufsize=1"] {
        let reply = dig(at, &["+ignore", small, "medium.example.com", "A"]);
        assert!(reply.flags.contains(&"tc".to_owned()), "{small}: {}", reply.text);
        assert!(reply.answer.is_empty(), "part of an RRset: {}", reply.text);
    }
    let reply = dig(at, &["+noedns", "medium.example.com", "A"]);
    assert_eq!(reply.answer.len(), MEDIUM);
}

#[test]
fn truncated_answers_keep_to_their_size_and_keep_the_question_and_the_opt_record() {
    let server = example::serve(&[]);
    let client = UdpClient::connect(server.ipv4());
    for (ask, limit) in [
        (Ask::new("big.example.com", TXT), 512),
        (Ask::new("big.example.com", TXT).payload(0), 512),
        (Ask::new("big.example.com", TXT).payload(1000), 1000),
        (Ask::new("big.example.com", TXT).payload(65_535), 1232),
        (Ask::new("big.example.com", TXT).subnet("46.4.0.0/24"), 1232),
    ] {
        let reply = client.exchange(&ask);
        assert!(reply.is_truncated());
        assert!(reply.octets.len() <= limit, "{} octets", reply.octets.len());
        assert_eq!(reply.rcode(), NOERROR);
    }
}

#[test]
fn without_edns_in_the_query_there_is_none_in_the_answer() {
    let server = example::serve(&[]);
    let reply = dig(server.ipv4(), &["+noedns", "example.com", "MX"]);
    assert_ok(&reply);
    assert!(!reply.text.contains("OPT PSEUDOSECTION"), "{}", reply.text);
    let reply = dig(server.ipv4(), &["+noedns", "elsewhere.org", "A"]);
    assert_eq!((reply.status.as_str(), reply.extended_error), ("REFUSED", None));
}

#[test]
fn ipv6_clients_are_answered_over_udp_and_tcp() {
    let server = example::serve(&[]);
    assert_eq!(dig_short(server.ipv6(), &["example.com", "A"]), ["192.0.2.1"]);
    assert_eq!(dig_short(server.ipv6(), &["+tcp", "example.com", "A"]), ["192.0.2.1"]);
    assert_eq!(
        dig_short(server.ipv6(), &["+subnet=46.4.0.0/24", "www.places.example", "AAAA"]),
        ["2001:db8::3"]
    );
}

/// A server on all addresses answers from the one that it was asked at, or resolvers would drop the answer.
#[test]
fn a_server_on_all_addresses_answers_from_the_one_that_was_asked() {
    if back_end::differs("wildcard addresses") {
        return;
    }
    let zone = example::example();
    let server =
        Server::start(&[("example.toml", &zone)], &["--listen", "0.0.0.0:0", "--listen", "[::]:0"]);
    let port = server.ipv4().port();
    for host in ["127.0.0.1", "127.0.0.77"] {
        let at: SocketAddr = format!("{host}:{port}").parse().unwrap();
        // The socket is connected: the kernel drops what comes from elsewhere.
        let local = "127.0.0.1".parse().unwrap();
        let reply = UdpClient::connect_from(local, at).exchange(&Ask::new("example.com", A));
        assert_eq!(reply.rdata(), ["192.0.2.1"]);
    }
    let at: SocketAddr = format!("[::1]:{}", server.ipv6().port()).parse().unwrap();
    assert_eq!(dig_short(at, &["example.com", "A"]), ["192.0.2.1"]);
}

#[test]
fn tcp_takes_queries_in_one_write_and_queries_in_pieces() {
    let server = example::serve(&[]);
    let mut client = TcpClient::connect(server.ipv4());
    // Two at once (RFC 7766 §6.2.1.1); answers may come in any order.
    let asks = [Ask::new("big.example.com", TXT).id(1), Ask::new("example.com", A).id(2)];
    let both = asks.iter().flat_map(|ask| TcpClient::framed(&ask.octets())).collect::<Vec<_>>();
    client.write(&both);
    let mut replies = [client.receive(), client.receive()];
    replies.sort_by_key(|reply| reply.id());
    for (reply, ask) in replies.iter().zip(&asks) {
        reply.assert_answers(ask);
    }
    assert_eq!(replies[0].message.answers.len(), BIG);
    assert_eq!(replies[1].rdata(), ["192.0.2.1"]);
    // One octet at a time, the length too.
    let ask = Ask::new("mail.example.com", A).id(3);
    for octet in TcpClient::framed(&ask.octets()) {
        client.write(&[octet]);
        std::thread::sleep(Duration::from_millis(2));
    }
    let reply = client.receive();
    reply.assert_answers(&ask);
    assert_eq!(reply.rdata(), ["192.0.2.25"]);
}

#[test]
fn many_queries_on_one_tcp_connection_are_all_answered() {
    const QUERIES: u16 = 500;
    let server = example::serve(&[]);
    let mut client = TcpClient::connect(server.ipv4());
    let all: Vec<u8> = (0..QUERIES)
        .flat_map(|id| TcpClient::framed(&Ask::new("example.com", A).id(id).octets()))
        .collect();
    client.write(&all);
    let mut ids: Vec<u16> = (0..QUERIES).map(|_| client.receive().id()).collect();
    ids.sort_unstable();
    assert!(ids.into_iter().eq(0..QUERIES));
}

#[test]
fn a_client_that_shuts_its_side_still_gets_its_answers() {
    let server = example::serve(&[]);
    let mut client = TcpClient::connect(server.ipv4());
    client.send(&Ask::new("example.com", A));
    client.stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(client.receive().rdata(), ["192.0.2.1"]);
}

/// RFC 7871 §7.2.1: family, source and address come back as they came.
#[test]
fn the_client_subnet_comes_back_with_a_scope() {
    let server = example::serve(&[]);
    for (client, expected) in [
        ("46.4.0.0/24", "192.0.2.3"),
        ("46.4.0.0/32", "192.0.2.3"),
        ("8.8.8.0/24", "192.0.2.2"),
        ("133.11.0.0/24", "192.0.2.4"),
        ("2a01:4f8::/32", "192.0.2.3"),
        ("2a01:4f8::/56", "192.0.2.3"),
        ("2001:4860:4860::/48", "192.0.2.2"),
    ] {
        let ask = Ask::new("www.places.example", A).subnet(client);
        let reply = server.ask(&ask);
        assert_eq!(reply.rdata(), [expected], "{client}");
        let sent = ask.octets();
        let subnet = reply.subnet().unwrap_or_else(|| panic!("{client} did not come back"));
        let (echoed, scope) = ([&subnet[..3], &subnet[4..]].concat(), subnet[3]);
        let option = &sent[sent.len() - subnet.len()..];
        assert_eq!(echoed, [&option[..3], &option[4..]].concat(), "{client}");
        assert!(scope > 0, "{client}: the answer depends on the place");
        println!("{client}: scope /{scope}");
    }
}

/// The same question from two ends of the scope has the same answer.
#[test]
fn the_scope_holds_for_both_of_its_ends() {
    let server = example::serve(&[]);
    for client in ["46.4.0.0/24", "8.8.8.0/24", "133.11.0.0/24", "200.160.0.0/24", "81.2.69.0/24"] {
        let reply = server.ask(&Ask::new("www.places.example", A).subnet(client));
        let scope = u32::from(reply.scope().unwrap());
        let address: std::net::Ipv4Addr = client.split('/').next().unwrap().parse().unwrap();
        let mask = u32::MAX.checked_shl(32 - scope).unwrap_or(0);
        for end in [address.to_bits() & mask, address.to_bits() | !mask] {
            let end = format!("{}/32", std::net::Ipv4Addr::from_bits(end));
            let at_end = server.ask(&Ask::new("www.places.example", A).subnet(&end));
            assert_eq!(at_end.rdata(), reply.rdata(), "{client} has scope /{scope}, not so {end}");
            assert_eq!(at_end.scope(), reply.scope(), "{client} and {end}");
        }
    }
}

#[test]
fn rule_77_answers_that_do_not_depend_on_the_place_have_scope_0() {
    let server = example::serve(&[]);
    for name in ["fixed.places.example", "origin.example.com", "ns.places.example"] {
        let reply = server.ask(&Ask::new(name, A).subnet("46.4.0.0/24"));
        assert_eq!((reply.rcode(), reply.scope()), (NOERROR, Some(0)), "{name}");
    }
    let reply = server.ask(&Ask::new("missing.example.com", A).subnet("46.4.0.0/24"));
    assert_eq!((reply.rcode(), reply.scope()), (NXDOMAIN, Some(0)));
    let reply = server.ask(&Ask::new("www.example.net", A).subnet("46.4.0.0/24"));
    assert_eq!((reply.rcode(), reply.scope()), (REFUSED, Some(0)));
    assert_eq!(server.ask(&Ask::new("www.places.example", A)).subnet(), None);
}

/// A resolver that sends length 0 asks not to be told apart: it is its own client (RFC 7871 §7.1.2).
#[test]
fn rule_77_source_length_0_is_answered_for_the_resolver_with_scope_0() {
    let server = example::serve(&[]);
    let without = server.ask(&Ask::new("www.places.example", A));
    for none in ["0.0.0.0/0", "::/0"] {
        let reply = server.ask(&Ask::new("www.places.example", A).subnet(none));
        assert_eq!(reply.scope(), Some(0), "{none}");
        assert_eq!(reply.rdata(), without.rdata(), "{none}");
    }
    // Family 0 is fine here, as some clients write it; hickory-proto can't read it, so its octets are compared: the answer to
    // IPv4's /0 with another family in the option, which ends the message.
    let client = UdpClient::connect(server.ipv4());
    let mut expected =
        client.exchange(&Ask::new("www.places.example", A).subnet("0.0.0.0/0")).octets;
    let family = expected.len() - 4;
    expected[family..family + 2].copy_from_slice(&[0, 0]);
    client.send(&Ask::new("www.places.example", A).option(8, &[0; 4]).octets());
    let received = client.receive();
    if back_end::differs("unread") {
        return assert_eq!(received.map(|octets| octets[3] & 15), Some(FORMERR as u8));
    }
    assert_eq!(received, Some(expected));
    let reply = dig(server.ipv4(), &["+subnet=0", "www.places.example", "A"]);
    assert_ok(&reply);
    assert!(reply.subnet.is_some_and(|subnet| subnet.ends_with("/0/0")), "{}", reply.text);
}

#[test]
fn rule_78_a_malformed_client_subnet_is_formerr() {
    let server = example::serve(&[]);
    for (option, why) in [
        (&[][..], "empty"),
        (&[0, 1, 24], "three octets"),
        (&[0, 3, 24, 0, 46, 4, 0], "family 3"),
        (&[0, 0, 8, 0, 46], "family 0 with a prefix"),
        (&[0, 1, 33, 0, 46, 4, 0, 0, 0], "source 33 of IPv4"),
        (&[0, 2, 129, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17], "source 129"),
        (&[0, 1, 24, 24, 46, 4, 0], "a scope in a query"),
        (&[0, 1, 24, 0, 46, 4], "an octet missing"),
        (&[0, 1, 24, 0, 46, 4, 0, 0], "an octet too many"),
        (&[0, 1, 20, 0, 46, 4, 0x1f], "a bit beyond the source length"),
    ] {
        let ask = Ask::new("www.places.example", A).option(8, option);
        let reply = UdpClient::connect(server.ipv4()).exchange_octets(&ask.octets());
        assert_eq!(reply.rcode(), FORMERR, "{why}");
        assert_eq!(reply.counts()[1..3], [0, 0], "{why}");
        let mut stream = TcpClient::connect(server.ipv4());
        stream.send(&ask);
        let over_tcp = stream.receive();
        assert_eq!(over_tcp.rcode(), FORMERR, "{why}, over TCP");
        // What hickory-proto takes for well-formed comes to us, and is answered by us.
        if !back_end::differs("unread") || reply.message.edns.is_some() {
            reply.assert_answers(&ask);
            over_tcp.assert_answers(&ask);
        }
    }
    let twice = Ask::new("www.places.example", A).subnet("46.4.0.0/24").subnet("8.8.8.0/24");
    assert_eq!(server.ask(&twice).rcode(), FORMERR);
    // An option that we don't know is no mistake (RFC 6891 §6.1.2).
    let unknown = Ask::new("www.places.example", A).option(65_001, b"whatever");
    assert_eq!(server.ask(&unknown).rcode(), NOERROR);
}

#[test]
fn another_edns_version_is_badvers_and_says_which_we_have() {
    let server = example::serve(&[]);
    let reply = dig(server.ipv4(), &["+edns=1", "+noednsnegotiation", "example.com", "A"]);
    assert_eq!(reply.status, "BADVERS", "{}", reply.text);
    assert!(reply.text.contains("; EDNS: version: 0,"), "{}", reply.text);
    let reply = server.ask(&Ask::new("example.com", A).version(1));
    assert_eq!((reply.rcode(), reply.counts()[1]), (BADVERS, 0));
    // With negotiation dig comes back with version 0.
    assert_eq!(dig_short(server.ipv4(), &["+edns=1", "example.com", "A"]), ["192.0.2.1"]);
}

#[test]
fn names_of_nobody_here_are_refused_and_it_says_why() {
    let server = example::serve(&[]);
    for name in ["www.example.net", "com", ".", "example.com.example.org", "xexample.com"] {
        let reply = dig(server.ipv4(), &[name, "A"]);
        assert_eq!(reply.status, "REFUSED", "{}", reply.text);
        assert!(!reply.is_authoritative(), "{}", reply.text);
        let error = reply.extended_error.unwrap_or_else(|| panic!("no EDE:\n{}", reply.text));
        assert!(error.starts_with("20 (Not Authoritative)"), "{error}");
    }
    assert_eq!(
        server.ask(&Ask::new("example.net", A).payload(1232)).extended_error().unwrap().0,
        20
    );
}

/// Resolvers mix the case of a question and want it back (draft-vixie-dnsext-dns0x20).
#[test]
fn the_question_comes_back_in_the_case_it_had() {
    let server = example::serve(&[]);
    let client = UdpClient::connect(server.ipv4());
    for name in ["WwW.eXaMpLe.CoM", "MISSING.example.COM", "X.wIlD.example.com", "NO.such.ZONE"] {
        // The octets of the question are compared in there.
        client.exchange(&Ask::new(name, A));
    }
    let reply = dig(server.ipv4(), &["OrIgIn.ExAmPlE.cOm", "AAAA"]);
    assert_eq!(reply.rdata(), ["2001:db8::80"]);
    assert_eq!(reply.answer[0].owner, "OrIgIn.ExAmPlE.cOm.");
}

/// RFC 1035 §4.1.1 and RFC 4035 §3.1.6; AD is not ours to set, and Z stays zero.
#[test]
fn rd_and_cd_come_back_and_nothing_else() {
    let server = example::serve(&[]);
    for flags in [0, 0x0100, 0x0010, 0x0110, 0x07f0] {
        let reply = server.ask(&Ask::new("example.com", A).flags(flags));
        assert_eq!(reply.flags(), 0x8400 | flags & 0x0110, "{flags:#06x}");
    }
}

/// RFC 8482 §4.2: little, and the same over UDP and TCP.
#[test]
fn any_gets_hinfo() {
    let server = example::serve(&[]);
    for transport in ["+notcp", "+tcp"] {
        for name in ["example.com", "www.places.example"] {
            let reply = dig(server.ipv4(), &[transport, name, "ANY"]);
            assert_ok(&reply);
            assert_eq!(reply.answer[0].rtype, "HINFO", "{}", reply.text);
            assert_eq!(reply.rdata(), ["\"RFC8482\" \"\""]);
        }
    }
    let reply = server.ask(&Ask::new("missing.example.com", ANY));
    assert_eq!((reply.rcode(), reply.counts()[1]), (NXDOMAIN, 0));
    assert_eq!(
        u16::from(server.ask(&Ask::new("example.com", ANY)).message.answers[0].record_type()),
        HINFO
    );
}

#[test]
fn other_classes_transfers_and_opcodes_are_declined() {
    let server = example::serve(&[]);
    let reply = dig(server.ipv4(), &["CH", "TXT", "version.bind"]);
    assert_eq!((reply.status.as_str(), reply.answer.len()), ("REFUSED", 0), "{}", reply.text);
    assert_eq!(server.ask(&Ask::new("example.com", A).class(3)).rcode(), REFUSED);
    assert_eq!(server.ask(&Ask::new("example.com", SOA).class(255)).rcode(), REFUSED);
    let mut stream = TcpClient::connect(server.ipv4());
    assert_eq!(stream.exchange(&Ask::new("example.com", AXFR)).rcode(), REFUSED);
    // STATUS, NOTIFY, UPDATE.
    let client = UdpClient::connect(server.ipv4());
    for opcode in [2u16, 4, 5] {
        let octets = Ask::new("example.com", SOA).flags(opcode << 11).octets();
        let reply = client.exchange_octets(&octets);
        assert_eq!((reply.rcode(), reply.flags() >> 11 & 15), (NOTIMP, opcode));
    }
}

/// What people and monitors look at first: every record of an answer has the owner that was asked for.
#[test]
fn header_counts_tell_the_truth() {
    let server = example::serve(&[]);
    for (name, qtype) in [("example.com", A), ("www.example.com", AAAA), ("x.example.com", A)] {
        let reply = server.ask(&Ask::new(name, qtype).payload(1232));
        let message = &reply.message;
        // The OPT record is counted in the additional section.
        let sections = [
            message.queries.len(),
            message.answers.len(),
            message.authorities.len(),
            message.additionals.len() + 1,
        ];
        assert_eq!(reply.counts().map(usize::from), sections, "{name}");
    }
}

#[test]
fn sigterm_and_sigint_end_the_server_with_success() {
    for signal in ["TERM", "INT"] {
        let server = example::serve(&[]);
        assert_eq!(dig_short(server.ipv4(), &["example.com", "A"]), ["192.0.2.1"]);
        assert_eq!(server.stop(signal), Some(0), "{signal}");
    }
}
