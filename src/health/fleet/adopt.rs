//! From one generation of targets to the next: what is equal goes on as it was, what only has another pace goes on from its status.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::member::Member;
use super::{Fleet, FleetSettings, MemberId};
use crate::health::check::ProbeTarget;
use crate::health::guard::{Guard, Pulse};
use crate::health::memory::Memory;
use crate::health::moment::Moment;
use crate::health::plan::Plan;
use crate::health::view::{TargetId, View};

/// What a change of generation means for whoever probes.
#[derive(Debug, Default)]
pub struct Adopted {
    /// To be probed from now on.
    pub started: Vec<NewMember>,
    /// Not to be probed any more.
    pub stopped: Vec<MemberId>,
}

/// A member that is to be probed.
#[derive(Clone, Debug)]
pub struct NewMember {
    pub id: MemberId,
    pub target: ProbeTarget,
    /// Its number among those that are probed: its place in the interval.
    pub number: u32,
    /// What is known of it is fresh: its first probe need not come at once.
    pub is_resumed: bool,
}

impl Fleet {
    /// A fleet without targets, but with its sentinels; these are among the first that [`Fleet::adopt`] starts.
    pub fn new(settings: FleetSettings) -> Self {
        Self {
            settings,
            members: Vec::new(),
            pulses: Vec::new(),
            free: Vec::new(),
            index: HashMap::new(),
            view: Arc::new(View::new(0)),
            guard: Guard::default(),
            blind: 0,
            is_blind: false,
            is_deaf: false,
            pending: 0,
            runs: 0,
            ticked: None,
            summoned: Vec::new(),
            last_summons: None,
            jury: Vec::new(),
            jury_patience: Duration::ZERO,
            news: Vec::new(),
        }
    }

    /// Goes over to another generation and its view. A target that is equal to one of the old generation goes on; one that asks the
    /// same goes on from the status it had, since an endpoint that is down must not come back into the answers because somebody
    /// tunes a check; so does one that is in `memories`. What everybody sees is in the new view when this returns; the old one is
    /// not written any more.
    pub fn adopt(
        &mut self,
        plan: &Plan,
        view: Arc<View>,
        memories: &[Memory],
        now: Moment,
    ) -> Adopted {
        let has_new = plan.targets.iter().any(|target| !self.index.contains_key(target));
        let known = if has_new { self.know(memories, now) } else { HashMap::new() };
        let sentinels = self.settings.sentinels.clone();
        for member in self.members.iter_mut().flatten() {
            member.forget_generation();
        }
        self.view = view;
        let mut adopted = Adopted::default();
        for ((target, pools), id) in plan.iter().zip((0u32..).map(TargetId)) {
            let place = self.seat(target, &known, now, &mut adopted);
            if let Some(member) = self.at(place) {
                member.ids.push(id);
                member.add_pools(pools);
            }
        }
        for target in &sentinels {
            let place = self.seat(target, &known, now, &mut adopted);
            if let Some(member) = self.at(place) {
                member.is_sentinel = true;
            }
        }
        self.dismiss(&mut adopted);
        self.relate();
        self.publish_all(now);
        let unsettled = self.members.iter().flatten().filter(|member| !member.is_settled());
        self.pending = unsettled.count();
        adopted
    }

    /// What is known of each thing that can be asked: what the old generation believes goes before what is remembered.
    fn know(&self, memories: &[Memory], now: Moment) -> HashMap<String, Memory> {
        let living = self.members.iter().flatten().filter(|member| member.is_endpoint());
        let living = living.map(|member| member.memory(now));
        let all = memories.iter().cloned().chain(living);
        all.map(|memory| (memory.key.clone(), memory)).collect()
    }

    /// The place of a target: the one it has, or a new one.
    fn seat(
        &mut self,
        target: &ProbeTarget,
        known: &HashMap<String, Memory>,
        now: Moment,
        adopted: &mut Adopted,
    ) -> usize {
        if let Some(place) = self.index.get(target) {
            return *place;
        }
        self.runs = self.runs.saturating_add(1);
        let mut member = Member::new(target.clone(), self.runs, now);
        if let Some(memory) = known.get(&target.key()) {
            member.resume(memory, now);
        }
        let place = match self.free.pop() {
            Some(place) => place,
            None => {
                self.members.push(None);
                self.pulses.push(Pulse::default());
                self.members.len().saturating_sub(1)
            }
        };
        if member.is_probed() {
            let id = MemberId { place, run: member.run };
            let number = u32::try_from(place).unwrap_or(u32::MAX);
            let (target, is_resumed) = (target.clone(), member.is_resumed);
            adopted.started.push(NewMember { id, target, number, is_resumed });
        }
        self.index.insert(target.clone(), place);
        if let Some(seat) = self.members.get_mut(place) {
            *seat = Some(member);
        }
        place
    }

    /// Lets go of those that nobody names any more.
    fn dismiss(&mut self, adopted: &mut Adopted) {
        // Those of which another goes on: they are as they were.
        let heirs = adopted.started.iter().filter(|one| one.is_resumed);
        let heirs: HashSet<String> = heirs.map(|one| one.target.key()).collect();
        let mut gone = Vec::new();
        for (place, seat) in self.members.iter_mut().enumerate() {
            let is_gone = |member: &mut Member| member.ids.is_empty() && !member.is_sentinel;
            let Some(member) = seat.take_if(is_gone) else { continue };
            gone.extend(member.farewell().filter(|_| !heirs.contains(&member.target.key())));
            self.index.remove(&member.target);
            self.free.push(place);
            self.blind = self.blind.saturating_sub(u32::from(member.is_blind));
            if let Some(pulse) = self.pulses.get_mut(place) {
                *pulse = Pulse::default();
            }
            if member.is_probed() {
                adopted.stopped.push(MemberId { place, run: member.run });
            }
        }
        gone.into_iter().for_each(|happening| self.tell(happening));
    }

    /// Finds what is calculated from what, and where everything belongs.
    fn relate(&mut self) {
        let mut links: Vec<(usize, Box<[usize]>)> = Vec::new();
        for (place, member) in self.members.iter().enumerate() {
            let Some(member) = member else { continue };
            let children = member.target.children();
            let places: Box<[usize]> =
                children.filter_map(|child| self.index.get(&child).copied()).collect();
            if !places.is_empty() {
                links.push((place, places));
            }
        }
        for (parent, children) in links {
            for child in &children {
                if let Some(child) = self.at(*child).filter(|one| !one.parents.contains(&parent)) {
                    child.parents.push(parent);
                }
            }
            if let Some(member) = self.at(parent) {
                member.children = children;
            }
        }
        let mut numbers: HashMap<Arc<str>, u32> = HashMap::new();
        for (member, pulse) in self.members.iter().zip(&mut self.pulses) {
            let Some(member) = member else { continue };
            let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
            let pool = member.pools.first().cloned().unwrap_or_else(|| "".into());
            pulse.pool = *numbers.entry(pool).or_insert(next);
            pulse.part = member.part();
        }
    }

    /// Writes all of the new view. What is calculated comes last, from what the others show.
    fn publish_all(&mut self, now: Moment) {
        for place in 0..self.members.len() {
            match self.calculate(place) {
                Some(status) if self.at(place).is_some_and(|one| one.believed != status) => {
                    self.believe(place, status, "calculated from other checks", now);
                }
                _ => drop(self.write(place, now)),
            }
        }
    }
}
