//! Dynamic records: pools of weighted values, each with a fallback, and rules that choose a pool by place or subnet.
//!
//! A rule is tried to its end: its pool, the pool's fallback, that one's, and last the record's own values, which have no
//! check. So a place's list always ends in something that is up, and never widens to a larger place.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::yaml::Yaml;
use super::{Importer, Record};
use crate::geo::{Continent, CountryCode};
use crate::import::Severity;
use crate::import::text::{key, quote, seconds, slug};
use crate::import::tree::{Check, Kind, Line, Member, Pool, Role, Tree};
use crate::limits::POLICY_TARGETS;
use crate::wire::RecordType;

/// What octoDNS probes unless a record says otherwise.
const CHECK_PATH: &str = "/_dns";

impl Importer {
    /// The tree of a dynamic record.
    pub(super) fn dynamic(&mut self, record: &Record<'_>, dynamic: &Yaml) -> Option<Tree> {
        let check = self.check_of(record);
        let last = self.default_pool(record);
        let mut pools: BTreeMap<&str, Option<Rc<Tree>>> = BTreeMap::new();
        let entries = dynamic.at("pools").and_then(Yaml::as_map).unwrap_or_default();
        for (name, pool) in entries {
            pools.insert(name, self.pool(record, name, pool, check.as_ref()));
        }
        let mut members: Vec<Member> = Vec::new();
        for rule in dynamic.at("rules").map(Yaml::each).unwrap_or_default() {
            let chain = self.chain(record, rule, entries, &pools, last.as_ref());
            for place in self.places(record, rule) {
                if !chain.is_empty() && members.iter().all(|member| member.label != place) {
                    let role = Role::Place(place.clone());
                    members.push(Member { label: place, role, targets: chain.clone() });
                }
            }
        }
        self.finish(record, members, last)
    }

    /// The forerunner of dynamic records: values by place, and the record's own for everybody else.
    pub(super) fn legacy_geo(&mut self, record: &Record<'_>, geo: &Yaml) -> Option<Tree> {
        let check = self.check_of(record);
        let last = self.default_pool(record);
        let mut members = Vec::new();
        for (code, values) in geo.as_map().unwrap_or_default() {
            let Some(place) = place_of(code) else {
                self.note_place(record, code);
                continue;
            };
            let texts: Vec<String> =
                values.each().iter().filter_map(Yaml::as_str).map(str::to_owned).collect();
            if let Some(pool) = self.pool_of(
                record,
                &format!("{} {code}", self.name_of(record)),
                &texts,
                check.clone(),
            ) {
                let role = Role::Place(place.clone());
                members.push(Member { label: place, role, targets: vec![Rc::new(pool)] });
            }
        }
        self.finish(record, members, last)
    }

    /// One policy over all places; without places, over what the one rule tries.
    fn finish(
        &mut self,
        record: &Record<'_>,
        mut members: Vec<Member>,
        last: Option<Rc<Tree>>,
    ) -> Option<Tree> {
        let name = slug(&self.name_of(record));
        let is_default = |member: &Member| member.label == "default";
        if let [only] = members.as_slice()
            && is_default(only)
        {
            return Some(Tree::failover(name, only.targets.clone()));
        }
        if let Some(last) = last.filter(|_| !members.iter().any(is_default)) {
            let role = Role::Place("default".to_owned());
            members.push(Member { label: "default".to_owned(), role, targets: vec![last] });
        }
        if members.is_empty() {
            let reason = "no rule of the dynamic record can be kept; left out";
            self.draft.note(Severity::Error, &record.owner, record.rtype, reason);
            return None;
        }
        Some(Tree::policy(name, Kind::Geolocation, members))
    }

    fn name_of(&self, record: &Record<'_>) -> String {
        record.owner.display_within(&self.apex).into_owned()
    }

    /// The record's own values, which are never checked.
    fn default_pool(&mut self, record: &Record<'_>) -> Option<Rc<Tree>> {
        let values = record.yaml.at("values").or_else(|| record.yaml.at("value"))?;
        let texts: Vec<String> =
            values.each().iter().filter_map(Yaml::as_str).map(str::to_owned).collect();
        let name = format!("{} default", self.name_of(record));
        self.pool_of(record, &name, &texts, None).map(Rc::new)
    }

    /// A pool of all these values.
    fn pool_of(
        &mut self,
        record: &Record<'_>,
        name: &str,
        texts: &[String],
        check: Option<Rc<Check>>,
    ) -> Option<Tree> {
        let origin = crate::wire::Name::root();
        let data = self.draft.read_all(&record.owner, record.rtype, texts, &origin);
        let first = data.first()?;
        let mut pool = Pool { check, ttls: [record.ttl].into(), ..Pool::default() };
        match record.rtype {
            RecordType::A | RecordType::AAAA => {
                pool.addresses = data.iter().filter_map(|text| text.parse().ok()).collect();
            }
            RecordType::CNAME => pool.cname = Some(first.clone()),
            _ => pool.records.push((record.rtype, data)),
        }
        Some(Tree::pool(slug(name), pool))
    }

    /// A pool of octoDNS: one value at a time, by weight.
    fn pool(
        &mut self,
        record: &Record<'_>,
        name: &str,
        pool: &Yaml,
        check: Option<&Rc<Check>>,
    ) -> Option<Rc<Tree>> {
        let values = pool.at("values").map(Yaml::each).unwrap_or_default();
        let entry = format!("{} {name}", self.name_of(record));
        let mut members = Vec::new();
        for (number, value) in (1usize..).zip(values) {
            let text = value.text_at("value").unwrap_or_default().to_owned();
            let status = value.text_at("status").unwrap_or("obey");
            let check = match status {
                "up" => None,
                "down" => Some(Rc::new(always_down())),
                _ => check.cloned(),
            };
            let entry = if values.len() == 1 { entry.clone() } else { format!("{entry} {number}") };
            let weight = self.weight_of(record, value);
            if let Some(tree) = self.pool_of(record, &entry, &[text], check) {
                let (label, targets) = (number.to_string(), vec![Rc::new(tree)]);
                members.push(Member { label, role: Role::Weight(weight), targets });
            }
        }
        match members.as_slice() {
            [] => None,
            [only] if values.len() == 1 => only.targets.first().cloned(),
            _ => Some(Rc::new(Tree::policy(slug(&entry), Kind::Weighted, members))),
        }
    }

    fn weight_of(&mut self, record: &Record<'_>, value: &Yaml) -> u8 {
        let Some(typed) = value.text_at("weight") else { return 1 };
        typed.parse().unwrap_or_else(|_| {
            let reason = format!("the weight `{typed}` is not from 0 to 255, and becomes 1");
            self.draft.note(Severity::Error, &record.owner, record.rtype, reason);
            1
        })
    }

    /// What a rule tries, in order.
    fn chain(
        &mut self,
        record: &Record<'_>,
        rule: &Yaml,
        entries: &[(String, Yaml)],
        pools: &BTreeMap<&str, Option<Rc<Tree>>>,
        last: Option<&Rc<Tree>>,
    ) -> Vec<Rc<Tree>> {
        let mut chain = Vec::new();
        let mut tried: Vec<&str> = Vec::new();
        let mut next = rule.text_at("pool").filter(|name| !name.is_empty());
        // A longer chain is no policy, which whoever compiles it says.
        while let Some(name) =
            next.filter(|name| tried.len() <= POLICY_TARGETS && !tried.contains(name))
        {
            tried.push(name);
            match pools.get(name) {
                Some(tree) => chain.extend(tree.clone()),
                None => {
                    let reason = format!("there is no pool `{name}`");
                    self.draft.note(Severity::Error, &record.owner, record.rtype, reason);
                }
            }
            let pool = entries.iter().find(|(known, _)| known == name);
            next = pool.and_then(|(_, pool)| pool.text_at("fallback"));
            next = next.filter(|name| !matches!(*name, "null" | "~" | ""));
        }
        chain.extend(last.cloned());
        chain
    }

    /// The keys of a rule: `default` for the one that takes all.
    fn places(&mut self, record: &Record<'_>, rule: &Yaml) -> Vec<String> {
        let list = |key| rule.at(key).map(Yaml::each).unwrap_or_default();
        let subnets = list("subnets").iter().filter_map(Yaml::as_str);
        let mut places: Vec<String> =
            subnets.map(|subnet| format!("cidr.{}", quote(subnet))).collect();
        for code in list("geos").iter().filter_map(Yaml::as_str) {
            match place_of(code) {
                Some(place) => places.push(place),
                None => self.note_place(record, code),
            }
        }
        if rule.at("geos").is_none() && rule.at("subnets").is_none() {
            places.push("default".to_owned());
        }
        places
    }

    fn note_place(&mut self, record: &Record<'_>, code: &str) {
        let reason = format!("clients are not located in `{code}`; that place is left out");
        self.draft.note(Severity::Error, &record.owner, record.rtype, reason);
    }

    /// The check of a record's pools: by HTTPS unless it says otherwise, with the record's name as host.
    fn check_of(&mut self, record: &Record<'_>) -> Option<Rc<Check>> {
        let octodns = record.yaml.at("octodns");
        let healthcheck = octodns.and_then(|octodns| octodns.at("healthcheck"));
        let text = |key: &str| healthcheck.and_then(|check| check.text_at(key));
        let protocol = text("protocol").unwrap_or("HTTPS").to_ascii_uppercase();
        let owner = record.owner.to_string();
        let host = match healthcheck.and_then(|check| check.at("host")) {
            Some(host) if host.is_null() => None,
            Some(host) => host.as_str(),
            None => Some(owner.trim_end_matches('.')).filter(|_| !record.owner.is_wildcard()),
        };
        let usual_port = if protocol == "HTTP" { "80" } else { "443" };
        let port = text("port").unwrap_or("443");
        let mut lines = Vec::new();
        match protocol.as_str() {
            "HTTP" | "HTTPS" => {
                let path = text("path").unwrap_or(CHECK_PATH).trim_start_matches('/');
                let key = if protocol == "HTTPS" { "https" } else { "http" };
                lines.push((key, quote(&format!("/{path}"))));
                lines.extend(host.map(|host| ("host", quote(host))));
                if port != usual_port {
                    lines.push(("port", port.to_owned()));
                }
                lines.push(("expect", "200".to_owned()));
            }
            "TCP" => lines.push(("tcp", port.to_owned())),
            "ICMP" => lines.push(("icmp", "true".to_owned())),
            _ => {
                let reason = format!(
                    "checks by {protocol} are not known here; its values count as always up"
                );
                self.draft.note(Severity::Error, &record.owner, record.rtype, reason);
                return None;
            }
        }
        lines.extend(timing(octodns));
        let name = slug(host.unwrap_or(&format!("{} {port}", protocol.to_lowercase())));
        Some(Rc::new(Check { name, lines, ..Check::default() }))
    }
}

/// What octoDNS tells Route 53 about the pace, where it does. Nothing that octoDNS drives waits before it takes an endpoint back.
fn timing(octodns: Option<&Yaml>) -> Vec<Line> {
    let route53 = octodns.and_then(|octodns| octodns.at("route53")?.at("healthcheck"));
    let number = |key: &str| route53.and_then(|check| check.text_at(key)?.parse::<u32>().ok());
    let mut lines = Vec::new();
    lines.extend(number("request_interval").map(|every| ("every", quote(&seconds(every)))));
    let threshold = number("failure_threshold").filter(|count| (1..=10).contains(count));
    lines.extend(threshold.map(|count| ("down_after", count.to_string())));
    lines.push(("damping", "false".to_owned()));
    lines
}

/// The check of a value that is given only when all others are down, too.
fn always_down() -> Check {
    let lines = [("icmp", "true"), ("inverted", "true"), ("disabled", "true")];
    let lines = lines.map(|(key, value)| (key, value.to_owned())).to_vec();
    Check { name: "down".to_owned(), lines, ..Check::default() }
}

/// `NA`, `NA-US` or `NA-US-CA` as the key of a geolocation policy.
fn place_of(code: &str) -> Option<String> {
    let mut parts = code.splitn(3, '-');
    let continent = Continent::parse(parts.next()?)?;
    let Some(country) = parts.next() else {
        return Some(format!("continent.{continent}"));
    };
    let country = CountryCode::parse(country).filter(|country| country.continent().is_some())?;
    Some(match parts.next() {
        None => format!("country.{country}"),
        Some(part) => format!("subdivision.{}", key(&format!("{country}-{part}"))),
    })
}
