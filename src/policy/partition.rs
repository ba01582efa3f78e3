//! Which locations a tree of policies tells apart.
//!
//! Two locations are in the same class if the tree, with its places resolved for each, comes down to the same choice among
//! the same pools in every state of health. So the classes do not move with health, and the prefix map made of them gives
//! each client the shortest prefix in which everybody gets the same answer set (rule B9).
//!
//! Trees are compared in a form in which what can never matter is left out: what stands in a list behind a target that is
//! always up; a pool that is named again where it is known to be down, because it would have been given before; targets of
//! weight 0 beside one that is always up. Lists in lists are one list, the order of weighted targets does not matter, and
//! equal ones are one of their common weight. Trees that draw differently and come to the same shares in the end are still
//! told apart; their scope is then true, and longer than it had to be.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::bound::{BoundRouting, BoundRule};
use super::tree::{PolicyId, PoolId, Target, Weight};
use crate::geo::{Location, LocationId};

/// What a tree comes down to for one location. Subtrees are numbered by [`Reducer`]; equal ones have equal numbers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Reduced {
    /// No answer for this client.
    Nothing,
    /// A pool, if it is up.
    Pool(PoolId),
    /// The first that is up. Only the last one may be always up.
    Failover(Vec<u32>),
    /// Subtrees and their weights above 0, in order, without a common divisor.
    Weighted(Vec<(u32, u32)>),
    /// A subtree, walked as if all were up (rules 4 and 52).
    LastResort(u32),
}

/// What is tried in a list, one after the other.
#[derive(Clone, Copy)]
enum Stage {
    /// What is up below a target of a policy, or more if its health is not evaluated.
    Branch(Target),
    /// What is up below a target.
    Up(Target),
    /// The weights above 0 of a policy.
    Weighted(PolicyId),
    /// The weights of 0, which wait until nothing else is up (rule 13).
    Unweighted(PolicyId),
    /// A target, as if all were up.
    LastResort(Target),
}

struct Reducer<'a> {
    routing: &'a BoundRouting,
    location: LocationId,
    numbers: &'a mut HashMap<Reduced, u32>,
    known: &'a mut Vec<Reduced>,
}

impl<'a> Reducer<'a> {
    /// The whole tree: what is up, and if nothing is, as if all were (rule 4).
    fn reduce(&mut self, target: Target) -> u32 {
        self.list([Stage::Up(target), Stage::LastResort(target)], &BTreeSet::new())
    }

    fn number(&mut self, reduced: Reduced) -> u32 {
        if let Some(&number) = self.numbers.get(&reduced) {
            return number;
        }
        let number = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
        self.known.push(reduced.clone());
        self.numbers.insert(reduced, number);
        number
    }

    fn reduced(&self, number: u32) -> &Reduced {
        let reduced = usize::try_from(number).ok().and_then(|number| self.known.get(number));
        reduced.unwrap_or(&Reduced::Nothing)
    }

    fn is_nothing(&self, number: u32) -> bool {
        *self.reduced(number) == Reduced::Nothing
    }

    /// Whether a subtree gives something in every state of health (rules 3, 52 and 55).
    fn is_always_up(&self, number: u32) -> bool {
        match self.reduced(number) {
            Reduced::Nothing => false,
            Reduced::Pool(pool) => self.is_unchecked(*pool),
            Reduced::Failover(members) => members.iter().any(|one| self.is_always_up(*one)),
            Reduced::Weighted(members) => members.iter().any(|(one, _)| self.is_always_up(*one)),
            Reduced::LastResort(_) => true,
        }
    }

    fn is_unchecked(&self, pool: PoolId) -> bool {
        let pool = self.routing.pool(pool);
        pool.is_none_or(|pool| pool.endpoints.iter().all(|endpoint| endpoint.health.is_none()))
    }

    /// Adds every pool that a subtree can give.
    fn add_pools(&self, number: u32, pools: &mut BTreeSet<PoolId>) {
        match self.reduced(number) {
            Reduced::Nothing => {}
            Reduced::Pool(pool) => _ = pools.insert(*pool),
            Reduced::Failover(members) => {
                members.iter().for_each(|one| self.add_pools(*one, pools))
            }
            Reduced::Weighted(members) => {
                members.iter().for_each(|(one, _)| self.add_pools(*one, pools));
            }
            Reduced::LastResort(inner) => self.add_pools(*inner, pools),
        }
    }

    /// The first stage that gives something. `down` are pools that are known to be down where the list is come to; what a
    /// stage could have given is known to be down in the next.
    fn list(&mut self, stages: impl IntoIterator<Item = Stage>, down: &BTreeSet<PoolId>) -> u32 {
        let mut down = down.clone();
        let mut members: Vec<u32> = Vec::new();
        for stage in stages {
            let member = self.stage(stage, &down);
            match self.reduced(member) {
                Reduced::Nothing => continue,
                Reduced::Failover(inner) => members.extend(inner),
                _ => members.push(member),
            }
            if self.is_always_up(member) {
                break;
            }
            self.add_pools(member, &mut down);
        }
        match members.as_slice() {
            [] => self.number(Reduced::Nothing),
            [only] => *only,
            _ => self.number(Reduced::Failover(members)),
        }
    }

    fn stage(&mut self, stage: Stage, down: &BTreeSet<PoolId>) -> u32 {
        match stage {
            Stage::Branch(target) if self.is_evaluated(target) => self.up(target, down),
            Stage::Branch(target) => {
                self.list([Stage::Up(target), Stage::LastResort(target)], down)
            }
            Stage::Up(target) => self.up(target, down),
            Stage::Weighted(policy) => self.tier(policy, |weight| weight, down),
            Stage::Unweighted(policy) => self.tier(policy, |weight| u32::from(weight == 0), down),
            Stage::LastResort(target) => self.last_resort(target),
        }
    }

    fn is_evaluated(&self, target: Target) -> bool {
        match target {
            Target::Pool(_) => true,
            Target::Policy(id) => {
                self.routing.policy(id).is_none_or(|policy| policy.evaluate_health)
            }
        }
    }

    /// What of a target is up. The depth is bounded by what `config` allows.
    fn up(&mut self, target: Target, down: &BTreeSet<PoolId>) -> u32 {
        match target {
            Target::Pool(pool) if down.contains(&pool) => self.number(Reduced::Nothing),
            Target::Pool(pool) => self.number(Reduced::Pool(pool)),
            Target::Policy(policy) => match self.targets_in_order(policy) {
                Some(targets) => self.list(targets.iter().copied().map(Stage::Branch), down),
                None => self.list([Stage::Weighted(policy), Stage::Unweighted(policy)], down),
            },
        }
    }

    /// The targets of a policy that takes the first that is up; nothing for one that draws.
    fn targets_in_order(&self, policy: PolicyId) -> Option<&'a [Target]> {
        match &self.routing.policy(policy)?.rule {
            BoundRule::Failover(targets) => Some(targets),
            BoundRule::Geolocation { chain_of, chains } => {
                Some(BoundRule::chain(chain_of, chains, self.location))
            }
            BoundRule::Weighted(_) => None,
        }
    }

    fn weights(&self, policy: PolicyId) -> &'a [(Weight, Target)] {
        match self.routing.policy(policy).map(|policy| &policy.rule) {
            Some(BoundRule::Weighted(targets)) => targets,
            _ => &[],
        }
    }

    /// The targets of a weighted policy whose share is not 0.
    fn tier(
        &mut self,
        policy: PolicyId,
        share: impl Fn(u32) -> u32,
        down: &BTreeSet<PoolId>,
    ) -> u32 {
        let shares = self.weights(policy).iter().map(|(weight, to)| (share(weight.0.into()), *to));
        let shares = shares.filter(|(share, _)| *share > 0);
        let shares = shares.map(|(share, to)| (share, self.stage(Stage::Branch(to), down)));
        let shares: Vec<(u32, u32)> = shares.collect();
        self.weigh(&shares)
    }

    /// Weighted subtrees as one: those that are nothing left out, equal ones added up.
    fn weigh(&mut self, shares: &[(u32, u32)]) -> u32 {
        let mut members: BTreeMap<u32, u32> = BTreeMap::new();
        for &(share, member) in shares.iter().filter(|(_, member)| !self.is_nothing(*member)) {
            let sum = members.entry(member).or_default();
            *sum = sum.saturating_add(share);
        }
        let divisor = members.values().copied().fold(0, common_divisor);
        let scaled = members.iter().map(|(one, sum)| (*one, sum.checked_div(divisor).unwrap_or(0)));
        let scaled: Vec<(u32, u32)> = scaled.collect();
        match scaled.as_slice() {
            [] => self.number(Reduced::Nothing),
            [(only, _)] => *only,
            _ => self.number(Reduced::Weighted(scaled)),
        }
    }

    /// What a target gives if all counts as up. Pools without a check are no other than when they are up.
    fn last_resort(&mut self, target: Target) -> u32 {
        let any = self.any(target);
        let mut pools = BTreeSet::new();
        self.add_pools(any, &mut pools);
        if pools.into_iter().all(|pool| self.is_unchecked(pool)) {
            return any;
        }
        self.number(Reduced::LastResort(any))
    }

    fn any(&mut self, target: Target) -> u32 {
        let policy = match target {
            Target::Pool(pool) => return self.number(Reduced::Pool(pool)),
            Target::Policy(policy) => policy,
        };
        if let Some(targets) = self.targets_in_order(policy) {
            let nothing = self.number(Reduced::Nothing);
            let mut each = targets.iter().map(|to| self.any(*to));
            return each.find(|one| *one != nothing).unwrap_or(nothing);
        }
        let mut shares: Vec<(u32, u32)> = Vec::new();
        for &(weight, to) in self.weights(policy) {
            shares.push((weight.0.into(), self.any(to)));
        }
        let is_live = |(_, member): &(u32, u32)| !self.is_nothing(*member);
        shares.retain(is_live);
        if shares.iter().all(|(share, _)| *share == 0) {
            shares.iter_mut().for_each(|(share, _)| *share = 1);
        }
        shares.retain(|(share, _)| *share > 0);
        self.weigh(&shares)
    }
}

/// The greatest common divisor; with 0, the other number.
fn common_divisor(one: u32, other: u32) -> u32 {
    match one.checked_rem(other) {
        Some(rest) => common_divisor(other, rest),
        None => one,
    }
}

/// The class of each location for the tree below `target`, as the first location of the same class; nothing if the tree
/// treats all clients alike.
///
/// [`LocationId::UNKNOWN`] is always a class of its own: a client subnet without a location is answered by the resolver's
/// address, which may be anywhere.
pub fn partition(
    routing: &BoundRouting,
    target: Target,
    locations: &[Location],
) -> Option<Vec<u16>> {
    let mut numbers = HashMap::new();
    let mut known = Vec::new();
    let reduced: Vec<u32> = LocationId::all(locations)
        .map(|location| {
            Reducer { routing, location, numbers: &mut numbers, known: &mut known }.reduce(target)
        })
        .collect();
    let first = reduced.first()?;
    if reduced.iter().all(|number| number == first) {
        return None;
    }
    let mut representatives: HashMap<u32, u16> = HashMap::new();
    let classes = LocationId::all(locations).zip(&reduced).map(|(location, &number)| {
        let own = location.number();
        if location == LocationId::UNKNOWN {
            own
        } else {
            *representatives.entry(number).or_insert(own)
        }
    });
    Some(classes.collect())
}
