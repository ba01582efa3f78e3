//! What clients of four kinds make of our answers: BIND's dig, nslookup and delv, Knot's kdig, NLnet Labs' drill. Each has a
//! decoder and a printer of its own; what they print is compared with what the zone says.

mod harness;

use harness::example::{self, BIG, TYPES, Typed};
use harness::tools::{Dig, Line, delv, dig, drill, kdig, nslookup};

/// A client that prints whole messages.
type Client = fn(std::net::SocketAddr, &[&str]) -> Dig;
const CLIENTS: [(&str, Client); 3] = [("dig", dig), ("kdig", kdig), ("drill", drill)];

/// Without what each client does in its own way: white space in long data, quotation marks, comments, and the case of
/// hexadecimal digits.
fn plain(typed: &Typed, printed: &str) -> String {
    let comment = printed.find(" ;{").or_else(|| printed.find(" ; ")).unwrap_or(printed.len());
    let text: String =
        printed[..comment].chars().filter(|c| !c.is_whitespace() && *c != '"').collect();
    if typed.is_hex() { text.to_lowercase() } else { text }
}

fn assert_is(typed: &Typed, lines: &[Line], client: &str) {
    let [line] = lines else { panic!("{client}, {}: {lines:?}", typed.rtype) };
    // kdig writes names in lower case.
    assert_eq!(line.owner.to_lowercase(), format!("{}.", typed.name()), "{client}");
    assert_eq!((&*line.rtype, line.ttl), (typed.rtype, 3600), "{client}");
    let expected = plain(typed, &typed.printed());
    assert_eq!(plain(typed, &line.rdata), expected, "{client}, {}", typed.rtype);
}

#[test]
fn every_client_reads_records_of_every_type() {
    let server = example::serve_types();
    for typed in TYPES {
        let question = [&*typed.name(), typed.rtype];
        for (client, ask) in CLIENTS {
            let reply = ask(server.ipv4(), &question);
            assert_eq!(reply.status, "NOERROR", "{}", reply.text);
            assert!(reply.is_authoritative(), "{}", reply.text);
            assert_is(typed, &reply.answer, client);
        }
        // An alias is an answer for delv, too; DS and what lies at a cut it would look for above.
        let (records, text) = delv(server.ipv4(), &question);
        assert!(text.contains("; authoritative"), "{}: {text}", typed.rtype);
        assert_is(typed, &records, "delv");
    }
}

#[test]
fn nslookup_reads_records_of_every_type() {
    let server = example::serve_types();
    for typed in TYPES {
        let text = nslookup(server.ipv4(), &[&format!("-type={}", typed.rtype), &typed.name()]);
        let expected = match typed.rtype {
            // nslookup has its own words for them.
            "SOA" => "serial = 2026010100".to_owned(),
            _ => typed.printed(),
        };
        let is_there = plain(typed, &text).contains(&plain(typed, &expected));
        assert!(is_there, "{}: no {expected} in\n{text}", typed.rtype);
    }
}

/// The README's list of types with a syntax of their own is the list that is tested here.
#[test]
fn every_type_of_the_manual_is_tried() {
    let manual = std::fs::read_to_string(harness::repository().join("README.md")).unwrap();
    let (_, list) = manual.split_once("Types with their own syntax: ").expect("the list");
    let (list, _) = list.split_once('.').expect("its end");
    for rtype in list.split_whitespace() {
        assert!(TYPES.iter().any(|typed| typed.rtype == rtype), "{rtype} has no record");
    }
}

#[test]
fn every_client_tells_nodata_from_nxdomain_and_both_from_a_refusal() {
    let server = example::serve(&[]);
    let at = server.ipv4();
    for (client, ask) in CLIENTS {
        for (name, qtype, status) in [
            ("mail.example.com", "MX", "NOERROR"),
            ("b.c.example.com", "A", "NOERROR"),
            ("missing.example.com", "A", "NXDOMAIN"),
            ("x.mail.example.com", "TXT", "NXDOMAIN"),
        ] {
            let reply = ask(at, &[name, qtype]);
            assert_eq!(reply.status, status, "{client}: {}", reply.text);
            assert!(reply.is_authoritative() && reply.answer.is_empty(), "{}", reply.text);
            let [soa] = &reply.authority[..] else { panic!("{client}: {}", reply.text) };
            assert_eq!((&*soa.owner, &*soa.rtype), ("example.com.", "SOA"), "{}", reply.text);
        }
        let reply = ask(at, &["www.example.net", "A"]);
        assert_eq!(reply.status, "REFUSED", "{client}: {}", reply.text);
    }
    for (name, qtype, verdict) in [
        ("mail.example.com", "MX", "ncache nxrrset"),
        ("missing.example.com", "A", "ncache nxdomain"),
        ("www.example.net", "A", "REFUSED unexpected RCODE"),
    ] {
        let (records, text) = delv(at, &[name, qtype]);
        assert!(records.is_empty() && text.contains(verdict), "{text}");
    }
}

#[test]
fn every_client_sees_referrals_and_chains() {
    let server = example::serve(&[]);
    for (client, ask) in CLIENTS {
        let reply = ask(server.ipv4(), &["deep.down.sub.example.com", "A"]);
        assert_eq!(reply.status, "NOERROR", "{client}: {}", reply.text);
        assert!(!reply.is_authoritative() && reply.answer.is_empty(), "{}", reply.text);
        let mut servers: Vec<_> = reply.authority.iter().map(|line| &*line.rdata).collect();
        servers.sort_unstable();
        assert_eq!(servers, ["ns.example.net.", "ns.sub.example.com."], "{}", reply.text);
        let glue: Vec<_> = reply.additional.iter().map(|line| &*line.rdata).collect();
        assert_eq!(glue, ["192.0.2.54", "2001:db8::54"], "{}", reply.text);

        let reply = ask(server.ipv4(), &["www.example.com", "AAAA"]);
        let chain: Vec<_> = reply.answer.iter().map(|line| (&*line.owner, &*line.rdata)).collect();
        let expected = [
            ("www.example.com.", "web.example.com."),
            ("web.example.com.", "origin.example.com."),
            ("origin.example.com.", "2001:db8::80"),
        ];
        assert_eq!(chain, expected, "{client}: {}", reply.text);
    }
    let (records, text) = delv(server.ipv4(), &["www.example.com", "AAAA"]);
    assert_eq!(records.len(), 3, "{text}");
    let text = nslookup(server.ipv4(), &["-type=ns", "deep.down.sub.example.com"]);
    assert!(text.contains("nameserver = ns.sub.example.com."), "{text}");
}

#[test]
fn every_client_finds_its_way_to_tcp() {
    let server = example::serve(&[]);
    let at = server.ipv4();
    let question = ["big.example.com", "TXT"];
    // dig and kdig ask again when TC says so; drill has to be told.
    let is_cut = |reply: &Dig| reply.flags.iter().any(|flag| flag == "tc");
    for (client, ask, by_udp, by_tcp) in [
        ("dig", dig as Client, &["+ignore"][..], &[][..]),
        ("dig", dig, &["+ignore", "+bufsize=4096"], &["+tcp"]),
        ("kdig", kdig, &["+ignore"], &[]),
        ("kdig", kdig, &["+ignore", "+bufsize=4096"], &["+tcp"]),
        ("drill", drill, &[], &["-t"]),
        ("drill", drill, &["-b", "4096"], &["-a", "-b", "4096"]),
    ] {
        let cut = ask(at, &[by_udp, &question].concat());
        assert!(is_cut(&cut) && cut.answer.is_empty(), "{client}: {}", cut.text);
        let whole = ask(at, &[by_tcp, &question].concat());
        assert!(!is_cut(&whole), "{client} {by_tcp:?}: {}", whole.text);
        assert_eq!(whole.answer.len(), BIG, "{client} {by_tcp:?}: {}", whole.text);
    }
    let (records, text) = delv(at, &question);
    assert_eq!(records.len(), BIG, "{text}");
    let text = nslookup(at, &["-type=txt", "big.example.com"]);
    assert_eq!(text.matches("text = ").count(), BIG, "{text}");
}

#[test]
fn the_client_subnet_means_the_same_to_dig_and_kdig() {
    let server = example::serve(&[]);
    for (subnet, address) in [
        ("46.4.0.0/24", "192.0.2.3"),
        ("8.8.8.0/24", "192.0.2.2"),
        ("2a01:4f8::/32", "192.0.2.3"),
        ("0.0.0.0/0", "192.0.2.4"),
    ] {
        let option = format!("+subnet={subnet}");
        let question = [&*option, "www.places.example", "A"];
        let [ours, theirs] = [dig, kdig].map(|ask| ask(server.ipv4(), &question));
        assert_eq!(ours.rdata(), [address], "{}", ours.text);
        assert_eq!(theirs.rdata(), [address], "{}", theirs.text);
        let scope = ours.subnet.as_deref().expect("a client subnet comes back");
        assert!(scope.starts_with(&format!("{subnet}/")), "{}", ours.text);
        assert_eq!(theirs.subnet.as_deref(), Some(scope), "{}", theirs.text);
    }
}

#[test]
fn ipv6_and_tcp_work_for_every_client() {
    let server = example::serve(&[]);
    for at in [server.ipv4(), server.ipv6()] {
        for (client, ask, tcp) in
            [("dig", dig as Client, "+tcp"), ("kdig", kdig, "+tcp"), ("drill", drill, "-t")]
        {
            for options in [&[][..], &[tcp]] {
                let reply = ask(at, &[options, &["mail.example.com", "AAAA"]].concat());
                assert_eq!(reply.rdata(), ["2001:db8::25"], "{client}: {}", reply.text);
            }
        }
        let (records, text) = delv(at, &["mail.example.com", "AAAA"]);
        assert_eq!(records.len(), 1, "{text}");
        assert!(nslookup(at, &["mail.example.com"]).contains("2001:db8::25"));
    }
}
