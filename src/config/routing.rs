//! Connects checks, pools and policies: names become indices, and what dangles is reported.
//!
//! Pools and policies share one name space, because a policy may choose either. What only the whole graph can show
//! (loops, depth, cost) is in [`super::graph`].
//!
//! | file | looks up |
//! |---|---|
//! | `rules` | the targets of policies, places, collections |
//! | `near` | locations, regions, latency tables |
//! | `residency` | the pools of residencies |

mod near;
mod residency;
mod rules;

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::CompiledCheck;
use super::check::{Check, names_endpoint};
use super::diagnostic::{Findings, Span};
use super::document::Document;
use super::graph;
use super::group::Groups;
use super::names::{RouteKind, TypedRoute};
use super::policy::{self as typed, Reference};
use super::pool;
use super::reader::Spanned;
use super::routes::Leaf;
use super::tables::Tables;
use super::value::{closest, list};
use crate::policy::{AllDown, CheckId, Policy, PolicyId, Pool, PoolId, Routing, Target};

/// The connected pools and policies of a zone, and which of them anything refers to.
pub(super) struct Connected<'d> {
    pub(super) routing: Routing,
    pub(super) checks: Vec<CompiledCheck>,
    document: &'d Document<'d>,
    groups: Groups<'d>,
    tables: Tables,
    /// What can be handed out below the targets of routes.
    pub(super) leaves: HashMap<Target, Rc<[Leaf]>>,
    used_collections: HashSet<&'d str>,
    targets: HashMap<&'d str, (Target, Span)>,
    /// The names of all targets in the order of the file.
    names: Vec<&'d str>,
    used: HashSet<Target>,
    /// Those that names lead to at once.
    routed: HashSet<Target>,
    used_checks: HashSet<CheckId>,
}

/// Looks every reference up. The result is sound only if there are no errors in the findings.
pub(super) fn connect<'d>(
    document: &'d Document<'d>,
    findings: &mut Findings<'_>,
) -> Connected<'d> {
    let targets = number_targets(document, findings);
    let used_checks = connect_checks(document, findings);
    let mut connected = Connected {
        routing: Routing::default(),
        checks: document.checks.iter().filter_map(|check| check.compiled.clone()).collect(),
        document,
        groups: Groups::new(&document.groups, document.group_names()),
        tables: Tables::default(),
        leaves: HashMap::new(),
        used_collections: HashSet::new(),
        targets,
        names: target_names(document).map(|name| name.value).collect(),
        used: HashSet::new(),
        routed: HashSet::new(),
        used_checks: used_checks.values().copied().collect(),
    };
    let pools = document.pools.iter().map(|pool| compile_pool(pool, &used_checks));
    connected.routing.pools = pools.collect();
    for policy in &document.policies {
        let policy = connected.compile_policy(policy, findings);
        connected.routing.policies.push(policy);
    }
    for residency in &document.residencies {
        let residency = connected.compile_residency(residency, findings);
        connected.routing.residencies.push(residency);
    }
    connected.routing.groups = std::mem::take(&mut connected.groups).into_used();
    connected.routing.tables = std::mem::take(&mut connected.tables).into_shared();
    graph::check(&document.policies, &connected.routing, findings);
    connected.warn_ramps(findings);
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
    for pool in &document.pools {
        let Some(reference) = &pool.check else { continue };
        match known.get(reference.value) {
            Some(id) => {
                used.insert(reference.value, *id);
                let check = document.checks.get(usize::from(id.0));
                if let Some(check) = check.and_then(|check| check.compiled.as_ref()) {
                    expect_probed(pool, reference, check, findings);
                }
            }
            None => {
                let names = document.checks.iter().map(|check| check.name.value);
                dangling("check", reference, names, findings);
            }
        }
    }
    used
}

/// There is nothing at a TXT record that could be probed.
fn expect_probed(
    pool: &pool::Pool<'_>,
    reference: &Reference<'_>,
    check: &CompiledCheck,
    findings: &mut Findings<'_>,
) {
    let has_records = !pool.endpoints.is_empty() && pool.cname.is_none();
    if !has_records || pool.has_addresses() {
        return;
    }
    let (name, check_name) = (pool.name.value, reference.value);
    let message = format!("the check `{check_name}` has nothing to probe in the pool `{name}`");
    if check.address.is_none() {
        findings
            .error(reference.span.clone(), message)
            .label("the pool has no addresses")
            .help(format!("say what decides its health: address = \"…\" in [check.{check_name}]"));
    } else if names_endpoint(&check.spec) {
        findings
            .error(reference.span.clone(), message)
            .label("its query names an address, and the pool has none")
            .help("write the query without {address}, in a check of this pool's own");
    }
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
        let rule = self.compile_rule(policy, findings);
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

    /// B7: only what was down recovers.
    fn warn_ramps(&self, findings: &mut Findings<'_>) {
        let policies = (0..=u16::MAX).map(PolicyId).zip(&self.document.policies);
        for (id, policy) in policies {
            let Some(typed::Rule::Weighted(choice)) = &policy.rule else { continue };
            let Some(ramp) = &choice.ramp else { continue };
            let below = self.routing.pools_below(Target::Policy(id));
            let mut pools = below.into_iter().filter_map(|id| self.routing.pool(id));
            if pools.all(|pool| pool.check.is_none()) {
                findings
                    .warning(ramp.span.clone(), "`ramp` does nothing without a check")
                    .label("nothing below this policy can be down, and so nothing recovers");
            }
        }
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
                self.routed.insert(target);
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

    /// Warns of groups and collections that nothing names.
    fn warn_unused_places(&self, document: &Document<'_>, findings: &mut Findings<'_>) {
        let used: HashSet<&str> = document.group_names().collect();
        for group in document.groups.iter().filter(|group| !used.contains(group.name.value)) {
            warn_unused("group", &group.name, findings);
        }
        for collection in &document.collections {
            if !self.used_collections.contains(collection.name.value) {
                warn_unused("collection", &collection.name, findings);
            }
        }
    }

    /// Warns of everything that nothing leads to. To be called when all routes are known and sound.
    pub(super) fn warn_unused(&self, document: &Document<'_>, findings: &mut Findings<'_>) {
        let children = document.checks.iter().flat_map(Check::children);
        let children: HashSet<&str> = children.map(|child| child.value).collect();
        for (id, check) in (0..=u16::MAX).map(CheckId).zip(&document.checks) {
            if !self.used_checks.contains(&id) && !children.contains(check.name.value) {
                warn_unused("check", &check.name, findings);
            }
        }
        self.warn_unused_places(document, findings);
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
