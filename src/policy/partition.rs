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
use super::tree::{AllDown, PolicyId, PoolId, Target, Weight};
use crate::geo::{Location, LocationId};

/// The pools whose endpoints are handed out together, in order: one, or those of a multivalue policy.
type Leaf = Vec<PoolId>;

/// What a tree comes down to for one location. Subtrees are numbered by [`Reducer`]; equal ones have equal numbers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Reduced {
    /// No answer for this client.
    Nothing,
    /// The endpoints of these pools as one set, if any is up.
    Endpoints(Leaf),
    /// The first that is up. Only the last one may be always up.
    Failover(Vec<u32>),
    /// Subtrees and their weights above 0, in order, without a common divisor.
    Weighted(Vec<(u32, u32)>),
    /// A subtree, walked as if all were up (rules 4 and 52).
    LastResort(u32),
    /// An empty answer, or SERVFAIL, as `all_down` says (B2).
    NoData,
    ServFail,
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
            Reduced::Endpoints(leaf) => self.is_unchecked(leaf),
            Reduced::Failover(members) => members.iter().any(|one| self.is_always_up(*one)),
            Reduced::Weighted(members) => members.iter().any(|(one, _)| self.is_always_up(*one)),
            Reduced::LastResort(_) | Reduced::NoData | Reduced::ServFail => true,
        }
    }

    /// Whether some endpoints are up in every state of health, for every type.
    fn is_unchecked(&self, leaf: &[PoolId]) -> bool {
        let is_free = |id: &PoolId| {
            let pool = self.routing.pool(*id);
            pool.is_none_or(|pool| pool.endpoints.iter().all(|endpoint| endpoint.health.is_none()))
        };
        let is_any_free = self.is_of_one_kind(leaf) && leaf.iter().any(is_free);
        is_any_free || leaf.iter().all(is_free)
    }

    /// Whether all these pools have endpoints of the same types, so that the health of each counts for each type.
    fn is_of_one_kind(&self, leaf: &[PoolId]) -> bool {
        let types = leaf.iter().filter_map(|id| self.routing.pool(*id)).map(|pool| {
            pool.endpoints.iter().map(|endpoint| endpoint.rtype.0).collect::<BTreeSet<u16>>()
        });
        types.collect::<BTreeSet<_>>().len() <= 1
    }

    /// What is left of a leaf where others are known to be down. Pools of other types than the rest are not left out, as they
    /// decide which types the set has.
    fn leaf(&mut self, mut leaf: Leaf, down: &BTreeSet<Leaf>) -> u32 {
        let is_down = |pool: &PoolId| down.contains(&vec![*pool]);
        if down.contains(&leaf) || leaf.iter().all(is_down) {
            return self.number(Reduced::Nothing);
        }
        if self.is_of_one_kind(&leaf) {
            leaf.retain(|pool| !is_down(pool));
        }
        self.number(Reduced::Endpoints(leaf))
    }

    /// The leaf that a target is.
    fn leaf_of(&self, target: Target) -> Option<Leaf> {
        match target {
            Target::Pool(pool) => Some(vec![pool]),
            Target::Policy(id) => match &self.routing.policy(id)?.rule {
                BoundRule::Multivalue { pools, .. } => Some(pools.to_vec()),
                _ => None,
            },
        }
    }

    /// Adds every leaf that a subtree can give, and what is down with it.
    fn add_leaves(&self, number: u32, leaves: &mut BTreeSet<Leaf>) {
        match self.reduced(number) {
            Reduced::Nothing | Reduced::NoData | Reduced::ServFail => {}
            Reduced::Endpoints(leaf) => {
                leaves.insert(leaf.clone());
                if self.is_of_one_kind(leaf) {
                    leaves.extend(leaf.iter().map(|pool| vec![*pool]));
                }
            }
            Reduced::Failover(members) => {
                members.iter().for_each(|one| self.add_leaves(*one, leaves))
            }
            Reduced::Weighted(members) => {
                members.iter().for_each(|(one, _)| self.add_leaves(*one, leaves));
            }
            Reduced::LastResort(inner) => self.add_leaves(*inner, leaves),
        }
    }

    /// The first stage that gives something. `down` are pools that are known to be down where the list is come to; what a
    /// stage could have given is known to be down in the next.
    fn list(&mut self, stages: impl IntoIterator<Item = Stage>, down: &BTreeSet<Leaf>) -> u32 {
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
            self.add_leaves(member, &mut down);
        }
        match members.as_slice() {
            [] => self.number(Reduced::Nothing),
            [only] => *only,
            _ => self.number(Reduced::Failover(members)),
        }
    }

    fn stage(&mut self, stage: Stage, down: &BTreeSet<Leaf>) -> u32 {
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
    fn up(&mut self, target: Target, down: &BTreeSet<Leaf>) -> u32 {
        if let Some(leaf) = self.leaf_of(target) {
            return self.leaf(leaf, down);
        }
        let Target::Policy(policy) = target else {
            return self.number(Reduced::Nothing);
        };
        match self.targets_in_order(policy) {
            Some(targets) => self.list(targets.iter().copied().map(Stage::Branch), down),
            None => self.list([Stage::Weighted(policy), Stage::Unweighted(policy)], down),
        }
    }

    /// The targets of a policy that takes the first that is up; nothing for one that draws.
    fn targets_in_order(&self, policy: PolicyId) -> Option<&'a [Target]> {
        match &self.routing.policy(policy)?.rule {
            BoundRule::Failover(targets) => Some(targets),
            BoundRule::Geolocation { chain_of, chains } => {
                Some(BoundRule::chain(chain_of, chains, self.location))
            }
            BoundRule::Weighted(_) | BoundRule::Multivalue { .. } => None,
        }
    }

    fn weights(&self, policy: PolicyId) -> &'a [(Weight, Target)] {
        match self.routing.policy(policy).map(|policy| &policy.rule) {
            Some(BoundRule::Weighted(targets)) => targets,
            _ => &[],
        }
    }

    /// The targets of a weighted policy whose share is not 0.
    fn tier(&mut self, policy: PolicyId, share: impl Fn(u32) -> u32, down: &BTreeSet<Leaf>) -> u32 {
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

    /// What a target with nothing up gives: most times what it would if all were up. Pools without a check are no other then
    /// than when they are up. Who is in none of the places gets no last resort either.
    fn last_resort(&mut self, target: Target) -> u32 {
        let any = self.any(target);
        let any = match self.routing.all_down(target) {
            _ if self.is_nothing(any) => any,
            AllDown::IgnoreHealth => any,
            AllDown::NoData => return self.number(Reduced::NoData),
            AllDown::ServFail => return self.number(Reduced::ServFail),
            AllDown::Pool(pool) => self.number(Reduced::Endpoints(vec![pool])),
        };
        let mut leaves = BTreeSet::new();
        self.add_leaves(any, &mut leaves);
        if leaves.into_iter().all(|leaf| self.is_unchecked(&leaf)) {
            return any;
        }
        self.number(Reduced::LastResort(any))
    }

    fn any(&mut self, target: Target) -> u32 {
        if let Some(leaf) = self.leaf_of(target) {
            return self.number(Reduced::Endpoints(leaf));
        }
        let Target::Policy(policy) = target else {
            return self.number(Reduced::Nothing);
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
