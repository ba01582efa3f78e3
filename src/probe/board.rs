//! Which targets there are and what is known of each: the one place where results come in and states go out.
//!
//! One lock, held for the few hundred nanoseconds that one result takes, and for one pass over the targets at a reload. It
//! makes [`Board::replace`] atomic towards results: a result is applied wholly to the old generation or wholly to the new.
//! Nothing is logged and the sink is not called under it.

use std::collections::HashMap;
use std::collections::hash_map::Entry::{Occupied, Vacant};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::watch;
use tokio::task::AbortHandle;
use tracing::{debug, info, warn};

use super::{Sink, TargetStatistics, Transition};
use crate::health::{
    Decision, Machine, NothingReason, Observation, ProbeAddress, ProbeTarget, Protocol,
    SmoothedLatency, Status, Tally, TargetId, View,
};
use crate::limits::OWN_ERROR_LOG_SECONDS;
use crate::sys::monotonic_ms;

/// Tells the watches of equal targets apart: a target that was removed and came back must not take results of its former
/// task, which may still be on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run(u64);

/// See the module.
pub(super) struct Board {
    generation: Mutex<Generation>,
    sink: Sink,
}

/// The targets of one generation, and the view that their states go to.
struct Generation {
    view: Arc<View>,
    watched: HashMap<ProbeTarget, Watched>,
    /// Targets whose first probe has not ended. Changed under the lock, awaited outside.
    pending: watch::Sender<usize>,
    /// Runs handed out so far, over all generations.
    runs: u64,
    throttle: Throttle,
}

/// One target that is being probed.
struct Watched {
    /// Its numbers in this generation: one, unless the list names it twice.
    ids: Vec<TargetId>,
    run: Run,
    machine: Machine,
    /// When it last came up after it was down, by [`monotonic_ms`]; 0 if it never did.
    recovered_ms: u64,
    latency: SmoothedLatency,
    tally: Tally,
    task: AbortHandle,
}

/// What the old generation believed of each thing that can be asked: the same address and port by the same protocol.
struct Known {
    statuses: HashMap<(ProbeAddress, u16, Protocol), Status>,
}

impl Known {
    fn of(watched: &HashMap<ProbeTarget, Watched>) -> Self {
        let statuses =
            watched.iter().map(|(target, watched)| (Self::key(target), watched.machine.status()));
        Self { statuses: statuses.collect() }
    }

    fn key(target: &ProbeTarget) -> (ProbeAddress, u16, Protocol) {
        (target.address.clone(), target.check.port, target.check.protocol.clone())
    }

    /// The machine that a new target begins with. If only the pace or the thresholds of its check were edited, it goes on
    /// from the status it had: an endpoint that is down must not come back into the answers because somebody tunes a check.
    fn machine(&self, target: &ProbeTarget) -> Machine {
        let status = self.statuses.get(&Self::key(target)).copied().unwrap_or_default();
        Machine::resume(status, Instant::now())
    }
}

/// What there is to tell once the lock is released.
enum News {
    /// The status changed.
    Changed(Transition),
    /// An error of our own side, and how many of its kind were kept quiet since one was told.
    OwnError(NothingReason, u64),
    /// Nothing.
    None,
}

/// Keeps errors of our own side from flooding the log: they come for all targets at once.
#[derive(Default)]
struct Throttle {
    /// When a reason was last told, and how many of its kind were kept quiet since. At most one entry per reason.
    told: HashMap<NothingReason, (Instant, u64)>,
}

impl Board {
    /// A board without targets.
    pub(super) fn new(sink: Sink) -> Self {
        let generation = Generation {
            view: Arc::new(View::new(0)),
            watched: HashMap::new(),
            pending: watch::Sender::new(0),
            runs: 0,
            throttle: Throttle::default(),
        };
        Self { generation: Mutex::new(generation), sink }
    }

    /// Applies one result: state, view, statistics; then log and sink. Ignored if the target is gone.
    pub(super) fn record(
        &self,
        target: &ProbeTarget,
        run: Run,
        observation: Observation,
        now: Instant,
    ) {
        debug!(%target, result = observation.as_label(), "{observation}");
        let news = self.lock().record(target, run, observation, now);
        match news {
            News::Changed(transition) => {
                log_transition(&transition);
                (self.sink)(&transition);
            }
            News::OwnError(reason, unsaid) => {
                warn!(%target, %reason, unsaid, "a probe learnt nothing");
            }
            News::None => {}
        }
    }

    /// Goes over to another generation; `spawn` starts the watch of a new target. See [`super::Prober::replace`].
    pub(super) fn replace(
        &self,
        targets: &[ProbeTarget],
        view: Arc<View>,
        spawn: impl Fn(ProbeTarget, Run, TargetId) -> AbortHandle,
    ) {
        let mut generation = self.lock();
        let mut old = mem::take(&mut generation.watched);
        let known = Known::of(&old);
        for (id, target) in (0u32..).map(TargetId).zip(targets) {
            generation.adopt(id, target, old.remove(target), &known, &spawn);
        }
        generation.publish(view);
        old.values().for_each(|watched| watched.task.abort());
    }

    /// Stops every watch and forgets every target. The view stays as it is.
    pub(super) fn clear(&self) {
        let mut generation = self.lock();
        generation.watched.drain().for_each(|(_, watched)| watched.task.abort());
        generation.pending.send_replace(0);
    }

    /// See [`super::Prober::first_round`].
    pub(super) async fn first_round(&self) {
        let mut pending = self.lock().pending.subscribe();
        // An error would mean that the sender is gone, and that lives in `self`.
        let _ = pending.wait_for(|&pending| pending == 0).await;
    }

    /// See [`super::Prober::statistics`].
    pub(super) fn statistics(&self) -> Vec<TargetStatistics> {
        let mut statistics = self.lock().statistics();
        statistics.sort_by_key(|one| one.id);
        statistics
    }

    fn lock(&self) -> MutexGuard<'_, Generation> {
        // No foreign code runs under the lock and every step leaves a usable state: a poisoned one is still good.
        self.generation.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generation {
    /// See [`Board::record`].
    fn record(
        &mut self,
        target: &ProbeTarget,
        run: Run,
        observation: Observation,
        now: Instant,
    ) -> News {
        let Some(watched) = self.watched.get_mut(target).filter(|watched| watched.run == run)
        else {
            return News::None;
        };
        let is_first = watched.tally.total() == 0;
        watched.tally.add(&observation, now);
        let decision = watched.observe(&observation, target, now);
        let is_nearer_or_farther = watched.measure(&observation);
        if decision.is_some() || is_nearer_or_farther {
            watched.publish(&self.view);
        }
        if is_first {
            // Last, because whoever waits for the first round reads the view without the lock.
            self.pending.send_modify(|pending| *pending = pending.saturating_sub(1));
        }
        match (decision, watched.ids.first()) {
            (Some(decision), Some(&id)) => {
                News::Changed(transition(id, target.clone(), decision, observation))
            }
            _ => self.throttle.sift(&observation, now),
        }
    }

    /// Takes in one target of the next generation: kept, named twice, or new.
    fn adopt(
        &mut self,
        id: TargetId,
        target: &ProbeTarget,
        kept: Option<Watched>,
        known: &Known,
        spawn: impl Fn(ProbeTarget, Run, TargetId) -> AbortHandle,
    ) {
        if let Some(twice) = self.watched.get_mut(target) {
            twice.ids.push(id);
            return;
        }
        let mut watched = kept.unwrap_or_else(|| {
            self.runs += 1;
            let run = Run(self.runs);
            Watched::new(run, known.machine(target), spawn(target.clone(), run, id))
        });
        watched.ids = vec![id];
        self.watched.insert(target.clone(), watched);
    }

    /// Writes what is known into the next view and makes it the one that is written from now on.
    fn publish(&mut self, view: Arc<View>) {
        self.watched.values().for_each(|watched| watched.publish(&view));
        self.view = view;
        let pending = self.watched.values().filter(|watched| watched.tally.total() == 0).count();
        self.pending.send_replace(pending);
    }

    fn statistics(&self) -> Vec<TargetStatistics> {
        let all = self.watched.iter();
        all.flat_map(|(target, watched)| watched.ids.iter().map(|&id| watched.report(id, target)))
            .collect()
    }
}

impl Watched {
    fn new(run: Run, machine: Machine, task: AbortHandle) -> Self {
        let (tally, latency) = (Tally::default(), SmoothedLatency::default());
        Self { ids: Vec::new(), run, machine, recovered_ms: 0, latency, tally, task }
    }

    fn observe(
        &mut self,
        observation: &Observation,
        target: &ProbeTarget,
        now: Instant,
    ) -> Option<Decision> {
        let machine = mem::replace(&mut self.machine, Machine::new(now));
        let (machine, decision) = machine.observe(observation, &target.check, now);
        self.machine = machine;
        if decision.as_ref().is_some_and(|one| one.from == Status::Down && one.to == Status::Up) {
            self.recovered_ms = monotonic_ms();
        }
        decision
    }

    /// Takes the latency of a success in, and says whether what is known of it changes.
    fn measure(&mut self, observation: &Observation) -> bool {
        match observation {
            Observation::Success { latency } => self.latency.observe(*latency).is_some(),
            Observation::Failure(_) | Observation::Nothing(_) => false,
        }
    }

    /// The seam for what may hold a decision back: damping and the guard against our own isolation.
    fn publish(&self, view: &View) {
        for &id in &self.ids {
            view.set_recovered_ms(id, self.recovered_ms);
            view.set_latency_us(id, self.latency.known_us());
            view.set(id, self.machine.status());
        }
    }

    fn report(&self, id: TargetId, target: &ProbeTarget) -> TargetStatistics {
        TargetStatistics {
            id,
            target: target.clone(),
            status: self.machine.status(),
            since: self.machine.since(),
            streak: self.machine.streak(),
            tally: self.tally.clone(),
        }
    }
}

impl Throttle {
    /// Whether there is an error of our own side to tell now; if it is too early, it is counted for later.
    fn sift(&mut self, observation: &Observation, now: Instant) -> News {
        let &Observation::Nothing(reason) = observation else {
            return News::None;
        };
        match self.told.entry(reason) {
            Vacant(first) => {
                first.insert((now, 0));
                News::OwnError(reason, 0)
            }
            Occupied(mut told) => {
                let (last, unsaid) = told.get_mut();
                if now.saturating_duration_since(*last).as_secs() < OWN_ERROR_LOG_SECONDS {
                    *unsaid += 1;
                    return News::None;
                }
                *last = now;
                News::OwnError(reason, mem::take(unsaid))
            }
        }
    }
}

fn transition(
    id: TargetId,
    target: ProbeTarget,
    decision: Decision,
    cause: Observation,
) -> Transition {
    let Decision { from, to, streak } = decision;
    Transition { id, target, from, to, cause, streak }
}

fn log_transition(transition: &Transition) {
    let Transition { target, from, to, cause, streak, .. } = transition;
    match to {
        Status::Down => warn!(%target, %from, reason = %cause, streak, "endpoint is down"),
        _ => info!(%target, %from, reason = %cause, streak, "endpoint is up"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_error_of_our_own_side_is_told_once_in_a_while_per_reason() {
        let (mut throttle, start) = (Throttle::default(), Instant::now());
        let reasons = [NothingReason::NoRoute, NothingReason::Late];
        let mut told = Vec::new();
        for second in 0..=2 * OWN_ERROR_LOG_SECONDS {
            for reason in reasons {
                let now = start + Duration::from_secs(second);
                let news = throttle.sift(&Observation::Nothing(reason), now);
                if let News::OwnError(reason, unsaid) = news {
                    told.push((second / OWN_ERROR_LOG_SECONDS, reason, unsaid));
                }
            }
        }
        let unsaid = OWN_ERROR_LOG_SECONDS - 1;
        let expected = [(0, 0), (1, unsaid), (2, unsaid)];
        let expected = expected.map(|(nth, unsaid)| reasons.map(|reason| (nth, reason, unsaid)));
        assert_eq!(told, expected.concat());
    }

    /// A task that was aborted may be past its last await: its result must not reach the target's next life.
    #[tokio::test]
    async fn a_result_of_a_former_run_is_ignored() {
        let (board, runs) = (Board::new(Arc::new(|_| {})), Mutex::new(Vec::new()));
        let targets = [crate::probe::tests::target(
            crate::health::Protocol::Tcp(crate::health::TcpCheck::default()),
            std::net::SocketAddr::from(([127, 0, 0, 1], 9)),
        )];
        let replace = |targets: &[ProbeTarget]| {
            let view = Arc::new(View::new(targets.len()));
            board.replace(targets, Arc::clone(&view), |_, run, _| {
                runs.lock().unwrap().push(run);
                tokio::spawn(std::future::pending::<()>()).abort_handle()
            });
            view
        };
        let views = [replace(&targets), replace(&[]), replace(&targets)];
        let runs = runs.into_inner().unwrap();
        let failure = || Observation::Failure(crate::health::FailureReason::Refused);
        board.record(&targets[0], runs[0], failure(), Instant::now());
        assert_eq!(views[2].status(TargetId(0)), Status::Unknown);
        board.record(&targets[0], runs[1], failure(), Instant::now());
        assert_eq!(views[2].status(TargetId(0)), Status::Down);
        assert_eq!(views[0].status(TargetId(0)), Status::Unknown);
    }

    #[test]
    fn what_an_endpoint_does_wrong_is_not_an_error_of_ours() {
        let mut throttle = Throttle::default();
        let failure = Observation::Failure(crate::health::FailureReason::Refused);
        assert!(matches!(throttle.sift(&failure, Instant::now()), News::None));
    }
}
