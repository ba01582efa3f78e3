//! Records, delegations, chains and habits; several files.

use super::*;
use crate::limits::{CNAME_CHAIN, ERRORS_PER_FILE};

#[test]
fn a_minimal_zone_has_defaults() {
    let (zone, found) = compile(&zone_with("", ""));
    assert_eq!((zone.names.len(), found.len()), (3, 0));
    assert_eq!(rrset(&zone, "ns1", RecordType::A).ttl, ttl(300));
}

#[test]
fn warnings_do_not_reject() {
    let sections = "[check.c]\ntcp = 1\n[pool.p]\naddresses = \"192.0.2.1\"\n\
                    [policy.q]\ntype = \"geolocation\"\ncontinent.EU = \"p\"\n";
    assert_eq!(
        warnings(&zone_with(sections, "")),
        [
            "the check `c` is not used",
            "the policy `q` has no default",
            "the policy `q` is not used"
        ]
    );
    for (names, warning) in [
        (
            "\"www.example.com\" = { A = \"192.0.2.1\" }",
            "`www.example.com` is relative and so means www.example.com.example.com.",
        ),
        (
            "m = { MX = \"10 aspmx.l.google.com\" }",
            "aspmx.l.google.com.example.com. does not exist in this zone",
        ),
        ("m = { MX = \"10 t\" }\nt = { TXT = \"\" }", "t.example.com. has no address"),
        (
            "m = { MX = \"10 c\" }\nc = { CNAME = \"ns1\" }",
            "c.example.com. is a CNAME, which MX must not name",
        ),
    ] {
        assert_eq!(warnings(&zone_with("", names)), [warning], "{names}");
    }
    for fine in
        ["w = { CNAME = \"a.w2\" }\n\"*.w2\" = { A = \"192.0.2.1\" }", "m = { MX = \"0 .\" }"]
    {
        assert_eq!(warnings(&zone_with("", fine)), [""; 0], "{fine}");
    }
}

/// Names, and the warnings that they give.
fn assert_warnings(cases: &[(&str, &[&str])]) {
    for (names, expected) in cases {
        assert_eq!(warnings(&zone_with("", names)), *expected, "{names}");
    }
}

#[test]
fn what_is_below_a_delegation_or_a_dname_is_hidden() {
    let cut = "d = { NS = [\"ns.d\", \"ns1\"] }\n\"ns.d\" = { A = \"192.0.2.1\" }\n";
    assert_warnings(&[
        (cut, &[]),
        (
            &format!("{cut}\"x.d\" = {{ TXT = \"x\" }}"),
            &["nobody can see the data of x.d.example.com."],
        ),
        (
            &format!("{cut}\"c.d\" = {{ NS = [\"ns1\", \"ns2\"] }}"),
            &["nobody can see the data of c.d.example.com."],
        ),
        (
            "d = { NS = [\"ns1\", \"ns2\"], MX = \"1 ns1\", DS = \"1 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\", A = \"192.0.2.1\" }",
            &["nobody can see the MX records of d.example.com."],
        ),
        ("d = { DNAME = \"example.net.\", A = \"192.0.2.1\", TXT = \"x\" }", &[]),
        (
            "d = { DNAME = \"example.net.\" }\n\"a.b.d\" = { A = \"192.0.2.1\" }\ndd = { A = \"192.0.2.1\" }",
            &["nobody can see the data of a.b.d.example.com."],
        ),
        // What is looked for below a delegation is not ours to miss.
        ("d = { NS = [\"ns1\", \"ns2\"] }\nm = { MX = \"1 mail.d\" }", &[]),
    ]);
}

#[test]
fn a_delegation_has_glue() {
    assert_warnings(&[
        (
            "d = { NS = [\"ns1.d\", \"ns2.d\"] }",
            &["the delegation of d.example.com. can't be followed"],
        ),
        (
            "d = { NS = [\"ns1.d\", \"ns2.d\"] }\n\"ns2.d\" = { AAAA = \"2001:db8::1\" }",
            &["ns1.d.example.com. has no address here, so that nobody can ask it"],
        ),
        (
            "d = { NS = [\"d\", \"ns.example.net.\"] }",
            &["d.example.com. has no address here, so that nobody can ask it"],
        ),
        ("d = { NS = [\"d\", \"ns.example.net.\"], A = \"192.0.2.1\" }", &[]),
        ("d = { NS = [\"ns.example.net.\", \"ns.example.org.\"] }", &[]),
        ("d = { NS = [\"ns1.c\", \"ns2.c\"] }\nc = { NS = [\"ns1\", \"ns2\"] }", &[]),
        (
            "\"*.d\" = { A = \"192.0.2.1\" }\nd = { NS = [\"ns1.d\", \"ns1\"] }",
            &["ns1.d.example.com. has no address here, so that nobody can ask it"],
        ),
    ]);
    let routed = "d = { NS = [\"ns1.d\", \"ns2.d\"] }\n\"ns1.d\" = { pool = \"p\" }";
    let found = warnings(&zone_with("[pool.p]\naddresses = \"192.0.2.1\"\n", routed));
    assert_eq!(
        found,
        [
            "the delegation of d.example.com. can't be followed",
            "nobody can see the data of ns1.d.example.com."
        ],
        "a route is no glue"
    );
    let apex = zone_with("[pool.p]\naddresses = \"192.0.2.1\"\n", "")
        .replace("ns2 = { A = \"192.0.2.54\" }", "ns2 = { pool = \"p\" }");
    assert_eq!(warnings(&apex), [""; 0], "a name server of the zone itself may be routed");
}

#[test]
fn ds_and_dname_have_their_places() {
    let ds = "DS = \"1 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"";
    assert_warnings(&[
        (&format!("d = {{ {ds} }}"), &["d.example.com. has a DS record and no NS"]),
        (&format!("d = {{ {ds}, NS = [\"ns1\", \"ns2\"] }}"), &[]),
        (
            "\"*.d\" = { DNAME = \"example.net.\" }",
            &["*.d.example.com. is a wildcard with a DNAME"],
        ),
        ("d = { DNAME = \"x.d\" }", &["the DNAME of d.example.com. leads to x.d.example.com."]),
        (
            "d = { DNAME = \"example.net.\" }\nm = { MX = \"1 a.d\" }\nc = { CNAME = \"a.d\" }",
            &["a.d.example.com. is below a DNAME, which MX must not name"],
        ),
    ]);
    let apex = zone_with("", "").replace("NS = [", &format!("{ds}, NS = ["));
    assert_eq!(warnings(&apex), ["the apex example.com. has a DS record"]);
    let apex = zone_with("", "").replace("NS = [", "DNAME = \"example.net.\", NS = [");
    let found = warnings(&apex);
    assert_eq!(
        found.iter().filter(|text| text.starts_with("nobody can see")).count(),
        2,
        "what is below a DNAME at the apex: {found:?}"
    );
}

#[test]
fn circles_of_cnames_are_found_once() {
    assert_warnings(&[
        (
            "in = { CNAME = \"b\" }\na = { CNAME = \"b\" }\nb = { CNAME = \"c\" }\nc = { CNAME = \"a\" }",
            &["a.example.com. is a CNAME that leads back to itself"],
        ),
        (
            "a = { CNAME = \"b\" }\nb = { CNAME = \"a\" }\nc = { CNAME = \"d\" }\nd = { CNAME = \"c\" }",
            &[
                "a.example.com. is a CNAME that leads back to itself",
                "c.example.com. is a CNAME that leads back to itself",
            ],
        ),
        // The classic: a wildcard that leads to a name which only the wildcard answers.
        (
            "\"*.w\" = { CNAME = \"www.w\" }",
            &["*.w.example.com. is a CNAME that leads back to itself"],
        ),
        ("\"*.w\" = { CNAME = \"www.w\" }\n\"www.w\" = { A = \"192.0.2.1\" }", &[]),
        // An empty non-terminal stands between the wildcard and the name.
        (
            "\"*.w\" = { CNAME = \"a.b.w\" }\n\"c.b.w\" = { A = \"192.0.2.1\" }",
            &["a.b.w.example.com. does not exist in this zone"],
        ),
        ("a = { CNAME = \"b\" }\nb = { CNAME = \"c\" }\nc = { CNAME = \"example.net.\" }", &[]),
        // Both ways join before the delegation, and end there.
        (
            "a = { CNAME = \"x.d\" }\nd = { NS = [\"ns1\", \"ns2\"] }\n\"x.d\" = { A = \"192.0.2.1\" }",
            &[],
        ),
    ]);
    let (_, found) = compile(&zone_with("", "a = { CNAME = \"b\" }\nb = { CNAME = \"a\" }"));
    assert_eq!(found[0].help, ["the circle is a.example.com. → b.example.com. → a.example.com."]);
}

#[test]
fn chains_of_cnames_are_as_long_as_an_answer() {
    let chain = |length: usize| {
        let links = (0..length).map(|n| format!("c{n} = {{ CNAME = \"c{}\" }}\n", n + 1));
        let end = format!("c{length} = {{ A = \"192.0.2.1\" }}\nside = {{ CNAME = \"c1\" }}");
        zone_with("", &(links.collect::<String>() + &end))
    };
    assert_eq!(warnings(&chain(CNAME_CHAIN - 1)), [""; 0]);
    let expected = ["c0", "side"]
        .map(|start| format!("a chain of {CNAME_CHAIN} CNAMEs begins at {start}.example.com."));
    assert_eq!(warnings(&chain(CNAME_CHAIN)), expected, "at its beginnings only");
    assert_eq!(warnings(&chain(5_000)).len(), 2);
}

#[test]
fn habits_that_hurt_are_mentioned() {
    assert_warnings(&[
        ("d = { NS = \"ns1\" }", &["d.example.com. has only one name server"]),
        (
            "d = { NS = { ttl = \"0s\", data = [\"ns1\", \"ns2\"] } }",
            &["NS of d.example.com. has a TTL of 0"],
        ),
        ("d = { ttl = \"0s\", A = \"192.0.2.1\" }", &[]),
        (
            "d = { TXT = [\"v=spf1 -all\", \"x\", \"V=SPF1\"] }",
            &["d.example.com. has two SPF records"],
        ),
        ("d = { TXT = [\"v=spf1 -all\", \"v=spf10\", \"\"] }", &[]),
        (
            "d = { MX = [\"10 ns1\", \"0 .\"] }",
            &["d.example.com. says that it takes no mail, and names a host for it"],
        ),
    ]);
    let with_soa = |soa: &str| warnings(&zone_with("", "").replace("\"ns1 host\"", soa));
    for (soa, expected) in [
        ("\"ns1 host 1 7200 3600 1209600 86400\"", &[][..]),
        ("\"ns1 host 1 3600 3600 3600 60\"", &[]),
        (
            "\"ns1 host 1 3600 7200 1209600 60\"",
            &["the SOA's retry, 2h, is longer than its refresh, 1h"],
        ),
        (
            "\"ns1 host 1 7200 3600 3600 60\"",
            &["the SOA's expire, 1h, is shorter than its refresh, 2h"],
        ),
        ("\"ns1 host 1 7200 3600 1209600 86401\"", &["the SOA's minimum is 1d1s"]),
        ("{ ttl = \"0s\", data = \"ns1 host\" }", &["SOA of example.com. has a TTL of 0"]),
    ] {
        assert_eq!(with_soa(soa), expected, "{soa}");
    }
    let alone = zone_with("", "").replace("[\"ns1\", \"ns2\"]", "\"ns1\"");
    assert_eq!(warnings(&alone), ["example.com. has only one name server"]);
}

#[test]
fn all_errors_of_a_file_are_found_up_to_the_limit() {
    let names: String =
        (0..ERRORS_PER_FILE * 2).map(|n| format!("n{n} = {{ A = \"x\" }}\n")).collect();
    let found = errors(&zone_with("", &names));
    assert_eq!(found.len(), ERRORS_PER_FILE + 1);
    assert_eq!(found.last().unwrap(), "there are 50 more errors in this file");
}

#[test]
fn the_later_of_two_files_is_rejected_even_if_the_first_is_broken() {
    let file = |path: &str, text: &str| Source::new(path, text, 0);
    let good = zone_with("", "");
    let sources = [file("a.toml", "zone = \"EXAMPLE.com\"\n]"), file("b.toml", &good)];
    let compiled = compile_zones(&sources);
    let rejected: Vec<&Rejected> =
        compiled.iter().map(|result| result.as_ref().unwrap_err()).collect();
    assert!(rejected.iter().all(|rejected| rejected.apex == Some(name("@"))));
    assert_eq!(
        rejected[1].diagnostics[0].message,
        "the zone example.com. of b.toml is also defined in a.toml"
    );
    assert_eq!(rejected[1].diagnostics[0].line(), Some(1));
}

#[test]
fn the_root_and_odd_names_are_zones_too() {
    let text = "zone = \".\"\n[names]\n\"@\" = { SOA = \"a. b.\", NS = \"a.\" }\na = { A = \"192.0.2.1\" }\n";
    assert!(compile(text).0.apex.is_root());
    let odd = "\"a\\\\.b\" = { A = \"192.0.2.1\" }\n\"x.*.y\" = { A = \"192.0.2.2\" }\n\"_sip._tcp\" = { SRV = \"0 0 1 ns1\" }";
    let (zone, found) = compile(&zone_with("", odd));
    assert_eq!((zone.names.len(), found.len()), (6, 0));
    assert!(errors("zone = \"@\"")[0].contains("must be a name"));
}
