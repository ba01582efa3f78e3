//! Selection: one walk down a bound tree for one query.
//!
//! The walk asks "what would this target give that is up?" and backs out where the answer is nothing (rules 2 and 54). Only
//! when the whole tree has nothing up is it walked again as if everything were (rule 4): so the answer is never empty for
//! the reason of health alone, and the branch it then takes is the best by policy (rule 56). A policy whose `all_down` says
//! something else is not walked again (B2).
//!
//! A nested policy is up if it has something up *for this client*. Route 53 asks for any record of the set (rule 51); with
//! a geolocation set that would send a client to the endpoint that is down for it while another branch is up.

use super::bound::{BoundEndpoint, BoundPool, BoundRouting, BoundRule};
use super::random::Random;
use super::trace::{Step, Trace};
use super::tree::{AllDown, MinUp, PolicyId, Target, Weight};
use crate::geo::LocationId;
use crate::health::View;
use crate::limits::{ANSWER_ENDPOINTS, POLICY_DEPTH, POLICY_TARGETS, POOL_ENDPOINTS};
use crate::wire::RecordType;

/// What is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    pub location: LocationId,
    pub random: &'a mut Random,
    pub trace: &'a mut T,
}

/// What counts as available in a walk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Walk {
    /// What is up.
    Up,
    /// Everything.
    Any,
}

impl<T: Trace> Selection<'_, T> {
    /// Chooses a pool, or the set of a multivalue policy, at or below `target`; nothing if no place of a geolocation policy holds the client and there is no default
    /// (rule 26).
    pub fn choose(&mut self, target: Target) -> Option<Chosen> {
        if let Some(choice) = self.pick(target, Walk::Up, 0) {
            return Some(Chosen { choice, is_last_resort: false });
        }
        let choice = self.resort(target, 0)?;
        Some(Chosen { choice, is_last_resort: true })
    }

    /// What becomes of a target with nothing up, if that is its own decision (rules 4 and 52, B2). Nothing if it has nothing
    /// for this client even when all is up (rule 26).
    fn resort(&mut self, target: Target, depth: usize) -> Option<Choice> {
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
            AllDown::IgnoreHealth => self.pick(target, Walk::Any, depth),
            AllDown::NoData => Some(Choice::NoData),
            AllDown::ServFail => Some(Choice::ServFail),
            AllDown::Pool(pool) => self.pick_endpoints(Target::Pool(pool), Walk::Any, below),
        }
    }

    /// Whether a target has something for this client if all counts as up.
    fn leads_anywhere(&self, target: Target, depth: usize) -> bool {
        let Target::Policy(id) = target else { return true };
        let Some(policy) = self.routing.policy(id).filter(|_| depth <= POLICY_DEPTH) else {
            return false;
        };
        let leads = |target: &Target| self.leads_anywhere(*target, depth.saturating_add(1));
        match &policy.rule {
            BoundRule::Multivalue { .. } => true,
            BoundRule::Failover(targets) => targets.iter().any(leads),
            BoundRule::Weighted(targets) => targets.iter().any(|(_, target)| leads(target)),
            BoundRule::Geolocation { chain_of, chains } => {
                BoundRule::chain(chain_of, chains, self.location).iter().any(leads)
            }
        }
    }

    /// Hands out the endpoints of a pool: those of the type that are up, or all of the type if none is; of more than
    /// [`ANSWER_ENDPOINTS`] so many at random; beginning at a random one (rules 9 and 41). Stops when `take` says so by
    /// `false`.
    pub fn endpoints<'p>(
        &mut self,
        pool: &'p BoundPool,
        rtype: RecordType,
        mut take: impl FnMut(&'p [u8]) -> bool,
    ) {
        let of_type = |endpoint: &BoundEndpoint| endpoint.rtype == rtype;
        // The view may change at any moment: it is read once, so that the answer is of one piece and never empty.
        let up = Places::of(pool, |endpoint| of_type(endpoint) && self.view.is_up(endpoint.health));
        let eligible = if up.is_empty() { Places::of(pool, of_type) } else { up };
        let most = u32::try_from(ANSWER_ENDPOINTS).unwrap_or(u32::MAX);
        let eligible =
            if eligible.count() > most { eligible.draw(most, self.random) } else { eligible };
        let count = eligible.count();
        let first =
            if count > 1 { usize::try_from(self.random.below(count)).unwrap_or(0) } else { 0 };
        let in_turn = eligible.of_pool(pool).skip(first).chain(eligible.of_pool(pool).take(first));
        for endpoint in in_turn {
            if !take(&endpoint.rdata) {
                return;
            }
        }
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
            BoundRule::Failover(targets) => self.pick_first(targets, walk, depth),
            BoundRule::Geolocation { chain_of, chains } => {
                let chain = BoundRule::chain(chain_of, chains, self.location);
                self.pick_first(chain, walk, depth)
            }
            BoundRule::Weighted(targets) => self.pick_weighted(targets, walk, depth),
            BoundRule::Multivalue { .. } => {
                self.pick_endpoints(Target::Policy(policy), walk, depth.saturating_add(1))
            }
        }
    }

    /// The first target that gives something (rules 19 to 23, 29).
    fn pick_first(&mut self, targets: &[Target], walk: Walk, depth: usize) -> Option<Choice> {
        targets.iter().find_map(|&target| self.pick_branch(target, walk, depth.saturating_add(1)))
    }

    /// Draws by weight, drops what gives nothing, and draws again among the rest (rules 2, 10 and 11). Targets of weight 0
    /// come into play when no other is left, with equal shares (rules 12 to 16).
    fn pick_weighted(
        &mut self,
        targets: &[(Weight, Target)],
        walk: Walk,
        depth: usize,
    ) -> Option<Choice> {
        debug_assert!(targets.len() <= POLICY_TARGETS && POLICY_TARGETS <= 128);
        let mut left = Left::all(targets);
        while let Some((place, weight, target)) = left.draw(targets, self.random) {
            self.trace.note(depth, Step::Draw { target, weight, total: left.total() });
            if let Some(pool) = self.pick_branch(target, walk, depth.saturating_add(1)) {
                return Some(pool);
            }
            left.drop(place, weight);
        }
        None
    }

    /// Picks below a target of a policy. One whose health is not evaluated counts as up, and is not backed out of (rule 52).
    fn pick_branch(&mut self, target: Target, walk: Walk, depth: usize) -> Option<Choice> {
        let picked = self.pick(target, walk, depth);
        let is_steadfast = match target {
            Target::Pool(_) => false,
            Target::Policy(policy) => {
                self.routing.policy(policy).is_some_and(|policy| !policy.evaluate_health)
            }
        };
        if picked.is_none() && is_steadfast && walk == Walk::Up {
            return self.resort(target, depth);
        }
        picked
    }

    /// Takes a pool, or the set of a multivalue policy, if it is up.
    fn pick_endpoints(&mut self, target: Target, walk: Walk, depth: usize) -> Option<Choice> {
        let pool = self.routing.handout(target)?;
        if walk == Walk::Up && !self.is_pool_up(pool) {
            self.trace.note(depth, Step::PassOver(target));
            return None;
        }
        self.trace.note(depth, Step::Take(target));
        Some(Choice::Endpoints(target))
    }

    /// Whether enough endpoints of the type are up; of a pool without the type, enough of all, so that a choice does not fall
    /// on another pool only because it has IPv6 as well.
    fn is_pool_up(&self, pool: &BoundPool) -> bool {
        let holds = pool.holds(self.rtype);
        let counted =
            pool.endpoints.iter().filter(|endpoint| !holds || endpoint.rtype == self.rtype);
        let mut states = counted.map(|endpoint| self.view.is_up(endpoint.health));
        if pool.min_up == MinUp::ONE {
            return states.any(|is_up| is_up);
        }
        let (mut up, mut all) = (0usize, 0usize);
        for is_up in states {
            up = up.saturating_add(usize::from(is_up));
            all = all.saturating_add(1);
        }
        pool.min_up.is_met(up, all)
    }
}

/// The targets of a weighted policy that were not dropped yet.
struct Left {
    /// One bit per dropped target.
    dropped: u128,
    count: u32,
    /// Sum of the weights.
    weight: u32,
}

impl Left {
    fn all(targets: &[(Weight, Target)]) -> Self {
        let weight = targets.iter().map(|(weight, _)| u32::from(weight.0)).sum();
        Self { dropped: 0, count: u32::try_from(targets.len()).unwrap_or(u32::MAX), weight }
    }

    /// What a draw is out of: the sum of the weights; if all that is left has weight 0, each counts as 1.
    fn total(&self) -> u32 {
        if self.weight == 0 { self.count } else { self.weight }
    }

    /// Draws one. Gives its place, the share it was drawn with, and itself.
    fn draw(
        &self,
        targets: &[(Weight, Target)],
        random: &mut Random,
    ) -> Option<(u32, u32, Target)> {
        if self.count == 0 {
            return None;
        }
        let least = u32::from(self.weight == 0);
        let mut ticket = random.below(self.total());
        for (place, &(weight, target)) in (0u32..).zip(targets) {
            if self.dropped.checked_shr(place).unwrap_or(0) & 1 != 0 {
                continue;
            }
            let share = u32::from(weight.0).max(least);
            match ticket.checked_sub(share) {
                None => return Some((place, share, target)),
                Some(rest) => ticket = rest,
            }
        }
        None
    }

    fn drop(&mut self, place: u32, share: u32) {
        self.dropped |= 1u128.checked_shl(place).unwrap_or(0);
        self.count = self.count.saturating_sub(1);
        // Where the share was made up for a weight of 0, there is nothing to take away.
        self.weight = self.weight.saturating_sub(share);
    }
}

const PLACE_WORDS: usize = POOL_ENDPOINTS.div_ceil(64);

/// Some endpoints of a pool, by their places: one bit each.
struct Places {
    words: [u64; PLACE_WORDS],
}

impl Places {
    fn of(pool: &BoundPool, is_member: impl Fn(&BoundEndpoint) -> bool) -> Self {
        let mut words = [0u64; PLACE_WORDS];
        for (word, endpoints) in words.iter_mut().zip(pool.endpoints.chunks(64)) {
            for (bit, endpoint) in (0u32..).zip(endpoints) {
                *word |= u64::from(is_member(endpoint)).checked_shl(bit).unwrap_or(0);
            }
        }
        Self { words }
    }

    fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    fn count(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }

    fn has(&self, place: u32) -> bool {
        let word = usize::try_from(place / 64).ok().and_then(|word| self.words.get(word));
        word.is_some_and(|word| word & 1u64.rotate_left(place % 64) != 0)
    }

    fn add(&mut self, place: u32) {
        let word = usize::try_from(place / 64).ok().and_then(|word| self.words.get_mut(word));
        if let Some(word) = word {
            *word |= 1u64.rotate_left(place % 64);
        }
    }

    /// `count` of these at random, each choice with the same chance (Floyd's algorithm); all if there are no more.
    fn draw(&self, count: u32, random: &mut Random) -> Self {
        let total = self.count();
        let mut ranks = Self { words: [0; PLACE_WORDS] };
        for last in total.saturating_sub(count)..total {
            let rank = random.below(last.saturating_add(1));
            ranks.add(if ranks.has(rank) { last } else { rank });
        }
        let mut rank = 0u32;
        let words = self.words.map(|word| {
            let (mut left, mut kept) = (word, 0);
            while left != 0 {
                let lowest = left & left.wrapping_neg();
                kept |= if ranks.has(rank) { lowest } else { 0 };
                left ^= lowest;
                rank = rank.saturating_add(1);
            }
            kept
        });
        Self { words }
    }

    /// The endpoints themselves, in the order of the pool.
    fn of_pool<'p>(
        &self,
        pool: &'p BoundPool,
    ) -> impl Iterator<Item = &'p BoundEndpoint> + use<'_, 'p> {
        self.words.iter().zip(pool.endpoints.chunks(64)).flat_map(|(word, endpoints)| {
            let is_member = move |bit: u32| word.checked_shr(bit).unwrap_or(0) & 1 != 0;
            (0u32..)
                .zip(endpoints)
                .filter(move |(bit, _)| is_member(*bit))
                .map(|(_, endpoint)| endpoint)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::health::{Status, TargetId};
    use crate::policy::NoTrace;

    /// The view was read three times per answer: when the last endpoint went down in between, the answer was empty.
    #[test]
    fn rule_4_a_change_of_health_in_the_middle_of_an_answer_leaves_it_whole() {
        let endpoint = |number: u8| BoundEndpoint {
            rtype: RecordType::A,
            rdata: Box::new([192, 0, 2, number]),
            health: Some(TargetId(u32::from(number))),
        };
        let pool = BoundPool { endpoints: vec![endpoint(0), endpoint(1)], min_up: MinUp::ONE };
        let routing = BoundRouting { pools: vec![pool.clone()], policies: Vec::new() };
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
                    location: LocationId::UNKNOWN,
                    random: &mut random,
                    trace: &mut NoTrace,
                };
                let mut taken = Vec::with_capacity(2);
                selection.endpoints(&pool, RecordType::A, |rdata| {
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
