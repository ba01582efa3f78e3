//! Puts the events of a story into words for people.

use std::net::IpAddr;

use super::explain::{ExplainedPlace, ExplainedStep, PlaceSource};
use super::story::{Event, PlacedBy};
use crate::geo::Location;
use crate::health::{Status, View};
use crate::policy::{AllDown, Endpoint, MinUp, Place, PolicyId, Rule, Step, Target, places_of};
use crate::snapshot::{Snapshot, ZoneRouting};
use crate::wire::Name;
use crate::zone::ZoneId;

/// Knows the names behind the numbers of a story.
pub(super) struct Teller<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) view: &'a View,
}

impl<'a> Teller<'a> {
    fn routing(&self, zone: ZoneId) -> Option<&'a ZoneRouting> {
        self.snapshot.routing(zone)
    }

    /// The name of a pool or policy.
    pub(super) fn target_name(&self, zone: ZoneId, target: Target) -> String {
        self.routing(zone).map_or("?", |routing| routing.named.target_name(target)).to_owned()
    }

    fn location(&self, address: IpAddr) -> Location {
        let database = &self.snapshot.database;
        database.location(database.locate(address).location)
    }

    /// Where the client is, if the event is about that.
    pub(super) fn place(&self, event: &Event) -> Option<ExplainedPlace> {
        let Event::Placed { by, address, .. } = event else {
            return None;
        };
        let country = self.location(*address).country;
        Some(ExplainedPlace {
            source: match by {
                PlacedBy::Subnet => PlaceSource::ClientSubnet,
                PlacedBy::Resolver => PlaceSource::Resolver,
                PlacedBy::ResolverInstead => PlaceSource::ResolverInstead,
            },
            address: *address,
            network: self.snapshot.database.locate(*address).network.to_string(),
            country: country.map(|country| country.as_str().to_owned()),
            continent: country.and_then(|country| country.continent()).map(|c| c.code().to_owned()),
            database: self.snapshot.database.kind().to_owned(),
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
            Event::Placed { by, address, scope } => line(self.tell_place(*by, *address, *scope)),
            Event::Step { zone, address, depth, step } => {
                self.tell_step(*zone, *address, *depth, *step)
            }
            Event::Selected(None) => line(
                "no place of the policy holds the client, and there is no default: no data".into(),
            ),
            Event::Selected(Some(_)) => Vec::new(),
            Event::Follow(name) => line(format!("a CNAME leads to {}", show_name(name))),
        }
    }

    fn tell_place(&self, by: PlacedBy, address: IpAddr, scope: u8) -> String {
        let database = &self.snapshot.database;
        let whose = match by {
            PlacedBy::Subnet => "client subnet",
            PlacedBy::Resolver => "no client subnet; resolver",
            PlacedBy::ResolverInstead => "client subnet without a known location; resolver",
        };
        let place = self.location(address).country.map_or_else(
            || "has no known location".to_owned(),
            |country| {
                let continent =
                    country.continent().map_or("no continent", |continent| continent.name());
                format!("is in {} ({}), {continent}", country.as_str(), country.name())
            },
        );
        let network = database.locate(address).network;
        let database = database.kind();
        format!(
            "{whose} {address} {place} (network {network} of {database}); this policy: one class for /{scope}"
        )
    }

    fn tell_step(
        &self,
        zone: ZoneId,
        address: IpAddr,
        depth: usize,
        step: Step,
    ) -> Vec<ExplainedStep> {
        let depth = depth.saturating_add(1);
        let mut lines = vec![ExplainedStep { depth, text: self.tell_head(zone, step) }];
        if let (Step::Enter(policy), Some(routing)) = (step, self.routing(zone)) {
            let places = self.tell_places(routing, policy, address);
            lines.extend(
                places
                    .into_iter()
                    .map(|text| ExplainedStep { depth: depth.saturating_add(1), text }),
            );
        }
        lines
    }

    fn tell_head(&self, zone: ZoneId, step: Step) -> String {
        match step {
            Step::Enter(policy) => self.describe(zone, Target::Policy(policy)),
            Step::Draw { target, weight, total } => {
                format!("drew {}, weight {weight} of {total}", self.target_name(zone, target))
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
            Step::AllDown => {
                "nothing is up: the policy is followed as if everything were".to_owned()
            }
        }
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

    /// What a geolocation policy lists for the places that hold the client, the smallest first.
    fn tell_places(&self, routing: &ZoneRouting, policy: PolicyId, address: IpAddr) -> Vec<String> {
        let Some(Rule::Geolocation(places)) =
            routing.named.policy(policy).map(|policy| &policy.rule)
        else {
            return Vec::new();
        };
        let tell = |place: Place| {
            let listed = places.get(&place).map(|targets| {
                let names: Vec<&str> =
                    targets.iter().map(|&target| routing.named.target_name(target)).collect();
                names.join(", then ")
            });
            format!("{} → {}", show_place(place), listed.as_deref().unwrap_or("not listed"))
        };
        places_of(&self.location(address)).map(tell).collect()
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
        let state = |health: Option<_>| match health.map(|target| self.view.status(target)) {
            None => "not checked",
            Some(Status::Unknown) => "not known yet, counts as up",
            Some(Status::Up) => "up",
            Some(Status::Down) => "down",
        };
        let each = named
            .iter()
            .zip(bound)
            .map(|(named, bound)| format!("{} {}", named.label, state(bound.health)));
        each.collect::<Vec<_>>().join("; ")
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
            Some(Rule::Geolocation(_)) => "geolocation",
            Some(Rule::RoundRobin(_)) => "round-robin",
            Some(Rule::Multivalue(_)) => "multivalue",
            None => "?",
        };
        format!("policy {name} ({kind})")
    }
}

fn show_place(place: Place) -> String {
    match place {
        Place::Country(country) => format!("country {} ({})", country.as_str(), country.name()),
        Place::Continent(continent) => {
            format!("continent {} ({})", continent.code(), continent.name())
        }
        Place::Default => "default".to_owned(),
    }
}

fn show_name(wire: &[u8]) -> String {
    Name::from_wire(wire).map_or_else(|_| "?".into(), |(name, _)| name.to_string())
}
