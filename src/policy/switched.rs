//! What operators have set, as a selection asks for it: the numbers of the switches of a tree, and what they say in one query.
//!
//! A pool, each of its endpoints, and each target of a policy has a switch. Most times none of a zone is set; whoever answers asks
//! once ([`View::has_overrides_among`]), and a selection without a [`Lot`] looks at none. An endpoint's own switch goes before its pool's, which goes before health. One of a
//! policy's target is asked when that policy considers the target; of pools that are one set under a multivalue policy, for each
//! endpoint. Residency is asked apart from all this, so that no switch can open what it bars.
//!
//! What drains is in for some queries and out for others, by one number per query and the switch's own, so that it is the same
//! wherever one selection comes by it. Where draws stay with the client, so does this one.

use std::time::Duration;

use super::bound::{BoundEndpoint, BoundPool};
use super::random::{Random, mix};
use super::select::{Selection, Walk};
use super::sticky::StickyKey;
use super::trace::Trace;
use super::tree::{Policy, PolicyId, Routing, Target};
use crate::health::{DRAWS, Horizon, Switch, SwitchId, SwitchName, View};

/// What decides, in one query, whether what drains is still in.
#[derive(Clone, Copy, Debug)]
pub struct Lot(u64);

impl Lot {
    /// Draws one, where a switch may be set.
    #[inline]
    pub fn draw(sticky: Option<StickyKey>, random: &mut Random) -> Self {
        match sticky {
            Some(client) => Self(client.number()),
            None => Self(random.next_bits()),
        }
    }

    /// A number below [`DRAWS`] that is this query's own for a switch.
    fn ticket(self, id: SwitchId) -> u32 {
        let spread = mix(mix(u64::from(id.0)) ^ self.0) >> 32;
        u32::try_from(spread.wrapping_mul(u64::from(DRAWS)) >> 32).unwrap_or(0)
    }
}

/// How soon, at the earliest, something could change that operators have set, as far as they said so.
pub fn soonest_turn(view: &View, now_ms: u64) -> Horizon {
    view.next_turn_ms().map_or(Horizon::NEVER, |turn| {
        Horizon::within(Duration::from_millis(turn.saturating_sub(now_ms)))
    })
}

/// What a switch says in one query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    /// It is free.
    Nothing,
    Up,
    Down,
    /// It drains, and is still in: health decides, whatever a wider switch says.
    Stays,
}

impl<T: Trace> Selection<'_, T> {
    fn word(&self, lot: Lot, id: SwitchId) -> Word {
        match self.view.switch(id) {
            Switch::Free => Word::Nothing,
            Switch::Up => Word::Up,
            Switch::Down => Word::Down,
            drain @ Switch::Drain { .. } => match drain.wins(self.now_ms) {
                Some(wins) if lot.ticket(id) < wins => Word::Stays,
                _ => Word::Down,
            },
        }
    }

    /// Whether switches say that an endpoint of a pool, or of the set of a multivalue policy, is up; nothing where health decides.
    pub(super) fn forced(
        &self,
        lot: Lot,
        pool: &BoundPool,
        endpoint: &BoundEndpoint,
    ) -> Option<bool> {
        let edge = pool.edges.iter().find(|(id, _)| *id == endpoint.pool);
        let edge = edge.map_or(Word::Nothing, |(_, id)| self.word(lot, *id));
        let own = match self.word(lot, endpoint.switch) {
            Word::Nothing => {
                let whole = self.routing.pool(endpoint.pool);
                whole.map_or(Word::Nothing, |pool| self.word(lot, pool.switch))
            }
            word => word,
        };
        match (edge, own) {
            (Word::Down, _) | (_, Word::Down) => Some(false),
            (_, Word::Up) | (Word::Up, Word::Nothing) => Some(true),
            _ => None,
        }
    }

    /// Whether switches take an endpoint away in this query.
    pub(super) fn is_taken(&self, pool: &BoundPool, endpoint: &BoundEndpoint) -> bool {
        self.lot.is_some_and(|lot| self.forced(lot, pool, endpoint) == Some(false))
    }

    /// Whether a switch says that a target is up, or down, for a policy that considers it.
    #[cold]
    pub(super) fn forced_edge(&self, lot: Lot, from: PolicyId, target: Target) -> Option<bool> {
        let edges = &self.routing.policy(from)?.edges;
        let (_, id) = edges.iter().find(|(to, _)| *to == target)?;
        match self.word(lot, *id) {
            Word::Up => Some(true),
            Word::Down => Some(false),
            Word::Nothing | Word::Stays => None,
        }
    }

    /// As what a last resort walks: first what operators did not take away. While they took nothing away that is everything.
    pub(super) fn resort_walk(&self) -> Walk {
        if self.lot.is_some() { Walk::Spared } else { Walk::Any }
    }
}

/// Gives out the numbers of switches.
#[derive(Debug)]
pub(super) struct Numbers(u32);

impl Numbers {
    pub(super) fn from(first: SwitchId) -> Self {
        Self(first.0)
    }

    /// The number that the next one gets.
    pub(super) fn next(&self) -> SwitchId {
        SwitchId(self.0)
    }

    pub(super) fn take(&mut self) -> SwitchId {
        let id = self.next();
        self.0 = self.0.saturating_add(1);
        id
    }

    /// Numbers the targets of a policy.
    pub(super) fn number(&mut self, policy: &Policy) -> Box<[(Target, SwitchId)]> {
        edges_of(policy).into_iter().map(|target| (target, self.take())).collect()
    }
}

/// The targets of a policy, each once, in order.
fn edges_of(policy: &Policy) -> Vec<Target> {
    let mut edges: Vec<Target> = Vec::new();
    for target in policy.targets() {
        if !edges.contains(&target) {
            edges.push(target);
        }
    }
    edges
}

/// What each switch of a tree is for, in the order of their numbers: each pool and its endpoints, then each policy's targets.
pub fn switches_of(routing: &Routing) -> impl Iterator<Item = SwitchName<'_>> {
    let pools = routing.pools.iter().flat_map(|pool| {
        let endpoint = |label| SwitchName::Endpoint { pool: &pool.name, endpoint: label };
        let endpoints = pool.endpoints.iter().map(move |one| endpoint(&one.label));
        std::iter::once(SwitchName::Pool(&pool.name)).chain(endpoints)
    });
    let edges = routing.policies.iter().flat_map(|policy| {
        let name = |target| SwitchName::Target {
            policy: &policy.name,
            target: routing.target_name(target),
        };
        edges_of(policy).into_iter().map(name)
    });
    pools.chain(edges)
}
