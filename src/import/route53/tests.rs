//! Each thing that Route 53 can say, and what becomes of it.

use super::*;
use crate::config::{Source, compile_zone};
use crate::health::{ProbeAddress, Protocol, Quorum};
use crate::import::Note;

/// An import of these records, beside an SOA and an NS record.
fn import_with(records: &str, checks: &str, collections: Option<&str>) -> Imported {
    let records = format!(
        r#"{{"ResourceRecordSets": [
            {{"Name": "example.com.", "Type": "SOA", "TTL": 300, "ResourceRecords": [{{"Value": "ns1.example.net. h.example.net. 1 7200 900 1209600 60"}}]}},
            {{"Name": "example.com.", "Type": "NS", "TTL": 300, "ResourceRecords": [{{"Value": "ns1.example.net."}}]}},
            {records}]}}"#
    );
    let checks = format!(r#"{{"HealthChecks": [{checks}]}}"#);
    let input = Route53 {
        records: &records,
        health_checks: Some(&checks),
        cidr_collections: collections,
        zone: None,
    };
    import_route53(input).unwrap()
}

fn import(records: &[String]) -> Imported {
    import_with(&records.join(",\n"), "", None)
}

/// A record of the name `w`, with more keys and one value.
fn record(rtype: &str, more: &str, value: &str) -> String {
    format!(
        r#"{{"Name": "w.example.com.", "Type": "{rtype}", {more} "TTL": 60, "ResourceRecords": [{{"Value": {value:?}}}]}}"#
    )
}

/// A member of a set of the name `w`.
fn member(id: &str, more: &str, address: &str) -> String {
    record("A", &format!(r#""SetIdentifier": "{id}", {more},"#), address)
}

fn alias(name: &str, target: &str, more: &str) -> String {
    format!(
        r#"{{"Name": "{name}.example.com.", "Type": "A", {more} "AliasTarget": {{"HostedZoneId": "Z1", "DNSName": "{target}", "EvaluateTargetHealth": true}}}}"#
    )
}

fn errors(imported: &Imported) -> Vec<String> {
    let notes = imported.notes.iter().filter(|note| note.severity == Severity::Error);
    notes.map(Note::to_string).collect()
}

#[track_caller]
fn assert_has(imported: &Imported, line: &str) {
    assert!(imported.text.lines().any(|it| it == line), "no `{line}` in\n{}", imported.text);
}

#[track_caller]
fn assert_error(imported: &Imported, text: &str) {
    let errors = errors(imported);
    assert!(errors.iter().any(|error| error.contains(text)), "no `{text}` in {errors:?}");
}

#[test]
fn escapes_are_octal() {
    for (typed, plain) in [
        (r"\052.example.com", "*.example.com"),
        (r"a\100b", r"a\064b"),
        (r"\\052", r"\\052"),
        (r#"a\"b"#, r#"a\"b"#),
        (r"\303\251", r"\195\169"),
        (r"\999", r"\999"),
        ("a\\", "a"),
    ] {
        assert_eq!(unescape(typed), plain, "{typed}");
    }
}

#[test]
fn plain_records_are_absolute_and_checked() {
    let imported = import(&[record("MX", "", "10 mail.example.com")]);
    assert_has(&imported, r#"w = { MX = { ttl = "1m", data = "10 mail.example.com." } }"#);
    assert_error(&import(&[record("A", "", "192.0.2.256")]), "`192.0.2.256` is left out");
    assert_error(&import(&[record("NOPE", "", "x")]), "no such name or type is known");
    let twice = [record("A", "", "192.0.2.1"), record("TXT", "", "\"a\"")];
    assert!(errors(&import(&twice)).is_empty());
}

#[test]
fn weights_regions_and_places_are_kept() {
    for (more, line) in [
        (r#""Weight": 7"#, "weights = { w-x = 7 }"),
        (r#""Failover": "PRIMARY""#, "targets = [\"w-x\"]"),
        (r#""MultiValueAnswer": true"#, "targets = [\"w-x\"]"),
        (r#""Region": "eu-west-1""#, "regions = { w-x = \"eu-west-1\" }"),
        (r#""GeoLocation": {"ContinentCode": "EU"}"#, "continent.EU = \"w-x\""),
        (r#""GeoLocation": {"CountryCode": "DE"}"#, "country.DE = \"w-x\""),
        (r#""GeoLocation": {"CountryCode": "*"}"#, "default = \"w-x\""),
        (
            r#""GeoLocation": {"CountryCode": "UA", "SubdivisionCode": "30"}"#,
            "subdivision.UA-30 = \"w-x\"",
        ),
        (
            r#""GeoProximityLocation": {"AWSRegion": "us-east-1", "Bias": -5}"#,
            "bias      = { w-x = -5 }",
        ),
        (
            r#""GeoProximityLocation": {"Coordinates": {"Latitude": "-1.5", "Longitude": "2"}}"#,
            "locations = { w-x = { lat = -1.50, lon = 2.00 } }",
        ),
        (
            r#""GeoProximityLocation": {"LocalZoneGroup": "us-west-2-sea-1"}"#,
            "locations = { w-x = { lat = 47.61, lon = -122.33 } }",
        ),
    ] {
        let imported = import(&[member("x", more, "192.0.2.1")]);
        let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let found = imported.text.lines().any(|it| squeezed(it) == squeezed(line));
        assert!(found, "no `{line}` in\n{}", imported.text);
        assert_eq!(errors(&imported), Vec::<String>::new());
    }
}

#[test]
fn what_is_no_member_is_left_out() {
    for (more, reason) in [
        (r#""Weight": 256"#, "its weight is not from 0 to 255"),
        (r#""GeoLocation": {"ContinentCode": "XX"}"#, "`XX` is no continent"),
        (r#""GeoLocation": {"CountryCode": "BV"}"#, "clients are not located in `BV`"),
        (r#""GeoLocation": {}"#, "a place has a continent"),
        (r#""GeoProximityLocation": {"AWSRegion": "x", "Bias": 100}"#, "its bias is not"),
        (r#""GeoProximityLocation": {"LocalZoneGroup": "us-east-1-zzz-1"}"#, "nobody knows here"),
        (r#""Failover": "TERTIARY""#, "neither PRIMARY nor SECONDARY"),
    ] {
        let imported = import(&[member("x", more, "192.0.2.1")]);
        assert_error(&imported, reason);
        assert_error(&imported, "nothing of the set is left");
    }
    let mixed = [
        member("x", r#""Weight": 1"#, "192.0.2.1"),
        member("y", r#""Region": "us-east-1""#, "192.0.2.2"),
    ];
    assert_error(&import(&mixed), "the record `y` is left out: the set is weighted");
}

#[test]
fn failover_is_in_order_whatever_the_listing_is() {
    let imported = import(&[
        member("s", r#""Failover": "SECONDARY""#, "192.0.2.2"),
        member("p", r#""Failover": "PRIMARY""#, "192.0.2.1"),
    ]);
    assert_has(&imported, r#"targets = ["w-p", "w-s"]"#);
}

#[test]
fn collections_come_from_their_file() {
    let telia = r#""CidrRoutingConfig": {"CollectionId": "c", "LocationName": "telia"}"#;
    let rest = r#""CidrRoutingConfig": {"CollectionId": "c", "LocationName": "*"}"#;
    let records = [member("t", telia, "192.0.2.1"), member("r", rest, "192.0.2.2")].join(",");
    let without = import_with(&records, "", None);
    assert_error(&without, "give `aws route53 list-cidr-collections`");
    assert_has(&without, "default = \"w-r\"");
    let collections = r#"{"CidrCollections": [{"Id": "c", "Name": "My ISPs"}]}
        {"CidrBlocks": [{"CidrBlock": "192.0.2.0/24", "LocationName": "telia"}]}"#;
    let with = import_with(&records, "", Some(collections));
    assert_eq!(errors(&with), Vec::<String>::new());
    assert_has(&with, "[collection.my-isps]");
    assert_has(&with, "location.telia = \"w-t\"");
    let orphans = r#"{"CidrBlocks": []}"#;
    assert!(places::read_collections(orphans).unwrap_err().contains("more listings"));
}

#[test]
fn aliases_lead_to_policies_pools_or_names() {
    let target = member("x", r#""Weight": 1"#, "192.0.2.1");
    let imported = import(&[target.clone(), alias("a", "w.example.com.", "")]);
    assert_has(&imported, r#"a = { policy = "w", ttl = "1m" }"#);
    let always = alias("b", "w.example.com.", r#""SetIdentifier": "1", "Weight": 1,"#)
        .replace("true", "false");
    let imported = import(&[target.clone(), always]);
    assert_has(&imported, "[policy.w-always]");
    assert_has(&imported, "evaluate_health = false");
    let plain = record("A", "", "192.0.2.1");
    let imported = import(&[plain.clone(), alias("a", "w.example.com", "")]);
    assert_has(&imported, r#"a = { alias = "w" }"#);
    let imported = import(&[plain, record("TXT", "", "\"t\""), alias("a", "w.example.com", "")]);
    assert_has(&imported, r#"a = { A = { alias = "w" } }"#);
}

#[test]
fn aliases_outside_are_cnames_where_those_may_stand() {
    let imported = import(&[alias("a", "dualstack.lb-1.eu-west-1.elb.amazonaws.com.", "")]);
    assert_has(&imported, r#"a = { pool = "lb-1", ttl = "1m" }"#);
    assert_has(&imported, r#"cname = "dualstack.lb-1.eu-west-1.elb.amazonaws.com.""#);
    assert!(imported.notes.iter().any(|note| note.reason.contains("a load balancer")));
    let apex = alias("a", "d1.cloudfront.net.", "").replace("a.example.com", "example.com");
    assert_error(&import(&[apex]), "cannot be given as a CNAME here");
    let mixed = [
        alias("w", "d1.cloudfront.net.", r#""SetIdentifier": "1", "Weight": 1,"#),
        member("2", r#""Weight": 1"#, "192.0.2.1"),
    ];
    let imported = import(&mixed);
    assert_error(&imported, "d1.cloudfront.net. cannot be given as a CNAME here");
    assert_has(&imported, "weights = { w-2 = 1 }");
}

#[test]
fn circles_and_dead_ends_are_noted() {
    let weight = r#""SetIdentifier": "1", "Weight": 1,"#;
    let imported =
        import(&[alias("a", "b.example.com.", weight), alias("b", "a.example.com.", weight)]);
    assert_error(&imported, "its aliases lead in a circle");
    assert_error(&import(&[alias("a", "a.example.com.", "")]), "its aliases lead in a circle");
    assert_error(&import(&[alias("a", "b.example.com.", "")]), "has no A records here");
}

#[test]
fn aliases_are_not_followed_for_ever() {
    let link = |number: u32| {
        let (name, target) = (format!("n{number}"), format!("n{}.example.com.", number + 1));
        alias(&name, &target, r#""SetIdentifier": "1", "Weight": 1,"#)
    };
    let links: Vec<String> = (0..10_000).map(link).collect();
    assert_error(&import(&links), "its aliases are more than 32 deep");
}

/// Each step that looks at all entries again would take hours.
#[test]
fn a_zone_as_large_as_route_53_allows_is_soon_done() {
    let set = |number: u32| {
        let address = format!("10.0.{}.{}", number / 250, number % 250);
        let more = format!(
            r#""SetIdentifier": "{number}", "MultiValueAnswer": true, "HealthCheckId": "{number}","#
        );
        record("A", &more, &address).replace("w.example", &format!("w{}.example", number / 100))
    };
    let check = |number: u32| {
        let address = format!("10.1.{}.{}", number / 250, number % 250);
        format!(
            r#"{{"Id": "{number}", "HealthCheckConfig": {{"Type": "TCP", "IPAddress": "{address}", "Port": 443}}}}"#
        )
    };
    let records: Vec<String> = (0..10_000).map(set).collect();
    let checks: Vec<String> = (0..10_000).map(check).collect();
    let imported = import_with(&records.join(","), &checks.join(","), None);
    assert_eq!(imported.text.matches("[pool.").count(), 10_000);
    assert_eq!(imported.text.matches("[check.tcp-443").count(), 10_000);
    assert!(
        crate::config::compile_zone(&crate::config::Source::new("a", imported.text, 0)).is_ok()
    );
}

#[test]
fn a_nested_choice_by_place_is_noted() {
    let place = member("x", r#""GeoLocation": {"CountryCode": "*"}"#, "192.0.2.1");
    let nested = alias("a", "w.example.com.", r#""SetIdentifier": "1", "Weight": 1,"#);
    let imported = import(&[place.clone(), nested]);
    let is_nesting = |note: &Note| note.reason.contains("something up for the client that asks");
    assert!(imported.notes.iter().any(is_nesting));
    let plain = import(&[place, alias("a", "w.example.com.", "")]);
    assert!(!plain.notes.iter().any(is_nesting), "nothing is chosen above it");
}

#[test]
fn families_of_one_shape_share_a_policy() {
    let more = r#""SetIdentifier": "x", "Weight": 1, "HealthCheckId": "c","#;
    let both = [record("A", more, "192.0.2.1"), record("AAAA", more, "2001:db8::1")].join(",");
    let check = r#"{"Id": "c", "HealthCheckConfig": {"Type": "TCP", "IPAddress": "192.0.2.1", "Port": 443}}"#;
    let imported = import_with(&both, check, None);
    assert_has(&imported, r#"w = { policy = "w", ttl = "1m" }"#);
    assert_has(&imported, r#"addresses = ["192.0.2.1", "2001:db8::1"]"#);
    // The IPv6 endpoint follows the check of the IPv4 one (rule 5).
    assert_has(&imported, r#"address = "192.0.2.1""#);
    let other = more.replace("\"Weight\": 1", "\"Weight\": 2");
    let differ = [record("A", more, "192.0.2.1"), record("AAAA", &other, "2001:db8::1")].join(",");
    let imported = import_with(&differ, check, None);
    let line =
        r#"w = { A = { policy = "w", ttl = "1m" }, AAAA = { policy = "w-aaaa", ttl = "1m" } }"#;
    assert_has(&imported, line);
}

#[test]
fn two_aliases_to_one_target_keep_their_weights() {
    let imported = import(&[
        member("x", r#""Weight": 1"#, "192.0.2.1"),
        alias("a", "w.example.com.", r#""SetIdentifier": "1", "Weight": 1,"#),
        alias("a", "w.example.com.", r#""SetIdentifier": "2", "Weight": 3,"#),
    ]);
    assert_has(&imported, "weights = { w = 1, a-2 = 3 }");
}

/// The lines of a check with these settings, or the reason against it.
fn check(config: &str) -> Result<Vec<String>, String> {
    let record = member("x", r#""Weight": 1, "HealthCheckId": "c""#, "192.0.2.1");
    let check = format!(r#"{{"Id": "c", "HealthCheckConfig": {{{config}}}}}"#);
    let imported = import_with(&record, &check, None);
    if let Some(error) = errors(&imported).pop() {
        return Err(error);
    }
    let lines = imported.text.lines().skip_while(|line| !line.starts_with("[check."));
    let lines = lines.skip(1).take_while(|line| !line.is_empty());
    Ok(lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect())
}

#[test]
fn checks_say_the_same() {
    let http = ["connect_timeout = \"4s\"", "reply_timeout = \"2s\""];
    for (config, lines) in [
        (
            r#""Type": "TCP", "IPAddress": "192.0.2.1", "Port": 25"#,
            vec!["tcp = 25", r#"every = "30s""#, r#"timeout = "10s""#],
        ),
        (
            r#""Type": "HTTP", "IPAddress": "192.0.2.9", "ResourcePath": "up", "Port": 80, "RequestInterval": 10, "FailureThreshold": 5"#,
            vec![
                r#"http = "/up""#,
                r#"address = "192.0.2.9""#,
                r#"every = "10s""#,
                r#"timeout = "6s""#,
                http[0],
                http[1],
                "down_after = 5",
            ],
        ),
        (
            r#""Type": "HTTPS", "FullyQualifiedDomainName": "WWW.example.com.", "Port": 8443, "EnableSNI": false"#,
            vec![
                r#"https = "/""#,
                r#"host = "www.example.com""#,
                "tls = { sni = false }",
                "port = 8443",
                r#"address = "www.example.com""#,
                r#"every = "30s""#,
                r#"timeout = "6s""#,
                http[0],
                http[1],
            ],
        ),
        (
            r#""Type": "HTTPS_STR_MATCH", "IPAddress": "192.0.2.1", "SearchString": "a \"b\"", "EnableSNI": true"#,
            vec![
                r#"https = "/""#,
                r#"body = 'a "b"'"#,
                r#"every = "30s""#,
                r#"timeout = "8s""#,
                http[0],
                http[1],
                r#"body_timeout = "2s""#,
            ],
        ),
    ] {
        let lines: Vec<&str> = lines.into_iter().chain(["damping = false"]).collect();
        assert_eq!(check(config).unwrap(), lines, "{config}");
    }
}

#[test]
fn rule_70_inverted_and_disabled_checks_stay_so() {
    let tcp = r#""Type": "TCP", "IPAddress": "192.0.2.1", "Port": 25"#;
    let inverted = check(&format!(r#"{tcp}, "Inverted": true"#)).unwrap();
    assert_eq!(inverted[3..], ["damping = false", "inverted = true"]);
    let down = check(&format!(r#"{tcp}, "Inverted": true, "Disabled": true"#)).unwrap();
    assert_eq!(down[4..], ["inverted = true", "disabled = true"]);
    let disabled = check(&format!(r#"{tcp}, "Disabled": true"#));
    assert_eq!(disabled, Ok(Vec::new()), "as if there were none, which is no loss");
}

#[test]
fn rule_71_to_73_calculated_checks_keep_their_children() {
    let record = member("x", r#""Weight": 1, "HealthCheckId": "c""#, "192.0.2.1");
    let config =
        |id: &str, config: &str| format!(r#"{{"Id": "{id}", "HealthCheckConfig": {{{config}}}}}"#);
    let one = r#""Type": "TCP", "IPAddress": "192.0.2.7", "Port": 1"#;
    let checks = [
        config("a", one),
        config("b", one),
        config("d", &format!(r#"{one}, "Disabled": true"#)),
        config("n", r#""Type": "CALCULATED", "ChildHealthChecks": ["a"]"#),
        config(
            "c",
            r#""Type": "CALCULATED", "HealthThreshold": 2, "ChildHealthChecks": ["a", "b", "d", "n"], "Inverted": true"#,
        ),
    ];
    let imported = import_with(&record, &checks.join(","), None);
    assert_eq!(errors(&imported).len(), 1, "{:?}", errors(&imported));
    assert_error(&imported, "it is calculated itself, and left out of c");
    let (zone, _) = compile_zone(&Source::new("a.toml", imported.text.clone(), 0))
        .unwrap_or_else(|_| panic!("{}", imported.text));
    let spec = &zone.checks.iter().find(|check| &*check.name == "of-c").unwrap().spec;
    let Protocol::Calculated(calculated) = &spec.protocol else { panic!("{spec:?}") };
    assert!(spec.is_inverted);
    assert_eq!(calculated.quorum, Quorum::AtLeast(2));
    let disabled: Vec<bool> =
        calculated.children.iter().map(|child| child.check.is_disabled).collect();
    assert_eq!(disabled, [false, false, true], "{}", imported.text);
    let address = Some(ProbeAddress::Ip("192.0.2.7".parse().unwrap()));
    assert!(calculated.children.iter().all(|child| child.address == address));
}

#[test]
fn rule_74_alarms_are_reported() {
    for (status, missing) in
        [("Healthy", "up"), ("Unhealthy", "down"), ("LastKnownStatus", "last"), ("", "last")]
    {
        let config = format!(
            r#""Type": "CLOUDWATCH_METRIC", "AlarmIdentifier": {{"Region": "us-east-1", "Name": "errors"}}, "InsufficientDataHealthStatus": "{status}""#
        );
        let expected = format!(r#"external = {{ stale_after = "5m", missing = "{missing}" }}"#);
        assert_eq!(check(&config), Ok(vec![expected]));
    }
    let control = check(r#""Type": "RECOVERY_CONTROL""#);
    let expected = r#"external = { stale_after = "30d", missing = "last" }"#;
    assert_eq!(control, Ok(vec![expected.to_owned()]));
}

#[test]
fn checks_that_cannot_be_said_are_noted() {
    for (config, reason) in [
        (r#""Type": "CALCULATED""#, "calculated from 0 checks"),
        (r#""Type": "CALCULATED", "ChildHealthChecks": ["gone"]"#, "calculated from 0 checks"),
        (r#""Type": "ICMP""#, "its type is not known"),
    ] {
        assert!(check(config).unwrap_err().contains(reason), "{config}");
    }
    let record = member("x", r#""Weight": 1, "HealthCheckId": "gone""#, "192.0.2.1");
    assert_error(&import(&[record]), "it is not in the listing");
}

#[test]
fn an_alias_with_a_check_needs_both() {
    let check =
        r#"{"Id": "c", "HealthCheckConfig": {"Type": "TCP", "IPAddress": "192.0.2.9", "Port": 1}}"#;
    let more = r#""SetIdentifier": "1", "Weight": 1, "HealthCheckId": "c","#;
    let guarded = alias("a", "w.example.com.", more);
    let plain = [record("A", "", "192.0.2.1"), guarded.clone()].join(",");
    let imported = import_with(&plain, check, None);
    assert_eq!(errors(&imported), Vec::<String>::new());
    assert_has(&imported, "[pool.a-1]");
    assert_has(&imported, "check     = \"tcp-1\"");
    let routed = [member("x", r#""Weight": 1"#, "192.0.2.1"), guarded].join(",");
    assert_error(&import_with(&routed, check, None), "of an alias to a policy is left out");
}

#[test]
fn what_is_no_listing_is_an_error() {
    for records in ["", "[]", "{}", r#"{"ResourceRecordSets": [{"Name": 1}]}"#] {
        assert!(import_route53(Route53 { records, ..Route53::default() }).is_err(), "{records}");
    }
    let records = r#"{"ResourceRecordSets": []}"#;
    let nameless = import_route53(Route53 { records, ..Route53::default() }).unwrap_err();
    assert_eq!(nameless.to_string(), "which zone is it? say so with --zone");
    let page = r#"{"ResourceRecordSets": [], "IsTruncated": true}"#;
    let input = Route53 { records: page, zone: Some("example.com"), ..Route53::default() };
    assert_error(&import_route53(input).unwrap(), "one page of several");
}
