//! What only the whole graph of policies shows: loops, depth, and what one selection may cost.
//!
//! Selection recurses through the tree per query and trusts what is proved here, see [`crate::policy::Routing`]. This walk
//! itself does not recurse, because what it walks is not proved yet.

use std::collections::BTreeSet;

use super::diagnostic::{Findings, Span};
use super::policy::Policy as TypedPolicy;
use crate::limits::{POLICY_DEPTH, POLICY_VISITS};
use crate::policy::{Place, Policy, Routing, Rule, Target};

/// Names of a loop that are printed; the first ones show where to cut it.
const LOOP_NAMES: usize = 12;

/// Endpoints, or weights, that are looked at in the time of one visit to a target.
const SCANNED_PER_VISIT: usize = 16;

/// ```text
/// New ── first visit ──▶ Open ── all children done ──▶ Done
/// ```
/// An edge to an open policy closes a loop.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    Open,
    Done,
}

/// The cost of a policy with all that is below it.
#[derive(Clone, Copy, Default)]
struct Cost {
    /// Policies on the longest way down, itself counted.
    depth: usize,
    /// Targets that one selection looks at when everything is down.
    visits: usize,
}

/// Reports loops; without any, reports policies that nest too deep or cost too much.
pub(super) fn check(typed: &[TypedPolicy<'_>], routing: &Routing, findings: &mut Findings<'_>) {
    let mut walk = Walk {
        typed,
        routing,
        marks: vec![Mark::New; routing.policies.len()],
        costs: vec![Cost::default(); routing.policies.len()],
        has_loop: false,
    };
    for start in 0..routing.policies.len() {
        walk.visit(start, findings);
    }
    if !walk.has_loop {
        walk.report_costs(findings);
    }
}

/// The most targets that a policy of places can give one client.
pub(super) fn longest_chain(rule: &Rule) -> usize {
    sum_of_chain(rule, |targets| targets.len())
}

/// What one client may be sent to at most: the largest place of each kind, all groups, since they may overlap, and the default;
/// or everything, where a rule has no places. An upper bound for every client.
fn sum_of_chain(rule: &Rule, measure: impl Fn(&[Target]) -> usize) -> usize {
    match rule {
        Rule::Geolocation { places, .. } => {
            let mut sums = [0usize; 7];
            for (place, targets) in places {
                let cost = measure(targets);
                if let Some(sum) = sums.get_mut(kind_of(*place)) {
                    let is_group = matches!(place, Place::Group(_));
                    *sum = if is_group { sum.saturating_add(cost) } else { cost.max(*sum) };
                }
            }
            sums.into_iter().fold(0, usize::saturating_add)
        }
        Rule::Ip { locations, default } => {
            let largest = locations.iter().map(|location| measure(&location.targets)).max();
            largest.unwrap_or(0).saturating_add(measure(default))
        }
        rule => measure(&rule.targets()),
    }
}

fn kind_of(place: Place) -> usize {
    match place {
        Place::Network(_) => 0,
        Place::Asn(_) => 1,
        Place::Subdivision(_) => 2,
        Place::Country(_) => 3,
        Place::Group(_) => 4,
        Place::Continent(_) => 5,
        Place::Default => 6,
    }
}

struct Walk<'a> {
    typed: &'a [TypedPolicy<'a>],
    routing: &'a Routing,
    marks: Vec<Mark>,
    costs: Vec<Cost>,
    has_loop: bool,
}

impl Walk<'_> {
    /// Walks everything below a policy in depth first order; the stack holds what is open.
    fn visit(&mut self, start: usize, findings: &mut Findings<'_>) {
        if !self.open(start) {
            return;
        }
        let mut stack = vec![(start, self.children(start))];
        while let Some((policy, children)) = stack.last_mut() {
            let policy = *policy;
            let Some(child) = children.pop() else {
                self.close(policy);
                stack.pop();
                continue;
            };
            if self.marks.get(child) == Some(&Mark::Open) {
                let path: Vec<usize> = stack.iter().map(|(policy, _)| *policy).collect();
                self.report_loop(&path, child, findings);
            } else if self.open(child) {
                stack.push((child, self.children(child)));
            }
        }
    }

    /// Marks a policy open if it is new.
    fn open(&mut self, policy: usize) -> bool {
        match self.marks.get_mut(policy) {
            Some(mark) if *mark == Mark::New => {
                *mark = Mark::Open;
                true
            }
            _ => false,
        }
    }

    fn close(&mut self, policy: usize) {
        let cost = self.cost_of(policy);
        if let (Some(mark), Some(known)) = (self.marks.get_mut(policy), self.costs.get_mut(policy))
        {
            *mark = Mark::Done;
            *known = cost;
        }
    }

    /// The policies that a policy names, the last one first, each once.
    fn children(&self, policy: usize) -> Vec<usize> {
        let rule = self.routing.policies.get(policy).map(|policy| &policy.rule);
        let children: BTreeSet<usize> =
            rule.map(Rule::targets).unwrap_or_default().into_iter().filter_map(index_of).collect();
        children.into_iter().rev().collect()
    }

    fn cost_of(&self, policy: usize) -> Cost {
        let Some(Policy { rule, .. }) = self.routing.policies.get(policy) else {
            return Cost::default();
        };
        let deepest = self.children(policy).into_iter().map(|child| self.known_cost(child).depth);
        let sum = |targets: &[Target]| {
            targets.iter().fold(0usize, |sum, target| {
                sum.saturating_add(self.visits_of(*target)).saturating_add(1)
            })
        };
        let visits = match rule {
            // Each draw passes over the targets that were dropped before.
            Rule::Weighted(_) | Rule::RoundRobin(_) => {
                let targets = rule.targets();
                let draws = targets.len().saturating_mul(targets.len()) / SCANNED_PER_VISIT;
                sum(&targets).saturating_add(draws)
            }
            rule => sum_of_chain(rule, sum),
        };
        Cost { depth: deepest.max().unwrap_or(0).saturating_add(1), visits }
    }

    /// Visits below a target. One whose health is not evaluated is walked a second time when nothing in it is up.
    fn visits_of(&self, target: Target) -> usize {
        match target {
            Target::Pool(id) => {
                self.routing.pool(id).map_or(0, |pool| pool.endpoints.len() / SCANNED_PER_VISIT)
            }
            Target::Policy(id) => {
                let below = self.known_cost(usize::from(id.0)).visits;
                let is_evaluated =
                    self.routing.policy(id).is_none_or(|policy| policy.evaluate_health);
                if is_evaluated { below } else { below.saturating_mul(2) }
            }
        }
    }

    fn known_cost(&self, policy: usize) -> Cost {
        self.costs.get(policy).copied().unwrap_or_default()
    }

    fn name(&self, policy: usize) -> &str {
        self.routing.policies.get(policy).map_or("?", |policy| &policy.name)
    }

    /// The last policy of the path names one that is on the path.
    fn report_loop(&mut self, path: &[usize], again: usize, findings: &mut Findings<'_>) {
        self.has_loop = true;
        let start = path.iter().position(|policy| *policy == again).unwrap_or(0);
        let circle = path.get(start..).unwrap_or_default();
        let mut names: Vec<&str> =
            circle.iter().take(LOOP_NAMES).map(|id| self.name(*id)).collect();
        if circle.len() > LOOP_NAMES {
            names.push("…");
        }
        names.push(self.name(again));
        let Some(span) = self.reference_to(path.last().copied(), again) else {
            return;
        };
        let label = format!("this leads back to `{}`", self.name(again));
        findings
            .error(span, format!("policies choose each other in a loop: {}", names.join(" → ")))
            .label(label)
            .help("a chain of policies must end in pools");
    }

    /// Where one policy names another.
    fn reference_to(&self, from: Option<usize>, to: usize) -> Option<Span> {
        let rule = self.typed.get(from?)?.rule.as_ref()?;
        let name = self.name(to);
        let references = rule.references();
        references.into_iter().find(|reference| reference.value == name).map(|r| r.span.clone())
    }

    /// Reports the lowest policies that are beyond a limit, not all that contain them.
    fn report_costs(&self, findings: &mut Findings<'_>) {
        for (index, policy) in self.typed.iter().enumerate() {
            let cost = self.known_cost(index);
            let below = self.children(index).into_iter().map(|child| self.known_cost(child));
            let (mut deepest, mut costliest) = (0, 0);
            for child in below {
                deepest = deepest.max(child.depth);
                costliest = costliest.max(child.visits);
            }
            let name = policy.name.value;
            if cost.depth > POLICY_DEPTH && deepest <= POLICY_DEPTH {
                let message =
                    format!("below the policy `{name}` policies nest {} deep", cost.depth);
                let label = format!("{POLICY_DEPTH} is the most");
                findings.error(policy.name.span.clone(), message).label(label);
            }
            if cost.visits > POLICY_VISITS && costliest <= POLICY_VISITS {
                let visits = cost.visits;
                let message =
                    format!("the policy `{name}` may look at {visits} targets for one query");
                findings
                    .error(policy.name.span.clone(), message)
                    .label(format!("{POLICY_VISITS} is the most"))
                    .help("branches that several policies share count each time: nest less");
            }
        }
    }
}

fn index_of(target: Target) -> Option<usize> {
    match target {
        Target::Policy(id) => Some(usize::from(id.0)),
        Target::Pool(_) => None,
    }
}
