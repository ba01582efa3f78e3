//! Selection: one walk down a bound tree for one query.
//!
//! The walk asks "what would this target give that is up?" and backs out where the answer is nothing (rules 2 and 54). Only
//! when the whole tree has nothing up is it walked again as if everything were (rule 4): so the answer is never empty for
//! the reason of health alone, and the branch it then takes is the best by policy (rule 56).
//!
//! A nested policy is up if it has something up *for this client*. Route 53 asks for any record of the set (rule 51); with
//! a geolocation set that would send a client to the endpoint that is down for it while another branch is up.

use super::bound::{BoundEndpoint, BoundPool, BoundRouting, BoundRule};
use super::random::Random;
use super::trace::{Step, Trace};
use super::tree::{PolicyId, PoolId, Target, Weight};
use crate::geo::LocationId;
use crate::health::View;
use crate::limits::{ANSWER_ENDPOINTS, POLICY_DEPTH, POLICY_TARGETS, POOL_ENDPOINTS};
use crate::wire::RecordType;

/// The pool that a selection came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chosen {
    pub pool: PoolId,
    /// Nothing in the tree was up, so that the choice was made as if everything were (rule 4).
    pub is_last_resort: bool,
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
    /// Chooses a pool below `target`; nothing if no place of a geolocation policy holds the client and there is no default
    /// (rule 26).
    pub fn choose(&mut self, target: Target) -> Option<Chosen> {
        if let Some(pool) = self.pick(target, Walk::Up, 0) {
            return Some(Chosen { pool, is_last_resort: false });
        }
        self.trace.note(0, Step::AllDown);
        let pool = self.pick(target, Walk::Any, 0)?;
        Some(Chosen { pool, is_last_resort: true })
    }

    /// Hands out the endpoints of a pool: those of the type that are up, or all of the type if none is, at most
    /// [`ANSWER_ENDPOINTS`], beginning at a random one (rules 9 and 41). Stops when `take` says so by `false`.
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
        let count = eligible.count();
        let first =
            if count > 1 { usize::try_from(self.random.below(count)).unwrap_or(0) } else { 0 };
        let in_turn = eligible.of_pool(pool).skip(first).chain(eligible.of_pool(pool).take(first));
        for endpoint in in_turn.take(ANSWER_ENDPOINTS) {
            if !take(&endpoint.rdata) {
                return;
            }
        }
    }

    fn pick(&mut self, target: Target, walk: Walk, depth: usize) -> Option<PoolId> {
        let policy = match target {
            Target::Pool(pool) => return self.pick_pool(pool, walk, depth),
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

    fn pick_by_rule(&mut self, policy: PolicyId, walk: Walk, depth: usize) -> Option<PoolId> {
        let routing = self.routing;
        match &routing.policy(policy)?.rule {
            BoundRule::Failover(targets) => self.pick_first(targets, walk, depth),
            BoundRule::Geolocation { chain_of, chains } => {
                let chain = BoundRule::chain(chain_of, chains, self.location);
                self.pick_first(chain, walk, depth)
            }
            BoundRule::Weighted(targets) => self.pick_weighted(targets, walk, depth),
        }
    }

    /// The first target that gives something (rules 19 to 23, 29).
    fn pick_first(&mut self, targets: &[Target], walk: Walk, depth: usize) -> Option<PoolId> {
        targets.iter().find_map(|&target| self.pick_branch(target, walk, depth.saturating_add(1)))
    }

    /// Draws by weight, drops what gives nothing, and draws again among the rest (rules 2, 10 and 11). Targets of weight 0
    /// come into play when no other is left, with equal shares (rules 12 to 16).
    fn pick_weighted(
        &mut self,
        targets: &[(Weight, Target)],
        walk: Walk,
        depth: usize,
    ) -> Option<PoolId> {
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
    fn pick_branch(&mut self, target: Target, walk: Walk, depth: usize) -> Option<PoolId> {
        let picked = self.pick(target, walk, depth);
        let is_steadfast = match target {
            Target::Pool(_) => false,
            Target::Policy(policy) => {
                self.routing.policy(policy).is_some_and(|policy| !policy.evaluate_health)
            }
        };
        if picked.is_none() && is_steadfast && walk == Walk::Up {
            return self.pick(target, Walk::Any, depth);
        }
        picked
    }

    fn pick_pool(&mut self, id: PoolId, walk: Walk, depth: usize) -> Option<PoolId> {
        let pool = self.routing.pool(id)?;
        if walk == Walk::Up && !self.is_pool_up(pool) {
            self.trace.note(depth, Step::PassOver(id));
            return None;
        }
        self.trace.note(depth, Step::Take(id));
        Some(id)
    }

    /// Whether an endpoint of the type is up; of a pool without the type, whether any is, so that a choice does not fall on
    /// another pool only because it has IPv6 as well.
    fn is_pool_up(&self, pool: &BoundPool) -> bool {
        let holds = pool.holds(self.rtype);
        let counted =
            pool.endpoints.iter().filter(|endpoint| !holds || endpoint.rtype == self.rtype);
        counted.into_iter().any(|endpoint| self.view.is_up(endpoint.health))
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
        let pool = BoundPool { endpoints: vec![endpoint(0), endpoint(1)] };
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
