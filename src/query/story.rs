//! The stages of one answer, told to whoever explains it. Answering queries tells nobody, at no cost.

use std::net::IpAddr;

use crate::health::Horizon;
use crate::policy::{Chosen, NoTrace, Step, Target, Trace};
use crate::wire::Ttl;
use crate::zone::ZoneId;

/// Whose address decided where the client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlacedBy {
    /// The client subnet of the query (rule 75).
    Subnet,
    /// The resolver's address, since the query had no client subnet, or one of length 0.
    Resolver,
    /// The resolver's address, since the client subnet has no known location.
    ResolverInstead,
}

/// One stage of an answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stage<'a> {
    /// The name, or what stands for it, was found.
    Found { node: &'a [u8], is_wildcard: bool },
    /// A delegation stands above the name.
    Delegation { cut: &'a [u8] },
    /// The name is below a DNAME.
    Redirect { node: &'a [u8] },
    /// The zone has no such name.
    NoSuchName,
    /// The name has a route, and begins here.
    Route { zone: ZoneId, target: Target, depends_on_place: bool },
    /// The client was placed for the route.
    Placed { by: PlacedBy, address: IpAddr, source: u8, scope: u8 },
    /// The selection came to its end; with how soon anything could change that it looked at, the lowest TTL that the answer is
    /// capped to, and the TTL that it has otherwise.
    Selected { chosen: Option<Chosen>, horizon: Horizon, floor: Ttl, ttl: Ttl },
    /// A CNAME leads here.
    Follow(&'a [u8]),
}

/// Listens to the stages of an answer and to the steps of its selections.
pub(super) trait Story: Trace {
    fn stage(&mut self, stage: Stage<'_>);
}

impl Story for NoTrace {
    #[inline]
    fn stage(&mut self, _: Stage<'_>) {}
}

/// What an explanation keeps of a story.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Found {
        node: Box<[u8]>,
        is_wildcard: bool,
    },
    Delegation {
        cut: Box<[u8]>,
    },
    Redirect {
        node: Box<[u8]>,
    },
    NoSuchName,
    Route {
        zone: ZoneId,
        target: Target,
        depends_on_place: bool,
    },
    Placed {
        by: PlacedBy,
        address: IpAddr,
        scope: u8,
    },
    /// A step of a selection, with the zone whose pools and policies it is about, and the client's address and how many bits of
    /// it are known.
    Step {
        zone: ZoneId,
        client: (IpAddr, u8),
        depth: usize,
        step: Step,
    },
    Selected {
        chosen: Option<Chosen>,
        horizon: Horizon,
        floor: Ttl,
        ttl: Ttl,
    },
    Follow(Box<[u8]>),
}

/// Writes a story down.
#[derive(Clone, Debug)]
pub(super) struct Recorder {
    pub(super) events: Vec<Event>,
    /// The zone of the route that is being followed.
    zone: ZoneId,
    /// The address that the client was last placed by, and how many bits of it are known.
    client: (IpAddr, u8),
}

impl Recorder {
    /// Begins a story; until the client is placed by its subnet, it is where its resolver is.
    pub(super) fn new(resolver: IpAddr) -> Self {
        Self { events: Vec::new(), zone: ZoneId(0), client: (resolver, u8::MAX) }
    }
}

impl Trace for Recorder {
    fn note(&mut self, depth: usize, step: Step) {
        self.events.push(Event::Step { zone: self.zone, client: self.client, depth, step });
    }
}

impl Story for Recorder {
    fn stage(&mut self, stage: Stage<'_>) {
        self.events.push(match stage {
            Stage::Found { node, is_wildcard } => Event::Found { node: node.into(), is_wildcard },
            Stage::Delegation { cut } => Event::Delegation { cut: cut.into() },
            Stage::Redirect { node } => Event::Redirect { node: node.into() },
            Stage::NoSuchName => Event::NoSuchName,
            Stage::Route { zone, target, depends_on_place } => {
                self.zone = zone;
                Event::Route { zone, target, depends_on_place }
            }
            Stage::Placed { by, address, source, scope } => {
                self.client = (address, source);
                Event::Placed { by, address, scope }
            }
            Stage::Selected { chosen, horizon, floor, ttl } => {
                Event::Selected { chosen, horizon, floor, ttl }
            }
            Stage::Follow(name) => Event::Follow(name.into()),
        });
    }
}
