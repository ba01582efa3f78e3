//! Rules 48 to 58: a policy that another one chooses is Route 53's alias, and `evaluate_health` its "evaluate target health".

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Record, RecordType};

use crate::harness::{NOWHERE, World, Zone, home, question};

/// Pools `us1`, `us2`, `ap1`, `ap2` with the addresses 192.0.2.1 to 192.0.2.4.
fn regions() -> Zone {
    Zone::new()
        .pool("us1", "192.0.2.1")
        .pool("us2", "192.0.2.2")
        .pool("ap1", "192.0.2.3")
        .pool("ap2", "192.0.2.4")
}

/// Clients in NA prefer `us`, all others `ap`; both are weighted and may be told apart by `us_more`. Route 53's guide has a
/// latency policy at the top, which differs in how it ranks the regions, not in how it backs out of one.
fn nearest(us_more: &str) -> World {
    nearest_of(regions(), us_more)
}

fn nearest_of(regions: Zone, us_more: &str) -> World {
    regions
        .policy("us", "weighted", &format!("weights = {{ us1 = 1, us2 = 3 }}\n{us_more}"))
        .policy("ap", "weighted", "weights = { ap1 = 1, ap2 = 1 }")
        .policy("top", "geolocation", "continent.NA = [\"us\", \"ap\"]\ndefault = [\"ap\", \"us\"]")
        .route("www", "top")
        .world()
}

#[track_caller]
fn assert_from_us(world: &World, down: &[&str], shares: &[(&str, u32)]) {
    world.only_down(down);
    world.assert_shares(&question("www").client(&home("US")), shares);
}

const US: [(&str, u32); 2] = [("192.0.2.1", 1), ("192.0.2.2", 3)];
const AP: [(&str, u32); 2] = [("192.0.2.3", 1), ("192.0.2.4", 1)];

#[test]
fn rule_48_an_alias_answers_under_the_name_that_was_asked() {
    let world = nearest("");
    let reply = world.ask(&question("WwW").client(&home("US")));
    assert_eq!(reply.message.answers.len(), 1);
    let record: &Record = &reply.message.answers[0];
    assert_eq!(record.name.to_string(), "WwW.example.com.");
    assert_eq!(record.record_type(), RecordType::A, "no CNAME to be seen");
    assert!(reply.message.metadata.authoritative);
}

#[test]
fn rule_49_an_alias_is_of_the_types_that_its_target_has() {
    let world = nearest("");
    for rtype in [RecordType::AAAA, RecordType::TXT, RecordType::MX, RecordType::CNAME] {
        let reply = world.ask(&question("www").of(rtype).client(&home("US")));
        assert!(reply.is_nodata(), "{rtype}: {reply:?}");
    }
    let zone = regions().policy("p", "failover", "targets = [\"us1\"]");
    let world = zone.name("www", "policy = \"p\", AAAA = \"2001:db8::1\"");
    world.refused_for("AAAA records beside a route");
    let zone = regions().policy("p", "failover", "targets = [\"us1\"]");
    let world = zone.name("www", "policy = \"p\", TXT = \"beside\"").world();
    assert_eq!(world.ask(&question("www").of(RecordType::TXT)).data(), ["beside"]);
    assert_eq!(world.addresses(&question("www")), ["192.0.2.1"]);
}

#[test]
fn rule_49_no_cname_at_the_apex_and_none_beside_addresses() {
    let lb = "cname = \"lb.example.net.\"";
    let aliased = || regions().section("pool.lb", lb);
    let apex = |entry: &str| {
        let mut source = aliased().source();
        source.text = source.text.replace("NS = \"ns1\" }", &format!("NS = \"ns1\", {entry} }}"));
        meridian::config::compile_zone(&source)
    };
    assert!(apex("pool = \"us1\"").is_ok());
    let rejected = apex("pool = \"lb\"").unwrap_err();
    assert!(rejected.diagnostics[0].message.contains("the apex cannot be a CNAME"));
    let mixed = aliased().policy("p", "failover", "targets = [\"lb\", \"us1\"]").route("www", "p");
    mixed.refused_for("may become a CNAME or addresses");
}

/// Route 53's reply carries the target's TTL; here pools and policies have none, and the name that is asked for says it.
#[test]
fn rule_50_the_ttl_is_that_of_the_name() {
    let zone = regions()
        .policy("inner", "failover", "targets = [\"us1\"]")
        .policy("outer", "failover", "targets = [\"inner\"]")
        .name("short", "policy = \"outer\", ttl = \"20s\"")
        .name("long", "policy = \"inner\", ttl = \"1h\"");
    let world = zone.world();
    assert_eq!(world.ask(&question("short")).ttls(), [20]);
    assert_eq!(world.ask(&question("long")).ttls(), [3600]);
}

#[test]
fn rule_51_a_policy_is_up_as_long_as_something_in_it_is() {
    let world = regions()
        .policy("bottom", "weighted", "weights = { us1 = 1, us2 = 1 }")
        .policy("middle", "failover", "targets = [\"bottom\"]")
        .policy("top", "failover", "targets = [\"middle\", \"ap1\"]")
        .route("www", "top")
        .world();
    for (down, expected) in
        [(&["us1"][..], "192.0.2.2"), (&["us2"], "192.0.2.1"), (&["us1", "us2"], "192.0.2.3")]
    {
        world.only_down(down);
        world.assert_shares(&question("www"), &[(expected, 1)]);
    }
}

/// Documented in `policy::select`: Route 53 would call `geo` up because its record for Europe is, and send an American to
/// one that is down.
#[test]
fn rule_51_a_geolocation_policy_is_judged_for_this_client() {
    let world = regions()
        .policy(
            "geo",
            "geolocation",
            "country.US = \"us1\"\ncountry.DE = \"us2\"\ndefault = \"ap1\"",
        )
        .policy("top", "failover", "targets = [\"geo\", \"ap2\"]")
        .route("www", "top")
        .world();
    world.only_down(&["us1", "ap1"]);
    assert_eq!(world.addresses(&question("www").client(&home("US"))), ["192.0.2.4"]);
    assert_eq!(world.addresses(&question("www").client(&home("DE"))), ["192.0.2.2"]);
    assert_eq!(world.addresses(&question("www").client(NOWHERE)), ["192.0.2.4"]);
}

#[test]
fn rule_52_a_branch_whose_health_is_not_evaluated_is_never_backed_out_of() {
    let world = nearest("evaluate_health = false");
    assert_from_us(&world, &["us1", "us2"], &US);
    assert_from_us(&world, &["us1"], &[("192.0.2.2", 1)]);
    let reply = world.ask(&question("www").client(&home("JP")));
    assert!(AP.iter().any(|(address, _)| reply.addresses() == [*address]));
}

/// Checks belong to pools: a policy has no check beside the health of its targets, and saying one is an error.
#[test]
fn rule_53_a_policy_has_no_check_of_its_own() {
    let zone = regions().policy("p", "failover", "targets = [\"us1\"]\ncheck = \"web\"");
    zone.route("www", "p").refused_for("checks belong to pools");
}

#[test]
fn rule_54_a_branch_with_nothing_up_is_backed_out_of() {
    let world = nearest("");
    assert_from_us(&world, &[], &US);
    assert_from_us(&world, &["us1", "us2", "ap2"], &[("192.0.2.3", 1)]);
    assert_from_us(&world, &["us1", "us2"], &AP);
}

#[test]
fn rule_55_a_member_without_a_check_keeps_its_branch_up() {
    let regions = Zone::new()
        .pool("us1", "192.0.2.1")
        .unchecked("us2", "192.0.2.2")
        .pool("ap1", "192.0.2.3")
        .pool("ap2", "192.0.2.4");
    let world = nearest_of(regions, "");
    assert_from_us(&world, &["us1"], &[("192.0.2.2", 1)]);
    assert_from_us(&world, &["us1", "ap1", "ap2"], &[("192.0.2.2", 1)]);
}

#[test]
fn rule_56_with_all_branches_down_the_best_one_answers_by_its_policy() {
    let world = nearest("");
    assert_from_us(&world, &["us1", "us2", "ap1", "ap2"], &US);
    world.assert_shares(&question("www").client(&home("JP")), &AP);
}

fn wildcards() -> World {
    regions()
        .policy("p", "failover", "targets = [\"us1\", \"us2\"]")
        .policy("geo", "geolocation", "country.US = \"ap1\"\ndefault = \"ap2\"")
        .route("*", "p")
        .route("*.geo", "geo")
        .name("explicit", "A = \"192.0.2.99\"")
        .name("below.deep", "TXT = \"x\"")
        .name("*partial", "TXT = \"a label like any other\"")
        .world()
}

#[test]
fn rule_57_a_wildcard_covers_all_levels_and_explicit_names_beat_it() {
    let world = wildcards();
    for name in ["any", "a.b.c.any", "explicitly"] {
        let reply = world.ask(&question(name));
        assert_eq!(reply.addresses(), ["192.0.2.1"], "{name}");
        assert_eq!(reply.message.answers[0].name, question(name).name, "synthesized at the name");
    }
    assert_eq!(world.addresses(&question("explicit")), ["192.0.2.99"]);
    assert!(world.ask(&question("explicit").of(RecordType::TXT)).is_nodata());
    let hidden = world.ask(&question("below.explicit"));
    assert_eq!(hidden.rcode(), ResponseCode::NXDomain, "the closest encloser has no wildcard");
    assert!(world.ask(&question("deep")).is_nodata(), "an empty non-terminal exists");
    world.only_down(&["us1"]);
    assert_eq!(world.addresses(&question("any")), ["192.0.2.2"]);
}

#[test]
fn rule_57_a_wildcard_may_be_routed_by_place() {
    let world = wildcards();
    for (country, expected) in [("US", "192.0.2.3"), ("DE", "192.0.2.4")] {
        let reply = world.ask(&question("x.y.geo").client(&home(country)));
        assert_eq!(reply.addresses(), [expected]);
        assert_ne!(reply.scope(), 0);
    }
}

#[test]
fn rule_57_only_a_whole_leftmost_label_is_a_wildcard() {
    let world = wildcards();
    assert_eq!(world.ask(&question("xpartial").of(RecordType::TXT)).data(), [""; 0]);
    assert_eq!(world.addresses(&question("xpartial")), ["192.0.2.1"], "by the real wildcard");
    let inner = Zone::new().name("a.*.b", "A = \"192.0.2.7\"").world();
    // The empty non-terminal `*.b` makes the answer NODATA (RFC 4592 §2.2.2), never the data of `a.*.b`.
    assert!(inner.ask(&question("a.x.b")).is_nodata());
    assert_eq!(inner.addresses(&question("a.*.b")), ["192.0.2.7"]);
    regions().name("*.sub", "NS = \"ns1\"").refused_for("a wildcard cannot delegate");
}

/// What octodns-route53 makes of a dynamic record: geo rules → failover per pool (weighted values, then the fallback's
/// pool) → … → a default pool without a check.
fn octodns() -> World {
    Zone::new()
        .pool("na-1", "192.0.2.1")
        .pool("na-2", "192.0.2.2")
        .pool("eu-1", "192.0.2.3")
        .unchecked("default", "192.0.2.9")
        .policy("na-values", "weighted", "weights = { na-1 = 2, na-2 = 1 }")
        .policy("eu-values", "weighted", "weights = { eu-1 = 1 }")
        .policy("na", "failover", "targets = [\"na-values\", \"eu\"]")
        .policy("eu", "failover", "targets = [\"eu-values\", \"default\"]")
        .policy(
            "rules",
            "geolocation",
            "continent.NA = \"na\"\ncountry.FR = \"eu\"\ncontinent.EU = \"eu\"\ndefault = \"na\"",
        )
        .route("www", "rules")
        .world()
}

#[test]
fn rule_58_octodns_layout() {
    let world = octodns();
    let na = [("192.0.2.1", 2), ("192.0.2.2", 1)];
    assert_from_us(&world, &[], &na);
    world.assert_shares(&question("www").client(NOWHERE), &na);
    assert_eq!(world.addresses(&question("www").client(&home("FR"))), ["192.0.2.3"]);
    assert_from_us(&world, &["na-1"], &[("192.0.2.2", 1)]);
    assert_from_us(&world, &["na-1", "na-2"], &[("192.0.2.3", 1)]);
    assert_eq!(world.addresses(&question("www").client(&home("DE"))), ["192.0.2.3"]);
    assert_from_us(&world, &["na-1", "na-2", "eu-1"], &[("192.0.2.9", 1)]);
    assert_eq!(world.addresses(&question("www").client(&home("DE"))), ["192.0.2.9"]);
    let reply = world.ask(&question("www").client(&home("DE")));
    assert_eq!(reply.outcome.pool.map(|(_, _, last_resort)| last_resort), Some(false));
}
