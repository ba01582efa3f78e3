//! The threads that probe, and who watches over them.
//!
//! Probes have a runtime of their own, whose threads give way to those that answer queries. A heart on it ticks the fleet several
//! times a second; a watchman on a plain thread looks whether it still does. If not, because a task holds the lock or blocks the
//! threads for ever, everything begins anew beside what hangs: with the statuses of the view, so that no answer changes, and what
//! hangs may not write any more (RELIABILITY R18). A watchman that was late himself says nothing: then the whole process stood still.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tracing::error;

use super::attempt::Tools;
use super::board::{Board, Task, now};
use super::schedule::{self, Watch};
use super::{Egress, ProberOptions, Sink};
use crate::health::{
    FleetSettings, Happening, Memory, NewMember, Plan, ProbeTarget, TargetId, View,
};
use crate::sys::give_way;

/// How often the heart beats.
const BEAT: Duration = Duration::from_millis(100);

/// How often the watchman looks.
const LOOK: Duration = Duration::from_millis(100);

/// A heart that has not beaten for so long stands still: with the watchman's own pace, it is noticed within a second.
const STANDSTILL: Duration = Duration::from_millis(800);

/// For how long a heart that was started anew is left alone at the least. Doubles each time, up to [`LONGEST_PATIENCE`]: what kills
/// one after the other must not leave threads behind each second.
const PATIENCE: Duration = Duration::from_millis(800);
const LONGEST_PATIENCE: Duration = Duration::from_secs(600);

/// For how long a heart must beat until it is trusted as if it had never stood still.
const FORGIVENESS: Duration = Duration::from_secs(300);

/// Threads that probe. One can be kept busy by handshakes while the other keeps time.
const THREADS: usize = 2;

/// The prober that is current, and how to make another.
pub(super) struct Supervisor {
    in_flight: usize,
    egress: Egress,
    fleet: FleetSettings,
    sink: Sink,
    /// That of the current station: whoever asks never waits for a station that hangs.
    board: ArcSwap<Board>,
    /// What was last known of all targets, for the day when nobody can be asked.
    known: ArcSwap<Vec<Memory>>,
    current: Mutex<Current>,
    is_over: AtomicBool,
}

/// What is probed, and by whom.
struct Current {
    plan: Plan,
    view: Arc<View>,
    station: Station,
}

/// One set of threads with its board.
struct Station {
    board: Arc<Board>,
    tools: Arc<Tools>,
    /// Absent once it was let go of.
    runtime: Option<Runtime>,
}

impl Supervisor {
    pub(super) fn start(
        plan: &Plan,
        view: Arc<View>,
        options: ProberOptions,
    ) -> io::Result<Arc<Self>> {
        let ProberOptions { in_flight, egress, fleet, memories, sink } = options;
        let station = Station::start(in_flight, &egress, &fleet, &sink)?;
        station.replace(plan, &view, &memories);
        let supervisor = Arc::new(Self {
            in_flight,
            egress,
            fleet,
            sink,
            board: ArcSwap::new(Arc::clone(&station.board)),
            known: ArcSwap::from_pointee(memories),
            current: Mutex::new(Current { plan: plan.clone(), view, station }),
            is_over: AtomicBool::new(false),
        });
        let watched = Arc::downgrade(&supervisor);
        thread::Builder::new().name("watchman".to_owned()).spawn(move || watch(&watched))?;
        Ok(supervisor)
    }

    pub(super) fn board(&self) -> Arc<Board> {
        self.board.load_full()
    }

    /// What is worth keeping of every target; nothing if the prober stands still at this moment.
    pub(super) fn memories(&self) -> Option<Vec<Memory>> {
        let memories = self.board().ask(|fleet| fleet.memories(now()))?;
        self.known.store(Arc::new(memories.clone()));
        Some(memories)
    }

    pub(super) fn replace(&self, plan: &Plan, view: Arc<View>) {
        let mut current = self.lock();
        // Of the view that is served: the new one says nothing yet.
        let before = |current: &Current| self.remember(&current.plan, &current.view);
        if current.station.replace(plan, &view, &[]) {
            (current.plan, current.view) = (plan.clone(), view);
            return;
        }
        let memories = before(&current);
        (current.plan, current.view) = (plan.clone(), view);
        let result = self.revive(&mut current, &memories);
        drop(current);
        self.tell(result, "its lock was not to be had at a reload");
    }

    /// Lets go of the threads.
    pub(super) fn stop(&self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.lock().station.let_go();
    }

    /// Begins anew beside what hangs.
    fn revive(&self, current: &mut Current, memories: &[Memory]) -> io::Result<()> {
        let station = Station::start(self.in_flight, &self.egress, &self.fleet, &self.sink)?;
        current.station.let_go();
        current.station = station;
        self.board.store(Arc::clone(&current.station.board));
        current.station.replace(&current.plan, &current.view, memories);
        Ok(())
    }

    /// Tells that it was begun anew. Not under the lock: whoever takes it may take his time.
    fn tell(&self, revived: io::Result<()>, reason: &str) {
        match revived {
            Ok(()) => {
                (self.sink)(Happening::ProberRestarted { reason: reason.to_owned() });
                error!("the prober was started anew, all states are held: {reason}");
            }
            Err(problem) => error!("the prober hangs, and can't be started anew: {problem}"),
        }
    }

    /// What is known of every target when nobody can be asked: the status from the view, which is what answers say, and the rest as
    /// it was last known.
    fn remember(&self, plan: &Plan, view: &View) -> Vec<Memory> {
        let known = self.known.load();
        let known: HashMap<&str, &Memory> =
            known.iter().map(|memory| (memory.key.as_str(), memory)).collect();
        let memory = |(target, id): (&ProbeTarget, TargetId)| {
            let shown = view.status(id);
            let status = if target.check.is_inverted { shown.inverted() } else { shown };
            let ago = |ms: u64| now().0.saturating_sub(ms);
            let (key, recovered_ago_ms) = (target.key(), view.recovered_ms(id).map(ago));
            let latency_us = view.latency_us(id).unwrap_or(0);
            match known.get(key.as_str()) {
                Some(&known) => Memory { status, recovered_ago_ms, latency_us, ..known.clone() },
                None => Memory {
                    key,
                    status,
                    relapses: 0,
                    changed_ago_ms: 0,
                    recovered_ago_ms,
                    seen_ago_ms: Some(0),
                    latency_us,
                },
            }
        };
        plan.targets.iter().zip((0u32..).map(TargetId)).map(memory).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Station {
    fn start(
        in_flight: usize,
        egress: &Egress,
        fleet: &FleetSettings,
        sink: &Sink,
    ) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name(THREAD_NAME)
            .on_thread_start(give_way)
            .enable_all()
            .build()?;
        let board = Arc::new(Board::new(fleet.clone(), Arc::clone(sink))?);
        let heart = Arc::clone(&board);
        runtime.spawn(async move {
            let mut beats = tokio::time::interval(BEAT);
            loop {
                beats.tick().await;
                heart.tick();
            }
        });
        let tools = Arc::new(Tools::new(in_flight, egress.clone()));
        Ok(Self { board, tools, runtime: Some(runtime) })
    }

    /// Goes over to another generation. False if the board is stuck.
    fn replace(&self, plan: &Plan, view: &Arc<View>, memories: &[Memory]) -> bool {
        let Some(runtime) = &self.runtime else { return true };
        self.board.replace(plan, view, memories, |member: NewMember| {
            let (board, tools) = (Arc::clone(&self.board), Arc::clone(&self.tools));
            let bell = Arc::new(Notify::new());
            let watch = Watch { member, board, tools, bell: Arc::clone(&bell) };
            Task { handle: runtime.spawn(schedule::keep(Arc::new(watch))).abort_handle(), bell }
        })
    }

    fn let_go(&mut self) {
        self.board.retire();
        if let Some(runtime) = self.runtime.take() {
            // Never waits for a thread that hangs.
            runtime.shutdown_background();
        }
    }
}

/// What threads that may panic are called: a panic anywhere else ends the process.
pub const THREAD_NAME: &str = "probe";

/// Looks after the heart until the prober is dropped.
fn watch(supervisor: &Weak<Supervisor>) {
    // Where the probes' threads get no processor, this one is late as well, and does not take them for dead.
    give_way();
    let (mut patience, mut revived) = (PATIENCE, Instant::now());
    loop {
        let start = Instant::now();
        thread::sleep(LOOK);
        let was_late = start.elapsed() > LOOK * 3;
        let Some(supervisor) = supervisor.upgrade() else { return };
        if supervisor.is_over.load(Ordering::Relaxed) {
            return;
        }
        if revived.elapsed() > patience + FORGIVENESS {
            patience = PATIENCE;
        }
        if was_late || supervisor.board().age() < STANDSTILL || revived.elapsed() < patience {
            continue;
        }
        let mut current = supervisor.lock();
        // It may have been revived while we waited.
        if current.station.board.age() >= STANDSTILL {
            let memories = supervisor.remember(&current.plan, &current.view);
            let result = supervisor.revive(&mut current, &memories);
            drop(current);
            supervisor.tell(result, "it stood still for almost a second");
            patience = (patience * 2).min(LONGEST_PATIENCE);
            revived = Instant::now();
        }
    }
}
