//! Checks: what every key means, what has no meaning where, and what the rules on health checks leave to the file.

use std::net::IpAddr;
use std::time::Duration;

use super::*;
use crate::health::{
    Breaker, CalculatedCheck, Comparison, Damping, DnsCheck, GrpcCheck, HttpCheck, LatencyMeasure,
    Limit, Missing, Pattern, Phases, Protocol, Quorum, Recovery, TcpCheck, TlsCheck,
};

/// A zone with this check of a pool, and more checks.
fn zone_of(check: &str, more: &str) -> String {
    let sections =
        format!("[check.c]\n{check}\n{more}\n[pool.p]\naddresses = [\"192.0.2.1\"]\ncheck = \"c\"");
    zone_with(&sections, "www = { pool = \"p\" }")
}

fn check_named(check: &str, more: &str, name: &str) -> CompiledCheck {
    let (zone, _) = compile(&zone_of(check, more));
    zone.checks.into_iter().find(|check| &*check.name == name).unwrap()
}

fn spec(check: &str) -> CheckSpec {
    CheckSpec::clone(&check_named(check, "", "c").spec)
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn protocol_of(zone: &CompiledZone, name: &str) -> Protocol {
    let check = zone.checks.iter().find(|check| &*check.name == name);
    check.expect(name).spec.protocol.clone()
}

#[test]
fn every_key_of_a_request_is_kept() {
    let (zone, _) = compile(COMPLETE);
    let everything = zone.checks.iter().find(|check| &*check.name == "everything").unwrap();
    let tls = TlsCheck {
        is_verified: true,
        authorities: Some("/etc/ssl/own.pem".into()),
        server_name: Some("inner.example.com".into()),
        hides_name: true,
        warns_before: seconds(14 * 86_400),
    };
    let fields = [("x-probe", "1"), ("authorization", "Bearer x")];
    let http = HttpCheck {
        tls: Some(tls),
        method: "POST".into(),
        host: Some("www.example.com".into()),
        headers: fields.map(|(name, value)| (Box::from(name), Box::from(value))).into(),
        body: Some(Pattern::parse_regex("ready|ok").unwrap()),
        is_http2: true,
        redirects: 2,
        ..HttpCheck::new("/")
    };
    let phases =
        Phases { connect: Some(seconds(4)), reply: Some(seconds(3)), body: Some(seconds(2)) };
    let expected = CheckSpec {
        retry: seconds(3),
        timeout: seconds(9),
        phases,
        recovery: Recovery::Breaker(Breaker { reset: seconds(10), longest: seconds(300) }),
        sources: ["192.0.2.7", "2001:db8::7"].map(|text| text.parse::<IpAddr>().unwrap()).into(),
        latency: LatencyMeasure::P95,
        is_inverted: true,
        ..CheckSpec::new(Protocol::Http(http), 443)
    };
    assert_eq!(*everything.spec, expected);
}

#[test]
fn every_kind_keeps_what_it_asks() {
    let (zone, _) = compile(COMPLETE);
    let redis = TcpCheck {
        tls: Some(TlsCheck::default()),
        host: Some("redis.example.com".into()),
        send: Some((*b"PING\r\n").into()),
        expect: Some(Pattern::parse_text("+PONG").unwrap()),
    };
    assert_eq!(protocol_of(&zone, "redis"), Protocol::Tcp(redis));
    let resolver = DnsCheck {
        name: name("www"),
        rtype: RecordType::AAAA,
        is_tcp: true,
        expect: ["2001:db8::1".parse::<IpAddr>().unwrap()].into(),
    };
    assert_eq!(protocol_of(&zone, "resolver"), Protocol::Dns(resolver));
    assert_eq!(protocol_of(&zone, "ping"), Protocol::Icmp);
    let tls = TlsCheck { is_verified: true, ..TlsCheck::default() };
    let rpc = GrpcCheck {
        tls: Some(tls),
        host: Some("rpc.example.com".into()),
        service: "my.Service".into(),
    };
    assert_eq!(protocol_of(&zone, "rpc"), Protocol::Grpc(rpc));
    let recovery =
        |name: &str| zone.checks.iter().find(|check| &*check.name == name).unwrap().spec.recovery;
    assert_eq!(recovery("redis"), Recovery::Manual);
    let minute = Damping { hold: seconds(60), longest: seconds(600) };
    assert_eq!(recovery("resolver"), Recovery::Damped(minute));
    assert_eq!(recovery("ping"), Recovery::Damped(Damping::NONE));
    assert_eq!(recovery("rpc"), Recovery::Damped(Damping::DEFAULT));
}

#[test]
fn a_prometheus_check_asks_the_server_of_its_url() {
    let (zone, _) = compile(COMPLETE);
    let errors = zone.checks.iter().find(|check| &*check.name == "errors").unwrap();
    let address = "2001:db8::9".parse().unwrap();
    assert_eq!((errors.spec.port, &errors.address), (9090, &Some(ProbeAddress::Ip(address))));
    let Protocol::Prometheus(metric) = &errors.spec.protocol else { panic!("{errors:?}") };
    assert_eq!((&*metric.prefix, &metric.host), ("/prom", &None));
    assert_eq!((metric.comparison, metric.missing), (Comparison::Below, Missing::Up));
    assert_eq!(metric.limit, Limit::try_from(0.01).unwrap());
    assert!(metric.tls.is_some());
    let named =
        check_named("prometheus = \"http://p.example\"\nquery = \"up\"\nabove = 1", "", "c");
    assert_eq!(named.spec.port, 80);
    assert_eq!(named.address, Some(ProbeAddress::Name("p.example".into())));
    let Protocol::Prometheus(metric) = &named.spec.protocol else { panic!("{named:?}") };
    assert_eq!((&*metric.prefix, metric.host.as_deref()), ("", Some("p.example")));
    assert_eq!((metric.missing, &metric.tls), (Missing::Last, &None));
}

#[test]
fn rule_59_pace_and_thresholds_have_defaults() {
    let usual = spec("https = \"/\"");
    assert_eq!((usual.every, usual.retry, usual.timeout), (seconds(30), seconds(30), seconds(4)));
    assert_eq!((usual.down_after.as_u8(), usual.up_after.as_u8()), (3, 3));
    let short = spec("icmp = true\nevery = \"2s\"\ndown_after = 5");
    assert_eq!((short.retry, short.timeout), (seconds(2), seconds(2)));
    assert_eq!(short.up_after.as_u8(), 5);
}

#[test]
fn rule_61_a_text_of_a_body_has_1_to_255_octets() {
    let of = |count: usize| zone_of(&format!("http = \"/\"\nbody = \"{}\"", "x".repeat(count)), "");
    assert!(compile_zone(&source(&of(255))).is_ok());
    assert_eq!(errors(&of(256)), ["`body` cannot be looked for"]);
    assert_eq!(errors(&of(0)), ["`body` cannot be looked for"]);
    let Protocol::Http(http) = spec("http = \"/\"\nbody = \"a.c\"").protocol else { panic!() };
    let body = http.body.unwrap();
    assert!(body.is_in(b"..a.c") && !body.is_in(b"abc") && !body.is_in(b"A.C"));
    assert_eq!(
        errors(&zone_of("http = \"/\"\nbody_regex = \"a(\"", "")),
        ["`body_regex` is no regular expression"]
    );
}

#[test]
fn rule_62_certificates_are_verified_only_on_demand() {
    let Protocol::Http(http) = spec("https = \"/\"").protocol else { panic!() };
    assert_eq!(http.tls, Some(TlsCheck::default()));
    assert!(!TlsCheck::default().is_verified);
    let Protocol::Tcp(tcp) = spec("tcp = 1\ntls = false").protocol else { panic!() };
    assert_eq!(tcp.tls, None);
}

#[test]
fn rule_70_a_check_may_be_inverted_and_disabled() {
    let flags = |check: &str| (spec(check).is_inverted, spec(check).is_disabled);
    assert_eq!(flags("icmp = true"), (false, false));
    assert_eq!(flags("icmp = true\ninverted = true\ndisabled = true"), (true, true));
    assert!(!spec("icmp = true\ndisabled = true").is_probed());
}

const PARTS: &str = "[check.a]\nicmp = true\n[check.b]\ntcp = 1\naddress = \"192.0.2.9\"";

fn quorum(text: &str) -> Quorum {
    let check = format!("calculated = {{ of = [\"a\", \"b\"], {text} }}");
    let Protocol::Calculated(calculated) = check_named(&check, PARTS, "c").spec.protocol.clone()
    else {
        panic!("{text}")
    };
    calculated.quorum
}

#[test]
fn rule_71_a_calculated_check_counts_its_children() {
    let parts = check_named("calculated = { of = [\"b\", \"a\"], all = true }", PARTS, "c");
    let Protocol::Calculated(CalculatedCheck { children, .. }) = &parts.spec.protocol else {
        panic!("{parts:?}")
    };
    let [b, a] = &**children else { panic!("{children:?}") };
    assert_eq!((&a.check.protocol, &a.address), (&Protocol::Icmp, &None));
    assert_eq!(b.address, Some(ProbeAddress::Ip("192.0.2.9".parse().unwrap())));
    assert_eq!(quorum("all = true"), Quorum::AtLeast(2));
    assert_eq!(quorum("at_least = 1"), Quorum::AtLeast(1));
    let warned = |quorum: &str| {
        warnings(&zone_of(&format!("calculated = {{ of = [\"a\", \"b\"], {quorum} }}"), PARTS))
    };
    assert_eq!(warned("at_least = 0"), ["this check is always up"]);
    assert_eq!(warned("at_least = 3"), ["this check is always down"]);
    assert_eq!(warned("at_least = 2"), [] as [&str; 0]);
}

#[test]
fn rule_72_a_calculated_check_is_no_child_and_255_are_the_most() {
    let nested = "[check.d]\ncalculated = { of = [\"a\"], all = true }\n[check.a]\nicmp = true";
    assert_eq!(
        errors(&zone_of("calculated = { of = [\"a\", \"d\"], all = true }", nested)),
        ["the check `d` is calculated itself"]
    );
    assert_eq!(
        errors(&zone_of("calculated = { of = [\"c\"], all = true }", "")),
        ["the check `c` is calculated itself"]
    );
    let many = |count: usize| {
        let checks: Vec<String> =
            (0..count).map(|id| format!("[check.x{id}]\ntcp = {}", id + 1)).collect();
        let names: Vec<String> = (0..count).map(|id| format!("\"x{id}\"")).collect();
        let check = format!("calculated = {{ of = [{}], at_least = 1 }}", names.join(", "));
        zone_of(&check, &checks.join("\n"))
    };
    assert!(compile_zone(&source(&many(255))).is_ok());
    assert_eq!(errors(&many(256)), ["a check can be of 255 others, not 256"]);
}

#[test]
fn rule_66_and_68_a_share_of_fewer_than_three_is_warned_of() {
    assert_eq!(quorum("more_than = 18"), Quorum::MoreThan(18));
    let of = |names: &str, more: &str| {
        let check = format!("calculated = {{ of = [{names}], more_than = 18 }}");
        warnings(&zone_of(&check, &format!("{PARTS}\n{more}")))
    };
    assert_eq!(of("\"a\", \"b\"", ""), ["this is a share of only 2"]);
    assert_eq!(of("\"a\", \"b\", \"d\"", "[check.d]\ntcp = 2"), [] as [&str; 0]);
}

#[test]
fn rule_73_children_and_parent_may_be_inverted_and_disabled() {
    let parts = "[check.a]\nicmp = true\ndisabled = true\n[check.b]\ntcp = 1\ninverted = true";
    let check = "calculated = { of = [\"a\", \"b\"], at_least = 1 }\ninverted = true";
    let check = check_named(check, parts, "c");
    let Protocol::Calculated(calculated) = &check.spec.protocol else { panic!("{check:?}") };
    assert!(check.spec.is_inverted && !check.spec.is_probed());
    assert!(calculated.children[0].check.is_disabled && calculated.children[1].check.is_inverted);
    // It follows its children at once.
    assert_eq!(check.spec.recovery, Recovery::Damped(Damping::NONE));
}

#[test]
fn rule_74_without_reports_it_is_up_down_or_as_it_was() {
    for (typed, expected) in [
        ("", Missing::Last),
        (", missing = \"last\"", Missing::Last),
        (", missing = \"up\"", Missing::Up),
        (", missing = \"down\"", Missing::Down),
    ] {
        let spec = spec(&format!("external = {{ stale_after = \"90s\"{typed} }}"));
        let Protocol::External(external) = spec.protocol else { panic!("{typed}") };
        assert_eq!((external.missing, external.stale_after), (expected, seconds(90)));
        assert_eq!(&*external.name, "example.com/c");
    }
}

#[test]
fn the_parts_of_a_calculated_check_are_used() {
    let check = "calculated = { of = [\"a\", \"b\"], at_least = 1 }";
    assert_eq!(warnings(&zone_of(check, PARTS)), [] as [&str; 0]);
    let more = format!("{PARTS}\n[check.lonely]\nicmp = true");
    assert_eq!(warnings(&zone_of(check, &more)), ["the check `lonely` is not used"]);
}

#[test]
fn a_timeout_that_its_parts_never_reach_is_warned_of() {
    let parts = |timeout: &str| {
        let times = "connect_timeout = \"2s\"\nreply_timeout = \"1s\"";
        warnings(&zone_of(&format!("http = \"/\"\n{times}\ntimeout = \"{timeout}\""), ""))
    };
    assert_eq!(parts("4s"), ["`timeout` is never reached"]);
    assert_eq!(parts("3s"), [] as [&str; 0]);
}

#[test]
fn a_query_about_an_address_needs_one() {
    let text = |query: &str| {
        zone_with(
            &format!(
                "[check.c]\nprometheus = \"http://127.0.0.1:9090\"\nquery = '{query}'\nabove = 0\n[pool.p]\nTXT = \"x\"\ncheck = \"c\""
            ),
            "www = { pool = \"p\" }",
        )
    };
    assert!(compile_zone(&source(&text("up"))).is_ok());
    assert_eq!(
        errors(&text(r#"up{instance="{address}"}"#)),
        ["the check `c` has nothing to probe in the pool `p`"]
    );
}

/// Of every kind, with every key that another kind has.
#[test]
fn a_key_that_is_misplaced_is_told_from_one_that_nobody_knows() {
    for (check, key) in [
        ("tcp = 1", "port = 2"),
        ("tcp = 1", "method = \"GET\""),
        ("tcp = 1", "host = \"a.example\""),
        ("http = \"/\"", "tls = true"),
        ("http = \"/\"", "send = \"x\""),
        ("http = \"/\"", "query = \"x\""),
        ("icmp = true", "port = 1"),
        ("icmp = true", "connect_timeout = \"1s\""),
        ("dns = \"a.example\"", "body = \"x\""),
        ("dns = \"a.example\"", "reply_timeout = \"1s\""),
        ("grpc = \"\"\nport = 1", "expect = \"x\""),
        ("prometheus = \"http://a\"\nquery = \"x\"\nabove = 1", "address = \"192.0.2.1\""),
        ("prometheus = \"http://a\"\nquery = \"x\"\nabove = 1", "tls = true"),
        ("external = { stale_after = \"1m\" }", "every = \"10s\""),
        ("external = { stale_after = \"1m\" }", "down_after = 2"),
        ("calculated = { of = [\"a\"], all = true }", "timeout = \"1s\""),
        ("calculated = { of = [\"a\"], all = true }", "damping = false"),
        ("calculated = { of = [\"a\"], all = true }", "source = \"192.0.2.1\""),
    ] {
        let found = errors(&zone_of(&format!("{check}\n{key}"), "[check.a]\nicmp = true"));
        let [error] = found.as_slice() else { panic!("{check} {key}: {found:?}") };
        let name = key.split(' ').next().unwrap();
        assert!(error.starts_with(&format!("`{name}` has no meaning")), "{check} {key}: {error}");
    }
}

/// What is wrong with one value is one error, at that value.
#[test]
fn values_that_cannot_be_are_refused() {
    let https = "https = \"/\"";
    for (check, lines) in [
        (https, "method = \"PUT\""),
        (https, "method = \"HEAD\"\nbody = \"x\""),
        (https, "body = \"x\"\nbody_regex = \"x\""),
        (https, "headers = { host = \"x\" }"),
        (https, "headers = { \"a b\" = \"x\" }"),
        (https, "headers = { a = \"1\", A = \"2\" }"),
        (https, "headers = { a = \"1\\n2\" }"),
        (https, "headers = { a = \" 1\" }"),
        (https, "redirects = 11"),
        (https, "http2 = \"yes\""),
        (https, "tls = false"),
        (https, "tls = \"yes\""),
        (https, "tls = { ca = \"/a\" }"),
        (https, "tls = { verify = true, ca = \"\" }"),
        (https, "tls = { verify = true, ca = \"-----BEGIN CERTIFICATE-----\" }"),
        (https, "tls = { sni = false, server_name = \"a.example\" }"),
        (https, "tls = { server_name = \"192.0.2.1\" }"),
        (https, "tls = { warn_before = \"1s\" }"),
        (https, "tls = { verfy = true }"),
        (https, "retry = \"31s\""),
        (https, "retry = \"500ms\""),
        (https, "every = \"999ms\""),
        (https, "timeout = \"9ms\""),
        (https, "connect_timeout = \"5s\""),
        (https, "connect_timeout = \"5ms\""),
        (https, "body_timeout = \"1s\""),
        (https, "source = [\"192.0.2.1\", \"192.0.2.2\"]"),
        (https, "source = \"0.0.0.0\""),
        (https, "source = \"eth0\""),
        (https, "damping = { hold = \"10m\", longest = \"1m\" }"),
        (https, "damping = { hold = \"0s\" }"),
        (https, "damping = \"30s\""),
        (https, "damping = false\nbreaker = true"),
        (https, "breaker = false"),
        (https, "breaker = true\nrecovery = \"manual\""),
        (https, "recovery = \"manuel\""),
        (https, "latency = \"p99\""),
        ("icmp = false", ""),
        ("tcp = 1", "reply_timeout = \"1s\""),
        ("tcp = 1", "expect = 200"),
        ("tcp = 1", "send = \"\""),
        ("dns = \"@\"", ""),
        ("dns = \"a.example\"", "type = \"ANY\""),
        ("dns = \"a.example\"", "transport = \"quic\""),
        ("dns = \"a.example\"", "expect = \"2001:db8::1\""),
        ("dns = \"a.example\"", "expect = \"b.example\""),
        ("grpc = \"\"", ""),
        ("grpc = \"a b\"", "port = 1"),
        ("prometheus = \"http://a\"", ""),
        ("prometheus = \"http://a\"", "query = \"x\""),
        ("prometheus = \"http://a\"", "above = 1"),
        ("prometheus = \"http://a\"", "query = \"x\"\nabove = 1\nbelow = 2"),
        ("prometheus = \"http://a\"", "query = \"x\"\nabove = nan"),
        ("prometheus = \"http://a\"", "query = \" \"\nabove = 1"),
        ("prometheus = \"a:9090\"", "query = \"x\"\nabove = 1"),
        ("prometheus = \"http://u:p@a\"", "query = \"x\"\nabove = 1"),
        ("prometheus = \"http://a:0\"", "query = \"x\"\nabove = 1"),
        ("prometheus = \"http://[::1\"", "query = \"x\"\nabove = 1"),
        ("prometheus = \"http://a/api/v1/query\"", "query = \"x\"\nabove = 1"),
        ("prometheus = \"http://a\"", "query = \"x\"\nabove = 1\nmissing = \"maybe\""),
        ("external = true", ""),
        ("external = {}", ""),
        ("external = { stale_after = \"0s\" }", ""),
        ("calculated = [\"a\"]", ""),
        ("calculated = { at_least = 1 }", ""),
        ("calculated = { of = [\"a\"] }", ""),
        ("calculated = { of = [], all = true }", ""),
        ("calculated = { of = [\"a\", \"a\"], all = true }", ""),
        ("calculated = { of = [\"b\"], all = true }", ""),
        ("calculated = { of = [\"a\"], all = false }", ""),
        ("calculated = { of = [\"a\"], all = true, at_least = 1 }", ""),
        ("calculated = { of = [\"a\"], more_than = 100 }", ""),
    ] {
        let found = errors(&zone_of(&format!("{check}\n{lines}"), "[check.a]\nicmp = true"));
        assert_eq!(found.len(), 1, "{check} {lines}: {found:?}");
    }
}
