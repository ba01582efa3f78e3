//! Connects checks, pools and policies: names become indices, and what dangles is reported.
//!
//! Pools and policies share one name space, because a policy may choose either. What only the whole graph can show
//! (loops, depth, cost) is in [`super::graph`].

use std::collections::{BTreeMap, HashMap, HashSet};

use super::CompiledCheck;
use super::diagnostic::{Findings, Span};
use super::document::Document;
use super::graph;
use super::multivalue::Values;
use super::names::{RouteKind, TypedRoute};
use super::policy::{self as typed, PlaceTargets, Reference};
use super::pool;
use super::reader::Spanned;
use super::value::{closest, list};
use crate::limits::POLICY_TARGETS;
use crate::policy::{
    AllDown, CheckId, Place, Policy, PolicyId, Pool, PoolId, Routing, Rule, Target,
};

/// The connected pools and policies of a zone, and which of them anything refers to.
pub(super) struct Connected<'d> {
    pub(super) routing: Routing,
    pub(super) checks: Vec<CompiledCheck>,
    targets: HashMap<&'d str, (Target, Span)>,
    /// The names of all targets in the order of the file.
    names: Vec<&'d str>,
    used: HashSet<Target>,
    used_checks: HashSet<CheckId>,
}

/// Looks every reference up. The result is sound only if there are no errors in the findings.
pub(super) fn connect<'d>(
    document: &'d Document<'_>,
    findings: &mut Findings<'_>,
) -> Connected<'d> {
    let targets = number_targets(document, findings);
    let used_checks = connect_checks(document, findings);
    let mut connected = Connected {
        routing: Routing::default(),
        checks: document.checks.iter().filter_map(|check| check.compiled.clone()).collect(),
        targets,
        names: target_names(document).map(|name| name.value).collect(),
        used: HashSet::new(),
        used_checks: used_checks.values().copied().collect(),
    };
    let pools = document.pools.iter().map(|pool| compile_pool(pool, &used_checks));
    connected.routing.pools = pools.collect();
    for policy in &document.policies {
        let policy = connected.compile_policy(policy, findings);
        connected.routing.policies.push(policy);
    }
    graph::check(&document.policies, &connected.routing, findings);
    connected
}

/// The names of pools and policies.
fn target_names<'d, 't>(document: &'d Document<'t>) -> impl Iterator<Item = &'d Spanned<&'t str>> {
    let pools = document.pools.iter().map(|pool| &pool.name);
    pools.chain(document.policies.iter().map(|policy| &policy.name))
}

/// Gives every pool and policy its number; two of one name are an error.
fn number_targets<'d>(
    document: &'d Document<'_>,
    findings: &mut Findings<'_>,
) -> HashMap<&'d str, (Target, Span)> {
    let pools = (0..=u16::MAX).map(|id| Target::Pool(PoolId(id))).take(document.pools.len());
    let policies = (0..=u16::MAX).map(|id| Target::Policy(PolicyId(id)));
    let mut targets: HashMap<&str, (Target, Span)> = HashMap::new();
    for (target, name) in pools.chain(policies).zip(target_names(document)) {
        if let Some((_, first)) = targets.get(name.value) {
            let first = first.clone();
            let message = format!("`{}` is both a pool and a policy", name.value);
            findings
                .error(name.span.clone(), message)
                .related(first, "the pool")
                .help("targets are found by name alone: rename one of them");
            continue;
        }
        targets.insert(name.value, (target, name.span.clone()));
    }
    targets
}

/// The checks that pools use, by name.
fn connect_checks<'d>(
    document: &'d Document<'_>,
    findings: &mut Findings<'_>,
) -> HashMap<&'d str, CheckId> {
    let known: HashMap<&str, CheckId> = document
        .checks
        .iter()
        .map(|check| check.name.value)
        .zip((0..=u16::MAX).map(CheckId))
        .collect();
    let mut used = HashMap::new();
    for reference in document.pools.iter().filter_map(|pool| pool.check.as_ref()) {
        match known.get(reference.value) {
            Some(id) => {
                used.insert(reference.value, *id);
            }
            None => {
                let names = document.checks.iter().map(|check| check.name.value);
                dangling("check", reference, names, findings);
            }
        }
    }
    used
}

fn warn_unused(what: &str, name: &Spanned<&str>, findings: &mut Findings<'_>) {
    let message = format!("the {what} `{}` is not used", name.value);
    findings.warning(name.span.clone(), message);
}

/// Reports a reference to what there is not.
pub(super) fn dangling<'a>(
    what: &str,
    reference: &Reference<'_>,
    known: impl Iterator<Item = &'a str> + Clone,
    findings: &mut Findings<'_>,
) {
    let name = reference.value;
    let is_full = findings.is_full();
    let error = findings.error(reference.span.clone(), format!("there is no {what} `{name}`"));
    if is_full {
        return;
    }
    if let Some(guess) = closest(name, known.clone()) {
        error.label(format!("did you mean `{guess}`?"));
    }
    if known.clone().next().is_none() {
        error.help(format!("this file defines no {what} at all"));
    } else {
        error.help(format!("defined here: {}", list(known)));
    }
}

fn compile_pool(pool: &pool::Pool<'_>, checks: &HashMap<&str, CheckId>) -> Pool {
    Pool {
        name: pool.name.value.into(),
        endpoints: pool.endpoints.clone(),
        check: pool.check.as_ref().and_then(|check| checks.get(check.value).copied()),
        min_up: pool.min_up,
    }
}

impl Connected<'_> {
    fn compile_policy(
        &mut self,
        policy: &typed::Policy<'_>,
        findings: &mut Findings<'_>,
    ) -> Policy {
        let rule = match &policy.rule {
            Some(typed::Rule::Weighted(targets)) => {
                self.limit_targets(policy, targets.len(), findings);
                let targets = targets
                    .iter()
                    .filter_map(|(weight, target)| Some((*weight, self.target(target, findings)?)));
                Rule::Weighted(targets.collect())
            }
            Some(typed::Rule::Failover(targets)) => {
                self.limit_targets(policy, targets.len(), findings);
                Rule::Failover(self.targets_of(targets, findings))
            }
            Some(typed::Rule::Geolocation(places)) => {
                let rule = self.compile_places(places, findings);
                self.limit_targets(policy, graph::longest_chain(&rule), findings);
                Rule::Geolocation(rule)
            }
            Some(typed::Rule::RoundRobin(targets)) => {
                self.limit_targets(policy, targets.len(), findings);
                Rule::RoundRobin(self.targets_of(targets, findings))
            }
            Some(typed::Rule::Multivalue(targets)) => {
                self.limit_targets(policy, targets.len(), findings);
                Rule::Multivalue(self.values_of(policy, targets, findings))
            }
            None => Rule::Failover(Vec::new()),
        };
        let all_down = match &policy.all_down {
            typed::AllDown::IgnoreHealth => AllDown::IgnoreHealth,
            typed::AllDown::NoData => AllDown::NoData,
            typed::AllDown::ServFail => AllDown::ServFail,
            typed::AllDown::Pool(pool) => self.last_resort(pool, findings),
        };
        let evaluate_health = policy.evaluate_health;
        Policy { name: policy.name.value.into(), rule, evaluate_health, all_down }
    }

    /// The pool that a policy comes to with everything down.
    fn last_resort(&mut self, pool: &Reference<'_>, findings: &mut Findings<'_>) -> AllDown {
        match self.targets.get(pool.value) {
            Some((target @ Target::Pool(id), _)) => {
                self.used.insert(*target);
                return AllDown::Pool(*id);
            }
            Some(_) => {
                let message = format!("`{}` is a policy, and `all_down` takes a pool", pool.value);
                findings
                    .error(pool.span.clone(), message)
                    .help("to try more targets before the last one, put a failover policy above");
            }
            None => {
                let pools = self.routing.pools.iter().map(|pool| &*pool.name);
                let words = typed::ALL_DOWN_WORDS.iter().copied().chain(pools);
                dangling("pool", pool, words, findings);
            }
        }
        AllDown::IgnoreHealth
    }

    fn compile_places(
        &mut self,
        places: &[PlaceTargets<'_>],
        findings: &mut Findings<'_>,
    ) -> BTreeMap<Place, Vec<Target>> {
        let places = places.iter();
        places.map(|place| (place.place, self.targets_of(&place.targets, findings))).collect()
    }

    fn targets_of(
        &mut self,
        references: &[Reference<'_>],
        findings: &mut Findings<'_>,
    ) -> Vec<Target> {
        references.iter().filter_map(|reference| self.target(reference, findings)).collect()
    }

    /// The pools of a multivalue policy, which make one sound set.
    fn values_of(
        &mut self,
        policy: &typed::Policy<'_>,
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

    fn limit_targets(&self, policy: &typed::Policy<'_>, count: usize, findings: &mut Findings<'_>) {
        if count > POLICY_TARGETS {
            let name = policy.name.value;
            let message = format!(
                "the policy `{name}` gives one client {count} targets, {POLICY_TARGETS} is the most"
            );
            let span = policy.name.span.clone();
            findings.error(span, message).help("put some of them into a policy of their own");
        }
    }

    fn target(&mut self, reference: &Reference<'_>, findings: &mut Findings<'_>) -> Option<Target> {
        if let Some((target, _)) = self.targets.get(reference.value) {
            self.used.insert(*target);
            return Some(*target);
        }
        dangling("pool or policy", reference, self.names.iter().copied(), findings);
        None
    }

    /// The target of a name's route, which must be of the kind that the key says.
    pub(super) fn route(
        &mut self,
        route: &TypedRoute<'_>,
        findings: &mut Findings<'_>,
    ) -> Option<Target> {
        let reference = &route.target;
        let found = self.targets.get(reference.value).map(|(target, _)| *target);
        let (target, kind, meant) = match (route.kind, found) {
            (RouteKind::Pool, Some(target @ Target::Policy(_))) => (target, "policy", "pool"),
            (RouteKind::Policy, Some(target @ Target::Pool(_))) => (target, "pool", "policy"),
            (_, Some(target)) => {
                self.used.insert(target);
                return Some(target);
            }
            (kind, None) => {
                self.dangling_route(kind, reference, findings);
                return None;
            }
        };
        self.used.insert(target);
        let message = format!("`{}` is a {kind}, not a {meant}", reference.value);
        let help = format!("write {kind} = \"{}\"", reference.value);
        findings.error(reference.span.clone(), message).help(help);
        None
    }

    fn dangling_route(
        &self,
        kind: RouteKind,
        reference: &Reference<'_>,
        findings: &mut Findings<'_>,
    ) {
        let routing = &self.routing;
        match kind {
            RouteKind::Policy => {
                let names = routing.policies.iter().map(|policy| &*policy.name);
                dangling("policy", reference, names, findings);
            }
            RouteKind::Pool => {
                let names = routing.pools.iter().map(|pool| &*pool.name);
                dangling("pool", reference, names, findings);
            }
        }
    }

    /// Warns of everything that nothing leads to. To be called when all routes are known and sound.
    pub(super) fn warn_unused(&self, document: &Document<'_>, findings: &mut Findings<'_>) {
        for (id, check) in (0..=u16::MAX).map(CheckId).zip(&document.checks) {
            if !self.used_checks.contains(&id) {
                warn_unused("check", &check.name, findings);
            }
        }
        for name in target_names(document) {
            let Some((target, _)) = self.targets.get(name.value) else {
                continue;
            };
            if !self.used.contains(target) {
                let what = if matches!(target, Target::Pool(_)) { "pool" } else { "policy" };
                warn_unused(what, name, findings);
            }
        }
    }
}
