//! Which areas a tree of policies tells apart.
//!
//! The areas of a zone are what all its policies together tell apart; one tree has fewer classes. Two areas are in the same class
//! if the tree, with its chains for each, comes down to the same choice among the same pools in every state of health. So the classes do not move with health, and the prefix map made of them gives
//! each client the shortest prefix in which everybody gets the same answer set (rule B9).
//!
//! Operators can set what health never comes to: a pool without a check is down if they say so. Areas of one class may be told
//! apart then, and a selection asks for the client's own area while anything is set. What residency allows of the tree is a part
//! of the class for that reason: whoever shares an answer may have it, whatever is set.
//!
//! Trees are compared in a form in which what can never matter is left out: what stands in a list behind a target that is
//! always up; a pool that is named again where it is known to be down, because it would have been given before; targets of
//! weight 0 beside one that is always up. Lists in lists are one list, the order of weighted targets does not matter, and
//! equal ones are one of their common weight. Trees that draw differently and come to the same shares in the end are still
//! told apart; their scope is then true, and longer than it had to be.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::areas::{AreaId, Areas, Restriction};
use super::bound::{BoundRouting, BoundRule, Lottery, Permit};
use super::chain::Order;
use super::tree::{AllDown, PolicyId, PoolId, Target};

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
    /// A draw in which it matters which target is which: sticky with a seed, or of weights that ramp for so many milliseconds.
    Drawn {
        seed: Option<u64>,
        ramp: Option<u64>,
        members: Vec<DrawnMember>,
    },
    /// Subtrees in the order of the measured latency to the pools beside them, with the hysteresis.
    Measured(u8, Vec<(Vec<PoolId>, u32)>),
    /// A subtree, walked as if all were up (rules 4 and 52).
    LastResort(u32),
    /// An empty answer, or SERVFAIL, as `all_down` says (B2).
    NoData,
    ServFail,
}

/// A target of a draw: its key, its weight, and the subtree that it comes down to.
type DrawnMember = (u64, u32, u32);

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
    area: AreaId,
    restriction: Option<&'a Restriction>,
    together: bool,
    numbers: &'a mut HashMap<Reduced, u32>,
    known: &'a mut Vec<Reduced>,
}

impl<'a> Reducer<'a> {
    /// The whole tree: what is up, and if nothing is, as if all were (rule 4).
    fn reduce(&mut self, target: Target) -> u32 {
        self.list([Stage::Up(target), Stage::LastResort(target)], &BTreeSet::new())
    }

    fn fails_closed(&self) -> bool {
        self.restriction.is_some_and(|restriction| restriction.fails_closed)
    }

    /// What of some pools this client may be answered with (B4).
    fn allowed(&self, mut leaf: Leaf) -> Leaf {
        if let Some(restriction) = self.restriction {
            leaf.retain(|pool| restriction.allows(*pool));
        }
        leaf
    }

    /// The pools as one set, if there are any.
    fn endpoints(&mut self, leaf: Leaf) -> u32 {
        let leaf = self.allowed(leaf);
        self.number(if leaf.is_empty() { Reduced::Nothing } else { Reduced::Endpoints(leaf) })
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
            Reduced::Drawn { members, .. } => {
                members.iter().any(|(_, _, one)| self.is_always_up(*one))
            }
            Reduced::Measured(_, members) => members.iter().any(|(_, one)| self.is_always_up(*one)),
            Reduced::LastResort(_) | Reduced::NoData | Reduced::ServFail => true,
        }
    }

    /// Whether some endpoints are up in every state of health, for every type.
    fn is_unchecked(&self, leaf: &[PoolId]) -> bool {
        let is_free = |id: &PoolId| self.routing.pool(*id).is_none_or(|pool| pool.is_unchecked());
        let is_any_free = self.is_of_one_kind(leaf) && leaf.iter().any(is_free);
        is_any_free || leaf.iter().all(is_free)
    }

    /// Whether all these pools have endpoints of the same types, so that the health of each counts for each type.
    fn is_of_one_kind(&self, leaf: &[PoolId]) -> bool {
        if self.together {
            return false;
        }
        let types = leaf.iter().filter_map(|id| self.routing.pool(*id)).map(|pool| {
            pool.endpoints.iter().map(|endpoint| endpoint.rtype.0).collect::<BTreeSet<u16>>()
        });
        types.collect::<BTreeSet<_>>().len() <= 1
    }

    /// What is left of a leaf where others are known to be down. Pools of other types than the rest are not left out, as they
    /// decide which types the set has.
    fn leaf(&mut self, leaf: Leaf, down: &BTreeSet<Leaf>) -> u32 {
        let mut leaf = self.allowed(leaf);
        let is_down = |pool: &PoolId| down.contains(&vec![*pool]);
        // Where one selection serves all types, a pool that is down may have endpoints of some type that are up.
        let are_all_down = !self.together && leaf.iter().all(is_down);
        if leaf.is_empty() || down.contains(&leaf) || are_all_down {
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
            Reduced::Drawn { members, .. } => {
                members.iter().for_each(|(_, _, one)| self.add_leaves(*one, leaves));
            }
            Reduced::Measured(_, members) => {
                members.iter().for_each(|(_, one)| self.add_leaves(*one, leaves));
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
            Stage::Branch(target) if self.is_evaluated(target) || self.fails_closed() => {
                self.up(target, down)
            }
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
        match &self.routing.policy(policy).map(|policy| &policy.rule) {
            Some(BoundRule::Failover(targets)) => {
                self.list(targets.iter().copied().map(Stage::Branch), down)
            }
            Some(BoundRule::ByArea { chart, measured, hysteresis }) => {
                match chart.order(self.area) {
                    Some(Order::Fixed(targets)) => {
                        self.list(targets.iter().copied().map(Stage::Branch), down)
                    }
                    Some(Order::Measured) => {
                        self.measured(measured, *hysteresis, |this, target| {
                            this.stage(Stage::Branch(target), down)
                        })
                    }
                    None => self.number(Reduced::Nothing),
                }
            }
            _ => self.list([Stage::Weighted(policy), Stage::Unweighted(policy)], down),
        }
    }

    /// The targets of a latency policy, which come in the order of the moment.
    fn measured(
        &mut self,
        targets: &[(Target, Box<[PoolId]>)],
        hysteresis: u8,
        mut reduce: impl FnMut(&mut Self, Target) -> u32,
    ) -> u32 {
        let mut members: Vec<(Vec<PoolId>, u32)> = Vec::new();
        for (target, pools) in targets {
            let member = reduce(self, *target);
            if !self.is_nothing(member) {
                members.push((self.allowed(pools.to_vec()), member));
            }
        }
        match members.as_slice() {
            [] => self.number(Reduced::Nothing),
            [(_, only)] => *only,
            _ => self.number(Reduced::Measured(hysteresis, members)),
        }
    }

    fn lottery(&self, policy: PolicyId) -> Option<&'a Lottery> {
        match self.routing.policy(policy).map(|policy| &policy.rule) {
            Some(BoundRule::Weighted(lottery)) => Some(lottery),
            _ => None,
        }
    }

    /// The targets of a weighted policy whose share is not 0.
    fn tier(&mut self, policy: PolicyId, share: impl Fn(u32) -> u32, down: &BTreeSet<Leaf>) -> u32 {
        let Some(lottery) = self.lottery(policy) else { return self.number(Reduced::Nothing) };
        let mut members: Vec<DrawnMember> = Vec::new();
        for ((weight, to), key) in lottery.targets.iter().zip(&lottery.keys) {
            let share = share(weight.0.into());
            if share > 0 {
                members.push((*key, share, self.stage(Stage::Branch(*to), down)));
            }
        }
        self.draw(lottery, members)
    }

    /// A draw among subtrees, those that are nothing left out.
    fn draw(&mut self, lottery: &Lottery, mut members: Vec<DrawnMember>) -> u32 {
        members.retain(|(_, _, member)| !self.is_nothing(*member));
        let seed = lottery.sticky.or(self.together.then_some(0));
        let ramp = lottery.ramp.as_ref().map(|ramp| ramp.length_ms);
        match members.as_slice() {
            [] => self.number(Reduced::Nothing),
            [(_, _, only)] => *only,
            _ if seed.is_none() && ramp.is_none() => {
                let shares: Vec<(u32, u32)> =
                    members.iter().map(|(_, share, member)| (*share, *member)).collect();
                self.weigh(&shares)
            }
            _ => self.number(Reduced::Drawn { seed, ramp, members }),
        }
    }

    /// Weighted subtrees as one: those that are nothing left out, equal ones added up.
    fn weigh(&mut self, shares: &[(u32, u32)]) -> u32 {
        let mut members: BTreeMap<u32, u32> = BTreeMap::new();
        for &(share, member) in shares {
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
        if self.fails_closed() {
            return self.number(Reduced::NoData);
        }
        let any = self.any(target);
        let any = match self.routing.all_down(target) {
            _ if self.is_nothing(any) => any,
            AllDown::IgnoreHealth => any,
            AllDown::NoData => return self.number(Reduced::NoData),
            AllDown::ServFail => return self.number(Reduced::ServFail),
            AllDown::Pool(pool) => match self.endpoints(vec![pool]) {
                barred if self.is_nothing(barred) => any,
                resort => resort,
            },
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
            return self.endpoints(leaf);
        }
        let Target::Policy(policy) = target else {
            return self.number(Reduced::Nothing);
        };
        match self.routing.policy(policy).map(|policy| &policy.rule) {
            Some(BoundRule::Failover(targets)) => self.any_first(targets),
            Some(BoundRule::ByArea { chart, measured, hysteresis }) => match chart.order(self.area)
            {
                Some(Order::Fixed(targets)) => self.any_first(targets),
                Some(Order::Measured) => self.measured(measured, *hysteresis, Self::any),
                None => self.number(Reduced::Nothing),
            },
            Some(BoundRule::Weighted(lottery)) => self.any_drawn(lottery),
            Some(BoundRule::Multivalue { .. }) | None => self.number(Reduced::Nothing),
        }
    }

    fn any_first(&mut self, targets: &[Target]) -> u32 {
        let nothing = self.number(Reduced::Nothing);
        let mut each = targets.iter().map(|to| self.any(*to));
        each.find(|one| *one != nothing).unwrap_or(nothing)
    }

    fn any_drawn(&mut self, lottery: &Lottery) -> u32 {
        let mut members: Vec<DrawnMember> = Vec::new();
        for ((weight, to), key) in lottery.targets.iter().zip(&lottery.keys) {
            members.push((*key, weight.0.into(), self.any(*to)));
        }
        members.retain(|(_, _, member)| !self.is_nothing(*member));
        if members.iter().all(|(_, share, _)| *share == 0) {
            members.iter_mut().for_each(|(_, share, _)| *share = 1);
        }
        members.retain(|(_, share, _)| *share > 0);
        self.draw(lottery, members)
    }
}

/// The greatest common divisor; with 0, the other number.
fn common_divisor(one: u32, other: u32) -> u32 {
    match one.checked_rem(other) {
        Some(rest) => common_divisor(other, rest),
        None => one,
    }
}

/// The classes that a tree divides the areas of its zone into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// By area.
    pub class_of: Box<[u32]>,
    /// By class, an area that stands for it.
    pub representatives: Box<[AreaId]>,
    /// Whether class 0 is the clients that nobody can place: they are placed by their resolver's address then.
    pub has_unlocated: bool,
}

impl Partition {
    /// The class of an area.
    pub fn class(&self, area: AreaId) -> u32 {
        self.class_of.get(area.index()).copied().unwrap_or(0)
    }

    /// The area that stands for a class.
    pub fn representative(&self, class: u32) -> AreaId {
        let at = usize::try_from(class).unwrap_or(usize::MAX);
        self.representatives.get(at).copied().unwrap_or(AreaId::UNKNOWN)
    }
}

/// Every pool that the clients of an area may be answered with from the tree below `target`, in some state of health.
pub fn pools_reached(
    routing: &BoundRouting,
    area: AreaId,
    target: Target,
    together: bool,
) -> BTreeSet<PoolId> {
    let (mut numbers, mut known) = (HashMap::new(), Vec::new());
    let restriction = routing.restriction(area);
    let (numbers, known) = (&mut numbers, &mut known);
    let mut reducer = Reducer { routing, area, restriction, together, numbers, known };
    let reduced = reducer.reduce(target);
    let mut leaves = BTreeSet::new();
    reducer.add_leaves(reduced, &mut leaves);
    leaves.into_iter().flatten().collect()
}

/// Splits classes by what residency leaves of the tree.
fn refine(reduced: &[u32], permitted: impl Iterator<Item = Permit>) -> Vec<u32> {
    let mut numbers: HashMap<(u32, Permit), u32> = HashMap::new();
    let refined = reduced.iter().zip(permitted).map(|(number, permit)| {
        let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        *numbers.entry((*number, permit)).or_insert(next)
    });
    refined.collect()
}

/// Divides the areas of a zone for the tree below `target`; nothing if the tree treats all clients alike. `together` is whether
/// one selection serves all types (B8).
pub fn partition(
    routing: &BoundRouting,
    areas: &Areas,
    target: Target,
    together: bool,
) -> Option<Partition> {
    let mut numbers = HashMap::new();
    let mut known = Vec::new();
    let reduced: Vec<u32> = areas
        .all()
        .map(|area| {
            let restriction = routing.restriction(area);
            let (numbers, known) = (&mut numbers, &mut known);
            Reducer { routing, area, restriction, together, numbers, known }.reduce(target)
        })
        .collect();
    let reduced = refine(&reduced, areas.all().map(|area| routing.permitted(area, target)));
    let first = *reduced.first()?;
    if reduced.iter().all(|number| *number == first) {
        return None;
    }
    // Those of whom nothing is known, and who are treated like that: a client subnet of this class is answered by the resolver's
    // address, which may be anywhere. Where only named networks matter there is no such class: whoever is in none is in none.
    // Whom residency holds is never placed by another's address.
    let has_unlocated =
        routing.uses_location(target) && routing.restriction(AreaId::UNKNOWN).is_none();
    let mut classes: HashMap<(bool, u32), u32> = HashMap::new();
    let mut representatives = Vec::new();
    let class_of = areas.all().zip(&reduced).map(|(area, &number)| {
        let is_placed = areas.is_located(area)
            || routing.is_placed(area, target)
            || routing.restriction(area).is_some();
        let is_unlocated = has_unlocated && !is_placed && number == first;
        *classes.entry((is_unlocated, number)).or_insert_with(|| {
            representatives.push(area);
            u32::try_from(representatives.len().saturating_sub(1)).unwrap_or(u32::MAX)
        })
    });
    let class_of = class_of.collect();
    Some(Partition { class_of, representatives: representatives.into(), has_unlocated })
}
