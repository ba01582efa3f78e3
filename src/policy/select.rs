//! Selection: one walk down a bound tree for one query.
//!
//! The walk asks "what would this target give that is up?" and backs out where the answer is nothing (rules 2 and 54). Only
//! when the whole tree has nothing up is it walked again as if everything were (rule 4): so the answer is never empty for
//! the reason of health alone, and the branch it then takes is the best by policy (rule 56). A policy whose `all_down` says
//! something else is not walked again (B2).
//!
//! A nested policy is up if it has something up *for this client*. Route 53 asks for any record of the set (rule 51); with
//! a geolocation set that would send a client to the endpoint that is down for it while another branch is up.

use std::cell::Cell;

use super::areas::{AreaId, Restriction};
use super::bound::{BoundEndpoint, BoundPool, BoundRouting, BoundRule, Health, Lottery, Ramp};
use super::chain::Order;
use super::draws::{Left, Places, bit};
use super::random::Random;
use super::sticky::StickyKey;
use super::switched::Lot;
use super::trace::{Step, Trace};
use super::tree::{AllDown, MinUp, PolicyId, PoolId, Target, Weight};
use crate::health::{Horizon, View};
use crate::limits::{ANSWER_ENDPOINTS, POLICY_DEPTH, POLICY_TARGETS};
use crate::wire::RecordType;

/// What is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Choice {
    /// Endpoints of a pool, or of a multivalue policy: see [`BoundRouting::handout`].
    Endpoints(Target),
    /// Nothing, since all is down and the policy says so (B2).
    NoData,
    /// SERVFAIL, for the same reason.
    ServFail,
}

/// What a selection came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chosen {
    pub choice: Choice,
    /// Nothing in the tree was up, so that the choice was made as if everything were (rule 4), or as `all_down` says.
    pub is_last_resort: bool,
}

impl Chosen {
    /// What has the endpoints to hand out.
    pub fn target(self) -> Option<Target> {
        match self.choice {
            Choice::Endpoints(target) => Some(target),
            Choice::NoData | Choice::ServFail => None,
        }
    }
}

/// Everything that a selection depends on.
#[derive(Debug)]
pub struct Selection<'a, T> {
    pub routing: &'a BoundRouting,
    pub view: &'a View,
    /// The type asked for: health counts over the endpoints of that type (rule 8).
    pub rtype: RecordType,
    pub area: AreaId,
    /// Who asks, for sticky policies; nothing if there are none in the tree.
    pub sticky: Option<StickyKey>,
    /// One selection for all types: every draw is sticky, and a pool is up if it is for each type that it has (B8).
    pub together: bool,
    /// The time on the clock that recoveries are stamped with, in milliseconds.
    pub now_ms: u64,
    pub random: &'a mut Random,
    pub trace: &'a mut T,
    /// What decides about what drains; nothing while operators have set nothing in the zone.
    pub lot: Option<Lot>,
    /// How soon, at the earliest, anything could change that was looked at so far. [`Horizon::NEVER`] at first.
    pub horizon: Cell<Horizon>,
}

/// What counts as available in a walk.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Walk {
    /// What is up.
    Up,
    /// Everything but what operators took away.
    Spared,
    /// Everything.
    Any,
}

/// Types of one pool that are told apart without counting any twice: most have two or three.
const SEVERAL_TYPES: usize = 8;

/// The share of a whole weight that a ramp begins to count with: 256ths.
const RAMP_UNIT: u32 = 256;

impl<T: Trace> Selection<'_, T> {
    /// Chooses a pool, or the set of a multivalue policy, at or below `target`; nothing if no place of a geolocation policy
    /// holds the client and there is no default (rule 26), or if its residency allows none of the pools (B4).
    pub fn choose(&mut self, target: Target) -> Option<Chosen> {
        if let Some(choice) = self.pick(target, Walk::Up, 0) {
            return Some(Chosen { choice, is_last_resort: false });
        }
        if self.fails_closed() {
            self.trace.note(0, Step::FailClosed);
            return Some(Chosen { choice: Choice::NoData, is_last_resort: false });
        }
        let choice = self.resort(target, 0).or_else(|| {
            // Better what operators took away than nothing (rule 4).
            self.lot?;
            self.trace.note(0, Step::AllTaken);
            self.resort_by(target, Walk::Any, 0)
        })?;
        Some(Chosen { choice, is_last_resort: true })
    }

    pub(super) fn restriction(&self) -> Option<&Restriction> {
        self.routing.restriction(self.area)
    }

    /// Whether this client's residency says to answer with nothing rather than with what is down.
    pub(super) fn fails_closed(&self) -> bool {
        self.restriction().is_some_and(|restriction| restriction.fails_closed)
    }

    /// What becomes of a target with nothing up, if that is its own decision (rules 4 and 52, B2). Nothing if it has nothing
    /// for this client even when all is up (rule 26).
    fn resort(&mut self, target: Target, depth: usize) -> Option<Choice> {
        self.resort_by(target, self.resort_walk(), depth)
    }

    /// The same by a walk that does not ask for health.
    fn resort_by(&mut self, target: Target, walk: Walk, depth: usize) -> Option<Choice> {
        let below = depth.saturating_add(1);
        let all_down = self.routing.all_down(target);
        match (target, all_down) {
            (Target::Policy(policy), AllDown::NoData | AllDown::ServFail | AllDown::Pool(_)) => {
                if !self.leads_anywhere(target, depth) {
                    return None;
                }
                self.trace.note(depth, Step::LastResort(policy));
            }
            _ => self.trace.note(depth, Step::AllDown),
        }
        match all_down {
            AllDown::IgnoreHealth => self.pick(target, walk, depth),
            AllDown::NoData => Some(Choice::NoData),
            AllDown::ServFail => Some(Choice::ServFail),
            // Where residency bars that pool, one that it allows (B4).
            AllDown::Pool(pool) => self
                .pick_resort(target, Target::Pool(pool), walk, below)
                .or_else(|| self.pick(target, walk, depth)),
        }
    }

    /// The pool of last resort of a policy, unless a switch takes it away from there.
    fn pick_resort(
        &mut self,
        from: Target,
        pool: Target,
        walk: Walk,
        depth: usize,
    ) -> Option<Choice> {
        if let (Target::Policy(from), Some(lot)) = (from, self.lot)
            && walk != Walk::Any
            && self.forced_edge(lot, from, pool) == Some(false)
        {
            self.trace.note(depth, Step::Force { from, target: pool, is_up: false });
            return None;
        }
        self.pick_endpoints(pool, walk, depth)
    }

    /// Whether a target has something for this client if all counts as up.
    pub(super) fn leads_anywhere(&self, target: Target, depth: usize) -> bool {
        let Target::Policy(id) = target else { return self.is_allowed(target) };
        let Some(policy) = self.routing.policy(id).filter(|_| depth <= POLICY_DEPTH) else {
            return false;
        };
        let leads = |target: &Target| self.leads_anywhere(*target, depth.saturating_add(1));
        match &policy.rule {
            BoundRule::Multivalue { .. } => self.is_allowed(target),
            BoundRule::Failover(targets) => targets.iter().any(leads),
            BoundRule::Weighted(lottery) => lottery.targets.iter().any(|(_, target)| leads(target)),
            BoundRule::ByArea { chart, measured, .. } => match chart.order(self.area) {
                Some(Order::Fixed(targets)) => targets.iter().any(leads),
                Some(Order::Measured) => measured.iter().any(|(target, _)| leads(target)),
                None => false,
            },
        }
    }

    /// Hands out the endpoints of a pool: those of the type that are up, or all of the type if none is; of more than
    /// [`ANSWER_ENDPOINTS`] so many at random; beginning at a random one (rules 9 and 41). `take` is told how soon anything could
    /// change that the selection looked at, and stops it by `false`.
    pub fn endpoints<'p>(
        &mut self,
        pool: &'p BoundPool,
        rtype: RecordType,
        mut take: impl FnMut(&'p [u8], Horizon) -> bool,
    ) {
        if let ([only], None) = (pool.endpoints.as_slice(), self.lot) {
            self.only_endpoint(pool, only, rtype, take);
            return;
        }
        let eligible = self.eligible(pool, rtype);
        let most = u32::try_from(ANSWER_ENDPOINTS).unwrap_or(u32::MAX);
        let eligible =
            if eligible.count() > most { eligible.draw(most, self.random) } else { eligible };
        let count = eligible.count();
        let first =
            if count > 1 { usize::try_from(self.random.below(count)).unwrap_or(0) } else { 0 };
        let horizon = self.horizon.get();
        let in_turn = eligible.of_pool(pool).skip(first).chain(eligible.of_pool(pool).take(first));
        for endpoint in in_turn {
            if !take(&endpoint.rdata, horizon) {
                return;
            }
        }
    }

    /// Hands out the endpoint of a pool that has no other, up or not.
    #[inline]
    fn only_endpoint<'p>(
        &mut self,
        pool: &'p BoundPool,
        only: &'p BoundEndpoint,
        rtype: RecordType,
        mut take: impl FnMut(&'p [u8], Horizon) -> bool,
    ) {
        if only.rtype == rtype && is_allowed(self.restriction(), only) {
            // For how soon that could change.
            self.is_up(pool, only, &Known::default());
            take(&only.rdata, self.horizon.get());
        }
    }

    /// What of a pool is handed out: the endpoints of the type that are up, or all of the type if none is.
    #[inline]
    pub(super) fn eligible(&self, pool: &BoundPool, rtype: RecordType) -> Places {
        let restriction = self.restriction();
        let of_type =
            |endpoint: &BoundEndpoint| endpoint.rtype == rtype && is_allowed(restriction, endpoint);
        // The view may change at any moment: it is read once, so that the answer is of one piece and never empty.
        let known = Known::default();
        let up =
            Places::of(pool, |endpoint| of_type(endpoint) && self.is_up(pool, endpoint, &known));
        if !up.is_empty() {
            return up;
        }
        if self.lot.is_some() {
            let spared = |endpoint: &_| of_type(endpoint) && !self.is_taken(pool, endpoint);
            let spared = Places::of(pool, spared);
            if !spared.is_empty() {
                return spared;
            }
        }
        Places::of(pool, of_type)
    }

    fn pick(&mut self, target: Target, walk: Walk, depth: usize) -> Option<Choice> {
        let policy = match target {
            Target::Pool(_) => return self.pick_endpoints(target, walk, depth),
            Target::Policy(policy) => policy,
        };
        // `config` refuses deeper trees; this line is what makes the recursion bounded by itself.
        if depth > POLICY_DEPTH {
            return None;
        }
        self.trace.note(depth, Step::Enter(policy));
        let picked = self.pick_by_rule(policy, walk, depth);
        if picked.is_none() {
            self.trace.note(depth, Step::Exhausted(policy));
        }
        picked
    }

    fn pick_by_rule(&mut self, policy: PolicyId, walk: Walk, depth: usize) -> Option<Choice> {
        let routing = self.routing;
        match &routing.policy(policy)?.rule {
            BoundRule::Failover(targets) => self.pick_first(policy, targets, walk, depth),
            BoundRule::ByArea { chart, measured, hysteresis } => match chart.order(self.area)? {
                Order::Fixed(targets) => self.pick_first(policy, targets, walk, depth),
                Order::Measured => self.pick_measured(policy, measured, *hysteresis, walk, depth),
            },
            BoundRule::Weighted(lottery) => self.pick_weighted(policy, lottery, walk, depth),
            BoundRule::Multivalue { .. } => {
                self.pick_endpoints(Target::Policy(policy), walk, depth.saturating_add(1))
            }
        }
    }

    /// The first target that gives something (rules 19 to 23, 29).
    fn pick_first(
        &mut self,
        from: PolicyId,
        targets: &[Target],
        walk: Walk,
        depth: usize,
    ) -> Option<Choice> {
        let below = depth.saturating_add(1);
        targets.iter().find_map(|&target| self.pick_branch(from, target, walk, below))
    }

    /// Draws by weight, drops what gives nothing, and draws again among the rest (rules 2, 10 and 11). Targets of weight 0
    /// come into play when no other is left, with equal shares (rules 12 to 16).
    fn pick_weighted(
        &mut self,
        from: PolicyId,
        lottery: &Lottery,
        walk: Walk,
        depth: usize,
    ) -> Option<Choice> {
        debug_assert!(lottery.targets.len() <= POLICY_TARGETS && POLICY_TARGETS <= 128);
        let seed = lottery.sticky.or(self.together.then_some(0));
        if seed.is_some() || lottery.ramp.is_some() {
            return self.pick_by_share(from, lottery, seed, walk, depth);
        }
        let mut left = Left::all(lottery.targets.iter().map(|(weight, _)| weight.0.into()));
        let share = |(weight, _): &(Weight, Target)| u32::from(weight.0);
        while let Some((place, weight)) = left.draw(lottery.targets.iter().map(share), self.random)
        {
            let (total, is_ramped) = (left.total(), false);
            let (_, target) = *lottery.targets.get(place)?;
            self.trace.note(depth, Step::Draw { target, weight, total, is_ramped });
            if let Some(choice) = self.pick_branch(from, target, walk, depth.saturating_add(1)) {
                return Some(choice);
            }
            left.drop(place, weight);
        }
        None
    }

    /// Draws where weights are not just what they say: some are ramping up, or the client has a draw of its own.
    #[inline(never)]
    fn pick_by_share(
        &mut self,
        from: PolicyId,
        lottery: &Lottery,
        seed: Option<u64>,
        walk: Walk,
        depth: usize,
    ) -> Option<Choice> {
        let mut shares = [0u32; POLICY_TARGETS];
        let ramp = lottery.ramp.as_ref();
        for (place, (share, (weight, _))) in shares.iter_mut().zip(&lottery.targets).enumerate() {
            *share = match ramp {
                Some(ramp) => self.ramped(ramp, place, *weight),
                None => weight.0.into(),
            };
        }
        let shares = shares.get(..lottery.targets.len())?;
        let mut left = Left::all(shares.iter().copied());
        let sticky = seed.and_then(|seed| Some((self.sticky?, seed)));
        loop {
            let (place, weight) = match sticky {
                Some((key, seed)) => left.stick(shares, &lottery.keys, key, seed)?,
                None => left.draw(shares.iter().copied(), self.random)?,
            };
            let (_, target) = *lottery.targets.get(place)?;
            self.trace.note(
                depth,
                match sticky {
                    Some(_) => Step::Stick(target),
                    None => Step::Draw {
                        target,
                        weight,
                        total: left.total(),
                        is_ramped: left.weight != 0,
                    },
                },
            );
            if let Some(choice) = self.pick_branch(from, target, walk, depth.saturating_add(1)) {
                return Some(choice);
            }
            left.drop(place, weight);
        }
    }

    /// A weight in 256ths of what it counts now: less than all of it for some time after a recovery, and never nothing (B7).
    pub(super) fn ramped(&self, ramp: &Ramp, place: usize, weight: Weight) -> u32 {
        let pools = ramp.pools.get(place).map(|pools| &**pools).unwrap_or_default();
        // What has been up the longest tells how much of the target's room is warm.
        let ages = pools.iter().filter_map(|id| self.routing.pool(*id)).filter_map(|pool| {
            let known = Known::default();
            let up = pool.endpoints.iter().filter(|endpoint| self.is_up(pool, endpoint, &known));
            let age = |endpoint: &BoundEndpoint| match endpoint.health {
                Health::Target(target) => match self.view.recovered_ms(target) {
                    Some(recovered) => self.now_ms.saturating_sub(recovered),
                    None => u64::MAX,
                },
                Health::Unchecked => u64::MAX,
                Health::Addresses => 0,
            };
            up.map(age).max()
        });
        let age = ages.max().unwrap_or(u64::MAX).min(ramp.length_ms);
        let unit = u64::from(RAMP_UNIT);
        let warm = age.saturating_mul(unit).checked_div(ramp.length_ms).unwrap_or(unit);
        let share = u32::from(weight.0).saturating_mul(u32::try_from(warm).unwrap_or(RAMP_UNIT));
        if weight.0 == 0 { 0 } else { share.max(1) }
    }

    /// The target of the lowest measured latency, then the next (B6). A target that is listed later must be better by the
    /// hysteresis; one without a measurement comes after those with one.
    fn pick_measured(
        &mut self,
        from: PolicyId,
        targets: &[(Target, Box<[PoolId]>)],
        hysteresis: u8,
        walk: Walk,
        depth: usize,
    ) -> Option<Choice> {
        let mut latencies = [u32::MAX; POLICY_TARGETS];
        for (latency, (_, pools)) in latencies.iter_mut().zip(targets) {
            *latency = self.latency(pools);
        }
        let mut dropped = 0u128;
        loop {
            let best = best_of(latencies.get(..targets.len())?, dropped, hysteresis)?;
            let (target, _) = *targets.get(best)?;
            let microseconds = latencies.get(best).copied().filter(|latency| *latency != u32::MAX);
            self.trace.note(depth, Step::Nearest { target, microseconds });
            if let Some(choice) = self.pick_branch(from, target, walk, depth.saturating_add(1)) {
                return Some(choice);
            }
            dropped |= bit(best);
        }
    }

    /// The lowest latency to an endpoint of some pools that is up, in microseconds; the highest number if none was measured.
    pub(super) fn latency(&self, pools: &[PoolId]) -> u32 {
        let pools = pools.iter().filter_map(|id| self.routing.pool(*id));
        let endpoints =
            pools.flat_map(|pool| pool.endpoints.iter().map(move |endpoint| (pool, endpoint)));
        let (restriction, known) = (self.restriction(), Known::default());
        let up = endpoints.filter(|(pool, endpoint)| {
            self.is_up(pool, endpoint, &known) && is_allowed(restriction, endpoint)
        });
        let latencies =
            up.filter_map(|(_, endpoint)| self.view.latency_us(endpoint.health.target()?));
        latencies.min().unwrap_or(u32::MAX)
    }

    /// Picks below a target of a policy. One whose health is not evaluated counts as up, and is not backed out of (rule 52);
    /// but residency that fails closed is asked for what is up alone.
    fn pick_branch(
        &mut self,
        from: PolicyId,
        target: Target,
        walk: Walk,
        depth: usize,
    ) -> Option<Choice> {
        match self.lot {
            None => self.pick_free(target, walk, depth),
            Some(lot) => self.pick_switched(lot, from, target, walk, depth),
        }
    }

    /// The same with what operators have set for this target of the policy.
    #[cold]
    fn pick_switched(
        &mut self,
        lot: Lot,
        from: PolicyId,
        target: Target,
        walk: Walk,
        depth: usize,
    ) -> Option<Choice> {
        let forced = self.forced_edge(lot, from, target).filter(|_| walk != Walk::Any);
        if let Some(is_up) = forced {
            self.trace.note(depth, Step::Force { from, target, is_up });
        }
        match forced {
            Some(false) => None,
            Some(true) if walk == Walk::Up => self
                .pick_free(target, walk, depth)
                .or_else(|| self.pick(target, Walk::Spared, depth)),
            _ => self.pick_free(target, walk, depth),
        }
    }

    fn pick_free(&mut self, target: Target, walk: Walk, depth: usize) -> Option<Choice> {
        let picked = self.pick(target, walk, depth);
        if picked.is_none() && self.is_steadfast(target, walk) {
            return self.resort(target, depth);
        }
        picked
    }

    /// Whether a target with nothing up is chosen all the same (rule 52).
    pub(super) fn is_steadfast(&self, target: Target, walk: Walk) -> bool {
        let is_evaluated = match target {
            Target::Pool(_) => true,
            Target::Policy(policy) => {
                self.routing.policy(policy).is_none_or(|policy| policy.evaluate_health)
            }
        };
        !is_evaluated && walk == Walk::Up && !self.fails_closed()
    }

    /// Takes a pool, or the set of a multivalue policy, if it is up.
    fn pick_endpoints(&mut self, target: Target, walk: Walk, depth: usize) -> Option<Choice> {
        let pool = self.routing.handout(target)?;
        if !self.is_allowed(target) {
            self.trace.note(depth, Step::Bar(target));
            return None;
        }
        if !self.is_open(pool, walk) {
            self.trace.note(depth, Step::PassOver(target));
            return None;
        }
        self.trace.note(depth, Step::Take(target));
        Some(Choice::Endpoints(target))
    }

    /// Whether a walk takes a pool, or the set of a multivalue policy.
    #[inline]
    pub(super) fn is_open(&self, pool: &BoundPool, walk: Walk) -> bool {
        match walk {
            Walk::Up => self.is_pool_up(pool),
            Walk::Spared => {
                let restriction = self.restriction();
                let mut allowed = pool.endpoints.iter().filter(|one| is_allowed(restriction, one));
                allowed.any(|endpoint| !self.is_taken(pool, endpoint))
            }
            Walk::Any => true,
        }
    }

    /// Whether residency allows any endpoint of a pool, or of the set of a multivalue policy (B4).
    pub(super) fn is_allowed(&self, target: Target) -> bool {
        let restriction = self.restriction();
        let is_any =
            |pool: &BoundPool| pool.endpoints.iter().any(|one| is_allowed(restriction, one));
        restriction.is_none() || self.routing.handout(target).is_some_and(is_any)
    }

    #[inline]
    fn is_up(&self, pool: &BoundPool, endpoint: &BoundEndpoint, known: &Known) -> bool {
        if let Some(is_up) = self.lot.and_then(|lot| self.forced(lot, pool, endpoint)) {
            return is_up;
        }
        match endpoint.health {
            Health::Unchecked => true,
            Health::Target(target) => {
                let (is_up, horizon) = self.view.look(target);
                self.horizon.set(self.horizon.get().min(horizon));
                is_up
            }
            Health::Addresses => match known.get() {
                Some((pool, is_up)) if pool == endpoint.pool => is_up,
                _ => {
                    let is_up = self.is_any_address_up(endpoint.pool);
                    known.set(Some((endpoint.pool, is_up)));
                    is_up
                }
            },
        }
    }

    /// Whether a pool's addresses say that its other records are up.
    fn is_any_address_up(&self, pool: PoolId) -> bool {
        let Some(pool) = self.routing.pool(pool) else { return true };
        let addresses = pool.endpoints.iter().filter(|endpoint| endpoint.health.target().is_some());
        let known = Known::default();
        let mut states = addresses.map(|endpoint| self.is_up(pool, endpoint, &known)).peekable();
        states.peek().is_none() || states.any(|is_up| is_up)
    }

    /// Whether enough endpoints of the type are up; of a pool without the type, enough of all, so that a choice does not fall
    /// on another pool only because it has IPv6 as well. Where one selection serves all types, enough of each type (B8).
    pub(super) fn is_pool_up(&self, pool: &BoundPool) -> bool {
        if !self.together {
            let counted = pool.holds(self.rtype).then_some(self.rtype);
            return self.has_enough(pool, counted);
        }
        let (mut seen, mut count) = ([RecordType(0); SEVERAL_TYPES], 0usize);
        for endpoint in &pool.endpoints {
            if seen.iter().take(count).any(|rtype| *rtype == endpoint.rtype) {
                continue;
            }
            if let Some(slot) = seen.get_mut(count) {
                *slot = endpoint.rtype;
                count = count.saturating_add(1);
            }
            if !self.has_enough(pool, Some(endpoint.rtype)) {
                return false;
            }
        }
        true
    }

    /// Whether enough endpoints of a type are up, or of all types.
    fn has_enough(&self, pool: &BoundPool, rtype: Option<RecordType>) -> bool {
        let restriction = self.restriction();
        let counted = pool.endpoints.iter().filter(|endpoint| {
            rtype.is_none_or(|rtype| endpoint.rtype == rtype) && is_allowed(restriction, endpoint)
        });
        let known = Known::default();
        let mut states = counted.map(|endpoint| self.is_up(pool, endpoint, &known)).peekable();
        if pool.min_up == MinUp::ONE {
            // A type of which residency leaves nothing has no say.
            return states.peek().is_none() || states.any(|is_up| is_up);
        }
        let (mut up, mut all) = (0usize, 0usize);
        for is_up in states {
            up = up.saturating_add(usize::from(is_up));
            all = all.saturating_add(1);
        }
        pool.min_up.is_met(up, all)
    }
}

/// What the addresses of the pool that was asked for last say of its other records: they stand together, and asking for each of
/// them would look at all addresses each time.
type Known = Cell<Option<(PoolId, bool)>>;

#[inline]
fn is_allowed(restriction: Option<&Restriction>, endpoint: &BoundEndpoint) -> bool {
    restriction.is_none_or(|restriction| restriction.allows(endpoint.pool))
}

/// The place of the lowest latency of those that were not dropped.
pub(super) fn best_of(latencies: &[u32], dropped: u128, hysteresis: u8) -> Option<usize> {
    let mut best: Option<(usize, u32)> = None;
    for (place, &latency) in latencies.iter().enumerate() {
        if dropped & bit(place) != 0 {
            continue;
        }
        let is_better = best.is_none_or(|(_, lowest)| {
            let margin = u64::from(lowest).saturating_mul(100u64.saturating_sub(hysteresis.into()));
            u64::from(latency).saturating_mul(100) < margin
        });
        if is_better {
            best = Some((place, latency));
        }
    }
    best.map(|(place, _)| place)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::health::{Status, SwitchId, TargetId};
    use crate::policy::NoTrace;

    /// The view was read three times per answer: when the last endpoint went down in between, the answer was empty.
    #[test]
    fn rule_4_a_change_of_health_in_the_middle_of_an_answer_leaves_it_whole() {
        let endpoint = |number: u8| BoundEndpoint {
            rtype: RecordType::A,
            rdata: Box::new([192, 0, 2, number]),
            health: Health::Target(TargetId(u32::from(number))),
            pool: PoolId(0),
            switch: SwitchId::NONE,
        };
        let pool = BoundPool {
            endpoints: vec![endpoint(0), endpoint(1)],
            min_up: MinUp::ONE,
            switch: SwitchId::NONE,
            edges: [].into(),
        };
        let routing = BoundRouting::of_pools(vec![pool.clone()]);
        let view = View::new(2);
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    for (number, status) in
                        [(0, Status::Down), (1, Status::Down), (0, Status::Up), (1, Status::Up)]
                    {
                        view.set(TargetId(number), status);
                    }
                }
            });
            let mut random = Random::new(1);
            for _ in 0..300_000 {
                let mut selection = Selection {
                    routing: &routing,
                    view: &view,
                    rtype: RecordType::A,
                    area: AreaId::UNKNOWN,
                    sticky: None,
                    together: false,
                    now_ms: 0,
                    random: &mut random,
                    trace: &mut NoTrace,
                    lot: None,
                    horizon: Cell::new(Horizon::NEVER),
                };
                let mut taken = Vec::with_capacity(2);
                selection.endpoints(&pool, RecordType::A, |rdata, _| {
                    taken.push(rdata.to_vec());
                    true
                });
                let count = taken.len();
                taken.sort();
                taken.dedup();
                assert!(count == taken.len() && (1..=2).contains(&count), "{count} records");
            }
            is_over.store(true, Ordering::Relaxed);
        });
    }
}
