//! The part of the digest that says how a zone chooses.
//!
//! What older versions did not have adds nothing where it is not used, or every zone would get a new serial.

use std::collections::BTreeMap;

use super::{Fnv, in_order};
use crate::config::CompiledCheck;
use crate::geo::{Coordinates, LatencyTable};
use crate::policy::{
    AllDown, GroupId, Latency, LatencySource, LatencyTarget, NetworkLocation, Place, Policy,
    Residency, Routing, Rule, Site, Target, Weighted,
};

impl Fnv {
    pub(super) fn write_routing(&mut self, routing: &Routing, checks: &[CompiledCheck]) {
        // Groups and tables are written where they are named.
        let Routing { pools, policies, residencies, groups: _, tables: _ } = routing;
        self.write_count(pools.len());
        for pool in in_order(pools, |one, other| one.name.cmp(&other.name)) {
            self.write_pool(pool, checks);
        }
        self.write_count(policies.len());
        for policy in in_order(policies, |one, other| one.name.cmp(&other.name)) {
            self.write_policy(policy, routing);
        }
        if residencies.is_empty() {
            return;
        }
        self.write_text("residencies");
        self.write_count(residencies.len());
        for residency in in_order(residencies, |one, other| one.name.cmp(&other.name)) {
            self.write_residency(residency, routing);
        }
    }

    fn write_policy(&mut self, policy: &Policy, routing: &Routing) {
        let Policy { name, rule, evaluate_health, all_down } = policy;
        self.write_text(name);
        let (kind, pool) = match all_down {
            AllDown::IgnoreHealth => (0, None),
            AllDown::NoData => (1, None),
            AllDown::ServFail => (2, None),
            AllDown::Pool(pool) => (3, Some(*pool)),
        };
        self.write([u8::from(*evaluate_health) | kind << 1]);
        if let Some(pool) = pool {
            self.write_target(Target::Pool(pool), routing);
        }
        self.write_rule(rule, routing);
    }

    fn write_rule(&mut self, rule: &Rule, routing: &Routing) {
        match rule {
            Rule::Weighted(weighted) => self.write_weighted(weighted, routing),
            Rule::Failover(targets) => {
                self.write([1]);
                self.write_targets(targets, routing);
            }
            Rule::Geolocation { places, widening } => {
                self.write([if *widening { 2 } else { 6 }]);
                self.write_places(places, routing);
            }
            Rule::RoundRobin(_) => {
                self.write([3]);
                self.write_unordered(rule.targets(), routing);
            }
            Rule::Multivalue(_) => {
                self.write([4]);
                self.write_unordered(rule.targets(), routing);
            }
            Rule::Ip { locations, default } => {
                self.write([7]);
                self.write_locations(locations, routing);
                self.write_targets(default, routing);
            }
            Rule::Geoproximity { sites, default } => {
                self.write([8]);
                self.write_sites(sites, routing);
                self.write_targets(default, routing);
            }
            Rule::Latency(latency) => self.write_latency(latency, routing),
        }
    }

    fn write_weighted(&mut self, weighted: &Weighted, routing: &Routing) {
        let Weighted { targets, sticky, ramp } = weighted;
        let is_plain = sticky.is_none() && ramp.is_none();
        self.write([if is_plain { 0 } else { 5 }]);
        self.write_count(targets.len());
        for (weight, target) in targets {
            self.write([weight.0]);
            self.write_target(*target, routing);
        }
        if !is_plain {
            self.write([u8::from(sticky.is_some())]);
            self.write(sticky.unwrap_or(0).to_be_bytes());
            self.write_duration(ramp.unwrap_or_default());
        }
    }

    fn write_places(&mut self, places: &BTreeMap<Place, Vec<Target>>, routing: &Routing) {
        self.write_count(places.len());
        for (place, targets) in places {
            self.write_place(*place, routing);
            self.write_targets(targets, routing);
        }
    }

    fn write_place(&mut self, place: Place, routing: &Routing) {
        // NA is Namibia and North America.
        match place {
            Place::Country(country) => self.write_named(0, country.as_str()),
            Place::Continent(continent) => self.write_named(1, continent.code()),
            Place::Default => self.write_named(2, ""),
            Place::Network(network) => self.write_named(3, &network.to_string()),
            Place::Asn(asn) => self.write_named(4, &asn.to_string()),
            Place::Subdivision(subdivision) => self.write_named(5, &subdivision.to_string()),
            Place::Group(id) => self.write_group(id, routing),
        }
    }

    fn write_named(&mut self, kind: u8, name: &str) {
        self.write([kind]);
        self.write_text(name);
    }

    fn write_group(&mut self, id: GroupId, routing: &Routing) {
        let group = routing.groups.get(usize::from(id.0));
        self.write_named(6, group.map_or("", |group| &group.name));
        let countries = group.map_or(&[][..], |group| &group.countries);
        self.write_count(countries.len());
        for country in countries {
            self.write_text(country.as_str());
        }
    }

    fn write_locations(&mut self, locations: &[NetworkLocation], routing: &Routing) {
        self.write_count(locations.len());
        for location in in_order(locations, |one, other| one.name.cmp(&other.name)) {
            let NetworkLocation { name, networks, targets } = location;
            self.write_text(name);
            self.write_count(networks.len());
            for network in in_order(networks, Ord::cmp) {
                self.write_text(&network.to_string());
            }
            self.write_targets(targets, routing);
        }
    }

    fn write_coordinates(&mut self, coordinates: Coordinates) {
        self.write_text(&coordinates.to_string());
    }

    fn write_sites(&mut self, sites: &[Site], routing: &Routing) {
        self.write_count(sites.len());
        for Site { target, coordinates, bias } in sites {
            self.write_target(*target, routing);
            self.write_coordinates(*coordinates);
            self.write(bias.to_be_bytes());
        }
    }

    fn write_latency(&mut self, latency: &Latency, routing: &Routing) {
        let Latency { targets, table, only, hysteresis } = latency;
        self.write([9, *hysteresis]);
        self.write([match only {
            None => 0,
            Some(LatencySource::Table) => 1,
            Some(LatencySource::Distance) => 2,
            Some(LatencySource::Measured) => 3,
        }]);
        self.write_count(targets.len());
        for LatencyTarget { target, region, coordinates, is_in_china } in targets {
            self.write_target(*target, routing);
            self.write_text(region);
            self.write([u8::from(*is_in_china), u8::from(coordinates.is_some())]);
            coordinates.iter().for_each(|coordinates| self.write_coordinates(*coordinates));
        }
        let table = table.and_then(|id| routing.tables.get(usize::from(id.0)));
        self.write([u8::from(table.is_some())]);
        table.iter().for_each(|table| self.write_table(table));
    }

    /// The contents: what the file is called means nothing.
    fn write_table(&mut self, table: &LatencyTable) {
        let LatencyTable { name: _, regions, rows } = table;
        self.write_count(regions.len());
        regions.iter().for_each(|region| self.write_text(region));
        self.write_count(rows.len());
        for row in rows {
            self.write_text(&row.network.to_string());
            self.write_count(row.latencies.len());
            for (region, microseconds) in &row.latencies {
                self.write(region.0.to_be_bytes());
                self.write_number(*microseconds);
            }
        }
    }

    fn write_residency(&mut self, residency: &Residency, routing: &Routing) {
        let Residency { name, clients, holds_unlocated, pools, fails_closed } = residency;
        self.write_text(name);
        self.write([u8::from(*holds_unlocated), u8::from(*fails_closed)]);
        self.write_count(clients.len());
        for place in clients {
            self.write_place(*place, routing);
        }
        self.write_unordered(pools.iter().copied().map(Target::Pool).collect(), routing);
    }
}
