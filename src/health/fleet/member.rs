//! One target in the fleet: what is known of it, and what everybody else is let see.

use std::sync::Arc;

use super::Known;
use crate::health::check::{CheckSpec, LatencyMeasure, ProbeTarget};
use crate::health::event::Happening;
use crate::health::guard::Part;
use crate::health::horizon::Horizon;
use crate::health::latency::{RecentLatencies, SmoothedLatency};
use crate::health::machine::{Machine, State};
use crate::health::memory::Memory;
use crate::health::moment::Moment;
use crate::health::observation::{FailureReason, Observation};
use crate::health::protocol::{Missing, Protocol};
use crate::health::tally::Tally;
use crate::health::view::{Status, TargetId, View};
use crate::limits::EVENT_POOLS;

/// See the module.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) target: ProbeTarget,
    /// Its numbers in this generation: one, unless the list names it twice; none for a sentinel.
    pub(super) ids: Vec<TargetId>,
    pub(super) pools: Box<[Arc<str>]>,
    /// Those of the generation before.
    former_pools: Box<[Arc<str>]>,
    /// Tells this life of the target from those before: what a former one learns comes too late.
    pub(super) run: u64,
    /// What results decide. What is not probed never moves it.
    pub(super) machine: Machine,
    /// What the guard lets through, or what was reported or calculated.
    pub(super) believed: Status,
    /// The guard holds a decision back.
    pub(super) is_held: bool,
    /// Errors of our own side are all that its last probe met.
    pub(super) is_blind: bool,
    pub(super) is_sentinel: bool,
    /// What a memory told stands for a first result.
    pub(super) is_resumed: bool,
    pub(super) latency: SmoothedLatency,
    pub(super) recent: RecentLatencies,
    /// In microseconds, as policies see it; 0 if nothing is known.
    pub(super) known_latency_us: u32,
    pub(super) tally: Tally,
    /// When what everybody sees last changed, or when the target became known; and when it last came up after it was down.
    pub(super) since: Moment,
    recovered: Option<Moment>,
    /// When it was last reported, if that is how it is known.
    pub(super) reported: Option<Moment>,
    /// The end of its certificate, in milliseconds since 1970, and when somebody was last told that it is near.
    pub(super) certificate_ends_ms: Option<u64>,
    pub(super) certificate_told: Option<Moment>,
    /// Places of what it is calculated from, and of what is calculated from it.
    pub(super) children: Box<[usize]>,
    pub(super) parents: Vec<usize>,
}

impl Member {
    pub(super) fn new(target: ProbeTarget, run: u64, now: Moment) -> Self {
        let believed = match &target.check.protocol {
            _ if target.check.is_disabled => Status::Up,
            Protocol::External(external) if external.missing == Missing::Down => Status::Down,
            _ => Status::Unknown,
        };
        Self {
            target,
            ids: Vec::new(),
            pools: Box::default(),
            former_pools: Box::default(),
            run,
            machine: Machine::new(now),
            believed,
            is_held: false,
            is_blind: false,
            is_sentinel: false,
            is_resumed: false,
            latency: SmoothedLatency::default(),
            recent: RecentLatencies::default(),
            known_latency_us: 0,
            tally: Tally::default(),
            since: now,
            recovered: None,
            reported: None,
            certificate_ends_ms: None,
            certificate_told: None,
            children: Box::default(),
            parents: Vec::new(),
        }
    }

    /// Whatever belongs to one generation of targets: numbers, pools, relations.
    pub(super) fn forget_generation(&mut self) {
        self.ids.clear();
        self.former_pools = std::mem::take(&mut self.pools);
        self.is_sentinel = false;
        self.children = Box::default();
        self.parents.clear();
    }

    pub(super) fn add_pools(&mut self, pools: &[Arc<str>]) {
        let more = pools.iter().filter(|pool| !self.pools.contains(pool)).cloned();
        let more: Vec<Arc<str>> = more.collect();
        if !more.is_empty() {
            self.pools = self.pools.iter().cloned().chain(more).collect();
        }
    }

    pub(super) fn check(&self) -> &CheckSpec {
        &self.target.check
    }

    /// Whether answers depend on it, be it a sentinel as well or not.
    pub(super) fn is_endpoint(&self) -> bool {
        !self.ids.is_empty()
    }

    pub(super) fn is_probed(&self) -> bool {
        self.check().is_probed()
    }

    /// Whether start-up has nothing to wait for any more.
    pub(super) fn is_settled(&self) -> bool {
        !self.is_probed() || self.is_sentinel || self.is_resumed || self.tally.total() > 0
    }

    /// What everybody sees (rules 69 and 70): a new inverted check is down until there are data.
    pub(super) fn shown(&self) -> Status {
        match self.believed {
            believed if !self.check().is_inverted => believed,
            Status::Unknown => Status::Down,
            believed => believed.inverted(),
        }
    }

    /// What everybody sees may have changed, from this. What nothing was known of has not come back.
    pub(super) fn note_shown(&mut self, from: Status, was_known: bool, now: Moment) {
        let to = self.shown();
        if from == to {
            return;
        }
        self.since = now;
        if was_known && from == Status::Down && to == Status::Up {
            self.recovered = Some(now);
        }
    }

    /// What is to be told when nobody names it any more: what is down would stay so for ever in the eyes of who was told.
    pub(super) fn farewell(&self) -> Option<Happening> {
        let was_told = self.shown() == Status::Down && !self.former_pools.is_empty();
        was_told.then(|| Happening::Endpoint {
            target: self.target.to_string(),
            pools: names(&self.former_pools),
            from: Status::Down.to_string(),
            to: Status::Unknown.to_string(),
            reason: "no longer probed, or in another way".to_owned(),
            streak: 0,
        })
    }

    pub(super) fn part(&self) -> Part {
        match self.believed {
            _ if self.is_sentinel => Part::Sentinel,
            Status::Up | Status::Unknown if self.is_probed() => Part::Witness,
            _ => Part::None,
        }
    }

    /// How soon what is shown could change at the earliest. `of_children` is the soonest of what it is calculated from.
    pub(super) fn horizon(&self, of_children: Option<Horizon>, now: Moment) -> Horizon {
        match &self.check().protocol {
            _ if self.check().is_disabled => Horizon::NEVER,
            Protocol::Calculated(_) => of_children.unwrap_or(Horizon::NEVER),
            Protocol::External(external) => match (self.reported, external.missing) {
                (Some(at), Missing::Up | Missing::Down) => {
                    Horizon::within(external.stale_after.saturating_sub(now.since(at)))
                }
                _ => Horizon::NEVER,
            },
            _ => self.machine.horizon(self.check(), now),
        }
    }

    /// Writes what everybody sees, the status last.
    pub(super) fn publish(&self, view: &View, horizon: Horizon) {
        for &id in &self.ids {
            // A moment of 0 would say that it never recovered.
            view.set_recovered_ms(id, self.recovered.map_or(0, |at| at.0.max(1)));
            view.set_latency_us(id, self.known_latency_us);
            view.set_until(id, self.shown(), horizon);
        }
    }

    /// Takes the latency of a success in.
    pub(super) fn measure(&mut self, observation: &Observation) {
        let Observation::Success { latency } = observation else { return };
        self.recent.observe(*latency);
        let smoothed = self.latency.observe(*latency);
        let steady = |percentile: Option<u32>, known: u32| {
            let percentile = percentile.unwrap_or(known);
            if percentile.abs_diff(known) > known / 10 { percentile } else { known }
        };
        self.known_latency_us = match self.check().latency {
            LatencyMeasure::Average => smoothed.unwrap_or(self.known_latency_us),
            LatencyMeasure::P50 => steady(self.recent.percentile(50), self.known_latency_us),
            LatencyMeasure::P95 => steady(self.recent.percentile(95), self.known_latency_us),
        };
    }

    pub(super) fn memory(&self, now: Moment) -> Memory {
        let ago = |moment: Moment| u64::try_from(now.since(moment).as_millis()).unwrap_or(u64::MAX);
        Memory {
            key: self.target.key(),
            status: self.believed,
            relapses: self.machine.relapses(),
            changed_ago_ms: ago(self.since),
            recovered_ago_ms: self.recovered.map(ago),
            seen_ago_ms: self.reported.or(self.tally.last_probe).map(ago),
            latency_us: self.known_latency_us,
        }
    }

    /// Goes on from what is remembered.
    pub(super) fn resume(&mut self, memory: &Memory, now: Moment) {
        let at = |ago_ms: u64| Moment(now.0.saturating_sub(ago_ms));
        let check = Arc::clone(&self.target.check);
        if check.is_disabled {
            return;
        }
        self.believed = memory.status;
        self.is_resumed = memory.status != Status::Unknown;
        self.known_latency_us = memory.latency_us;
        self.since = at(memory.changed_ago_ms);
        self.recovered = memory.recovered_ago_ms.map(at);
        if let Protocol::External(_) = check.protocol {
            self.reported = memory.seen_ago_ms.map(at);
        } else {
            let relapses = memory.relapses;
            self.machine = Machine::resume(memory.status, relapses, self.since, &check, now);
        }
    }

    pub(super) fn known(&self, id: TargetId, now: Moment) -> Known {
        Known {
            id,
            target: self.target.clone(),
            pools: self.pools.clone(),
            status: self.shown(),
            state: self.machine.state(),
            is_held: self.is_held,
            is_ready: self.machine.state() == State::Ready,
            since: self.since,
            age: now.since(self.since),
            streak: self.machine.streak(),
            latency_us: self.known_latency_us,
            p50_us: self.recent.percentile(50),
            p95_us: self.recent.percentile(95),
            certificate_ends_ms: self.certificate_ends_ms,
            tally: self.tally.clone(),
        }
    }

    /// What the last result was, in words.
    pub(super) fn last_failure(&self) -> Option<&FailureReason> {
        self.tally.last_failure.as_ref()
    }
}

/// Pools as events name them.
pub(super) fn names(pools: &[Arc<str>]) -> Vec<String> {
    pools.iter().take(EVENT_POOLS).map(|pool| pool.to_string()).collect()
}
