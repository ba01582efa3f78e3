//! What many selections come to: every possible end of one, with its exact probability.
//!
//! Planning asks "where do the clients go if this region is down?", and drawing a million times would answer it late and not
//! quite. The walk here takes all branches at once where [`Selection::choose`] draws one. What is up, allowed, warm or near is
//! asked of the same predicates in `select.rs`, so that the two can't disagree about it; only the shape of the walk is written twice,
//! and a property test compares both (`tests/rules/shares.rs`).
//!
//! Whether a target gives anything never depends on a draw: a weighted policy goes on drawing until nothing is left. So the
//! walk gives either nothing, or ends whose probabilities add up to one. The draws of different policies are taken as independent.

use std::collections::BTreeMap;

use super::bound::{BoundPool, BoundRule, Lottery};
use super::chain::Order;
use super::draws::bit;
use super::select::{Choice, Selection, Walk, best_of};
use super::trace::Trace;
use super::tree::{AllDown, PolicyId, PoolId, Target};
use crate::limits::{POLICY_DEPTH, POLICY_TARGETS};
use crate::wire::RecordType;

/// How a selection can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct End {
    /// What is answered; nothing if no place holds the client, or its residency bars every pool, which is no data too.
    pub choice: Option<Choice>,
    /// Nothing in the tree is up, and the choice is made all the same (rule 4, B2).
    pub is_last_resort: bool,
}

/// The probability of each choice; they add up to one.
type Mix = BTreeMap<Choice, f64>;

impl<T: Trace> Selection<'_, T> {
    /// Every end that a choice at or below `target` can come to, with its probability, in a fixed order. Sticky draws count by
    /// their expectation over all clients, measured latencies and what drains as they are for this selection.
    pub fn shares(&self, target: Target) -> Vec<(End, f64)> {
        if let Some(mix) = self.expect(target, Walk::Up, 0) {
            return ends_of(mix, false);
        }
        if self.fails_closed() {
            return ends_of(certain(Choice::NoData), false);
        }
        let resort = self.expect_resort(target, self.resort_walk(), 0);
        match resort.or_else(|| self.expect_resort(target, Walk::Any, 0)) {
            Some(mix) => ends_of(mix, true),
            None => vec![(End { choice: None, is_last_resort: false }, 1.0)],
        }
    }

    /// The data of the records of a type that a pool hands out; of more than an answer holds, all that may be among them.
    pub fn handed_out<'p>(&self, pool: &'p BoundPool, rtype: RecordType) -> Vec<&'p [u8]> {
        self.eligible(pool, rtype).of_pool(pool).map(|endpoint| &*endpoint.rdata).collect()
    }

    /// As `pick`, of all draws.
    fn expect(&self, target: Target, walk: Walk, depth: usize) -> Option<Mix> {
        match target {
            Target::Pool(_) => self.expect_endpoints(target, walk),
            Target::Policy(_) if depth > POLICY_DEPTH => None,
            Target::Policy(policy) => self.expect_by_rule(policy, walk, depth),
        }
    }

    fn expect_by_rule(&self, policy: PolicyId, walk: Walk, depth: usize) -> Option<Mix> {
        match &self.routing.policy(policy)?.rule {
            BoundRule::Failover(targets) => self.expect_first(policy, targets, walk, depth),
            BoundRule::ByArea { chart, measured, hysteresis } => match chart.order(self.area)? {
                Order::Fixed(targets) => self.expect_first(policy, targets, walk, depth),
                Order::Measured => self.expect_measured(policy, measured, *hysteresis, walk, depth),
            },
            BoundRule::Weighted(lottery) => self.expect_weighted(policy, lottery, walk, depth),
            BoundRule::Multivalue { .. } => self.expect_endpoints(Target::Policy(policy), walk),
        }
    }

    fn expect_first(
        &self,
        from: PolicyId,
        targets: &[Target],
        walk: Walk,
        depth: usize,
    ) -> Option<Mix> {
        let below = depth.saturating_add(1);
        targets.iter().find_map(|target| self.expect_branch(from, *target, walk, below))
    }

    /// Drawing again when something gives nothing comes to the shares of what gives something (rules 2, 10 and 11); weight 0 counts
    /// only among its like (rules 12 to 16).
    fn expect_weighted(
        &self,
        from: PolicyId,
        lottery: &Lottery,
        walk: Walk,
        depth: usize,
    ) -> Option<Mix> {
        let targets = lottery.targets.iter().enumerate();
        let live = targets.filter_map(|(place, (weight, target))| {
            let share = match &lottery.ramp {
                Some(ramp) => self.ramped(ramp, place, *weight),
                None => weight.0.into(),
            };
            Some((share, self.expect_branch(from, *target, walk, depth.saturating_add(1))?))
        });
        let mut live: Vec<(u32, Mix)> = live.collect();
        if live.iter().all(|(share, _)| *share == 0) {
            live.iter_mut().for_each(|(share, _)| *share = 1);
        }
        let total: f64 = live.iter().map(|(share, _)| f64::from(*share)).sum();
        let mut mixed = Mix::new();
        for (share, mix) in live.iter().filter(|(share, _)| *share > 0) {
            for (choice, chance) in mix {
                *mixed.entry(*choice).or_insert(0.0) += chance * f64::from(*share) / total;
            }
        }
        (!live.is_empty()).then_some(mixed)
    }

    fn expect_measured(
        &self,
        from: PolicyId,
        targets: &[(Target, Box<[PoolId]>)],
        hysteresis: u8,
        walk: Walk,
        depth: usize,
    ) -> Option<Mix> {
        let latencies = targets.iter().take(POLICY_TARGETS).map(|(_, pools)| self.latency(pools));
        let latencies: Vec<u32> = latencies.collect();
        let mut dropped = 0u128;
        loop {
            let best = best_of(&latencies, dropped, hysteresis)?;
            let (target, _) = targets.get(best)?;
            if let Some(mix) = self.expect_branch(from, *target, walk, depth.saturating_add(1)) {
                return Some(mix);
            }
            dropped |= bit(best);
        }
    }

    fn expect_branch(
        &self,
        from: PolicyId,
        target: Target,
        walk: Walk,
        depth: usize,
    ) -> Option<Mix> {
        let forced = self.lot.filter(|_| walk != Walk::Any);
        match forced.and_then(|lot| self.forced_edge(lot, from, target)) {
            Some(false) => None,
            Some(true) if walk == Walk::Up => self
                .expect_free(target, walk, depth)
                .or_else(|| self.expect(target, Walk::Spared, depth)),
            _ => self.expect_free(target, walk, depth),
        }
    }

    fn expect_free(&self, target: Target, walk: Walk, depth: usize) -> Option<Mix> {
        let mix = self.expect(target, walk, depth);
        if mix.is_none() && self.is_steadfast(target, walk) {
            return self.expect_resort(target, self.resort_walk(), depth);
        }
        mix
    }

    fn expect_resort(&self, target: Target, walk: Walk, depth: usize) -> Option<Mix> {
        let all_down = self.routing.all_down(target);
        let is_told = matches!(target, Target::Policy(_)) && all_down != AllDown::IgnoreHealth;
        if is_told && !self.leads_anywhere(target, depth) {
            return None;
        }
        match all_down {
            AllDown::IgnoreHealth => self.expect(target, walk, depth),
            AllDown::NoData => Some(certain(Choice::NoData)),
            AllDown::ServFail => Some(certain(Choice::ServFail)),
            AllDown::Pool(pool) => {
                let is_free = |from| {
                    let lot = self.lot.filter(|_| walk != Walk::Any);
                    let forced =
                        lot.and_then(|lot| self.forced_edge(lot, from, Target::Pool(pool)));
                    forced != Some(false)
                };
                let is_free = !matches!(target, Target::Policy(from) if !is_free(from));
                let resort = is_free.then(|| self.expect_endpoints(Target::Pool(pool), walk));
                resort.flatten().or_else(|| self.expect(target, walk, depth))
            }
        }
    }

    fn expect_endpoints(&self, target: Target, walk: Walk) -> Option<Mix> {
        let pool = self.routing.handout(target)?;
        (self.is_open(pool, walk) && self.is_allowed(target))
            .then(|| certain(Choice::Endpoints(target)))
    }
}

fn certain(choice: Choice) -> Mix {
    Mix::from([(choice, 1.0)])
}

fn ends_of(mix: Mix, is_last_resort: bool) -> Vec<(End, f64)> {
    let end = |choice| End { choice: Some(choice), is_last_resort };
    mix.into_iter().map(|(choice, chance)| (end(choice), chance)).collect()
}
