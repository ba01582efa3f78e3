//! The rules of policies with their targets looked up.

use std::collections::{BTreeMap, HashMap};

use super::{Connected, dangling};
use crate::config::diagnostic::Findings;
use crate::config::graph;
use crate::config::multivalue::Values;
use crate::config::place;
use crate::config::policy::{
    IpChoice, PlaceTargets, Policy as TypedPolicy, Reference, Rule as TypedRule, WeightedChoice,
};
use crate::config::serial::hash_text;
use crate::limits::POLICY_TARGETS;
use crate::policy::{NetworkLocation, Place, PoolId, Rule, Target, Weighted};

impl<'d> Connected<'d> {
    /// What a policy chooses by. One that could not be read chooses nothing.
    pub(super) fn compile_rule(
        &mut self,
        policy: &TypedPolicy<'_>,
        findings: &mut Findings<'_>,
    ) -> Rule {
        let rule = match &policy.rule {
            Some(TypedRule::Weighted(choice)) => {
                Rule::Weighted(self.compile_weighted(choice, findings))
            }
            Some(TypedRule::Failover(targets)) => {
                Rule::Failover(self.targets_of(targets, findings))
            }
            Some(TypedRule::Geolocation { places, default, widening }) => Rule::Geolocation {
                places: self.compile_places(places, default, findings),
                widening: *widening,
            },
            Some(TypedRule::RoundRobin(targets)) => {
                Rule::RoundRobin(self.targets_of(targets, findings))
            }
            Some(TypedRule::Multivalue(targets)) => {
                Rule::Multivalue(self.values_of(policy, targets, findings))
            }
            Some(TypedRule::Ip(choice)) => self.compile_ip(choice, findings),
            Some(TypedRule::Geoproximity(choice)) => self.compile_geoproximity(choice, findings),
            Some(TypedRule::Latency(choice)) => {
                Rule::Latency(self.compile_latency(policy, choice, findings))
            }
            None => Rule::Failover(Vec::new()),
        };
        let named = policy.rule.as_ref().map_or(0, |rule| rule.references().len());
        let most = match &rule {
            Rule::Geolocation { .. } | Rule::Ip { .. } => graph::longest_chain(&rule),
            _ => named,
        };
        limit_targets(policy, most, findings);
        rule
    }

    fn compile_weighted(
        &mut self,
        choice: &WeightedChoice<'_>,
        findings: &mut Findings<'_>,
    ) -> Weighted {
        let targets = choice.targets.iter();
        let targets =
            targets.filter_map(|(weight, to)| Some((*weight, self.target(to, findings)?)));
        Weighted {
            targets: targets.collect(),
            sticky: choice.sticky.map(hash_text),
            ramp: choice.ramp.as_ref().map(|ramp| ramp.value),
        }
    }

    fn compile_places(
        &mut self,
        places: &[PlaceTargets<'_>],
        default: &[Reference<'_>],
        findings: &mut Findings<'_>,
    ) -> BTreeMap<Place, Vec<Target>> {
        let resolved =
            place::resolve(places.iter().map(|place| &place.place), &self.groups, findings);
        let mut compiled = BTreeMap::new();
        for (place, typed) in resolved.into_iter().zip(places) {
            let targets = self.targets_of(&typed.targets, findings);
            compiled.extend(place.map(|place| (place, targets)));
        }
        if !default.is_empty() {
            compiled.insert(Place::Default, self.targets_of(default, findings));
        }
        compiled
    }

    fn compile_ip(&mut self, choice: &IpChoice<'_>, findings: &mut Findings<'_>) -> Rule {
        let collections: HashMap<&'d str, _> = self
            .document
            .collections
            .iter()
            .map(|collection| (collection.name.value, collection))
            .collect();
        let found = choice.collection.as_ref().and_then(|reference| {
            let found = collections.get(reference.value).copied();
            if found.is_none() {
                let known = self.document.collections.iter().map(|known| known.name.value);
                dangling("collection", reference, known, findings);
            }
            found
        });
        let mut locations = Vec::new();
        for (name, targets) in &choice.locations {
            let targets = self.targets_of(targets, findings);
            let Some(collection) = found else { continue };
            let Some(location) = collection.location(name.value) else {
                let known = collection.locations.iter().map(|known| known.name.value);
                let what = format!("location of the collection `{}` called", collection.name.value);
                dangling(&what, name, known, findings);
                continue;
            };
            let mut networks = location.networks.clone();
            networks.sort_unstable();
            locations.push(NetworkLocation {
                name: name.value.into(),
                networks: networks.into(),
                targets,
            });
        }
        self.used_collections.extend(found.map(|collection| collection.name.value));
        Rule::Ip { locations, default: self.targets_of(&choice.default, findings) }
    }

    pub(super) fn targets_of(
        &mut self,
        references: &[Reference<'_>],
        findings: &mut Findings<'_>,
    ) -> Vec<Target> {
        references.iter().filter_map(|reference| self.target(reference, findings)).collect()
    }

    /// The pools of a multivalue policy, which make one sound set.
    fn values_of(
        &mut self,
        policy: &TypedPolicy<'_>,
        references: &[Reference<'_>],
        findings: &mut Findings<'_>,
    ) -> Vec<PoolId> {
        let mut values = Values::new(&policy.name);
        for reference in references {
            if let Some(target) = self.target(reference, findings) {
                values.add(reference, target, &self.routing, findings);
            }
        }
        values.finish(findings)
    }

    pub(super) fn target(
        &mut self,
        reference: &Reference<'_>,
        findings: &mut Findings<'_>,
    ) -> Option<Target> {
        if let Some((target, _)) = self.targets.get(reference.value) {
            self.used.insert(*target);
            return Some(*target);
        }
        dangling("pool or policy", reference, self.names.iter().copied(), findings);
        None
    }
}

fn limit_targets(policy: &TypedPolicy<'_>, count: usize, findings: &mut Findings<'_>) {
    if count > POLICY_TARGETS {
        let name = policy.name.value;
        let message = format!(
            "the policy `{name}` gives one client {count} targets, {POLICY_TARGETS} is the most"
        );
        let span = policy.name.span.clone();
        findings.error(span, message).help("put some of them into a policy of their own");
    }
}
