//! The overrides that hold: set and taken back by operators, ended by their time, kept over reloads and restarts.
//!
//! ```text
//! control socket ─OverrideOrder─▶ operator ─▶ desk ─▶ switches of the view that is served
//!                                  each second │ ─▶ journal, condition
//! reload ── new view, before it is published ──┘ ─▶ state directory
//! ```
//!
//! One lock stands for two things at once: which overrides hold, and whose turn it is to write a view's switches. A reload holds it
//! while it publishes, so that no view is served without them. It is never held while the disk is waited for.
//!
//! Times are those of the machine's clock, because they outlive the process. If it jumps, those that it gave before are moved along, so
//! that what was to last for half an hour lasts for half an hour. Those of a process before stay: a clock that was wrong when this one
//! began, as where there is no battery, was right when they were set, or else nobody knows.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::switches::{count, near};
use crate::admin::{Condition, Draft, HeldOverride, OverrideChange, Problem};
use crate::health::{Happening, Override, View, apply_overrides};
use crate::limits::OVERRIDES;
use crate::snapshot::{Published, Snapshot};
use crate::store::{Journal, OverrideList, State};
use crate::sys::{boot_ms, monotonic_ms, unix_ms};

/// Names that an error lists.
const NEAR_NAMES: usize = 5;

/// A difference between two clocks, in milliseconds, that is no drift.
const JUMP_MS: u64 = 2_000;

/// See the module.
pub(super) struct Desk {
    held: Mutex<Held>,
    journal: Arc<Journal>,
    /// Nothing: overrides end with the process.
    state: Option<Arc<State>>,
    condition: Condition,
}

struct Held {
    list: OverrideList,
    /// By override, how many switches it is for.
    matches: Vec<usize>,
    clock: Clock,
    /// What is on the disk says something else.
    is_unwritten: bool,
    /// The last override that a process before has set.
    last_recalled: u64,
}

/// Both clocks at one instant.
#[derive(Clone, Copy)]
struct Clock {
    wall_ms: u64,
    steady_ms: u64,
    /// As steady, and goes on while the machine sleeps.
    boot_ms: u64,
}

impl Clock {
    fn now() -> Self {
        Self { wall_ms: unix_ms(), steady_ms: monotonic_ms(), boot_ms: boot_ms() }
    }

    /// By how much the machine's clock has jumped since an earlier instant.
    fn jump_since(self, before: Self) -> i64 {
        let expected = before.wall_ms.saturating_add(self.boot_ms.saturating_sub(before.boot_ms));
        let is_jump = self.wall_ms.abs_diff(expected) >= JUMP_MS;
        let jump = self.wall_ms.cast_signed().saturating_sub(expected.cast_signed());
        if is_jump { jump } else { 0 }
    }
}

impl Desk {
    /// A desk with the overrides that are remembered.
    pub(super) fn new(
        list: OverrideList,
        journal: Arc<Journal>,
        state: Option<Arc<State>>,
        condition: Condition,
    ) -> Self {
        let held = Held::of(list, Clock::now());
        Self { held: Mutex::new(held), journal, state, condition }
    }

    /// Sets the switches of a view that is about to be served, and has it served by `publish` before anybody can change them.
    pub(super) fn publish<T>(
        &self,
        snapshot: &Snapshot,
        view: &View,
        publish: impl FnOnce() -> T,
    ) -> T {
        let mut held = self.lock();
        held.pass(Clock::now());
        self.end_overdue(&mut held);
        self.apply(&mut held, snapshot, view);
        for (one, _) in held.rows().filter(|(_, matches)| *matches == 0) {
            tracing::warn!(id = one.id, pattern = one.pattern, "an override matches nothing");
        }
        publish()
    }

    /// Sets an override on what is served.
    ///
    /// # Errors
    /// It matches nothing, or there are too many.
    pub(super) async fn set(
        &self,
        draft: Draft,
        published: &Published,
    ) -> Result<OverrideChange, Problem> {
        let (held, list) = self.add(draft, published)?;
        Ok(OverrideChange { held, unpersisted: self.keep(list).await })
    }

    fn add(
        &self,
        draft: Draft,
        published: &Published,
    ) -> Result<(HeldOverride, OverrideList), Problem> {
        let mut held = self.lock();
        // Not before the lock: a reload that has it may be about to serve another view.
        let live = published.load();
        let now = Clock::now();
        held.pass(now);
        if held.list.overrides.len() >= OVERRIDES {
            return Err(Problem::refused(format!("there are {OVERRIDES} overrides, the most")));
        }
        let one = Override {
            id: held.list.next.max(1),
            zone: draft.zone,
            pattern: draft.pattern,
            action: draft.action,
            reason: draft.reason,
            author: draft.author,
            set_ms: now.wall_ms,
            ends_ms: draft.lasts_ms.map(|lasts| now.wall_ms.saturating_add(lasts)),
        };
        if count(&one, &live.snapshot) == 0 {
            let near = near(&one.zone, &one.pattern, &live.snapshot, NEAR_NAMES);
            let what = match one.zone.as_str() {
                "*" => String::new(),
                zone => format!(" in {zone}"),
            };
            let detail =
                format!("`{}` matches no pool, endpoint or target of a policy{what}", one.pattern);
            return Err(Problem::missing(detail, near));
        }
        held.list.next = one.id.saturating_add(1);
        held.list.overrides.push(one.clone());
        self.apply(&mut held, &live.snapshot, &live.view);
        tracing::info!(
            id = one.id,
            zone = one.zone,
            pattern = one.pattern,
            action = %one.action,
            author = one.author,
            reason = one.reason,
            "override set"
        );
        self.journal.record(Happening::OverrideSet {
            id: one.id,
            pattern: one.pattern.clone(),
            action: one.action.to_string(),
            author: one.author.clone(),
            reason: one.reason.clone(),
        });
        let matches = held.matches.last().copied().unwrap_or(0);
        held.is_unwritten = false;
        Ok((HeldOverride { set: one, matches }, held.list.clone()))
    }

    /// Takes an override back.
    ///
    /// # Errors
    /// There is none of this id.
    pub(super) async fn lift(
        &self,
        id: u64,
        author: &str,
        published: &Published,
    ) -> Result<OverrideChange, Problem> {
        let (one, list) = {
            let mut held = self.lock();
            let live = published.load();
            held.pass(Clock::now());
            let known = held.rows().find(|(one, _)| one.id == id);
            let Some(one) = known.map(|(one, matches)| HeldOverride { set: one.clone(), matches })
            else {
                return Err(Problem::missing(format!("there is no override {id}"), Vec::new()));
            };
            held.list.overrides.retain(|one| one.id != id);
            self.apply(&mut held, &live.snapshot, &live.view);
            self.tell_end(&one.set, format!("taken back by {author}"));
            held.is_unwritten = false;
            (one, held.list.clone())
        };
        Ok(OverrideChange { held: one, unpersisted: self.keep(list).await })
    }

    /// Ends the overrides whose time is over, and follows a clock that has jumped. To be called each second.
    pub(super) async fn tick(&self, published: &Published) {
        let list = {
            let mut held = self.lock();
            held.pass(Clock::now());
            let has_ended = self.end_overdue(&mut held);
            let live = published.load();
            // What has drained is down, and nothing more will come of it.
            let has_turned =
                live.view.next_turn_ms().is_some_and(|turn| turn <= held.clock.steady_ms);
            if has_ended || has_turned {
                self.apply(&mut held, &live.snapshot, &live.view);
            }
            if !std::mem::take(&mut held.is_unwritten) {
                return;
            }
            held.list.clone()
        };
        // What fails is told by the state's own thread.
        let _ = self.keep(list).await;
    }

    /// Takes out what is over, and says whether there was anything.
    fn end_overdue(&self, held: &mut Held) -> bool {
        let now_ms = held.clock.wall_ms;
        let is_over = |one: &mut Override| one.has_ended(now_ms);
        let over: Vec<Override> = held.list.overrides.extract_if(.., is_over).collect();
        over.iter().for_each(|one| self.tell_end(one, "its time is over".to_owned()));
        held.is_unwritten |= !over.is_empty();
        !over.is_empty()
    }

    fn tell_end(&self, one: &Override, reason: String) {
        tracing::info!(id = one.id, pattern = one.pattern, reason, "override ended");
        let pattern = one.pattern.clone();
        self.journal.record(Happening::OverrideEnded { id: one.id, pattern, reason });
    }

    /// Sets the switches of a view as what is held says, and lets readers know.
    fn apply(&self, held: &mut Held, snapshot: &Snapshot, view: &View) {
        let Clock { wall_ms, steady_ms, .. } = held.clock;
        let names = snapshot.switch_names();
        held.matches = apply_overrides(&held.list.overrides, names, view, wall_ms, steady_ms);
        let rows = held.rows().map(|(one, matches)| HeldOverride { set: one.clone(), matches });
        let rows = rows.collect();
        self.condition.update(|standing| standing.overrides = rows);
    }

    /// Writes the overrides down; says why a restart would not know of them. Then it is tried again with the next second.
    async fn keep(&self, list: OverrideList) -> Option<String> {
        let Some(state) = &self.state else {
            return Some("there is no state directory".to_owned());
        };
        let error = state.keep_overrides(list).await.err();
        if error.is_some() {
            self.lock().is_unwritten = true;
        }
        error
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        // Every step leaves usable overrides.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn of(list: OverrideList, clock: Clock) -> Self {
        let last_recalled = list.overrides.iter().map(|one| one.id).max().unwrap_or(0);
        let matches = vec![0; list.overrides.len()];
        Self { list, matches, clock, is_unwritten: false, last_recalled }
    }

    /// Notes that time has passed, and moves all times along with a jump.
    fn pass(&mut self, now: Clock) {
        let jump = now.jump_since(self.clock);
        self.clock = now;
        if jump == 0 {
            return;
        }
        tracing::warn!(jump_ms = jump, "the machine's clock has jumped");
        let own = self.list.overrides.iter_mut().filter(|one| one.id > self.last_recalled);
        for one in own {
            one.set_ms = one.set_ms.saturating_add_signed(jump);
            one.ends_ms = one.ends_ms.map(|ends| ends.saturating_add_signed(jump));
            self.is_unwritten = true;
        }
    }

    fn rows(&self) -> impl Iterator<Item = (&Override, usize)> {
        self.list.overrides.iter().zip(self.matches.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::Action;

    fn one(set_ms: u64, ends_ms: Option<u64>) -> Override {
        Override {
            id: 1,
            zone: "*".to_owned(),
            pattern: "us".to_owned(),
            action: Action::Down,
            reason: "r".to_owned(),
            author: "a".to_owned(),
            set_ms,
            ends_ms,
        }
    }

    fn clock(wall_ms: u64, boot_ms: u64) -> Clock {
        Clock { wall_ms, steady_ms: boot_ms, boot_ms }
    }

    const HOUR: u64 = 3_600_000;

    /// R24: NTP sets a clock that was an hour late: half an hour of an override was over at once.
    #[test]
    fn a_jump_of_the_clock_ends_nothing() {
        let mut held = Held::of(OverrideList::default(), clock(10_000, 500));
        held.list.overrides.push(one(10_000, Some(40_000)));
        held.pass(clock(11_900, 1_500));
        assert_eq!(
            (&held.list.overrides[0], held.is_unwritten),
            (&one(10_000, Some(40_000)), false)
        );
        held.pass(clock(11_900 + HOUR + 1_000, 2_500));
        let moved = &held.list.overrides[0];
        assert_eq!((moved.set_ms, moved.ends_ms), (10_000 + HOUR, Some(40_000 + HOUR)));
        assert!(held.is_unwritten, "a restart must not take it for another time");
        held.pass(clock(13_900, 3_500));
        assert_eq!(held.list.overrides[0], one(10_000, Some(40_000)));
    }

    /// R24: a machine without a battery begins in 1970, and is in 2038 or 2106 a second later: an override of half an hour became one of
    /// decades, or was over.
    #[test]
    fn a_clock_that_was_wrong_at_start_moves_nothing_that_was_set_before() {
        for set_ms in [1_700_000_000_000, 2_147_483_647_000, 4_294_967_295_000] {
            let before = one(set_ms, Some(set_ms + HOUR));
            let list = OverrideList { next: 2, overrides: vec![before.clone()] };
            let mut held = Held::of(list, clock(5_000, 5_000));
            held.pass(clock(set_ms + 1_000, 6_000));
            assert_eq!((&held.list.overrides[0], held.is_unwritten), (&before, false));
            assert!(!before.has_ended(held.clock.wall_ms));
            // The calendar is right while the machine sleeps.
            held.pass(clock(set_ms + 1_000 + 2 * HOUR, 6_000 + 2 * HOUR));
            assert!(held.list.overrides[0].has_ended(held.clock.wall_ms));
        }
    }

    #[test]
    fn what_ended_while_nobody_served_is_ended_at_start() {
        let journal = Arc::new(Journal::new(Vec::new(), None));
        let list = OverrideList { next: 3, overrides: vec![one(1, Some(2)), one(1, None)] };
        let desk = Desk::new(list, Arc::clone(&journal), None, Condition::default());
        let mut held = desk.lock();
        assert!(desk.end_overdue(&mut held));
        assert_eq!(held.list.overrides, [one(1, None)]);
        assert!(!desk.end_overdue(&mut held));
        assert!(held.is_unwritten, "until the next second, whoever noticed it");
        let events = journal.latest(10);
        assert!(matches!(&events[0].what, Happening::OverrideEnded { id: 1, .. }));
        assert_eq!(events.len(), 1);
    }
}
