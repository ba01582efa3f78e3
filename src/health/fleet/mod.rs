//! All targets of a generation, and what is decided of them: results come in, statuses go out to the [`View`].
//!
//! ```text
//! observe ─▶ Machine ─▶ Guard ─▶ believed ─▶ inverted? ─▶ shown ─▶ View
//! report  ───────────────────────────▲            │
//! children ──── Quorum ──────────────┘◀───────────┘
//! ```
//!
//! Pure: who probes, and the clock, are the caller's; so a simulation drives the very code that decides in the server. The caller
//! spawns what [`Fleet::adopt`] says is new, waits as long as [`Fleet::observe`] says, calls [`Fleet::tick`] several times a second,
//! and tells what [`Fleet::take_news`] gives.
//!
//! Invariants: the view is written here and nowhere else; what is calculated is up to date whenever a call returns; a result of a
//! former life of a target changes nothing ([`MemberId`]).

mod adopt;
mod member;
#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::check::ProbeTarget;
use super::event::Happening;
use super::guard::{Guard, GuardSettings, Part, Pulse, Survey, Turn};
use super::machine::{Decision, State};
use super::memory::Memory;
use super::moment::Moment;
use super::observation::{FailureReason, Observation};
use super::protocol::{Missing, Protocol};
use super::quorum::Count;
use super::tally::Tally;
use super::view::{Status, TargetId, View};
use crate::limits::{
    CERTIFICATE_TOLD_MS, FLEET_NEWS, JURY, JURY_MS, REPORT_REASON_CHARACTERS, SENTINELS_SILENT_MS,
    SUMMONS_MS, TICK_LATE_MS,
};

pub use adopt::{Adopted, NewMember};
use member::{Member, names};

/// What a fleet is given for good.
#[derive(Clone, Debug, Default)]
pub struct FleetSettings {
    /// When failures are doubted; never if absent.
    pub guard: Option<GuardSettings>,
    /// Asked to learn about ourselves: none, or two at least.
    pub sentinels: Vec<ProbeTarget>,
}

/// One life of one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MemberId {
    place: usize,
    run: u64,
}

/// What is known of one target, at one instant.
#[derive(Clone, Debug)]
pub struct Known {
    /// The target's number in the current generation.
    pub id: TargetId,
    pub target: ProbeTarget,
    /// The pools that have it, as `example.com/us`.
    pub pools: Box<[Arc<str>]>,
    /// As everybody sees it.
    pub status: Status,
    /// As results have moved it.
    pub state: State,
    /// The guard holds back that it is down.
    pub is_held: bool,
    /// It answers again and waits to be confirmed.
    pub is_ready: bool,
    /// When the status last changed, or when the target became known.
    pub since: Moment,
    /// How long ago that was.
    pub age: Duration,
    /// Equal results in a row up to the last probe.
    pub streak: u32,
    /// As policies see it, in microseconds; 0 if nothing is known.
    pub latency_us: u32,
    pub p50_us: Option<u32>,
    pub p95_us: Option<u32>,
    /// The end of the certificate that was last presented, in milliseconds since 1970.
    pub certificate_ends_ms: Option<u64>,
    /// Counts and last results. Kept over reloads as long as the target stays the same.
    pub tally: Tally,
}

/// See the module.
#[derive(Debug)]
pub struct Fleet {
    settings: FleetSettings,
    members: Vec<Option<Member>>,
    /// Beside each member, packed, what the guard asks of all of them at once.
    pulses: Vec<Pulse>,
    /// Places that nobody has.
    free: Vec<usize>,
    index: HashMap<ProbeTarget, usize>,
    view: Arc<View>,
    guard: Guard,
    /// Members whose last probe met errors of our own side only.
    blind: u32,
    is_blind: bool,
    /// No sentinel answers, and somebody was told.
    is_deaf: bool,
    /// Members whose first result start-up waits for.
    pending: usize,
    runs: u64,
    ticked: Option<Moment>,
    /// Members to be probed at once, and when some were named last.
    summoned: Vec<MemberId>,
    last_summons: Option<Moment>,
    /// The places of those, and for how long they are waited for.
    jury: Vec<usize>,
    jury_patience: Duration,
    news: Vec<Happening>,
}

impl Fleet {
    /// Takes in the result of a probe of a member that began at `started` and ended at `now`. Gives the time to wait before the next;
    /// nothing if this life of the member is over.
    pub fn observe(
        &mut self,
        id: MemberId,
        observation: &Observation,
        started: Moment,
        now: Moment,
    ) -> Option<Duration> {
        let member = self.member_mut(id)?;
        let was_settled = member.is_settled();
        member.tally.add(observation, now);
        member.measure(observation);
        let before = member.machine.clone();
        let (machine, decision) = before.clone().observe(observation, &member.target.check, now);
        member.machine = machine;
        // What answers has nothing that could be held back.
        member.is_held &= !matches!(observation, Observation::Success { .. });
        self.note_pulse(id.place, observation, now);
        let mut is_put_off = false;
        match decision {
            // The first observation decides at once, but while the guard holds: what nothing was known of is no witness.
            Some(Decision { from, to: Status::Down, .. })
                if self.guard.holds()
                    || from == Status::Up && self.doubts(id.place, started, now) =>
            {
                // As if it had not been decided: the next failure asks again.
                let is_held = self.guard.holds();
                let member = self.member_mut(id)?;
                (member.machine, member.is_held) = (before, is_held);
                is_put_off = true;
            }
            Some(Decision { to, .. }) => {
                self.believe(id.place, to, &observation.to_string(), now);
            }
            None => {}
        }
        self.publish(id.place, now);
        let member = self.member_mut(id)?;
        let wait = member.machine.next_probe(&member.target.check, started, now);
        let wait = if is_put_off { wait.min(member.target.check.retry) } else { wait };
        // Last, because whoever waits for the first round reads the view without asking again.
        self.pending = self.pending.saturating_sub(usize::from(!was_settled));
        Some(wait)
    }

    /// Takes in when a member's certificate ends, in milliseconds since 1970; `unix_ms` is the time now.
    pub fn note_certificate(&mut self, id: MemberId, ends_ms: u64, unix_ms: u64, now: Moment) {
        let Some(member) = self.member_mut(id) else { return };
        member.certificate_ends_ms = Some(ends_ms);
        let warns_before = member
            .target
            .check
            .protocol
            .tls()
            .map_or(0, |tls| u64::try_from(tls.warns_before.as_millis()).unwrap_or(u64::MAX));
        let is_near = warns_before > 0 && ends_ms < unix_ms.saturating_add(warns_before);
        let pause = Duration::from_millis(CERTIFICATE_TOLD_MS);
        let was_told = member.certificate_told.is_some_and(|told| now.since(told) < pause);
        if !is_near || was_told {
            return;
        }
        member.certificate_told = Some(now);
        let (target, pools) = (member.target.to_string(), names(&member.pools));
        self.tell(Happening::Certificate { target, pools, ends_ms });
    }

    /// Takes in a report from outside about an external check, for one endpoint or for all of it. Gives how many took it.
    pub fn report(
        &mut self,
        name: &str,
        address: Option<&str>,
        is_up: bool,
        reason: &str,
        now: Moment,
    ) -> usize {
        let is_meant = |target: &ProbeTarget| match &target.check.protocol {
            Protocol::External(external) => {
                external.name.eq_ignore_ascii_case(name)
                    && address.is_none_or(|address| target.address.to_string() == address)
            }
            _ => false,
        };
        let places: Vec<usize> = self.places(|member| is_meant(&member.target)).collect();
        let reason: Box<str> =
            reason.chars().filter(|c| !c.is_control()).take(REPORT_REASON_CHARACTERS).collect();
        for &place in &places {
            let observation = if is_up {
                Observation::Success { latency: Duration::ZERO }
            } else {
                Observation::Failure(FailureReason::Reported(reason.clone()))
            };
            let Some(member) = self.at(place) else { continue };
            member.tally.add(&observation, now);
            member.reported = Some(now);
            let status = if is_up { Status::Up } else { Status::Down };
            let why = if is_up { "reported up".to_owned() } else { observation.to_string() };
            self.believe(place, status, &why, now);
            self.publish(place, now);
        }
        places.len()
    }

    /// An operator says that what waits for it is back. Gives the targets that were ready and that `is_meant` says yes to.
    pub fn confirm(
        &mut self,
        author: &str,
        is_meant: impl Fn(&ProbeTarget, &[Arc<str>]) -> bool,
        now: Moment,
    ) -> Vec<String> {
        let is_ready = |member: &Member| member.machine.state() == State::Ready;
        let ready = self.places(|one| is_ready(one) && is_meant(&one.target, &one.pools));
        let ready: Vec<usize> = ready.collect();
        let mut confirmed = Vec::new();
        for place in ready {
            let Some(member) = self.at(place) else { continue };
            let (machine, decision) = member.machine.clone().confirm(now);
            member.machine = machine;
            let (target, pools) = (member.target.to_string(), names(&member.pools));
            confirmed.push(target.clone());
            self.tell(Happening::Confirmed { target, pools, author: author.to_owned() });
            if let Some(decision) = decision {
                self.believe(place, decision.to, "confirmed by an operator", now);
            }
            self.publish(place, now);
        }
        confirmed
    }

    /// An operator says that what the guard doubts is so. Whether it held anything back.
    pub fn release_guard(&mut self, now: Moment) -> bool {
        let turn = self.guard.overrule();
        self.turn(turn, Survey::default(), now);
        turn.is_some()
    }

    /// What time alone changes: reports that grow old, and the guard's patience. To be called several times a second.
    pub fn tick(&mut self, now: Moment) {
        self.forgive_lateness(now);
        self.expire_reports(now);
        if let Some(settings) = self.settings.guard {
            let pulses = &self.pulses;
            let turn = self.guard.review(|onset| Survey::take(pulses, onset, now), &settings, now);
            self.turn(turn, Survey::default(), now);
        }
        self.watch_sight();
        self.watch_sentinels(now);
    }

    /// What happened since the last time, oldest first.
    pub fn take_news(&mut self) -> Vec<Happening> {
        std::mem::take(&mut self.news)
    }

    /// Who is to be probed at once, because somebody else has begun to fail: they know whether it is us.
    pub fn take_summoned(&mut self) -> Vec<MemberId> {
        std::mem::take(&mut self.summoned)
    }

    /// What is known of every target, in order of id.
    pub fn known(&self, now: Moment) -> Vec<Known> {
        let members = self.members.iter().flatten();
        let mut known: Vec<Known> =
            members.flat_map(|one| one.ids.iter().map(move |&id| one.known(id, now))).collect();
        known.sort_by_key(|one| one.id);
        known
    }

    /// What is worth keeping over a restart.
    pub fn memories(&self, now: Moment) -> Vec<Memory> {
        let members = self.members.iter().flatten().filter(|member| member.is_endpoint());
        members.map(|member| member.memory(now)).collect()
    }

    /// How many members have had no result yet and are waited for.
    pub fn pending(&self) -> usize {
        self.pending
    }

    /// Where the guard stands.
    pub fn guard(&self) -> Guard {
        self.guard
    }

    /// Whether probes learn nothing, because of errors of our own side.
    pub fn is_blind(&self) -> bool {
        self.is_blind
    }

    fn member_mut(&mut self, id: MemberId) -> Option<&mut Member> {
        self.members.get_mut(id.place)?.as_mut().filter(|member| member.run == id.run)
    }

    fn at(&mut self, place: usize) -> Option<&mut Member> {
        self.members.get_mut(place)?.as_mut()
    }

    fn places(&self, is_meant: impl Fn(&Member) -> bool) -> impl Iterator<Item = usize> {
        let members = self.members.iter().enumerate();
        members.filter_map(move |(place, one)| one.as_ref().is_some_and(&is_meant).then_some(place))
    }

    /// Keeps for the guard what a result says of us.
    fn note_pulse(&mut self, place: usize, observation: &Observation, now: Moment) {
        let Some(member) = self.members.get_mut(place).and_then(Option::as_mut) else { return };
        let is_blind = matches!(observation, Observation::Nothing(reason) if reason.is_general());
        match (member.is_blind, is_blind) {
            (false, true) => self.blind = self.blind.saturating_add(1),
            (true, false) => self.blind = self.blind.saturating_sub(1),
            _ => {}
        }
        member.is_blind = is_blind;
        let Some(pulse) = self.pulses.get_mut(place) else { return };
        let is_success = match observation {
            Observation::Success { .. } => true,
            Observation::Failure(_) => false,
            Observation::Nothing(_) => return pulse.is_mute = !is_blind,
        };
        if pulse.note(is_success, now) && pulse.part == Part::Witness {
            self.summon(place, now);
        }
    }

    /// Asks some of other pools, and the sentinels, to be probed now: by the time that the one which has begun to fail is to go down,
    /// they have told whether it is us. Those that fail themselves are looked at closer anyway.
    fn summon(&mut self, place: usize, now: Moment) {
        let pause = Duration::from_millis(SUMMONS_MS);
        // One of those who were asked and fails himself brings in others.
        let is_too_soon = self.last_summons.is_some_and(|last| now.since(last) < pause)
            && !self.jury.contains(&place);
        let Some(accuser) = self.pulses.get(place).filter(|_| !is_too_soon).copied() else {
            return;
        };
        if self.settings.guard.is_none() {
            return;
        }
        self.last_summons = Some(now);
        let pulses = self.pulses.iter().enumerate();
        // Beginning behind the one that accuses, so that it is not always the same ones.
        let others = pulses.clone().skip(place).chain(pulses.take(place));
        let is_sentinel = |pulse: &Pulse| pulse.part == Part::Sentinel;
        let sentinels = others.clone().filter(|(_, pulse)| is_sentinel(pulse));
        let witnesses = others.filter(|(_, pulse)| {
            let is_good = !pulse.is_mute && pulse.failing_since().is_none();
            pulse.part == Part::Witness && is_good && pulse.pool != accuser.pool
        });
        let jury: Vec<usize> =
            witnesses.take(JURY).chain(sentinels).map(|(place, _)| place).collect();
        if jury.is_empty() {
            return;
        }
        let mut slowest = Duration::ZERO;
        for &place in &jury {
            let Some(member) = self.members.get(place).and_then(Option::as_ref) else { continue };
            slowest = slowest.max(member.check().timeout);
            self.summoned.push(MemberId { place, run: member.run });
        }
        self.jury = jury;
        self.jury_patience = slowest.saturating_add(Duration::from_millis(JURY_MS));
    }

    /// Whether nothing goes down at present, or from this one on, whose probe began at `started`.
    fn doubts(&mut self, place: usize, started: Moment, now: Moment) -> bool {
        let Some(settings) = self.settings.guard else { return false };
        if self.at(place).is_none_or(|member| member.ids.is_empty()) {
            return false;
        }
        let onset = self.pulses.get(place).and_then(Pulse::failing_since).unwrap_or(now);
        let survey = Survey::take(&self.pulses, onset, now);
        if self.awaits_jury(survey, onset, now) {
            return true;
        }
        let turn = self.guard.doubt(&survey, &settings, onset, now);
        self.turn(turn, survey, now);
        // Doubts that the present does not bear out would be over at once: what is judged has to fail once more.
        let before = Survey::look_back(&self.pulses, onset, started, now);
        let is_doubted = self.guard == Guard::Trusting && before.doubt(&settings).is_some();
        self.guard.holds() || is_doubted
    }

    /// Whether nobody has been seen to answer since `onset`, though others were asked a moment ago and have not been heard.
    fn awaits_jury(&self, survey: Survey, onset: Moment, now: Moment) -> bool {
        let is_called = self.last_summons.is_some_and(|last| now.since(last) < self.jury_patience);
        let is_unheard = |place: &usize| {
            let pulse = self.pulses.get(*place);
            pulse.is_some_and(|one| one.part != Part::None && one.seen < Some(onset))
        };
        let is_alone = match survey.sentinels.saturating_add(survey.unheard) {
            0 => survey.failing == survey.observed,
            _ => survey.answering == 0,
        };
        self.guard == Guard::Trusting && is_called && is_alone && self.jury.iter().any(is_unheard)
    }

    /// Tells that the guard turned; when it lets go, what it held back is believed.
    fn turn(&mut self, turn: Option<Turn>, survey: Survey, now: Moment) {
        match turn {
            None => {}
            Some(Turn::Held(doubt)) => {
                let Survey { failing, observed, .. } = survey;
                let reason = doubt.as_text().to_owned();
                self.tell(Happening::GuardHeld { reason, failing, observed });
            }
            Some(Turn::Released(reason)) => {
                self.tell(Happening::GuardReleased { reason: reason.to_owned() });
                let doubted = self.places(|one| one.is_held || one.machine.is_failing());
                let doubted: Vec<usize> = doubted.collect();
                for place in doubted {
                    self.let_go(place, now);
                }
            }
        }
    }

    /// What becomes of failures that were seen in doubt: a decision that was held back is taken now, if the guard was overruled;
    /// otherwise they count for nothing, and the member has to fail again.
    fn let_go(&mut self, place: usize, now: Moment) {
        let is_overruled = matches!(self.guard, Guard::Overruled { .. });
        let Some(member) = self.at(place) else { return };
        let was_held = std::mem::take(&mut member.is_held);
        let check = Arc::clone(&member.target.check);
        if is_overruled && !was_held {
            return;
        }
        if is_overruled {
            let decision = member.machine.fall(&check, now);
            let reason = member.last_failure().map(ToString::to_string).unwrap_or_default();
            if let Some(decision) = decision {
                self.believe(place, decision.to, &reason, now);
            }
        } else {
            member.machine.absolve();
            if let Some(pulse) = self.pulses.get_mut(place) {
                pulse.forget_failures();
            }
        }
        self.publish(place, now);
    }

    /// Lets everybody see a status.
    fn believe(&mut self, place: usize, status: Status, reason: &str, now: Moment) {
        let Some(member) = self.at(place) else { return };
        let (from, was_known) = (member.shown(), member.believed != Status::Unknown);
        member.believed = status;
        member.is_held &= status == Status::Down;
        let (to, part, is_told) = (member.shown(), member.part(), !member.ids.is_empty());
        member.note_shown(from, was_known, now);
        let happening = (from != to && is_told).then(|| Happening::Endpoint {
            target: member.target.to_string(),
            pools: names(&member.pools),
            from: from.to_string(),
            to: to.to_string(),
            reason: reason.to_owned(),
            streak: member.machine.streak(),
        });
        if let Some(pulse) = self.pulses.get_mut(place) {
            pulse.part = part;
        }
        if let Some(happening) = happening {
            self.tell(happening);
        }
        self.publish(place, now);
    }

    /// Writes a member to the view, and what is calculated from it.
    fn publish(&mut self, place: usize, now: Moment) {
        let parents = self.write(place, now);
        for parent in parents {
            let Some(status) = self.calculate(parent) else { continue };
            let Some(member) = self.at(parent) else { continue };
            if member.believed == status {
                self.write(parent, now);
            } else {
                self.believe(parent, status, "calculated from other checks", now);
            }
        }
    }

    /// Writes one member to the view. Gives what is calculated from it.
    fn write(&mut self, place: usize, now: Moment) -> Vec<usize> {
        let Some(member) = self.members.get(place).and_then(Option::as_ref) else {
            return Vec::new();
        };
        let children =
            member.children.iter().filter_map(|child| self.members.get(*child)?.as_ref());
        let of_children = children.map(|child| child.horizon(None, now)).min();
        member.publish(&self.view, member.horizon(of_children, now));
        member.parents.clone()
    }

    /// What a calculated check comes to; nothing for what is not calculated, or disabled.
    fn calculate(&self, place: usize) -> Option<Status> {
        let member = self.members.get(place)?.as_ref()?;
        let Protocol::Calculated(calculated) = &member.check().protocol else { return None };
        if member.check().is_disabled {
            return None;
        }
        let children =
            member.children.iter().filter_map(|child| self.members.get(*child)?.as_ref());
        Some(calculated.quorum.decide(Count::of(children.map(Member::shown))))
    }

    /// A tick that comes late, as after SIGSTOP, found no reports because nobody read them: they are as fresh as they were.
    fn forgive_lateness(&mut self, now: Moment) {
        let late = self.ticked.map_or(Duration::ZERO, |ticked| now.since(ticked));
        self.ticked = Some(now);
        if late < Duration::from_millis(TICK_LATE_MS) {
            return;
        }
        for member in self.members.iter_mut().flatten() {
            if let Some(reported) = &mut member.reported {
                *reported = reported.after(late).min(now);
            }
        }
    }

    /// A report that is too old says nothing any more (rule 74).
    fn expire_reports(&mut self, now: Moment) {
        let is_stale = |member: &Member| match (&member.check().protocol, member.reported) {
            (Protocol::External(external), Some(at)) => {
                external.missing != Missing::Last && now.since(at) > external.stale_after
            }
            _ => false,
        };
        let stale: Vec<usize> = self.places(is_stale).collect();
        for place in stale {
            let Some(member) = self.at(place) else { continue };
            member.reported = None;
            let Protocol::External(external) = &member.check().protocol else { continue };
            let status = if external.missing == Missing::Down { Status::Down } else { Status::Up };
            self.believe(place, status, "no report for too long", now);
        }
    }

    /// Whether more than half of what is probed learns nothing.
    fn watch_sight(&mut self) {
        let observed = self.members.iter().flatten().filter(|member| member.is_probed()).count();
        let observed = u32::try_from(observed).unwrap_or(u32::MAX);
        let is_blind = u64::from(self.blind).saturating_mul(2) > u64::from(observed);
        if is_blind == self.is_blind {
            return;
        }
        self.is_blind = is_blind;
        let blind = self.blind;
        let mut reasons = self.members.iter().flatten().filter(|member| member.is_blind);
        let reason = reasons.find_map(|member| member.tally.last_nothing);
        self.tell(match reason {
            Some(reason) if is_blind => {
                Happening::Blind { reason: reason.to_string(), blind, observed }
            }
            _ => Happening::Sighted,
        });
    }

    /// Whether all sentinels have been failing for some time.
    fn watch_sentinels(&mut self, now: Moment) {
        let patience = Duration::from_millis(SENTINELS_SILENT_MS);
        let sentinels = self.pulses.iter().filter(|pulse| pulse.part == Part::Sentinel);
        let is_silent =
            |pulse: &Pulse| pulse.failing_since().is_some_and(|since| now.since(since) >= patience);
        let is_deaf = sentinels.clone().next().is_some() && sentinels.clone().all(is_silent);
        if is_deaf == self.is_deaf {
            return;
        }
        let sentinels = u32::try_from(sentinels.count()).unwrap_or(u32::MAX);
        self.is_deaf = is_deaf;
        self.tell(match is_deaf {
            true => Happening::SentinelsSilent { sentinels },
            false => Happening::SentinelsHeard,
        });
    }

    /// Keeps news until they are taken. The caller takes them after every call: only one that touches more targets than the bound
    /// could meet it.
    fn tell(&mut self, happening: Happening) {
        if self.news.len() < FLEET_NEWS {
            self.news.push(happening);
        }
    }
}
