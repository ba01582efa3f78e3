//! What a name may answer with: routes, and records beside them.

use super::*;

#[test]
fn routes_and_records_that_contradict_are_refused() {
    let sections = "[pool.a]\naddresses = [\"192.0.2.1\"]\n[pool.c]\ncname = \"x.net.\"\n[pool.self]\ncname = \"n\"\n";
    for (names, error) in [
        ("n = { pool = \"a\", AAAA = \"::1\" }", "n.example.com. has AAAA records beside a route"),
        ("n = { pool = \"a\", CNAME = \"x\" }", "n.example.com. has a CNAME beside other data"),
        (
            "n = { pool = \"c\", TXT = \"x\" }",
            "n.example.com. would have a CNAME beside other data",
        ),
        ("n = { pool = \"self\" }", "n.example.com. would be a CNAME of itself"),
        (
            "n = { pool = \"a\", NS = \"ns1\" }",
            "n.example.com. is delegated and cannot be routed as well",
        ),
        ("n = { pool = \"a\", policy = \"a\" }", "a name has either a policy or a pool"),
        ("n = { DNAME = [\"x.\", \"y.\"] }", "n.example.com. has more than one DNAME record"),
        ("n = { SOA = \"a b\" }", "the SOA belongs to the apex, example.com."),
    ] {
        assert_eq!(errors(&zone_with(sections, names))[0], error, "{names}");
    }
    compile(&zone_with(sections, "n = { pool = \"a\", TXT = \"x\", MX = \"0 .\" }"));
    let apex = zone_with(sections, "").replace("NS = [", "pool = \"c\", NS = [");
    assert_eq!(errors(&apex), ["the apex cannot be a CNAME, and this route makes one"]);
}

#[test]
fn a_route_of_one_type_is_told_from_a_name_with_a_dot() {
    let sections = "[pool.a]\naddresses = [\"192.0.2.1\"]\n[pool.c]\ncname = \"x.net.\"\n";
    let (zone, _) = compile(&zone_with(sections, "n.A = { pool = \"a\" }\nn.TXT = \"x\""));
    assert_eq!(*zone.names[&name("n")].routes[0].types, [RecordType::A]);
    let found = errors(&zone_with(sections, "n.a = { pool = \"a\" }"));
    assert_eq!(found, ["TOML reads `n.a` as `a` inside `n`"]);
    for (names, error) in [
        ("n = { pool = \"c\", A = { pool = \"a\" } }", "n.example.com. has two routes for A"),
        (
            "n = { A = { pool = \"a\" }, TYPE1 = { pool = \"a\" } }",
            "n.example.com. has two routes for A",
        ),
        (
            "n = { A = { pool = \"a\" }, CNAME = \"x\" }",
            "n.example.com. has a CNAME beside other data",
        ),
        (
            "n = { A = { pool = \"a\" }, NS = \"ns1\" }",
            "n.example.com. is delegated and cannot be routed as well",
        ),
        (
            "n = { alias = \"ns1\", NS = \"ns1\" }",
            "n.example.com. is delegated and cannot be routed as well",
        ),
    ] {
        assert_eq!(errors(&zone_with(sections, names))[0], error, "{names}");
    }
}

/// A million names may have one policy.
#[test]
fn many_names_share_what_is_known_of_a_policy() {
    let pools: String =
        (0..100).map(|n| format!("[pool.p{n}]\naddresses = \"192.0.2.{}\"\n", n + 1)).collect();
    let targets: Vec<String> = (0..100).map(|n| format!("\"p{n}\"")).collect();
    let policy = format!("[policy.f]\ntype = \"failover\"\ntargets = [{}]\n", targets.join(", "));
    let names: String = (0..10_000).map(|n| format!("n{n} = {{ policy = \"f\" }}\n")).collect();
    let text = zone_with(&(pools + &policy), &names);
    let start = std::time::Instant::now();
    assert_eq!(compile(&text).0.names.len(), 10_003);
    assert!(start.elapsed() < std::time::Duration::from_secs(20), "{:?}", start.elapsed());
}
