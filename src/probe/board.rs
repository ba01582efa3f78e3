//! The fleet behind its lock: the one place where results come in and states go out, with the tasks that bring the results.
//!
//! One lock, held for the microsecond or so that one result takes, and for one pass over the targets at a reload. It makes
//! [`Board::replace`] atomic towards results: a result is applied wholly to the old generation or wholly to the new. Nothing is
//! logged and the sink is not called under it: news go to a thread that tells them in their order.

use std::collections::HashMap;
use std::collections::hash_map::Entry::{Occupied, Vacant};
use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, mpsc};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tracing::{debug, error, info, warn};

use super::Sink;
use super::attempt::Probed;
use super::station::THREAD_NAME;
use crate::health::{
    Fleet, FleetSettings, Happening, MemberId, Memory, Moment, NewMember, NothingReason,
    Observation, Plan, ProbeTarget, View,
};
use crate::limits::OWN_ERROR_LOG_SECONDS;
use crate::sys::monotonic_ms;

/// How long somebody who asks from outside waits for the lock: those who hold it do so for milliseconds.
const PATIENCE: Duration = Duration::from_secs(2);

/// See the module.
pub(super) struct Board {
    inner: Mutex<Inner>,
    /// To the one who tells, in the order in which it came to be. Filled under the lock of `inner`; never waits.
    news: mpsc::Sender<Happening>,
    /// When the fleet last took a result in or ticked, by [`monotonic_ms`]: a heart that stands still is noticed.
    beat: AtomicU64,
    /// Another board has taken over: nothing is written any more.
    is_retired: Arc<AtomicBool>,
    hooks: Hooks,
}

/// What only tests do.
#[derive(Default)]
struct Hooks {
    /// The next result crashes its task.
    #[cfg(test)]
    crashes: AtomicBool,
}

struct Inner {
    fleet: Fleet,
    tasks: HashMap<MemberId, Task>,
    /// Targets whose first probe has not ended. Changed under the lock, awaited outside.
    pending: watch::Sender<usize>,
    throttle: Throttle,
}

/// What probes one member.
pub(super) struct Task {
    pub(super) handle: AbortHandle,
    /// Ends its wait.
    pub(super) bell: Arc<Notify>,
}

/// Keeps errors of our own side from flooding the log: they come for all targets at once.
#[derive(Default)]
struct Throttle {
    /// When a reason was last told, and how many of its kind were kept quiet since. At most one entry per reason.
    told: HashMap<NothingReason, (Moment, u64)>,
}

/// Milliseconds since 1970 in UTC.
fn unix_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// The time as health sees it.
pub(super) fn now() -> Moment {
    Moment(monotonic_ms())
}

impl Board {
    /// A board without targets.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub(super) fn new(settings: FleetSettings, sink: Sink) -> io::Result<Self> {
        let (news, told) = mpsc::channel();
        let is_retired = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&is_retired);
        let teller = thread::Builder::new().name(THREAD_NAME.to_owned());
        teller.spawn(move || tell(&told, &sink, &is_over))?;
        let inner = Inner {
            fleet: Fleet::new(settings),
            tasks: HashMap::new(),
            pending: watch::Sender::new(0),
            throttle: Throttle::default(),
        };
        let beat = AtomicU64::new(monotonic_ms());
        let hooks = Hooks::default();
        Ok(Self { inner: Mutex::new(inner), news, beat, is_retired, hooks })
    }

    /// Applies one result: state, view, statistics; then log and sink. Gives the time to wait before the next probe; nothing if the
    /// target is gone.
    pub(super) fn record(
        &self,
        target: &ProbeTarget,
        id: MemberId,
        probed: &Probed,
        started: Moment,
        now: Moment,
    ) -> Option<Duration> {
        let Probed { observation, certificate_ends_s } = probed;
        debug!(%target, result = observation.as_label(), "{observation}");
        self.hooks.crash();
        let (wait, own_error) = {
            let mut inner = self.lock();
            if self.is_retired.load(Ordering::Relaxed) {
                return None;
            }
            let wait = inner.fleet.observe(id, observation, started, now);
            // Whoever takes results in is busy, not dead.
            self.beat.store(now.0, Ordering::Relaxed);
            if let Some(ends_s) = certificate_ends_s {
                let ends_ms = u64::try_from(*ends_s).unwrap_or(0).saturating_mul(1000);
                inner.fleet.note_certificate(id, ends_ms, unix_ms(), now);
            }
            let own_error = inner.throttle.sift(observation, now);
            inner.announce_pending();
            inner.ring();
            self.post(&mut inner);
            (wait, own_error)
        };
        if let Some((reason, unsaid)) = own_error {
            warn!(%target, %reason, unsaid, "a probe learnt nothing");
        }
        wait
    }

    /// Applies what time alone changes. Called several times a second, which is also the sign that all is alive.
    pub(super) fn tick(&self) {
        let mut inner = self.lock();
        if self.is_retired.load(Ordering::Relaxed) {
            return;
        }
        inner.fleet.tick(now());
        self.post(&mut inner);
        self.beat.store(monotonic_ms(), Ordering::Relaxed);
    }

    /// How long ago the last result or [`Board::tick`] was.
    pub(super) fn age(&self) -> Duration {
        Duration::from_millis(monotonic_ms().saturating_sub(self.beat.load(Ordering::Relaxed)))
    }

    /// Goes over to another generation; `spawn` starts the task of a new member. Nothing happens, and false comes back, if the lock
    /// can't be had.
    pub(super) fn replace(
        &self,
        plan: &Plan,
        view: &Arc<View>,
        memories: &[Memory],
        spawn: impl Fn(NewMember) -> Task,
    ) -> bool {
        let Some(mut inner) = self.try_lock() else { return false };
        let adopted = inner.fleet.adopt(plan, Arc::clone(view), memories, now());
        for id in adopted.stopped {
            if let Some(task) = inner.tasks.remove(&id) {
                task.handle.abort();
            }
        }
        for member in adopted.started {
            let id = member.id;
            inner.tasks.insert(id, spawn(member));
        }
        inner.announce_pending();
        true
    }

    /// Writes nothing any more. The view stays as it is; tasks that go on for a while change nothing. Waits for nobody.
    pub(super) fn retire(&self) {
        self.is_retired.store(true, Ordering::Relaxed);
        if let Ok(mut inner) = self.inner.try_lock() {
            inner.tasks.drain().for_each(|(_, task)| task.handle.abort());
            inner.pending.send_replace(0);
        }
    }

    /// See [`super::Prober::first_round`].
    pub(super) async fn first_round(&self) {
        let mut pending = self.lock().pending.subscribe();
        // An error would mean that the sender is gone, and that lives in `self`.
        let _ = pending.wait_for(|&pending| pending == 0).await;
    }

    /// Asks the fleet, and tells what came of it. Nothing if the lock can't be had.
    pub(super) fn ask<R>(&self, ask: impl FnOnce(&mut Fleet) -> R) -> Option<R> {
        let mut inner = self.try_lock()?;
        let answer = ask(&mut inner.fleet);
        self.post(&mut inner);
        Some(answer)
    }

    /// Hands over what the fleet has to tell.
    fn post(&self, inner: &mut Inner) {
        for happening in inner.fleet.take_news() {
            // An error would mean that the teller panicked, which has been told.
            let _ = self.news.send(happening);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No foreign code runs under the lock and every step leaves a usable state: a poisoned one is still good.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lock, unless whoever has it keeps it for so long that he must be dead.
    fn try_lock(&self) -> Option<MutexGuard<'_, Inner>> {
        let start = Instant::now();
        loop {
            match self.inner.try_lock() {
                Ok(inner) => return Some(inner),
                Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) if start.elapsed() > PATIENCE => return None,
                Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    /// Has the task crash that brings the next result.
    #[cfg(test)]
    pub(super) fn crash_next(&self) {
        self.hooks.crashes.store(true, Ordering::SeqCst);
    }

    /// Holds the lock for so long that everybody must think that nobody lives here any more.
    #[cfg(test)]
    pub(super) fn freeze(&self, time: Duration) {
        let _inner = self.lock();
        thread::sleep(time);
    }
}

impl Hooks {
    #[inline]
    fn crash(&self) {
        #[cfg(test)]
        assert!(!self.crashes.swap(false, Ordering::SeqCst), "a crash made by a test");
    }
}

impl Inner {
    /// Wakes those whose word is wanted now.
    fn ring(&mut self) {
        for id in self.fleet.take_summoned() {
            if let Some(task) = self.tasks.get(&id) {
                task.bell.notify_one();
            }
        }
    }

    fn announce_pending(&mut self) {
        let now_pending = self.fleet.pending();
        self.pending.send_if_modified(|pending| mem::replace(pending, now_pending) != now_pending);
    }
}

impl Throttle {
    /// Whether there is an error of our own side to tell now; if it is too early, it is counted for later.
    fn sift(&mut self, observation: &Observation, now: Moment) -> Option<(NothingReason, u64)> {
        let &Observation::Nothing(reason) = observation else {
            return None;
        };
        match self.told.entry(reason) {
            Vacant(first) => {
                first.insert((now, 0));
                Some((reason, 0))
            }
            Occupied(mut told) => {
                let (last, unsaid) = told.get_mut();
                if now.since(*last).as_secs() < OWN_ERROR_LOG_SECONDS {
                    *unsaid += 1;
                    return None;
                }
                *last = now;
                Some((reason, mem::take(unsaid)))
            }
        }
    }
}

/// Passes on what happened, and logs it, as long as there is a board. On a thread of its own: a log that nobody reads holds up the
/// news, and never a result.
fn tell(news: &mpsc::Receiver<Happening>, sink: &Sink, is_over: &AtomicBool) {
    for happening in news {
        // Of what hung while another board took over nobody wants to hear.
        if is_over.load(Ordering::Relaxed) {
            continue;
        }
        log(&happening);
        if catch_unwind(AssertUnwindSafe(|| sink(happening))).is_err() {
            error!("what was to be told of a probe crashed on its way");
        }
    }
}

fn log(happening: &Happening) {
    match happening {
        Happening::Endpoint { target, from, to, reason, streak, .. } if to == "down" => {
            warn!(%target, %from, %reason, streak, "endpoint is down");
        }
        Happening::Endpoint { target, from, to, reason, streak, .. } => {
            info!(%target, %from, %reason, streak, "endpoint is {to}");
        }
        Happening::GuardHeld { reason, failing, observed } => warn!(
            failing,
            observed, "{reason}: the last view is held, since the fault is rather on our own side"
        ),
        Happening::GuardReleased { reason } => info!("the view is not held any more: {reason}"),
        Happening::Blind { reason, blind, observed } => {
            warn!(blind, observed, "probes learn nothing, the last view stays: {reason}");
        }
        Happening::Sighted => info!("probes learn something again"),
        Happening::SentinelsSilent { sentinels } => warn!(sentinels, "no sentinel answers"),
        Happening::SentinelsHeard => info!("a sentinel answers again"),
        Happening::Certificate { target, ends_ms, .. } => {
            warn!(%target, ends_ms, "a certificate ends soon, or has ended");
        }
        Happening::ProberRestarted { reason } => {
            warn!("the prober was started anew, states are held: {reason}");
        }
        Happening::Confirmed { target, author, .. } => info!(%target, %author, "confirmed as up"),
        // Told by who sets them.
        Happening::OverrideSet { .. } | Happening::OverrideEnded { .. } => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_our_own_side_is_told_once_in_a_while_per_reason() {
        let (mut throttle, start) = (Throttle::default(), Moment(77));
        let reasons = [NothingReason::NoRoute, NothingReason::Late];
        let mut told = Vec::new();
        for second in 0..=2 * OWN_ERROR_LOG_SECONDS {
            for reason in reasons {
                let now = start.after(Duration::from_secs(second));
                if let Some((reason, unsaid)) = throttle.sift(&Observation::Nothing(reason), now) {
                    told.push((second / OWN_ERROR_LOG_SECONDS, reason, unsaid));
                }
            }
        }
        let unsaid = OWN_ERROR_LOG_SECONDS - 1;
        let expected = [(0, 0), (1, unsaid), (2, unsaid)];
        let expected = expected.map(|(nth, unsaid)| reasons.map(|reason| (nth, reason, unsaid)));
        assert_eq!(told, expected.concat());
        let failure = Observation::Failure(crate::health::FailureReason::Refused);
        assert_eq!(throttle.sift(&failure, start), None, "that is not our own side");
    }
}
