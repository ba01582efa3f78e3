//! Puts the events of a story into words for people.

use std::net::IpAddr;

use super::explain::{ExplainedPlace, ExplainedStep, PlaceSource};
use super::story::{Event, PlacedBy};
use crate::geo::{Located, Location, LocationSource};
use crate::health::{DRAWS, Horizon, Status, Switch, View};
use crate::policy::{
    AllDown, BoundEndpoint, Endpoint, Health, Latency, LatencySource, MinUp, Place, PolicyId,
    PoolId, Routing, Rule, Site, Spot, Step, Target, Weight, biased_distance, holds, latencies,
    latency_source, location_of, places_of,
};
use crate::snapshot::{Snapshot, ZoneRouting};
use crate::wire::Name;
use crate::zone::ZoneId;

/// Knows the names behind the numbers of a story.
pub(super) struct Teller<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) view: &'a View,
    /// The moment of the answer, by which drains are told.
    pub(super) now_ms: u64,
}

impl<'a> Teller<'a> {
    fn routing(&self, zone: ZoneId) -> Option<&'a ZoneRouting> {
        self.snapshot.routing(zone)
    }

    /// The name of a pool or policy.
    pub(super) fn target_name(&self, zone: ZoneId, target: Target) -> String {
        self.routing(zone).map_or("?", |routing| routing.named.target_name(target)).to_owned()
    }

    /// What is known of a client.
    fn spot(&self, (address, source): (IpAddr, u8)) -> Spot {
        let atlas = &self.snapshot.atlas;
        let position = atlas.position_of(address, source);
        Spot::of(atlas, atlas.position(position))
    }

    /// Where the client is, if the event is about that.
    pub(super) fn place(&self, event: &Event) -> Option<ExplainedPlace> {
        let Event::Placed { by, address, .. } = event else {
            return None;
        };
        let atlas = &self.snapshot.atlas;
        let Located { position, network, source } = atlas.locate(*address);
        let location = atlas.location(atlas.position(position).location);
        let asn = atlas.asn_of(*address);
        Some(ExplainedPlace {
            source: match by {
                PlacedBy::Subnet => PlaceSource::ClientSubnet,
                PlacedBy::Resolver => PlaceSource::Resolver,
                PlacedBy::ResolverInstead => PlaceSource::ResolverInstead,
            },
            address: *address,
            network: network.to_string(),
            country: location.country.map(|country| country.as_str().to_owned()),
            continent: location
                .country
                .and_then(|country| country.continent())
                .map(|continent| continent.code().to_owned()),
            subdivision: location.subdivision.map(|subdivision| subdivision.to_string()),
            coordinates: location.coordinates.map(|at| [at.latitude(), at.longitude()]),
            asn: asn.map(|asn| asn.0),
            database: match source {
                LocationSource::Database => atlas.database().kind().to_owned(),
                LocationSource::Override => "an override".to_owned(),
            },
            database_built: show_date(atlas.database().build_epoch()),
        })
    }

    /// The lines of one event.
    pub(super) fn tell(&self, event: &Event) -> Vec<ExplainedStep> {
        let line = |text: String| vec![ExplainedStep { depth: 0, text }];
        match event {
            Event::Found { node, is_wildcard: false } => line(format!("name {}", show_name(node))),
            Event::Found { node, .. } => {
                line(format!("no such name; the wildcard {} stands for it", show_name(node)))
            }
            Event::Delegation { cut } => {
                line(format!("{} is delegated away: a referral", show_name(cut)))
            }
            Event::Redirect { node } => line(format!(
                "the name is below the DNAME at {}, which makes it another name",
                show_name(node)
            )),
            Event::NoSuchName => {
                line("the zone has no such name, and no wildcard stands for it".into())
            }
            Event::Route { zone, target, depends_on_place } => {
                let place =
                    if *depends_on_place { "" } else { ", alike for clients of every place" };
                line(format!("chosen by {}{place}", self.describe(*zone, *target)))
            }
            Event::Placed { by, address, scope } => {
                line(self.tell_place(*by, *address, *scope))
            }
            Event::Step { zone, client, depth, step } => {
                self.tell_step(*zone, *client, *depth, *step)
            }
            Event::Selected { chosen: None, .. } => line(
                "no place of the policy holds the client and there is no default, or its residency bars every pool: no data".into(),
            ),
            Event::Selected { .. } => Vec::new(),
            Event::Follow(name) => line(format!("a CNAME leads to {}", show_name(name))),
        }
    }

    fn tell_place(&self, by: PlacedBy, address: IpAddr, scope: u8) -> String {
        let whose = match by {
            PlacedBy::Subnet => "client subnet",
            PlacedBy::Resolver => "no client subnet; resolver",
            PlacedBy::ResolverInstead => "client subnet without a known location; resolver",
        };
        let atlas = &self.snapshot.atlas;
        let Located { position, network, source } = atlas.locate(address);
        let place = show_location(atlas.location(atlas.position(position).location));
        let asn = atlas.asn_of(address);
        let asn = asn.map_or_else(String::new, |asn| format!(", {asn}"));
        let said_by = match source {
            LocationSource::Override => "an override".to_owned(),
            LocationSource::Database => {
                let database = atlas.database();
                format!("{} of {}", database.kind(), show_date(database.build_epoch()))
            }
        };
        format!(
            "{whose} {address} {place}{asn} (network {network}, by {said_by}); this policy: one class for /{scope}"
        )
    }

    fn tell_step(
        &self,
        zone: ZoneId,
        client: (IpAddr, u8),
        depth: usize,
        step: Step,
    ) -> Vec<ExplainedStep> {
        // What a policy draws or ranks stands below the policy, like what it leads to.
        let is_inner = matches!(step, Step::Draw { .. } | Step::Stick(_) | Step::Nearest { .. });
        let depth = depth.saturating_add(1).saturating_add(usize::from(is_inner));
        let text = match step {
            Step::Bar(target) => self.tell_bar(zone, client, target),
            _ => self.tell_head(zone, step),
        };
        let mut lines = vec![ExplainedStep { depth, text }];
        if let (Step::Enter(policy), Some(routing)) = (step, self.routing(zone)) {
            let rule = routing.named.policy(policy).map(|policy| &policy.rule);
            let details = rule.map(|rule| self.tell_rule(&routing.named, rule, client));
            lines.extend(
                details
                    .into_iter()
                    .flatten()
                    .map(|text| ExplainedStep { depth: depth.saturating_add(1), text }),
            );
        }
        lines
    }

    fn tell_head(&self, zone: ZoneId, step: Step) -> String {
        match step {
            Step::Enter(policy) => self.describe(zone, Target::Policy(policy)),
            Step::Draw { target, weight, total, is_ramped: false } => {
                format!("drew {}, weight {weight} of {total}", self.target_name(zone, target))
            }
            Step::Draw { target, weight, total, is_ramped: true } => format!(
                "drew {}, weight {:.1} of {:.1} with what recovers counted in part",
                self.target_name(zone, target),
                f64::from(weight) / 256.0,
                f64::from(total) / 256.0
            ),
            Step::Stick(target) => {
                format!("the client's own draw is {}", self.target_name(zone, target))
            }
            Step::Nearest { target, microseconds } => {
                let measured = microseconds.map_or_else(
                    || "nothing measured".to_owned(),
                    |latency| format!("measured {:.1} ms", f64::from(latency) / 1000.0),
                );
                format!("next by latency is {}: {measured}", self.target_name(zone, target))
            }
            Step::Bar(target) => format!("{} barred by residency", self.handout(zone, target)),
            Step::FailClosed => {
                "nothing that the client's residency allows is up, and it fails closed: no data"
                    .to_owned()
            }
            Step::PassOver(target) => {
                format!("{} passed over: {}", self.handout(zone, target), self.states(zone, target))
            }
            Step::Exhausted(policy) => {
                format!(
                    "policy {} has nothing up for this client",
                    self.target_name(zone, Target::Policy(policy))
                )
            }
            Step::Take(target) => {
                format!("{} taken: {}", self.handout(zone, target), self.states(zone, target))
            }
            Step::LastResort(policy) => self.tell_last_resort(zone, policy),
            Step::Force { from, target, is_up } => format!(
                "{} counts as {} for the policy {} by override",
                self.target_name(zone, target),
                if is_up { "up" } else { "down" },
                self.target_name(zone, Target::Policy(from))
            ),
            Step::AllTaken => {
                "overrides took all away that this client may get: they are passed over".to_owned()
            }
            Step::AllDown => {
                "nothing that this client may get is up: the policy is followed as if everything were".to_owned()
            }
        }
    }

    /// Which residencies keep a client from a pool.
    fn tell_bar(&self, zone: ZoneId, client: (IpAddr, u8), target: Target) -> String {
        let spot = self.spot(client);
        let named = self.routing(zone).map(|routing| &routing.named);
        let residencies = named.map(|named| {
            let holding = named.residencies.iter().filter(|residency| {
                let allows = |pool: &PoolId| residency.pools.contains(pool);
                holds(residency, named, &self.snapshot.atlas, &spot)
                    && !named.pools_below(target).iter().all(allows)
            });
            let names: Vec<&str> = holding.map(|residency| &*residency.name).collect();
            names.join(" and ")
        });
        let residencies = residencies.unwrap_or_default();
        let handout = self.handout(zone, target);
        format!("{handout} barred: the client's residency {residencies} does not allow it")
    }

    /// What a policy says that shall be done with everything down.
    fn tell_last_resort(&self, zone: ZoneId, policy: PolicyId) -> String {
        let named = self.routing(zone).and_then(|routing| routing.named.policy(policy));
        let answer = match named.map(|policy| policy.all_down) {
            Some(AllDown::NoData) => "no data".to_owned(),
            Some(AllDown::ServFail) => "SERVFAIL".to_owned(),
            Some(AllDown::Pool(pool)) => {
                format!("the pool {}", self.target_name(zone, Target::Pool(pool)))
            }
            Some(AllDown::IgnoreHealth) | None => "as if everything were up".to_owned(),
        };
        let name = self.target_name(zone, Target::Policy(policy));
        format!("nothing is up: `all_down` of the policy {name} says {answer}")
    }

    /// What a rule makes of the client: the places that hold it, the smallest first, or how far each target is.
    fn tell_rule(&self, named: &Routing, rule: &Rule, client: (IpAddr, u8)) -> Vec<String> {
        let spot = self.spot(client);
        let atlas = &self.snapshot.atlas;
        let names = |targets: &[Target]| -> String {
            let names: Vec<&str> = targets.iter().map(|&to| named.target_name(to)).collect();
            names.join(", then ")
        };
        match rule {
            Rule::Geolocation { places, .. } => {
                let tell = |place: Place| {
                    let listed = places.get(&place).map(|targets| names(targets));
                    let listed = listed.as_deref().unwrap_or("not listed");
                    format!("{} → {listed}", show_place(named, place))
                };
                let held = places_of(named, atlas, &spot).into_iter();
                let is_told = |place: &Place| match place {
                    Place::Country(_) | Place::Continent(_) | Place::Default => true,
                    place => places.contains_key(place),
                };
                held.filter(is_told).map(tell).collect()
            }
            Rule::Ip { locations, default } => {
                let held = places_of(named, atlas, &spot);
                let matched =
                    held.iter().find_map(|place| Some((place, location_of(locations, place)?)));
                let matched = matched.map(|(place, location)| {
                    format!(
                        "{} is in location {} → {}",
                        show_place(named, *place),
                        location.name,
                        names(&location.targets)
                    )
                });
                let default = if default.is_empty() { "not listed".into() } else { names(default) };
                let missed = || "no listed network holds the client's".to_owned();
                vec![matched.unwrap_or_else(missed), format!("default → {default}")]
            }
            Rule::Geoproximity { sites, .. } => self.tell_distances(named, sites, &spot),
            Rule::Latency(latency) => self.tell_latency(named, latency, &spot),
            Rule::Weighted(weighted)
                if weighted.targets.iter().all(|(weight, _)| *weight == Weight(0)) =>
            {
                vec!["all weights are 0: equal shares".to_owned()]
            }
            _ => Vec::new(),
        }
    }

    fn tell_distances(&self, named: &Routing, sites: &[Site], spot: &Spot) -> Vec<String> {
        let Some(client) = spot.point() else {
            return vec!["nobody can place the client: default".to_owned()];
        };
        let middle = if spot.coordinates.is_none() { ", the middle of its country" } else { "" };
        let tell = |site: &Site| {
            let name = named.target_name(site.target);
            let distance = site.coordinates.distance_km(client);
            if site.bias == 0 {
                return format!("{name} is {distance:.0} km away");
            }
            let biased = biased_distance(site, client);
            format!("{name} is {distance:.0} km away, with bias {} as if {biased:.0} km", site.bias)
        };
        std::iter::once(format!("the client is at {client}{middle}"))
            .chain(sites.iter().map(tell))
            .collect()
    }

    fn tell_latency(&self, named: &Routing, latency: &Latency, spot: &Spot) -> Vec<String> {
        let atlas = &self.snapshot.atlas;
        match latency_source(latency, named, atlas, spot) {
            Some(LatencySource::Table) => {
                let table = latency.table.and_then(|id| named.tables.get(usize::from(id.0)));
                let name = table.map_or("?", |table| &table.name);
                let rows =
                    latencies(latency, named, atlas, spot).into_iter().map(|(us, target)| {
                        format!(
                            "{} takes {:.1} ms",
                            named.target_name(target),
                            f64::from(us) / 1000.0
                        )
                    });
                std::iter::once(format!("by the table {name}")).chain(rows).collect()
            }
            Some(LatencySource::Distance) => {
                let sites = latency.targets.iter().filter_map(|to| {
                    Some(Site { target: to.target, coordinates: to.coordinates?, bias: 0 })
                });
                let sites: Vec<Site> = sites.collect();
                std::iter::once("by distance".to_owned())
                    .chain(self.tell_distances(named, &sites, spot))
                    .collect()
            }
            Some(LatencySource::Measured) => vec!["by what the prober measures".to_owned()],
            None => vec!["nothing tells the latency: in the order of the list".to_owned()],
        }
    }

    /// What is handed out: a pool, or the pools of a multivalue policy as one.
    fn handout(&self, zone: ZoneId, target: Target) -> String {
        let named = self.routing(zone).map(|routing| &routing.named);
        let name = self.target_name(zone, target);
        let (Some(named), Target::Policy(id)) = (named, target) else {
            return format!("pool {name}{}", self.minimum(zone, target));
        };
        let pools = named.policy(id).map(|policy| policy.rule.targets()).unwrap_or_default();
        let names: Vec<&str> = pools.iter().map(|pool| named.target_name(*pool)).collect();
        format!("all pools of {name} ({}) as one set", names.join(", "))
    }

    /// How many endpoints of a pool must be up, where it is more than one.
    fn minimum(&self, zone: ZoneId, target: Target) -> String {
        let bound = self.routing(zone).and_then(|routing| routing.bound.handout(target));
        match bound.map(|pool| pool.min_up) {
            Some(MinUp::Count(count)) if count > 1 => format!(" (min_up {count})"),
            Some(MinUp::Share(share)) => format!(" (min_up {share}%)"),
            _ => String::new(),
        }
    }

    /// The endpoints of a pool, or of all pools of a multivalue policy, as the zone file has them.
    fn endpoints(&self, zone: ZoneId, target: Target) -> Vec<&'a Endpoint> {
        let Some(routing) = self.routing(zone) else {
            return Vec::new();
        };
        let pools = match target {
            Target::Pool(_) => vec![target],
            Target::Policy(id) => {
                routing.named.policy(id).map(|policy| policy.rule.targets()).unwrap_or_default()
            }
        };
        let pools = pools.into_iter().filter_map(|target| match target {
            Target::Pool(id) => routing.named.pool(id),
            Target::Policy(_) => None,
        });
        pools.flat_map(|pool| &pool.endpoints).collect()
    }

    /// The state of each endpoint that a target hands out.
    fn states(&self, zone: ZoneId, target: Target) -> String {
        let named = self.endpoints(zone, target);
        let bound = self.routing(zone).and_then(|routing| routing.bound.handout(target));
        let bound = bound.map(|pool| pool.endpoints.as_slice()).unwrap_or_default();
        let state = |health: Health| match health {
            Health::Unchecked => "not checked",
            Health::Addresses => "as the pool's addresses",
            Health::Target(target) => match self.view.status(target) {
                Status::Unknown => "not known yet, counts as up",
                Status::Up => "up",
                Status::Down => "down",
            },
        };
        let each =
            named.iter().zip(bound).map(|(named, bound)| match self.tell_switch(zone, bound) {
                Some(set) => format!("{} {set}, {} by itself", named.label, state(bound.health)),
                None => format!("{} {}", named.label, state(bound.health)),
            });
        each.collect::<Vec<_>>().join("; ")
    }

    /// What operators have set for an endpoint: by itself, or with its pool.
    fn tell_switch(&self, zone: ZoneId, endpoint: &BoundEndpoint) -> Option<String> {
        let whole = self.routing(zone).and_then(|routing| routing.bound.pool(endpoint.pool));
        let switch = match self.view.switch(endpoint.switch) {
            Switch::Free => self.view.switch(whole?.switch),
            own => own,
        };
        match switch {
            Switch::Free => None,
            Switch::Up => Some("forced up by override".to_owned()),
            Switch::Down => Some("forced down by override".to_owned()),
            drain @ Switch::Drain { .. } => {
                let wins = drain.wins(self.now_ms).unwrap_or(0);
                Some(format!("draining by override, still in {wins} of {DRAWS} draws"))
            }
        }
    }

    /// Which endpoint of what a selection looked at could change as soon as that.
    pub(super) fn soonest(&self, events: &[Event], horizon: Horizon) -> Option<String> {
        events.iter().find_map(|event| {
            let Event::Step { zone, step: Step::Take(target) | Step::PassOver(target), .. } = event
            else {
                return None;
            };
            let bound = &self.routing(*zone)?.bound.handout(*target)?.endpoints;
            let named = self.endpoints(*zone, *target);
            let mut both = named.iter().zip(bound);
            let (named, bound) = both.find(|(_, bound)| {
                bound.health.target().is_some_and(|id| self.view.look(id).1 == horizon)
            })?;
            let pool = self.target_name(*zone, Target::Pool(bound.pool));
            Some(format!("{} of the pool {pool}", named.label))
        })
    }

    /// What capped the TTL of the last answer that was chosen, if anything did.
    pub(super) fn tell_cap(&self, events: &[Event]) -> Option<String> {
        let selected = events.iter().rev().find_map(|event| match event {
            Event::Selected { horizon, floor, ttl, .. } => Some((*horizon, *floor, *ttl)),
            _ => None,
        });
        let (horizon, floor, ttl) = selected?;
        let soonest = horizon.as_seconds()?;
        if soonest.max(floor.as_seconds()) >= ttl.as_seconds() {
            return None;
        }
        let what = self.soonest(events, horizon);
        let what = what.unwrap_or_else(|| "what was looked at".to_owned());
        let floor = floor.as_seconds();
        Some(format!("capped by the soonest change of {what}, in {soonest} s (floor {floor} s)"))
    }

    fn describe(&self, zone: ZoneId, target: Target) -> String {
        let name = self.target_name(zone, target);
        let Target::Policy(id) = target else {
            return format!("pool {name}");
        };
        let kind = match self
            .routing(zone)
            .and_then(|routing| routing.named.policy(id))
            .map(|policy| &policy.rule)
        {
            Some(Rule::Weighted(_)) => "weighted",
            Some(Rule::Failover(_)) => "failover",
            Some(Rule::Geolocation { .. }) => "geolocation",
            Some(Rule::Ip { .. }) => "ip",
            Some(Rule::Geoproximity { .. }) => "geoproximity",
            Some(Rule::Latency(_)) => "latency",
            Some(Rule::RoundRobin(_)) => "round-robin",
            Some(Rule::Multivalue(_)) => "multivalue",
            None => "?",
        };
        format!("policy {name} ({kind})")
    }
}

fn show_place(named: &Routing, place: Place) -> String {
    match place {
        Place::Network(network) => format!("network {network}"),
        Place::Asn(asn) => asn.to_string(),
        Place::Subdivision(subdivision) => format!("subdivision {subdivision}"),
        Place::Country(country) => format!("country {} ({})", country.as_str(), country.name()),
        Place::Group(group) => {
            let group = named.groups.get(usize::from(group.0));
            format!("group {}", group.map_or("?", |group| &group.name))
        }
        Place::Continent(continent) => {
            format!("continent {} ({})", continent.code(), continent.name())
        }
        Place::Default => "default".to_owned(),
    }
}

fn show_location(location: Location) -> String {
    let place = location.country.map_or_else(
        || "has no known location".to_owned(),
        |country| {
            let continent =
                country.continent().map_or("no continent", |continent| continent.name());
            let part = location.subdivision.map_or_else(String::new, |part| format!("{part}, "));
            format!("is in {part}{} ({}), {continent}", country.as_str(), country.name())
        },
    );
    let point = location.coordinates.map_or_else(String::new, |point| format!(", near {point}"));
    format!("{place}{point}")
}

/// The day of a moment of Unix time, as ISO 8601 has it (the proleptic Gregorian calendar, by eras of 400 years).
pub fn show_date(epoch: u64) -> String {
    let days = (epoch / 86_400).saturating_add(719_468);
    let (era, day) = (days / 146_097, days % 146_097);
    let year =
        day.saturating_sub(day / 1_460).saturating_add(day / 36_524).saturating_sub(day / 146_096)
            / 365;
    let before = year.saturating_mul(365).saturating_add(year / 4).saturating_sub(year / 100);
    let day = day.saturating_sub(before);
    // Months are counted from March, so that the day that comes and goes is the last.
    let month = day.saturating_mul(5).saturating_add(2) / 153;
    let begun = month.saturating_mul(153).saturating_add(2) / 5;
    let day = day.saturating_sub(begun).saturating_add(1);
    let is_early = month >= 10;
    let month = if is_early { month.saturating_sub(9) } else { month.saturating_add(3) };
    let year = era.saturating_mul(400).saturating_add(year).saturating_add(u64::from(is_early));
    format!("{year:04}-{month:02}-{day:02}")
}

fn show_name(wire: &[u8]) -> String {
    Name::from_wire(wire).map_or_else(|_| "?".into(), |(name, _)| name.to_string())
}
