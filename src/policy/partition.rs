//! Which locations a tree of policies tells apart.
//!
//! Two locations are in the same class if the tree, with its places resolved for each, comes down to the same choice among
//! the same pools in every state of health. So the classes do not move with health, and the prefix map made of them gives
//! each client the shortest prefix in which everybody gets the same answer set (rule B9). The comparison is exact up to the
//! simplifications of [`Reduced`]: nested failovers are one list, a target named again later in a list changes nothing, and
//! the order of weighted targets does not matter.

use std::collections::HashMap;

use super::bound::{BoundRouting, BoundRule};
use super::tree::{PoolId, Target};
use crate::geo::{Location, LocationId};

/// What a tree comes down to for one location. Subtrees are numbered by [`Reducer`]; equal ones have equal numbers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Reduced {
    /// No answer for this client.
    Nothing,
    Pool(PoolId),
    Failover(Vec<u32>),
    /// Weights and subtrees, sorted.
    Weighted(Vec<(u8, u32)>),
    /// A subtree that counts as up whatever its health (rule 52).
    Steadfast(u32),
}

struct Reducer<'a> {
    routing: &'a BoundRouting,
    location: LocationId,
    numbers: &'a mut HashMap<Reduced, u32>,
    known: &'a mut Vec<Reduced>,
}

impl Reducer<'_> {
    fn number(&mut self, reduced: Reduced) -> u32 {
        if let Some(&number) = self.numbers.get(&reduced) {
            return number;
        }
        let number = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
        self.known.push(reduced.clone());
        self.numbers.insert(reduced, number);
        number
    }

    fn is_nothing(&self, number: u32) -> bool {
        self.reduced(number) == Some(&Reduced::Nothing)
    }

    fn reduced(&self, number: u32) -> Option<&Reduced> {
        usize::try_from(number).ok().and_then(|number| self.known.get(number))
    }

    /// Reduces a target. The depth is bounded by what `config` allows.
    fn reduce(&mut self, target: Target) -> u32 {
        let policy = match target {
            Target::Pool(pool) => return self.number(Reduced::Pool(pool)),
            Target::Policy(policy) => policy,
        };
        let routing = self.routing;
        match routing.policy(policy).map(|policy| &policy.rule) {
            None => self.number(Reduced::Nothing),
            Some(BoundRule::Failover(targets)) => self.reduce_failover(targets),
            Some(BoundRule::Geolocation { chain_of, chains }) => {
                self.reduce_failover(BoundRule::chain(chain_of, chains, self.location))
            }
            Some(BoundRule::Weighted(targets)) => {
                let mut members = Vec::new();
                for &(weight, target) in targets {
                    let member = self.reduce_branch(target);
                    if !self.is_nothing(member) {
                        members.push((weight.0, member));
                    }
                }
                members.sort_unstable();
                match members.as_slice() {
                    [] => self.number(Reduced::Nothing),
                    [(_, only)] => *only,
                    _ => self.number(Reduced::Weighted(members)),
                }
            }
        }
    }

    fn reduce_failover(&mut self, targets: &[Target]) -> u32 {
        let mut members: Vec<u32> = Vec::new();
        for &target in targets {
            let member = self.reduce_branch(target);
            let flat = match self.reduced(member) {
                Some(Reduced::Failover(inner)) => inner.clone(),
                Some(Reduced::Nothing) => Vec::new(),
                _ => vec![member],
            };
            for member in flat {
                if !members.contains(&member) {
                    members.push(member);
                }
            }
        }
        match members.as_slice() {
            [] => self.number(Reduced::Nothing),
            [only] => *only,
            _ => self.number(Reduced::Failover(members)),
        }
    }

    fn reduce_branch(&mut self, target: Target) -> u32 {
        let inner = self.reduce(target);
        let is_evaluated = match target {
            Target::Pool(_) => true,
            Target::Policy(policy) => {
                self.routing.policy(policy).is_none_or(|policy| policy.evaluate_health)
            }
        };
        if is_evaluated || self.is_nothing(inner) {
            inner
        } else {
            self.number(Reduced::Steadfast(inner))
        }
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
