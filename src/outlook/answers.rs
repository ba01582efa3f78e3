//! What a name answers with for a type, as sets of records: what two generations are compared by.
//!
//! Pools and policies may be renamed, split and merged without a client noticing, so that no name of theirs is compared, only the
//! records that come out. Order and case of names in them mean nothing, and neither does the serial of an SOA.

use std::collections::{BTreeSet, HashMap};

use super::with_selection;
use crate::health::View;
use crate::policy::{AreaId, Choice, Target};
use crate::snapshot::{BoundRoute, Handout, Snapshot};
use crate::wire::{RecordType, Records};
use crate::zone::{Node, ZoneId, presentation};

/// Where an SOA's serial stands, from the end of its data (RFC 1035 §3.3.13).
const SERIAL_FROM_END: usize = 20;
const SERIAL_OCTETS: usize = 4;

/// One possible answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Answer {
    Records(RecordType, BTreeSet<Vec<u8>>),
    NoData,
    ServFail,
}

/// The answers that are known, by number.
#[derive(Debug, Default)]
pub(super) struct Answers {
    numbers: HashMap<Answer, u32>,
}

/// Answers by number, in order, with their probabilities.
pub(super) type Mix = Vec<(u32, f64)>;

/// Where the records of a name for a type come from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Supply<'a> {
    Route(&'a BoundRoute),
    /// The same for everybody; a CNAME if the name is one.
    Fixed(Records<'a>),
    Nothing,
}

/// Supplies with one key answer alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum SupplyKey {
    /// The last is the address of the route's map, which says how it divides clients.
    Route(ZoneId, Target, bool, usize),
    Fixed(u32),
    Nothing,
}

impl<'a> Supply<'a> {
    /// What a node has for a type.
    pub(super) fn of(snapshot: &'a Snapshot, node: Node<'a>, rtype: RecordType) -> Self {
        if let Some(route) = node.route().and_then(|first| snapshot.route_for(first, rtype)) {
            return Self::Route(route);
        }
        match node.rrset(rtype).or_else(|| node.rrset(RecordType::CNAME)) {
            Some(records) => Self::Fixed(records),
            None => Self::Nothing,
        }
    }

    /// The TTL of what it answers with, in seconds.
    pub(super) fn ttl(&self) -> Option<u32> {
        match self {
            Self::Route(route) => Some(route.ttl.as_seconds()),
            Self::Fixed(records) => Some(records.ttl()),
            Self::Nothing => None,
        }
    }

    /// The route, if it is one.
    pub(super) fn route(&self) -> Option<&'a BoundRoute> {
        match self {
            Self::Route(route) => Some(route),
            Self::Fixed(_) | Self::Nothing => None,
        }
    }

    pub(super) fn key(&self, answers: &mut Answers) -> SupplyKey {
        match self {
            Self::Route(route) => {
                let map = route.map().map_or(0, |map| std::sync::Arc::as_ptr(map).addr());
                SupplyKey::Route(route.zone, route.target, route.together, map)
            }
            Self::Fixed(records) => SupplyKey::Fixed(answers.number(fixed(records))),
            Self::Nothing => SupplyKey::Nothing,
        }
    }
}

impl Answers {
    fn number(&mut self, answer: Answer) -> u32 {
        let next = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        *self.numbers.entry(answer).or_insert(next)
    }

    /// What a supply answers clients of a class with, all up.
    pub(super) fn mix(
        &mut self,
        snapshot: &Snapshot,
        view: &View,
        supply: &Supply<'_>,
        rtype: RecordType,
        class: u32,
    ) -> Mix {
        let route = match supply {
            Supply::Route(route) => route,
            Supply::Fixed(records) => return vec![(self.number(fixed(records)), 1.0)],
            Supply::Nothing => return vec![(self.number(Answer::NoData), 1.0)],
        };
        let shares = routed(snapshot, view, route, rtype, route.area_of(class));
        let mut mix: HashMap<u32, f64> = HashMap::new();
        for (answer, share) in shares {
            *mix.entry(self.number(answer)).or_insert(0.0) += share;
        }
        let mut mix: Mix = mix.into_iter().collect();
        mix.sort_by_key(|(answer, _)| *answer);
        mix
    }
}

fn routed(
    snapshot: &Snapshot,
    view: &View,
    route: &BoundRoute,
    rtype: RecordType,
    area: AreaId,
) -> Vec<(Answer, f64)> {
    let rtype = if route.handout == Handout::Alias { RecordType::CNAME } else { rtype };
    let shares = with_selection(snapshot, view, route, rtype, area, |selection| {
        let answer = |choice: Option<Choice>| match choice {
            Some(Choice::Endpoints(target)) => {
                let pool = selection.routing.handout(target);
                let rdata = pool.map(|pool| selection.handed_out(pool, rtype)).unwrap_or_default();
                set_of(rtype, rdata.into_iter())
            }
            Some(Choice::ServFail) => Answer::ServFail,
            Some(Choice::NoData) | None => Answer::NoData,
        };
        let shares = selection.shares(route.target).into_iter();
        shares.map(|(end, share)| (answer(end.choice), share)).collect()
    });
    shares.unwrap_or_default()
}

fn fixed(records: &Records<'_>) -> Answer {
    set_of(records.rtype, records.rdata())
}

fn set_of<'a>(rtype: RecordType, rdata: impl Iterator<Item = &'a [u8]>) -> Answer {
    let set: BTreeSet<Vec<u8>> = rdata.map(|rdata| comparable(rtype, rdata)).collect();
    if set.is_empty() { Answer::NoData } else { Answer::Records(rtype, set) }
}

/// The data of a record as it is compared.
fn comparable(rtype: RecordType, rdata: &[u8]) -> Vec<u8> {
    let mut octets = presentation::comparable(rtype, rdata).into_owned();
    if rtype == RecordType::SOA {
        let start = octets.len().saturating_sub(SERIAL_FROM_END);
        if let Some(serial) = octets.get_mut(start..start.saturating_add(SERIAL_OCTETS)) {
            serial.fill(0);
        }
    }
    octets
}

/// Whether two sets answer alike.
pub(super) fn are_alike(one: &Records<'_>, other: &Records<'_>) -> bool {
    one.octets == other.octets || fixed(one) == fixed(other)
}

/// The share that has to move to turn one mix into the other: their total variation distance.
pub(super) fn distance(one: &Mix, other: &Mix) -> f64 {
    let share = |mix: &Mix, answer: u32| {
        let found = mix.binary_search_by_key(&answer, |(known, _)| *known).ok();
        found.and_then(|at| mix.get(at)).map_or(0.0, |(_, share)| *share)
    };
    let gained = other.iter().map(|(answer, after)| (after - share(one, *answer)).max(0.0));
    gained.sum::<f64>().min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_is_what_has_to_move() {
        let one = vec![(0, 0.5), (1, 0.3), (2, 0.2)];
        assert_eq!(distance(&one, &one), 0.0);
        assert!((distance(&one, &vec![(0, 0.4), (1, 0.3), (2, 0.3)]) - 0.1).abs() < 1e-12);
        assert_eq!(distance(&one, &vec![(7, 1.0)]), 1.0);
        assert!((distance(&one, &vec![(0, 1.0)]) - 0.5).abs() < 1e-12);
    }
}
