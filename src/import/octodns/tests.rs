//! Each thing that octoDNS can say, and what becomes of it.

use super::*;
use crate::import::Note;

fn import(yaml: &str) -> Imported {
    import_octodns(yaml, "example.com").unwrap()
}

/// A dynamic A record `w` with these lines below `dynamic`, and one own value.
fn dynamic(lines: &str, more: &str) -> Imported {
    let indented: String = lines.lines().map(|line| format!("    {line}\n")).collect();
    import(&format!("w:\n  type: A\n  value: 192.0.2.200\n{more}  dynamic:\n{indented}"))
}

fn notes(imported: &Imported) -> String {
    imported.notes.iter().map(Note::to_string).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn assert_has(imported: &Imported, line: &str) {
    assert!(imported.text.lines().any(|it| it == line), "no `{line}` in\n{}", imported.text);
}

#[test]
fn values_are_presentation_format() {
    for (record, line) in [
        ("type: A\n  values: [192.0.2.1, 192.0.2.2]", r#"w = { A = ["192.0.2.1", "192.0.2.2"] }"#),
        (
            "type: MX\n  values: [{priority: 5, value: a.example.net.}]",
            r#"w = { MX = "5 a.example.net." }"#,
        ),
        ("type: TXT\n  value: v=a\\; b", r#"w = { TXT = '"v=a; b"' }"#),
        (
            "type: DS\n  value: {key_tag: 1, algorithm: 8, digest_type: 1, digest: 2bb183af5f22588179a53b0a98631fad1a292118}",
            r#"w = { DS = "1 8 1 2bb183af5f22588179a53b0a98631fad1a292118" }"#,
        ),
        (
            "type: TLSA\n  value: {certificate_usage: 3, selector: 1, matching_type: 0, certificate_association_data: abcd}",
            r#"w = { TLSA = "3 1 0 abcd" }"#,
        ),
        (
            "type: SVCB\n  value: {svcpriority: 1, targetname: a.example.net., svcparams: {no-default-alpn: , alpn: h2}}",
            r#"w = { SVCB = "1 a.example.net. alpn=h2 no-default-alpn" }"#,
        ),
    ] {
        let imported = import(&format!("w:\n  {record}\n"));
        assert_has(&imported, line);
    }
    let text = notes(&import("w: {type: MX, value: {exchange: a.}}\n"));
    assert!(text.contains("not written as octoDNS has it"), "{text}");
}

#[test]
fn a_rule_tries_its_pool_its_fallbacks_and_the_own_values() {
    let pools = "pools:\n  a: {fallback: b, values: [{value: 192.0.2.1}]}\n  b: {values: [{value: 192.0.2.2}]}\n";
    let imported = dynamic(&format!("{pools}rules: [{{pool: a}}]"), "");
    assert_has(&imported, r#"targets = ["w-a", "w-b", "w-default"]"#);
    assert_has(&imported, r#"w = { policy = "w" }"#);
    let rules = "rules:\n- {geos: [EU, NA-US, NA-CA-BC], pool: b}\n- {subnets: [10.0.0.0/8], pool: b}\n- {pool: a}";
    let imported = dynamic(&format!("{pools}{rules}"), "");
    for place in
        ["continent.EU     ", "country.US       ", "subdivision.CA-BC", "cidr.\"10.0.0.0/8\""]
    {
        let start = place.trim_end();
        let mut lines = imported.text.lines().filter(|line| line.starts_with(start));
        assert!(
            lines.any(|line| line.ends_with(r#"= ["w-b", "w-default"]"#)),
            "{place}\n{}",
            imported.text
        );
    }
    let circle = pools.replace("b: {values", "b: {fallback: a, values");
    let imported = dynamic(&format!("{circle}rules: [{{pool: b}}]"), "");
    assert_has(&imported, r#"targets = ["w-b", "w-a", "w-default"]"#);
}

#[test]
fn the_first_rule_of_a_place_counts() {
    let pools =
        "pools:\n  a: {values: [{value: 192.0.2.1}]}\n  b: {values: [{value: 192.0.2.2}]}\n";
    let rules =
        "rules:\n- {geos: [EU], pool: a}\n- {geos: [EU], pool: b}\n- {pool: b}\n- {pool: a}";
    let imported = dynamic(&format!("{pools}{rules}"), "");
    assert_has(&imported, r#"continent.EU = ["w-a", "w-default"]"#);
    assert_has(&imported, r#"default      = ["w-b", "w-default"]"#);
}

#[test]
fn statuses_decide_over_checks() {
    let lines = "pools:\n  a:\n    values:\n    - {value: 192.0.2.1, status: up}\n    - {value: 192.0.2.2, status: down}\n    - {value: 192.0.2.3, weight: 4}\nrules: [{pool: a}]";
    let imported = dynamic(lines, "");
    assert_has(&imported, "weights = { w-a-1 = 1, w-a-2 = 1, w-a-3 = 4 }");
    assert_eq!(imported.text.matches("check     = ").count(), 2, "{}", imported.text);
    let down = "[check.down]\nicmp     = true\ninverted = true\ndisabled = true\n";
    assert!(imported.text.contains(down), "{}", imported.text);
    assert_eq!(imported.text.matches("check     = \"down\"").count(), 1);
}

#[test]
fn checks_are_as_the_record_says() {
    let lines = "pools:\n  a: {values: [{value: 192.0.2.1}]}\nrules: [{pool: a}]";
    for (healthcheck, expected) in [
        ("", "https = \"/_dns\" host = \"w.example.com\" expect = 200 damping = false"),
        ("{protocol: ICMP}", "icmp = true damping = false"),
        ("{protocol: TCP, port: 25}", "tcp = 25 damping = false"),
        (
            "{protocol: HTTP, host: h.example, path: x}",
            "http = \"/x\" host = \"h.example\" port = 443 expect = 200 damping = false",
        ),
    ] {
        let more = match healthcheck {
            "" => String::new(),
            text => format!("  octodns: {{healthcheck: {text}}}\n"),
        };
        let imported = dynamic(lines, &more);
        let check = imported.text.lines().skip_while(|line| !line.starts_with("[check."));
        let check = check.skip(1).take_while(|line| !line.is_empty());
        let words: Vec<&str> = check.flat_map(str::split_whitespace).collect();
        assert_eq!(words.join(" "), expected);
    }
    let udp = dynamic(lines, "  octodns: {healthcheck: {protocol: UDP}}\n");
    assert!(notes(&udp).contains("checks by UDP are not known here"));
    let paced = "{healthcheck: {protocol: ICMP}, route53: {healthcheck: {request_interval: 10, failure_threshold: 6}}}";
    let paced = dynamic(lines, &format!("  octodns: {paced}\n"));
    for line in ["icmp       = true", "every      = \"10s\"", "down_after = 6"] {
        assert_has(&paced, line);
    }
}

#[test]
fn what_is_not_carried_over_is_noted() {
    for (yaml, note) in [
        ("w: {type: A, value: 1.2.3.4, weird: 1}", "`weird` has no meaning here"),
        ("w: {type: A, value: 1.2.3.4, octodns: {included: [x]}}", "`octodns.included` has"),
        ("w: {type: URLFWD, value: x}", "octoDNS's own, or unknown"),
        ("w: {type: A, value: 1.2.3.4, ttl: soon}", "the TTL `soon` is no number"),
        (
            "w: {type: A, value: 1.2.3.4, dynamic: {pools: {a: {values: [{value: 1.2.3.5, weight: 256}]}}, rules: [{pool: a}]}}",
            "the weight `256` is not from 0 to 255",
        ),
        ("w: {type: A}", "it has no values"),
        ("a..b: {type: A, value: 1.2.3.4}", "it is no name"),
        (
            "w: {type: A, value: 1.2.3.4, dynamic: {pools: {}, rules: [{geos: [XX], pool: y}]}}",
            "not located in `XX`",
        ),
        (
            "w: {type: A, value: 1.2.3.4, dynamic: {pools: {}, rules: [{pool: y}]}}",
            "there is no pool `y`",
        ),
        ("w: {type: ALIAS, value: a.example.net.}", "is outside of the zone"),
    ] {
        let text = notes(&import(yaml));
        assert!(text.contains(note), "{yaml}: {text}");
    }
}

#[test]
fn what_is_no_zone_is_an_error() {
    assert!(import_octodns("[a", "example.com").is_err());
    assert!(import_octodns("- a", "example.com").unwrap_err().to_string().contains("map of names"));
    assert!(import_octodns("{}", "a..b").is_err());
}
