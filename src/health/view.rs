//! All states at an instant, as the query path reads them: one octet per target, one word per switch.
//!
//! A view belongs to one generation of targets, since a [`TargetId`] is an index into it. A reload makes a new view, fills
//! in what is known, and publishes it together with the snapshot whose policies hold its ids.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use super::horizon::Horizon;
use super::switch::{Switch, SwitchId};

/// The number of a target in its generation: its index in the list the prober was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetId(pub u32);

/// The decided state of a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Nothing was observed yet. Counts as up (Route 53 rule 69).
    #[default]
    Unknown,
    /// Answers as expected.
    Up,
    /// Does not.
    Down,
}

/// The status of every target of one generation. One writer (the prober), any number of readers, no locks.
///
/// Every access is `Relaxed`. A status is one byte that says all there is to say: no reader uses it to find other memory,
/// so there is nothing an `Acquire` would have to order; a byte cannot be read in halves; and the order in which changes of
/// two targets become visible carries no meaning. Cache coherence makes a store visible in well under a microsecond, so
/// the time from decision to answer is that of one store. What was written before the view itself was published is
/// visible through whatever published it (`Arc` in an `arc-swap`), which does have that ordering.
pub struct View {
    /// One [`Status`] per target and its [`Horizon`], as [`encode`] writes them.
    states: Box<[AtomicU8]>,
    /// Beside it, what only some policies ask for.
    history: Box<[History]>,
    /// What operators have set, one [`Switch`] per pool, endpoint and policy's target.
    switches: Box<[AtomicU64]>,
    /// Whether any of them is not free: most times none is, and a query need not look.
    has_overrides: AtomicBool,
    /// One bit for each, whether it is not free: most zones have none, and their queries need not look further.
    turned: Box<[AtomicU64]>,
    /// When, at the earliest, one that is not free turns by itself, on the prober's clock; [`u64::MAX`]: none does.
    next_turn_ms: AtomicU64,
}

/// What a view knows of a target beside its status.
#[derive(Default)]
struct History {
    /// When it came up again after it was down, in milliseconds of the prober's clock; 0 if it never was down.
    recovered_ms: AtomicU64,
    /// The latency that was last made known, in microseconds; 0 if none was.
    latency_us: AtomicU32,
}

/// The two bits of the status; the horizon stands above them.
const STATUS: u8 = 3;

/// The only status that a reader tells apart from the others.
const DOWN: u8 = 2;

impl View {
    /// A view of `count` targets, all Unknown, and no switches.
    pub fn new(count: usize) -> Self {
        Self::with_switches(count, 0)
    }

    /// The same with so many switches, all free.
    pub fn with_switches(count: usize, switches: usize) -> Self {
        let unknown = encode(Status::Unknown, Horizon::NEVER);
        Self {
            states: (0..count).map(|_| AtomicU8::new(unknown)).collect(),
            history: (0..count).map(|_| History::default()).collect(),
            switches: (0..switches).map(|_| AtomicU64::new(Switch::Free.encode())).collect(),
            has_overrides: AtomicBool::new(false),
            turned: (0..switches.div_ceil(64)).map(|_| AtomicU64::new(0)).collect(),
            next_turn_ms: AtomicU64::new(u64::MAX),
        }
    }

    /// Whether an endpoint with this check may be handed out: it is not Down. Without a check it always may (Route 53
    /// rule 3), and so it may with an id from another generation, because a doubt never takes an endpoint away.
    pub fn is_up(&self, id: Option<TargetId>) -> bool {
        id.is_none_or(|id| self.look(id).0)
    }

    /// Whether a target may be handed out, and how soon that could change, read at once. One of another generation may, and
    /// never changes.
    #[inline]
    pub fn look(&self, id: TargetId) -> (bool, Horizon) {
        let Some(slot) = self.slot(id) else { return (true, Horizon::NEVER) };
        let code = slot.load(Ordering::Relaxed);
        (code & STATUS != DOWN, Horizon::of_code(code >> 2))
    }

    /// The status of a target; Unknown for an id from another generation.
    pub fn status(&self, id: TargetId) -> Status {
        self.slot(id).map_or(Status::Unknown, |slot| decode(slot.load(Ordering::Relaxed)))
    }

    /// Stores a decision that nothing is known to change. An id from another generation is ignored.
    pub fn set(&self, id: TargetId, status: Status) {
        self.set_until(id, status, Horizon::NEVER);
    }

    /// Stores a decision and how soon it could change. Only the prober calls this; an id from another generation is ignored.
    pub fn set_until(&self, id: TargetId, status: Status, horizon: Horizon) {
        if let Some(slot) = self.slot(id) {
            slot.store(encode(status, horizon), Ordering::Relaxed);
        }
    }

    /// Whether any switch is not free: if none is, nobody need ask for [`View::switch`].
    #[inline]
    pub fn has_overrides(&self) -> bool {
        self.has_overrides.load(Ordering::Relaxed)
    }

    /// Whether any switch of these numbers, from the first to the one behind the last, is not free.
    #[inline]
    pub fn has_overrides_among(&self, (first, end): (SwitchId, SwitchId)) -> bool {
        self.has_overrides() && self.is_any_turned(first.0, end.0)
    }

    #[cold]
    fn is_any_turned(&self, first: u32, end: u32) -> bool {
        let word = |number: u32| usize::try_from(number / 64).unwrap_or(usize::MAX);
        let Some(last) = end.checked_sub(1).filter(|last| *last >= first) else { return false };
        (0u32..).zip(&self.turned).skip(word(first)).take_while(|(at, _)| *at <= last / 64).any(
            |(at, turned)| {
                let above = if at == first / 64 { u64::MAX << (first % 64) } else { u64::MAX };
                let below = if at == last / 64 { u64::MAX >> (!last % 64) } else { u64::MAX };
                turned.load(Ordering::Relaxed) & above & below != 0
            },
        )
    }

    /// When, at the earliest, a switch that is not free turns by itself, on the clock of [`View::set_recovered_ms`].
    pub fn next_turn_ms(&self) -> Option<u64> {
        let turn = self.next_turn_ms.load(Ordering::Relaxed);
        (turn != u64::MAX).then_some(turn)
    }

    /// How a switch stands; free for one of another generation.
    pub fn switch(&self, id: SwitchId) -> Switch {
        let slot = usize::try_from(id.0).ok().and_then(|place| self.switches.get(place));
        slot.map_or(Switch::Free, |slot| Switch::decode(slot.load(Ordering::Relaxed)))
    }

    /// Sets every switch. `next_end_ms` is when the next of them ends by itself, if any does. Only one thread calls this at a time.
    /// Readers may meet old and new ones side by side for an instant, as they may meet old and new statuses.
    pub fn set_switches(&self, next_end_ms: Option<u64>, stand_of: impl Fn(SwitchId) -> Switch) {
        let mut next_turn_ms = next_end_ms.unwrap_or(u64::MAX);
        let mut has_overrides = false;
        for ((first, slots), turned) in
            (0u32..).step_by(64).zip(self.switches.chunks(64)).zip(&self.turned)
        {
            let mut bits = 0;
            for ((bit, id), slot) in (0u32..).zip((first..).map(SwitchId)).zip(slots) {
                let switch = stand_of(id);
                bits |= u64::from(switch != Switch::Free) << bit;
                next_turn_ms = next_turn_ms.min(switch.over_at_ms().unwrap_or(u64::MAX));
                slot.store(switch.encode(), Ordering::Relaxed);
            }
            has_overrides |= bits != 0;
            turned.store(bits, Ordering::Relaxed);
        }
        let next_turn_ms = if has_overrides { next_turn_ms } else { u64::MAX };
        self.next_turn_ms.store(next_turn_ms, Ordering::Relaxed);
        self.has_overrides.store(has_overrides, Ordering::Relaxed);
    }

    /// How many switches this view has.
    pub fn switch_count(&self) -> usize {
        self.switches.len()
    }

    /// When a target came up again after it was down, on the clock of [`View::set_recovered_ms`]; nothing if it never was down.
    pub fn recovered_ms(&self, id: TargetId) -> Option<u64> {
        let recovered = self.past(id)?.recovered_ms.load(Ordering::Relaxed);
        (recovered != 0).then_some(recovered)
    }

    /// Stores the time of a recovery. Only the prober calls this, before the status.
    pub fn set_recovered_ms(&self, id: TargetId, moment: u64) {
        if let Some(past) = self.past(id) {
            past.recovered_ms.store(moment, Ordering::Relaxed);
        }
    }

    /// How long a target takes to answer, in microseconds, as it was last made known.
    pub fn latency_us(&self, id: TargetId) -> Option<u32> {
        let latency = self.past(id)?.latency_us.load(Ordering::Relaxed);
        (latency != 0).then_some(latency)
    }

    /// Stores a latency; 0 forgets it. Only the prober calls this.
    pub fn set_latency_us(&self, id: TargetId, latency: u32) {
        if let Some(past) = self.past(id) {
            past.latency_us.store(latency, Ordering::Relaxed);
        }
    }

    fn past(&self, id: TargetId) -> Option<&History> {
        self.history.get(usize::try_from(id.0).ok()?)
    }

    /// A view of its own with what this one says now.
    pub fn copy(&self) -> Self {
        let copy = Self::with_switches(self.len(), self.switch_count());
        for (id, status) in self.iter() {
            copy.set_recovered_ms(id, self.recovered_ms(id).unwrap_or(0));
            copy.set_latency_us(id, self.latency_us(id).unwrap_or(0));
            copy.set_until(id, status, self.look(id).1);
        }
        copy.set_switches(self.next_turn_ms(), |id| self.switch(id));
        copy
    }

    /// How many targets this view has.
    pub fn len(&self) -> usize {
        self.states.len()
    }

    /// Whether this view has no target at all.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// How many targets are Down.
    #[cfg(test)]
    pub(crate) fn down_count(&self) -> usize {
        self.iter().filter(|&(_, status)| status == Status::Down).count()
    }

    /// Every target with its status, in order of id. Each byte is read when it is reached.
    pub fn iter(&self) -> impl Iterator<Item = (TargetId, Status)> + '_ {
        let statuses = self.states.iter().map(|slot| decode(slot.load(Ordering::Relaxed)));
        (0u32..).map(TargetId).zip(statuses)
    }

    fn slot(&self, id: TargetId) -> Option<&AtomicU8> {
        self.states.get(usize::try_from(id.0).ok()?)
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(id, status)| (id.0, status))).finish()
    }
}

impl Status {
    /// The opposite; what is unknown stays so.
    #[must_use]
    pub fn inverted(self) -> Self {
        match self {
            Self::Unknown => Self::Unknown,
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }

    /// The status as a metric's label and in JSON.
    pub fn as_label(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_label())
    }
}

fn encode(status: Status, horizon: Horizon) -> u8 {
    let status = match status {
        Status::Unknown => 0,
        Status::Up => 1,
        Status::Down => DOWN,
    };
    status | horizon.as_code() << 2
}

fn decode(code: u8) -> Status {
    match code & STATUS {
        DOWN => Status::Down,
        1 => Status::Up,
        _ => Status::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn rule_3_without_a_check_an_endpoint_is_always_up() {
        let view = View::new(1);
        view.set(TargetId(0), Status::Down);
        assert!(view.is_up(None));
        assert!(!view.is_up(Some(TargetId(0))));
    }

    #[test]
    fn rule_69_unknown_counts_as_up() {
        let view = View::new(1);
        assert_eq!(view.status(TargetId(0)), Status::Unknown);
        assert!(view.is_up(Some(TargetId(0))));
    }

    #[test]
    fn rule_1_a_reader_sees_a_stored_state_at_once() {
        let view = View::new(3);
        for status in [Status::Down, Status::Up, Status::Unknown, Status::Down] {
            view.set(TargetId(1), status);
            assert_eq!(view.status(TargetId(1)), status);
            assert_eq!(view.is_up(Some(TargetId(1))), status != Status::Down);
        }
        assert!(view.is_up(Some(TargetId(0))) && view.is_up(Some(TargetId(2))));
    }

    #[test]
    fn an_id_of_another_generation_is_up_and_is_never_written() {
        let view = View::new(2);
        for id in [TargetId(2), TargetId(u32::MAX)] {
            view.set(id, Status::Down);
            assert!(view.is_up(Some(id)));
            assert_eq!(view.status(id), Status::Unknown);
        }
        assert_eq!(view.down_count(), 0);
        assert!(View::new(0).is_empty() && View::new(0).is_up(Some(TargetId(0))));
    }

    #[test]
    fn a_view_lists_and_counts_its_targets() {
        let view = View::new(3);
        view.set(TargetId(0), Status::Up);
        view.set(TargetId(2), Status::Down);
        let listed: Vec<_> = view.iter().map(|(id, status)| (id.0, status)).collect();
        assert_eq!(listed, [(0, Status::Up), (1, Status::Unknown), (2, Status::Down)]);
        assert_eq!((view.len(), view.down_count()), (3, 1));
        assert_eq!(format!("{view:?}"), "{0: Up, 1: Unknown, 2: Down}");
    }

    #[test]
    fn another_thread_sees_a_change() {
        let view = Arc::new(View::new(1));
        let reader = Arc::clone(&view);
        let waiting = std::thread::spawn(move || {
            while reader.is_up(Some(TargetId(0))) {
                std::thread::yield_now();
            }
        });
        view.set(TargetId(0), Status::Down);
        assert!(waiting.join().is_ok());
    }

    #[test]
    fn a_status_and_its_horizon_are_read_at_once() {
        let (view, id) = (View::new(1), TargetId(0));
        assert_eq!(view.look(id), (true, Horizon::NEVER));
        for seconds in [0, 1, 30, 3600] {
            let horizon = Horizon::within(std::time::Duration::from_secs(seconds));
            view.set_until(id, Status::Down, horizon);
            assert_eq!((view.look(id), view.status(id)), ((false, horizon), Status::Down));
            view.set_until(id, Status::Up, horizon);
            assert_eq!((view.look(id), view.copy().look(id)), ((true, horizon), (true, horizon)));
        }
        assert_eq!(view.look(TargetId(7)), (true, Horizon::NEVER));
    }

    #[test]
    fn what_is_overridden_is_told_for_each_range_alone() {
        let view = View::with_switches(0, 300);
        for set in [0, 1, 63, 64, 65, 127, 128, 200, 299] {
            view.set_switches(None, |id| if id.0 == set { Switch::Up } else { Switch::Free });
            for first in [0, 1, 62, 63, 64, 65, 127, 128, 129, 199, 200, 201, 299, 300] {
                for end in [0, 1, 2, 63, 64, 65, 66, 128, 129, 200, 201, 300, 301, u32::MAX] {
                    let told = view.has_overrides_among((SwitchId(first), SwitchId(end)));
                    assert_eq!(told, (first..end).contains(&set), "{set} in {first}..{end}");
                }
            }
        }
    }

    #[test]
    fn switches_are_free_until_somebody_sets_them() {
        let view = View::with_switches(0, 2);
        assert!(!view.has_overrides() && view.switch(SwitchId(1)) == Switch::Free);
        view.set_switches(None, |id| if id == SwitchId(1) { Switch::Down } else { Switch::Free });
        assert!(view.has_overrides() && view.copy().has_overrides());
        let among = |first, end| view.has_overrides_among((SwitchId(first), SwitchId(end)));
        assert!(among(0, 2) && among(1, 2) && among(1, 9));
        assert!(!among(0, 1) && !among(2, 9) && !among(1, 1));
        assert_eq!(
            [0, 1, 2].map(|id| view.switch(SwitchId(id))),
            [Switch::Free, Switch::Down, Switch::Free]
        );
        view.set_switches(None, |_| Switch::Free);
        assert!(!view.has_overrides());
    }
}
