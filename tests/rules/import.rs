//! An imported hosted zone answers as Route 53 would: the server is asked as clients of many places in many states of health, and
//! an oracle that knows nothing but the rules and the JSON says what may be answered, and how often.
//!
//! The zone is `tests/import/route53_tree.json`. Its addresses are all different, so that an endpoint's check can be told by its
//! address.

use std::collections::{BTreeMap, BTreeSet};

use hickory_proto::rr::RecordType;
use meridian::config::Source;
use meridian::health::{ProbeAddress, Protocol, Status};
use meridian::import::{Imported, Route53, import_route53};
use serde_json::Value;

use crate::harness::{ATLAS, NOWHERE, SEED, World, assert_fit, atlas, home, question};

const RECORDS: &str = include_str!("../import/route53_tree.json");
const HEALTH_CHECKS: &str = include_str!("../import/route53_tree.checks.json");

/// Clients that ask once each.
const CLIENTS: usize = 1_000;

/// How many of them see the same state of health.
const CLIENTS_PER_STATE: usize = 10;

/// Draws of questions whose shares are compared.
const DRAWS: u64 = 4_000;

/// The continents of the atlas, as Route 53 has them (rule 31). BV is on none.
const CONTINENTS: [(&str, &str); 7] = [
    ("NA", "US CA MX"),
    ("EU", "DE FR TR CY RU"),
    ("SA", "BR"),
    ("AS", "JP GE AM AZ KZ"),
    ("OC", "AU"),
    ("AF", "ZA"),
    ("AN", "AQ GS TF"),
];

fn imported() -> Imported {
    let input =
        Route53 { records: RECORDS, health_checks: Some(HEALTH_CHECKS), ..Route53::default() };
    import_route53(input).unwrap()
}

/// Draws numbers, always the same.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: usize) -> usize {
        // SplitMix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(limit).unwrap()).unwrap()
    }
}

/// What may be answered: sets of data with their probabilities, or any so many of a set.
#[derive(Debug)]
enum Expected {
    Shares(BTreeMap<BTreeSet<String>, f64>),
    Any(usize, BTreeSet<String>),
}

/// Route 53's rules over its JSON.
struct Oracle {
    sets: BTreeMap<(String, String), Vec<Value>>,
    /// Checks that are down.
    down: BTreeSet<String>,
}

impl Oracle {
    fn new() -> Self {
        let listing: Value = serde_json::from_str(RECORDS).unwrap();
        let mut sets: BTreeMap<_, Vec<Value>> = BTreeMap::new();
        for record in listing["ResourceRecordSets"].as_array().unwrap() {
            let name = record["Name"].as_str().unwrap().to_owned();
            let rtype = record["Type"].as_str().unwrap().to_owned();
            sets.entry((name, rtype)).or_default().push(record.clone());
        }
        Self { sets, down: BTreeSet::new() }
    }

    fn members(&self, name: &str, rtype: &str) -> &[Value] {
        self.sets.get(&(name.to_owned(), rtype.to_owned())).map_or(&[], Vec::as_slice)
    }

    /// Rules 3, 51 to 53.
    fn is_healthy(&self, record: &Value, rtype: &str) -> bool {
        let check = record["HealthCheckId"].as_str();
        let alias = &record["AliasTarget"];
        let is_evaluated = alias["EvaluateTargetHealth"] == true;
        let target = || self.members(alias["DNSName"].as_str().unwrap(), rtype);
        check.is_none_or(|check| !self.down.contains(check))
            && (!is_evaluated || target().iter().any(|record| self.is_healthy(record, rtype)))
    }

    fn answer(&self, name: &str, rtype: &str, country: Option<&str>) -> Expected {
        let members = self.members(name, rtype);
        let healthy: Vec<&Value> =
            members.iter().filter(|record| self.is_healthy(record, rtype)).collect();
        // Rule 4.
        let usable = if healthy.is_empty() { members.iter().collect() } else { healthy };
        let Some(first) = members.first() else {
            return Expected::Shares([(BTreeSet::new(), 1.0)].into());
        };
        if first.get("MultiValueAnswer").is_some() {
            let all = usable.iter().flat_map(|record| data(record)).collect::<BTreeSet<_>>();
            return Expected::Any(all.len().min(8), all);
        }
        let chosen = if first.get("Weight").is_some() {
            by_weight(&usable)
        } else if first.get("Failover").is_some() {
            let primary = usable.iter().find(|record| record["Failover"] == "PRIMARY");
            vec![(*primary.unwrap_or(&usable[0]), 1.0)]
        } else if first.get("GeoLocation").is_some() {
            by_place(members, &usable, country).map(|record| (record, 1.0)).into_iter().collect()
        } else {
            vec![(first, 1.0)]
        };
        self.follow(&chosen, rtype, country)
    }

    /// The data of the chosen records, or of what their aliases lead to.
    fn follow(&self, chosen: &[(&Value, f64)], rtype: &str, country: Option<&str>) -> Expected {
        let mut shares = BTreeMap::new();
        if chosen.is_empty() {
            shares.insert(BTreeSet::new(), 1.0);
        }
        for (record, share) in chosen {
            let Some(target) = record["AliasTarget"]["DNSName"].as_str() else {
                *shares.entry(data(record)).or_insert(0.0) += share;
                continue;
            };
            let Expected::Shares(inner) = self.answer(target, rtype, country) else {
                panic!("no alias leads to a multivalue set here");
            };
            for (answer, inner_share) in inner {
                *shares.entry(answer).or_insert(0.0) += share * inner_share;
            }
        }
        Expected::Shares(shares)
    }

    /// The check of each address and CNAME target that has one.
    fn checks_of_data(&self) -> BTreeMap<String, String> {
        let mut checks = BTreeMap::new();
        for ((_, rtype), members) in &self.sets {
            for record in members {
                let Some(check) = record["HealthCheckId"].as_str() else { continue };
                let target = record["AliasTarget"]["DNSName"].as_str();
                let target = target.map_or(&[][..], |target| self.members(target, rtype));
                for data in target.iter().chain([record]).flat_map(data) {
                    checks.insert(data, check.to_owned());
                }
            }
        }
        checks
    }
}

/// Names without their last dot, addresses as they print.
fn data(record: &Value) -> BTreeSet<String> {
    let values = record["ResourceRecords"].as_array().into_iter().flatten();
    values.map(|value| value["Value"].as_str().unwrap().trim_end_matches('.').to_owned()).collect()
}

/// Rules 10 to 16.
fn by_weight<'r>(usable: &[&'r Value]) -> Vec<(&'r Value, f64)> {
    let weight = |record: &Value| record["Weight"].as_f64().unwrap();
    let total: f64 = usable.iter().map(|record| weight(record)).sum();
    if total == 0.0 {
        let equal = 1.0 / usable.len() as f64;
        return usable.iter().map(|record| (*record, equal)).collect();
    }
    let weighted = usable.iter().map(|record| (*record, weight(record) / total));
    weighted.filter(|(_, share)| *share > 0.0).collect()
}

/// Rules 24 to 31: the places of the client from the smallest, then the first that is usable, else the smallest.
fn by_place<'r>(
    members: &'r [Value],
    usable: &[&'r Value],
    country: Option<&str>,
) -> Option<&'r Value> {
    let of_country = |record: &Value, code: &str| record["GeoLocation"]["CountryCode"] == code;
    let continent = country.and_then(|country| {
        CONTINENTS.iter().find(|(_, members)| members.split(' ').any(|member| member == country))
    });
    let mut chain: Vec<&Value> = Vec::new();
    chain.extend(members.iter().find(|it| country.is_some_and(|code| of_country(it, code))));
    chain.extend(
        members.iter().find(|it| {
            continent.is_some_and(|(code, _)| it["GeoLocation"]["ContinentCode"] == *code)
        }),
    );
    chain.extend(members.iter().find(|it| of_country(it, "*")));
    let first_usable = chain.iter().find(|record| usable.iter().any(|other| other == *record));
    first_usable.or(chain.first()).copied()
}

/// Takes checks down at random, few or many, here and there.
fn change_health(oracle: &mut Oracle, world: &World, draw: &mut Draw) {
    let checks = oracle.checks_of_data();
    let one_in = [2, 3, 6, 1_000, 1][draw.below(5)];
    let all: BTreeSet<&String> = checks.values().collect();
    oracle.down = all.into_iter().filter(|_| draw.below(one_in) == 0).cloned().collect();
    let mut probed = 0;
    for routing in world.snapshot.routings() {
        for (named, bound) in routing.named.pools.iter().zip(routing.bound.pools()) {
            for (endpoint, state) in named.endpoints.iter().zip(&bound.endpoints) {
                let Some(target) = state.health.target() else { continue };
                let check = &checks[endpoint.label.trim_end_matches('.')];
                let is_down = oracle.down.contains(check);
                world.view.set(target, if is_down { Status::Down } else { Status::Up });
                probed += 1;
            }
        }
    }
    assert!(probed >= 20, "only {probed} endpoints have a check");
}

/// Names and types that are compared. A type that a name has not got is asked less often than one that it has.
fn questions(oracle: &Oracle) -> Vec<(String, RecordType)> {
    let names: BTreeSet<&String> = oracle.sets.keys().map(|(name, _)| name).collect();
    let names = names.into_iter().filter(|name| !name.starts_with('\\'));
    let types = |name: &String| {
        if !oracle.members(name, "CNAME").is_empty() {
            return vec![RecordType::CNAME];
        }
        let has = |rtype: &RecordType| !oracle.members(name, &rtype.to_string()).is_empty();
        let both = [RecordType::A, RecordType::AAAA];
        both.iter().flat_map(|rtype| vec![*rtype; if has(rtype) { 4 } else { 1 }]).collect()
    };
    names.flat_map(|name| types(name).into_iter().map(move |rtype| (name.clone(), rtype))).collect()
}

fn place(draw: &mut Draw) -> (Option<&'static str>, String) {
    let place = draw.below(ATLAS.len() + 2);
    let country = ATLAS.get(place).copied();
    (country, country.map_or(NOWHERE.to_owned(), home))
}

fn relative(name: &str) -> &str {
    match name.trim_end_matches('.') {
        "example.com" => "@",
        name => name.strip_suffix(".example.com").unwrap(),
    }
}

/// What a check of the JSON probes: where, at which port, and its path unless it only connects.
fn probe_of(check: &str) -> (String, u64, Option<String>) {
    let listing: Value = serde_json::from_str(HEALTH_CHECKS).unwrap();
    let checks = listing["HealthChecks"].as_array().unwrap();
    let config = &checks.iter().find(|it| it["Id"] == check).unwrap()["HealthCheckConfig"];
    let own = config["IPAddress"].as_str().or(config["FullyQualifiedDomainName"].as_str());
    let path = config["ResourcePath"].as_str().map(|path| format!("/{}", path.trim_matches('/')));
    (own.unwrap().to_owned(), config["Port"].as_u64().unwrap(), path)
}

#[test]
fn rule_05_an_imported_zone_probes_what_its_checks_say() {
    let world = World::of(&Source::new("import.toml", imported().text, 1), atlas());
    let checks = Oracle::new().checks_of_data();
    let mut probed = BTreeSet::new();
    for routing in world.snapshot.routings() {
        for (named, bound) in routing.named.pools.iter().zip(routing.bound.pools()) {
            for (endpoint, state) in named.endpoints.iter().zip(&bound.endpoints) {
                let Some(target) = state.health.target() else { continue };
                let target = &world.snapshot.targets[usize::try_from(target.0).unwrap()];
                let check = &checks[endpoint.label.trim_end_matches('.')];
                let address = match &target.address {
                    ProbeAddress::Ip(address) => address.to_string(),
                    ProbeAddress::Name(name) => name.to_string(),
                };
                let path = match &target.check.protocol {
                    Protocol::Http(http) => Some(http.path.to_string()),
                    _ => None,
                };
                let probe = (address, u64::from(target.check.port), path);
                assert_eq!(probe, probe_of(check), "{check} of {}", endpoint.label);
                probed.insert(endpoint.label.clone());
            }
        }
    }
    let missing: Vec<&String> = checks
        .keys()
        .filter(|data| !probed.iter().any(|it| it.trim_end_matches('.') == *data))
        .collect();
    assert_eq!(missing, Vec::<&String>::new());
}

#[test]
fn rule_58_an_imported_zone_answers_as_its_json_says() {
    println!("seed {SEED:#x}");
    let imported = imported();
    let world = World::of(&Source::new("import.toml", imported.text, 1), atlas());
    let (mut oracle, mut draw) = (Oracle::new(), Draw(SEED));
    let questions = questions(&oracle);
    assert!(questions.len() > 20, "{questions:?}");
    let (mut empty, mut chosen) = (0, BTreeSet::new());
    for client in 0..CLIENTS {
        if client % CLIENTS_PER_STATE == 0 {
            change_health(&mut oracle, &world, &mut draw);
        }
        let (name, rtype) = &questions[draw.below(questions.len())];
        let (country, subnet) = place(&mut draw);
        let asked = question(relative(name)).of(*rtype).client(&subnet);
        let reply = world.answer(&asked, SEED ^ u64::try_from(client).unwrap());
        let answer: BTreeSet<String> =
            reply.data().iter().map(|data| data.trim_end_matches('.').to_owned()).collect();
        let expected = oracle.answer(name, &rtype.to_string(), country);
        let is_right = match &expected {
            Expected::Shares(shares) => shares.get(&answer).is_some_and(|share| *share > 0.0),
            Expected::Any(count, all) => answer.len() == *count && answer.is_subset(all),
        };
        let down = &oracle.down;
        assert!(is_right, "{name} {rtype} from {country:?}, {down:?}: {answer:?}, {expected:?}");
        empty += usize::from(answer.is_empty());
        chosen.extend(answer);
    }
    println!("{empty} of {CLIENTS} answers without data, {} different data", chosen.len());
    assert!(empty > 0 && empty < CLIENTS / 2 && chosen.len() > 30, "{empty}, {chosen:?}");
}

#[test]
fn rule_10_an_imported_zone_keeps_its_shares() {
    println!("seed {SEED:#x}");
    let world = World::of(&Source::new("import.toml", imported().text, 1), atlas());
    let (mut oracle, mut draw) = (Oracle::new(), Draw(SEED));
    let questions = questions(&oracle);
    let mut compared = 0;
    while compared < 40 {
        change_health(&mut oracle, &world, &mut draw);
        let (name, rtype) = &questions[draw.below(questions.len())];
        let (country, subnet) = place(&mut draw);
        let Expected::Shares(shares) = oracle.answer(name, &rtype.to_string(), country) else {
            continue;
        };
        if shares.len() < 2 {
            continue;
        }
        compared += 1;
        let asked = question(relative(name)).of(*rtype).client(&subnet);
        let mut counts = BTreeMap::new();
        for seed in 0..DRAWS {
            let mut data = world.answer(&asked, seed).data();
            data.sort();
            let data: Vec<&str> = data.iter().map(|it| it.trim_end_matches('.')).collect();
            *counts.entry(data.join(" ")).or_insert(0) += 1;
        }
        let weights: Vec<(String, u32)> = shares
            .iter()
            .map(|(answer, share)| {
                let answer: Vec<&str> = answer.iter().map(String::as_str).collect();
                (answer.join(" "), (share * 1e6).round() as u32)
            })
            .collect();
        let weights: Vec<(&str, u32)> =
            weights.iter().map(|(answer, weight)| (answer.as_str(), *weight)).collect();
        assert_fit(&counts, &weights);
    }
}
