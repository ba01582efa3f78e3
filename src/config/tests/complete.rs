//! A zone with everything that the grammar has.

use std::time::Duration;

use super::*;
use crate::geo::{Asn, Continent, Coordinates, CountryCode, Subdivision};
use crate::health::{HttpCheck, Protocol, StatusSet, TcpCheck, TlsCheck};
use crate::policy::{
    AllDown, CheckId, GroupId, LatencySource, MinUp, Place, PolicyId, PoolId, Rule, TableId,
    Target, Weight, Weighted,
};
use crate::zone::presentation;

#[test]
fn a_complete_zone_has_its_checks() {
    let (zone, found) = compile(COMPLETE);
    assert_eq!(found, []);
    assert_eq!(zone.apex, name("@"));
    let [web, plain, database, ..] = zone.checks.as_slice() else { panic!("{:?}", zone.checks) };
    assert_eq!((&*web.name, web.spec.port, &web.address), ("web", 8443, &None));
    assert_eq!(web.spec.every, Duration::from_secs(10));
    assert_eq!(web.spec.timeout, Duration::from_millis(2500));
    assert_eq!((web.spec.down_after.as_u8(), web.spec.up_after.as_u8()), (5, 2));
    let https = HttpCheck {
        tls: Some(TlsCheck::default()),
        host: Some("www.example.com".into()),
        expect: StatusSet::parse("200,204,301-302").unwrap(),
        ..HttpCheck::new("/healthz")
    };
    assert_eq!(web.spec.protocol, Protocol::Http(https));
    assert_eq!((plain.spec.port, plain.spec.every), (80, Duration::from_secs(30)));
    assert_eq!(plain.spec.timeout, Duration::from_secs(4));
    assert_eq!(plain.address, Some(ProbeAddress::Name("probe.example.net".into())));
    assert_eq!(
        (database.spec.port, &database.spec.protocol),
        (5432, &Protocol::Tcp(TcpCheck::default()))
    );
    assert_eq!(database.address, Some(ProbeAddress::Ip("198.51.100.9".parse().unwrap())));
    assert_eq!(database.spec.every, Duration::from_secs(2));
    assert_eq!(database.spec.timeout, Duration::from_secs(2), "never longer than `every`");
    assert_eq!(database.spec.up_after.as_u8(), 4, "as many as `down_after` (rule 59)");
}

#[test]
fn a_complete_zone_has_its_pools_and_policies() {
    let (zone, _) = compile(COMPLETE);
    let routing = &zone.routing;
    let pools: Vec<&str> = routing.pools.iter().map(|pool| &*pool.name).collect();
    assert_eq!(pools, ["us", "eu", "ap", "cdn", "cdn-backup", "texts"]);
    let us = &routing.pools[0];
    assert_eq!(us.check, Some(CheckId(0)));
    let types: Vec<RecordType> = us.endpoints.iter().map(|endpoint| endpoint.rtype).collect();
    assert_eq!(types, [RecordType::A, RecordType::AAAA, RecordType::HTTPS]);
    assert_eq!(
        (&*us.endpoints[0].rdata, &*us.endpoints[0].label),
        (&[192, 0, 2, 10][..], "192.0.2.10")
    );
    let cdn = &routing.pools[3].endpoints[0];
    assert_eq!(
        (cdn.rtype, &*cdn.rdata),
        (RecordType::CNAME, &b"\x03cdn\x07example\x03net\x00"[..])
    );
    let backup = &routing.pools[4].endpoints[0];
    assert_eq!(&*backup.rdata, name("static").as_wire(), "relative to the zone");

    let pool = |id| Target::Pool(PoolId(id));
    let policy = |id| Target::Policy(PolicyId(id));
    let rules: Vec<&Rule> = routing.policies.iter().map(|policy| &policy.rule).collect();
    let weights = vec![(Weight(60), pool(0)), (Weight(0), pool(1)), (Weight(255), pool(2))];
    let weighted = Weighted {
        targets: weights,
        sticky: Some(serial::hash_text("2026")),
        ramp: Some(Duration::from_secs(300)),
    };
    assert_eq!(rules[0], &Rule::Weighted(weighted));
    assert!(!routing.policies[0].evaluate_health && routing.policies[1].evaluate_health);
    assert_eq!(rules[1], &Rule::Failover(vec![pool(2), policy(0)]));
    let places = [
        (Place::Country(CountryCode::parse("IS").unwrap()), vec![pool(0)]),
        (Place::Country(CountryCode::parse("NA").unwrap()), vec![pool(1)]),
        (Place::Continent(Continent::Europe), vec![pool(1), policy(0)]),
        (Place::Continent(Continent::NorthAmerica), vec![pool(0), policy(0)]),
        (Place::Default, vec![policy(1)]),
    ];
    assert_eq!(rules[2], &Rule::Geolocation { places: places.into(), widening: true });
    assert_eq!(rules[3], &Rule::Failover(vec![pool(3), pool(4)]));
    assert_eq!(rules[4], &Rule::RoundRobin(vec![pool(0), policy(1)]));
    assert_eq!(rules[5], &Rule::Multivalue(vec![PoolId(1), PoolId(0)]));
    let all_down = routing.policies.iter().map(|policy| policy.all_down).skip(3).take(3);
    let pool_or_failure = [AllDown::IgnoreHealth, AllDown::Pool(PoolId(1)), AllDown::ServFail];
    assert_eq!(all_down.collect::<Vec<_>>(), pool_or_failure);
    let minimums = routing.pools.iter().map(|pool| pool.min_up).take(3);
    assert_eq!(minimums.collect::<Vec<_>>(), [MinUp::ONE, MinUp::ONE, MinUp::Share(50)]);
}

#[test]
fn a_complete_zone_has_its_names() {
    let (zone, _) = compile(COMPLETE);
    let route = |owner: &str| zone.names[&name(owner)].routes[0].clone();
    assert_eq!(route("api").target, Target::Policy(PolicyId(2)));
    assert_eq!(route("api").ttl, ttl(30));
    assert_eq!(route("us").target, Target::Pool(PoolId(0)));
    assert_eq!(route("us").ttl, ttl(600), "the zone's");
    assert_eq!(route("*.shop").target, Target::Policy(PolicyId(0)));
    assert_eq!(route("assets").target, Target::Policy(PolicyId(3)));
    assert_eq!(rrset(&zone, "api", RecordType::TXT).ttl, ttl(30), "the name's");
    assert_eq!(rrset(&zone, "mail", RecordType::A).ttl, ttl(86_400), "its own");
    assert_eq!(rrset(&zone, "mail", RecordType::AAAA).ttl, ttl(3_600));
    assert_eq!(rrset(&zone, "@", RecordType::NS).rdata.len(), 2);
    let soa = presentation::parse_rdata(
        RecordType::SOA,
        "ns1 hostmaster 1700000000 7200 3600 1209600 60",
        &zone.apex,
    );
    assert_eq!(rrset(&zone, "@", RecordType::SOA).rdata, [soa.unwrap()]);
    assert_eq!(*rrset(&zone, "@", RecordType::TXT).rdata[0], *b"\x0bv=spf1 -all");
    assert_eq!(*rrset(&zone, "@", RecordType::TXT).rdata[1], *b"\x03a b\x01c");
    assert_eq!(*rrset(&zone, "x", RecordType(65280)).rdata[0], [0xab, 0xcd]);
    assert_eq!(rrset(&zone, "absolute", RecordType::PTR).rdata.len(), 1);
    let types = ["@", "x"].map(|owner| zone.names[&name(owner)].rrsets.len());
    assert_eq!(types, [5, 13]);
}

#[test]
fn a_complete_zone_has_its_places() {
    let (zone, _) = compile(COMPLETE);
    let routing = &zone.routing;
    let groups: Vec<(&str, usize)> =
        routing.groups.iter().map(|group| (&*group.name, group.countries.len())).collect();
    assert_eq!(groups, [("dach", 3), ("western-europe", 9), ("EU", 27)], "the smallest first");
    let rule =
        |name: &str| &routing.policies.iter().find(|known| *known.name == *name).unwrap().rule;
    let Rule::Geolocation { places, widening } = rule("by-place") else { panic!() };
    assert!(!widening);
    let keys: Vec<Place> = places.keys().copied().collect();
    let expected = [
        Place::Network("10.1.0.0/16".parse().unwrap()),
        Place::Asn(Asn(64_500)),
        Place::Subdivision(Subdivision::parse("US-CA").unwrap()),
        Place::Country(CountryCode::parse("FR").unwrap()),
        Place::Group(GroupId(0)),
        Place::Group(GroupId(1)),
        Place::Continent(Continent::NorthAmerica),
        Place::Default,
    ];
    assert_eq!(keys, expected, "the smallest first");
    let Rule::Ip { locations, default } = rule("by-isp") else { panic!() };
    let named: Vec<(&str, usize)> =
        locations.iter().map(|place| (&*place.name, place.networks.len())).collect();
    assert_eq!((named, default.len()), (vec![("telia", 2), ("dtag", 1)], 1));
    let residency = &routing.residencies[0];
    assert!(residency.holds_unlocated && residency.fails_closed);
    let gb = Place::Country(CountryCode::parse("GB").unwrap());
    assert_eq!(residency.clients, [Place::Group(GroupId(2)), gb].into());
    assert_eq!(residency.pools, [PoolId(1)].into());
}

#[test]
fn a_complete_zone_has_its_distances() {
    let (zone, _) = compile(COMPLETE);
    let routing = &zone.routing;
    let rule =
        |name: &str| &routing.policies.iter().find(|known| *known.name == *name).unwrap().rule;
    let Rule::Geoproximity { sites, default } = rule("near") else { panic!() };
    let places: Vec<(Coordinates, i8)> =
        sites.iter().map(|site| (site.coordinates, site.bias)).collect();
    let at = |latitude, longitude| Coordinates::new(latitude, longitude).unwrap();
    assert_eq!(places, [(at(38.9, -77.4), 0), (at(53.15, -8.14), 25)]);
    assert_eq!(default.len(), 1);
    let Rule::Latency(latency) = rule("fast") else { panic!() };
    assert_eq!((latency.table, latency.only), (Some(TableId(0)), Some(LatencySource::Table)));
    assert_eq!(latency.hysteresis, 20, "the default");
    let Rule::Latency(felt) = rule("felt") else { panic!() };
    assert_eq!((felt.only, felt.hysteresis), (Some(LatencySource::Measured), 10));
    let regions: Vec<&str> = latency.targets.iter().map(|target| &*target.region).collect();
    assert_eq!(regions, ["us-east-1", "eu"]);
    assert_eq!(latency.targets[0].coordinates, Some(at(38.9, -77.4)), "the pool's");
    assert_eq!(latency.targets[1].coordinates, Some(at(53.15, -8.14)), "the policy's");
    assert_eq!(routing.tables.len(), 1);
    assert_eq!(routing.tables[0].regions, ["eu".into(), "us-east-1".into()]);
}

#[test]
fn a_complete_zone_has_its_routes() {
    let (zone, _) = compile(COMPLETE);
    let routes = |owner: &str| &zone.names[&name(owner)].routes;
    let types = |owner: &str| -> Vec<Box<[RecordType]>> {
        routes(owner).iter().map(|route| route.types.clone()).collect()
    };
    let addresses: Box<[RecordType]> = [RecordType::A, RecordType::AAAA, RecordType::HTTPS].into();
    assert_eq!(types("us"), [addresses]);
    assert!(routes("us")[0].together);
    assert_eq!(types("mixed"), [[RecordType::AAAA].into(), [RecordType::A].into()], "aliases last");
    assert_eq!(routes("mixed")[0].ttl, ttl(60));
    assert_eq!(routes("mixed")[1].ttl, ttl(30), "the target's (rule 50)");
    assert_eq!(routes("www"), routes("api"));
    assert_eq!(routes("www")[0].name_key, serial::hash_name(&name("API")));
    assert_eq!(rrset(&zone, "www", RecordType::TXT), rrset(&zone, "api", RecordType::TXT));
    assert_eq!(types("@"), types("turns"), "an alias at the apex");
    assert_eq!(types("words"), [[RecordType::TXT].into()]);
}
